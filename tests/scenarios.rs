//! Every scenario that flightdeck brings, flown headless with the defaults of its strategy: does its story come true?

use flightdeck::cockpit::{FleetSpec, Ids, Intent, RegionSpec, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::Memory;
use flightdeck::platform::Simulator;
use flightdeck::practice::{SCENARIOS, Scenario};
use flightdeck::rollout::{Event, Phase, RollbackCause, What};
use flightdeck::simulator::{Incident, START};
use flightdeck::strategy::{Document, Sources, compile};
use flightdeck::units::{Percent, Person, RolloutId, Span, Time, Version, yaml};
use std::sync::Arc;

struct Flight {
    world: World,
    id: RolloutId,
    events: Vec<Event>,
}

impl Flight {
    /// `order-service` to its next version, launched when the fleet opens.
    fn launch(scenario: &str, options: &[(&str, &str)]) -> Flight {
        let (name, text) = SCENARIOS.iter().find(|(name, _)| *name == scenario).expect("a scenario of this name");
        let scenario = Scenario::read(yaml::parse(name, text.as_bytes())).expect("a scenario without faults of its own");
        let regions = scenario.layout.regions.iter().map(|r| RegionSpec { name: r.name.clone(), role: Some(r.role) }).collect();
        let spec = FleetSpec {
            name: "practice".into(),
            practice: true,
            protection: Protection::Open,
            readonly: false,
            grace: Span::ZERO,
            regions,
        };
        let platform = Box::new(Simulator::new(scenario.fleet()));
        let ids = Ids::seeded(scenario.seed);
        let mut world = World::new(spec, platform, Box::new(Memory::default()), None, ids, scenario.layout.begins());
        world.step(START);
        let options = options.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let document = Document::read(&Sources { options, ..Sources::default() }).expect("a document");
        let service = world.service("order").expect("order-service");
        let legs = world.legs(&service, "v42", None).expect("three legs");
        let plan = compile(&document, &legs, &service, &Version::new("v42")).expect("a plan");
        let launch = Intent::Launch { plan: Arc::new(plan), reason: None };
        let id = world.take(START, launch, &Person::new("ana"), true).expect("nothing is in the way");
        Flight { world, id, events: Vec::new() }
    }
    /// Flies until something is true, at most so long.
    fn until(&mut self, most: Span, seen: impl Fn(&World, &RolloutId) -> bool) -> bool {
        let end = self.world.now() + most;
        while !seen(&self.world, &self.id) && self.world.now() < end {
            self.world.jump(end);
            self.events.extend(self.world.take_events(&self.id));
        }
        seen(&self.world, &self.id)
    }
    /// Flies to the end, forward or back.
    fn fly_to_the_end(&mut self) -> Phase {
        let ended = |w: &World, id: &RolloutId| w.rollout(id).is_some_and(|r| r.ended());
        assert!(self.until(Span::mins(180), ended), "it comes to an end");
        self.world.rollout(&self.id).expect("it is flown").phase()
    }
    fn first(&self, is: impl Fn(&What) -> bool) -> Option<&Event> {
        self.events.iter().find(|e| is(&e.what))
    }
    fn when(&self, is: impl Fn(&What) -> bool) -> Option<Time> {
        self.first(is).map(|e| e.at)
    }
    fn why_back(&self) -> Option<&RollbackCause> {
        self.events.iter().find_map(|e| if let What::RollbackBegan { why } = &e.what { Some(why) } else { None })
    }
    /// When a share was first asked for in a region.
    fn asked(&self, region: &str, share: u16) -> Option<Time> {
        self.when(|w| matches!(w, What::WeightSet { leg, weight } if leg.as_str() == region && *weight == Percent::whole(share)))
    }
}

const CANARY: &[(&str, &str)] = &[("strategy", "canary")];

#[test]
fn every_file_in_scenarios_is_brought_and_can_be_read() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap();
    let mut files: Vec<String> = files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    let mut names: Vec<String> = SCENARIOS.iter().map(|(name, _)| format!("{name}.yaml")).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
    for (name, text) in SCENARIOS {
        let scenario = Scenario::read(yaml::parse(name, text.as_bytes())).unwrap_or_else(|troubles| panic!("{name}: {troubles:?}"));
        assert!(scenario.incidents.contains(&Incident::watched_rollout()), "{name} opens alive");
    }
}

#[test]
fn a_healthy_version_is_promoted_everywhere() {
    let mut flight = Flight::launch("healthy", CANARY);
    assert_eq!(flight.fly_to_the_end(), Phase::Promoted);
    assert!(flight.first(|w| matches!(w, What::RollbackBegan { .. })).is_none());
    assert!(flight.asked("eu-west-1", 100).is_some());
}

#[test]
fn the_same_scenario_flown_twice_is_the_same_flight() {
    let fly = || {
        let mut flight = Flight::launch("error-burst-at-15", CANARY);
        flight.fly_to_the_end();
        flight.events
    };
    assert_eq!(fly(), fly());
}

#[test]
fn errors_at_15_percent_take_it_back_from_there_within_seconds() {
    let mut flight = Flight::launch("error-burst-at-15", CANARY);
    assert_eq!(flight.fly_to_the_end(), Phase::RolledBack);
    assert!(matches!(flight.why_back(), Some(RollbackCause::Limit { .. })), "{:?}", flight.why_back());
    let begun = flight.when(|w| matches!(w, What::RollbackBegan { .. })).unwrap();
    assert!(flight.asked("us-east-1", 15).is_some_and(|at| at < begun));
    assert_eq!(flight.asked("us-east-1", 25), None);
    let proven = flight.events.iter().find_map(|e| if let What::Proven { took } = e.what { Some(took) } else { None });
    assert!(proven.is_some_and(|took| took < Span::secs(5)), "{proven:?}");
}

#[test]
fn an_image_that_nobody_can_pull_never_gets_a_user() {
    let mut flight = Flight::launch("bad-image", CANARY);
    assert_eq!(flight.fly_to_the_end(), Phase::RolledBack);
    assert!(
        matches!(flight.why_back(), Some(RollbackCause::Deadline { why, .. }) if why == "image pull denied (403)"),
        "{:?}",
        flight.why_back()
    );
    assert!(flight.first(|w| matches!(w, What::WeightSet { weight, .. } if *weight > Percent::ZERO)).is_none());
}

#[test]
fn a_slow_version_is_seen_by_a_latency_limit_and_not_by_an_error_limit() {
    let mut blind = Flight::launch("slow-version", CANARY);
    assert_eq!(blind.fly_to_the_end(), Phase::Promoted);
    let limits = [("strategy", "canary"), ("rollbackThreshold", "[2% error rate, p99 300ms]")];
    let mut seeing = Flight::launch("slow-version", &limits);
    assert_eq!(seeing.fly_to_the_end(), Phase::RolledBack);
    assert!(matches!(seeing.why_back(), Some(RollbackCause::Limit { why, .. }) if why.contains("p99")), "{:?}", seeing.why_back());
}

#[test]
fn a_capacity_hole_lets_only_a_part_move_at_once() {
    let mut flight = Flight::launch("capacity-hole", CANARY);
    assert_eq!(flight.fly_to_the_end(), Phase::RolledBack);
    let begun = flight.events.iter().position(|e| matches!(e.what, What::RollbackBegan { .. })).unwrap();
    let back: Vec<&What> = flight.events[begun..].iter().map(|e| &e.what).collect();
    let first = back.iter().find_map(|w| {
        if let What::WeightSet { leg, weight } = w
            && leg.as_str() == "us-west-2"
        {
            Some(*weight)
        } else {
            None
        }
    });
    assert!(first.is_some_and(|w| w > Percent::ZERO), "{first:?}");
    assert!(back.iter().any(|w| matches!(w, What::ReplicasSet { pods: 18, .. })), "the old pods are asked for again");
    assert!(back.iter().any(|w| matches!(w, What::Proven { took } if *took > Span::secs(3))));
}

#[test]
fn a_lost_region_follows_when_it_answers_and_only_then_is_it_proven() {
    let mut flight = Flight::launch("lost-region", CANARY);
    assert_eq!(flight.fly_to_the_end(), Phase::RolledBack);
    let begun = flight.when(|w| matches!(w, What::RollbackBegan { .. })).unwrap();
    let back = |region: &str| flight.when(|w| matches!(w, What::LegProven { leg, .. } if leg.as_str() == region)).unwrap().since(begun);
    assert!(back("us-east-1") < Span::secs(5) && back("us-west-2") < Span::secs(5));
    assert!(back("eu-west-1") > Span::mins(3));
    assert!(flight.first(|w| matches!(w, What::NotProven { missing } if missing.contains("eu-west-1"))).is_some());
}
