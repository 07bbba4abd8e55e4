//! What should be true out there, and what is asked: derived from the state alone.

use super::state::{Phase, Rollout, can_return};
use super::wish::{Ask, Want, Wish, WishKey};
use crate::fleet::{Aspect, Side, Way};
use crate::strategy::{PlanLeg, Route, StepKind};
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
            if way == Way::Back && !can_return(leg) {
                continue;
            }
            let mut wish = |aspect, want| {
                let again = state.again.get(&aspect).copied().unwrap_or_default();
                wishes.push(Wish { key: WishKey { leg: leg.id.clone(), aspect }, want, term: self.state.term, way, again });
            };
            // What somebody moved by hand is never fought, not even by a flightdeck that starts again.
            let asks_traffic = state.weight_at.is_some() && !state.moved;
            match leg.route {
                Route::Weights => {
                    // Traffic first: of a rollback nothing else may leave before it.
                    if asks_traffic {
                        wish(Aspect::Traffic, Want::Weight { new: state.weight });
                    }
                    if let Some(pods) = state.old_pods {
                        wish(Aspect::OldReplicas, Want::Replicas { pods });
                    }
                    if let Some(pods) = state.new_pods {
                        wish(Aspect::NewReplicas, Want::Replicas { pods });
                    }
                    if let Some(side) = state.home.filter(|_| !state.moved) {
                        wish(Aspect::Template, Want::Home { forward: side == Side::New });
                    }
                }
                Route::Pods if asks_traffic => wish(Aspect::Template, self.roll(leg, state.weight)),
                Route::Pods => {}
            }
        }
        wishes
    }

    /// No share at all is the old template everywhere, whichever way the rollout moves.
    fn roll(&self, leg: &PlanLeg, weight: Percent) -> Want {
        let (surge, unavailable) = self.plan.rules.roll_pods(leg.base);
        let back = weight == Percent::ZERO;
        let share = if back { Percent::ALL } else { weight };
        Want::Roll { forward: !back, share, surge, unavailable, paused: self.state.paused.is_some() }
    }

    /// Every question that is open now.
    pub fn asks(&self) -> Vec<Ask> {
        let mut asks = Vec::new();
        let step = self.plan.steps.get(self.state.step).filter(|_| self.state.started);
        let flying = self.state.phase == Phase::Flying;
        for leg in &self.plan.legs {
            let Some(state) = self.state.legs.get(&leg.id) else { continue };
            let carries = state.weight > Percent::ZERO;
            let here = step.filter(|s| s.legs.contains(&leg.id) && !state.arrived);
            let checked = here.is_some_and(|s| s.kind == StepKind::HealthCheck) && state.touched();
            if flying && (carries || checked) {
                let path = self.plan.rules.health_check_path.clone();
                asks.push(Ask::Health { leg: leg.id.clone(), revision: state.revision.clone(), path });
            }
            let moves = match self.state.phase {
                Phase::RollingBack => state.weight_at.is_some() && state.proven.is_none(),
                Phase::Aborted => carries,
                Phase::Flying => carries && here.is_some(),
                _ => false,
            };
            if moves {
                asks.push(Ask::Closely { leg: leg.id.clone() });
            }
        }
        asks
    }
}
