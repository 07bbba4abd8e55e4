//! A rollout's state as the tables print it.

use super::table::{ByLeg, Table};
use flightdeck::fleet::{Aspect, Observed, Way};
use flightdeck::rollout::{Ask, By, Mood, Readiness, Status, Want, What};
use serde_json::Value;
use std::fmt::Write;

pub fn state(table: &Table) -> String {
    let engine = table.engine();
    let seen = Observed { at: table.now, ..table.seen.clone() };
    let status = engine.status(&seen, table.now);
    let mut out = String::new();
    for event in &table.log[table.printed..] {
        if table.calm && matches!(event.what, What::CheckPassed { .. }) {
            continue;
        }
        let by = match &event.by {
            By::Person(p) => format!("  by {p}"),
            By::Automatic => "  automatic".into(),
            By::Plan => String::new(),
        };
        writeln!(out, "+ {} {}{by}", event.at.clock(), what(&event.what)).unwrap();
    }
    let step = match status.steps.get(status.step) {
        Some(step) => format!("step {}/{} {}", status.step + 1, status.steps.len(), step.label),
        None => format!("all {} steps", status.steps.len()),
    };
    let paused = if status.paused { "  paused" } else { "" };
    let phase = format!("{:?}", engine.phase()).to_lowercase();
    writeln!(out, "{}  {phase}  {step}  term {}{paused}", table.now.clock(), status.term.0).unwrap();
    let then = status
        .next
        .as_ref()
        .map_or(String::new(), |(label, at)| format!("  then {label}{}", at.map_or(String::new(), |t| format!(" at {}", t.clock()))));
    writeln!(out, "mood  {}{then}", mood(&status)).unwrap();
    for leg in &status.legs {
        let seen = leg.seen.map_or(String::new(), |s| format!(", {s} seen"));
        let why = leg.why.as_ref().map_or(String::new(), |w| format!(": {w}"));
        let word = format!("{:?}", leg.mood).to_lowercase();
        writeln!(out, "leg   {}  {}{seen}  {word}{why}", leg.id, leg.want).unwrap();
    }
    for (leg, wants) in wishes(table) {
        writeln!(out, "wish  {leg}  {}", wants.join(", ")).unwrap();
    }
    let asks = engine.asks();
    let asks: Vec<String> = asks
        .iter()
        .map(|a| match a {
            Ask::Health { leg, .. } => format!("health {leg}"),
            Ask::Closely { leg } => format!("closely {leg}"),
        })
        .collect();
    if !asks.is_empty() {
        writeln!(out, "asks  {}", asks.join(", ")).unwrap();
    }
    writeln!(out, "R     {}", readiness(&status)).unwrap();
    if let Some(back) = &status.back {
        let waits = back.waits.as_ref().map_or(String::new(), |w| format!("  waits: {w}"));
        let took = back.took.map_or(String::new(), |t| format!("  took {t}"));
        let undo = back.undo_until.map_or(String::new(), |t| format!("  undo until {}", t.clock()));
        writeln!(out, "back  by {}: {}  was {}, can {}{waits}{took}{undo}", back.by, back.why, back.was, back.can).unwrap();
        let p = &back.proof;
        let traffic = p.traffic.map_or("?".into(), |t| t.to_string());
        let errors = p.errors.map_or_else(|| p.errors_why.clone().unwrap_or_default(), |e| format!("{:.2} %", e * 100.0));
        let counted = if p.counted { "counted" } else { "endpoints" };
        let proven = p.traffic_at.map_or("not proven".into(), |t| format!("proven after {t}"));
        writeln!(out, "proof traffic {traffic}, pods {}/{}, errors {errors}, {counted}, {proven}", p.ready, p.need).unwrap();
    }
    if let Some(at) = status.deadline {
        writeln!(out, "late  {}", at.clock()).unwrap();
    }
    if let Some(next) = engine.poll_timeout(table.now) {
        writeln!(out, "next  {}", next.clock()).unwrap();
    }
    out
}

/// An event in one line: its kind and what it carries.
pub fn what(what: &What) -> String {
    let Value::Object(fields) = serde_json::to_value(what).unwrap() else { unreachable!() };
    let fields: std::collections::BTreeMap<_, _> = fields.into_iter().collect();
    let mut line = fields["kind"].as_str().unwrap().to_owned();
    for (name, value) in fields.iter().filter(|(name, _)| !matches!(name.as_str(), "kind" | "plan")) {
        let value = match (name.as_str(), value) {
            ("step", Value::Number(n)) => (n.as_u64().unwrap() + 1).to_string(),
            ("upto" | "retryAt", Value::String(time)) => time[11..19].to_owned(),
            (_, Value::String(text)) if text.contains(' ') => format!("\"{text}\""),
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        };
        // The tables call it by its short name.
        let name = if name == "errorRate" { "errors" } else { name.as_str() };
        write!(line, " {name}={value}").unwrap();
    }
    line
}

fn mood(status: &Status) -> String {
    let with = |word: &str, cause: &str, key: Option<char>| {
        let key = key.map_or(String::new(), |k| format!("  [{k}]"));
        format!("{word}: {cause}{key}")
    };
    match &status.mood {
        Mood::Waits { cause } => with("waits", cause, None),
        Mood::Unclear { cause } => with("unclear", cause, None),
        Mood::Held { cause, key } => with("held", cause, *key),
        Mood::Stuck { cause, key } => with("stuck", cause, *key),
        Mood::Failing { cause, since, automatic } => {
            let goes = automatic.map_or(String::new(), |t| format!(", back by itself {}", t.clock()));
            format!("failing: {cause}  (since {}{goes})", since.clock())
        }
        Mood::NotProven { missing } => with("not proven", missing, None),
        Mood::OnCourse => "on course".into(),
        Mood::RollingBack => "rolling back".into(),
        Mood::Back => "back".into(),
        Mood::Promoted => "promoted".into(),
        Mood::Aborted => "aborted".into(),
        Mood::Superseded => "superseded".into(),
    }
}

fn readiness(status: &Status) -> String {
    let r = &status.rollback;
    let word = match &r.readiness {
        Readiness::Ready => "ready".to_owned(),
        Readiness::Slow { why } => format!("slow: {why}"),
        Readiness::Partly { why } => format!("partly: {why}"),
        Readiness::Denied { why } => format!("denied: {why}"),
        Readiness::Off { why } => return format!("off: {why}"),
    };
    let left = if r.left_behind.is_empty() { String::new() } else { format!("  left behind: {}", r.left_behind.join("; ")) };
    format!("{word}  {} legs to {}, {} can go now, pods {}/{}, about {}{left}", r.moves.len(), r.target, r.now, r.ready, r.need, r.about)
}

fn wishes(table: &Table) -> ByLeg<Vec<String>> {
    let mut legs: ByLeg<Vec<String>> = ByLeg::new();
    for wish in table.engine().wishes() {
        let mut text = match (&wish.want, wish.key.aspect) {
            (Want::Weight { new }, _) => {
                format!("{} {new}", if wish.way == Way::Back { "back" } else { "forward" })
            }
            (Want::Home { forward }, _) => format!("home {}", if *forward { "new" } else { "old" }),
            (Want::Replicas { pods }, Aspect::OldReplicas) => format!("old {pods}"),
            (Want::Replicas { pods }, _) => format!("new {pods}"),
            (Want::Roll { forward, share, surge, unavailable, paused }, _) => {
                let to = if *forward { "new" } else { "old" };
                let paused = if *paused { " paused" } else { "" };
                format!("roll {share} to {to} +{surge} -{unavailable}{paused}")
            }
        };
        if wish.again > 0 {
            write!(text, " (again {})", wish.again).unwrap();
        }
        legs.entry(wish.key.leg.clone()).or_default().push(text);
    }
    legs
}

/// The compiled steps.
pub fn plan(table: &Table) -> String {
    let mut out = String::new();
    for (i, step) in table.engine().plan().steps.iter().enumerate() {
        let gates: Vec<&str> = step.gates.iter().map(|g| g.name()).collect();
        let hold = step.hold.map_or(String::new(), |h| format!(" hold {h}"));
        let legs: Vec<&str> = step.legs.iter().map(|l| l.as_str()).collect();
        let share = step.weight.map_or(String::new(), |w| format!(" {w}"));
        writeln!(out, "{} {}{share}{hold}  [{}]  {}", i + 1, step.kind.name(), gates.join(" "), legs.join(" ")).unwrap();
    }
    out
}

/// What `R` would do.
pub fn way_back(table: &Table) -> String {
    let plan = table.engine().rollback_plan(&table.seen, table.now);
    let mut out = format!("{:?} to {}, {} can go now, about {}, {:?}\n", plan.kind, plan.target, plan.now, plan.about, plan.readiness);
    for m in &plan.moves {
        let ready = m.ready.map_or("?".into(), |r| r.to_string());
        let reach = if m.reachable { "" } else { ", not reachable" };
        writeln!(out, "{}: {} to {}, pods {ready}/{}, about {}{reach}", m.leg, m.from, m.now, m.need, m.about).unwrap();
    }
    for left in &plan.left_behind {
        writeln!(out, "left behind: {left}").unwrap();
    }
    out
}
