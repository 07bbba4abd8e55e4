//! `status`: what is in flight and what runs where, once or at each change.

use super::args::StatusArgs;
use super::{Done, SCHEMA, columns, flight, print, verb};
use crate::cockpit::{RecordView, RegionState, Snapshot, World};
use crate::units::RolloutId;
use serde_json::{Value, json};

/// Runs the command.
pub fn run(args: &StatusArgs) -> Done {
    flight::with_real(&args.fleet, true, async |world| {
        let mut last = show(world, args, None)?;
        if !args.watch {
            return Ok(code(&world.snapshot()));
        }
        let mut signals = super::Signals::start()?;
        loop {
            tokio::select! {
                _ = signals.next() => return Ok(0),
                () = world.ready() => {}
            }
            world.step(flight::now());
            last = show(world, args, Some(last))?;
        }
    })
}

/// Nothing that was asked answers: 5.
fn code(snapshot: &Snapshot) -> u8 {
    if snapshot.clusters().0 == 0 { 5 } else { 0 }
}

/// Prints the picture, unless it says what the last one said. What it says is returned.
fn show(world: &mut World, args: &StatusArgs, last: Option<String>) -> Result<String, Vec<crate::units::Trouble>> {
    let snapshot = world.snapshot();
    let text = if args.json { line(&snapshot) } else { table(&snapshot) };
    let same = if args.json { without_clock(&text) } else { text.clone() };
    if last.as_ref() != Some(&same) {
        print(&text)?;
    }
    Ok(same)
}

fn line(snapshot: &Snapshot) -> String {
    let mut all = json!({ "schema": SCHEMA });
    if let (Value::Object(all), Ok(Value::Object(picture))) = (&mut all, serde_json::to_value(snapshot)) {
        all.extend(picture);
    }
    format!("{all}\n")
}

/// A change of the clock alone, or of when something was heard, is no news.
fn without_clock(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            forget(&mut value);
            value.to_string()
        }
        Err(_) => text.to_owned(),
    }
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !matches!(key.as_str(), "now" | "heard" | "again"));
            map.values_mut().for_each(forget);
        }
        Value::Array(all) => all.iter_mut().for_each(forget),
        _ => {}
    }
}

/// Who drives a rollout, and where its log is not.
fn recorded(id: &RolloutId, record: &RecordView) -> Vec<String> {
    let driver = record.driver.as_ref().map(|d| match (d.gone, d.nobody) {
        (Some(gone), _) => format!("driver {} gone for {gone}: `flightdeck take {id}` takes the controls", d.name),
        (None, true) => format!("nobody drives it, {} did last: `flightdeck take {id}` takes the controls", d.name),
        (None, false) => format!("driven by {}", d.name),
    });
    let lines = driver.into_iter();
    let lines = lines.chain(record.not_recorded.as_ref().map(|why| format!("not recorded: {why}")));
    let lines = lines.chain(record.only_here.iter().map(|why| format!("its log is only here: {why}")));
    let lines = lines.chain(record.branches.iter().map(|branch| format!("another branch of its log: {branch}")));
    lines.chain(record.faults.iter().cloned()).map(|line| format!("  {id}: {line}\n")).collect()
}

fn table(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for region in &snapshot.regions {
        let state = match &region.state {
            RegionState::Connecting { .. } => "connecting".to_string(),
            RegionState::Answers => region.server.clone().unwrap_or_else(|| "answers".into()),
            RegionState::Silent { why, .. } => format!("silent: {why}"),
        };
        text += &format!("{}   {state}\n", region.name);
    }
    let flights: Vec<[String; 5]> = snapshot
        .rollouts
        .iter()
        .map(|r| {
            let s = &r.status;
            [
                s.id.to_string(),
                format!("{} → {}", s.from, s.to),
                s.strategy.name().into(),
                s.seen.unwrap_or(s.want).to_string(),
                verb::words(&s.mood),
            ]
        })
        .collect();
    let driven: Vec<String> = snapshot.rollouts.iter().flat_map(|r| recorded(&r.status.id, &r.record)).collect();
    let (answer, all) = snapshot.clusters();
    text += match flights.is_empty() {
        true if answer == 0 => "\nnothing is known: `flightdeck doctor` says what to do\n",
        true => "\nnothing is in flight\n",
        false => "\n",
    };
    text += &columns(&flights);
    driven.iter().for_each(|line| text += line);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for service in &snapshot.services {
        let cell = |c: &Option<crate::cockpit::Cell>| match c {
            None => "−".to_string(),
            Some(c) => match &c.to {
                Some((to, share)) => format!("{} → {to} {share}", c.version),
                None => format!("{} {}/{}", c.version, c.pods.0, c.pods.1),
            },
        };
        rows.push(std::iter::once(service.service.to_string()).chain(service.cells.iter().map(cell)).collect());
    }
    let two: Vec<[String; 2]> = rows.into_iter().map(|mut r| [r.remove(0), r.join("   ")]).collect();
    if !two.is_empty() {
        text += "\n";
        text += &columns(&two);
    }
    if answer > 0 && answer < all {
        text += "\nnot all regions answer: `flightdeck doctor` says what to do\n";
    }
    text
}
