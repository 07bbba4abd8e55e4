//! `rollback`, `promote`, `pause` and the other verbs: one press on one rollout, and what comes of it.

use super::args::VerbArgs;
use super::{Done, SCHEMA, flight, print};
use crate::cockpit::{Intent, World};
use crate::rollout::{Mood, Phase, Verb};
use crate::units::{Kind, Place, RolloutId, Span, Trouble};
use serde_json::json;

/// A rollback that is not proven by then is left as it is, and still asked for by the next flightdeck.
const PROVEN: Span = Span::secs(125);
/// What any other verb asks for is out there by then, or is said not to be.
const DONE: Span = Span::secs(10);

/// Presses a verb.
pub fn run(verb: Verb, args: &VerbArgs, armed: bool) -> Done {
    flight::with_real(&args.fleet, false, async |world| {
        let id = find(world, &args.rollout, verb)?;
        if let Some(why) = world.not_recorded(&id).filter(|_| verb != Verb::Rollback) {
            let remedy = "no step forward without a log; rollback works all the same";
            return Err(vec![Trouble::new(Kind::Refused, Place::named(id.as_str()), why, remedy)]);
        }
        let press = Intent::Press { rollout: id, verb, reason: args.reason.clone() };
        let id = world.take(flight::now(), press, &flight::person(), armed).map_err(|t| vec![t])?;
        follow(world, &id, verb, args.json).await
    })
}

fn find(world: &World, name: &str, verb: Verb) -> Result<RolloutId, Vec<Trouble>> {
    world.find(name, matches!(verb, Verb::Rollback | Verb::Undo)).map_err(|known| {
        let list: Vec<String> = known.iter().map(|id| id.to_string()).collect();
        let remedy = if list.is_empty() { "nothing is in flight".into() } else { format!("in flight or ended: {}", list.join(", ")) };
        vec![Trouble::new(Kind::Usage, Place::named(name), "no rollout, or not exactly one, has this name", remedy)]
    })
}

/// Drives on until what was asked for is seen, or its time is over.
async fn follow(world: &mut World, id: &RolloutId, verb: Verb, json: bool) -> Done {
    let began = flight::now();
    let limit = if verb == Verb::Rollback { PROVEN } else { DONE };
    let mut signals = super::Signals::start()?;
    loop {
        world.step(flight::now());
        let phase = world.rollout(id).map(|r| r.phase());
        let done = match verb {
            Verb::Rollback => matches!(phase, Some(Phase::Back | Phase::RolledBack)),
            _ => world.nothing_open(id),
        };
        if done || flight::now().since(began) >= limit {
            flight::kept(world, id).await;
            return say(world, id, verb, json, done);
        }
        let next = world.poll_timeout().map_or(500, |at| at.since(flight::now()).0.min(500));
        tokio::select! {
            name = signals.next() => {
                eprintln!("{name}: what was asked for stays asked for");
                return say(world, id, verb, json, false);
            }
            () = world.ready() => {}
            () = tokio::time::sleep(std::time::Duration::from_millis(next.max(10))) => {}
        }
    }
}

fn say(world: &mut World, id: &RolloutId, verb: Verb, json: bool, done: bool) -> Done {
    world.settle();
    let snapshot = world.snapshot();
    let Some(view) = snapshot.rollout(id) else { return Ok(if done { 0 } else { 11 }) };
    let s = &view.status;
    let took = s.back.as_ref().and_then(|b| b.took);
    let code = match (verb, done) {
        (Verb::Rollback, true) => 10,
        (_, true) => 0,
        (_, false) => 11,
    };
    if json {
        print(&format!("{}\n", json!({ "schema": SCHEMA, "rollout": id, "done": done, "status": s })))?;
        return Ok(code);
    }
    let text = match (verb, done) {
        (Verb::Rollback, true) => {
            let seconds = took.map(|t| format!(" in {:.1} s", t.as_secs_f64())).unwrap_or_default();
            format!("back on {}{seconds}: {}", s.from, proof(view))
        }
        (Verb::Rollback, false) => format!("not proven yet: {}", missing(&s.mood)),
        (_, true) => format!("{id}: {}", words(&s.mood)),
        (_, false) => format!("{id}: asked for, not seen yet: {}", words(&s.mood)),
    };
    print(&format!("{text}\n"))?;
    Ok(code)
}

/// What agreed.
fn proof(view: &crate::cockpit::RolloutView) -> String {
    let Some(back) = &view.status.back else { return "nothing had moved".into() };
    let proof = &back.proof;
    let traffic = if proof.counted { "traffic seen" } else { "endpoints" };
    let errors = match (proof.errors, &proof.errors_why) {
        (Some(rate), _) => format!("errors {:.2} %", rate * 100.0),
        (None, Some(why)) => why.clone(),
        (None, None) => "no metrics".into(),
    };
    format!("{traffic}, pods {}/{}, {errors}", proof.ready, proof.need)
}

fn missing(mood: &Mood) -> String {
    match mood {
        Mood::NotProven { missing } => missing.clone(),
        other => words(other),
    }
}

/// A mood in words.
pub fn words(mood: &Mood) -> String {
    match mood {
        Mood::OnCourse => "on course".into(),
        Mood::Waits { cause } => format!("waits: {cause}"),
        Mood::Unclear { cause } => format!("unclear: {cause}"),
        Mood::Held { cause, .. } => format!("held: {cause}"),
        Mood::Stuck { cause, .. } => format!("stuck: {cause}"),
        Mood::Failing { cause, .. } => format!("failing: {cause}"),
        Mood::RollingBack => "rolling back".into(),
        Mood::NotProven { missing } => format!("moved, not proven: {missing}"),
        Mood::Back => "rolled back".into(),
        Mood::Promoted => "promoted".into(),
        Mood::Aborted => "aborted".into(),
        Mood::Superseded => "driven by somebody else".into(),
    }
}
