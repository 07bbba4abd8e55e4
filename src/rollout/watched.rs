//! Updates that somebody else started, derived from what the cluster shows: no log, and nothing is written.

use super::event::By;
use super::state::Rollout;
use crate::fleet::{Division, RevisionSeen, Way, Workload};
use crate::strategy::{Amount, Compensation, Gate, Plan, PlanLeg, Reversible, Route, Rules, Step, StepKind, StrategyKind};
use crate::units::{LegId, Percent, Revision, RolloutId, Span, Time};
use std::sync::Arc;

/// How long pods take to start where nobody has seen it.
const START: Span = Span::secs(30);

/// Somebody else's update has its own rules: ours must not roll it back.
pub(super) const NEVER: Span = Span::secs(100 * 365 * 86_400);

/// An update that is through can be taken back as one in flight for so long: who is woken by it comes minutes later.
pub const RECENT: Span = Span::mins(15);

/// The update that rows of one service (one per region) are in, or were in a short time ago: all rows that move, or moved, to
/// the same version.
///
/// The rows must be of one service; those that stand still are left out.
pub fn watch(rows: &[&Workload], now: Time) -> Option<Rollout> {
    let update = |w: &&&Workload| (w.moves() || moved(w, now)) && !went_back(w) && newest(w).is_some();
    let moving: Vec<&&Workload> = rows.iter().filter(update).collect();
    let first = moving.iter().max_by_key(|w| w.changed)?;
    let to = newest(first)?.version.clone();
    let same: Vec<&&&Workload> = moving.iter().filter(|w| newest(w).is_some_and(|r| r.version == to)).collect();
    let legs: Vec<PlanLeg> = same.iter().map(|w| leg(w)).collect();
    let ids: Vec<LegId> = legs.iter().map(|l| l.id.clone()).collect();
    let (surge, unavailable) = first.rolling.unwrap_or((1, 0));
    let began = same.iter().map(|w| w.changed).min()?;
    let by = first.changed_by.clone().map_or(By::Plan, By::Person);
    let id = RolloutId::new(format!("{}-{}", first.service, newest(first)?.revision));
    let takes = legs.iter().map(|l| Span(l.start_takes.0 * u64::from(l.base.div_ceil((surge + unavailable).max(1))))).max()?;
    let beside = legs.iter().all(|l| l.beside.is_some());
    let back = if beside { Compensation::WeightZero } else { Compensation::TemplateBack };
    let plan = Plan {
        service: first.service.clone(),
        strategy: match legs.iter().find_map(|l| l.beside) {
            Some(Division::Weights) => StrategyKind::Canary,
            Some(Division::Switch) => StrategyKind::BlueGreen,
            None => StrategyKind::Rolling,
        },
        to,
        steps: vec![step(StepKind::SetWeight, &ids, Some(Percent::ALL), takes, back), step(StepKind::WaitReady, &ids, None, START, back)],
        legs,
        rules: rules(surge, unavailable),
        warnings: Vec::new(),
    };
    let through = same.iter().all(|w| !w.moves());
    let arrived = same.iter().all(|w| w.beside.is_none() && w.revisions.iter().all(|r| r.revision == w.template || r.pods.exist == 0));
    let highest = same.iter().filter_map(|w| w.flight.as_ref()).map(|f| f.term).max().unwrap_or_default();
    let step = if through { plan.steps.len() } else { usize::from(arrived) };
    Some(Rollout::watched(id, Arc::new(plan), step, began, by, highest))
}

/// Whether a workload came to its version a short time ago, and there is one to go back to.
fn moved(row: &Workload, now: Time) -> bool {
    now.since(row.changed) < RECENT
        && row.changed <= now
        && row.revisions.iter().any(|r| r.created < row.changed && r.revision != row.template)
}

/// Whether the fence says that somebody went back to this template: `R` of another person must not bring the bad one again.
fn went_back(row: &Workload) -> bool {
    let back = |to: &Revision| row.flight.as_ref().is_some_and(|f| f.way == Way::Back && f.to == *to);
    match besides(row) {
        Some((old, new)) => back(&old.revision) && row.want(&new.revision) == Some(Percent::ZERO),
        None => back(&row.template),
    }
}

/// The revision that an update goes to.
fn newest(row: &Workload) -> Option<&RevisionSeen> {
    besides(row).map(|(_, new)| new).or_else(|| row.revision(&row.template))
}

/// The two versions of a workload with a second one beside it, the one to go back to first; none while both run the same.
///
/// The second one was made for the new version: what its owner puts into the first meanwhile, however late, is not that.
fn besides(row: &Workload) -> Option<(&RevisionSeen, &RevisionSeen)> {
    let second = row.beside.as_ref()?;
    let (home, next) = (row.revision(&row.template)?, row.revision(second.revision.as_ref()?)?);
    match home.created.cmp(&next.created) {
        _ if home.revision == next.revision => None,
        _ if second.old.is_some() => Some(if second.old.as_ref() == Some(&next.revision) { (next, home) } else { (home, next) }),
        std::cmp::Ordering::Greater => Some((next, home)),
        _ => Some((home, next)),
    }
}

fn leg(row: &Workload) -> PlanLeg {
    let old = besides(row).map(|(old, _)| old).or_else(|| stable(row));
    let new = newest(row);
    let (container, image) = new.and_then(|r| changed_image(r, old)).unwrap_or_default();
    let whole = row.split.iter().all(|(_, share)| matches!(*share, Percent::ZERO | Percent::ALL));
    let how = || row.divides.by().map_or(if whole { Division::Switch } else { Division::Weights }, |d| d.how);
    let beside = row.beside.as_ref().map(|_| how());
    PlanLeg {
        id: LegId::new(row.id.region.as_str()),
        region: row.id.region.clone(),
        workload: row.id.clone(),
        wave: 0,
        old: old.map_or_else(|| "".into(), |r| r.revision.clone()),
        old_version: old.map_or_else(|| "?".into(), |r| r.version.clone()),
        new: Some(new.map_or_else(|| row.template.clone(), |r| r.revision.clone())),
        container,
        image,
        route: if beside.is_some() { Route::Weights } else { Route::Pods },
        beside,
        sidecars: Vec::new(),
        touches: Vec::new(),
        undivided: None,
        base: row.replicas.max(1),
        load: None,
        drains: row.drains,
        start_takes: row.start_takes.unwrap_or(START),
    }
}

/// The target of a rollback: of an update in flight the older revision with most ready pods; else the newest that was
/// seen healthy; else the next older one (design section 3).
pub(crate) fn stable(row: &Workload) -> Option<&RevisionSeen> {
    let older = || row.revisions.iter().filter(|r| r.revision != row.template);
    let running = older().filter(|r| r.pods.ready > 0).max_by_key(|r| (r.pods.ready, r.created));
    running.or_else(|| older().filter(|r| r.seen_healthy).max_by_key(|r| r.created)).or_else(|| older().max_by_key(|r| r.created))
}

fn changed_image(new: &RevisionSeen, old: Option<&RevisionSeen>) -> Option<(String, String)> {
    let differs = |i: &&(String, String)| old.is_none_or(|o| !o.images.contains(i));
    new.images.iter().find(differs).or(new.images.first()).cloned()
}

fn step(kind: StepKind, legs: &[LegId], weight: Option<Percent>, expected: Span, compensation: Compensation) -> Step {
    Step {
        kind,
        wave: 0,
        legs: legs.to_vec(),
        weight,
        hold: None,
        gates: vec![Gate::Capacity],
        expected,
        compensation,
        reversible: Reversible::Gradual,
    }
}

fn rules(surge: u32, unavailable: u32) -> Rules {
    Rules {
        health_check_path: "/health".into(),
        health_check_timeout: NEVER,
        limits: Vec::new(),
        rollback_window: Span::mins(15),
        progress_deadline: NEVER,
        check_interval: Span::secs(10),
        window: Span::mins(1),
        least_requests: 30,
        failures_in_a_row: 3,
        healthy_in_a_row: 3,
        max_surge: Amount::Pods(surge),
        max_unavailable: Amount::Pods(unavailable),
        cleanup_old_versions: false,
        metrics: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Beside, Flight, Pods};
    use crate::units::{Namespace, Service, Term, Version, WorkloadId};

    fn row(flight: Option<Way>) -> Workload {
        let revision = |name: &str, created, ready| RevisionSeen {
            revision: Revision::new(name),
            version: Version::new(name),
            number: None,
            pods: Pods { want: ready, exist: ready, ready, stuck: None },
            images: vec![("app".into(), format!("shop/order:{name}"))],
            created: Time(created),
            seen_healthy: false,
        };
        let fence = |way| Flight { rollout: RolloutId::new("order-1"), term: Term(2), way, to: Revision::new("v41") };
        Workload {
            id: WorkloadId { region: "east".into(), namespace: Namespace::new("shop"), kind: "Deployment".into(), name: "order".into() },
            service: Service::new("shop", "order"),
            revisions: vec![revision("v42", 2, 0), revision("v41", 1, 4)],
            template: Revision::new("v41"),
            replicas: 4,
            split: Vec::new(),
            divides: Default::default(),
            beside: None,
            flight: flight.map(fence),
            paused: false,
            complete: true,
            deadline_passed: false,
            changed: Time(60_000),
            changed_by: None,
            automation: None,
            rolling: None,
            drains: true,
            start_takes: None,
            annotations: Vec::new(),
        }
    }

    #[test]
    fn what_somebody_took_back_is_not_offered_to_be_taken_back_again() {
        let seen = |flight| watch(&[&row(flight)], Time(90_000)).is_some();
        assert!(seen(None));
        assert!(seen(Some(Way::Forward)));
        assert!(!seen(Some(Way::Back)));
    }

    #[test]
    fn a_canary_of_somebody_else_is_watched_with_its_two_versions() {
        let mut w = row(Some(Way::Forward));
        let revision = Some(Revision::new("v42"));
        w.beside = Some(Beside {
            name: "order-next".into(),
            revision,
            home: Some(w.template.clone()),
            share: Some(Percent::whole(20)),
            old: None,
        });
        w.split = vec![(Revision::new("v41"), Percent::whole(80)), (Revision::new("v42"), Percent::whole(20))];
        let watched = watch(&[&w], Time(90_000)).unwrap();
        let leg = &watched.plan().legs[0];
        assert_eq!((watched.plan().to.as_str(), leg.old.as_str(), leg.new.as_ref().map(Revision::as_str)), ("v42", "v41", Some("v42")));
        assert_eq!((leg.route, leg.beside, watched.is_through()), (Route::Weights, Some(Division::Weights), false));
        // The first one was made anew, or has a version of its owner's own: later than the second one, and not what to get off.
        let mut own = w.clone();
        own.revisions[1].created = Time(50_000);
        own.beside.as_mut().unwrap().old = Some(Revision::new("v40"));
        let plan = watch(&[&own], Time(90_000)).unwrap().plan().clone();
        assert_eq!((plan.to.as_str(), plan.legs[0].old.as_str()), ("v42", "v41"));
        // The second one has the old version again: the first has the new one.
        own.beside.as_mut().unwrap().old = Some(Revision::new("v42"));
        assert_eq!(watch(&[&own], Time(90_000)).unwrap().plan().to.as_str(), "v41");
        // On its way back it is, until the traffic is.
        w.flight = row(Some(Way::Back)).flight;
        assert!(watch(&[&w], Time(90_000)).is_some());
        w.split = vec![(Revision::new("v41"), Percent::ALL), (Revision::new("v42"), Percent::ZERO)];
        assert!(watch(&[&w], Time(90_000)).is_none());
    }
}
