//! The curves: error rate and p99 of both versions against each other and the limit, all regions together and each alone.
//!
//! Known weakness: a rate is drawn over the last 20 s of counts (up to 1 min where requests are few), so a burst shows a little
//! late and rounded.

use super::words::{self, Worst, version};
use super::{View, take, take_last};
use crate::cockpit::{Curves, DOT, Dot, RolloutView, SideView};
use crate::rollout::{Mood, StepState};
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::model::Full;
use crate::tui::pen::{Bit, Pen, dim, shorten, text};
use crate::tui::theme::Role;
use crate::tui::widgets::chart::{AXIS, Chart, Curve, Mark, plot_width};
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::paper::{MINUTE, Paper, TEN_SECONDS};
use crate::tui::widgets::scale::{Ceiling, Scale, Unit};
use crate::tui::widgets::title::Title;
use crate::units::{Span, Time};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows of the latency plot: in a small pane, and in a large one.
const LATENCY: (u16, u16) = (4, 8);
/// Rows of a region's small plot.
const SMALL: u16 = 8;
/// A rate is drawn over so many dots, and over more where fewer requests came than say something.
const SMOOTH: (usize, usize) = (4, 12);
/// Without a dot for so long, curves are old.
const STALE: Span = Span::secs(30);

/// A curve's values by time.
pub(super) type Samples = Vec<(Time, Option<f64>)>;

/// The charts of a rollout, above each other on one x axis, in the rows there are.
pub(super) fn column(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    // A title, three rows, the axis.
    if area.height < 1 + 3 + AXIS {
        return;
    }
    let mut rest = area;
    let latency = r.curves.old.iter().chain(&r.curves.new).any(|(_, d)| d.p99.is_some());
    let rows = if area.height >= 27 { LATENCY.1 } else { LATENCY.0 };
    // Title, five rows of errors, blank, title, latency, axis.
    if !latency || area.height < 1 + 5 + 1 + 1 + LATENCY.0 + AXIS {
        if latency && view.full == Some(Full::Latency) {
            lag_chart(rest, buf, r, view, pen)
        } else {
            errors(rest, true, buf, r, view, pen)
        }
        return;
    }
    lag_chart(take_last(&mut rest, 1 + rows + AXIS), buf, r, view, pen);
    take_last(&mut rest, 1);
    let legs = r.legs.len();
    if rest.height >= 1 + 12 + 1 + 1 + SMALL + AXIS && area.width >= super::FULL && (2..=4).contains(&legs) {
        small(take_last(&mut rest, 1 + SMALL + AXIS), buf, r, view, pen);
        take_last(&mut rest, 1);
    }
    errors(rest, false, buf, r, view, pen);
}

/// The x axis: 10 s a column, or zoomed out 1 min.
fn paper(view: &View<'_>, now: Time, width: u16, lag: Span) -> Paper {
    Paper::new(now, if view.zoomed { MINUTE } else { TEN_SECONDS }, plot_width(width), lag)
}

/// ERROR RATE of both versions.
fn errors(area: Rect, axis: bool, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let s = &r.status;
    let mut rest = area;
    let title = take(&mut rest, 1);
    let stale = stale(r, view);
    let mut note: Vec<Fact<'_>> = Vec::new();
    match (&stale, &s.mood) {
        (Some(words), _) => note.push(Fact::new(0, [Bit::new(Role::Unknown, format!("? stale, {}", words.trim_start_matches("? ")))])),
        (None, Mood::Failing { since, .. }) => {
            note.extend(s.limit.filter(|_| axis_note(area)).map(|l| Fact::new(2, [dim(format!("limit {} %", format::limit(l.points())))])));
            note.push(Fact::new(0, [Bit::new(Role::Bad, format!("over since {}", since.clock()))]));
        }
        (None, _) if !r.verdict.measured && is_empty(&r.curves) => {
            note.push(Fact::new(0, [Bit::new(Role::Unknown, format!("? {}", r.verdict.missing.unwrap_or("no metrics")))]));
        }
        (None, _) => {
            match s.limit {
                Some(l) => note.push(Fact::new(1, [dim(format!("limit {} %", format::limit(l.points())))])),
                None => note.push(Fact::new(1, [dim("no limit set")])),
            }
            note.extend((area.width >= 100).then(|| Fact::new(2, [dim(if view.zoomed { "1 min a column" } else { "10 s a column" })])));
        }
    }
    // Where one region fails its curve is the proof: that of all together may be under the limit.
    let worst = Worst::of(r);
    let name = match &worst.place {
        Some(place) => format!("ERROR RATE, {place}"),
        None if r.legs.len() > 1 && area.width >= 100 => "ERROR RATE, all regions".to_owned(),
        None => "ERROR RATE".to_owned(),
    };
    Title::new(&name, note).draw(title, buf, pen);
    if !r.verdict.measured && is_empty(&r.curves) {
        return no_metrics(rest, buf, r, view, pen);
    }
    let samples = (error_rates(&worst.curves.old), error_rates(&worst.curves.new));
    let limit = s.limit.map(crate::units::Percent::points);
    let paper = paper(view, view.snapshot.now, area.width, Span::ZERO);
    let from = paper_left(view, r, area.width, Span::ZERO);
    let ceiling = ceiling(limit, [&samples.0, &samples.1], r, from);
    let over = words::over_limit(worst.new, s.limit);
    let label = |side: &SideView, new: bool| label(side, words::errors(side), r, new, over);
    let marks = marks(r, view);
    Chart {
        paper,
        scale: Scale::new(&ceiling, Unit::Percent),
        curves: &[
            Curve { samples: &samples.0, every: DOT, role: Role::Old, judged: false, label: label(worst.old, false) },
            Curve { samples: &samples.1, every: DOT, role: Role::New, judged: true, label: label(worst.new, true) },
        ],
        limit,
        marks: &marks,
        now: view.snapshot.now,
        axis,
        stale: stale.as_deref(),
    }
    .draw(rest, buf, pen);
    if is_empty(&r.curves) {
        waiting(rest, buf, r, view, pen);
    }
}

/// Whether a title has room for the limit beside the trouble.
fn axis_note(area: Rect) -> bool {
    area.width >= 50
}

/// LATENCY p99 of both versions.
fn lag_chart(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let mut rest = area;
    let title = take(&mut rest, 1);
    let from = version(&r.status.from);
    let stale = stale(r, view);
    let note = match &stale {
        Some(words) => Bit::new(Role::Unknown, format!("? stale, {}", words.trim_start_matches("? "))),
        None => dim(format!("compared with {from}")),
    };
    Title::new("LATENCY p99", vec![Fact::new(0, [note])]).draw(title, buf, pen);
    let samples = (p99s(&r.curves.old), p99s(&r.curves.new));
    // A second later than the chart above, so that never two turn in one frame.
    let paper = paper(view, view.snapshot.now, area.width, Span::secs(1));
    let from = paper_left(view, r, area.width, Span::secs(1));
    let ceiling = ceiling(None, [&samples.0, &samples.1], r, from);
    let label = |side: &SideView, new: bool| label(side, words::p99(side), r, new, false);
    let mut marks = marks(r, view);
    marks.iter_mut().for_each(|m| m.label = "");
    Chart {
        paper,
        scale: Scale::new(&ceiling, Unit::Millis),
        curves: &[
            Curve { samples: &samples.0, every: DOT, role: Role::Old, judged: false, label: label(&r.old, false) },
            Curve { samples: &samples.1, every: DOT, role: Role::New, judged: false, label: label(&r.new, true) },
        ],
        limit: None,
        marks: &marks,
        now: view.snapshot.now,
        axis: true,
        stale: stale.as_deref(),
    }
    .draw(rest, buf, pen);
}

/// A small chart of errors per region, all on one scale, so that they compare.
fn small(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let count = r.legs.len() as u16;
    let width = (area.width - (count - 1) * 2) / count;
    let limit = r.status.limit.map(crate::units::Percent::points);
    let samples: Vec<(Samples, Samples)> = r.legs.iter().map(|l| (error_rates(&l.curves.old), error_rates(&l.curves.new))).collect();
    let paper = paper(view, view.snapshot.now, width, Span::secs(2));
    let from = paper_left(view, r, width, Span::secs(2));
    let all: Vec<&Samples> = samples.iter().flat_map(|(o, n)| [o, n]).collect();
    let ceiling = ceiling(limit, all, r, from);
    let mut marks = marks(r, view);
    marks.iter_mut().for_each(|m| m.label = "");
    for ((leg, (old, new)), i) in r.legs.iter().zip(&samples).zip(0u16..) {
        let mut rest = Rect { x: area.x + i * (width + 2), width, ..area };
        let over = words::over_limit(&leg.new, r.status.limit);
        let number = |side: &SideView, role| words::errors_bare(side).map(|e| Bit::new(role, e));
        let mut note: Vec<Bit<'_>> = number(&leg.new, if over { Role::Bad } else { Role::New }).into_iter().collect();
        note.extend(number(&leg.old, Role::Old).into_iter().flat_map(|bit| [text(" "), bit]));
        Title { name: vec![text(shorten(leg.id.as_str(), 20))], note: vec![Fact::new(0, note)] }.draw(take(&mut rest, 1), buf, pen);
        Chart {
            paper,
            scale: Scale::new(&ceiling, Unit::Percent),
            curves: &[
                Curve { samples: old, every: DOT, role: Role::Old, judged: false, label: Vec::new() },
                Curve { samples: new, every: DOT, role: Role::New, judged: true, label: Vec::new() },
            ],
            limit,
            marks: &marks,
            now: view.snapshot.now,
            axis: true,
            stale: None,
        }
        .draw(rest, buf, pen);
    }
}

/// What stands at the end of a curve: `v42 0.31 %`, `v41 0.28`.
fn label<'a>(side: &SideView, value: Option<String>, r: &'a RolloutView, new: bool, over: bool) -> Vec<Bit<'a>> {
    let Some(value) = value.filter(|_| side.requests >= 1.0) else { return Vec::new() };
    if new {
        vec![Bit::new(if over { Role::Bad } else { Role::New }, format!("{} {value}", version(&r.status.to)))]
    } else {
        let bare = value.split_once(' ').filter(|(_, unit)| matches!(*unit, "%" | "ms")).map_or(value.as_str(), |(number, _)| number);
        vec![Bit::new(Role::Old, format!("{} {bare}", version(&r.status.from)))]
    }
}

/// The steps on the x axis that changed the share, and the next that will.
fn marks<'a>(r: &'a RolloutView, view: &View<'_>) -> Vec<Mark<'a>> {
    let s = &r.status;
    let changed = |step: &&crate::rollout::StepStatus| step.weight.is_some();
    let mut marks: Vec<Mark<'a>> = s
        .steps
        .iter()
        .filter(changed)
        .filter_map(|step| Some(Mark { at: step.began?, label: step.label.as_str(), planned: false }))
        .filter(|m| m.at <= view.snapshot.now)
        .collect();
    let next = s.steps.iter().filter(changed).find(|step| step.state == StepState::Later);
    marks.extend(next.and_then(|step| Some(Mark { at: step.due?, label: step.label.as_str(), planned: true })));
    marks.sort_by_key(|m| m.at);
    marks
}

/// The highest value of the y axis. It grows at once when data passes it, and shrinks only at a step: it holds what was on the
/// paper when the current step began, and all since.
fn ceiling<'s>(limit: Option<f64>, curves: impl IntoIterator<Item = &'s Samples> + Clone, r: &RolloutView, from: Time) -> Ceiling {
    let mut ceiling = match limit {
        Some(limit) => Ceiling::over_limit(limit),
        None => Ceiling::over_median(usual(curves.clone().into_iter().next(), r.status.began)),
    };
    let seen = curves.into_iter().flatten().filter(|(at, _)| *at >= from).filter_map(|(_, v)| *v);
    ceiling.see(seen.fold(0.0, f64::max));
    ceiling
}

/// The left edge of the paper when the current step began.
fn paper_left(view: &View<'_>, r: &RolloutView, width: u16, lag: Span) -> Time {
    let began = r.status.steps.get(r.status.step).and_then(|s| s.began).unwrap_or(r.status.began);
    paper(view, began.min(view.snapshot.now), width, lag).time(0)
}

/// The median of the old version before the launch, or of what there is.
fn usual(old: Option<&Samples>, began: Time) -> f64 {
    let Some(old) = old else { return 0.0 };
    let before = old.partition_point(|(at, _)| *at <= began);
    let used = if before >= 6 { old.get(..before) } else { old.get(..old.len().min(24)) };
    let mut values: Vec<f64> = used.unwrap_or_default().iter().filter_map(|(_, v)| *v).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Errors in percent over the last dots; nothing where the side had no requests lately.
pub(super) fn error_rates(dots: &[(Time, Dot)]) -> Samples {
    let mut rates = Vec::with_capacity(dots.len());
    for (i, (at, _)) in dots.iter().enumerate() {
        let (mut requests, mut errors, mut later) = (0.0, 0.0, *at);
        for (n, (before, dot)) in dots.get(..=i).unwrap_or_default().iter().rev().enumerate() {
            let done = n >= SMOOTH.0 && (requests >= format::LEAST_FOR_RATE as f64 || requests <= 0.0);
            // Never over a gap.
            if done || n >= SMOOTH.1 || later.since(*before) > Span(DOT.0 * 2) {
                break;
            }
            requests += dot.requests;
            errors += dot.errors;
            later = *before;
        }
        rates.push((*at, (requests > 0.0).then(|| errors / requests * 100.0)));
    }
    rates
}

fn p99s(dots: &[(Time, Dot)]) -> Samples {
    dots.iter().map(|(at, dot)| (*at, dot.p99)).collect()
}

fn is_empty(curves: &Curves) -> bool {
    curves.old.is_empty() && curves.new.is_empty()
}

/// How old the curves are, where that is too old: `? 41 s old`.
fn stale(r: &RolloutView, view: &View<'_>) -> Option<String> {
    let last = [&r.curves.old, &r.curves.new].iter().filter_map(|c| c.last()).map(|(at, _)| *at).max()?;
    let age = view.snapshot.now.since(last);
    (r.in_flight() && age > STALE).then(|| format!("? {} old", format::age(age)))
}

/// Nothing counts requests: said, with what it means for the rollout.
fn no_metrics(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let to = version(&r.status.to);
    let mut lines = vec![vec![Fact::new(0, [text(format!("Nothing counts requests of {to} here. This is not zero."))])]];
    let held = matches!(r.status.mood, Mood::Unclear { .. });
    let mut last =
        vec![Fact::new(0, [text(if held { "The step is held: no data never passes." } else { "Pods and R are watched all the same." })])];
    last.extend(view.live(Action::Why).map(|_| Fact::new(2, super::bar::invite(view, Action::Why, "why"))));
    lines.push(last);
    sentences(area, &lines, buf, pen);
}

/// Nothing was counted yet.
fn waiting(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let began =
        format!("No numbers yet: it began {}, the first come after {}.", words::ago(view, r.status.began), format::age(Span(DOT.0 * 2)));
    sentences(area, &[vec![Fact::new(0, [dim(began)])]], buf, pen);
}

/// Lines of words in a pane that has nothing to draw, under the labels of its y axis.
pub(super) fn sentences(area: Rect, lines: &[Vec<Fact<'_>>], buf: &mut Buffer, pen: &Pen<'_>) {
    let top = area.y + area.height.saturating_sub(lines.len() as u16 + AXIS) / 3;
    for (facts, y) in lines.iter().zip(top..area.bottom()) {
        let row = Rect { x: area.x + 5, width: area.width.saturating_sub(4), y, height: 1 };
        Facts { head: Vec::new(), left: facts.clone(), right: Vec::new(), spacing: Spacing { gap: 3, tab: None } }.draw(row, buf, pen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_over_20_s_and_more_where_requests_are_few_and_ends_with_the_traffic() {
        let dots = |each: &[(f64, f64)]| -> Vec<(Time, Dot)> {
            each.iter()
                .zip(1..)
                .map(|((requests, errors), n)| (Time(n * 5000), Dot { requests: *requests, errors: *errors, p99: None }))
                .collect()
        };
        let last = |each: &[(f64, f64)]| error_rates(&dots(each)).last().and_then(|(_, rate)| *rate);
        assert_eq!(last(&[(100.0, 100.0), (100.0, 0.0), (100.0, 0.0), (100.0, 0.0), (100.0, 4.0)]), Some(1.0));
        assert_eq!(last(&[(10.0, 1.0), (4.0, 0.0), (4.0, 0.0), (4.0, 0.0), (8.0, 2.0)]), Some(10.0));
        assert_eq!(last(&[(100.0, 8.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)]), None);
    }
}
