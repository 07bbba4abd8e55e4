//! The way back from each step of a plan, before anything runs: compensations of what was done, newest first, traffic first.
//!
//! Knows the plan alone. The engine compiles the real one from what is seen; this is what a person reads before launching.

use super::plan::{Compensation, Plan, Reversible, Route};
use crate::units::{LegId, Percent, Span};
use serde::Serialize;

/// A weight write until the last answer of the losing version.
const SWITCH: Span = Span(400);
/// A delete of pods that have no traffic.
const REMOVE: Span = Span(100);

/// One move of a way back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackMove {
    /// What is done.
    pub compensation: Compensation,
    /// The same in words.
    pub does: &'static str,
    /// Where.
    #[serde(rename = "regions")]
    pub legs: Vec<LegId>,
    /// How quickly.
    pub reversible: Reversible,
}

/// The way back from one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WayBack {
    /// The moves in their order.
    pub moves: Vec<BackMove>,
    /// Until no user meets the new version any more.
    #[serde(rename = "aboutSeconds")]
    pub about: Span,
    /// How quickly, all of it.
    pub reversible: Reversible,
}

impl Plan {
    /// The way back while `step` is being done, and until the next one begins.
    pub fn way_back(&self, step: usize) -> WayBack {
        let mut moves: Vec<BackMove> = Vec::new();
        for step in self.steps.iter().take(step + 1).rev() {
            let known = moves.iter_mut().find(|m| m.compensation == step.compensation);
            match known {
                _ if step.compensation == Compensation::Nothing => {}
                Some(known) => {
                    let more: Vec<LegId> = step.legs.iter().filter(|l| !known.legs.contains(l)).cloned().collect();
                    known.legs.extend(more);
                }
                None => moves.push(BackMove {
                    compensation: step.compensation,
                    does: step.compensation.words(),
                    legs: step.legs.clone(),
                    reversible: step.reversible,
                }),
            }
        }
        moves.sort_by_key(|m| match m.compensation {
            Compensation::StartOldPods | Compensation::OldBeside => 0,
            Compensation::WeightZero | Compensation::SwitchBack | Compensation::TemplateBack => 1,
            Compensation::RemoveNewPods | Compensation::Nothing => 2,
        });
        let about = self.about(&moves, step);
        let worst = if moves.iter().any(|m| m.reversible == Reversible::Gradual) { Reversible::Gradual } else { Reversible::Instant };
        let reversible = if moves.iter().any(|m| m.reversible == Reversible::Never) { Reversible::Never } else { worst };
        WayBack { moves, about, reversible }
    }

    fn about(&self, moves: &[BackMove], step: usize) -> Span {
        let legs = |m: &BackMove| m.legs.iter().filter_map(|id| self.leg(id)).collect::<Vec<_>>();
        let takes = |m: &BackMove| match m.compensation {
            Compensation::StartOldPods | Compensation::OldBeside => legs(m).iter().map(|l| l.start_takes).max().unwrap_or_default(),
            Compensation::WeightZero | Compensation::SwitchBack => SWITCH,
            Compensation::TemplateBack => {
                let roll = |l: &&super::PlanLeg| match l.route {
                    Route::Pods => self.rules.rolls(l, self.weight_at(step, &l.id), Percent::ZERO),
                    Route::Weights => SWITCH,
                };
                legs(m).iter().map(roll).max().unwrap_or_default()
            }
            Compensation::RemoveNewPods | Compensation::Nothing => Span::ZERO,
        };
        let moved = moves.iter().map(takes).fold(Span::ZERO, |sum, t| sum + t);
        match moves.is_empty() {
            true => Span::ZERO,
            false if moved == Span::ZERO => REMOVE,
            false => moved,
        }
    }
}
