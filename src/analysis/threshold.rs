//! One look at counts of both sides against the operator's thresholds.
//!
//! Plain numbers in, a reading out. It is quick, knows nothing of what hits both sides but says when it does, and makes no
//! promise: with few requests one error more or less decides. Known weakness: a latency quantile is linear inside its bucket.

use super::interval::{Interval, difference};
use super::verdict::{Look, Verdict};
use crate::fleet::{Counts, Histogram};

/// When the new side has failed. Over means strictly over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// More failed requests than this part of one.
    ErrorRate(f64),
    /// More failed requests than so many times the old side's rate.
    Baseline(f64),
    /// Slower than this at the quantile.
    Latency {
        /// In percent (99 is p99).
        quantile: u8,
        /// In milliseconds.
        most_ms: f64,
    },
}

/// What one look says.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Good, bad or neither.
    pub look: Look,
    /// The same, with what the interval adds: good, but not clearly so, is inconclusive.
    pub verdict: Verdict,
    /// In words: `errors 4.8 %, limit 2.0 %`.
    pub why: String,
    /// The old side is over every limit that the new side is over.
    pub both_sick: bool,
    /// New error rate minus old, parts of one.
    pub difference: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Where in the interval the error limit lies: the limit minus the old rate.
    pub limit: Option<f64>,
    /// New p99 minus old, milliseconds.
    pub p99_difference: Option<f64>,
}

/// How one threshold came out.
enum Out {
    Under(String),
    Over { why: String, old_too: bool },
    Unknown(String),
}

/// Looks at what both sides did in the window. `None`: not measured, which is not the same as no requests.
/// With fewer than `least` requests on the new side it says nothing.
pub fn check(old: Option<&Counts>, new: Option<&Counts>, limits: &[Threshold], least: f64) -> Reading {
    let rates = new.zip(old).filter(|(n, o)| n.requests > 0.0 && o.requests > 0.0);
    let mut reading = Reading {
        look: Look::Neither,
        verdict: Verdict::NoData,
        why: "no data".into(),
        both_sick: false,
        difference: rates.and_then(|(n, o)| Some(n.rate()? - o.rate()?)),
        interval: rates.and_then(|(n, o)| difference(n.errors, n.requests, o.errors, o.requests)),
        limit: rates.and_then(|(_, o)| error_limit(limits, o.rate()?)),
        p99_difference: rates.and_then(|(n, o)| Some(n.quantile(0.99)? - o.quantile(0.99)?)),
    };
    let Some(new) = new else { return reading };
    if new.requests.is_nan() || new.requests <= 0.0 {
        reading.why = "no traffic".into();
        return reading;
    }
    if new.requests < least {
        (reading.verdict, reading.why) = (Verdict::TooFew, format!("too few: {:.0} of {least:.0} requests", new.requests.floor()));
        return reading;
    }
    let old = old.filter(|o| o.requests >= least);
    let outs: Vec<Out> = limits.iter().map(|limit| one(*limit, new, old)).collect();
    let over: Vec<(&str, bool)> =
        outs.iter().filter_map(|o| if let Out::Over { why, old_too } = o { Some((why.as_str(), *old_too)) } else { None }).collect();
    let unknown: Vec<&str> = outs.iter().filter_map(|o| if let Out::Unknown(why) = o { Some(why.as_str()) } else { None }).collect();
    let under: Vec<&str> = outs.iter().filter_map(|o| if let Out::Under(why) = o { Some(why.as_str()) } else { None }).collect();
    if !over.is_empty() {
        reading.both_sick = over.iter().all(|(_, old_too)| *old_too);
        let why = over.iter().map(|(why, _)| *why).collect::<Vec<_>>().join("; ");
        (reading.look, reading.verdict) = (Look::Bad, Verdict::Fail);
        reading.why = if reading.both_sick { format!("both sick: {why}") } else { why };
    } else if !unknown.is_empty() {
        (reading.verdict, reading.why) = (Verdict::NoData, unknown.join("; "));
    } else {
        let across = reading.interval.zip(reading.limit).is_some_and(|(interval, limit)| interval.high > limit);
        reading.look = Look::Good;
        reading.verdict = if across { Verdict::Inconclusive } else { Verdict::Pass };
        reading.why = if under.is_empty() { format!("errors {}", percent(new.rate().unwrap_or_default())) } else { under.join("; ") };
    }
    reading
}

/// One threshold. The old side is `None` when it has too few requests to say anything.
fn one(limit: Threshold, new: &Counts, old: Option<&Counts>) -> Out {
    let rate = new.rate().unwrap_or_default();
    let errors = |limit: String| format!("errors {}, limit {limit}", percent(rate));
    match limit {
        Threshold::ErrorRate(most) => {
            let why = errors(percent_of_limit(most));
            let sick = old.and_then(Counts::rate).filter(|r| *r > most);
            match (rate > most, sick) {
                (false, _) => Out::Under(why),
                (true, None) => Out::Over { why, old_too: false },
                (true, Some(sick)) => Out::Over { why: format!("{why}, old {}", percent(sick)), old_too: true },
            }
        }
        Threshold::Baseline(times) => {
            let Some(old) = old else { return Out::Unknown("too few requests on the old version to compare with".into()) };
            // An old version without errors is taken as one with one: nothing is many times nothing.
            let most = times * old.rate().unwrap_or_default().max(1.0 / old.requests);
            let why = errors(format!("{} ({times}x old)", percent(most)));
            // One error alone is an accident.
            if rate > most && new.errors > 1.0 { Out::Over { why, old_too: false } } else { Out::Under(why) }
        }
        Threshold::Latency { quantile, most_ms } => {
            let q = f64::from(quantile) / 100.0;
            let Some(slow) = new.latency.as_ref().and_then(|h| slowness(h, q)) else {
                return Out::Unknown(format!("p{quantile} is not measured"));
            };
            let why =
                |slow: &Slow| format!("p{quantile} {}{}, limit {}", if slow.at_least { "over " } else { "" }, ms(slow.ms), ms(most_ms));
            match slow.over(most_ms) {
                None => Out::Unknown(format!("{}: the buckets end there", why(&slow))),
                Some(false) => Out::Under(why(&slow)),
                Some(true) => {
                    let old_too = old.and_then(|o| slowness(o.latency.as_ref()?, q)?.over(most_ms)) == Some(true);
                    Out::Over { why: why(&slow), old_too }
                }
            }
        }
    }
}

/// A latency; where the quantile falls into the open bucket only that it is over the last edge is known.
struct Slow {
    ms: f64,
    at_least: bool,
}

impl Slow {
    /// Whether it is over a limit; `None` when that cannot be told.
    fn over(&self, most_ms: f64) -> Option<bool> {
        match self.at_least {
            true => (self.ms >= most_ms).then_some(true),
            false => Some(self.ms > most_ms),
        }
    }
}

fn slowness(histogram: &Histogram, q: f64) -> Option<Slow> {
    let ms = histogram.quantile(q)?;
    let total: f64 = histogram.counts.iter().sum();
    let open: f64 = histogram.counts.iter().skip(histogram.edges.len()).sum();
    Some(Slow { ms, at_least: total - open < q * total })
}

/// The lowest error limit, on the scale of the difference.
fn error_limit(limits: &[Threshold], old: f64) -> Option<f64> {
    let on_scale = limits.iter().filter_map(|l| match l {
        Threshold::ErrorRate(most) => Some(most - old),
        Threshold::Baseline(times) => Some((times - 1.0) * old),
        Threshold::Latency { .. } => None,
    });
    on_scale.reduce(f64::min)
}

/// A rate with two significant digits: `4.8 %`, `0.31 %`.
fn percent(rate: f64) -> String {
    let points = rate * 100.0;
    match points {
        p if p >= 9.95 => format!("{p:.0} %"),
        p if p >= 0.995 => format!("{p:.1} %"),
        p if p > 0.0 => format!("{p:.2} %"),
        _ => "0 %".into(),
    }
}

/// A limit as it was written, with one decimal at least: `2.0 %`, `0.25 %`.
fn percent_of_limit(rate: f64) -> String {
    let hundredths = (rate * 10_000.0).round();
    if hundredths % 10.0 == 0.0 { format!("{:.1} %", hundredths / 100.0) } else { format!("{:.2} %", hundredths / 100.0) }
}

fn ms(ms: f64) -> String {
    if ms < 9_999.5 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO_PERCENT: Threshold = Threshold::ErrorRate(0.02);
    const P99: Threshold = Threshold::Latency { quantile: 99, most_ms: 300.0 };

    fn counts(requests: f64, errors: f64) -> Counts {
        Counts { requests, errors, latency: None }
    }

    /// Requests of which `slow` take 300 to 500 ms, `stuck` longer than any bucket, and the rest up to 100 ms.
    fn timed(requests: f64, slow: f64, stuck: f64) -> Counts {
        let latency = Histogram { edges: vec![100.0, 300.0, 500.0], counts: vec![requests - slow - stuck, 0.0, slow, stuck] };
        Counts { requests, errors: 0.0, latency: Some(latency) }
    }

    fn says(old: Option<&Counts>, new: Option<&Counts>, limits: &[Threshold]) -> String {
        let r = check(old, new, limits, 30.0);
        format!("{:?} {:?} {}", r.look, r.verdict, r.why)
    }

    #[test]
    fn no_data_no_traffic_and_too_few_are_three_things_and_none_of_them_is_good() {
        let old = counts(10_000.0, 30.0);
        assert_eq!(says(Some(&old), None, &[TWO_PERCENT]), "Neither NoData no data");
        assert_eq!(says(Some(&old), Some(&counts(0.0, 0.0)), &[TWO_PERCENT]), "Neither NoData no traffic");
        assert_eq!(says(Some(&old), Some(&counts(29.4, 29.0)), &[TWO_PERCENT]), "Neither TooFew too few: 29 of 30 requests");
        assert_eq!(says(Some(&old), Some(&counts(f64::NAN, 0.0)), &[TWO_PERCENT]), "Neither NoData no traffic");
    }

    #[test]
    fn over_the_limit_is_strictly_over() {
        let old = counts(10_000.0, 30.0);
        assert_eq!(says(Some(&old), Some(&counts(5_000.0, 240.0)), &[TWO_PERCENT]), "Bad Fail errors 4.8 %, limit 2.0 %");
        assert_eq!(says(Some(&old), Some(&counts(5_000.0, 100.0)), &[TWO_PERCENT]), "Good Inconclusive errors 2.0 %, limit 2.0 %");
        assert_eq!(says(Some(&old), Some(&counts(5_000.0, 15.5)), &[TWO_PERCENT]), "Good Pass errors 0.31 %, limit 2.0 %");
        assert_eq!(says(Some(&old), Some(&counts(5_000.0, 0.0)), &[Threshold::ErrorRate(0.0025)]), "Good Pass errors 0 %, limit 0.25 %");
    }

    #[test]
    fn when_both_sides_are_over_the_limit_it_says_so() {
        let (old, new) = (counts(10_000.0, 390.0), counts(500.0, 24.0));
        let reading = check(Some(&old), Some(&new), &[TWO_PERCENT], 30.0);
        assert!(reading.both_sick);
        assert_eq!(reading.why, "both sick: errors 4.8 %, limit 2.0 %, old 3.9 %");
        // an old side with next to no requests proves nothing, and neither does one that is sick in another way
        assert!(!check(Some(&counts(10.0, 5.0)), Some(&new), &[TWO_PERCENT], 30.0).both_sick);
        let mut slow = timed(500.0, 50.0, 0.0);
        slow.errors = 24.0;
        let reading = check(Some(&old), Some(&slow), &[TWO_PERCENT, P99], 30.0);
        assert!(!reading.both_sick && reading.look == Look::Bad);
        assert_eq!(reading.why, "errors 4.8 %, limit 2.0 %, old 3.9 %; p99 480 ms, limit 300 ms");
    }

    #[test]
    fn a_baseline_is_the_old_rate_and_one_error_alone_is_an_accident() {
        let limit = [Threshold::Baseline(1.5)];
        let old = counts(10_000.0, 40.0);
        assert_eq!(says(Some(&old), Some(&counts(1_000.0, 9.0)), &limit), "Bad Fail errors 0.90 %, limit 0.60 % (1.5x old)");
        assert_eq!(says(Some(&old), Some(&counts(1_000.0, 6.0)), &limit), "Good Inconclusive errors 0.60 %, limit 0.60 % (1.5x old)");
        assert_eq!(
            says(Some(&counts(10_000.0, 0.0)), Some(&counts(100.0, 1.0)), &limit),
            "Good Inconclusive errors 1.0 %, limit 0.02 % (1.5x old)"
        );
        assert_eq!(
            says(Some(&counts(12.0, 0.0)), Some(&counts(100.0, 50.0)), &limit),
            "Neither NoData too few requests on the old version to compare with"
        );
        assert!(!check(Some(&counts(1_000.0, 500.0)), Some(&counts(1_000.0, 990.0)), &limit, 30.0).both_sick);
    }

    #[test]
    fn latency_is_a_quantile_and_the_open_bucket_is_over_its_edge_only() {
        assert_eq!(says(None, Some(&timed(1_000.0, 5.0, 0.0)), &[P99]), "Good Pass p99 99 ms, limit 300 ms");
        assert_eq!(says(None, Some(&timed(1_000.0, 20.0, 0.0)), &[P99]), "Bad Fail p99 400 ms, limit 300 ms");
        assert_eq!(says(None, Some(&timed(1_000.0, 0.0, 20.0)), &[P99]), "Bad Fail p99 over 500 ms, limit 300 ms");
        let beyond = Threshold::Latency { quantile: 99, most_ms: 20_000.0 };
        assert_eq!(
            says(None, Some(&timed(1_000.0, 0.0, 20.0)), &[beyond]),
            "Neither NoData p99 over 500 ms, limit 20.0 s: the buckets end there"
        );
        assert_eq!(says(None, Some(&counts(1_000.0, 0.0)), &[TWO_PERCENT, P99]), "Neither NoData p99 is not measured");
        let reading = check(Some(&timed(1_000.0, 0.0, 0.0)), Some(&timed(1_000.0, 20.0, 0.0)), &[P99], 30.0);
        assert_eq!(reading.p99_difference, Some(301.0));
    }

    #[test]
    fn the_error_limit_lies_on_the_scale_of_the_difference() {
        let reading = check(Some(&counts(1_000.0, 5.0)), Some(&counts(1_000.0, 15.0)), &[TWO_PERCENT, Threshold::Baseline(2.0)], 30.0);
        assert!((reading.difference.unwrap() - 0.01).abs() < 1e-12);
        assert!((reading.limit.unwrap() - 0.005).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_look_is_bad_exactly_when_the_count_is_over_and_good_only_with_enough(
            n in 0.0..500.0f64, share in 0.0..=1.0f64, o in 0.0..5000.0f64, rate in 0.0..=1.0f64, limit in 0.0..0.5f64
        ) {
            let (old, new) = (counts(o, o * rate), counts(n, n * share));
            let reading = check(Some(&old), Some(&new), &[Threshold::ErrorRate(limit)], 30.0);
            let enough = n >= 30.0;
            let over = enough && new.errors / n > limit;
            prop_assert_eq!(reading.look == Look::Bad, over);
            prop_assert_eq!(reading.look == Look::Good, enough && !over);
            prop_assert_eq!(reading.verdict == Verdict::Fail, over);
            prop_assert!(!reading.both_sick || old.errors > limit * o);
            prop_assert!(!reading.why.is_empty());
        }
    }
}
