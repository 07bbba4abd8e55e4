//! The way back: is it going, what is it waiting for, is it done? The rail of the way back, traffic seen and wanted, the three
//! that must agree, and the pods that the target has.

use super::charts::Samples;
use super::words::{self, tenths, version};
use super::{View, take, take_last};
use crate::cockpit::RolloutView;
use crate::rollout::{BackStatus, LegStatus, Mood, Phase, Proof};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::model::Full;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, sign, strong, text};
use crate::tui::theme::Role;
use crate::tui::widgets::chart::{AXIS, Chart, Curve, Mark, plot_width};
use crate::tui::widgets::facts::{Fact, Facts, Spacing, draw_right};
use crate::tui::widgets::paper::{Paper, SECOND};
use crate::tui::widgets::rail::{Point, Rail, Step};
use crate::tui::widgets::scale::{Ceiling, Scale, Unit};
use crate::tui::widgets::split_bar::Bar;
use crate::tui::widgets::table::{Cell, Column, Row, Table};
use crate::tui::widgets::title::Title;
use crate::units::{Percent, Span, Time, count};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// When the proof is there, the paper stops so much later: what happened stays on it.
const AFTER: Span = Span::secs(10);

/// Samples come this often while it moves back; before that every 5 s will do.
const SAMPLED: Span = Span(2_600);

/// Whether a rollout moves back, or has.
pub(super) fn goes_back(r: &RolloutView) -> bool {
    r.status.back.is_some() && matches!(r.phase, Phase::RollingBack | Phase::Back | Phase::RolledBack)
}

/// The waypoints of the way back: the plan held, each region, the pods, the proof. False where there is none.
pub(super) fn rail(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) -> bool {
    let Some(back) = &r.status.back else { return false };
    let now = view.snapshot.now.since(back.began);
    // What is left, which does not grow with the clock while it waits.
    let left = format::measured(r.status.rollback.about);
    let pitch = area.width.saturating_sub(12) / (back.legs.len() as u16 + 2);
    let about = if columns(&left) + 6 < pitch { format!("≈{left} more") } else { format!("+{left}") };
    // Label, short label, point, seconds.
    let mut points: Vec<(String, Option<String>, Point, String)> = Vec::new();
    if area.width >= 76 {
        points.push(("plan held".into(), Some("held".into()), Point::Done, format::measured(Span::ZERO)));
    }
    for (id, took) in &back.legs {
        let leg = r.status.legs.iter().find(|l| l.id == *id);
        let carries = leg.map_or(Percent::ALL, capacity);
        let name = shorten(id.as_str(), 16).into_owned();
        points.push(match took {
            Some(took) => (name, None, Point::Done, format::measured(*took)),
            None if leg.is_some_and(|l| l.silent_since.is_some()) => (name, None, Point::Later, "silent".into()),
            None if carries < Percent::ALL => {
                (format!("{name} {}", words::about(carries)), Some(name), Point::Back(0.5), format::measured(now))
            }
            None => (name, None, Point::Back(0.5), format::measured(now)),
        });
    }
    let missing: u32 = r.status.legs.iter().filter(|l| l.silent_since.is_none()).map(missing).sum();
    points.push(match back.proof.pods_at {
        Some(at) => ("pods ready".into(), Some("pods".into()), Point::Done, format::measured(at)),
        None if missing == 0 => ("pods ready".into(), Some("pods".into()), Point::Done, String::new()),
        None => (count(missing, "pod"), None, Point::Later, about.clone()),
    });
    points.push(match back.took {
        Some(took) => ("proof".into(), None, Point::Done, format::measured(took)),
        None => ("proof".into(), None, Point::Later, if back.waits.is_some() { about } else { String::new() }),
    });
    let steps: Vec<Step<'_>> = points
        .iter()
        .map(|(label, short, point, took)| Step { label, short: short.as_ref().unwrap_or(label), point: *point, took: Some(took) })
        .collect();
    Rail { steps: &steps, selected: None }.draw(area, buf, pen);
    true
}

/// The share of a leg's traffic that the ready pods of the target can carry.
fn capacity(leg: &LegStatus) -> Percent {
    let ready = leg.old_pods.as_ref().map_or(0, |p| p.ready);
    if leg.need == 0 { Percent::ALL } else { Percent::floor_share(f64::from(ready) / f64::from(leg.need)) }
}

/// Pods of the target that are missing.
fn missing(leg: &LegStatus) -> u32 {
    leg.need.saturating_sub(leg.old_pods.as_ref().map_or(0, |p| p.ready))
}

/// Traffic on the new side, seen and wanted, and all errors: one second a column.
pub(super) fn charts(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let (Some(back), Some(moves)) = (&r.status.back, &r.moves) else { return super::charts::column(area, buf, r, view, pen) };
    let now = back.took.map_or(view.snapshot.now, |took| view.snapshot.now.min(back.began + took + AFTER));
    let paper = |lag| Paper::new(now, SECOND, plot_width(area.width), lag);
    // Nothing is drawn after the paper has stopped; when all of it is forgotten the usual curves say more.
    let seen: Samples = moves.seen.iter().filter(|(at, _)| *at <= now).map(|(at, p)| (*at, Some(p.points()))).collect();
    if seen.is_empty() && back.took.is_some() {
        return super::charts::column(area, buf, r, view, pen);
    }
    let want = steps(&moves.want, paper(Span::ZERO).time(0), now);
    let errors: Samples = moves.errors.iter().filter(|(at, _)| *at <= now).map(|(at, rate)| (*at, Some(rate * 100.0))).collect();

    let mut rest = area;
    let both = area.height >= 1 + 4 + 1 + 1 + 4 + AXIS;
    if both {
        let rows = (area.height - 3 - AXIS) / 2;
        let lower = take_last(&mut rest, 1 + rows + AXIS);
        take_last(&mut rest, 1);
        errors_chart(lower, buf, r, back, &errors, paper(Span::secs(1)), now, pen);
    } else if view.full == Some(Full::Latency) {
        return errors_chart(area, buf, r, back, &errors, paper(Span::ZERO), now, pen);
    }
    if rest.height < 4 {
        return;
    }
    let title = format!("TRAFFIC ON {}, seen", version(&r.status.to));
    Title::new(&title, vec![Fact::new(1, [dim("1 s a column")])]).draw(take(&mut rest, 1), buf, pen);
    let last = |samples: &Samples| samples.last().and_then(|(_, v)| *v);
    // A small share has a small axis, or its way down would not be seen.
    let most = seen.iter().chain(&want).filter_map(|(_, v)| *v).fold(back.was.points(), f64::max);
    let ceiling = Ceiling::fixed([10.0, 20.0, 50.0].into_iter().find(|c| most <= c * 0.9).unwrap_or(100.0));
    let word = |value: Option<f64>| value.map_or_else(Vec::new, |v| vec![Bit::new(Role::New, format!("seen {}", format::seen(v)))]);
    Chart {
        paper: paper(Span::ZERO),
        scale: Scale::new(&ceiling, Unit::Percent),
        curves: &[
            Curve { samples: &want, every: SAMPLED, role: Role::Old, judged: false, label: vec![dim("want")] },
            Curve { samples: &seen, every: SAMPLED, role: Role::New, judged: false, label: word(last(&seen)) },
        ],
        limit: None,
        marks: &[Mark { at: back.began, label: "R", planned: false }],
        now,
        axis: !both,
        stale: None,
    }
    .draw(rest, buf, pen);
}

#[allow(clippy::too_many_arguments)]
fn errors_chart(
    area: Rect,
    buf: &mut Buffer,
    r: &RolloutView,
    back: &BackStatus,
    errors: &Samples,
    paper: Paper,
    now: Time,
    pen: &Pen<'_>,
) {
    let mut rest = area;
    let limit = r.status.limit.map(Percent::points);
    let note = limit.map(|l| Fact::new(0, [dim(format!("limit {} %", format::limit(l)))]));
    Title::new("ERROR RATE, all traffic", note.into_iter().collect()).draw(take(&mut rest, 1), buf, pen);
    let mut ceiling = Ceiling::over_limit(limit.unwrap_or(2.0));
    ceiling.see(errors.iter().filter_map(|(_, v)| *v).fold(0.0, f64::max));
    let last = errors.last().and_then(|(_, v)| *v);
    let over = last.zip(limit).is_some_and(|(v, l)| v > l);
    let label = last.map(|v| Bit::new(if over { Role::Bad } else { Role::New }, format!("{} %", format::rate(v))));
    Chart {
        paper,
        scale: Scale::new(&ceiling, Unit::Percent),
        curves: &[Curve { samples: errors, every: SAMPLED, role: Role::New, judged: true, label: label.into_iter().collect() }],
        limit,
        marks: &[Mark { at: back.began, label: "", planned: false }],
        now,
        axis: true,
        stale: None,
    }
    .draw(rest, buf, pen);
}

/// A value that holds until it changes, as one point a dot, so that a change is upright.
fn steps(values: &[(Time, Percent)], from: Time, now: Time) -> Samples {
    let dot = SECOND.0 as i64 / 2;
    let value = |at: Time| values.partition_point(|(t, _)| *t <= at).checked_sub(1).and_then(|i| values.get(i));
    (from.0.div_euclid(dot)..=now.0.div_euclid(dot))
        .map(|n| Time(n * dot))
        .filter_map(|at| Some((at, Some(value(at)?.1.points()))))
        .collect()
}

/// PROOF and CAPACITY, above the events; takes its rows from `side`.
pub(super) fn side(side: &mut Rect, buf: &mut Buffer, r: &RolloutView, pen: &Pen<'_>) {
    let Some(back) = &r.status.back else { return };
    proof(take(side, 7), buf, r, back, pen);
    take(side, 1);
    let mut legs: Vec<&LegStatus> = r.status.legs.iter().filter(|l| back.legs.iter().any(|(id, _)| *id == l.id)).collect();
    let rows = (legs.len() as u16).min(side.height.saturating_sub(6));
    // Where not all fit, those that lack most are shown.
    if usize::from(rows) < legs.len() {
        legs.sort_by_key(|l| capacity(l));
    }
    if rows > 0 {
        capacities(take(side, rows + 1), buf, r, &legs, pen);
        take(side, 1);
    }
}

/// One of the three that must agree.
struct Part<'a> {
    done: bool,
    words: String,
    number: Vec<Bit<'a>>,
    share: f64,
    at: Option<Span>,
}

fn parts<'a>(r: &'a RolloutView, proof: &'a Proof) -> [Part<'a>; 3] {
    let target = version(&r.status.rollback.target);
    let all = |p: Percent| p >= Percent::ALL;
    let traffic = Part {
        done: proof.traffic_at.is_some() || proof.traffic.is_some_and(all),
        words: format!("{} on {target}", if proof.counted { "traffic" } else { "endpoints" }),
        number: match proof.traffic {
            Some(share) => vec![strong(format::seen(share.points())), dim(" of 100 %")],
            None => vec![Bit::new(Role::Unknown, format::UNKNOWN)],
        },
        share: proof.traffic.map_or(0.0, Percent::share),
        at: proof.traffic_at,
    };
    let pods = Part {
        done: proof.ready >= proof.need,
        words: "pods ready".into(),
        number: vec![strong(proof.ready.to_string()), dim(format!(" of {}", proof.need))],
        share: f64::from(proof.ready) / f64::from(proof.need.max(1)),
        at: proof.pods_at,
    };
    let limit = r.status.limit.map(Percent::share);
    let under = proof.errors.is_some_and(|rate| limit.is_none_or(|l| rate <= l));
    let errors = Part {
        done: proof.errors_at.is_some() || under,
        words: r.status.limit.map_or_else(|| "errors".into(), |l| format!("errors under {} %", format::limit(l.points()))),
        number: match (proof.errors, &proof.errors_why) {
            (Some(rate), _) => vec![strong(format::rate(rate * 100.0)), dim(" %")],
            (None, Some(why)) => vec![Bit::new(Role::Unknown, format!("? {why}"))],
            (None, None) => vec![Bit::new(Role::Unknown, format::UNKNOWN)],
        },
        share: if under { 1.0 } else { limit.zip(proof.errors).map_or(0.0, |(l, rate)| (l / rate.max(1e-9)).min(1.0)) },
        at: proof.errors_at,
    };
    [traffic, pods, errors]
}

fn proof(area: Rect, buf: &mut Buffer, r: &RolloutView, back: &BackStatus, pen: &Pen<'_>) {
    let mut rest = area;
    let proven = back.took.is_some();
    let note = if proven { vec![sign(Sign::Done), Bit::new(Role::Ok, " all three agree")] } else { vec![dim("all three must agree")] };
    Title::new("PROOF", vec![Fact::new(0, note)]).draw(take(&mut rest, 1), buf, pen);
    for part in parts(r, &back.proof) {
        let (words, bar) = (take(&mut rest, 1), take(&mut rest, 1));
        if bar.height == 0 {
            return;
        }
        let (mark, role) = if part.done { (Sign::Done, Role::Ok) } else { (Sign::Now, Role::Warn) };
        pen.text(buf, words.x, words.y, 1, mark.text(), role);
        let end = draw_right(&[Fact::new(0, part.number)], words, buf, pen, 0);
        let room = end.saturating_sub(words.x + 3);
        pen.text(buf, words.x + 2, words.y, room, &shorten(&part.words, room), Role::Text);
        // The bar ends where the seconds begin, whether they are there or not.
        let line = Rect { x: bar.x + 2, width: bar.width.saturating_sub(10), ..bar };
        Bar::progress(part.share, role).draw(line, buf, pen);
        let says = match part.at {
            Some(at) => format::measured(at),
            None if part.done => "holding".into(),
            None => continue,
        };
        draw_right(&[Fact::new(0, [dim(says)])], bar, buf, pen, 0);
    }
}

fn capacities(area: Rect, buf: &mut Buffer, r: &RolloutView, legs: &[&LegStatus], pen: &Pen<'_>) {
    let mut rest = area;
    let title = format!("CAPACITY OF {}", version(&r.status.rollback.target));
    Title::new(&title, vec![Fact::new(1, [dim("ready / needed")])]).draw(take(&mut rest, 1), buf, pen);
    let name = legs.iter().map(|l| columns(l.id.as_str())).max().unwrap_or(0).clamp(6, 16);
    let columns = [
        Column::words([], name),
        Column::words([], 4).grows().gap(1).rank(1),
        Column::numbers([], 7).gap(1),
        Column::numbers([], 5).gap(1),
    ];
    let row = |leg: &'_ LegStatus| -> Row<'static> {
        let share_now = capacity(leg);
        let full = share_now >= Percent::ALL;
        let (mark, bar) = match (leg.silent_since, full) {
            (Some(_), _) => (Sign::Unknown, Role::Unknown),
            (None, true) => (Sign::Ok, Role::Text),
            (None, false) => (Sign::Look, Role::Warn),
        };
        let pods = leg.old_pods.as_ref().map_or_else(|| format::UNKNOWN.into(), |p| format!("{}/{}", p.ready, leg.need));
        Row {
            sign: Some(Bit::new(mark.role(), mark.text())),
            cells: vec![
                [text(shorten(leg.id.as_str(), 16).into_owned())].into(),
                Cell::Bar(Bar::progress(share_now.share(), bar)),
                [Bit::new(if full { Role::Dim } else { Role::Text }, pods)].into(),
                [strong(format!("{} %", words::whole(share_now)))].into(),
            ],
            off: false,
        }
    };
    let rows: Vec<Row<'_>> = legs.iter().map(|l| row(l)).collect();
    let table = Rect { y: rest.y.saturating_sub(1), height: rest.height + 1, ..rest };
    Table { title: "", note: "", columns: &columns, rows: &rows, selectable: false, selected: None }.draw(table, buf, pen);
}

/// The proof in one line under the chart.
pub(super) fn line(area: Rect, buf: &mut Buffer, r: &RolloutView, pen: &Pen<'_>) {
    let Some(back) = &r.status.back else { return };
    let mut line =
        Facts { head: vec![Bit::new(Role::Title, "PROOF")], left: Vec::new(), right: Vec::new(), spacing: Spacing { gap: 2, tab: None } };
    for (part, word) in parts(r, &back.proof).into_iter().zip(["traffic", "pods", "errors"]) {
        let (mark, role) = if part.done { (Sign::Done, Role::Ok) } else { (Sign::Now, Role::Warn) };
        let word = if word == "traffic" && !back.proof.counted { "endpoints" } else { word };
        let mut bits = vec![Bit::new(role, mark.text()), text(format!(" {word} "))];
        bits.extend(part.number);
        line.left.push(Fact::new(1, bits));
    }
    if matches!(r.status.mood, Mood::Back) {
        line.right.extend(back.took.map(|took| Fact::new(2, [dim("in "), strong(format::measured(took))])));
    } else {
        line.right.push(Fact::new(3, [dim(format!("since {}", tenths(back.began)))]));
    }
    line.draw(Rect { x: area.x - 1, width: area.width + 2, ..area }, buf, pen);
}
