//! What the screen knows beside the snapshot: where the person is, what is selected, armed, typed and said.
//!
//! Knows no terminal and no clock: it is handed hand time. Known weakness: the selection is by name, so a rollout that ends
//! while it is selected stays selected until it leaves the picture.

use super::keymap::Keymap;
use super::launch::Form;
use super::palette::Palette;
use super::spots::Spots;
use super::widgets::field::Field;
use crate::cockpit::{RolloutView, Snapshot};
use crate::rollout::Verb;
use crate::units::{RolloutId, Service};
use std::collections::VecDeque;
use std::sync::Arc;

/// The person's clock, in milliseconds; virtual in key scripts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hand(pub u64);

impl Hand {
    /// Later by so many milliseconds.
    pub fn plus(self, ms: u64) -> Hand {
        Hand(self.0 + ms)
    }
    /// Milliseconds until a later moment.
    pub fn until(self, later: Hand) -> u64 {
        later.0.saturating_sub(self.0)
    }
}

/// Arming lasts so long.
pub const ARMED: u64 = 60_000;
/// The second `R` skips the grace, but not so soon: a held key must not.
pub const SECOND: u64 = 250;
/// A toast stays so long.
pub const TOAST: u64 = 4_000;
/// IN FLIGHT is sorted again when no key came for so long.
pub const CALM_HANDS: u64 = 3_000;
/// Toasts kept in the log.
const MOST_SAID: usize = 100;

/// Where the person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All of it.
    Fleet,
    /// One rollout.
    Rollout,
    /// A new rollout being made.
    Launch,
}

/// Which list the arrows move in, on the fleet screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// IN FLIGHT.
    InFlight,
    /// SERVICES.
    Services,
}

/// A pane that takes the place of the others below the top lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// What happened.
    Events,
    /// Every step with its undo.
    Plan,
    /// Latency where only one chart fits.
    Latency,
    /// Why it does not go on.
    Why,
}

/// What floats over the screen, or takes the keys.
#[derive(Debug)]
pub enum Over {
    /// All keys; scrolled down so far.
    Help(usize),
    /// What the exercise is about.
    Story,
    /// Find a command by name.
    Palette(Palette),
    /// Type what to show.
    Filter(Field),
    /// Type why, then the verb goes out.
    Reason {
        /// The verb.
        verb: Verb,
        /// On which rollout: bound when the key was pressed.
        rollout: RolloutId,
        /// What is typed.
        text: Field,
    },
}

/// A rollback that waits for a second thought.
#[derive(Clone, Debug, PartialEq)]
pub struct Grace {
    /// Bound when the key was pressed.
    pub rollout: RolloutId,
    /// When it goes out.
    pub until: Hand,
    /// When `R` was pressed.
    pub pressed: Hand,
}

/// Something said to the person.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// When, by hand.
    pub at: Hand,
    /// Fleet time, for the log.
    pub fleet: crate::units::Time,
    /// A refusal or a fault: it stays until a key.
    pub bad: bool,
    /// What.
    pub text: String,
}

/// How fast practice runs: the factor, and whether time stands still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Times real time.
    pub factor: f64,
    /// Time stands still.
    pub stopped: bool,
}

/// What the screen knows.
#[derive(Debug)]
pub struct Model {
    /// The newest picture.
    pub snapshot: Arc<Snapshot>,
    /// Where the person is.
    pub place: Place,
    /// Which list has the arrows.
    pub focus: Focus,
    /// A pane in the place of the others.
    pub full: Option<Full>,
    /// Scrolled down so far: a full pane, else the events.
    pub scroll: usize,
    /// The step of the rail that is looked at.
    pub step: Option<usize>,
    /// What floats.
    pub over: Option<Over>,
    /// What is shown only; empty: everything.
    pub filter: String,
    /// The order of IN FLIGHT, which does not change under the hand.
    pub order: Vec<RolloutId>,
    /// The rollout of the three top lines.
    pub selected: Option<RolloutId>,
    /// The service selected in SERVICES.
    pub service: Option<Service>,
    /// Whether calm services are shown too.
    pub calm: bool,
    /// 1 min a column.
    pub zoomed: bool,
    /// Until when launching is allowed.
    pub armed: Option<Hand>,
    /// A rollback that waits.
    pub grace: Option<Grace>,
    /// A new rollout being made.
    pub form: Option<Form>,
    /// What was said, newest first.
    pub said: VecDeque<Said>,
    /// Practice only.
    pub speed: Option<Speed>,
    /// The one line that says what to try first; gone after the first rollback or launch.
    pub hint: Option<String>,
    /// Keys.
    pub keymap: Keymap,
    /// When the last key came.
    pub last_key: Hand,
    /// The key that leaves was pressed once while a rollout is driven from here.
    pub leaving: bool,
    /// Now, by hand.
    pub hand: Hand,
    /// What the exercise is about.
    pub story: Option<Story>,
    /// What the last frame has where.
    pub drawn: Spots,
}

/// What a scenario is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Its name.
    pub title: String,
    /// What happens.
    pub story: String,
    /// What it teaches.
    pub learn: String,
}

impl Model {
    /// At the start: on the fleet, with the worst rollout selected.
    pub fn new(snapshot: Arc<Snapshot>, keymap: Keymap, speed: Option<Speed>, hint: Option<String>) -> Model {
        let mut model = Model {
            place: Place::Fleet,
            focus: Focus::InFlight,
            full: None,
            scroll: 0,
            step: None,
            over: None,
            filter: String::new(),
            order: Vec::new(),
            selected: None,
            service: None,
            calm: false,
            zoomed: false,
            armed: None,
            grace: None,
            form: None,
            said: VecDeque::new(),
            speed,
            hint,
            keymap,
            last_key: Hand(0),
            leaving: false,
            hand: Hand(0),
            story: None,
            drawn: Spots::default(),
            snapshot: snapshot.clone(),
        };
        model.show(snapshot, Hand(CALM_HANDS));
        model.hand = Hand(0);
        model
    }

    /// Takes a new picture in. The selection and the order stay under the hand; a failing rollout goes to the top at once.
    pub fn show(&mut self, snapshot: Arc<Snapshot>, hand: Hand) {
        self.hand = hand;
        self.snapshot = snapshot;
        // What to try first is not what to do when something fails or is over.
        if self.snapshot.practice && self.snapshot.rollouts.iter().any(|r| r.status.mood.need() == 0 || !r.in_flight()) {
            self.hint = None;
        }
        let all: Vec<RolloutId> = self.snapshot.rollouts.iter().map(|r| r.status.id.clone()).collect();
        if self.last_key.until(hand) >= CALM_HANDS {
            self.order = all;
        } else {
            self.order.retain(|id| all.contains(id));
            let known = &self.order;
            let new: Vec<RolloutId> = all.into_iter().filter(|id| !known.contains(id)).collect();
            self.order.extend(new);
            let failing = |id: &RolloutId| self.snapshot.rollout(id).is_some_and(|r| r.status.mood.need() == 0);
            self.order.sort_by_key(|id| !failing(id));
        }
        if self.selected.as_ref().is_none_or(|id| self.snapshot.rollout(id).is_none()) {
            self.selected = self.order.first().cloned();
            if self.place == Place::Rollout && self.selected.is_none() {
                self.place = Place::Fleet;
            }
        }
        if self.service.as_ref().is_none_or(|s| !self.snapshot.services.iter().any(|v| v.service == *s)) {
            self.service = self.snapshot.services.first().map(|v| v.service.clone());
        }
    }

    /// The rollout of the three top lines.
    pub fn current(&self) -> Option<&RolloutView> {
        self.snapshot.rollout(self.selected.as_ref()?)
    }

    /// The service that the person looks at.
    pub fn looks_at(&self) -> Option<&Service> {
        match self.place {
            Place::Launch => self.form.as_ref().map(|form| &form.service),
            _ => self.current().map(|r| &r.status.service).or(self.service.as_ref()),
        }
    }

    /// The rollouts of IN FLIGHT that the filter lets through, in order.
    pub fn listed(&self) -> Vec<&RolloutView> {
        let shown = |r: &&RolloutView| self.matches(&r.status.service.name);
        self.order.iter().filter_map(|id| self.snapshot.rollout(id)).filter(shown).collect()
    }

    /// Whether a name is let through by the filter: every word of it, `!word` for not.
    pub fn matches(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.filter.to_lowercase().split_whitespace().all(|word| match word.strip_prefix('!') {
            Some(not) => !name.contains(not),
            None => name.contains(word),
        })
    }

    /// Whether a text field takes the keys.
    pub fn typing(&self) -> bool {
        match &self.over {
            Some(Over::Palette(_) | Over::Filter(_) | Over::Reason { .. }) => true,
            Some(Over::Help(_) | Over::Story) => false,
            None => self.place == Place::Launch && self.form.as_ref().is_some_and(|f| f.editing.is_some()),
        }
    }

    /// Seconds left of the arming.
    pub fn armed_for(&self) -> Option<u64> {
        self.armed.filter(|until| *until > self.hand).map(|until| self.hand.until(until).div_ceil(1000))
    }

    /// Says something in a toast, and keeps it in the log.
    pub fn say(&mut self, text: impl Into<String>, bad: bool) {
        self.said.push_front(Said { at: self.hand, fleet: self.snapshot.now, bad, text: text.into() });
        self.said.truncate(MOST_SAID);
    }

    /// The toast on screen.
    pub fn toast(&self) -> Option<&Said> {
        let newest = self.said.front()?;
        let shown = if newest.bad { newest.at >= self.last_key } else { newest.at.until(self.hand) < TOAST };
        shown.then_some(newest)
    }

    /// Whether what is shown has changed by hand time alone since `before`.
    pub fn shows_time_since(&self, before: Hand) -> bool {
        let was = |hand: Hand| {
            let tenths = |until: Hand| {
                let left = hand.until(until);
                if left <= 1000 { left.div_ceil(100) } else { left.div_ceil(1000) * 10 }
            };
            let toast = self.said.front().is_some_and(|s| !s.bad && s.at.until(hand) < TOAST);
            (self.armed.map(tenths), self.grace.as_ref().map(|g| tenths(g.until)), toast, self.last_key.until(hand) >= CALM_HANDS)
        };
        was(before) != was(self.hand)
    }

    /// When the screen changes by hand time alone: a countdown, a toast, a re-sort.
    pub fn next_change(&self) -> Option<Hand> {
        let second = |until: Hand| {
            let left = self.hand.until(until);
            let step = if left <= 1000 { 100 } else { 1000 };
            self.hand.plus(match left % step {
                0 => step,
                part => part,
            })
        };
        let armed = self.armed.filter(|a| *a > self.hand).map(second);
        let grace = self.grace.as_ref().map(|g| second(g.until).min(g.until));
        let toast = self.said.front().filter(|s| !s.bad && s.at.until(self.hand) < TOAST).map(|s| s.at.plus(TOAST));
        let sort = self.last_key.plus(CALM_HANDS);
        [armed, grace, toast, Some(sort).filter(|s| *s > self.hand)].into_iter().flatten().min()
    }
}
