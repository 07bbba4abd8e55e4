//! Drives a rollout over the model world as the cockpit does it, and looks at every decision: the invariants of the design,
//! section 3, are checked before and after each event.

use super::world::World;
use flightdeck::analysis::{Look, Verdict};
use flightdeck::fleet::{Aspect, LegSeen, Observed, Side, Way};
use flightdeck::rollout::{Ask, By, Event, Input, Mood, Phase, Rollout, Status, Verb, Want, What, Wish, WishKey};
use flightdeck::strategy::{Plan, PlanLeg, Route};
use flightdeck::units::{LegId, Percent, Person, RolloutId, Span, Term, Time};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Looks and health checks are made so often.
const CHECKS: Span = Span::secs(30);
/// A way back that is not met by then is sent again.
const AGAIN: Span = Span::secs(5);

pub type Checked = Result<(), TestCaseError>;

pub struct Pilot {
    pub live: Rollout,
    replica: Rollout,
    log: Vec<Event>,
    pub world: World,
    sent: BTreeMap<WishKey, (Wish, Time)>,
    next_check: Time,
    /// What the next looks at a leg say, and whether its pods are ill.
    pub looks: BTreeMap<LegId, (Look, bool)>,
    pub ill: BTreeSet<LegId>,
    /// Legs whose traffic somebody moved by hand, and when.
    pub hands: BTreeMap<LegId, Time>,
    /// Legs in which pods of the new side were asked for.
    pub started: BTreeSet<LegId>,
    /// Steps that are behind it.
    passed: usize,
    over_capacity: bool,
    taken: bool,
    /// How long writes take: a fixed sequence, so that a run repeats.
    delays: Vec<u64>,
    nth: usize,
}

/// Events that one input may lead to: a whole round of a step for each leg, several steps that need nothing, and some.
fn most_events(plan: &Plan) -> usize {
    8 * plan.legs.len() + (plan.legs.len() + 4) * plan.steps.len() + 16
}

impl Pilot {
    pub fn launch(plan: Arc<Plan>, delays: Vec<u64>) -> Result<Pilot, TestCaseError> {
        let id = RolloutId::new("order-1");
        let world = World::new(&plan, id.clone(), super::plans::start());
        let (live, first) = Rollout::launch(id.clone(), plan, world.now, Person::new("mara"), None, Term(6));
        let log = vec![through_text(&first)];
        let replica = Rollout::replay(id, &log).expect("it begins with a launch");
        prop_assert!(replica == live, "replay of the launch differs");
        let mut pilot = Pilot {
            live,
            replica,
            log,
            next_check: world.now + CHECKS,
            world,
            sent: BTreeMap::new(),
            looks: BTreeMap::new(),
            ill: BTreeSet::new(),
            hands: BTreeMap::new(),
            started: BTreeSet::new(),
            passed: 0,
            over_capacity: false,
            taken: false,
            delays,
            nth: 0,
        };
        pilot.look()?;
        Ok(pilot)
    }

    /// A person's first key on an update that somebody else started, which is in the first step of this plan.
    pub fn board(plan: Arc<Plan>, delays: Vec<u64>, verb: Verb) -> Result<Option<Pilot>, TestCaseError> {
        let mut pilot = Pilot::launch(plan.clone(), delays)?;
        let now = pilot.world.now;
        let watched = Rollout::watched(pilot.live.id().clone(), plan, 0, now, By::Plan, Term(4));
        let Ok(events) = watched.decide(now, &Input::Press { verb, by: Person::new("dana"), reason: None }) else { return Ok(None) };
        pilot.log = events.iter().map(through_text).collect();
        let Some(replica) = Rollout::replay(watched.id().clone(), &pilot.log) else { return Ok(None) };
        pilot.live = watched;
        events.iter().for_each(|e| pilot.live.apply(e));
        prop_assert!(replica == pilot.live, "replay of boarding differs");
        pilot.replica = replica;
        pilot.world.places.values_mut().for_each(|p| p.goal = p.base);
        pilot.look()?;
        Ok(Some(pilot))
    }

    /// The process dies, and another one goes on from the log.
    pub fn crash(&mut self) -> Checked {
        let replayed = Rollout::replay(self.live.id().clone(), &self.log).expect("a log");
        prop_assert!(replayed == self.live, "replay of the whole log differs");
        self.live = replayed;
        self.sent.clear();
        self.look()
    }

    pub fn press(&mut self, verb: Verb) -> Checked {
        self.hands.clear();
        let input = Input::Press { verb, by: Person::new("dana"), reason: None };
        if let Err(refusal) = self.live.decide(self.world.now, &input) {
            prop_assert!(!refusal.cause.is_empty() && !refusal.remedy.is_empty(), "{verb:?} refused without a word");
            prop_assert!(verb != Verb::Rollback || !self.has_way_back(), "no rollback from {:?}: {}", self.live.phase(), refusal.cause);
            return Ok(());
        }
        self.tell(&input, None)?;
        self.look()
    }

    fn has_way_back(&self) -> bool {
        self.live.plan().legs.iter().any(|l| !l.old.as_str().is_empty())
    }

    /// Time goes on, moment by moment.
    pub fn wait(&mut self, span: Span) -> Checked {
        let until = self.world.now + span;
        loop {
            let now = self.world.now;
            let times = [self.live.poll_timeout(now), self.world.next(), Some(self.next_check), self.sends_again(), Some(until)];
            let next = times.into_iter().flatten().filter(|t| *t > now).min().unwrap_or(until);
            if next > until {
                return Ok(());
            }
            for answer in self.world.advance(next) {
                if let Some((cause, fenced_by, may_heal)) = answer.failed {
                    let WishKey { leg, aspect } = answer.wish.key;
                    self.tell(&Input::WishFailed { leg, aspect, term: answer.wish.term, cause, fenced_by, may_heal }, None)?;
                }
            }
            if next >= self.next_check {
                self.next_check = next + CHECKS;
                self.check()?;
            }
            self.look()?;
            if next >= until || self.live.ended() {
                return Ok(());
            }
        }
    }

    fn check(&mut self) -> Checked {
        let now = self.world.now;
        for ask in self.live.asks() {
            let Ask::Health { leg, .. } = ask else { continue };
            let place = &self.world.places[&leg];
            let pods = place.new.ready(now);
            let well = !self.ill.contains(&leg) && pods > 0;
            if place.silent.is_none() {
                self.tell(&Input::Health { leg, at: now, pods, well, why: "1 ill".into() }, None)?;
            }
        }
        for leg in self.world.places.keys().cloned().collect::<Vec<_>>() {
            let (look, both_sick) = self.looks.get(&leg).copied().unwrap_or((Look::Good, false));
            let input = Input::Checked { leg, upto: now, look, verdict: Verdict::Inconclusive, why: "errors".into(), both_sick };
            self.tell(&input, None)?;
        }
        Ok(())
    }

    /// What is seen is shown until nothing more follows, and what is wished for is sent.
    pub fn look(&mut self) -> Checked {
        let seen = self.world.observed();
        self.tell(&Input::Observed(&seen), Some(&seen))?;
        let again = self.live.decide(self.world.now, &Input::Observed(&seen)).unwrap_or_default();
        prop_assert!(again.is_empty(), "looking again decided {again:?}");
        self.send()?;
        self.leads_on(&seen)
    }

    fn tell(&mut self, input: &Input<'_>, seen: Option<&Observed>) -> Checked {
        let now = self.world.now;
        let Ok(events) = self.live.decide(now, input) else { return Ok(()) };
        prop_assert!(self.live.decide(now, input).as_ref() == Ok(&events), "the same input decided something else");
        prop_assert!(events.len() <= most_events(self.live.plan()), "{} events of one input", events.len());
        for event in events {
            self.before(&event, seen)?;
            self.live.apply(&event);
            let kept = through_text(&event);
            prop_assert!(kept == event, "{event:?} comes back from its text as {kept:?}");
            self.replica.apply(&kept);
            self.log.push(kept);
            self.after(&event)?;
        }
        Ok(())
    }

    /// What must be true before an event takes effect.
    fn before(&mut self, event: &Event, seen: Option<&Observed>) -> Checked {
        let live = &self.live;
        prop_assert!(event.seq == live.seq() + 1, "a gap before {event:?}");
        prop_assert!(event.term >= live.term(), "the term falls with {event:?}");
        prop_assert!(!live.ended() || matches!(event.what, What::RollbackBegan { .. }), "{event:?} after the end");
        let paused = self.status(seen).is_some_and(|s| s.paused);
        let of = |leg: &LegId| (live.plan().leg(leg).unwrap(), seen.map(|s| s.leg(leg).into_owned()).unwrap_or_default());
        match &event.what {
            What::WeightSet { leg, weight } => {
                let (plan, seen) = of(leg);
                self.before_weight(plan, &seen, *weight)?;
            }
            What::ReplicasSet { leg, side: Side::Old, pods: 0 } => {
                let (_, seen) = of(leg);
                let serves = seen.new.pods.as_ref().is_some_and(|p| p.ready >= p.want.max(1));
                prop_assert!(seen.reach.answers() && serves && seen.want == Some(Percent::ALL), "old pods go from {leg}: {seen:?}");
            }
            What::ReplicasSet { leg, side: Side::New, pods: 0 } => {
                let (_, seen) = of(leg);
                let idle = seen.want.unwrap_or_default() == Percent::ZERO;
                prop_assert!(seen.reach.answers() && idle && live.phase() == Phase::Back, "new pods go from {leg}: {seen:?}");
            }
            What::LegProven { leg, .. } => {
                let (plan, seen) = of(leg);
                prop_assert!(seen.reach.answers(), "{leg} is proven and cannot be heard");
                let gone = match plan.route {
                    Route::Weights => seen.want == Some(Percent::ZERO),
                    Route::Pods => seen.new.pods.as_ref().is_some_and(|p| p.exist == 0),
                };
                prop_assert!(gone, "{leg} is proven with traffic: {seen:?}");
            }
            What::StepStarted { step } => {
                prop_assert!(!paused, "a step begins in a pause");
                prop_assert!(*step == self.passed, "step {step} begins, {} are passed", self.passed);
            }
            What::StepPassed { step } => {
                prop_assert!(!paused, "a step is passed in a pause");
                prop_assert!(*step == self.passed, "step {step} is passed, {} are passed already", self.passed);
                self.passed += 1;
                for leg in live.plan().legs.iter().filter(|l| live.weight_since(&l.id).is_some()) {
                    let (plan, seen) = of(&leg.id);
                    let (weight, _) = live.weight_since(&leg.id).unwrap();
                    prop_assert!(seen.reach.answers(), "step {step} is passed, {} cannot be heard", leg.id);
                    let there = weight == live.plan().weight_at(*step, &leg.id) || leg.old.as_str().is_empty();
                    prop_assert!(there, "step {step} is passed, {} is at {weight}", leg.id);
                    prop_assert!(plan.route == Route::Pods || seen.want == Some(weight), "step {step} is passed, {} is moved", leg.id);
                }
            }
            What::ReplicasSet { leg, side: Side::New, .. } => drop(self.started.insert(leg.clone())),
            What::Restarted => self.passed = 0,
            What::Promoted => prop_assert!(self.passed == live.plan().steps.len(), "promoted too early"),
            What::RolledBack => {
                for leg in live.plan().legs.iter().filter(|l| self.started.contains(&l.id) && !l.old.as_str().is_empty()) {
                    let (_, seen) = of(&leg.id);
                    let gone = seen.new.pods.as_ref().is_some_and(|p| p.exist == 0);
                    prop_assert!(seen.reach.answers() && gone, "rolled back, {} has new pods: {seen:?}", leg.id);
                }
            }
            What::RollbackBegan { .. } => self.over_capacity = false,
            What::OverCapacity => self.over_capacity = true,
            What::Taken => self.taken = true,
            _ => {}
        }
        Ok(())
    }

    fn before_weight(&self, leg: &PlanLeg, seen: &LegSeen, weight: Percent) -> Checked {
        let (live, id) = (&self.live, &leg.id);
        let now = live.weight_since(id).map(|(w, _)| w);
        prop_assert!(seen.reach.answers(), "a weight for {id}, which cannot be heard");
        prop_assert!(now != Some(weight), "the same weight twice for {id}");
        let all = f64::from(leg.base) * load_factor(leg, seen);
        if live.phase() == Phase::Flying {
            let allowed = live.plan().weight_at(self.passed, id);
            prop_assert!(weight <= allowed && weight >= now.unwrap_or_default(), "{id} gets {weight}, the plan allows {allowed}");
            let ready = seen.new.pods.as_ref().map_or(0.0, |p| f64::from(p.ready));
            let carries = ready + 1e-6 >= all * weight.share();
            prop_assert!(leg.route == Route::Pods || carries, "{id} gets {weight}, {ready} pods of {all} are ready");
        } else {
            // After somebody took the controls, where nothing was asked the fence is written on what is there.
            let stays = self.taken && now.is_none() && weight == seen.want.unwrap_or_default();
            prop_assert!(stays || Some(weight) < now.or(seen.want), "a rollback raises {id} from {now:?} to {weight}");
            let pods = seen.old.pods.as_ref().filter(|_| leg.route == Route::Weights && !self.over_capacity);
            let carries = pods.is_none_or(|p| f64::from(p.ready) / all.max(1.0) + 1e-4 >= weight.rest().share());
            prop_assert!(stays || carries, "{id} goes back to {weight}, old pods {pods:?} of {all}");
        }
        Ok(())
    }

    /// What must be true after it: the log gives the same rollout, and nothing that is wished for harms anybody.
    fn after(&mut self, event: &Event) -> Checked {
        let live = &self.live;
        prop_assert!(self.replica == *live, "replay differs after {event:?}\n{:#?}\n{:#?}", self.replica, live);
        if matches!(event.what, What::Undone) {
            self.passed = live.status(&Observed::default(), self.world.now).step;
        }
        let wishes = live.wishes();
        prop_assert!(wishes == self.replica.wishes() && live.asks() == self.replica.asks(), "wishes differ after {event:?}");
        let keys: BTreeSet<&WishKey> = wishes.iter().map(|w| &w.key).collect();
        prop_assert!(keys.len() == wishes.len(), "two wishes for one key");
        for leg in &live.plan().legs {
            let want = |aspect| wishes.iter().find(|w| w.key.leg == leg.id && w.key.aspect == aspect).map(|w| &w.want);
            let share = match want(Aspect::Traffic) {
                Some(Want::Weight { new }) => *new,
                _ => continue,
            };
            prop_assert!(share.hundredths() + share.rest().hundredths() == 10_000);
            let none = Some(&Want::Replicas { pods: 0 });
            prop_assert!(
                want(Aspect::OldReplicas) != none || share == Percent::ALL,
                "no old pods and {share} on the new side in {}",
                leg.id
            );
            prop_assert!(want(Aspect::NewReplicas) != none || share == Percent::ZERO, "no new pods and {share} on them in {}", leg.id);
        }
        let nowhere = |w: &Wish| matches!(w.want, Want::Roll { forward: true, share: Percent::ZERO, .. });
        prop_assert!(wishes.iter().all(|w| w.term == live.term() && !nowhere(w)), "{wishes:?}");
        Ok(())
    }

    /// No state waits for nothing: time leads on, or the status names what does.
    fn leads_on(&self, seen: &Observed) -> Checked {
        let now = self.world.now;
        if self.live.ended() {
            return Ok(());
        }
        let next = self.live.poll_timeout(now);
        prop_assert!(next.is_none_or(|t| t > now), "wants to be called at {next:?}, it is {now:?}");
        let status = self.live.status(seen, now);
        let named = match &status.mood {
            Mood::OnCourse | Mood::RollingBack => next.is_some(),
            Mood::Waits { cause } | Mood::Unclear { cause } | Mood::Held { cause, .. } | Mood::Stuck { cause, .. } => !cause.is_empty(),
            Mood::Failing { cause, .. } => !cause.is_empty(),
            Mood::NotProven { missing } => !missing.is_empty(),
            Mood::Back => {
                next.is_some() || seen.legs.values().any(|l| !l.reach.answers() || l.new.pods.as_ref().is_none_or(|p| p.exist > 0))
            }
            Mood::Promoted => false,
            Mood::Aborted | Mood::Superseded => true,
        };
        prop_assert!(named, "{:?} waits for nothing: {:?}", self.live.phase(), status.mood);
        let back = matches!(self.live.phase(), Phase::RollingBack | Phase::Back);
        if !back && self.has_way_back() {
            let press = Input::Press { verb: Verb::Rollback, by: Person::new("oncall"), reason: None };
            let events = self.live.decide(now, &press);
            let began = events.as_ref().is_ok_and(|e| e.iter().any(|e| matches!(e.what, What::RollbackBegan { .. })));
            prop_assert!(began, "no rollback from {:?}: {events:?}", self.live.phase());
        }
        Ok(())
    }

    pub fn status(&self, seen: Option<&Observed>) -> Option<Status> {
        Some(self.live.status(seen?, self.world.now))
    }

    /// What differs from what was sent last leaves; a way back that is not there is sent again.
    fn send(&mut self) -> Checked {
        let now = self.world.now;
        for wish in self.live.wishes() {
            let place = &self.world.places[&wish.key.leg];
            if place.silent.is_some() {
                self.sent.remove(&wish.key);
                continue;
            }
            let send = match self.sent.get(&wish.key) {
                Some((last, at)) if *last == wish => self.is_open(&wish) && now >= *at + AGAIN,
                _ => true,
            };
            if send {
                self.before_write(&wish)?;
                self.sent.insert(wish.key.clone(), (wish.clone(), now));
                let takes = self.delays[self.nth % self.delays.len()];
                self.nth += 1;
                self.world.send(wish, Span(takes));
            }
        }
        Ok(())
    }

    /// What somebody moved by hand, when no write was on its way, is never fought.
    fn before_write(&self, wish: &Wish) -> Checked {
        let leg = &wish.key.leg;
        let traffic = matches!(wish.key.aspect, Aspect::Traffic | Aspect::Template) && wish.way == Way::Forward;
        let settled = |at: Time| self.world.now >= at + Span::secs(60);
        let asked = self.live.weight_since(leg).map(|(_, at)| at);
        let fought = traffic && self.hands.get(leg).is_some_and(|at| settled(*at)) && asked.is_some_and(settled);
        let place = &self.world.places[leg];
        prop_assert!(
            !fought || !self.is_open(&Wish { way: Way::Back, ..wish.clone() }),
            "{leg} was moved by hand, and is fought: {place:?}"
        );
        Ok(())
    }

    fn is_open(&self, wish: &Wish) -> bool {
        let place = &self.world.places[&wish.key.leg];
        wish.way == Way::Back
            && match wish.want {
                Want::Weight { new } => place.split != new,
                Want::Roll { forward, .. } => forward || place.goal != 0,
                Want::Replicas { .. } | Want::Home { .. } => false,
            }
    }

    fn sends_again(&self) -> Option<Time> {
        let open = self.sent.values().filter(|(w, _)| self.is_open(w));
        open.map(|(_, at)| *at + AGAIN).min()
    }
}

fn load_factor(leg: &PlanLeg, seen: &LegSeen) -> f64 {
    match (leg.load, seen.load) {
        (Some(then), Some(now)) if ((now / then) - 1.0).abs() > 0.2 => (now / then).clamp(0.5, 3.0),
        _ => 1.0,
    }
}

/// An event as the log gives it back.
fn through_text(event: &Event) -> Event {
    serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap()
}
