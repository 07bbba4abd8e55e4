//! The launch screen: which strategy, with what, and how do I get back?
//!
//! One file per stage. What every stage has stands here: what is being made, how far one is, and at the bottom what to press
//! next. Known weakness: the plan is compiled anew with each picture, so a fleet that changes moves its lines.

mod checks;
mod details;
mod needs;
mod page;
mod plan;
mod stairs;
mod strategy;

pub(in crate::tui) use checks::in_the_way;

use super::{View, take, take_last, top};
use crate::tui::commands::Action;
use crate::tui::launch::{Form, Stage};
use crate::tui::pen::{Bit, Pen, dim, key, shorten, strong, text};
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::rail;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// From this height of the pane on there is a blank row above the key bar.
const TALL: u16 = 24;

/// Draws the stage in the pane between top lines and key bar, and returns where the cursor belongs while text is typed.
pub(super) fn draw(content: Rect, buf: &mut Buffer, form: &Form, view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    let strip = top::is_strip(view);
    let screen = content.width + 2;
    if !strip {
        // Above the R line and the blank row under it.
        let row = Rect { x: content.x - 1, y: content.y.saturating_sub(3), width: screen, height: 1 };
        subject(form, screen).draw(row, buf, pen);
    }
    let mut rest = content;
    stages(take(&mut rest, 1), buf, form, strip, pen);
    take(&mut rest, 1);
    if rest.height >= TALL {
        take_last(&mut rest, 1);
    }
    match form.stage {
        Stage::Strategy => strategy::draw(rest, buf, form, view, pen),
        Stage::Details => details::draw(rest, buf, form, view, pen),
        Stage::Plan => plan::draw(rest, buf, form, view, pen),
    }
}

/// `v41 → v42`, or `v41 → ?`.
fn versions(form: &Form) -> [Bit<'_>; 3] {
    let to = match form.compiled.as_ref().map(|c| c.plan.to.as_str()) {
        Some(to) => Bit::new(Role::New, shorten(to, 24)),
        None if form.to.is_empty() => Bit::new(Role::Unknown, "?"),
        None => Bit::new(Role::New, shorten(&form.to, 24)),
    };
    [Bit::new(Role::Old, shorten(form.from.as_str(), 24)), dim(" → "), to]
}

/// What is being made.
fn subject(form: &Form, screen: u16) -> Facts<'_> {
    let mut left = vec![Fact::new(0, versions(form)), Fact::new(1, [dim(form.kind.name())])];
    if let (Some(c), Stage::Details | Stage::Plan) = (&form.compiled, form.stage) {
        let summary = c.plan.summary();
        // Regions go before steps, and the time stays longest.
        let facts = summary.split(", ").skip(1).zip([3, 4, 2]).map(|(says, rank)| Fact::new(rank, [dim(says.to_owned())]));
        left.extend(facts);
    }
    Facts { head: vec![strong(shorten(&form.service.name, 24))], left, right: Vec::new(), spacing: Spacing::at(screen) }
}

/// How far one is. Where a strip has taken the line above, what is being made stands here.
fn stages(row: Rect, buf: &mut Buffer, form: &Form, strip: bool, pen: &Pen<'_>) {
    let labels = if row.width < 64 { ["strategy", "details", "plan", "go"] } else { ["1 strategy", "2 details", "3 plan", "4 go"] };
    rail::stages(&labels, form.stage as usize, row, buf, pen);
    if strip {
        let used: u16 = labels.iter().map(|l| l.len() as u16 + 3).sum::<u16>() + 20;
        let room = Rect { x: row.x + used, width: row.width.saturating_sub(used), ..row };
        let facts = [Fact::new(2, [strong(shorten(&form.service.name, 24))]), Fact::new(1, versions(form))];
        crate::tui::widgets::facts::draw_right(&facts, room, buf, pen, 3);
    }
}

/// A line of what to press, from edge to edge.
fn foot(row: Rect, line: &[Fact<'_>], buf: &mut Buffer, pen: &Pen<'_>) {
    let row = Rect { x: row.x - 1, width: row.width + 2, ..row };
    pen.fill(buf, row, Role::Raised);
    Facts { head: Vec::new(), left: line.to_vec(), right: Vec::new(), spacing: Spacing { gap: 3, tab: None } }.draw(row, buf, pen);
}

/// ` Tab  the plan`.
fn press<'a>(view: &View<'a>, action: Action, usual: &'static str, words: &'a str) -> Vec<Bit<'a>> {
    vec![key(view.key(action, usual)), text(format!(" {words}"))]
}

/// A warning of a document, without the option that it would be on a command line.
fn warning(text: &str) -> &str {
    text.strip_prefix("--").and_then(|t| t.split_once(": ")).map_or(text, |(_, rest)| rest)
}
