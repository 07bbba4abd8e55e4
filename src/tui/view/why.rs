//! WHY: why a rollout does not go on, and what the last checks said, in full and not shortened.

use super::verdict::wrap;
use super::words::version;
use super::{View, take};
use crate::cockpit::{RegionState, RolloutView};
use crate::fleet::{Metered, Side};
use crate::rollout::{LegMood, Mood, Readiness};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, columns, dim};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::widgets::facts::Fact;
use crate::tui::widgets::title::Title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A line: whose it is, its sign, and the words.
struct Line {
    mark: Option<(Sign, Role)>,
    subject: String,
    words: String,
}

/// Draws the screen.
pub(super) fn screen(content: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let Some(r) = view.subject() else { return };
    let lines = lines(r, view);
    let subject = lines.iter().map(|l| columns(&l.subject)).max().unwrap_or(0).clamp(8, 20);
    let room = content.width.saturating_sub(2 + subject + 2);
    let rows: Vec<(Option<&Line>, &Line, &str)> = lines
        .iter()
        .flat_map(|line| wrap(&line.words, room).into_iter().enumerate().map(move |(i, words)| ((i == 0).then_some(line), line, words)))
        .collect();
    let mut rest = content;
    let title = take(&mut rest, 1);
    let first = view.scroll.min(rows.len().saturating_sub(usize::from(rest.height)));
    pen.spot(content, Spot::Scrolls(rows.len().saturating_sub(usize::from(rest.height))));
    let shown = usize::from(rest.height).min(rows.len());
    let note = match rows.len() > shown {
        true => format!("{}-{}/{}", first + 1, first + shown, rows.len()),
        false => format!("at {}", view.snapshot.now.clock()),
    };
    Title::new("WHY", vec![Fact::new(0, [dim(note)])]).draw(title, buf, pen);
    for ((begins, line, words), row) in rows.iter().skip(first).zip(rest.rows()) {
        if let Some(line) = begins {
            if let Some((mark, role)) = line.mark {
                pen.text(buf, row.x, row.y, 1, mark.text(), role);
            }
            pen.text(buf, row.x + 2, row.y, subject, &line.subject, Role::Dim);
        }
        let role = if line.mark.is_some() { Role::Text } else { Role::Dim };
        pen.bits(buf, row.x + 2 + subject + 2, row.y, room, &[Bit::new(role, *words)]);
    }
}

fn lines(r: &RolloutView, view: &View<'_>) -> Vec<Line> {
    let s = &r.status;
    let mut lines = Vec::new();
    let mut add = |mark: Option<(Sign, Role)>, subject: &str, words: String| {
        if !words.is_empty() {
            lines.push(Line { mark, subject: super::words::shortened(subject), words });
        }
    };
    let sign = super::words::sign_of(&s.mood);
    let state = match &s.mood {
        Mood::OnCourse => "on course: nothing holds it".to_owned(),
        Mood::Waits { cause } => format!("waits, and goes on by itself: {cause}"),
        Mood::Unclear { cause } => format!("unclear: {cause}"),
        Mood::Held { cause, .. } => format!("held: {cause}"),
        Mood::Stuck { cause, .. } => format!("stuck: {cause}"),
        Mood::Failing { cause, since, .. } => format!("failing since {}: {cause}", since.clock()),
        Mood::RollingBack => {
            format!("rolling back: {}", s.back.as_ref().and_then(|b| b.waits.clone()).unwrap_or_else(|| "all traffic moves".into()))
        }
        Mood::NotProven { missing } => format!("moved back, not proven: {missing}"),
        Mood::Back => "rolled back, and proven".to_owned(),
        Mood::Promoted => format!("promoted: {} runs everywhere", version(&s.to)),
        Mood::Aborted => format!("aborted: all traffic on {}, {} stays to be looked at", version(&s.from), version(&s.to)),
        Mood::Superseded => "superseded: somebody else drives it, in a higher term".to_owned(),
    };
    add(Some((sign, sign.role())), &s.service.name, state);
    if let Some(back) = &s.back {
        add(
            Some((Sign::Back, Role::Warn)),
            "rolled back",
            format!("{} at {}: {}", super::words::by(&back.by), back.began.clock(), back.why),
        );
    }
    if let Some(stuck) = &s.stuck {
        let heals = if stuck.may_heal { "it may heal by itself" } else { "waiting does not help" };
        let pods = super::words::wait(stuck.pods);
        let words = format!("{pods} since {}: {}; {heals}", stuck.since.clock(), stuck.cause);
        add(Some((Sign::Look, Role::Warn)), "pods", words);
    }
    for leg in &s.legs {
        let mark = match leg.mood {
            LegMood::Failing => (Sign::Failing, Role::Bad),
            LegMood::Unknown => (Sign::Unknown, Role::Unknown),
            _ => (Sign::Look, Role::Warn),
        };
        add(Some(mark), leg.id.as_str(), leg.why.clone().unwrap_or_default());
    }
    let (bad, of) = s.bad_checks;
    if bad > 0 {
        add(Some((Sign::Failing, Role::Bad)), "checks", format!("{bad} of {of} bad in a row; {of} roll back"));
    }
    let says = if r.verdict.measured || r.verdict.missing.is_some() || !s.flown {
        r.verdict.says.clone()
    } else {
        format!("nothing counts requests of {}. This is not zero. {}", version(&s.to), r.verdict.says)
    };
    let unknown = s.flown && (!r.verdict.measured || r.verdict.missing.is_some());
    add(Some((Sign::Unknown, Role::Unknown)).filter(|_| unknown), "last check", says.trim_end().to_owned());
    for metrics in &r.verdict.metrics {
        let seen = &metrics.seen;
        let why = if seen.why.is_empty() { String::new() } else { format!(": {}", seen.why) };
        let mark = Some((Sign::Unknown, Role::Unknown)).filter(|_| seen.state != Metered::Counted);
        add(mark, "metrics", format!("{}, {} at {}: {}{why}", metrics.leg, seen.source, seen.at.clock(), seen.state.word()));
        for asked in &seen.queries {
            let side = version(if asked.side == Side::New { &s.to } else { &s.from });
            add(None, &format!("{} {side}", asked.what), format!("{}   {}", asked.says, asked.query));
        }
    }
    if let Readiness::Slow { why } | Readiness::Partly { why } | Readiness::Denied { why } | Readiness::Off { why } = &s.rollback.readiness
    {
        add(Some((Sign::Look, Role::Warn)), "way back", why.clone());
    }
    for left in &s.rollback.left_behind {
        add(Some((Sign::Look, Role::Warn)), "left behind", left.clone());
    }
    add(
        Some((Sign::Look, Role::Warn)),
        "log",
        r.record.not_recorded.as_ref().map(|why| format!("not recorded: {why}")).unwrap_or_default(),
    );
    for why in &r.record.only_here {
        add(Some((Sign::Look, Role::Warn)), "log", format!("only here: {why}"));
    }
    for branch in &r.record.branches {
        add(Some((Sign::Look, Role::Warn)), "log", format!("another branch is kept: {branch}"));
    }
    for fault in &r.record.faults {
        add(Some((Sign::Look, Role::Warn)), "log", fault.clone());
    }
    if let Some(driver) = r.record.driver.as_ref().filter(|d| d.gone.is_none() && !d.nobody) {
        add(Some((Sign::Look, Role::Text)), "driver", format!("{}: T takes the controls", driver.name));
    }
    for dark in &r.dark {
        add(
            Some((Sign::Look, Role::Warn)),
            "dark",
            format!("{} in {} has no traffic: what its owner changes there reaches nobody", dark.name, dark.region),
        );
    }
    for region in &view.snapshot.regions {
        let name = region.name.as_str();
        if let RegionState::Silent { since, why, again } = &region.state {
            let again = format::age(again.since(view.snapshot.now));
            add(Some((Sign::Unknown, Role::Unknown)), name, format!("silent since {}: {why}; asked again in {again}", since.clock()));
        }
        if !region.denied.is_empty() {
            add(Some((Sign::Unknown, Role::Unknown)), name, format!("does not let you {}", region.denied.join(", nor ")));
        }
    }
    // What was told of it, where it was not good news.
    let told = r.notes.iter().filter(|n| !matches!(n.sign, crate::cockpit::Sign::Ok | crate::cockpit::Sign::Plain)).take(30);
    for note in told {
        let words = [note.text.as_str(), note.aside.as_str()].join(" ");
        add(None, &note.at.clock(), words.trim_end().to_owned());
    }
    lines
}
