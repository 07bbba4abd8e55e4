//! `flightdeck plan`: what a document would do, step by step, and its rollback. Changes nothing.

use super::args::PlanArgs;
use super::document::DocumentArgs;
use super::flight::{self, Where};
use super::{Done, deploy, document, print, scenario};
use crate::cockpit::World;
use crate::strategy::{Document, plan_json, plan_text};

/// `plan`
pub fn run(args: &PlanArgs) -> Done {
    // What is wrong with the document is said before any cluster is asked.
    let document = document::read(Some(&args.file), &DocumentArgs::default())?;
    // A document that names no service is about none of a cluster's: it is shown on the practice fleet.
    let nowhere = document.service.is_none();
    let practice = nowhere || matches!(flight::destination(&args.fleet, args.practice)?, Where::Practice);
    if practice {
        let world = flight::practice(&scenario::find(None, None)?, true);
        return show(&world, &document, args, true);
    }
    flight::with_real(&args.fleet, true, async |world| show(world, &document, args, false))
}

fn show(world: &World, document: &Document, args: &PlanArgs, practice: bool) -> Done {
    let plan = deploy::plan(world, document, None, practice)?;
    print(&if args.json { format!("{}\n", plan_json(&plan)) } else { plan_text(&plan) })
}
