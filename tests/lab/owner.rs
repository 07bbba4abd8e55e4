//! What the owner of `order` does to it, knowing nothing of flightdeck, and what users have of it meanwhile.
//!
//! It knows objects of Kubernetes and the load's report. Weakness: one owner, one thing after the other.
#![allow(dead_code, reason = "no test binary uses all of it")]

use crate::harness::{Bed, Load, Report, now};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What `order` runs at first: pods that serve on for 3 s after SIGTERM.
pub const OLD: &str = "shop/order:v42";
/// The fence, on what is of `order` alone and on what it may share.
pub const FENCES: [&str; 2] = ["flightdeck.dev/flight", "order.flightdeck.dev/flight"];
/// The owner's own version.
pub const HOTFIX: &str = "shop/order:v44";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// `kubectl rollout restart`.
    Restart,
    /// `kubectl scale --replicas 3`.
    Scale,
    /// `kubectl set image`.
    SetImage,
    /// The eviction of one pod.
    Evict,
    /// `kubectl delete`, then `kubectl create` of his manifest.
    Recreate,
}

pub const ACTS: [Act; 5] = [Act::Restart, Act::Scale, Act::SetImage, Act::Evict, Act::Recreate];

/// An act, and when it began and was over (seconds since 1970).
#[derive(Clone, Debug)]
pub struct Acted {
    pub act: Act,
    pub from: f64,
    pub to: f64,
}

/// How long an interval of a report is.
const TENTH: f64 = 0.1;

/// Requests lost in the intervals that ended between two times: one in which something begins belongs to that.
pub fn lost(report: &Report, from: f64, to: f64) -> u64 {
    let end = |index: usize| report.began + (index + 1) as f64 * TENTH;
    let within = report.intervals.iter().enumerate().filter(|(index, _)| end(*index) >= from && end(*index) < to);
    within.map(|(_, interval)| interval.lost.values().sum::<u64>()).sum()
}

/// When requests were lost: the tenths of a second, with how many and why.
pub fn when_lost(report: &Report) -> Vec<String> {
    let lost = report.intervals.iter().enumerate().filter(|(_, interval)| !interval.lost.is_empty());
    let clock = |index: usize| jiff::Timestamp::from_millisecond((report.began * 1_000.0) as i64 + index as i64 * 100).unwrap();
    lost.map(|(index, interval)| format!("{:.1} {:?}", clock(index), interval.lost)).collect()
}

/// Waits until the users are answered, and says since when: before, the load itself has not yet heard where to send.
pub async fn answered(bed: &Bed, users: &Load) -> f64 {
    bed.until("users are answered", async || (users.so_far().ok > 0).then_some(())).await;
    now() + TENTH
}

pub async fn deployment(bed: &Bed, name: &str) -> Option<Deployment> {
    bed.api::<Deployment>().get_opt(name).await.unwrap()
}

pub fn image(d: &Deployment) -> &str {
    d.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0].image.as_deref().unwrap()
}

/// His manifest: `order` with 2 pods of the old version.
pub async fn manifest(bed: &Bed) -> Deployment {
    bed.deploy("order", 2, OLD).await;
    bed.until_available("order").await
}

/// Does one thing and waits until it is through.
pub async fn act(bed: &Bed, act: Act, manifest: &Deployment) -> Acted {
    let from = now();
    let deployments: Api<Deployment> = bed.api();
    let patch = async |patch: Value| {
        deployments.patch("order", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    };
    match act {
        Act::Restart => {
            let at = jiff::Timestamp::now().to_string();
            patch(json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at}}}}})).await;
        }
        Act::Scale => patch(json!({"spec": {"replicas": 3}})).await,
        Act::SetImage => bed.set_image("order", HOTFIX).await,
        Act::Evict => {
            let pods = bed.pods("order").await;
            if let Some(pod) = pods.first() {
                bed.evict(pod.metadata.name.as_deref().unwrap()).await.unwrap();
            }
        }
        Act::Recreate => {
            deployments.delete("order", &DeleteParams::background()).await.unwrap();
            bed.until("order is gone", async || deployment(bed, "order").await.is_none().then_some(())).await;
            let metadata = ObjectMeta { name: Some("order".into()), ..ObjectMeta::default() };
            let anew = Deployment { metadata, spec: manifest.spec.clone(), status: None };
            deployments.create(&PostParams::default(), &anew).await.unwrap();
        }
    }
    bed.until_available("order").await;
    // Those on their way out serve on, and whoever divides the traffic hears of it.
    let pods: Api<Pod> = bed.api();
    bed.until("those on their way out are gone", async || {
        let all = pods.list_metadata(&ListParams::default()).await.ok()?.items;
        all.iter().all(|pod| pod.metadata.deletion_timestamp.is_none()).then_some(())
    })
    .await;
    Acted { act, from, to: now() }
}

/// The objects of a kind of his, as `HTTPRoute`.
pub fn objects(bed: &Bed, kind: &str) -> Api<DynamicObject> {
    let (group, version, kind) = KINDS.iter().find(|(.., name)| *name == kind).unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(bed.client.clone(), &bed.namespace, &resource)
}

/// The only rule's backends, as (name, weight), and the annotations.
pub async fn route(bed: &Bed) -> (Vec<(String, u64)>, Vec<String>) {
    let route = serde_json::to_value(objects(bed, "HTTPRoute").get("order").await.unwrap()).unwrap();
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array().unwrap();
    let backends = backends.iter().map(|b| (b["name"].as_str().unwrap().to_owned(), b["weight"].as_u64().unwrap())).collect();
    let notes = route["metadata"]["annotations"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
    (backends, notes)
}

/// The weight of the second one.
pub async fn weight(bed: &Bed) -> u64 {
    route(bed).await.0.iter().find(|(name, _)| name == "order-next").map_or(0, |(_, weight)| *weight)
}

/// Whom the Service `order` sends to.
pub async fn selector(bed: &Bed) -> String {
    bed.api::<Service>().get("order").await.unwrap().spec.unwrap().selector.unwrap()["app"].clone()
}

/// Users behind a route whose only rule gives `order` weight 7.
pub async fn behind_a_gateway(bed: &Bed, rate: &str) -> Load {
    bed.route("order", &[("order", 7)]).await;
    bed.served("order").await;
    bed.load_route("order", &["--rps", rate, "--timeout", "10"])
}

/// What of ours is left, and what of the owner's is not as he wrote it; nothing but the fence may be.
pub async fn left(bed: &Bed, routed: bool) -> Vec<String> {
    let mut left = Vec::new();
    if deployment(bed, "order-next").await.is_some() {
        left.push("Deployment order-next".to_owned());
    }
    if bed.api::<Service>().get_opt("order-next").await.unwrap().is_some() {
        left.push("Service order-next".to_owned());
    }
    if bed.api::<PodDisruptionBudget>().get_opt("order-next").await.unwrap().is_some() {
        left.push("PodDisruptionBudget order-next".to_owned());
    }
    let service = serde_json::to_value(bed.api::<Service>().get("order").await.unwrap()).unwrap();
    if service["spec"]["selector"] != json!({"app": "order"}) {
        left.push(format!("the Service's selector {}", service["spec"]["selector"]));
    }
    let foreign = |key: &str| !FENCES.contains(&key);
    let notes = service["metadata"]["annotations"].as_object().into_iter().flatten().map(|(key, _)| key.clone());
    left.extend(notes.filter(|key| foreign(key)).map(|key| format!("the Service's {key}")));
    if routed {
        let (backends, notes) = route(bed).await;
        if backends != [("order".to_owned(), 7)] {
            left.push(format!("the route's backends {backends:?}"));
        }
        left.extend(notes.into_iter().filter(|key| foreign(key)).map(|key| format!("the route's {key}")));
    }
    left
}

/// What an owner writes, in a namespace.
const KINDS: [(&str, &str, &str); 6] = [
    ("apps", "v1", "Deployment"),
    ("", "v1", "Service"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler"),
    ("policy", "v1", "PodDisruptionBudget"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
];

const OTHERS: [&str; 2] = ["flightdeck.dev/stable", "deployment.kubernetes.io/revision"];

/// Objects by `Kind name`: labels, annotations and spec.
pub type Written = BTreeMap<String, Value>;

/// Everything that stands in the namespace as it is written, without the fence, the stable version and the controllers' notes.
pub async fn written(bed: &Bed) -> Written {
    let mut all = Written::new();
    for (.., kind) in KINDS {
        for object in objects(bed, kind).list(&ListParams::default()).await.unwrap().items {
            let others = |key: &str| key.ends_with("flightdeck.dev/flight") || OTHERS.contains(&key);
            let notes: BTreeMap<String, String> =
                object.metadata.annotations.unwrap_or_default().into_iter().filter(|(key, _)| !others(key)).collect();
            let value = json!({"labels": object.metadata.labels, "notes": notes, "spec": object.data["spec"]});
            all.insert(format!("{kind} {}", object.metadata.name.unwrap()), value);
        }
    }
    all
}

/// Where two of them differ, a line each.
pub fn differences(was: &Written, is: &Written) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let differs = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
    let text = |of: Option<&Value>| of.map_or("nothing".to_owned(), Value::to_string);
    differs.map(|name| format!("{name}\n  was {}\n  is  {}", text(was.get(name)), text(is.get(name)))).collect()
}
