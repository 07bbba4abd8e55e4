//! Counting a workload's requests, errors and latency by its region's Prometheus: whole adjacent intervals, each once.
//!
//! Asks and counts, judges nothing. What cannot be counted is a gap, with the reason told. Known weakness: `increase` extrapolates to
//! an interval's ends, and what a series counted before it was first scraped is lost.

mod answer;
mod door;
mod presets;
mod report;

pub(super) use door::Door;
pub use report::{MetricsReport, metrics_report};

use super::connection::now;
use super::sights::{Sight, Sights};
use crate::fleet::{AskedQuery, Counts, Fact, Metered, MetricsSeen, Sample, Side};
use crate::platform::Judged;
use crate::settings::Metrics;
use crate::strategy::{Queries, filled};
use crate::units::{Revision, Span, Time, WorkloadId};
use answer::{Answer, Failure};
use futures::future::{join, join_all};
use presets::{Preset, presets};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::sleep;

/// An interval is asked for so long after its end: its last scrapes are stored by then.
const SETTLE: Span = Span::secs(2);
/// A question that failed is asked again after this.
const AGAIN: Duration = Duration::from_secs(2);
/// An interval that could not be asked for so long after its end, and for twice its length, stays a gap.
const LATE: Span = Span::secs(30);
/// How many queries a region's Prometheus gets at once.
const AT_ONCE: usize = 6;
/// How far back a preset is looked for.
const LOOKS_BACK: Span = Span::mins(5);
/// Names of pods are cut so that the five letters at their end fit.
const POD_PREFIX: usize = 58;

/// A region's Prometheus, shared by all that count there.
#[derive(Debug)]
pub(super) struct Meter {
    door: Door,
    slots: Semaphore,
}

/// What is asked for a workload: a preset, or a person's own.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    queries: Queries,
    to_ms: f64,
    /// It asks for errors among the same series as for requests: without such series there were none.
    sure: bool,
}

impl From<Preset> for Source {
    fn from(preset: Preset) -> Source {
        Source { name: preset.name.into(), queries: preset.queries, to_ms: preset.to_ms, sure: true }
    }
}

/// One interval as asked for.
struct Asked {
    counts: Vec<(Revision, Counts)>,
    seen: MetricsSeen,
    /// It may be answered later.
    again: bool,
}

impl Meter {
    pub(super) fn new(door: Door) -> Arc<Meter> {
        Arc::new(Meter { door, slots: Semaphore::new(AT_ONCE) })
    }

    /// The length of an interval: a multiple of how often it is looked at, with two scrapes in it.
    fn span(&self, every: Span) -> Span {
        let every = every.0.max(1);
        Span((self.door.settings().scrapes.0 * 2).div_ceil(every).max(1) * every)
    }

    async fn ask(&self, query: &str, at: Option<Time>) -> Result<Answer, Failure> {
        let _slot = self.slots.acquire().await.map_err(|_| Failure::again("it ends".into()))?;
        self.door.ask(query, at).await
    }

    /// What is asked for a workload: the document's own queries, the settings', or the first preset that has series.
    async fn source(&self, sight: &Sight, judged: &Judged, at: Time) -> Result<Source, MetricsSeen> {
        let own = |queries: &Queries| Source { name: "own queries".into(), queries: queries.clone(), to_ms: 1000.0, sure: false };
        if let Some(queries) = &judged.metrics {
            return Ok(own(queries));
        }
        let only = match &self.door.settings().metrics {
            Metrics::Own(queries) => return Ok(own(queries)),
            Metrics::Preset(name) => Some(*name),
            Metrics::Found => None,
        };
        let sides = sides(sight, judged, LOOKS_BACK);
        let two = sides.iter().any(|a| sides.iter().any(|b| a.workload != b.workload));
        let mut fit: Vec<Preset> = presets(only);
        fit.retain(|preset| two || !preset.by_workload);
        let asked = join_all(fit.iter().flat_map(|preset| sides.iter().map(move |side| (preset, side))).map(|(preset, side)| async move {
            let query = side.fill(&preset.queries.requests);
            let answer = self.ask(&query, Some(at)).await;
            (preset, side.side, query, answer)
        }))
        .await;
        let counts = |answer: &Result<Answer, Failure>| answer.as_ref().is_ok_and(|a| a.sum().is_ok());
        if let Some((preset, ..)) = asked.iter().find(|(.., answer)| counts(answer)) {
            return Ok((*preset).clone().into());
        }
        let failed = asked.iter().find_map(|(.., answer)| answer.as_ref().err());
        let (state, why) = match failed {
            Some(failure) => (Metered::Failed, format!("{}: {}", failure.words, failure.remedy)),
            None if sides.is_empty() => (Metered::Empty, "no version of it is known".into()),
            None if fit.is_empty() => (
                Metered::NoMetrics,
                format!("{} metrics tell versions apart by their Deployments, and both are in one", only.unwrap_or("these")),
            ),
            None => {
                let names: Vec<&str> = fit.iter().map(|p| p.name).collect::<Vec<_>>();
                let mut names = names;
                names.dedup();
                (Metered::NoMetrics, format!("no series of {} for its pods", names.join(", ")))
            }
        };
        let queries = asked.iter().map(|(_, side, query, answer)| AskedQuery {
            what: "requests".into(),
            side: *side,
            query: query.clone(),
            says: says(answer),
        });
        Err(MetricsSeen { at: now(), source: self.door.name(), state, why, queries: queries.collect() })
    }

    /// Asks for one interval of both sides; requests and errors apart.
    async fn interval(&self, source: &Source, sight: &Sight, judged: &Judged, end: Time, span: Span) -> Asked {
        let sides = sides(sight, judged, span);
        let answers = join_all(sides.iter().map(|side| async move {
            let queries = &source.queries;
            let ask = async |query: Option<&String>| {
                let query = side.fill(query?);
                let answer = self.ask(&query, Some(end)).await;
                Some((query, answer))
            };
            let (requests, (errors, latency)) =
                join(ask(Some(&queries.requests)), join(ask(Some(&queries.errors)), ask(queries.latency.as_ref()))).await;
            (side, [("requests", requests), ("errors", errors), ("latency", latency)])
        }))
        .await;
        let mut asked = Asked {
            counts: Vec::new(),
            seen: MetricsSeen {
                at: now(),
                source: format!("{}, {}", self.door.name(), source.name),
                state: Metered::Counted,
                why: String::new(),
                queries: Vec::new(),
            },
            again: false,
        };
        for (side, answers) in answers {
            let mut found = Counts::default();
            let mut whole = true;
            for (what, answer) in answers {
                let Some((query, answer)) = answer else { continue };
                let numbers = answer.as_ref().map_err(Clone::clone);
                let missing = match (what, numbers) {
                    ("latency", Ok(answer)) => {
                        found.latency = answer.histogram(source.to_ms).ok();
                        None
                    }
                    // Without it the rest still counts; a limit on latency says that it is not measured.
                    ("latency", Err(_)) => None,
                    (_, Err(failure)) => {
                        asked.again |= failure.again;
                        Some((Metered::Failed, format!("{}: {}", failure.words, failure.remedy)))
                    }
                    (what, Ok(answer)) => match answer.sum() {
                        Ok(sum) if what == "requests" => {
                            found.requests = sum;
                            None
                        }
                        Ok(sum) => {
                            found.errors = sum;
                            None
                        }
                        Err(Metered::Empty) if what == "errors" && source.sure => None,
                        Err(state) => {
                            let side = if side.side == Side::New { "new" } else { "old" };
                            let words = if state == Metered::Empty { "no series" } else { "no number" };
                            Some((state, format!("{what} of the {side} version: {words}")))
                        }
                    },
                };
                if let Some((state, why)) = missing {
                    whole = false;
                    if state > asked.seen.state {
                        (asked.seen.state, asked.seen.why) = (state, why);
                    }
                }
                asked.seen.queries.push(AskedQuery { what: what.into(), side: side.side, query, says: says(&answer) });
            }
            if whole {
                // Extrapolated apart, errors can come out above requests.
                found.errors = found.errors.min(found.requests);
                asked.counts.push((side.revision.clone(), found));
            }
        }
        if asked.seen.queries.is_empty() {
            (asked.seen.state, asked.seen.why) = (Metered::Empty, "no version of it is known".into());
        }
        asked
    }
}

/// What came back, in words.
fn says(answer: &Result<Answer, Failure>) -> String {
    match answer.as_ref().map(Answer::sum) {
        Err(failure) => failure.words.clone(),
        Ok(Ok(sum)) => format!("{}", (sum * 10.0).round() / 10.0),
        Ok(Err(Metered::Empty)) => "no series".into(),
        Ok(Err(_)) => "no number".into(),
    }
}

/// One side, with what its queries are filled with.
struct SideOf {
    side: Side,
    revision: Revision,
    namespace: String,
    service: String,
    workload: String,
    hashes: String,
    pods: String,
    interval: Span,
}

impl SideOf {
    fn fill(&self, query: &str) -> String {
        filled(query, |name| match name {
            "namespace" => self.namespace.clone(),
            "service" => self.service.clone(),
            "workload" => self.workload.clone(),
            "revision" => self.hashes.clone(),
            "pods" => self.pods.clone(),
            "side" => if self.side == Side::New { "new" } else { "old" }.into(),
            "interval" if self.interval.0.is_multiple_of(1000) => format!("{}s", self.interval.0 / 1000),
            "interval" => format!("{}ms", self.interval.0),
            _ => String::new(),
        })
    }
}

/// The sides of a workload whose ReplicaSets are known.
fn sides(sight: &Sight, judged: &Judged, interval: Span) -> Vec<SideOf> {
    let both = [(Side::Old, Some(&judged.old)), (Side::New, judged.new.as_ref())];
    let one = |(side, revision): (Side, Option<&Revision>)| {
        let revision = revision?;
        let sets: Vec<&str> = sight.sets.iter().filter(|(r, ..)| r == revision).map(|(_, name, _)| &**name).collect();
        let prefix = |set: &&str| format!("{set}-").chars().take(POD_PREFIX).collect::<String>().replace('.', "[.]");
        // Pods that are gone by now have counted, too: they are told by their names.
        let pods = format!("({})[a-z0-9]+", sets.iter().map(prefix).collect::<Vec<_>>().join("|"));
        // One, but while a second Deployment runs the same template; then `=~` is what finds both.
        let hashes = sets.iter().filter_map(|set| Some(set.rsplit_once('-')?.1)).collect::<Vec<_>>().join("|");
        Some(SideOf {
            side,
            revision: revision.clone(),
            hashes,
            namespace: sight.row.id.namespace.to_string(),
            service: sight.row.service.name.to_string(),
            workload: sets.first()?.rsplit_once('-').map_or_else(|| sight.row.id.name.to_string(), |(workload, _)| workload.to_owned()),
            pods,
            interval,
        })
    };
    both.into_iter().filter_map(one).collect()
}

/// The end of the first interval of the grid that begins at a time or later.
fn end_after(time: Time, span: Span) -> Time {
    let span = span.0.max(1) as i64;
    Time((time.0 + span - 1).div_euclid(span) * span + span)
}

/// Where it goes on when the interval that ended at `end` is too late to be asked for: a gap; after a long one with the newest.
fn gap(end: Time, now: Time, span: Span) -> Option<Time> {
    let late = LATE.max(span + span);
    (now.since(end) > late).then(|| end.max(Time(now.0 - late.0 as i64)))
}

/// Counts a workload until it is dropped. `alone`: nothing else has counted it just before, so the interval that runs counts, too.
pub(super) async fn count(
    meter: Arc<Meter>,
    sights: Arc<Sights>,
    facts: mpsc::Sender<Fact>,
    id: WorkloadId,
    mut judged: watch::Receiver<Arc<Judged>>,
    alone: bool,
) {
    let mut seen = sights.follow(&id);
    let mut source: Option<Source> = None;
    let begun = now();
    let first = meter.span(judged.borrow().every).0 as i64;
    // The end of the last interval that was asked for.
    let mut upto = if alone { Time(begun.0.div_euclid(first) * first) } else { begun };
    loop {
        let sight = seen.borrow_and_update().clone();
        let Some(sight) = sight else {
            if seen.changed().await.is_err() {
                return;
            }
            continue;
        };
        let what = judged.borrow_and_update().clone();
        let span = meter.span(what.every);
        let end = end_after(upto, span);
        let wait = (end + SETTLE).since(now());
        if wait > Span::ZERO {
            tokio::select! {
                () = sleep(Duration::from_millis(wait.0)) => {}
                changed = judged.changed() => if changed.is_err() { return },
                changed = seen.changed() => if changed.is_err() { return },
            }
            continue;
        }
        if let Some(on) = gap(end, now(), span) {
            upto = on;
            continue;
        }
        let known = match source.take() {
            Some(source) => Ok(source),
            None => meter.source(&sight, &what, end).await,
        };
        let asked = match known {
            Ok(known) => {
                let asked = meter.interval(&known, &sight, &what, end, span).await;
                // Where both sides have no series any more another preset may have them.
                source = Some(known).filter(|known| known.sure && !(asked.counts.is_empty() && asked.seen.state == Metered::Empty));
                asked
            }
            Err(seen) => Asked { counts: Vec::new(), again: seen.state == Metered::Failed, seen },
        };
        if asked.seen.state == Metered::Failed {
            tracing::warn!(workload = %id, source = asked.seen.source, "{}", asked.seen.why);
        }
        let again = asked.again;
        if facts.send(Fact::MetricsSeen { workload: id.clone(), metrics: Box::new(asked.seen) }).await.is_err() {
            return;
        }
        if again {
            sleep(AGAIN).await;
            continue;
        }
        upto = end;
        let sample = Sample { workload: id.clone(), at: end, span, counts: asked.counts };
        if !sample.counts.is_empty() && facts.send(Fact::Sampled(sample)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_stand_on_the_grid_and_a_late_one_is_asked_for_until_it_is_a_gap() {
        let span = Span::secs(10);
        assert_eq!(end_after(Time(20_000), span), Time(30_000));
        assert_eq!(end_after(Time(20_001), span), Time(40_000), "never half of one");
        assert_eq!(gap(Time(30_000), Time(60_000), span), None);
        assert_eq!(gap(Time(30_000), Time(60_001), span), Some(Time(30_001)));
        // A laptop slept for an hour: the newest that can still be asked for, not each of them.
        let on = gap(Time(30_000), Time(3_605_000), span).unwrap();
        assert_eq!((on, end_after(on, span)), (Time(3_575_000), Time(3_590_000)));
    }
}
