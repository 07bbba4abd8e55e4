//! Labs for integration tests: `#[path = "lab/harness.rs"] mod harness;`, then `harness::in_lab("name", async |bed| { ... })`.
//!
//! One lab serves all tests of a test binary, each in a Kubernetes namespace of its own; one with three clusters serves those that need
//! several. Parts beside a cluster (`GATEWAY`, `PROMETHEUS`) start when the first test asks for them. A lab ends with the test process, however that
//! ends, because it holds on to its standard input. Where a lab cannot run, its tests say so loudly and pass; with
//! `FLIGHTDECK_LAB_REQUIRED=1` they fail. Weakness: Cargo builds the example `lab` for `cargo test`, but not for `cargo test --test X`.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Client, Config};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long `until` waits. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running lab. Dropping it stops it and removes its state.
#[derive(Debug)]
pub struct Lab {
    name: String,
    /// The contexts of its clusters in its kubeconfigs.
    pub contexts: Vec<String>,
    network: PathBuf,
    kubeconfigs: Value,
    /// Parts that run, in all clusters.
    parts: Mutex<Vec<&'static str>>,
    /// Its standard input is what keeps the lab alive.
    process: Child,
}

/// What a test works with: the lab, clients of this test's runtime, and a Kubernetes namespace of its own.
pub struct Bed {
    pub lab: &'static Lab,
    /// Which of the lab's clusters, from 0.
    pub cluster: usize,
    pub namespace: String,
    /// As administrator.
    pub client: Client,
}

/// Requests that are being sent; `stop` ends it with its report.
pub struct Load {
    process: Child,
    /// The latest line that it printed.
    latest: Arc<Mutex<Report>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// What a load generator counted. Times are seconds since 1970.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    pub sent: u64,
    /// Answered with 200.
    pub ok: u64,
    /// Lost for users: anything else, by reason in `failures` (a status code, `refused`, `cut`, `timeout`).
    pub failed: u64,
    /// Asked again on a new connection, because a kept one had been closed before.
    pub retried: u64,
    pub failures: BTreeMap<String, u64>,
    pub versions: BTreeMap<String, Answers>,
    /// Only at the end, as all that follows.
    pub began: f64,
    pub seconds: f64,
    /// Tenths of a second, by when the requests were sent.
    pub intervals: Vec<Interval>,
    pub p50_seconds: Option<f64>,
    pub p99_seconds: Option<f64>,
}

/// What one version answered, and when the first and last request that it answered was sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    pub ok: u64,
    pub failed: u64,
    pub first_start: f64,
    pub last_start: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Interval {
    pub sent: u64,
    pub versions: BTreeMap<String, u64>,
    pub lost: BTreeMap<String, u64>,
}

/// Seconds since 1970, to compare with a report's.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

impl Load {
    /// What was counted so far.
    pub fn so_far(&self) -> Report {
        self.latest.lock().unwrap().clone()
    }

    /// Stops sending, waits for what is in flight, and returns the whole report.
    pub fn stop(mut self) -> Report {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.process), rustix::process::Signal::TERM);
        self.reader.take().unwrap().join().unwrap();
        assert!(self.process.wait().unwrap().success(), "the load generator failed");
        let report = self.latest.lock().unwrap().clone();
        assert!(report.seconds > 0.0, "the load generator said nothing at the end");
        report
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // After `stop` it has ended; a test that failed before leaves nothing that sends on.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Report {
    /// Answered by this version, whatever it said.
    pub fn answered(&self, version: &str) -> u64 {
        self.versions.get(version).map_or(0, |answers| answers.ok + answers.failed)
    }
}

/// While this lives, the lab's API server is dead; dropping it brings the API server back.
pub struct ApiAway<'a> {
    lab: &'a Lab,
    cluster: String,
}

/// A part of a lab: a Gateway `gw` in `default`, for routes of all namespaces; requests go to `Bed::gateway`.
pub const GATEWAY: &str = "gateway";
/// Prometheus at `Bed::prometheus`, as the Service `monitoring/prometheus:9090`, and behind doors: port 9091 asks for the user
/// `flightdeck` with the password `secret`, 9092 for the bearer token `prometheus-token`, 9093 for the header `X-Scope-OrgID: shop`.
pub const PROMETHEUS: &str = "prometheus";
/// Another Prometheus on port 9443, by https with a certificate of `Lab::authority`, and with the same user and password.
pub const PROMETHEUS_TLS: &str = "prometheus-tls";

static SHARED: LazyLock<Result<Lab, String>> = LazyLock::new(|| Lab::start(&format!("test-{}", std::process::id()), 1));
static THREE: LazyLock<Result<Lab, String>> = LazyLock::new(|| Lab::start(&format!("tests-{}", std::process::id()), 3));
/// Tests that disturb all others (an API server that stops) hold this alone.
static QUIET: RwLock<()> = RwLock::new(());

/// Runs a test in the shared lab, beside others.
pub fn in_lab(namespace: &str, test: impl AsyncFnOnce(Bed)) {
    in_lab_with(&[], namespace, test);
}

/// The same in a lab that has these parts, too.
pub fn in_lab_with(parts: &[&'static str], namespace: &str, test: impl AsyncFnOnce(Bed)) {
    let _beside_others = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    run(&SHARED, parts, namespace, async |mut beds| test(beds.remove(0)).await);
}

/// Runs a test in the shared lab while no other runs there.
pub fn alone_in_lab(namespace: &str, test: impl AsyncFnOnce(Bed)) {
    alone_in_lab_with(&[], namespace, test);
}

/// The same in a lab that has these parts, too.
pub fn alone_in_lab_with(parts: &[&'static str], namespace: &str, test: impl AsyncFnOnce(Bed)) {
    let _alone = QUIET.write().unwrap_or_else(PoisonError::into_inner);
    run(&SHARED, parts, namespace, async |mut beds| test(beds.remove(0)).await);
}

/// Runs a test in a lab of three clusters while no other runs there, with a bed in each.
pub fn in_clusters(namespace: &str, test: impl AsyncFnOnce(Vec<Bed>)) {
    in_clusters_with(&[], namespace, test);
}

/// The same with these parts in each cluster.
pub fn in_clusters_with(parts: &[&'static str], namespace: &str, test: impl AsyncFnOnce(Vec<Bed>)) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    run(&THREE, parts, namespace, test);
}

fn run(lab: &'static Result<Lab, String>, parts: &[&'static str], namespace: &str, test: impl AsyncFnOnce(Vec<Bed>)) {
    let lab = match lab {
        Ok(lab) => lab,
        Err(reason) => return skip(reason),
    };
    if let Err(reason) = lab.have(parts) {
        return skip(&reason);
    }
    lab.enter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut beds = Vec::new();
        for (cluster, context) in lab.contexts.iter().enumerate() {
            let client = lab.client_of(context, "admin").await;
            let bed = Bed { lab, cluster, namespace: namespace.to_owned(), client };
            bed.make_namespace().await;
            beds.push(bed);
        }
        test(beds).await;
    });
    runtime.shutdown_background();
}

/// Says loudly that a test did not run; fails it where it has to run.
fn skip(reason: &str) {
    let required = std::env::var("FLIGHTDECK_LAB_REQUIRED").is_ok_and(|value| value == "1");
    assert!(!required, "FLIGHTDECK_LAB_REQUIRED=1, and no lab: {reason}");
    // Not by a macro: those are kept from the screen while a test passes.
    let _ = writeln!(std::io::stderr(), "\nSKIPPED: this test needs the lab. {reason}\n");
}

impl Lab {
    /// Starts a lab of its own. An error says why there can be none on this machine, and what to do.
    pub fn start(name: &str, clusters: u8) -> Result<Self, String> {
        let program = program();
        if !program.exists() {
            return Err("the lab is not built: run `cargo build --example lab`".to_owned());
        }
        let mut command = Command::new(&program);
        command
            .args(["up", "--attached", "--name", name, "--clusters", &clusters.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own: what kills the test with its whole group leaves the lab to clean up after it.
        let mut process = command.process_group(0).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(report) = serde_json::from_str::<Value>(&line) else {
            let output = process.wait_with_output().unwrap();
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            assert_eq!(output.status.code(), Some(2), "the lab failed to start: {words}");
            return Err(words);
        };
        let network = PathBuf::from(report["network"].as_str().unwrap());
        let contexts = report["contexts"].as_array().unwrap().iter().map(|context| context.as_str().unwrap().to_owned()).collect();
        Ok(Self { name: name.to_owned(), contexts, network, kubeconfigs: report["kubeconfigs"].clone(), parts: Mutex::default(), process })
    }

    /// Starts the parts that do not run yet. An error says why this machine cannot have them.
    fn have(&self, parts: &[&'static str]) -> Result<(), String> {
        let mut running = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        for part in parts {
            if running.contains(part) {
                continue;
            }
            for cluster in 0..self.contexts.len() {
                let output = self.command("start", &[part, "--cluster", &cluster.to_string()]).output().unwrap();
                let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                if output.status.code() == Some(2) {
                    return Err(words);
                }
                assert!(output.status.success(), "lab start {part}: {words}");
            }
            running.push(part);
        }
        Ok(())
    }

    /// Restarts the gateway's proxy with another throttle, as `2s`, its own default. Tests that do this run alone, and set it back.
    pub fn throttle(&self, throttle: &str) {
        self.task("start", &["gateway", "--throttle", throttle]);
    }

    /// Moves this thread, and what it starts from now on, into the lab's network.
    pub fn enter(&self) {
        let file = File::open(&self.network).unwrap();
        rustix::thread::move_into_link_name_space(file.as_fd(), Some(rustix::thread::LinkNameSpaceType::Network)).unwrap();
    }

    /// `admin`, `viewer` (may read) or `stranger` (may do nothing).
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        PathBuf::from(self.kubeconfigs[user].as_str().unwrap())
    }

    /// The certificate that the lab's own certificates are signed with.
    pub fn authority(&self) -> PathBuf {
        self.kubeconfig("admin").with_file_name("ca.crt")
    }

    /// A client of the first cluster. It does not try again by itself.
    pub async fn client(&self, user: &str) -> Client {
        self.client_of(&self.contexts[0], user).await
    }

    pub async fn client_of(&self, context: &str, user: &str) -> Client {
        client_of(&self.kubeconfig(user), context).await
    }

    /// Kills the API server of the first cluster. Tests that do this run with `alone_in_lab`.
    pub fn stop_api(&self) -> ApiAway<'_> {
        self.stop_api_of(0)
    }

    /// Kills the API server of a cluster.
    pub fn stop_api_of(&self, cluster: usize) -> ApiAway<'_> {
        let cluster = cluster.to_string();
        self.task("stop-api", &["--cluster", &cluster]);
        ApiAway { lab: self, cluster }
    }

    /// The lab's own command line on this lab, as `load` with its options.
    pub fn command(&self, task: &str, options: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args([task, "--name", &self.name]).args(options);
        command
    }

    /// Runs a task of the lab's command line to its end and returns what it printed.
    pub fn task(&self, task: &str, options: &[&str]) -> String {
        let output = self.command(task, options).output().unwrap();
        assert!(output.status.success(), "lab {task}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Drop for ApiAway<'_> {
    fn drop(&mut self) {
        self.lab.task("start-api", &["--cluster", &self.cluster]);
    }
}

impl Bed {
    async fn make_namespace(&self) {
        let metadata = ObjectMeta { name: Some(self.namespace.clone()), ..ObjectMeta::default() };
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await.unwrap();
        let accounts: Api<ServiceAccount> = self.api();
        self.until("a default service account", async || accounts.get_opt("default").await.unwrap()).await;
    }

    /// The context of this bed's cluster.
    pub fn context(&self) -> &str {
        &self.lab.contexts[self.cluster]
    }

    /// An address of the cluster, where its parts are.
    fn address(&self, last: u8, port: u16) -> String {
        format!("10.{}.0.{last}:{port}", 77 + self.cluster)
    }

    /// Where the gateway takes requests.
    pub fn gateway(&self) -> String {
        self.address(2, 8000)
    }

    /// Where the gateway's proxy, Traefik, has its `/metrics`.
    pub fn gateway_metrics(&self) -> String {
        self.address(2, 8080)
    }

    /// Where Prometheus is; its guarded doors have other ports at the same address.
    pub fn prometheus(&self, port: u16) -> String {
        self.address(3, port)
    }

    /// Objects of a built-in kind in this test's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies the objects of a YAML text (several with `---` between) to this test's namespace.
    pub async fn apply(&self, yaml: &str) {
        for document in serde_yaml::Deserializer::from_str(yaml) {
            let object = Value::deserialize(document).unwrap();
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (group, version) = text("/apiVersion").rsplit_once('/').unwrap_or(("", text("/apiVersion")));
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
            api.patch(text("/metadata/name"), &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
        }
    }

    /// A Deployment of the lab's app and its Service, as `app` makes them.
    pub async fn deploy(&self, name: &str, replicas: u32, image: &str) {
        let [deployment, service] = app(name, replicas, image);
        self.apply(&format!("{deployment}\n---\n{service}\n")).await;
    }

    /// What `kubectl set image deployment/NAME app=IMAGE` does.
    pub async fn set_image(&self, name: &str, image: &str) {
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}});
        let deployments: Api<Deployment> = self.api();
        deployments.patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    }

    /// Waits until a Deployment has all its pods, of its present template, available.
    pub async fn until_available(&self, name: &str) -> Deployment {
        let deployments: Api<Deployment> = self.api();
        self.until(&format!("{name} is available"), async || {
            let deployment = deployments.get(name).await.ok()?;
            let (wanted, status) = (deployment.spec.as_ref()?.replicas?, deployment.status.as_ref()?);
            let is_whole = [status.replicas, status.updated_replicas, status.available_replicas] == [Some(wanted); 3];
            (status.observed_generation == deployment.metadata.generation && is_whole).then_some(deployment)
        })
        .await
    }

    /// The pods of an app that are not on their way out.
    pub async fn pods(&self, app: &str) -> Vec<Pod> {
        let pods: Api<Pod> = self.api();
        let list = pods.list(&ListParams::default().labels(&format!("app={app}"))).await.unwrap();
        list.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
    }

    /// Asks again until there is an answer; panics with `what` when there is none in a minute.
    pub async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("not seen in {PATIENCE:?}: {what}"))
    }

    /// Starts to send, with the options of `lab load`; it ends by itself after an hour.
    pub fn load(&self, options: &[&str]) -> Load {
        let mut command = self.lab.command("load", &["--live", "--seconds", "3600", "--cluster", &self.cluster.to_string()]);
        let mut process = command.args(options).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let latest = Arc::new(Mutex::new(Report::default()));
        let (lines, known) = (BufReader::new(process.stdout.take().unwrap()).lines(), latest.clone());
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *known.lock().unwrap() = serde_json::from_str(&line).unwrap();
            }
        });
        Load { process, latest, reader: Some(reader) }
    }

    /// An HTTPRoute of the gateway for the host `NAME.NAMESPACE.lab`, with a weight for each Service, all on port 80.
    pub async fn route(&self, name: &str, weights: &[(&str, u32)]) {
        let backends: Vec<Value> = weights.iter().map(|(service, weight)| json!({"name": service, "port": 80, "weight": weight})).collect();
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
            "spec": {
                "parentRefs": [{"name": "gw", "namespace": "default"}],
                "hostnames": [self.host(name)],
                "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}],
            },
        });
        self.apply(&route.to_string()).await;
    }

    /// The host of `route`.
    pub fn host(&self, name: &str) -> String {
        format!("{name}.{}.lab", self.namespace)
    }

    /// Sends to the host of `route`, through the gateway.
    pub fn load_route(&self, name: &str, options: &[&str]) -> Load {
        let (url, host) = (format!("http://{}/", self.gateway()), self.host(name));
        self.load(&[&["--url", &url, "--host", &host], options].concat())
    }

    /// Waits until the host of `route` answers: what the gateway says of a route comes a moment before what it does.
    pub async fn served(&self, name: &str) {
        let (url, host) = (format!("http://{}/", self.gateway()), format!("Host: {}", self.host(name)));
        self.until("the gateway serves the route", async || (curl(&["--header", &host, &url]) == "200").then_some(())).await;
    }

    /// What `kubectl drain` asks for a pod: Err with the API server's status where a budget forbids it.
    pub async fn evict(&self, pod: &str) -> Result<(), kube::Error> {
        let pods: Api<Pod> = self.api();
        pods.evict(pod, &kube::api::EvictParams::default()).await.map(|_| ())
    }

    /// flightdeck, as a user of this lab and in its network; its files go to `data`.
    pub fn flightdeck(&self, user: &str, data: &std::path::Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
        command.env("KUBECONFIG", self.lab.kubeconfig(user)).env("FLIGHTDECK_DATA", data).stdin(Stdio::null());
        command
    }
}

/// The manifests of a Deployment of the lab's app and of its Service: readiness on `/health` each second, a preStop of 1 s.
pub fn app(name: &str, replicas: u32, image: &str) -> [Value; 2] {
    let template = json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{
            "name": "app", "image": image, "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
            "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        }]},
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    });
    [deployment, service]
}

/// The status code of curl's answer; 000 when there is none.
pub fn curl(arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    let output =
        curl.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "10"]).args(arguments).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// A client of a cluster of a kubeconfig. It does not try again by itself.
pub async fn client_of(kubeconfig: &std::path::Path, context: &str) -> Client {
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig).unwrap(), &options).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// The example `lab`, beside the folder of this test's own program.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).map(|profile| profile.join("examples").join("lab")).unwrap_or_default()
}
