//! How many pods a share of the traffic needs, and what ready pods can carry (design section 3, "Capacity").

use super::state::Rollout;
use crate::fleet::{Division, LegSeen, Pods, Side};
use crate::strategy::{PlanLeg, Route};
use crate::units::{LegId, Percent};

/// Load now against load at launch, where both are measured: between 0.5 and 3. Within a fifth it counts as unchanged:
/// requests come at random, pods have that much room, and a way back must not look slow because of noise.
fn load_factor(leg: &PlanLeg, seen: &LegSeen) -> f64 {
    match (leg.load, seen.load) {
        (Some(then), Some(now)) if then > 0.0 => {
            let factor = (now / then).clamp(0.5, 3.0);
            if (factor - 1.0).abs() <= 0.2 { 1.0 } else { factor }
        }
        _ => 1.0,
    }
}

/// Pods that a share of a leg's traffic needs now.
pub(super) fn need(leg: &PlanLeg, seen: &LegSeen, share: Percent) -> u32 {
    leg.pods_for(share, load_factor(leg, seen))
}

/// Pods that the old side must have before a way back counts as done: what all traffic needs; by pods the workload keeps its
/// own number, which is both sides' together.
pub(super) fn enough(leg: &PlanLeg, seen: &LegSeen) -> u32 {
    let all = need(leg, seen, Percent::ALL);
    let want = |pods: &Option<Pods>| pods.as_ref().map_or(0, |p| p.want);
    match leg.route {
        Route::Pods if seen.old.pods.is_some() => all.min((want(&seen.old.pods) + want(&seen.new.pods)).max(1)),
        _ => all,
    }
}

/// The largest share that a side's ready pods may carry. Unknown pods carry nothing.
pub(super) fn carries(leg: &PlanLeg, seen: &LegSeen, pods: Option<&Pods>) -> Percent {
    let all = f64::from(leg.base.max(1)) * load_factor(leg, seen);
    Percent::floor_share(pods.map_or(0.0, |p| f64::from(p.ready)) / all)
}

/// The share that the new side of a leg may be given now: what its ready pods can carry of `share`.
pub(super) fn carries_share(leg: &PlanLeg, seen: &LegSeen, share: Percent) -> bool {
    seen.new.pods.as_ref().is_some_and(|p| p.ready >= need(leg, seen, share))
}

impl Rollout {
    /// The least share that a leg's new side can be brought to with the old side's pods that are ready.
    ///
    /// Where pods cannot be counted at all the traffic goes back whole: standing still on a failing version is no safer.
    pub(super) fn least(&self, leg: &LegId, seen: &LegSeen) -> Percent {
        let Some(plan) = self.plan.leg(leg) else { return Percent::ZERO };
        if plan.beside.is_some() && !seen.stands(Side::Old) {
            return Percent::ALL;
        }
        match &seen.old.pods {
            Some(pods) => match carries(plan, seen, Some(pods)).rest() {
                // A switch moves all or nothing.
                some if some > Percent::ZERO && plan.beside == Some(Division::Switch) => Percent::ALL,
                least => least,
            },
            None => Percent::ZERO,
        }
    }
}
