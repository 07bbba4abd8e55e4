//! What was counted of one workload: the last minutes interval by interval, the last hour in chart points.
//!
//! Every buffer here has a bound. Known weakness: a chart point that spans a change of interval length takes each interval
//! whole, by its end.

use super::{Curves, DOT, Dot, SideView};
use crate::fleet::{Counts, Sample, Series};
use crate::units::{Percent, Revision, Span, Time};
use std::collections::BTreeMap;

/// Intervals kept: 10 minutes of whole seconds.
const RECENT: usize = 600;
/// Chart points kept: an hour.
const DOTS: usize = 720;
/// Revisions with chart points; the one that was silent longest goes first.
const REVISIONS: usize = 4;
/// Load and shares are averaged over this: requests come at random.
pub(super) const SMOOTH: Span = Span::secs(10);

/// The counts of one workload.
#[derive(Debug)]
pub(super) struct Track {
    recent: Series<Sample>,
    dots: BTreeMap<Revision, Series<Dot>>,
    open: (i64, BTreeMap<Revision, Counts>),
}

impl Default for Track {
    fn default() -> Track {
        Track { recent: Series::new(RECENT), dots: BTreeMap::new(), open: (0, BTreeMap::new()) }
    }
}

impl Track {
    /// Takes in what was counted before a restart: for the curves alone. A verdict counts from what this process saw.
    pub fn recall(&mut self, sample: &Sample) {
        self.dot(sample);
    }

    pub fn push(&mut self, sample: Sample) {
        self.dot(&sample);
        self.recent.push(sample.at, sample);
    }

    fn dot(&mut self, sample: &Sample) {
        let slot = (sample.at.0 - 1).div_euclid(DOT.0 as i64);
        if slot != self.open.0 {
            self.close_dot();
            self.open.0 = slot;
        }
        for (revision, counts) in &sample.counts {
            self.open.1.entry(revision.clone()).or_default().add(counts);
        }
    }

    fn close_dot(&mut self) {
        let end = Time((self.open.0 + 1) * DOT.0 as i64);
        for (revision, counts) in std::mem::take(&mut self.open.1) {
            let dot = Dot { requests: counts.requests, errors: counts.errors, p99: counts.quantile(0.99) };
            self.dots.entry(revision).or_insert_with(|| Series::new(DOTS)).push(end, dot);
        }
        while self.dots.len() > REVISIONS {
            let oldest = self.dots.iter().min_by_key(|(_, s)| s.last().map(|(at, _)| *at)).map(|(r, _)| r.clone());
            let Some(oldest) = oldest else { break };
            self.dots.remove(&oldest);
        }
    }

    /// The last whole interval: what one revision did in it.
    pub fn last(&self, revision: &Revision) -> Option<(Time, Span, Counts)> {
        let (at, sample) = self.recent.last()?;
        Some((*at, sample.span, sample.of(revision)?.clone()))
    }

    /// When the last interval ended.
    pub fn upto(&self) -> Option<Time> {
        self.recent.last().map(|(at, _)| *at)
    }

    /// How long the last interval was.
    pub fn last_span(&self) -> Option<Span> {
        self.recent.last().map(|(_, sample)| sample.span)
    }

    /// What one revision did in the intervals that lie wholly in `from..to`, and how long those were together.
    pub fn between(&self, revision: &Revision, from: Time, to: Time) -> (Counts, Span) {
        let mut sum = (Counts::default(), Span::ZERO);
        for (at, sample) in self.recent.between(from, to) {
            if *at - sample.span >= from
                && let Some(counts) = sample.of(revision)
            {
                sum.0.add(counts);
                sum.1 = sum.1 + sample.span;
            }
        }
        sum
    }

    /// Requests per second of all revisions, averaged; `None` when nothing was counted.
    pub fn load(&self, now: Time, over: Span) -> Option<f64> {
        let (mut requests, mut span) = (0.0, Span::ZERO);
        for (_, sample) in self.recent.between(now - over, now) {
            requests += sample.counts.iter().map(|(_, c)| c.requests).sum::<f64>();
            span = span + sample.span;
        }
        (span > Span::ZERO).then(|| requests / span.as_secs_f64())
    }

    /// The share of requests that a revision got lately, in the intervals that lie wholly after `since`, its last change;
    /// before there are any, what it was. `None` without requests.
    pub fn share(&self, revision: &Revision, since: Option<Time>, now: Time) -> Option<Percent> {
        let (mut mine, mut all, mut changed) = (0.0, 0.0, false);
        for (at, sample) in self.recent.between(now - SMOOTH, now) {
            if !changed && since.is_some_and(|since| *at - sample.span >= since) {
                (mine, all, changed) = (0.0, 0.0, true);
            }
            all += sample.counts.iter().map(|(_, c)| c.requests).sum::<f64>();
            mine += sample.of(revision).map_or(0.0, |c| c.requests);
        }
        (all > 0.0).then(|| Percent::from_share(mine / all))
    }

    /// Whether an interval that began after a time was counted.
    pub fn counted_since(&self, since: Time) -> bool {
        self.recent.between(since, Time(i64::MAX)).any(|(at, sample)| *at - sample.span >= since)
    }

    /// All revisions together, in the intervals of a time.
    pub fn total(&self, from: Time, to: Time) -> (Counts, Span) {
        let mut sum = (Counts::default(), Span::ZERO);
        for (_, sample) in self.recent.between(from, to) {
            sample.counts.iter().for_each(|(_, c)| sum.0.add(c));
            sum.1 = sum.1 + sample.span;
        }
        sum
    }

    /// Every interval after a time: its end, what the given revision got and what failed of all, and all requests.
    pub fn each(&self, revision: &Revision, from: Time) -> impl Iterator<Item = (Time, f64, f64, f64)> {
        self.recent.between(from, Time(i64::MAX)).map(|(at, s)| {
            let (all, failed) = s.counts.iter().fold((0.0, 0.0), |(a, f), (_, c)| (a + c.requests, f + c.errors));
            (*at, s.of(revision).map_or(0.0, |c| c.requests), failed, all)
        })
    }

    /// The chart points of two revisions.
    pub fn curves(&self, old: &Revision, new: Option<&Revision>) -> Curves {
        let of = |r: &Revision| self.dots.get(r).map(|s| s.iter().copied().collect()).unwrap_or_default();
        Curves { old: of(old), new: new.map(of).unwrap_or_default() }
    }
}

/// Counts as shown.
pub(super) fn side(counts: &Counts, span: Span) -> SideView {
    let secs = span.as_secs_f64();
    let quantiles = || Some([counts.quantile(0.5)?, counts.quantile(0.95)?, counts.quantile(0.99)?]);
    SideView {
        load: (secs > 0.0).then(|| counts.requests / secs),
        requests: counts.requests,
        errors: counts.errors,
        rate: counts.rate(),
        latency: quantiles(),
    }
}

/// The curves of several legs as one: dots of the same time are added; p99 is the worst leg's.
pub(super) fn together(all: &[&Curves]) -> Curves {
    let add = |pick: fn(&Curves) -> &Vec<(Time, Dot)>| {
        let mut sum: BTreeMap<Time, Dot> = BTreeMap::new();
        for (at, dot) in all.iter().flat_map(|c| pick(c)) {
            let into = sum.entry(*at).or_default();
            into.requests += dot.requests;
            into.errors += dot.errors;
            into.p99 = match (into.p99, dot.p99) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        }
        sum.into_iter().collect()
    };
    Curves { old: add(|c| &c.old), new: add(|c| &c.new) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::WorkloadId;

    fn sample(at: i64, old: f64, new: f64) -> Sample {
        let id = WorkloadId { region: "r".into(), namespace: "n".into(), kind: "Deployment".into(), name: "x".into() };
        let counts = |n| Counts { requests: n, errors: 0.0, latency: None };
        Sample { workload: id, at: Time(at), span: Span(1000), counts: vec![("a".into(), counts(old)), ("b".into(), counts(new))] }
    }

    #[test]
    fn shares_and_load_are_averaged_over_ten_seconds() {
        let mut track = Track::default();
        (1..=20).for_each(|s| track.push(sample(s * 1000, 90.0, 10.0)));
        assert_eq!(track.share(&"b".into(), None, Time(20_000)), Some(Percent::whole(10)));
        assert_eq!(track.load(Time(20_000), SMOOTH), Some(100.0));
        assert_eq!(track.between(&"b".into(), Time(10_000), Time(20_000)).0.requests, 100.0);
    }

    #[test]
    fn a_share_counts_from_its_last_change_as_soon_as_a_whole_interval_does() {
        let mut track = Track::default();
        (1..=20).for_each(|s| track.push(sample(s * 1000, 90.0, 10.0)));
        let share = |track: &Track, now| track.share(&"b".into(), Some(Time(20_300)), Time(now));
        track.push(sample(21_000, 97.0, 3.0));
        assert!(share(&track, 21_000) > Some(Percent::whole(8)), "this interval had both weights");
        track.push(sample(22_000, 100.0, 0.0));
        assert_eq!(share(&track, 22_000), Some(Percent::ZERO));
    }

    #[test]
    fn a_dot_has_the_five_intervals_that_end_in_it() {
        let mut track = Track::default();
        (1..=11).for_each(|s| track.push(sample(s * 1000, 1.0, 0.0)));
        let curves = track.curves(&"a".into(), None);
        assert_eq!(curves.old.iter().map(|(at, d)| (at.0, d.requests)).collect::<Vec<_>>(), [(5_000, 5.0), (10_000, 5.0)]);
    }
}
