//! The requests of one side: what arrives, what its pods can carry, and what is counted.
//!
//! Requests are never simulated one by one. Between two counts the expected numbers are summed up; a count then draws them.
//! A side that gets more than its pods can carry queues: latency rises first, and after `PATIENCE` requests time out.
//! Known weakness: a request is counted when it arrives, so a queue that drains after the traffic went counts nothing more.

use super::dice::Dice;
use crate::fleet::{Counts, Histogram};
use crate::units::Span;
use std::f64::consts::TAU;

/// Upper edges of the latency buckets in milliseconds.
pub(super) const EDGES: [f64; 22] = [
    5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 65.0, 80.0, 100.0, 125.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 750.0, 1000.0, 1500.0,
    2500.0, 5000.0,
];
const BUCKETS: usize = EDGES.len() + 1;
/// The bucket of requests that nobody answered in time.
const TIMED_OUT: usize = EDGES.len() - 1;
/// How long a user waits, in seconds.
const PATIENCE: f64 = 3.0;
/// Of the work that pods with a full queue do, the part done for users who have left.
const WASTED: f64 = 0.5;

/// How slow a service is: log-normal.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    log_median: f64,
    sigma: f64,
}

impl Latency {
    /// From its median and 99th percentile, in milliseconds.
    pub fn new(median: f64, p99: f64) -> Latency {
        Latency { log_median: median.ln(), sigma: (p99 / median).ln().max(0.01) / 2.326_347_9 }
    }
}

/// The day's wave: 1 at 09:00Z, 1.3 at 15:00Z, 0.7 at 03:00Z.
pub(super) fn wave(time: crate::units::Time) -> f64 {
    let hours = time.0.rem_euclid(86_400_000) as f64 / 3_600_000.0;
    1.0 + 0.3 * ((hours - 9.0) / 24.0 * TAU).sin()
}

/// The normal distribution function (Abramowitz and Stegun 26.2.17, error below 1e-7).
fn normal(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let poly = t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * z * z).exp() * 0.398_942_280_4 * poly;
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// What runs for a while: the traffic and what it meets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meets {
    /// Requests per second.
    pub arriving: f64,
    /// Requests per second that the ready pods can carry.
    pub capacity: f64,
    /// The part that goes to pods which are not there any more.
    pub lost: f64,
    /// The part that fails, of those that are served.
    pub errors: f64,
    /// How many times slower than usual.
    pub slow: f64,
}

/// Expected numbers since the last count.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    served: f64,
    failed: f64,
    /// Answered at once with an error: nobody there.
    refused: f64,
    timed_out: f64,
    /// Sums over what was served: times slower, and milliseconds in the queue.
    slow: f64,
    waited: f64,
}

/// Shares of the latency buckets, kept while factor and wait stay the same.
#[derive(Clone, Debug)]
struct Shape {
    factor: u32,
    wait: u32,
    shares: [f64; BUCKETS],
}

/// The traffic of one side.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    dice: Dice,
    backlog: f64,
    tally: Tally,
    shape: Shape,
}

impl Flow {
    pub fn new(dice: Dice) -> Flow {
        Flow { dice, backlog: 0.0, tally: Tally::default(), shape: Shape::NONE }
    }
    /// Whether requests wait in a queue.
    pub fn queues(&self) -> bool {
        self.backlog > 0.0
    }
    /// Whether anything arrived since the last count.
    pub fn is_idle(&self) -> bool {
        self.tally.served + self.tally.refused + self.tally.timed_out <= 0.0
    }

    /// Lets the traffic run.
    pub fn run(&mut self, time: Span, meets: &Meets) {
        let seconds = time.as_secs_f64();
        let mut arrived = meets.arriving * seconds;
        if arrived <= 0.0 && self.backlog <= 0.0 {
            return;
        }
        let tally = &mut self.tally;
        if meets.capacity <= 0.0 {
            tally.refused += arrived;
            self.backlog = 0.0;
            return;
        }
        tally.refused += arrived * meets.lost;
        arrived -= arrived * meets.lost;
        let can = meets.capacity * seconds;
        let full = meets.capacity * PATIENCE;
        self.backlog = (self.backlog + arrived - can).max(0.0);
        let over = (self.backlog - full).max(0.0);
        self.backlog -= over;
        let wasted = if self.backlog >= full { WASTED * can.min(arrived - over) } else { 0.0 };
        let served = (arrived - over - wasted).max(0.0);
        let load = (arrived / can).min(0.97);
        let factor = meets.slow * (1.0 + 0.5 * load.powi(8) / (1.0 - load));
        tally.timed_out += over + wasted;
        tally.served += served;
        tally.failed += served * meets.errors;
        tally.slow += served * factor;
        tally.waited += served * self.backlog / meets.capacity * 1000.0;
    }

    /// Counts what happened since the last count.
    pub fn count(&mut self, latency: &Latency) -> Counts {
        let tally = std::mem::take(&mut self.tally);
        if tally.served + tally.refused + tally.timed_out <= 0.0 {
            return Counts::default();
        }
        let mut counts = vec![0.0; BUCKETS];
        let mut errors = 0.0;
        let mut requests = 0.0;
        if tally.served > 0.0 {
            self.shape.fit(latency, tally.slow / tally.served, tally.waited / tally.served);
            for (count, share) in counts.iter_mut().zip(self.shape.shares) {
                *count = self.dice.poisson(tally.served * share);
                requests += *count;
            }
            errors = self.dice.binomial(requests, tally.failed / tally.served);
        }
        for (bucket, mean) in [(0, tally.refused), (TIMED_OUT, tally.timed_out)] {
            let n = self.dice.poisson(mean);
            counts[bucket] += n;
            requests += n;
            errors += n;
        }
        Counts { requests, errors, latency: Some(Histogram { edges: EDGES.to_vec(), counts }) }
    }
}

impl Shape {
    /// Fits no factor: they begin at 1.
    const NONE: Shape = Shape { factor: 0, wait: 0, shares: [0.0; BUCKETS] };

    /// For a service that is `factor` times slower and whose requests wait before they are served.
    fn fit(&mut self, latency: &Latency, factor: f64, wait: f64) {
        // Steps of half a percent and of a millisecond: finer than a histogram can show, and seldom new.
        let (factor, wait) = ((factor * 200.0).round() as u32, wait.round() as u32);
        if (self.factor, self.wait) == (factor, wait) {
            return;
        }
        (self.factor, self.wait) = (factor, wait);
        let median = latency.log_median + (f64::from(factor) / 200.0).ln();
        let mut below = 0.0;
        let upto = |edge: f64| {
            let served_in = edge - f64::from(wait);
            if served_in > 0.0 { normal((served_in.ln() - median) / latency.sigma) } else { 0.0 }
        };
        for (share, upto) in self.shares.iter_mut().zip(EDGES.into_iter().map(upto).chain([1.0])) {
            *share = upto - below;
            below = upto;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(seconds: u64, meets: Meets) -> Vec<Counts> {
        let mut flow = Flow::new(Dice::new(3, &["flow"]));
        let latency = Latency::new(44.0, 138.0);
        (0..seconds)
            .map(|_| {
                (0..10).for_each(|_| flow.run(Span(100), &meets));
                flow.count(&latency)
            })
            .collect()
    }
    const WELL: Meets = Meets { arriving: 150.0, capacity: 270.0, lost: 0.0, errors: 0.003, slow: 1.0 };

    #[test]
    fn requests_errors_and_latency_converge_to_what_is_configured() {
        let mut all = Counts::default();
        count(2000, WELL).iter().for_each(|c| all.add(c));
        assert!((all.requests / 2000.0 - 150.0).abs() < 1.0, "{}", all.requests / 2000.0);
        assert!((all.rate().unwrap() - 0.003).abs() < 0.000_4, "{:?}", all.rate());
        assert!((all.quantile(0.5).unwrap() - 44.0).abs() < 3.0, "{:?}", all.quantile(0.5));
        assert!((all.quantile(0.99).unwrap() - 138.0).abs() < 8.0, "{:?}", all.quantile(0.99));
    }

    #[test]
    fn too_much_for_the_pods_is_slow_first_and_fails_after_the_patience() {
        let seen = count(20, Meets { capacity: 100.0, ..WELL });
        assert!(seen[1].quantile(0.99).unwrap() > 500.0);
        assert!(seen[1].rate().unwrap() < 0.03);
        assert!(seen[15].rate().unwrap() > 0.4);
    }

    #[test]
    fn nobody_there_fails_at_once() {
        let seen = count(1, Meets { capacity: 0.0, ..WELL });
        assert_eq!(seen[0].rate(), Some(1.0));
        assert_eq!(seen[0].quantile(0.99).map(|ms| ms <= 5.0), Some(true));
    }

    #[test]
    fn idle_is_no_request_and_no_rate() {
        assert_eq!(count(1, Meets { arriving: 0.0, ..WELL })[0], Counts::default());
    }
}
