//! `decide`: one input in, events out. The state is copied, each event is applied to the copy, and the next is decided on it.

use super::event::{By, Event, RollbackCause, What};
use super::input::{Input, Refusal};
use super::state::{Failure, LegState, Next, Phase, Rollout};
use crate::analysis::Look;
use crate::fleet::{Aspect, Flight, Observed, Reach, Way};
use crate::strategy::{Limit, Plan, Route};
use crate::units::{LegId, Percent, Person, RolloutId, Span, Term, Time};
use std::sync::Arc;

/// A good check is written down at most this often; a gate asks for one not much older.
const GOOD_EVERY: Span = Span::secs(60);
/// So many tries of a way back are made in a hurry: about two minutes of them.
const HURRIED: u32 = 24;

/// One input being decided.
pub(super) struct Deciding {
    pub it: Rollout,
    pub now: Time,
    pub events: Vec<Event>,
}

impl Deciding {
    pub(super) fn push(&mut self, by: By, what: What) {
        let term = match what {
            What::Boarded { .. } | What::RollbackBegan { .. } | What::Undone | What::Restarted | What::Taken => self.it.state.term.next(),
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
        if self.it.ended() || self.it.state.phase == Phase::Watched {
            return;
        }
        // Each round makes at least one event or ends; the bound only guards against a mistake in here.
        for _ in 0..1000 {
            let before = self.events.len();
            self.read_fences(seen);
            if self.it.ended() {
                break;
            }
            self.find_revisions(seen);
            self.hear(seen);
            self.renew_due();
            match self.it.state.phase {
                Phase::Flying => self.fly(seen),
                Phase::Aborted | Phase::RollingBack | Phase::Back => self.go_back(seen),
                Phase::Watched | Phase::RolledBack | Phase::Promoted | Phase::Superseded => {}
            }
            if self.events.len() == before || self.it.ended() {
                break;
            }
        }
    }

    /// The highest term counts; beside it every traffic object of this rollout that says `back`.
    fn read_fences(&mut self, seen: &Observed) {
        let flights: Vec<&Flight> = seen.legs.values().filter_map(|l| l.flight.as_ref()).collect();
        let highest = flights.iter().max_by_key(|f| (f.term, f.way == Way::Back));
        if let Some(flight) = highest.filter(|f| f.term > self.it.state.term) {
            return self.fenced(flight);
        }
        if let Some(flight) = flights.into_iter().find(|f| self.says_back(f) || self.beats(f)) {
            self.fenced(flight);
        }
    }

    /// Whether somebody else drives by this fence: a higher term, or another rollout that was first in the same term.
    fn beats(&self, flight: &Flight) -> bool {
        let state = &self.it.state;
        let first = flight.term == state.term && flight.rollout != *self.it.id() && state.phase == Phase::Flying;
        flight.term > state.term || first
    }

    /// Whether a fence says that somebody took this rollout back after a person last chose the way forward here.
    fn says_back(&self, flight: &Flight) -> bool {
        let state = &self.it.state;
        let back = flight.rollout == *self.it.id() && flight.way == Way::Back;
        back && state.phase == Phase::Flying && flight.term >= state.forward
    }

    /// Somebody else wrote. Where he went back the rollout *is* rolling back, whatever any record says, and this one helps;
    /// in his term, so that neither takes it from the other. Anything else in a higher term ends the driving here.
    fn fenced(&mut self, flight: &Flight) {
        let (term, phase) = (self.it.state.term, self.it.state.phase);
        let higher = self.beats(flight);
        let back = flight.rollout == *self.it.id() && flight.way == Way::Back && self.it.has_way_back();
        match phase {
            Phase::Flying | Phase::Aborted if back && (higher || self.says_back(flight)) => {
                let term = if higher { flight.term } else { term.next() };
                self.push_in(term, By::Automatic, What::RollbackBegan { why: RollbackCause::Fence });
            }
            Phase::RollingBack | Phase::Back if back && higher => self.push_in(flight.term, By::Automatic, What::Followed),
            // It was back, proven, with nothing of it left: that another rollout moves the workload now is its end.
            Phase::Back if higher && flight.rollout != *self.it.id() && !self.it.leaves_pods() => self.plan(What::RolledBack),
            // Nothing goes forward in a term that says `back`, and where nothing can go back only a new term leads on.
            _ if higher || (flight.term == term && self.says_back(flight)) => self.plan(What::Superseded { by_term: flight.term }),
            _ => {}
        }
    }

    /// Regions that fell silent, and those that answer again.
    fn hear(&mut self, seen: &Observed) {
        if self.it.state.phase == Phase::Superseded {
            return;
        }
        let legs: Vec<(LegId, bool)> = self.it.state.legs.iter().map(|(id, l)| (id.clone(), l.silent)).collect();
        for (leg, silent) in legs {
            match seen.leg(&leg).reach {
                Reach::Silent { .. } if !silent => self.plan(What::LegSilent { leg }),
                Reach::Answers(_) if silent => self.plan(What::LegHeard { leg }),
                _ => {}
            }
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
        if self.it.state.phase == Phase::Superseded {
            return;
        }
        let due = |f: &Failure| matches!(f.next, Next::At(at) if at <= self.now);
        let legs = self.it.state.legs.iter();
        let all: Vec<(LegId, Aspect)> = legs
            .flat_map(|(id, leg)| {
                leg.failures.iter().filter(|(a, f)| due(f) && !(leg.moved && a.carries_traffic())).map(|(a, _)| (id.clone(), *a))
            })
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
                // The gate wants one from after the step was applied.
                let wanted = state.applied.or(known.weight_at);
                let stale = known.good.is_none_or(|at| upto.since(at) >= GOOD_EVERY || wanted.is_some_and(|from| at < from));
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
                if nth >= self.it.plan.rules.failures_in_a_row && self.it.has_way_back() {
                    self.automatic(RollbackCause::Limit { leg: leg.clone(), why: why.to_owned() });
                }
            }
        }
    }

    fn health(&mut self, leg: &LegId, pods: u32, well: bool, why: &str) {
        // By pods the old ones serve until there are new ones: nobody is ill yet.
        if pods == 0 && self.it.route(leg) == Route::Pods {
            return;
        }
        let wanted = self.it.plan.rules.healthy_in_a_row;
        let Some(known) = self.it.state.legs.get(leg) else { return };
        // In somebody's hands it is for him to say which pods there are; errors are still looked at.
        if self.it.state.phase != Phase::Flying || known.moved {
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
        if let Some(flight) = fenced_by.as_ref().filter(|f| self.beats(f)) {
            return self.fenced(flight);
        }
        let Some(known) = self.it.state.legs.get(leg) else { return };
        let before = known.failures.get(aspect);
        if before.is_some_and(|f| matches!(f.next, Next::At(at) if at > self.now)) {
            return;
        }
        let nth = before.map_or(0, |f| f.nth) + 1;
        let back = self.it.state.goes_back();
        // A way back never gives up, and is in more of a hurry for its first minutes.
        let (first, most) = match back {
            false => (1000, 30_000),
            true if nth <= HURRIED => (500, 5_000),
            true => (500, 60_000),
        };
        let wait = Span((first << (nth - 1).min(7)).min(most));
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
            Input::Health { leg, pods, well, why, .. } => deciding.health(leg, *pods, *well, why),
            Input::WishFailed { .. } => deciding.failed(input),
        }
        Ok(deciding.events)
    }

    /// When it next wants to be shown what is seen, because time alone may lead on. What was due at `now` or before has been
    /// decided by then, or waits for something that is not time.
    ///
    /// After every input that led to events it wants to be shown what is seen, too.
    pub fn poll_timeout(&self, now: Time) -> Option<Time> {
        let state = &self.state;
        let mut times: Vec<Time> = Vec::new();
        match state.phase {
            Phase::Flying => self.forward_times(&mut times),
            Phase::RollingBack => {
                times.extend(state.back.as_ref().map(|b| b.began + super::back::PROVE_WITHIN));
                times.extend(state.legs.values().filter_map(|l| Some(l.landed? + super::back::HEARD)));
            }
            Phase::Back => times.extend(self.close_at()),
            Phase::Aborted => {}
            Phase::Watched | Phase::RolledBack | Phase::Promoted | Phase::Superseded => return None,
        }
        let retries = state.legs.values().flat_map(|l| l.failures.values());
        times.extend(retries.filter_map(|f| if let Next::At(at) = f.next { Some(at) } else { None }));
        times.into_iter().filter(|at| *at > now).min()
    }

    fn forward_times(&self, times: &mut Vec<Time>) {
        let (state, rules) = (&self.state, &self.plan.rules);
        times.extend(state.legs.values().filter_map(|l| Some(l.ill.as_ref()?.0 + self.health_limit(l))));
        times.extend(state.legs.values().filter(|l| l.landed.is_none()).filter_map(|l| Some(l.asked_at? + super::others::WRITES)));
        if state.paused.is_some() || !state.started {
            return;
        }
        times.extend(self.hold_ends());
        if state.applied.is_none() {
            times.extend([state.progress + self.news_every(), state.progress + rules.progress_deadline]);
            // The drain before old pods go, and the trust in a split that nobody counts.
            times.extend(state.legs.values().filter_map(|l| l.weight_at).flat_map(|at| [at + super::back::DRAIN, at + rules.window]));
        }
    }

    /// How long a leg's health may fail: before it has traffic as long as a check may, then what the limit says.
    pub(super) fn health_limit(&self, leg: &LegState) -> Span {
        let limit = self.plan.rules.limits.iter().find_map(|l| if let Limit::Health(span) = l { Some(*span) } else { None });
        limit.filter(|_| leg.weight > Percent::ZERO).unwrap_or(self.plan.rules.health_check_timeout)
    }

    /// A gate asks for a good check not older than this.
    pub(super) fn good_for(&self) -> Span {
        GOOD_EVERY + self.plan.rules.check_interval + self.plan.rules.check_interval
    }
}
