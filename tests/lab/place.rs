//! Where things are: the cache folder with the programs, and the folder and network namespace of each lab.
//!
//! It knows names and paths, never what runs there.

use std::path::{Path, PathBuf};

use color_eyre::eyre::{OptionExt, Result, bail};

/// A lab by its name: its own network namespace, folder and processes, apart from every other lab.
#[derive(Clone, Debug)]
pub struct Place {
    pub name: String,
    /// State, credentials, logs and recorded pids.
    pub directory: PathBuf,
}

impl Place {
    pub fn named(name: &str) -> Result<Self> {
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if name.is_empty() || name.len() > 40 || !plain || name.starts_with('-') {
            bail!("a lab's name has up to 40 small letters, digits and dashes: {name:?}");
        }
        Ok(Self { name: name.to_owned(), directory: cache()?.join("run").join(name) })
    }

    /// The network namespace's name, as in `ip netns list`.
    pub fn network(&self) -> String {
        format!("flightdeck-{}", self.name)
    }

    /// The file that stands for the network namespace.
    pub fn network_file(&self) -> PathBuf {
        Path::new("/run/netns").join(self.network())
    }

    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.directory.join(format!("kubeconfig.{user}"))
    }

    pub fn log(&self, program: &str) -> PathBuf {
        self.directory.join(format!("{program}.log"))
    }

    pub fn pid(&self, program: &str) -> PathBuf {
        self.directory.join(format!("{program}.pid"))
    }
}

/// `flightdeck-lab` in the user's cache folder.
pub fn cache() -> Result<PathBuf> {
    let base = directories::BaseDirs::new().ok_or_eyre("no home folder: set HOME")?;
    Ok(base.cache_dir().join("flightdeck-lab"))
}
