//! What documents call `rollbackThreshold`: `2% error rate`, `1.5x baseline`, `p99 300ms`, `30s`, or a list of them.
//!
//! Knows no numbers of a rollout; the analysis room compares. Known weakness: quantiles are whole percent, so p99.9 cannot be asked for.

use super::plan::Limit;
use crate::analysis::Threshold;
use crate::units::Percent;
use crate::units::written::{Wrong, percent, quoted, span};
use crate::units::yaml::{Node, Troubles, Value};

/// One threshold.
pub(super) fn limit(text: &str) -> Result<Limit, Wrong> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    match words.as_slice() {
        [rate, "error", "rate"] | [rate, "error-rate" | "errors"] => percent(rate).map(Limit::ErrorRate),
        [number, "%", "error", "rate"] => percent(number).map(Limit::ErrorRate),
        [times, "baseline"] | [times] if times.ends_with('x') => baseline(times.trim_end_matches('x')),
        [times, "x", "baseline"] => baseline(times),
        [quantile, most] if quantile.starts_with('p') => latency(&quantile[1..], most),
        [number] if number.parse::<f64>().is_ok() => {
            Err(Wrong::new(format!("{number} has no unit"), format!("write {number}% error rate, or {number}s")))
        }
        [.., last] if last.ends_with('%') => percent(text).map(Limit::ErrorRate),
        _ => span(text).map(Limit::Health).map_err(|wrong| match wrong.remedy.as_str() {
            "write 500ms, 30s, 5m, 2h, 1d or 1h30m" => {
                Wrong::new(format!("{} is not a threshold", quoted(text)), "write 2% error rate, 1.5x baseline, p99 300ms or 30s")
            }
            _ => wrong,
        }),
    }
}

fn baseline(times: &str) -> Result<Limit, Wrong> {
    match times.parse::<f64>() {
        Ok(n) if n > 1.0 && n <= 100.0 => Ok(Limit::Baseline(n)),
        Ok(_) => Err(Wrong::new(format!("{}x baseline is not between 1x and 100x", times.trim()), "write 1.5x baseline")),
        Err(_) => Err(Wrong::new(format!("{} is not a number", quoted(times)), "write 1.5x baseline")),
    }
}

fn latency(quantile: &str, most: &str) -> Result<Limit, Wrong> {
    let quantile = match quantile.parse::<u8>() {
        Ok(q @ 1..=99) => q,
        _ => return Err(Wrong::new(format!("p{quantile} is not between p1 and p99"), "write p99 300ms")),
    };
    match span(most)? {
        most if most.0 > 0 => Ok(Limit::Latency { quantile, most }),
        _ => Err(Wrong::new("no answer takes 0s", "write p99 300ms")),
    }
}

/// One threshold or a list of them, each sort once.
pub(super) fn limits(key: &str, node: &Node, troubles: &mut Troubles) -> Option<Vec<Limit>> {
    let nodes = match &node.value {
        Value::List(items) if items.is_empty() => {
            troubles.at(node.at, Wrong::new(format!("{key}: an empty list"), "write 2% error rate, or leave the line out"));
            return None;
        }
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut limits: Vec<Limit> = Vec::new();
    for node in nodes {
        let Some(limit) = node.read(key, troubles, limit) else { continue };
        if limits.iter().any(|l| l.same_sort(&limit)) {
            troubles.at(node.at, Wrong::new(format!("{key}: a second limit of the same sort"), "keep one of them"));
        }
        limits.push(limit);
    }
    Some(limits)
}

impl Limit {
    fn same_sort(&self, other: &Limit) -> bool {
        match (self, other) {
            (Limit::Latency { quantile: a, .. }, Limit::Latency { quantile: b, .. }) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
    /// Whether requests must be counted for it.
    pub fn counts_requests(&self) -> bool {
        self.threshold().is_some()
    }
    /// As the analysis room knows it; `None` for health, which is not counted in requests.
    pub fn threshold(&self) -> Option<Threshold> {
        match *self {
            Limit::ErrorRate(most) => Some(Threshold::ErrorRate(most.share())),
            Limit::Baseline(times) => Some(Threshold::Baseline(times)),
            Limit::Latency { quantile, most } => Some(Threshold::Latency { quantile, most_ms: most.0 as f64 }),
            Limit::Health(_) => None,
        }
    }
    /// When it holds: `errors < 2.0 %`.
    pub fn words(&self) -> String {
        match self {
            Limit::ErrorRate(most) => format!("errors < {}", rate(*most)),
            Limit::Baseline(times) => format!("errors < {times}x old"),
            Limit::Latency { quantile, most } => format!("p{quantile} < {} ms", most.0),
            Limit::Health(span) => format!("health back in {span}"),
        }
    }
}

/// An error rate with one decimal at least: `2.0 %`, `0.25 %`.
fn rate(share: Percent) -> String {
    if share.hundredths().is_multiple_of(10) { format!("{:.1} %", share.points()) } else { share.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[test]
    fn thresholds_read_in_the_words_of_the_seed() {
        for (text, is) in [
            ("2% error rate", Limit::ErrorRate(Percent::whole(2))),
            ("0.5 % error rate", Limit::ErrorRate(Percent::from_hundredths(50).unwrap())),
            ("2%", Limit::ErrorRate(Percent::whole(2))),
            ("2 %", Limit::ErrorRate(Percent::whole(2))),
            ("1.5x baseline", Limit::Baseline(1.5)),
            ("2x", Limit::Baseline(2.0)),
            ("p99 300ms", Limit::Latency { quantile: 99, most: Span(300) }),
            ("30s", Limit::Health(Span::secs(30))),
        ] {
            assert_eq!(limit(text), Ok(is), "{text}");
        }
    }

    #[test]
    fn a_threshold_that_cannot_be_is_told_what_would_be_right() {
        for (text, says) in [
            ("2", "2 has no unit: write 2% error rate, or 2s"),
            ("high", "`high` is not a threshold: write 2% error rate, 1.5x baseline, p99 300ms or 30s"),
            ("130% error rate", "130% is above 100%: write 100% or less"),
            ("1x baseline", "1x baseline is not between 1x and 100x: write 1.5x baseline"),
            ("p100 1s", "p100 is not between p1 and p99: write p99 300ms"),
            ("p99 300", "300 has no unit: write 300s"),
            ("30 sec", "`30 sec` is not how a time is written here: write 30s"),
            ("", "`` is not a threshold: write 2% error rate, 1.5x baseline, p99 300ms or 30s"),
        ] {
            let wrong = limit(text).unwrap_err();
            assert_eq!(format!("{}: {}", wrong.cause, wrong.remedy), says);
        }
    }
}
