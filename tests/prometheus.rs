//! How intervals are asked of a Prometheus, with a played API server and a played Prometheus.

#[path = "fake/api_server.rs"]
mod api_server;
#[path = "fake/shop.rs"]
mod shop;

use api_server::ApiServer;
use flightdeck::fleet::{Fact, Metered, Sample};
use flightdeck::platform::kubernetes::{Contexts, KubernetesPlatform, RegionSpec};
use flightdeck::platform::{Judged, Platform, Question};
use flightdeck::rollout::Ask;
use flightdeck::settings::parse;
use flightdeck::units::{LegId, Region, Revision, RolloutId, Span, Time, WorkloadId};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a fact may take. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Prometheus whose every interval has 10 requests, one of them failed.
#[derive(Clone, Default)]
struct Played(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    away: bool,
    /// What was answered: first lines of requests, and how often.
    answered: BTreeMap<String, u32>,
}

impl Played {
    fn start(&self) -> String {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", door.local_addr().unwrap());
        let state = self.0.clone();
        std::thread::spawn(move || {
            for mut asker in door.incoming().map_while(Result::ok) {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if asker.read_exact(&mut byte).is_err() {
                        break;
                    }
                    head.push(byte[0]);
                }
                let first = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
                let mut state = state.lock().unwrap();
                if state.away {
                    continue;
                }
                // `%5B5m%5D` looks for what there is, and counts nothing.
                if !first.contains("%5B300s%5D") {
                    *state.answered.entry(first.clone()).or_default() += 1;
                }
                let value = if first.contains("5%2E%2E") { "1" } else { "10" };
                let mut series = vec![json!({"metric": {}, "value": [1, value]})];
                if first.contains("bucket") {
                    series = ["0.1", "+Inf"].map(|le| json!({"metric": {"le": le}, "value": [1, "10"]})).to_vec();
                }
                let body = json!({"status": "success", "data": {"resultType": "vector", "result": series}}).to_string();
                let _ = write!(asker, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            }
        });
        url
    }
}

async fn until<T>(platform: &mut KubernetesPlatform, what: &str, mut wanted: impl FnMut(Fact) -> Option<T>) -> T {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            while let Some(fact) = platform.poll(Time(0)) {
                if let Some(found) = wanted(fact) {
                    return found;
                }
            }
            platform.ready().await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("not seen in {PATIENCE:?}: {what}"))
}

#[tokio::test]
async fn each_interval_is_counted_once_and_a_late_one_once() {
    let server = ApiServer::start().await;
    shop::fill(&server);
    let played = Played::default();
    let text =
        format!("fleets: [{{ name: f, regions: [{{ name: east, prometheus: {{ url: '{}', scrapeInterval: 1s }} }}] }}]", played.start());
    let prometheus = parse("settings", text.as_bytes()).unwrap().fleets.remove(0).regions.remove(0).prometheus;
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("config");
    std::fs::write(&path, server.kubeconfig("east", &json!({"token": "t"}))).unwrap();
    let spec = RegionSpec { name: Region::new("east"), context: "east".into(), namespaces: vec![], prometheus };
    let mut platform = KubernetesPlatform::start(Contexts::read(Some(&path)).unwrap(), &[spec]).unwrap();
    let row = until(&mut platform, "the workload", |fact| if let Fact::WorkloadSeen(row) = fact { Some(*row) } else { None }).await;
    let workload: WorkloadId = row.id.clone();
    let old: Revision = row.template.clone();
    let judged = Judged { every: Span::secs(1), old: old.clone(), new: None, metrics: None };
    let question = Question {
        rollout: RolloutId::new("order-test"),
        workload,
        ask: Ask::Closely { leg: LegId::new("east") },
        judged: Some(Arc::new(judged)),
    };
    platform.ask(Time(0), &[question]);

    let mut samples: Vec<Sample> = Vec::new();
    let take = |samples: &mut Vec<Sample>, most: usize, fact: Fact| {
        if let Fact::Sampled(sample) = fact {
            samples.push(sample);
        }
        (samples.len() >= most).then_some(())
    };
    until(&mut platform, "two intervals", |fact| take(&mut samples, 2, fact)).await;
    played.0.lock().unwrap().away = true;
    until(&mut platform, "that it failed", |fact| match fact {
        Fact::MetricsSeen { metrics, .. } if metrics.state == Metered::Failed => Some(()),
        other => take(&mut samples, usize::MAX, other),
    })
    .await;
    played.0.lock().unwrap().away = false;
    let most = samples.len() + 3;
    until(&mut platform, "the late one and two more", |fact| take(&mut samples, most, fact)).await;

    for pair in samples.windows(2) {
        assert_eq!(pair[1].at - pair[1].span, pair[0].at, "adjacent: {pair:?}");
    }
    for sample in &samples {
        assert_eq!((sample.span, sample.at.0 % 2000), (Span::secs(2), 0), "two scrapes, on the grid");
        let counts = sample.of(&old).unwrap();
        assert_eq!((counts.requests, counts.errors), (10.0, 1.0));
        assert_eq!(counts.latency.as_ref().unwrap().counts, [10.0, 0.0]);
    }
    let answered = played.0.lock().unwrap().answered.clone();
    let more: Vec<_> = answered.iter().filter(|(_, times)| **times > 1).collect();
    assert!(more.is_empty() && answered.len() >= 3 * samples.len(), "{more:#?}");
}
