//! The stopped line: no forward step anywhere in the fleet, and exactly what was held for it goes on again.
//!
//! It is in one log per fleet, of the same lines as a rollout's, so a restart keeps it. Known weakness: another flightdeck that
//! runs already reads that log only when it starts; what was held is held there all the same.

use super::snapshot::{Note, Sign, StoppedLine};
use super::world::World;
use crate::rollout::{By, Event, NotHeld, Phase, Verb, What};
use crate::units::{Kind, Person, Place, RolloutId, Term, Time, Trouble};

/// A line that stands.
#[derive(Clone, Debug)]
pub(super) struct Line {
    since: Time,
    by: By,
    held: Vec<RolloutId>,
    not_held: Vec<NotHeld>,
}

impl Line {
    fn of(event: &Event) -> Option<Line> {
        let What::LineStopped { held, not_held } = &event.what else { return None };
        Some(Line { since: event.at, by: event.by.clone(), held: held.clone(), not_held: not_held.clone() })
    }

    /// As it is shown.
    pub fn view(&self) -> StoppedLine {
        StoppedLine { since: self.since, by: self.by.to_string(), held: self.held.clone(), not_held: self.not_held.clone() }
    }
}

impl World {
    /// Whether the line was stopped when the last flightdeck here ended. A simulated fleet does not outlive its process.
    pub(super) fn board_line(&mut self) {
        if self.spec.practice {
            return;
        }
        let Ok(log) = self.store.read(&self.line_log()) else { return };
        self.line = log.events.last().and_then(Line::of);
    }

    /// Holds every rollout that moves forward. What could not be held is kept with its reason.
    pub(super) fn stop_line(&mut self, by: &Person) -> Result<RolloutId, Trouble> {
        if self.line.is_some() {
            return Err(self.refused("the line is stopped already", "press F to resume it"));
        }
        let (mut held, mut not_held) = (Vec::new(), Vec::new());
        let flown = self.flown.values().filter(|f| f.engine.phase() == Phase::Flying && !f.engine.is_paused()).map(|f| &f.engine);
        let watched = self.watched.values().filter(|r| !r.is_through() && !r.is_paused());
        let moving: Vec<RolloutId> = flown.chain(watched).map(|r| r.id().clone()).collect();
        for id in moving {
            if let Some(why) = self.not_recorded(&id).filter(|_| self.flown.contains_key(&id)) {
                not_held.push(NotHeld { rollout: id, why });
                continue;
            }
            match self.press(id.clone(), Verb::Pause, Some("the line is stopped".into()), by) {
                Ok(id) => {
                    self.lead_on(&id);
                    held.push(id);
                }
                Err(trouble) => not_held.push(NotHeld { rollout: id, why: trouble.cause }),
            }
        }
        let event = self.write_line(by, What::LineStopped { held, not_held });
        self.line = Line::of(&event);
        Ok(self.line_log())
    }

    /// Lets go on what was held for it and is there still.
    pub(super) fn resume_line(&mut self, by: &Person) -> Result<RolloutId, Trouble> {
        let Some(line) = self.line.take() else { return Err(self.refused("the line is not stopped", "press F to stop it")) };
        for id in line.held {
            // One that went back, or ended, has nothing to resume.
            let moves = self.flown.get(&id).is_some_and(|f| f.engine.phase() == Phase::Flying);
            if moves && let Ok(id) = self.press(id, Verb::Resume, Some("the line goes on".into()), by) {
                self.lead_on(&id);
            }
        }
        self.write_line(by, What::LineResumed);
        Ok(self.line_log())
    }

    /// Adds an event to the fleet's log. Where that cannot be it is said, and counts until this process ends.
    fn write_line(&mut self, by: &Person, what: What) -> Event {
        let id = self.line_log();
        let log = self.store.open(&id);
        let event = Event { seq: log.chain.seq + 1, term: Term(1), at: self.now, by: By::Person(by.clone()), what };
        self.store.append(&id, std::slice::from_ref(&event), true);
        let off = self.store.recorded(&id).off;
        self.store.close(&id);
        let (sign, text) = match &event.what {
            What::LineStopped { .. } => (Sign::Held, "line stopped"),
            _ => (Sign::Moves, "line resumed"),
        };
        let aside = off.map_or_else(|| format!("by {by}"), |why| format!("not recorded: {why}"));
        self.notes.push_front(Note { at: self.now, sign, subject: self.spec.name.clone(), text: text.into(), aside, rollout: None });
        self.notes.truncate(super::MOST_NOTES);
        event
    }

    /// The fleet's own log. Its name is made of what a file's name may have.
    fn line_log(&self) -> RolloutId {
        let plain =
            |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c.to_string() } else { format!(".{:x}", u32::from(c)) };
        RolloutId::new(format!("fleet.{}", self.spec.name.chars().map(plain).collect::<String>()))
    }

    fn refused(&self, cause: &str, remedy: &str) -> Trouble {
        Trouble::new(Kind::Refused, Place::named(&*self.spec.name), cause, remedy)
    }
}
