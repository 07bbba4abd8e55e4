//! The cockpit on three real API servers with 10,000 pods, 1,000 Deployments and 200 updates that stand still: first rows, memory,
//! processor, bytes from each API server and key latency; the same on the empty clusters, and there beside contexts that never answer.
//!
//! `cargo build --release --example lab && cargo bench --bench scale`, about three minutes on two idle cores; `FLIGHTDECK_SCALE=0.1`
//! takes a tenth. Pods have no process: this program says of each that it is ready, as kwok does; those of an update never are. The
//! figures to hold are in the table that it prints. Known weakness: the API servers run on the same cores, so first rows are
//! theirs as much as ours.

#[path = "../tests/lab/harness.rs"]
mod harness;

use futures::StreamExt;
use harness::Lab;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Service, ServiceAccount};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const NODE: &str = "scale-0";
const SHOP: &str = "shop";
/// Pods of a Deployment.
const PODS: usize = 10;
/// Writes at the same time, per cluster.
const HANDS: usize = 16;
/// How long a quiet cockpit is looked at.
const QUIET: Duration = Duration::from_secs(20);
/// What has just begun is let come to rest.
const REST: Duration = Duration::from_secs(12);
const KEYS: usize = 50;
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    // `cargo test --benches` runs it too, and means no bench.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let share: f64 = std::env::var("FLIGHTDECK_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let lab = match Lab::start(&format!("scale-{}", std::process::id()), 3) {
        Ok(lab) => lab,
        Err(why) => return println!("SKIPPED: {why}"),
    };
    lab.enter();
    keep_nodes_alive(&lab);
    let counted = Counted::before(&lab);
    let regions: Vec<&str> = lab.contexts.iter().map(String::as_str).collect();
    let began = Instant::now();

    fill(&lab, 1, 0);
    let few = measure("empty clusters, one Deployment each", &counted, &regions);
    let dead = [&["hangs", "refuses"], &regions[..]].concat();
    let beside_dead = measure("the same beside a context that hangs and one that refuses", &counted, &dead);
    println!("first rows beside dead contexts: {:+.0} ms\n", (beside_dead - few) * 1000.0);

    let deployments = (1000.0 * share / 3.0).ceil() as usize;
    let updates = (200.0 * share / 3.0).ceil() as usize;
    let filled = Instant::now();
    fill(&lab, deployments, updates);
    println!("filled in {:.0} s", filled.elapsed().as_secs_f64());
    let all = 3 * (deployments * PODS + updates * 3);
    measure(&format!("{all} pods, {} Deployments, {} updates", 3 * deployments, 3 * updates), &counted, &regions);
    println!("all of it took {:.0} s", began.elapsed().as_secs_f64());
}

/// Looks at one cockpit from its start until it is left, and prints what was seen. Returns the seconds to its first rows.
fn measure(what: &str, counted: &Counted, regions: &[&str]) -> f64 {
    let real = regions.len().min(3);
    let mut cockpit = Cockpit::start(counted, regions, real);
    let rows = cockpit.when(|seen| seen.rows);
    let whole = cockpit.when(|seen| seen.whole);
    let first = counted.total();
    std::thread::sleep(REST);
    let (cpu, bytes, written, at) = (cockpit.cpu(), counted.each(), cockpit.written(), Instant::now());
    std::thread::sleep(QUIET);
    let seconds = at.elapsed().as_secs_f64();
    let cpu = (cockpit.cpu() - cpu) / seconds * 100.0;
    let most = counted.each().iter().zip(&bytes).map(|(now, then)| now - then).max().unwrap_or_default();
    let written = (cockpit.written() - written) as f64 / seconds;
    let mut keys = cockpit.keys();
    keys.sort_by(f64::total_cmp);
    let (now, peak) = cockpit.memory();
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!("{what}");
    println!("  first rows                        {:8.0} ms      (300 with 10,000 pods)", rows * 1000.0);
    println!("  every region listed               {:8.0} ms", whole * 1000.0);
    println!("  read from the API servers by then {:8.1} MiB", first as f64 / 1024.0 / 1024.0);
    println!("  resident memory, now and peak     {:8.1} and {:.1} MiB (60 and 120)", mib(now), mib(peak));
    println!("  processor while nothing changes   {cpu:8.2} %       (0.5)");
    println!("  from the busiest API server       {:8.0} B/s     (1,000)", most as f64 / seconds);
    println!("  to the terminal                   {written:8.0} B/s");
    println!("  key to bytes out, p50 and p99     {:8.1} and {:.1} ms (16 at p99)\n", keys[KEYS / 2], keys[KEYS * 99 / 100]);
    rows
}

/// Doors before the API servers that count the bytes which come from them, and a kubeconfig that leads through them.
struct Counted {
    each: Vec<Arc<AtomicU64>>,
    kubeconfig: PathBuf,
    folder: tempfile::TempDir,
}

impl Counted {
    fn before(lab: &Lab) -> Counted {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Kubeconfig::read_from(lab.kubeconfig("admin")).unwrap();
        let each: Vec<Arc<AtomicU64>> = lab.contexts.iter().map(|_| Arc::default()).collect();
        let (tell, doors) = std::sync::mpsc::channel();
        let servers: Vec<String> = lab.contexts.iter().map(|context| server(&mut config, context).clone().unwrap()).collect();
        let counts = each.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for (server, count) in servers.into_iter().zip(counts) {
                    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    tell.send(door.local_addr().unwrap().port()).unwrap();
                    tokio::spawn(keep(door, server.trim_start_matches("https://").to_owned(), count));
                }
                // Takes connections, says nothing.
                let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(silent.local_addr().unwrap().port()).unwrap();
                let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
                tell.send(closed).unwrap();
                drop(tell);
                std::future::pending::<()>().await;
            });
        });
        let ports: Vec<u16> = doors.into_iter().collect();
        for (context, port) in lab.contexts.iter().zip(&ports) {
            *server(&mut config, context) = Some(format!("https://127.0.0.1:{port}"));
        }
        for cluster in &mut config.clusters {
            cluster.cluster.as_mut().unwrap().tls_server_name = Some("kubernetes".into());
        }
        for (name, port) in ["hangs", "refuses"].into_iter().zip(&ports[lab.contexts.len()..]) {
            let (mut cluster, mut context) = (config.clusters[0].clone(), config.contexts[0].clone());
            (cluster.name, context.name) = (name.to_owned(), name.to_owned());
            cluster.cluster.as_mut().unwrap().server = Some(format!("https://127.0.0.1:{port}"));
            context.context.as_mut().unwrap().cluster = name.to_owned();
            config.clusters.push(cluster);
            config.contexts.push(context);
        }
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, serde_yaml::to_string(&config).unwrap()).unwrap();
        Counted { each, kubeconfig, folder }
    }
    fn each(&self) -> Vec<u64> {
        self.each.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
    fn total(&self) -> u64 {
        self.each().iter().sum()
    }
}

fn server<'a>(config: &'a mut Kubeconfig, context: &str) -> &'a mut Option<String> {
    let named = config.contexts.iter().find(|c| c.name == context).and_then(|c| c.context.as_ref()).unwrap();
    &mut config.clusters.iter_mut().find(|c| c.name == named.cluster).and_then(|c| c.cluster.as_mut()).unwrap().server
}

async fn keep(door: TcpListener, server: String, count: Arc<AtomicU64>) {
    while let Ok((client, _)) = door.accept().await {
        let (server, count) = (server.clone(), count.clone());
        tokio::spawn(async move {
            let Ok(upstream) = TcpStream::connect(&server).await else { return };
            let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
            let ((mut asks, mut hears), (mut answers, mut takes)) = (client.into_split(), upstream.into_split());
            let there = tokio::spawn(async move {
                let _ = tokio::io::copy(&mut asks, &mut takes).await;
                let _ = takes.shutdown().await;
            });
            let mut piece = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = answers.read(&mut piece).await {
                count.fetch_add(n as u64, Ordering::Relaxed);
                if hears.write_all(&piece[..n]).await.is_err() {
                    break;
                }
            }
            there.abort();
        });
    }
}

/// A cockpit on a terminal of 200x50.
struct Cockpit {
    child: Child,
    terminal: File,
    began: Instant,
    seen: Arc<Mutex<Seen>>,
}

/// What its terminal has shown.
#[derive(Default)]
struct Seen {
    bytes: u64,
    last: Option<Instant>,
    rows: Option<Instant>,
    whole: Option<Instant>,
}

impl Cockpit {
    fn start(counted: &Counted, regions: &[&str], real: usize) -> Cockpit {
        let data = tempfile::tempdir_in(counted.folder.path()).unwrap().keep();
        let settings = data.join("settings.yaml");
        let regions: Vec<Value> = regions.iter().map(|name| json!({"name": name, "context": name, "namespaces": [SHOP]})).collect();
        let all = regions.len();
        fs::write(&settings, json!({"fleets": [{"name": "scale", "regions": regions}]}).to_string()).unwrap();
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        tcsetwinsize(&terminal, Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let open = || OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
        command.env("KUBECONFIG", &counted.kubeconfig).env("FLIGHTDECK_DATA", &data).env("TERM", "xterm-256color");
        command.args(["--env", "scale", "--settings"]).arg(&settings);
        command.stdin(open()).stdout(open()).stderr(open());
        let began = Instant::now();
        let child = command.spawn().unwrap();
        let terminal = File::from(terminal);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (mut reader, shared) = (terminal.try_clone().unwrap(), seen.clone());
        std::thread::spawn(move || {
            let mut screen = vt100::Parser::new(50, 200, 0);
            let mut piece = vec![0; 64 * 1024];
            let connected = format!("{real}/{all} clusters");
            while let Ok(n @ 1..) = reader.read(&mut piece) {
                let now = Instant::now();
                let mut seen = shared.lock().unwrap();
                seen.bytes += n as u64;
                seen.last = Some(now);
                if seen.rows.is_none() || seen.whole.is_none() {
                    screen.process(&piece[..n]);
                    let text = screen.screen().contents();
                    if text.contains("app-0") {
                        seen.rows.get_or_insert(now);
                    }
                    if text.contains(&connected) {
                        seen.whole.get_or_insert(now);
                    }
                }
            }
        });
        Cockpit { child, terminal, began, seen }
    }
    /// Seconds from its start until something was on the screen.
    fn when(&self, what: impl Fn(&Seen) -> Option<Instant>) -> f64 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = what(&self.seen.lock().unwrap()) {
                return (at - self.began).as_secs_f64();
            }
            assert!(Instant::now() < end, "the cockpit does not show it");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    fn written(&self) -> u64 {
        self.seen.lock().unwrap().bytes
    }
    /// Seconds of the processor so far.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name, in brackets, may have spaces; after it come the state and then numbers: user and system time are 12th and 13th.
        let fields: Vec<u64> = stat[stat.rfind(')').unwrap() + 4..].split_whitespace().map(|n| n.parse().unwrap_or(0)).collect();
        (fields[10] + fields[11]) as f64 / 100.0
    }
    /// KiB now and at most.
    fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
    /// Milliseconds from a key to the first byte after it.
    fn keys(&mut self) -> Vec<f64> {
        (0..KEYS)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(120));
                let at = Instant::now();
                // Help comes and goes: it changes the screen whatever is on it.
                self.terminal.write_all(b"?").unwrap();
                loop {
                    if let Some(last) = self.seen.lock().unwrap().last.filter(|last| *last > at) {
                        break (last - at).as_secs_f64() * 1000.0;
                    }
                    if at.elapsed() > Duration::from_secs(5) {
                        break f64::INFINITY;
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
            })
            .collect()
    }
}

impl Drop for Cockpit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Brings all clusters to so many Deployments each, so many of them in an update that stands still.
fn fill(lab: &Lab, deployments: usize, updates: usize) {
    let kubeconfig = lab.kubeconfig("admin");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fill = lab.contexts.iter().map(|context| fill_one(&kubeconfig, context, deployments, updates));
        tokio::time::timeout(PATIENCE, futures::future::join_all(fill)).await.expect("the clusters are filled");
    });
}

async fn fill_one(kubeconfig: &Path, context: &str, deployments: usize, updates: usize) {
    let client = harness::client_of(kubeconfig, context).await;
    put(&Api::<Namespace>::all(client.clone()), json!({"metadata": {"name": SHOP}})).await;
    put(&Api::<Node>::all(client.clone()), json!({"metadata": {"name": NODE}})).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), SHOP);
    while accounts.get_opt("default").await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let apps: Api<Deployment> = Api::namespaced(client.clone(), SHOP);
    let services: Api<Service> = Api::namespaced(client.clone(), SHOP);
    let work = async {
        let known = apps.list(&ListParams::default()).await.unwrap().items.len();
        futures::stream::iter(known..deployments)
            .for_each_concurrent(HANDS, async |n| {
                put(&apps, deployment(n)).await;
                put(&services, service(n)).await;
            })
            .await;
        until(&apps, |d| d.status.as_ref().and_then(|s| s.available_replicas) == Some(PODS as i32)).await;
        let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/app:v43"}]}}}});
        futures::stream::iter(0..updates)
            .for_each_concurrent(HANDS, async |n| {
                apps.patch(&name(n), &PatchParams::default(), &Patch::Strategic(&image)).await.unwrap();
            })
            .await;
        let updated = |d: &Deployment| d.status.as_ref().and_then(|s| s.updated_replicas) == Some(3);
        until(&apps, |d| !(0..updates).any(|n| d.name_any() == name(n)) || updated(d)).await;
    };
    tokio::select! {
        () = work => {}
        () = be_the_kubelet(client.clone()) => {}
    }
}

/// Waits until all Deployments are so.
async fn until(apps: &Api<Deployment>, so: impl Fn(&Deployment) -> bool) {
    while !apps.list(&ListParams::default()).await.unwrap().items.iter().all(&so) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn put<K>(api: &Api<K>, object: Value)
where
    K: Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    match api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        other => drop(other.unwrap()),
    }
}

/// Says of each pod of the old version that it is ready.
async fn be_the_kubelet(client: Client) {
    let pods: Api<Pod> = Api::namespaced(client, SHOP);
    let said = Mutex::new(HashSet::new());
    let events = watcher::watcher(pods.clone(), watcher::Config::default());
    events
        .for_each_concurrent(HANDS, async |event| {
            let Ok(Event::InitApply(pod) | Event::Apply(pod)) = event else { return };
            let old = pod.spec.as_ref().is_some_and(|spec| spec.containers[0].image.as_deref() == Some("shop/app:v42"));
            let number = {
                let mut said = said.lock().unwrap();
                if !old || pod.status.as_ref().is_some_and(|s| s.pod_ip.is_some()) || !said.insert(pod.name_any()) {
                    return;
                }
                said.len()
            };
            let now = jiff::Timestamp::now().to_string();
            let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
            let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
            let address = format!("10.200.{}.{}", number / 250, number % 250 + 1);
            let status = json!({"status": {
                "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "startTime": now,
                "conditions": conditions,
                "containerStatuses": [{
                    "name": "app", "image": "shop/app:v42", "imageID": "", "ready": true, "started": true, "restartCount": 0,
                    "state": {"running": {"startedAt": now}},
                }],
            }});
            // One that is gone meanwhile needs no word.
            let _ = pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(status)).await;
        })
        .await;
}

/// In a thread of its own, for as long as this runs: a node that is not heard takes the readiness of its pods with it.
fn keep_nodes_alive(lab: &Lab) {
    let (kubeconfig, contexts) = (lab.kubeconfig("admin"), lab.contexts.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let beat = async |context: &String| keep_node_alive(harness::client_of(&kubeconfig, context).await).await;
        runtime.block_on(futures::future::join_all(contexts.iter().map(beat)));
    });
}

async fn keep_node_alive(client: Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    let leases: Api<Lease> = Api::namespaced(client, "kube-node-lease");
    loop {
        let now = jiff::Timestamp::now();
        let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now.to_string()});
        let _ = nodes.patch_status(NODE, &PatchParams::default(), &Patch::Strategic(json!({"status": {"conditions": [ready]}}))).await;
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NODE},
            "spec": {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()},
        });
        let _ = leases.patch(NODE, &PatchParams::apply("scale").force(), &Patch::Apply(lease)).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn name(n: usize) -> String {
    format!("app-{n:04}")
}

fn deployment(n: usize) -> Value {
    let labels = json!({"app": name(n), "team": "shop", "tier": "backend"});
    json!({
        "metadata": {"name": name(n)},
        "spec": {
            "replicas": PODS, "selector": {"matchLabels": {"app": name(n)}},
            // What an update takes away nobody would end: it only adds.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels}, "spec": {
                "nodeName": NODE, "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "app", "image": "shop/app:v42", "ports": [{"containerPort": 8080}],
                    "env": [{"name": "REGION", "value": "here"}, {"name": "LOG_LEVEL", "value": "info"}],
                    "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}},
                }],
            }},
        },
    })
}

fn service(n: usize) -> Value {
    json!({"metadata": {"name": name(n)}, "spec": {"selector": {"app": name(n)}, "ports": [{"port": 80, "targetPort": 8080}]}})
}
