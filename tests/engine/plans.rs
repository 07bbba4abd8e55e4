//! Plans for tests of the engine, compiled by the same code as everybody's.

use flightdeck::fleet::Division;
use flightdeck::strategy::{Document, Plan, PlanLeg, Route, Sources, compile};
use flightdeck::units::{LegId, Namespace, Region, Revision, Service, Span, Time, Version, WorkloadId, yaml};
use std::sync::Arc;

/// A leg as a test names it.
#[derive(Clone, Debug)]
pub struct Leg {
    pub name: String,
    pub base: u32,
    pub route: Route,
    /// Requests per second at launch.
    pub load: Option<f64>,
    /// A second workload may stand beside it.
    pub beside: Option<Division>,
    /// No older version is there.
    pub fresh: bool,
}

/// The plan that a document means for these legs.
pub fn plan(document: &str, legs: &[Leg]) -> Arc<Plan> {
    let file = yaml::parse("document", document.as_bytes());
    let read = Document::read(&Sources { file: Some(file), ..Sources::default() });
    let document = read.unwrap_or_else(|t| panic!("{document}: {t:?}"));
    let seeds: Vec<PlanLeg> = legs.iter().map(seed).collect();
    let plan = compile(&document, &seeds, &Service::new("shop", "order"), &Version::new("v42"));
    Arc::new(plan.unwrap_or_else(|t| panic!("{t:?}")))
}

pub fn workload(region: &str) -> WorkloadId {
    WorkloadId { region: Region::new(region), namespace: Namespace::new("shop"), kind: "Deployment".into(), name: "order".into() }
}

fn seed(leg: &Leg) -> PlanLeg {
    PlanLeg {
        id: LegId::new(&leg.name),
        region: Region::new(&leg.name),
        workload: workload(&leg.name),
        wave: 0,
        old: Revision::new(if leg.fresh { "" } else { "v41" }),
        old_version: Version::new("v41"),
        new: None,
        container: "app".into(),
        image: "shop/order:v42".into(),
        route: leg.route,
        beside: leg.beside,
        sidecars: Vec::new(),
        touches: Vec::new(),
        undivided: None,
        base: leg.base,
        load: leg.load,
        drains: true,
        start_takes: Span::secs(8),
    }
}

/// When every test begins.
pub fn start() -> Time {
    Time::parse("2026-01-05T09:00:00Z").unwrap()
}
