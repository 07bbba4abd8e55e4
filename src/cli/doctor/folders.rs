//! Whether the folders can be written.

use super::Finding;
use crate::settings::Folders;
use std::fs::{self, OpenOptions};
use std::path::Path;

const AREA: &str = "folders";

/// Looks at each folder; those that flightdeck writes to are made.
pub(super) fn look(folders: &Folders) -> Vec<Finding> {
    let config = folders.config.display().to_string();
    let reads = if folders.config.exists() { config } else { format!("{config} (not there, and it need not be)") };
    vec![
        Finding::ok(AREA, "configuration", reads),
        writes(
            "logs of rollouts",
            &folders.rollouts(),
            "rollouts go on and are \"not recorded\": make it writable, or set FLIGHTDECK_DATA",
        ),
        writes("program log", &folders.state, "there is no program log: make it writable, or set FLIGHTDECK_DATA"),
    ]
}

fn writes(name: &str, folder: &Path, otherwise: &str) -> Finding {
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    let tried = fs::create_dir_all(folder).and_then(|()| OpenOptions::new().write(true).create_new(true).open(&probe));
    let _ = fs::remove_file(&probe);
    match tried {
        Ok(_) => Finding::ok(AREA, name, folder.display().to_string()),
        Err(e) => Finding::look(AREA, name, format!("{}: {e}", folder.display()), otherwise),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_made_is_said_with_what_follows() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let folders = Folders::find(Some(&dir.path().join("file"))).unwrap();
        let all = look(&folders);
        assert_eq!(all.iter().map(|finding| finding.state).collect::<Vec<_>>(), [State::Ok, State::Look, State::Look]);
        assert!(all[1].remedy.as_ref().unwrap().contains("not recorded"));
        let good = look(&Folders::find(Some(dir.path())).unwrap());
        assert!(good.iter().all(|finding| finding.state == State::Ok), "{good:?}");
        assert_eq!(fs::read_dir(dir.path().join("rollouts")).unwrap().count(), 0, "nothing is left behind");
    }
}
