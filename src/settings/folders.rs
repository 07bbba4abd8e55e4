//! Where things are on disk.

use crate::units::{Kind, Place, Trouble};
use directories::ProjectDirs;
use std::path::{Path, PathBuf};

/// The folders. None of them need exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// `config.yaml` and own themes.
    pub config: PathBuf,
    /// Logs of rollouts, and what was learned from them.
    pub data: PathBuf,
    /// The program's own log.
    pub state: PathBuf,
}

impl Folders {
    /// As the system has them; `data` (`FLIGHTDECK_DATA`) stands in for the data folder, with the state below it.
    pub fn find(data: Option<&Path>) -> Result<Folders, Trouble> {
        let Some(system) = ProjectDirs::from("", "", "flightdeck") else {
            let remedy = "set HOME";
            return Err(Trouble::new(Kind::Internal, Place::named("home directory"), "there is none", remedy));
        };
        let config = system.config_dir().to_path_buf();
        Ok(match data {
            Some(data) => Folders { config, data: data.into(), state: data.join("state") },
            None => {
                let state = system.state_dir().unwrap_or_else(|| system.data_local_dir()).to_path_buf();
                Folders { config, data: system.data_dir().to_path_buf(), state }
            }
        })
    }

    /// The settings that are read when no others are named.
    pub fn settings(&self) -> PathBuf {
        self.config.join("config.yaml")
    }

    /// The logs of real rollouts.
    pub fn rollouts(&self) -> PathBuf {
        self.data.join("rollouts")
    }

    /// The logs of practice. They are kept apart: a name that is looked for on a real fleet must never find them.
    pub fn practice(&self) -> PathBuf {
        self.data.join("practice")
    }

    /// What tells this flightdeck from the same person's others.
    pub fn driver(&self) -> PathBuf {
        self.data.join("driver")
    }

    /// Which versions were seen healthy.
    pub fn healthy(&self) -> PathBuf {
        self.data.join("healthy.json")
    }
}
