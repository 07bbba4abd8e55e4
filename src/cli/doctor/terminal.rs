//! What the terminal can show.

use super::Finding;
use crate::tui::glyphs::GlyphSet;
use crate::tui::theme::{ColorChoice, Tier};

const AREA: &str = "terminal";

/// The least that the cockpit needs (look.md section 3).
const LEAST: (u16, u16) = (60, 16);

/// Looks at the terminal: `here` is whether the output is one, `env` reads the environment.
pub(super) fn look(env: impl Fn(&str) -> Option<String>, here: bool, size: Option<(u16, u16)>) -> Vec<Finding> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let mut all = Vec::new();
    all.push(match size.filter(|(columns, rows)| *columns > 0 && *rows > 0) {
        None => Finding::look(AREA, "size", "no terminal here", "commands work; the cockpit needs a terminal"),
        Some((columns, rows)) if columns < LEAST.0 || rows < LEAST.1 => Finding::look(
            AREA,
            "size",
            format!("{columns}x{rows}"),
            format!("make it {}x{} or larger; 120x36 is comfortable", LEAST.0, LEAST.1),
        ),
        Some((columns, rows)) => Finding::ok(AREA, "size", format!("{columns}x{rows}")),
    });
    all.push(match set("TERM").as_deref() {
        None => Finding::look(AREA, "kind", "TERM is not set", "set TERM=xterm-256color"),
        Some("dumb") => Finding::look(AREA, "kind", "TERM=dumb", "the cockpit needs a terminal that can place its cursor"),
        Some(term) => Finding::ok(AREA, "kind", format!("TERM={term}")),
    });
    all.push(colours(&env, here));
    all.push(match GlyphSet::detect(None, &env) {
        GlyphSet::Ascii if set("TERM").as_deref() == Some("linux") => {
            Finding::look(AREA, "characters", "ASCII: the Linux console has few signs", "use a terminal window for curves and signs")
        }
        GlyphSet::Ascii => {
            let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_else(|| "not set".into());
            Finding::look(AREA, "characters", format!("ASCII: the locale is {locale}"), "set LANG=C.UTF-8, or take --glyphs braille")
        }
        _ => Finding::ok(AREA, "characters", "UTF-8"),
    });
    if set("TMUX").is_some() {
        let term = set("TERM").unwrap_or_default();
        all.push(if term.starts_with("tmux") || term.starts_with("screen") {
            Finding::ok(AREA, "tmux", "it passes on what flightdeck writes")
        } else {
            Finding::look(AREA, "tmux", format!("TERM={term} inside it"), "set -g default-terminal tmux-256color")
        });
    }
    let signs = "⣀⣤⣶⣿⠛⠉ ▁▂▃▄▅▆▇█ ━╾─ ┄╌┊┃ ●▲✗■≠ ✓◆◇◌▸ ←→≈›";
    all.push(Finding::ok(AREA, "look", format!("{signs}   boxes, gaps or wide signs here: --glyphs block, or ascii")));
    all
}

fn colours(env: &impl Fn(&str) -> Option<String>, here: bool) -> Finding {
    const NAME: &str = "colours";
    if env("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return Finding::ok(AREA, NAME, "none, as NO_COLOR says; --color always overrides it");
    }
    match Tier::detect(ColorChoice::Always, here, env) {
        Tier::True => Finding::ok(AREA, NAME, "24 bit"),
        Tier::Indexed => Finding::look(AREA, NAME, "256", "set COLORTERM=truecolor where the terminal has 24 bit"),
        Tier::Ansi | Tier::Mono => Finding::look(AREA, NAME, "16", "set TERM=xterm-256color where the terminal has 256"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn found(env: &[(&str, &str)], size: Option<(u16, u16)>) -> Vec<(String, State, String)> {
        let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        look(env, true, size).into_iter().map(|f| (f.name, f.state, f.says)).collect()
    }

    fn states(all: &[(String, State, String)]) -> Vec<State> {
        all.iter().map(|(_, state, _)| *state).collect()
    }

    #[test]
    fn a_good_terminal_has_nothing_to_look_at() {
        let env = [("TERM", "tmux-256color"), ("COLORTERM", "truecolor"), ("LANG", "en_US.UTF-8"), ("TMUX", "/tmp/x")];
        let all = found(&env, Some((120, 36)));
        assert!(states(&all).iter().all(|state| *state == State::Ok), "{all:?}");
    }

    #[test]
    fn a_poor_terminal_is_told_what_it_lacks() {
        let all = found(&[("TERM", "xterm"), ("LANG", "C")], Some((40, 10)));
        let says: Vec<&str> = all.iter().filter(|(_, state, _)| *state == State::Look).map(|(.., says)| says.as_str()).collect();
        assert_eq!(says, ["40x10", "16", "ASCII: the locale is C"]);
        let none = found(&[], None);
        assert_eq!((none[0].2.as_str(), none[1].2.as_str()), ("no terminal here", "TERM is not set"));
    }

    #[test]
    fn no_colour_on_purpose_is_no_finding() {
        let all = found(&[("TERM", "xterm"), ("NO_COLOR", "1"), ("LANG", "C.UTF-8")], Some((80, 24)));
        assert!(states(&all).iter().all(|state| *state == State::Ok), "{all:?}");
    }
}
