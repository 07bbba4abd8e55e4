//! One pod of the node: its containers, its status as the API server should have it, and its end.
//!
//! It knows the pod's object and its containers' views, no other pod. The status is written whenever it differs from what the API
//! server shows, so that what somebody else wrote (an outage lets the controller manager set Ready to False) is taken back.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{self as core, Pod};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::container::{Container, Ended, Plan, Probe, State, View, image_id};

const CALL: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(300);

/// Runs the pod until its processes have ended and the API server has let go of it. None in `changes`: it is gone from there.
pub async fn live(client: Client, address: Ipv4Addr, mut changes: watch::Receiver<Option<Arc<Pod>>>) {
    let Some(object) = changes.borrow().clone() else { return };
    let api: Api<Pod> = Api::namespaced(client, &object.namespace().unwrap_or_default());
    let (out, mut said) = mpsc::channel(16);
    let (stop, stopped) = watch::channel(None);
    let mut containers = JoinSet::new();
    let mut pod = Running::new(address, &object);
    for (index, plan) in plans(&object, address).into_iter().enumerate() {
        let view = View::new(restarts(&object, &plan.name));
        pod.views.push((plan.name.clone(), plan.image.clone(), view.clone()));
        // One that is already on its way out when this kubelet first sees it only has to be let go.
        if object.metadata.deletion_timestamp.is_none() {
            let (out, stop) = (out.clone(), stopped.clone());
            containers.spawn(Container { plan, index, view, out, stop }.live());
        }
    }
    loop {
        let object = changes.borrow_and_update().clone();
        let grace = match &object {
            None => Some(Duration::ZERO),
            Some(object) => grace(object),
        };
        if grace.is_some() {
            stop.send_if_modified(|known| std::mem::replace(known, grace) != grace);
        }
        let is_written = match &object {
            Some(object) => pod.write_status(&api, object).await,
            None => true,
        };
        if containers.is_empty() && grace.is_some() {
            break;
        }
        tokio::select! {
            _ = changes.changed() => {}
            Some((index, view)) = said.recv() => pod.see(index, view),
            Some(_) = containers.join_next() => {}
            () = sleep(AGAIN), if !is_written => {}
        }
        while let Ok((index, view)) = said.try_recv() {
            pod.see(index, view);
        }
    }
    if changes.borrow().is_some() {
        let_go(&api, &object).await;
    }
}

/// Deletes the object for good; its uid guards a pod of the same name that came after it.
async fn let_go(api: &Api<Pod>, object: &Pod) {
    let guard = Preconditions { uid: object.uid(), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(guard), ..DeleteParams::default().grace_period(0) };
    loop {
        match timeout(CALL, api.delete(&object.name_any(), &parameters)).await {
            Ok(Ok(_)) => return,
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => return,
            _ => sleep(AGAIN).await,
        }
    }
}

struct Running {
    address: Ipv4Addr,
    since: Timestamp,
    /// Name, image and view of each container, in the order of the object.
    views: Vec<(String, String, View)>,
    ready: bool,
    turned: Timestamp,
    has_started: bool,
}

impl Running {
    fn new(address: Ipv4Addr, object: &Pod) -> Self {
        let now = Timestamp::now();
        let since = object.status.as_ref().and_then(|status| status.start_time.as_ref()).map_or(now, |time| time.0);
        Self { address, since, views: Vec::new(), ready: false, turned: now, has_started: false }
    }

    fn see(&mut self, index: usize, view: View) {
        self.has_started |= matches!(view.state, State::Running { .. });
        if let Some((_, _, known)) = self.views.get_mut(index) {
            *known = view;
        }
        let ready = self.views.iter().all(|(_, _, view)| view.ready);
        if ready != self.ready {
            (self.ready, self.turned) = (ready, Timestamp::now());
        }
    }

    /// Whether the API server has this pod's status now.
    async fn write_status(&self, api: &Api<Pod>, object: &Pod) -> bool {
        let want = self.status(object);
        let shown = serde_json::to_value(&object.status).unwrap_or_default();
        if covers(&shown, &want) {
            return true;
        }
        let (name, parameters) = (object.name_any(), PatchParams::default());
        let patch = Patch::Merge(json!({"metadata": {"uid": object.uid()}, "status": want}));
        match timeout(CALL, api.patch_status(&name, &parameters, &patch)).await {
            Ok(Ok(_)) => true,
            // Deleted, or somebody else's by now: the watch will say so.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => true,
            Ok(Err(error)) => {
                eprintln!("status of {name}: {error}");
                false
            }
            Err(_) => false,
        }
    }

    fn status(&self, object: &Pod) -> Value {
        let unready: Vec<&str> = self.views.iter().filter(|(_, _, view)| !view.ready).map(|(name, _, _)| name.as_str()).collect();
        let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": time(self.since)});
        let readiness = |kind: &str| match self.ready {
            true => json!({"type": kind, "status": "True", "lastTransitionTime": time(self.turned)}),
            false => json!({
                "type": kind, "status": "False", "lastTransitionTime": time(self.turned), "reason": "ContainersNotReady",
                "message": format!("containers with unready status: [{}]", unready.join(" ")),
            }),
        };
        let mut conditions =
            vec![condition("PodReadyToStartContainers"), condition("Initialized"), readiness("Ready"), readiness("ContainersReady")];
        let ours: Vec<Value> = conditions.iter().map(|condition| condition["type"].clone()).collect();
        let shown = serde_json::to_value(object.status.as_ref().and_then(|status| status.conditions.as_ref())).unwrap_or_default();
        let others = shown.as_array().into_iter().flatten().filter(|condition| !ours.contains(&condition["type"]));
        conditions.extend(others.cloned());
        // Where the node says it is; nothing listens there.
        let [first, second, ..] = self.address.octets();
        let host = Ipv4Addr::new(first, second, 0, 10);
        let containers: Vec<Value> = self.views.iter().map(|(name, image, view)| container_status(name, image, view)).collect();
        json!({
            "phase": if self.has_started { "Running" } else { "Pending" },
            "podIP": self.address.to_string(),
            "podIPs": [{"ip": self.address.to_string()}],
            "hostIP": host.to_string(),
            "hostIPs": [{"ip": host.to_string()}],
            "startTime": time(self.since),
            "observedGeneration": object.metadata.generation,
            "conditions": conditions,
            "containerStatuses": containers,
        })
    }
}

fn container_status(name: &str, image: &str, view: &View) -> Value {
    let id = format!("lab://{}", view.pid);
    let ended = |ended: &Ended| {
        json!({"terminated": {
            "exitCode": ended.code, "reason": if ended.code == 0 { "Completed" } else { "Error" },
            "startedAt": time(ended.since), "finishedAt": time(ended.at), "containerID": id,
        }})
    };
    let (state, is_pulled) = match &view.state {
        State::Waiting { reason, message } => (json!({"waiting": {"reason": reason, "message": message}}), view.pid != 0),
        State::Running { since } => (json!({"running": {"startedAt": time(*since)}}), true),
        State::Ended(end) => (ended(end), true),
    };
    json!({
        "name": name,
        "image": image,
        "imageID": if is_pulled { image_id(image) } else { String::new() },
        "containerID": is_pulled.then_some(id.as_str()),
        "ready": view.ready,
        "started": matches!(view.state, State::Running { .. }),
        "restartCount": view.restarts,
        "state": state,
        "lastState": view.before.as_ref().map_or_else(|| json!({}), ended),
    })
}

/// Whether `shown` has all that `want` says; null in `want` means absent.
fn covers(shown: &Value, want: &Value) -> bool {
    match (shown, want) {
        (Value::Object(shown), Value::Object(want)) => want.iter().all(|(key, want)| match (shown.get(key), want) {
            (None, Value::Null) => true,
            (None, Value::String(text)) => text.is_empty(),
            (Some(shown), _) => covers(shown, want),
            (None, want) => want.as_object().is_some_and(serde_json::Map::is_empty),
        }),
        (Value::Array(shown), Value::Array(want)) => {
            shown.len() == want.len() && shown.iter().zip(want).all(|(shown, want)| covers(shown, want))
        }
        _ => shown == want,
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How long the pod may take to end, once it has to.
fn grace(object: &Pod) -> Option<Duration> {
    object.metadata.deletion_timestamp.as_ref()?;
    let seconds = object.metadata.deletion_grace_period_seconds.unwrap_or(30);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// What an earlier kubelet counted, and one more: its processes ended with it.
fn restarts(object: &Pod, container: &str) -> i32 {
    let statuses = object.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let known = statuses.and_then(|all| all.iter().find(|status| status.name == container));
    known.map_or(0, |status| status.restart_count + i32::from(status.container_id.is_some()))
}

fn plans(object: &Pod, address: Ipv4Addr) -> Vec<Plan> {
    let containers = object.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let plan = |container: &core::Container| {
        let image = container.image.clone().unwrap_or_default();
        let mut variables: Vec<(String, String)> = [("IMAGE", &image), ("POD_IP", &address.to_string()), ("POD_NAME", &name)]
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .to_vec();
        let port = container.ports.as_ref().and_then(|ports| ports.first()).map(|port| port.container_port);
        variables.extend(port.map(|port| ("PORT".to_owned(), port.to_string())));
        let own = container.env.iter().flatten();
        variables.extend(own.map(|variable| (variable.name.clone(), variable.value.clone().unwrap_or_default())));
        let sleep = container.lifecycle.as_ref().and_then(|hooks| hooks.pre_stop.as_ref()?.sleep.as_ref()).map(|sleep| sleep.seconds);
        Plan {
            name: container.name.clone(),
            pod: format!("{name}_{namespace}({})", object.uid().unwrap_or_default()),
            image,
            variables,
            address,
            probe: probe(container),
            pre_stop: Duration::from_secs(sleep.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default()),
        }
    };
    containers.iter().map(plan).collect()
}

fn probe(container: &core::Container) -> Option<Probe> {
    let probe = container.readiness_probe.as_ref()?;
    let http = probe.http_get.as_ref()?;
    let port = match &http.port {
        IntOrString::Int(port) => *port,
        IntOrString::String(name) => {
            container.ports.iter().flatten().find(|port| port.name.as_ref() == Some(name)).map(|port| port.container_port)?
        }
    };
    let number = |value: Option<i32>, default: u32| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(default);
    let seconds = |value: Option<i32>, default: u32| Duration::from_secs(number(value, default).into());
    Some(Probe {
        port: u16::try_from(port).ok()?,
        path: http.path.clone().unwrap_or_else(|| "/".to_owned()),
        delay: seconds(probe.initial_delay_seconds, 0),
        period: seconds(probe.period_seconds, 10),
        limit: seconds(probe.timeout_seconds, 1),
        successes: number(probe.success_threshold, 1),
        failures: number(probe.failure_threshold, 3),
    })
}
