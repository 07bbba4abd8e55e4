//! Numbers to verdicts: thresholds and the interval for a difference of rates.
//!
//! Knows no plan, no clock and no source of numbers. Known weakness: a threshold cannot tell a bad version from a bad minute
//! that hits both versions; it says `both sick` then and leaves the decision to a person.

mod interval;
mod threshold;
mod verdict;

pub use interval::{Interval, difference, wilson};
pub use threshold::{Reading, Threshold, check};
pub use verdict::{Look, Verdict};
