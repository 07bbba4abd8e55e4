//! The command line: what was typed, one file per command, and how answers and errors are printed.
//!
//! Decides nothing about rollouts. Known weakness: a message of clap's own (a wrong option) is in clap's words.

pub mod args;
pub mod cockpit;
pub mod completions;
pub mod deploy;
pub mod doctor;
pub mod document;
pub mod flight;
pub mod journal;
pub mod man;
pub mod plan;
mod progress;
pub mod scenario;
pub mod status;
pub mod strategies;
pub mod verb;

pub use args::{Cli, Command};

use crate::settings::{self, Folders, ProgramLog, Settings};
use crate::units::{Kind, Place, Trouble};
use args::FleetArgs;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

/// The name of the JSON that all commands write.
pub const SCHEMA: &str = "flightdeck/1";

/// Writes an answer to standard output. That nobody reads it to its end (`| head`) is no error.
pub fn print(text: &str) -> Done {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
    Ok(0)
}

/// Whether somebody still reads standard output after a write; what else is wrong with it is an error.
fn written(result: io::Result<()>) -> Result<bool, Vec<Trouble>> {
    match result {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(vec![Trouble::new(Kind::Internal, Place::named("standard output"), format!("it cannot be written: {e}"), "")]),
    }
}

/// A value as one line of JSON.
fn json_text(value: &impl Serialize) -> Result<String, Trouble> {
    let bug = |e| Trouble::new(Kind::Internal, Place::named("JSON"), format!("it cannot be written: {e}"), "report this");
    serde_json::to_string(value).map(|line| line + "\n").map_err(bug)
}

/// What a command comes to: its exit code, or what is wrong.
pub type Done = Result<u8, Vec<Trouble>>;

/// The exit code of a command; what is wrong is said.
pub fn finish(done: Done, json: bool) -> u8 {
    done.unwrap_or_else(|troubles| fail(&troubles, json))
}

/// The folders, as the system and `FLIGHTDECK_DATA` say.
pub fn folders() -> Result<Folders, Trouble> {
    Folders::find(variable("FLIGHTDECK_DATA").as_deref())
}

/// The settings: those of the command line, else of `FLIGHTDECK_SETTINGS`, else `config.yaml` where it exists.
pub fn settings(args: &FleetArgs, folders: &Folders) -> Result<Settings, Vec<Trouble>> {
    let (path, named) = settings_path(args, folders);
    settings::load(&path, !named)
}

/// Which file has the settings, and whether somebody named it.
fn settings_path(args: &FleetArgs, folders: &Folders) -> (PathBuf, bool) {
    let named = args.settings.clone().or_else(|| variable("FLIGHTDECK_SETTINGS"));
    named.map_or_else(|| (folders.settings(), false), |path| (path, true))
}

/// Starts the program's own log. That it has no place to be is no reason not to fly (`doctor` says so); a wrong level is one.
pub fn program_log() -> Result<Option<ProgramLog>, Trouble> {
    let level = std::env::var("FLIGHTDECK_LOG").ok();
    match settings::start_program_log(&folders()?.state, level.as_deref()) {
        Ok(log) => Ok(Some(log)),
        Err(trouble) if trouble.kind == Kind::Usage => Err(trouble),
        Err(_) => Ok(None),
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a Trouble,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a [Trouble]>,
}

/// What to do about a refusal, for somebody who has no keys here: the command of each key, `--yes` for arming.
fn spoken(trouble: &Trouble) -> Trouble {
    if trouble.kind != Kind::Refused {
        return trouble.clone();
    }
    if trouble.remedy == "press A to arm" {
        return Trouble { remedy: "give --yes".into(), ..trouble.clone() };
    }
    let mut words: Vec<String> = Vec::new();
    let mut all = trouble.remedy.split(' ').peekable();
    while let Some(word) = all.next() {
        let key = word.trim_end_matches(',');
        let command = match key {
            "R" => "rollback",
            "p" if all.peek() == Some(&"to") => "resume",
            "p" => "pause",
            "S" => "skip",
            "r" => "retry",
            "u" => "undo",
            "T" => "take",
            _ => {
                words.push(word.into());
                continue;
            }
        };
        if let Some(press) = words.last_mut().filter(|word| *word == "press") {
            *press = "use".into();
        }
        words.push(format!("`flightdeck {command}`{}", &word[key.len()..]));
    }
    Trouble { remedy: words.join(" "), ..trouble.clone() }
}

/// Says what is wrong, all of it: for people on standard error, for programs as one object on standard output. The exit code
/// is the first trouble's.
fn fail(troubles: &[Trouble], json: bool) -> u8 {
    let troubles: Vec<Trouble> = troubles.iter().map(spoken).collect();
    let Some(first) = troubles.first() else { return 0 };
    let text = if json {
        let all = (troubles.len() > 1).then_some(troubles.as_slice());
        serde_json::to_string(&Failed { error: first, errors: all }).unwrap_or_default() + "\n"
    } else {
        troubles.iter().map(|trouble| format!("{trouble}\n")).collect()
    };
    // Nothing is left to say it with when this fails too.
    let _ = if json { io::stdout().write_all(text.as_bytes()) } else { io::stderr().write_all(text.as_bytes()) };
    first.kind.code()
}

/// What clap refused or was asked for (help, version): its exit code.
pub fn refuse(error: &clap::Error) -> u8 {
    let json = std::env::args_os().any(|arg| arg == "--json");
    if error.use_stderr() && json {
        let text = error.to_string();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let cause = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let trouble = Trouble::new(Kind::Usage, Place::named("command line"), cause, "`flightdeck help` lists what there is");
        return fail(&[trouble], true);
    }
    // A closed pipe is no error here either.
    let _ = error.print();
    if error.use_stderr() { Kind::Usage.code() } else { 0 }
}

/// Runs what waits, on this thread.
pub fn paced(work: impl Future<Output = Done>) -> Done {
    let trouble = |e: io::Error| vec![Trouble::new(Kind::Internal, Place::named("flightdeck"), format!("cannot start: {e}"), "")];
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(trouble)?.block_on(work)
}

/// Sleeps so long; without a length for ever.
pub async fn sleep(length: Option<std::time::Duration>) {
    match length {
        Some(length) => tokio::time::sleep(length).await,
        None => std::future::pending().await,
    }
}

/// SIGINT, SIGTERM and SIGHUP, for commands that hold when they are told to stop.
pub struct Signals([tokio::signal::unix::Signal; 3]);

impl Signals {
    /// Starts to listen.
    pub fn start() -> Result<Signals, Vec<Trouble>> {
        use tokio::signal::unix::{SignalKind, signal};
        let one = |kind| signal(kind).map_err(|e| vec![Trouble::new(Kind::Internal, Place::named("signals"), e.to_string(), "")]);
        Ok(Signals([one(SignalKind::interrupt())?, one(SignalKind::terminate())?, one(SignalKind::hangup())?]))
    }

    /// The next one, by name.
    pub async fn next(&mut self) -> &'static str {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => "interrupted",
            _ = terminate.recv() => "terminated",
            _ = hangup.recv() => "the terminal hung up",
        }
    }
}

/// Text in columns, two blanks apart; the last column is as long as it is.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| unicode_width::UnicodeWidthStr::width(row[column].as_str())).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let blanks = width - unicode_width::UnicodeWidthStr::width(cell.as_str());
            line += cell;
            line.extend(std::iter::repeat_n(' ', blanks + 2));
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
