//! etcd, the API server and the controller manager: how they are started, and when they are ready.
//!
//! It knows their flags, nothing of pods. The API server's own limits on requests are off: a lab measures its clients.

use std::process::Command;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, bail};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{Api, GetParams, Patch, PatchParams, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::time::sleep;

use crate::place::Place;
use crate::{process, programs};

pub const ETCD: &str = "etcd";
pub const API_SERVER: &str = "kube-apiserver";
pub const CONTROLLER_MANAGER: &str = "kube-controller-manager";

const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

pub fn start_etcd(place: &Place) -> Result<()> {
    let (clients, peers) = (clients(place), format!("http://{}:2380", place.api_address()));
    let mut etcd = Command::new(programs::ETCD.path()?);
    etcd.arg("--data-dir").arg(place.directory.join("etcd"));
    etcd.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    etcd.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    etcd.args(["--initial-cluster", &format!("default={peers}"), "--unsafe-no-fsync", "--log-level", "warn"]);
    process::start(place, ETCD, etcd)
}

pub fn start_api_server(place: &Place) -> Result<()> {
    let file = |name: &str| place.directory.join(name);
    let address = place.api_address().to_string();
    let mut api = Command::new(programs::API_SERVER.path()?);
    // The namespace has no default route from which an address could be guessed.
    api.args(["--bind-address", &address, "--advertise-address", &address, "--secure-port", "6443"]);
    api.args(["--etcd-servers", &clients(place), "--endpoint-reconciler-type", "none"]);
    api.arg("--tls-cert-file").arg(file("api.crt")).arg("--tls-private-key-file").arg(file("api.key"));
    api.arg("--client-ca-file").arg(file("ca.crt")).arg("--token-auth-file").arg(file("tokens.csv"));
    api.arg("--requestheader-client-ca-file").arg(file("ca.crt")).args(["--requestheader-allowed-names", "front-proxy"]);
    api.arg("--service-account-key-file").arg(file("sa.pub")).arg("--service-account-signing-key-file").arg(file("sa.key"));
    api.args(["--service-account-issuer", "https://kubernetes.default.svc", "--service-cluster-ip-range", "10.96.0.0/16"]);
    api.args(["--authorization-mode", "RBAC", "--enable-priority-and-fairness=false"]);
    api.args(["--max-requests-inflight", "0", "--max-mutating-requests-inflight", "0"]);
    process::start(place, API_SERVER, api)
}

pub fn start_controller_manager(place: &Place) -> Result<()> {
    let kubeconfig = place.kubeconfig("admin");
    let mut manager = Command::new(programs::CONTROLLER_MANAGER.path()?);
    for flag in ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"] {
        manager.arg(flag).arg(&kubeconfig);
    }
    manager.arg("--root-ca-file").arg(place.directory.join("ca.crt"));
    manager.arg("--service-account-private-key-file").arg(place.directory.join("sa.key"));
    manager.args([
        "--bind-address",
        &place.api_address().to_string(),
        "--leader-elect=false",
        "--kube-api-qps",
        "1000",
        "--kube-api-burst",
        "2000",
    ]);
    manager.args(["--concurrent-deployment-syncs", "10", "--concurrent-replicaset-syncs", "10"]);
    process::start(place, CONTROLLER_MANAGER, manager)
}

/// Where etcd listens.
fn clients(place: &Place) -> String {
    format!("http://{}:2379", place.api_address())
}

/// A client of this runtime, as `user`. It does not try again by itself.
pub async fn client(place: &Place, user: &str) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(place.kubeconfig(user))?;
    let options = KubeConfigOptions { context: Some(place.context()), ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// Waits until the API server says that it is ready.
pub async fn wait_for_api_server(place: &Place, client: &Client) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client.request_text(Request::new("").get("readyz", &GetParams::default())?).await;
        match answer {
            Ok(text) if text == "ok" => return Ok(()),
            _ if !process::is_running(place, API_SERVER) => {
                bail!("the API server ended:\n{}", process::last_words(place, API_SERVER))
            }
            other if Instant::now() > deadline => bail!("the API server is not ready after {PATIENCE:?}: {other:?}"),
            _ => sleep(POLL).await,
        }
    }
}

/// Gives `viewer` its rights, and waits until pods can be made: a node that is ready and a default service account.
pub async fn wait_for_pods(client: &Client, node: &str) -> Result<()> {
    let binding = serde_json::json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "lab-viewers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "lab:viewers"}],
    });
    let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
    bindings.patch("lab-viewers", &PatchParams::apply("lab"), &Patch::Apply(binding)).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let nodes: Api<Node> = Api::all(client.clone());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let node = nodes.get_opt(node).await?;
        let is_ready = node
            .and_then(|node| node.status?.conditions)
            .is_some_and(|conditions| conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"));
        if is_ready && accounts.get_opt("default").await?.is_some() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("no node is ready, or the namespace `default` has no service account, after {PATIENCE:?}");
        }
        sleep(POLL).await;
    }
}
