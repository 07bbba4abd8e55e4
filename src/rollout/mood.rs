//! How a rollout and its legs go, in one word, with the cause and the key that helps. Read only.

use super::back::{DRAIN, proof_of_pods};
use super::capacity::enough;
use super::compile::whole_seconds;
use super::forward::{Settled, Waiting};
use super::others::WRITES;
use super::state::{Failure, LegState, Next, Phase, Rollout, can_return};
use super::status::{LegMood, Mood};
use crate::fleet::{Aspect, LegSeen, Observed, Reach, Side};
use crate::strategy::{PlanLeg, Route, Step, StepKind};
use crate::units::{LegId, Percent, Span, Time, count};

impl Rollout {
    /// What needs a person most comes first.
    pub(super) fn mood(&self, seen: &Observed, now: Time) -> Mood {
        match self.state.phase {
            Phase::Promoted => return Mood::Promoted,
            Phase::Watched if self.is_through() => return Mood::Promoted,
            Phase::RolledBack => return Mood::Back,
            Phase::Back => return self.mood_of_end(seen, now),
            Phase::Aborted => return Mood::Aborted,
            Phase::Superseded => {
                let why = self.state.read_only.clone();
                return why.map_or(Mood::Superseded, |cause| Mood::Held { cause: format!("read-only: {cause}"), key: Some('R') });
            }
            Phase::RollingBack => return self.mood_back(seen),
            Phase::Watched | Phase::Flying => {}
        }
        let elsewhere = super::forward::not_driver(seen).filter(|_| self.state.phase == Phase::Flying);
        if let Some(cause) = elsewhere {
            return Mood::Held { cause: cause.clone(), key: Some('T') };
        }
        // Without a way back nothing goes by itself: what a key helps against is said before what fails of it.
        let scaled = if self.has_way_back() { None } else { self.scaled(seen, now) };
        scaled
            .or_else(|| self.failing(now))
            .or_else(|| self.both_sick())
            .or_else(|| self.stuck(seen))
            .or_else(|| self.silent(seen, now))
            .or_else(|| self.held(seen))
            .or_else(|| self.in_other_hands(seen))
            .unwrap_or_else(|| self.mood_of_step(seen, now))
    }

    fn scaled(&self, seen: &Observed, now: Time) -> Option<Mood> {
        let legs = self.state.legs.iter().map(|(id, state)| (id, state, seen.leg(id)));
        legs.filter(|(_, _, seen)| seen.reach.answers()).find_map(|(id, state, seen)| self.scaled_by_somebody(id, state, &seen, now))
    }

    fn failing(&self, now: Time) -> Option<Mood> {
        let rules = &self.plan.rules;
        // A time that has passed without a check is not known any more.
        let automatic = |at: Time| Some(at).filter(|at| self.has_way_back() && *at >= now);
        let worst = self.state.legs.values().filter(|l| l.bad > 0).max_by_key(|l| l.bad);
        if let Some(leg) = worst {
            let missing = u64::from(rules.failures_in_a_row.saturating_sub(leg.bad));
            let at = leg.checked.unwrap_or(now) + Span(rules.check_interval.0 * missing);
            return Some(Mood::Failing { cause: leg.bad_why.clone(), since: leg.bad_since.unwrap_or(now), automatic: automatic(at) });
        }
        let leg = self.state.legs.values().find(|l| l.ill.is_some())?;
        let (since, why) = leg.ill.clone()?;
        Some(Mood::Failing { cause: format!("health: {why}"), since, automatic: automatic(since + self.health_limit(leg)) })
    }

    fn both_sick(&self) -> Option<Mood> {
        let (leg, _) = self.state.legs.iter().find(|(_, l)| l.both_sick)?;
        Some(Mood::Held { cause: format!("both sides are over the limit in {leg}"), key: Some('R') })
    }

    /// A write that fails again and again or for good, else pods that do not start.
    fn stuck(&self, seen: &Observed) -> Option<Mood> {
        let failed = self.state.legs.iter().find_map(|(id, l)| Some((id, self.failure(id, l, &seen.leg(id))?)));
        if let Some((id, failure)) = failed.filter(|(_, f)| f.nth > 1 || f.next == Next::Never) {
            return Some(Mood::Stuck { cause: format!("{id}: {}", failure.cause), key: Some('r') });
        }
        let (leg, stuck) = self.plan.legs.iter().find_map(|l| Some((l, seen.legs.get(&l.id)?.stuck.as_ref()?)))?;
        let key = self.has_way_back().then_some('R');
        Some(Mood::Stuck { cause: format!("{} cannot start in {}: {}", self.plan.to, leg.id, stuck.cause), key })
    }

    /// A write that failed and is not there either, in a region that answers.
    fn failure<'a>(&self, id: &LegId, state: &'a LegState, seen: &LegSeen) -> Option<&'a Failure> {
        let beside = self.plan.leg(id).is_some_and(|l| l.beside.is_some());
        let none = |pods| beside && pods == Some(0);
        let met = |aspect: &Aspect| match aspect {
            Aspect::OldReplicas if none(state.old_pods) => seen.beside.is_none(),
            Aspect::NewReplicas if none(state.new_pods) => seen.beside.is_none(),
            Aspect::Traffic => seen.want == Some(state.weight),
            Aspect::OldReplicas => seen.old.pods.as_ref().map(|p| p.want) == state.old_pods,
            Aspect::NewReplicas => seen.new.pods.as_ref().map(|p| p.want) == state.new_pods,
            Aspect::Template if state.home.is_some() => state.home.is_some_and(|side| seen.is_home(side)),
            Aspect::Template if state.weight == Percent::ZERO => seen.template == self.plan.leg(id).map(|l| l.old.clone()),
            Aspect::Template => state.revision.is_some() && seen.template == state.revision,
        };
        let open = state.failures.iter().find(|(aspect, _)| !met(aspect));
        open.map(|(_, failure)| failure).filter(|_| seen.reach.answers())
    }

    /// A region that is needed and does not answer.
    fn silent(&self, seen: &Observed, now: Time) -> Option<Mood> {
        let step = self.plan.steps.get(self.state.step);
        let needed = |l: &&PlanLeg| {
            let touched = self.state.legs.get(&l.id).is_some_and(|s| s.touched());
            touched || self.state.phase == Phase::Watched || step.is_some_and(|s| s.legs.contains(&l.id))
        };
        self.plan.legs.iter().filter(needed).find_map(|l| match &seen.leg(&l.id).reach {
            Reach::Silent { since, .. } => {
                Some(Mood::Held { cause: format!("{} silent for {}", l.id, whole_seconds(now.since(*since))), key: None })
            }
            _ => None,
        })
    }

    fn held(&self, seen: &Observed) -> Option<Mood> {
        let key = Some('p');
        match &self.state.paused {
            Some((_, by)) => Some(Mood::Held { cause: format!("paused by {by}"), key }),
            None if self.state.phase == Phase::Watched && seen.legs.values().any(|l| l.paused) => {
                Some(Mood::Held { cause: "paused in the cluster".into(), key })
            }
            None => None,
        }
    }

    fn mood_of_step(&self, seen: &Observed, now: Time) -> Mood {
        let state = &self.state;
        let Some(step) = self.plan.steps.get(state.step) else { return Mood::OnCourse };
        if state.phase == Phase::Watched {
            return Mood::OnCourse;
        }
        if !state.started {
            return match self.closed_gate(step, seen) {
                Some((_, why)) => Mood::Held { cause: format!("waits: {why}"), key: Some('S') },
                None => Mood::OnCourse,
            };
        }
        if state.applied.is_none() {
            let unrestored = state.legs.iter().find(|(_, l)| l.restore.is_some());
            let open = step.legs.iter().find(|l| state.legs.get(*l).is_some_and(|l| !l.arrived));
            let leg = open.or(unrestored.map(|(id, _)| id));
            let mood = leg.map_or(Mood::OnCourse, |leg| self.mood_of_work(leg, step, &seen.leg(leg), now));
            return self.or_late(mood, now);
        }
        match self.why_not_pass(step, seen, now) {
            Some(Waiting::Moved(leg)) => self.moved(&leg, &seen.leg(&leg)),
            Some(Waiting::Verdict(leg)) => {
                let says = seen.legs.get(&leg).and_then(|l| l.says.clone()).unwrap_or_else(|| "no data yet".into());
                Mood::Unclear { cause: format!("{leg}: {says}") }
            }
            Some(Waiting::Silent(leg)) => Mood::Unclear { cause: format!("{leg} not heard yet") },
            Some(Waiting::Hold(_) | Waiting::BothSick(_)) | None => Mood::OnCourse,
        }
    }

    /// What makes no progress and does not go back by itself does not go on by itself either.
    fn or_late(&self, mood: Mood, now: Time) -> Mood {
        let late = self.state.elapsed(self.state.progress, now) >= self.plan.rules.progress_deadline;
        match mood {
            Mood::Waits { cause } if late => {
                Mood::Stuck { cause: format!("{cause}, no progress in {}", self.plan.rules.progress_deadline), key: Some('r') }
            }
            other => other,
        }
    }

    /// A leg that somebody moved by hand.
    fn in_other_hands(&self, seen: &Observed) -> Option<Mood> {
        let (leg, _) = self.state.legs.iter().find(|(_, l)| l.moved)?;
        Some(self.moved(leg, &seen.leg(leg)))
    }

    /// Back, and new pods end; where somebody undoes that, it says so.
    fn mood_of_end(&self, seen: &Observed, now: Time) -> Mood {
        if let Some((leg, seen)) = self.moved_again(seen) {
            return self.moved(leg, &seen);
        }
        let late = |l: &LegState| l.new_pods == Some(0) && l.pods_at.is_some_and(|at| now >= at + WRITES);
        let again = self.state.legs.iter().filter(|(_, l)| late(l)).find_map(|(id, _)| {
            let pods = seen.legs.get(id).filter(|s| s.reach.answers())?.new.pods.as_ref()?;
            (pods.want > 0).then(|| format!("new pods in {id} were scaled to {} by somebody", pods.want))
        });
        if let Some(cause) = again {
            return Mood::Held { cause, key: Some('r') };
        }
        if let Some(mood) = self.old_pods_missing(seen) {
            return mood;
        }
        let closing = self.close_at().is_some_and(|at| at <= now);
        let left = self.plan.legs.iter().filter(|l| closing && l.beside.is_some()).find_map(|l| {
            let (state, seen) = (self.state.legs.get(&l.id)?, seen.legs.get(&l.id)?);
            match (state.home, seen.beside) {
                (Some(Side::Old), _) if !seen.is_home(Side::Old) => {
                    Some(format!("{} takes {} again in {}", l.workload.name, l.old_version, l.id))
                }
                (_, Some(_)) if state.new_pods == Some(0) => Some(format!("the second Deployment in {} goes", l.id)),
                _ => None,
            }
        });
        left.map_or(Mood::Back, |cause| Mood::Waits { cause })
    }

    /// After a rollback: the old side has all the traffic, and not the pods for it.
    fn old_pods_missing(&self, seen: &Observed) -> Option<Mood> {
        let touched = |l: &&PlanLeg| l.route == Route::Weights && can_return(l) && self.state.legs.get(&l.id).is_some_and(|s| s.touched());
        self.plan.legs.iter().filter(touched).find_map(|l| {
            let seen = seen.legs.get(&l.id).filter(|s| s.reach.answers())?;
            let missing = proof_of_pods(l, seen).err()?;
            let want = seen.old.pods.as_ref().map_or(0, |p| p.want);
            Some(if want < enough(l, seen) {
                Mood::Held { cause: format!("old pods in {} were scaled to {want} by somebody", l.id), key: Some('r') }
            } else {
                Mood::Waits { cause: missing }
            })
        })
    }

    /// A leg that was back and whose new side has traffic again.
    pub(super) fn moved_again<'a>(&'a self, seen: &Observed) -> Option<(&'a LegId, LegSeen)> {
        let legs = self.plan.legs.iter().filter(|l| l.route == Route::Weights && can_return(l));
        let seen = legs.map(|l| (&l.id, seen.leg(&l.id).into_owned()));
        seen.filter(|(_, s)| s.reach.answers()).find(|(_, s)| s.want.is_some_and(|w| w > Percent::ZERO))
    }

    /// A leg's traffic is not where it was asked for, and once was.
    fn moved(&self, leg: &LegId, seen: &LegSeen) -> Mood {
        let (Some(plan), Some(state)) = (self.plan.leg(leg), self.state.legs.get(leg)) else { return Mood::OnCourse };
        if let Some(cause) = self.older_write(plan, state, seen) {
            return Mood::Waits { cause };
        }
        let unread = plan.route == Route::Weights && seen.want.is_none();
        Mood::Held { cause: self.what_stands(plan, seen), key: Some(if unread { 'R' } else { 'r' }) }
    }

    /// What one leg of a step that is not applied yet waits for.
    fn mood_of_work(&self, leg: &LegId, step: &Step, seen: &LegSeen, now: Time) -> Mood {
        let (Some(plan), Some(state)) = (self.plan.leg(leg), self.state.legs.get(leg)) else { return Mood::OnCourse };
        if !seen.reach.answers() {
            return Mood::Unclear { cause: format!("{leg} not heard yet") };
        }
        let to = &self.plan.to;
        let new = seen.new.pods.as_ref().map_or(0, |p| p.ready);
        if let Some(cause) = self.older_write(plan, state, seen) {
            return Mood::Waits { cause };
        }
        if let Some(held) = self.scaled_by_somebody(leg, state, seen, now) {
            return held;
        }
        if step.kind == StepKind::Adopt {
            let workload = &plan.workload.name;
            return match seen.home {
                Some(Side::New) => Mood::Waits { cause: format!("traffic goes back to {workload} in {leg}") },
                _ => Mood::Waits { cause: format!("{workload} takes {to} in {leg}, without traffic") },
            };
        }
        if step.kind == StepKind::Retire {
            return self.mood_of_retire(leg, state, seen, now);
        }
        let cause = match (plan.route, state.new_pods) {
            (Route::Weights, Some(want)) if new < want => format!("{new} of {} ready in {leg}", count(want, "pod")),
            _ if step.kind == StepKind::HealthCheck => {
                format!("{} of {} health checks well in {leg}", state.healthy, self.plan.rules.healthy_in_a_row)
            }
            (Route::Pods, _) => format!("{new} of {} of {to} ready in {leg}", count(state.weight.of_rounded_up(plan.base), "pod")),
            (Route::Weights, _) => match self.weight_settled(state, seen, now) {
                Settled::NotAsked => format!("the split in {leg} is not at {} yet", state.weight),
                Settled::NotCounted => format!("{leg} has not been counted at {} yet", state.weight),
                Settled::Drifts => {
                    let share = seen.seen.map_or_else(|| "another share".to_string(), |s| s.to_string());
                    format!("{} asked for in {leg}, {share} seen", state.weight)
                }
                Settled::Yes => return Mood::OnCourse,
            },
        };
        Mood::Waits { cause }
    }

    /// Fewer new pods are asked for out there than here, longer than a write takes.
    fn scaled_by_somebody(&self, leg: &LegId, state: &LegState, seen: &LegSeen, now: Time) -> Option<Mood> {
        let asked = seen.new.pods.as_ref()?.want;
        let fewer = self.route(leg) == Route::Weights && state.new_pods.is_some_and(|n| asked < n);
        let late = state.pods_at.is_some_and(|at| now >= at + WRITES);
        (fewer && late).then(|| Mood::Held { cause: format!("new pods in {leg} were scaled to {asked} by somebody"), key: Some('r') })
    }

    fn mood_of_retire(&self, leg: &LegId, state: &LegState, seen: &LegSeen, now: Time) -> Mood {
        let old = seen.old.pods.as_ref().map_or(0, |p| p.exist);
        let drained = state.weight_at.is_none_or(|at| now >= at + DRAIN);
        if state.old_pods == Some(0) && seen.beside.is_some() {
            return Mood::Waits { cause: format!("the second Deployment in {leg} goes") };
        }
        if state.old_pods == Some(0) || self.route(leg) == Route::Pods {
            return Mood::Waits { cause: format!("{} in {leg} still end{}", count(old, "old pod"), if old == 1 { "s" } else { "" }) };
        }
        if seen.want != Some(Percent::ALL) {
            return self.moved(leg, seen);
        }
        if !drained {
            return Mood::Waits { cause: format!("the last requests to old pods in {leg}") };
        }
        let (ready, want) = seen.new.pods.as_ref().map_or((0, 0), |p| (p.ready, p.want));
        Mood::Waits { cause: format!("{ready} of {} ready in {leg}", count(want, "pod")) }
    }

    fn mood_back(&self, seen: &Observed) -> Mood {
        let back = self.state.back.as_ref();
        if let Some((_, by)) = &self.state.paused {
            return Mood::Held { cause: format!("the way back is paused by {by}"), key: Some('p') };
        }
        match back.and_then(|b| b.not_proven.as_ref()) {
            Some(_) => {
                let open = self.unproven();
                Mood::NotProven { missing: open.first().map_or_else(String::new, |id| self.missing(id, &seen.leg(id))) }
            }
            None => Mood::RollingBack,
        }
    }

    pub(super) fn leg_mood(&self, leg: &PlanLeg, state: &LegState, seen: &LegSeen, now: Time) -> (LegMood, Option<String>) {
        if let Reach::Silent { since, .. } = &seen.reach {
            return (LegMood::Unknown, Some(format!("silent for {}", whole_seconds(now.since(*since)))));
        }
        if seen.reach == Reach::Unknown {
            return (LegMood::Unknown, Some("not heard yet".into()));
        }
        match self.state.phase {
            _ if self.state.goes_back() && !can_return(leg) => return (LegMood::Look, Some("no older version is there".into())),
            Phase::RollingBack if state.proven.is_some() => return (LegMood::Done, None),
            Phase::RollingBack if state.weight_at.is_some() => return (LegMood::Moving, Some(self.missing(&leg.id, seen))),
            Phase::Aborted if state.weight > Percent::ZERO => return (LegMood::Moving, Some(self.missing(&leg.id, seen))),
            Phase::Back if leg.route == Route::Weights && seen.want.is_some_and(|w| w > Percent::ZERO) => {
                return (LegMood::Look, Some("traffic was moved by somebody".into()));
            }
            Phase::RollingBack | Phase::Back | Phase::RolledBack => return (LegMood::Done, None),
            _ => {}
        }
        if state.both_sick {
            return (LegMood::Failing, Some("both sides are over the limit".into()));
        }
        if state.bad > 0 {
            return (LegMood::Failing, Some(state.bad_why.clone()));
        }
        if let Some((_, why)) = &state.ill {
            return (LegMood::Failing, Some(format!("health: {why}")));
        }
        if state.moved {
            return (LegMood::Look, Some(self.what_stands(leg, seen)));
        }
        if let Some(failure) = self.failure(&leg.id, state, seen) {
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
}
