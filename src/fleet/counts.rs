//! Requests, errors and latency, counted per side over whole intervals, and bounded series of them.

use crate::units::json::exact;
use crate::units::{Revision, Span, Time, WorkloadId};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many requests were at most how slow: counts per bucket, not cumulative.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper edges in milliseconds, rising; the bucket after the last edge is open.
    pub edges: Vec<f64>,
    /// One count per edge, and one more for the open bucket.
    pub counts: Vec<f64>,
}

impl Histogram {
    /// The quantile `q` in milliseconds as Prometheus' `histogram_quantile`: linear inside the bucket, the highest edge for the open one.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total: f64 = self.counts.iter().sum();
        let last = *self.edges.last()?;
        if total <= 0.0 {
            return None;
        }
        let rank = q * total;
        let (mut below, mut low) = (0.0, 0.0);
        for (edge, count) in self.edges.iter().zip(&self.counts) {
            if below + count >= rank && *count > 0.0 {
                return Some(low + (edge - low) * ((rank - below) / count).clamp(0.0, 1.0));
            }
            (below, low) = (below + count, *edge);
        }
        Some(last)
    }
    /// Adds another one with the same edges; with other edges nothing is added, since buckets cannot be compared.
    pub fn add(&mut self, other: &Histogram) {
        if self.edges.is_empty() {
            *self = other.clone();
        } else if self.edges == other.edges {
            self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        }
    }
}

/// What one side did in one interval. Counts may be fractional (Prometheus extrapolates).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests answered.
    #[serde(serialize_with = "exact")]
    pub requests: f64,
    /// Of those, failed.
    #[serde(serialize_with = "exact")]
    pub errors: f64,
    /// How slow they were, where it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Histogram>,
}

impl Counts {
    /// Errors per request; `None` without requests, since that is not zero.
    pub fn rate(&self) -> Option<f64> {
        (self.requests > 0.0).then(|| (self.errors / self.requests).clamp(0.0, 1.0))
    }
    /// The latency that a share `q` of the requests stays under, in milliseconds.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.latency.as_ref()?.quantile(q)
    }
    /// Adds what another interval or region counted.
    pub fn add(&mut self, other: &Counts) {
        self.requests += other.requests;
        self.errors += other.errors;
        if let Some(theirs) = &other.latency {
            self.latency.get_or_insert_default().add(theirs);
        }
    }
}

/// What a workload's revisions did in one whole interval. A revision that is missing was not measured; one with 0 requests was idle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Of which workload.
    pub workload: WorkloadId,
    /// When the interval ended.
    pub at: Time,
    /// How long it was.
    #[serde(rename = "spanSeconds")]
    pub span: Span,
    /// Per revision.
    pub counts: Vec<(Revision, Counts)>,
}

impl Sample {
    /// What one revision did.
    pub fn of(&self, revision: &Revision) -> Option<&Counts> {
        self.counts.iter().find(|(r, _)| r == revision).map(|(_, c)| c)
    }
}

/// A bounded run of values in time order; where there is no value there is a gap, and nothing bridges it.
#[derive(Clone, Debug, PartialEq)]
pub struct Series<T> {
    most: usize,
    points: VecDeque<(Time, T)>,
}

impl<T> Series<T> {
    /// A series that keeps the newest `most` values.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), points: VecDeque::new() }
    }
    /// Adds a value; one that is not newer than the last is dropped.
    pub fn push(&mut self, at: Time, value: T) {
        if self.points.back().is_some_and(|(last, _)| *last >= at) {
            return;
        }
        if self.points.len() == self.most {
            self.points.pop_front();
        }
        self.points.push_back((at, value));
    }
    /// All values, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &(Time, T)> + ExactSizeIterator {
        self.points.iter()
    }
    /// The values after `from`, up to and with `to`, oldest first.
    pub fn between(&self, from: Time, to: Time) -> impl DoubleEndedIterator<Item = &(Time, T)> {
        let first = self.points.partition_point(|(at, _)| *at <= from);
        let last = self.points.partition_point(|(at, _)| *at <= to);
        self.points.range(first..last.max(first))
    }
    /// The newest value.
    pub fn last(&self) -> Option<&(Time, T)> {
        self.points.back()
    }
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_inside_a_bucket() {
        let h = Histogram { edges: vec![100.0, 200.0], counts: vec![50.0, 50.0, 0.0] };
        assert_eq!(h.quantile(0.5), Some(100.0));
        assert_eq!(h.quantile(0.75), Some(150.0));
        assert_eq!(Histogram { edges: vec![1.0], counts: vec![0.0, 0.0] }.quantile(0.5), None);
    }

    #[test]
    fn a_series_keeps_the_newest_and_drops_the_late() {
        let mut s = Series::new(2);
        for t in [1, 2, 2, 3] {
            s.push(Time(t), t);
        }
        assert_eq!(s.iter().map(|(_, v)| *v).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(s.between(Time(2), Time(9)).count(), 1);
    }
}
