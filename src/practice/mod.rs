//! Practice: scenarios, and the fleet that opens when nobody names one.
//!
//! Reads what a scenario is; never looks at a screen or a clock. Known weakness: a scenario is a story with faults so far;
//! whether a person flew it well is not judged.

mod scenario;

pub use scenario::{SCENARIOS, Scenario};
