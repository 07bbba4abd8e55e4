//! Counting requests, errors and latency from the pods' own metrics pages, over whole adjacent intervals.
//!
//! Reads `http_requests_total{code}` and `http_request_duration_seconds`. What cannot be read is a gap, never a zero: a counter that
//! went backwards, a pod that did not answer. Known weakness: what a pod counted between its last page and its end is lost.

use super::connection::{Line, now};
use super::proxy::{Ask, ask};
use super::sights::{Sight, Sights};
use crate::fleet::{Counts, Fact, Histogram, Sample};
use crate::units::{Kind, Revision, Time, Trouble, WorkloadId};
use futures::future::FutureExt;
use futures::stream::{self, StreamExt};
use prometheus_parse::{Scrape, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// How often pages are asked for where a rollout moves, and elsewhere.
pub(super) const CLOSELY: Duration = Duration::from_millis(500);
pub(super) const SLOWLY: Duration = Duration::from_secs(5);
/// Where no pod had a page so often it is asked rarely; each time half as often, so many times.
const TRIES: u32 = 3;
const RARELY: Duration = Duration::from_secs(30);
const DOUBLED: u32 = 3;
/// How many pods of a region are asked at once.
pub(super) const AT_ONCE: usize = 8;

/// Counts a workload until it is dropped.
pub(super) async fn count(
    line: Arc<Line>,
    sights: Arc<Sights>,
    slots: Arc<Semaphore>,
    facts: mpsc::Sender<Fact>,
    id: WorkloadId,
    mut pace: watch::Receiver<Duration>,
) {
    let mut seen = sights.follow(&id);
    let mut counters = Counters::default();
    let mut silence = Silence::default();
    loop {
        let begun = Instant::now();
        let sight = seen.borrow_and_update().clone();
        let Some(sight) = sight else {
            if seen.changed().await.is_err() {
                return;
            }
            continue;
        };
        let at = now();
        let answers = read(&line, &slots, &sight, silence.times > 0).await;
        // A right that is denied is no way that is cut: asking again soon does not help.
        let cut = answers.iter().any(|a| matches!(a, Err(t) if t.kind != Kind::Refused));
        let heard = !answers.is_empty() && !cut;
        let pages: HashMap<_, _> = answers.into_iter().filter_map(|answer| answer.ok()?).collect();
        silence.note(heard, !pages.is_empty());
        if let Some(sample) = counters.take(&sight, pages, at)
            && facts.send(Fact::Sampled(sample)).await.is_err()
        {
            return;
        }
        let quick = *pace.borrow_and_update();
        tokio::select! {
            () = sleep_until(begun + silence.wait(quick)) => {}
            // Another pace is another rollout, whose pods may have pages.
            changed = pace.changed() => match changed {
                Ok(()) => silence.times = 0,
                Err(_) => return,
            },
        }
    }
}

/// How often pods were asked that never had a page.
#[derive(Default)]
struct Silence {
    times: u32,
    had_pages: bool,
}

impl Silence {
    /// Who had pages once has none for a moment only; where nobody was heard, nothing is known of pages.
    fn note(&mut self, heard: bool, pages: bool) {
        self.had_pages |= pages;
        self.times = if self.had_pages || !heard { 0 } else { self.times + 1 };
    }

    /// How long to wait where pods with pages would be asked so quickly.
    fn wait(&self, quick: Duration) -> Duration {
        self.times.checked_sub(TRIES).map_or(quick, |more| RARELY * (1 << more.min(DOUBLED)))
    }
}

/// What each pod of a workload answers: its page, nothing that counts, or trouble with the way to it. A `sample` asks one ready pod of
/// each revision.
async fn read(line: &Line, slots: &Semaphore, sight: &Sight, sample: bool) -> Vec<Result<Option<(Arc<str>, Page)>, Trouble>> {
    let (mut asked, mut sampled) = (Vec::new(), BTreeSet::new());
    for pod in &sight.pods {
        if sample && !(pod.ready && sampled.insert(&pod.revision)) {
            continue;
        }
        let door = sight.sets.iter().find(|(r, ..)| *r == pod.revision).map(|(.., door)| door);
        let Some((door, (port, path))) = door.and_then(|d| Some((d, d.metrics.clone()?))) else { continue };
        let tls = door.tls && door.port == Some(port);
        let page = async move {
            let Ok(_slot) = slots.acquire().await else { return Ok(None) };
            let what = Ask { namespace: &sight.row.id.namespace, pod: &pod.name, port, tls, path: &path };
            let answer = ask(line, &what).await.inspect_err(|e| tracing::debug!(pod = %pod.name, "metrics: {e}"))?;
            Ok(answer.ok().and_then(|text| Some((pod.name.clone(), Page::parse(&text)?))))
        };
        asked.push(page.boxed());
    }
    stream::iter(asked).buffer_unordered(AT_ONCE).collect().await
}

/// Whether a page counts requests.
pub(super) fn is_counted(page: &str) -> bool {
    Page::parse(page).is_some()
}

/// What a pod has counted since it started.
#[derive(Clone, Debug, Default, PartialEq)]
struct Page {
    requests: f64,
    errors: f64,
    /// Cumulative counts by upper edge in milliseconds, the open one last.
    buckets: Vec<(f64, f64)>,
}

impl Page {
    /// Reads a page; one that does not count requests says nothing.
    fn parse(text: &str) -> Option<Page> {
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).ok()?;
        // A counter without labels seen so far has a type and no line.
        let mut counts = text.lines().any(|line| line.starts_with("# TYPE http_requests_total "));
        let mut page = Page::default();
        // By the edge's bits: edges are positive, so they sort as numbers do.
        let mut buckets: BTreeMap<u64, f64> = BTreeMap::new();
        for s in &scrape.samples {
            match (s.metric.as_str(), &s.value) {
                ("http_requests_total", Value::Counter(n) | Value::Untyped(n) | Value::Gauge(n)) if n.is_finite() => {
                    counts = true;
                    page.requests += n;
                    let code = ["code", "status", "status_code"].iter().find_map(|l| s.labels.get(l));
                    if code.is_some_and(|c| c.starts_with('5')) {
                        page.errors += n;
                    }
                }
                ("http_request_duration_seconds", Value::Histogram(all)) => {
                    for b in all.iter().filter(|b| b.less_than >= 0.0) {
                        *buckets.entry((b.less_than * 1000.0).to_bits()).or_default() += b.count;
                    }
                }
                _ => {}
            }
        }
        page.buckets = buckets.into_iter().map(|(edge, n)| (f64::from_bits(edge), n)).collect();
        counts.then_some(page)
    }
    /// What was counted since an earlier page; `None` when the pod began anew meanwhile.
    fn since(&self, before: &Page) -> Option<Counts> {
        let (requests, errors) = (self.requests - before.requests, self.errors - before.errors);
        if requests < 0.0 || errors < 0.0 {
            return None;
        }
        Some(Counts { requests, errors, latency: self.latency(before) })
    }
    fn latency(&self, before: &Page) -> Option<Histogram> {
        let fresh = before.buckets.is_empty();
        let same = self.buckets.iter().map(|b| b.0).eq(before.buckets.iter().map(|b| b.0));
        if self.buckets.len() < 2 || !(same || fresh) {
            return None;
        }
        let mut h = Histogram::default();
        let mut below = 0.0;
        for (i, (edge, n)) in self.buckets.iter().enumerate() {
            let so_far = n - before.buckets.get(i).map_or(0.0, |b| b.1);
            h.counts.push((so_far - below).max(0.0));
            below = so_far;
            if edge.is_finite() {
                h.edges.push(*edge);
            }
        }
        if h.counts.len() == h.edges.len() {
            h.counts.push(0.0);
        }
        Some(h)
    }
}

/// The last pages, and which pods were there but could not have been read.
#[derive(Debug, Default)]
struct Counters {
    at: Option<Time>,
    last: HashMap<Arc<str>, Page>,
    /// Pods that served already, read or not.
    served: HashMap<Arc<str>, bool>,
}

impl Counters {
    /// The interval since the last pages, where there is one.
    fn take(&mut self, sight: &Sight, pages: HashMap<Arc<str>, Page>, at: Time) -> Option<Sample> {
        let before = self.at.filter(|before| *before < at);
        let mut counts: BTreeMap<Revision, Option<Counts>> = BTreeMap::new();
        for pod in &sight.pods {
            let side = counts.entry(pod.revision.clone());
            let (page, last) = (pages.get(&pod.name), self.last.get(&pod.name));
            let counted = match (page, last) {
                (Some(page), Some(last)) => match page.since(last) {
                    Some(counted) => counted,
                    // It began anew: what it counted before is lost, so its interval is a gap.
                    None => continue,
                },
                // Not there or not serving at the last pages: everything it has counted is of this interval.
                (Some(page), None) if before.is_some() && !self.served.get(&pod.name).copied().unwrap_or(false) => {
                    page.since(&Page::default()).unwrap_or_default()
                }
                // A pod that was counted and did not answer now: its side is a gap.
                (None, Some(_)) => {
                    side.insert_entry(None);
                    continue;
                }
                _ => continue,
            };
            if let Some(sum) = side.or_insert_with(|| Some(Counts::default())) {
                sum.add(&counted);
            }
        }
        (self.at, self.last) = (Some(at), pages);
        self.served = sight.pods.iter().map(|p| (p.name.clone(), p.ready)).collect();
        let counts: Vec<_> = counts.into_iter().filter_map(|(r, c)| Some((r, c?))).collect();
        let before = before.filter(|_| !counts.is_empty())?;
        Some(Sample { workload: sight.row.id.clone(), at, span: at.since(before), counts })
    }
}

#[cfg(test)]
mod tests;
