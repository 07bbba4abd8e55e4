//! What should be true out there, and what is asked: derived from the state alone.

use super::state::{Phase, Rollout};
use super::wish::{Ask, Want, Wish, WishKey};
use crate::fleet::{Aspect, Way};
use crate::strategy::{Amount, PlanLeg, Route, StepKind};
use crate::units::Percent;

impl Rollout {
    /// Every state that is wanted now, one per leg and aspect; none once it has ended or somebody else drives.
    pub fn wishes(&self) -> Vec<Wish> {
        let way = match self.state.phase {
            Phase::Flying => Way::Forward,
            Phase::Aborted | Phase::RollingBack | Phase::Back => Way::Back,
            Phase::Watched | Phase::RolledBack | Phase::Promoted | Phase::Superseded => return Vec::new(),
        };
        let mut wishes = Vec::new();
        for leg in &self.plan.legs {
            let Some(state) = self.state.legs.get(&leg.id) else { continue };
            let mut wish = |aspect, want| {
                let again = state.again.get(&aspect).copied().unwrap_or_default();
                wishes.push(Wish { key: WishKey { leg: leg.id.clone(), aspect }, want, term: self.state.term, way, again });
            };
            match leg.route {
                Route::Weights => {
                    // Traffic first: of a rollback nothing else may leave before it.
                    if state.weight_at.is_some() {
                        wish(Aspect::Traffic, Want::Weight { new: state.weight });
                    }
                    if let Some(pods) = state.old_pods {
                        wish(Aspect::OldReplicas, Want::Replicas { pods });
                    }
                    if let Some(pods) = state.new_pods {
                        wish(Aspect::NewReplicas, Want::Replicas { pods });
                    }
                }
                Route::Pods if state.weight_at.is_some() => wish(Aspect::Template, self.roll(leg, state.weight, way)),
                Route::Pods => {}
            }
        }
        wishes
    }

    fn roll(&self, leg: &PlanLeg, weight: Percent, way: Way) -> Want {
        let (surge, unavailable) = roll_pods(self.plan.rules.max_surge, self.plan.rules.max_unavailable, leg.base);
        let back = way == Way::Back && weight == Percent::ZERO;
        let share = if back { Percent::ALL } else { weight };
        Want::Roll { forward: !back, share, surge, unavailable, paused: self.state.paused.is_some() }
    }

    /// Every question that is open now.
    pub fn asks(&self) -> Vec<Ask> {
        let mut asks = Vec::new();
        for leg in &self.plan.legs {
            let Some(state) = self.state.legs.get(&leg.id) else { continue };
            let carries = state.weight > Percent::ZERO;
            let checked = self.kind() == Some(StepKind::HealthCheck) && state.touched();
            if self.state.phase == Phase::Flying && (carries || checked) {
                let path = self.plan.rules.health_check_path.clone();
                asks.push(Ask::Health { leg: leg.id.clone(), revision: state.revision.clone(), path });
            }
            let moves = match self.state.phase {
                Phase::RollingBack | Phase::Aborted => state.touched() && state.proven.is_none(),
                Phase::Flying => carries && !state.arrived,
                _ => false,
            };
            if moves {
                asks.push(Ask::Closely { leg: leg.id.clone() });
            }
        }
        asks
    }
}

/// Pods more than asked for, and pods that may be missing: shares of surge are rounded up, of unavailable down, and not both are 0.
pub(super) fn roll_pods(surge: Amount, unavailable: Amount, base: u32) -> (u32, u32) {
    let up = match surge {
        Amount::Pods(n) => n,
        Amount::Share(p) => p.of_rounded_up(base),
    };
    let down = match unavailable {
        Amount::Pods(n) => n.min(base),
        Amount::Share(p) => (f64::from(base) * p.share()).floor() as u32,
    };
    if up == 0 && down == 0 { (0, 1) } else { (up, down) }
}
