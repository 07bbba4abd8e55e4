//! Logs on disk: what is written comes back, and what happened to a file in between is said with its line.

use flightdeck::cockpit::{FleetSpec, Ids, Intent, RegionSpec, World};
use flightdeck::fleet::{Aspect, Counts, Protection, Sample, Side};
use flightdeck::journal::{Chain, Fault, FileStore, HELD, MOST_SEEN, Memory, Recorded, Seen, Store, encode, read};
use flightdeck::platform::Simulator;
use flightdeck::practice::{SCENARIOS, Scenario};
use flightdeck::rollout::{By, Event, Phase, RollbackCause, Verb, What};
use flightdeck::simulator::START;
use flightdeck::strategy::{Amount, Compensation, Gate, Limit, Plan, PlanLeg, Reversible, Route, Rules, Step, StepKind, StrategyKind};
use flightdeck::units::{
    LegId, Namespace, Percent, Person, Region, Revision, RolloutId, Service, Span, Term, Time, Version, WorkloadId, yaml,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::fs;

fn id() -> RolloutId {
    RolloutId::new("order-service-3f9k2m7q")
}

fn workload() -> WorkloadId {
    WorkloadId { region: Region::new("eu"), namespace: Namespace::new("shop"), kind: "Deployment".into(), name: "order".into() }
}

fn plan(weight: Percent, load: Option<f64>, latency: Span) -> Plan {
    let step = Step {
        kind: StepKind::SetWeight,
        wave: 0,
        legs: vec![LegId::new("eu")],
        weight: Some(weight),
        hold: Some(latency),
        gates: vec![Gate::Verdict, Gate::Capacity],
        expected: Span::secs(70),
        compensation: Compensation::WeightZero,
        reversible: Reversible::Instant,
    };
    let leg = PlanLeg {
        id: LegId::new("eu"),
        region: Region::new("eu"),
        workload: workload(),
        wave: 0,
        old: Revision::new("v41"),
        old_version: Version::new("v41"),
        new: None,
        container: "app".into(),
        image: "shop/order:v42".into(),
        route: Route::Weights,
        beside: None,
        sidecars: Vec::new(),
        touches: Vec::new(),
        undivided: None,
        base: 10,
        load,
        drains: true,
        start_takes: Span::secs(8),
    };
    let rules = Rules {
        health_check_path: "/health".into(),
        health_check_timeout: Span::secs(30),
        limits: vec![Limit::ErrorRate(weight), Limit::Baseline(1.5), Limit::Latency { quantile: 99, most: latency }],
        rollback_window: Span::mins(15),
        progress_deadline: Span::mins(10),
        check_interval: Span::secs(10),
        window: Span::secs(60),
        least_requests: 30,
        failures_in_a_row: 3,
        healthy_in_a_row: 3,
        max_surge: Amount::Pods(1),
        max_unavailable: Amount::Share(weight),
        cleanup_old_versions: true,
        metrics: None,
    };
    Plan {
        service: Service::new("shop", "order"),
        strategy: StrategyKind::Canary,
        to: Version::new("v42"),
        legs: vec![leg],
        steps: vec![step],
        rules,
        warnings: vec![],
    }
}

prop_compose! {
    fn leg()(name in "[a-z]{2}-[a-z]{4}-[0-9]") -> LegId { LegId::new(name) }
}

fn what() -> impl Strategy<Value = What> {
    let percent = (0u32..=10_000).prop_map(|n| Percent::from_hundredths(n).unwrap());
    let words = "\\PC{0,40}";
    let time = (0i64..4_000_000_000_000).prop_map(Time);
    let span = (0u64..10_000_000).prop_map(Span);
    let aspect = prop_oneof![Just(Aspect::Traffic), Just(Aspect::Template), Just(Aspect::OldReplicas), Just(Aspect::NewReplicas)];
    let side = prop_oneof![Just(Side::Old), Just(Side::New)];
    let step = 0usize..40;
    let cause = prop_oneof![
        proptest::option::of(words).prop_map(|reason| RollbackCause::Asked { reason }),
        (leg(), words).prop_map(|(leg, why)| RollbackCause::Limit { leg, why }),
        (leg(), words).prop_map(|(leg, why)| RollbackCause::Health { leg, why }),
        (proptest::option::of(leg()), words).prop_map(|(leg, why)| RollbackCause::Deadline { leg, why }),
        Just(RollbackCause::Fence),
    ];
    prop_oneof![
        (percent.clone(), proptest::option::of(0.0f64..1e6), span.clone(), proptest::option::of(words))
            .prop_map(|(w, load, hold, reason)| What::Launched { plan: Box::new(plan(w, load, hold)), reason }),
        (percent.clone(), step.clone()).prop_map(|(w, step)| What::Boarded { plan: Box::new(plan(w, None, Span(1))), step }),
        Just(What::Taken),
        step.clone().prop_map(|step| What::StepStarted { step }),
        (leg(), "[0-9a-f]{10}").prop_map(|(leg, r)| What::RevisionFound { leg, revision: Revision::new(r) }),
        (leg(), side, any::<u32>()).prop_map(|(leg, side, pods)| What::ReplicasSet { leg, side, pods }),
        (leg(), percent).prop_map(|(leg, weight)| What::WeightSet { leg, weight }),
        leg().prop_map(|leg| What::LegArrived { leg }),
        (leg(), words).prop_map(|(leg, why)| What::HealthFailed { leg, why }),
        (leg(), time.clone()).prop_map(|(leg, upto)| What::CheckPassed { leg, upto }),
        (leg(), any::<u32>(), time.clone(), words).prop_map(|(leg, nth, upto, why)| What::CheckFailed { leg, nth, upto, why }),
        (step, proptest::option::of(Just(Gate::Freeze)), proptest::option::of(words)).prop_map(|(step, gate, reason)| What::Skipped {
            step,
            gate,
            reason
        }),
        (leg(), aspect, any::<u32>(), proptest::option::of(time), words).prop_map(|(leg, aspect, nth, retry_at, cause)| What::WishFailed {
            leg,
            aspect,
            nth,
            retry_at,
            cause
        }),
        cause.prop_map(|why| What::RollbackBegan { why }),
        (leg(), any::<bool>(), proptest::option::of(0.0f64..=1.0)).prop_map(|(leg, counted, errors)| What::LegProven {
            leg,
            counted,
            errors
        }),
        span.prop_map(|took| What::Proven { took }),
        Just(What::RolledBack),
        any::<u64>().prop_map(|t| What::Superseded { by_term: Term(t) }),
    ]
}

fn events(most: usize) -> impl Strategy<Value = Vec<Event>> {
    let by = prop_oneof![Just(By::Plan), Just(By::Automatic), "\\PC{1,12}".prop_map(|p| By::Person(Person::new(p)))];
    let one = (any::<u64>(), 0i64..4_000_000_000_000, by, what());
    proptest::collection::vec(one, 1..=most).prop_map(|all| {
        let number = |(seq, (term, at, by, what))| Event { seq, term: Term(term), at: Time(at), by, what };
        (1..).zip(all).map(number).collect()
    })
}

fn few() -> Vec<Event> {
    let whats = [
        What::Launched { plan: Box::new(plan(Percent::whole(5), Some(0.1 + 0.2), Span::secs(300))), reason: None },
        What::StepStarted { step: 0 },
        What::WeightSet { leg: LegId::new("eu"), weight: Percent::whole(5) },
        What::Paused,
        What::Promoted,
    ];
    let event = |(seq, what)| Event { seq, term: Term(1), at: Time(1_767_603_600_000 + seq as i64), by: By::Plan, what };
    (1..).zip(whats).map(event).collect()
}

fn encoded(events: &[Event]) -> Vec<u8> {
    let (mut chain, mut out) = (Chain::start(&id()), Vec::new());
    events.iter().for_each(|e| encode(&mut chain, &id(), e, &mut out).unwrap());
    out
}

fn reread(bytes: &[u8]) -> flightdeck::journal::Log {
    read(bytes, &id()).unwrap()
}

/// A line like `encode` would write it, with any JSON in place of the event.
fn line(v: u32, seq: u64, prev: &str, event: &str) -> String {
    let body = format!(
        r#"{{"v":{v},"rollout":"{}","seq":{seq},"term":1,"at":"2026-01-05T09:00:00.000Z","by":"plan","prev":"{prev}","event":{event}"#,
        id()
    );
    let sum = format!("{:x}", Sha256::digest(&body));
    format!("{body},\"sum\":\"{}\"}}\n", &sum[..8])
}

fn sha(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_events_come_back_as_they_were(events in events(12)) {
        let bytes = encoded(&events);
        let log = reread(&bytes);
        prop_assert_eq!(&log.events, &events);
        prop_assert_eq!((log.bytes, log.torn, log.fault), (bytes.len() as u64, 0, None));
    }

    #[test]
    fn a_flipped_bit_is_found_with_its_line(events in events(6), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = encoded(&events);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let line = bytes[..at].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        let log = reread(&bytes);
        if at + 1 == bytes.len() {
            prop_assert!(log.torn > 0, "without its line feed the last line is an unfinished one");
            prop_assert_eq!(log.events.len(), events.len() - 1);
        } else {
            prop_assert_eq!(log.fault.map(|f| f.line()), Some(line));
            prop_assert_eq!(log.events.as_slice(), &events[..line as usize - 1]);
        }
    }
}

#[test]
fn a_log_cut_at_any_byte_is_repaired_to_the_whole_lines_before() {
    let (events, bytes) = (few(), encoded(&few()));
    for cut in 0..=bytes.len() {
        let whole = bytes[..cut].iter().filter(|b| **b == b'\n').count();
        let log = reread(&bytes[..cut]);
        assert_eq!((log.events.as_slice(), &log.fault), (&events[..whole], &None), "cut at {cut}");
        assert_eq!(log.bytes + log.torn, cut as u64);
    }
}

#[test]
fn a_line_removed_doubled_or_moved_breaks_the_chain_where_it_shows() {
    let bytes = encoded(&few());
    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    let fault = |order: &[usize]| reread(&order.iter().flat_map(|i| lines[*i].to_vec()).collect::<Vec<_>>()).fault;
    let broken = |line, why: &str| Some(Fault::Broken { line, why: why.into() });
    assert_eq!(fault(&[0, 2]), broken(2, "does not follow line 1: a line was changed, added or removed"));
    assert_eq!(fault(&[0, 1, 1]), broken(3, "does not follow line 2: a line was changed, added or removed"));
    assert_eq!(fault(&[1]), broken(1, "is not the first line: what came before it is gone"));
    let other = read(bytes.as_slice(), &RolloutId::new("search-1")).unwrap();
    assert_eq!(other.fault, broken(1, "belongs to rollout order-service-3f9k2m7q"));
}

#[test]
fn an_event_of_an_unknown_kind_taints_the_log_and_those_around_it_are_read() {
    let first = line(1, 1, &sha(id().as_str()), r#"{"kind":"paused","mood":"a field nobody knows"}"#);
    let second = line(1, 2, &sha(first.trim_end()), r#"{"kind":"teleported","to":"mars"}"#);
    let third = line(1, 3, &sha(second.trim_end()), r#"{"kind":"resumed"}"#);
    let log = reread(format!("{first}{second}{third}").as_bytes());
    assert_eq!(log.events.iter().map(|e| &e.what).collect::<Vec<_>>(), [&What::Paused, &What::Resumed]);
    assert_eq!(log.fault, Some(Fault::Tainted { line: 2, kind: "teleported".into() }));
    assert_eq!(
        log.fault.unwrap().trouble("x.log").to_string(),
        "x.log:2: this flightdeck does not know events of kind `teleported`: the rollout is read-only here, and R works; use a newer flightdeck"
    );
}

#[test]
fn a_rollout_with_an_event_of_an_unknown_kind_only_goes_back_from_here() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("order-service-3f9k2m7q.log");
    let known = String::from_utf8(encoded(&few()[..3])).unwrap();
    let unknown = line(1, 4, &sha(known.lines().last().unwrap()), r#"{"kind":"teleported","to":"mars"}"#);
    fs::write(&path, format!("{known}{unknown}")).unwrap();
    let (name, text) = SCENARIOS[0];
    let scenario = Scenario::read(yaml::parse(name, text.as_bytes())).unwrap();
    let spec = FleetSpec {
        name: "practice".into(),
        practice: true,
        protection: Protection::Open,
        readonly: false,
        grace: Span::ZERO,
        regions: vec![RegionSpec { name: Region::new("eu"), role: None }],
    };
    let platform = Box::new(Simulator::new(scenario.fleet()));
    let store = Box::new(FileStore::new(dir.path()));
    let mut world = World::new(spec, platform, store, None, Ids::seeded(1), START);
    world.run_until(START + Span::mins(30));
    let mut press = |verb| {
        let intent = Intent::Press { rollout: id(), verb, reason: None };
        let now = world.now();
        let taken = world.take(now, intent, &Person::new("ana"), true);
        let rollout = world.rollout(&id()).unwrap();
        (taken.map_err(|trouble| trouble.cause), rollout.phase(), rollout.seq())
    };
    let why = || Err("this flightdeck does not know events of kind `teleported`".to_owned());
    for verb in [Verb::Promote, Verb::Resume, Verb::Abort, Verb::Take] {
        assert_eq!(press(verb), (why(), Phase::Superseded, 3));
    }
    assert_eq!(press(Verb::Rollback), (Ok(id()), Phase::RollingBack, 4));
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{known}{unknown}"));
}

#[test]
fn a_line_of_a_newer_format_is_refused_however_it_looks() {
    let first = line(1, 1, &sha(id().as_str()), r#"{"kind":"paused"}"#);
    let same = line(2, 2, &sha(first.trim_end()), r#"{"kind":"paused"}"#);
    for newer in [same.as_str(), "{\"v\":2,\"log\":\"quite another\"}\n"] {
        let log = reread(format!("{first}{newer}").as_bytes());
        assert_eq!((log.events.len(), log.fault), (1, Some(Fault::Newer { line: 2, v: 2 })));
    }
}

#[test]
fn a_line_without_end_is_read_only_so_far() {
    let long = vec![b'x'; 3 << 20];
    assert_eq!(reread(&long).fault, Some(Fault::Broken { line: 1, why: "is longer than 1048576 bytes".into() }));
}

#[test]
fn what_is_appended_is_there_for_the_next_one_and_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let events = few();
    for (nth, part) in events.chunks(2).enumerate() {
        let mut store = FileStore::new(dir.path().join("logs"));
        assert_eq!(store.open(&id()).events, events[..nth * 2]);
        store.append(&id(), part, true);
        assert!(store.settle());
        assert_eq!(store.recorded(&id()), Recorded { upto: part.last().unwrap().seq, off: None });
    }
    let store = FileStore::new(dir.path().join("logs"));
    assert_eq!(store.list().unwrap(), [id()]);
    assert_eq!(store.read(&id()).unwrap().events, events);
    assert_eq!(fs::read(store.path(&id(), "log").unwrap()).unwrap(), encoded(&events));
}

#[test]
fn a_torn_last_line_is_cut_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let events = few();
    let whole = encoded(&events);
    let path = dir.path().join("order-service-3f9k2m7q.log");
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let mut store = FileStore::new(dir.path());
    let log = store.open(&id());
    assert_eq!(log.events.len(), 4);
    assert!(log.torn > 0);
    store.append(&id(), &events[4..], true);
    assert!(store.settle());
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn a_second_flightdeck_reads_the_log_and_is_told_why_it_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let events = few();
    let (mut first, mut second) = (FileStore::new(dir.path()), FileStore::new(dir.path()));
    first.open(&id());
    first.append(&id(), &events[..3], true);
    assert!(first.settle());
    assert_eq!(second.open(&id()).events, events[..3]);
    second.append(&id(), &events[3..], true);
    assert_eq!(second.recorded(&id()).off.as_deref(), Some(HELD));
    assert!(second.settle());
    assert_eq!(first.read(&id()).unwrap().events, events[..3]);
    first.close(&id());
    assert!(first.settle());
    assert_eq!(second.open(&id()).events.len(), 3);
    assert_eq!(second.recorded(&id()), Recorded { upto: 3, off: None });
}

#[test]
fn a_log_that_was_closed_can_be_opened_again_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FileStore::new(dir.path());
    for event in few() {
        store.open(&id());
        store.append(&id(), &[event], true);
        store.close(&id());
    }
    store.open(&id());
    assert_eq!(store.recorded(&id()), Recorded { upto: 5, off: None });
}

#[test]
fn practice_begins_anew_each_time_waits_for_no_disk_and_leaves_a_log() {
    let dir = tempfile::tempdir().unwrap();
    for n in 1..=3 {
        let mut store = FileStore::practice(dir.path());
        assert_eq!((store.list().unwrap(), store.open(&id()).events), (vec![], vec![]));
        store.append(&id(), &few()[..n], true);
        assert!(store.recorded(&id()).upto >= n as u64);
        drop(store);
        let store = FileStore::new(dir.path());
        assert_eq!(store.list().unwrap(), [id()]);
        assert_eq!(store.read(&id()).unwrap().events, few()[..n]);
    }
    assert_eq!(fs::read(dir.path().join("order-service-3f9k2m7q.old")).unwrap(), encoded(&few()[..2]));
    fs::remove_dir_all(dir.path()).unwrap();
    fs::write(dir.path(), "a file where the folder should be").unwrap();
    let mut store = FileStore::practice(dir.path());
    assert_eq!(store.open(&id()).events, []);
    store.append(&id(), &few(), true);
    assert_eq!(store.recorded(&id()).off, None);
}

#[test]
fn a_broken_log_is_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("order-service-3f9k2m7q.log");
    let mut bytes = encoded(&few());
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut store = FileStore::new(dir.path());
    store.open(&id());
    store.append(&id(), &few()[4..], true);
    assert!(store.settle());
    assert!(store.recorded(&id()).off.unwrap().contains("order-service-3f9k2m7q.log:"));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn without_a_place_to_write_it_says_so_and_nothing_stops() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("logs"), "a file where the folder should be").unwrap();
    let mut store = FileStore::new(dir.path().join("logs"));
    assert_eq!(store.open(&id()).events, []);
    store.append(&id(), &few(), true);
    let recorded = store.recorded(&id());
    assert_eq!(recorded.upto, 0);
    assert!(recorded.off.unwrap().contains("logs: "));
    assert!(store.list().is_err());
}

#[test]
fn an_event_out_of_order_is_refused_and_the_log_stays_sound() {
    let dir = tempfile::tempdir().unwrap();
    let (mut on_disk, mut in_memory) = (FileStore::new(dir.path()), Memory::default());
    for store in [&mut on_disk as &mut dyn Store, &mut in_memory] {
        store.open(&id());
        store.append(&id(), &few()[..1], true);
        store.append(&id(), &few()[2..], true);
        assert!(store.settle());
        assert_eq!(store.recorded(&id()).off.as_deref(), Some("event 3 cannot follow event 1"));
        assert_eq!(store.read(&id()).unwrap().events, few()[..1]);
    }
}

#[test]
fn an_id_that_names_a_file_elsewhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::new(dir.path());
    for bad in ["../evil", "a/b", "", ".hidden", "a b", "a\nb"] {
        assert!(store.read(&RolloutId::new(bad)).unwrap_err().cause.starts_with("this cannot be the id"), "{bad:?}");
    }
}

fn sample(at: i64) -> Seen {
    let counts = vec![(Revision::new("v41"), Counts { requests: 10.0, errors: 0.1, latency: None })];
    Seen::Sample(Sample { workload: workload(), at: Time(at * 1000), span: Span::secs(1), counts })
}

#[test]
fn what_was_seen_is_kept_beside_the_log_and_its_file_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FileStore::new(dir.path());
    store.open(&id());
    for at in 1..=40_000 {
        store.note(&id(), &sample(at));
    }
    store.note(&id(), &Seen::Note { at: Time(40_000_500), text: "eu: does not answer".into() });
    store.close(&id());
    assert!(store.settle());
    let len = fs::metadata(dir.path().join("order-service-3f9k2m7q.seen")).unwrap().len();
    assert!(len > MOST_SEEN / 16 && len <= MOST_SEEN, "{len}");
    let seen = store.seen(&id()).unwrap();
    assert!(seen.is_sorted_by_key(Seen::at));
    assert_eq!(seen[seen.len() - 2], sample(40_000));
    assert!(matches!(seen.last(), Some(Seen::Note { .. })));
    assert!(matches!(&seen[0], Seen::Sample(s) if s.span == Span::secs(60)), "{:?}", seen[0]);
    assert_eq!(store.seen(&RolloutId::new("other")).unwrap(), []);
}
