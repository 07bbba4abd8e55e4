//! A flightdeck on one namespace of the lab, driven step by step as the screen drives it.
//!
//! It knows the cockpit's front and nothing of what a test wants to see. Weakness: it presses as people of an open fleet do.
#![allow(dead_code, reason = "no test binary uses all of it")]

use flightdeck::cockpit::{FleetSpec, Ids, Intent, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::FileStore;
use flightdeck::platform::kubernetes::{Contexts, KubernetesPlatform, RegionSpec};
use flightdeck::rollout::{Phase, Verb};
use flightdeck::strategy::{Document, Sources, compile};
use flightdeck::units::{Namespace, Person, Region, RolloutId, Span, Time, Trouble, Version};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a rollout may take to come somewhere. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// A quick canary: a quarter, a half and all of the traffic, each for so long at least, and so long to take it back.
pub fn canary(step: &'static str, window: &'static str) -> [(&'static str, &'static str); 10] {
    [
        ("strategy", "canary"),
        ("initialTraffic", "25%"),
        ("maxTraffic", "50%"),
        ("stepSize", "25%"),
        ("stepInterval", step),
        ("checkInterval", "5s"),
        ("window", "15s"),
        ("leastRequests", "5"),
        ("healthyInARow", "1"),
        ("rollbackWindow", window),
    ]
}

/// A quick blue-green, with so long to take it back.
pub fn blue_green(window: &'static str) -> [(&'static str, &'static str); 3] {
    [("strategy", "blue-green"), ("rollbackWindow", window), ("rollbackThreshold", "30s")]
}

pub struct Deck {
    pub world: World,
    pub id: Option<RolloutId>,
    /// What it launches.
    pub service: &'static str,
}

pub fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

impl Deck {
    /// On the current context of a kubeconfig, with its log in `data`.
    pub fn open(kubeconfig: &Path, namespace: &str, data: &Path) -> Deck {
        let contexts = Contexts::read(Some(kubeconfig)).unwrap();
        let context = contexts.current().unwrap();
        let namespaces = vec![Namespace::new(namespace)];
        let platform =
            KubernetesPlatform::start(contexts, &[RegionSpec { name: Region::new("east"), context, namespaces, prometheus: None }])
                .unwrap();
        let regions = vec![flightdeck::cockpit::RegionSpec { name: Region::new("east"), role: None }];
        let (protection, grace) = (Protection::Open, Span::ZERO);
        let spec = FleetSpec { name: "lab".into(), practice: false, protection, readonly: false, grace, regions };
        let store = Box::new(FileStore::new(data));
        Deck { world: World::new(spec, Box::new(platform), store, None, Ids::fresh(), now()), id: None, service: "order" }
    }

    /// Steps until something is so; `None` where it is not within this time.
    pub async fn within<T>(&mut self, time: Duration, mut wanted: impl AsyncFnMut(&mut World) -> Option<T>) -> Option<T> {
        let found = tokio::time::timeout(time, async {
            loop {
                self.world.step(now());
                if let Some(found) = wanted(&mut self.world).await {
                    return found;
                }
                let _ = tokio::time::timeout(Duration::from_millis(50), self.world.ready()).await;
            }
        });
        found.await.ok()
    }

    /// Steps until something is so.
    pub async fn until<T>(&mut self, what: &str, wanted: impl AsyncFnMut(&mut World) -> Option<T>) -> T {
        let found = self.within(PATIENCE, wanted).await;
        found.unwrap_or_else(|| panic!("not seen in {PATIENCE:?}: {what}\n{}", self.story()))
    }

    /// What happened, newest first.
    pub fn story(&mut self) -> String {
        let snapshot = self.world.snapshot();
        let notes = snapshot.rollouts.iter().flat_map(|r| r.notes.iter().map(|n| format!("{} {} {}", n.at.clock(), n.text, n.aside)));
        let status = snapshot.rollouts.iter().map(|r| format!("{:?} {:#?}", r.phase, r.status.legs));
        status.chain(notes).collect::<Vec<_>>().join("\n")
    }

    /// Launches a version of its service; with a strategy for a second Deployment, once it is known that there can be one.
    pub async fn launch(&mut self, to: &str, options: &[(&str, &str)]) {
        let name = self.service;
        let rolling = options.contains(&("strategy", "rolling"));
        let container = options.iter().find(|(key, _)| *key == "container").map(|(_, name)| *name);
        let legs = self
            .until("a service whose traffic can be divided", async |world| {
                let service = world.service(name).ok()?;
                let legs = world.legs(&service, to, container).ok()?;
                (world.rights_known() && (rolling || legs.iter().all(|l| l.beside.is_some()))).then_some(legs)
            })
            .await;
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let document = Document::read(&Sources { options, ..Sources::default() }).unwrap();
        let service = self.world.service(name).unwrap();
        let plan = compile(&document, &legs, &service, &Version::new(to)).unwrap();
        let plan = Arc::new(plan);
        // A region that does not answer for a moment is not launched to.
        let launch = async |world: &mut World| {
            let launch = Intent::Launch { plan: plan.clone(), reason: None };
            world.take(now(), launch, &Person::new("mara"), true).ok()
        };
        self.id = Some(self.until("the launch", launch).await);
    }

    pub fn press(&mut self, verb: Verb) -> Result<RolloutId, Trouble> {
        let rollout = self.id.clone().unwrap();
        self.world.take(now(), Intent::Press { rollout, verb, reason: None }, &Person::new("ana"), true)
    }

    /// The phase of its rollout.
    pub fn phase(&self) -> Option<Phase> {
        Some(self.world.rollout(self.id.as_ref()?)?.phase())
    }

    /// Steps until its rollout is in a phase.
    pub async fn phase_is(&mut self, phase: Phase) {
        let id = self.id.clone().unwrap();
        self.until(&format!("{phase:?}"), async |world| (world.rollout(&id)?.phase() == phase).then_some(())).await;
    }
}
