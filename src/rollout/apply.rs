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
                state.taken = true;
                // What did not move while nobody drove is not late.
                state.progress = at;
            }
            // The last two are of a fleet's log.
            What::Followed | What::LineStopped { .. } | What::LineResumed => {}
            What::Superseded { by_term } => {
                if state.phase != Phase::Superseded {
                    (state.before, state.phase) = (state.phase, Phase::Superseded);
                }
                state.term = (*by_term).max(state.term);
            }
            What::Aborted { .. } => {
                (state.phase, state.paused) = (Phase::Aborted, None);
                state.legs.values_mut().for_each(|l| (l.home, l.moved) = (None, false));
            }
            What::Restarted => {
                state.forward = *term;
                state.restart(at);
            }
            What::Undone => self.undo(event),
            What::Promoted => (state.phase, state.ended, state.step) = (Phase::Promoted, Some(at), self.plan.steps.len()),
            What::RolledBack => (state.phase, state.ended) = (Phase::RolledBack, Some(at)),
            What::RollbackBegan { why } => state.begin_back(event, why),
            What::OverCapacity | What::Proven { .. } | What::NotProven { .. } => state.in_back(event),
            What::StepStarted { .. }
            | What::StepApplied { .. }
            | What::StepPassed { .. }
            | What::GateClosed { .. }
            | What::HoldEnded { .. }
            | What::HoldsDropped
            | What::Skipped { .. }
            | What::Paused
            | What::Resumed
            | What::Retried => state.in_step(event),
            What::RevisionFound { leg, .. }
            | What::ReplicasSet { leg, .. }
            | What::HomeSet { leg, .. }
            | What::WeightSet { leg, .. }
            | What::LegArrived { leg }
            | What::HealthPassed { leg, .. }
            | What::HealthFailed { leg, .. }
            | What::CheckPassed { leg, .. }
            | What::CheckFailed { leg, .. }
            | What::BothSick { leg }
            | What::WishFailed { leg, .. }
            | What::WishRenewed { leg, .. }
            | What::LegProven { leg, .. }
            | What::LegSilent { leg }
            | What::LegHeard { leg }
            | What::Landed { leg }
            | What::LegMoved { leg, .. }
            | What::PodsCame { leg, .. } => state.in_leg(leg, event),
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
    /// An event of one leg.
    fn in_leg(&mut self, leg: &LegId, event: &Event) {
        let Some(leg) = self.legs.get_mut(leg) else { return };
        if leg.progresses(&event.what) {
            self.progress = event.at;
        }
        match &event.what {
            What::HealthPassed { .. }
            | What::HealthFailed { .. }
            | What::CheckPassed { .. }
            | What::CheckFailed { .. }
            | What::BothSick { .. } => leg.is_judged(event),
            _ => leg.takes(event),
        }
    }

    /// An event of the step being done.
    fn in_step(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::StepStarted { step } => self.begin_step(*step, at),
            What::StepApplied { .. } => self.applied = Some(at),
            What::StepPassed { step } => {
                if let Some(times) = self.times.get_mut(*step) {
                    times.1 = Some(at);
                }
                (self.step, self.started, self.applied) = (step + 1, false, None);
                self.no_gates();
            }
            What::GateClosed { gate, .. } => self.gate = Some(*gate),
            What::HoldEnded { .. } => self.hold_ended = true,
            What::HoldsDropped => self.holds_dropped = true,
            What::Skipped { gate, .. } => {
                match &mut self.back {
                    Some(back) => back.closing = true,
                    None => self.hold_ended = true,
                }
                self.passed_gates.extend(gate);
                self.gate = None;
            }
            What::Paused => self.paused = Some((at, event.by.clone())),
            What::Resumed => self.resume(at),
            What::Retried => self.retry(at),
            _ => {}
        }
    }

    /// An event of a rollback on its way.
    fn in_back(&mut self, event: &Event) {
        let Some(back) = &mut self.back else { return };
        match &event.what {
            What::OverCapacity => back.over_capacity = true,
            What::NotProven { missing } => back.not_proven = Some(missing.clone()),
            What::Proven { took } => {
                back.proven = Some((event.at, *took));
                (self.phase, self.paused) = (Phase::Back, None);
            }
            _ => {}
        }
    }

    fn retry(&mut self, at: Time) {
        self.progress = at;
        self.asks_traffic(at);
        for leg in self.legs.values_mut() {
            (leg.ill, leg.pods_at, leg.came) = (None, leg.pods_at.map(|_| at), 0);
            for aspect in [Aspect::Traffic, Aspect::Template, Aspect::OldReplicas, Aspect::NewReplicas] {
                leg.ask_again(aspect);
            }
        }
    }

    /// A person wants every leg's traffic to be asked for again.
    fn asks_traffic(&mut self, at: Time) {
        for leg in self.legs.values_mut() {
            (leg.asked_at, leg.landed, leg.moved) = (leg.asked_at.map(|_| at), None, false);
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
    /// Whether an event of this leg is progress of its step. A deadline that stood still begins again with what ends that: a
    /// region that answers, a hand that lets go, sides that are not both sick any more.
    fn progresses(&self, what: &What) -> bool {
        match what {
            What::ReplicasSet { .. } | What::HomeSet { .. } | What::WeightSet { .. } => true,
            What::LegArrived { .. } | What::LegHeard { .. } | What::PodsCame { .. } => true,
            What::Landed { .. } => self.moved,
            What::CheckPassed { .. } | What::CheckFailed { .. } => self.both_sick,
            _ => false,
        }
    }

    /// Health and checks.
    fn is_judged(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::HealthPassed { nth, .. } => (self.healthy, self.ill) = (*nth, None),
            What::HealthFailed { why, .. } => (self.healthy, self.ill) = (0, Some((at, why.clone()))),
            What::CheckPassed { upto, .. } => {
                (self.checked, self.good) = (Some(*upto), Some(*upto));
                (self.bad, self.bad_since, self.both_sick) = (0, None, false);
            }
            What::CheckFailed { nth, upto, why, .. } => {
                (self.bad, self.checked, self.both_sick) = (*nth, Some(*upto), false);
                self.bad_since.get_or_insert(at);
                self.bad_why.clone_from(why);
            }
            What::BothSick { .. } => {
                (self.both_sick, self.bad, self.good) = (true, 0, None);
                self.bad_since.get_or_insert(at);
            }
            _ => {}
        }
    }

    /// What is asked for, and what came of it.
    fn takes(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::RevisionFound { revision, .. } => self.revision = Some(revision.clone()),
            What::ReplicasSet { side: Side::Old, pods, .. } => (self.old_pods, self.pods_at) = (Some(*pods), Some(at)),
            What::ReplicasSet { side: Side::New, pods, .. } => (self.new_pods, self.pods_at) = (Some(*pods), Some(at)),
            What::HomeSet { side, .. } => self.home = Some(*side),
            What::WeightSet { weight, .. } => {
                (self.weight, self.weight_at, self.restore) = (*weight, Some(at), None);
                (self.asked_at, self.landed, self.moved) = (Some(at), None, false);
                (self.bad, self.bad_since) = (0, None);
            }
            What::LegArrived { .. } => {
                (self.arrived, self.came) = (true, self.came.max(self.new_pods.unwrap_or_default()));
                self.failures.clear();
            }
            What::WishFailed { aspect, nth, retry_at, cause, .. } => {
                let failure = Failure { nth: *nth, next: retry_at.map_or(Next::Never, Next::At), cause: cause.clone() };
                self.failures.insert(*aspect, failure);
            }
            What::WishRenewed { aspect, .. } => {
                self.ask_again(*aspect);
                if aspect.carries_traffic() {
                    (self.asked_at, self.landed, self.moved) = (Some(at), None, false);
                }
            }
            What::LegProven { counted, errors, .. } => {
                self.proven = Some(Proven { at, counted: *counted, errors: *errors });
                self.failures.clear();
            }
            What::LegSilent { .. } => (self.silent, self.ill) = (true, None),
            What::LegHeard { .. } => (self.silent, self.pods_at) = (false, self.pods_at.map(|_| at)),
            What::Landed { .. } => (self.landed, self.moved) = (Some(at), false),
            What::LegMoved { .. } => (self.moved, self.ill) = (true, None),
            What::PodsCame { ready, .. } => self.came = *ready,
            _ => {}
        }
    }

    fn ask_again(&mut self, aspect: Aspect) {
        *self.again.entry(aspect).or_default() += 1;
        if let Some(failure) = self.failures.get_mut(&aspect) {
            failure.next = Next::Asked;
        }
    }
}
