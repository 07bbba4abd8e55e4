//! The share of the new version over time, as stairs: what the plan asks for, from launch to end.

use crate::strategy::Plan;
use crate::tui::glyphs::HEIGHTS;
use crate::tui::pen::{Pen, columns};
use crate::tui::theme::Role;
use crate::units::Span;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Columns of the labels of the y axis, and the blanks behind them.
const AXIS: u16 = 7;

/// The share of all traffic that each step leaves the new version with, and how long it takes.
fn stairs(plan: &Plan) -> Vec<(f64, Span)> {
    // By load where all of it is counted, else by pods.
    let counted = plan.legs.iter().all(|l| l.load.is_some());
    let weight = |load: Option<f64>, base: u32| if counted { load.unwrap_or(0.0) } else { f64::from(base) };
    let all: f64 = plan.legs.iter().map(|l| weight(l.load, l.base)).sum();
    let share = |at: usize| -> f64 { plan.legs.iter().map(|l| weight(l.load, l.base) * plan.weight_at(at, &l.id).share()).sum() };
    plan.steps.iter().enumerate().map(|(at, step)| (share(at) / all.max(f64::MIN_POSITIVE), step.expected)).collect()
}

/// Draws the stairs with their shares and times below: rows of stairs, and two more.
pub(super) fn draw(area: Rect, buf: &mut Buffer, plan: &Plan, pen: &Pen<'_>) {
    if area.height < 4 || area.width < AXIS + 10 {
        return;
    }
    let (rows, x0) = (area.height - 2, area.x + AXIS);
    let across = area.width - AXIS;
    let total = plan.expected().0.max(1) as f64;
    for (y, label) in [(area.y, "100 %"), (area.y + rows - 1, "0")] {
        pen.text(buf, area.x + 5 - columns(label), y, 5, label, Role::Dim);
    }
    let column = |ms: u64| x0 + ((ms as f64 / total) * f64::from(across)).round().min(f64::from(across)) as u16;
    let (mut from, mut free, mut before) = (0_u64, x0, 0.0);
    for (share, takes) in stairs(plan) {
        let until = from + takes.0;
        let parts = (share * f64::from(rows) * 8.0).round().max(if share > 0.0 { 1.0 } else { 0.0 }) as u16;
        for x in column(from)..column(until) {
            for row in 0..rows {
                let part = usize::from(parts.saturating_sub(row * 8).min(8));
                if let Some(c) = part.checked_sub(1).and_then(|i| HEIGHTS.get(i)) {
                    pen.put(buf, x, area.y + rows - 1 - row, *c, Role::OldFill);
                }
            }
        }
        let label = format!("{:.0}", share * 100.0);
        let (x, wide) = (column(from), columns(&label));
        if share > before && x >= free && x + wide <= area.right() {
            pen.text(buf, x, area.y + rows, wide, &label, Role::Dim);
            free = x + wide + 1;
        }
        before = share;
        from = until;
    }
    // The start, the middle and the end in time.
    let times = [(0, Span::ZERO), (across / 2, Span(plan.expected().0 / 2)), (across, plan.expected())];
    for (at, span) in times {
        let label = span.clock();
        let x = (x0 + at).min(area.right().saturating_sub(columns(&label)));
        pen.text(buf, x, area.y + rows + 1, columns(&label), &label, Role::Dim);
    }
}
