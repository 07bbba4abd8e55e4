//! The state of a rollout and the only function that changes it.

use super::event::{By, Event, RollbackCause, What};
use crate::fleet::{Aspect, Side};
use crate::strategy::{Gate, Plan, Route, StepKind};
use crate::units::{LegId, Percent, Revision, RolloutId, Span, Term, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One rollout: its plan, which never changes, and its state, which only events change.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    pub(super) id: RolloutId,
    pub(super) plan: Arc<Plan>,
    pub(super) state: State,
}

/// Where a rollout is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Somebody else's update: no log, nothing is written.
    Watched,
    /// Moves forward.
    Flying,
    /// Traffic goes to stable, the rest stays.
    Aborted,
    /// Moves back.
    RollingBack,
    /// Back, proven; the new side may still run, so it can be undone.
    Back,
    /// The end, back.
    RolledBack,
    /// The end, forward.
    Promoted,
    /// Somebody else drives it.
    Superseded,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub seq: u64,
    pub term: Term,
    pub phase: Phase,
    pub began: Time,
    pub by: By,
    pub reason: Option<String>,
    /// When the last event was.
    pub last: Time,
    pub ended: Option<Time>,
    /// The step being done; equal to the number of steps when all are behind us.
    pub step: usize,
    /// Whether its gates have let it begin.
    pub started: bool,
    /// When all its legs had what it asked for: the hold's clock.
    pub applied: Option<Time>,
    /// The hold was ended by a person.
    pub hold_ended: bool,
    /// Gates of this step that a person passed.
    pub passed_gates: BTreeSet<Gate>,
    /// All holds and verdict gates are dropped.
    pub holds_dropped: bool,
    /// Since when, and by whom, no forward step is made.
    pub paused: Option<(Time, By)>,
    /// Time spent paused since the step began, and since it was applied.
    pub paused_in_step: Span,
    /// When each step began and was passed.
    pub times: Vec<(Option<Time>, Option<Time>)>,
    pub legs: BTreeMap<LegId, LegState>,
    pub back: Option<Back>,
}

/// A rollback.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Back {
    pub began: Time,
    pub by: By,
    pub why: RollbackCause,
    /// The weights before it.
    pub was: BTreeMap<LegId, Percent>,
    pub over_capacity: bool,
    pub proven: Option<(Time, Span)>,
    pub not_proven: Option<String>,
    /// The time to undo it was ended by a person.
    pub closing: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LegState {
    pub revision: Option<Revision>,
    pub weight: Percent,
    /// When the weight was last changed; `None`: never, so there is no wish for it.
    pub weight_at: Option<Time>,
    pub old_pods: Option<u32>,
    pub new_pods: Option<u32>,
    pub arrived: bool,
    /// Bad checks in a row, since when, and what the last one said.
    pub bad: u32,
    pub bad_since: Option<Time>,
    pub bad_why: String,
    pub both_sick: bool,
    /// The end of the last interval that was looked at, and of the last good one.
    pub checked: Option<Time>,
    pub good: Option<Time>,
    pub healthy: u32,
    pub ill: Option<(Time, String)>,
    pub failures: BTreeMap<Aspect, Failure>,
    pub again: BTreeMap<Aspect, u32>,
    /// The share to go back to after an undo.
    pub restore: Option<Percent>,
    pub proven: Option<Proven>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub nth: u32,
    pub retry_at: Option<Time>,
    pub cause: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proven {
    pub at: Time,
    pub counted: bool,
    pub errors: Option<f64>,
}

impl LegState {
    /// Whether anything was asked of this leg.
    pub fn touched(&self) -> bool {
        self.weight_at.is_some() || self.old_pods.is_some() || self.new_pods.is_some()
    }
}

impl State {
    fn new(plan: &Plan) -> State {
        let legs = plan.legs.iter().map(|l| (l.id.clone(), LegState { revision: l.new.clone(), ..LegState::default() }));
        State {
            seq: 0,
            term: Term::default(),
            phase: Phase::Watched,
            began: Time::default(),
            by: By::Plan,
            reason: None,
            last: Time::default(),
            ended: None,
            step: 0,
            started: false,
            applied: None,
            hold_ended: false,
            passed_gates: BTreeSet::new(),
            holds_dropped: false,
            paused: None,
            paused_in_step: Span::ZERO,
            times: vec![(None, None); plan.steps.len()],
            legs: legs.collect(),
            back: None,
        }
    }

    /// How long `since` lies back, without the time that was spent paused in this step.
    pub fn elapsed(&self, since: Time, now: Time) -> Span {
        let until = self.paused.as_ref().map_or(now, |(at, _)| (*at).max(since));
        until.since(since).less(self.paused_in_step)
    }

    fn begin_step(&mut self, step: usize, at: Time) {
        self.step = step;
        self.started = true;
        self.applied = None;
        self.hold_ended = false;
        self.paused_in_step = Span::ZERO;
        self.passed_gates.clear();
        if let Some(times) = self.times.get_mut(step) {
            *times = (Some(at), None);
        }
        self.legs.values_mut().for_each(|l| l.arrived = false);
    }

    fn restart(&mut self, at: Time) {
        self.phase = Phase::Flying;
        self.back = None;
        self.ended = None;
        self.paused = None;
        self.times.iter_mut().for_each(|t| *t = (None, None));
        self.step = 0;
        self.started = false;
        self.applied = None;
        self.holds_dropped = false;
        for leg in self.legs.values_mut() {
            let kept = LegState {
                revision: leg.revision.take(),
                weight: leg.weight,
                weight_at: leg.weight_at,
                old_pods: leg.old_pods,
                new_pods: leg.new_pods,
                again: std::mem::take(&mut leg.again),
                ..LegState::default()
            };
            *leg = kept;
        }
        self.began = at;
    }
}

impl Rollout {
    /// A rollout of ours, before its first event.
    pub fn new(id: RolloutId, plan: Arc<Plan>) -> Rollout {
        let state = State::new(&plan);
        Rollout { id, plan, state }
    }

    /// An update that somebody else started, as it looks from here: in `step` of a plan derived from the cluster.
    pub fn watched(id: RolloutId, plan: Arc<Plan>, step: usize, began: Time, by: By) -> Rollout {
        let mut it = Rollout::new(id, plan);
        it.board(step, began);
        (it.state.phase, it.state.by) = (Phase::Watched, by);
        it
    }

    /// From a log: the first event carries the plan. `None` when it does not begin with one.
    pub fn replay<'a>(id: RolloutId, events: impl IntoIterator<Item = &'a Event>) -> Option<Rollout> {
        let mut events = events.into_iter();
        let first = events.next()?;
        let (What::Launched { plan, .. } | What::Boarded { plan, .. }) = &first.what else { return None };
        let mut it = Rollout::new(id, Arc::new((**plan).clone()));
        it.apply(first);
        events.for_each(|e| it.apply(e));
        Some(it)
    }

    /// Its id.
    pub fn id(&self) -> &RolloutId {
        &self.id
    }
    /// Its plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.state.phase
    }
    /// The term it is in.
    pub fn term(&self) -> Term {
        self.state.term
    }
    /// Whether it has come to an end (a rollback of it can still begin after a promotion).
    pub fn ended(&self) -> bool {
        matches!(self.state.phase, Phase::Promoted | Phase::RolledBack)
    }
    /// Whether nothing moves any more, forward or back (a rollback that can be undone is settled).
    pub fn settled(&self) -> bool {
        self.ended() || self.state.phase == Phase::Back
    }
    /// When its last event was.
    pub fn last_at(&self) -> Time {
        self.state.last
    }
    /// The share that is asked for the new side, over all legs.
    pub fn want(&self) -> Percent {
        self.share_of(|l| self.state.legs.get(l).map_or(Percent::ZERO, |s| s.weight))
    }
    /// The number of its last event.
    pub fn seq(&self) -> u64 {
        self.state.seq
    }
    /// A leg's new revision, once it is known.
    pub fn new_revision(&self, leg: &LegId) -> Option<&Revision> {
        self.state.legs.get(leg)?.revision.as_ref()
    }
    /// When a leg's weight was last changed, and to what.
    pub fn weight_since(&self, leg: &LegId) -> Option<(Percent, Time)> {
        let leg = self.state.legs.get(leg)?;
        Some((leg.weight, leg.weight_at?))
    }

    fn board(&mut self, step: usize, at: Time) {
        let weight = self.plan.steps.iter().take(step + 1).filter_map(|s| s.weight).next_back().unwrap_or(Percent::ALL);
        self.state.began = at;
        self.state.begin_step(step, at);
        for leg in self.state.legs.values_mut() {
            (leg.weight, leg.weight_at) = (weight, Some(at));
        }
    }

    /// The only writer: live and in replay.
    pub fn apply(&mut self, event: &Event) {
        let Event { seq, term, at, by, what } = event;
        let at = *at;
        self.state.seq = *seq;
        self.state.term = *term;
        self.state.last = at;
        let steps = self.plan.steps.len();
        let state = &mut self.state;
        match what {
            What::Launched { reason, .. } => {
                (state.phase, state.began, state.by, state.reason) = (Phase::Flying, at, by.clone(), reason.clone());
            }
            What::Boarded { step, .. } => {
                (state.phase, state.by) = (Phase::Flying, by.clone());
                self.board(*step, at);
            }
            What::Taken => {
                if state.phase == Phase::Superseded {
                    state.phase = if state.back.is_some() { Phase::RollingBack } else { Phase::Flying };
                }
            }
            What::StepStarted { step } => state.begin_step(*step, at),
            What::RevisionFound { leg, revision } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    leg.revision = Some(revision.clone());
                }
            }
            What::ReplicasSet { leg, side, pods } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    match side {
                        Side::Old => leg.old_pods = Some(*pods),
                        Side::New => leg.new_pods = Some(*pods),
                    }
                }
            }
            What::WeightSet { leg, weight } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    (leg.weight, leg.weight_at) = (*weight, Some(at));
                    (leg.bad, leg.bad_since) = (0, None);
                    leg.restore = None;
                }
            }
            What::LegArrived { leg } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    leg.arrived = true;
                    leg.failures.clear();
                }
            }
            What::StepApplied { .. } => {
                state.applied = Some(at);
                state.paused_in_step = Span::ZERO;
            }
            What::StepPassed { step } => {
                if let Some(times) = state.times.get_mut(*step) {
                    times.1 = Some(at);
                }
                (state.step, state.started, state.applied) = (step + 1, false, None);
                state.passed_gates.clear();
            }
            What::HealthPassed { leg, nth } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    (leg.healthy, leg.ill) = (*nth, None);
                }
            }
            What::HealthFailed { leg, why } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    (leg.healthy, leg.ill) = (0, Some((at, why.clone())));
                }
            }
            What::CheckPassed { leg, upto } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    (leg.checked, leg.good) = (Some(*upto), Some(*upto));
                    (leg.bad, leg.bad_since, leg.both_sick) = (0, None, false);
                }
            }
            What::CheckFailed { leg, nth, upto, why } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    leg.bad = *nth;
                    leg.bad_since.get_or_insert(at);
                    (leg.checked, leg.both_sick) = (Some(*upto), false);
                    leg.bad_why.clone_from(why);
                }
            }
            What::BothSick { leg } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    leg.both_sick = true;
                    (leg.bad, leg.good) = (0, None);
                    leg.bad_since.get_or_insert(at);
                }
            }
            What::HoldEnded { .. } => state.hold_ended = true,
            What::HoldsDropped => state.holds_dropped = true,
            What::Skipped { gate, .. } => {
                match &mut state.back {
                    Some(back) => back.closing = true,
                    None => state.hold_ended = true,
                }
                state.passed_gates.extend(gate);
            }
            What::Paused => state.paused = Some((at, by.clone())),
            What::Resumed => {
                if let Some((since, _)) = state.paused.take() {
                    let counted_from = state.applied.or_else(|| state.times.get(state.step).and_then(|t| t.0)).unwrap_or(since);
                    state.paused_in_step = state.paused_in_step + at.since(since.max(counted_from));
                }
            }
            What::WishFailed { leg, aspect, nth, retry_at, cause } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    leg.failures.insert(*aspect, Failure { nth: *nth, retry_at: *retry_at, cause: cause.clone() });
                }
            }
            What::WishRenewed { leg, aspect } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    *leg.again.entry(*aspect).or_default() += 1;
                    if let Some(f) = leg.failures.get_mut(aspect) {
                        f.retry_at = None;
                    }
                }
            }
            What::Aborted { .. } => {
                (state.phase, state.paused) = (Phase::Aborted, None);
            }
            What::Restarted => state.restart(at),
            What::RollbackBegan { why } => {
                let was = state.legs.iter().map(|(id, l)| (id.clone(), l.weight)).collect();
                state.back = Some(Back {
                    began: at,
                    by: by.clone(),
                    why: why.clone(),
                    was,
                    over_capacity: false,
                    proven: None,
                    not_proven: None,
                    closing: false,
                });
                (state.phase, state.paused, state.ended) = (Phase::RollingBack, None, None);
                for leg in state.legs.values_mut() {
                    leg.failures.clear();
                    (leg.proven, leg.restore) = (None, None);
                }
            }
            What::OverCapacity => {
                if let Some(back) = &mut state.back {
                    back.over_capacity = true;
                }
            }
            What::LegProven { leg, counted, errors } => {
                if let Some(leg) = state.legs.get_mut(leg) {
                    leg.proven = Some(Proven { at, counted: *counted, errors: *errors });
                    leg.failures.clear();
                }
            }
            What::Proven { took } => {
                state.phase = Phase::Back;
                if let Some(back) = &mut state.back {
                    back.proven = Some((at, *took));
                }
            }
            What::NotProven { missing } => {
                if let Some(back) = &mut state.back {
                    back.not_proven = Some(missing.clone());
                }
            }
            What::Undone => {
                state.phase = Phase::Flying;
                state.paused = Some((at, by.clone()));
                let was = state.back.take().map(|b| b.was).unwrap_or_default();
                for (id, leg) in &mut state.legs {
                    leg.restore = was.get(id).copied().filter(|w| *w > leg.weight);
                    (leg.bad, leg.bad_since, leg.both_sick, leg.ill, leg.good) = (0, None, false, None, None);
                    leg.failures.clear();
                    leg.proven = None;
                }
            }
            What::Promoted => (state.phase, state.ended, state.step) = (Phase::Promoted, Some(at), steps),
            What::RolledBack => (state.phase, state.ended) = (Phase::RolledBack, Some(at)),
            What::Superseded { by_term } => {
                (state.phase, state.term) = (Phase::Superseded, (*by_term).max(state.term));
            }
        }
    }

    /// How a leg's traffic is divided.
    pub(super) fn route(&self, leg: &LegId) -> Route {
        self.plan.leg(leg).map_or(Route::Weights, |l| l.route)
    }

    /// The kind of the step being done.
    pub(super) fn kind(&self) -> Option<StepKind> {
        self.plan.steps.get(self.state.step).map(|s| s.kind)
    }
}
