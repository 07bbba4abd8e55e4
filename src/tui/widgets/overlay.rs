//! A box that floats: on `raised`, never over the top lines, and all below it drawn in `off`.

use super::facts::{Fact, draw_right};
use super::title::rule;
use crate::tui::pen::{Bit, Pen, width};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A box with a title in its upper border.
#[derive(Clone, Debug, Default)]
pub struct Overlay<'a> {
    /// The title; none for an unbroken border.
    pub title: Vec<Bit<'a>>,
    /// Notes at the right of the title.
    pub note: Vec<Fact<'a>>,
}

impl Overlay<'_> {
    /// The place for a box of at most this size under the top lines: in the middle, from the first row of `below` on.
    pub fn place(below: Rect, width: u16, height: u16) -> Rect {
        let (width, height) = (width.min(below.width.saturating_sub(2)), height.min(below.height));
        Rect { x: below.x + (below.width - width) / 2, y: below.y, width, height }
    }

    /// Draws `below` in `off` and the box over it, and returns the pane inside with its margin taken off.
    pub fn draw(&self, below: Rect, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) -> Rect {
        recede(below, buf, pen);
        pen.spot(below, Spot::Nothing);
        pen.fill(buf, area, Role::Raised);
        let (left, right, top, bottom) = (area.left(), area.right().saturating_sub(1), area.top(), area.bottom().saturating_sub(1));
        if area.width < 4 || area.height < 2 {
            return Rect::default();
        }
        for y in [top, bottom] {
            rule(buf, left, right, y, '─', Role::Mark, pen);
        }
        for y in top..bottom {
            pen.put(buf, left, y, '│', Role::Mark);
            pen.put(buf, right, y, '│', Role::Mark);
        }
        for (x, y, c) in [(left, top, '┌'), (right, top, '┐'), (left, bottom, '└'), (right, bottom, '┘')] {
            pen.put(buf, x, y, c, Role::Mark);
        }
        if !self.title.is_empty() {
            let end = pen.bits(buf, left + 2, top, area.width.saturating_sub(4), &padded(&self.title));
            let note = Rect { x: end + 2, y: top, width: right.saturating_sub(end + 4), height: 1 };
            let notes: Vec<Fact<'_>> = self.note.iter().map(|f| Fact::new(f.rank, padded(&f.bits))).collect();
            if width(&self.title) + 4 < area.width {
                draw_right(&notes, note, buf, pen, 1);
            }
        }
        Rect { x: left + 2, y: top + 1, width: area.width.saturating_sub(4), height: area.height.saturating_sub(2) }
    }
}

/// With a blank at each side, so that the border does not touch.
fn padded<'a>(bits: &[Bit<'a>]) -> Vec<Bit<'a>> {
    let blank = [Bit::new(Role::Text, " ")];
    [&blank, bits, &blank].concat()
}

/// Everything in `area` in `off`, on the plain ground.
fn recede(area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    let (off, ground) = (pen.style(Role::Off), pen.style(Role::Ground));
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut buf[(x, y)];
            cell.fg = off.fg.unwrap_or_default();
            cell.bg = ground.bg.unwrap_or_default();
            cell.modifier = off.add_modifier;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::GlyphSet;
    use crate::tui::pen::{dim, strong};
    use crate::tui::widgets::testing::{dark, text};

    #[test]
    fn a_box_leaves_the_top_lines_alone_and_dims_all_else() {
        let theme = dark();
        let pen = Pen::new(&theme, GlyphSet::Braille);
        let mut buf = Buffer::empty(Rect::new(0, 0, 44, 7));
        pen.fill(&mut buf, Rect::new(0, 0, 44, 7), Role::Ground);
        for y in 0..7 {
            pen.text(&mut buf, 0, y, 44, &"v42 over the limit, ".repeat(3), Role::Bad);
        }
        let below = Rect::new(0, 2, 44, 5);
        let overlay = Overlay { title: vec![strong("keys")], note: vec![Fact::new(1, [dim("3 off now")])] };
        let inner = overlay.draw(below, Overlay::place(below, 34, 4), &mut buf, &pen);
        pen.text(&mut buf, inner.x, inner.y, inner.width, "R    roll back now", Role::Text);
        insta::assert_snapshot!(text(&buf), @r"
        |v42 over the limit, v42 over the limit, v42
        |v42 over the limit, v42 over the limit, v42
        |v42 o┌─ keys ──────────── 3 off now ──┐ v42
        |v42 o│ R    roll back now             │ v42
        |v42 o│                                │ v42
        |v42 o└────────────────────────────────┘ v42
        |v42 over the limit, v42 over the limit, v42
        ");
        assert_eq!(buf[(0, 1)].fg, theme.style(Role::Bad).fg.unwrap());
        assert_eq!(buf[(0, 2)].fg, theme.style(Role::Off).fg.unwrap());
        assert!(buf[(0, 2)].modifier.is_empty());
        assert_eq!(buf[(10, 3)].bg, theme.style(Role::Raised).bg.unwrap());
    }
}
