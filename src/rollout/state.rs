//! The state of a rollout: what it holds, how it begins, and what can be asked of it. `apply` alone changes it.

use super::event::{By, Event, RollbackCause, What};
use crate::fleet::{Aspect, Side};
use crate::strategy::{Gate, Plan, PlanLeg, Route};
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
    /// The phase it was in when somebody else took it.
    pub before: Phase,
    /// Why nothing but the way back can be done from here: what its log says is not known whole.
    pub read_only: Option<String>,
    /// The term in which a person last chose the way forward: a fence that says `back` in it or later counts, an older one does not.
    pub forward: Term,
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
    /// When all its legs had what it asked for: the hold's clock. A pause moves it on, so that the clock stands still.
    pub applied: Option<Time>,
    /// A person took the controls from somebody: what he wrote last may be on no log.
    pub taken: bool,
    /// When the step last made progress: the deadline's clock. A pause moves it on too.
    pub progress: Time,
    /// The hold was ended by a person.
    pub hold_ended: bool,
    /// The gate that did not let the step begin, when it was last looked at.
    pub gate: Option<Gate>,
    /// Gates of this step that a person passed.
    pub passed_gates: BTreeSet<Gate>,
    /// All holds and verdict gates are dropped.
    pub holds_dropped: bool,
    /// Since when, and by whom, no forward step is made.
    pub paused: Option<(Time, By)>,
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
    /// An abort came before it: that was meant, and has no undo.
    pub aborted: bool,
    /// The weights before it, also before one that somebody else took over.
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
    /// The side that the workload itself should have in the end, where a second one stands beside it.
    pub home: Option<Side>,
    /// When its traffic was last asked for, for the first time or again.
    pub asked_at: Option<Time>,
    /// When what was asked was seen there.
    pub landed: Option<Time>,
    /// Somebody moved its traffic by hand since: nothing is asked for it.
    pub moved: bool,
    /// When pods were last asked for.
    pub pods_at: Option<Time>,
    /// Most pods of the new side that were ready, as far as it was written down.
    pub came: u32,
    pub arrived: bool,
    pub silent: bool,
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

/// A write that failed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub nth: u32,
    pub next: Next,
    pub cause: String,
}

/// What becomes of a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is asked again then.
    At(Time),
    /// It was asked again, and no answer has come yet.
    Asked,
    /// Asking cannot help; a person can.
    Never,
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
            before: Phase::Watched,
            read_only: None,
            forward: Term::default(),
            began: Time::default(),
            by: By::Plan,
            reason: None,
            last: Time::default(),
            ended: None,
            step: 0,
            started: false,
            applied: None,
            taken: false,
            progress: Time::default(),
            hold_ended: false,
            gate: None,
            passed_gates: BTreeSet::new(),
            holds_dropped: false,
            paused: None,
            times: vec![(None, None); plan.steps.len()],
            legs: legs.collect(),
            back: None,
        }
    }

    /// How long a clock that began at `since` has run; it stands still while paused.
    pub fn elapsed(&self, since: Time, now: Time) -> Span {
        self.paused.as_ref().map_or(now, |(at, _)| *at).since(since)
    }

    /// Whether it moves back, or wants to.
    pub fn goes_back(&self) -> bool {
        matches!(self.phase, Phase::Aborted | Phase::RollingBack | Phase::Back)
    }
}

impl Rollout {
    /// A rollout of ours, before its first event.
    pub fn new(id: RolloutId, plan: Arc<Plan>) -> Rollout {
        let state = State::new(&plan);
        Rollout { id, plan, state }
    }

    /// An update that somebody else started, as it looks from here: in `step` of a plan derived from the cluster.
    /// `highest` is the highest term on its traffic objects.
    pub fn watched(id: RolloutId, plan: Arc<Plan>, step: usize, began: Time, by: By, highest: Term) -> Rollout {
        let mut it = Rollout::new(id, plan);
        it.board(step, began);
        (it.state.phase, it.state.by, it.state.term) = (Phase::Watched, by, highest);
        it
    }

    /// Whether all its steps are behind it.
    pub fn is_through(&self) -> bool {
        self.state.step >= self.plan.steps.len()
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

    /// One whose log could not be read whole, because of `why`: it decides nothing, and only `R` works. Who can read all of it drives.
    pub fn read_only(mut self, why: String) -> Rollout {
        if !self.ended() {
            (self.state.before, self.state.phase) = (self.state.phase, Phase::Superseded);
        }
        self.state.read_only = Some(why);
        self
    }

    /// The same, for one decision, in the highest term that was seen of it anywhere: what takes a new term takes a higher one.
    pub fn in_term(&self, highest: Term) -> Rollout {
        let mut it = self.clone();
        it.state.term = it.state.term.max(highest);
        it
    }

    /// Whether it goes back, or went, because somebody else's flightdeck had begun that.
    pub fn went_back_elsewhere(&self) -> bool {
        self.state.back.as_ref().is_some_and(|b| b.why == RollbackCause::Fence)
    }

    /// Whether a person has paused it.
    pub fn is_paused(&self) -> bool {
        self.state.paused.is_some()
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
    /// When it began.
    pub fn began(&self) -> Time {
        self.state.began
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

    /// When a leg was proven to be back.
    pub fn proven_at(&self, leg: &LegId) -> Option<Time> {
        Some(self.state.legs.get(leg)?.proven.as_ref()?.at)
    }

    /// How a leg's traffic is divided.
    pub(super) fn route(&self, leg: &LegId) -> Route {
        self.plan.leg(leg).map_or(Route::Weights, |l| l.route)
    }

    /// Whether there is an older version to go back to.
    pub(super) fn has_way_back(&self) -> bool {
        self.plan.legs.iter().any(can_return)
    }
}

/// Whether a leg has an older version to go back to.
pub(super) fn can_return(leg: &PlanLeg) -> bool {
    !leg.old.as_str().is_empty()
}
