//! When the loop wakes next, and whether it draws then: nothing but times, so that both are counted without a terminal.
//!
//! Must never know a clock. Known weakness: a practice fleet is looked at five times a second even where nothing moves in it.

use super::session::Session;
use crate::units::Time;
use std::time::Duration;

/// Frames are at least so far apart.
const FRAME: Duration = Duration::from_millis(10);
/// Practice looks at its fleet at most so often; what happens in between is stepped through then.
const PRACTICE: Duration = Duration::from_millis(200);

/// What the loop knows of its frames. Times are since it began.
#[derive(Debug)]
pub struct Pace {
    stale: bool,
    drawn: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { stale: true, drawn: None }
    }
}

impl Pace {
    /// Something happened; `shown` is whether the screen is another one now.
    pub fn happened(&mut self, shown: bool) {
        self.stale |= shown;
    }

    /// Whether there is something to draw.
    pub fn stale(&self) -> bool {
        self.stale
    }

    /// Whether a frame is drawn now; `ready` is whether the terminal has the last one.
    pub fn must_draw(&self, at: Duration, ready: bool) -> bool {
        self.stale && ready && self.until_frame(at).is_zero()
    }

    /// A frame was drawn.
    pub fn drew(&mut self, at: Duration) {
        *self = Pace { stale: false, drawn: Some(at) };
    }

    fn until_frame(&self, at: Duration) -> Duration {
        self.drawn.map_or(Duration::ZERO, |drawn| (drawn + FRAME).saturating_sub(at))
    }

    /// How long nothing can happen by time alone; `None`: for ever. `now` is fleet time.
    pub fn rests(&self, at: Duration, ready: bool, session: &Session, now: Time) -> Option<Duration> {
        let practice = session.model.speed;
        let speed = practice.map_or(1.0, |s| if s.stopped { 0.0 } else { s.factor });
        let fleet = |ms: u64| Duration::try_from_secs_f64(ms as f64 / 1000.0 / speed).ok();
        let least = if practice.is_some() { PRACTICE } else { FRAME };
        let world = session.world.poll_timeout().and_then(|due| fleet(due.since(now).0)).map(|d| d.max(least));
        // A clock is on screen: it moves with the second.
        let second = fleet(1000 - now.0.rem_euclid(1000) as u64).map(|d| if speed > 1.0 { d.max(PRACTICE) } else { d });
        let hand = session.model.next_change().map(|due| Duration::from_millis(due.0).saturating_sub(at));
        let frame = (self.stale && ready).then(|| self.until_frame(at));
        [world, second, hand, frame].into_iter().flatten().min()
    }
}
