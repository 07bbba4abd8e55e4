//! `flightdeck plan`: what a document would do, step by step, and its rollback. Changes nothing.

use super::args::PlanArgs;
use super::document::{self, DocumentArgs};
use super::flight::{self, Where};
use super::{Done, deploy, paced, print, scenario};
use crate::cockpit::World;
use crate::strategy::{Document, plan_json, plan_text};

/// `plan`
pub fn run(args: &PlanArgs) -> Done {
    // What is wrong with the document is said before any cluster is asked.
    let document = document::read(Some(&args.file), &DocumentArgs::default())?;
    match flight::destination(&args.fleet, args.practice)? {
        Where::Practice => show(&flight::practice(&scenario::find(None, None)?, true), &document, true, args.json),
        Where::Real(fleet, contexts) => paced(async {
            let mut world = flight::real(&fleet, *contexts, true)?;
            flight::heard(&mut world).await;
            show(&world, &document, false, args.json)
        }),
    }
}

fn show(world: &World, document: &Document, practice: bool, json: bool) -> Done {
    let plan = deploy::plan(world, document, None, practice)?;
    print(&if json { format!("{}\n", plan_json(&plan)) } else { plan_text(&plan) })
}
