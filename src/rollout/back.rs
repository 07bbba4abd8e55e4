//! The way back: as much traffic at once as the old side's ready pods carry, the rest as they come, then proof, then compensations.

use super::capacity::{enough, need};
use super::decide::Deciding;
use super::event::What;
use super::state::{LegState, Phase, Rollout, can_return};
use crate::fleet::{Counts, LegSeen, Observed, Reach, Side, SideSeen, Way};
use crate::strategy::{PlanLeg, Route};
use crate::units::{LegId, Percent, Span, Time, count};

/// A rollback that is not proven by then says so.
pub(super) const PROVE_WITHIN: Span = Span::mins(2);
/// Whoever sends requests to pods goes by what was written by then: Traefik gathers changes for 2 s, kube-proxy for one.
pub(super) const HEARD: Span = Span::secs(3);
/// After the traffic went, and before pods of that side go.
pub(super) const DRAIN: Span = Span::secs(10);

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
            let Some(plan) = self.it.plan.leg(&leg).filter(|l| can_return(l)).cloned() else { continue };
            let seen = seen.leg(&leg);
            if !seen.reach.answers() {
                continue;
            }
            // The log of whoever drove before may be older than what he wrote last: from here on the fence forbids it.
            let unknown = state.weight_at.is_none() && self.it.state.taken;
            if plan.route == Route::Pods {
                if state.weight > Percent::ZERO || unknown {
                    self.plan(What::WeightSet { leg, weight: Percent::ZERO });
                }
                continue;
            }
            let all = need(&plan, &seen, Percent::ALL);
            let stands = plan.beside.is_none() || seen.stands(Side::Old);
            let short = !stands || seen.old.pods.as_ref().is_some_and(|p| p.ready < all || p.want < all);
            // What was asked for before counts too: old pods that are about to be retired are still seen, and must stay.
            let asked_less = state.old_pods.map_or(short, |n| n < all);
            if state.touched() && asked_less {
                self.plan(What::ReplicasSet { leg: leg.clone(), side: Side::Old, pods: all });
            }
            let least = if over { Percent::ZERO } else { self.it.least(&leg, &seen) };
            // Traffic that somebody else gave to the new side goes back too.
            let given = state.weight_at.is_none() && seen.want.is_some_and(|w| w > least);
            if least < state.weight || given {
                self.plan(What::WeightSet { leg, weight: least });
            } else if unknown {
                // What is seen stays: only the fence is written.
                self.plan(What::WeightSet { leg, weight: seen.want.unwrap_or_default() });
            }
        }
    }

    fn prove(&mut self, seen: &Observed) {
        self.see_written(seen);
        for leg in self.it.unproven() {
            let (Some(plan), Some(state)) = (self.it.plan.leg(&leg), self.it.state.legs.get(&leg)) else { continue };
            let proof = self.it.proof_of(plan, state, &seen.leg(&leg));
            let LegProof { traffic: Ok(counted), pods: Ok(()), errors: Ok(errors) } = proof else { continue };
            // What is written is a wish to gateways and proxies: where nobody counts, only time says that they have heard.
            let heard = counted || plan.beside.is_none() || state.landed.is_some_and(|at| self.now >= at + HEARD);
            if heard {
                self.plan(What::LegProven { leg, counted, errors });
            }
        }
        let Some(back) = self.it.state.back.clone() else { return };
        match self.it.unproven().first() {
            None => self.plan(What::Proven { took: self.now.since(back.began) }),
            Some(leg) if back.not_proven.is_none() && self.now >= back.began + PROVE_WITHIN => {
                let missing = self.it.missing(leg, &seen.leg(leg));
                self.plan(What::NotProven { missing });
            }
            Some(_) => {}
        }
    }

    /// When the way back was there, where those who send requests have yet to hear of it.
    fn see_written(&mut self, seen: &Observed) {
        for leg in self.it.unproven() {
            let Some(state) = self.it.state.legs.get(&leg).filter(|l| l.landed.is_none() && l.weight == Percent::ZERO) else { continue };
            let seen = seen.leg(&leg);
            let told = state.weight_at.is_some() && self.it.plan.leg(&leg).is_some_and(|l| l.beside.is_some());
            if told && seen.reach.answers() && seen.want == Some(Percent::ZERO) && self.it.fenced_back(&seen) {
                self.plan(What::Landed { leg });
            }
        }
    }

    /// When nobody can want it any more, the new side goes; never where it has traffic again, whoever sent it there.
    fn compensate(&mut self, seen: &Observed) {
        if self.it.close_at().is_none_or(|at| at > self.now) {
            return;
        }
        let beside: Vec<LegId> =
            self.it.plan.legs.iter().filter(|l| l.route == Route::Weights && can_return(l)).map(|l| l.id.clone()).collect();
        let mut gone = true;
        for leg in beside {
            let Some(state) = self.it.state.legs.get(&leg).cloned() else { continue };
            let seen = seen.leg(&leg);
            gone &= !state.touched() || idle(&state, &seen);
            // The workload itself takes the old template again before the second one, which may have it, goes.
            let beside = self.it.plan.leg(&leg).is_some_and(|l| l.beside.is_some()) && state.touched();
            let home = !beside || (seen.reach.answers() && seen.is_home(Side::Old));
            if !home {
                gone = false;
                if state.home != Some(Side::Old) && idle(&state, &seen) {
                    self.plan(What::HomeSet { leg, side: Side::Old });
                }
                continue;
            }
            // Nor does the new side go while the old one cannot carry everything.
            if state.touched() && self.it.plan.leg(&leg).is_some_and(|plan| proof_of_pods(plan, &seen).is_err()) {
                gone = false;
                continue;
            }
            gone &= !beside || seen.beside.is_none();
            // A second workload that somebody else made was never asked for here.
            let foreign = beside && state.new_pods.is_none() && seen.beside.is_some();
            if (foreign || state.new_pods.is_some_and(|n| n > 0)) && idle(&state, &seen) {
                self.plan(What::ReplicasSet { leg, side: Side::New, pods: 0 });
                gone = false;
            } else if let Some(pods) = state.new_pods {
                gone &= pods == 0 && seen.reach.answers() && seen.new.pods.as_ref().is_none_or(|p| p.exist == 0);
            }
        }
        if gone {
            self.plan(What::RolledBack);
        }
    }
}

/// Whether a leg's new side is known to have no traffic.
fn idle(state: &LegState, seen: &LegSeen) -> bool {
    let split = match seen.want {
        Some(share) => share == Percent::ZERO,
        None => state.weight_at.is_none(),
    };
    seen.reach.answers() && split
}

/// How far the three proofs of one leg are; an error says what is missing, in words.
pub(super) struct LegProof {
    /// Whether requests were counted; else only endpoints and the split say it.
    pub traffic: Result<bool, String>,
    pub pods: Result<(), String>,
    /// All traffic's error rate, where there is one.
    pub errors: Result<Option<f64>, String>,
}

impl Rollout {
    /// Legs that had traffic and are not proven to be back; after a take-over every leg may have had some.
    pub(super) fn unproven(&self) -> Vec<LegId> {
        let legs = self.plan.legs.iter().filter(|l| can_return(l));
        let had = |l: &LegState| l.weight_at.is_some() || self.state.taken;
        let open = |id: &LegId| self.state.legs.get(id).is_some_and(|l| had(l) && l.proven.is_none());
        legs.map(|l| l.id.clone()).filter(open).collect()
    }

    pub(super) fn proof_of(&self, plan: &PlanLeg, state: &LegState, seen: &LegSeen) -> LegProof {
        // Whole intervals that began after the write was asked for.
        let at = state.weight_at.unwrap_or(self.state.began);
        let fresh = |side: &SideSeen| side.last.as_ref().filter(|(end, span, _)| *end - *span >= at).map(|l| l.2.clone());
        let (old, new) = (fresh(&seen.old), fresh(&seen.new));
        LegProof {
            // What is seen may be older than a forward write that landed without an answer, or is still on its way. Where the fence
            // of this way back stands, what stands beside it is not, and no such write can come any more.
            traffic: match self.proof_of_traffic(plan, state, seen, old.as_ref(), new.as_ref()) {
                Ok(_) if !self.fenced_back(seen) => Err(format!("the way back in {} is not seen to be written", plan.id)),
                proof => proof,
            },
            pods: proof_of_pods(plan, seen),
            errors: self.proof_of_errors(plan, seen, old, new),
        }
    }

    fn proof_of_traffic(
        &self,
        plan: &PlanLeg,
        state: &LegState,
        seen: &LegSeen,
        old: Option<&Counts>,
        new: Option<&Counts>,
    ) -> Result<bool, String> {
        let (leg, to) = (&plan.id, &self.plan.to);
        let pods = seen.new.pods.as_ref();
        if let Reach::Silent { since, .. } = &seen.reach {
            return Err(format!("{leg} silent since {}", since.clock()));
        }
        if !seen.reach.answers() {
            return Err(format!("{leg} not heard yet"));
        }
        if plan.route == Route::Pods {
            let left = pods.map(|p| p.exist);
            return match left {
                // No pods of the new version are no proof while its template still stands: they would come.
                Some(0) if seen.template.as_ref().is_some_and(|t| *t != plan.old) => Err(format!("{leg} still has the template of {to}")),
                Some(0) if seen.complete => Ok(old.is_some()),
                Some(0) => Err(format!("the way back in {leg} is not complete")),
                Some(n) => Err(format!("{leg} still has {} of {to}", count(n, "pod"))),
                None => Err(format!("the pods in {leg} are not known")),
            };
        }
        match seen.want {
            _ if state.weight > Percent::ZERO => return Err(format!("{} of the traffic in {leg} is still asked for {to}", state.weight)),
            Some(Percent::ZERO) => {}
            Some(share) => return Err(format!("the split in {leg} still gives {to} {share}")),
            None => return Err(format!("the split in {leg} cannot be read")),
        }
        let served = pods.is_none_or(|p| p.ready > 0);
        match new {
            Some(counts) if counts.requests > 0.0 => Err(format!("{leg} still sends requests to {to}")),
            Some(_) => Ok(true),
            None if !served => Ok(old.is_some()),
            None if seen.new.last.is_some() => Err(format!("{to} in {leg} has not been counted since")),
            None if seen.old.last.is_some() && old.is_none() => Err(format!("{leg} has not been counted since")),
            None => Ok(false),
        }
    }

    /// Whether the fence of this way back stands on a leg's traffic.
    fn fenced_back(&self, seen: &LegSeen) -> bool {
        seen.flight.as_ref().is_some_and(|f| f.rollout == self.id && f.term >= self.state.term && f.way == Way::Back)
    }

    /// All traffic's rate is under the limit, or not above the old side's before the rollout.
    fn proof_of_errors(&self, plan: &PlanLeg, seen: &LegSeen, old: Option<Counts>, new: Option<Counts>) -> Result<Option<f64>, String> {
        if seen.old.last.is_none() && seen.new.last.is_none() {
            return Ok(None);
        }
        let Some(mut all) = old else { return Err(format!("{} has not been counted since", plan.id)) };
        new.iter().for_each(|n| all.add(n));
        let Some(rate) = all.rate() else { return Ok(None) };
        let limit = self.plan.error_limit().map_or(0.02, Percent::share);
        let before = seen.rate_before.map_or(0.0, |r| r + 0.01);
        if rate <= limit.max(before) { Ok(Some(rate)) } else { Err(format!("{} still has {:.1} % errors", plan.id, rate * 100.0)) }
    }

    /// What a leg's proof still misses, in words.
    pub(super) fn missing(&self, leg: &LegId, seen: &LegSeen) -> String {
        let (Some(plan), Some(state)) = (self.plan.leg(leg), self.state.legs.get(leg)) else { return String::new() };
        let proof = self.proof_of(plan, state, seen);
        if let (true, Some(failure)) = (seen.reach.answers(), state.failures.values().next()) {
            return format!("{leg}: {}", failure.cause);
        }
        if !seen.reach.answers() {
            return proof.traffic.err().unwrap_or_default();
        }
        let first = [proof.pods.err(), proof.traffic.err(), proof.errors.err()].into_iter().flatten().next();
        first.unwrap_or_else(|| format!("nobody counts requests in {leg}: its proxies have {HEARD} to hear of it"))
    }

    /// When the new side goes after a rollback: at once where nothing of it ever had traffic, else when the undo window ends.
    pub(super) fn close_at(&self) -> Option<Time> {
        let back = self.state.back.as_ref()?;
        let (proven, _) = back.proven?;
        let window = if self.can_undo() && !back.closing { self.plan.rules.rollback_window } else { Span::ZERO };
        Some(proven + window.max(DRAIN))
    }

    /// Whether a set of pods of the new side is still asked for somewhere, or may still be going.
    pub(super) fn leaves_pods(&self) -> bool {
        self.state.legs.iter().any(|(id, l)| self.route(id) == Route::Weights && l.new_pods.is_some())
    }

    /// Whether the new side of some leg runs on and had traffic.
    pub(super) fn can_undo(&self) -> bool {
        let Some(back) = &self.state.back else { return false };
        if back.aborted {
            return false;
        }
        let returns = |leg: &LegId| self.plan.leg(leg).is_some_and(can_return);
        let had = |leg: &LegId| returns(leg) && back.was.get(leg).is_some_and(|w| *w > Percent::ZERO);
        let runs = self.state.legs.iter().any(|(id, l)| had(id) && self.route(id) == Route::Weights && l.new_pods.is_some_and(|n| n > 0));
        runs && matches!(self.state.phase, Phase::RollingBack | Phase::Back)
    }
}

pub(super) fn proof_of_pods(plan: &PlanLeg, seen: &LegSeen) -> Result<(), String> {
    let (all, ready) = (enough(plan, seen), seen.old.pods.as_ref().map_or(0, |p| p.ready));
    if ready >= all { Ok(()) } else { Err(format!("{} has {ready} of {}", plan.id, count(all, "pod"))) }
}
