//! Values as people write them: shares, lengths of time, whole numbers, yes or no, and the word that was probably meant.
//!
//! Knows no file and no document: what is wrong comes back without a place. Known weakness: numbers are read the English way only.

use super::{Percent, Span, clean};

/// What is wrong with a value, and what would be right; the place is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong, as a short fact.
    pub cause: String,
    /// What would be right.
    pub remedy: String,
}

impl Wrong {
    /// From its two parts.
    pub fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Wrong {
        Wrong { cause: cause.into(), remedy: remedy.into() }
    }
}

/// A text from outside as messages quote it: cleaned, cut, in backticks.
pub fn quoted(text: &str) -> String {
    format!("`{}`", clean(text, 60))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A share: `5%`, `5`, `0.5%`; at most two decimals.
pub fn percent(text: &str) -> Result<Percent, Wrong> {
    let text = text.trim();
    let bare = text.strip_suffix('%').unwrap_or(text).trim_end();
    let size = bare.strip_prefix(['-', '+']).unwrap_or(bare);
    let (whole, part) = size.split_once('.').unwrap_or((size, "0"));
    if !digits(whole) || !digits(part) {
        return Err(Wrong::new(format!("{} is not a percentage", quoted(text)), "write 5% or 0.5%"));
    }
    let shown = clean(bare, 20);
    if bare.starts_with('-') {
        return Err(Wrong::new(format!("{shown}% is below 0%"), "write 0% or more"));
    }
    let part = part.trim_end_matches('0');
    if part.len() > 2 {
        return Err(Wrong::new(format!("{shown}% has more than two decimals"), "write 5% or 0.25%"));
    }
    let hundredths = format!("{whole}{part:0<2}").parse().unwrap_or(u32::MAX);
    Percent::from_hundredths(hundredths).ok_or_else(|| Wrong::new(format!("{shown}% is above 100%"), "write 100% or less"))
}

/// The longest time that a document can name.
const LONGEST: Span = Span::mins(365 * 24 * 60);

/// A length of time: `500ms`, `30s`, `5m`, `2h`, `1d`, `1h30m`. A bare number is wrong.
pub fn span(text: &str) -> Result<Span, Wrong> {
    let text = text.trim();
    if digits(text) {
        return Err(Wrong::new(format!("{} has no unit", clean(text, 20)), format!("write {}s", clean(text, 20))));
    }
    let unclear = || Wrong::new(format!("{} is not a length of time", quoted(text)), "write 500ms, 30s, 5m, 2h, 1d or 1h30m");
    // read as kindly as possible, so that the remedy can be the very form that is meant
    let (mut rest, mut sum, mut sloppy, mut above) = (text, 0.0, text.contains(char::is_whitespace), f64::INFINITY);
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').map_or(rest, |end| &rest[..end]);
        rest = &rest[number.len()..];
        let word = rest.trim_start();
        let word = word.find(|c: char| !c.is_ascii_alphabetic()).map_or(word, |end| &word[..end]);
        let (unit, ms) = match word {
            "ms" | "milliseconds" => ("ms", 1.0),
            "s" | "sec" | "secs" | "second" | "seconds" => ("s", 1e3),
            "m" | "min" | "mins" | "minute" | "minutes" => ("m", 60e3),
            "h" | "hr" | "hrs" | "hour" | "hours" => ("h", 3_600e3),
            "d" | "day" | "days" => ("d", 86_400e3),
            _ => return Err(unclear()),
        };
        let value: f64 = number.parse().map_err(|_| unclear())?;
        sloppy |= unit != word || number.contains('.') || ms >= above;
        sum += value * ms;
        above = ms;
        rest = rest.trim_start()[word.len()..].trim_start();
    }
    if text.is_empty() {
        return Err(unclear());
    }
    if sum > LONGEST.0 as f64 {
        return Err(Wrong::new(format!("{} is above {LONGEST}", clean(text, 20)), format!("write {LONGEST} or less")));
    }
    let span = Span(sum.round() as u64);
    if sloppy {
        return Err(Wrong::new(format!("{} is not how a time is written here", quoted(text)), format!("write {span}")));
    }
    Ok(span)
}

/// A whole number from 0 on.
pub fn whole(text: &str) -> Result<u32, Wrong> {
    let text = text.trim();
    if !digits(text) {
        return Err(Wrong::new(format!("{} is not a whole number", quoted(text)), "write 3"));
    }
    text.parse().map_err(|_| Wrong::new(format!("{} is too large", clean(text, 20)), "write a smaller number"))
}

/// `true` or `false`.
pub fn flag(text: &str) -> Result<bool, Wrong> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            let meant = match other.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => "write true",
                "no" | "off" | "n" | "false" => "write false",
                _ => "write true or false",
            };
            Err(Wrong::new(format!("{} is neither true nor false", quoted(other)), meant))
        }
    }
}

/// The known word that `word` was probably meant to be: the same but for case, `-` and `_`, or one or two letters off.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |s: &str| s.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).take(64).collect::<Vec<_>>();
    let word = plain(word);
    let most = if word.len() < 5 { 1 } else { 2 };
    let known = known.into_iter().map(|k| (plain(k), k)).filter(|(p, _)| p.len().abs_diff(word.len()) <= most);
    known.map(|(p, k)| (distance(&word, &p), k)).filter(|(d, _)| *d <= most).min_by_key(|(d, _)| *d).map(|(_, k)| k)
}

/// Letters to add, drop, change or swap with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let mut d = (rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1])).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                d = d.min(rows[i - 2][j - 2] + 1);
            }
            row.push(d);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says<T: std::fmt::Debug>(result: Result<T, Wrong>) -> String {
        let wrong = result.unwrap_err();
        format!("{}: {}", wrong.cause, wrong.remedy)
    }

    #[test]
    fn shares_have_at_most_two_decimals_and_end_at_100() {
        for (text, hundredths) in [("5%", 500), ("5", 500), ("0.5%", 50), ("0.25 %", 25), ("12.50%", 1250), ("100%", 10_000), ("0", 0)] {
            assert_eq!(percent(text).unwrap().hundredths(), hundredths, "{text}");
        }
        assert_eq!(says(percent("120%")), "120% is above 100%: write 100% or less");
        assert_eq!(says(percent("99999999999999999999")), "99999999999999999999% is above 100%: write 100% or less");
        assert_eq!(says(percent("-1")), "-1% is below 0%: write 0% or more");
        assert_eq!(says(percent("0.125%")), "0.125% has more than two decimals: write 5% or 0.25%");
        for text in ["five", "", "%", "5%%", ".5", "5.", "0,5%", "1e1", "NaN", "0x5"] {
            assert!(says(percent(text)).contains("is not a percentage: write 5%"), "{text}");
        }
    }

    #[test]
    fn times_carry_their_unit_and_sloppy_ones_are_told_the_right_form() {
        for (text, ms) in
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000), ("1h30m", 5_400_000), ("0s", 0)]
        {
            assert_eq!(span(text).unwrap(), Span(ms), "{text}");
        }
        assert_eq!(says(span("30")), "30 has no unit: write 30s");
        for (text, right) in
            [("5 min", "5m"), ("1.5h", "1h30m"), ("5 m", "5m"), ("30m1h", "1h30m"), ("5m5m", "10m"), ("90 seconds", "1m30s")]
        {
            assert_eq!(says(span(text)), format!("`{text}` is not how a time is written here: write {right}"));
        }
        for text in ["", "soon", "5x", "m", "-5m", "1..5h", "5m!", "P5M"] {
            assert!(says(span(text)).contains("is not a length of time"), "{text}");
        }
        assert_eq!(says(span("400d")), "400d is above 365d: write 365d or less");
        assert_eq!(says(span("99999999999999999999999d")), "9999999999999999999… is above 365d: write 365d or less");
    }

    #[test]
    fn the_word_that_was_meant_is_found_and_a_far_one_is_not() {
        let known = ["stepSize", "stepInterval", "maxTraffic", "to"];
        for (word, meant) in [
            ("stepsize", Some("stepSize")),
            ("step-size", Some("stepSize")),
            ("stpeSize", Some("stepSize")),
            ("max_trafic", Some("maxTraffic")),
            ("too", Some("to")),
            ("speed", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
