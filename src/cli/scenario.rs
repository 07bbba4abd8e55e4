//! The scenarios of practice, by name or from a file.

use crate::simulator::Incident;
use crate::units::Trouble;

/// What happens in practice: the update that somebody else always has under way, and what the scenario adds.
pub fn incidents(_name: Option<&str>) -> Result<Vec<Incident>, Vec<Trouble>> {
    Ok(vec![Incident::watched_rollout()])
}
