//! The strip: two rows of one colour from edge to edge, what is true above what the key would do. One at most on a screen.

use super::facts::Facts;
use crate::tui::pen::{Pen, Tint};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Two lines of facts on a strip. The key of the second line stands in its head, as `key("R  ROLL BACK")`.
#[derive(Clone, Debug)]
pub struct Strip<'a> {
    /// What the strip says: alarm, caution or proof.
    pub tint: Tint,
    /// What is true.
    pub top: Facts<'a>,
    /// What the key does.
    pub bottom: Facts<'a>,
}

impl Strip<'_> {
    /// Draws the strip in the first two rows of `area`.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let area = Rect { height: area.height.min(2), ..area };
        let pen = pen.on(self.tint);
        // The lesser words of an alarm have the same ground, so the blanks may have either.
        pen.fill(buf, area, self.tint.role());
        for (row, facts) in area.rows().zip([&self.top, &self.bottom]) {
            facts.draw(row, buf, &pen);
        }
    }
}
