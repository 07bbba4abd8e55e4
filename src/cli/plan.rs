//! `flightdeck plan`: what a document would do, step by step, and its rollback. Changes nothing.

use super::args::{PlanArgs, PracticeArgs};
use super::document::DocumentArgs;
use super::{Done, deploy, document, flight, print, real};
use crate::cockpit::World;
use crate::strategy::{Document, plan_json, plan_text};

/// `plan`
pub fn run(args: &PlanArgs) -> Done {
    // What is wrong with the document is said before any cluster is asked.
    let document = document::read(Some(&args.file), &DocumentArgs::default())?;
    if args.practice {
        return show(&flight::practice(&PracticeArgs::default(), vec![], true), &document, args);
    }
    real::with_world(&args.fleet, true, async |world| {
        real::heard(world).await;
        show(world, &document, args)
    })
}

fn show(world: &World, document: &Document, args: &PlanArgs) -> Done {
    let plan = deploy::plan(world, document, None, args.practice)?;
    print(&if args.json { format!("{}\n", plan_json(&plan)) } else { plan_text(&plan) })
}
