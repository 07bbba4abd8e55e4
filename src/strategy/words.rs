//! How times and tables read in texts for people.

use crate::units::Span;

/// To the nearest second: `0:46`, `12:40`, `1:31:41`, `2 d 4 h`.
pub(super) fn clock(span: Span) -> String {
    Span(span.0 + 500).clock()
}

/// Measured or expected times of a way back: `0.4 s` below 10 s, else as [`clock`].
pub(super) fn seconds(span: Span) -> String {
    if span < Span::secs(10) { format!("{:.1} s", span.as_secs_f64()) } else { clock(span) }
}

/// `about 46 s`, `about 56 min`, `about 1 h 16 min`.
pub(super) fn about(span: Span) -> String {
    let minutes = (span.0 + 30_000) / 60_000;
    match minutes {
        _ if span < Span::secs(90) => format!("about {} s", span.0.div_ceil(1000)),
        0..60 => format!("about {minutes} min"),
        _ => format!("about {} h {} min", minutes / 60, minutes % 60),
    }
}

/// Rows as lines, each column as wide as its widest cell and 3 blanks apart. A row with one cell is a line of its own.
/// The columns in `right` are aligned there.
pub(super) fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let widths = |at: usize| rows.iter().filter(|r| r.len() > 1).filter_map(|r| r.get(at)).map(|c| c.chars().count()).max().unwrap_or(0);
    let columns: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(widths).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let missing = columns.get(at).map_or(0, |w| w.saturating_sub(cell.chars().count()));
            let blanks = " ".repeat(missing);
            line += &match right.contains(&at) {
                true if row.len() > 1 => format!("{blanks}{cell}   "),
                _ => format!("{cell}{blanks}   "),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Words in lines of at most `width` characters, each after `before`.
pub(super) fn wrapped(text: &str, before: &str, width: usize) -> String {
    let mut lines = vec![String::from(before)];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |l| l.chars().count());
        if line + 1 + word.chars().count() > width && line > before.chars().count() {
            lines.push(String::from(before));
        }
        if let Some(line) = lines.last_mut() {
            if line.chars().count() > before.chars().count() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_on_the_screens() {
        assert_eq!([46, 760, 5_501, 187_200].map(|s| clock(Span::secs(s))), ["0:46", "12:40", "1:31:41", "2 d 4 h"]);
        assert_eq!([Span(400), Span::secs(70)].map(seconds), ["0.4 s", "1:10"]);
        assert_eq!([Span::secs(46), Span::mins(56), Span::mins(76)].map(about), ["about 46 s", "about 56 min", "about 1 h 16 min"]);
    }
}
