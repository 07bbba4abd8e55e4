//! Text from outside, made fit for a terminal and a log.

/// `text` without control characters and other invisible direction marks (each becomes a blank), cut to `most` characters with `…`.
///
/// Everything that a cluster, a file or a service says passes through here before it is stored or shown.
pub fn clean(text: &str, most: usize) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{2028}' | '\u{2029}')
    };
    let mut kept: String = text.chars().take(most + 1).map(|c| if harmful(c) { ' ' } else { c }).collect();
    if kept.chars().count() > most {
        kept = kept.chars().take(most.saturating_sub(1)).collect();
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn escape_sequences_never_survive() {
        assert_eq!(clean("a\x1b[31mred\u{202E}b\n", 99), "a [31mred b ");
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis() {
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean("abcd", 4), "abcd");
    }
}
