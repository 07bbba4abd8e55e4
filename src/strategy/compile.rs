//! A document and the workloads it is for, compiled to a plan: legs in waves, steps in their order.
//!
//! Knows no engine and no cluster: it is handed the legs as they could be flown. Known weakness: waves share one end, so the
//! old pods of the first wave stay up until the last wave has passed; that is what keeps one way back for all of them.

use super::document::{Document, Shape};
use super::plan::{Amount, Plan, PlanLeg, Route, StrategyKind};
use super::rolling::MOST_BATCHES;
use super::steps::{Steps, only};
use crate::fleet::Division;
use crate::units::{Kind, Percent, Place, Service, Span, Trouble, Version, count};

/// Compiles a document. `seeds` are the workloads that could be flown, one per region, in the order of the fleet; which wave
/// each belongs to is decided here.
pub fn compile(document: &Document, seeds: &[PlanLeg], service: &Service, to: &Version) -> Result<Plan, Vec<Trouble>> {
    if seeds.is_empty() {
        let cause = format!("{service} runs nowhere in this fleet");
        return Err(vec![Trouble::new(Kind::Usage, Place::named(service.name.as_ref()), cause, "name a service that does")]);
    }
    let mut waves = document.regions.divide(seeds)?;
    for leg in waves.iter_mut().flatten() {
        // a rolling update patches the workload itself, whatever splits traffic elsewhere; a canary needs shares, not a switch
        let by_pods = match document.strategy {
            StrategyKind::Rolling => true,
            StrategyKind::Canary => leg.beside == Some(Division::Switch),
            StrategyKind::BlueGreen => false,
        };
        if by_pods {
            (leg.route, leg.beside) = (Route::Pods, None);
        }
    }
    let legs: Vec<PlanLeg> = waves.concat();
    possible(document, &legs)?;

    let mut steps = Steps { rules: &document.rules, gates: &document.gates, all: Vec::new() };
    let last = waves.len().saturating_sub(1);
    for (nth, wave) in waves.iter().enumerate() {
        let number = nth as u16;
        match &document.shape {
            Shape::BlueGreen(_) => super::BlueGreen::wave(&mut steps, number, wave),
            Shape::Canary(canary) => canary.wave(&mut steps, number, wave),
            Shape::Rolling(rolling) => rolling.wave(&mut steps, number, wave),
        }
        if nth < last && document.regions.between > Span::ZERO {
            steps.hold(number, &wave.iter().collect::<Vec<_>>(), document.regions.between, false);
        }
    }
    match &document.shape {
        Shape::BlueGreen(blue_green) => blue_green.close(&mut steps, last as u16, &legs),
        Shape::Canary(_) => super::Canary::close(&mut steps, last as u16, &legs),
        Shape::Rolling(_) => super::Rolling::close(&mut steps, last as u16, &legs),
    }
    let steps = steps.all;
    let mut warnings = warnings(document, &legs);
    let deadline = document.rules.progress_deadline;
    if let Some(slow) = steps.iter().find(|s| s.expected.less(s.hold.unwrap_or_default()) > deadline) {
        let takes = slow.expected.less(slow.hold.unwrap_or_default());
        warnings.push(format!("progressDeadline {deadline}: {} is expected to take {takes}, and then goes back", slow.label()));
    }
    Ok(Plan { service: service.clone(), strategy: document.strategy, to: to.clone(), legs, steps, rules: document.rules.clone(), warnings })
}

/// What cannot be flown with these workloads.
fn possible(document: &Document, legs: &[PlanLeg]) -> Result<(), Vec<Trouble>> {
    match &document.shape {
        Shape::BlueGreen(_) => {
            let without = only(legs, Route::Pods);
            if without.is_empty() {
                return Ok(());
            }
            let why = why_undivided(&without);
            let cause = format!("nothing in {} switches traffic between two sets of pods, which blue-green needs{why}", names(&without));
            let remedy = "use rolling, or canary, which goes by pods there";
            Err(vec![Trouble::new(Kind::Refused, document.strategy_place.clone(), cause, remedy)])
        }
        Shape::Rolling(rolling) => {
            let batches = rolling.batches(&document.rules, legs);
            if batches <= MOST_BATCHES {
                return Ok(());
            }
            let cause = format!("stepInterval: {batches} batches, {MOST_BATCHES} are the most");
            Err(vec![Trouble::new(Kind::Document, document.place("stepInterval"), cause, "raise maxSurge or maxUnavailable")])
        }
        Shape::Canary(_) => Ok(()),
    }
}

/// What is allowed and may surprise.
fn warnings(document: &Document, legs: &[PlanLeg]) -> Vec<String> {
    let mut warnings = document.warnings.clone();
    let by_pods = only(legs, Route::Pods);
    for leg in legs.iter().filter(|l| !l.sidecars.is_empty()) {
        let others = leg.sidecars.join(", ");
        warnings.push(format!("{}: only the container {} changes, to {} (not {others})", leg.region, leg.container, leg.image));
    }
    for leg in legs.iter().filter(|l| l.beside.is_some() && !l.touches.is_empty()) {
        warnings.push(format!("{}: the second Deployment is not selected by {}", leg.region, leg.touches.join(", ")));
    }
    if let Shape::Canary(canary) = &document.shape {
        if !by_pods.is_empty() {
            warnings.push(format!(
                "{}: no router splits traffic here, so it goes by pods: a share of the pods is the share of the traffic{}",
                names(&by_pods),
                why_undivided(&by_pods)
            ));
        }
        for leg in &by_pods {
            let pods = canary.initial_traffic.of_rounded_up(leg.base);
            let real = Percent::from_share(f64::from(pods) / f64::from(leg.base.max(1)));
            if real.points() > canary.initial_traffic.points() + 2.0 {
                let first = canary.initial_traffic;
                warnings.push(format!(
                    "{}: {first} of {} is {}, {:.0} % of the traffic",
                    leg.region,
                    count(leg.base, "pod"),
                    count(pods, "pod"),
                    real.points()
                ));
            }
        }
        let interval = canary.step_interval;
        if interval < document.rules.check_interval {
            warnings.push(format!(
                "stepInterval {interval} is shorter than checkInterval {}: a step takes as long as its first check",
                document.rules.check_interval
            ));
        }
    }
    let waves = legs.iter().map(|l| l.wave).max().unwrap_or(0);
    if waves > 0 && document.strategy == StrategyKind::BlueGreen && document.regions.between == Span::ZERO {
        warnings.push("regions: without `between` the next wave switches as soon as the one before has".into());
    }
    let stays = matches!(&document.shape, Shape::BlueGreen(b) if !b.cleanup_old_versions);
    if stays && legs.iter().any(|l| l.beside.is_some()) {
        warnings.push("cleanupOldVersions: false has no effect here: the Deployment takes the new template in the end".into());
    }
    if document.rules.max_unavailable != Amount::Pods(0) {
        let bare = by_pods.iter().filter(|l| document.rules.roll_pods(l.base).1 >= l.base).copied().collect::<Vec<_>>();
        if !bare.is_empty() {
            warnings.push(format!("{}: maxUnavailable lets all pods stop at once", names(&bare)));
        }
    }
    let cut = by_pods.iter().filter(|l| !l.drains).copied().collect::<Vec<_>>();
    if !cut.is_empty() {
        warnings
            .push(format!("{}: pods have no preStop, so requests are lost while they are replaced; blue-green loses none", names(&cut)));
    }
    warnings
}

/// The first reason that is known.
fn why_undivided(legs: &[&PlanLeg]) -> String {
    legs.iter().find_map(|l| l.undivided.as_ref()).map(|why| format!(" ({why})")).unwrap_or_default()
}

fn names(legs: &[&PlanLeg]) -> String {
    legs.iter().map(|l| l.region.as_str()).collect::<Vec<_>>().join(", ")
}
