//! Simulated seconds per second of wall time, on the reference fleet: 3 regions, 8 services, 240 pods, one canary in flight,
//! no faults, without cockpit and log. The figure to hold is 10,000 elements a second.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flightdeck::fleet::{Aspect, Way};
use flightdeck::platform::{Order, Platform, Simulator};
use flightdeck::rollout::{Want, Wish, WishKey};
use flightdeck::simulator::{Fleet, Incident, Layout, START};
use flightdeck::units::{LegId, Percent, RolloutId, Span, Term, Time, WorkloadId};
use std::hint::black_box;

fn order(region: &str, aspect: Aspect, want: Want) -> Order {
    Order {
        rollout: RolloutId::new("order-service-bench"),
        workload: WorkloadId { region: region.into(), namespace: "shop".into(), kind: "Deployment".into(), name: "order-service".into() },
        wish: Wish { key: WishKey { leg: LegId::new(region), aspect }, want, term: Term(1), way: Way::Forward, again: 0 },
        old: "v41".into(),
        new: Some("v42".into()),
        container: "app".into(),
        image: "shop/order-service:v42".into(),
        version: "v42".into(),
        beside: None,
    }
}

/// Polls until `until` as a lockstep caller does; returns how many facts came.
fn run(platform: &mut Simulator, until: Time) -> u64 {
    let mut facts = 0;
    while let Some(fact) = platform.poll(until) {
        black_box(&fact);
        facts += 1;
    }
    facts
}

/// The reference fleet a minute after its canary got 15 %.
fn reference() -> Simulator {
    let mut platform = Simulator::new(Fleet::new(7, Layout::reference(), Vec::new()));
    run(&mut platform, START);
    for region in ["us-east-1", "us-west-2", "eu-west-1"] {
        platform.send(START, order(region, Aspect::NewReplicas, Want::Replicas { pods: 3 }));
        platform.send(START + Span::secs(30), order(region, Aspect::Traffic, Want::Weight { new: Percent::whole(15) }));
    }
    run(&mut platform, START + Span::mins(1));
    platform
}

fn speed(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulator");
    let seconds = 600;
    group.throughput(Throughput::Elements(seconds));
    let mut platform = reference();
    let mut now = START + Span::mins(1);
    group.bench_function("reference fleet, simulated seconds", |b| {
        b.iter(|| {
            now += Span::secs(seconds);
            run(&mut platform, now)
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("opening the practice fleet, with its ten minutes of past", |b| {
        b.iter_batched(
            || vec![Incident::watched_rollout()],
            |incidents| run(&mut Simulator::new(Fleet::new(7, Layout::reference(), incidents)), START),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, speed);
criterion_main!(benches);
