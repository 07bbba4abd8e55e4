//! The way forward: step by step, capacity before weight, gates before steps.

use super::capacity::{carries_share, need};
use super::decide::Deciding;
use super::event::{RollbackCause, What};
use super::state::Rollout;
use crate::fleet::{LegSeen, Observed, Side};
use crate::strategy::{Gate, PlanLeg, Route, Step, StepKind};
use crate::units::{LegId, Percent, Time};

impl Deciding {
    pub(super) fn fly(&mut self, seen: &Observed) {
        if self.health_is_over() {
            return;
        }
        self.restore(seen);
        let Some(step) = self.it.plan.steps.get(self.it.state.step).cloned() else {
            return self.plan(What::Promoted);
        };
        if !self.it.state.started {
            if self.it.state.paused.is_none() && self.it.closed_gate(&step, seen).is_none() {
                self.plan(What::StepStarted { step: self.it.state.step });
            }
            return;
        }
        for leg in &step.legs {
            self.work(leg, &step, &seen.leg(leg));
        }
        if self.it.state.applied.is_none() {
            if step.legs.iter().all(|l| self.it.state.legs.get(l).is_some_and(|l| l.arrived)) {
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
        let ready = |side: Option<&crate::fleet::Pods>, pods: u32| side.is_some_and(|p| p.ready >= pods);
        let arrived = match step.kind {
            StepKind::Scale => {
                let pods = need(&plan, seen, self.it.next_weight(&leg));
                if may_ask && state.new_pods.is_none_or(|n| n < pods) {
                    return self.plan(What::ReplicasSet { leg, side: Side::New, pods });
                }
                state.new_pods.is_some_and(|n| ready(seen.new.pods.as_ref(), n))
            }
            StepKind::WaitReady => match plan.route {
                Route::Weights => state.new_pods.is_some_and(|n| ready(seen.new.pods.as_ref(), n)),
                Route::Pods => rolled(&plan, seen, state.weight),
            },
            StepKind::HealthCheck => state.healthy >= self.it.plan.rules.healthy_in_a_row,
            StepKind::SetWeight | StepKind::Switch => {
                let weight = step.weight.unwrap_or(Percent::ALL);
                let pods = need(&plan, seen, weight);
                if plan.route == Route::Weights && may_ask && state.new_pods.is_none_or(|n| n < pods) {
                    return self.plan(What::ReplicasSet { leg, side: Side::New, pods });
                }
                if state.weight != weight || state.weight_at.is_none() {
                    if may_ask && (plan.route == Route::Pods || carries_share(&plan, seen, weight)) {
                        self.plan(What::WeightSet { leg, weight });
                    }
                    return;
                }
                match plan.route {
                    Route::Weights => settled(seen, weight),
                    Route::Pods => rolled(&plan, seen, weight),
                }
            }
            StepKind::Hold => true,
            StepKind::Retire => {
                if may_ask && state.old_pods != Some(0) {
                    return self.plan(What::ReplicasSet { leg, side: Side::Old, pods: 0 });
                }
                state.old_pods == Some(0) && seen.old.pods.as_ref().is_none_or(|p| p.exist == 0)
            }
        };
        if arrived {
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
            if state.new_pods.is_none_or(|n| n < pods) {
                self.plan(What::ReplicasSet { leg, side: Side::New, pods });
            } else if carries_share(&plan, &seen, weight) {
                self.plan(What::WeightSet { leg, weight });
            }
        }
    }

    fn health_is_over(&mut self) -> bool {
        let limit = self.it.health_limit();
        let over = self.it.state.legs.iter().find_map(|(id, l)| {
            let (since, why) = l.ill.as_ref()?;
            (self.now.since(*since) >= limit).then(|| (id.clone(), why.clone()))
        });
        let Some((leg, why)) = over else { return false };
        self.automatic(RollbackCause::Health { leg, why });
        true
    }

    /// A step that makes no progress goes back; one that waits for a silent region does not.
    fn deadline(&mut self, step: &Step, seen: &Observed) {
        let state = &self.it.state;
        let Some(began) = state.times.get(state.step).and_then(|t| t.0) else { return };
        let late = state.elapsed(began, self.now) >= self.it.plan.rules.progress_deadline;
        let heard = step.legs.iter().all(|l| seen.leg(l).reach.answers());
        if !late || !heard || state.paused.is_some() {
            return;
        }
        let leg = step.legs.iter().find(|l| state.legs.get(*l).is_some_and(|l| !l.arrived)).cloned();
        let stuck = leg.as_ref().and_then(|l| seen.leg(l).stuck.as_ref().map(|s| s.cause.clone()));
        let why = stuck.unwrap_or_else(|| format!("no progress in {}", self.it.plan.rules.progress_deadline));
        self.automatic(RollbackCause::Deadline { leg, why });
    }
}

/// Whether the share is asked for out there and, as far as requests are counted, what the new side gets:
/// within 2 points, or within three standard deviations of what so few requests can show.
fn settled(seen: &LegSeen, weight: Percent) -> bool {
    if seen.want != Some(weight) {
        return false;
    }
    let (Some((_, _, new)), Some((_, _, old))) = (&seen.new.last, &seen.old.last) else { return true };
    let requests = new.requests + old.requests;
    if requests <= 0.0 {
        return true;
    }
    let want = weight.share();
    let deviation = (want * (1.0 - want) / requests).sqrt();
    (new.requests / requests - want).abs() <= 0.02 + 3.0 * deviation
}

/// Whether a workload has rolled as far as asked.
fn rolled(plan: &PlanLeg, seen: &LegSeen, share: Percent) -> bool {
    let new = seen.new.pods.as_ref().map_or(0, |p| p.ready);
    if share == Percent::ALL { seen.complete && new > 0 } else { new >= share.of_rounded_up(plan.base) }
}

impl Rollout {
    /// The share that a leg's new side gets next.
    fn next_weight(&self, leg: &LegId) -> Percent {
        let later = self.plan.steps.iter().skip(self.state.step).filter(|s| s.legs.contains(leg));
        later.filter_map(|s| s.weight).next().unwrap_or(Percent::ALL)
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

    /// Why a step that has been applied is not passed yet.
    pub(super) fn why_not_pass(&self, step: &Step, seen: &Observed, now: Time) -> Option<Waiting> {
        let state = &self.state;
        let applied = state.applied?;
        let is_window = step.kind == StepKind::Hold;
        let dropped = state.hold_ended || (state.holds_dropped && !is_window);
        if let Some(hold) = step.hold.filter(|_| !dropped)
            && state.elapsed(applied, now) < hold
        {
            return Some(Waiting::Hold(applied + hold + state.paused_in_step));
        }
        for leg in &self.plan.legs {
            let (known, seen) = (state.legs.get(&leg.id)?, seen.leg(&leg.id));
            if known.weight_at.is_none() {
                continue;
            }
            if !seen.reach.answers() {
                return Some(Waiting::Silent(leg.id.clone()));
            }
            if leg.route == Route::Weights && seen.want.is_some_and(|w| w != known.weight) {
                return Some(Waiting::Moved(leg.id.clone()));
            }
            if known.both_sick {
                return Some(Waiting::BothSick(leg.id.clone()));
            }
            let judged = step.gates.contains(&Gate::Verdict) && step.legs.contains(&leg.id) && known.weight > Percent::ZERO;
            if judged && !state.holds_dropped && !state.passed_gates.contains(&Gate::Verdict) {
                let fresh = known.good.is_some_and(|at| at >= applied && now.since(at) <= self.good_for());
                if known.bad > 0 || !fresh {
                    return Some(Waiting::Verdict(leg.id.clone()));
                }
            }
        }
        None
    }
}

/// What a step that has been applied waits for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Waiting {
    /// Its hold, until then.
    Hold(Time),
    /// A region that does not answer.
    Silent(LegId),
    /// Somebody else moved the traffic.
    Moved(LegId),
    /// Both sides are over the limit.
    BothSick(LegId),
    /// A good check.
    Verdict(LegId),
}
