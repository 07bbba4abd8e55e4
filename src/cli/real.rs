//! Real fleets for commands without a screen.

use super::Done;
use super::args::FleetArgs;
use crate::cockpit::World;
use crate::units::Time;

/// The time now: the one place where a clock is read for a real fleet.
pub fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

/// Waits until every region has answered, or failed to, 10 s at most.
pub async fn heard(world: &mut World) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !world.heard_all() {
        let left = end.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() || tokio::time::timeout(left, world.ready()).await.is_err() {
            return;
        }
        world.step(now());
    }
}

/// Opens the fleet that is asked for and lets a command work with it.
pub fn with_world(_args: &FleetArgs, _readonly: bool, _work: impl AsyncFnOnce(&mut World) -> Done) -> Done {
    Ok(1)
}
