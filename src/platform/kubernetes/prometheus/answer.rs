//! What a Prometheus answers: numbers, or why there are none.
//!
//! Knows its JSON and no query. Known weakness: its warnings go to the program's log only.

use crate::fleet::{Histogram, Metered};
use crate::units::{Kind, clean};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In words; Prometheus' own, where it says something.
    pub(super) words: String,
    /// What helps.
    pub(super) remedy: String,
    pub(super) kind: Kind,
    /// Whether the same question may be answered later.
    pub(super) again: bool,
}

impl Failure {
    pub(super) fn again(words: String) -> Failure {
        Failure { words, remedy: "it is tried again".into(), kind: Kind::OutOfReach, again: true }
    }
    pub(super) fn last(words: String) -> Failure {
        Failure { words, remedy: "look at the query".into(), kind: Kind::Document, again: false }
    }
    /// An answer that is an error. `through` the API server's proxy, which may say so itself.
    pub(super) fn http(code: u16, body: &str, through: bool) -> Failure {
        #[derive(Deserialize)]
        struct Body {
            error: Option<String>,
            message: Option<String>,
        }
        let words = match serde_json::from_str::<Body>(body) {
            Ok(Body { error: Some(words), .. } | Body { message: Some(words), .. }) => words,
            _ => body.trim().to_owned(),
        };
        let words = clean(&words, 300);
        let said = if words.is_empty() { format!("answers {code}") } else { format!("answers {code}: {words}") };
        match code {
            400 | 422 => Failure { words: said, remedy: "look at the query".into(), kind: Kind::Document, again: false },
            401 | 403 => {
                let remedy = if through {
                    "ask for the right to get services/proxy there"
                } else {
                    "look at bearer, basic or tenant in the settings"
                };
                Failure { words: said, remedy: remedy.into(), kind: Kind::Refused, again: true }
            }
            404 => Failure { words: said, remedy: "is its address right?".into(), kind: Kind::OutOfReach, again: true },
            _ => Failure::again(said),
        }
    }
}

/// The series of an answer: each with its `le`, where it has one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer(Vec<(Option<String>, f64)>);

impl Answer {
    pub(super) fn read(text: &str) -> Result<Answer, Failure> {
        #[derive(Deserialize)]
        struct Whole {
            status: String,
            error: Option<String>,
            data: Option<Data>,
            #[serde(default)]
            warnings: Vec<String>,
        }
        #[derive(Deserialize)]
        #[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
        enum Data {
            Vector(Vec<Series>),
            Scalar((f64, String)),
            Matrix(serde::de::IgnoredAny),
            String(serde::de::IgnoredAny),
        }
        #[derive(Deserialize)]
        struct Series {
            #[serde(default)]
            metric: Labels,
            value: Option<(f64, String)>,
        }
        #[derive(Default, Deserialize)]
        struct Labels {
            le: Option<String>,
        }
        let odd = || Failure { remedy: "is its address right?".into(), ..Failure::again("its answer is not that of a Prometheus".into()) };
        let whole: Whole = serde_json::from_str(text).map_err(|_| odd())?;
        for words in whole.warnings.iter().take(3) {
            tracing::warn!("Prometheus warns: {}", clean(words, 200));
        }
        if whole.status != "success" {
            return Err(Failure::last(clean(&whole.error.unwrap_or_else(|| "it says that it failed".into()), 300)));
        }
        match whole.data.ok_or_else(odd)? {
            Data::Vector(all) => {
                let one = |s: Series| Some((s.metric.le, s.value?.1.parse().ok()?));
                let most = all.len();
                let read: Vec<_> = all.into_iter().filter_map(one).collect();
                if read.len() < most { Err(Failure::last("it gives histograms where numbers belong".into())) } else { Ok(Answer(read)) }
            }
            Data::Scalar((_, value)) => Ok(Answer(vec![(None, value.parse().map_err(|_| odd())?)])),
            Data::Matrix(_) => Err(Failure::last("it gives a range where one number belongs: write sum(increase(...))".into())),
            Data::String(_) => Err(Failure::last("it gives a text where a number belongs".into())),
        }
    }

    /// All series together, where there is one and all are numbers.
    pub(super) fn sum(&self) -> Result<f64, Metered> {
        if self.0.is_empty() {
            return Err(Metered::Empty);
        }
        let sum: f64 = self.0.iter().map(|(_, value)| value).sum();
        if sum.is_finite() && sum >= 0.0 { Ok(sum) } else { Err(Metered::NotANumber) }
    }

    /// Cumulative buckets with `le` times `to_ms` as counts per bucket.
    pub(super) fn histogram(&self, to_ms: f64) -> Result<Histogram, Metered> {
        if self.0.is_empty() {
            return Err(Metered::Empty);
        }
        // By the edge's bits: edges are positive, so they sort as numbers do.
        let mut buckets: BTreeMap<u64, f64> = BTreeMap::new();
        for (le, value) in &self.0 {
            let edge = le.as_ref().and_then(|le| if le == "+Inf" { Some(f64::INFINITY) } else { le.parse::<f64>().ok() });
            match edge.filter(|edge| *edge >= 0.0) {
                Some(edge) if value.is_finite() => *buckets.entry((edge * to_ms).to_bits()).or_default() += value,
                _ => return Err(Metered::NotANumber),
            }
        }
        let (mut histogram, mut below) = (Histogram::default(), 0.0);
        for (edge, so_far) in buckets.into_iter().map(|(bits, n)| (f64::from_bits(bits), n)) {
            histogram.counts.push((so_far - below).max(0.0));
            below = so_far;
            if edge.is_finite() {
                histogram.edges.push(edge);
            }
        }
        if histogram.counts.len() == histogram.edges.len() {
            histogram.counts.push(0.0);
        }
        if histogram.edges.is_empty() { Err(Metered::NotANumber) } else { Ok(histogram) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(series: &str) -> Answer {
        Answer::read(&format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#)).unwrap()
    }

    #[test]
    fn no_series_no_number_and_zero_are_three_things() {
        assert_eq!(vector("").sum(), Err(Metered::Empty));
        assert_eq!(vector(r#"{"metric":{},"value":[1.5,"NaN"]}"#).sum(), Err(Metered::NotANumber));
        assert_eq!(vector(r#"{"metric":{},"value":[1.5,"+Inf"]}"#).sum(), Err(Metered::NotANumber));
        assert_eq!(vector(r#"{"metric":{},"value":[1.5,"-3"]}"#).sum(), Err(Metered::NotANumber));
        assert_eq!(vector(r#"{"metric":{},"value":[1.5,"0"]}"#).sum(), Ok(0.0));
        assert_eq!(vector(r#"{"metric":{"a":"1"},"value":[1.5,"2.5"]},{"metric":{},"value":[1.5,"2"]}"#).sum(), Ok(4.5));
        let scalar = Answer::read(r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"7"]}}"#).unwrap();
        assert_eq!(scalar.sum(), Ok(7.0));
    }

    #[test]
    fn cumulative_buckets_become_counts_per_bucket_in_milliseconds() {
        let answer = vector(
            r#"{"metric":{"le":"+Inf"},"value":[1,"10"]},{"metric":{"le":"0.1"},"value":[1,"4"]},{"metric":{"le":"0.5"},"value":[1,"9"]}"#,
        );
        assert_eq!(answer.histogram(1000.0), Ok(Histogram { edges: vec![100.0, 500.0], counts: vec![4.0, 5.0, 1.0] }));
        assert_eq!(vector(r#"{"metric":{},"value":[1,"10"]}"#).histogram(1000.0), Err(Metered::NotANumber));
        assert_eq!(vector("").histogram(1.0), Err(Metered::Empty));
    }

    #[test]
    fn an_error_is_said_in_its_own_words() {
        let bad = Failure::http(400, r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected \u001b[2J"}"#, false);
        assert_eq!((bad.words.as_str(), bad.again), ("answers 400: parse error: unexpected  [2J", false));
        assert_eq!(Failure::http(401, "Unauthorized\n", false).words, "answers 401: Unauthorized");
        assert!(Failure::http(403, r#"{"message":"services is forbidden"}"#, true).remedy.contains("services/proxy"));
        assert!(Failure::http(503, "", false).again);
        for (text, words) in [
            ("<html>log in</html>", "its answer is not that of a Prometheus"),
            (r#"{"status":"error","error":"query timed out"}"#, "query timed out"),
            (
                r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
                "it gives a range where one number belongs: write sum(increase(...))",
            ),
            (
                r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}"#,
                "it gives histograms where numbers belong",
            ),
        ] {
            assert_eq!(Answer::read(text).unwrap_err().words, words);
        }
    }
}
