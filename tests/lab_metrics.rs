//! Verdicts from a real Prometheus, on real Deployments.

#[path = "lab/harness.rs"]
mod harness;
#[path = "lab/scripted.rs"]
mod scripted;

use flightdeck::cockpit::{FleetSpec, Ids, Intent, RegionSpec, RolloutView, World};
use flightdeck::fleet::{Metered, Protection};
use flightdeck::journal::Memory;
use flightdeck::platform::kubernetes::{self, Contexts, KubernetesPlatform};
use flightdeck::rollout::{Mood, Phase};
use flightdeck::settings::{Prometheus, parse};
use flightdeck::strategy::{Document, Sources, compile};
use flightdeck::units::{Namespace, Person, Region, RolloutId, Span, Time, Version};
use harness::{Bed, Load, PROMETHEUS, PROMETHEUS_TLS, in_lab_with};
use scripted::{Does, Scripted};
use serde_json::Value;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

/// How long something may take. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// Small intervals, so that a test is quick; one error in twenty is too many.
const OPTIONS: [(&str, &str); 9] = [
    ("strategy", "canary"),
    ("initialTraffic", "50%"),
    ("stepSize", "50%"),
    ("stepInterval", "4s"),
    ("rollbackThreshold", "5% error rate"),
    ("checkInterval", "2s"),
    ("window", "10s"),
    ("failuresInARow", "2"),
    ("rollbackWindow", "5s"),
];

fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

/// A region's `prometheus` as settings write it.
fn settings(prometheus: &str) -> Prometheus {
    let text = format!("fleets: [{{ name: lab, regions: [{{ name: east, {prometheus} }}] }}]");
    parse("settings", text.as_bytes()).unwrap().fleets.remove(0).regions.remove(0).prometheus.unwrap()
}

/// A cockpit over one namespace of the lab.
struct Deck {
    world: World,
    id: RolloutId,
}

impl Deck {
    async fn launch(bed: &Bed, prometheus: &str, to: &str, more: &[(&str, &str)]) -> Deck {
        let contexts = Contexts::read(Some(&bed.lab.kubeconfig("admin"))).unwrap();
        let region = kubernetes::RegionSpec {
            name: Region::new("east"),
            context: bed.context().to_owned(),
            namespaces: vec![Namespace::new(&bed.namespace)],
            prometheus: Some(settings(prometheus)),
        };
        let platform = KubernetesPlatform::start(contexts, &[region]).unwrap();
        let regions = vec![RegionSpec { name: "east".into(), role: None }];
        let spec =
            FleetSpec { name: "lab".into(), practice: false, protection: Protection::Open, readonly: false, grace: Span::ZERO, regions };
        let world = World::new(spec, Box::new(platform), Box::new(Memory::default()), None, Ids::fresh(), now());
        let mut deck = Deck { world, id: RolloutId::new("none") };
        deck.until_world("the service is seen", |world| world.heard_all() && world.rights_known() && world.service("order").is_ok()).await;
        let options = OPTIONS
            .iter()
            .filter(|(k, _)| more.iter().all(|(m, _)| m != k))
            .chain(more)
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let document = Document::read(&Sources { options, ..Sources::default() }).unwrap();
        let service = deck.world.service("order").unwrap();
        let legs = deck.world.legs(&service, to, None).unwrap();
        let plan = compile(&document, &legs, &service, &Version::new(to)).unwrap();
        let launch = Intent::Launch { plan: Arc::new(plan), reason: None };
        deck.id = deck.world.take(now(), launch, &Person::new("mara"), true).unwrap();
        deck
    }

    async fn until_world(&mut self, what: &str, wanted: impl Fn(&World) -> bool) {
        let all = tokio::time::timeout(PATIENCE, async {
            while !wanted(&self.world) {
                self.turn().await;
            }
        });
        all.await.unwrap_or_else(|_| panic!("not seen in {PATIENCE:?}: {what}"));
    }

    /// Waits until something may have changed, and takes it in.
    async fn turn(&mut self) {
        let next = self.world.poll_timeout().map_or(500, |at| at.since(now()).0.clamp(1, 500));
        let _ = tokio::time::timeout(Duration::from_millis(next), self.world.ready()).await;
        self.world.step(now());
    }

    fn view(&mut self) -> RolloutView {
        self.world.snapshot().rollout(&self.id).unwrap().clone()
    }

    async fn until<T>(&mut self, what: &str, wanted: impl Fn(&RolloutView) -> Option<T>) -> T {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = wanted(&self.view()) {
                    return found;
                }
                self.turn().await;
            }
        });
        let found = found.await;
        found.unwrap_or_else(|_| panic!("not seen in {PATIENCE:?}: {what}\n{:#?}\n{:#?}", self.view().status.mood, self.view().verdict))
    }
}

/// `order` with four pods of v42, and requests to it.
async fn order(bed: &Bed) -> Load {
    bed.deploy("order", 4, "shop/order:v42").await;
    bed.until_available("order").await;
    let load = bed.load(&["--service", &format!("{}/order", bed.namespace), "--rps", "100"]);
    bed.until("requests", async || (load.so_far().ok > 20).then_some(())).await;
    load
}

fn service_door() -> &'static str {
    "prometheus: { service: monitoring/prometheus:9090, scrapeInterval: 1s }"
}

#[test]
fn a_version_with_errors_goes_back_by_itself_from_prometheus_counts() {
    in_lab_with(&[PROMETHEUS], "prom-bad", async |bed| {
        let load = order(&bed).await;
        let mut deck = Deck::launch(&bed, service_door(), "v43-errors20", &[]).await;
        let (seen, requests) = deck
            .until("Prometheus counts both versions", |r| {
                let seen = &r.verdict.metrics.first()?.seen;
                (seen.state == Metered::Counted && r.verdict.requests > 0.0).then(|| (seen.clone(), r.verdict.requests))
            })
            .await;
        assert_eq!(seen.source, "monitoring/prometheus:9090, pods");
        assert!(seen.queries.len() == 6 && seen.queries.iter().all(|q| q.query.contains("[2s]")), "{seen:#?}");
        assert!(requests < 2000.0, "{requests}");
        let why = deck.until("it goes back", |r| r.status.back.as_ref().map(|back| (back.by.to_string(), back.why.clone()))).await;
        assert!(why.0.contains("flightdeck") || why.0 == "automatic", "{why:?}");
        assert!(why.1.contains("errors ") && why.1.contains("limit 5.0 %"), "{why:?}");
        deck.until("it is proven, by the pods' own pages", |r| (r.status.mood == Mood::Back).then_some(())).await;
        load.stop();
    });
}

#[test]
fn a_slow_version_goes_back_by_itself_from_prometheus_buckets() {
    in_lab_with(&[PROMETHEUS], "prom-slow", async |bed| {
        let load = order(&bed).await;
        let mut deck = Deck::launch(&bed, service_door(), "v43-slow300", &[("rollbackThreshold", "p95 200ms")]).await;
        let why = deck.until("it goes back", |r| r.status.back.as_ref().map(|back| back.why.clone())).await;
        assert!(why.contains("p95 ") && why.contains("limit 200 ms"), "{why}");
        load.stop();
    });
}

#[test]
fn a_healthy_version_is_promoted_and_a_persons_own_queries_count_the_same() {
    in_lab_with(&[PROMETHEUS], "prom-good", async |bed| {
        let load = order(&bed).await;
        let query = |code: &str| {
            format!(
                "sum(increase(http_requests_total{{namespace=\"{{{{namespace}}}}\",revision=\"{{{{revision}}}}\"{code}}}[{{{{interval}}}}])) or vector(0)"
            )
        };
        let door = format!(
            "prometheus: {{ url: 'http://{}', scrapeInterval: 1s }}, metrics: {{ requests: '{}', errors: '{}' }}",
            bed.prometheus(9090),
            query(""),
            query(",code=~\"5..\"")
        );
        let mut deck = Deck::launch(&bed, &door, "v43", &[]).await;
        let source =
            deck.until("it counts", |r| Some(r.verdict.metrics.first().filter(|_| r.verdict.requests > 0.0)?.seen.source.clone())).await;
        assert!(source.ends_with(", own queries"), "{source}");
        deck.until("it is promoted", |r| (r.status.mood == Mood::Promoted).then_some(())).await;
        load.stop();
    });
}

#[test]
fn without_numbers_it_holds_says_why_and_goes_on_when_they_are_back() {
    in_lab_with(&[PROMETHEUS], "prom-away", async |bed| {
        let load = order(&bed).await;
        let prometheus = Scripted::before(&bed.prometheus(9090));
        let door = format!("prometheus: {{ url: '{}', scrapeInterval: 1s }}", prometheus.url);
        let mut deck = Deck::launch(&bed, &door, "v43", &[("stepSize", "25%"), ("stepInterval", "6s")]).await;
        deck.until("it counts", |r| (r.verdict.requests > 0.0).then_some(())).await;
        prometheus.now(Does::Cuts);
        let held = deck.until("it holds for want of numbers", |r| match &r.status.mood {
            Mood::Unclear { cause } if cause.contains("error: ") => Some(cause.clone()),
            _ => None,
        });
        let cause = held.await;
        assert!(cause.contains("last counted at"), "{cause}");
        let step = deck.view().status.step;
        let nothing = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        let nan = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}}"#;
        for (does, word, says) in [
            (
                Does::Answers(400, r#"{"status":"error","errorType":"bad_data","error":"parse error: here"}"#),
                "error",
                "answers 400: parse error: here",
            ),
            (Does::Answers(401, "Unauthorized"), "error", "answers 401: Unauthorized: look at bearer, basic or tenant"),
            (Does::Answers(403, "no tenant"), "error", "answers 403: no tenant"),
            (Does::Answers(500, "out of memory"), "error", "answers 500: out of memory"),
            (Does::Answers(200, "<html>log in</html>"), "error", "its answer is not that of a Prometheus"),
            (Does::Hangs, "error", "no answer within 5 s"),
            (Does::Answers(200, nan), "not a number", "requests of the"),
            (Does::Answers(200, nothing), "empty", "requests of the old version: no series"),
            (Does::Answers(200, nothing), "no metrics", "no series of pods, istio for its pods"),
        ] {
            prometheus.now(does);
            let view = deck.until(says, |r| (r.verdict.missing == Some(word) && r.verdict.says.contains(says)).then(|| r.clone())).await;
            assert_eq!((view.status.step, view.phase), (step, Phase::Flying), "{says}");
            let json: Value = serde_json::to_value(&view.verdict).unwrap();
            assert!(json["why"].as_str().unwrap().contains(says) && json["verdict"] == "no-data", "{json}");
        }
        prometheus.now(Does::PassesOn);
        deck.until("it is promoted", |r| (r.status.mood == Mood::Promoted).then_some(())).await;
        load.stop();
    });
}

fn doctor(bed: &Bed, prometheus: &str, token: Option<&str>) -> (String, Output) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("settings.yaml");
    let (context, namespace) = (bed.context(), &bed.namespace);
    let text =
        format!("fleets: [{{ name: lab, regions: [{{ name: east, context: '{context}', namespaces: [{namespace}], {prometheus} }}] }}]\n");
    std::fs::write(&file, text).unwrap();
    let mut command = bed.flightdeck("admin", home.path());
    command.args(["doctor", "--metrics", "order", "--settings"]).arg(&file);
    if let Some(token) = token {
        command.env("PROM_SECRET", token);
    }
    let out = command.output().unwrap();
    (String::from_utf8(out.stdout.clone()).unwrap(), out)
}

#[test]
fn doctor_shows_each_query_by_every_door() {
    in_lab_with(&[PROMETHEUS, PROMETHEUS_TLS], "prom-doors", async |bed| {
        let load = order(&bed).await;
        let url = |port: u16, more: &str| format!("prometheus: {{ url: 'http://{}', scrapeInterval: 1s{more} }}", bed.prometheus(port));
        let basic = ", basic: { user: flightdeck, password: { env: PROM_SECRET } }";
        let ca = bed.lab.authority();
        let tls = format!("prometheus: {{ url: 'https://{}', ca: '{}', scrapeInterval: 1s{basic} }}", bed.prometheus(9443), ca.display());
        for (door, secret) in [
            (service_door().to_owned(), ""),
            (url(9090, ""), ""),
            (url(9091, basic), "secret"),
            (url(9092, ", bearer: { env: PROM_SECRET }"), "prometheus-token"),
            (url(9093, ", tenant: shop"), ""),
            (tls.clone(), "secret"),
        ] {
            let said = bed
                .until(&format!("doctor counts by {door}"), async || {
                    let (said, _) = doctor(&bed, &door, Some(secret).filter(|s| !s.is_empty()));
                    said.contains("counted by ").then_some(said)
                })
                .await;
            assert!(said.contains("sum(increase(http_requests_total{namespace=\"prom-doors\",pod=~\"(order-"), "{said}");
            assert!(secret.is_empty() || !said.contains(secret), "{said}");
        }
        let (said, out) = doctor(&bed, &url(9092, ", bearer: { env: PROM_SECRET }"), Some("wrong-one"));
        assert!(said.contains("answers 401: Unauthorized") && said.contains("look at bearer") && !said.contains("wrong-one"), "{said}");
        assert_eq!(out.status.code(), Some(4), "{said}");
        let (said, out) = doctor(&bed, &tls.replace(&format!("ca: '{}',", ca.display()), ""), Some("secret"));
        assert!(said.contains("UnknownIssuer") && out.status.code() == Some(5), "{said}");
        let (said, out) = doctor(&bed, &url(9092, ", bearer: { env: NOT_THERE }"), None);
        assert!(said.contains("the variable NOT_THERE is not set") && out.status.code() == Some(5), "{said}");
        load.stop();
    });
}
