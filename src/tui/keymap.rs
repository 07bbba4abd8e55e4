//! Keys to actions: the defaults of the command table, changed by the settings.

use super::commands::{Action, COMMANDS, command};
use crate::settings::KeySettings;
use crate::units::{Kind, Trouble};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::{BTreeMap, HashMap};

/// A key as people write it: `R`, `ctrl-d`, `enter`, `space`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    control: bool,
    alt: bool,
}

const NAMES: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
];

impl Key {
    /// From its text.
    pub fn parse(text: &str) -> Option<Key> {
        let (control, rest) = text.strip_prefix("ctrl-").map_or((false, text), |r| (true, r));
        let (alt, rest) = rest.strip_prefix("alt-").map_or((false, rest), |r| (true, r));
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) => KeyCode::Char(c),
            _ => NAMES.iter().find(|(name, _)| *name == rest)?.1,
        };
        Some(Key { code, control, alt })
    }

    /// As pressed. Shift is in the letter.
    pub fn pressed(event: KeyEvent) -> Key {
        Key { code: event.code, control: event.modifiers.contains(KeyModifiers::CONTROL), alt: event.modifiers.contains(KeyModifiers::ALT) }
    }
}

/// Which key does what.
#[derive(Clone, Debug)]
pub struct Keymap {
    keys: HashMap<Key, Action>,
    shown: BTreeMap<Action, Vec<String>>,
}

impl Keymap {
    /// The defaults, with what the settings change. All that is wrong comes back at once.
    pub fn new(changes: &[KeySettings]) -> Result<Keymap, Vec<Trouble>> {
        let mut troubles = Vec::new();
        let mut map = Keymap { keys: HashMap::new(), shown: BTreeMap::new() };
        for change in changes.iter().filter(|c| COMMANDS.iter().all(|k| k.name != c.command)) {
            let cause = format!("there is no command `{}`", change.command);
            troubles.push(Trouble::new(Kind::Document, change.place.clone(), cause, "the names are those of the palette (:)"));
        }
        for command in COMMANDS {
            let change = changes.iter().find(|c| c.command == command.name);
            let place = change.map(|c| c.place.clone()).unwrap_or_default();
            let keys = change.map_or_else(|| command.keys.iter().map(|k| k.to_string()).collect(), |c| c.keys.clone());
            for text in &keys {
                let Some(key) = Key::parse(text) else {
                    let cause = format!("`{text}` is not a key");
                    troubles.push(Trouble::new(Kind::Document, place.clone(), cause, "write R, ctrl-d, enter, space, ..."));
                    continue;
                };
                if let Some(other) = map.keys.insert(key, command.action) {
                    let cause = format!("`{text}` is the key of {} and of {}", super::commands::command(other).name, command.name);
                    troubles.push(Trouble::new(Kind::Document, place.clone(), cause, "give one of them another"));
                }
            }
            map.shown.insert(command.action, keys);
        }
        if troubles.is_empty() { Ok(map) } else { Err(troubles) }
    }

    /// What a key does.
    pub fn action(&self, event: KeyEvent) -> Option<Action> {
        self.keys.get(&Key::pressed(event)).copied()
    }

    /// The first key of an action, as shown in bars: `R`, `Enter`, `ctrl-d`.
    pub fn key(&self, action: Action) -> Option<String> {
        self.shown.get(&action)?.first().map(|k| shown(k))
    }

    /// The first key of an action, as if it were pressed.
    pub fn event(&self, action: Action) -> Option<KeyEvent> {
        let key = Key::parse(self.shown.get(&action)?.first()?)?;
        let of = |on, modifier| if on { modifier } else { KeyModifiers::NONE };
        Some(KeyEvent::new(key.code, of(key.control, KeyModifiers::CONTROL) | of(key.alt, KeyModifiers::ALT)))
    }

    /// All keys of an action.
    pub fn all(&self, action: Action) -> Vec<String> {
        self.shown.get(&action).map(|all| all.iter().map(|k| shown(k)).collect()).unwrap_or_default()
    }
}

impl Default for Keymap {
    fn default() -> Keymap {
        // The table's own keys are all keys, and each is there once; a test holds that.
        Keymap::new(&[]).unwrap_or(Keymap { keys: HashMap::new(), shown: BTreeMap::new() })
    }
}

/// A named key begins with a capital: `Enter`.
fn shown(key: &str) -> String {
    match NAMES.iter().find(|(name, _)| *name == key) {
        Some(("pageup", _)) => "PgUp".into(),
        Some(("pagedown", _)) => "PgDn".into(),
        Some((name, _)) => name[..1].to_uppercase() + &name[1..],
        None => key.to_string(),
    }
}

/// The default keys of a command, as the README and the man page list them.
pub fn default_keys(action: Action) -> Vec<String> {
    command(action).keys.iter().map(|k| shown(k)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_change_keys_and_say_what_is_wrong() {
        let change = |line: u32, name: &str, keys: &[&str]| KeySettings {
            command: name.into(),
            keys: keys.iter().map(|k| k.to_string()).collect(),
            place: crate::units::Place::at("config.yaml", line, 3),
        };
        let map = Keymap::new(&[change(1, "arm", &["ctrl-a"])]).unwrap();
        assert_eq!(map.action(KeyEvent::new(KeyCode::Char('a'), KeyModifiers::CONTROL)), Some(Action::Arm));
        assert_eq!(map.action(KeyEvent::from(KeyCode::Char('A'))), None);
        let troubles = Keymap::new(&[change(1, "arm", &["R"]), change(2, "fly", &["x"]), change(3, "quit", &["ctl-q"])]).unwrap_err();
        let all: Vec<String> = troubles.iter().map(|t| t.to_string()).collect();
        assert_eq!(
            all,
            [
                "config.yaml:2:3: there is no command `fly`: the names are those of the palette (:)",
                "config.yaml:1:3: `R` is the key of rollback and of arm: give one of them another",
                "config.yaml:3:3: `ctl-q` is not a key: write R, ctrl-d, enter, space, ...",
            ]
        );
    }
}
