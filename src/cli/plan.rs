//! `flightdeck plan`: what a document would do, step by step, and its rollback. Changes nothing.

use super::args::PlanArgs;
use super::document::DocumentArgs;
use super::flight::{self, Where};
use super::{Done, columns, deploy, document, json_text, print, scenario};
use crate::cockpit::World;
use crate::strategy::{Document, Origin, Plan, Sources, plan_json, plan_text};
use serde_json::{Value, json};

/// `plan`
pub fn run(args: &PlanArgs) -> Done {
    // What is wrong with the document is said before any cluster is asked.
    let sources = document::sources(Some(&args.file), &DocumentArgs::default())?;
    let why = match sources.said("service") {
        _ if args.practice => Some("--practice"),
        // It is about none of a cluster's services.
        None => Some("the document names no service"),
        Some(_) if matches!(flight::destination(&args.fleet, false)?, Where::Practice) => Some("no kubeconfig names a cluster"),
        Some(_) => None,
    };
    if let Some(why) = why {
        let world = flight::practice(&scenario::find(None, None)?, true);
        return show(&world, &sources, args, Some(why));
    }
    flight::with_real(&args.fleet, true, async |world| show(world, &sources, args, None))
}

/// `practice`: why it is for the practice fleet, where it is.
fn show(world: &World, sources: &Sources, args: &PlanArgs, practice: Option<&str>) -> Done {
    let (document, plan) = deploy::plan(world, sources, None, practice.is_some())?;
    if args.json {
        return print(&json_text(&for_programs(world, &document, &plan, practice))?);
    }
    let fleet = practice.map(|why| format!("for the practice fleet: {why}\n")).unwrap_or_default();
    print(&format!("{fleet}{}{}", plan_text(&plan), values(&document)))
}

/// The values that somebody gave, and where.
fn values(document: &Document) -> String {
    let strategy = ["strategy".into(), document.strategy.name().to_owned(), document.strategy_place.to_string()];
    let strategy = (document.strategy_origin != Origin::Default).then_some(strategy);
    let given = document.entries.iter().filter(|entry| entry.origin != Origin::Default);
    let row = |entry: &crate::strategy::Entry| [entry.key.name.to_owned(), entry.text.clone(), entry.place.to_string()];
    let rows: Vec<[String; 3]> = strategy.into_iter().chain(given.map(row)).collect();
    let lines: String = columns(&rows).lines().map(|line| format!("  {line}\n")).collect();
    if lines.is_empty() { lines } else { format!("\nVALUES that are not the defaults\n{lines}") }
}

fn for_programs(world: &World, document: &Document, plan: &Plan, practice: Option<&str>) -> Value {
    let value = |key: &str, text: &str, origin: Origin, place: String| {
        let mut value = json!({ "key": key, "value": text, "origin": origin.name() });
        if origin != Origin::Default {
            value["place"] = place.into();
        }
        value
    };
    let strategy = value("strategy", document.strategy.name(), document.strategy_origin, document.strategy_place.to_string());
    let given = document.entries.iter().map(|entry| value(entry.key.name, &entry.text, entry.origin, entry.place.to_string()));
    let mut all = plan_json(plan);
    all["fleet"] = json!(world.fleet());
    all["practice"] = json!(practice.is_some());
    if let Some(why) = practice {
        all["practiceWhy"] = json!(why);
    }
    all["values"] = std::iter::once(strategy).chain(given).collect();
    all
}
