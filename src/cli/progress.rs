//! The one line on a terminal that says how a rollout goes while nothing happens, rewritten in place.
//!
//! Knows no rollout beyond its status. It has no colours. Known weakness: a terminal that becomes narrower wraps the line that
//! is there, and keeps what was wrapped.

use super::verb;
use crate::cockpit::RolloutView;
use crate::rollout::{Mood, Readiness};
use crate::tui::glyphs::GlyphSet;
use crate::units::{Span, Time, clean};
use std::io::{IsTerminal, Write};

/// Columns where nobody says how many there are.
const USUAL: u16 = 80;
/// So much of why the way back is not ready.
const WHY: usize = 32;

/// The line, on standard error.
pub struct Progress {
    glyphs: GlyphSet,
    shown: String,
}

impl Progress {
    /// Only where a person looks: on a terminal that can rewrite a line.
    pub fn on_terminal() -> Option<Progress> {
        let env = |name: &str| std::env::var(name).ok();
        let here = std::io::stderr().is_terminal() && env("TERM").is_none_or(|term| term != "dumb");
        here.then(|| Progress { glyphs: GlyphSet::detect(None, env), shown: String::new() })
    }

    /// Rewrites the line where it says something else.
    pub fn show(&mut self, view: &RolloutView, now: Time) {
        // One column is left free: a terminal may wrap in its last one.
        let columns = crossterm::terminal::size().map_or(USUAL, |(columns, _)| if columns == 0 { USUAL } else { columns });
        let text: String = cut(&line(view, now), usize::from(columns) - 1).chars().map(|c| self.glyphs.twin(c)).collect();
        if text != self.shown {
            write(&format!("\r\x1b[K{text}"));
            self.shown = text;
        }
    }

    /// Takes the line away, for one that stays.
    pub fn clear(&mut self) {
        if !std::mem::take(&mut self.shown).is_empty() {
            write("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A terminal that is gone is no reason to leave a rollout.
fn write(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// `step 7/15 15 %   seen 14.6 % of 15 %   R ready, 0.4 s   next 25 % in 4:12`
fn line(view: &RolloutView, now: Time) -> String {
    let s = &view.status;
    let label = s.steps.get(s.step).map_or("the end", |step| step.label.as_str());
    let at = (s.step + 1).min(s.steps.len());
    let seen = s.seen.map_or_else(|| "seen ?".into(), |seen| format!("seen {seen}"));
    let waits = match (&s.mood, &s.next) {
        (Mood::OnCourse, Some((next, Some(due)))) => format!("next {next} in {}", Span(due.since(now).0 + 999).clock()),
        (Mood::OnCourse, Some((next, None))) => format!("next {next}"),
        (mood, _) => verb::words(mood),
    };
    let because = |word: &str, why: &str| format!("R {word}: {}", clean(why, WHY));
    let way_back = match &s.rollback.readiness {
        Readiness::Ready => format!("R ready, {:.1} s", s.rollback.about.as_secs_f64()),
        Readiness::Slow { why } => because("slow", why),
        Readiness::Partly { why } => because("partly", why),
        Readiness::Denied { why } => because("denied", why),
        Readiness::Off { why } => because("off", why),
    };
    // What has no bound comes last, where it is cut.
    format!("step {at}/{} {label}   {seen} of {}   {way_back}   {waits}", s.steps.len(), s.want)
}

/// The text in so many columns at most.
fn cut(text: &str, columns: usize) -> String {
    let wide = |c: char| unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += wide(*c);
            used <= columns
        })
        .collect()
}
