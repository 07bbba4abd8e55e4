//! The key bar: what can be pressed here, the way back first, the palette and help always at the right edge.

use crate::tui::pen::{Pen, columns};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What a key in the bar is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It works.
    Live,
    /// It does nothing here and now.
    Off,
    /// It is the one to press.
    Calling,
}

/// A key and its word.
#[derive(Clone, Copy, Debug)]
pub struct BarKey<'a> {
    /// As it is typed.
    pub key: &'a str,
    /// What it does, in one or two words.
    pub word: &'a str,
    /// What it is now.
    pub state: KeyState,
    /// Whether it stays however narrow it is: the way out.
    pub stays: bool,
}

impl BarKey<'_> {
    /// Columns from the key to the end of its word: the same in all states, so that a key that goes off moves no other.
    fn width(&self) -> u16 {
        columns(self.key) + 2 + columns(self.word)
    }

    /// Draws the key with its plate around column `x`.
    fn draw(&self, x: u16, y: u16, buf: &mut Buffer, pen: &Pen<'_>) {
        let (key, word) = (self.key, self.word);
        match self.state {
            KeyState::Live => {
                let end = pen.plate(buf, x.saturating_sub(1), y, key, pen.style(Role::Keycap));
                pen.text(buf, end + 1, y, columns(word), word, Role::Dim);
            }
            KeyState::Off => {
                let end = pen.text(buf, x, y, columns(key), key, Role::Off);
                pen.text(buf, end + 1, y, columns(word), word, Role::Off);
            }
            KeyState::Calling => {
                pen.plate(buf, x.saturating_sub(1), y, &format!("{key} {word}"), pen.style(Role::Alarm));
            }
        }
    }
}

/// The keys of a screen.
#[derive(Clone, Copy, Debug)]
pub struct KeyBar<'a> {
    /// From the left, by use; where it is narrow those that are off go first, then the last that do not stay.
    pub keys: &'a [BarKey<'a>],
    /// At the right edge; these never go.
    pub right: &'a [BarKey<'a>],
}

impl KeyBar<'_> {
    /// Draws the bar in the first row of `area`, and returns where each key is, by its text.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) -> Vec<(Rect, &str)> {
        if area.height == 0 {
            return Vec::new();
        }
        let place = |key: &BarKey<'_>, x: u16| Rect { x: x.saturating_sub(1), y: area.y, width: key.width() + 2, height: 1 };
        let mut drawn = Vec::new();
        pen.fill(buf, Rect { height: 1, ..area }, Role::Raised);
        let right: u16 = self.right.iter().map(|k| k.width() + 2).sum();
        let right_start = area.right().saturating_sub(right);

        let mut keys: Vec<&BarKey<'_>> = self.keys.iter().collect();
        let needed = |keys: &[&BarKey<'_>]| keys.iter().map(|k| k.width() + 3).sum::<u16>();
        while area.x + 1 + needed(&keys) > right_start {
            let off = keys.iter().rposition(|k| k.state == KeyState::Off);
            match off.or_else(|| keys.iter().rposition(|k| !k.stays)).or_else(|| keys.len().checked_sub(1)) {
                Some(i) => keys.remove(i),
                None => break,
            };
        }
        let mut x = area.x + 1;
        for key in keys {
            key.draw(x, area.y, buf, pen);
            drawn.push((place(key, x), key.key));
            x += key.width() + 3;
        }
        let mut x = right_start;
        for key in self.right {
            key.draw(x, area.y, buf, pen);
            drawn.push((place(key, x), key.key));
            x += key.width() + 2;
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widgets::testing::rows;

    #[test]
    fn keys_that_are_off_go_first_then_the_last_and_the_way_out_and_help_never() {
        let key = |key, word, state| BarKey { key, word, state, stays: key == "R" || key == "Esc" };
        let keys = [
            key("R", "roll back", KeyState::Calling),
            key("p", "pause", KeyState::Live),
            key("n", "step", KeyState::Off),
            key("P", "promote", KeyState::Off),
            key("A", "arm", KeyState::Live),
            key("Tab", "pane", KeyState::Live),
            key("Esc", "fleet", KeyState::Live),
        ];
        let right = [key(":", "command", KeyState::Live), key("?", "help", KeyState::Live)];
        let at = |width| {
            rows(width, 1, |buf, pen| {
                KeyBar { keys: &keys, right: &right }.draw(buf.area, buf, pen);
            })
        };
        insta::assert_snapshot!([100, 80, 60, 40].map(at).join("\n"), @r"
        | R roll back    p  pause   n step    A  arm   Tab  pane   Esc  fleet           :  command  ?  help
        | R roll back    p  pause   A  arm   Esc  fleet             :  command  ?  help
        | R roll back    Esc  fleet             :  command  ?  help
        | R roll back       :  command  ?  help
        ");
    }
}
