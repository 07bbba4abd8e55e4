//! The face of a place where logs are kept.

use super::{Log, Seen};
use crate::rollout::Event;
use crate::units::{RolloutId, Trouble};
use std::pin::Pin;

/// How far a rollout's log has been kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The `seq` of the last event that is kept (and synced, where that was asked for).
    pub upto: u64,
    /// Not recorded, and why, as a short fact: `disk full`. It may come back by itself.
    pub off: Option<String>,
}

/// A place where logs are kept. Only `open`, `read`, `text`, `adopt`, `list` and `settle` may wait for a disk.
pub trait Store: Send {
    /// All rollouts that have a log here, by name.
    fn list(&self) -> Result<Vec<RolloutId>, Trouble>;

    /// Reads a log and changes nothing.
    fn read(&self, rollout: &RolloutId) -> Result<Log, Trouble>;

    /// Reads a log, makes a new one when there is none, repairs a torn last line, and takes it for writing. Where that cannot
    /// be (no place, another flightdeck writes it, a fault in it) the log is what could be read, and `recorded` says why.
    fn open(&mut self, rollout: &RolloutId) -> Log;

    /// The lines of a log, as far as they hold.
    fn text(&self, rollout: &RolloutId) -> Result<Vec<u8>, Trouble>;

    /// Goes on with a log that was kept elsewhere: its lines take the place of what is here, which is put away where it differs,
    /// and it is opened. Where that cannot be, `recorded` says why.
    fn adopt(&mut self, rollout: &RolloutId, lines: &[u8]);

    /// Appends events to an open log, in order and at once; `sync`: they count as kept only when the disk has them.
    /// Forward wishes wait until `recorded` has reached the last of them; a rollback waits for nothing.
    fn append(&mut self, rollout: &RolloutId, events: &[Event], sync: bool);

    /// How far an open log has been kept. Of a log that is not open: off.
    fn recorded(&self, rollout: &RolloutId) -> Recorded;

    /// Notes what was seen, beside an open log: buffered, bounded, and lost in a crash.
    fn note(&mut self, rollout: &RolloutId, seen: &Seen);

    /// What was noted beside a log, oldest first; nothing where nobody did.
    fn seen(&self, rollout: &RolloutId) -> Result<Vec<Seen>, Trouble>;

    /// Writes what is still to be written of a log and gives it free for others.
    fn close(&mut self, rollout: &RolloutId);

    /// Resolves when some `recorded` may have changed. It only wakes.
    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Waits until everything is written, 5 s at most; whether it is.
    fn settle(&mut self) -> bool;
}
