//! What an exercise is about, and what it teaches.

use crate::tui::model::{Model, Story};
use crate::tui::pen::{Pen, dim, strong};
use crate::tui::theme::Role;
use crate::tui::view::wrap;
use crate::tui::widgets::facts::Fact;
use crate::tui::widgets::overlay::Overlay;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Columns of the box, at most.
const WIDE: u16 = 78;

/// Draws the story over `below`.
pub(super) fn draw(model: &Model, below: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    let Some(Story { title, story, learn }) = &model.story else { return };
    let room = WIDE.min(below.width.saturating_sub(2)).saturating_sub(4);
    let mut lines: Vec<(Role, &str)> = wrap(story.trim(), room).into_iter().map(|line| (Role::Text, line)).collect();
    lines.extend([(Role::Text, ""), (Role::Title, "what it teaches")]);
    lines.extend(wrap(learn.trim(), room).into_iter().map(|line| (Role::Dim, line)));
    let overlay = Overlay { title: vec![strong(title.as_str())], note: vec![Fact::new(1, [dim("any key closes")])] };
    let inside = overlay.draw(below, Overlay::place(below, WIDE, lines.len() as u16 + 2), buf, pen);
    for ((role, line), row) in lines.into_iter().zip(inside.rows()) {
        pen.text(buf, row.x, row.y, row.width, line, role);
    }
}
