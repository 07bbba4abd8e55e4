//! `decide`: one input in, events out. The state is copied, each event is applied to the copy, and the next is decided on it.

use super::event::{By, Event, RollbackCause, What};
use super::input::{Input, Refusal};
use super::state::{Phase, Rollout};
use crate::analysis::Look;
use crate::fleet::{Aspect, Flight, Observed, Way};
use crate::strategy::{Limit, Plan};
use crate::units::{LegId, Percent, Person, RolloutId, Span, Term, Time};
use std::sync::Arc;

/// A good check is written down at most this often; a gate asks for one not much older.
const GOOD_EVERY: Span = Span::secs(60);

/// One input being decided.
pub(super) struct Deciding {
    pub it: Rollout,
    pub now: Time,
    pub events: Vec<Event>,
}

impl Deciding {
    pub(super) fn push(&mut self, by: By, what: What) {
        let term = match what {
            What::RollbackBegan { .. } | What::Undone | What::Restarted | What::Taken => self.it.state.term.next(),
            _ => self.it.state.term,
        };
        self.push_in(term, by, what);
    }

    fn push_in(&mut self, term: Term, by: By, what: What) {
        let event = Event { seq: self.it.state.seq + 1, term, at: self.now, by, what };
        self.it.apply(&event);
        self.events.push(event);
    }

    pub(super) fn plan(&mut self, what: What) {
        self.push(By::Plan, what);
    }

    pub(super) fn automatic(&mut self, why: RollbackCause) {
        self.push(By::Automatic, What::RollbackBegan { why });
    }

    /// All that follows from what is seen now.
    fn observe(&mut self, seen: &Observed) {
        // Each round makes at least one event or ends; the bound only guards against a mistake in here.
        for _ in 0..1000 {
            let before = self.events.len();
            self.read_fence(seen);
            self.find_revisions(seen);
            self.renew_due();
            match self.it.state.phase {
                Phase::Flying => self.fly(seen),
                Phase::Aborted | Phase::RollingBack | Phase::Back => self.go_back(seen),
                Phase::Watched | Phase::RolledBack | Phase::Promoted | Phase::Superseded => {}
            }
            if self.events.len() == before {
                break;
            }
        }
    }

    /// Where a traffic object says `back`, the rollout is rolling back, whatever any record says.
    fn read_fence(&mut self, seen: &Observed) {
        if self.it.ended() || self.it.state.phase == Phase::Watched {
            return;
        }
        let highest = seen.legs.values().filter_map(|l| l.flight.as_ref()).max_by_key(|f| f.term).cloned();
        if let Some(flight) = highest.filter(|f| f.term > self.it.state.term) {
            self.fenced(&flight);
        }
    }

    fn fenced(&mut self, flight: &Flight) {
        let back = matches!(self.it.state.phase, Phase::RollingBack | Phase::Back);
        if flight.rollout == *self.it.id() && flight.way == Way::Back && !back {
            self.push_in(flight.term.next(), By::Automatic, What::RollbackBegan { why: RollbackCause::Fence });
        } else if self.it.state.phase != Phase::Superseded {
            self.plan(What::Superseded { by_term: flight.term });
        }
    }

    fn find_revisions(&mut self, seen: &Observed) {
        if self.it.state.phase != Phase::Flying {
            return;
        }
        let found: Vec<_> = self
            .it
            .state
            .legs
            .iter()
            .filter(|(_, leg)| leg.revision.is_none() && leg.touched())
            .filter_map(|(id, _)| Some((id.clone(), seen.legs.get(id)?.new.revision.clone()?)))
            .collect();
        for (leg, revision) in found {
            self.plan(What::RevisionFound { leg, revision });
        }
    }

    /// Asks again what is due.
    fn renew_due(&mut self) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= self.now);
        let all: Vec<(LegId, Aspect)> = self
            .it
            .state
            .legs
            .iter()
            .flat_map(|(id, leg)| leg.failures.iter().filter(|(_, f)| due(f.retry_at)).map(|(a, _)| (id.clone(), *a)))
            .collect();
        for (leg, aspect) in all {
            self.plan(What::WishRenewed { leg, aspect });
        }
    }

    fn check(&mut self, leg: &LegId, upto: Time, look: Look, why: &str, both_sick: bool) {
        let state = &self.it.state;
        let Some(known) = state.legs.get(leg) else { return };
        let moving = state.phase == Phase::Flying && known.weight > Percent::ZERO;
        if !moving || known.checked.is_some_and(|at| at >= upto) {
            return;
        }
        match look {
            Look::Neither => {}
            Look::Good => {
                let stale = known.good.is_none_or(|at| upto.since(at) >= GOOD_EVERY || known.weight_at.is_some_and(|w| at <= w));
                if stale || known.bad > 0 || known.both_sick {
                    self.plan(What::CheckPassed { leg: leg.clone(), upto });
                }
            }
            Look::Bad if both_sick => {
                if !known.both_sick {
                    self.plan(What::BothSick { leg: leg.clone() });
                }
            }
            Look::Bad => {
                let nth = known.bad + 1;
                self.plan(What::CheckFailed { leg: leg.clone(), nth, upto, why: why.to_owned() });
                if nth >= self.it.plan.rules.failures_in_a_row {
                    self.automatic(RollbackCause::Limit { leg: leg.clone(), why: why.to_owned() });
                }
            }
        }
    }

    fn health(&mut self, leg: &LegId, well: bool, why: &str) {
        let wanted = self.it.plan.rules.healthy_in_a_row;
        let Some(known) = self.it.state.legs.get(leg) else { return };
        if self.it.state.phase != Phase::Flying {
            return;
        }
        if well {
            if known.ill.is_some() || known.healthy < wanted {
                let nth = known.healthy + 1;
                self.plan(What::HealthPassed { leg: leg.clone(), nth });
            }
        } else if known.ill.is_none() {
            self.plan(What::HealthFailed { leg: leg.clone(), why: why.to_owned() });
        }
    }

    fn failed(&mut self, input: &Input<'_>) {
        let Input::WishFailed { leg, aspect, term, cause, fenced_by, may_heal } = input else { return };
        if *term != self.it.state.term || self.it.ended() || self.it.state.phase == Phase::Superseded {
            return;
        }
        if let Some(flight) = fenced_by.as_ref().filter(|f| f.term > self.it.state.term) {
            return self.fenced(flight);
        }
        let Some(known) = self.it.state.legs.get(leg) else { return };
        let nth = known.failures.get(aspect).map_or(0, |f| f.nth) + 1;
        let back = self.it.state.back.is_some();
        // A rollback never gives up, and is in more of a hurry.
        let first = if back { 500 } else { 1000 };
        let wait = Span((first << (nth - 1).min(6)).min(if back { 5_000 } else { 30_000 }));
        let retry_at = (*may_heal || back).then(|| self.now + wait);
        self.plan(What::WishFailed { leg: leg.clone(), aspect: *aspect, nth, retry_at, cause: cause.clone() });
    }
}

impl Rollout {
    /// The first event of a rollout of ours. `highest` is the highest term seen on its traffic objects.
    pub fn launch(id: RolloutId, plan: Arc<Plan>, now: Time, by: Person, reason: Option<String>, highest: Term) -> (Rollout, Event) {
        let mut it = Rollout::new(id, plan.clone());
        let what = What::Launched { plan: Box::new((*plan).clone()), reason };
        let event = Event { seq: 1, term: highest.next(), at: now, by: By::Person(by), what };
        it.apply(&event);
        (it, event)
    }

    /// Decides what follows from an input. Pure: a refusal has cause and remedy, and changes nothing.
    pub fn decide(&self, now: Time, input: &Input<'_>) -> Result<Vec<Event>, Refusal> {
        let mut deciding = Deciding { it: self.clone(), now, events: Vec::new() };
        match input {
            Input::Press { verb, by, reason } => deciding.press(*verb, by, reason.clone())?,
            Input::Observed(seen) => deciding.observe(seen),
            Input::Checked { leg, upto, look, why, both_sick, .. } => deciding.check(leg, *upto, *look, why, *both_sick),
            Input::Health { leg, well, why, .. } => deciding.health(leg, *well, why),
            Input::WishFailed { .. } => deciding.failed(input),
        }
        Ok(deciding.events)
    }

    /// When it next wants to be shown what is seen, because time alone may lead on.
    pub fn poll_timeout(&self) -> Option<Time> {
        let state = &self.state;
        let rules = &self.plan.rules;
        let mut times: Vec<Time> = state.legs.values().flat_map(|l| l.failures.values().filter_map(|f| f.retry_at)).collect();
        match state.phase {
            Phase::Flying => {
                times.extend(state.legs.values().filter_map(|l| Some(l.ill.as_ref()?.0 + self.health_limit())));
                if let (Some(step), None) = (self.plan.steps.get(state.step), &state.paused) {
                    match state.applied {
                        Some(at) => times.extend(step.hold.map(|h| at + h + state.paused_in_step)),
                        None => {
                            let began = state.times.get(state.step).and_then(|t| t.0);
                            times.extend(began.map(|at| at + rules.progress_deadline + state.paused_in_step));
                        }
                    }
                }
            }
            Phase::RollingBack => {
                times.extend(state.back.as_ref().filter(|b| b.not_proven.is_none()).map(|b| b.began + super::back::PROVE_WITHIN));
            }
            Phase::Back => times.extend(self.close_at()),
            _ => {}
        }
        times.into_iter().min()
    }

    /// How long health may fail.
    pub(super) fn health_limit(&self) -> Span {
        let limits = &self.plan.rules.limits;
        limits
            .iter()
            .find_map(|l| if let Limit::Health(span) = l { Some(*span) } else { None })
            .unwrap_or(self.plan.rules.health_check_timeout)
    }

    /// A gate asks for a good check not older than this.
    pub(super) fn good_for(&self) -> Span {
        GOOD_EVERY + self.plan.rules.check_interval + self.plan.rules.check_interval
    }
}
