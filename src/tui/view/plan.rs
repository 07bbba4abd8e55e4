//! The plan and its way back: every step, when, and what takes it back; on its own screen also what `R` would move now.

use super::words::{self, share, version};
use super::{View, take};
use crate::cockpit::RolloutView;
use crate::rollout::{StepState, StepStatus};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, strong, text};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::widgets::facts::Fact;
use crate::tui::widgets::table::{Cell, Column, Row, Table};
use crate::tui::widgets::title::Title;
use crate::units::{Percent, count};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows that the pane would take: title, headings, steps.
pub(super) fn height(r: &RolloutView) -> u16 {
    u16::try_from(r.status.steps.len()).unwrap_or(u16::MAX).saturating_add(2)
}

/// The pane beside the charts; the current step is kept in sight.
pub(super) fn pane(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    let mut rest = area;
    let title = take(&mut rest, 1);
    let rows = usize::from(rest.height.saturating_sub(1));
    let all = r.status.steps.len();
    // One step that is behind us stays in sight.
    let first = view.step.unwrap_or(r.status.step).saturating_sub(rows / 3).min(all.saturating_sub(rows));
    let note = if all > rows { format!("{} to {} of {all}", first + 1, (first + rows).min(all)) } else { "newest undone first".into() };
    Title::new("PLAN AND ITS WAY BACK", vec![Fact::new(0, [dim(note)])]).draw(title, buf, pen);
    table(rest, buf, r, view, first, pen);
}

/// The screen of its own.
pub(super) fn screen(content: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let Some(r) = view.subject() else { return };
    let mut rest = content;
    let moves = r.status.rollback.moves.len();
    // The moves of the way back stand below, as many as have room.
    let below = (moves as u16 + 2).min(content.height / 3);
    let bottom = if moves > 0 { super::take_last(&mut rest, below) } else { Rect::default() };
    super::take_last(&mut rest, u16::from(moves > 0));
    let title = take(&mut rest, 1);
    let rows = usize::from(rest.height.saturating_sub(1));
    let all = r.status.steps.len();
    let first = view.scroll.min(all.saturating_sub(rows));
    pen.spot(content, Spot::Scrolls(all.saturating_sub(rows)));
    let note = if all > rows { format!("{} to {} of {all}", first + 1, (first + rows).min(all)) } else { "newest undone first".into() };
    Title::new("PLAN AND ITS WAY BACK", vec![Fact::new(0, [dim(note)])]).draw(title, buf, pen);
    table(rest, buf, r, view, first, pen);
    moves_now(bottom, buf, r, pen);
}

fn table(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, first: usize, pen: &Pen<'_>) {
    let label = r.status.steps.iter().map(|s| columns(&s.label)).max().unwrap_or(4).clamp(6, 16);
    let columns = [
        Column::words([dim("step")], label),
        Column::words([dim("at")], 8).gap(3),
        Column::numbers([dim("took")], 7).gap(1),
        Column::words([dim("undo")], 20).grows(),
    ];
    let steps = r.status.steps.iter().skip(first).take(usize::from(area.height.saturating_sub(1)));
    let rows: Vec<Row<'_>> = steps.map(|step| row(step, view)).collect();
    let selected = view.step.and_then(|at| at.checked_sub(first)).filter(|at| *at < rows.len());
    Table { title: "", note: "", columns: &columns, rows: &rows, selectable: false, selected }.draw(area, buf, pen);
}

fn row<'a>(step: &'a StepStatus, view: &View<'_>) -> Row<'a> {
    let (mark, role, label) = match step.state {
        StepState::Done => (Sign::Done, Role::Ok, Role::Text),
        StepState::Now => (Sign::Now, Role::New, Role::Strong),
        StepState::Failing => (Sign::Failing, Role::Bad, Role::Bad),
        StepState::Later => (Sign::Later, Role::Dim, Role::Dim),
    };
    let took = match (step.took, step.began) {
        (Some(took), _) => took.clock(),
        (None, Some(began)) if step.state != StepState::Later => view.snapshot.now.since(began).clock(),
        _ => String::new(),
    };
    let at = match (step.began, step.due) {
        (Some(began), _) => began.clock(),
        (None, Some(due)) => format::planned(due),
        (None, None) => String::new(),
    };
    let undo = match (step.undo_slow, step.state) {
        (true, _) => Role::Warn,
        (false, StepState::Later) => Role::Dim,
        (false, _) => Role::Text,
    };
    Row {
        sign: Some(Bit::new(role, mark.text())),
        cells: vec![
            [Bit::new(label, shorten(&step.label, 16))].into(),
            [dim(at)].into(),
            [dim(took)].into(),
            [Bit::new(undo, step.undo.as_str())].into(),
        ],
        off: false,
    }
}

/// What `R` would do in each region now.
fn moves_now(area: Rect, buf: &mut Buffer, r: &RolloutView, pen: &Pen<'_>) {
    let plan = &r.status.rollback;
    let mut rest = area;
    let title = take(&mut rest, 1);
    if area.height < 3 {
        return;
    }
    let note = match plan.left_behind.len() {
        0 => "left behind: nothing".to_owned(),
        n => format!("left behind: {}", count(n, "thing")),
    };
    Title::new("IF YOU PRESS R NOW", vec![Fact::new(1, [dim(note)])]).draw(title, buf, pen);
    let target = version(&plan.target);
    let columns = [
        Column::words([dim("region")], plan.moves.iter().map(|m| columns(m.leg.as_str())).max().unwrap_or(6).clamp(6, 20)),
        Column::words([dim(format!("to {target}"))], 18).gap(3),
        Column::numbers([dim("pods ready")], 10),
        Column::numbers([dim("about")], 7).gap(3),
        Column::words([], 10).gap(3).grows(),
    ];
    let rows: Vec<Row<'_>> = plan
        .moves
        .iter()
        .map(|m| {
            let (mark, says) = match (m.reachable, m.now > Percent::ZERO) {
                (false, _) => (Sign::Unknown, "follows when it answers"),
                (true, true) => (Sign::Look, "the rest waits for pods"),
                (true, false) => (Sign::Ok, ""),
            };
            let moves = match m.from == m.now {
                true if m.from == Percent::ZERO => vec![dim("no traffic to move")],
                true => vec![text("nothing moves yet")],
                false => vec![strong(share(m.from)), dim(" → "), strong(share(m.now)), dim(" at once")],
            };
            let short = m.ready.is_some_and(|ready| ready < m.need);
            let pods = m.ready.map_or_else(|| format::UNKNOWN.into(), |ready| format!("{ready}/{}", m.need));
            Row {
                sign: Some(Bit::new(mark.role(), mark.text())),
                cells: vec![
                    [text(shorten(m.leg.as_str(), 20))].into(),
                    Cell::Words(moves),
                    [Bit::new(if short { Role::Warn } else { Role::Text }, pods)].into(),
                    [strong(words::takes(m.reachable.then_some(m.about)))].into(),
                    [dim(says)].into(),
                ],
                off: false,
            }
        })
        .collect();
    Table { title: "", note: "", columns: &columns, rows: &rows, selectable: false, selected: None }.draw(rest, buf, pen);
}
