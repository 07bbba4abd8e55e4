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
use harness::{Bed, in_lab};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use serde_json::{Value, json};
use std::process::{Child, Stdio};
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
        let platform = KubernetesPlatform::start(contexts, &[RegionSpec { name: Region::new("east"), context, namespaces }]).unwrap();
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
struct Users(Child);

impl Users {
    fn come(bed: &Bed) -> Users {
        let service = format!("{}/order", bed.namespace);
        let mut load = bed.lab.command("load", &["--service", &service, "--rps", "100", "--seconds", "600"]);
        Users(load.stdout(Stdio::piped()).spawn().unwrap())
    }
    /// They go; how many requests each version answered, and how many were lost.
    fn go(mut self) -> (u64, Value) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.0.stdout.take().unwrap(), &mut text).unwrap();
        self.0.wait().unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        eprintln!("{report}");
        (report["failed"].as_u64().unwrap(), report["versions"].clone())
    }
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
    bed.until("nothing of order-next", async || {
        let services: Api<Service> = bed.api();
        let budgets: Api<PodDisruptionBudget> = bed.api();
        let gone = services.get_opt("order-next").await.unwrap().is_none() && budgets.get_opt("order-next").await.unwrap().is_none();
        (gone && deployment(bed, "order-next").await.is_none()).then_some(())
    })
    .await;
    let service = serde_json::to_value(bed.api::<Service>().get("order").await.unwrap()).unwrap();
    assert_eq!(service["spec"]["selector"], json!({"app": "order"}));
    let notes = service["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(notes.keys().map(String::as_str).collect::<Vec<_>>(), ["flightdeck.dev/flight"]);
}

const BLUE_GREEN: [(&str, &str); 3] = [("strategy", "blue-green"), ("rollbackWindow", "3s"), ("rollbackThreshold", "30s")];

#[test]
fn a_blue_green_is_switched_adopted_and_promoted_and_no_request_is_lost() {
    in_lab("next-promoted", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = Users::come(&bed);
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
        let (lost, versions) = users.go();
        assert_eq!(lost, 0, "{versions}");
        assert!(versions["v42"]["ok"].as_u64().unwrap() > 0 && versions["v43"]["ok"].as_u64().unwrap() > 0);
    });
}

#[test]
fn a_blue_green_that_was_switched_goes_back_by_one_write() {
    in_lab("next-back", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = Users::come(&bed);
        deck.launch("v43", &[("strategy", "blue-green"), ("rollbackWindow", "10s")]).await;
        deck.until("the switch", async |_| (selector(&bed).await == "order-next").then_some(())).await;
        deck.press(Verb::Rollback);
        deck.until("back", async |_| (selector(&bed).await == "order").then_some(())).await;
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v42");
        assert_eq!(users.go().0, 0);
    });
}

#[test]
fn in_the_middle_of_an_adoption_the_old_template_comes_back_in_the_dark() {
    in_lab("next-adoption", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = Users::come(&bed);
        deck.launch("v43-start5", &BLUE_GREEN).await;
        deck.until("the adoption", async |_| (image(&deployment(&bed, "order").await?) == "shop/order:v43-start5").then_some(())).await;
        assert_eq!(selector(&bed).await, "order-next");
        deck.press(Verb::Rollback);
        deck.until("back", async |_| (selector(&bed).await == "order").then_some(())).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v42");
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed).await;
        assert_eq!(users.go().0, 0);
    });
}

#[test]
fn what_one_flightdeck_began_another_finishes() {
    in_lab("next-killed", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::open(&bed, data.path());
        let users = Users::come(&bed);
        deck.launch("v43", &BLUE_GREEN).await;
        deck.until("the second Deployment", async |_| deployment(&bed, "order-next").await).await;
        let id = deck.id.clone();
        drop(deck);
        let mut deck = Deck::open(&bed, data.path());
        deck.id = id;
        deck.phase_is(Phase::Promoted).await;
        tidy(&bed).await;
        assert_eq!(image(&bed.until_available("order").await), "shop/order:v43");
        assert_eq!(users.go().0, 0);
    });
}
