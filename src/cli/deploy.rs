//! `deploy`: a rollout driven to its end without a screen, in lines for people or for programs.

use super::args::{DeployArgs, Speed};
use super::progress::Progress;
use super::{Done, SCHEMA, document, flight, print};
use crate::cockpit::{Intent, Sign, World, words};
use crate::rollout::{By, Event, Mood, Phase, Verb};
use crate::strategy::{Document, Origin, Plan, Sources, compile};
use crate::units::{Kind, Place, RolloutId, Span, Time, Trouble, Version};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What practice rolls out when nobody says it.
const PRACTICE_SERVICE: &str = "order-service";
/// A rollout that needs a person and makes no progress for so long is held and left.
const PATIENCE: Span = Span::mins(30);

/// Runs the command.
pub fn run(args: &DeployArgs) -> Done {
    let mut typed = args.document.clone();
    if args.practice.practice && args.config.is_none() && typed.strategy().is_none() {
        typed.options.push(("strategy".into(), "canary".into()));
    }
    // What is wrong with the document is said before any cluster is asked.
    let sources = document::sources(args.config.as_deref(), &typed)?;
    if args.practice.practice {
        let scenario = super::scenario::find(args.scenario.as_deref(), args.practice.seed)?;
        let mut world = flight::practice(&scenario, false);
        let Some(id) = launch(&mut world, &sources, args, true)? else { return Ok(0) };
        let mut report = Report::new(args.json, id.clone());
        let speed = match args.practice.speed {
            Some(Speed::Times(times)) => Some(times),
            Some(Speed::Max) | None => None,
        };
        return super::paced(drive(&mut world, &id, &mut report, speed));
    }
    flight::with_real(&args.fleet, false, async |world| {
        let Some(id) = launch(world, &sources, args, args.yes)? else { return Ok(0) };
        let mut report = Report::new(args.json, id.clone());
        drive(world, &id, &mut report, Some(1.0)).await
    })
}

/// Launches it; where that version runs already it says so, and there is nothing to drive.
fn launch(world: &mut World, sources: &Sources, args: &DeployArgs, armed: bool) -> Result<Option<RolloutId>, Vec<Trouble>> {
    let (document, plan) = plan(world, sources, args.service.as_deref(), args.practice.practice)?;
    if world.runs_already(&plan) {
        let text = match args.json {
            true => super::json_text(&json!({"schema": SCHEMA, "event": "finished", "outcome": "nothing-to-do", "to": plan.to}))?,
            false => format!("nothing to do: {} is on {} already\n", plan.service.name, plan.to),
        };
        return print(&text).map(|_| None);
    }
    world.everywhere(&document).map_err(|t| vec![t])?;
    let annotated = annotated(&document);
    if !args.json && !annotated.is_empty() {
        print(&format!("by annotation: {annotated}\n"))?;
    }
    let launch = Intent::Launch { plan: Arc::new(plan), reason: None };
    world.take(world.now(), launch, &flight::person(), armed).map(Some).map_err(|t| vec![t])
}

/// The values that the workload's annotations gave.
fn annotated(document: &Document) -> String {
    let strategy = (document.strategy_origin == Origin::Annotation).then(|| format!("strategy {}", document.strategy.name()));
    let given = document.entries.iter().filter(|entry| entry.origin == Origin::Annotation);
    strategy.into_iter().chain(given.map(|entry| format!("{} {}", entry.key.name, entry.text))).collect::<Vec<_>>().join(", ")
}

/// Compiles what is said for the service that it, or the command line, names; what is said on the service counts too.
pub fn plan(world: &World, sources: &Sources, service: Option<&str>, practice: bool) -> Result<(Document, Plan), Vec<Trouble>> {
    let name = service.or(sources.said("service")).or(practice.then_some(PRACTICE_SERVICE));
    let missing = |what: &str, remedy: &str| vec![Trouble::new(Kind::Usage, Place::named("deploy"), what, remedy)];
    let name = name.ok_or_else(|| missing("no service is named", "write it behind deploy, or as service: in the document"))?;
    let service = world.service(name).map_err(|t| vec![t])?;
    let (annotations, warnings) = world.annotations(&service);
    let mut document = document::read(&Sources { annotations, ..sources.clone() })?;
    document.warnings.extend(warnings);
    if document.strategy_origin == Origin::Default && sources.file.is_none() {
        return Err(missing("no strategy and no document", "give --strategy NAME or -f FILE, or annotate it with deployment.strategy"));
    }
    let next = || practice.then(|| world.next_version(&service)).flatten();
    let to = document.to.clone().map(Version::new).or_else(next);
    let to = to.ok_or_else(|| missing("no version is named", "give --to VERSION, or to: in the document"))?;
    let legs = world.legs(&service, to.as_str(), document.container.as_deref()).map_err(|t| vec![t])?;
    let plan = compile(&document, &legs, &service, &shown(&to))?;
    Ok((document, plan))
}

/// A digest is called by its first seven figures.
fn shown(to: &Version) -> Version {
    match to.as_str().strip_prefix("@sha256:") {
        Some(digest) => Version::new(digest.get(..7).unwrap_or(digest)),
        None => to.clone(),
    }
}

/// Prints events as they come, each once.
struct Report {
    json: bool,
    id: RolloutId,
    first: bool,
    last: Time,
    progress: Option<Progress>,
}

impl Report {
    fn new(json: bool, id: RolloutId) -> Report {
        let progress = if json { None } else { Progress::on_terminal() };
        Report { json, id, first: true, last: Time::default(), progress }
    }

    /// Whether somebody still reads.
    fn tell(&mut self, world: &mut World) -> Result<(), Vec<Trouble>> {
        for event in world.take_events(&self.id) {
            self.last = event.at;
            let text = if self.json { self.line(&event) } else { world.rollout(&self.id).and_then(|r| say(r, &event)).unwrap_or_default() };
            self.say(&text)?;
        }
        Ok(())
    }

    /// Prints what stays.
    fn say(&mut self, text: &str) -> Done {
        if let Some(progress) = self.progress.as_mut().filter(|_| !text.is_empty()) {
            progress.clear();
        }
        print(text)
    }

    /// How it goes, where somebody looks.
    fn show(&mut self, world: &mut World) {
        let Some(progress) = &mut self.progress else { return };
        let snapshot = world.snapshot();
        if let Some(view) = snapshot.rollout(&self.id) {
            progress.show(view, snapshot.now);
        }
    }

    fn line(&mut self, event: &Event) -> String {
        let mut line = serde_json::Map::new();
        if std::mem::take(&mut self.first) {
            line.insert("schema".into(), json!(SCHEMA));
        }
        line.insert("rollout".into(), json!(self.id));
        line.insert("seq".into(), json!(event.seq));
        line.insert("at".into(), json!(event.at));
        line.insert("by".into(), json!(event.by.to_string()));
        line.insert("term".into(), json!(event.term));
        if let Ok(Value::Object(what)) = serde_json::to_value(&event.what) {
            for (key, value) in what {
                line.insert(if key == "kind" { "event".into() } else { key }, value);
            }
        }
        format!("{}\n", Value::Object(line))
    }
}

fn say(rollout: &crate::rollout::Rollout, event: &Event) -> Option<String> {
    let (sign, text, aside) = words(rollout, event)?;
    let aside = if aside.is_empty() { aside } else { format!("   {aside}") };
    Some(format!("{} {} {text}{aside}\n", event.at.clock(), mark(sign)))
}

fn mark(sign: Sign) -> &'static str {
    match sign {
        Sign::Ok => "●",
        Sign::Done => "✓",
        Sign::Moves => "◆",
        Sign::Launched => "▸",
        Sign::Look => "▲",
        Sign::Fails => "✗",
        Sign::Held => "■",
        Sign::Back => "←",
        Sign::Unknown => "?",
        Sign::Plain => " ",
    }
}

/// Drives a rollout to its end. Without a speed: in lockstep, as fast as it can.
async fn drive(world: &mut World, id: &RolloutId, report: &mut Report, speed: Option<f64>) -> Done {
    let clock = flight::clock(world, speed.unwrap_or(0.0));
    let mut signals = super::Signals::start()?;
    loop {
        report.tell(world)?;
        let Some(rollout) = world.rollout(id) else { return Ok(1) };
        let phase = rollout.phase();
        // Nobody here can undo a rollback: its new side goes now, not at the end of the window. Where somebody else went back it is his
        // to undo.
        let waits = || rollout.poll_timeout(world.now()).is_some_and(|at| at > world.now() + Span::secs(11));
        if phase == Phase::Back && !rollout.went_back_elsewhere() && waits() {
            let reason = Some("nobody is here to undo".into());
            let press = Intent::Press { rollout: id.clone(), verb: Verb::Skip, reason };
            world.take(world.now(), press, &flight::person(), true).map_err(|t| vec![t])?;
            continue;
        }
        // Somebody took the controls: this one has nothing to do any more.
        if let Some(code) = outcome(phase).or(world.follows(id).then_some(11)) {
            flight::kept(world, id).await;
            return finish(world, id, report, code);
        }
        if stalled(world, id, report.last) {
            return finish(world, id, report, 11);
        }
        match speed {
            None => {
                if !world.jump(Time(i64::MAX)) {
                    return finish(world, id, report, 11);
                }
            }
            Some(_) => {
                report.show(world);
                let next = world.poll_timeout().and_then(|at| clock.until(at));
                let second = report.progress.is_some().then_some(Duration::from_secs(1));
                let next = next.into_iter().chain(second).min();
                tokio::select! {
                    name = signals.next() => {
                        report.progress = None;
                        eprintln!("{name}: the rollout holds where it is; nothing is rolled back for a signal");
                        world.settle();
                        return finish(world, id, report, 11);
                    }
                    () = world.ready() => {}
                    () = super::sleep(next) => {}
                }
                world.run_until(if world.practice() { clock.now() } else { flight::now() });
            }
        }
    }
}

fn outcome(phase: Phase) -> Option<u8> {
    match phase {
        Phase::Promoted => Some(0),
        Phase::RolledBack => Some(10),
        Phase::Superseded | Phase::Aborted => Some(11),
        Phase::Watched | Phase::Flying | Phase::RollingBack | Phase::Back => None,
    }
}

/// Whether it waits for a person who is not here.
fn stalled(world: &mut World, id: &RolloutId, last: Time) -> bool {
    if world.now().since(last) < PATIENCE {
        return false;
    }
    let snapshot = world.snapshot();
    let mood = snapshot.rollout(id).map(|r| &r.status.mood);
    matches!(mood, Some(Mood::Held { .. } | Mood::Stuck { .. } | Mood::Unclear { .. } | Mood::NotProven { .. }))
}

/// The last line: what came of it.
fn finish(world: &mut World, id: &RolloutId, report: &mut Report, code: u8) -> Done {
    report.tell(world)?;
    world.settle();
    let snapshot = world.snapshot();
    let Some(view) = snapshot.rollout(id) else { return Ok(code) };
    let outcome = match code {
        0 => "promoted",
        10 => "rolled-back",
        11 => "held",
        _ => "failed",
    };
    let by = match view.status.back.as_ref().map(|b| &b.by) {
        Some(By::Automatic) => "automatic",
        Some(_) => "person",
        None => "automatic",
    };
    let seconds = view.status.ended.unwrap_or(snapshot.now).since(view.status.began);
    let (requests, failed) = (view.verdict.requests, view.verdict.failed);
    if report.json {
        let line = json!({
            "event": "finished", "outcome": outcome, "by": by, "rollout": id, "seconds": seconds,
            "requests": requests.round() as u64, "failed": failed.round() as u64,
        });
        report.say(&format!("{line}\n"))?;
    } else {
        let (from, to) = (&view.status.from, &view.status.to);
        let back = view.status.back.as_ref().and_then(|b| b.took).map(|t| format!(" in {:.1} s", t.as_secs_f64())).unwrap_or_default();
        let text = match code {
            0 => format!("promoted: {} is on {to}", view.status.service),
            10 => format!("rolled back: {} is back on {from}{back}", view.status.service),
            _ => format!("held at {}: {}", view.status.want, super::verb::words(&view.status.mood)),
        };
        report.say(&format!("{text}   {} requests on {to}, {} failed\n", requests.round(), failed.round()))?;
    }
    Ok(code)
}
