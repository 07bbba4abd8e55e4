//! Replay of a log of 1,000,000 events: reading, checking the chain, decoding. Design section 13: 2 s.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flightdeck::fleet::{Aspect, Side};
use flightdeck::journal::{Chain, encode, read};
use flightdeck::rollout::{By, Event, What};
use flightdeck::units::{LegId, Percent, Person, RolloutId, Span, Term, Time};
use std::hint::black_box;

/// The events that a long canary over three regions is made of.
fn event(seq: u64) -> Event {
    let leg = LegId::new(["us-east-1", "us-west-2", "eu-west-1"][seq as usize % 3]);
    let at = Time(1_767_603_600_000) + Span(seq * 733);
    let what = match seq % 10 {
        0 => What::StepStarted { step: 3 },
        1 => What::WeightSet { leg, weight: Percent::whole(15) },
        2 => What::LegArrived { leg },
        3 => What::ReplicasSet { leg, side: Side::New, pods: 4 },
        4 => What::HealthPassed { leg, nth: 2 },
        5 => What::CheckFailed { leg, nth: 1, upto: at, why: "errors 4.8 %, limit 2.0 %".into() },
        6 => What::WishFailed { leg, aspect: Aspect::Traffic, nth: 1, retry_at: Some(at), cause: "no answer in 5 s".into() },
        _ => What::CheckPassed { leg, upto: at },
    };
    let by = if seq.is_multiple_of(50) { By::Person(Person::new("mara@laptop")) } else { By::Plan };
    Event { seq, term: Term(2), at, by, what }
}

fn replay(c: &mut Criterion) {
    const EVENTS: u64 = 1_000_000;
    let rollout = RolloutId::new("order-service-3f9k2m7q");
    let (mut chain, mut log) = (Chain::start(&rollout), Vec::new());
    for seq in 1..=EVENTS {
        encode(&mut chain, &rollout, &event(seq), &mut log).expect("a short event in order");
    }
    let mut group = c.benchmark_group("journal");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS));
    group.bench_function("replay of 1,000,000 events", |b| {
        b.iter(|| {
            let log = read(log.as_slice(), &rollout).expect("memory can be read");
            assert_eq!((log.events.len() as u64, &log.fault), (EVENTS, &None));
            black_box(log)
        });
    });
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
