//! The parts that panes are made of: plain data in, cells out, one part in each file.
//!
//! A part knows roles and signs, never colours; it knows nothing of rollouts, snapshots or keys that are pressed. Areas are
//! whole rows for what goes from edge to edge (bars, strips, lines of facts), and the pane without its margin for all else.

pub mod chart;
pub mod facts;
pub mod field;
pub mod interval;
pub mod key_bar;
pub mod overlay;
pub mod paper;
pub mod rail;
pub mod scale;
pub mod sparkline;
pub mod split_bar;
pub mod status_bar;
pub mod strip;
pub mod table;
pub mod title;
pub mod toast;

#[cfg(test)]
pub(crate) mod testing {
    use crate::tui::glyphs::GlyphSet;
    use crate::tui::pen::Pen;
    use crate::tui::theme::{Mode, Theme, Tier};
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    /// The dark theme with 24-bit colour.
    pub fn dark() -> Theme {
        Theme::load(None, Mode::Dark, Tier::True).unwrap()
    }

    /// What `draw` draws on an empty screen, row by row, with a bar where a row begins.
    pub fn rows(width: u16, height: u16, draw: impl FnOnce(&mut Buffer, &Pen<'_>)) -> String {
        let theme = dark();
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&mut buf, &Pen::new(&theme, GlyphSet::Braille));
        text(&buf)
    }

    /// The text of a buffer, row by row, with a bar where a row begins.
    pub fn text(buf: &Buffer) -> String {
        let row = |cells: &[ratatui::buffer::Cell]| format!("|{}", cells.iter().map(|c| c.symbol()).collect::<String>().trim_end());
        buf.content.chunks(usize::from(buf.area.width)).map(row).collect::<Vec<_>>().join("\n")
    }
}
