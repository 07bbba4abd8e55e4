//! What is looked at before a plan goes: only what is really known here.

use super::warning;
use crate::cockpit::{RegionState, RegionView, RolloutView, Snapshot};
use crate::rollout::Phase;
use crate::strategy::{Limit, Plan};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::view::words;
use crate::units::{Percent, Service};

/// One thing that was looked at.
pub(super) struct Check {
    /// Done, look or failing.
    pub sign: Sign,
    /// What was found.
    pub says: String,
}

/// All of them, the worst first.
pub(super) fn checks(plan: &Plan, shot: &Snapshot) -> Vec<Check> {
    let mut all = vec![regions(plan, shot), rights(plan, shot), alone(plan, shot), version(plan, shot), counted(plan)];
    all.extend(lag(shot));
    all.extend(plan.warnings.iter().map(|w| Check { sign: Sign::Look, says: warning(w).to_owned() }));
    all.sort_by_key(|c| match c.sign {
        Sign::Failing => 0,
        Sign::Look => 1,
        _ => 2,
    });
    all
}

/// What keeps a plan from being launched now, the first of it.
pub fn in_the_way(plan: &Plan, shot: &Snapshot) -> Option<String> {
    checks(plan, shot).into_iter().find(|c| c.sign == Sign::Failing).map(|c| c.says)
}

/// `5 ok, 1 to look at`, or `1 in the way`.
pub(super) fn count(checks: &[Check]) -> String {
    let of = |sign: Sign| checks.iter().filter(|c| c.sign == sign).count();
    if of(Sign::Failing) > 0 {
        return format!("{} in the way", of(Sign::Failing));
    }
    let parts = [(of(Sign::Done), "ok"), (of(Sign::Look), "to look at")];
    parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
}

fn ok(says: String) -> Check {
    Check { sign: Sign::Done, says }
}

fn of_plan<'a>(plan: &'a Plan, shot: &'a Snapshot) -> impl Iterator<Item = &'a RegionView> {
    shot.regions.iter().filter(|r| plan.legs.iter().any(|l| l.region == r.name))
}

fn regions(plan: &Plan, shot: &Snapshot) -> Check {
    let silent: Vec<&str> = of_plan(plan, shot).filter(|r| r.state != RegionState::Answers).map(|r| r.name.as_str()).collect();
    match silent.as_slice() {
        [] if plan.legs.len() == 1 => ok(format!("{} answers", plan.legs[0].region)),
        [] => ok(format!("all {} answer", words::regions(plan.legs.len()))),
        [one] => Check { sign: Sign::Failing, says: format!("{one} does not answer") },
        many => Check { sign: Sign::Failing, says: format!("{} do not answer", many.join(", ")) },
    }
}

fn rights(plan: &Plan, shot: &Snapshot) -> Check {
    let denied = of_plan(plan, shot).find_map(|r| Some((r, r.denied.first()?)));
    match denied {
        Some((region, what)) => Check { sign: Sign::Failing, says: format!("{}: you may not {what}", region.name) },
        None => ok("no right is missing".into()),
    }
}

/// Whether somebody else rolls it out.
fn alone(plan: &Plan, shot: &Snapshot) -> Check {
    let of_service = |r: &&RolloutView| r.status.service == plan.service;
    let mut mine = shot.rollouts.iter().filter(of_service);
    if let Some(says) = in_flight(&plan.service, shot) {
        return Check { sign: Sign::Failing, says };
    }
    match mine.find(|r| r.phase == Phase::Back) {
        Some(r) => {
            Check { sign: Sign::Look, says: format!("the rollback of {} can not be undone after this", words::version(&r.status.to)) }
        }
        None => ok(format!("nobody else rolls out {}", plan.service.name)),
    }
}

/// What is in flight of a service, which keeps another launch of it away.
pub(super) fn in_flight(service: &Service, shot: &Snapshot) -> Option<String> {
    let r = shot.rollouts.iter().find(|r| r.status.service == *service && r.in_flight())?;
    let by = r.status.by.as_ref().map(|by| format!(", by {by}")).unwrap_or_default();
    Some(format!("{} is in flight{by}: finish it first", words::version(&r.status.to)))
}

/// Whether the new version is known and is another one, and all regions run the same now.
fn version(plan: &Plan, shot: &Snapshot) -> Check {
    let look = |says| Check { sign: Sign::Look, says };
    let to = words::version(&plan.to);
    let known = shot.services.iter().find(|v| v.service == plan.service).map_or(&[][..], |v| &v.versions);
    if plan.legs.iter().all(|l| l.old_version == plan.to) {
        return look(format!("{to} runs already"));
    }
    if !known.is_empty() && !known.contains(&plan.to) {
        return look(format!("{to} was not seen here: its image may not exist"));
    }
    let from = plan.from();
    match plan.legs.iter().find(|l| l.old_version != from) {
        Some(other) => look(format!("{} runs {}, not {}", other.region, words::version(&other.old_version), words::version(&from))),
        None => ok(format!("{} runs in every region", words::version(&from))),
    }
}

/// Whether anything counts requests, so that the limits mean something.
fn counted(plan: &Plan) -> Check {
    let load: Option<f64> = plan.legs.iter().map(|l| l.load).sum();
    let judged = plan.rules.limits.iter().any(Limit::counts_requests);
    match load {
        Some(load) => ok(format!("requests are counted, {}/s now", format::per_second(load))),
        None if judged => Check { sign: Sign::Look, says: "requests are not counted here: nothing can judge it".into() },
        None => ok("no limit needs requests to be counted".into()),
    }
}

/// The replication that is nearest to its promise.
fn lag(shot: &Snapshot) -> Option<Check> {
    let part = |l: &&crate::cockpit::LagView| Percent::from_share(l.lag.as_secs_f64() / l.promise.as_secs_f64().max(0.001));
    let worst = shot.lags.iter().max_by(|a, b| {
        let ratio = |l: &crate::cockpit::LagView| l.lag.as_secs_f64() / l.promise.as_secs_f64().max(0.001);
        ratio(a).total_cmp(&ratio(b))
    })?;
    let says = format!("{} lag {} {}, promise {}", worst.region, worst.data, format::age(worst.lag), format::age(worst.promise));
    let near = part(&worst) >= Percent::whole(75);
    Some(if near { Check { sign: Sign::Look, says } } else { ok("replication keeps its promises".into()) })
}
