//! Several flightdecks on one real API server: what one flies the others see, and who may drive is never two.

#[path = "lab/harness.rs"]
mod harness;

use flightdeck::cli::deploy;
use flightdeck::cockpit::{FleetSpec, Ids, Intent, RegionSpec, RolloutView, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::FileStore;
use flightdeck::platform::kubernetes::{self, Contexts, Driver, KubernetesPlatform};
use flightdeck::rollout::{Mood, Phase, Verb};
use flightdeck::strategy::Sources;
use flightdeck::units::{Namespace, Person, Region, RolloutId, Span, Term, Time, Trouble};
use harness::{Bed, in_lab};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

/// How long anything may take. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(90);
/// A short Lease, so that a driver who is gone is found soon.
const LEASE: Duration = Duration::from_secs(3);

fn now() -> Time {
    Time((harness::now() * 1000.0) as i64)
}

/// One flightdeck with a data folder of its own.
struct Deck {
    world: World,
    person: Person,
    /// So far its clock is behind the real one.
    behind: Span,
}

impl Deck {
    fn open(bed: &Bed, user: &str, name: &str, data: &Path) -> Deck {
        Deck::at(bed, user, name, data, Span::ZERO, false)
    }
    /// One that only looks.
    fn looking(bed: &Bed, name: &str, data: &Path) -> Deck {
        Deck::at(bed, "admin", name, data, Span::ZERO, true)
    }
    /// One whose clock is behind.
    fn behind(bed: &Bed, name: &str, data: &Path, behind: Span) -> Deck {
        Deck::at(bed, "admin", name, data, behind, false)
    }
    fn at(bed: &Bed, user: &str, name: &str, data: &Path, behind: Span, readonly: bool) -> Deck {
        let contexts = Contexts::read(Some(&bed.lab.kubeconfig(user))).unwrap();
        let context = contexts.current().unwrap();
        let region = Region::new("east");
        let spec =
            kubernetes::RegionSpec { name: region.clone(), context, namespaces: vec![Namespace::new(&bed.namespace)], prometheus: None };
        let driver = Driver { identity: format!("{name}@lab/{}", data.file_name().unwrap().display()), lease: LEASE };
        let platform = KubernetesPlatform::start_as(contexts, &[spec], driver).unwrap();
        let fleet = FleetSpec {
            name: "lab".into(),
            practice: false,
            protection: Protection::Open,
            readonly,
            grace: Span::ZERO,
            regions: vec![RegionSpec { name: region, role: None }],
        };
        let world = World::new(fleet, Box::new(platform), Box::new(FileStore::new(data)), None, Ids::fresh(), now() - behind);
        Deck { world, person: Person::new(name), behind }
    }
    fn step(&mut self) {
        self.world.step(now() - self.behind);
    }
    async fn ready(bed: &Bed, user: &str, name: &str, data: &Path) -> Deck {
        let mut deck = Deck::open(bed, user, name, data);
        deck.until("all is known", |w| {
            (w.heard_all() && w.rights_known() && w.records_known() && w.service("order").is_ok()).then_some(())
        })
        .await;
        deck
    }
    async fn until<T>(&mut self, what: &str, wanted: impl FnMut(&mut World) -> Option<T>) -> T {
        until(&mut [self], what, wanted).await
    }
    fn view(&mut self, id: &RolloutId) -> Option<RolloutView> {
        view(&mut self.world, id)
    }
    fn launch(&mut self, options: &[(&str, &str)]) -> RolloutId {
        let given = [("strategy", "rolling"), ("to", "v43"), ("rollbackWindow", "1s")].iter().chain(options);
        let options = given.map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let sources = Sources { options, ..Sources::default() };
        let (_, plan) = deploy::plan(&self.world, &sources, Some("order"), false).unwrap();
        self.world.take(now() - self.behind, Intent::Launch { plan: Arc::new(plan), reason: None }, &self.person.clone(), true).unwrap()
    }
    fn press(&mut self, id: &RolloutId, verb: Verb) -> Result<(), Trouble> {
        let press = Intent::Press { rollout: id.clone(), verb, reason: None };
        self.world.take(now() - self.behind, press, &self.person.clone(), true).map(drop)
    }
}

fn view(world: &mut World, id: &RolloutId) -> Option<RolloutView> {
    world.snapshot().rollout(id).cloned()
}

/// Steps all decks until the first of them is as wanted.
async fn until<T>(decks: &mut [&mut Deck], what: &str, mut wanted: impl FnMut(&mut World) -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        for deck in decks.iter_mut() {
            deck.step();
        }
        if let Some(found) = wanted(&mut decks[0].world) {
            return found;
        }
        if tokio::time::Instant::now() > end {
            let seen: Vec<String> = decks
                .iter_mut()
                .flat_map(|d| {
                    let name = d.person.to_string();
                    let all = d.world.snapshot().rollouts.clone();
                    all.into_iter().map(move |r| {
                        let notes: Vec<String> = r.notes.iter().take(30).map(|n| format!("  {} {} {}", n.at, n.text, n.aside)).collect();
                        format!("{name}: {:?} {:?} {:?}\n{}", r.phase, r.status.mood, r.record, notes.join("\n"))
                    })
                })
                .collect();
            panic!("not seen in {PATIENCE:?}: {what}\n{}", seen.join("\n"));
        }
        let wakes = decks.iter_mut().map(|d| Box::pin(d.world.ready()));
        let _ = tokio::time::timeout(Duration::from_millis(50), futures::future::select_all(wakes)).await;
    }
}

fn phase(id: &RolloutId, wanted: Phase) -> impl Fn(&mut World) -> Option<()> + '_ {
    move |w| (w.rollout(id)?.phase() == wanted).then_some(())
}

/// Half of the pods are of the new version, and it holds there.
fn half(id: &RolloutId) -> impl Fn(&mut World) -> Option<()> + '_ {
    move |w| {
        let view = view(w, id)?;
        (view.status.legs[0].new_pods.as_ref()?.ready >= 2).then_some(())
    }
}

async fn order(bed: &Bed) -> Value {
    let deployments: Api<Deployment> = bed.api();
    serde_json::to_value(deployments.get("order").await.unwrap()).unwrap()
}

async fn image(bed: &Bed) -> String {
    order(bed).await["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

async fn record(bed: &Bed) -> ConfigMap {
    let maps: Api<ConfigMap> = bed.api();
    maps.get("flightdeck.order").await.unwrap()
}

async fn holder(bed: &Bed) -> String {
    let leases: Api<Lease> = bed.api();
    leases.get("flightdeck.order").await.unwrap().spec.unwrap().holder_identity.unwrap_or_default()
}

const SLOW: [(&str, &str); 1] = [("stepInterval", "3s")];
const HOLDS: [(&str, &str); 1] = [("stepInterval", "10m")];

#[test]
fn the_log_stands_beside_the_workload_and_the_lease_is_given_back_at_the_end() {
    in_lab("driver-record", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let folder = tempfile::tempdir().unwrap();
        let mut ana = Deck::ready(&bed, "admin", "ana", folder.path()).await;
        let id = ana.launch(&[]);
        ana.until("it moves", |w| (view(w, &id)?.status.step >= 1).then_some(())).await;
        assert!(holder(&bed).await.starts_with("ana@lab/"));
        ana.until("promoted", phase(&id, Phase::Promoted)).await;
        ana.until("kept", |w| w.is_kept(&id).then_some(())).await;
        let map = record(&bed).await;
        let notes = map.metadata.annotations.unwrap();
        assert_eq!(
            (notes["flightdeck.dev/rollout"].as_str(), map.metadata.labels.unwrap()["flightdeck.dev/part"].as_str()),
            (id.as_str(), "log")
        );
        assert_eq!(map.metadata.managed_fields.unwrap()[0].manager.as_deref(), Some("flightdeck"));
        let file = std::fs::read_to_string(folder.path().join(format!("{id}.log"))).unwrap();
        assert_eq!(map.data.unwrap()["log"], file);
        bed.until("given back", async || holder(&bed).await.is_empty().then_some(())).await;
        assert_eq!(image(&bed).await, "shop/order:v43");
    });
}

#[test]
fn another_flightdeck_sees_it_live_says_when_its_driver_is_gone_takes_it_and_finishes() {
    in_lab("driver-gone", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut ana = Deck::ready(&bed, "admin", "ana", one.path()).await;
        let mut bob = Deck::ready(&bed, "admin", "bob", two.path()).await;
        let id = ana.launch(&HOLDS);
        until(&mut [&mut ana, &mut bob], "the first batch", half(&id)).await;
        until(&mut [&mut bob, &mut ana], "seen by bob", half(&id)).await;
        assert!(bob.world.follows(&id));
        let seen = bob.view(&id).unwrap();
        let driver = seen.record.driver.clone().unwrap();
        assert_eq!((driver.name.as_str(), driver.gone, driver.nobody), ("ana@lab", None, false));
        assert_eq!(std::fs::read_dir(two.path()).map_or(0, |d| d.count()), 0, "bob wrote nothing");

        bed.until("held in the cluster", async || (order(&bed).await["spec"]["paused"] == true).then_some(())).await;
        drop(ana);
        let cause = bob
            .until("the driver is gone", |w| match view(w, &id)?.status.mood {
                Mood::Held { cause, key: Some('T') } => Some(cause),
                _ => None,
            })
            .await;
        assert!(cause.starts_with("driver ana@lab gone 0:0"), "{cause}");
        assert_eq!(order(&bed).await["spec"]["paused"], true);

        bob.press(&id, Verb::Take).unwrap();
        assert_eq!((bob.world.follows(&id), bob.world.rollout(&id).unwrap().term()), (false, Term(2)));
        bob.until("in bob's hands", |w| matches!(view(w, &id)?.status.mood, Mood::OnCourse).then_some(())).await;
        bed.until("bob holds the Lease", async || holder(&bed).await.starts_with("bob@lab/").then_some(())).await;
        bob.press(&id, Verb::PromoteFull).unwrap();
        bob.until("promoted", phase(&id, Phase::Promoted)).await;
        bob.until("kept", |w| w.is_kept(&id).then_some(())).await;
        assert_eq!(image(&bed).await, "shop/order:v43");
        let file = std::fs::read_to_string(two.path().join(format!("{id}.log"))).unwrap();
        assert_eq!(record(&bed).await.data.unwrap()["log"], file);

        // The first one comes back: its log is older, it shows the other's, and it writes nothing.
        let mut ana = Deck::ready(&bed, "admin", "ana", one.path()).await;
        ana.until("bob's end is seen", phase(&id, Phase::Promoted)).await;
        assert!(ana.world.follows(&id));
        assert_eq!(record(&bed).await.data.unwrap()["log"], file);
        assert_eq!(image(&bed).await, "shop/order:v43");
    });
}

#[test]
fn a_flightdeck_that_ends_gives_the_lease_back_and_one_that_only_looks_never_takes_it() {
    in_lab("driver-ends", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut ana = Deck::ready(&bed, "admin", "ana", one.path()).await;
        let mut bob = Deck::ready(&bed, "admin", "bob", two.path()).await;
        let id = ana.launch(&HOLDS);
        until(&mut [&mut ana, &mut bob], "the first batch", half(&id)).await;
        until(&mut [&mut bob, &mut ana], "seen by bob", half(&id)).await;
        let refused = bob.press(&id, Verb::Promote).unwrap_err();
        assert_eq!((refused.cause.as_str(), refused.remedy.as_str()), ("ana@lab drives it", "T takes the controls"));
        assert!(bob.world.follows(&id));

        ana.world.part(now).await;
        drop(ana);
        assert_eq!(holder(&bed).await, "");
        let nobody = |id: RolloutId| {
            move |w: &mut World| {
                (view(w, &id)?.status.mood == Mood::Held { cause: "nobody drives it".into(), key: Some('T') }).then_some(())
            }
        };
        bob.until("said at once", nobody(id.clone())).await;

        // The same log, by one who may not touch anything.
        let log = std::fs::read_to_string(one.path().join(format!("{id}.log"))).unwrap();
        let mut looks = Deck::looking(&bed, "ana", one.path());
        looks.until("it is shown", nobody(id.clone())).await;
        assert!(looks.world.follows(&id));
        let refused = looks.press(&id, Verb::Take).unwrap_err();
        assert_eq!(refused.cause, "this flightdeck is read-only");
        bob.press(&id, Verb::Take).unwrap();
        until(&mut [&mut bob, &mut looks], "bob drives", |w| matches!(view(w, &id)?.status.mood, Mood::OnCourse).then_some(())).await;
        let theirs = |w: &mut World| (view(w, &id)?.record.driver.as_ref()?.name == "bob@lab").then_some(());
        until(&mut [&mut looks, &mut bob], "and that is shown", theirs).await;
        assert_eq!(std::fs::read_to_string(one.path().join(format!("{id}.log"))).unwrap(), log);
    });
}

#[test]
fn of_two_who_take_it_in_the_same_moment_one_drives() {
    in_lab("driver-race", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let mut ana = Deck::ready(&bed, "admin", "ana", folders[0].path()).await;
        let id = ana.launch(&HOLDS);
        ana.until("the first batch", half(&id)).await;
        ana.until("kept", |w| w.is_kept(&id).then_some(())).await;
        let mut bob = Deck::ready(&bed, "admin", "bob", folders[1].path()).await;
        let mut cleo = Deck::ready(&bed, "admin", "cleo", folders[2].path()).await;
        drop(ana);
        assert!(bob.world.follows(&id) && cleo.world.follows(&id));
        bob.press(&id, Verb::Take).unwrap();
        cleo.press(&id, Verb::Take).unwrap();
        let wins = |w: &mut World| {
            let view = view(w, &id)?;
            let holds = matches!(&view.status.mood, Mood::Held { cause, key: Some('T') } if cause.contains("drives it"));
            (w.follows(&id) || holds).then_some(Some(false)).or_else(|| (view.status.mood == Mood::OnCourse).then_some(Some(true)))
        };
        // Both are told apart as soon as each has asked for the Lease.
        let end = bed.until("one holder", async || Some(holder(&bed).await).filter(|h| !h.starts_with("ana@")));
        let name = end.await;
        let (mut winner, mut loser) = if name.starts_with("bob@") { (bob, cleo) } else { (cleo, bob) };
        until(&mut [&mut loser, &mut winner], "the loser yields", |w| wins(w).flatten().filter(|won| !won)).await;
        winner.press(&id, Verb::PromoteFull).unwrap();
        until(&mut [&mut winner, &mut loser], "promoted", phase(&id, Phase::Promoted)).await;
        until(&mut [&mut loser, &mut winner], "the loser sees it", phase(&id, Phase::Promoted)).await;
        let fence: Value =
            serde_json::from_str(order(&bed).await["metadata"]["annotations"]["flightdeck.dev/flight"].as_str().unwrap()).unwrap();
        assert_eq!((&fence["term"], &fence["way"]), (&2.into(), &"forward".into()));
    });
}

#[test]
fn a_driver_whose_lease_was_taken_holds_and_takes_it_again_by_a_key() {
    in_lab("driver-thinks", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let folder = tempfile::tempdir().unwrap();
        let mut ana = Deck::ready(&bed, "admin", "ana", folder.path()).await;
        let id = ana.launch(&SLOW);
        ana.until("the first batch", half(&id)).await;
        // Its version changes under the driver's hands, and it is still his: he goes on.
        let leases: Api<Lease> = bed.api();
        let touch = json!({"metadata": {"annotations": {"somebody": "touched it"}}});
        leases.patch("flightdeck.order", &PatchParams::default(), &Patch::Merge(touch)).await.unwrap();
        let before = ana.view(&id).unwrap().status.step;
        ana.until("a step further", |w| (view(w, &id)?.status.step > before).then_some(())).await;
        assert!(holder(&bed).await.starts_with("ana@lab/"));
        // Now it is not.
        let theirs = json!({"spec": {"holderIdentity": "bob@desk/1", "leaseTransitions": 7, "leaseDurationSeconds": 600}});
        leases.patch("flightdeck.order", &PatchParams::default(), &Patch::Merge(theirs)).await.unwrap();
        let cause = ana
            .until("held", |w| match view(w, &id)?.status.mood {
                Mood::Held { cause, key: Some('T') } => Some(cause),
                _ => None,
            })
            .await;
        assert_eq!(cause, "bob@desk drives it: T takes it");
        ana.press(&id, Verb::Take).unwrap();
        assert_eq!(ana.world.rollout(&id).unwrap().term(), Term(8));
        ana.until("promoted", phase(&id, Phase::Promoted)).await;
        assert_eq!(image(&bed).await, "shop/order:v43");
    });
}

#[test]
fn where_the_traffic_object_says_back_and_the_record_forward_the_successor_goes_back() {
    in_lab("driver-back", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut ana = Deck::ready(&bed, "admin", "ana", one.path()).await;
        let id = ana.launch(&HOLDS);
        ana.until("the first batch", half(&id)).await;
        ana.until("kept", |w| w.is_kept(&id).then_some(())).await;
        let old = ana.world.rollout(&id).unwrap().plan().legs[0].old.clone();
        drop(ana);
        // The one write of a rollback that got out before the laptop died: the fence alone.
        let fence = json!({"rollout": id, "term": 2, "way": "back", "to": old}).to_string();
        let deployments: Api<Deployment> = bed.api();
        let note = json!({"metadata": {"annotations": {"flightdeck.dev/flight": fence}}});
        deployments.patch("order", &PatchParams::default(), &Patch::Merge(note)).await.unwrap();

        let mut bob = Deck::ready(&bed, "admin", "bob", two.path()).await;
        bob.until("followed", |w| w.follows(&id).then_some(())).await;
        bob.press(&id, Verb::Take).unwrap();
        assert_eq!(bob.world.rollout(&id).unwrap().phase(), Phase::RollingBack);
        bob.until("back", |w| matches!(w.rollout(&id)?.phase(), Phase::Back | Phase::RolledBack).then_some(())).await;
        assert_eq!(image(&bed).await, "shop/order:v42");
    });
}

#[test]
fn a_rollback_from_another_machine_needs_no_lease_and_the_driver_goes_back_with_it() {
    in_lab("driver-rollback", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut ana = Deck::ready(&bed, "admin", "ana", one.path()).await;
        let id = ana.launch(&HOLDS);
        ana.until("the first batch", half(&id)).await;
        ana.until("kept", |w| w.is_kept(&id).then_some(())).await;
        let mut bob = Deck::ready(&bed, "admin", "bob", two.path()).await;
        bob.press(&id, Verb::Rollback).unwrap();
        until(&mut [&mut ana, &mut bob], "the driver goes back too", |w| {
            matches!(w.rollout(&id)?.phase(), Phase::RollingBack | Phase::Back | Phase::RolledBack).then_some(())
        })
        .await;
        until(&mut [&mut bob, &mut ana], "back", |w| matches!(w.rollout(&id)?.phase(), Phase::Back | Phase::RolledBack).then_some(()))
            .await;
        assert_eq!(image(&bed).await, "shop/order:v42");
    });
}

#[test]
fn without_rights_on_config_maps_and_leases_it_flies_with_its_own_log_and_says_so() {
    in_lab("driver-denied", async |bed| {
        let namespace = bed.namespace.clone();
        bed.apply(
            &format!(
                r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: patcher}}
rules:
- {{apiGroups: [apps], resources: [deployments], verbs: [patch]}}
- {{apiGroups: [""], resources: [pods/proxy], verbs: [get]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: patcher}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: patcher}}
subjects: [{{kind: User, name: viewer, apiGroup: rbac.authorization.k8s.io, namespace: {namespace}}}]
"#
            )
            .replace(&format!(", namespace: {namespace}"), ""),
        )
        .await;
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let folder = tempfile::tempdir().unwrap();
        let mut ana = Deck::ready(&bed, "viewer", "ana", folder.path()).await;
        let id = ana.launch(&[]);
        let only_here = ana.until("said", |w| Some(view(w, &id)?.record.only_here).filter(|all| all.len() == 2)).await.join("; ");
        assert!(only_here.contains(&format!("configmaps in namespace {namespace}")), "{only_here}");
        assert!(only_here.contains(&format!("leases in namespace {namespace}")), "{only_here}");
        ana.until("promoted", phase(&id, Phase::Promoted)).await;
        assert_eq!(image(&bed).await, "shop/order:v43");
        let maps: Api<ConfigMap> = bed.api();
        assert!(maps.get_opt("flightdeck.order").await.unwrap().is_none());
    });
}

#[test]
fn a_flightdeck_that_was_stopped_for_a_minute_writes_nothing_when_it_wakes() {
    in_lab("driver-stopped", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let run = |name: &str, data: &Path, line: &str| {
            let mut command = tokio::process::Command::from(bed.flightdeck("admin", data));
            command.args(line.split(' ')).args(["-n", &bed.namespace]).env("USER", name).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.kill_on_drop(true);
            command
        };
        let mut first =
            run("ana", one.path(), "deploy order --to v43 --strategy rolling --step-interval 20s --yes --json").spawn().unwrap();
        let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
        let pid = Pid::from_raw(first.id().unwrap() as i32).unwrap();
        let line: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        let id = line["rollout"].as_str().unwrap().to_owned();
        bed.until("the first batch holds", async || order(&bed).await["spec"]["paused"].as_bool().filter(|p| *p)).await;
        kill_process(pid, Signal::STOP).unwrap();
        let stopped = tokio::time::Instant::now();

        // From another machine: seen, taken, taken back.
        let json = async |line: &str| -> Value {
            let done = run("bob", two.path(), line).output().await.unwrap();
            let out = String::from_utf8_lossy(&done.stdout).into_owned();
            serde_json::from_str(&out).unwrap_or_else(|e| panic!("{line}: {e}: {out}{}", String::from_utf8_lossy(&done.stderr)))
        };
        let status = json("status --json").await;
        let seen = status["rollouts"].as_array().unwrap().iter().find(|r| r["id"] == id.as_str()).unwrap().clone();
        assert!(seen["driver"]["name"].as_str().unwrap().starts_with("ana@"), "{seen}");
        let taken = json(&format!("take {id} --json")).await;
        assert_eq!((&taken["done"], &taken["status"]["term"]), (&true.into(), &2.into()), "{taken}");
        let back = json(&format!("rollback {id} --json")).await;
        assert_eq!(back["done"], true, "{back}");
        let after = order(&bed).await;
        tokio::time::sleep_until(stopped + Duration::from_secs(60)).await;
        kill_process(pid, Signal::CONT).unwrap();

        let mut last = Value::Null;
        while let Some(line) = lines.next_line().await.unwrap() {
            last = serde_json::from_str(&line).unwrap();
        }
        assert_eq!(last["event"], "finished", "{last}");
        // It goes back with the one who did, or has nothing to do any more; it never goes forward again.
        assert!(matches!(first.wait().await.unwrap().code(), Some(10 | 11)), "{last}");
        assert_eq!(image(&bed).await, "shop/order:v42");
        let term =
            |o: &Value| serde_json::from_str::<Value>(o["metadata"]["annotations"]["flightdeck.dev/flight"].as_str().unwrap()).unwrap();
        assert_eq!(term(&after)["way"], "back");
        assert_eq!(term(&order(&bed).await)["way"], "back");
    });
}

#[test]
fn a_machine_that_slept_holds_until_leases_are_renewed_and_a_fresh_observation_is_seen() {
    in_lab("driver-slept", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let folder = tempfile::tempdir().unwrap();
        let mut ana = Deck::behind(&bed, "ana", folder.path(), Span::secs(62));
        ana.until("all is known", |w| (w.heard_all() && w.rights_known() && w.records_known() && w.service("order").is_ok()).then_some(()))
            .await;
        let id = ana.launch(&HOLDS);
        ana.until("the first batch", half(&id)).await;
        // It wakes: nothing is decided before who drives is known again.
        ana.behind = Span::ZERO;
        ana.step();
        let held = ana.view(&id).unwrap().status.mood;
        let words = "this machine slept for 1m2s: who drives in east is asked first";
        assert!(
            matches!(&held, Mood::Held { cause, key: Some('T') } if cause.starts_with(&words[..22]) && cause.ends_with(&words[30..])),
            "{held:?}"
        );
        ana.until("goes on", |w| (view(w, &id)?.status.mood == Mood::OnCourse).then_some(())).await;
        ana.press(&id, Verb::PromoteFull).unwrap();
        ana.until("promoted", phase(&id, Phase::Promoted)).await;
    });
}
