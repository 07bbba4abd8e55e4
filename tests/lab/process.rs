//! Processes that outlive the command that starts them: started with a log, recorded by pid, stopped by that record.
//!
//! It knows nothing of what they do. A record holds the pid *and* the process' start time, so that a pid that was given to
//! somebody else since is never touched.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr, bail, eyre};
use rustix::process::{Pid, Signal, kill_process};

use crate::place::Place;

const POLL: Duration = Duration::from_millis(10);

/// Runs a helper to its end; its error text becomes ours.
pub fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.wrap_err_with(|| format!("{program} did not start: install it"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Starts `command` in the background as `name`, unless it runs already.
pub fn start(place: &Place, name: &str, mut command: Command) -> Result<()> {
    if is_running(place, name) {
        return Ok(());
    }
    let log = File::create(place.log(name))?;
    let command = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // A group of its own: ctrl-c in the terminal that started the lab is not meant for it.
    let child = command.current_dir(&place.directory).process_group(0).spawn();
    let pid = child.wrap_err_with(|| format!("starting {name}"))?.id();
    let born = born(pid).ok_or_else(|| eyre!("{name} ended at once: see {}", place.log(name).display()))?;
    fs::write(place.pid(name), format!("{pid} {born}\n")).wrap_err_with(|| format!("recording the pid of {name}"))
}

pub fn is_running(place: &Place, name: &str) -> bool {
    recorded(place, name).is_some()
}

/// Asks `names` to end, kills what is left after `patience`, and returns when all are gone.
pub fn stop(place: &Place, names: &[&str], patience: Duration) -> Result<()> {
    let all: Vec<(&str, u32)> = names.iter().filter_map(|name| Some((*name, recorded(place, name)?))).collect();
    let deadline = Instant::now() + patience;
    if !patience.is_zero() {
        all.iter().for_each(|(_, pid)| send(*pid, Signal::TERM));
    }
    for (name, pid) in &all {
        while recorded(place, name).is_some() {
            if Instant::now() >= deadline {
                send(*pid, Signal::KILL);
            }
            if Instant::now() >= deadline + Duration::from_secs(10) {
                bail!("{name} (pid {pid}) does not end");
            }
            std::thread::sleep(POLL);
        }
    }
    for name in names {
        let _ = fs::remove_file(place.pid(name));
    }
    Ok(())
}

/// The last lines of a program's log, for an error message.
pub fn last_words(place: &Place, name: &str) -> String {
    let text = fs::read(place.log(name)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone in this moment is as good.
        let _ = kill_process(pid, signal);
    }
}

/// The pid on record, when that very process still runs.
fn recorded(place: &Place, name: &str) -> Option<u32> {
    let text = fs::read_to_string(place.pid(name)).ok()?;
    let (pid, time) = text.trim().split_once(' ')?;
    let pid = pid.parse().ok()?;
    (born(pid)? == time.parse::<u64>().ok()?).then_some(pid)
}

/// When a living process started, in the kernel's ticks since boot.
fn born(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // Its first thread is dead as soon as it ended; the others may still hold its ports.
    let alone = || fs::read_dir(format!("/proc/{pid}/task")).map_or(true, |threads| threads.count() <= 1);
    let is_dead = state == "X" || (state == "Z" && alone());
    fields.nth(18)?.parse().ok().filter(|_| !is_dead)
}
