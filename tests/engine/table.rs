//! The line language of the tables: what happens to one rollout, line by line.
//!
//! Every line is one thing that happens; what follows from it is decided as the cockpit does it: events are applied, and what
//! is seen is shown again until nothing more follows. After each the log is replayed, through its text, and must give the
//! same rollout.

use super::plans::{self, Leg};
use super::print;
use flightdeck::analysis::{Look, Verdict};
use flightdeck::fleet::{
    Aspect, Automation, BesideSeen, Counts, Division, Flight, LegSeen, Observed, Pods, Reach, RevisionSeen, Side, SideSeen, Stuck, Way,
    Workload,
};
use flightdeck::rollout::{Ask, Event, Input, Phase, Rollout, Verb, Want, Wish, watch};
use flightdeck::strategy::Route;
use flightdeck::units::{LegId, Percent, Person, Revision, RolloutId, Service, Span, Term, Time, Version};
use std::collections::BTreeMap;
use std::fmt::Write;

pub const VERBS: [(&str, Verb); 11] = [
    ("pause", Verb::Pause),
    ("resume", Verb::Resume),
    ("promote", Verb::Promote),
    ("promote-full", Verb::PromoteFull),
    ("skip", Verb::Skip),
    ("retry", Verb::Retry),
    ("abort", Verb::Abort),
    ("rollback", Verb::Rollback),
    ("undo", Verb::Undo),
    ("over-capacity", Verb::OverCapacity),
    ("take", Verb::Take),
];

pub struct Table {
    pub now: Time,
    pub engine: Option<Rollout>,
    pub seen: Observed,
    pub log: Vec<Event>,
    /// Events printed already.
    pub printed: usize,
    /// Good checks are not printed: too many of them.
    pub calm: bool,
    /// Its log cannot be read whole, so it does not replay.
    read_only: bool,
    /// Lines that commands print by themselves.
    out: String,
}

impl Table {
    pub fn new() -> Table {
        let seen = Observed::default();
        Table { now: plans::start(), engine: None, seen, log: Vec::new(), printed: 0, calm: false, read_only: false, out: String::new() }
    }

    /// Runs the lines of one block and prints where that leads.
    pub fn run(&mut self, lines: &str) -> String {
        self.out.clear();
        self.calm = lines.lines().any(|l| l.starts_with("fly"));
        let mut quiet = false;
        for line in lines.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            quiet = matches!(words[0], "verbs" | "plan" | "way-back");
            self.line(&words);
        }
        let mut out = std::mem::take(&mut self.out);
        if !quiet {
            out += &print::state(self);
        }
        self.printed = self.log.len();
        out
    }

    pub fn engine(&self) -> &Rollout {
        self.engine.as_ref().expect("launch comes first")
    }

    fn line(&mut self, words: &[&str]) {
        match words {
            ["launch", rest @ ..] => self.launch(rest),
            ["watched", rest @ ..] => self.watched(rest),
            ["see", leg, changes @ ..] => {
                for leg in self.legs(leg) {
                    changes.iter().for_each(|c| self.see(&leg, c));
                }
                self.look();
            }
            ["wait", span] => self.wait(span_of(span)),
            ["obey"] => self.obey(),
            ["fly", span] => self.fly(span_of(span)),
            ["press", verb, rest @ ..] => self.press(verb, rest),
            // What happened so far is not printed.
            ["hush"] => self.printed = self.log.len(),
            // Its log has something in it that cannot be read.
            ["read-only", why] => {
                self.engine = self.engine.take().map(|e| e.read_only((*why).into()));
                self.read_only = true;
            }
            ["verbs"] => self.verbs(),
            ["plan"] => self.out += &print::plan(self),
            ["way-back"] => self.out += &print::way_back(self),
            ["check", leg, look, why @ ..] => {
                self.check(&LegId::new(leg), look, why.first().copied().unwrap_or("errors 4.8 %, limit 2.0 %"))
            }
            ["health", leg, answer, why @ ..] => {
                let why = why.first().copied().unwrap_or("1 ill").to_owned();
                let pods = u32::from(*answer != "none");
                for leg in self.legs(leg) {
                    self.tell(&Input::Health { leg, at: self.now, pods, well: *answer == "well", why: why.clone() });
                }
                self.look();
            }
            ["fail", leg, aspect, cause, rest @ ..] => self.fail(leg, aspect, cause, rest),
            ["silent", leg] => {
                for leg in self.legs(leg) {
                    let since = self.now;
                    self.leg(&leg).reach = Reach::Silent { since, why: "timeout".into(), again: None };
                }
                self.look();
            }
            ["heard", leg] => {
                for leg in self.legs(leg) {
                    let now = self.now;
                    self.leg(&leg).reach = Reach::Answers(now);
                }
                self.look();
            }
            ["fence", leg, whose, term, way] => {
                let flight = self.flight(whose, term, way);
                for leg in self.legs(leg) {
                    self.leg(&leg).flight = Some(flight.clone());
                }
                self.look();
            }
            ["gate", name, state, why @ ..] => {
                match *state {
                    "open" => self.seen.gates.insert((*name).into(), Ok(())),
                    "closed" => self.seen.gates.insert((*name).into(), Err(why.first().copied().unwrap_or("closed").into())),
                    _ => self.seen.gates.remove(*name),
                };
                self.look();
            }
            other => panic!("no such line: {other:?}"),
        }
    }

    fn launch(&mut self, words: &[&str]) {
        let at = words.iter().position(|w| *w == "legs").expect("legs");
        let mut document = format!("strategy: {}\n", words[0]);
        for option in &words[1..at] {
            let (key, value) = option.split_once('=').expect("key=value");
            writeln!(document, "{key}: {value}").unwrap();
        }
        let legs: Vec<Leg> = words[at + 1..].iter().map(|w| leg_of(w)).collect();
        let plan = plans::plan(&document, &legs);
        for leg in &legs {
            let mut seen = LegSeen { reach: Reach::Answers(self.now), want: Some(Percent::ZERO), load: leg.load, ..LegSeen::default() };
            let old = pods(leg.base, leg.base, leg.base);
            seen.old = SideSeen { revision: Some("v41".into()), pods: Some(old), last: None, exists: true };
            seen.new = SideSeen { revision: Some("v42".into()), pods: Some(Pods::default()), ..SideSeen::default() };
            seen.template = Some("v41".into());
            seen.complete = true;
            seen.home = leg.beside.map(|_| Side::Old);
            self.seen.legs.insert(LegId::new(&leg.name), seen);
        }
        let (engine, first) = Rollout::launch(RolloutId::new("order-1"), plan, self.now, Person::new("mara"), None, Term(6));
        self.engine = Some(engine);
        self.log.push(first);
        self.look();
    }

    /// `watched us-east-1:4/2`: 4 pods of v41 and 2 of v42 are ready; `us-east-1:0/6/done`: it was through two minutes ago;
    /// `us-east-1:4/2/fence9`: a fence of another rollout stands there.
    fn watched(&mut self, legs: &[&str]) {
        let rows: Vec<Workload> = legs.iter().map(|w| self.row(w)).collect();
        for row in &rows {
            let seen = LegSeen {
                reach: Reach::Answers(self.now),
                old: SideSeen { pods: row.revisions.get(1).map(|r| r.pods.clone()), exists: true, ..SideSeen::default() },
                new: SideSeen { revision: Some("v42".into()), pods: Some(row.revisions[0].pods.clone()), ..SideSeen::default() },
                template: Some("v42".into()),
                want: row.want(&"v42".into()),
                flight: row.flight.clone(),
                ..LegSeen::default()
            };
            self.seen.legs.insert(LegId::new(row.id.region.as_str()), seen);
        }
        self.engine = watch(&rows.iter().collect::<Vec<_>>(), self.now);
        self.look();
    }

    fn row(&self, word: &str) -> Workload {
        let (name, ready) = word.split_once(':').unwrap();
        let (old, rest) = ready.split_once('/').unwrap();
        let (new, more) = rest.split_once('/').unwrap_or((rest, ""));
        let done = more == "done";
        let flight = more.strip_prefix("fence").map(|term| self.flight("order-9", term, "forward"));
        let revision = |version: &str, ready: u32, created| RevisionSeen {
            revision: Revision::new(version),
            version: Version::new(version),
            number: None,
            pods: pods(ready, ready, ready),
            images: vec![("app".into(), format!("shop/order:{version}"))],
            created: Time(created),
            seen_healthy: false,
        };
        let mut revisions = vec![revision("v42", new.parse().unwrap(), 2)];
        if old != "-" {
            revisions.push(revision("v41", old.parse().unwrap(), 1));
        }
        Workload {
            id: plans::workload(name),
            service: Service::new("shop", "order"),
            replicas: revisions.iter().map(|r| r.pods.ready).sum(),
            revisions,
            template: "v42".into(),
            split: Vec::new(),
            divides: Default::default(),
            beside: None,
            flight,
            paused: false,
            complete: done,
            deadline_passed: false,
            changed: if done { self.now - Span::mins(2) } else { self.now },
            changed_by: Some(Person::new("kubectl-set")),
            automation: None,
            rolling: Some((1, 1)),
            drains: true,
            start_takes: Some(Span::secs(8)),
            annotations: Vec::new(),
        }
    }

    fn legs(&self, name: &str) -> Vec<LegId> {
        if name == "*" { self.seen.legs.keys().cloned().collect() } else { vec![LegId::new(name)] }
    }

    fn leg(&mut self, id: &LegId) -> &mut LegSeen {
        self.seen.legs.get_mut(id).unwrap_or_else(|| panic!("no leg {id}"))
    }

    fn see(&mut self, leg: &LegId, change: &str) {
        let now = self.now;
        let (key, value) = change.split_once('=').expect("key=value");
        // What a way back leads to is seen with its fence.
        if matches!(key, "want" | "complete") && self.engine().phase() == Phase::RollingBack {
            let term = self.engine().term().0.to_string();
            self.leg(leg).flight = Some(self.flight("ours", &term, "back"));
        }
        let seen = self.leg(leg);
        let share = |v: &str| Percent::from_share(v.parse::<f64>().unwrap() / 100.0);
        match key {
            "new" => seen.new.pods = pods_of(value),
            "old" => seen.old.pods = pods_of(value),
            "want" => seen.want = (value != "?").then(|| share(value)),
            "counts" => count(seen, now, value),
            "load" => seen.load = value.parse().ok(),
            "before" => seen.rate_before = value.parse().ok(),
            "template" => seen.template = Some(Revision::new(value)),
            "home" => {
                seen.home = match value {
                    "old" => Some(Side::Old),
                    "new" => Some(Side::New),
                    _ => None,
                };
            }
            "complete" => seen.complete = value == "yes",
            "paused" => seen.paused = value == "yes",
            "says" => seen.says = Some(value.into()),
            "denied" => seen.denied = Some(value.into()),
            "stuck" => {
                seen.stuck = (value != "no").then(|| Stuck { cause: value.into(), pods: 1, since: now, may_heal: false });
            }
            "automation" => seen.automation = Some(Automation { kind: "Argo CD".into(), name: value.into(), fights: true }),
            _ => panic!("no such change: {change}"),
        }
    }

    /// Shows what is seen until nothing more follows.
    fn look(&mut self) {
        let seen = Observed { at: self.now, ..self.seen.clone() };
        self.tell(&Input::Observed(&seen));
        let again = self.engine().decide(self.now, &Input::Observed(&seen)).unwrap();
        assert!(again.is_empty(), "looking again decided {again:?}");
    }

    fn tell(&mut self, input: &Input<'_>) {
        match self.engine().decide(self.now, input) {
            Ok(events) => self.record(events),
            Err(refusal) => writeln!(self.out, "refused: {} ({})", refusal.cause, refusal.remedy).unwrap(),
        }
    }

    fn record(&mut self, events: Vec<Event>) {
        for event in events {
            self.engine.as_mut().unwrap().apply(&event);
            let line = serde_json::to_string(&event).unwrap();
            self.log.push(serde_json::from_str(&line).unwrap());
            let replayed = Rollout::replay(self.engine().id().clone(), &self.log).unwrap();
            assert!(self.read_only || replayed == *self.engine(), "replay differs after {line}");
        }
    }

    fn wait(&mut self, span: Span) {
        let until = self.now + span;
        while let Some(next) = self.engine().poll_timeout(self.now).filter(|t| *t < until) {
            self.now = next;
            self.look();
        }
        self.now = until;
        self.look();
    }

    /// One second passes, all that is asked for comes true where a region answers, and it is counted.
    fn obey(&mut self) {
        self.now += Span::secs(1);
        let now = self.now;
        let engine = self.engine().clone();
        for wish in engine.wishes() {
            let leg = wish.key.leg.clone();
            let base = engine.plan().leg(&leg).unwrap().base;
            let mine = engine.id().clone();
            let seen = self.leg(&leg);
            if !seen.reach.answers() {
                continue;
            }
            if engine.plan().leg(&leg).is_some_and(|l| l.beside.is_some()) {
                obey_beside(seen, &wish, base);
            }
            match (wish.want, wish.key.aspect) {
                (Want::Home { .. }, _) => {}
                (Want::Weight { new }, _) => {
                    seen.want = Some(new);
                    seen.flight = Some(Flight { rollout: mine, term: wish.term, way: wish.way, to: "v42".into() });
                }
                (Want::Replicas { pods: n }, Aspect::OldReplicas) => seen.old.pods = Some(pods(n, n, n)),
                (Want::Replicas { pods: n }, _) => seen.new.pods = Some(pods(n, n, n)),
                (Want::Roll { paused: true, .. }, _) => seen.paused = true,
                (Want::Roll { forward, share, .. }, _) => {
                    let new = if forward { share.of_rounded_up(base) } else { 0 };
                    (seen.new.pods, seen.old.pods) = (Some(pods(new, new, new)), Some(pods(base - new, base - new, base - new)));
                    seen.template = Some(if forward { "v42" } else { "v41" }.into());
                    seen.want = Some(Percent::from_share(f64::from(new) / f64::from(base)));
                    (seen.complete, seen.paused) = (share == Percent::ALL, share != Percent::ALL);
                    seen.flight = Some(Flight { rollout: mine, term: wish.term, way: wish.way, to: "v42".into() });
                }
            }
        }
        let legs: Vec<LegId> = self.seen.legs.keys().cloned().collect();
        for leg in legs {
            let seen = self.leg(&leg);
            if seen.reach.answers() {
                seen.reach = Reach::Answers(now);
                let new = seen.want.unwrap_or_default().share() * 1000.0;
                count(seen, now, &format!("{}/0,{new}/0", 1000.0 - new));
            }
        }
        self.look();
    }

    /// All goes well: what is asked for comes true, every 10 s pods are well and checks are good.
    fn fly(&mut self, span: Span) {
        let until = self.now + span;
        while self.now < until && !self.engine().ended() {
            self.obey();
            for ask in self.engine().asks() {
                if let Ask::Health { leg, .. } = ask {
                    self.tell(&Input::Health { leg, at: self.now, pods: 1, well: true, why: String::new() });
                }
            }
            let legs: Vec<LegId> = self.seen.legs.keys().cloned().collect();
            for leg in legs {
                self.check(&leg, "good", "");
            }
            self.look();
            if !self.engine().ended() {
                self.now = (self.now + Span::secs(9)).min(until);
            }
        }
        self.look();
    }

    fn press(&mut self, verb: &str, rest: &[&str]) {
        let (_, verb) = VERBS.iter().find(|(name, _)| *name == verb).unwrap_or_else(|| panic!("no verb {verb}"));
        let after = |word| rest.iter().position(|w| *w == word).map(|i| rest[i + 1].to_owned());
        let by = Person::new(after("by").unwrap_or_else(|| "dana".into()));
        self.tell(&Input::Press { verb: *verb, by, reason: after("because") });
        self.look();
    }

    /// What each verb would do now.
    fn verbs(&mut self) {
        for (name, verb) in VERBS {
            let input = Input::Press { verb, by: Person::new("dana"), reason: None };
            let line = match self.engine().decide(self.now, &input) {
                Ok(events) if events.is_empty() => "nothing".to_owned(),
                Ok(events) => events.iter().map(|e| format!("{} (term {})", print::what(&e.what), e.term.0)).collect::<Vec<_>>().join(", "),
                Err(refusal) => format!("refused: {} ({})", refusal.cause, refusal.remedy),
            };
            writeln!(self.out, "{name:<13} {line}").unwrap();
        }
    }

    fn check(&mut self, leg: &LegId, look: &str, why: &str) {
        let (look, verdict, both_sick) = match look {
            "good" => (Look::Good, Verdict::Pass, false),
            "bad" => (Look::Bad, Verdict::Fail, false),
            "both" => (Look::Bad, Verdict::Fail, true),
            _ => (Look::Neither, Verdict::TooFew, false),
        };
        let input = Input::Checked { leg: leg.clone(), upto: self.now, look, verdict, why: why.into(), both_sick };
        self.tell(&input);
        self.look();
    }

    /// `fail us-east-1 traffic "timeout"`, then `for good`, or `fenced other 9 forward`.
    fn fail(&mut self, leg: &str, aspect: &str, cause: &str, rest: &[&str]) {
        let aspect: Aspect = serde_json::from_str(&format!("\"{aspect}\"")).unwrap();
        let fenced_by = match rest {
            ["fenced", whose, term, way] => Some(self.flight(whose, term, way)),
            _ => None,
        };
        let term = self.engine().term();
        let may_heal = rest != ["for", "good"];
        self.tell(&Input::WishFailed { leg: LegId::new(leg), aspect, term, cause: cause.into(), fenced_by, may_heal });
        self.look();
    }

    fn flight(&self, whose: &str, term: &str, way: &str) -> Flight {
        let rollout = if whose == "ours" { self.engine().id().clone() } else { RolloutId::new(whose) };
        let way = if way == "back" { Way::Back } else { Way::Forward };
        Flight { rollout, term: Term(term.parse().unwrap()), way, to: "v42".into() }
    }
}

pub fn pods(ready: u32, exist: u32, want: u32) -> Pods {
    Pods { want, exist, ready, stuck: None }
}

/// `3`, or ready/exist/want; `?` is unknown.
fn pods_of(text: &str) -> Option<Pods> {
    let numbers: Vec<u32> = text.split('/').filter_map(|n| n.parse().ok()).collect();
    match numbers[..] {
        [n] => Some(pods(n, n, n)),
        [ready, exist, want] => Some(pods(ready, exist, want)),
        _ => None,
    }
}

/// `900/9,100/1`: requests and errors of the old side, then of the new one, in the second that ends now.
fn count(seen: &mut LegSeen, now: Time, text: &str) {
    let sides: Vec<Option<Counts>> = text
        .split(',')
        .map(|side| {
            let (requests, errors) = side.split_once('/')?;
            Some(Counts { requests: requests.parse().unwrap(), errors: errors.parse().unwrap(), latency: None })
        })
        .collect();
    let last = |counts: &Option<Counts>| counts.clone().map(|c| (now, Span::secs(1), c));
    let sides = if sides.len() == 2 { sides } else { vec![None, None] };
    (seen.old.last, seen.new.last) = (last(&sides[0]), last(&sides[1]));
    let all: f64 = sides.iter().flatten().map(|c| c.requests).sum();
    seen.load.get_or_insert(all);
    seen.seen = sides[1].as_ref().filter(|_| all > 0.0).map(|c| Percent::from_share(c.requests / all));
}

/// `us-east-1:18`, `us-east-1:18/pods`, `us-east-1:18@100` with 100 requests a second, `us-east-1:18/fresh` without an older version.
/// What a wish does to two workloads: a version is where it is, else in the one that has no traffic.
fn obey_beside(seen: &mut LegSeen, wish: &Wish, base: u32) {
    let side = if wish.key.aspect == Aspect::OldReplicas { Side::Old } else { Side::New };
    match wish.want {
        Want::Weight { new } => {
            if let Some(beside) = &mut seen.beside {
                beside.share = Some(if beside.side == Some(Side::New) { new } else { new.rest() });
            }
        }
        Want::Replicas { pods: 0 } => seen.beside = None,
        Want::Replicas { .. } if seen.home != Some(side) => {
            seen.beside.get_or_insert(BesideSeen { side: Some(side), share: Some(Percent::ZERO) }).side = Some(side);
        }
        Want::Home { forward } => {
            let (all, none) = (Some(pods(base, base, base)), Some(Pods::default()));
            seen.home = Some(if forward { Side::New } else { Side::Old });
            (seen.new.pods, seen.old.pods) = if forward { (all, none) } else { (none, all) };
            if let Some(beside) = &mut seen.beside {
                beside.share = Some(Percent::ZERO);
            }
        }
        Want::Replicas { .. } | Want::Roll { .. } => {}
    }
}

fn leg_of(word: &str) -> Leg {
    let (name, rest) = word.split_once(':').expect("name:pods");
    let (rest, kind) = rest.split_once('/').unwrap_or((rest, ""));
    let (base, load) = rest.split_once('@').map_or((rest, None), |(b, l)| (b, l.parse().ok()));
    let route = if kind == "pods" { Route::Pods } else { Route::Weights };
    let beside = match kind {
        "beside" => Some(Division::Weights),
        "switch" => Some(Division::Switch),
        _ => None,
    };
    Leg { name: name.into(), base: base.parse().unwrap(), route, load, beside, fresh: kind == "fresh" }
}

fn span_of(text: &str) -> Span {
    flightdeck::units::written::span(text).unwrap_or_else(|_| panic!("{text} is no span"))
}

/// Words, with `"..."` as one; `key="a b"` is one too.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty())),
            c => word.push(c),
        }
    }
    words.extend(Some(word).filter(|w| !w.is_empty()));
    words
}

/// The blocks of a table: lines, `----`, what was printed, an empty line.
pub fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let (mut input, mut output, mut below) = (String::new(), String::new(), false);
    for line in text.lines().chain(std::iter::once("")) {
        match (line, below) {
            ("----", false) => below = true,
            ("", true) => {
                blocks.push((std::mem::take(&mut input), std::mem::take(&mut output)));
                below = false;
            }
            (line, true) => output += &format!("{line}\n"),
            (line, false) => input += &format!("{line}\n"),
        }
    }
    assert!(input.trim().is_empty() || input.lines().all(|l| l.is_empty() || l.starts_with('#')), "a block without ----:\n{input}");
    blocks
}

/// Per leg, for the printer.
pub type ByLeg<T> = BTreeMap<LegId, T>;
