//! IN FLIGHT: every rollout, the one that needs a person most first, with since when and what `R` takes.

use super::words::{self, left, version};
use super::{FULL, View, WIDE};
use crate::cockpit::RolloutView;
use crate::rollout::{Mood, Readiness, Status};
use crate::strategy::StrategyKind;
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::model::Focus;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, strong, text, width};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::widgets::split_bar::Bar;
use crate::tui::widgets::table::{Cell, Column, Row, Table, keep_in_sight};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the table.
pub(super) fn draw(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let listed = view.rollouts;
    let room = usize::from(area.height.saturating_sub(1));
    let at = view.selected.and_then(|id| listed.iter().position(|r| r.status.id == *id));
    let first = keep_in_sight(0, at.unwrap_or(0), room, listed.len());
    let shown = listed.get(first..(first + room).min(listed.len())).unwrap_or_default();
    let filtered = !view.filter.is_empty();
    let note = match (filtered, listed.len() > room) {
        (true, _) => format!("with {}", shorten(view.filter, 20)),
        (false, true) => format!("worst first, {} of {}", shown.len(), listed.len()),
        (false, false) if listed.len() > 1 => "worst first".to_owned(),
        (false, false) => String::new(),
    };
    let form = match area.width + 2 {
        WIDE.. => Form::Wide,
        FULL.. => Form::Full,
        _ => Form::Narrow,
    };
    let columns = headings(shown, form);
    // The column of the state takes what the others leave.
    let others: u16 = columns.iter().skip(1).map(|c| c.width + c.gap).sum::<u16>() + columns.first().map_or(0, |c| c.width);
    let spare = area.width.saturating_sub(3 + others);
    let state = columns.iter().find(|c| c.grows).map_or(0, |c| c.width) + spare;
    let rows: Vec<Row<'_>> = shown.iter().map(|r| row(r, view, form, state)).collect();
    let selected = at.and_then(|at| at.checked_sub(first)).filter(|_| view.focus == Focus::InFlight);
    Table { title: "IN FLIGHT", note: &note, columns: &columns, rows: &rows, selectable: true, selected }.draw(area, buf, pen);
    for (row, r) in area.rows().skip(1).zip(shown) {
        pen.spot(row, Spot::Rollout(r.status.id.clone()));
    }
    if listed.is_empty() && area.height > 1 {
        let says = match filtered {
            true => "no rollout has this in its name",
            // What does not answer may have something in flight.
            false if view.snapshot.clusters().0 == 0 => "not known yet",
            false => "nothing is in flight",
        };
        let mut bits = vec![dim(says)];
        let known = view.snapshot.clusters().0 > 0;
        let invite = if known { super::bar::invite(view, Action::Launch, "launch one") } else { Vec::new() };
        bits.extend((!invite.is_empty()).then(|| text("  ")));
        bits.extend(invite);
        pen.bits(buf, area.x + 3, area.y + 1, area.width.saturating_sub(3), &bits);
    }
}

/// How much room a row has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Narrow,
    Full,
    Wide,
}

fn headings<'a>(shown: &[&RolloutView], form: Form) -> Vec<Column<'a>> {
    let most = |of: fn(&Status) -> u16, least, most| shown.iter().map(|r| of(&r.status)).max().unwrap_or(0).clamp(least, most);
    let name = most(|s| columns(&s.service.name), 8, if form == Form::Narrow { 17 } else { 24 });
    if form == Form::Narrow {
        let moves = shown.iter().map(|r| width(&moves(&r.status))).max().unwrap_or(0).clamp(7, 16);
        return vec![
            Column::words([], name),
            Column::numbers([], moves),
            Column::words([dim("state")], 16).gap(3).grows(),
            Column::numbers([dim("since")], 7).rank(1),
            Column::numbers([dim("R")], 5).gap(3),
        ];
    }
    let versions = most(|s| width(&words::versions(s)), 11, 27);
    let mut all = vec![
        Column::words([], name),
        Column::words([], versions),
        Column::words([dim("strategy")], most(|s| columns(s.strategy.name()), 8, 10)).rank(2),
        Column::words([dim("where")], most(|s| columns(&words::place(s)), 9, 16)).gap(1).rank(1),
    ];
    if form == Form::Wide {
        all.push(Column::words([dim("split")], 20).gap(3));
    }
    all.push(Column::numbers([], 5));
    all.push(Column::words([dim("state")], 24).grows());
    if form == Form::Wide {
        all.push(Column::words([dim("next")], 18).gap(3));
    }
    all.push(Column::numbers([dim("since")], 7));
    all.push(Column::words([], 1));
    all.push(Column::numbers([dim("R takes")], 7).gap(0));
    all
}

fn row<'a>(r: &'a RolloutView, view: &View<'a>, form: Form, room: u16) -> Row<'a> {
    let s = &r.status;
    let mark = match &s.mood {
        Mood::Unclear { cause } => words::unclear(r, cause).0,
        mood => words::sign_of(mood),
    };
    let since = words::since_short(view.snapshot.now.since(words::since(s)));
    let (back, role, takes) = takes(s);
    let mut cells: Vec<Cell<'a>> = vec![[strong(shorten(&s.service.name, 24))].into()];
    if form == Form::Narrow {
        cells.push(Cell::Words(moves(s)));
        cells.push(Cell::Words(state(r, view, form, room)));
        cells.push([text(since)].into());
        cells.push([Bit::new(role, takes)].into());
    } else {
        cells.push(Cell::Words(words::versions(s).to_vec()));
        cells.push([text(s.strategy.name())].into());
        cells.push([text(words::place(s))].into());
        let now = words::share_now(s);
        if form == Form::Wide {
            let bar = Bar::split(now.unwrap_or(s.want).share(), Some(s.want.share()));
            cells.push(Cell::Bar(Bar { role: if now.is_some() { bar.role } else { Role::Off }, ..bar }));
        }
        cells.push(match now {
            Some(share) => [strong(words::whole(share)), dim(" %")].into(),
            None => [Bit::new(Role::Unknown, format::UNKNOWN)].into(),
        });
        cells.push(Cell::Words(state(r, view, form, room)));
        if form == Form::Wide {
            cells.push([dim(next(s, view))].into());
        }
        cells.push([text(since)].into());
        cells.push([back].into());
        cells.push([Bit::new(if role == Role::Warn { Role::Warn } else { Role::Text }, takes)].into());
    }
    Row { sign: Some(Bit::new(if mark == Sign::Now { Role::New } else { mark.role() }, mark.text())), cells, off: false }
}

/// What `R` takes: its sign, the role of the time where it stands alone, the time.
fn takes(s: &Status) -> (Bit<'static>, Role, String) {
    let (mark, role) = match &s.rollback.readiness {
        Readiness::Ready => (Sign::Ok, Role::Text),
        Readiness::Slow { .. } => (Sign::Look, Role::Warn),
        Readiness::Partly { .. } => (Sign::Unknown, Role::Unknown),
        Readiness::Denied { .. } => (Sign::Off, Role::Off),
        Readiness::Off { .. } => return (text(""), Role::Dim, words::takes(None)),
    };
    let time = if mark == Sign::Off { "denied".to_owned() } else { format::measured(s.rollback.about) };
    (Bit::new(mark.role(), mark.text()), role, time)
}

/// The new version and how far it is: `v42 15 %`, by pods `v103 4/9`.
fn moves(s: &Status) -> Vec<Bit<'_>> {
    let to = Bit::new(Role::New, shorten(s.to.as_str(), 10));
    let pods = s.legs.iter().filter_map(|l| l.new_pods.as_ref()).map(|p| p.ready).sum::<u32>();
    let need = s.legs.iter().map(|l| l.need).sum::<u32>();
    let far = if s.strategy == StrategyKind::Rolling && need > 0 && s.back.is_none() {
        format!(" {}/{need}", pods.min(need))
    } else {
        words::share_now(s).map_or_else(|| format!(" {}", format::UNKNOWN), |share| format!(" {} %", words::whole(share)))
    };
    vec![to, Bit::new(Role::New, far)]
}

fn next(s: &Status, view: &View<'_>) -> String {
    match &s.next {
        _ if matches!(s.mood, Mood::Failing { .. }) => "step held".into(),
        Some((label, Some(at))) => format!("{label} in {}", left(view, *at)),
        Some((label, None)) => format!("{label} waits"),
        None => String::new(),
    }
}

/// How it goes, in words; what carries the meaning comes first, and what does not fit behind it is left out.
fn state<'a>(r: &'a RolloutView, view: &View<'a>, form: Form, room: u16) -> Vec<Bit<'a>> {
    let (mut bits, more) = says(r, view, form);
    for part in more {
        if width(&bits) + width(&part) > room {
            break;
        }
        bits.extend(part);
    }
    bits
}

/// What is always said, and what is said where there is room.
fn says<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> (Vec<Bit<'a>>, Vec<Vec<Bit<'a>>>) {
    let s = &r.status;
    let warn = |word: &'static str| Bit::new(Role::Warn, word);
    let cause = |cause: &'a str| text(format!(" {cause}"));
    let mut more: Vec<Vec<Bit<'a>>> = Vec::new();
    let bits = match &s.mood {
        Mood::Failing { cause, automatic, .. } => {
            let worst = words::Worst::of(r);
            more.extend(worst.place.map(|place| vec![dim(format!(" in {place}"))]));
            let errors = words::errors(worst.new).filter(|_| words::over_limit(worst.new, s.limit));
            let bits = match errors {
                Some(errors) => vec![Bit::new(Role::Bad, format!("errors {errors}"))],
                None => vec![Bit::new(Role::Bad, cause.as_str())],
            };
            more.extend(s.limit.map(|l| vec![dim(format!(" limit {}", format::limit(l.points())))]));
            more.extend(automatic.map(|at| vec![dim(", auto in "), strong(left(view, at))]));
            bits
        }
        Mood::Stuck { cause: why, .. } => match &s.stuck {
            Some(stuck) => {
                let wait = format!(", {}", words::wait(stuck.pods));
                more.push(vec![text(wait)]);
                vec![warn("stuck"), cause(&stuck.cause)]
            }
            None => vec![warn("stuck"), cause(why)],
        },
        Mood::Held { cause: why, .. } => match why.strip_prefix("waits: ") {
            Some(why) => vec![warn("waits"), cause(why)],
            None => vec![warn("held"), cause(why)],
        },
        Mood::Waits { cause } => vec![text(cause.as_str())],
        Mood::Unclear { cause: why } => {
            let (_, word, role, rest) = words::unclear(r, why);
            vec![Bit::new(role, word), dim(format!(" {rest}"))]
        }
        Mood::OnCourse => {
            if let (Some((label, Some(at))), true) = (&s.next, form != Form::Wide) {
                more.push(vec![dim(format!(" {label} in ")), text(left(view, *at))]);
            }
            vec![text("on course")]
        }
        Mood::RollingBack => {
            more.push(vec![text(format!(" to {}", version(&s.rollback.target)))]);
            let can = s.back.as_ref().map(|b| b.can).filter(|can| can.rest() > crate::units::Percent::ZERO);
            more.extend(can.map(|can| vec![dim(format!(", {} can move now", words::about(can)))]));
            vec![warn("rolling back")]
        }
        Mood::NotProven { missing } => vec![warn("not proven"), cause(missing)],
        Mood::Back => {
            let took = s.back.as_ref().and_then(|b| b.took);
            more.extend(took.map(|t| vec![dim(format!(" in {}", format::measured(t)))]));
            vec![text(format!("back on {}", version(&s.rollback.target)))]
        }
        Mood::Promoted => {
            more.push(vec![dim(format!(" {} runs everywhere", version(&s.to)))]);
            vec![text("promoted")]
        }
        Mood::Aborted => vec![warn("aborted"), text(format!(" all traffic on {}", version(&s.from)))],
        Mood::Superseded => vec![warn("superseded"), text(" somebody else drives it")],
    };
    (bits, more)
}
