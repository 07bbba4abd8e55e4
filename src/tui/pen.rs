//! How things are drawn: words with roles, in a theme and a glyph set, straight into the cells of a buffer.
//!
//! All drawing goes through here, so that no widget names a colour, writes a control character or leaves a style behind in
//! a cell that it draws over. Must never know what is drawn. Known weakness: in ASCII a combining mark is a `?` of its own.

use super::glyphs::{GlyphSet, Sign};
use super::spots::{Spot, Spots};
use super::theme::{Role, Theme};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Words in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bit<'a> {
    /// The words, without control characters.
    pub text: Cow<'a, str>,
    /// What they say. [`Role::Keycap`] is a key on its plate, one blank wider at each side.
    pub role: Role,
}

impl<'a> Bit<'a> {
    /// Words in a role.
    pub fn new(role: Role, text: impl Into<Cow<'a, str>>) -> Bit<'a> {
        Bit { text: text.into(), role }
    }

    /// Columns, with the plate of a key.
    pub fn width(&self) -> u16 {
        columns(&self.text) + if self.role == Role::Keycap { 2 } else { 0 }
    }
}

/// Words that carry meaning.
pub fn text<'a>(text: impl Into<Cow<'a, str>>) -> Bit<'a> {
    Bit::new(Role::Text, text)
}
/// A measured value or a name.
pub fn strong<'a>(text: impl Into<Cow<'a, str>>) -> Bit<'a> {
    Bit::new(Role::Strong, text)
}
/// A label, a unit, a want.
pub fn dim<'a>(text: impl Into<Cow<'a, str>>) -> Bit<'a> {
    Bit::new(Role::Dim, text)
}
/// A key on its plate.
pub fn key<'a>(text: impl Into<Cow<'a, str>>) -> Bit<'a> {
    Bit::new(Role::Keycap, text)
}
/// A sign in its own role.
pub fn sign<'a>(sign: Sign) -> Bit<'a> {
    Bit::new(sign.role(), sign.text())
}

/// Columns of words that are drawn one after the other.
pub fn width(bits: &[Bit<'_>]) -> u16 {
    bits.iter().map(Bit::width).fold(0, u16::saturating_add)
}

/// Columns of a text.
pub fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// `text` in at most `most` columns; what is longer ends in `…`. For names only: a number is dropped, never cut.
pub fn shorten(text: &str, most: u16) -> Cow<'_, str> {
    if columns(text) <= most {
        return Cow::Borrowed(text);
    }
    let mut room = usize::from(most.saturating_sub(1));
    let kept: String = text
        .chars()
        .take_while(|c| match room.checked_sub(c.width().unwrap_or(0)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        })
        .collect();
    Cow::Owned(if most == 0 { String::new() } else { kept + "…" })
}

/// A ground on which the roles of words are seen otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tint {
    /// A strip: act now.
    Alarm,
    /// A strip: something moves.
    Caution,
    /// A strip: proved.
    Proof,
    /// A row that cannot be used now.
    Off,
}

impl Tint {
    /// The role of the strip itself.
    pub const fn role(self) -> Role {
        match self {
            Tint::Alarm => Role::Alarm,
            Tint::Caution => Role::Caution,
            Tint::Proof => Role::Proof,
            Tint::Off => Role::Off,
        }
    }
}

/// A theme and a glyph set, and the ground they are used on.
#[derive(Clone, Copy)]
pub struct Pen<'t> {
    theme: &'t Theme,
    set: GlyphSet,
    tint: Option<Tint>,
    spots: Option<&'t Spots>,
}

impl<'t> Pen<'t> {
    /// A pen for the whole screen.
    pub fn new(theme: &'t Theme, set: GlyphSet) -> Pen<'t> {
        Pen { theme, set, tint: None, spots: None }
    }

    /// The same pen, noting what the mouse can point at.
    pub fn noting(self, spots: &'t Spots) -> Pen<'t> {
        Pen { spots: Some(spots), ..self }
    }

    /// Notes what is drawn in an area, for the mouse.
    pub fn spot(&self, area: Rect, spot: Spot) {
        if let Some(spots) = self.spots {
            spots.note(area, spot);
        }
    }

    /// The same pen on a tinted ground.
    pub fn on(self, tint: Tint) -> Pen<'t> {
        Pen { tint: Some(tint), ..self }
    }

    /// The glyph set.
    pub fn set(&self) -> GlyphSet {
        self.set
    }

    /// The style of a role here. On a strip there are two weights and the key, which has the strip's colours swapped.
    pub fn style(&self, role: Role) -> Style {
        let Some(tint) = self.tint else { return self.theme.style(role) };
        match (tint, role) {
            (Tint::Off, _) => self.theme.style(Role::Off),
            (_, Role::Keycap) => swapped(self.theme.style(tint.role())),
            (Tint::Alarm, Role::Dim | Role::Text | Role::Faint | Role::Mark | Role::Off | Role::Old | Role::Limit) => {
                self.theme.style(Role::AlarmSoft)
            }
            _ => self.theme.style(tint.role()),
        }
    }

    /// Blanks in a role: a ground, a strip.
    pub fn fill(&self, buf: &mut Buffer, area: Rect, role: Role) {
        let style = self.style(role);
        let area = area.intersection(buf.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                let cell = &mut buf[(x, y)];
                cell.reset();
                cell.set_style(style);
            }
        }
    }

    /// Lays a role over what is drawn, such as `selected` over a row.
    pub fn over(&self, buf: &mut Buffer, area: Rect, role: Role) {
        buf.set_style(area, self.style(role));
    }

    /// Draws `text` from (x, y) in at most `most` columns and returns the column after it. Underline goes under words, not under blanks.
    pub fn text(&self, buf: &mut Buffer, x: u16, y: u16, most: u16, text: &str, role: Role) -> u16 {
        let style = self.style(role);
        let end = self.letters(buf, x, y, most, text, style);
        if style.add_modifier.contains(Modifier::UNDERLINED) {
            for x in x..end {
                let cell = &mut buf[(x, y)];
                if cell.symbol() == " " {
                    cell.modifier.remove(Modifier::UNDERLINED);
                }
            }
        }
        end
    }

    /// Draws words one after the other from (x, y) in at most `most` columns and returns the column after them.
    pub fn bits(&self, buf: &mut Buffer, mut x: u16, y: u16, most: u16, bits: &[Bit<'_>]) -> u16 {
        let end = x.saturating_add(most);
        for bit in bits {
            if bit.role != Role::Keycap {
                x = self.text(buf, x, y, end.saturating_sub(x), &bit.text, bit.role);
            } else if bit.width() <= end.saturating_sub(x) {
                x = self.plate(buf, x, y, &bit.text, self.style(Role::Keycap));
            }
        }
        x
    }

    /// Draws words so that they end before column `end`.
    pub fn bits_right(&self, buf: &mut Buffer, end: u16, y: u16, bits: &[Bit<'_>]) {
        self.bits(buf, end.saturating_sub(width(bits)), y, width(bits), bits);
    }

    /// A key on a plate, with a blank at each side.
    pub fn plate(&self, buf: &mut Buffer, x: u16, y: u16, text: &str, style: Style) -> u16 {
        // On a strip the plate is one block; elsewhere, without colours, only the letters are marked.
        let blank = if self.tint.is_none() { style.remove_modifier(Modifier::UNDERLINED) } else { style };
        let x = self.letters(buf, x, y, 1, " ", blank);
        let x = self.letters(buf, x, y, columns(text), text, style);
        self.letters(buf, x, y, 1, " ", blank)
    }

    /// One sign or piece of a line. Never bold or underlined: lines and curves are not words, and switching costs bytes.
    pub fn put(&self, buf: &mut Buffer, x: u16, y: u16, c: char, role: Role) {
        let mut style = self.style(role);
        style.add_modifier.remove(Modifier::BOLD | Modifier::UNDERLINED);
        if let Some(cell) = buf.cell_mut((x, y)) {
            cell.set_char(self.set.twin(c));
            paint(cell, style);
        }
    }

    fn letters(&self, buf: &mut Buffer, x: u16, y: u16, most: u16, text: &str, style: Style) -> u16 {
        if !buf.area.contains((x, y).into()) {
            return x;
        }
        let mut end = x;
        if self.set != GlyphSet::Ascii || text.is_ascii() {
            end = buf.set_stringn(x, y, text, usize::from(most), Style::new()).0;
        } else {
            let right = buf.area.right().min(x.saturating_add(most));
            for c in text.chars().filter(|c| !c.is_control()) {
                let next = end + c.width().unwrap_or(0) as u16;
                if next > right {
                    break;
                }
                while end < next {
                    buf[(end, y)].set_char(self.set.twin(c));
                    end += 1;
                }
            }
        }
        for x in x..end {
            paint(&mut buf[(x, y)], style);
        }
        end
    }
}

/// Replaces foreground and attributes; the ground stays where the role has none.
fn paint(cell: &mut Cell, style: Style) {
    cell.fg = style.fg.unwrap_or(Color::Reset);
    cell.bg = style.bg.unwrap_or(cell.bg);
    cell.modifier = style.add_modifier.difference(style.sub_modifier);
}

/// Foreground and ground exchanged; without colours, not reversed where the strip is, and underlined.
fn swapped(style: Style) -> Style {
    if style.fg.is_none() && style.bg.is_none() {
        let mut plain = style.underlined();
        plain.add_modifier.remove(Modifier::REVERSED);
        return plain;
    }
    Style { fg: style.bg, bg: style.fg, ..style }.bold()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Mode, Tier};

    fn theme(tier: Tier) -> Theme {
        Theme::load(None, Mode::Dark, tier).unwrap()
    }

    #[test]
    fn underline_goes_under_words_not_under_the_blanks_between() {
        let theme = theme(Tier::Mono);
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 1));
        Pen::new(&theme, GlyphSet::Braille).text(&mut buf, 0, 0, 12, "v42 4.8 %", Role::Bad);
        let lined: String = (0..9).map(|x| if buf[(x, 0)].modifier.contains(Modifier::UNDERLINED) { '_' } else { ' ' }).collect();
        assert_eq!(lined, "___ ___ _");
    }

    #[test]
    fn drawing_over_a_cell_leaves_nothing_of_what_was_there_but_the_ground() {
        let theme = theme(Tier::True);
        let pen = Pen::new(&theme, GlyphSet::Braille);
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 1));
        pen.fill(&mut buf, Rect::new(0, 0, 4, 1), Role::Raised);
        pen.text(&mut buf, 0, 0, 4, "bold", Role::Strong);
        pen.text(&mut buf, 0, 0, 4, "thin", Role::Dim);
        assert_eq!(buf[(0, 0)].modifier, Modifier::empty());
        assert_eq!(Some(buf[(0, 0)].bg), theme.style(Role::Raised).bg);
    }

    #[test]
    fn in_ascii_each_sign_is_its_twin_and_what_has_none_keeps_its_width() {
        let theme = theme(Tier::True);
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        let end = Pen::new(&theme, GlyphSet::Ascii).text(&mut buf, 0, 0, 20, "v41 → v42 ≈é世\x1b.", Role::Text);
        let line: String = (0..end).map(|x| buf[(x, 0)].symbol().to_owned()).collect();
        assert_eq!(line, "v41 > v42 ~???.");
    }

    #[test]
    fn control_characters_never_reach_a_cell() {
        let theme = theme(Tier::True);
        let mut buf = Buffer::empty(Rect::new(0, 0, 9, 1));
        Pen::new(&theme, GlyphSet::Braille).text(&mut buf, 0, 0, 9, "a\x1b[2Jb\n", Role::Text);
        assert!(buf.content.iter().all(|c| !c.symbol().contains(char::is_control)));
    }

    #[test]
    fn a_key_on_a_strip_has_the_colours_of_the_strip_swapped() {
        let colours = theme(Tier::True);
        let pen = Pen::new(&colours, GlyphSet::Braille).on(Tint::Alarm);
        let (key, strip) = (pen.style(Role::Keycap), pen.style(Role::Strong));
        assert_eq!((key.fg, key.bg), (strip.bg, strip.fg));
        let plain = theme(Tier::Mono);
        let key = Pen::new(&plain, GlyphSet::Braille).on(Tint::Alarm).style(Role::Keycap);
        assert!(key.add_modifier.contains(Modifier::UNDERLINED) && !key.add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn names_are_shortened_at_their_end() {
        assert_eq!(shorten("order-service", 20), "order-service");
        assert_eq!(shorten("order-service", 8), "order-s…");
        assert_eq!(shorten("世界世界", 4), "世…");
        assert_eq!(shorten("order", 0), "");
    }
}
