//! A tiny model of what is out there, for the properties of the engine: pods that start late, die and are scaled by others,
//! splits and fences that writes change when they land, regions that fall silent. It knows no engine.

use super::beside::Beside;
use flightdeck::fleet::{self, Aspect, Counts, Flight, LegSeen, Observed, Pods, Reach, SideSeen, Stuck, Way};
use flightdeck::rollout::{Want, Wish};
use flightdeck::strategy::{Plan, Route};
use flightdeck::units::{LegId, Percent, Revision, RolloutId, Span, Term, Time};
use std::collections::BTreeMap;

/// How long pods take to start.
const START: Span = Span::secs(8);
/// A write that is not answered has failed by then.
const NO_ANSWER: Span = Span::secs(5);

/// Pods of one side: when each is ready; one that never will be has no time.
#[derive(Clone, Debug, Default)]
pub struct Side {
    pub want: u32,
    pub pods: Vec<Option<Time>>,
}

impl Side {
    pub fn ready(&self, now: Time) -> u32 {
        self.pods.iter().filter(|at| at.is_some_and(|at| at <= now)).count() as u32
    }
    fn scale(&mut self, want: u32, now: Time, stuck: bool) {
        self.want = want;
        self.pods.sort_by_key(|at| at.map_or(i64::MAX, |t| t.0));
        self.pods.truncate(want as usize);
        let start = (!stuck).then_some(now + START);
        self.pods.resize(want as usize, start);
    }
    fn seen(&self, now: Time) -> Pods {
        Pods { want: self.want, exist: self.pods.len() as u32, ready: self.ready(now), stuck: None }
    }
}

/// One workload.
#[derive(Clone, Debug)]
pub struct Place {
    pub route: Route,
    pub base: u32,
    pub old: Side,
    pub new: Side,
    /// The new side's share, as the route says; by pods it follows from the pods.
    pub split: Percent,
    split_before: (Time, Percent),
    /// A second workload may stand beside it.
    pub beside: Option<Beside>,
    /// By pods: how many should have the new template, and whether it is held.
    pub goal: u32,
    pub paused: bool,
    pub flight: Option<Flight>,
    /// What it looked like when its region fell silent.
    pub silent: Option<(Time, Box<LegSeen>)>,
    /// New pods do not start.
    pub stuck: bool,
    /// Writes fail, and whether asking again can help.
    pub failing: Option<bool>,
    pub measured: bool,
    pub load: f64,
    writes: Vec<(Time, Wish)>,
}

/// What a write came to.
pub struct Answer {
    pub wish: Wish,
    /// Why it failed, the higher term that stood there, and whether asking again can help.
    pub failed: Option<(String, Option<Flight>, bool)>,
}

#[derive(Clone, Debug)]
pub struct World {
    pub now: Time,
    pub rollout: RolloutId,
    pub places: BTreeMap<LegId, Place>,
    pub gates: BTreeMap<String, Result<(), String>>,
}

impl World {
    pub fn new(plan: &Plan, rollout: RolloutId, now: Time) -> World {
        let place = |leg: &flightdeck::strategy::PlanLeg| Place {
            route: leg.route,
            base: leg.base,
            old: Side { want: leg.base, pods: vec![Some(now); leg.base as usize] },
            new: Side::default(),
            split: Percent::ZERO,
            split_before: (now, Percent::ZERO),
            beside: leg.beside.map(Beside::new),
            goal: 0,
            paused: false,
            flight: None,
            silent: None,
            stuck: false,
            failing: None,
            measured: true,
            load: 1.0,
            writes: Vec::new(),
        };
        let places = plan.legs.iter().map(|l| (l.id.clone(), place(l))).collect();
        World { now, rollout, places, gates: BTreeMap::new() }
    }

    /// The place of a leg, counted modulo their number.
    pub fn at(&mut self, leg: usize) -> &mut Place {
        let nth = leg % self.places.len();
        self.places.values_mut().nth(nth).expect("a place")
    }

    /// A wish is on its way; it lands after `takes`. An older one for the same key is dropped, and all of lower terms.
    pub fn send(&mut self, wish: Wish, takes: Span) {
        let due = self.now + takes;
        let Some(place) = self.places.get_mut(&wish.key.leg) else { return };
        place.writes.retain(|(_, w)| w.key != wish.key && w.term >= wish.term);
        place.writes.push((due, wish));
    }

    /// When something happens next by itself.
    pub fn next(&self) -> Option<Time> {
        let times = self.places.values().flat_map(|p| {
            let pods = p.old.pods.iter().chain(&p.new.pods).flatten().copied();
            let writes = p.writes.iter().map(|(at, _)| *at);
            let changes = p.beside.iter().filter_map(|b| b.next(self.now));
            pods.chain(writes).chain(changes).chain(p.rolls().then_some(self.now + Span::secs(1)))
        });
        times.filter(|at| *at > self.now).min()
    }

    /// Time goes on to `to`, which is not after `next`. What writes came to is handed back.
    pub fn advance(&mut self, to: Time) -> Vec<Answer> {
        self.now = to;
        let mut answers = Vec::new();
        for place in self.places.values_mut() {
            let due: Vec<Wish> = place.writes.iter().filter(|(at, _)| *at <= to).map(|(_, w)| w.clone()).collect();
            place.writes.retain(|(at, _)| *at > to);
            for wish in due {
                let failed = place.land(&wish, to, &self.rollout);
                answers.push(Answer { wish, failed });
            }
            if place.rolls() {
                place.roll(to);
            }
        }
        answers
    }

    pub fn observed(&self) -> Observed {
        let legs = self.places.iter().map(|(id, p)| (id.clone(), p.seen(self.now))).collect();
        Observed { at: self.now, gates: self.gates.clone(), legs }
    }
}

impl Place {
    fn land(&mut self, wish: &Wish, now: Time, mine: &RolloutId) -> Option<(String, Option<Flight>, bool)> {
        if self.silent.is_some() {
            self.writes.retain(|(_, w)| w.key != wish.key);
            return Some((format!("not answered in {NO_ANSWER}"), None, true));
        }
        if let Some(may_heal) = self.failing {
            return Some(("forbidden".into(), None, may_heal));
        }
        let traffic = matches!(wish.key.aspect, Aspect::Traffic | Aspect::Template);
        let beats = |f: &&Flight| f.term > wish.term || (f.term == wish.term && (f.rollout != *mine || f.way == Way::Back));
        let fence = self.flight.as_ref().filter(|f| traffic && beats(f));
        if let Some(fence) = fence.filter(|_| wish.way == Way::Forward) {
            return Some(("refused by the fence".into(), Some(fence.clone()), true));
        }
        if traffic {
            self.flight = Some(Flight { rollout: mine.clone(), term: wish.term, way: wish.way, to: Revision::new("v42") });
        }
        if self.beside.is_some() {
            if !self.land_beside(wish, now) {
                // The platform waits until it can be done.
                self.writes.push((now + Span::secs(1), wish.clone()));
            }
            self.resplit(now);
            return None;
        }
        match wish.want {
            Want::Weight { new } => self.shift(new, now),
            Want::Replicas { pods } if wish.key.aspect == Aspect::OldReplicas => self.old.scale(pods, now, false),
            Want::Replicas { pods } => self.new.scale(pods, now, self.stuck),
            Want::Home { .. } => {}
            Want::Roll { forward, share, paused, .. } => {
                self.goal = if forward { share.of_rounded_up(self.base) } else { 0 };
                self.paused = paused;
            }
        }
        None
    }

    /// The route gives the new side another share.
    pub fn shift(&mut self, share: Percent, now: Time) {
        if self.route == Route::Pods {
            return;
        }
        if let Some(beside) = &mut self.beside {
            beside.shift(share);
            return self.resplit(now);
        }
        self.split_before = (now, self.split);
        self.split = share;
    }

    /// The new side's share as it was last asked for by anybody.
    pub fn share(&self) -> Percent {
        match self.route {
            Route::Weights => self.split,
            Route::Pods => Percent::from_share(f64::from(self.goal) / f64::from(self.base)),
        }
    }

    /// Somebody moves traffic by hand, past every fence; by pods: an older or the same template, and all of them.
    pub fn moved(&mut self, share: u16, now: Time) {
        match self.route {
            Route::Weights => self.shift(Percent::whole(share), now),
            Route::Pods if share < 50 => (self.goal, self.paused) = (0, false),
            Route::Pods => {}
        }
    }

    /// Where a second workload stands beside it, the split follows from who has which version.
    fn resplit(&mut self, now: Time) {
        if let Some(share) = self.beside.as_ref().map(Beside::share).filter(|share| *share != self.split) {
            self.split_before = (now, self.split);
            self.split = share;
        }
    }

    pub fn want_of(&self, side: fleet::Side) -> u32 {
        if side == fleet::Side::New { self.new.want } else { self.old.want }
    }
    pub fn ready_of(&self, side: fleet::Side, now: Time) -> u32 {
        if side == fleet::Side::New { self.new.ready(now) } else { self.old.ready(now) }
    }
    pub fn scale_side(&mut self, side: fleet::Side, want: u32, now: Time) {
        if side == fleet::Side::New { self.new.scale(want, now, self.stuck) } else { self.old.scale(want, now, false) }
    }

    /// By pods: whether the controller has something to do.
    fn rolls(&self) -> bool {
        self.route == Route::Pods && !self.paused && (self.new.want != self.goal || self.old.want != self.base - self.goal)
    }

    /// One pod more of the side that grows; when all of it are ready, so many less of the other.
    fn roll(&mut self, now: Time) {
        let (stuck, rest) = (self.stuck, self.base - self.goal);
        let forward = self.new.want < self.goal || self.old.want > rest;
        let (grows, shrinks) = if forward { (&mut self.new, &mut self.old) } else { (&mut self.old, &mut self.new) };
        let (most, least) = if forward { (self.goal, rest) } else { (rest, self.goal) };
        if grows.ready(now) == grows.want {
            shrinks.scale(least.max(self.base - grows.want), now, stuck && !forward);
            if grows.want < most {
                grows.scale(grows.want + 1, now, stuck && forward);
            }
        }
    }

    fn seen(&self, now: Time) -> LegSeen {
        if let Some((since, last)) = &self.silent {
            return LegSeen { reach: Reach::Silent { since: *since, why: "timeout".into(), again: None }, ..(**last).clone() };
        }
        let (old, new) = (self.old.seen(now), self.new.seen(now));
        let by_pods = f64::from(new.ready) / f64::from((old.ready + new.ready).max(1));
        let share = if self.route == Route::Pods { Percent::from_share(by_pods) } else { self.split };
        // In the second in which the split changed both versions still answer.
        let changed = self.route == Route::Weights && now < self.split_before.0 + Span::secs(1);
        let got = if changed { (share.share() + self.split_before.1.share()) / 2.0 } else { share.share() };
        let count = |part: f64| {
            let requests = 100.0 * f64::from(self.base) * self.load * part;
            self.measured.then(|| (now, Span::secs(1), Counts { requests, errors: 0.0, latency: None }))
        };
        let side =
            |name, pods, part: f64| SideSeen { revision: Some(Revision::new(name)), pods: Some(pods), last: count(part), exists: true };
        let (home, beside) = self.beside.as_ref().map_or((None, None), |b| b.seen(now));
        LegSeen {
            reach: Reach::Answers(now),
            home,
            beside,
            template: Some(Revision::new(if self.goal > 0 { "v42" } else { "v41" })),
            want: Some(share),
            seen: self.measured.then(|| Percent::from_share(got)),
            load: self.measured.then_some(100.0 * f64::from(self.base) * self.load),
            flight: self.flight.clone(),
            paused: self.paused,
            complete: match self.beside {
                Some(_) => home.is_some(),
                None => !self.rolls() && (self.goal == 0 || self.goal == self.base) && old.exist.min(new.exist) == 0,
            },
            stuck: (self.stuck && new.ready < new.exist).then(|| Stuck {
                cause: "image pull denied".into(),
                pods: 1,
                since: now,
                may_heal: false,
            }),
            old: side("v41", old, 1.0 - got),
            new: side("v42", new, got),
            ..LegSeen::default()
        }
    }

    pub fn fall_silent(&mut self, now: Time) {
        if self.silent.is_none() {
            self.silent = Some((now, Box::new(self.seen(now))));
        }
    }

    pub fn kill(&mut self, new: bool, n: usize, now: Time) {
        let stuck = self.stuck && new;
        let side = if new { &mut self.new } else { &mut self.old };
        // The controller starts others.
        side.pods.iter_mut().take(n).for_each(|at| *at = (!stuck).then_some(now + START));
    }

    /// Somebody else scales a side.
    pub fn scaled(&mut self, new: bool, want: u32, now: Time) {
        let there = |b: &Beside| [Some(b.home), b.next].contains(&Some(if new { fleet::Side::New } else { fleet::Side::Old }));
        if self.route == Route::Weights && self.beside.as_ref().is_none_or(there) {
            let stuck = self.stuck && new;
            if new { self.new.scale(want, now, stuck) } else { self.old.scale(want, now, false) }
        }
    }

    /// All pods that did not start do now.
    pub fn unstick(&mut self, now: Time) {
        self.stuck = false;
        self.new.pods.iter_mut().filter(|at| at.is_none()).for_each(|at| *at = Some(now + START));
    }

    /// Somebody else's write on the traffic object.
    pub fn fence(&mut self, rollout: RolloutId, term: Term, way: Way, now: Time) {
        self.flight = Some(Flight { rollout, term, way, to: Revision::new("v42") });
        if way == Way::Back {
            match self.route {
                Route::Weights => self.shift(Percent::ZERO, now),
                Route::Pods => self.goal = 0,
            }
        }
    }
}
