//! `status`: the whole of a rollout as shown, read only.

use super::capacity::enough;
use super::event::By;
use super::forward::Waiting;
use super::state::{LegState, Phase, Rollout, can_return};
use super::status::{BackStatus, LegStatus, Mood, Proof, Status, StepState, StepStatus};
use super::watched::NEVER;
use crate::fleet::{Counts, LegSeen, Observed, Reach};
use crate::strategy::{Compensation, PlanLeg, Reversible};
use crate::units::{LegId, Percent, Span, Time};

impl Rollout {
    /// What screens, JSON and the API show.
    pub fn status(&self, seen: &Observed, now: Time) -> Status {
        let state = &self.state;
        let mood = self.mood(seen, now);
        let worst_bad = state.legs.values().map(|l| l.bad).max().unwrap_or(0);
        Status {
            id: self.id.clone(),
            service: self.plan.service.clone(),
            strategy: self.plan.strategy,
            from: self.plan.from(),
            to: self.plan.to.clone(),
            flown: state.phase != Phase::Watched,
            by: match &state.by {
                By::Person(p) => Some(p.to_string()),
                By::Plan | By::Automatic => None,
            },
            began: state.began,
            ended: state.ended,
            term: state.term,
            paused: state.paused.is_some() || (state.phase == Phase::Watched && seen.legs.values().any(|l| l.paused)),
            seen: self.seen_share(seen),
            want: self.want(),
            step: state.step,
            steps: self.step_statuses(&mood, now),
            next: self.next(seen, now),
            done: self.done_at(now),
            deadline: self.deadline_at(seen).filter(|_| self.plan.rules.progress_deadline < NEVER),
            bad_checks: (worst_bad, self.plan.rules.failures_in_a_row),
            limit: self.plan.error_limit(),
            legs: self.plan.legs.iter().map(|l| self.leg_status(l, &seen.leg(&l.id), now)).collect(),
            rollback: self.rollback_plan(seen, now),
            back: self.back_status(seen, now),
            stuck: self.plan.legs.iter().find_map(|l| seen.legs.get(&l.id)?.stuck.clone()),
            mood,
        }
    }

    fn seen_share(&self, seen: &Observed) -> Option<Percent> {
        let loads = self.plan.legs.iter().filter_map(|l| {
            let leg = seen.legs.get(&l.id)?;
            Some((leg.seen?.share(), leg.load?))
        });
        let (part, all) = loads.fold((0.0, 0.0), |(part, all), (share, load)| (part + share * load, all + load));
        (all > 0.0).then(|| Percent::from_share(part / all))
    }

    fn step_statuses(&self, mood: &Mood, now: Time) -> Vec<StepStatus> {
        let state = &self.state;
        let mut due = self.step_ends(now);
        let moving = !matches!(state.phase, Phase::Promoted | Phase::RolledBack);
        let one = |(i, step): (usize, &crate::strategy::Step)| {
            let (began, passed) = state.times.get(i).copied().unwrap_or_default();
            let now_here = i == state.step && moving;
            let at = match i.cmp(&state.step) {
                _ if state.phase == Phase::Promoted => StepState::Done,
                std::cmp::Ordering::Less => StepState::Done,
                std::cmp::Ordering::Equal if matches!(mood, Mood::Failing { .. }) => StepState::Failing,
                std::cmp::Ordering::Equal => StepState::Now,
                std::cmp::Ordering::Greater => StepState::Later,
            };
            let begins = due;
            if i >= state.step {
                due = due.map(|d| if i == state.step { d } else { d + self.expected(i) });
            }
            let part = step.hold.filter(|_| now_here).and_then(|hold| {
                let elapsed = state.elapsed(state.applied?, now);
                Some((elapsed.0 as f64 / hold.0.max(1) as f64).clamp(0.0, 1.0))
            });
            StepStatus {
                label: step.label(),
                kind: step.kind,
                state: at,
                weight: step.weight,
                began,
                took: began.and_then(|b| Some(passed?.since(b))),
                due: begins.filter(|_| i > state.step),
                part,
                undo: step.compensation.words().into(),
                undo_slow: step.reversible != Reversible::Instant
                    || matches!(step.compensation, Compensation::StartOldPods | Compensation::OldBeside),
            }
        };
        self.plan.steps.iter().enumerate().map(one).collect()
    }

    /// When the step being done is expected to end; unknown while paused, before a closed gate and in somebody's hands.
    fn step_ends(&self, now: Time) -> Option<Time> {
        let state = &self.state;
        let held = state.paused.is_some() || state.gate.is_some() || state.legs.values().any(|l| l.moved);
        if held || state.phase != Phase::Flying {
            return None;
        }
        let step = self.plan.steps.get(state.step)?;
        let hold = step.hold.filter(|_| !state.hold_ended && self.holds(state.step)).unwrap_or_default();
        let expected = self.expected(state.step);
        Some(match (state.applied, state.times.get(state.step).and_then(|t| t.0)) {
            (Some(at), _) => (at + hold).max(now),
            (None, Some(began)) => (began + expected).max(now + hold),
            (None, None) => now + expected,
        })
    }

    /// How long a step is expected to take, without a hold that was dropped.
    fn expected(&self, step: usize) -> Span {
        let Some(s) = self.plan.steps.get(step) else { return Span::ZERO };
        let hold = s.hold.filter(|_| !self.holds(step)).unwrap_or_default();
        s.expected.less(hold)
    }

    fn done_at(&self, now: Time) -> Option<Time> {
        let rest = self.state.step + 1..self.plan.steps.len();
        self.step_ends(now).map(|end| rest.fold(end, |at, step| at + self.expected(step)))
    }

    fn next(&self, seen: &Observed, now: Time) -> Option<(String, Option<Time>)> {
        let state = &self.state;
        if state.phase != Phase::Flying {
            return None;
        }
        let step = self.plan.steps.get(state.step)?;
        if !state.started {
            return Some((step.label(), Some(now).filter(|_| state.gate.is_none() && state.paused.is_none())));
        }
        let label = self.plan.steps.get(state.step + 1).map_or_else(|| "done".into(), |s| s.label());
        let at = match self.why_not_pass(step, seen, now) {
            Some(Waiting::Hold(at)) => self.step_ends(now).map(|_| at),
            Some(_) => None,
            // What is late already has no time that could be promised.
            None => self.step_ends(now).filter(|at| *at > now),
        };
        Some((label, at))
    }

    fn leg_status(&self, leg: &PlanLeg, seen: &LegSeen, now: Time) -> LegStatus {
        let fresh = LegState::default();
        let state = self.state.legs.get(&leg.id).unwrap_or(&fresh);
        let silent_since = match &seen.reach {
            Reach::Silent { since, .. } => Some(*since),
            _ => None,
        };
        let (mood, why) = self.leg_mood(leg, state, seen, now);
        LegStatus {
            id: leg.id.clone(),
            seen: seen.seen,
            want: if self.state.phase == Phase::Watched { seen.want.unwrap_or(state.weight) } else { state.weight },
            silent_since,
            new_pods: seen.new.pods.clone(),
            old_pods: seen.old.pods.clone(),
            need: enough(leg, seen),
            load: seen.load,
            mood,
            why,
        }
    }

    fn back_status(&self, seen: &Observed, now: Time) -> Option<BackStatus> {
        let back = self.state.back.as_ref()?;
        let moved = |l: &&PlanLeg| can_return(l) && self.state.legs.get(&l.id).is_some_and(|s| s.weight_at.is_some());
        let moved: Vec<&PlanLeg> = self.plan.legs.iter().filter(moved).collect();
        let unproven = self.unproven();
        let waits = unproven.iter().find(|l| self.state.legs.get(*l).is_some_and(|l| l.weight > Percent::ZERO));
        let waits = waits.map(|l| self.missing(l, &seen.leg(l)));
        let heard = |l: &LegId| seen.legs.get(l).filter(|s| s.reach.answers());
        let can = self.share_of(|l| heard(l).map_or(Percent::ZERO, |s| self.least(l, s).rest()));
        Some(BackStatus {
            began: back.began,
            by: back.by.clone(),
            why: back.why.words(),
            was: self.share_of(|l| back.was.get(l).copied().unwrap_or_default()),
            can,
            waits,
            legs: moved.iter().map(|l| (l.id.clone(), self.leg_took(&l.id, back.began))).collect(),
            proof: self.proof(&moved, seen),
            took: back.proven.map(|(_, took)| took),
            undo_until: self.close_at().filter(|at| self.can_undo() && *at > now),
        })
    }

    fn leg_took(&self, leg: &LegId, began: Time) -> Option<Span> {
        Some(self.state.legs.get(leg)?.proven.as_ref()?.at.since(began))
    }

    /// The three that must agree, over all legs that had traffic. What is not known of a leg that is not proven is not known of
    /// all: it never counts as done.
    fn proof(&self, legs: &[&PlanLeg], seen: &Observed) -> Proof {
        let took = self.state.back.as_ref().and_then(|b| b.proven).map(|(_, took)| took);
        let proven = |leg: &PlanLeg| self.state.legs.get(&leg.id).and_then(|l| l.proven.as_ref());
        let unknown = legs.iter().find(|l| proven(l).is_none() && !seen.leg(&l.id).reach.answers());
        let mut proof = Proof {
            traffic: self.seen_share(seen).map(Percent::rest).filter(|_| unknown.is_none()),
            counted: legs.iter().filter_map(|l| proven(l)).all(|p| p.counted),
            traffic_at: took,
            ready: 0,
            need: 0,
            pods_at: took,
            errors: None,
            errors_at: took,
            errors_why: None,
        };
        let (mut all, mut measured) = (Counts::default(), false);
        for leg in legs {
            let seen = seen.leg(&leg.id);
            let needed = enough(leg, &seen);
            proof.need += needed;
            if seen.reach.answers() || proven(leg).is_some() {
                proof.ready += seen.old.pods.as_ref().map_or(0, |p| p.ready.min(needed));
                measured |= seen.old.last.is_some();
                [&seen.old.last, &seen.new.last].into_iter().flatten().for_each(|(_, _, counts)| all.add(counts));
            }
        }
        match (unknown, all.rate()) {
            (Some(leg), _) => {
                let word = if seen.leg(&leg.id).reach == Reach::Unknown { "not heard yet" } else { "silent" };
                proof.errors_why = Some(format!("{} {word}", leg.id));
            }
            (None, None) => proof.errors_why = Some(if measured { "no traffic" } else { "no metrics" }.into()),
            (None, rate) => proof.errors = rate,
        }
        proof
    }
}
