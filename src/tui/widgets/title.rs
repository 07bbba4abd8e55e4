//! The title of a pane: its name, a thin rule, and a note at the right.

use super::facts::{Fact, draw_right};
use crate::tui::pen::{Bit, Pen, width};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A title. Tables have none: their headings take its place.
#[derive(Clone, Debug)]
pub struct Title<'a> {
    /// In [`Role::Title`], bold capitals.
    pub name: Vec<Bit<'a>>,
    /// Facts three blanks apart, dropped by rank where there is no room.
    pub note: Vec<Fact<'a>>,
}

impl<'a> Title<'a> {
    /// A title of plain capitals.
    pub fn new(name: &'a str, note: Vec<Fact<'a>>) -> Title<'a> {
        Title { name: vec![Bit::new(Role::Title, name)], note }
    }

    /// Draws the title in the first row of `area`.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        if area.height == 0 {
            return;
        }
        let from = area.x + width(&self.name) + 1;
        pen.bits(buf, area.x, area.y, area.width, &self.name);
        // The rule keeps three columns and a blank at each end.
        let room = Rect { x: from + 4, width: area.right().saturating_sub(from + 4), ..area };
        let note = draw_right(&self.note, room, buf, pen, 3);
        let end = if note < area.right() { note - 1 } else { area.right() };
        rule(buf, from, end, area.y, '─', Role::Faint, pen);
    }
}

/// A line from column `from` up to `end`.
pub fn rule(buf: &mut Buffer, from: u16, end: u16, y: u16, c: char, role: Role, pen: &Pen<'_>) {
    for x in from..end {
        pen.put(buf, x, y, c, role);
    }
}
