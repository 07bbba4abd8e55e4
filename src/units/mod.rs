//! What everything is measured in and named by: time, spans, shares, ids, people, and the one error.
//!
//! Knows nothing of fleets, files or screens. Known weakness: the ids are plain text inside, so two of the same type
//! from different fleets compare by their text alone.

mod clean;
mod count;
mod ids;
pub mod json;
mod percent;
mod time;
mod trouble;
pub mod written;
pub mod yaml;

pub use clean::clean;
pub use count::count;
pub use ids::{ClusterId, LegId, Namespace, Person, Region, Revision, RolloutId, Service, Term, Version, WorkloadId};
pub use percent::Percent;
pub use time::{Span, Time};
pub use trouble::{Kind, Place, Trouble};
