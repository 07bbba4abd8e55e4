//! `flightdeck doctor`: what is missing, and what to do about it.
//!
//! Asks and looks; changes nothing but that it makes its own folders. Known weakness: whether a font has a sign only its reader
//! can see.

mod clusters;
mod folders;
mod metrics;
mod terminal;

use super::args::DoctorArgs;
use super::{Done, SCHEMA, columns, print, settings};
use crate::fleet::Protection;
use crate::settings::{Folders, Settings};
use crate::tui::glyphs::GlyphSet;
use crate::tui::keymap::Keymap;
use crate::tui::theme::{Mode, Theme, Tier};
use crate::units::{Kind, Trouble};
use serde::Serialize;
use std::io::IsTerminal;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    Look,
    Fails,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Finding {
    area: &'static str,
    name: String,
    state: State,
    /// What was found.
    says: String,
    /// What to do, where there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// The exit code's kind, where it fails.
    #[serde(skip)]
    kind: Option<Kind>,
}

impl Finding {
    fn ok(area: &'static str, name: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding { area, name: name.into(), state: State::Ok, says: says.into(), remedy: None, kind: None }
    }

    fn look(area: &'static str, name: impl Into<String>, says: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { state: State::Look, remedy: Some(remedy.into()), ..Finding::ok(area, name, says) }
    }

    fn fails(area: &'static str, name: impl Into<String>, trouble: &Trouble) -> Finding {
        let remedy = Some(trouble.remedy.clone()).filter(|remedy| !remedy.is_empty());
        let says = Trouble { remedy: String::new(), ..trouble.clone() }.to_string();
        Finding { state: State::Fails, remedy, kind: Some(trouble.kind), ..Finding::ok(area, name, says) }
    }
}

/// `doctor`. The exit code is that of the first thing that fails.
pub fn run(args: &DoctorArgs) -> Done {
    let env = |name: &str| std::env::var(name).ok();
    let here = std::io::stdout().is_terminal();
    let size = crossterm::terminal::size().ok().filter(|_| here || std::io::stdin().is_terminal() || std::io::stderr().is_terminal());
    let mut all = terminal::look(env, here, size);
    let mut read = None;
    match super::folders() {
        Ok(places) => {
            all.extend(folders::look(&places));
            read = settings_of(args, &places, &mut all);
        }
        Err(trouble) => all.push(Finding::fails("folders", "home", &trouble)),
    }
    let (read, asked) = (read.unwrap_or_default(), args.fleet.asked(false));
    super::paced(async {
        let kubeconfig = args.fleet.kubeconfig.as_deref();
        all.extend(clusters::look(&read, &asked, kubeconfig).await);
        if let Some(service) = &args.metrics {
            all.extend(metrics::look(&read, &asked, kubeconfig, service.as_deref()).await);
        }
        Ok(0)
    })?;
    let text = if args.json { as_json(&all)? } else { as_text(&all, GlyphSet::detect(None, env)) };
    print(&text)?;
    Ok(all.iter().find_map(|finding| finding.kind).map_or(0, Kind::code))
}

/// The settings as they are, and what is wrong with them.
fn settings_of(args: &DoctorArgs, places: &Folders, all: &mut Vec<Finding>) -> Option<Settings> {
    const AREA: &str = "settings";
    let read = match settings(&args.fleet, places) {
        Ok(read) => read,
        Err(troubles) => {
            all.extend(troubles.iter().map(|trouble| Finding::fails(AREA, "file", trouble)));
            return None;
        }
    };
    let (path, named) = super::settings_path(&args.fleet, places);
    let says = if named || path.exists() { path.display().to_string() } else { format!("none at {}: defaults hold", path.display()) };
    all.push(Finding::ok(AREA, "file", says));
    for fleet in &read.fleets {
        let protection = if fleet.protection == Protection::Safe { "safe" } else { "open" };
        let regions: Vec<&str> = fleet.regions.iter().map(|region| region.name.as_str()).collect();
        let says = format!("{}   {protection}   grace {}s", regions.join(", "), fleet.grace.as_secs_f64());
        all.push(Finding::ok(AREA, format!("fleet {}", fleet.name), says));
    }
    if let Err(troubles) = Theme::load(read.theme.as_deref(), Mode::Dark, Tier::True) {
        all.extend(troubles.iter().map(|trouble| Finding::fails(AREA, "theme", trouble)));
    }
    if let Err(troubles) = Keymap::new(&read.keys) {
        all.extend(troubles.iter().map(|trouble| Finding::fails(AREA, "keys", trouble)));
    }
    Some(read)
}

fn as_text(all: &[Finding], glyphs: GlyphSet) -> String {
    let mut text = String::new();
    let mut area = "";
    let shown = |finding: &Finding| {
        let sign = match finding.state {
            State::Ok => '●',
            State::Look => '▲',
            State::Fails => '✗',
        };
        let remedy = finding.remedy.as_ref().map(|remedy| format!("   {} {remedy}", glyphs.twin('→'))).unwrap_or_default();
        [glyphs.twin(sign).to_string(), finding.name.clone(), format!("{}{remedy}", finding.says)]
    };
    // One table, so that all areas line up.
    let table = columns(&all.iter().map(shown).collect::<Vec<_>>());
    for (finding, line) in all.iter().zip(table.lines()) {
        if finding.area != area {
            text += &format!("{}{}\n", if area.is_empty() { "" } else { "\n" }, finding.area.to_uppercase());
            area = finding.area;
        }
        text += &format!("{line}\n");
    }
    let (looks, fails) = all.iter().fold((0, 0), |(l, f), finding| match finding.state {
        State::Ok => (l, f),
        State::Look => (l + 1, f),
        State::Fails => (l, f + 1),
    });
    text + &format!("\n{} well, {looks} to look at, {fails} failing\n", all.len() - looks - fails)
}

fn as_json(all: &[Finding]) -> Result<String, Trouble> {
    #[derive(Serialize)]
    struct All<'a> {
        schema: &'static str,
        findings: &'a [Finding],
    }
    super::json_text(&All { schema: SCHEMA, findings: all })
}
