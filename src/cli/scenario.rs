//! The scenarios of practice, by name or from a file.

use crate::practice::{SCENARIOS, Scenario};
use crate::units::{Kind, Place, Trouble, yaml};
use std::fs::File;

/// The scenario with this name, else in this file; without a name the free flight. A seed from the command line wins.
pub fn find(name: Option<&str>, seed: Option<u64>) -> Result<Scenario, Vec<Trouble>> {
    let Some(name) = name else { return Ok(Scenario::free(seed.unwrap_or(super::flight::SEED))) };
    let written = match SCENARIOS.iter().find(|(built_in, _)| *built_in == name) {
        Some((name, text)) => yaml::parse(name, text.as_bytes()),
        None => match File::open(name) {
            Ok(file) => yaml::read(name, file),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let names: Vec<&str> = SCENARIOS.iter().map(|(n, _)| *n).collect();
                let remedy = format!("name a file, or one of {}", names.join(", "));
                return Err(vec![Trouble::new(Kind::Usage, Place::named("--scenario"), format!("there is no scenario `{name}`"), remedy)]);
            }
            Err(e) => yaml::unreadable(name, &e),
        },
    };
    let mut scenario = Scenario::read(written)?;
    if let Some(seed) = seed {
        scenario.seed = seed;
    }
    Ok(scenario)
}
