//! What a strategy needs, beside what there is; and what it does in words.

use crate::strategy::{Limit, Plan, PlanLeg, Route, StepKind, StrategyKind, about};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::view::words::{self, share, version};
use crate::units::{Percent, Span, count};

/// Something that is needed, and what there is of it.
pub(super) struct Need {
    /// Ok or look.
    pub sign: Sign,
    /// What.
    pub what: &'static str,
    /// What there is.
    pub there: String,
}

/// What the strategy of a plan needs.
pub(super) fn needs(plan: &Plan) -> Vec<Need> {
    let all = plan.legs.len();
    let of = |n: usize| format!("{n} of {}", words::regions(all));
    let need = |good: bool, what, there| Need { sign: if good { Sign::Ok } else { Sign::Look }, what, there };
    let split = plan.legs.iter().filter(|l| l.route == Route::Weights).count();
    let load: Option<f64> = plan.legs.iter().map(|l| l.load).sum();
    let counted = || match load {
        Some(load) => need(true, "an error rate", format!("{} requests/s are counted", format::per_second(load))),
        None => need(false, "an error rate", "requests are not counted here".into()),
    };
    match plan.strategy {
        StrategyKind::Canary => {
            let there = if split == all { of(split) } else { format!("{}, the rest goes by pods", of(split)) };
            let mut needs = vec![need(split == all, "a router that splits", there), counted()];
            needs.extend(enough(plan));
            needs
        }
        StrategyKind::BlueGreen => {
            let mut needs = vec![
                need(true, "a switch", of(split)),
                need(true, "room for a second set", format!("+{}", count(plan.legs.iter().map(|l| l.base).sum::<u32>(), "pod"))),
            ];
            needs.extend(plan.rules.limits.iter().any(Limit::counts_requests).then(counted));
            needs
        }
        StrategyKind::Rolling => {
            let drain = plan.legs.iter().filter(|l| l.drains).count();
            vec![need(true, "a Deployment", of(all)), need(drain == all, "pods that finish requests", of(drain))]
        }
    }
}

/// Whether the first share brings enough requests for a check to say something, in the region with the least.
fn enough(plan: &Plan) -> Option<Need> {
    let first = plan.steps.iter().find_map(|s| s.weight)?;
    let least = plan.legs.iter().filter_map(|l| l.load).min_by(f64::total_cmp)?;
    let seconds = f64::from(plan.rules.least_requests) / (least * first.share()).max(0.001);
    let good = seconds <= plan.rules.window.as_secs_f64();
    let takes = format::measured(Span((seconds * 1000.0).min(8.64e7) as u64));
    let there = format!("{} in {takes} at {}", plan.rules.least_requests, share(first));
    Some(Need { sign: if good { Sign::Ok } else { Sign::Look }, what: "enough requests", there })
}

/// Pods beside the old ones: at first, and at most.
pub(super) fn extra_pods(plan: &Plan) -> (u32, u32) {
    let first = plan.steps.iter().find_map(|s| s.weight).unwrap_or(Percent::ALL);
    let pods = |share: Percent| -> u32 {
        let of = |l: &PlanLeg| if l.route == Route::Weights { l.pods_for(share, 1.0) } else { plan.rules.roll_pods(l.base).0 };
        plan.legs.iter().map(of).sum()
    };
    (pods(first), pods(Percent::ALL))
}

/// The way back while the new version has traffic and the old one still has its pods.
pub(super) fn way_back(plan: &Plan) -> Span {
    let moved = plan.steps.iter().enumerate().filter(|(_, s)| s.kind != StepKind::Retire);
    moved.map(|(at, _)| plan.way_back(at).about).max().unwrap_or_default()
}

/// What happens when it is launched.
pub(super) fn what_happens(plan: &Plan) -> String {
    let (old, new) = (plan.from(), &plan.to);
    let (old, new) = (version(&old), version(new));
    let limits = plan.rules.limits.iter().map(Limit::words).collect::<Vec<_>>().join(" and ");
    let shares: Vec<Percent> = plan.steps.iter().filter_map(|s| s.weight).collect();
    let (first_pods, most_pods) = extra_pods(plan);
    let pods = |n: u32| count(n, "pod");
    let waves = plan.legs.iter().map(|l| l.wave).max().unwrap_or(0);
    let wave = if waves > 0 { format!(" Region by region, in {} waves.", waves + 1) } else { String::new() };
    let hold = plan.steps.iter().find_map(|s| s.hold.filter(|_| s.weight.is_some()));
    match plan.strategy {
        StrategyKind::Canary => {
            let first = shares.first().copied().unwrap_or_default();
            let start = if plan.legs.iter().any(|l| l.route == Route::Weights) {
                format!("{} of {new} start. ", pods(first_pods))
            } else {
                String::new()
            };
            let grows = match (shares.get(1), hold) {
                (Some(next), Some(hold)) => {
                    let more =
                        Percent::from_hundredths(u32::from(next.hundredths().saturating_sub(first.hundredths()))).unwrap_or_default();
                    format!(", then {} more every {}", share(more), hold.clock())
                }
                (Some(_), None) => ", then more, step by step".into(),
                (None, _) => String::new(),
            };
            format!("{start}{} of requests go there{grows}, as long as {limits}.{wave}", share(first))
        }
        StrategyKind::BlueGreen => {
            let window = plan.rules.rollback_window.clock();
            format!(
                "{} of {new} start beside those of {old}. Then all requests go there at once; {old} stays up for {window}.{wave}",
                pods(most_pods)
            )
        }
        StrategyKind::Rolling => {
            let (mut up, mut down) = (0, 0);
            for leg in &plan.legs {
                let (more, missing) = plan.rules.roll_pods(leg.base);
                (up, down) = (up.max(more), down.max(missing));
            }
            let all: u32 = plan.legs.iter().map(|l| l.base).sum();
            format!("{} change to {new}, in each region at most {up} more than asked for and {down} missing.{wave}", pods(all))
        }
    }
}

/// What it costs when the new version is bad.
pub(super) fn when_wrong(plan: &Plan) -> Vec<String> {
    // Whatever the strategy, pods that change one by one go back one by one.
    let by_pods = plan.legs.iter().all(|l| l.route == Route::Pods);
    let goes = if by_pods { StrategyKind::Rolling } else { plan.strategy };
    let back = format!("{}: {}.", format::capital(about(goes).way_back), format::measured(way_back(plan)));
    let first = plan.steps.iter().enumerate().find_map(|(at, s)| Some((at, s.weight?)));
    let hurt = first.and_then(|(at, weight)| {
        let load: Option<f64> = plan.legs.iter().map(|l| l.load).sum();
        let (exposed, load) = (plan.exposed(at)?, load?);
        let (to, load) = (version(&plan.to), format::per_second(load));
        Some(match plan.strategy {
            StrategyKind::Canary => {
                format!("At {} a bad {to} meets {} of {load} requests a second.", share(weight), format::per_second(exposed))
            }
            StrategyKind::BlueGreen => format!("From the switch on a bad {to} meets all {load} requests a second."),
            StrategyKind::Rolling => format!("With each pod a bad {to} meets more of the {load} requests a second."),
        })
    });
    std::iter::once(back).chain(hurt).collect()
}
