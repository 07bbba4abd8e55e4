//! The way forward: step by step, capacity before weight, gates before steps.

use super::back::DRAIN;
use super::capacity::{carries_share, need};
use super::decide::Deciding;
use super::event::{RollbackCause, What};
use super::others::{has_it, moved};
use super::state::{LegState, Phase, Rollout};
use crate::fleet::{Counts, LegSeen, Observed, Side};
use crate::strategy::{Gate, PlanLeg, Route, Step, StepKind};
use crate::units::{LegId, Percent, Span, Time};

impl Deciding {
    pub(super) fn fly(&mut self, seen: &Observed) {
        // Who may not drive decides nothing: not even to go back, which is a person's key then.
        if not_driver(seen).is_some() {
            return;
        }
        if self.health_is_over() {
            return;
        }
        self.see_others(seen);
        self.restore(seen);
        let Some(step) = self.it.plan.steps.get(self.it.state.step).cloned() else {
            return self.plan(What::Promoted);
        };
        if !self.it.state.started {
            match self.it.closed_gate(&step, seen) {
                Some((gate, why)) if self.it.state.gate != Some(gate) => self.plan(What::GateClosed { gate, why }),
                None if self.it.state.paused.is_none() => self.plan(What::StepStarted { step: self.it.state.step }),
                _ => {}
            }
            return;
        }
        if self.it.state.applied.is_none() {
            for leg in &step.legs {
                self.work(leg, &step, &seen.leg(leg));
            }
            let legs = &self.it.state.legs;
            let arrived = step.legs.iter().all(|l| legs.get(l).is_some_and(|l| l.arrived));
            if arrived && legs.values().all(|l| l.restore.is_none()) {
                self.plan(What::StepApplied { step: self.it.state.step });
            } else {
                self.deadline(&step, seen);
            }
            return;
        }
        if self.it.state.paused.is_none() && self.it.why_not_pass(&step, seen, self.now).is_none() {
            self.plan(What::StepPassed { step: self.it.state.step });
        }
    }

    /// What one leg needs for a step.
    fn work(&mut self, leg: &LegId, step: &Step, seen: &LegSeen) {
        let (Some(plan), Some(state)) = (self.it.plan.leg(leg).cloned(), self.it.state.legs.get(leg).cloned()) else { return };
        if state.arrived || !seen.reach.answers() {
            return;
        }
        let leg = leg.clone();
        // A person's pause stops new wishes, not the recognition of what has come.
        let may_ask = self.it.state.paused.is_none();
        match (step.kind, plan.route) {
            (StepKind::Scale, Route::Weights) => {
                let pods = need(&plan, seen, self.it.next_weight(&leg));
                if may_ask && state.new_pods.is_none_or(|n| n < pods) {
                    return self.plan(What::ReplicasSet { leg, side: Side::New, pods });
                }
            }
            (StepKind::SetWeight | StepKind::Switch, _) => {
                let weight = step.weight.unwrap_or(Percent::ALL);
                if state.weight_at.is_some() && !has_it(&plan, &state, seen) {
                    return;
                }
                let pods = need(&plan, seen, weight);
                if plan.route == Route::Weights && may_ask && state.new_pods.is_none_or(|n| n < pods) {
                    return self.plan(What::ReplicasSet { leg, side: Side::New, pods });
                }
                if state.weight < weight || state.weight_at.is_none() {
                    if may_ask && (plan.route == Route::Pods || carries_share(&plan, seen, weight)) {
                        self.plan(What::WeightSet { leg, weight });
                    }
                    return;
                }
            }
            // Somebody sent traffic back to the old pods: they stay, or come back.
            (StepKind::Retire, Route::Weights) if state.old_pods == Some(0) && seen.want.is_some_and(|w| w != Percent::ALL) => {
                let pods = need(&plan, seen, Percent::ALL);
                return self.plan(What::ReplicasSet { leg, side: Side::Old, pods });
            }
            (StepKind::Adopt, Route::Weights) if state.home != Some(Side::New) => {
                if may_ask && self.it.may_retire(&state, seen, self.now) {
                    self.plan(What::HomeSet { leg, side: Side::New });
                }
                return;
            }
            (StepKind::Retire, Route::Weights) if state.old_pods != Some(0) => {
                let adopted = plan.beside.is_none() || seen.is_home(Side::New);
                if may_ask && adopted && self.it.may_retire(&state, seen, self.now) {
                    self.plan(What::ReplicasSet { leg, side: Side::Old, pods: 0 });
                }
                return;
            }
            _ => {}
        }
        if self.it.has_arrived(step, &plan, &state, seen, self.now) {
            self.plan(What::LegArrived { leg });
        }
    }

    /// After an undo: back to the weight before the rollback, as soon as the pods can carry it.
    fn restore(&mut self, seen: &Observed) {
        for (leg, state) in self.it.state.legs.clone() {
            let (Some(weight), Some(plan)) = (state.restore, self.it.plan.leg(&leg).cloned()) else { continue };
            let seen = seen.leg(&leg);
            if !seen.reach.answers() {
                continue;
            }
            let pods = need(&plan, &seen, weight);
            if plan.route == Route::Weights && state.new_pods.is_none_or(|n| n < pods) {
                self.plan(What::ReplicasSet { leg, side: Side::New, pods });
            } else if plan.route == Route::Pods || carries_share(&plan, &seen, weight) {
                self.plan(What::WeightSet { leg, weight });
            }
        }
    }

    fn health_is_over(&mut self) -> bool {
        let over = self.it.state.legs.iter().find_map(|(id, l)| {
            let (since, why) = l.ill.as_ref()?;
            (self.now >= *since + self.it.health_limit(l)).then(|| (id.clone(), why.clone()))
        });
        let Some((leg, why)) = over.filter(|_| self.it.has_way_back()) else { return false };
        self.automatic(RollbackCause::Health { leg, why });
        true
    }

    /// A step that makes no progress goes back, unless its clock stands still.
    fn deadline(&mut self, step: &Step, seen: &Observed) {
        let state = &self.it.state;
        let idle = state.elapsed(state.progress, self.now);
        if state.paused.is_some() || matches!(step.kind, StepKind::Adopt | StepKind::Retire) {
            return;
        }
        if idle >= self.it.news_every() {
            let ready = |id: &LegId| seen.leg(id).new.pods.as_ref().map_or(0, |p| p.ready);
            let more = |id: &&LegId| seen.leg(id).reach.answers() && state.legs.get(*id).is_some_and(|l| !l.arrived && ready(id) > l.came);
            if let Some(leg) = step.legs.iter().find(more).cloned() {
                let ready = ready(&leg);
                return self.plan(What::PodsCame { leg, ready });
            }
        }
        if self.it.deadline_at(seen).is_none_or(|at| self.now < at) {
            return;
        }
        let leg = step.legs.iter().find(|l| state.legs.get(*l).is_some_and(|l| !l.arrived)).cloned();
        let stuck = leg.as_ref().and_then(|l| seen.leg(l).stuck.as_ref().map(|s| s.cause.clone()));
        let why = stuck.unwrap_or_else(|| format!("no progress in {}", self.it.plan.rules.progress_deadline));
        self.automatic(RollbackCause::Deadline { leg, why });
    }
}

/// Whether the share is asked for out there and, as far as requests are counted, what the new side gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Yes,
    /// The split, as read back, is another one, or cannot be read.
    NotAsked,
    /// No interval since the write has been counted yet.
    NotCounted,
    /// The counts differ from what is asked by more than 2 points and more than three standard deviations of so few requests.
    Drifts,
}

/// How far a weight that was written at `at` has come; `trust`: without fresh counts the split as read back has to do.
fn settled(seen: &LegSeen, weight: Percent, at: Time, trust: bool) -> Settled {
    if seen.want != Some(weight) {
        return Settled::NotAsked;
    }
    let after = |last: &&(Time, Span, Counts)| last.0 - last.1 >= at;
    let (new, old) = (seen.new.last.as_ref(), seen.old.last.as_ref());
    let (Some((_, _, new)), Some((_, _, old))) = (new.filter(after), old.filter(after)) else {
        let counts = new.is_some() && old.is_some();
        return if counts && !trust { Settled::NotCounted } else { Settled::Yes };
    };
    let requests = new.requests + old.requests;
    if requests <= 0.0 {
        return Settled::Yes;
    }
    let want = weight.share();
    let deviation = (want * (1.0 - want) / requests).sqrt();
    let got = new.requests / requests;
    let near = (got - want).abs() <= 0.02 + 3.0 * deviation;
    // Some come to old pods around what divides them, as those of clients who call a Service and not the route.
    let around = trust && got > 0.0 && got < want;
    if near || around { Settled::Yes } else { Settled::Drifts }
}

/// Whether a workload has rolled as far as asked.
fn rolled(plan: &PlanLeg, seen: &LegSeen, share: Percent) -> bool {
    let new = seen.new.pods.as_ref().map_or(0, |p| p.ready);
    if share == Percent::ALL { seen.complete && new > 0 } else { new >= share.of_rounded_up(plan.base) }
}

impl Rollout {
    /// When the step being done goes back by itself, if it makes no progress until then. `None` where nothing is late, or the
    /// clock stands still: paused, a silent region, traffic in somebody's hands, both sides sick, and in adoption and while old pods go (the new
    /// version is good by then).
    pub(super) fn deadline_at(&self, seen: &Observed) -> Option<Time> {
        let (state, step) = (&self.state, self.plan.steps.get(self.state.step)?);
        let works = state.phase == Phase::Flying && state.started && state.applied.is_none() && state.paused.is_none();
        let waits = matches!(step.kind, StepKind::Adopt | StepKind::Retire)
            || !step.legs.iter().all(|l| seen.leg(l).reach.answers())
            || moved(self, &step.legs).is_some()
            || state.legs.values().any(|l| l.both_sick);
        (works && !waits && self.has_way_back()).then(|| state.progress + self.plan.rules.progress_deadline)
    }

    /// New pods are written down as progress at most this often: a log stays small, a deadline is this late at most.
    pub(super) fn news_every(&self) -> Span {
        Span(self.plan.rules.progress_deadline.0 / 20)
    }

    /// Whether a leg has what the step asks for.
    fn has_arrived(&self, step: &Step, plan: &PlanLeg, state: &LegState, seen: &LegSeen, now: Time) -> bool {
        let all_ready = state.new_pods.is_some_and(|n| seen.new.pods.as_ref().is_some_and(|p| p.ready >= n));
        match (step.kind, plan.route) {
            (StepKind::Hold, _) => true,
            // By pods the new ones come with their share: before it there are none to start, or to ask.
            (StepKind::Scale, Route::Pods) => true,
            (StepKind::HealthCheck, Route::Pods) if state.weight == Percent::ZERO => true,
            (StepKind::HealthCheck, _) => state.healthy >= self.plan.rules.healthy_in_a_row,
            (StepKind::Scale | StepKind::WaitReady, Route::Weights) => all_ready,
            (StepKind::WaitReady | StepKind::SetWeight | StepKind::Switch, Route::Pods) => rolled(plan, seen, state.weight),
            (StepKind::SetWeight | StepKind::Switch, Route::Weights) => self.weight_settled(state, seen, now) == Settled::Yes,
            (StepKind::Adopt, Route::Weights) => seen.is_home(Side::New),
            (StepKind::Adopt, Route::Pods) => true,
            (StepKind::Retire, _) if plan.beside.is_some() => seen.beside.is_none(),
            (StepKind::Retire, _) => seen.old.pods.as_ref().is_none_or(|p| p.exist == 0),
        }
    }

    /// How far the weight of a leg has come. Where counts have stopped coming, or stay short of it, the split as read back has to do.
    pub(super) fn weight_settled(&self, state: &LegState, seen: &LegSeen, now: Time) -> Settled {
        let at = state.weight_at.unwrap_or(self.state.began);
        settled(seen, state.weight, at, now >= at + self.plan.rules.window)
    }

    /// Old pods go only while the new ones have all traffic, serve it, and the last requests to the old ones are over.
    fn may_retire(&self, state: &LegState, seen: &LegSeen, now: Time) -> bool {
        let drained = state.weight_at.is_some_and(|at| now >= at + DRAIN);
        let serves = seen.new.pods.as_ref().is_some_and(|p| p.ready >= p.want.max(1));
        drained && serves && state.weight == Percent::ALL && seen.want == Some(Percent::ALL)
    }

    /// The share that a leg's new side gets next.
    fn next_weight(&self, leg: &LegId) -> Percent {
        let later = self.plan.steps.iter().skip(self.state.step).filter(|s| s.legs.contains(leg));
        later.filter_map(|s| s.weight).next().unwrap_or(Percent::ALL)
    }

    /// Whether a step's hold is a rollback window: what stands before an adoption, before the old pods go, or before the end.
    fn is_window(&self, step: usize) -> bool {
        let kind = |i: usize| self.plan.steps.get(i).map(|s| s.kind);
        match kind(step + 1) {
            Some(next) => matches!(next, StepKind::Adopt | StepKind::Retire),
            None => kind(step) == Some(StepKind::Hold),
        }
    }

    /// The first gate that does not let a step begin, and why.
    pub(super) fn closed_gate(&self, step: &Step, seen: &Observed) -> Option<(Gate, String)> {
        let open = |gate: &Gate| matches!(gate, Gate::Verdict | Gate::Capacity) || self.state.passed_gates.contains(gate);
        step.gates.iter().filter(|g| !open(g)).find_map(|gate| {
            let name = gate.name();
            match seen.gates.get(name) {
                Some(Ok(())) => None,
                Some(Err(why)) => Some((*gate, why.clone())),
                None => Some((*gate, format!("nothing here tells about {name}"))),
            }
        })
    }

    /// When the hold of the step being done ends; `None` when it has none, or none any more.
    pub(super) fn hold_ends(&self) -> Option<Time> {
        let state = &self.state;
        let hold = self.plan.steps.get(state.step)?.hold?;
        Some(state.applied? + hold).filter(|_| !state.hold_ended && self.holds(state.step))
    }

    /// Whether a step's hold counts: all of them until somebody drops them, and the rollback window always.
    pub(super) fn holds(&self, step: usize) -> bool {
        !self.state.holds_dropped || self.is_window(step)
    }

    /// Why a step that has been applied is not passed yet.
    pub(super) fn why_not_pass(&self, step: &Step, seen: &Observed, now: Time) -> Option<Waiting> {
        let state = &self.state;
        let applied = state.applied?;
        if let Some(ends) = self.hold_ends()
            && applied + state.elapsed(applied, now) < ends
        {
            return Some(Waiting::Hold(ends));
        }
        let passed = state.passed_gates.contains(&Gate::Verdict);
        for leg in &self.plan.legs {
            let (known, seen) = (state.legs.get(&leg.id)?, seen.leg(&leg.id));
            if known.weight_at.is_none() {
                continue;
            }
            if !seen.reach.answers() {
                return Some(Waiting::Silent(leg.id.clone()));
            }
            if !has_it(leg, known, &seen) {
                return Some(Waiting::Moved(leg.id.clone()));
            }
            if known.both_sick && !passed {
                return Some(Waiting::BothSick(leg.id.clone()));
            }
            let judged = step.gates.contains(&Gate::Verdict) && step.legs.contains(&leg.id) && known.weight > Percent::ZERO;
            if judged && !state.holds_dropped && !passed {
                let fresh = known.good.is_some_and(|at| at >= applied && now.since(at) <= self.good_for());
                if known.bad > 0 || !fresh {
                    return Some(Waiting::Verdict(leg.id.clone()));
                }
            }
        }
        None
    }
}

/// The gate before every step of a rollout: whether this flightdeck may drive it. Missing, it is open.
pub const DRIVER: &str = "driver";

/// Why this flightdeck may not drive.
pub(super) fn not_driver(seen: &Observed) -> Option<&String> {
    seen.gates.get(DRIVER)?.as_ref().err()
}

/// What a step that has been applied waits for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Waiting {
    /// Its hold, until then.
    Hold(Time),
    /// A region that does not answer.
    Silent(LegId),
    /// The traffic is not where it was asked for: somebody else moved it, or the split cannot be read any more.
    Moved(LegId),
    /// Both sides are over the limit.
    BothSick(LegId),
    /// A good check.
    Verdict(LegId),
}
