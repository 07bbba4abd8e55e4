//! Events in words: the lines of EVENTS.

use super::snapshot::Sign;
use super::world::Flown;
use crate::fleet::Side;
use crate::rollout::{By, Event, Phase, RollbackCause, Rollout, What};
use crate::units::{Percent, Time, count};

/// Adds what an event means to a person, where it means anything.
pub(super) fn tell(flown: &mut Flown, event: &Event) {
    if matches!(event.what, What::WeightSet { .. }) {
        want(flown, event.at);
    }
    if let Some((sign, text, aside)) = words(&flown.engine, event) {
        let service = flown.engine.plan().service.name.clone();
        flown.note(event.at, sign, &service, &text, &aside);
    }
}

/// What an event means to a person: a sign, the news, and what is said beside it. `None`: nothing that a person waits for.
pub fn words(engine: &Rollout, event: &Event) -> Option<(Sign, String, String)> {
    let plan = engine.plan();
    let by = match &event.by {
        By::Person(p) => format!("by {p}"),
        By::Plan => String::new(),
        By::Automatic => "automatic".into(),
    };
    let step = |i: usize| plan.steps.get(i).map_or_else(|| "end".to_string(), |s| s.label());
    let to = plan.to.clone();
    let from = plan.from();
    match &event.what {
        What::Launched { plan, .. } => {
            Some((Sign::Launched, format!("{} launched", plan.to), format!("{by}, {}", count(plan.steps.len(), "step"))))
        }
        What::Boarded { plan, .. } => Some((Sign::Launched, format!("update to {} boarded", plan.to), by)),
        What::Taken => Some((Sign::Launched, "controls taken".into(), by)),
        What::ReplicasSet { leg, side: Side::New, pods } if *pods > 0 => {
            Some((Sign::Moves, format!("{leg} {} of {to}", count(*pods, "pod")), "asked".into()))
        }
        What::ReplicasSet { leg, side: Side::Old, pods } if *pods > 0 => {
            Some((Sign::Moves, format!("{leg} {} of {from}", count(*pods, "pod")), "asked".into()))
        }
        What::HomeSet { leg, side: Side::New } => Some((Sign::Moves, format!("{leg} adopts {to}"), "without traffic first".into())),
        What::HomeSet { leg, side: Side::Old } => Some((Sign::Back, format!("{leg} takes {from} again"), "without traffic first".into())),
        What::WeightSet { leg, weight } => Some((Sign::Moves, format!("{leg} {weight}"), "asked".into())),
        What::StepApplied { step: i } if plan.steps.get(*i).is_some_and(|s| s.weight.is_some()) => {
            Some((Sign::Ok, format!("{} reached", step(*i)), "in all its regions".into()))
        }
        What::StepPassed { step: i } => Some((Sign::Done, format!("{} passed", step(*i)), String::new())),
        What::HealthFailed { leg, why } => Some((Sign::Look, format!("{leg} health fails"), why.clone())),
        What::HealthPassed { leg, nth } if *nth == plan.rules.healthy_in_a_row => {
            Some((Sign::Done, format!("{leg} health ok"), format!("{nth} in a row")))
        }
        What::CheckFailed { leg, nth, why, .. } => {
            let of = plan.rules.failures_in_a_row;
            Some((Sign::Fails, format!("{leg} check {nth} of {of} bad"), why.clone()))
        }
        What::BothSick { leg } => Some((Sign::Look, format!("{leg} both sides over the limit"), "nothing goes back by itself".into())),
        What::HoldEnded { step: i } => Some((Sign::Moves, format!("hold at {} ended", step(*i)), by)),
        What::HoldsDropped => Some((Sign::Moves, "all holds dropped".into(), by)),
        What::Skipped { reason, .. } if engine.phase() == Phase::Back => {
            Some((Sign::Moves, "the time to undo is cut short".into(), reason.clone().unwrap_or(by)))
        }
        What::Skipped { step: i, gate, reason } => {
            let what = gate.map_or_else(|| step(*i), |g| format!("gate {}", g.name()));
            Some((Sign::Look, format!("{what} skipped"), reason.clone().unwrap_or(by)))
        }
        What::Paused => Some((Sign::Held, "paused".into(), by)),
        What::Resumed => Some((Sign::Moves, "resumed".into(), by)),
        What::WishFailed { leg, nth, cause, .. } => Some((Sign::Look, format!("{leg} write failed"), format!("{cause}, try {nth}"))),
        What::Aborted { .. } => Some((Sign::Back, "aborted".into(), by)),
        What::Restarted => Some((Sign::Launched, "begins again".into(), by)),
        What::RollbackBegan { why } => {
            let (text, aside) = match why {
                RollbackCause::Asked { .. } => (format!("R {by}"), String::new()),
                RollbackCause::Fence => ("somebody else went back".to_string(), "this one goes back with him".to_string()),
                other => ("rolls back by itself".to_string(), other.words()),
            };
            Some((Sign::Back, text, aside))
        }
        What::OverCapacity => Some((Sign::Look, "over capacity".into(), by)),
        What::LegProven { leg, counted, .. } => {
            Some((Sign::Done, format!("{leg} back on {from}"), if *counted { "seen" } else { "endpoints" }.into()))
        }
        What::Proven { took } => Some((Sign::Done, format!("back on {from}"), format!("in {:.1} s", took.as_secs_f64()))),
        What::NotProven { missing } => Some((Sign::Look, "moved, not proven".into(), missing.clone())),
        What::Undone => Some((Sign::Launched, "rollback undone".into(), by)),
        What::Promoted => Some((Sign::Done, format!("promoted to {to}"), String::new())),
        What::RolledBack => Some((Sign::Done, format!("{to} removed"), String::new())),
        What::Superseded { by_term } => Some((Sign::Look, "somebody else drives".into(), format!("term {}", by_term.0))),
        What::Followed => Some((Sign::Back, "somebody else goes back too".into(), format!("term {}", event.term.0))),
        What::GateClosed { gate, why } => Some((Sign::Held, format!("{} is closed", gate.name()), why.clone())),
        What::LegMoved { leg, why } => Some((Sign::Held, format!("{leg} moved by somebody"), why.clone())),
        What::Retried => Some((Sign::Moves, "asked again".into(), by)),
        What::StepStarted { .. }
        | What::PodsCame { .. }
        | What::LegSilent { .. }
        | What::LegHeard { .. }
        | What::StepApplied { .. }
        | What::RevisionFound { .. }
        | What::ReplicasSet { .. }
        | What::LegArrived { .. }
        | What::Landed { .. }
        | What::HealthPassed { .. }
        | What::CheckPassed { .. }
        | What::WishRenewed { .. }
        | What::LineStopped { .. }
        | What::LineResumed => None,
    }
}

/// Remembers the share that is asked for, over all legs.
fn want(flown: &mut Flown, at: Time) {
    let share = flown.engine.want();
    if flown.wants.back().is_none_or(|(_, w)| *w != share) {
        if flown.wants.is_empty() {
            flown.wants.push_back((at, Percent::ZERO));
        }
        flown.wants.push_back((at, share));
    }
    while flown.wants.len() > 500 {
        flown.wants.pop_front();
    }
}
