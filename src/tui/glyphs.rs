//! The signs, and their ASCII twins.
//!
//! Every sign is one cell wide in every set, so that the layout never depends on the set: widgets and panes write the signs of
//! the first set, and the pen draws the twin where it must. Known weakness: where a terminal draws ambiguous characters two
//! cells wide, only the ASCII set is safe, and nobody can ask the terminal.

use super::theme::Role;
use clap::ValueEnum;

/// Which characters a terminal and its font can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GlyphSet {
    /// Signs, lines and braille curves.
    #[default]
    Braille,
    /// Signs and lines; curves of half blocks.
    Block,
    /// ASCII alone.
    Ascii,
}

/// A sign. It never stands alone: always sign, word and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Ok, on course.
    Ok,
    /// Look.
    Look,
    /// Failing, failed.
    Failing,
    /// Held, waits, frozen.
    Held,
    /// Drift.
    Drift,
    /// Unknown.
    Unknown,
    /// Done, passed.
    Done,
    /// Now, moving.
    Now,
    /// Later, planned.
    Later,
    /// Off, denied, not possible here.
    Off,
    /// Selected; launched.
    Selected,
    /// Rolled back.
    Back,
    /// Estimated.
    About,
}

impl Sign {
    /// The sign's character; the pen draws its twin.
    pub const fn text(self) -> &'static str {
        match self {
            Sign::Ok => "●",
            Sign::Look => "▲",
            Sign::Failing => "✗",
            Sign::Held => "■",
            Sign::Drift => "≠",
            Sign::Unknown => "?",
            Sign::Done => "✓",
            Sign::Now => "◆",
            Sign::Later => "◇",
            Sign::Off => "◌",
            Sign::Selected => "▸",
            Sign::Back => "←",
            Sign::About => "≈",
        }
    }

    /// The role that the sign has by itself.
    pub const fn role(self) -> Role {
        match self {
            Sign::Ok | Sign::Done => Role::Ok,
            Sign::Look | Sign::Held | Sign::Drift | Sign::Back => Role::Warn,
            Sign::Failing => Role::Bad,
            Sign::Unknown => Role::Unknown,
            Sign::Now | Sign::Selected => Role::New,
            Sign::Later | Sign::About => Role::Dim,
            Sign::Off => Role::Off,
        }
    }
}

/// The eight heights of a column in a sparkline, lowest first.
pub const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The seven parts of a cell that a full bar can end in, smallest first.
pub const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

impl GlyphSet {
    /// The chosen set, else the best that the locale and the terminal take; `env` reads the environment.
    pub fn detect(choice: Option<GlyphSet>, env: impl Fn(&str) -> Option<String>) -> GlyphSet {
        let set = |name: &str| env(name).filter(|v| !v.is_empty());
        choice.unwrap_or_else(|| {
            let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default().to_ascii_lowercase();
            let utf8 = locale.contains("utf-8") || locale.contains("utf8");
            if utf8 && set("TERM").as_deref() != Some("linux") { GlyphSet::Braille } else { GlyphSet::Ascii }
        })
    }

    /// What to draw for `c`: itself, or its twin in ASCII (`?` for what has none).
    pub const fn twin(self, c: char) -> char {
        if !matches!(self, GlyphSet::Ascii) || c.is_ascii() {
            return c;
        }
        match c {
            '●' => 'o',
            '▲' => '!',
            '✗' => 'X',
            '■' | '≠' | '█' | '▇' | '▆' => '#',
            '→' | '▸' | '›' => '>',
            '←' => '<',
            '✓' | '┴' | '┬' | '┼' | '├' | '┤' | '┌' | '┐' | '└' | '┘' => '+',
            '◆' => '*',
            '◇' | '·' | '□' | '░' | '…' => '.',
            '◌' | '─' | '┄' | '╌' | '−' | '–' | '▃' => '-',
            '≈' => '~',
            '━' | '╾' | '▌' | '▏' | '▎' | '▍' | '▋' | '▊' | '▉' | '▄' | '▅' => '=',
            '┊' | '┃' | '│' => '|',
            '▁' | '▂' => '_',
            '×' => 'x',
            _ => '?',
        }
    }

    /// A cell of a curve from its 2x4 dots, as bits of a braille character.
    pub const fn plot(self, dots: u8) -> char {
        const TOP: u8 = 0b0001_1011;
        match self {
            GlyphSet::Braille => match char::from_u32(0x2800 + dots as u32) {
                Some(c) => c,
                None => ' ',
            },
            GlyphSet::Block | GlyphSet::Ascii => {
                let ascii = matches!(self, GlyphSet::Ascii);
                match (dots & TOP != 0, dots & !TOP != 0) {
                    (false, false) => ' ',
                    (true, false) => {
                        if ascii {
                            '\''
                        } else {
                            '▀'
                        }
                    }
                    (false, true) => {
                        if ascii {
                            '.'
                        } else {
                            '▄'
                        }
                    }
                    (true, true) => {
                        if ascii {
                            ':'
                        } else {
                            '█'
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthChar;

    #[test]
    fn ascii_is_taken_without_a_utf_8_locale_and_on_the_linux_console() {
        let env = |lang: &'static str, term: &'static str| {
            move |name: &str| match name {
                "LANG" => Some(lang.to_owned()),
                "TERM" => Some(term.to_owned()),
                _ => None,
            }
        };
        assert_eq!(GlyphSet::detect(None, env("en_GB.UTF-8", "xterm")), GlyphSet::Braille);
        assert_eq!(GlyphSet::detect(None, env("C.utf8", "xterm")), GlyphSet::Braille);
        assert_eq!(GlyphSet::detect(None, env("C", "xterm")), GlyphSet::Ascii);
        assert_eq!(GlyphSet::detect(None, env("en_GB.UTF-8", "linux")), GlyphSet::Ascii);
        assert_eq!(GlyphSet::detect(Some(GlyphSet::Block), env("C", "linux")), GlyphSet::Block);
    }

    #[test]
    fn every_sign_is_one_cell_wide_and_has_a_twin() {
        let lines = "━╾─┄╌┊┃│┴┌┐└┘□░…−≈×·→›".chars();
        let signs = [
            Sign::Ok,
            Sign::Look,
            Sign::Failing,
            Sign::Held,
            Sign::Drift,
            Sign::Unknown,
            Sign::Done,
            Sign::Now,
            Sign::Later,
            Sign::Off,
            Sign::Selected,
            Sign::Back,
            Sign::About,
        ];
        for c in lines.chain(signs.iter().flat_map(|s| s.text().chars())).chain(HEIGHTS).chain(EIGHTHS) {
            assert_eq!(c.width(), Some(1), "{c}");
            let twin = GlyphSet::Ascii.twin(c);
            assert!(twin.is_ascii_graphic() && (c == '?' || twin != '?'), "{c} has no twin");
        }
    }

    #[test]
    fn a_curve_is_reduced_to_top_bottom_and_both() {
        let row = |set: GlyphSet| [0u8, 0b0000_0001, 0b0100_0000, 0xFF].map(|d| set.plot(d));
        assert_eq!(row(GlyphSet::Braille), ['\u{2800}', '⠁', '⡀', '⣿']);
        assert_eq!(row(GlyphSet::Block), [' ', '▀', '▄', '█']);
        assert_eq!(row(GlyphSet::Ascii), [' ', '\'', '.', ':']);
    }
}
