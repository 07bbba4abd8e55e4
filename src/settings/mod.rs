//! The settings: `config.yaml`, the folders on disk, which fleet is meant, and the program's own log.
//!
//! Knows no command, no key and no theme by itself: it hands on what was written, with its place, to those who do. Known
//! weakness: the settings are read once; a fleet that is added needs a new start.

mod choice;
mod folders;
mod program_log;
mod prometheus;
mod read;

pub use choice::{Asked, Destination, choose};
pub use folders::Folders;
pub use program_log::{ProgramLog, start_program_log};
pub use prometheus::{Auth, Metrics, Prometheus, PrometheusAt, SecretFrom};
pub use read::{load, parse};

use crate::fleet::{Protection, Role};
use crate::units::{Namespace, Place, Region, Span};
use serde::Serialize;

/// How long a rollback waits for a second thought where nothing else is written.
pub const GRACE: Span = Span(1500);

/// What `glyphs` can be.
pub const GLYPHS: [&str; 3] = ["braille", "block", "ascii"];

/// What `color` can be.
pub const COLORS: [&str; 5] = ["auto", "always", "never", "16", "256"];

/// All settings. Every one is optional in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The fleets, in the order of the file.
    pub fleets: Vec<FleetSettings>,
    /// A theme's name or file.
    pub theme: Option<String>,
    /// One of [`GLYPHS`].
    pub glyphs: Option<String>,
    /// One of [`COLORS`].
    pub color: Option<String>,
    /// Keys that were changed.
    pub keys: Vec<KeySettings>,
    /// Whether the mouse works.
    pub mouse: bool,
    /// Whether a rollout that starts to fail rings the bell.
    pub bell: bool,
    /// Whether countdowns go in steps.
    pub reduce_motion: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { fleets: vec![], theme: None, glyphs: None, color: None, keys: vec![], mouse: true, bell: true, reduce_motion: false }
    }
}

/// The keys of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// The command's name, as written.
    pub command: String,
    /// Its keys, as written. None: it has no key any more.
    pub keys: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// A named set of regions with one protection and one grace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetSettings {
    /// Its name.
    pub name: String,
    /// Whether launching and promoting need arming.
    pub protection: Protection,
    /// How long a rollback waits for a second thought, in hand time.
    #[serde(rename = "graceSeconds")]
    pub grace: Span,
    /// Its regions, one at least.
    pub regions: Vec<RegionSettings>,
}

/// One region: a context and its namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionSettings {
    /// Its name.
    pub name: Region,
    /// What it is for.
    pub role: Role,
    /// The kubeconfig's context; where none is written, the one with the region's name.
    pub context: String,
    /// Where to look. Empty: everywhere.
    pub namespaces: Vec<Namespace>,
    /// Where its numbers are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,
}

impl FleetSettings {
    /// A real fleet of one region that is named after its context; safe.
    pub fn of_context(context: &str) -> FleetSettings {
        let region = RegionSettings {
            name: Region::new(context),
            role: Role::Primary,
            context: context.into(),
            namespaces: vec![],
            prometheus: None,
        };
        FleetSettings { name: context.into(), protection: Protection::Safe, grace: GRACE, regions: vec![region] }
    }
}
