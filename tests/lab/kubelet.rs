//! The test kubelet: one node, to which every pod without a node is bound, and which runs each pod as local processes.
//!
//! It knows the API server, and nothing of deployments. It hands out addresses in turn, so that a freed one is not given away at once.
//! An API server that goes away is waited for; a node and pods that the controller manager declared lost meanwhile are taken back.
//! Weakness: binds without looking at requests, selectors or taints; emits no Events; serves no logs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::control_plane;
use crate::place::Place;
use crate::pod;
use crate::targets::{self, Targets};

/// The name of the one node.
pub const NODE: &str = "lab-0";

const HEARTBEAT: Duration = Duration::from_secs(10);
const CALL: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(300);

/// Runs until it is killed.
pub async fn run(place: &Place) -> Result<()> {
    let client = control_plane::client(place, "admin").await?;
    let pods: Api<Pod> = Api::all(client.clone());
    let events = watcher::watcher(pods, watcher::Config::default());
    pin_mut!(events);
    let mut kubelet = Kubelet::new(place, client.clone());
    let beat = keep_node_alive(place, client);
    pin_mut!(beat);
    kubelet.targets.write();
    loop {
        tokio::select! {
            never = &mut beat => match never {},
            Some(event) = events.next() => match event {
                Ok(event) => kubelet.see(event),
                Err(error) => {
                    eprintln!("watching pods: {error}");
                    sleep(AGAIN).await;
                }
            },
            Some(Ok((uid, address))) = kubelet.ends.join_next() => kubelet.forget(&uid, address),
        }
    }
}

struct Kubelet {
    client: Client,
    running: HashMap<String, watch::Sender<Option<Arc<Pod>>>>,
    /// The uids of a list that is coming in.
    listed: HashSet<String>,
    addresses: Addresses,
    targets: Targets,
    ends: JoinSet<(String, Ipv4Addr)>,
}

impl Kubelet {
    fn new(place: &Place, client: Client) -> Self {
        let addresses = Addresses { place: place.clone(), taken: HashSet::new(), next: 0 };
        let targets = Targets { file: place.directory.join(targets::FILE), pods: BTreeMap::new() };
        Self { client, running: HashMap::new(), listed: HashSet::new(), addresses, targets, ends: JoinSet::new() }
    }

    fn see(&mut self, event: Event<Pod>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => {
                self.listed.extend(pod.uid());
                self.see_pod(pod);
            }
            Event::InitDone => {
                for (_, lost) in self.running.iter().filter(|(uid, _)| !self.listed.contains(*uid)) {
                    lost.send_replace(None);
                }
            }
            Event::Apply(pod) => self.see_pod(pod),
            Event::Delete(pod) => {
                if let Some(gone) = pod.uid().and_then(|uid| self.running.get(&uid)) {
                    gone.send_replace(None);
                }
            }
        }
    }

    fn see_pod(&mut self, pod: Pod) {
        let Some(uid) = pod.uid() else { return };
        match pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) {
            None | Some("") if pod.metadata.deletion_timestamp.is_none() => {
                tokio::spawn(bind(self.client.clone(), pod));
            }
            Some(NODE) => match self.running.get(&uid) {
                Some(known) => {
                    known.send_replace(Some(Arc::new(pod)));
                }
                None => self.begin(uid, pod),
            },
            _ => {}
        }
    }

    fn begin(&mut self, uid: String, pod: Pod) {
        let address = self.addresses.take(pod.status.as_ref().and_then(|status| status.pod_ip.as_deref()));
        self.targets.add(&uid, &pod, address);
        let (object, changes) = watch::channel(Some(Arc::new(pod)));
        let client = self.client.clone();
        let end = uid.clone();
        self.ends.spawn(async move {
            pod::live(client, address, changes).await;
            (end, address)
        });
        self.running.insert(uid, object);
    }

    fn forget(&mut self, uid: &str, address: Ipv4Addr) {
        self.running.remove(uid);
        self.targets.remove(uid);
        self.addresses.taken.remove(&address);
    }
}

/// Puts the pod on the node.
async fn bind(client: Client, pod: Pod) {
    let name = pod.name_any();
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "uid": pod.uid()},
        "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
    });
    let pods: Api<Pod> = Api::namespaced(client, &pod.namespace().unwrap_or_default());
    loop {
        let parameters = PostParams::default();
        let call = pods.create_subresource::<_, Value>("binding", &name, &parameters, &binding);
        match timeout(CALL, call).await {
            Ok(Ok(_)) => return,
            // Gone, or bound by an earlier look at it.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => return,
            other => eprintln!("binding {name}: {other:?}"),
        }
        sleep(AGAIN).await;
    }
}

struct Addresses {
    place: Place,
    taken: HashSet<Ipv4Addr>,
    next: u16,
}

impl Addresses {
    /// The next free address from x.1.2 to x.255.251; a pod that had one keeps it, and the turn goes on behind it.
    fn take(&mut self, had: Option<&str>) -> Ipv4Addr {
        let address = match had.and_then(|text| text.parse::<Ipv4Addr>().ok()) {
            Some(address) => {
                let [_, _, third, fourth] = address.octets().map(u16::from);
                self.next = self.next.max(third.saturating_sub(1) * 250 + fourth.saturating_sub(2) + 1);
                address
            }
            None => loop {
                let turn = self.next % (255 * 250);
                self.next = turn + 1;
                let [third, fourth] = [turn / 250 + 1, turn % 250 + 2].map(|n| u8::try_from(n).unwrap_or_default());
                let address = self.place.address(third, fourth);
                if !self.taken.contains(&address) {
                    break address;
                }
            },
        };
        self.taken.insert(address);
        address
    }
}

/// Makes the node, renews its Lease, and says again that it is ready when somebody doubts it.
async fn keep_node_alive(place: &Place, client: Client) -> Infallible {
    loop {
        let wait = match timeout(CALL, heartbeat(place, &client)).await {
            Ok(Ok(())) => HEARTBEAT,
            Ok(Err(error)) => {
                eprintln!("node: {error}");
                AGAIN
            }
            Err(_) => AGAIN,
        };
        sleep(wait).await;
    }
}

async fn heartbeat(place: &Place, client: &Client) -> kube::Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let node = match nodes.get_opt(NODE).await? {
        Some(node) => node,
        None => {
            let labels = [("kubernetes.io/hostname".to_owned(), NODE.to_owned())].into();
            let metadata = ObjectMeta { name: Some(NODE.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
            nodes.create(&PostParams::default(), &Node { metadata, ..Node::default() }).await?
        }
    };
    let is_ready = node
        .status
        .and_then(|status| status.conditions)
        .is_some_and(|conditions| conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"));
    if !is_ready {
        // A renewed Lease alone never takes back a node that was declared lost.
        nodes.patch_status(NODE, &PatchParams::default(), &Patch::Merge(node_status(place))).await?;
    }
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NODE},
        "spec": {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": format!("{:.6}", jiff::Timestamp::now())},
    });
    leases.patch(NODE, &PatchParams::apply("lab-kubelet").force(), &Patch::Apply(lease)).await?;
    Ok(())
}

fn node_status(place: &Place) -> Value {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "test kubelet", "lastHeartbeatTime": now, "lastTransitionTime": now});
    let room = json!({"cpu": "64", "memory": "64Gi", "pods": "1000"});
    json!({"status": {
        "capacity": room,
        "allocatable": room,
        "addresses": [{"type": "InternalIP", "address": place.address(0, 10).to_string()}],
        "nodeInfo": {
            "machineID": "lab", "systemUUID": "lab", "bootID": "lab", "kernelVersion": "lab", "osImage": "lab",
            "containerRuntimeVersion": "lab://1", "kubeletVersion": "v1.36.3", "kubeProxyVersion": "", "operatingSystem": "linux",
            "architecture": "amd64",
        },
        "conditions": [
            condition("Ready", "True", "KubeletReady"),
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID"),
        ],
    }})
}
