//! A fleet as small as a document needs it: three regions, 18 + 6 + 6 pods, each behind a router.

use flightdeck::strategy::{Document, Plan, PlanLeg, Route, Sources, compile};
use flightdeck::units::{LegId, Namespace, Region, Revision, Service, Span, Trouble, Version, WorkloadId, yaml};
use std::sync::Arc;

pub fn seed(region: &str, base: u32) -> PlanLeg {
    PlanLeg {
        id: LegId::new(region),
        region: Region::new(region),
        workload: WorkloadId {
            region: Region::new(region),
            namespace: Namespace::new("shop"),
            kind: Arc::from("Deployment"),
            name: Arc::from("order-service"),
        },
        wave: 0,
        old: Revision::new("v41"),
        old_version: Version::new("v41"),
        new: Some(Revision::new("v42")),
        container: "app".into(),
        image: "shop/order-service:v42".into(),
        route: Route::Weights,
        beside: None,
        sidecars: Vec::new(),
        touches: Vec::new(),
        undivided: None,
        base,
        load: Some(f64::from(base) * 8.0),
        drains: true,
        start_takes: Span::secs(20),
    }
}

pub fn seeds() -> Vec<PlanLeg> {
    vec![seed("us-east-1", 18), seed("us-west-2", 6), seed("eu-west-1", 6)]
}

/// Regions as documents of these tests ask for them: a line `## pods` flies plain Deployments, `## pods-cut` such without preStop, `## many` 500 pods in each.
pub fn fleet(document: &str) -> Vec<PlanLeg> {
    let mut legs = seeds();
    match document.lines().find(|l| l.starts_with("## ")) {
        Some("## many") => legs.iter_mut().for_each(|l| l.base = 500),
        Some("## pods") => legs.iter_mut().for_each(|l| l.route = Route::Pods),
        Some("## pods-cut") => legs.iter_mut().for_each(|l| (l.route, l.drains) = (Route::Pods, false)),
        Some("## one-without-router") => legs[2].route = Route::Pods,
        _ => {}
    }
    legs
}

pub fn sources(document: &str) -> Sources {
    Sources { file: Some(yaml::parse("d.yaml", document.as_bytes())), ..Sources::default() }
}

pub fn read(document: &str) -> Result<Document, Vec<Trouble>> {
    Document::read(&sources(document))
}

pub fn compiled(document: &str) -> Result<Plan, Vec<Trouble>> {
    compile(&read(document)?, &fleet(document), &Service::new("shop", "order-service"), &Version::new("v42"))
}
