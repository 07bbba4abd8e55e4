//! Logs as files: `<rollout>.log`, and beside it `<rollout>.seen`.
//!
//! A log is opened once and locked, so that a second flightdeck can only read it. One thread writes and syncs; the callers never
//! wait for a disk. What could not be written (disk full) is kept and tried again each second, in the same order.

use super::{Chain, Log, Recorded, Seen, Store, encode, read, read_seen, seen};
use crate::rollout::Event;
use crate::units::{Kind, Place, RolloutId, Time, Trouble};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;

/// Why a log cannot be written that another flightdeck on this machine has open.
pub const HELD: &str = "another flightdeck drives it";
/// So many jobs may wait for the disk.
const MOST_JOBS: usize = 1024;
/// So many bytes of one log may wait for a disk that takes none.
const MOST_UNWRITTEN: usize = 8 << 20;
/// What was seen is written in pieces of this size.
const SEEN_PIECE: usize = 16 << 10;

/// A folder of logs.
pub struct FileStore {
    dir: PathBuf,
    /// Nothing of before counts, and nothing waits for the disk.
    practice: bool,
    open: BTreeMap<RolloutId, Front>,
    jobs: Option<SyncSender<Job>>,
    woken: Arc<Notify>,
    writer: Option<thread::JoinHandle<()>>,
}

/// An open log, as its callers see it.
struct Front {
    chain: Chain,
    /// Why nothing can be appended any more until it is opened again.
    off: Option<String>,
    recorded: Arc<Mutex<Recorded>>,
    seen: Vec<u8>,
    newest: Time,
}

enum Job {
    Open(RolloutId, Box<Back>),
    Append { rollout: RolloutId, lines: Vec<u8>, upto: u64, sync: bool },
    Seen { rollout: RolloutId, lines: Vec<u8>, newest: Time },
    Close(RolloutId),
    Settle(SyncSender<()>),
}

/// An open log, as the writer sees it.
struct Back {
    file: File,
    path: PathBuf,
    /// The length of what is written and holds.
    len: u64,
    new: bool,
    unwritten: Vec<u8>,
    /// Too much waited and was dropped: a hole in the chain can never be filled.
    given_up: bool,
    upto: u64,
    sync: bool,
    recorded: Arc<Mutex<Recorded>>,
}

fn lock(recorded: &Mutex<Recorded>) -> MutexGuard<'_, Recorded> {
    recorded.lock().unwrap_or_else(PoisonError::into_inner)
}

fn words(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::StorageFull => "disk full".into(),
        io::ErrorKind::QuotaExceeded => "disk quota used up".into(),
        io::ErrorKind::PermissionDenied => "no right to write there".into(),
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only".into(),
        _ => e.to_string(),
    }
}

impl FileStore {
    /// The logs in `dir`, which is made when the first log is.
    pub fn new(dir: impl Into<PathBuf>) -> FileStore {
        FileStore::start(dir.into(), false)
    }

    /// The logs of practice in `dir`. A simulated fleet does not outlive its process, and its ids come again with their seed: an
    /// older log of the same name is put away, nothing is there to go on with, and an event counts as kept at once, since
    /// nothing in practice may depend on a disk.
    pub fn practice(dir: impl Into<PathBuf>) -> FileStore {
        FileStore::start(dir.into(), true)
    }

    fn start(dir: PathBuf, practice: bool) -> FileStore {
        let (jobs, todo) = sync_channel(MOST_JOBS);
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let writer = thread::Builder::new().name("journal".into()).spawn(move || write_all(&todo, &wake));
        // Without the thread its end of the channel is gone, and every log says that it is off.
        FileStore { dir, practice, open: BTreeMap::new(), jobs: Some(jobs), woken, writer: writer.ok() }
    }

    /// The file of a rollout; an id that could name a file elsewhere is refused.
    pub fn path(&self, rollout: &RolloutId, ending: &str) -> Result<PathBuf, Trouble> {
        let id = rollout.as_str();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if id.is_empty() || id.len() > 200 || id.starts_with('.') || !id.chars().all(plain) {
            let place = Place::named(crate::units::clean(id, 80));
            return Err(Trouble::new(Kind::Usage, place, "this cannot be the id of a rollout", "`flightdeck journal list` lists them"));
        }
        Ok(self.dir.join(format!("{id}.{ending}")))
    }

    /// Opens and locks a log, or says why it cannot be written. `fresh`: what is there is put away first.
    fn take(&self, rollout: &RolloutId, fresh: bool) -> Result<(Log, Back), String> {
        let path = self.path(rollout, "log").map_err(|t| t.cause)?;
        make_dir(&self.dir).map_err(|e| format!("{}: {}", self.dir.display(), words(&e)))?;
        let here = |e: io::Error| format!("{}: {}", path.display(), words(&e));
        let new = !path.exists();
        let file = open_options().read(true).open(&path).map_err(here)?;
        // A log that was closed just now may still be in the writer's hands.
        match file.try_lock().or_else(|e| if self.settled() { file.try_lock() } else { Err(e) }) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HELD.into()),
            Err(TryLockError::Error(e)) => return Err(format!("{} cannot be locked: {e}", path.display())),
        }
        if fresh && !new {
            fs::rename(&path, path.with_extension("old")).map_err(here)?;
            let _ = fs::remove_file(path.with_extension("seen"));
            return self.take(rollout, false);
        }
        let log = read(BufReader::with_capacity(64 << 10, &file), rollout).map_err(here)?;
        if let Some(fault) = &log.fault {
            return Err(fault.trouble(&path.display().to_string()).to_string());
        }
        if log.torn > 0 {
            tracing::warn!(log = %path.display(), bytes = log.torn, "the last line was unfinished and is cut");
            file.set_len(log.bytes).map_err(here)?;
        }
        let (len, upto) = (log.bytes, log.chain.seq);
        let recorded = Arc::new(Mutex::new(Recorded { upto, off: None }));
        Ok((log, Back { file, path, len, new, unwritten: Vec::new(), given_up: false, upto, sync: false, recorded }))
    }

    /// Puts a log's lines in the place of what is here.
    fn put(&self, rollout: &RolloutId, lines: &[u8]) -> Result<(), String> {
        let path = self.path(rollout, "log").map_err(|t| t.cause)?;
        let here = |e: io::Error| format!("{}: {}", path.display(), words(&e));
        make_dir(&self.dir).map_err(here)?;
        self.settled();
        if path.exists() {
            let file = File::open(&path).map_err(here)?;
            file.try_lock().map_err(|_| HELD.to_owned())?;
            if fs::read(&path).map_err(here)? == lines {
                return Ok(());
            }
            let put_away = (1..1000).map(|n| path.with_extension(format!("branch-{n}"))).find(|p| !p.exists());
            fs::rename(&path, put_away.ok_or("too many branches of it are kept")?).map_err(here)?;
        }
        let mut file = open_options().open(&path).map_err(here)?;
        file.write_all(lines).and_then(|()| file.sync_data()).map_err(here)
    }

    fn settled(&self) -> bool {
        let (done, waits) = sync_channel(1);
        self.send(Job::Settle(done)).is_ok() && waits.recv_timeout(Duration::from_secs(5)).is_ok()
    }

    fn send(&self, job: Job) -> Result<(), String> {
        let Some(jobs) = &self.jobs else { return Err("the log is closed".into()) };
        jobs.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => "the disk does not keep up".into(),
            TrySendError::Disconnected(_) => "the thread that writes logs has ended".into(),
        })
    }
}

impl Store for FileStore {
    fn list(&self) -> Result<Vec<RolloutId>, Trouble> {
        if self.practice {
            return Ok(Vec::new());
        }
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(unreadable(&self.dir, &e)),
        };
        let name = |entry: fs::DirEntry| Some(RolloutId::new(entry.file_name().to_str()?.strip_suffix(".log")?));
        let mut all: Vec<_> = entries.flatten().filter_map(name).filter(|id| self.path(id, "log").is_ok()).collect();
        all.sort();
        Ok(all)
    }

    fn read(&self, rollout: &RolloutId) -> Result<Log, Trouble> {
        let path = self.path(rollout, "log")?;
        let file = File::open(&path).map_err(|e| unreadable(&path, &e))?;
        read(BufReader::with_capacity(64 << 10, file), rollout).map_err(|e| unreadable(&path, &e))
    }

    fn open(&mut self, rollout: &RolloutId) -> Log {
        self.close(rollout);
        let (log, recorded, off) = match self.take(rollout, self.practice) {
            Ok((log, back)) => {
                let recorded = Arc::clone(&back.recorded);
                let off = self.send(Job::Open(rollout.clone(), Box::new(back))).err();
                (log, recorded, off)
            }
            Err(why) => {
                let log = if self.practice { None } else { self.read(rollout).ok() }.unwrap_or_else(|| Log::empty(rollout));
                let recorded = Recorded { upto: log.chain.seq, off: None };
                (log, Arc::new(Mutex::new(recorded)), Some(why))
            }
        };
        if let Some(why) = &off {
            tracing::warn!(%rollout, why, "not recorded");
        }
        let front = Front { chain: log.chain.clone(), off, recorded, seen: Vec::new(), newest: Time(0) };
        self.open.insert(rollout.clone(), front);
        log
    }

    fn text(&self, rollout: &RolloutId) -> Result<Vec<u8>, Trouble> {
        let path = self.path(rollout, "log")?;
        let mut bytes = fs::read(&path).map_err(|e| unreadable(&path, &e))?;
        let log = read(bytes.as_slice(), rollout).map_err(|e| unreadable(&path, &e))?;
        bytes.truncate(usize::try_from(log.bytes).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    fn adopt(&mut self, rollout: &RolloutId, lines: &[u8]) {
        self.close(rollout);
        if let Err(why) = self.put(rollout, lines) {
            tracing::warn!(%rollout, why, "the log that was kept elsewhere is not kept here");
        }
        // Where it could not be put there, what is appended next does not follow, and that is said.
        self.open(rollout);
    }

    fn append(&mut self, rollout: &RolloutId, events: &[Event], sync: bool) {
        let Some(front) = self.open.get_mut(rollout).filter(|front| front.off.is_none()) else { return };
        let mut lines = Vec::new();
        let encoded = events.iter().try_for_each(|event| encode(&mut front.chain, rollout, event, &mut lines));
        let upto = front.chain.seq;
        let sync = sync && !self.practice;
        let sent = if lines.is_empty() { Ok(()) } else { self.send(Job::Append { rollout: rollout.clone(), lines, upto, sync }) };
        if let Err(why) = encoded.map_err(|t| t.cause).and(sent)
            && let Some(front) = self.open.get_mut(rollout)
        {
            tracing::error!(%rollout, why, "not recorded");
            front.off = Some(why);
        }
    }

    fn recorded(&self, rollout: &RolloutId) -> Recorded {
        let open = self.open.get(rollout);
        let Some(front) = open else { return Recorded { upto: 0, off: Some("the log is not open".into()) } };
        if self.practice {
            return Recorded { upto: u64::MAX, off: None };
        }
        let Recorded { upto, off } = lock(&front.recorded).clone();
        Recorded { upto, off: front.off.clone().or(off) }
    }

    fn note(&mut self, rollout: &RolloutId, seen: &Seen) {
        let Some(front) = self.open.get_mut(rollout).filter(|front| front.off.is_none()) else { return };
        seen.write(&mut front.seen);
        front.newest = front.newest.max(seen.at());
        if front.seen.len() >= SEEN_PIECE {
            let (lines, newest) = (std::mem::take(&mut front.seen), front.newest);
            // What was seen may be lost; what was decided may not, and has its own word for it.
            let _ = self.send(Job::Seen { rollout: rollout.clone(), lines, newest });
        }
    }

    fn seen(&self, rollout: &RolloutId) -> Result<Vec<Seen>, Trouble> {
        let path = self.path(rollout, "seen")?;
        match File::open(&path) {
            Ok(file) => read_seen(BufReader::new(file)).map_err(|e| unreadable(&path, &e)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(unreadable(&path, &e)),
        }
    }

    fn close(&mut self, rollout: &RolloutId) {
        let Some(front) = self.open.remove(rollout) else { return };
        if !front.seen.is_empty() {
            let _ = self.send(Job::Seen { rollout: rollout.clone(), lines: front.seen, newest: front.newest });
        }
        let _ = self.send(Job::Close(rollout.clone()));
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.woken.notified())
    }

    fn settle(&mut self) -> bool {
        self.settled()
    }
}

impl Drop for FileStore {
    /// Writes what is left, and waits for a disk that answers, not for one that hangs.
    fn drop(&mut self) {
        let open: Vec<_> = self.open.keys().cloned().collect();
        open.iter().for_each(|rollout| self.close(rollout));
        let settled = self.settled();
        self.jobs = None;
        if settled && let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn unreadable(path: &Path, e: &io::Error) -> Trouble {
    let place = Place::named(path.display().to_string());
    match e.kind() {
        io::ErrorKind::NotFound => {
            Trouble::new(Kind::Usage, place, "there is no such log", "`flightdeck journal list` lists those that are there")
        }
        io::ErrorKind::PermissionDenied => Trouble::new(Kind::Refused, place, "no right to read it", "check who owns it"),
        _ => Trouble::new(Kind::Internal, place, format!("it cannot be read: {e}"), ""),
    }
}

fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// The writer: takes all jobs that wait, then writes and syncs each log once.
fn write_all(todo: &Receiver<Job>, woken: &Notify) {
    let mut logs: BTreeMap<RolloutId, Back> = BTreeMap::new();
    loop {
        let stuck = logs.values().any(|log| !log.unwritten.is_empty());
        let first = if stuck { todo.recv_timeout(Duration::from_secs(1)) } else { todo.recv().map_err(|_| RecvTimeoutError::Disconnected) };
        let first = match first {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let (mut settled, mut closed) = (Vec::new(), Vec::new());
        for job in first.into_iter().chain(todo.try_iter().take(MOST_JOBS)) {
            match job {
                Job::Open(rollout, back) => {
                    closed.retain(|id| *id != rollout);
                    logs.insert(rollout, *back);
                }
                Job::Append { rollout, lines, upto, sync } => {
                    if let Some(log) = logs.get_mut(&rollout) {
                        log.take(&lines, upto, sync);
                    }
                }
                Job::Seen { rollout, lines, newest } => {
                    if let Some(log) = logs.get(&rollout)
                        && let Err(e) = add_seen(&log.path.with_extension("seen"), &lines, newest)
                    {
                        tracing::warn!(%rollout, "what was seen is not kept: {e}");
                    }
                }
                Job::Close(rollout) => closed.push(rollout),
                Job::Settle(done) => settled.push(done),
            }
        }
        for log in logs.values_mut().filter(|log| !log.unwritten.is_empty()) {
            log.write();
        }
        closed.iter().for_each(|rollout| drop(logs.remove(rollout)));
        for done in settled {
            if logs.values().all(|log| log.unwritten.is_empty()) {
                let _ = done.try_send(());
            }
        }
        woken.notify_one();
    }
}

impl Back {
    fn take(&mut self, lines: &[u8], upto: u64, sync: bool) {
        if self.given_up || self.unwritten.len() + lines.len() > MOST_UNWRITTEN {
            (self.given_up, self.unwritten) = (true, Vec::new());
            return;
        }
        self.unwritten.extend_from_slice(lines);
        (self.upto, self.sync) = (upto, self.sync | sync);
    }

    fn write(&mut self) {
        match self.try_write() {
            Ok(()) => {
                self.len += self.unwritten.len() as u64;
                (self.new, self.sync) = (self.new && !self.sync, false);
                self.unwritten = Vec::new();
                *lock(&self.recorded) = Recorded { upto: self.upto, off: None };
            }
            Err(e) => {
                let why = format!("{}: {}", self.path.display(), words(&e));
                let before = lock(&self.recorded).off.replace(why.clone());
                if before.is_none() {
                    tracing::warn!(why, "not recorded");
                }
            }
        }
    }

    /// Writes all that waits, behind what is known to hold: what an earlier try left there is cut first.
    fn try_write(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() != self.len {
            self.file.set_len(self.len)?;
        }
        self.file.write_all(&self.unwritten)?;
        if self.sync {
            self.file.sync_data()?;
            if self.new
                && let Some(dir) = self.path.parent()
            {
                File::open(dir)?.sync_all()?;
            }
        }
        Ok(())
    }
}

fn add_seen(path: &Path, lines: &[u8], newest: Time) -> io::Result<()> {
    let mut file = open_options().open(path)?;
    file.write_all(lines)?;
    if file.metadata()?.len() <= seen::MOST_SEEN {
        return Ok(());
    }
    let kept = seen::thin(BufReader::new(File::open(path)?), newest, seen::MOST_SEEN as usize / 2)?;
    let next = path.with_extension("seen-next");
    fs::write(&next, kept)?;
    fs::rename(&next, path)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn back(file: File, path: &Path) -> Back {
        let recorded = Arc::default();
        let path = path.to_path_buf();
        Back { file, path, len: 0, new: true, unwritten: Vec::new(), given_up: false, upto: 0, sync: false, recorded }
    }

    #[test]
    fn a_full_disk_is_said_and_nothing_is_lost_when_it_has_room_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut back = back(OpenOptions::new().write(true).open("/dev/full").unwrap(), &path);
        back.take(b"one\n", 1, true);
        back.write();
        assert_eq!(*lock(&back.recorded), Recorded { upto: 0, off: Some(format!("{}: disk full", path.display())) });
        // What a half-finished try may have left behind.
        fs::write(&path, "on").unwrap();
        back.file = open_options().open(&path).unwrap();
        back.take(b"two\n", 2, true);
        back.write();
        assert_eq!(*lock(&back.recorded), Recorded { upto: 2, off: None });
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_disk_that_takes_nothing_costs_a_bounded_amount_of_memory_and_never_a_hole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut back = back(OpenOptions::new().write(true).open("/dev/full").unwrap(), &path);
        for seq in 1..=20 {
            back.take(&[b'x'; 1 << 20], seq, true);
            back.write();
            assert!(back.unwritten.len() <= MOST_UNWRITTEN);
        }
        back.file = open_options().open(&path).unwrap();
        back.take(b"later\n", 21, true);
        assert!(back.unwritten.is_empty());
        assert_eq!(lock(&back.recorded).upto, 0);
        assert!(lock(&back.recorded).off.is_some());
    }
}
