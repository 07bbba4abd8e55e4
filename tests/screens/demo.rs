//! Snapshots as the pictures show them, written by hand: no engine and no simulator behind them.

use flightdeck::analysis::Verdict;
use flightdeck::cockpit::*;
use flightdeck::fleet::{Pods, Protection, Role, Stuck};
use flightdeck::rollout::*;
use flightdeck::strategy::{StepKind, StrategyKind};
use flightdeck::units::{LegId, Percent, Person, Region, Service, Span, Term, Time, Version, WorkloadId};
use std::sync::Arc;

pub const REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];

pub fn at(clock: &str) -> Time {
    Time::parse(&format!("2026-11-24T{clock}Z")).unwrap()
}

pub fn pc(points: f64) -> Percent {
    Percent::from_share(points / 100.0)
}

/// The same for the same arguments, between -1 and 1.
fn noise(a: i64, b: i64) -> f64 {
    let mut n = (a.wrapping_mul(0x9E37_79B9_7F4A_7C15u64 as i64) ^ b.wrapping_mul(0x2545_F491_4F6C_DD1D)) as u64;
    n ^= n >> 29;
    n = n.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n ^= n >> 32;
    (n % 2001) as f64 / 1000.0 - 1.0
}

pub fn service(name: &str) -> Service {
    Service::new("shop", name)
}

/// A side that did so many requests a second for a minute, so many percent of which failed.
pub fn side(load: f64, percent: f64, p99: f64) -> SideView {
    let requests = load * 60.0;
    let rate = percent / 100.0;
    SideView {
        load: Some(load),
        requests,
        errors: requests * rate,
        rate: (requests > 0.0).then_some(rate),
        latency: (requests > 0.0).then_some([p99 / 4.0, p99 / 2.0, p99]),
    }
}

/// A side that gets nothing, on purpose.
pub fn idle() -> SideView {
    SideView { load: Some(0.0), ..SideView::default() }
}

pub fn pods(ready: u32, want: u32) -> Pods {
    Pods { want, exist: want, ready, stuck: None }
}

/// Dots of a side from a time to another: requests per dot, and percent of errors and p99 as functions of the time.
fn dots(from: Time, to: Time, seed: i64, requests: f64, errors: impl Fn(Time) -> f64, p99: impl Fn(Time) -> f64) -> Vec<(Time, Dot)> {
    let gap = at("13:58:40")..at("13:59:20");
    (from.0 / 5000..=to.0 / 5000)
        .map(|n| Time(n * 5000))
        .filter(|t| !gap.contains(t))
        .map(|t| {
            let wobble = 1.0 + 0.5 * noise(t.0 / 15_000, seed) + 0.3 * noise(t.0 / 5000, seed + 1);
            let dot =
                Dot { requests, errors: requests * errors(t) / 100.0 * wobble, p99: Some(p99(t) + 3.0 * noise(t.0 / 5000, seed + 2)) };
            (t, dot)
        })
        .collect()
}

fn step(label: &str, kind: StepKind, weight: Option<f64>, began: Option<&str>, took: Option<u64>, due: Option<&str>) -> StepStatus {
    let state = match (began, took) {
        (Some(_), Some(_)) => StepState::Done,
        (Some(_), None) => StepState::Now,
        (None, _) => StepState::Later,
    };
    let undo = match kind {
        StepKind::Scale => "remove new pods",
        StepKind::SetWeight => "weight 0, at once",
        StepKind::Switch => "switch back, at once",
        StepKind::Retire => "start old pods, then weight 0",
        _ => "nothing to undo",
    };
    StepStatus {
        label: label.into(),
        kind,
        state,
        weight: weight.map(pc),
        began: began.map(at),
        took: took.map(Span::secs),
        due: due.map(at),
        part: None,
        undo: undo.into(),
        undo_slow: kind == StepKind::Retire,
    }
}

fn canary_steps() -> Vec<StepStatus> {
    let mut steps = vec![
        step("scale", StepKind::Scale, None, Some("13:55:40"), Some(44), None),
        step("health", StepKind::HealthCheck, None, Some("13:56:24"), Some(7), None),
        step("5 %", StepKind::SetWeight, Some(5.0), Some("13:56:31"), Some(303), None),
        step("15 %", StepKind::SetWeight, Some(15.0), Some("14:01:34"), None, None),
    ];
    for (i, weight) in [25, 35, 45, 55, 65, 75, 85, 95, 100].into_iter().enumerate() {
        let due = format!("14:{:02}:34", 6 + i * 5);
        steps.push(step(&format!("{weight} %"), StepKind::SetWeight, Some(f64::from(weight)), None, None, Some(&due)));
    }
    steps.push(step("retire", StepKind::Retire, None, None, None, Some("14:51:34")));
    steps[3].part = Some(0.36);
    steps
}

pub fn note(clock: &str, sign: Sign, subject: &str, text: &str, aside: &str) -> Note {
    Note { at: at(clock), sign, subject: subject.into(), text: text.into(), aside: aside.into(), rollout: None }
}

fn plan(kind: RollbackKind, target: &str, moves: Vec<Move>, about: u64) -> RollbackPlan {
    let (ready, need) = moves.iter().fold((0, 0), |(r, n), m| (r + m.ready.unwrap_or(0).min(m.need), n + m.need));
    RollbackPlan {
        kind,
        target: target.into(),
        never_seen_healthy: false,
        ready,
        need,
        now: pc(100.0),
        about: Span(about),
        left_behind: Vec::new(),
        readiness: Readiness::Ready,
        moves,
    }
}

fn back_move(region: &str, ready: u32, need: u32, from: f64) -> Move {
    Move { leg: region.into(), ready: Some(ready), need, from: pc(from), now: pc(0.0), about: Span(400), reachable: true }
}

fn leg(region: &str, seen: f64, want: f64, new: (u32, u32), old: (u32, u32), load: f64) -> LegStatus {
    LegStatus {
        id: region.into(),
        seen: Some(pc(seen)),
        want: pc(want),
        silent_since: None,
        new_pods: Some(pods(new.0, new.1)),
        old_pods: Some(pods(old.0, old.1)),
        need: old.1,
        load: Some(load),
        mood: LegMood::Ok,
        why: None,
    }
}

fn leg_view(region: &str, old: SideView, new: SideView, curves: Curves) -> LegView {
    LegView { id: LegId::new(region), old, new, curves: Arc::new(curves) }
}

/// `order-service` v41 to v42, a canary at 15 % that goes well (picture 01).
pub fn well() -> RolloutView {
    let now = at("14:03:22");
    let status = Status {
        id: "order-service-3f9k2m7q".into(),
        service: service("order-service"),
        strategy: StrategyKind::Canary,
        from: "v41".into(),
        to: "v42".into(),
        flown: true,
        by: Some("mara".into()),
        began: at("13:55:22"),
        ended: None,
        term: Term(3),
        mood: Mood::OnCourse,
        paused: false,
        seen: Some(pc(15.0)),
        want: pc(15.0),
        step: 3,
        steps: canary_steps(),
        next: Some(("25 %".into(), Some(at("14:06:34")))),
        done: Some(at("14:51:34")),
        deadline: None,
        bad_checks: (0, 5),
        limit: Some(pc(2.0)),
        legs: vec![
            leg(REGIONS[0], 14.6, 15.0, (3, 3), (18, 18), 149.0),
            leg(REGIONS[1], 15.3, 15.0, (1, 1), (6, 6), 50.0),
            leg(REGIONS[2], 15.9, 15.0, (1, 1), (6, 6), 41.0),
        ],
        rollback: plan(
            RollbackKind::SwitchBack,
            "v41",
            vec![back_move(REGIONS[0], 18, 18, 15.0), back_move(REGIONS[1], 6, 6, 15.0), back_move(REGIONS[2], 6, 6, 15.0)],
            400,
        ),
        back: None,
        stuck: None,
    };
    let notes = vec![
        note("14:02:34", Sign::Ok, "order-service", "15 % check ok", "0.29 %"),
        note("14:01:36", Sign::Plain, "order-service", "15.0 % seen on the wire", ""),
        note("14:01:34", Sign::Moves, "order-service", "15 %", "in 3 regions"),
        note("14:01:33", Sign::Done, "order-service", "5 % passed", "3,624 req"),
        note("13:59:20", Sign::Plain, "order-service", "metrics back", ""),
        note("13:58:40", Sign::Unknown, "order-service", "no metrics", "for 40 s"),
        note("13:56:31", Sign::Moves, "order-service", "5 %", "in 3 regions"),
        note("13:56:31", Sign::Done, "order-service", "health ok", "5/5 pods"),
        note("13:55:40", Sign::Launched, "order-service", "launched", "by mara"),
        note("13:55:38", Sign::Plain, "order-service", "plan compiled, 14 steps", ""),
    ];
    RolloutView {
        phase: Phase::Flying,
        old: side(204.0, 0.28, 138.0),
        new: side(36.0, 0.31, 142.0),
        legs: vec![
            leg_view(REGIONS[0], side(127.0, 0.29, 139.0), side(22.0, 0.33, 144.0), curves(now, 11, 127.0, 22.0, |_| 0.33, |_| 142.0)),
            leg_view(REGIONS[1], side(42.0, 0.25, 136.0), side(8.0, 0.26, 138.0), curves(now, 12, 42.0, 8.0, |_| 0.26, |_| 138.0)),
            leg_view(REGIONS[2], side(34.0, 0.28, 137.0), side(7.0, 0.30, 141.0), curves(now, 13, 34.0, 7.0, |_| 0.30, |_| 141.0)),
        ],
        verdict: VerdictView {
            verdict: Verdict::Pass,
            difference: Some(0.03),
            interval: Some((-0.18, 0.31)),
            p99_difference: Some(4.0),
            requests: 3888.0,
            failed: 12.0,
            says: String::new(),
            next_check: Some(at("14:03:34")),
            measured: true,
            ..VerdictView::default()
        },
        curves: Arc::new(curves(now, 1, 204.0, 36.0, |_| 0.35, |_| 142.0)),
        moves: None,
        notes,
        failed_since: None,
        dark: Vec::new(),
        record: RecordView::default(),
        status,
    }
}

fn curves(now: Time, seed: i64, old: f64, new: f64, errors: impl Fn(Time) -> f64, p99: impl Fn(Time) -> f64) -> Curves {
    Curves {
        old: dots(at("13:30:00"), now, seed, old * 5.0, |_| 0.28, |_| 138.0),
        new: dots(at("13:56:35"), now, seed + 100, new * 5.0, errors, p99),
    }
}

/// The same, over its limit since 46 s, in the given regions (picture 04).
pub fn failing(places: &[&str]) -> RolloutView {
    let now = at("14:04:41");
    let grows = |t: Time| match t.0 - at("14:03:50").0 {
        ..0 => 0.30,
        ms => (0.3 + ms as f64 / 1000.0 * 0.20).min(4.9),
    };
    let slows = |t: Time| match t.0 - at("14:03:50").0 {
        ..0 => 142.0,
        ms => (142.0 + ms as f64 / 1000.0 * 4.0).min(214.0),
    };
    let mut r = well();
    let all = places.len() == REGIONS.len();
    let rates = [5.0, 4.4, 4.7];
    let seen = [14.8, 15.1, 15.4];
    let p99 = [218.0, 201.0, 207.0];
    for (i, region) in REGIONS.iter().enumerate() {
        let fails = places.contains(region);
        let s = &mut r.status.legs[i];
        s.seen = Some(pc(seen[i]));
        if fails {
            s.mood = LegMood::Failing;
            s.why = Some(format!("errors {:.1} %, limit 2.0 %", rates[i]));
            r.legs[i].new = side(r.legs[i].new.load.unwrap(), rates[i], p99[i]);
        }
        let load = (r.legs[i].old.load.unwrap(), r.legs[i].new.load.unwrap());
        r.legs[i].curves = Arc::new(if fails {
            curves(now, 11 + i as i64, load.0, load.1, grows, slows)
        } else {
            curves(now, 11 + i as i64, load.0, load.1, |_| 0.3, |_| 142.0)
        });
    }
    let total = if all { 4.82 } else { 0.96 };
    r.new = side(36.0, total, if all { 214.0 } else { 150.0 });
    r.old = side(204.0, 0.28, 139.0);
    r.curves = Arc::new(curves(now, 1, 204.0, 36.0, |t| if all { grows(t) } else { grows(t) / 5.0 + 0.2 }, slows));
    r.status.mood =
        Mood::Failing { cause: format!("errors {:.1} %, limit 2.0 %", rates[0]), since: at("14:03:55"), automatic: Some(at("14:05:01")) };
    r.status.bad_checks = (3, 5);
    r.status.steps[3].state = StepState::Failing;
    r.status.steps[3].part = Some(0.6);
    for later in &mut r.status.steps[4..] {
        later.due = None;
    }
    r.status.next = Some(("25 %".into(), None));
    r.status.done = None;
    r.failed_since = Some((at("14:03:55"), 64.0));
    r.verdict = VerdictView {
        verdict: Verdict::Fail,
        difference: Some(4.5),
        interval: Some((3.7, 5.4)),
        p99_difference: Some(75.0),
        requests: 5790.0,
        failed: 76.0,
        next_check: Some(at("14:04:51")),
        ..r.verdict
    };
    let mut notes = vec![
        note("14:04:35", Sign::Fails, "order-service", "check 3 of 5 bad", "4.8 %"),
        note("14:04:15", Sign::Fails, "order-service", "check 2 of 5 bad", "4.1 %"),
        note("14:03:55", Sign::Fails, "order-service", "over limit", "2.3 %"),
        note("14:03:55", Sign::Held, "order-service", "25 % held", ""),
    ];
    notes.append(&mut r.notes);
    r.notes = notes;
    r
}

fn moves(began: Time, now: Time, done: bool) -> Moves {
    let mut moves = Moves::default();
    let second = |t: i64| Time(t * 1000);
    let after = |t: Time| (t.0 - began.0) as f64 / 1000.0;
    for t in (began.0 / 1000 - 170)..=(now.0 / 1000) {
        let s = after(second(t));
        let share = match s {
            ..0.5 => 85.0,
            ..1.5 => 44.0,
            ..2.5 => 13.9,
            ..4.5 => 11.0,
            _ => 0.0,
        };
        moves.seen.push((second(t), pc(share)));
        let errors = if s < 0.5 { 5.0 + 0.2 * noise(t / 4, 5) } else { 5.0 * share / 85.0 * 0.85 + 0.28 };
        moves.errors.push((second(t), errors / 100.0));
    }
    moves.want = vec![(began - Span::mins(5), pc(85.0)), (began + Span(100), pc(11.0))];
    if done {
        moves.want.push((began + Span(5200), pc(0.0)));
    }
    moves
}

/// `checkout` v18 to v19, two seconds after `R` (picture 06).
pub fn moving() -> RolloutView {
    let (began, now) = (at("14:44:17"), at("14:44:19") + Span(400));
    let mut r = well();
    let s = &mut r.status;
    s.id = "checkout-7hq2w1ab".into();
    s.service = service("checkout");
    (s.from, s.to, s.by) = ("v18".into(), "v19".into(), Some("ilias".into()));
    s.began = at("13:52:10");
    s.mood = Mood::RollingBack;
    (s.seen, s.want, s.next, s.done) = (Some(pc(13.9)), pc(11.0), None, None);
    s.legs = vec![
        leg(REGIONS[0], 21.4, 18.0, (18, 18), (14, 18), 149.0),
        leg(REGIONS[1], 3.1, 0.0, (6, 6), (6, 6), 50.0),
        leg(REGIONS[2], 0.0, 0.0, (6, 6), (6, 6), 41.0),
    ];
    s.legs[0].need = 17;
    (s.legs[0].mood, s.legs[1].mood, s.legs[2].mood) = (LegMood::Moving, LegMood::Moving, LegMood::Done);
    s.rollback = plan(
        RollbackKind::SwitchBack,
        "v18",
        vec![back_move(REGIONS[0], 14, 17, 18.0), back_move(REGIONS[1], 6, 6, 0.0), back_move(REGIONS[2], 6, 5, 0.0)],
        4000,
    );
    s.rollback.readiness = Readiness::Off { why: "rolling back".into() };
    s.back = Some(BackStatus {
        began,
        by: By::Person(Person::new("dana")),
        why: "asked".into(),
        was: pc(85.0),
        can: pc(82.0),
        waits: Some("us-east-1 has 14 of 17 pods".into()),
        legs: vec![(REGIONS[0].into(), None), (REGIONS[1].into(), None), (REGIONS[2].into(), Some(Span(900)))],
        proof: Proof {
            traffic: Some(pc(86.1)),
            counted: true,
            traffic_at: None,
            ready: 26,
            need: 29,
            pods_at: None,
            errors: Some(0.0098),
            errors_at: None,
            errors_why: None,
        },
        took: None,
        undo_until: None,
    });
    r.phase = Phase::RollingBack;
    r.old = side(206.0, 0.32, 151.0);
    r.new = side(34.0, 5.07, 231.0);
    r.legs = vec![
        leg_view(REGIONS[0], side(117.0, 0.34, 158.0), side(32.0, 5.10, 231.0), Curves::default()),
        leg_view(REGIONS[1], side(48.0, 0.29, 141.0), side(2.0, 4.60, 214.0), Curves::default()),
        leg_view(REGIONS[2], side(41.0, 0.28, 138.0), idle(), Curves::default()),
    ];
    r.verdict.failed = 741.0;
    r.moves = Some(Arc::new(moves(began, now, false)));
    r.notes = vec![
        Note { at: now - Span(200), ..note("14:44:19", Sign::Moves, "checkout", "us-east-1 18 %", "asked") },
        Note { at: began + Span(900), ..note("14:44:17", Sign::Done, "checkout", "eu-west-1 0 %", "seen") },
        Note { at: began, ..note("14:44:17", Sign::Back, "checkout", "R by dana", "grace skipped") },
    ];
    r
}

/// The same, proven after 6.3 s (picture 07).
pub fn proven() -> RolloutView {
    let (began, now) = (at("14:44:17"), at("14:44:27"));
    let mut r = moving();
    let s = &mut r.status;
    s.mood = Mood::Back;
    (s.seen, s.want) = (Some(pc(0.0)), pc(0.0));
    for (i, pods_of) in [18, 6, 6].into_iter().enumerate() {
        s.legs[i] = leg(REGIONS[i], 0.0, 0.0, (pods_of, pods_of), (pods_of, pods_of), [149.0, 50.0, 41.0][i]);
        s.legs[i].mood = LegMood::Done;
    }
    s.rollback.readiness = Readiness::Off { why: "already back on v18".into() };
    let back = s.back.as_mut().unwrap();
    back.can = pc(100.0);
    back.waits = None;
    back.legs = vec![(REGIONS[0].into(), Some(Span(6300))), (REGIONS[1].into(), Some(Span(2600))), (REGIONS[2].into(), Some(Span(900)))];
    back.took = Some(Span(6300));
    back.undo_until = Some(at("14:59:23"));
    back.proof = Proof {
        traffic: Some(pc(100.0)),
        traffic_at: Some(Span(5600)),
        ready: 30,
        need: 30,
        pods_at: Some(Span(5100)),
        errors: Some(0.0028),
        errors_at: Some(Span(6300)),
        ..back.proof.clone()
    };
    r.phase = Phase::Back;
    r.new = idle();
    r.old = side(240.0, 0.28, 140.0);
    r.legs = vec![
        leg_view(REGIONS[0], side(149.0, 0.30, 142.0), idle(), Curves::default()),
        leg_view(REGIONS[1], side(50.0, 0.26, 137.0), idle(), Curves::default()),
        leg_view(REGIONS[2], side(41.0, 0.28, 138.0), idle(), Curves::default()),
    ];
    r.moves = Some(Arc::new(moves(began, now, true)));
    r.notes.insert(0, Note { at: began + Span(6300), ..note("14:44:23", Sign::Done, "checkout", "back on v18", "in 6.3 s") });
    r
}

/// Moved back in two of three regions; the third is silent.
pub fn one_silent() -> RolloutView {
    let mut r = proven();
    r.phase = Phase::RollingBack;
    r.status.mood = Mood::RollingBack;
    let s = &mut r.status;
    s.legs[1] = LegStatus {
        seen: Some(pc(15.0)),
        silent_since: Some(at("14:43:46")),
        mood: LegMood::Unknown,
        why: Some("silent for 41s".into()),
        ..s.legs[1].clone()
    };
    let back = s.back.as_mut().unwrap();
    (back.took, back.undo_until) = (None, None);
    back.legs[1].1 = None;
    back.waits = Some("us-west-2 silent since 14:43:46".into());
    (back.proof.traffic_at, back.proof.errors_at, back.proof.pods_at) = (None, None, None);
    r
}

/// An update of `catalogue` that somebody else started, stuck in one region.
pub fn stuck() -> RolloutView {
    let mut r = well();
    let s = &mut r.status;
    s.id = "catalogue-7f9c".into();
    s.service = service("catalogue");
    (s.from, s.to, s.by) = ("v102".into(), "v103".into(), Some("kubectl-set".into()));
    s.strategy = StrategyKind::Rolling;
    s.flown = false;
    s.began = at("13:58:31");
    s.mood = Mood::Stuck { cause: "v103 cannot start in eu-west-1: image pull denied (403)".into(), key: Some('R') };
    s.stuck = Some(Stuck { cause: "image pull denied (403)".into(), pods: 5, since: at("13:58:31"), may_heal: false });
    (s.seen, s.want, s.limit, s.step) = (Some(pc(44.0)), pc(44.0), None, 0);
    s.steps = vec![
        step("100 %", StepKind::SetWeight, Some(100.0), Some("13:58:31"), None, None),
        step("ready", StepKind::WaitReady, None, None, None, None),
    ];
    s.steps[0].undo = "old template back, pod by pod".into();
    s.steps[0].undo_slow = true;
    (s.next, s.done) = (None, None);
    s.legs = vec![leg(REGIONS[2], 44.0, 44.0, (4, 9), (5, 5), 207.0)];
    s.legs[0].need = 9;
    (s.legs[0].mood, s.legs[0].why) = (LegMood::Look, Some("image pull denied (403)".into()));
    s.rollback = plan(RollbackKind::TemplateBack, "v102", vec![back_move(REGIONS[2], 5, 9, 44.0)], 40_000);
    s.rollback.readiness = Readiness::Slow { why: "pod by pod".into() };
    s.rollback.left_behind = vec!["Argo CD catalogue still says v103 and may put it back".into()];
    r.phase = Phase::Watched;
    (r.old, r.new) = (side(116.0, 0.30, 120.0), side(91.0, 0.33, 124.0));
    r.legs = vec![leg_view(REGIONS[2], r.old, r.new, Curves::default())];
    r.verdict = VerdictView::default();
    r.curves = Arc::new(curves(at("14:04:41"), 21, 116.0, 91.0, |_| 0.33, |_| 124.0));
    r.notes = Vec::new();
    r
}

/// `authentication`, blue-green, before the switch.
pub fn held() -> RolloutView {
    let mut r = well();
    let s = &mut r.status;
    s.id = "authentication-5kd8".into();
    s.service = service("authentication");
    (s.from, s.to, s.by) = ("v33".into(), "v34".into(), Some("noor".into()));
    s.strategy = StrategyKind::BlueGreen;
    s.began = at("13:52:01");
    s.mood = Mood::Held { cause: "waits: your approval to switch".into(), key: Some('S') };
    (s.seen, s.want, s.step, s.limit) = (Some(pc(0.0)), pc(0.0), 2, Some(pc(0.5)));
    s.steps = vec![
        step("scale", StepKind::Scale, None, Some("13:52:01"), Some(61), None),
        step("health", StepKind::HealthCheck, None, Some("13:53:02"), Some(30), None),
        step("switch", StepKind::Switch, Some(100.0), Some("13:53:32"), None, None),
        step("hold", StepKind::Hold, None, None, None, None),
        step("retire", StepKind::Retire, None, None, None, None),
    ];
    (s.next, s.done) = (Some(("switch".into(), None)), None);
    s.legs = vec![leg(REGIONS[0], 0.0, 0.0, (12, 12), (12, 12), 378.0)];
    s.rollback = plan(RollbackKind::RemoveNew, "v33", vec![back_move(REGIONS[0], 12, 12, 0.0)], 200);
    (r.old, r.new) = (side(378.0, 0.04, 48.0), idle());
    r.legs = vec![leg_view(REGIONS[0], r.old, r.new, Curves::default())];
    r.curves = Arc::new(Curves { new: Vec::new(), ..curves(at("14:04:41"), 31, 378.0, 1.0, |_| 0.0, |_| 48.0) });
    r.verdict = VerdictView { measured: true, ..VerdictView::default() };
    r.notes = Vec::new();
    r
}

/// `search`, a canary with too few requests to tell.
pub fn unclear() -> RolloutView {
    let mut r = well();
    let s = &mut r.status;
    s.id = "search-1b2c".into();
    s.service = service("search");
    (s.from, s.to) = ("v77".into(), "v78".into());
    s.began = at("12:33:00");
    s.mood = Mood::Unclear { cause: "us-east-1: too few: 12 of 30 requests".into() };
    (s.seen, s.want) = (Some(pc(5.0)), pc(5.0));
    s.next = Some(("15 %".into(), None));
    for leg in &mut s.legs {
        (leg.seen, leg.want) = (Some(pc(5.0)), pc(5.0));
    }
    r.new = SideView { requests: 21.0, errors: 1.0, rate: Some(1.0 / 21.0), load: Some(0.35), latency: Some([20.0, 60.0, 190.0]) };
    r.verdict.verdict = Verdict::TooFew;
    (r.verdict.difference, r.verdict.interval) = (Some(0.2), Some((-2.8, 5.2)));
    (r.verdict.requests, r.verdict.failed) = (21.0, 1.0);
    r.verdict.says = "too few: 12 of 30 requests".into();
    r
}

/// Nothing counts requests.
pub fn no_metrics() -> RolloutView {
    let mut r = well();
    r.status.mood = Mood::Unclear { cause: "us-east-1: no data".into() };
    r.status.seen = None;
    r.status.next = Some(("25 %".into(), None));
    for leg in &mut r.status.legs {
        (leg.seen, leg.load) = (None, None);
    }
    (r.old, r.new) = (SideView::default(), SideView::default());
    for leg in &mut r.legs {
        (leg.old, leg.new, leg.curves) = (SideView::default(), SideView::default(), Arc::default());
    }
    r.curves = Arc::default();
    r.verdict = VerdictView { says: "no data".into(), ..VerdictView::default() };
    r.notes.retain(|n| n.sign != Sign::Ok);
    r
}

/// The canary of somebody else's flightdeck, as it is seen here; `gone`: for how long his Lease was not renewed.
pub fn followed(gone: Option<Span>) -> RolloutView {
    let mut r = well();
    r.status.by = Some("ana@laptop".into());
    r.record.driver = Some(DriverView { name: "ana@laptop".into(), gone, nobody: false });
    if let Some(gone) = gone {
        r.status.mood = Mood::Held { cause: format!("driver ana@laptop gone {}", gone.clock()), key: Some('T') };
    }
    r
}

/// `authentication`, whose second Deployment has the traffic while the first takes the new version.
pub fn adopting() -> RolloutView {
    let mut r = held();
    let s = &mut r.status;
    s.mood = Mood::OnCourse;
    (s.seen, s.want, s.step) = (Some(pc(100.0)), pc(100.0), 4);
    s.steps.insert(4, step("adopt", StepKind::Adopt, None, Some("13:59:10"), None, None));
    s.steps[2] = step("switch", StepKind::Switch, Some(100.0), Some("13:53:32"), Some(3), None);
    s.steps[3] = step("hold", StepKind::Hold, None, Some("13:53:35"), Some(335), None);
    s.next = Some(("adopt".into(), None));
    s.legs = vec![leg(REGIONS[0], 100.0, 100.0, (12, 12), (9, 12), 378.0)];
    s.rollback = plan(RollbackKind::SwitchBack, "v33", vec![back_move(REGIONS[0], 9, 12, 100.0)], 40);
    (r.old, r.new) = (idle(), side(378.0, 0.04, 48.0));
    r.legs = vec![leg_view(REGIONS[0], r.old, r.new, Curves::default())];
    let (region, kind) = (Region::new(REGIONS[0]), "Deployment".into());
    r.dark = vec![WorkloadId { region, namespace: "shop".into(), kind, name: "authentication".into() }];
    r
}

pub fn region(name: &str, role: Role, share: f64, now: Time) -> RegionView {
    RegionView {
        name: name.into(),
        role: Some(role),
        share: Some(pc(share)),
        state: RegionState::Answers,
        server: Some("v1.34.2".into()),
        heard: Some(now - Span::secs(1)),
        skipped: None,
        denied: Vec::new(),
    }
}

fn cell(region: &str, name: &str, version: &str) -> Cell {
    Cell {
        workload: WorkloadId { region: region.into(), namespace: "shop".into(), kind: "Deployment".into(), name: name.into() },
        version: version.into(),
        to: None,
        mood: CellMood::Calm,
        why: None,
        drift_since: None,
        pods: (6, 6),
        rollout: None,
    }
}

/// A service with the same version everywhere.
pub fn row(name: &str, version: &str, load: f64, errors: f64, p99: f64) -> ServiceView {
    ServiceView {
        service: service(name),
        cells: REGIONS.iter().map(|r| Some(cell(r, name, version))).collect(),
        numbers: side(load, errors, p99),
        versions: Vec::new(),
        annotations: Vec::new(),
    }
}

fn moves_to(row: &mut ServiceView, places: &[usize], to: &str, share: f64, mood: CellMood) {
    for i in places {
        let cell = row.cells[*i].as_mut().unwrap();
        cell.to = Some((Version::new(to), pc(share)));
        cell.mood = mood;
    }
}

fn services() -> Vec<ServiceView> {
    let mut rows = vec![
        row("authentication", "v33", 610.0, 0.04, 48.0),
        row("catalogue", "v103", 1220.0, 0.31, 122.0),
        row("checkout", "v18", 305.0, 0.28, 138.0),
        row("inventory-service", "v10", 402.0, 0.15, 77.0),
        row("order-service", "v41", 240.0, 0.96, 150.0),
        row("payment-service", "v18", 231.0, 0.09, 184.0),
        row("search", "v77", 930.0, 0.22, 210.0),
        row("shipping-service", "v21", 118.0, 0.11, 164.0),
    ];
    moves_to(&mut rows[0], &[0], "v34", 0.0, CellMood::Held);
    rows[1].cells[2].as_mut().unwrap().version = "v102".into();
    moves_to(&mut rows[1], &[2], "v103", 44.0, CellMood::Look);
    moves_to(&mut rows[4], &[0, 1, 2], "v42", 15.0, CellMood::Fails);
    moves_to(&mut rows[6], &[0, 1, 2], "v78", 5.0, CellMood::Moves);
    let drift = rows[7].cells[2].as_mut().unwrap();
    (drift.version, drift.mood, drift.why) = ("v20".into(), CellMood::Drift, Some("drift".into()));
    drift.drift_since = Some(at("14:04:41") - Span::mins(3 * 1440 + 130));
    rows
}

/// The fleet of picture 08.
pub fn fleet() -> Snapshot {
    let now = at("14:04:41");
    let mut rollouts = vec![failing(&REGIONS), stuck(), held(), unclear()];
    rollouts[3].curves = Arc::new(curves(now, 41, 700.0, 36.0, |_| 0.22, |_| 210.0));
    Snapshot {
        now,
        fleet: "production".into(),
        practice: false,
        protection: Protection::Safe,
        readonly: false,
        grace: Span(1500),
        regions: vec![
            region(REGIONS[0], Role::Primary, 62.0, now),
            region(REGIONS[1], Role::Replica, 21.0, now),
            region(REGIONS[2], Role::Replica, 17.0, now),
        ],
        services: services(),
        rollouts,
        notes: vec![
            note("14:04:35", Sign::Fails, "order-service", "check 3 of 5 bad", "4.8 %"),
            note("14:04:15", Sign::Fails, "order-service", "check 2 of 5 bad", "4.1 %"),
            note("14:03:55", Sign::Fails, "order-service", "v42 over limit 2.0 %, next step held", ""),
            note("14:03:00", Sign::Moves, "search", "5 %", "in 3 regions"),
            note("14:02:58", Sign::Look, "eu-west-1", "orders lag over its promise of 30 s", ""),
            note("14:02:30", Sign::Done, "inventory-service", "v10 ready in us-east-1, 9/9 pods", ""),
            note("13:58:31", Sign::Look, "catalogue", "eu-west-1 image pull denied (403)", ""),
            note("13:52:01", Sign::Held, "authentication", "v34 ready, waits for approval", ""),
        ],
        stopped_line: None,
        lags: [("orders", 41, 30, 2), ("users", 8, 60, 1), ("products", 72, 300, 2), ("analytics", 860, 3600, 1)]
            .map(|(data, lag, promise, r)| LagView {
                data: data.into(),
                region: Region::new(REGIONS[r]),
                lag: Span::secs(lag),
                promise: Span::secs(promise),
            })
            .to_vec(),
        term: Term(7),
        last_change: Some(at("14:01:34")),
    }
}

/// A fleet with one rollout in it, at the time it is about.
pub fn with(rollout: RolloutView, clock: Time) -> Snapshot {
    let mut shot = fleet();
    shot.now = clock;
    for region in &mut shot.regions {
        region.heard = Some(clock - Span::secs(1));
    }
    shot.notes = rollout.notes.clone();
    shot.lags.clear();
    shot.rollouts = vec![rollout];
    shot
}

/// Nothing in flight, everything as it should be.
pub fn quiet() -> Snapshot {
    let mut shot = fleet();
    shot.rollouts.clear();
    for service in &mut shot.services {
        for (cell, region) in service.cells.iter_mut().zip(REGIONS) {
            let version = cell.as_ref().unwrap().version.clone();
            *cell = Some(self::cell(region, &service.service.name, version.as_str()));
        }
    }
    shot.services[1].cells[2].as_mut().unwrap().version = "v103".into();
    shot.services[7].cells[2].as_mut().unwrap().version = "v21".into();
    shot.services[4].numbers = side(240.0, 0.28, 138.0);
    shot.lags[0].lag = Span::secs(4);
    shot.notes.retain(|n| n.sign == Sign::Done);
    shot.last_change = Some(shot.now - Span::mins(192));
    shot
}

/// A real cluster that was asked 1.2 s ago.
pub fn connecting() -> Snapshot {
    let mut shot = fleet();
    shot.fleet = "kind-dev".into();
    let since = shot.now - Span(3200);
    shot.regions = vec![RegionView {
        state: RegionState::Connecting { since },
        role: None,
        share: None,
        server: None,
        heard: None,
        ..region("kind-dev", Role::Primary, 0.0, shot.now)
    }];
    (shot.services, shot.rollouts, shot.notes, shot.lags, shot.last_change) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), None);
    shot
}

/// The practice fleet as it opens: a canary that has just begun, and `catalogue` rolling in one region.
pub fn practice() -> Snapshot {
    let mut shot = fleet();
    (shot.fleet, shot.practice, shot.protection) = ("practice".into(), true, Protection::Open);
    let mut first = well();
    first.status.by = Some("ana".into());
    let mut second = stuck();
    second.status.flown = true;
    second.status.by = Some("ben".into());
    second.status.mood = Mood::Waits { cause: "4 of 9 pods ready in eu-west-1".into() };
    (second.status.stuck, second.status.rollback.left_behind) = (None, Vec::new());
    (second.status.legs[0].mood, second.status.legs[0].why) = (LegMood::Ok, None);
    shot.rollouts = vec![second, first];
    shot.now = at("14:03:22");
    shot.services = quiet().services;
    moves_to(&mut shot.services[4], &[0, 1, 2], "v42", 15.0, CellMood::Moves);
    shot.services[1].cells[2].as_mut().unwrap().version = "v102".into();
    moves_to(&mut shot.services[1], &[2], "v103", 44.0, CellMood::Moves);
    shot.lags[0].lag = Span::secs(4);
    shot.notes.retain(|n| n.at < shot.now && n.sign != Sign::Look);
    shot
}
