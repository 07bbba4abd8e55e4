//! The practice fleet with a person before it, without a terminal and without a disk; also for benches.

use flightdeck::cockpit::{FleetSpec, Ids, Intent, RegionSpec, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::Store;
use flightdeck::platform::Platform;
use flightdeck::practice::Scenario;
use flightdeck::simulator::START;
use flightdeck::strategy::{Document, Sources, compile};
use flightdeck::tui::keymap::Keymap;
use flightdeck::tui::model::{Model, Speed};
use flightdeck::tui::session::Session;
use flightdeck::units::{Person, RolloutId, Span, Version};
use std::sync::Arc;

/// A scenario's fleet when it opens, behind a platform and over a store.
pub fn world(scenario: &Scenario, platform: Box<dyn Platform>, store: Box<dyn Store>) -> World {
    let regions = scenario.layout.regions.iter().map(|r| RegionSpec { name: r.name.clone(), role: Some(r.role) }).collect();
    let spec =
        FleetSpec { name: "practice".into(), practice: true, protection: Protection::Open, readonly: false, grace: Span::ZERO, regions };
    let mut world = World::new(spec, platform, store, None, Ids::seeded(scenario.seed), scenario.layout.begins());
    world.step(START);
    world
}

/// The canary of `order-service` that practice opens with.
#[allow(dead_code, reason = "not every test that has a world has a canary")]
pub fn canary(world: &mut World) -> RolloutId {
    let options = vec![("strategy".to_string(), "canary".to_string())];
    let document = Document::read(&Sources { options, ..Sources::default() }).unwrap();
    let service = world.service("order-service").unwrap();
    let legs = world.legs(&service, "v42", None).unwrap();
    let plan = compile(&document, &legs, &service, &Version::new("v42")).unwrap();
    world.take(world.now(), Intent::Launch { plan: Arc::new(plan), reason: None }, &Person::new("mara"), true).unwrap()
}

/// A person at it, at real speed.
pub fn session(mut world: World) -> Session {
    let model = Model::new(world.snapshot(), Keymap::default(), Some(Speed { factor: 1.0, stopped: false }), None);
    Session::new(world, model, Person::new("ana"))
}
