//! `apply`: the only writer of the state, live and in replay. It decides nothing and asks nothing.

use super::event::{Event, RollbackCause, What};
use super::state::{Back, Failure, LegState, Next, Phase, Proven, Rollout, State};
use crate::fleet::{Aspect, Side};
use crate::units::{LegId, Percent, Time};

impl Rollout {
    /// The only writer: live and in replay.
    pub fn apply(&mut self, event: &Event) {
        let Event { seq, term, at, by, what } = event;
        let at = *at;
        (self.state.seq, self.state.term, self.state.last) = (*seq, *term, at);
        let state = &mut self.state;
        match what {
            What::Launched { reason, .. } => {
                (state.phase, state.forward) = (Phase::Flying, *term);
                (state.began, state.by, state.reason) = (at, by.clone(), reason.clone());
            }
            What::Boarded { step, .. } => {
                (state.phase, state.forward, state.by) = (Phase::Flying, *term, by.clone());
                self.board(*step, at);
            }
            What::Taken => {
                if state.phase == Phase::Superseded {
                    state.phase = state.before;
                }
                // What did not move while nobody drove is not late.
                state.progress = at;
            }
            What::StepStarted { step } => state.begin_step(*step, at),
            What::RevisionFound { leg, revision } => state.on(leg, |l| l.revision = Some(revision.clone())),
            What::ReplicasSet { leg, side, pods } => {
                state.progress = at;
                state.on(leg, |l| {
                    l.pods_at = Some(at);
                    match side {
                        Side::Old => l.old_pods = Some(*pods),
                        Side::New => l.new_pods = Some(*pods),
                    }
                });
            }
            What::HomeSet { leg, side } => {
                state.progress = at;
                state.on(leg, |l| l.home = Some(*side));
            }
            What::WeightSet { leg, weight } => {
                state.progress = at;
                state.on(leg, |l| {
                    (l.weight, l.weight_at, l.restore) = (*weight, Some(at), None);
                    (l.asked_at, l.landed, l.moved) = (Some(at), false, false);
                    (l.bad, l.bad_since) = (0, None);
                });
            }
            What::LegArrived { leg } => {
                state.progress = at;
                state.on(leg, |l| {
                    (l.arrived, l.came) = (true, l.came.max(l.new_pods.unwrap_or_default()));
                    l.failures.clear();
                });
            }
            What::StepApplied { .. } => state.applied = Some(at),
            What::StepPassed { step } => {
                if let Some(times) = state.times.get_mut(*step) {
                    times.1 = Some(at);
                }
                (state.step, state.started, state.applied) = (step + 1, false, None);
                state.no_gates();
            }
            What::GateClosed { gate, .. } => state.gate = Some(*gate),
            What::HealthPassed { leg, nth } => state.on(leg, |l| (l.healthy, l.ill) = (*nth, None)),
            What::HealthFailed { leg, why } => state.on(leg, |l| (l.healthy, l.ill) = (0, Some((at, why.clone())))),
            What::CheckPassed { leg, upto } => {
                state.no_longer_both_sick(leg, at);
                state.on(leg, |l| {
                    (l.checked, l.good) = (Some(*upto), Some(*upto));
                    (l.bad, l.bad_since) = (0, None);
                });
            }
            What::CheckFailed { leg, nth, upto, why } => {
                state.no_longer_both_sick(leg, at);
                state.on(leg, |l| {
                    (l.bad, l.checked) = (*nth, Some(*upto));
                    l.bad_since.get_or_insert(at);
                    l.bad_why.clone_from(why);
                });
            }
            What::BothSick { leg } => state.on(leg, |l| {
                (l.both_sick, l.bad, l.good) = (true, 0, None);
                l.bad_since.get_or_insert(at);
            }),
            What::HoldEnded { .. } => state.hold_ended = true,
            What::HoldsDropped => state.holds_dropped = true,
            What::Skipped { gate, .. } => {
                match &mut state.back {
                    Some(back) => back.closing = true,
                    None => state.hold_ended = true,
                }
                state.passed_gates.extend(gate);
                state.gate = None;
            }
            What::Paused => state.paused = Some((at, by.clone())),
            What::Resumed => state.resume(at),
            What::WishFailed { leg, aspect, nth, retry_at, cause } => {
                let failure = Failure { nth: *nth, next: retry_at.map_or(Next::Never, Next::At), cause: cause.clone() };
                state.on(leg, |l| {
                    l.failures.insert(*aspect, failure);
                });
            }
            What::WishRenewed { leg, aspect } => state.on(leg, |l| {
                l.ask_again(*aspect);
                if aspect.carries_traffic() {
                    (l.asked_at, l.landed, l.moved) = (Some(at), false, false);
                }
            }),
            What::Retried => {
                state.progress = at;
                state.asks_traffic(at);
                for leg in state.legs.values_mut() {
                    (leg.ill, leg.pods_at) = (None, leg.pods_at.map(|_| at));
                    leg.came = 0;
                    for aspect in [Aspect::Traffic, Aspect::Template, Aspect::OldReplicas, Aspect::NewReplicas] {
                        leg.ask_again(aspect);
                    }
                }
            }
            What::Aborted { .. } => {
                (state.phase, state.paused) = (Phase::Aborted, None);
                state.legs.values_mut().for_each(|l| (l.home, l.moved) = (None, false));
            }
            What::Restarted => {
                state.forward = *term;
                state.restart(at);
            }
            What::RollbackBegan { why } => state.begin_back(event, why),
            What::OverCapacity => {
                if let Some(back) = &mut state.back {
                    back.over_capacity = true;
                }
            }
            What::LegProven { leg, counted, errors } => state.on(leg, |l| {
                l.proven = Some(Proven { at, counted: *counted, errors: *errors });
                l.failures.clear();
            }),
            What::Proven { took } => {
                (state.phase, state.paused) = (Phase::Back, None);
                if let Some(back) = &mut state.back {
                    back.proven = Some((at, *took));
                }
            }
            What::NotProven { missing } => {
                if let Some(back) = &mut state.back {
                    back.not_proven = Some(missing.clone());
                }
            }
            What::Undone => self.undo(event),
            What::Promoted => (state.phase, state.ended, state.step) = (Phase::Promoted, Some(at), self.plan.steps.len()),
            What::RolledBack => (state.phase, state.ended) = (Phase::RolledBack, Some(at)),
            What::Superseded { by_term } => {
                if state.phase != Phase::Superseded {
                    (state.before, state.phase) = (state.phase, Phase::Superseded);
                }
                state.term = (*by_term).max(state.term);
            }
            // The last two are of a fleet's log.
            What::Followed | What::LineStopped { .. } | What::LineResumed => {}
            What::LegSilent { leg } => state.on(leg, |l| (l.silent, l.ill) = (true, None)),
            What::LegHeard { leg } => {
                state.progress = at;
                state.on(leg, |l| (l.silent, l.pods_at) = (false, l.pods_at.map(|_| at)));
            }
            What::Landed { leg } => {
                // The deadline stood still in somebody's hands.
                if state.legs.get(leg).is_some_and(|l| l.moved) {
                    state.progress = at;
                }
                state.on(leg, |l| (l.landed, l.moved) = (true, false));
            }
            What::LegMoved { leg, .. } => state.on(leg, |l| l.moved = true),
            What::PodsCame { leg, ready } => {
                state.progress = at;
                state.on(leg, |l| l.came = *ready);
            }
        }
    }

    pub(super) fn board(&mut self, step: usize, at: Time) {
        let weight = self.plan.steps.iter().take(step + 1).filter_map(|s| s.weight).next_back().unwrap_or(Percent::ALL);
        self.state.began = at;
        self.state.begin_step(step, at);
        for leg in self.state.legs.values_mut() {
            (leg.weight, leg.weight_at, leg.asked_at) = (weight, Some(at), Some(at));
        }
    }

    /// Forward again, held in the step that last moved traffic: its hold and its evidence begin anew.
    fn undo(&mut self, event: &Event) {
        let steps = &self.plan.steps;
        let state = &mut self.state;
        let begun = (state.step + usize::from(state.started)).min(steps.len());
        let step = steps.iter().take(begun).rposition(|s| s.weight.is_some()).unwrap_or(0);
        state.times.iter_mut().skip(step + 1).for_each(|t| *t = (None, None));
        state.begin_step(step, event.at);
        state.no_gates();
        (state.phase, state.ended, state.forward) = (Phase::Flying, None, event.term);
        (state.paused, state.holds_dropped) = (Some((event.at, event.by.clone())), false);
        let was = state.back.take().map(|b| b.was).unwrap_or_default();
        for (id, leg) in &mut state.legs {
            leg.restore = was.get(id).copied().filter(|w| *w > leg.weight);
            (leg.bad, leg.bad_since, leg.both_sick, leg.ill, leg.good) = (0, None, false, None, None);
            leg.failures.clear();
            (leg.proven, leg.home) = (None, None);
        }
        state.asks_traffic(event.at);
    }
}

impl State {
    fn on(&mut self, leg: &LegId, change: impl FnOnce(&mut LegState)) {
        if let Some(leg) = self.legs.get_mut(leg) {
            change(leg);
        }
    }

    /// A person wants every leg's traffic to be asked for again.
    fn asks_traffic(&mut self, at: Time) {
        for leg in self.legs.values_mut() {
            (leg.asked_at, leg.landed, leg.moved) = (leg.asked_at.map(|_| at), false, false);
        }
    }

    fn begin_step(&mut self, step: usize, at: Time) {
        (self.step, self.started, self.applied) = (step, true, None);
        (self.progress, self.hold_ended) = (at, false);
        if let Some(times) = self.times.get_mut(step) {
            *times = (Some(at), None);
        }
        // A gate that was passed before the step began stays passed in it.
        self.gate = None;
        self.legs.values_mut().for_each(|l| l.arrived = false);
    }

    /// The deadline stood still while both sides were sick.
    fn no_longer_both_sick(&mut self, leg: &LegId, at: Time) {
        if self.legs.get(leg).is_some_and(|l| l.both_sick) {
            self.progress = at;
        }
        self.on(leg, |l| l.both_sick = false);
    }

    fn no_gates(&mut self) {
        self.gate = None;
        self.passed_gates.clear();
    }

    /// Clocks stood still: they move on by the pause, or begin now where they began within it.
    fn resume(&mut self, at: Time) {
        let Some((since, _)) = self.paused.take() else { return };
        for clock in std::iter::once(&mut self.progress).chain(&mut self.applied) {
            *clock += at.since(since.max(*clock));
        }
    }

    fn restart(&mut self, at: Time) {
        (self.phase, self.began, self.ended) = (Phase::Flying, at, None);
        (self.back, self.paused, self.holds_dropped) = (None, None, false);
        (self.step, self.started, self.applied) = (0, false, None);
        self.no_gates();
        self.times.iter_mut().for_each(|t| *t = (None, None));
        for leg in self.legs.values_mut() {
            let kept = std::mem::take(leg);
            *leg = LegState {
                revision: kept.revision,
                weight: kept.weight,
                weight_at: kept.weight_at,
                asked_at: kept.weight_at.map(|_| at),
                old_pods: kept.old_pods,
                new_pods: kept.new_pods,
                pods_at: kept.pods_at,
                silent: kept.silent,
                checked: kept.checked,
                again: kept.again,
                ..LegState::default()
            };
        }
    }

    fn begin_back(&mut self, event: &Event, why: &RollbackCause) {
        let before = if self.phase == Phase::Superseded { self.before } else { self.phase };
        let now = || self.legs.iter().map(|(id, l)| (id.clone(), l.weight)).collect();
        self.back = Some(Back {
            began: event.at,
            by: event.by.clone(),
            why: why.clone(),
            aborted: before == Phase::Aborted || self.back.as_ref().is_some_and(|b| b.aborted),
            was: self.back.as_ref().map_or_else(now, |b| b.was.clone()),
            over_capacity: false,
            proven: None,
            not_proven: None,
            closing: false,
        });
        (self.phase, self.paused, self.ended) = (Phase::RollingBack, None, None);
        for leg in self.legs.values_mut() {
            leg.failures.clear();
            (leg.proven, leg.restore, leg.home, leg.moved) = (None, None, None, false);
        }
    }
}

impl LegState {
    fn ask_again(&mut self, aspect: Aspect) {
        *self.again.entry(aspect).or_default() += 1;
        if let Some(failure) = self.failures.get_mut(&aspect) {
            failure.next = Next::Asked;
        }
    }
}
