//! One line of news at the right, in the row above the key bar.

use super::facts::whole_words;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, sign, text, width};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What happened, with its sign.
#[derive(Clone, Debug)]
pub struct Toast<'a> {
    /// Done, look, failing.
    pub sign: Sign,
    /// The words.
    pub words: Vec<Bit<'a>>,
}

impl Toast<'_> {
    /// Draws the line at the right of the first row of `area`.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let most = area.width.saturating_sub(4);
        let mut bits = vec![sign(self.sign), text(" ")];
        let room = most.saturating_sub(2);
        bits.extend(if width(&self.words) <= room { self.words.clone() } else { whole_words(&self.words, room) });
        let wide = width(&bits).min(most);
        let x = area.right().saturating_sub(wide + 3);
        if area.height > 0 {
            // What lay there would be cut in a word: it makes way, all of it.
            pen.fill(buf, Rect { height: 1, ..area }, Role::Ground);
            pen.bits(buf, x, area.y, wide, &bits);
        }
    }
}
