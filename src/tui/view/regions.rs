//! REGIONS: per region the share seen and wanted, pods, load, errors and latency of both versions.

use super::FULL;
use super::words::{self, drifts, version};
use crate::cockpit::{RolloutView, SideView};
use crate::fleet::Pods;
use crate::rollout::{LegMood, LegStatus, Mood};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, sign, strong, text};
use crate::tui::theme::Role;
use crate::tui::widgets::split_bar::Bar;
use crate::tui::widgets::table::{Cell, Column, Row, Table};
use crate::units::{Percent, Time};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::borrow::Cow;

/// What of the table there is room for.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// A row for all regions together, pods of the old version, p99.
    full: bool,
    /// The row for all regions together.
    all: bool,
    /// Headings in one word.
    narrow: bool,
}

impl Form {
    /// For a screen of this width and so many rows at most; the row for all together goes first.
    pub fn at(width: u16, r: &RolloutView, most: u16) -> Form {
        let all = Form {
            full: width >= FULL,
            all: width >= FULL && r.status.legs.len() > 1,
            narrow: width < 72 || width < 90 && columns(r.status.to.as_str()) > 3,
        };
        if all.rows(r) > most { Form { all: false, ..all } } else { all }
    }
    /// How many rows it would take, without the headings.
    pub fn rows(self, r: &RolloutView) -> u16 {
        u16::try_from(r.status.legs.len()).unwrap_or(u16::MAX).saturating_add(u16::from(self.all))
    }
}

/// Draws the table.
pub(super) fn draw(area: Rect, buf: &mut Buffer, r: &RolloutView, now: Time, form: Form, pen: &Pen<'_>) {
    let s = &r.status;
    let digits = s.legs.iter().flat_map(|l| [&l.new_pods, &l.old_pods]).flatten().map(|p| p.want.max(p.ready)).sum::<u32>();
    let digits = digits.to_string().len().max(2);
    let (old, new) = (version(&s.from), version(&s.to));
    let name = s.legs.iter().map(|l| columns(l.id.as_str())).max().unwrap_or(0).clamp(11, 20);
    let columns = headings(&old, &new, name, digits as u16, form);

    let mut rows: Vec<Row<'_>> = Vec::new();
    if form.all {
        rows.push(all(r, form, digits));
    }
    let room = usize::from(area.height.saturating_sub(1)).saturating_sub(rows.len());
    let (shown, hidden) = in_sight(&s.legs, room);
    rows.extend(shown.iter().map(|l| leg(r, l, now, form, digits)));
    if let Some(hidden) = hidden {
        rows.push(Row { sign: Some(hidden.0), cells: vec![Cell::Words(vec![]), Cell::Words(vec![hidden.1])], off: false });
    }
    Table { title: "REGIONS", note: "", columns: &columns, rows: &rows, selectable: false, selected: None }.draw(area, buf, pen);
}

/// The rows that fit: all in their order, or the worst, and a line that counts the rest.
fn in_sight(legs: &[LegStatus], room: usize) -> (Vec<&LegStatus>, Option<(Bit<'static>, Bit<'static>)>) {
    let mut shown: Vec<&LegStatus> = legs.iter().collect();
    if shown.len() <= room {
        return (shown, None);
    }
    let need = |l: &&LegStatus| match l.mood {
        LegMood::Failing => 0,
        LegMood::Look => 1,
        LegMood::Unknown => 2,
        LegMood::Moving => 3,
        LegMood::Ok => 4,
        LegMood::Done => 5,
        LegMood::Later => 6,
    };
    shown.sort_by_key(need);
    let rest = shown.split_off(room.saturating_sub(1).min(shown.len()));
    let calm = rest.iter().all(|l| need(l) >= 4);
    let line =
        if calm { (sign(Sign::Ok), dim(format!("{} calm", rest.len()))) } else { (sign(Sign::Look), text(format!("{} more", rest.len()))) };
    (shown, Some(line))
}

fn headings<'a>(old: &'a str, new: &'a str, name: u16, digits: u16, form: Form) -> Vec<Column<'a>> {
    let pods = digits * 2 + 1;
    let wide = |words: &str, least: u16| columns(words).max(least);
    let with = |word: &str, version: &str| format!("{word} {version}");
    let pods_heading = if form.full { with("pods", new) } else { "pods".to_owned() };
    let errors = with("errors", new);
    let mut all = vec![
        Column::words([], name),
        Column::words([dim(if form.narrow { "on " } else { "traffic on " }), Bit::new(Role::New, new)], 8).grows(),
        Column::numbers([dim("seen")], 5),
        Column::numbers([dim("want")], 4),
        Column::words([], 1).gap(1),
        Column::numbers([dim(pods_heading.clone())], wide(&pods_heading, pods)).gap(1).rank(2),
    ];
    if form.full {
        all.push(Column::numbers([dim(old)], wide(old, pods)).gap(3));
    }
    all.push(Column::numbers([dim("req/s")], 6).rank(3));
    all.push(Column::numbers([dim(errors.clone())], wide(&errors, 7)).gap(3));
    all.push(Column::numbers([dim(old)], wide(old, 4)).rank(4));
    if form.full {
        let p99 = with("p99", new);
        all.push(Column::numbers([dim(p99.clone())], wide(&p99, 7)).gap(3).rank(5));
        all.push(Column::numbers([dim(old)], wide(old, 4)).rank(6));
    }
    all
}

/// The cells of a row in the order of the headings; `form` decides which there are.
struct Cells<'a> {
    name: Bit<'a>,
    bar: Cell<'a>,
    seen: Option<Percent>,
    want: Percent,
    new_pods: Option<(u32, u32)>,
    old_pods: Option<(u32, u32)>,
    load: Option<f64>,
    new: &'a SideView,
    old: &'a SideView,
}

fn all<'a>(r: &'a RolloutView, form: Form, digits: usize) -> Row<'a> {
    let s = &r.status;
    let sum = |pick: fn(&LegStatus) -> Option<&Pods>| {
        let known = s.legs.iter().filter_map(pick);
        let (ready, want) = known.fold((0, 0), |(ready, want), p| (ready + p.ready, want + p.want));
        s.legs.iter().any(|l| pick(l).is_some()).then_some((ready, want))
    };
    let loads: Vec<f64> = s.legs.iter().filter_map(|l| l.load).collect();
    let seen = s.seen.unwrap_or(s.want).share();
    let cells = Cells {
        name: strong("all"),
        bar: Cell::Bar(Bar {
            full: true,
            role: if s.seen.is_some() { Role::New } else { Role::Off },
            ..Bar::split(seen, Some(s.want.share()))
        }),
        seen: s.seen,
        want: s.want,
        new_pods: sum(|l| l.new_pods.as_ref()),
        old_pods: sum(|l| l.old_pods.as_ref()),
        load: (!loads.is_empty()).then(|| loads.iter().sum()),
        new: &r.new,
        old: &r.old,
    };
    Row { sign: None, cells: cells.draw(r, form, digits), off: false }
}

fn leg<'a>(r: &'a RolloutView, l: &'a LegStatus, now: Time, form: Form, digits: usize) -> Row<'a> {
    static NOTHING: SideView = SideView { load: None, requests: 0.0, errors: 0.0, rate: None, latency: None };
    let measured = words::measured(r, &l.id);
    let seen = l.seen.unwrap_or(l.want).share();
    // One bar on the screen is full: that of all regions, or of the one there is.
    let mut bar = Bar { full: r.status.legs.len() == 1, ..Bar::split(seen, Some(l.want.share())) };
    // What is only wanted, and not seen, is not blue.
    bar.role = if l.seen.is_some() { bar.role } else { Role::Off };
    // Where there is no share to draw, the reason has the room.
    let says = match l.mood {
        LegMood::Unknown => Some((
            Role::Unknown,
            match l.silent_since {
                Some(since) => Cow::Owned(format!("silent for {}", format::age(now.since(since)))),
                None => Cow::Borrowed("not heard yet"),
            },
        )),
        LegMood::Later => Some((Role::Dim, Cow::Borrowed("a later wave"))),
        LegMood::Look if seen == 0.0 => l.why.as_ref().map(|w| (Role::Warn, Cow::Borrowed(w.as_str()))),
        _ => None,
    };
    let bar = match says {
        Some((role, words)) => Cell::Words(vec![Bit::new(role, words)]),
        None => Cell::Bar(bar),
    };
    let back = matches!(r.status.mood, Mood::Back);
    let (mark, role) = match l.mood {
        LegMood::Ok => (Sign::Ok, Role::Ok),
        LegMood::Failing => (Sign::Failing, Role::Bad),
        LegMood::Look => (Sign::Look, Role::Warn),
        LegMood::Moving => (Sign::Now, Role::Warn),
        LegMood::Done => (if back { Sign::Ok } else { Sign::Done }, Role::Ok),
        LegMood::Unknown => (Sign::Unknown, Role::Unknown),
        LegMood::Later => (Sign::Later, Role::Dim),
    };
    let cells = Cells {
        name: Bit::new(if l.mood == LegMood::Later { Role::Dim } else { Role::Text }, shorten(l.id.as_str(), 20)),
        bar,
        seen: l.seen,
        want: l.want,
        new_pods: l.new_pods.as_ref().map(|p| (p.ready, p.want)),
        old_pods: l.old_pods.as_ref().map(|p| (p.ready, p.want)),
        load: l.load,
        new: measured.map_or(&NOTHING, |m| &m.new),
        old: measured.map_or(&NOTHING, |m| &m.old),
    };
    Row { sign: Some(Bit::new(role, mark.text())), cells: cells.draw(r, form, digits), off: false }
}

impl<'a> Cells<'a> {
    fn draw(self, r: &'a RolloutView, form: Form, digits: usize) -> Vec<Cell<'a>> {
        let s = &r.status;
        let drift = drifts(self.seen, self.want);
        let seen = self.seen.map_or_else(|| Bit::new(Role::Unknown, format::UNKNOWN), |p| strong(format::seen(p.points())));
        let idle = self.want == Percent::ZERO && self.new.requests < 1.0 && self.seen.is_some();
        let mut cells: Vec<Cell<'a>> = vec![
            [self.name].into(),
            self.bar,
            [seen].into(),
            [dim(format::want(self.want.points()))].into(),
            Cell::Words(if drift { vec![Bit::new(Role::Warn, "≠")] } else { Vec::new() }),
            [pods(self.new_pods, Role::Text, digits)].into(),
        ];
        if form.full {
            cells.push([pods(self.old_pods, Role::Dim, digits)].into());
        }
        cells.push([self.load.map_or_else(|| Bit::new(Role::Unknown, format::UNKNOWN), |load| text(format::per_second(load)))].into());
        let over = words::over_limit(self.new, s.limit);
        cells.push(Cell::Words(rate(self.new, if over { Role::Bad } else { Role::New }, idle, true)));
        cells.push(Cell::Words(rate(self.old, Role::Old, false, false)));
        if form.full {
            cells.push(Cell::Words(p99(self.new, Role::New, idle, true)));
            cells.push(Cell::Words(p99(self.old, Role::Old, false, false)));
        }
        cells
    }
}

fn pods<'a>(pods: Option<(u32, u32)>, role: Role, digits: usize) -> Bit<'a> {
    match pods {
        None => Bit::new(Role::Unknown, format::UNKNOWN),
        Some((ready, want)) => Bit::new(if ready < want { Role::Warn } else { role }, format::pods(ready, want, digits)),
    }
}

/// Errors in percent, two decimals; with too few requests the counts; `idle` where nothing comes on purpose.
fn rate<'a>(side: &SideView, role: Role, idle: bool, unit: bool) -> Vec<Bit<'a>> {
    match side.rate {
        _ if idle => vec![dim(format::IDLE)],
        None => vec![Bit::new(Role::Unknown, format::UNKNOWN)],
        Some(_) if side.requests < format::LEAST_FOR_RATE as f64 && unit => {
            vec![Bit::new(Role::Unknown, format::failed(side.errors.round() as u64, side.requests.round() as u64))]
        }
        Some(_) if side.requests < format::LEAST_FOR_RATE as f64 => vec![Bit::new(Role::Unknown, format::UNKNOWN)],
        Some(rate) => {
            let mut bits = vec![Bit::new(role, format::rate_in_table(rate * 100.0))];
            bits.extend(unit.then(|| dim(" %")));
            bits
        }
    }
}

fn p99<'a>(side: &SideView, role: Role, idle: bool, unit: bool) -> Vec<Bit<'a>> {
    match side.latency {
        _ if idle => vec![dim(format::IDLE)],
        None => vec![Bit::new(Role::Unknown, format::UNKNOWN)],
        Some([.., p99]) => {
            let (number, ms) = format::latency(p99);
            let mut bits = vec![Bit::new(role, if unit || ms == "ms" { number } else { format!("{number} {ms}") })];
            bits.extend(unit.then(|| dim(format!(" {ms}"))));
            bits
        }
    }
}
