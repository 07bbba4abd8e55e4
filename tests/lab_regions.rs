//! Three real API servers as three regions: waves, a region that is lost in each phase and comes back, contexts that never answer,
//! and whom a request goes to.
//!
//! A region is lost by killing its API server; its pods run on. Decks here have a clock that is behind until they are told to
//! catch up, so that no test waits for the two minutes after which a rollback that is not proven says so.

#[path = "lab/faults.rs"]
mod faults;
#[path = "lab/harness.rs"]
mod harness;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use faults::{Fault, Faults};
use flightdeck::cockpit::{FleetSpec, Ids, Intent, RegionState, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::FileStore;
use flightdeck::platform::kubernetes::{Contexts, KubernetesPlatform, RegionSpec};
use flightdeck::rollout::{LegMood, Mood, Phase, Verb};
use flightdeck::strategy::{Document, Plan, Sources, compile};
use flightdeck::tui::keymap::Keymap;
use flightdeck::tui::model::{Hand, Model};
use flightdeck::tui::session::Session;
use flightdeck::units::{Namespace, Person, Region, RolloutId, Span, Time, Trouble, Version};
use futures::future::join_all;
use harness::{ApiAway, Bed, in_clusters};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long anything may take. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(90);
const REGIONS: [&str; 3] = ["east", "middle", "west"];
const WEST: usize = 2;
/// A little more than the time after which a rollback that is not proven says so.
const BEHIND: Span = Span::secs(125);

/// A flightdeck over regions of the lab.
struct Deck {
    world: World,
    behind: Span,
    id: Option<RolloutId>,
}

impl Deck {
    /// `regions` are names with their contexts.
    fn open(kubeconfig: &Path, regions: &[(&str, &str)], namespace: &str, data: &Path) -> Deck {
        let specs: Vec<RegionSpec> = regions
            .iter()
            .map(|(name, context)| RegionSpec {
                name: Region::new(*name),
                context: (*context).to_owned(),
                namespaces: vec![Namespace::new(namespace)],
                prometheus: None,
            })
            .collect();
        let platform = KubernetesPlatform::start(Contexts::read(Some(kubeconfig)).unwrap(), &specs).unwrap();
        let spec = FleetSpec {
            name: "lab".into(),
            practice: false,
            protection: Protection::Safe,
            readonly: false,
            grace: Span(1500),
            regions: regions.iter().map(|(name, _)| flightdeck::cockpit::RegionSpec { name: Region::new(*name), role: None }).collect(),
        };
        let now = Time(jiff::Timestamp::now().as_millisecond()) - BEHIND;
        let store = Box::new(FileStore::new(data));
        Deck { world: World::new(spec, Box::new(platform), store, None, Ids::fresh(), now), behind: BEHIND, id: None }
    }
    /// On all three clusters.
    fn on(kubeconfig: &Path, beds: &[Bed], data: &Path) -> Deck {
        let regions: Vec<(&str, &str)> = REGIONS.into_iter().zip(beds.iter().map(Bed::context)).collect();
        Deck::open(kubeconfig, &regions, &beds[0].namespace, data)
    }
    fn now(&self) -> Time {
        Time(jiff::Timestamp::now().as_millisecond()) - self.behind
    }
    /// Steps until something is so.
    async fn until<T>(&mut self, what: &str, mut wanted: impl AsyncFnMut(&mut World) -> Option<T>) -> T {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let now = self.now();
                self.world.step(now);
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
        let regions = snapshot.regions.iter().map(|r| format!("{} {:?}", r.name, r.state));
        let notes = snapshot.rollouts.iter().flat_map(|r| r.notes.iter().map(|n| format!("{} {} {}", n.at.clock(), n.text, n.aside)));
        let status = snapshot.rollouts.iter().map(|r| format!("{:?} {:#?}", r.status.mood, r.status.legs));
        regions.chain(status).chain(notes).collect::<Vec<_>>().join("\n")
    }
    /// Waits until a service is seen whole in so many regions, with what may be done there.
    async fn sees(&mut self, service: &str, regions: usize) {
        self.until(&format!("{service} in {regions} regions"), async |world| {
            let service = world.service(service).ok()?;
            let legs = world.legs(&service, "v43", None).ok()?;
            let snapshot = world.snapshot();
            let answer = snapshot.regions.iter().filter(|r| r.state == RegionState::Answers).count() == regions;
            (answer && legs.len() == regions && world.rights_known() && legs.iter().all(|l| l.beside.is_some())).then_some(())
        })
        .await;
    }
    fn plan(&self, service: &str, to: &str, options: &[(&str, &str)]) -> Result<Arc<Plan>, Vec<Trouble>> {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let document = Document::read(&Sources { options, ..Sources::default() })?;
        let service = self.world.service(service).map_err(|t| vec![t])?;
        let legs = self.world.legs(&service, to, None).map_err(|t| vec![t])?;
        Ok(Arc::new(compile(&document, &legs, &service, &Version::new(to))?))
    }
    fn launch(&mut self, plan: Arc<Plan>) -> Result<RolloutId, Trouble> {
        let id = self.world.take(self.now(), Intent::Launch { plan, reason: None }, &Person::new("mara"), true)?;
        self.id = Some(id.clone());
        Ok(id)
    }
    fn press(&mut self, verb: Verb) -> Result<RolloutId, Trouble> {
        let rollout = self.id.clone().unwrap();
        self.world.take(self.now(), Intent::Press { rollout, verb, reason: None }, &Person::new("ana"), true)
    }
    fn moods(&mut self) -> Vec<LegMood> {
        let (snapshot, id) = (self.world.snapshot(), self.id.clone().unwrap());
        snapshot.rollout(&id).unwrap().status.legs.iter().map(|l| l.mood).collect()
    }
    fn phase(&self) -> Phase {
        self.world.rollout(self.id.as_ref().unwrap()).unwrap().phase()
    }
    /// Ends the hold between two waves.
    async fn next_wave(&mut self) {
        let rollout = self.id.clone().unwrap();
        self.until("a hold that can be ended", async |world| {
            let intent = Intent::Press { rollout: rollout.clone(), verb: Verb::Promote, reason: None };
            world.take(world.now(), intent, &Person::new("ana"), true).ok()
        })
        .await;
    }
}

/// A service of two pods of v42 in each region.
async fn deployed(beds: &[Bed], name: &str) {
    join_all(beds.iter().map(|bed| bed.deploy(name, 2, "shop/order:v42"))).await;
    join_all(beds.iter().map(|bed| bed.until_available(name))).await;
}

async fn deployment(bed: &Bed, name: &str) -> Deployment {
    bed.api::<Deployment>().get(name).await.unwrap()
}

fn version(d: &Deployment) -> &str {
    let image = d.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0].image.as_deref().unwrap();
    image.strip_prefix("shop/order:").unwrap()
}

/// Whether all pods of a Deployment are of this version, ready, and nothing of its owner's is kept aside.
fn is_whole(d: &Deployment, on: &str) -> bool {
    let status = d.status.clone().unwrap_or_default();
    let wanted = d.spec.as_ref().unwrap().replicas;
    let counts = [status.replicas, status.updated_replicas, status.available_replicas];
    let aside = d.metadata.annotations.iter().flatten().any(|(key, _)| key == "flightdeck.dev/strategy");
    version(d) == on && status.observed_generation == d.metadata.generation && counts == [wanted; 3] && !aside
}

async fn whole(bed: &Bed, name: &str, on: &str) -> bool {
    is_whole(&deployment(bed, name).await, on)
}

/// Whether the template is the old one again, pods and all.
async fn old_template(bed: &Bed) -> bool {
    whole(bed, "order", "v42").await
}

/// Whether the Service sends to the old pods.
async fn old_split(bed: &Bed) -> bool {
    selected(bed).await == "order"
}

async fn selected(bed: &Bed) -> String {
    bed.api::<Service>().get("order").await.unwrap().spec.unwrap().selector.unwrap()["app"].clone()
}

const ROLLING: [(&str, &str); 4] = [("strategy", "rolling"), ("healthyInARow", "1"), ("checkInterval", "1s"), ("rollbackWindow", "10m")];
const BLUE_GREEN: [(&str, &str); 4] =
    [("strategy", "blue-green"), ("healthyInARow", "1"), ("checkInterval", "1s"), ("rollbackWindow", "10m")];

fn with<'a>(options: &[(&'a str, &'a str)], regions: &'a str) -> Vec<(&'a str, &'a str)> {
    options.iter().copied().chain([("regions", regions)]).collect()
}

/// After `R`, with the API server of the west away: the rest is back and proven while it is; the west is unknown, the whole is
/// moved and not proven, and when the west answers again it goes back too.
async fn the_rest_at_once_and_the_west_later(deck: &mut Deck, beds: &[Bed], away: ApiAway<'_>, back: impl AsyncFn(&Bed) -> bool) {
    deck.until("the rest is back", async |_| (back(&beds[0]).await && back(&beds[1]).await).then_some(())).await;
    let id = deck.id.clone().unwrap();
    let proven = [LegMood::Done, LegMood::Done, LegMood::Unknown];
    deck.until("the rest is proven, the west unknown", async |world| {
        let moods: Vec<LegMood> = world.snapshot().rollout(&id)?.status.legs.iter().map(|l| l.mood).collect();
        (moods == proven).then_some(())
    })
    .await;
    assert_eq!(deck.phase(), Phase::RollingBack);
    deck.behind = Span::ZERO;
    let missing = deck
        .until("moved, not proven", async |world| match &world.snapshot().rollout(&id)?.status.mood {
            Mood::NotProven { missing } => Some(missing.clone()),
            _ => None,
        })
        .await;
    assert!(missing.starts_with("west silent since"), "{missing}");
    let notes = deck.world.snapshot().rollout(&id).unwrap().notes.clone();
    assert!(notes.iter().any(|n| n.text == "moved, not proven" && n.aside.starts_with("west silent")), "{notes:?}");
    assert_eq!(deck.moods(), proven);
    drop(away);
    deck.until("the west is back", async |_| back(&beds[WEST]).await.then_some(())).await;
    deck.until("all of it is proven", async |world| matches!(world.rollout(&id)?.phase(), Phase::Back | Phase::RolledBack).then_some(()))
        .await;
}

#[test]
fn a_wave_waits_for_the_one_before_its_regions_move_together_and_r_takes_back_every_leg_that_moved() {
    in_clusters("regions-waves", async |beds| {
        deployed(&beds, "order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::on(&beds[0].lab.kubeconfig("admin"), &beds, data.path());
        deck.sees("order", 3).await;
        let plan = deck.plan("order", "v43-start2", &with(&ROLLING, "{waves: [[east], [middle, west]], between: 1h}")).unwrap();
        let untouched = [deployment(&beds[1], "order").await.metadata.generation, deployment(&beds[2], "order").await.metadata.generation];
        deck.launch(plan).unwrap();
        deck.until("the first wave is done", async |_| whole(&beds[0], "order", "v43-start2").await.then_some(())).await;
        let later = [deployment(&beds[1], "order").await.metadata.generation, deployment(&beds[2], "order").await.metadata.generation];
        assert_eq!(later, untouched);
        deck.next_wave().await;
        deck.until("both regions of the second wave move", async |_| {
            let (middle, west) = (deployment(&beds[1], "order").await, deployment(&beds[2], "order").await);
            // None of them waits until the other is done.
            let one_after_the_other = |a: &Deployment, b: &Deployment| is_whole(a, "v43-start2") && version(b) == "v42";
            assert!(!one_after_the_other(&middle, &west) && !one_after_the_other(&west, &middle));
            (version(&middle) != "v42" && version(&west) != "v42").then_some(())
        })
        .await;
        deck.press(Verb::Rollback).unwrap();
        for bed in &beds {
            deck.until(&format!("{} is back", bed.context()), async |_| old_template(bed).await.then_some(())).await;
        }
        let id = deck.id.clone().unwrap();
        deck.until("proven", async |world| matches!(world.rollout(&id)?.phase(), Phase::Back | Phase::RolledBack).then_some(())).await;
    });
}

#[test]
fn a_region_that_is_lost_at_launch_stops_nothing_of_the_way_back_and_is_named_to_the_next_who_launches() {
    in_clusters("regions-launch", async |beds| {
        deployed(&beds, "order").await;
        let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut deck = Deck::on(&beds[0].lab.kubeconfig("admin"), &beds, data.path());
        deck.sees("order", 3).await;
        let plan = deck.plan("order", "v43", &with(&ROLLING, "all")).unwrap();
        // The deck has not heard of it when it launches.
        let away = beds[WEST].lab.stop_api_of(WEST);
        deck.launch(plan.clone()).unwrap();
        deck.until("the rest moves", async |_| {
            let (east, middle) = (deployment(&beds[0], "order").await, deployment(&beds[1], "order").await);
            (version(&east) == "v43" && version(&middle) == "v43").then_some(())
        })
        .await;
        deck.press(Verb::Rollback).unwrap();
        // Another one that has never heard the west cannot know whether the service runs there: it does not leave it out by itself.
        let output = deploy(&beds, other.path(), "all");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.contains("west: it does not answer, and may run it too"), "{words}");
        the_rest_at_once_and_the_west_later(&mut deck, &beds, away, old_template).await;
    });
}

/// `flightdeck deploy order` with a fleet of the three regions in its settings.
fn deploy(beds: &[Bed], folder: &Path, regions: &str) -> std::process::Output {
    let region = |(name, bed): (&str, &Bed)| json!({"name": name, "context": bed.context(), "namespaces": [bed.namespace]});
    let regions_of_the_fleet: Vec<Value> = REGIONS.into_iter().zip(beds).map(region).collect();
    let settings = folder.join("settings.yaml");
    std::fs::write(&settings, json!({"fleets": [{"name": "lab", "regions": regions_of_the_fleet}]}).to_string()).unwrap();
    let mut command = beds[0].flightdeck("admin", folder);
    command.args(["deploy", "order", "--strategy", "rolling", "--to", "v43", "--yes", "--env", "lab", "--regions", regions, "--settings"]);
    command.arg(settings).output().unwrap()
}

#[test]
fn a_region_that_is_lost_with_the_answer_to_a_write_goes_back_when_it_is_there_again() {
    in_clusters("regions-write", async |beds| {
        deployed(&beds, "order").await;
        let data = tempfile::tempdir().unwrap();
        let faults = Faults::before(&beds[0].lab.kubeconfig("admin"));
        let mut deck = Deck::on(&faults.kubeconfig(), &beds, data.path());
        deck.sees("order", 3).await;
        let plan = deck.plan("order", "v43", &with(&ROLLING, "{waves: [[east, middle], [west]], between: 1h}")).unwrap();
        deck.launch(plan).unwrap();
        deck.until("the first wave is done", async |_| {
            (whole(&beds[0], "order", "v43").await && whole(&beds[1], "order", "v43").await).then_some(())
        })
        .await;
        faults.next("PATCH /apis/apps/v1/", Fault::LostAnswer);
        deck.next_wave().await;
        let seen = deck.until("the write without an answer", async |_| faults.seen().first().cloned()).await;
        assert_eq!(seen.context, beds[WEST].context());
        let away = beds[WEST].lab.stop_api_of(WEST);
        deck.press(Verb::Rollback).unwrap();
        the_rest_at_once_and_the_west_later(&mut deck, &beds, away, old_template).await;
    });
}

#[test]
fn a_region_that_is_lost_in_a_hold_keeps_the_new_version_until_it_answers_and_the_rest_goes_back_at_once() {
    in_clusters("regions-hold", async |beds| {
        deployed(&beds, "order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = Deck::on(&beds[0].lab.kubeconfig("admin"), &beds, data.path());
        deck.sees("order", 3).await;
        let plan = deck.plan("order", "v43", &with(&BLUE_GREEN, "all")).unwrap();
        deck.launch(plan).unwrap();
        for bed in &beds {
            deck.until("the switch", async |_| (selected(bed).await == "order-next").then_some(())).await;
        }
        let away = beds[WEST].lab.stop_api_of(WEST);
        let west = Region::new(REGIONS[WEST]);
        deck.until("the west is silent", async |world| {
            let snapshot = world.snapshot();
            let region = snapshot.regions.iter().find(|r| r.name == west)?;
            matches!(region.state, RegionState::Silent { .. }).then_some(())
        })
        .await;
        assert_eq!(deck.phase(), Phase::Flying);
        deck.press(Verb::Rollback).unwrap();
        the_rest_at_once_and_the_west_later(&mut deck, &beds, away, old_split).await;
    });
}

#[test]
fn a_region_that_is_lost_while_the_way_back_is_being_written_does_not_hold_the_others() {
    in_clusters("regions-back", async |beds| {
        deployed(&beds, "order").await;
        let data = tempfile::tempdir().unwrap();
        let faults = Faults::before(&beds[0].lab.kubeconfig("admin"));
        let mut deck = Deck::on(&faults.kubeconfig(), &beds, data.path());
        deck.sees("order", 3).await;
        let plan = deck.plan("order", "v43", &with(&BLUE_GREEN, "all")).unwrap();
        deck.launch(plan).unwrap();
        for bed in &beds {
            deck.until("the switch", async |_| (selected(bed).await == "order-next").then_some(())).await;
        }
        // The request to the west hangs, and then there is nobody to answer it.
        faults.always(beds[WEST].context(), Fault::Hang);
        deck.press(Verb::Rollback).unwrap();
        let patch = format!("/api/v1/namespaces/{}/services/order", beds[WEST].namespace);
        deck.until("the request to the west", async |_| {
            faults.seen().iter().any(|s| s.method == "PATCH" && s.path.starts_with(&patch)).then_some(())
        })
        .await;
        let away = beds[WEST].lab.stop_api_of(WEST);
        faults.off();
        the_rest_at_once_and_the_west_later(&mut deck, &beds, away, old_split).await;
    });
}

/// The lab's kubeconfig with two contexts more: `hangs`, whose port takes connections and says nothing, and `refuses`.
fn with_dead_contexts(kubeconfig: &Path, silent: u16, closed: u16, folder: &Path) -> std::path::PathBuf {
    let mut all = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    for (name, port) in [("hangs", silent), ("refuses", closed)] {
        let (mut cluster, mut context) = (all.clusters[0].clone(), all.contexts[0].clone());
        (cluster.name, context.name) = (name.to_owned(), name.to_owned());
        cluster.cluster.as_mut().unwrap().server = Some(format!("https://127.0.0.1:{port}"));
        context.context.as_mut().unwrap().cluster = name.to_owned();
        all.clusters.push(cluster);
        all.contexts.push(context);
    }
    let path = folder.join("kubeconfig");
    std::fs::write(&path, serde_yaml::to_string(&all).unwrap()).unwrap();
    path
}

#[test]
fn contexts_that_hang_and_refuse_are_still_being_tried_when_rows_are_there_and_a_rollback_is_written() {
    in_clusters("regions-dead", async |beds| {
        deployed(&beds, "order").await;
        let data = tempfile::tempdir().unwrap();
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let port = silent.local_addr().unwrap().port();
        let kubeconfig = with_dead_contexts(&beds[0].lab.kubeconfig("admin"), port, closed, data.path());
        // The dead ones come first.
        let regions = [("hangs", "hangs"), ("refuses", "refuses"), ("east", beds[0].context()), ("middle", beds[1].context())];
        let mut deck = Deck::open(&kubeconfig, &regions, &beds[0].namespace, data.path());
        let (asked, _) = silent.accept().await.unwrap();
        deck.sees("order", 2).await;
        // The first question to the one that hangs is still open.
        let state = |deck: &mut Deck, name: &str| {
            let snapshot = deck.world.snapshot();
            snapshot.regions.iter().find(|r| r.name.as_str() == name).unwrap().state.clone()
        };
        assert!(is_open(&asked) && matches!(state(&mut deck, "hangs"), RegionState::Connecting { .. }));
        let plan = deck.plan("order", "v43", &with(&ROLLING, "[east, middle]")).unwrap();
        deck.launch(plan).unwrap();
        deck.until("both are on the new version", async |_| {
            (whole(&beds[0], "order", "v43").await && whole(&beds[1], "order", "v43").await).then_some(())
        })
        .await;
        drop(asked);
        // What is pressed while a question to it is open does not wait for its end.
        let asked =
            deck.until("the next question", async |_| tokio::time::timeout(Duration::ZERO, silent.accept()).await.ok()?.ok()).await.0;
        deck.press(Verb::Rollback).unwrap();
        deck.until("both have the old template", async |_| {
            let (east, middle) = (deployment(&beds[0], "order").await, deployment(&beds[1], "order").await);
            (version(&east) == "v42" && version(&middle) == "v42").then_some(())
        })
        .await;
        assert!(is_open(&asked));
        let id = deck.id.clone().unwrap();
        deck.until("proven", async |world| matches!(world.rollout(&id)?.phase(), Phase::Back | Phase::RolledBack).then_some(())).await;
        deck.until("both dead ones are said", async |world| {
            let snapshot = world.snapshot();
            let silent = snapshot.regions.iter().filter(|r| matches!(r.state, RegionState::Silent { .. }));
            (silent.map(|r| r.name.as_str()).collect::<Vec<_>>() == ["hangs", "refuses"]).then_some(())
        })
        .await;
    });
}

/// Whether the other side still waits: it has said its first word and has not hung up.
fn is_open(stream: &tokio::net::TcpStream) -> bool {
    let mut word = [0; 4096];
    loop {
        match stream.try_read(&mut word) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(e) => return e.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn a_rollback_goes_to_the_cluster_it_was_pressed_for_whatever_is_selected_when_it_is_sent() {
    in_clusters("regions-bound", async |beds| {
        // Both services run in both regions, so that a request for the wrong one would find its object.
        deployed(&beds[..2], "order").await;
        deployed(&beds[..2], "cart").await;
        let data = tempfile::tempdir().unwrap();
        let regions = [("east", beds[0].context()), ("middle", beds[1].context())];
        let mut deck = Deck::open(&beds[0].lab.kubeconfig("admin"), &regions, &beds[0].namespace, data.path());
        deck.sees("order", 2).await;
        deck.sees("cart", 2).await;
        let cart = deck.launch(deck.plan("cart", "v43", &with(&ROLLING, "[middle]")).unwrap()).unwrap();
        let order = deck.launch(deck.plan("order", "v43", &with(&ROLLING, "[east]")).unwrap()).unwrap();
        deck.until("both are there", async |_| {
            (whole(&beds[0], "order", "v43").await && whole(&beds[1], "cart", "v43").await).then_some(())
        })
        .await;
        let others = async || {
            let other = [(&beds[0], "cart"), (&beds[1], "order"), (&beds[1], "cart")];
            join_all(other.iter().map(|(bed, name)| deployment(bed, name))).await.iter().map(|d| d.metadata.generation).collect::<Vec<_>>()
        };
        let before = others().await;

        let model = Model::new(deck.world.snapshot(), Keymap::default(), None, None);
        let behind = deck.behind;
        let mut session = Session::new(deck.world, model, Person::new("ana"));
        let key = |session: &mut Session, hand: u64, key: char| {
            let modifiers = if key.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
            session.key(Hand(hand), KeyEvent::new(KeyCode::Char(key), modifiers));
        };
        let (down, up) = if session.model.order.first() == Some(&order) { ('j', 'k') } else { ('k', 'j') };
        key(&mut session, 10_000, up);
        assert_eq!(session.model.selected.as_ref(), Some(&order));
        key(&mut session, 10_300, 'R');
        assert!(session.model.grace.is_some());
        key(&mut session, 10_600, down);
        assert_eq!(session.model.selected.as_ref(), Some(&cart));
        session.tick(Hand(11_900));
        assert!(session.model.grace.is_none());

        let mut deck = Deck { world: session.world, behind, id: Some(order.clone()) };
        deck.until("order is back in the east", async |_| old_template(&beds[0]).await.then_some(())).await;
        deck.until("proven", async |world| matches!(world.rollout(&order)?.phase(), Phase::Back | Phase::RolledBack).then_some(())).await;
        assert_eq!(others().await, before);
        assert_eq!(deck.world.rollout(&cart).unwrap().phase(), Phase::Flying);
    });
}
