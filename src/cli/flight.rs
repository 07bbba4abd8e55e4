//! The worlds that commands fly in: the practice fleet, and real ones.

use super::args::FleetArgs;
use super::{Done, folders, settings};
use crate::cockpit::{Clock, FleetSpec, Ids, RegionSpec, World};
use crate::fleet::Protection;
use crate::journal::{FileStore, Memory, SeenHealthy, Store};
use crate::platform::Simulator;
use crate::platform::kubernetes::{self, Contexts, Driver, KubernetesPlatform};
use crate::practice::Scenario;
use crate::settings::{Destination, FleetSettings, Folders, choose};
use crate::simulator::START;
use crate::units::{Kind, Person, Place, Span, Time, Trouble};
use std::time::{Duration, Instant};

/// What runs when nobody names a seed.
pub const SEED: u64 = 42;
/// How long a command waits for regions that do not answer.
const HEARD: Duration = Duration::from_secs(10);
/// And then for the logs beside the workloads.
const RECORDS: Duration = Duration::from_secs(2);
/// How long it waits at its end for its log to be kept in the clusters.
const KEPT: Duration = Duration::from_secs(5);

/// The practice fleet, with its past. Its logs stay to be read; nothing goes on from them, since a simulated fleet does not
/// outlive its process.
pub fn practice(scenario: &Scenario, readonly: bool) -> World {
    let regions = scenario.layout.regions.iter().map(|r| RegionSpec { name: r.name.clone(), role: Some(r.role) }).collect();
    let spec = FleetSpec { name: "practice".into(), practice: true, protection: Protection::Open, readonly, grace: Span::ZERO, regions };
    let begins = START - scenario.layout.warm_up;
    let platform = Box::new(Simulator::new(scenario.fleet()));
    let store: Box<dyn Store> = match folders() {
        Ok(folders) => Box::new(FileStore::practice(folders.practice())),
        Err(_) => Box::new(Memory::default()),
    };
    let mut world = World::new(spec, platform, store, None, Ids::seeded(scenario.seed), begins);
    world.step(START);
    world
}

/// Where a command flies, by the settings, the command line and the kubeconfig.
pub enum Where {
    /// On the simulator.
    Practice,
    /// On real clusters.
    Real(Box<FleetSettings>, Box<Contexts>),
}

/// Decides where to fly.
pub fn destination(args: &FleetArgs, practice: bool) -> Result<Where, Vec<Trouble>> {
    if practice {
        return Ok(Where::Practice);
    }
    let folders = folders().map_err(|t| vec![t])?;
    let settings = settings(args, &folders)?;
    let contexts = Contexts::read(args.kubeconfig.as_deref());
    let current = contexts.as_ref().ok().and_then(Contexts::current);
    match choose(&settings, &args.asked(false), current.as_deref()).map_err(|t| vec![t])? {
        Destination::Practice => match contexts {
            // Only where nothing points at a cluster at all is practice what was meant.
            Err(t) if args.kubeconfig.is_some() || t.kind != Kind::Usage => Err(vec![t]),
            _ => Ok(Where::Practice),
        },
        Destination::Real(fleet) => Ok(Where::Real(Box::new(fleet), Box::new(contexts.map_err(|t| vec![t])?))),
    }
}

/// A world over real clusters: it begins to connect, and waits for nothing.
pub fn real(fleet: &FleetSettings, contexts: Contexts, readonly: bool) -> Result<World, Vec<Trouble>> {
    let one = |t| vec![t];
    let folders = folders().map_err(one)?;
    let spec = FleetSpec {
        name: fleet.name.as_str().into(),
        practice: false,
        protection: fleet.protection,
        readonly,
        grace: fleet.grace,
        regions: fleet.regions.iter().map(|r| RegionSpec { name: r.name.clone(), role: Some(r.role) }).collect(),
    };
    let regions: Vec<kubernetes::RegionSpec> = fleet
        .regions
        .iter()
        .map(|r| kubernetes::RegionSpec {
            name: r.name.clone(),
            context: r.context.clone(),
            namespaces: r.namespaces.clone(),
            prometheus: r.prometheus.clone(),
        })
        .collect();
    let platform = KubernetesPlatform::start_as(contexts, &regions, driver(&folders)).map_err(one)?;
    let (healthy, trouble) = SeenHealthy::open(folders.healthy());
    if let Some(trouble) = trouble {
        tracing::warn!(%trouble, "what was seen healthy is not known");
    }
    let store = FileStore::new(folders.rollouts());
    Ok(World::new(spec, Box::new(platform), Box::new(store), Some(healthy), Ids::fresh(), now()))
}

/// Opens the real fleet that is asked for, waits until its regions were heard, and lets a command work with it.
pub fn with_real(args: &FleetArgs, readonly: bool, work: impl AsyncFnOnce(&mut World) -> Done) -> Done {
    super::paced(async {
        match destination(args, false)? {
            Where::Practice => {
                let remedy = "name one with --context, --env or --kubeconfig; `deploy --practice` flies the simulated one";
                Err(vec![Trouble::new(Kind::Usage, Place::named("fleet"), "there is no cluster here", remedy)])
            }
            Where::Real(fleet, contexts) => {
                let mut world = real(&fleet, *contexts, readonly)?;
                heard(&mut world).await;
                let done = work(&mut world).await;
                world.part(now).await;
                done
            }
        }
    })
}

/// Waits until every region has answered, or failed to, and has said what may be written there.
pub async fn heard(world: &mut World) {
    let end = Instant::now() + HEARD;
    let mut heard = None;
    loop {
        let known = world.heard_all() && world.rights_known();
        if known && world.records_known() {
            return;
        }
        if known {
            heard.get_or_insert_with(Instant::now);
        }
        // A rollback does not wait for logs that cannot be read.
        let end = heard.map_or(end, |at: Instant| end.min(at + RECORDS));
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || tokio::time::timeout(left, world.ready()).await.is_err() {
            return;
        }
        world.step(now());
    }
}

/// Who this flightdeck is to others: the person, the machine, and the data folder, since what is in flight there goes on here.
fn driver(folders: &Folders) -> Driver {
    let known = std::fs::read_to_string(folders.driver()).ok().map(|t| crate::units::clean(t.trim(), 40)).filter(|t| !t.is_empty());
    let fresh = || {
        let fresh = Driver::default().identity.rsplit('/').next().unwrap_or_default().to_owned();
        let kept = std::fs::create_dir_all(&folders.data).and_then(|()| std::fs::write(folders.driver(), &fresh));
        if let Err(e) = kept {
            tracing::warn!("who drives here has a new name each time: {e}");
        }
        fresh
    };
    let host = std::fs::read_to_string("/etc/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let host = crate::units::clean(host.trim(), 63);
    let host = if host.is_empty() { "localhost" } else { &host };
    Driver { identity: format!("{}@{host}/{}", person(), known.unwrap_or_else(fresh)), ..Driver::default() }
}

/// Waits until a rollout's last lines stand in its clusters, a short time at most: this process may be the only one that has them.
pub async fn kept(world: &mut World, id: &crate::units::RolloutId) {
    let end = Instant::now() + KEPT;
    while !world.is_kept(id) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || tokio::time::timeout(left, world.ready()).await.is_err() {
            return;
        }
        world.step(now());
    }
}

/// The time now: the one place where a clock is read for a real fleet.
pub fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

/// The clock of a world: real time, or the simulator's at a speed.
pub fn clock(world: &World, speed: f64) -> Clock {
    if world.practice() { Clock::new(world.now(), speed) } else { Clock::new(now(), 1.0) }
}

/// Who presses the keys here, as the log names them.
pub fn person() -> Person {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|u| !u.is_empty());
    Person::new(crate::units::clean(&user.unwrap_or_else(|| "somebody".into()), 40))
}
