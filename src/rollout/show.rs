//! `status`: the whole of a rollout as shown, read only.

use super::capacity::need;
use super::compile::whole_seconds;
use super::event::By;
use super::forward::Waiting;
use super::state::{LegState, Phase, Rollout};
use super::status::{BackStatus, LegMood, LegStatus, Mood, Proof, Status, StepState, StepStatus};
use crate::fleet::{LegSeen, Observed, Reach};
use crate::strategy::{Compensation, PlanLeg, Reversible};
use crate::units::{LegId, Percent, Time};

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
            bad_checks: (worst_bad, self.plan.rules.failures_in_a_row),
            limit: self.plan.error_limit(),
            legs: self.plan.legs.iter().map(|l| self.leg_status(l, &seen.leg(&l.id), now)).collect(),
            rollback: self.rollback_plan(seen, now),
            back: self.back_status(seen),
            stuck: self.plan.legs.iter().find_map(|l| seen.legs.get(&l.id)?.stuck.clone()),
            mood,
        }
    }

    fn mood(&self, seen: &Observed, now: Time) -> Mood {
        let state = &self.state;
        match state.phase {
            Phase::Promoted => return Mood::Promoted,
            Phase::RolledBack | Phase::Back => return Mood::Back,
            Phase::Aborted => return Mood::Aborted,
            Phase::Superseded => return Mood::Superseded,
            Phase::RollingBack => return self.mood_back(seen),
            Phase::Watched | Phase::Flying => {}
        }
        if let Some(leg) = state.legs.iter().find(|(_, l)| l.both_sick) {
            return Mood::Held { cause: format!("both sides are over the limit in {}", leg.0), key: Some('R') };
        }
        if let Some(failing) = self.failing(now) {
            return failing;
        }
        if let Some((id, failure)) =
            state.legs.iter().find_map(|(id, l)| l.failures.values().find(|f| f.nth > 1 || f.retry_at.is_none()).map(|f| (id, f)))
        {
            return Mood::Stuck { cause: format!("{id}: {}", failure.cause), key: Some('r') };
        }
        let silent = |l: &&PlanLeg| matches!(seen.leg(&l.id).reach, Reach::Silent { .. });
        if let Some((leg, Reach::Silent { since, .. })) = self.plan.legs.iter().find(silent).map(|l| (l, seen.leg(&l.id).reach.clone())) {
            return Mood::Held { cause: format!("{} silent for {}", leg.id, whole_seconds(now.since(since))), key: None };
        }
        if let Some((leg, stuck)) = self.plan.legs.iter().find_map(|l| Some((l, seen.legs.get(&l.id)?.stuck.as_ref()?))) {
            return Mood::Stuck { cause: format!("{} cannot start in {}: {}", self.plan.to, leg.id, stuck.cause), key: Some('R') };
        }
        if let Some((_, by)) = &state.paused {
            return Mood::Held { cause: format!("paused by {by}"), key: Some('p') };
        }
        if state.phase == Phase::Watched && seen.legs.values().any(|l| l.paused) {
            return Mood::Held { cause: "paused in the cluster".into(), key: Some('p') };
        }
        self.mood_of_step(seen, now)
    }

    fn mood_of_step(&self, seen: &Observed, now: Time) -> Mood {
        let state = &self.state;
        let Some(step) = self.plan.steps.get(state.step) else { return Mood::OnCourse };
        if !state.started {
            return match self.closed_gate(step, seen) {
                Some((_, why)) => Mood::Held { cause: format!("waits: {why}"), key: Some('S') },
                None => Mood::OnCourse,
            };
        }
        match self.why_not_pass(step, seen, now) {
            Some(Waiting::Moved(leg)) => Mood::Held { cause: format!("traffic in {leg} was moved by somebody"), key: Some('R') },
            Some(Waiting::Verdict(leg)) => {
                let says = seen.legs.get(&leg).and_then(|l| l.says.clone()).unwrap_or_else(|| "no data yet".into());
                Mood::Unclear { cause: format!("{leg}: {says}") }
            }
            Some(Waiting::BothSick(leg)) => Mood::Held { cause: format!("both sides are over the limit in {leg}"), key: Some('R') },
            Some(Waiting::Silent(leg)) => Mood::Held { cause: format!("{leg} does not answer"), key: None },
            Some(Waiting::Hold(_)) => Mood::OnCourse,
            None if state.applied.is_some() => Mood::OnCourse,
            None => self.mood_of_work(seen),
        }
    }

    /// What a step that is not applied yet waits for.
    fn mood_of_work(&self, seen: &Observed) -> Mood {
        let Some(step) = self.plan.steps.get(self.state.step) else { return Mood::OnCourse };
        let open = step.legs.iter().find(|l| self.state.legs.get(*l).is_some_and(|l| !l.arrived));
        let Some(leg) = open else { return Mood::OnCourse };
        let seen = seen.leg(leg);
        let ready = seen.new.pods.as_ref().map_or(0, |p| p.ready);
        let want = self.state.legs.get(leg).and_then(|l| l.new_pods);
        match want {
            Some(want) if ready < want => Mood::Waits { cause: format!("{ready} of {want} pods ready in {leg}") },
            _ => Mood::OnCourse,
        }
    }

    fn failing(&self, now: Time) -> Option<Mood> {
        let rules = &self.plan.rules;
        let worst = self.state.legs.iter().filter(|(_, l)| l.bad > 0).max_by_key(|(_, l)| l.bad);
        if let Some((_, leg)) = worst {
            let missing = u64::from(rules.failures_in_a_row.saturating_sub(leg.bad));
            let last = leg.checked.unwrap_or(now);
            let automatic = last + crate::units::Span(rules.check_interval.0 * missing);
            return Some(Mood::Failing { cause: leg.bad_why.clone(), since: leg.bad_since.unwrap_or(now), automatic: Some(automatic) });
        }
        let (_, leg) = self.state.legs.iter().find(|(_, l)| l.ill.is_some())?;
        let (since, why) = leg.ill.clone()?;
        Some(Mood::Failing { cause: format!("health: {why}"), since, automatic: Some(since + self.health_limit()) })
    }

    fn mood_back(&self, seen: &Observed) -> Mood {
        match self.state.back.as_ref().and_then(|b| b.not_proven.as_ref()) {
            Some(_) => {
                let open = self.state.legs.iter().find(|(_, l)| l.touched() && l.proven.is_none());
                Mood::NotProven { missing: open.map_or_else(String::new, |(id, _)| self.missing(id, &seen.leg(id))) }
            }
            None => Mood::RollingBack,
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
                due = due.map(|d| if i == state.step { d } else { d + step.expected });
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
                undo_slow: step.reversible != Reversible::Instant || step.compensation == Compensation::StartOldPods,
            }
        };
        self.plan.steps.iter().enumerate().map(one).collect()
    }

    /// When the step being done is expected to end; unknown while paused.
    fn step_ends(&self, now: Time) -> Option<Time> {
        let state = &self.state;
        if state.paused.is_some() || state.phase != Phase::Flying {
            return None;
        }
        let step = self.plan.steps.get(state.step)?;
        let hold = step.hold.filter(|_| !state.hold_ended).unwrap_or_default();
        Some(match (state.applied, state.times.get(state.step).and_then(|t| t.0)) {
            (Some(at), _) => (at + hold + state.paused_in_step).max(now),
            (None, Some(began)) => (began + step.expected + state.paused_in_step).max(now + hold),
            (None, None) => now + step.expected,
        })
    }

    fn done_at(&self, now: Time) -> Option<Time> {
        let rest = self.plan.steps.iter().skip(self.state.step + 1);
        self.step_ends(now).map(|end| rest.fold(end, |at, s| at + s.expected))
    }

    fn next(&self, seen: &Observed, now: Time) -> Option<(String, Option<Time>)> {
        let state = &self.state;
        if state.phase != Phase::Flying {
            return None;
        }
        let step = self.plan.steps.get(state.step)?;
        let label = self.plan.steps.get(state.step + 1).map_or_else(|| "done".into(), |s| s.label());
        let at = match self.why_not_pass(step, seen, now) {
            Some(Waiting::Hold(at)) if state.paused.is_none() => Some(at),
            Some(_) => None,
            None => self.step_ends(now),
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
            need: need(leg, seen, Percent::ALL),
            load: seen.load,
            mood,
            why,
        }
    }

    fn leg_mood(&self, leg: &PlanLeg, state: &LegState, seen: &LegSeen, now: Time) -> (LegMood, Option<String>) {
        if let Reach::Silent { since, .. } = &seen.reach {
            return (LegMood::Unknown, Some(format!("silent for {}", whole_seconds(now.since(*since)))));
        }
        if seen.reach == Reach::Unknown {
            return (LegMood::Unknown, Some("not heard yet".into()));
        }
        match self.state.phase {
            Phase::RollingBack if state.proven.is_some() => return (LegMood::Done, None),
            Phase::RollingBack if state.touched() => return (LegMood::Moving, Some(self.missing(&leg.id, seen))),
            Phase::Back | Phase::RolledBack => return (LegMood::Done, None),
            _ => {}
        }
        if state.bad > 0 || state.both_sick {
            return (LegMood::Failing, Some(state.bad_why.clone()));
        }
        if let Some((_, why)) = &state.ill {
            return (LegMood::Failing, Some(format!("health: {why}")));
        }
        if let Some(failure) = state.failures.values().next() {
            return (LegMood::Look, Some(failure.cause.clone()));
        }
        if let Some(stuck) = &seen.stuck {
            return (LegMood::Look, Some(stuck.cause.clone()));
        }
        if self.state.phase == Phase::Flying && !state.touched() {
            return (LegMood::Later, None);
        }
        (LegMood::Ok, None)
    }

    fn back_status(&self, seen: &Observed) -> Option<BackStatus> {
        let back = self.state.back.as_ref()?;
        let touched: Vec<&PlanLeg> = self.plan.legs.iter().filter(|l| self.state.legs.get(&l.id).is_some_and(|s| s.touched())).collect();
        let waits = touched.iter().find_map(|l| {
            let (state, seen) = (self.state.legs.get(&l.id)?, seen.leg(&l.id));
            (state.proven.is_none() && state.weight > Percent::ZERO).then(|| self.missing(&l.id, &seen))
        });
        let can = self.share_of(|l| seen.legs.get(l).map_or(Percent::ZERO, |s| self.least(l, s).rest()));
        Some(BackStatus {
            began: back.began,
            by: back.by.clone(),
            why: back.why.words(),
            was: self.share_of(|l| back.was.get(l).copied().unwrap_or_default()),
            can,
            waits,
            legs: touched.iter().map(|l| (l.id.clone(), self.leg_took(&l.id, back.began))).collect(),
            proof: self.proof(&touched, seen, back.began),
            took: back.proven.map(|(_, took)| took),
            undo_until: self.can_undo().then(|| self.close_at()).flatten(),
        })
    }

    fn leg_took(&self, leg: &LegId, began: Time) -> Option<crate::units::Span> {
        Some(self.state.legs.get(leg)?.proven.as_ref()?.at.since(began))
    }

    /// The three that must agree, over all legs that were touched.
    fn proof(&self, legs: &[&PlanLeg], seen: &Observed, began: Time) -> Proof {
        let mut proof = Proof {
            traffic: self.seen_share(seen).map(Percent::rest),
            counted: true,
            traffic_at: None,
            ready: 0,
            need: 0,
            pods_at: None,
            errors: None,
            errors_at: None,
            errors_why: None,
        };
        let (mut requests, mut errors, mut all) = (0.0, 0.0, true);
        let mut last = began;
        for leg in legs {
            let (Some(state), seen) = (self.state.legs.get(&leg.id), seen.leg(&leg.id)) else { continue };
            let needed = need(leg, &seen, Percent::ALL);
            proof.need += needed;
            proof.ready += seen.old.pods.as_ref().map_or(0, |p| p.ready.min(needed));
            for (_, _, counts) in [&seen.old.last, &seen.new.last].into_iter().flatten() {
                requests += counts.requests;
                errors += counts.errors;
            }
            match &state.proven {
                Some(p) => {
                    proof.counted &= p.counted;
                    last = last.max(p.at);
                }
                None => all = false,
            }
        }
        if requests > 0.0 {
            proof.errors = Some(errors / requests);
        } else {
            proof.errors_why =
                Some(if legs.iter().any(|l| seen.leg(&l.id).old.last.is_some()) { "no traffic" } else { "no metrics" }.into());
        }
        if all {
            let at = Some(last.since(began));
            (proof.traffic_at, proof.pods_at, proof.errors_at) = (at, at, at);
        }
        proof
    }
}
