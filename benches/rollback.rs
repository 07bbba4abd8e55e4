//! How long users get the new version after `R`, and after it began to fail: canaries at 25 % of 200 requests a second behind a real
//! gateway, on a real API server. Every run has its users, who count.
//!
//! `cargo build --release --example lab && cargo bench --bench rollback`: 50 runs of each, about 20 minutes on two idle cores;
//! `FLIGHTDECK_RUNS=5` takes five. Known weakness: gateway, pods and users share the cores with the cockpit, and two runs go on at a time.

#[path = "../tests/lab/deck.rs"]
mod deck;
#[path = "../tests/lab/harness.rs"]
mod harness;
#[path = "../tests/lab/owner.rs"]
mod owner;

use deck::Deck;
use flightdeck::rollout::{Phase, Verb};
use harness::{Bed, GATEWAY, in_lab_with, now};
use std::sync::Mutex;
use std::time::Duration;

/// Runs at the same time: they mostly wait.
const BESIDE: usize = 2;
const CANARY: [(&str, &str); 5] =
    [("strategy", "canary"), ("initialTraffic", "25%"), ("stepInterval", "30m"), ("rollbackWindow", "1s"), ("leastRequests", "30")];

/// Who takes it back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// `R`, while all is well.
    Key,
    /// The analysis, of a version that fails one request in five.
    Itself,
}

/// One run, in seconds from the key or from the first request that failed.
#[derive(Default)]
struct Run {
    last_request: f64,
    proven: f64,
    failed: u64,
    /// Requests lost that the new version did not answer.
    lost: u64,
}

fn main() {
    // `cargo test --benches` runs it too, and means no bench.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let runs = std::env::var("FLIGHTDECK_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(50_u64);
    for by in [By::Key, By::Itself] {
        let (next, all) = (Mutex::new(0..runs), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for lane in 0..BESIDE {
                let (next, all) = (&next, &all);
                scope.spawn(move || {
                    in_lab_with(&[GATEWAY], &format!("rollback-{by:?}-{lane}").to_lowercase(), async |bed| {
                        bed.deploy("order", 3, "shop/order:v42").await;
                        bed.until_available("order").await;
                        let begin = || next.lock().unwrap().next();
                        while let Some(nth) = begin() {
                            // Checks come at whole ten seconds: without this every run would begin at the same moment between two of them.
                            tokio::time::sleep(Duration::from_millis(nth * 3_700 % 10_000)).await;
                            let run = fly(&bed, by).await;
                            all.lock().unwrap().push(run);
                        }
                    });
                });
            }
        });
        let all = all.into_inner().unwrap();
        if all.is_empty() {
            return;
        }
        println!("{} runs, {}", all.len(), if by == By::Key { "from the key" } else { "from the first request that failed" });
        print("to the last request of the new version", all.iter().map(|r| r.last_request).collect());
        print("to the proof", all.iter().map(|r| r.proven).collect());
        println!(
            "  requests that the new version failed, a run: {:.0}",
            all.iter().map(|r| r.failed).sum::<u64>() as f64 / all.len() as f64
        );
        println!("  requests lost beside those, all runs: {}\n", all.iter().map(|r| r.lost).sum::<u64>());
    }
}

fn print(what: &str, mut seconds: Vec<f64>) {
    seconds.sort_by(f64::total_cmp);
    // The nearest rank: of 50, the 25th and the 50th.
    let rank = |part: f64| seconds[((seconds.len() as f64 * part).ceil() as usize).clamp(1, seconds.len()) - 1];
    println!("  {what:<40} p50 {:6.2} s   p99 {:6.2} s", rank(0.5), rank(0.99));
}

/// One canary, from its launch to the end of everything of ours.
async fn fly(bed: &Bed, by: By) -> Run {
    let version = if by == By::Key { "v43" } else { "v43-errors20" };
    let data = tempfile::tempdir().unwrap();
    let users = owner::behind_a_gateway(bed, "200").await;
    let mut deck = Deck::open(&bed.lab.kubeconfig("admin"), &bed.namespace, data.path());
    deck.launch(version, &CANARY).await;
    let id = deck.id.clone().unwrap();
    let mut key = 0.0;
    if by == By::Key {
        let served = async |_: &mut _| (owner::weight(bed).await == 25 && users.so_far().answered(version) > 50).then_some(());
        deck.until("a quarter of it", served).await;
        key = now();
        deck.press(Verb::Rollback).unwrap();
    }
    let back =
        async |world: &mut flightdeck::cockpit::World| matches!(world.rollout(&id)?.phase(), Phase::Back | Phase::RolledBack).then_some(());
    deck.until("the proof", back).await;
    let proven = now();
    deck.phase_is(Phase::RolledBack).await;
    deck.until("nothing of ours", async |_| owner::left(bed, true).await.is_empty().then_some(())).await;
    let report = users.stop();
    if by == By::Itself {
        let first = report.intervals.iter().position(|i| !i.lost.is_empty()).expect("a version that fails one in five");
        key = report.began + first as f64 / 10.0;
    }
    let new = &report.versions[version];
    Run { last_request: (new.last_start - key).max(0.0), proven: proven - key, failed: new.failed, lost: report.failed - new.failed }
}
