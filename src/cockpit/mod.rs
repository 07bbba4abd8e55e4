//! The runtime: owns the world, runs the loop, hands out snapshots, takes intents.
//!
//! The way of a fact is platform, `Fact`, fold, `Observed`, `Snapshot`; the way of a wish is `Intent`, engine, events, log,
//! wishes, platform. There is no third way. Knows no key, no colour and no API type. Known weakness: it is one thread, so a
//! fold that takes long delays every rollout.

mod drive;
mod evidence;
mod fold;
mod launch;
mod line;
mod news;
mod shared;
mod snapshot;
mod track;
mod view;
mod world;

pub use drive::Clock;
pub use news::words;
pub use snapshot::*;
use world::MOST_NOTES;
pub use world::{FleetSpec, Ids, Intent, RegionSpec, World};
