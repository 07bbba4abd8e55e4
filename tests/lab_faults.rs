//! Rollouts through a proxy that does harm by a seeded schedule, with a rollback at a random moment: what must hold is checked on every
//! state that the cluster's own objects went through, and everybody is back at the end.
//!
//! `FAULT_CASES=N` runs so many, from `FAULT_SEED=S` on, `FAULT_BESIDE=B` of them at the same time; a failure names its seed.

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
use futures::StreamExt;
use harness::{Bed, GATEWAY, Report, in_lab_with, now};
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{Config, Event, watcher};
use owner::{FENCES, OLD, behind_a_gateway, deployment, image, left, manifest};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Canary,
    BlueGreen,
    Rolling,
}

const NEW: &str = "v43";
const ROLLING: [(&str, &str); 2] = [("strategy", "rolling"), ("rollbackWindow", "5s")];

/// Schedules at the same time: they mostly wait.
const BESIDE: u64 = 3;

/// A state of what carries the traffic, or of `order`.
#[derive(Clone, Debug, PartialEq)]
struct State {
    /// The second one's share in percent: by the route or the selector.
    share: u64,
    /// What the two have together is not what there is to divide.
    odd: Option<String>,
    /// The image of `order`, where this is it.
    image: Option<String>,
    /// Rollout, term and way of the fence.
    fence: Option<(String, u64, String)>,
}

fn state(object: &Value) -> State {
    let fence = FENCES.iter().find_map(|key| serde_json::from_str::<Value>(object["metadata"]["annotations"][key].as_str()?).ok());
    let fence = fence.map(|f| {
        let text = |name: &str| f[name].as_str().unwrap_or_default().to_owned();
        (text("rollout"), f["term"].as_u64().unwrap_or_default(), text("way"))
    });
    let (mut share, mut odd, mut image) = (0, None, None);
    match &object["spec"] {
        spec if spec["rules"].is_array() => {
            let backends = spec["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
            let weights: Vec<(&str, u64)> =
                backends.iter().map(|b| (b["name"].as_str().unwrap_or_default(), b["weight"].as_u64().unwrap_or(1))).collect();
            let next = weights.iter().find(|(name, _)| *name == "order-next").map(|(_, weight)| *weight);
            let all: u64 = weights.iter().map(|(_, weight)| weight).sum();
            share = next.unwrap_or(0);
            let whole = if next.is_some() { all == 100 } else { weights == [("order", 7)] };
            odd = (!whole).then(|| format!("{weights:?}"));
        }
        spec if spec["template"].is_object() => image = spec["template"]["spec"]["containers"][0]["image"].as_str().map(str::to_owned),
        spec => match spec["selector"]["app"].as_str() {
            Some("order") => {}
            Some("order-next") => share = 100,
            other => odd = Some(format!("{other:?}")),
        },
    }
    State { share, odd, image, fence }
}

/// Every state of an object named `order`, from now on, each once in a row.
fn follow(bed: &Bed, group: &str, kind: &str) -> Arc<Mutex<Vec<State>>> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    let api: Api<DynamicObject> = Api::namespaced_with(bed.client.clone(), &bed.namespace, &kind);
    let states: Arc<Mutex<Vec<State>>> = Arc::default();
    let known = states.clone();
    tokio::spawn(async move {
        let mut events = Box::pin(watcher(api, Config::default().fields("metadata.name=order")));
        while let Some(event) = events.next().await {
            if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
                let now = state(&serde_json::to_value(&object).unwrap());
                let mut known = known.lock().unwrap();
                if known.last() != Some(&now) {
                    known.push(now);
                }
            }
        }
    });
    states
}

/// What does not hold of the states that one object went through.
fn broken(how: How, states: &[State]) -> Vec<String> {
    let mut broken: Vec<String> = states.iter().filter_map(|s| s.odd.clone()).map(|odd| format!("the split is {odd}")).collect();
    let fences: Vec<&(String, u64, String)> = states.iter().filter_map(|s| s.fence.as_ref()).collect();
    for two in fences.windows(2) {
        if two[1].0 != two[0].0 {
            broken.push(format!("two writers: {two:?}"));
        }
        if two[1].1 < two[0].1 {
            broken.push(format!("a term fell: {two:?}"));
        }
        if two[0].2 == "back" && two[1].2 == "forward" {
            broken.push(format!("forward after back: {two:?}"));
        }
    }
    let back = states.iter().position(|s| s.fence.as_ref().is_some_and(|f| f.2 == "back")).unwrap_or(states.len());
    let runs = |part: &[State]| {
        let mut all: Vec<u64> = part.iter().map(|s| s.share).collect();
        all.dedup();
        all
    };
    // Each step once, in the order of the plan; then home.
    let plan: &[u64] = match how {
        How::Canary => &[0, 25, 50, 100, 0],
        How::BlueGreen => &[0, 100, 0],
        How::Rolling => &[0],
    };
    let forward = runs(&states[..back]);
    if !plan.starts_with(&forward) {
        broken.push(format!("shares {forward:?} on the way forward"));
    }
    // Home; or, once `order` has the new version, to the second one, which has the old one again, and home from there.
    let from = forward.last().copied().unwrap_or(0);
    let way = runs(&states[back..]);
    let ways: [&[u64]; 5] = [&[0], &[from, 0], &[from, 100, 0], &[100, 0], &[0, 100, 0]];
    if !way.is_empty() && !ways.iter().any(|known| known.starts_with(&way)) {
        broken.push(format!("shares {way:?} on the way back, from {from}"));
    }
    let mut images: Vec<&String> = states.iter().filter_map(|s| s.image.as_ref()).collect();
    images.dedup();
    let new = format!("shop/order:{NEW}");
    if images.len() > 3 || images.iter().filter(|i| ***i == new).count() > 1 {
        broken.push(format!("a template twice: {images:?}"));
    }
    broken
}

/// What one schedule came to.
struct Tally {
    seed: u64,
    how: How,
    words: String,
    wrong: Vec<String>,
}

async fn never(_: &mut World) -> Option<()> {
    None
}

/// Steps a flightdeck until something is so, no longer than a time, and another one beside it.
async fn within<T>(
    deck: &mut Deck,
    other: &mut Option<Deck>,
    time: Duration,
    wanted: impl AsyncFnMut(&mut World) -> Option<T>,
) -> Option<T> {
    let Some(other) = other else { return deck.within(time, wanted).await };
    tokio::select! {
        found = deck.within(time, wanted) => found,
        _ = other.within(time * 2, never) => None,
    }
}

async fn fly(bed: &Bed, seed: u64) -> Tally {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let how = [How::Canary, How::BlueGreen, How::Rolling][(seed % 3) as usize];
    manifest(bed).await;
    let users = match how {
        How::Canary => behind_a_gateway(bed, "60").await,
        _ => bed.load(&["--service", &format!("{}/order", bed.namespace), "--rps", "60", "--timeout", "10"]),
    };
    let begun = owner::answered(bed, &users).await;
    let carrier = match how {
        How::Canary => follow(bed, "gateway.networking.k8s.io", "HTTPRoute"),
        _ => follow(bed, "", "Service"),
    };
    let home = follow(bed, "apps", "Deployment");
    let faults = Faults::before(&bed.lab.kubeconfig("admin"));
    let data = tempfile::tempdir().unwrap();
    let mut deck = Deck::open(&faults.kubeconfig(), &bed.namespace, data.path());
    let options = match how {
        How::Canary => canary("1s", "5s").to_vec(),
        How::BlueGreen => blue_green("5s").to_vec(),
        How::Rolling => ROLLING.to_vec(),
    };
    let after = Duration::from_millis(random.random_range(0..if how == How::Rolling { 6_000 } else { 40_000 }));
    let lasts = Duration::from_millis(random.random_range(2_000..15_000));
    let elsewhere = random.random_bool(0.3);
    let others = tempfile::tempdir().unwrap();
    let mut other = elsewhere.then(|| Deck::open(&faults.kubeconfig(), &bed.namespace, others.path()));
    deck.launch(NEW, &options).await;
    faults.random(seed);
    within(&mut deck, &mut other, after, never).await;
    // Where somebody else sees the rollout, he presses; from here on it is looked at through his eyes.
    let sees = |other: &Deck| other.world.rollout(deck.id.as_ref().unwrap()).is_some();
    let elsewhere = other.as_ref().is_some_and(sees);
    if let Some(other) = other.as_mut().filter(|_| elsewhere) {
        other.id.clone_from(&deck.id);
        std::mem::swap(&mut deck, other);
    }
    let pressed = deck.press(Verb::Rollback);
    let back = pressed.is_ok();
    let at = now();
    let id = deck.id.clone().unwrap();
    let mut proven = None;
    let mut see = async |world: &mut World| {
        let phase = world.rollout(&id)?.phase();
        if proven.is_none() && matches!(phase, Phase::Back | Phase::RolledBack) {
            proven = Some(now());
        }
        matches!(phase, Phase::RolledBack | Phase::Promoted | Phase::Superseded).then_some(phase)
    };
    let mut ended = within(&mut deck, &mut other, lasts, &mut see).await;
    faults.off();
    if ended.is_none() {
        ended = within(&mut deck, &mut other, Duration::from_secs(120), &mut see).await;
    }
    let mut wrong = Vec::new();
    let wanted = if back { Phase::RolledBack } else { Phase::Promoted };
    if ended != Some(wanted) {
        wrong.push(format!("it ended as {ended:?}\n{}", deck.story()));
    }
    // What was sent late arrives, and changes nothing any more.
    within(&mut deck, &mut other, Duration::from_secs(3), never).await;
    bed.until_available("order").await;
    let rest = left(bed, how == How::Canary).await;
    if !rest.is_empty() {
        wrong.push(format!("left: {}\n{}", rest.join(", "), deck.story()));
    }
    let runs = deployment(bed, "order").await.map(|d| image(&d).to_owned()).unwrap_or_default();
    if back && runs != OLD {
        wrong.push(format!("order runs {runs}"));
    }
    // What is not seen to move cannot be judged.
    if home.lock().unwrap().is_empty() || carrier.lock().unwrap().is_empty() {
        wrong.push("nothing was seen of order".to_owned());
    }
    wrong.extend(broken(how, &carrier.lock().unwrap()));
    wrong.extend(broken(if how == How::Rolling { how } else { How::Rolling }, &home.lock().unwrap()));
    let (met, story) = (faults.seen().len(), deck.story());
    drop((deck, other));
    let report: Report = users.stop();
    let lost = owner::lost(&report, begun, f64::MAX);
    if how != How::Rolling && lost > 0 {
        wrong.push(format!("{lost} requests lost: {:?}", report.failures));
    }
    if let (Some(proven), Some(new), true) = (proven, report.versions.get(NEW), back && how != How::Rolling)
        && new.last_start > proven
    {
        wrong.push(format!("the new version answered {:.2} s after the proof\n{story}", new.last_start - proven));
    }
    let words = format!(
        "{how:?}, R at {:.1} s ({}), {met} faults, proven {:?}, lost {}",
        after.as_secs_f64(),
        match (back, elsewhere) {
            (false, _) => "too late",
            (true, true) => "back, from elsewhere",
            (true, false) => "back",
        },
        proven.map(|p| p - at),
        report.failed
    );
    Tally { seed, how, words, wrong }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn whatever_a_network_does_the_invariants_hold_and_everybody_comes_back() {
    let (seed, cases) = (number("FAULT_SEED", 1), number("FAULT_CASES", 3));
    let (queue, tallies) = (Mutex::new(seed..seed + cases), Mutex::new(Vec::<Tally>::new()));
    std::thread::scope(|scope| {
        for _ in 0..number("FAULT_BESIDE", BESIDE) {
            let (queue, tallies) = (&queue, &tallies);
            scope.spawn(move || {
                loop {
                    let Some(seed) = queue.lock().unwrap().next() else { return };
                    let one = std::panic::AssertUnwindSafe(|| {
                        in_lab_with(&[GATEWAY], &format!("faults-{seed}"), async |bed| {
                            let tally = fly(&bed, seed).await;
                            let _ = writeln!(std::io::stderr(), "seed {seed}: {}, {} wrong", tally.words, tally.wrong.len());
                            tally.wrong.iter().for_each(|wrong| drop(writeln!(std::io::stderr(), "seed {seed}: WRONG {wrong}")));
                            tallies.lock().unwrap().push(tally);
                        });
                    });
                    if let Err(panic) = std::panic::catch_unwind(one) {
                        let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                        tallies.lock().unwrap().push(Tally { seed, how: How::Rolling, words: String::new(), wrong: vec![words] });
                    }
                }
            });
        }
    });
    let tallies = tallies.into_inner().unwrap();
    let wrong: Vec<String> =
        tallies.iter().flat_map(|t| t.wrong.iter().map(move |w| format!("seed {} ({:?}): {w}", t.seed, t.how))).collect();
    assert!(wrong.is_empty(), "repeat one with FAULT_CASES=1 FAULT_SEED=...\n{}", wrong.join("\n"));
}
