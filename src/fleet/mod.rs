//! The nouns: fleets, regions, workloads, revisions, splits, counts and series, and what is told about them.
//!
//! Knows no plan and no engine, no API and no screen. Known weakness: a workload row holds at most the revisions that have
//! pods or carry traffic, plus a few older ones to go back to; more history than that must be asked for.

mod counts;
mod fact;
mod metrics;
mod observed;
mod shared;
mod workload;

pub use counts::{Counts, Histogram, Sample, Series};
pub use fact::{Fact, Rights, WriteRight};
pub use metrics::{AskedQuery, Metered, MetricsSeen};
pub use observed::{BesideSeen, LegSeen, Observed, Reach, SideSeen};
pub use shared::{Hold, LeaseSeen, RecordOff, RecordSeen};
pub use workload::{
    Aspect, Automation, Beside, Divider, Divides, Division, Flight, Pods, Protection, RevisionSeen, Role, Side, Stuck, Way, Workload,
};
