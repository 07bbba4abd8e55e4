//! The program's own log: one file a day in the state folder, written by a thread beside.

use crate::units::{Kind, Place, Trouble, clean};
use std::path::Path;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

/// So many days are kept.
const MOST_FILES: usize = 7;

/// Keeps the log's thread; what is left is written when it is dropped.
#[must_use = "the log ends when this is dropped"]
#[derive(Debug)]
pub struct ProgramLog {
    _guard: WorkerGuard,
}

/// Starts the log in `folder`. `level` (`FLIGHTDECK_LOG`) is `info` where nothing is said: `debug`, `flightdeck=trace,kube=info`, ...
pub fn start_program_log(folder: &Path, level: Option<&str>) -> Result<ProgramLog, Trouble> {
    let level = level.filter(|level| !level.is_empty()).unwrap_or("info");
    let filter = EnvFilter::try_new(level).map_err(|e| {
        let cause = format!("`{}` is no level: {}", clean(level, 60), clean(&e.to_string(), 120));
        Trouble::new(Kind::Usage, Place::named("FLIGHTDECK_LOG"), cause, "write error, warn, info, debug or trace")
    })?;
    let unwritable = |e: &dyn std::fmt::Display| {
        let place = Place::named(folder.display().to_string());
        Trouble::new(Kind::Internal, place, format!("no program log: {e}"), "make the folder writable, or set FLIGHTDECK_DATA")
    };
    std::fs::create_dir_all(folder).map_err(|e| unwritable(&e))?;
    let files = RollingFileAppender::builder().rotation(Rotation::DAILY).filename_prefix("flightdeck").filename_suffix("log");
    let files = files.max_log_files(MOST_FILES).build(folder).map_err(|e| unwritable(&e))?;
    let (writer, guard) = tracing_appender::non_blocking(files);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    log.try_init().map_err(|e| unwritable(&e))?;
    Ok(ProgramLog { _guard: guard })
}
