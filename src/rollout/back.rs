//! The way back: as much traffic at once as the old side's ready pods carry, the rest as they come, then proof, then compensations.

use super::capacity::need;
use super::decide::Deciding;
use super::event::What;
use super::state::{LegState, Phase, Rollout};
use crate::fleet::{LegSeen, Observed, Side};
use crate::strategy::{PlanLeg, Route};
use crate::units::{LegId, Percent, Span, Time};

/// A rollback that is not proven by then says so.
pub(super) const PROVE_WITHIN: Span = Span::mins(2);
/// After the traffic went, and before pods of that side go.
const DRAIN: Span = Span::secs(10);

impl Deciding {
    pub(super) fn go_back(&mut self, seen: &Observed) {
        if self.it.state.paused.is_none() {
            self.move_back(seen);
        }
        match self.it.state.phase {
            Phase::RollingBack => self.prove(seen),
            Phase::Back => self.compensate(seen),
            _ => {}
        }
    }

    /// Traffic before everything else, all legs at the same time.
    fn move_back(&mut self, seen: &Observed) {
        let over = self.it.state.back.as_ref().is_some_and(|b| b.over_capacity);
        for (leg, state) in self.it.state.legs.clone() {
            let Some(plan) = self.it.plan.leg(&leg).cloned() else { continue };
            let seen = seen.leg(&leg);
            if !seen.reach.answers() || (state.weight == Percent::ZERO && plan.route == Route::Pods) {
                continue;
            }
            match plan.route {
                Route::Pods => self.plan(What::WeightSet { leg, weight: Percent::ZERO }),
                Route::Weights => {
                    let all = need(&plan, &seen, Percent::ALL);
                    let short = seen.old.pods.as_ref().is_some_and(|p| p.ready < all || p.want < all);
                    if short && state.touched() && state.old_pods.is_none_or(|n| n < all) {
                        self.plan(What::ReplicasSet { leg: leg.clone(), side: Side::Old, pods: all });
                    }
                    let least = if over { Percent::ZERO } else { self.it.least(&leg, &seen) };
                    if least < state.weight {
                        self.plan(What::WeightSet { leg, weight: least });
                    }
                }
            }
        }
    }

    fn prove(&mut self, seen: &Observed) {
        for (leg, state) in self.it.state.legs.clone() {
            if state.proven.is_some() || !state.touched() {
                continue;
            }
            let Some(plan) = self.it.plan.leg(&leg).cloned() else { continue };
            let proof = self.it.proof_of(&plan, &state, &seen.leg(&leg));
            if let (Some(counted), true, Ok(errors)) = (proof.traffic, proof.pods, proof.errors) {
                self.plan(What::LegProven { leg, counted, errors });
            }
        }
        let Some(back) = self.it.state.back.clone() else { return };
        let open: Vec<&LegId> = self.it.state.legs.iter().filter(|(_, l)| l.touched() && l.proven.is_none()).map(|(id, _)| id).collect();
        if open.is_empty() {
            self.plan(What::Proven { took: self.now.since(back.began) });
        } else if back.not_proven.is_none() && self.now.since(back.began) >= PROVE_WITHIN {
            let missing = self.it.missing(open[0], &seen.leg(open[0]));
            self.plan(What::NotProven { missing });
        }
    }

    /// When nobody can want it any more, the new side goes.
    fn compensate(&mut self, seen: &Observed) {
        if self.it.close_at().is_none_or(|at| at > self.now) {
            return;
        }
        for (leg, state) in self.it.state.legs.clone() {
            if self.it.route(&leg) == Route::Weights && state.new_pods.is_some_and(|n| n > 0) {
                self.plan(What::ReplicasSet { leg, side: Side::New, pods: 0 });
            }
        }
        let gone = self.it.state.legs.iter().all(|(id, l)| {
            let seen = seen.leg(id);
            l.new_pods != Some(0) || (seen.reach.answers() && seen.new.pods.as_ref().is_none_or(|p| p.exist == 0))
        });
        if gone {
            self.plan(What::RolledBack);
        }
    }
}

/// How far the three proofs of one leg are.
pub(super) struct LegProof {
    /// Whether traffic is proven, and then whether by counting.
    pub traffic: Option<bool>,
    pub pods: bool,
    /// All traffic's error rate where it is known and good; an error says that it is known and not good, or not known yet.
    pub errors: Result<Option<f64>, Option<f64>>,
}

impl Rollout {
    pub(super) fn proof_of(&self, plan: &PlanLeg, state: &LegState, seen: &LegSeen) -> LegProof {
        let at = state.weight_at.unwrap_or_else(|| self.state.back.as_ref().map_or(self.state.began, |b| b.began));
        let asked = state.weight == Percent::ZERO && seen.reach.answers();
        // Whole intervals that began after the write.
        let after = |last: &&(Time, Span, crate::fleet::Counts)| last.0 - last.1 >= at;
        let old = seen.old.last.as_ref().filter(after).map(|l| &l.2);
        let new = seen.new.last.as_ref().filter(after).map(|l| &l.2);
        let measured = seen.old.last.is_some() || seen.new.last.is_some();
        let new_requests = new.map_or(0.0, |c| c.requests);
        let new_pods = seen.new.pods.as_ref();
        let endpoints = match plan.route {
            Route::Pods => new_pods.is_some_and(|p| p.exist == 0) && seen.complete,
            Route::Weights => seen.want == Some(Percent::ZERO) || state.weight_at.is_none(),
        };
        let traffic = match (asked && endpoints, measured) {
            (false, _) => None,
            (true, false) => Some(false),
            (true, true) => (old.is_some() && new_requests <= 0.0).then_some(true),
        };
        let pods = match plan.route {
            Route::Weights if state.weight_at.is_none() => true,
            _ => seen.old.pods.as_ref().is_some_and(|p| p.ready >= need(plan, seen, Percent::ALL).min(p.want.max(1))),
        };
        let total = old.map(|o| {
            let mut sum = o.clone();
            new.into_iter().for_each(|n| sum.add(n));
            sum
        });
        let errors = match (&total, measured) {
            (_, false) => Ok(None),
            (None, true) => Err(None),
            (Some(c), true) => match c.rate() {
                None => Ok(None),
                Some(rate) => {
                    let limit = self.plan.error_limit().map_or(0.02, Percent::share);
                    let before = seen.rate_before.map_or(0.0, |r| r + 0.01);
                    if rate <= limit.max(before) { Ok(Some(rate)) } else { Err(Some(rate)) }
                }
            },
        };
        LegProof { traffic, pods, errors }
    }

    /// What a leg's proof still misses, in words.
    pub(super) fn missing(&self, leg: &LegId, seen: &LegSeen) -> String {
        let (Some(plan), Some(state)) = (self.plan.leg(leg), self.state.legs.get(leg)) else { return String::new() };
        if let crate::fleet::Reach::Silent { since, .. } = &seen.reach {
            return format!("{leg} silent since {}", since.clock());
        }
        let failed = state.failures.values().next();
        let proof = self.proof_of(plan, state, seen);
        if let Some(failure) = failed {
            format!("{leg}: {}", failure.cause)
        } else if !proof.pods {
            let ready = seen.old.pods.as_ref().map_or(0, |p| p.ready);
            format!("{leg} has {ready} of {} pods", need(plan, seen, Percent::ALL))
        } else if proof.traffic.is_none() {
            format!("{leg} still sends requests to {}", self.plan.to)
        } else {
            format!("{leg} still has errors")
        }
    }

    /// When the new side goes after a rollback: at once where nothing of it ever had traffic, else when the undo window ends.
    pub(super) fn close_at(&self) -> Option<Time> {
        let back = self.state.back.as_ref()?;
        let (proven, _) = back.proven?;
        let drained = proven + DRAIN;
        let undoable = self.can_undo();
        Some(if undoable && !back.closing { proven + self.plan.rules.rollback_window.max(DRAIN) } else { drained })
    }

    /// Whether the new side of some leg runs on and had traffic.
    pub(super) fn can_undo(&self) -> bool {
        let Some(back) = &self.state.back else { return false };
        let had = |leg: &LegId| back.was.get(leg).is_some_and(|w| *w > Percent::ZERO);
        let runs = self.state.legs.iter().any(|(id, l)| had(id) && self.route(id) == Route::Weights && l.new_pods.is_some_and(|n| n > 0));
        runs && matches!(self.state.phase, Phase::RollingBack | Phase::Back)
    }
}
