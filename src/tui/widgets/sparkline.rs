//! Small columns without an axis: the last hour of a service, the exposure of a plan.

use crate::tui::glyphs::HEIGHTS;
use crate::tui::pen::Pen;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// One value a column, the last at the right edge.
#[derive(Clone, Copy, Debug)]
pub struct Sparkline<'a> {
    /// Values from 0; `None` is a gap.
    pub values: &'a [Option<f64>],
    /// The value that fills the height.
    pub most: f64,
    /// The role of a column.
    pub role: Role,
    /// Columns above this are `bad`.
    pub limit: Option<f64>,
}

impl Sparkline<'_> {
    /// Draws the columns over all rows of `area`; of more values than columns the last are shown.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let shown = self.values.len().min(usize::from(area.width));
        let values = self.values.iter().rev().take(shown).rev();
        let start = area.right() - shown as u16;
        for (x, value) in (start..).zip(values) {
            let Some(value) = value else { continue };
            let role = if self.limit.is_some_and(|limit| *value > limit) { Role::Bad } else { self.role };
            let all = u32::from(area.height) * 8;
            let share = if self.most > 0.0 { (value / self.most).clamp(0.0, 1.0) } else { 0.0 };
            // A measured 0 is still a line: only a gap is blank.
            let height = ((share * f64::from(all)).round() as u32).max(1);
            for (row, y) in (area.top()..area.bottom()).rev().enumerate() {
                let part = height.saturating_sub(row as u32 * 8).min(8);
                if let Some(c) = part.checked_sub(1).and_then(|i| HEIGHTS.get(i as usize)) {
                    pen.put(buf, x, y, *c, role);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::GlyphSet;
    use crate::tui::theme::{Mode, Theme, Tier};

    #[test]
    fn the_last_values_are_shown_a_gap_is_blank_and_zero_is_a_line() {
        let theme = Theme::load(None, Mode::Dark, Tier::True).unwrap();
        let pen = Pen::new(&theme, GlyphSet::Braille);
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 2));
        let values = [9.0, 0.0, 1.0, 2.0, 4.0, 8.0].map(Some);
        let values = [&values[..], &[None, Some(0.0)]].concat();
        Sparkline { values: &values, most: 8.0, role: Role::Old, limit: Some(4.0) }.draw(buf.area, &mut buf, &pen);
        let rows: Vec<String> = buf.content.chunks(8).map(|row| row.iter().map(|c| c.symbol()).collect()).collect();
        assert_eq!(rows, ["█    █  ", "█▁▂▄██ ▁"]);
        assert_eq!(Some(buf[(5, 1)].fg), theme.style(Role::Bad).fg);
        assert_eq!(Some(buf[(4, 1)].fg), theme.style(Role::Old).fg);
    }
}
