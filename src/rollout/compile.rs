//! The rollback compiler: what `R` would do now, what it waits for, how long it takes and what it does not take back.

use super::capacity::enough;
use super::state::{Phase, Rollout, can_return};
use super::status::{Move, Readiness, RollbackKind, RollbackPlan};
use crate::fleet::{LegSeen, Observed, Reach, Side};
use crate::strategy::{PlanLeg, Route};
use crate::units::{Percent, Span, Time, count};

/// A weight write until the last answer of the losing version (facts: 0.05 to 0.5 s).
const SWITCH: Span = Span(400);
/// A delete of pods that have no traffic.
const REMOVE: Span = Span(100);

impl Rollout {
    /// What going back means now. Read only; on screen all the time.
    pub fn rollback_plan(&self, seen: &Observed, now: Time) -> RollbackPlan {
        let state = &self.state;
        let touched = |l: &&PlanLeg| state.legs.get(&l.id).is_some_and(|s| s.touched());
        let (legs, lost): (Vec<&PlanLeg>, Vec<&PlanLeg>) = self.plan.legs.iter().filter(touched).partition(|l| can_return(l));
        let kinds = legs.iter().map(|l| self.kind_of(l));
        let kind = kinds.max().unwrap_or(RollbackKind::RemoveNew);
        let moves: Vec<Move> = legs.iter().map(|l| self.move_of(l, &seen.leg(&l.id))).collect();
        let heard = || moves.iter().filter(|m| m.reachable);
        let need: u32 = heard().map(|m| m.need).sum();
        let ready: u32 = heard().filter_map(|m| m.ready).map(|r| r.min(need)).sum();
        let left = Percent::from_share(weighted(&legs, &moves, |m| m.now));
        let about = heard().map(|m| m.about).max().unwrap_or(REMOVE);
        RollbackPlan {
            kind,
            target: self.plan.from(),
            never_seen_healthy: false,
            ready: ready.min(need),
            need,
            now: left.rest(),
            about,
            left_behind: self.left_behind(&legs, &lost, seen),
            readiness: self.readiness(&legs, seen, &moves, kind, now),
            moves,
        }
    }

    /// What going back means for one leg.
    fn kind_of(&self, leg: &PlanLeg) -> RollbackKind {
        let carries = self.state.legs.get(&leg.id).is_some_and(|s| s.weight > Percent::ZERO);
        match (leg.route, carries) {
            (Route::Pods, true) => RollbackKind::TemplateBack,
            (Route::Weights, true) => RollbackKind::SwitchBack,
            (_, false) => RollbackKind::RemoveNew,
        }
    }

    fn move_of(&self, leg: &PlanLeg, seen: &LegSeen) -> Move {
        let from = self.state.legs.get(&leg.id).map_or(Percent::ZERO, |s| s.weight);
        let all = enough(leg, seen);
        let pods = seen.old.pods.as_ref();
        let ready = pods.map(|p| p.ready);
        let starts = seen.start_takes.unwrap_or(leg.start_takes);
        let (now, about) = match self.kind_of(leg) {
            RollbackKind::RemoveNew => (Percent::ZERO, REMOVE),
            RollbackKind::SwitchBack => {
                let least = self.least(&leg.id, seen).min(from);
                (least, if least == Percent::ZERO { SWITCH } else { SWITCH + starts })
            }
            RollbackKind::TemplateBack => {
                let (surge, unavailable) = self.plan.rules.roll_pods(leg.base);
                let missing = seen.new.pods.as_ref().map_or(0, |p| p.exist);
                let rounds = u64::from(missing.div_ceil((surge + unavailable).max(1)));
                let stay = Percent::floor_share(f64::from(ready.unwrap_or(0)) / f64::from(all.max(1))).rest();
                (stay.min(from), SWITCH + Span(starts.0 * rounds))
            }
        };
        Move { leg: leg.id.clone(), ready, need: all, from, now, about, reachable: seen.reach.answers() }
    }

    fn left_behind(&self, legs: &[&PlanLeg], lost: &[&PlanLeg], seen: &Observed) -> Vec<String> {
        let fights = |l: &&PlanLeg| seen.legs.get(&l.id).and_then(|s| s.automation.clone()).filter(|a| a.fights);
        let mut left: Vec<String> = legs
            .iter()
            .filter_map(fights)
            .map(|a| format!("{} {} still says {} and may put it back", a.kind, a.name, self.plan.to))
            .collect();
        left.dedup();
        left.extend(lost.iter().map(|l| format!("{} has no older version and stays on {}", l.id, self.plan.to)));
        left
    }

    fn readiness(&self, legs: &[&PlanLeg], seen: &Observed, moves: &[Move], kind: RollbackKind, now: Time) -> Readiness {
        match self.state.phase {
            Phase::Back if self.moved_again(seen).is_some() => {
                return Readiness::Off { why: "back, and moved again: r asks once more".into() };
            }
            Phase::RolledBack | Phase::Back => return Readiness::Off { why: format!("already back on {}", self.plan.from()) },
            Phase::RollingBack => return Readiness::Off { why: "rolling back".into() },
            _ => {}
        }
        if !self.has_way_back() {
            return Readiness::Off { why: "no older version is there".into() };
        }
        if let Some(why) = legs.iter().find_map(|l| seen.legs.get(&l.id)?.denied.clone()) {
            return Readiness::Denied { why };
        }
        let silent = legs.iter().find_map(|l| match &seen.leg(&l.id).reach {
            Reach::Silent { since, .. } => Some(format!("{} silent for {}", l.id, whole_seconds(now.since(*since)))),
            Reach::Unknown => Some(format!("{} not heard yet", l.id)),
            Reach::Answers(_) => None,
        });
        if let Some(why) = silent {
            return Readiness::Partly { why };
        }
        match kind {
            RollbackKind::TemplateBack => Readiness::Slow { why: "pod by pod".into() },
            RollbackKind::RemoveNew => Readiness::Ready,
            RollbackKind::SwitchBack => match moves.iter().find(|m| m.now > Percent::ZERO) {
                None => Readiness::Ready,
                Some(m) if legs.iter().any(|l| l.id == m.leg && l.beside.is_some() && !seen.leg(&l.id).stands(Side::Old)) => {
                    Readiness::Slow { why: format!("{}: pods of {} have to start first", m.leg, self.plan.from()) }
                }
                Some(m) => Readiness::Slow { why: format!("{} has {} of {}", m.leg, m.ready.unwrap_or(0), count(m.need, "pod")) },
            },
        }
    }
}

/// A share over legs, weighted by their pods at launch.
fn weighted(legs: &[&PlanLeg], moves: &[Move], share: impl Fn(&Move) -> Percent) -> f64 {
    let pods: f64 = legs.iter().map(|l| f64::from(l.base.max(1))).sum();
    let sum: f64 = legs.iter().zip(moves).map(|(l, m)| share(m).share() * f64::from(l.base.max(1))).sum();
    if pods > 0.0 { sum / pods } else { 0.0 }
}

/// A span in whole seconds, as words say it.
pub(super) fn whole_seconds(span: Span) -> Span {
    Span(span.0 / 1000 * 1000)
}
