//! The log of every rollout: one line per decision, hash-chained, in one file per rollout; and beside it what was seen.
//!
//! Must never know what an event means: it writes, reads and checks lines, and the engine replays them. A log that cannot be
//! written never stops a rollback: the store says `off` and why. Known weakness: the chain shows that a line was changed,
//! added or lost; whoever can write the file can also write a new chain.

mod file;
mod healthy;
mod line;
mod memory;
mod merge;
mod read;
mod seen;
mod store;

pub use file::{FileStore, HELD};
pub use healthy::SeenHealthy;
pub use line::{Chain, LONGEST, VERSION, encode};
pub use memory::Memory;
pub use merge::{Branch, Copy, Lead, lead};
pub use read::{Fault, Lines, Log, Next, read};
pub use seen::{MOST_SEEN, Seen, read_seen};
pub use store::{Recorded, Store};
