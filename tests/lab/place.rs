//! Where things are: the cache folder with the programs, and the folder and network namespace of each lab.
//!
//! It knows names and paths, never what runs there.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use color_eyre::eyre::{OptionExt, Result, bail};

/// As many clusters as a lab may have: each has the addresses 10.77.x.y, 10.78.x.y and so on.
pub const CLUSTERS: u8 = 9;

/// A cluster of a lab. A lab has its own network namespace, folder and processes, apart from every other lab; its clusters share the
/// network.
#[derive(Clone, Debug)]
pub struct Place {
    pub name: String,
    /// Which cluster of the lab, from 0.
    pub cluster: u8,
    /// State, credentials, logs and recorded pids.
    pub directory: PathBuf,
}

impl Place {
    /// The first cluster of a lab.
    pub fn named(name: &str) -> Result<Self> {
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if name.is_empty() || name.len() > 40 || !plain || name.starts_with('-') {
            bail!("a lab's name has up to 40 small letters, digits and dashes: {name:?}");
        }
        Ok(Self { name: name.to_owned(), cluster: 0, directory: cache()?.join("run").join(name) })
    }

    /// Another cluster of the same lab, asked of its first one.
    pub fn cluster(&self, cluster: u8) -> Self {
        let directory = if cluster == 0 { self.directory.clone() } else { self.directory.join(format!("cluster-{cluster}")) };
        Self { name: self.name.clone(), cluster, directory }
    }

    /// All clusters that have a folder, asked of the first one.
    pub fn clusters(&self) -> Vec<Self> {
        (0..CLUSTERS).map(|cluster| self.cluster(cluster)).filter(|place| place.directory.exists()).collect()
    }

    /// The name of the cluster, its user and its context in kubeconfigs: the lab's, with the cluster's number after the first.
    pub fn context(&self) -> String {
        if self.cluster == 0 { self.name.clone() } else { format!("{}-{}", self.name, self.cluster) }
    }

    /// An address of the cluster; its pods have those from `(1, 2)` upwards.
    pub fn address(&self, third: u8, fourth: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77 + self.cluster, third, fourth)
    }

    /// Where its API server listens, as etcd and the controller manager do.
    pub fn api_address(&self) -> Ipv4Addr {
        self.address(0, 1)
    }

    /// The lab's network namespace's name, as in `ip netns list`.
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
