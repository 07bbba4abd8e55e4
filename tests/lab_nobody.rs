//! Safe with nobody driving: the driver is stopped for good after each single write of whole canaries, blue-greens and rollbacks, then
//! the owner does what he likes with `order`, and then another flightdeck finishes or rolls back. Users send all the while.
//!
//! `NOBODY_CASES=all` runs every write; else a few, spread, by `NOBODY_SEED`. `NOBODY_CASES=canary:7:3,...` repeats (flight, write, seed).

#[path = "lab/deck.rs"]
mod deck;
#[path = "lab/faults.rs"]
mod faults;
#[path = "lab/harness.rs"]
mod harness;
#[path = "lab/owner.rs"]
mod owner;

use deck::{Deck, blue_green, canary};
use faults::Faults;
use flightdeck::cockpit::World;
use flightdeck::rollout::{Phase, Verb};
use harness::{Bed, GATEWAY, Load, Report, in_lab_with, now};
use owner::{ACTS, Act, Acted, HOTFIX, OLD, act, behind_a_gateway, deployment, image, left, lost, manifest, selector, weight};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

/// Which writes the driver is stopped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Flight {
    /// A canary by the route, to its end.
    Canary,
    /// A blue-green by the selector, to its end.
    BlueGreen,
    /// The rollback of a canary at half.
    CanaryBack,
    /// The rollback of a blue-green that was switched.
    BlueGreenBack,
    /// The rollback of a blue-green whose version is being adopted.
    AdoptionBack,
}

/// With the number of their writes, as counted; one that ends before is taken to its end.
const FLIGHTS: [(Flight, &str, usize); 5] = [
    (Flight::Canary, "canary", 12),
    (Flight::BlueGreen, "blue-green", 8),
    (Flight::CanaryBack, "canary-back", 4),
    (Flight::BlueGreenBack, "blue-green-back", 4),
    (Flight::AdoptionBack, "adoption-back", 5),
];

/// Cases at the same time: they mostly wait.
const BESIDE: usize = 5;

#[derive(Clone, Copy, Debug)]
struct Case {
    flight: Flight,
    /// The driver stops when so many writes were answered.
    nth: usize,
    /// What the owner does, in which order, and how it ends.
    seed: u64,
}

/// What a case came to.
struct Tally {
    case: String,
    writes: Vec<String>,
    acts: Vec<Acted>,
    report: Report,
    /// What is wrong, in words.
    wrong: Vec<String>,
}

impl Flight {
    fn routed(self) -> bool {
        matches!(self, Flight::Canary | Flight::CanaryBack)
    }
    fn back(self) -> bool {
        !matches!(self, Flight::Canary | Flight::BlueGreen)
    }
    fn name(self) -> &'static str {
        FLIGHTS.iter().find(|(flight, ..)| *flight == self).unwrap().1
    }
    fn version(self) -> &'static str {
        if self == Flight::AdoptionBack { "v43-start5" } else { "v43" }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.flight.name(), self.nth, self.seed)
    }
}

async fn users(bed: &Bed, routed: bool) -> Load {
    match routed {
        true => behind_a_gateway(bed, "60").await,
        false => bed.load(&["--service", &format!("{}/order", bed.namespace), "--rps", "60", "--timeout", "10"]),
    }
}

/// What the same acts cost on an untouched Deployment.
async fn control(bed: &Bed, routed: bool) -> BTreeMap<Act, u64> {
    let manifest = manifest(bed).await;
    let users = users(bed, routed).await;
    let mut acts = Vec::new();
    for one in ACTS {
        acts.push(act(bed, one, &manifest).await);
    }
    let report = users.stop();
    acts.iter().map(|a| (a.act, lost(&report, a.from, a.to))).collect()
}

/// One case, from a new Deployment to the end of everything of ours.
async fn fly(bed: &Bed, case: Case) -> Tally {
    let Case { flight, nth, seed } = case;
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let manifest = manifest(bed).await;
    let users = users(bed, flight.routed()).await;
    let begun = owner::answered(bed, &users).await;
    let admin = bed.lab.kubeconfig("admin");
    let faults = Faults::before(&admin);
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let new = format!("shop/order:{}", flight.version());

    // The driver, until it is stopped.
    let mut deck = Deck::open(&faults.kubeconfig(), &bed.namespace, data.path());
    if !flight.back() {
        faults.stop_after(nth);
    }
    let options = if flight.routed() { canary("1s", "2s").to_vec() } else { blue_green("2s").to_vec() };
    deck.launch(flight.version(), &options).await;
    match flight {
        Flight::Canary | Flight::BlueGreen => {}
        Flight::CanaryBack => deck.until("half of it", async |_| (weight(bed).await == 50).then_some(())).await,
        Flight::BlueGreenBack => deck.until("the switch", async |_| (selector(bed).await == "order-next").then_some(())).await,
        Flight::AdoptionBack => {
            deck.until("the adoption", async |_| (image(&deployment(bed, "order").await?) == new).then_some(())).await;
        }
    }
    if flight.back() {
        faults.stop_after(nth);
        deck.press(Verb::Rollback).unwrap();
    }
    let id = deck.id.clone().unwrap();
    deck.until(&format!("write {nth}"), async |world| {
        let over = matches!(world.rollout(&id)?.phase(), Phase::Promoted | Phase::RolledBack);
        (faults.stopped() || over).then_some(())
    })
    .await;
    let promoted = deck.phase() == Some(Phase::Promoted);
    drop(deck);
    let writes = faults.writes();
    let stopped = now();

    // The owner.
    let mut finishes = !flight.back() && random.random::<bool>();
    let mut planned = ACTS.to_vec();
    planned.shuffle(&mut random);
    // What he set himself cannot be promoted: that is rolled back.
    planned.retain(|act| !finishes || *act != Act::SetImage);
    let (mut acts, mut hotfix) = (Vec::new(), false);
    for one in planned {
        acts.push(act(bed, one, &manifest).await);
        hotfix = one == Act::SetImage || (hotfix && one != Act::Recreate);
    }
    let acted = now();

    // Another flightdeck.
    let elsewhere = !finishes && random.random::<bool>();
    let mut wrong = Vec::new();
    let mut deck = Deck::open(&admin, &bed.namespace, if elsewhere { other.path() } else { data.path() });
    let known = if elsewhere {
        deck.within(Duration::from_secs(15), async |world| Some(world.snapshot().rollouts.first()?.status.id.clone())).await
    } else {
        Some(id)
    };
    deck.id = known;
    if deck.id.is_some() {
        deck.until("the rollout, and its cluster", async |world| (world.rights_known() && world.heard_all()).then_some(())).await;
        if !finishes && !matches!(deck.phase(), Some(Phase::RolledBack | Phase::Promoted)) {
            // One that is on its way back already says so.
            let pressed = deck.press(Verb::Rollback).or_else(|_| deck.press(Verb::Take));
            if let (Err(trouble), false) = (&pressed, flight.back()) {
                wrong.push(format!("R: {trouble}"));
            }
        }
        let id = deck.id.clone().unwrap();
        let ends = async |world: &mut World| {
            world.rollout(&id).is_none_or(|r| matches!(r.phase(), Phase::RolledBack | Phase::Promoted)).then_some(())
        };
        let mut ended = deck.within(Duration::from_secs(90), ends).await;
        // It holds where its owner has moved things under it, and says so; then it is for a person to go back.
        if ended.is_none() && finishes && deck.story().contains("by somebody") {
            finishes = false;
            if let Err(trouble) = deck.press(Verb::Rollback) {
                wrong.push(format!("R: {trouble}"));
            }
            ended = deck.within(Duration::from_secs(90), ends).await;
        }
        if ended.is_none() {
            wrong.push(format!("it came to no end, hotfix {hotfix}, elsewhere {elsewhere}, {acts:?}:\n{}", deck.story()));
        } else if finishes && deck.phase() != Some(Phase::Promoted) {
            wrong.push(format!("it was not promoted:\n{}", deck.story()));
        }
    }
    let tidy = async |_: &mut World| left(bed, flight.routed()).await.is_empty().then_some(());
    let tidied = deck.within(Duration::from_secs(5), tidy).await;
    if tidied.is_none() {
        let rest = left(bed, flight.routed()).await;
        wrong.push(format!("left: {} ({})\n{}", rest.join(", "), if elsewhere { "elsewhere" } else { "same log" }, deck.story()));
    }
    if let Some(order) = deployment(bed, "order").await {
        let runs = image(&order).to_owned();
        let fine = match (hotfix, finishes) {
            (true, _) => runs == HOTFIX,
            // After the end his manifest is what he deploys.
            _ if promoted => runs == new || runs == OLD,
            (false, true) => runs == new,
            // What had been promoted before the driver stopped stays.
            (false, false) => runs == OLD || matches!(deck.phase(), None | Some(Phase::Promoted)),
        };
        if !fine {
            wrong.push(format!("order runs {runs}, hotfix {hotfix}, finishes {finishes}, {:?}", deck.phase()));
        }
    } else {
        wrong.push("order is gone".to_owned());
    }
    drop(deck);
    let report = users.stop();
    for (what, from, to) in [("before it stopped", begun, stopped), ("between", stopped, acts[0].from), ("at its end", acted, f64::MAX)] {
        let lost = lost(&report, from, to);
        if lost > 0 {
            wrong.push(format!("{lost} requests lost {what}: {:?}", report.failures));
        }
    }
    Tally { case: case.to_string(), writes, acts, report, wrong }
}

/// The cases that the environment asks for: all, those it names, or some.
fn cases() -> Vec<Case> {
    let asked = std::env::var("NOBODY_CASES").unwrap_or_default();
    let seed: u64 = std::env::var("NOBODY_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7);
    if asked == "all" {
        let all =
            |(flight, _, writes): (Flight, &str, usize)| (1..=writes).map(move |nth| Case { flight, nth, seed: seed * 1_000 + nth as u64 });
        return FLIGHTS.into_iter().flat_map(all).collect();
    }
    if !asked.is_empty() {
        let one = |text: &str| {
            let parts: Vec<&str> = text.split(':').collect();
            let flight = FLIGHTS.iter().find(|(_, name, _)| *name == parts[0]).unwrap().0;
            Case { flight, nth: parts[1].parse().unwrap(), seed: parts[2].parse().unwrap() }
        };
        return asked.split(',').map(one).collect();
    }
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    FLIGHTS
        .into_iter()
        .map(|(flight, _, writes)| Case { flight, nth: random.random_range(1..=writes), seed: random.random_range(0..1_000) })
        .collect()
}

#[test]
fn with_nobody_driving_the_owner_loses_no_more_than_without_us_and_another_flightdeck_ends_it() {
    let cases = cases();
    let (queue, tallies) = (Mutex::new(cases.into_iter()), Mutex::new(Vec::<Tally>::new()));
    let controls: Mutex<BTreeMap<bool, BTreeMap<Act, u64>>> = Mutex::default();
    let say = |words: String| drop(writeln!(std::io::stderr(), "{words}"));
    std::thread::scope(|scope| {
        for routed in [false, true] {
            let controls = &controls;
            scope.spawn(move || {
                in_lab_with(&[GATEWAY], &format!("nobody-control-{routed}"), async |bed| {
                    let lost = control(&bed, routed).await;
                    controls.lock().unwrap().insert(routed, lost);
                });
            });
        }
        for _ in 0..BESIDE {
            let (queue, tallies, say) = (&queue, &tallies, &say);
            scope.spawn(move || {
                loop {
                    let Some(case) = queue.lock().unwrap().next() else { return };
                    let namespace = format!("nobody-{}", case.to_string().replace(':', "-"));
                    let one = std::panic::AssertUnwindSafe(|| {
                        in_lab_with(&[GATEWAY], &namespace, async |bed| {
                            let tally = fly(&bed, case).await;
                            say(format!("{case}: stopped after {} writes, the last {:?}", tally.writes.len(), tally.writes.last()));
                            tally.wrong.iter().for_each(|wrong| say(format!("{case}: WRONG {wrong}")));
                            tallies.lock().unwrap().push(tally);
                        });
                    });
                    if let Err(panic) = std::panic::catch_unwind(one) {
                        let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                        let (writes, acts, report) = (Vec::new(), Vec::new(), Report::default());
                        tallies.lock().unwrap().push(Tally { case: case.to_string(), writes, acts, report, wrong: vec![words] });
                    }
                }
            });
        }
    });
    let controls = controls.into_inner().unwrap();
    let mut wrong = Vec::new();
    for tally in tallies.into_inner().unwrap() {
        let routed = tally.case.starts_with("canary");
        let mut costs = Vec::new();
        for acted in &tally.acts {
            let (ours, theirs) = (lost(&tally.report, acted.from, acted.to), controls[&routed][&acted.act]);
            costs.push(format!("{:?} {ours}/{theirs}", acted.act));
            // How long nobody is there between his `delete` and his `create` hangs on how busy the machine is: a second is given.
            let noise = if acted.act == Act::Recreate { 60 } else { 0 };
            if ours > theirs + noise {
                wrong.push(format!("{}: {:?} lost {ours} requests, {theirs} without us", tally.case, acted.act));
            }
        }
        say(format!("{}: {}", tally.case, costs.join(", ")));
        wrong.extend(tally.wrong.iter().map(|w| format!("{}: {w}\n{:#?}", tally.case, tally.writes)));
    }
    assert!(wrong.is_empty(), "repeat one with NOBODY_CASES=...\n{}", wrong.join("\n"));
}
