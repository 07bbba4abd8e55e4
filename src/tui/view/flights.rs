//! IN FLIGHT: every rollout, the one that needs a person most first, with since when and what `R` takes.

use super::words::{self, left, share, version};
use super::{FULL, View, WIDE};
use crate::cockpit::RolloutView;
use crate::rollout::{Mood, Readiness, Status};
use crate::strategy::StrategyKind;
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::model::Focus;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, strong, text, width};
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
    let rows: Vec<Row<'_>> = shown.iter().map(|r| row(r, view, form)).collect();
    let selected = at.and_then(|at| at.checked_sub(first)).filter(|_| view.focus == Focus::InFlight);
    Table { title: "IN FLIGHT", note: &note, columns: &columns, rows: &rows, selectable: true, selected }.draw(area, buf, pen);
    if listed.is_empty() && area.height > 1 {
        let says = if filtered { "no rollout has this in its name" } else { "nothing is in flight" };
        let mut bits = vec![dim(says)];
        let invite = super::bar::invite(view, Action::Launch, "launch one");
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
        Column::words([dim("where")], most(|s| columns(&words::place(s)), 9, 16)).rank(1),
    ];
    if form == Form::Wide {
        all.push(Column::words([dim("split")], 20).gap(3));
    }
    all.push(Column::numbers([], 6));
    all.push(Column::words([dim("state")], 24).gap(3).grows());
    if form == Form::Wide {
        all.push(Column::words([dim("next")], 18).gap(3));
    }
    all.push(Column::numbers([dim("since")], 8));
    all.push(Column::words([], 1).gap(3));
    all.push(Column::numbers([dim("R takes")], 7).gap(1));
    all
}

fn row<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> Row<'a> {
    let s = &r.status;
    let mark = words::sign_of(&s.mood);
    let since = format::duration(view.snapshot.now.since(words::since(s)));
    let (back, role, takes) = takes(s);
    let mut cells: Vec<Cell<'a>> = vec![[strong(shorten(&s.service.name, 24))].into()];
    if form == Form::Narrow {
        cells.push(Cell::Words(moves(s)));
        cells.push(Cell::Words(state(r, view, form)));
        cells.push([text(since)].into());
        cells.push([Bit::new(role, takes)].into());
    } else {
        cells.push(Cell::Words(words::versions(s).to_vec()));
        cells.push([text(s.strategy.name())].into());
        cells.push([text(words::place(s))].into());
        let seen = s.seen.unwrap_or(s.want);
        if form == Form::Wide {
            cells.push(Cell::Bar(Bar::split(seen.share(), Some(s.want.share()))));
        }
        cells.push([strong(words::whole(seen)), dim(" %")].into());
        cells.push(Cell::Words(state(r, view, form)));
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
        format!(" {} %", words::whole(s.seen.unwrap_or(s.want)))
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

/// How it goes, in words; what carries the meaning comes first.
fn state<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> Vec<Bit<'a>> {
    let s = &r.status;
    let warn = |word: &'static str| Bit::new(Role::Warn, word);
    let cause = |cause: &'a str| text(format!(" {cause}"));
    match &s.mood {
        Mood::Failing { cause, automatic, .. } => {
            let worst = words::Worst::of(r);
            let errors = words::errors(worst.new).filter(|_| words::over_limit(worst.new, s.limit));
            let mut bits = match errors {
                Some(errors) => {
                    let limit = s.limit.map(|l| format!(" limit {}", format::limit(l.points()))).unwrap_or_default();
                    vec![Bit::new(Role::Bad, format!("errors {errors}")), dim(limit)]
                }
                None => vec![Bit::new(Role::Bad, cause.as_str())],
            };
            if let (Some(at), true) = (automatic, form != Form::Narrow) {
                bits.extend([dim(", auto in "), strong(left(view, *at))]);
            }
            bits
        }
        Mood::Stuck { cause: why, .. } => vec![warn("stuck"), cause(why)],
        Mood::Held { cause: why, .. } => match why.strip_prefix("waits: ") {
            Some(why) => vec![warn("waits"), cause(why)],
            None => vec![warn("held"), cause(why)],
        },
        Mood::Waits { cause } => vec![text(cause.as_str())],
        Mood::Unclear { cause: why } => vec![Bit::new(Role::Unknown, "unclear"), dim(format!(" {why}"))],
        Mood::OnCourse => match &s.next {
            Some((label, Some(at))) if form != Form::Wide => vec![text("on course"), dim(format!(" {label} in {}", left(view, *at)))],
            _ => vec![text("on course")],
        },
        Mood::RollingBack => {
            let can = s.back.as_ref().map(|b| b.can).filter(|can| can.rest() > crate::units::Percent::ZERO);
            let mut bits = vec![warn("rolling back"), text(format!(" to {}", version(&s.rollback.target)))];
            bits.extend(can.map(|can| dim(format!(", {} can move now", share(can)))));
            bits
        }
        Mood::NotProven { missing } => vec![warn("moved, not proven"), cause(missing)],
        Mood::Back => {
            let took = s.back.as_ref().and_then(|b| b.took).map(|t| format!(" in {}", format::measured(t))).unwrap_or_default();
            vec![text(format!("back on {}", version(&s.rollback.target))), dim(took)]
        }
        Mood::Promoted => vec![text("promoted"), dim(format!(" {} runs everywhere", version(&s.to)))],
        Mood::Aborted => vec![warn("aborted"), text(format!(" all traffic on {}", version(&s.from)))],
        Mood::Superseded => vec![warn("superseded"), text(" somebody else drives it")],
    }
}
