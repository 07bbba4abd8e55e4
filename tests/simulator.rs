//! The simulated fleet, through the platform's face.

use flightdeck::fleet::{Aspect, Counts, Fact, Flight, Sample, Side, Way, Workload};
use flightdeck::platform::{Order, Platform, Question, Simulator};
use flightdeck::rollout::{Ask, Want, Wish, WishKey};
use flightdeck::simulator::{Fault, Fleet, Ill, Incident, Layout, START, When};
use flightdeck::units::{LegId, Percent, Region, Revision, RolloutId, Span, Term, Time, WorkloadId};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];

/// What a cockpit would know, folded from facts.
struct Deck {
    platform: Simulator,
    now: Time,
    rows: BTreeMap<WorkloadId, Workload>,
    samples: Vec<Sample>,
    facts: Vec<Fact>,
}

impl Deck {
    fn new(seed: u64, incidents: Vec<Incident>) -> Deck {
        Deck::of(seed, Layout { warm_up: Span::ZERO, ..Layout::reference() }, incidents)
    }
    fn of(seed: u64, layout: Layout, incidents: Vec<Incident>) -> Deck {
        let platform = Simulator::new(Fleet::new(seed, layout, incidents));
        let mut it = Deck { platform, now: START, rows: BTreeMap::new(), samples: Vec::new(), facts: Vec::new() };
        it.poll();
        it
    }
    fn poll(&mut self) {
        while let Some(fact) = self.platform.poll(self.now) {
            match &fact {
                Fact::WorkloadSeen(row) => {
                    self.rows.insert(row.id.clone(), (**row).clone());
                }
                Fact::Sampled(sample) => self.samples.push(sample.clone()),
                _ => {}
            }
            self.facts.push(fact);
        }
    }
    fn run(&mut self, time: Span) {
        self.run_in_steps(time, Span(1000));
    }
    fn run_in_steps(&mut self, time: Span, step: Span) {
        let end = self.now + time;
        while self.now < end {
            self.now = (self.now + step).min(end);
            self.poll();
        }
    }
    /// Waits until something is seen, at most so long.
    fn wait(&mut self, most: Span, what: &str, seen: impl Fn(&Deck) -> bool) {
        let end = self.now + most;
        while !seen(self) {
            assert!(self.now < end, "{what} within {most}");
            self.run_in_steps(Span(100), Span(100));
        }
    }
    fn order(&mut self, region: &str, aspect: Aspect, want: Want, term: u64, way: Way) {
        let order = order(region, aspect, want, term, way);
        self.platform.send(self.now, order);
    }
    /// Pods of v42 and a share of the traffic in a region.
    fn canary(&mut self, region: &str, pods: u32, share: u16) {
        self.order(region, Aspect::NewReplicas, Want::Replicas { pods }, 1, Way::Forward);
        self.wait(Span::secs(60), "new pods are ready", |d| d.ready(region, "v42") == pods);
        self.order(region, Aspect::Traffic, weight(share), 1, Way::Forward);
        self.run(Span::secs(1));
    }
    fn row(&self, region: &str) -> &Workload {
        &self.rows[&id(region, "order-service")]
    }
    fn ready(&self, region: &str, revision: &str) -> u32 {
        self.row(region).revision(&Revision::new(revision)).map_or(0, |r| r.pods.ready)
    }
    /// What a revision of order-service did after a time.
    fn counted(&self, region: &str, revision: &str, after: Time) -> Counts {
        let mut sum = Counts::default();
        let mine = self.samples.iter().filter(|s| s.workload == id(region, "order-service") && s.at - s.span >= after);
        mine.filter_map(|s| s.of(&Revision::new(revision))).for_each(|c| sum.add(c));
        sum
    }
    fn failed_writes(&self) -> Vec<(&str, Option<&Flight>)> {
        let failed = self.facts.iter().filter_map(|f| match f {
            Fact::WriteFailed { trouble, fenced_by, .. } => Some((trouble.cause.as_str(), fenced_by.as_ref())),
            _ => None,
        });
        failed.collect()
    }
}

fn id(region: &str, name: &str) -> WorkloadId {
    WorkloadId { region: region.into(), namespace: "shop".into(), kind: "Deployment".into(), name: name.into() }
}
fn weight(share: u16) -> Want {
    Want::Weight { new: Percent::whole(share) }
}
fn roll(forward: bool, share: u16) -> Want {
    Want::Roll { forward, share: Percent::whole(share), surge: 2, unavailable: 1, paused: false }
}
fn order(region: &str, aspect: Aspect, want: Want, term: u64, way: Way) -> Order {
    let key = WishKey { leg: LegId::new(region), aspect };
    Order {
        rollout: RolloutId::new("order-service-test"),
        workload: id(region, "order-service"),
        wish: Wish { key, want, term: Term(term), way, again: 0 },
        old: "v41".into(),
        new: Some("v42".into()),
        container: "app".into(),
        image: "shop/order-service:v42".into(),
        version: "v42".into(),
        beside: None,
    }
}
fn question(region: &str, ask: Ask) -> Question {
    Question { rollout: RolloutId::new("order-service-test"), workload: id(region, "order-service"), ask, judged: None }
}
fn incident(when: When, fault: Fault) -> Incident {
    Incident { when, regions: Vec::new(), lasts: None, fault }
}
fn ill(ill: Ill) -> Fault {
    Fault::Ill { service: "order-service".into(), side: Side::New, ill }
}
fn at_start(fault: Fault) -> Vec<Incident> {
    vec![incident(When::At(START), fault)]
}
fn fingerprint(facts: &[Fact]) -> String {
    format!("{:x}", Sha256::digest(format!("{facts:?}")))
}

/// A run with everything in it: a canary, a rollback, an update by somebody, faults of all sorts, close watching.
fn eventful(seed: u64, step: Span) -> (String, String) {
    let share = When::Share { service: "order-service".into(), weight: Percent::whole(15), after: Span::secs(5) };
    let burst = Incident { lasts: Some(Span::secs(40)), ..incident(share, ill(Ill::Errors(0.05))) };
    let lost = Incident {
        regions: vec![Region::new("us-west-2")],
        lasts: Some(Span::secs(30)),
        ..incident(When::At(START + Span::secs(70)), Fault::LostRegion)
    };
    let failing = incident(When::At(START + Span::secs(20)), Fault::FailingWrites { share: Percent::whole(30) });
    let mut deck = Deck::of(seed, Layout::reference(), vec![Incident::watched_rollout(), burst, lost, failing]);
    let go = |deck: &mut Deck, to: u64| deck.run_in_steps((START + Span(to)).since(deck.now), step);
    for region in REGIONS {
        deck.order(region, Aspect::NewReplicas, Want::Replicas { pods: 3 }, 1, Way::Forward);
    }
    let health = Ask::Health { leg: "us-east-1".into(), revision: Some("v42".into()), path: "/health".into() };
    deck.platform.ask(deck.now, &[question("us-east-1", health), question("eu-west-1", Ask::Closely { leg: "eu-west-1".into() })]);
    go(&mut deck, 30_000);
    for region in REGIONS {
        deck.order(region, Aspect::Traffic, weight(15), 1, Way::Forward);
    }
    go(&mut deck, 60_000);
    deck.platform.ask(deck.now, &[]);
    go(&mut deck, 90_000);
    for region in REGIONS {
        deck.order(region, Aspect::Traffic, weight(0), 2, Way::Back);
    }
    go(&mut deck, 120_000);
    for region in REGIONS {
        deck.order(region, Aspect::Template, roll(true, 50), 3, Way::Forward);
    }
    go(&mut deck, 240_000);
    (fingerprint(&deck.facts), deck.platform.fleet().digest())
}

#[test]
fn the_same_seed_and_inputs_give_the_same_run_bit_for_bit() {
    assert_eq!(eventful(7, Span(1000)), eventful(7, Span(1000)));
    assert_ne!(eventful(7, Span(1000)), eventful(8, Span(1000)));
}

#[test]
fn the_speed_at_which_it_is_polled_changes_nothing() {
    let slow = eventful(7, Span(10_000));
    assert_eq!(eventful(7, Span(1000)), slow);
    assert_eq!(eventful(7, Span(37)), slow);
}

#[test]
fn the_first_facts_are_connections_rights_rows_versions_and_lag() {
    let mut platform = Simulator::new(Fleet::new(1, Layout::reference(), Vec::new()));
    let kinds: Vec<&str> = std::iter::from_fn(|| platform.poll(Layout::reference().begins()))
        .map(|f| match f {
            Fact::Connected { .. } => "connected",
            Fact::RightsSeen { rights, .. } if rights.denied.is_empty() => "rights",
            Fact::WorkloadSeen(row) if row.complete && !row.moves() => "row",
            Fact::VersionsSeen { versions, .. } if versions.len() == 4 => "versions",
            Fact::LagSeen { lag, promise, .. } if lag < promise => "lag",
            other => panic!("{other:?}"),
        })
        .collect();
    let want = [["connected", "rights"].repeat(3), vec!["row"; 24], vec!["versions"; 8], vec!["lag"; 8]].concat();
    assert_eq!(kinds, want);
}

#[test]
fn a_row_is_told_only_when_it_changed() {
    let mut deck = Deck::new(3, Vec::new());
    deck.run(Span::mins(3));
    let mut last = BTreeMap::new();
    for fact in &deck.facts {
        if let Fact::WorkloadSeen(row) = fact {
            assert_ne!(last.insert(row.id.clone(), row.clone()).as_ref(), Some(row));
        }
    }
    assert_eq!(last.len(), 24);
}

#[test]
fn the_practice_fleet_opens_with_a_past_and_one_update_under_way() {
    let deck = Deck::of(1, Layout::reference(), vec![Incident::watched_rollout()]);
    let catalogue = &deck.rows[&id("eu-west-1", "catalogue")];
    assert!(catalogue.moves());
    assert_eq!(catalogue.template, Revision::new("v103"));
    assert_eq!(catalogue.changed_by.as_ref().map(|p| p.as_str()), Some("ilias"));
    let on = |revision: &str| catalogue.revision(&Revision::new(revision)).unwrap().pods.ready;
    assert!((3..=5).contains(&on("v103")), "{} of 9 on v103", on("v103"));
    assert!(on("v102") >= 4);
    assert_eq!(deck.rows.values().filter(|w| w.moves()).count(), 1);
    // Ten minutes in intervals of five seconds.
    assert_eq!(deck.samples.iter().filter(|s| s.workload == id("us-east-1", "search")).count(), 120);
}

#[test]
fn intervals_are_whole_adjacent_and_do_not_overlap_also_while_watched_closely() {
    let mut deck = Deck::of(5, Layout::reference(), Vec::new());
    for at in [300, 2700, 4100, 4900] {
        deck.run_in_steps((START + Span(at)).since(deck.now), Span(10));
        let closely = question("us-east-1", Ask::Closely { leg: "us-east-1".into() });
        let open = if at == 2700 || at == 4900 { vec![] } else { vec![closely] };
        deck.platform.ask(deck.now, &open);
    }
    deck.run(Span::secs(5));
    let mine: Vec<&Sample> = deck.samples.iter().filter(|s| s.workload == id("us-east-1", "order-service")).collect();
    for pair in mine.windows(2) {
        assert_eq!(pair[1].at - pair[1].span, pair[0].at);
    }
    let spans: Vec<u64> = mine.iter().filter(|s| s.at > START).map(|s| s.span.0).take(9).collect();
    assert_eq!(spans, [500, 500, 500, 500, 500, 500, 1000, 500, 500]);
    let others = deck.samples.iter().filter(|s| s.workload != id("us-east-1", "order-service") && s.at > START);
    assert!(others.clone().count() > 100 && others.clone().all(|s| s.span == Span(1000)));
}

#[test]
fn requests_and_errors_of_a_quiet_fleet_are_those_of_the_layout() {
    let mut deck = Deck::new(11, Vec::new());
    deck.run(Span::mins(20));
    let all = REGIONS.map(|r| deck.counted(r, "v41", START));
    let requests: f64 = all.iter().map(|c| c.requests).sum::<f64>() / 1200.0;
    // The day's wave has risen by 4 % after 20 minutes.
    assert!((240.0..250.0).contains(&requests), "{requests}");
    assert!((all[0].requests / 1200.0 / requests - 0.62).abs() < 0.01);
    let errors = all.iter().map(|c| c.errors).sum::<f64>() / all.iter().map(|c| c.requests).sum::<f64>();
    // Bursts and the version's own nature add a little to what the layout says.
    let usual = Layout::reference().service("order-service").unwrap().errors;
    assert!((0.9 * usual..1.5 * usual).contains(&errors), "{errors} of {usual}");
    let p99 = all[0].quantile(0.99).unwrap();
    assert!((125.0..155.0).contains(&p99), "{p99}");
}

#[test]
fn a_split_of_15_percent_gets_15_percent_of_the_requests_after_a_moment() {
    let mut deck = Deck::new(2, Vec::new());
    deck.canary("us-east-1", 3, 15);
    assert_eq!(deck.row("us-east-1").want(&"v42".into()), Some(Percent::whole(15)));
    let from = deck.now;
    deck.run(Span::mins(5));
    let (new, old) = (deck.counted("us-east-1", "v42", from), deck.counted("us-east-1", "v41", from));
    let share = new.requests / (new.requests + old.requests);
    assert!((share - 0.15).abs() < 0.005, "{share}");
    // Asked for and seen differ for a moment: the answer came before the first request.
    let taken = deck.facts.iter().position(|f| matches!(f, Fact::WriteTaken { aspect: Aspect::Traffic, .. })).unwrap();
    let seen =
        deck.facts[taken..].iter().position(|f| matches!(f, Fact::Sampled(s) if s.of(&"v42".into()).is_some_and(|c| c.requests > 0.0)));
    assert!(seen.is_some_and(|n| n > 0));
    assert_eq!(deck.row("us-west-2").want(&"v42".into()), Some(Percent::ZERO));
}

#[test]
fn a_side_with_traffic_and_without_pods_fails_every_request() {
    let mut deck = Deck::new(2, Vec::new());
    deck.order("eu-west-1", Aspect::Traffic, weight(50), 1, Way::Forward);
    deck.run(Span::secs(2));
    let from = deck.now;
    deck.run(Span::secs(20));
    assert_eq!(deck.counted("eu-west-1", "v42", from).rate(), Some(1.0));
    assert!(deck.counted("eu-west-1", "v41", from).rate().unwrap() < 0.05);
}

#[test]
fn a_canary_that_has_everything_becomes_the_workload_and_can_be_taken_back() {
    let mut deck = Deck::new(4, Vec::new());
    deck.canary("us-west-2", 6, 100);
    assert!(deck.row("us-west-2").split.len() == 2);
    deck.order("us-west-2", Aspect::OldReplicas, Want::Replicas { pods: 0 }, 1, Way::Forward);
    deck.run(Span::secs(5));
    let row = deck.row("us-west-2");
    assert!(row.complete && row.split == [("v42".into(), Percent::ALL)]);
    assert_eq!((row.template.as_str(), row.replicas), ("v42", 6));
    assert_eq!(row.revision(&"v41".into()).map(|r| r.pods.exist), Some(0));

    deck.order("us-west-2", Aspect::OldReplicas, Want::Replicas { pods: 6 }, 2, Way::Back);
    deck.wait(Span::secs(60), "old pods are ready again", |d| d.ready("us-west-2", "v41") == 6);
    assert_eq!(deck.row("us-west-2").want(&"v42".into()), Some(Percent::ALL));
    deck.order("us-west-2", Aspect::Traffic, weight(0), 2, Way::Back);
    deck.run(Span::secs(2));
    deck.order("us-west-2", Aspect::NewReplicas, Want::Replicas { pods: 0 }, 2, Way::Back);
    let from = deck.now;
    deck.run(Span::secs(20));
    let row = deck.row("us-west-2");
    assert!(row.complete);
    assert_eq!((row.template.as_str(), row.flight.as_ref().map(|f| f.way)), ("v41", Some(Way::Back)));
    assert!(deck.counted("us-west-2", "v41", from).rate().unwrap() < 0.02);
}

#[test]
fn a_rolling_update_stops_at_its_share_and_goes_back_from_there() {
    let mut deck = Deck::new(9, Vec::new());
    deck.order("us-east-1", Aspect::Template, roll(true, 50), 1, Way::Forward);
    deck.wait(Span::mins(3), "half of the pods are new", |d| d.row("us-east-1").paused);
    let row = deck.row("us-east-1");
    assert_eq!((row.template.as_str(), deck.ready("us-east-1", "v42")), ("v42", 9));
    assert!(!row.complete && row.moves() && row.split.is_empty());
    let from = deck.now + Span::secs(5);
    deck.run(Span::secs(65));
    let (new, old) = (deck.counted("us-east-1", "v42", from), deck.counted("us-east-1", "v41", from));
    assert!((new.requests / (new.requests + old.requests) - 0.5).abs() < 0.03);

    deck.order("us-east-1", Aspect::Template, roll(false, 100), 2, Way::Back);
    deck.wait(Span::mins(3), "all pods are old again", |d| d.row("us-east-1").complete);
    assert_eq!((deck.ready("us-east-1", "v41"), deck.ready("us-east-1", "v42")), (18, 0));
    assert_eq!(deck.row("us-east-1").template.as_str(), "v41");
}

#[test]
fn the_fence_refuses_a_lower_term_and_lets_the_way_back_pass() {
    let mut deck = Deck::new(2, Vec::new());
    deck.order("us-east-1", Aspect::Traffic, weight(10), 7, Way::Forward);
    deck.run(Span::secs(1));
    deck.order("us-east-1", Aspect::Traffic, weight(20), 6, Way::Forward);
    deck.run(Span::secs(1));
    let failed = deck.failed_writes();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].1.map(|f| (f.term, f.way, f.to.as_str())), Some((Term(7), Way::Forward, "v42")));
    assert_eq!(deck.row("us-east-1").want(&"v42".into()), Some(Percent::whole(10)));

    deck.order("us-east-1", Aspect::Traffic, weight(0), 3, Way::Back);
    deck.run(Span::secs(1));
    assert_eq!(deck.failed_writes().len(), 1);
    assert_eq!(deck.row("us-east-1").flight.as_ref().map(|f| f.way), Some(Way::Back));
}

#[test]
fn a_newer_wish_replaces_one_that_has_not_landed() {
    let mut deck = Deck::new(2, at_start(Fault::SlowWrites { takes: Span::secs(3) }));
    deck.order("us-east-1", Aspect::Traffic, weight(10), 1, Way::Forward);
    deck.run(Span::secs(1));
    deck.order("us-east-1", Aspect::Traffic, weight(0), 2, Way::Back);
    deck.run(Span::secs(10));
    let taken: Vec<Term> =
        deck.facts.iter().filter_map(|f| if let Fact::WriteTaken { term, .. } = f { Some(*term) } else { None }).collect();
    assert_eq!(taken, [Term(2)]);
}

#[test]
fn a_lost_region_is_silent_and_comes_back_whole() {
    let lost = Incident { regions: vec!["us-west-2".into()], lasts: Some(Span::secs(60)), ..at_start(Fault::LostRegion).remove(0) };
    let mut deck = Deck::new(6, vec![lost]);
    deck.run(Span::secs(10));
    deck.order("us-west-2", Aspect::Traffic, weight(10), 1, Way::Forward);
    let health = Ask::Health { leg: "us-west-2".into(), revision: Some("v41".into()), path: "/health".into() };
    deck.platform.ask(deck.now, &[question("us-west-2", health)]);
    deck.facts.clear();
    deck.run(Span::secs(45));
    let of_it = |f: &&Fact| match f {
        Fact::Sampled(s) => s.workload.region.as_str() == "us-west-2",
        Fact::HealthSeen { workload, .. } => workload.region.as_str() == "us-west-2",
        Fact::WorkloadSeen(w) => w.id.region.as_str() == "us-west-2",
        Fact::Heard { region, .. } | Fact::LagSeen { region, .. } | Fact::Connected { region, .. } => region.as_str() == "us-west-2",
        _ => false,
    };
    assert_eq!(deck.facts.iter().filter(of_it).count(), 0);
    assert!(
        deck.facts
            .iter()
            .any(|f| matches!(f, Fact::ConnectionLost { region, since, .. } if region.as_str() == "us-west-2" && *since == START))
    );
    assert_eq!(deck.failed_writes(), [("no answer in 5 s", None)]);

    deck.facts.clear();
    deck.run(Span::secs(20));
    let first = deck.facts.iter().position(|f| matches!(f, Fact::Connected { .. })).expect("connected again");
    assert_eq!(deck.facts[first..].iter().filter(|f| matches!(f, Fact::WorkloadSeen(_))).count(), 8);
    assert!(deck.facts[first..].iter().any(|f| matches!(f, Fact::HealthSeen { well: 6, ill: 0, .. })));
    let next = deck.facts[first..].iter().find_map(|f| {
        if let Fact::Sampled(s) = f
            && of_it(&f)
        {
            Some(s.span)
        } else {
            None
        }
    });
    assert_eq!(next, Some(Span::secs(1)));
}

#[test]
fn an_error_burst_begins_at_its_share_and_only_on_the_new_side() {
    let share = When::Share { service: "order-service".into(), weight: Percent::whole(15), after: Span::ZERO };
    let mut deck = Deck::new(2, vec![incident(share, ill(Ill::Errors(0.045)))]);
    deck.canary("us-east-1", 3, 5);
    let from = deck.now;
    deck.run(Span::mins(3));
    assert!(deck.counted("us-east-1", "v42", from).rate().unwrap() < 0.015);
    deck.order("us-east-1", Aspect::Traffic, weight(15), 1, Way::Forward);
    deck.run(Span::secs(2));
    let from = deck.now;
    deck.run(Span::mins(3));
    let rate = deck.counted("us-east-1", "v42", from).rate().unwrap();
    assert!((0.04..0.06).contains(&rate), "{rate}");
    assert!(deck.counted("us-east-1", "v41", from).rate().unwrap() < 0.01);
}

#[test]
fn a_slow_version_is_slow_and_does_not_fail() {
    let mut deck = Deck::new(2, at_start(ill(Ill::Slow(2.5))));
    deck.canary("us-east-1", 9, 50);
    let from = deck.now;
    deck.run(Span::mins(2));
    let (new, old) = (deck.counted("us-east-1", "v42", from), deck.counted("us-east-1", "v41", from));
    assert!(new.quantile(0.99).unwrap() > 2.0 * old.quantile(0.99).unwrap());
    assert!(new.rate().unwrap() < 0.01);
}

#[test]
fn pods_of_a_bad_image_never_start_and_say_why_until_it_is_healed() {
    let healed = Fault::Healed { service: "order-service".into(), side: Side::New };
    let mut incidents = at_start(ill(Ill::BadImage));
    incidents.push(incident(When::At(START + Span::mins(2)), healed));
    let mut deck = Deck::new(2, incidents);
    deck.order("us-east-1", Aspect::NewReplicas, Want::Replicas { pods: 3 }, 1, Way::Forward);
    deck.run(Span::secs(60));
    let pods = deck.row("us-east-1").revision(&"v42".into()).unwrap().pods.clone();
    let stuck = pods.stuck.unwrap();
    assert_eq!((pods.exist, pods.ready, stuck.pods, stuck.may_heal), (3, 0, 3, false));
    assert_eq!(stuck.cause, "image pull denied (403)");
    deck.wait(Span::mins(2), "healed pods start", |d| d.ready("us-east-1", "v42") == 3);
}

#[test]
fn a_version_that_nobody_built_has_no_image() {
    let mut deck = Deck::new(2, Vec::new());
    let mut wrong = order("us-east-1", Aspect::NewReplicas, Want::Replicas { pods: 1 }, 1, Way::Forward);
    (wrong.new, wrong.version, wrong.image) = (None, "v77".into(), "shop/order-service:v77".into());
    deck.platform.send(deck.now, wrong);
    deck.run(Span::secs(10));
    let stuck = deck.row("us-east-1").revision(&"v77".into()).unwrap().pods.stuck.clone().unwrap();
    assert_eq!(stuck.cause, "image not found");
}

#[test]
fn a_crash_loop_takes_pods_that_ran_and_may_heal() {
    let mut deck = Deck::new(2, vec![incident(When::At(START + Span::mins(1)), ill(Ill::CrashLoop))]);
    deck.canary("us-east-1", 3, 15);
    deck.run((START + Span::mins(2)).since(deck.now));
    let pods = deck.row("us-east-1").revision(&"v42".into()).unwrap().pods.clone();
    assert_eq!((pods.exist, pods.ready), (3, 0));
    assert!(pods.stuck.is_some_and(|s| s.may_heal && s.cause.contains("crash loop")));
}

#[test]
fn health_is_asked_every_two_to_three_seconds_for_as_long_as_it_is_asked() {
    let mut deck = Deck::new(2, vec![incident(When::At(START + Span::mins(1)), ill(Ill::Unhealthy))]);
    deck.canary("us-east-1", 3, 15);
    let ask = Ask::Health { leg: "us-east-1".into(), revision: Some("v42".into()), path: "/health".into() };
    deck.platform.ask(deck.now, &[question("us-east-1", ask)]);
    deck.run((START + Span::secs(100)).since(deck.now));
    deck.platform.ask(deck.now, &[]);
    let until = deck.now;
    deck.run(Span::secs(20));
    let seen: Vec<(Time, u32, u32)> = deck
        .facts
        .iter()
        .filter_map(|f| if let Fact::HealthSeen { at, well, ill, .. } = f { Some((*at, *well, *ill)) } else { None })
        .collect();
    assert!(seen.windows(2).all(|w| (2000..=3100).contains(&w[1].0.since(w[0].0).0)));
    assert!(seen.iter().all(|(at, well, ill)| (*well, *ill) == if *at < START + Span::mins(1) { (3, 0) } else { (0, 3) }));
    assert!(seen.len() > 20 && seen.iter().all(|s| s.0 <= until));
}

#[test]
fn pods_that_start_are_not_asked_for_their_health() {
    let mut deck = Deck::new(2, Vec::new());
    let ask = Ask::Health { leg: "us-east-1".into(), revision: Some("v42".into()), path: "/health".into() };
    deck.order("us-east-1", Aspect::NewReplicas, Want::Replicas { pods: 5 }, 1, Way::Forward);
    deck.run_in_steps(Span(500), Span(100));
    deck.platform.ask(deck.now, &[question("us-east-1", ask)]);
    deck.run(Span::secs(20));
    let seen: Vec<(u32, u32)> =
        deck.facts.iter().filter_map(|f| if let Fact::HealthSeen { well, ill, .. } = f { Some((*well, *ill)) } else { None }).collect();
    assert!(seen.iter().all(|(well, ill)| *well > 0 && *ill == 0), "{seen:?}");
    assert_eq!(seen.last(), Some(&(5, 0)));
}

#[test]
fn a_capacity_hole_takes_pods_of_the_old_version_and_never_of_the_one_that_replaced_it() {
    let hole = Fault::OldPods { service: "order-service".into(), left: Percent::whole(40) };
    let mut deck = Deck::new(2, vec![incident(When::At(START + Span::mins(3)), hole)]);
    deck.order("us-west-2", Aspect::Template, roll(true, 100), 1, Way::Forward);
    deck.run(Span::mins(4));
    assert_eq!(deck.ready("us-west-2", "v42"), 6);
    assert_eq!(deck.ready("us-east-1", "v41"), 8);
}

#[test]
fn a_rollback_to_too_few_pods_hurts_and_one_to_enough_does_not() {
    let rolled_back = |incidents| {
        let mut deck = Deck::new(2, incidents);
        deck.canary("us-east-1", 18, 80);
        deck.run(Span::secs(30));
        deck.order("us-east-1", Aspect::Traffic, weight(0), 2, Way::Back);
        deck.run(Span::secs(2));
        let from = deck.now;
        deck.run(Span::secs(60));
        deck.counted("us-east-1", "v41", from)
    };
    let share = When::Share { service: "order-service".into(), weight: Percent::whole(80), after: Span::ZERO };
    let hole = Fault::OldPods { service: "order-service".into(), left: Percent::whole(40) };
    let well = rolled_back(Vec::new());
    let hurt = rolled_back(vec![incident(share, hole)]);
    assert!(well.rate().unwrap() < 0.02, "{:?}", well.rate());
    assert!(hurt.rate().unwrap() > 0.15, "{:?}", hurt.rate());
    assert!(hurt.quantile(0.5).unwrap() > 10.0 * well.quantile(0.5).unwrap());
}

#[test]
fn missing_metrics_are_a_gap_and_no_zero() {
    let gap = Incident {
        lasts: Some(Span::secs(30)),
        ..incident(When::At(START + Span::secs(10)), Fault::NoMetrics { service: Some("order-service".into()) })
    };
    let mut deck = Deck::new(2, vec![gap]);
    deck.run(Span::secs(60));
    let at: Vec<i64> =
        deck.samples.iter().filter(|s| s.workload == id("us-east-1", "order-service")).map(|s| (s.at.0 - START.0) / 1000).collect();
    assert_eq!(at, (1..=9).chain(40..=60).collect::<Vec<_>>());
    assert_eq!(deck.samples.iter().filter(|s| s.workload == id("us-east-1", "search")).count(), 60);
}

#[test]
fn without_a_drain_removed_pods_lose_requests_and_with_it_none() {
    let scaled = |name: &str| {
        let mut deck = Deck::new(
            2,
            vec![incident(When::At(START + Span::secs(10)), Fault::OldPods { service: name.into(), left: Percent::whole(70) })],
        );
        deck.run(Span::secs(13));
        let mine = deck.samples.iter().filter(|s| s.workload == id("us-east-1", name) && s.at > START + Span::secs(10));
        mine.flat_map(|s| &s.counts).map(|(_, c)| c.errors).sum::<f64>()
    };
    assert!(scaled("inventory-service") > 40.0);
    assert!(scaled("authentication") < 10.0);
}
