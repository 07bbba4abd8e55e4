//! `flightdeck journal list | export | verify`

use super::args::JournalCommand;
use super::{Done, SCHEMA, columns, folders, json_text, print, written};
use crate::journal::{Fault, FileStore, Lines, Log, Next, Store};
use crate::rollout::What;
use crate::settings::Folders;
use crate::units::{Kind, Place, RolloutId, Time, Trouble, clean};
use serde::Serialize;
use std::fs::File;
use std::io::{BufReader, Write};

/// `journal`
pub fn run(command: &JournalCommand) -> Done {
    let journal = Journal::new(&folders()?);
    match command {
        JournalCommand::List { json } => print(&journal.list(*json)?),
        JournalCommand::Export { rollout, seen } => journal.export(rollout, *seen, &mut std::io::stdout().lock()),
        JournalCommand::Verify { rollout, json } => {
            let (text, broken) = journal.verify(rollout.as_deref(), *json)?;
            print(&text)?;
            // The JSON has it already.
            if *json {
                Ok(broken.first().map_or(0, |trouble| trouble.kind.code()))
            } else {
                if broken.is_empty() { Ok(0) } else { Err(broken) }
            }
        }
    }
}

/// Where logs are: those of real rollouts, and those of practice.
struct Journal {
    real: FileStore,
    practice: FileStore,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    rollout: RolloutId,
    practice: bool,
    events: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Time>,
    outcome: &'static str,
    /// Whether every line is as it was written.
    holds: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip)]
    fault: Option<Fault>,
}

impl Journal {
    /// The logs in these folders.
    fn new(folders: &Folders) -> Journal {
        Journal { real: FileStore::new(folders.rollouts()), practice: FileStore::new(folders.practice()) }
    }

    /// All logs, the newest first.
    fn list(&self, as_json: bool) -> Result<String, Trouble> {
        let mut rows = self.rows()?;
        rows.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.rollout.cmp(&b.rollout)));
        if as_json {
            return as_json_text(&rows);
        }
        if rows.is_empty() {
            return Ok("no rollout has a log here yet\n".into());
        }
        let mut table = vec![["rollout", "service", "began", "last event", "events", "outcome", ""].map(String::from)];
        let seconds = |at: Time| format!("{}Z", at.to_string().split('.').next().unwrap_or_default());
        let time = |at: Option<Time>| at.map_or_else(|| "?".into(), seconds);
        table.extend(rows.into_iter().map(|row| {
            let mut notes: Vec<String> = row.practice.then(|| "practice".into()).into_iter().collect();
            notes.extend(row.line.map(|line| format!("line {line}: {}", row.why.clone().unwrap_or_default())));
            [
                row.rollout.to_string(),
                row.service.unwrap_or_else(|| "?".into()),
                time(row.began),
                time(row.last),
                row.events.to_string(),
                row.outcome.into(),
                notes.join("   "),
            ]
        }));
        Ok(columns(&table))
    }

    /// The lines of one log as they are, as far as its chain holds; before them one line that says what they are. `seen`: after
    /// them what was counted.
    fn export(&self, rollout: &str, seen: bool, out: &mut dyn Write) -> Done {
        let (store, rollout) = self.find(rollout)?;
        let path = store.path(&rollout, "log")?;
        let name = path.display().to_string();
        let unreadable = |e: std::io::Error| Trouble::new(Kind::Internal, Place::named(&name), format!("it cannot be read: {e}"), "");
        let file = File::open(&path).map_err(unreadable)?;
        let mut lines = Lines::new(BufReader::new(file), &rollout);
        let mut line = format!("{{\"schema\":\"{SCHEMA}\",\"rollout\":\"{rollout}\"}}\n").into_bytes();
        loop {
            if !written(out.write_all(&line))? {
                return Ok(0);
            }
            match lines.advance().map_err(unreadable)? {
                Next::Event(_) | Next::Fault(Fault::Tainted { .. }) => line = [lines.raw(), b"\n"].concat(),
                Next::Fault(fault) => return Err(vec![fault.trouble(&name)]),
                Next::Torn(_) | Next::End => break,
            }
        }
        for line in if seen { store.seen(&rollout)? } else { Vec::new() } {
            if !written(out.write_all(&line.line()))? {
                return Ok(0);
            }
        }
        written(out.flush()).map(|_| 0)
    }

    /// Checks one log, or all. What is broken is the second part.
    fn verify(&self, rollout: Option<&str>, as_json: bool) -> Result<(String, Vec<Trouble>), Trouble> {
        let rows = match rollout {
            None => self.rows()?,
            Some(rollout) => {
                let (store, rollout) = self.find(rollout)?;
                vec![row(store, rollout, std::ptr::eq(store, &self.practice))?]
            }
        };
        let broken: Vec<Trouble> = rows.iter().filter_map(|row| self.trouble(row)).collect();
        if as_json {
            return Ok((as_json_text(&rows)?, broken));
        }
        let says = |row: &Row| {
            let note = row.why.as_ref().map(|why| format!("   line {}: {why}", row.line.unwrap_or_default())).unwrap_or_default();
            let holds = if row.holds { "the chain holds" } else { "the chain is broken" };
            format!("{}   {} events   {holds}{note}\n", row.rollout, row.events)
        };
        let text: String = rows.iter().map(says).collect();
        Ok((if text.is_empty() { "no rollout has a log here yet\n".into() } else { text }, broken))
    }

    fn trouble(&self, row: &Row) -> Option<Trouble> {
        let fault = row.fault.as_ref().filter(|_| !row.holds)?;
        let store = if row.practice { &self.practice } else { &self.real };
        Some(fault.trouble(&store.path(&row.rollout, "log").map_or_else(|_| row.rollout.to_string(), |path| path.display().to_string())))
    }

    fn rows(&self) -> Result<Vec<Row>, Trouble> {
        let mut rows = Vec::new();
        for (store, practice) in [(&self.real, false), (&self.practice, true)] {
            for rollout in store.list()? {
                rows.push(row(store, rollout, practice)?);
            }
        }
        Ok(rows)
    }

    /// The log of a rollout: a real one before one of practice.
    fn find(&self, rollout: &str) -> Result<(&FileStore, RolloutId), Trouble> {
        let id = RolloutId::new(rollout);
        let real = self.real.path(&id, "log")?;
        if !real.exists() && self.practice.path(&id, "log")?.exists() {
            return Ok((&self.practice, id));
        }
        if !real.exists() {
            let all: Vec<String> = self.rows()?.into_iter().map(|row| row.rollout.to_string()).take(20).collect();
            let remedy = if all.is_empty() { "no rollout has a log here yet".into() } else { format!("there are {}", all.join(", ")) };
            return Err(Trouble::new(Kind::Usage, Place::named(clean(rollout, 80)), "no rollout of this name has a log here", remedy));
        }
        Ok((&self.real, id))
    }
}

fn as_json_text(rows: &[Row]) -> Result<String, Trouble> {
    #[derive(Serialize)]
    struct All<'a> {
        schema: &'static str,
        rollouts: &'a [Row],
    }
    json_text(&All { schema: SCHEMA, rollouts: rows })
}

fn row(store: &FileStore, rollout: RolloutId, practice: bool) -> Result<Row, Trouble> {
    let Log { events, fault, torn, .. } = store.read(&rollout)?;
    let service = events.iter().find_map(|event| match &event.what {
        What::Launched { plan, .. } | What::Boarded { plan, .. } => Some(plan.service.to_string()),
        _ => None,
    });
    let ends = events.iter().rev().find_map(|event| match event.what {
        What::Promoted => Some("promoted"),
        What::RolledBack => Some("rolled back"),
        What::Superseded { .. } => Some("driven elsewhere"),
        What::RollbackBegan { .. } | What::NotProven { .. } => Some("rolling back"),
        What::Proven { .. } => Some("back, not cleared up"),
        What::Aborted { .. } => Some("held"),
        What::Undone | What::Restarted | What::Taken => Some("in flight"),
        What::LineStopped { .. } => Some("line stopped"),
        What::LineResumed => Some("line resumed"),
        _ => None,
    });
    let (holds, line, why) = match &fault {
        None if torn > 0 => {
            let why = format!("unfinished, {torn} bytes; it is cut when the rollout goes on");
            (true, Some(events.len() as u64 + 1), Some(why))
        }
        None => (true, None, None),
        Some(Fault::Tainted { line, kind }) => {
            (true, Some(*line), Some(format!("an event of kind `{kind}`, which this flightdeck does not know")))
        }
        Some(Fault::Broken { line, why }) => (false, Some(*line), Some(why.clone())),
        Some(Fault::Newer { line, v }) => (false, Some(*line), Some(format!("has format {v}, which needs a newer flightdeck"))),
    };
    Ok(Row {
        practice,
        events: events.len(),
        service,
        began: events.first().map(|event| event.at),
        last: events.last().map(|event| event.at),
        outcome: ends.unwrap_or("in flight"),
        holds,
        line,
        why,
        fault,
        rollout,
    })
}
