//! Lines of words one under the other, in a pane.

use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, columns, text, width};
use crate::tui::theme::Role;
use crate::tui::view::wrap;
use crate::tui::widgets::facts::whole_words;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A pane that is written from its top; what does not fit is left out.
pub(super) struct Page<'b, 'p> {
    /// What is left of it.
    pub rest: Rect,
    pub buf: &'b mut Buffer,
    pub pen: &'p Pen<'p>,
}

impl Page<'_, '_> {
    /// A line.
    pub fn line(&mut self, bits: &[Bit<'_>]) {
        if self.rest.height == 0 {
            return;
        }
        let room = self.rest.width;
        if width(bits) <= room {
            self.pen.bits(self.buf, self.rest.x, self.rest.y, room, bits);
        } else {
            self.pen.bits(self.buf, self.rest.x, self.rest.y, room, &whole_words(bits, room));
        }
        self.skip(1);
    }

    /// Blank rows, but none at the top of what is left when nothing follows.
    pub fn skip(&mut self, rows: u16) {
        let rows = rows.min(self.rest.height);
        self.rest.y += rows;
        self.rest.height -= rows;
    }

    /// Words in as many lines as they need.
    pub fn words(&mut self, words: &str, role: Role) {
        for line in wrap(words, self.rest.width) {
            self.line(&[Bit::new(role, line)]);
        }
    }

    /// A heading and words, where all of it fits; a blank row before it where it is not the first.
    pub fn section(&mut self, heading: &str, words: &[&str], first: bool) {
        let rows: usize = words.iter().map(|w| wrap(w, self.rest.width).len()).sum();
        if rows + 1 + usize::from(!first) > usize::from(self.rest.height) {
            return;
        }
        self.skip(u16::from(!first));
        self.line(&[Bit::new(Role::Title, heading)]);
        words.iter().for_each(|w| self.words(w, Role::Text));
    }

    /// A sign and words, in as many lines as they need, the later ones under the words.
    pub fn signed(&mut self, sign: Sign, words: &str, role: Role) {
        for (i, line) in wrap(words, self.rest.width.saturating_sub(2)).into_iter().enumerate() {
            let mark = if i == 0 { Bit::new(sign.role(), sign.text()) } else { text(" ") };
            self.line(&[mark, text(" "), Bit::new(role, line)]);
        }
    }

    /// Rows that [`Page::signed`] takes.
    pub fn rows_signed(&self, words: &str) -> u16 {
        wrap(words, self.rest.width.saturating_sub(2)).len() as u16
    }
}

/// The widest of some words.
pub(super) fn widest<'w>(words: impl Iterator<Item = &'w str>) -> u16 {
    words.map(columns).max().unwrap_or(0)
}
