//! The worlds that commands fly in: the practice fleet, and real ones.

use super::args::{FleetArgs, PracticeArgs};
use crate::cockpit::{FleetSpec, Ids, RegionSpec, World};
use crate::fleet::Protection;
use crate::journal::Memory;
use crate::platform::Simulator;
use crate::settings::FleetSettings;
use crate::simulator::{Fleet, Incident, Layout, START};
use crate::units::{Person, Span};

/// What runs when nobody names a seed.
pub const SEED: u64 = 42;

/// The practice fleet, with ten minutes of past. Its logs are kept in memory: a simulated fleet does not outlive its process.
pub fn practice(args: &PracticeArgs, incidents: Vec<Incident>, readonly: bool) -> World {
    let seed = args.seed.unwrap_or(SEED);
    let layout = Layout::reference();
    let regions = layout.regions.iter().map(|r| RegionSpec { name: r.name.clone(), role: Some(r.role) }).collect();
    let spec = FleetSpec { name: "practice".into(), practice: true, protection: Protection::Open, readonly, grace: Span::ZERO, regions };
    let begins = START - layout.warm_up;
    let platform = Simulator::new(Fleet::new(seed, layout, incidents));
    let mut world = World::new(spec, Box::new(platform), Box::new(Memory::default()), None, Ids::seeded(seed), begins);
    world.step(START);
    world
}

/// Who presses the keys here: `USER@HOST`, as the log and the other flightdecks name them.
pub fn person() -> Person {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|u| !u.is_empty());
    Person::new(crate::units::clean(&user.unwrap_or_else(|| "somebody".into()), 40))
}

/// A configured fleet as the cockpit knows it.
pub fn spec(fleet: &FleetSettings, readonly: bool) -> FleetSpec {
    FleetSpec {
        name: fleet.name.as_str().into(),
        practice: false,
        protection: fleet.protection,
        readonly,
        grace: fleet.grace,
        regions: fleet.regions.iter().map(|r| RegionSpec { name: r.name.clone(), role: Some(r.role) }).collect(),
    }
}

/// Whether anything on the command line names a real fleet.
pub fn names_a_fleet(args: &FleetArgs) -> bool {
    args.env.is_some() || args.context.is_some() || args.kubeconfig.is_some()
}
