//! From a rollback's orders at the platform's door to its requests at three API servers, the last of the three: p50 and p99 of 50; the
//! same, and the first rows, beside a context that hangs and one that refuses. With the bench `keys`, which ends at that door, this
//! is the way from `R` to the requests leaving; the figure to hold is 10 ms at the 99th percentile for both together.
//!
//! `cargo bench --bench requests`, half a minute. Known weakness: the servers are scripted ones on the same machine, without TLS.

#[path = "../tests/fake/api_server.rs"]
mod api_server;
#[path = "../tests/fake/shop.rs"]
mod shop;

use api_server::ApiServer;
use flightdeck::fleet::{Aspect, Fact, Way, Workload};
use flightdeck::platform::kubernetes::{Contexts, KubernetesPlatform, RegionSpec};
use flightdeck::platform::{Order, Platform};
use flightdeck::rollout::{Want, Wish, WishKey};
use flightdeck::units::{LegId, Percent, Region, RolloutId, Term, Time, Version};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];
const TIMES: usize = 50;
/// Rollbacks before those that are counted.
const WARM: usize = 5;
const PATCH: &str = "PATCH /apis/apps/v1/";

fn main() {
    // `cargo test --benches` runs it too, and means no bench.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    // The servers, and ports that never answer, have a thread of their own.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut servers = Vec::new();
            for _ in REGIONS {
                let server = ApiServer::start().await;
                // `order` moves from v42 to v43, so that its way back is prepared.
                shop::fill(&server);
                server.put("replicasets", moved_set());
                server.put("deployments", moved());
                servers.push(server);
            }
            let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            tell.send((servers, [silent.local_addr().unwrap().to_string(), closed.to_string()])).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let (servers, [hangs, refuses]) = told.recv().unwrap();
    let three: Vec<(&str, String)> = REGIONS.into_iter().zip(servers.iter().map(|s| s.url.clone())).collect();
    measure("three regions", &three, &servers, 0);
    let dead = [("hangs", format!("http://{hangs}")), ("refuses", format!("http://{refuses}"))];
    measure("beside a context that hangs and one that refuses", &[&dead[..], &three].concat(), &servers, 1000);
}

/// The template of v43, of which no pod is ready.
fn moved_set() -> Value {
    let mut set = shop::set("order", "bbb", "order:v43");
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    (set["spec"]["replicas"], set["status"]) = (json!(1), json!({"replicas": 1, "readyReplicas": 0}));
    set
}

fn moved() -> Value {
    let mut deployment = shop::deployment("order", "order:v43");
    deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    deployment["status"]["updatedReplicas"] = json!(1);
    deployment
}

fn measure(what: &str, regions: &[(&str, String)], servers: &[ApiServer], first_term: u64) {
    let folder = tempfile::tempdir().unwrap();
    let list = |one: &dyn Fn(&str, &str) -> Value| regions.iter().map(|(name, url)| one(name, url)).collect::<Vec<_>>();
    let config = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": list(&|name, url| json!({"name": name, "cluster": {"server": url}})),
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": list(&|name, _| json!({"name": name, "context": {"cluster": name, "user": "u", "namespace": "shop"}})),
    });
    let path = folder.path().join("config");
    std::fs::write(&path, config.to_string()).unwrap();
    let specs: Vec<RegionSpec> = regions
        .iter()
        .map(|(name, _)| RegionSpec { name: Region::new(*name), context: (*name).to_owned(), namespaces: Vec::new(), prometheus: None })
        .collect();
    let began = Instant::now();
    let mut platform = KubernetesPlatform::start(Contexts::read(Some(&path)).unwrap(), &specs).unwrap();
    let rows = rows(&mut platform);
    let first_rows = began.elapsed();

    let mut took = Vec::new();
    for n in 0..WARM + TIMES {
        // Nothing else is on its way, and the line may have rested.
        std::thread::sleep(Duration::from_millis(150));
        while platform.poll(Time(0)).is_some() {}
        let before: Vec<usize> = servers.iter().map(|server| server.asked(PATCH).len()).collect();
        let at = Instant::now();
        for row in rows.values() {
            platform.send(Time(0), back(row, first_term + n as u64 + 1));
        }
        let arrived = |(server, before): (&ApiServer, &usize)| {
            let deadline = at + Duration::from_secs(10);
            loop {
                if let Some(asked) = server.asked(PATCH).get(*before) {
                    return asked.at - at;
                }
                assert!(Instant::now() < deadline, "no request came");
                std::thread::sleep(Duration::from_micros(100));
            }
        };
        let last = servers.iter().zip(&before).map(arrived).max().unwrap_or_default();
        if n >= WARM {
            took.push(last.as_secs_f64() * 1000.0);
        }
    }
    took.sort_by(f64::total_cmp);
    println!("{what}");
    println!("  rows of three regions                         {:8.1} ms", first_rows.as_secs_f64() * 1000.0);
    println!("  orders to the last request, p50 and p99 of {TIMES} {:8.2} and {:.2} ms", took[TIMES / 2], took[TIMES * 99 / 100]);
}

/// The row of `order` in each region, once it moves there.
fn rows(platform: &mut KubernetesPlatform) -> BTreeMap<Region, Workload> {
    let mut rows = BTreeMap::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while rows.len() < REGIONS.len() {
        assert!(Instant::now() < deadline, "not all rows came");
        match platform.poll(Time(0)) {
            Some(Fact::WorkloadSeen(row)) if row.revisions.len() == 2 => drop(rows.insert(row.id.region.clone(), *row)),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_micros(200)),
        }
    }
    rows
}

/// A rollback to v42, in a term of its own.
fn back(row: &Workload, term: u64) -> Order {
    let want = Want::Roll { forward: false, share: Percent::ALL, surge: 1, unavailable: 0, paused: false };
    let key = WishKey { leg: LegId::new(row.id.region.as_str()), aspect: Aspect::Template };
    Order {
        rollout: RolloutId::new("order-1"),
        workload: row.id.clone(),
        wish: Wish { key, want, term: Term(term), way: Way::Back, again: 0 },
        old: row.revisions.last().unwrap().revision.clone(),
        new: Some(row.template.clone()),
        container: "app".into(),
        image: "order:v43".into(),
        version: Version::new("v43"),
        beside: None,
    }
}
