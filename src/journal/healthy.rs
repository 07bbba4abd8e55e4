//! Which versions a flightdeck here saw complete and under their limit for long enough, per workload: where `R` may go back to.
//!
//! A small file beside the logs, replaced as a whole. What two flightdecks note at the same moment may lose one note; it is
//! noted again the next time.

use crate::units::{Kind, Place, Revision, Time, Trouble, WorkloadId};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// So many revisions of a workload are remembered, and so many workloads; the oldest go first.
const MOST_REVISIONS: usize = 8;
const MOST_WORKLOADS: usize = 4096;
/// A file longer than this is none of ours.
const MOST_BYTES: u64 = 16 << 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    fleet: String,
    workload: WorkloadId,
    /// Newest first.
    revisions: Vec<(Revision, Time)>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Notes {
    v: u32,
    /// Newest first.
    workloads: Vec<Note>,
}

/// The notes in one file.
#[derive(Debug)]
pub struct SeenHealthy {
    path: PathBuf,
    notes: Notes,
}

impl SeenHealthy {
    /// Reads the notes. Without a file there are none; with one that cannot be read there are none either, and why.
    pub fn open(path: impl Into<PathBuf>) -> (SeenHealthy, Option<Trouble>) {
        let path = path.into();
        let (notes, trouble) = match load(&path) {
            Ok(notes) => (notes, None),
            Err(cause) => {
                let place = Place::named(path.display().to_string());
                let remedy = "what it knew is forgotten, and it is written anew; or move it away";
                (Notes::default(), Some(Trouble::new(Kind::Document, place, cause, remedy)))
            }
        };
        (SeenHealthy { path, notes }, trouble)
    }

    /// The revisions of a workload that were seen healthy, newest first.
    pub fn of(&self, fleet: &str, workload: &WorkloadId) -> impl Iterator<Item = &Revision> {
        let note = self.notes.workloads.iter().find(|n| n.fleet == fleet && n.workload == *workload);
        note.into_iter().flat_map(|n| n.revisions.iter().map(|(revision, _)| revision))
    }

    /// Notes that a revision was seen healthy, and writes the file, with what others have written to it since.
    pub fn note(&mut self, fleet: &str, workload: &WorkloadId, revision: &Revision, at: Time) -> Result<(), Trouble> {
        if let Ok(theirs) = load(&self.path) {
            self.notes = theirs;
        }
        let all = &mut self.notes.workloads;
        let known = all.iter().position(|n| n.fleet == fleet && n.workload == *workload).map(|i| all.remove(i));
        let mut note = known.unwrap_or_else(|| Note { fleet: fleet.into(), workload: workload.clone(), revisions: Vec::new() });
        note.revisions.retain(|(r, _)| r != revision);
        note.revisions.insert(0, (revision.clone(), at));
        note.revisions.truncate(MOST_REVISIONS);
        all.insert(0, note);
        all.truncate(MOST_WORKLOADS);
        self.notes.v = super::VERSION;
        save(&self.path, &self.notes).map_err(|e| {
            Trouble::new(Kind::Internal, Place::named(self.path.display().to_string()), format!("it cannot be written: {e}"), "")
        })
    }
}

fn load(path: &Path) -> Result<Notes, String> {
    let mut text = Vec::new();
    match fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Notes::default()),
        Err(e) => return Err(format!("it cannot be read: {e}")),
    }
    let notes: Notes = serde_json::from_slice(&text).map_err(|e| format!("it is not what flightdeck wrote: {e}"))?;
    if notes.v > super::VERSION {
        return Err(format!("it has format {}, and this flightdeck reads up to {}", notes.v, super::VERSION));
    }
    Ok(notes)
}

fn save(path: &Path, notes: &Notes) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let next = path.with_extension("next");
    fs::write(&next, serde_json::to_vec(notes)?)?;
    fs::rename(&next, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Namespace, Region};

    fn workload(name: &str) -> WorkloadId {
        WorkloadId { region: Region::new("eu"), namespace: Namespace::new("shop"), kind: "Deployment".into(), name: name.into() }
    }

    fn names(notes: &SeenHealthy, name: &str) -> Vec<String> {
        notes.of("prod", &workload(name)).map(ToString::to_string).collect()
    }

    #[test]
    fn what_two_flightdecks_note_in_turn_is_all_there_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/healthy.json");
        let (mut a, none) = SeenHealthy::open(&path);
        let (mut b, _) = SeenHealthy::open(&path);
        assert_eq!(none, None);
        a.note("prod", &workload("order"), &Revision::new("v1"), Time(1)).unwrap();
        b.note("prod", &workload("order"), &Revision::new("v2"), Time(2)).unwrap();
        a.note("prod", &workload("order"), &Revision::new("v1"), Time(3)).unwrap();
        let (read, _) = SeenHealthy::open(&path);
        assert_eq!(names(&read, "order"), ["v1", "v2"]);
        assert!(names(&read, "search").is_empty());
    }

    #[test]
    fn it_remembers_a_bounded_number_of_revisions() {
        let dir = tempfile::tempdir().unwrap();
        let (mut notes, _) = SeenHealthy::open(dir.path().join("healthy.json"));
        for n in 0..20 {
            notes.note("prod", &workload("order"), &Revision::new(format!("v{n}")), Time(n)).unwrap();
        }
        assert_eq!(names(&notes, "order").len(), MOST_REVISIONS);
        assert_eq!(names(&notes, "order")[0], "v19");
    }

    #[test]
    fn a_file_that_is_not_ours_is_said_and_a_newer_one_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("healthy.json");
        fs::write(&path, "[]").unwrap();
        assert!(SeenHealthy::open(&path).1.unwrap().cause.starts_with("it is not what flightdeck wrote"));
        fs::write(&path, r#"{"v":2,"workloads":[]}"#).unwrap();
        assert_eq!(SeenHealthy::open(&path).1.unwrap().cause, "it has format 2, and this flightdeck reads up to 1");
    }
}
