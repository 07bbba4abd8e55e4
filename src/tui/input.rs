//! Keys, pastes, resizes and signals, as the loop gets them.
//!
//! Several printable keys in one read are a paste, and never commands. crossterm does not show where a read ends, so what
//! counts is what comes at once: after a printable key more is waited for, a millisecond, and what came is one batch. In it
//!
//! - up to two printable keys are keys: nobody types so fast, but a slow line brings two together, and so does `gg` from a script;
//! - the same key any number of times is that key: a held key, and a frightened hand on `R`, must arrive;
//! - else it is a paste, with its line ends; other keys in it are dropped, and what follows within 50 ms belongs to it.
//!
//! So a script has to leave a millisecond between keys (as helix's tests do), or send at most two at once.
//! Must never know what a key does. Known weakness: a paste of one or two letters into a terminal without bracketed paste is
//! taken for keys.

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent};
use futures::StreamExt;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout};

/// How long more is waited for after a printable key.
const PAUSE: Duration = Duration::from_millis(1);
/// How long after a paste printable keys still belong to it.
const AFTER_PASTE: Duration = Duration::from_millis(50);
/// The most events in a batch, and characters in a paste.
const MOST: usize = 4096;

/// Something that happened at the terminal.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted: for a text field, else dropped.
    Paste(String),
    /// A button or the wheel of the mouse.
    Mouse(MouseEvent),
    /// The window has another size.
    Resize,
    /// The window got or lost the focus.
    Focus(bool),
    /// `SIGTSTP`: suspend, as with ctrl-z.
    Suspend,
    /// `SIGCONT`: somebody else may have written; retake the screen.
    Continued,
    /// `SIGTERM`, `SIGHUP`, `SIGINT` or the end of the terminal: leave, and why.
    Quit(&'static str),
}

/// Where input comes from. Safe to be dropped out of a `select!`: nothing is lost.
pub struct Inputs {
    stream: Option<EventStream>,
    signals: Signals,
    batch: Vec<Event>,
    ready: VecDeque<Input>,
    pasted: Option<Instant>,
}

struct Signals {
    term: Signal,
    hangup: Signal,
    interrupt: Signal,
    stop: Signal,
    go_on: Signal,
}

impl Inputs {
    /// Starts to listen. Keys that were typed before are dropped: they were not meant for a screen that nobody saw.
    pub fn start() -> io::Result<Inputs> {
        let on = |kind| signal(kind);
        let signals = Signals {
            term: on(SignalKind::terminate())?,
            hangup: on(SignalKind::hangup())?,
            interrupt: on(SignalKind::interrupt())?,
            stop: on(SignalKind::from_raw(signal_hook::consts::SIGTSTP))?,
            go_on: on(SignalKind::from_raw(signal_hook::consts::SIGCONT))?,
        };
        for _ in 0..MOST {
            if !crossterm::event::poll(Duration::ZERO)? {
                break;
            }
            crossterm::event::read()?;
        }
        Ok(Inputs { stream: Some(EventStream::new()), signals, batch: Vec::new(), ready: VecDeque::new(), pasted: None })
    }

    /// Stops reading keys, so that another program can.
    pub fn pause(&mut self) {
        self.stream = None;
    }

    /// Reads keys again.
    pub fn resume(&mut self) {
        self.stream = Some(EventStream::new());
    }

    /// The next thing that happens.
    pub async fn next(&mut self) -> Input {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return input;
            }
            if !self.batch.is_empty() {
                self.gather().await;
                continue;
            }
            let event = tokio::select! {
                Some(_) = self.signals.term.recv() => return Input::Quit("terminated"),
                Some(_) = self.signals.hangup.recv() => return Input::Quit("the terminal hung up"),
                Some(_) = self.signals.interrupt.recv() => return Input::Quit("interrupted"),
                Some(_) = self.signals.stop.recv() => return Input::Suspend,
                Some(_) = self.signals.go_on.recv() => return Input::Continued,
                event = next_event(&mut self.stream) => event,
            };
            match event {
                Some(Ok(event)) if is_printable(&event) || starts_answer(&event) => self.batch.push(event),
                Some(Ok(event)) => self.ready.extend(plain(event)),
                Some(Err(_)) | None => return Input::Quit("the terminal is gone"),
            }
        }
    }

    /// Adds to the batch until nothing comes for a moment, and sorts it.
    async fn gather(&mut self) {
        while self.batch.len() < MOST {
            match timeout(PAUSE, next_event(&mut self.stream)).await {
                Ok(Some(Ok(event))) => self.batch.push(event),
                _ => break,
            }
        }
        let now = Instant::now();
        let in_paste = self.pasted.is_some_and(|at| now.duration_since(at) < AFTER_PASTE);
        let inputs = sort(std::mem::take(&mut self.batch), in_paste);
        if inputs.iter().any(|i| matches!(i, Input::Paste(_))) {
            self.pasted = Some(now);
        }
        self.ready.extend(inputs);
    }
}

/// The next event; none ever while reading is paused.
async fn next_event(stream: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

fn typed(event: &Event) -> Option<char> {
    match event {
        Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers, kind, .. })
            if *kind != KeyEventKind::Release && !modifiers.intersects(KeyModifiers::CONTROL.union(KeyModifiers::ALT)) =>
        {
            Some(*c)
        }
        _ => None,
    }
}

fn is_printable(event: &Event) -> bool {
    typed(event).is_some()
}

/// `ESC ]` reads as alt-]: an answer of the terminal that came too late to be read as one.
fn starts_answer(event: &Event) -> bool {
    matches!(event, Event::Key(KeyEvent { code: KeyCode::Char(']'), modifiers: KeyModifiers::ALT, .. }))
}

/// What a batch of events that came at once means.
fn sort(events: Vec<Event>, in_paste: bool) -> Vec<Input> {
    if events.first().is_some_and(starts_answer) && events.len() > 3 {
        return Vec::new();
    }
    let mut letters = events.iter().filter_map(typed);
    let first = letters.next();
    let others = letters.clone().count();
    let same = letters.all(|c| Some(c) == first);
    if !in_paste && (others < 2 || same) {
        return events.into_iter().flat_map(plain).collect();
    }
    let mut text = String::new();
    let mut rest = Vec::new();
    for event in events {
        match (&event, typed(&event)) {
            (_, Some(c)) => text.push(c),
            (Event::Key(key), None) => text.extend(match key.code {
                KeyCode::Enter => Some('\n'),
                KeyCode::Tab => Some('\t'),
                _ => None,
            }),
            _ => rest.extend(plain(event)),
        }
    }
    rest.insert(0, Input::Paste(text));
    rest
}

/// Esc and a letter in one read look like alt and the letter. Where nobody bound that they are two keys: `Esc R` on a slow line must arrive.
pub fn esc_and_letter(key: KeyEvent) -> Option<[KeyEvent; 2]> {
    let alt = key.modifiers.contains(KeyModifiers::ALT) && matches!(key.code, KeyCode::Char(_));
    alt.then(|| [KeyCode::Esc.into(), KeyEvent { modifiers: key.modifiers.difference(KeyModifiers::ALT), ..key }])
}

/// An event by itself.
fn plain(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Release => None,
        Event::Key(key) => Some(Input::Key(key)),
        Event::Paste(text) => Some(Input::Paste(text.chars().take(MOST).collect())),
        Event::Mouse(mouse) => Some(Input::Mouse(mouse)),
        Event::Resize(..) => Some(Input::Resize),
        Event::FocusGained => Some(Input::Focus(true)),
        Event::FocusLost => Some(Input::Focus(false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Event> {
        text.chars()
            .map(|c| match c {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                c => KeyCode::Char(c),
            })
            .map(|code| Event::Key(code.into()))
            .collect()
    }

    fn as_keys(text: &str) -> Vec<Input> {
        keys(text).into_iter().filter_map(plain).collect()
    }

    #[test]
    fn three_different_letters_at_once_are_a_paste_and_never_commands() {
        assert_eq!(sort(keys("roll back\n"), false), [Input::Paste("roll back\n".into())]);
        assert_eq!(sort(keys("RRA"), false), [Input::Paste("RRA".into())]);
        assert_eq!(sort(keys(":quit\n"), false), [Input::Paste(":quit\n".into())]);
    }

    #[test]
    fn two_letters_and_a_held_key_are_keys() {
        assert_eq!(sort(keys("gg"), false), as_keys("gg"));
        assert_eq!(sort(keys("lj"), false), as_keys("lj"));
        assert_eq!(sort(keys("jjjjjjj"), false), as_keys("jjjjjjj"));
        assert_eq!(sort(keys("RRR"), false), as_keys("RRR"));
        assert_eq!(sort(keys("j\n"), false), as_keys("j\n"));
    }

    #[test]
    fn the_tail_of_a_paste_belongs_to_it() {
        assert_eq!(sort(keys("R"), true), [Input::Paste("R".into())]);
    }

    #[test]
    fn other_keys_in_a_paste_are_dropped_and_other_events_are_not() {
        let mut events = keys("ab\x1bcd");
        events.push(Event::Resize(80, 24));
        assert_eq!(sort(events, false), [Input::Paste("abcd".into()), Input::Resize]);
    }

    #[test]
    fn a_late_answer_of_the_terminal_is_swallowed_and_alt_bracket_is_a_key() {
        let alt = |c| Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT));
        let mut late = vec![alt(']')];
        late.extend(keys("11;rgb:1414/1e1e/2828"));
        late.push(alt('\\'));
        assert_eq!(sort(late, false), []);
        assert_eq!(sort(vec![alt(']')], false), [Input::Key(KeyEvent::new(KeyCode::Char(']'), KeyModifiers::ALT))]);
    }

    #[test]
    fn esc_and_a_letter_in_one_read_are_two_keys() {
        let alt = |code| KeyEvent::new(code, KeyModifiers::ALT | KeyModifiers::SHIFT);
        let letter = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!(esc_and_letter(alt(KeyCode::Char('R'))), Some([KeyCode::Esc.into(), letter]));
        assert_eq!(esc_and_letter(alt(KeyCode::Left)), None);
        assert_eq!(esc_and_letter(letter), None);
    }

    #[test]
    fn releases_are_no_keys() {
        let mut key = KeyEvent::from(KeyCode::Char('R'));
        key.kind = KeyEventKind::Release;
        assert_eq!(plain(Event::Key(key)), None);
    }
}
