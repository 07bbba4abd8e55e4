//! Blue-green and canary on plain Deployments: a second one beside the first, on a real API server, with users' requests counted.

#[path = "lab/harness.rs"]
mod harness;

use flightdeck::cockpit::{FleetSpec, Ids, Intent, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::FileStore;
use flightdeck::platform::kubernetes::{Contexts, KubernetesPlatform, RegionSpec};
use flightdeck::rollout::{Phase, Verb};
use flightdeck::strategy::{Document, Sources, compile};
use flightdeck::units::{Namespace, Person, Region, RolloutId, Span, Time, Version};
use harness::{Bed, GATEWAY, Load, Report, in_lab, in_lab_with};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a rollout may take to come somewhere. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// A flightdeck on one namespace of the lab.
struct Deck {
    world: World,
    id: Option<RolloutId>,
}

fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

impl Deck {
    fn open(bed: &Bed, data: &std::path::Path) -> Deck {
        let contexts = Contexts::read(Some(&bed.lab.kubeconfig("admin"))).unwrap();
        let context = contexts.current().unwrap();
        let namespaces = vec![Namespace::new(&bed.namespace)];
        let platform =
            KubernetesPlatform::start(contexts, &[RegionSpec { name: Region::new("east"), context, namespaces, prometheus: None }])
                .unwrap();
        let regions = vec![flightdeck::cockpit::RegionSpec { name: Region::new("east"), role: None }];
        let (protection, grace) = (Protection::Open, Span::ZERO);
        let spec = FleetSpec { name: "lab".into(), practice: false, protection, readonly: false, grace, regions };
        let store = Box::new(FileStore::new(data));
        Deck { world: World::new(spec, Box::new(platform), store, None, Ids::fresh(), now()), id: None }
    }
    /// Steps until something is so.
    async fn until<T>(&mut self, what: &str, mut wanted: impl AsyncFnMut(&mut World) -> Option<T>) -> T {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                self.world.step(now());
                if let Some(found) = wanted(&mut self.world).await {
                    return found;
                }
                let _ = tokio::time::timeout(Duration::from_millis(50), self.world.ready()).await;
            }
        });
        let found = found.await.ok();
        found.unwrap_or_else(|| panic!("not seen in {PATIENCE:?}: {what}\n{}", self.story()))
    }
    /// What happened, newest first.
    fn story(&mut self) -> String {
        let snapshot = self.world.snapshot();
        let notes = snapshot.rollouts.iter().flat_map(|r| r.notes.iter().map(|n| format!("{} {} {}", n.at.clock(), n.text, n.aside)));
        let status = snapshot.rollouts.iter().map(|r| format!("{:#?}", r.status.legs));
        status.chain(notes).collect::<Vec<_>>().join("\n")
    }
    async fn launch(&mut self, to: &str, options: &[(&str, &str)]) {
        let legs = self
            .until("order, whose traffic can be divided", async |world| {
                let service = world.service("order").ok()?;
                let legs = world.legs(&service, to, None).ok()?;
                (world.rights_known() && legs.iter().all(|l| l.beside.is_some())).then_some(legs)
            })
            .await;
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let document = Document::read(&Sources { options, ..Sources::default() }).unwrap();
        let service = self.world.service("order").unwrap();
        let plan = compile(&document, &legs, &service, &Version::new(to)).unwrap();
        let launch = Intent::Launch { plan: Arc::new(plan), reason: None };
        self.id = Some(self.world.take(now(), launch, &Person::new("mara"), true).unwrap());
    }
    fn press(&mut self, verb: Verb) {
        let rollout = self.id.clone().unwrap();
        self.world.take(now(), Intent::Press { rollout, verb, reason: None }, &Person::new("ana"), true).unwrap();
    }
    async fn phase_is(&mut self, phase: Phase) {
        let id = self.id.clone().unwrap();
        self.until(&format!("{phase:?}"), async |world| (world.rollout(&id)?.phase() == phase).then_some(())).await;
    }
}

/// Users' requests to the ready addresses of the Service `order`.
fn users(bed: &Bed) -> Load {
    bed.load(&["--service", &format!("{}/order", bed.namespace), "--rps", "100"])
}

/// Stops the requests; none may have been lost.
fn none_lost(users: Load) -> Report {
    let report = users.stop();
    assert_eq!(report.failed, 0, "{:?} {:?}", report.failures, report.versions);
    report
}

async fn deployment(bed: &Bed, name: &str) -> Option<Deployment> {
    bed.api::<Deployment>().get_opt(name).await.unwrap()
}

fn image(d: &Deployment) -> &str {
    d.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0].image.as_deref().unwrap()
}

async fn selector(bed: &Bed) -> String {
    bed.api::<Service>().get("order").await.unwrap().spec.unwrap().selector.unwrap()["app"].clone()
}

/// Nothing of ours is left but the fence, and the owner's objects are as he wrote them.
async fn tidy(bed: &Bed) {
    tidy_but_service(bed).await;
    let service = serde_json::to_value(bed.api::<Service>().get("order").await.unwrap()).unwrap();
    assert_eq!(service["spec"]["selector"], json!({"app": "order"}));
    let notes = service["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(notes.keys().map(String::as_str).collect::<Vec<_>>(), ["flightdeck.dev/flight"]);
}

/// Nothing of the second one is left.
async fn tidy_but_service(bed: &Bed) {
    bed.until("nothing of order-next", async || {
        let services: Api<Service> = bed.api();
        let budgets: Api<PodDisruptionBudget> = bed.api();
        let gone = services.get_opt("order-next").await.unwrap().is_none() && budgets.get_opt("order-next").await.unwrap().is_none();
        (gone && deployment(bed, "order-next").await.is_none()).then_some(())
    })
    .await;
}

const BLUE_GREEN: [(&str, &str); 3] = [("strategy", "blue-green"), ("rollbackWindow", "3s"), ("rollbackThreshold", "30s")];

#[test]
fn a_blue_green_is_switched_adopted_and_promoted_and_no_request_is_lost() {
    in_lab("next-promoted", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43", &BLUE_GREEN).await;
        deck.until("the switch", async |_| (selector(&bed).await == "order-next").then_some(())).await;
        let next = deployment(&bed, "order-next").await.unwrap();
        assert_eq!(image(&next), "shop/order:v43");
        let owners: Vec<&str> = next.metadata.owner_references.iter().flatten().map(|o| o.kind.as_str()).collect();
        assert_eq!(owners, ["Deployment", "Service"]);
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v42");
        assert!(bed.api::<PodDisruptionBudget>().get_opt("order-next").await.unwrap().is_some());
        deck.phase_is(Phase::Promoted).await;
        tidy(&bed).await;
        assert_eq!(image(&bed.until_available("order").await), "shop/order:v43");
        let report = none_lost(users);
        assert!(report.answered("v42") > 0 && report.answered("v43") > 0);
    });
}

#[test]
fn a_blue_green_that_was_switched_goes_back_by_one_write() {
    in_lab("next-back", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43", &[("strategy", "blue-green"), ("rollbackWindow", "10s")]).await;
        deck.until("the switch", async |_| (selector(&bed).await == "order-next").then_some(())).await;
        deck.press(Verb::Rollback);
        deck.until("back", async |_| (selector(&bed).await == "order").then_some(())).await;
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v42");
        none_lost(users);
    });
}

#[test]
fn in_the_middle_of_an_adoption_the_old_template_comes_back_in_the_dark() {
    in_lab("next-adoption", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43-start5", &BLUE_GREEN).await;
        deck.until("the adoption", async |_| (image(&deployment(&bed, "order").await?) == "shop/order:v43-start5").then_some(())).await;
        assert_eq!(selector(&bed).await, "order-next");
        deck.press(Verb::Rollback);
        deck.until("back", async |_| (selector(&bed).await == "order").then_some(())).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v42");
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed).await;
        none_lost(users);
    });
}

#[test]
fn a_first_deployment_that_is_made_anew_takes_neither_the_second_one_nor_the_way_back_away() {
    in_lab("next-anew", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43", &[("strategy", "blue-green"), ("rollbackWindow", "2m")]).await;
        deck.until("the switch", async |_| (selector(&bed).await == "order-next").then_some(())).await;
        let deployments: Api<Deployment> = bed.api();
        let before = deployment(&bed, "order").await.unwrap();
        deployments.delete("order", &DeleteParams::background()).await.unwrap();
        bed.until("order is gone", async || deployment(&bed, "order").await.is_none().then_some(())).await;
        let metadata = ObjectMeta { name: Some("order".into()), ..ObjectMeta::default() };
        let anew = Deployment { metadata, spec: before.spec, status: None };
        deployments.create(&PostParams::default(), &anew).await.unwrap();
        bed.until_available("order").await;
        assert_eq!(selector(&bed).await, "order-next");
        let next = deployment(&bed, "order-next").await.unwrap();
        assert_eq!(next.metadata.owner_references.unwrap().len(), 1);
        deck.press(Verb::Rollback);
        deck.until("back", async |_| (selector(&bed).await == "order").then_some(())).await;
        none_lost(users);
    });
}

#[test]
fn what_one_flightdeck_began_another_finishes() {
    in_lab("next-killed", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43", &BLUE_GREEN).await;
        deck.until("the second Deployment", async |_| deployment(&bed, "order-next").await).await;
        let id = deck.id.clone();
        drop(deck);
        let mut deck = Deck::open(&bed, data.path());
        deck.id = id;
        deck.phase_is(Phase::Promoted).await;
        tidy(&bed).await;
        assert_eq!(image(&bed.until_available("order").await), "shop/order:v43");
        none_lost(users);
    });
}

/// The only rule's backends, as (name, weight), and the annotations.
async fn route(bed: &Bed) -> (Vec<(String, u64)>, Vec<String>) {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"));
    let routes: Api<DynamicObject> = Api::namespaced_with(bed.client.clone(), &bed.namespace, &kind);
    let route = serde_json::to_value(routes.get("order").await.unwrap()).unwrap();
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array().unwrap();
    let backends = backends.iter().map(|b| (b["name"].as_str().unwrap().to_owned(), b["weight"].as_u64().unwrap())).collect();
    let notes = route["metadata"]["annotations"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
    (backends, notes)
}

/// The weight of the second one.
async fn weight(bed: &Bed) -> Option<u64> {
    route(bed).await.0.iter().find(|(name, _)| name == "order-next").map(|(_, weight)| *weight)
}

/// Pods that exit at SIGTERM and cut what is in flight: what is lost only because nobody is sent to them stays so.
const OLD: &str = "shop/order:v42-abrupt";
const NEW: &str = "v43-abrupt";
const CANARY: [(&str, &str); 10] = [
    ("strategy", "canary"),
    ("initialTraffic", "25%"),
    ("maxTraffic", "50%"),
    ("stepSize", "25%"),
    ("stepInterval", "2s"),
    ("checkInterval", "5s"),
    ("window", "15s"),
    ("leastRequests", "5"),
    ("healthyInARow", "1"),
    ("rollbackWindow", "3s"),
];

/// `order` behind a route whose only rule gives it weight 7, with users behind the gateway.
async fn behind_a_gateway(bed: &Bed) -> Load {
    bed.deploy("order", 2, OLD).await;
    bed.until_available("order").await;
    bed.route("order", &[("order", 7)]).await;
    let routed = async || {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"));
        let routes: Api<DynamicObject> = Api::namespaced_with(bed.client.clone(), &bed.namespace, &kind);
        let route = serde_json::to_value(routes.get("order").await.unwrap()).unwrap();
        route["status"]["parents"][0]["conditions"].as_array().filter(|all| all.iter().all(|c| c["status"] == "True")).map(|_| ())
    };
    bed.until("the gateway serves the route", routed).await;
    // What the gateway says of a route comes a moment before what it does.
    tokio::time::sleep(Duration::from_secs(1)).await;
    bed.load_route("order", &["--rps", "150"])
}

/// The route is as its owner wrote it, but for the fence.
async fn route_is_the_owners(bed: &Bed) {
    tidy_but_service(bed).await;
    assert_eq!(route(bed).await, (vec![("order".to_owned(), 7)], vec!["flightdeck.dev/flight".to_owned()]));
    let service = serde_json::to_value(bed.api::<Service>().get("order").await.unwrap()).unwrap();
    assert_eq!((&service["spec"]["selector"], &service["metadata"]["annotations"]), (&json!({"app": "order"}), &Value::Null));
}

#[test]
fn a_canary_behind_a_gateway_is_promoted_and_no_request_is_lost() {
    in_lab_with(&[GATEWAY], "next-canary", async |bed| {
        let users = behind_a_gateway(&bed).await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        deck.launch(NEW, &CANARY).await;
        let mut weights = Vec::new();
        deck.until("all of it", async |_| {
            let now = weight(&bed).await.unwrap_or_default();
            if weights.last() != Some(&now) {
                weights.push(now);
            }
            (now == 100).then_some(())
        })
        .await;
        assert_eq!(weights, [0, 25, 50, 100]);
        deck.phase_is(Phase::Promoted).await;
        route_is_the_owners(&bed).await;
        assert_eq!(image(&bed.until_available("order").await), "shop/order:v43-abrupt");
        let report = none_lost(users);
        assert!(report.answered("v42-abrupt") > 0 && report.answered(NEW) > 0);
    });
}

#[test]
fn a_canary_goes_back_by_one_write_and_nobody_gets_the_new_version_after_the_proof() {
    in_lab_with(&[GATEWAY], "next-canary-back", async |bed| {
        let users = behind_a_gateway(&bed).await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        deck.launch(NEW, &CANARY).await;
        deck.until("half of it", async |_| (weight(&bed).await == Some(50)).then_some(())).await;
        deck.press(Verb::Rollback);
        let id = deck.id.clone().unwrap();
        deck.until("the proof", async |world| matches!(world.rollout(&id)?.phase(), Phase::Back | Phase::RolledBack).then_some(())).await;
        let proven = harness::now();
        assert_eq!(weight(&bed).await.unwrap_or_default(), 0);
        deck.phase_is(Phase::RolledBack).await;
        route_is_the_owners(&bed).await;
        let report = none_lost(users);
        assert!(report.versions[NEW].last_start <= proven, "{report:?} {proven}");
    });
}

#[test]
fn after_the_adoption_the_idle_second_one_takes_the_old_template_and_then_the_traffic() {
    in_lab_with(&[GATEWAY], "next-refill", async |bed| {
        let users = behind_a_gateway(&bed).await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let options: Vec<(&str, &str)> = CANARY.iter().map(|(k, v)| (*k, if *k == "rollbackWindow" { "8s" } else { v })).collect();
        deck.launch(NEW, &options).await;
        deck.until("all of it", async |_| (weight(&bed).await == Some(100)).then_some(())).await;
        deck.until("the traffic at home again", async |_| (weight(&bed).await == Some(0)).then_some(())).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v43-abrupt");
        deck.press(Verb::Rollback);
        deck.until("the old version beside", async |_| (weight(&bed).await == Some(100)).then_some(())).await;
        assert_eq!(image(&deployment(&bed, "order-next").await.unwrap()), OLD);
        deck.phase_is(Phase::RolledBack).await;
        route_is_the_owners(&bed).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), OLD);
        none_lost(users);
    });
}

#[test]
fn another_flightdeck_follows_a_canary_and_sends_its_traffic_back() {
    in_lab_with(&[GATEWAY], "next-watched", async |bed| {
        let users = behind_a_gateway(&bed).await;
        let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut deck = Deck::open(&bed, data.path());
        deck.launch(NEW, &CANARY).await;
        deck.until("a quarter of it", async |_| (weight(&bed).await == Some(25)).then_some(())).await;
        // Its terminal is lost.
        drop(deck);
        let mut deck = Deck::open(&bed, other.path());
        let id = deck
            .until("the canary of somebody else", async |world| {
                let snapshot = world.snapshot();
                let rollout = snapshot.rollouts.first()?;
                let id = &rollout.status.id;
                (rollout.status.to.as_str() == NEW && world.follows(id)).then(|| id.clone())
            })
            .await;
        deck.id = Some(id);
        deck.press(Verb::Rollback);
        deck.until("back", async |_| (weight(&bed).await.unwrap_or_default() == 0).then_some(())).await;
        deck.phase_is(Phase::RolledBack).await;
        route_is_the_owners(&bed).await;
        none_lost(users);
    });
}
