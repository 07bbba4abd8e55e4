//! The cockpit: `flightdeck` without a command.

use super::args::{CockpitArgs, Speed};
use super::flight::{self, Where};
use super::{Done, folders, scenario, settings};
use crate::cockpit::{Intent, World};
use crate::settings::Settings;
use crate::strategy::Sources;
use crate::tui::app::{self, Looks, Start};
use crate::tui::glyphs::GlyphSet;
use crate::tui::keymap::Keymap;
use crate::tui::model::Story;
use crate::tui::theme::ColorChoice;
use crate::units::{Person, Trouble};
use clap::ValueEnum;
use std::sync::Arc;

/// As fast as practice goes on a screen: somebody has to be able to look.
const FASTEST: f64 = 512.0;

/// Runs the cockpit.
pub fn run(args: &CockpitArgs) -> Done {
    let folders = folders().map_err(|t| vec![t])?;
    let settings = settings(&args.fleet, &folders)?;
    let looks = looks(args, &settings)?;
    let (world, speed, hint, story) = match flight::destination(&args.fleet, args.practice.practice)? {
        Where::Practice => {
            let speed = match args.practice.speed {
                Some(Speed::Times(times)) => times,
                Some(Speed::Max) => FASTEST,
                None => 1.0,
            };
            let (world, hint, story) = practice(args)?;
            (world, Some(speed), hint, story)
        }
        Where::Real(fleet, contexts) => {
            let hint = format!("real cluster: {}   to practise without one: flightdeck --practice", fleet.name);
            (flight::real(&fleet, *contexts, args.readonly)?, None, Some(hint), None)
        }
    };
    let again = args.clone();
    let start = Start {
        world,
        speed,
        person: flight::person(),
        hint,
        story,
        looks,
        reread: Box::new(move || {
            let folders = super::folders().map_err(|t| vec![t])?;
            self::looks(&again, &super::settings(&again.fleet, &folders)?)
        }),
        real_now: flight::now,
    };
    super::paced(async {
        app::run(start).await?;
        Ok(0)
    })
}

/// The practice fleet, alive: traffic flows, `catalogue` rolls in one region, and a canary of `order-service` has just begun.
fn practice(args: &CockpitArgs) -> Result<(World, Option<String>, Option<Story>), Vec<Trouble>> {
    let scenario = scenario::find(args.scenario.as_deref(), args.practice.seed)?;
    let mut world = flight::practice(&scenario, args.readonly);
    let named = args.scenario.is_some();
    let story = named.then(|| Story { title: scenario.title.clone(), story: scenario.story.clone(), learn: scenario.learn.clone() });
    if args.readonly {
        return Ok((world, None, story));
    }
    let service = world.service("order-service").map_err(|t| vec![t])?;
    let options = vec![("strategy".to_string(), "canary".to_string())];
    let sources = Sources { options, ..Sources::default() };
    let (_, plan) = super::deploy::plan(&world, &sources, Some(&service.name), true)?;
    let launch = Intent::Launch { plan: Arc::new(plan), reason: None };
    world.take(world.now(), launch, &Person::new("mara"), true).map_err(|t| vec![t])?;
    let hint = match &story {
        Some(story) => format!("{}: :story tells what it is about, Enter opens order-service", story.title),
        None => "order-service flies a canary: Enter opens it, n steps on, R takes it back".into(),
    };
    Ok((world, Some(hint), story))
}

/// How it looks: the command line before the settings.
fn looks(args: &CockpitArgs, settings: &Settings) -> Result<Looks, Vec<Trouble>> {
    let color = args.color.as_ref().or(settings.color.as_ref());
    let glyphs = args.glyphs.as_ref().or(settings.glyphs.as_ref());
    Ok(Looks {
        theme: args.theme.clone().or_else(|| settings.theme.clone()),
        // Both were checked where they were read.
        color: color.and_then(|c| ColorChoice::from_str(c, true).ok()).unwrap_or_default(),
        glyphs: glyphs.and_then(|g| GlyphSet::from_str(g, true).ok()),
        keymap: Keymap::new(&settings.keys)?,
        mouse: settings.mouse,
        bell: settings.bell,
        reduce_motion: settings.reduce_motion,
    })
}
