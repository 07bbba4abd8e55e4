//! Labs for integration tests: `#[path = "lab/harness.rs"] mod harness;`, then `harness::in_lab("name", async |bed| { ... })`.
//!
//! One lab serves all tests of a test binary, each in a Kubernetes namespace of its own. It ends with the test process, however that
//! ends, because it holds on to its standard input. Where a lab cannot run, its tests say so loudly and pass; with
//! `FLIGHTDECK_LAB_REQUIRED=1` they fail. Weakness: Cargo builds the example `lab` for `cargo test`, but not for `cargo test --test X`.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, RwLock};
use std::time::Duration;

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
    network: PathBuf,
    kubeconfigs: Value,
    /// Its standard input is what keeps the lab alive.
    process: Child,
}

/// What a test works with: the lab, clients of this test's runtime, and a Kubernetes namespace of its own.
pub struct Bed {
    pub lab: &'static Lab,
    pub namespace: String,
    /// As administrator.
    pub client: Client,
}

/// While this lives, the lab's API server is dead; dropping it brings the API server back.
pub struct ApiAway<'a>(&'a Lab);

static SHARED: LazyLock<Result<Lab, String>> = LazyLock::new(|| Lab::start(&format!("test-{}", std::process::id())));
/// Tests that disturb all others (an API server that stops) hold this alone.
static QUIET: RwLock<()> = RwLock::new(());

/// Runs a test in the shared lab, beside others.
pub fn in_lab(namespace: &str, test: impl AsyncFnOnce(Bed)) {
    let _beside_others = QUIET.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(namespace, test);
}

/// Runs a test in the shared lab while no other runs there.
pub fn alone_in_lab(namespace: &str, test: impl AsyncFnOnce(Bed)) {
    let _alone = QUIET.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(namespace, test);
}

fn run(namespace: &str, test: impl AsyncFnOnce(Bed)) {
    let lab = match &*SHARED {
        Ok(lab) => lab,
        Err(reason) => return skip(reason),
    };
    lab.enter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = lab.client("admin").await;
        let bed = Bed { lab, namespace: namespace.to_owned(), client };
        bed.make_namespace().await;
        test(bed).await;
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
    pub fn start(name: &str) -> Result<Self, String> {
        let program = program();
        if !program.exists() {
            return Err("the lab is not built: run `cargo build --example lab`".to_owned());
        }
        let mut command = Command::new(&program);
        command.args(["up", "--attached", "--name", name]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
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
        Ok(Self { name: name.to_owned(), network, kubeconfigs: report["kubeconfigs"].clone(), process })
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

    /// A client of the current runtime. It does not try again by itself.
    pub async fn client(&self, user: &str) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig(user)).unwrap();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        config.default_retry = false;
        Client::try_from(config).unwrap()
    }

    /// Kills the API server. Tests that do this run with `alone_in_lab`.
    pub fn stop_api(&self) -> ApiAway<'_> {
        self.task("stop-api", &[]);
        ApiAway(self)
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
        self.0.task("start-api", &[]);
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

    /// A Deployment of the lab's app and its Service: readiness on `/health` each second, a preStop of 1 s.
    pub async fn deploy(&self, name: &str, replicas: u32, image: &str) {
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

    /// flightdeck, as a user of this lab and in its network; its files go to `data`.
    pub fn flightdeck(&self, user: &str, data: &std::path::Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
        command.env("KUBECONFIG", self.lab.kubeconfig(user)).env("FLIGHTDECK_DATA", data).stdin(Stdio::null());
        command
    }
}

/// The example `lab`, beside the folder of this test's own program.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).map(|profile| profile.join("examples").join("lab")).unwrap_or_default()
}
