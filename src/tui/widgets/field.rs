//! A text field of one line. Known weakness: it moves by characters, so a combining mark is stepped over by itself.

use crate::tui::pen::Pen;
use crate::tui::theme::Role;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthChar;

/// The most characters a field takes.
pub const MOST: usize = 1000;

/// Text that is being typed. It takes all keys but Esc, Enter, Tab and what is held with ctrl and unknown here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    text: Vec<char>,
    cursor: usize,
}

impl Field {
    /// A field with a text and the cursor behind it.
    pub fn with(text: &str) -> Field {
        let mut field = Field::default();
        field.paste(text);
        field
    }

    /// What was typed.
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Inserts text at the cursor, as one line: line ends around it go, and control characters in it become blanks.
    pub fn paste(&mut self, text: &str) {
        for c in text.trim_matches(['\r', '\n']).chars() {
            self.insert(if c.is_control() { ' ' } else { c });
        }
    }

    /// Takes a key, and says whether it was one of its own.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('w') if ctrl => self.delete(self.word_before(), self.cursor),
            KeyCode::Char('u') if ctrl => self.delete(0, self.cursor),
            KeyCode::Char('k') if ctrl => self.delete(self.cursor, self.text.len()),
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Backspace if ctrl || alt => self.delete(self.word_before(), self.cursor),
            KeyCode::Backspace => self.delete(self.cursor.saturating_sub(1), self.cursor),
            KeyCode::Delete => self.delete(self.cursor, self.cursor + 1),
            KeyCode::Left if ctrl || alt => self.cursor = self.word_before(),
            KeyCode::Right if ctrl || alt => self.cursor = self.word_after(),
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Char(c) if !ctrl && !alt => self.insert(c),
            _ => return false,
        }
        true
    }

    /// Draws the field in the first row of `area` on its own ground, so that the cursor is seen, and returns where the cursor belongs.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) -> Position {
        let ground = Rect { height: area.height.min(1), ..area };
        pen.fill(buf, ground, Role::Keycap);
        let wide = |c: &char| c.width().unwrap_or(0) as u16;
        // From the end of what is before the cursor, as much as leaves it a cell.
        let mut room = area.width.saturating_sub(1);
        let before = self.text.get(..self.cursor).unwrap_or_default();
        let fits = before.iter().rev().take_while(|c| room.checked_sub(wide(c)).inspect(|left| room = *left).is_some()).count();
        let start = self.cursor - fits;
        let shown: String = self.text.get(start..).unwrap_or_default().iter().collect();
        pen.text(buf, area.x, area.y, area.width, &shown, Role::Keycap);
        let x: u16 = before.get(start..).unwrap_or_default().iter().map(wide).sum();
        Position { x: area.x + x, y: area.y }
    }

    fn insert(&mut self, c: char) {
        if self.text.len() < MOST {
            self.text.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    fn delete(&mut self, from: usize, to: usize) {
        let to = to.min(self.text.len());
        if from < to {
            self.text.drain(from..to);
            self.cursor = from;
        }
    }

    fn word_before(&self) -> usize {
        let before = self.text.get(..self.cursor).unwrap_or_default();
        let blanks = before.iter().rev().take_while(|c| **c == ' ').count();
        let word = before.iter().rev().skip(blanks).take_while(|c| **c != ' ').count();
        self.cursor - blanks - word
    }

    fn word_after(&self) -> usize {
        let after = self.text.get(self.cursor..).unwrap_or_default();
        let word = after.iter().take_while(|c| **c != ' ').count();
        let blanks = after.iter().skip(word).take_while(|c| **c == ' ').count();
        self.cursor + word + blanks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::GlyphSet;
    use crate::tui::theme::{Mode, Theme, Tier};

    fn typed(keys: &[(KeyCode, KeyModifiers)]) -> Field {
        let mut field = Field::with("2% error rate");
        for (code, modifiers) in keys {
            field.key(KeyEvent::new(*code, *modifiers));
        }
        field
    }

    #[test]
    fn words_and_letters_are_deleted_and_inserted_at_the_cursor() {
        let (none, ctrl) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        assert_eq!(typed(&[(KeyCode::Backspace, none)]).text(), "2% error rat");
        assert_eq!(typed(&[(KeyCode::Char('w'), ctrl)]).text(), "2% error ");
        assert_eq!(typed(&[(KeyCode::Left, ctrl), (KeyCode::Char('x'), none)]).text(), "2% error xrate");
        assert_eq!(typed(&[(KeyCode::Home, none), (KeyCode::Delete, none)]).text(), "% error rate");
        assert_eq!(typed(&[(KeyCode::Home, none), (KeyCode::Right, ctrl), (KeyCode::Char('k'), ctrl)]).text(), "2% ");
        assert_eq!(typed(&[(KeyCode::Char('u'), ctrl)]).text(), "");
        assert_eq!(
            typed(&[(KeyCode::Left, none), (KeyCode::End, none), (KeyCode::Char('R'), KeyModifiers::SHIFT)]).text(),
            "2% error rateR"
        );
    }

    #[test]
    fn a_paste_is_one_line_and_esc_and_enter_are_not_taken() {
        let mut field = Field::default();
        field.paste("order\nservice\x1b\n");
        assert_eq!(field.text(), "order service ");
        assert!(!field.key(KeyCode::Esc.into()) && !field.key(KeyCode::Enter.into()) && !field.key(KeyCode::Tab.into()));
        field.paste(&"x".repeat(2 * MOST));
        assert_eq!(field.text().len(), MOST);
    }

    #[test]
    fn the_end_at_the_cursor_stays_in_sight() {
        let theme = Theme::load(None, Mode::Dark, Tier::True).unwrap();
        let pen = Pen::new(&theme, GlyphSet::Braille);
        let draw = |field: &Field| {
            let mut buf = Buffer::empty(Rect::new(0, 0, 8, 1));
            let at = field.draw(buf.area, &mut buf, &pen);
            (buf.content.iter().map(|c| c.symbol()).collect::<String>(), at.x)
        };
        let mut field = Field::with("abc");
        assert_eq!(draw(&field), ("abc     ".into(), 3));
        field.paste("defghijk");
        assert_eq!(draw(&field), ("efghijk ".into(), 7));
        field.key(KeyCode::Home.into());
        assert_eq!(draw(&field), ("abcdefgh".into(), 0));
    }
}
