//! Find any command by name: what is typed, what matches, what is chosen.

use super::commands::{COMMANDS, Command};
use super::widgets::field::Field;
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// The palette's state.
#[derive(Debug, Default)]
pub struct Palette {
    /// What is typed.
    pub field: Field,
    /// Which of the matches is chosen.
    pub chosen: usize,
}

impl Palette {
    /// The commands that match what is typed, best first; all of them, in the table's order, when nothing is typed.
    pub fn found(&self) -> Vec<&'static Command> {
        let typed = self.field.text();
        if typed.trim().is_empty() {
            return COMMANDS.iter().collect();
        }
        let pattern = Pattern::parse(&typed, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        // In a name letters may be left out, in a description they may not: any letters are somewhere in a sentence.
        let words = Pattern::new(&typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Substring);
        let mut score = |pattern: &Pattern, text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher);
        let mut found: Vec<(u32, &Command)> = COMMANDS
            .iter()
            .filter_map(|c| score(&pattern, c.name).map(|s| s * 4).or_else(|| score(&words, c.doc)).map(|s| (s, c)))
            .collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().map(|(_, c)| c).collect()
    }

    /// Which characters of a name were typed.
    pub fn hits(&self, name: &str) -> Vec<u32> {
        let pattern = Pattern::parse(&self.field.text(), CaseMatching::Ignore, Normalization::Smart);
        let (mut hits, mut buffer) = (Vec::new(), Vec::new());
        let found = pattern.indices(Utf32Str::new(name, &mut buffer), &mut Matcher::new(Config::DEFAULT), &mut hits);
        if found.is_none() {
            hits.clear();
        }
        hits
    }

    /// Moves the choice.
    pub fn move_by(&mut self, by: isize) {
        let last = self.found().len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(by).min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_wins_over_a_word_in_a_description() {
        let palette = Palette { field: Field::with("roll"), chosen: 0 };
        assert_eq!(palette.found().first().map(|c| c.name), Some("rollback"));
    }
}
