//! Where a workload's counts come from, what was asked for them, and why there are none.

use super::Side;
use crate::units::Time;
use serde::{Deserialize, Serialize};

/// How the last interval came out at a Prometheus. None of them is a zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metered {
    /// Counted.
    Counted,
    /// A query gives no series.
    Empty,
    /// A query gives no number.
    NotANumber,
    /// A query was refused, or not answered in time.
    Failed,
    /// Nothing that is known by name has series for these pods.
    NoMetrics,
}

impl Metered {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Metered::Counted => "counted",
            Metered::Empty => "empty",
            Metered::NotANumber => "not a number",
            Metered::Failed => "error",
            Metered::NoMetrics => "no metrics",
        }
    }
}

/// One query as it was sent, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedQuery {
    /// `requests`, `errors`, `latency`.
    pub what: String,
    /// For which side.
    pub side: Side,
    /// The query.
    pub query: String,
    /// What came back, in words: `1204`, `no series`.
    pub says: String,
}

/// What a Prometheus said of a workload's last interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsSeen {
    /// When it was asked.
    pub at: Time,
    /// Which Prometheus, and which metrics of it: `monitoring/prometheus:9090, pods`.
    pub source: String,
    /// How it came out: the worst of both sides.
    pub state: Metered,
    /// Why there is no number, in words; its own words where it says something.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What was asked.
    pub queries: Vec<AskedQuery>,
}
