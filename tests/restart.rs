//! What a flightdeck that is started again still knows: curves, and a line that was stopped.

use flightdeck::cockpit::{Curves, FleetSpec, Ids, Intent, RegionSpec, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::FileStore;
use flightdeck::platform::Simulator;
use flightdeck::practice::Scenario;
use flightdeck::rollout::Verb;
use flightdeck::simulator::START;
use flightdeck::strategy::{Document, Sources, compile};
use flightdeck::units::{Kind, Person, RolloutId, Span, Time, Trouble, Version};
use std::path::Path;
use std::sync::Arc;

/// A fleet that outlives its flightdeck, over the logs of a folder.
fn world(logs: &Path) -> World {
    let scenario = Scenario::free(42);
    let regions = scenario.layout.regions.iter().map(|r| RegionSpec { name: r.name.clone(), role: Some(r.role) }).collect();
    let spec =
        FleetSpec { name: "shop/prod".into(), practice: false, protection: Protection::Open, readonly: false, grace: Span::ZERO, regions };
    let (platform, store) = (Box::new(Simulator::new(scenario.fleet())), Box::new(FileStore::new(logs)));
    let mut world = World::new(spec, platform, store, None, Ids::fresh(), scenario.layout.begins());
    world.step(START);
    world
}

fn launch(world: &mut World, service: &str, to: &str) -> Result<RolloutId, Trouble> {
    let options = vec![("strategy".to_string(), "canary".to_string()), ("stepInterval".to_string(), "30m".to_string())];
    let document = Document::read(&Sources { options, ..Sources::default() }).unwrap();
    let service = world.service(service).unwrap();
    let legs = world.legs(&service, to, None).unwrap();
    let plan = Arc::new(compile(&document, &legs, &service, &Version::new(to)).unwrap());
    world.take(world.now(), Intent::Launch { plan, reason: None }, &Person::new("mara"), true)
}

fn curves(world: &mut World, id: &RolloutId) -> Arc<Curves> {
    world.snapshot().rollout(id).unwrap().curves.clone()
}

/// Lets the disk keep up: forward wishes wait for the log.
fn fly(world: &mut World, until: Time) {
    while world.now() < until {
        world.run_until((world.now() + Span::secs(1)).min(until));
        assert!(world.settle());
    }
}

#[test]
fn the_curves_of_a_rollout_in_flight_begin_where_they_were() {
    let logs = tempfile::tempdir().unwrap();
    let mut before = world(logs.path());
    let id = launch(&mut before, "order-service", "v42").unwrap();
    fly(&mut before, START + Span::mins(4));
    let was = curves(&mut before, &id);
    assert!(was.new.len() > 20, "{}", was.new.len());
    drop(before);

    let mut after = world(logs.path());
    let is = curves(&mut after, &id);
    let launched: Vec<_> = was.new.iter().filter(|(at, _)| *at > START).collect();
    let kept = launched.iter().filter(|dot| is.new.contains(dot)).count();
    assert!(kept + 1 >= launched.len(), "{kept} of {}", launched.len());
    assert_eq!(after.snapshot().rollout(&id).unwrap().verdict.requests, 0.0, "evidence begins anew");
}

#[test]
fn a_stopped_line_stays_stopped_and_resume_lets_go_of_exactly_what_it_holds() {
    let logs = tempfile::tempdir().unwrap();
    let mara = Person::new("mara");
    let mut before = world(logs.path());
    let held = launch(&mut before, "order-service", "v42").unwrap();
    let by_hand = launch(&mut before, "search", "v9.9").unwrap();
    let press = |rollout: &RolloutId| Intent::Press { rollout: rollout.clone(), verb: Verb::Pause, reason: None };
    before.take(before.now(), press(&by_hand), &mara, true).unwrap();
    before.take(before.now(), Intent::StopLine, &mara, false).unwrap();
    let line = before.snapshot().stopped_line.clone().unwrap();
    assert!(line.held.contains(&held) && !line.held.contains(&by_hand), "{line:?}");
    assert!(before.settle());
    drop(before);

    let mut after = world(logs.path());
    assert_eq!(after.snapshot().stopped_line, Some(line));
    let refused = launch(&mut after, "checkout", "v9.9").unwrap_err();
    assert_eq!((refused.kind, refused.cause.as_str()), (Kind::Refused, "the line is stopped: no forward step in this fleet"));
    let paused = |world: &mut World, id: &RolloutId| world.snapshot().rollout(id).unwrap().status.paused;
    assert!(paused(&mut after, &held) && paused(&mut after, &by_hand));
    after.take(after.now(), Intent::ResumeLine, &mara, true).unwrap();
    assert!(!paused(&mut after, &held) && paused(&mut after, &by_hand));
    assert!(after.settle());
    drop(after);
    assert_eq!(world(logs.path()).snapshot().stopped_line, None);
}

#[test]
fn what_the_line_could_not_hold_is_listed_at_once() {
    let logs = tempfile::tempdir().unwrap();
    let mut driver = world(logs.path());
    let id = launch(&mut driver, "order-service", "v42").unwrap();
    assert!(driver.settle());
    let mut other = world(logs.path());
    other.take(other.now(), Intent::StopLine, &Person::new("ana"), false).unwrap();
    let line = other.snapshot().stopped_line.clone().unwrap();
    let not: Vec<_> = line.not_held.iter().map(|n| (n.rollout.clone(), n.why.as_str())).collect();
    assert_eq!(not, [(id, "another flightdeck drives it")]);
}
