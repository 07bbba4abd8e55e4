//! The two loops over the world: paced by a clock, and in lockstep as fast as it can.

use super::World;
use crate::units::{Span, Time};

/// Where fleet time comes from while a person looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// Fleet time when `real` was `since`.
    fleet: Time,
    since: std::time::Instant,
    speed: f64,
}

impl Clock {
    /// A clock that shows `fleet` now and runs `speed` times as fast as real time; 0 stands still.
    pub fn new(fleet: Time, speed: f64) -> Clock {
        Clock { fleet, since: std::time::Instant::now(), speed }
    }
    /// Fleet time now.
    pub fn now(&self) -> Time {
        self.fleet + Span((self.since.elapsed().as_secs_f64() * 1000.0 * self.speed) as u64)
    }
    /// How fast it runs.
    pub fn speed(&self) -> f64 {
        self.speed
    }
    /// The same moment, from here on at another speed.
    pub fn at_speed(&self, speed: f64) -> Clock {
        Clock { fleet: self.now(), since: std::time::Instant::now(), speed }
    }
    /// How long until a fleet time, in real time; `None` when it stands still.
    pub fn until(&self, at: Time) -> Option<std::time::Duration> {
        (self.speed > 0.0).then(|| std::time::Duration::from_secs_f64(at.since(self.now()).as_secs_f64() / self.speed))
    }
}

impl World {
    /// Steps through every moment at which something can happen, up to `until`, so that what is decided does not depend on
    /// how often somebody looks.
    pub fn run_until(&mut self, until: Time) {
        while self.poll_timeout().is_some_and(|at| at < until) && self.now() < until {
            self.jump(until);
        }
        self.step(until);
    }

    /// Jumps to the next moment at which something can happen, no later than `until`, and steps there. `false`: nothing can.
    pub fn jump(&mut self, until: Time) -> bool {
        let Some(next) = self.poll_timeout() else { return false };
        // A timeout that is due again at once must not stop time.
        let at = next.max(self.now() + Span(1)).min(until.max(self.now()));
        self.step(at);
        true
    }
}
