//! The scenarios of practice, by name or from a file.

use crate::practice::Scenario;
use crate::units::{Kind, Place, Trouble, yaml};
use std::fs::File;

/// Those that come with flightdeck.
const BUILT_IN: [(&str, &str); 6] = [
    ("healthy", include_str!("../../scenarios/healthy.yaml")),
    ("error-burst-at-15", include_str!("../../scenarios/error-burst-at-15.yaml")),
    ("bad-image", include_str!("../../scenarios/bad-image.yaml")),
    ("slow-version", include_str!("../../scenarios/slow-version.yaml")),
    ("capacity-hole", include_str!("../../scenarios/capacity-hole.yaml")),
    ("lost-region", include_str!("../../scenarios/lost-region.yaml")),
];

/// The scenario with this name, else in this file; without a name the free flight. A seed from the command line wins.
pub fn find(name: Option<&str>, seed: Option<u64>) -> Result<Scenario, Vec<Trouble>> {
    let Some(name) = name else { return Ok(Scenario::free(seed.unwrap_or(super::flight::SEED))) };
    let written = match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        Some((name, text)) => yaml::parse(name, text.as_bytes()),
        None => match File::open(name) {
            Ok(file) => yaml::read(name, file),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let names: Vec<&str> = BUILT_IN.iter().map(|(n, _)| *n).collect();
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
