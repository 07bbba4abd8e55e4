//! VERDICT: what the numbers say so far, as a word, an interval and the counts behind it.

use super::words::{self, version};
use super::{View, take};
use crate::analysis::Verdict;
use crate::cockpit::RolloutView;
use crate::rollout::Mood;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, dim, sign, strong, text};
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, Facts, Spacing, draw_right};
use crate::tui::widgets::interval::Interval;
use crate::tui::widgets::title::Title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows of the pane.
pub(super) const HEIGHT: u16 = 8;

/// The word, its sign and its role.
fn word(r: &RolloutView) -> (Sign, &'static str, Role) {
    let v = &r.verdict;
    match v.verdict {
        _ if !r.status.flown => (Sign::Off, "not judged", Role::Off),
        _ if v.missing.is_some() => (Sign::Unknown, v.missing.unwrap_or_default(), Role::Unknown),
        _ if !v.measured => (Sign::Unknown, "no metrics", Role::Unknown),
        Verdict::Pass => (Sign::Ok, "pass so far", Role::Ok),
        Verdict::Fail => (Sign::Failing, "fail", Role::Bad),
        Verdict::Inconclusive => (Sign::Look, "unclear", Role::Warn),
        Verdict::NoData => (Sign::Unknown, "no data", Role::Unknown),
        Verdict::TooFew => (Sign::Unknown, "too few", Role::Unknown),
    }
}

/// The role of the interval and of the difference.
fn judged(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Pass => Role::New,
        Verdict::Fail => Role::Bad,
        Verdict::Inconclusive => Role::Warn,
        Verdict::NoData | Verdict::TooFew => Role::Unknown,
    }
}

/// The pane beside the charts.
pub(super) fn pane(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let (mark, says, role) = word(r);
    let mut rest = area;
    let note = vec![Bit::new(role, mark.text()), Bit::new(role, format!(" {says}"))];
    Title::new("VERDICT", vec![Fact::new(0, note)]).draw(take(&mut rest, 1), buf, pen);
    let v = &r.verdict;
    let Some((difference, (low, high))) = v.difference.zip(v.interval).filter(|_| r.status.flown && v.missing.is_none()) else {
        return reasons(rest, buf, r, pen);
    };
    let (old, new) = (version(&r.status.from), version(&r.status.to));
    let role = if v.verdict == Verdict::Fail { Role::Bad } else { Role::Strong };
    let over = if area.width >= 32 { format!("errors, {new} over {old}") } else { format!("errors, {new} − {old}") };
    row(take(&mut rest, 1), vec![dim(over)], vec![Bit::new(role, format::points(difference)), dim(" points")], buf, pen);
    let limit = r.status.limit.map(|l| (l.points() - r.old.rate.unwrap_or(0.0) * 100.0, format::limit(l.points())));
    let unit = limit.as_ref().map_or_else(|| high.abs().max(low.abs()), |(at, _)| at.max(0.1));
    Interval {
        low,
        middle: difference,
        high,
        limit: limit.as_ref().map(|(at, written)| (*at, written.as_str())),
        range: Interval::range(low, high, unit),
        role: judged(v.verdict),
    }
    .draw(take(&mut rest, 2), buf, pen);
    take(&mut rest, 1);
    if let Some(more) = v.p99_difference {
        let mut number = vec![strong(format!("{} ms", format::millis_more(more)))];
        let base = r.old.latency.map(|[.., p99]| p99).filter(|p99| *p99 > 0.0);
        number.extend(base.map(|base| dim(format!("  {} %", signed(more / base * 100.0)))));
        row(take(&mut rest, 1), vec![dim("p99")], number, buf, pen);
    }
    for (label, number) in counts(r, view, area.width < 34) {
        row(take(&mut rest, 1), vec![dim(label)], number, buf, pen);
    }
}

/// The rows under the interval: the bad checks and when it goes back by itself, else what was counted and the next look.
fn counts<'a>(r: &'a RolloutView, view: &View<'_>, narrow: bool) -> Vec<(&'static str, Vec<Bit<'a>>)> {
    let (bad, of) = r.status.bad_checks;
    if let Mood::Failing { automatic, .. } = &r.status.mood {
        let mut number = checks(bad, of);
        number.extend([strong(format!("  {bad}")), dim(format!(" of {of}"))]);
        let mut rows = vec![("bad checks", number)];
        rows.extend(automatic.map(|at| ("automatic rollback in", vec![strong(words::left(view, at))])));
        return rows;
    }
    let mut rows = vec![("counted", requests(r, if narrow { " req, " } else { " requests, " }))];
    rows.extend(r.verdict.next_check.filter(|_| r.in_flight()).map(|at| ("next check in", vec![strong(words::left(view, at))])));
    rows
}

/// `3,888 requests, 12 failed`.
fn requests(r: &RolloutView, unit: &'static str) -> Vec<Bit<'static>> {
    let thousands = |n: f64| format::thousands(n.round().max(0.0) as u64);
    vec![strong(thousands(r.verdict.requests)), dim(unit), text(thousands(r.verdict.failed)), dim(" failed")]
}

/// `✗✗✗◇◇`; only the number where there are many.
fn checks(bad: u32, of: u32) -> Vec<Bit<'static>> {
    if of > 8 {
        return Vec::new();
    }
    let many = |c: &str, n: u32| c.repeat(n as usize);
    vec![Bit::new(Role::Bad, many("✗", bad.min(of))), dim(many("◇", of.saturating_sub(bad)))]
}

/// What the last check said beyond the word itself.
fn more<'a>(r: &'a RolloutView, word: &str) -> &'a str {
    let says = r.verdict.says.as_str();
    says.strip_prefix(word).map_or(says, |rest| rest.trim_start_matches([':', ' ']))
}

/// Why there is no interval, in whole words over the rows there are.
fn reasons(area: Rect, buf: &mut Buffer, r: &RolloutView, pen: &Pen<'_>) {
    let to = version(&r.status.to);
    let v = &r.verdict;
    let (main, rest) = match v.verdict {
        _ if !r.status.flown => {
            (format!("Somebody else moves {to}."), "Nothing is judged here; its errors are drawn where they are counted.".to_owned())
        }
        _ if let Some(word) = v.missing => {
            let from = v.metrics.first().map(|m| format!(" {}", m.seen.source)).unwrap_or_default();
            (format!("Requests of {to} are not counted now. This is not zero."), format!("{}.{from}", more(r, word)))
        }
        _ if !v.measured => (format!("Nothing counts requests of {to}. This is not zero."), more(r, "no data").to_owned()),
        Verdict::TooFew => ("Too few to tell.".to_owned(), more(r, "too few").to_owned()),
        Verdict::NoData if r.new.requests < 1.0 => (format!("No requests on {to} yet."), more(r, "no data").to_owned()),
        _ => ("Nothing can be compared yet.".to_owned(), v.says.clone()),
    };
    let mut y = area.y;
    for (words, role) in [(main, Role::Text), (rest, Role::Dim)] {
        for line in wrap(&words, area.width).into_iter().take(usize::from(area.bottom().saturating_sub(y))) {
            pen.text(buf, area.x, y, area.width, line, role);
            y += 1;
        }
    }
}

/// Words in lines of at most `width` columns, a number with its unit in one; a word that is longer has a line of its own, cut at
/// its end.
pub(in crate::tui) fn wrap(words: &str, width: u16) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut end = 0;
    let mut from = 0;
    let all: Vec<(usize, &str)> = words
        .split(' ')
        .map(|word| {
            from += word.len() + 1;
            (from - word.len() - 1, word)
        })
        .collect();
    for run in all.chunk_by(|before, word| belongs(before.1, word.1)) {
        let (Some((at, _)), Some((last, word))) = (run.first(), run.last()) else { continue };
        let at = *at;
        let line = words.get(start..last + word.len()).unwrap_or_default();
        if crate::tui::pen::columns(line) > width && end > start {
            lines.push(words.get(start..end).unwrap_or_default());
            start = at;
        }
        end = last + word.len();
    }
    lines.push(words.get(start..end).unwrap_or_default());
    lines.retain(|l| !l.is_empty());
    lines
}

/// Whether a word must stand behind the one before: a unit behind its number, a number behind its sign.
fn belongs(before: &str, word: &str) -> bool {
    let unit = word.trim_end_matches(['.', ',', ';', ':', ')']);
    before == "<"
        || word == "<"
        || before.ends_with(|c: char| c.is_ascii_digit()) && matches!(unit, "%" | "s" | "ms" | "min" | "h" | "d" | "/s" | "req/s")
}

/// A label at the left and a number at the right.
fn row(area: Rect, label: Vec<Bit<'_>>, number: Vec<Bit<'_>>, buf: &mut Buffer, pen: &Pen<'_>) {
    if area.height == 0 {
        return;
    }
    let end = draw_right(&[Fact::new(0, number)], area, buf, pen, 0);
    let room = end.saturating_sub(area.x + 1);
    if crate::tui::pen::width(&label) <= room {
        pen.bits(buf, area.x, area.y, room, &label);
    }
}

fn signed(percent: f64) -> String {
    format!("{}{:.0}", if percent.round() < 0.0 { '−' } else { '+' }, percent.abs())
}

/// The verdict in one line under the chart.
pub(super) fn line(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let (mark, says, role) = word(r);
    let v = &r.verdict;
    let mut line = Facts {
        head: vec![Bit::new(Role::Title, "VERDICT")],
        left: vec![Fact::new(0, [sign(mark), Bit::new(role, format!(" {says}"))])],
        right: Vec::new(),
        spacing: Spacing { gap: 2, tab: None },
    };
    match v.difference.zip(v.interval).filter(|_| r.status.flown && v.missing.is_none()) {
        Some((difference, (low, high))) => {
            let role = if v.verdict == Verdict::Fail { Role::Bad } else { Role::Strong };
            let ends = format!(" points, {} to {}", bare(low), bare(high));
            line.left.push(Fact::new(1, [Bit::new(role, format::points(difference)), dim(ends)]));
        }
        None if !r.status.flown => line.left.push(Fact::new(1, [dim("somebody else moves it")])),
        None if v.missing.is_some() => line.left.push(Fact::new(1, [dim(more(r, says))])),
        None if !v.measured => line.left.push(Fact::new(1, [dim("this is not zero")])),
        None if r.new.requests < 1.0 => line.left.push(Fact::new(1, [dim(format!("no requests on {} yet", version(&r.status.to)))])),
        None => line.left.extend(Some(more(r, says)).filter(|m| !m.is_empty()).map(|m| Fact::new(1, [dim(m)]))),
    }
    let (bad, of) = r.status.bad_checks;
    if matches!(r.status.mood, Mood::Failing { .. }) {
        line.left.extend(v.p99_difference.map(|more| Fact::new(3, [dim("p99 "), strong(format!("{} ms", format::millis_more(more)))])));
        let mut number = checks(bad, of);
        number.push(dim(format!(" {bad} of {of} bad")));
        line.left.push(Fact::new(2, number));
    } else if v.measured && v.requests >= 1.0 {
        line.left.push(Fact::new(3, requests(r, " requests, ")));
        if let (Some(at), true) = (v.next_check, r.in_flight()) {
            line.right.push(Fact::new(4, [dim("check in "), strong(words::left(view, at))]));
        }
    }
    // The line is drawn from the margin on, not from the pane.
    line.draw(Rect { x: area.x - 1, width: area.width + 2, ..area }, buf, pen);
}

/// An end of an interval: `−0.18`, `0.31`.
fn bare(value: f64) -> String {
    format!("{}{}", if value < 0.0 { "−" } else { "" }, format::rate(value.abs()))
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn words_are_wrapped_whole() {
        assert_eq!(wrap("too few: 12 of 30 requests", 12), ["too few: 12", "of 30", "requests"]);
        assert_eq!(wrap("", 12), Vec::<&str>::new());
        assert_eq!(wrap("unbreakable-word then", 8), ["unbreakable-word", "then"]);
    }
}
