//! What is read on demand: what of others selects pods in a namespace, and the whole objects that a second Deployment is made from.
//!
//! Asks and decides nothing. Known weakness: what of others selects pods is read once per connection.

use super::super::connection::Line;
use super::super::index::Aside;
use super::super::rights::Beside as Rights;
use super::super::sights::Sight;
use super::scene::{Selecting, second_name};
use crate::fleet::Division;
use crate::units::{Kind, Trouble, WorkloadId, clean};
use kube::api::{GetParams, ListParams};
use kube::core::Request;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects of one kind that are looked at in a namespace.
const MOST: u32 = 500;

/// What of others selects pods there: the kind, where it is listed, where in an object its selector is, and a word on it.
const OTHERS: [(&str, &str, &str, &str, &str); 3] = [
    ("NetworkPolicy", "/apis/networking.k8s.io/v1", "networkpolicies", "/spec/podSelector/matchLabels", ""),
    ("PodMonitor", "/apis/monitoring.coreos.com/v1", "podmonitors", "/spec/selector/matchLabels", ""),
    ("PodDisruptionBudget", POLICY, "poddisruptionbudgets", "/spec/selector/matchLabels", " (it gets its own)"),
];

/// Finds out what a second Deployment needs to know of namespaces. Where rights cannot be asked none is made.
pub(in super::super) async fn look_around(line: Arc<Line>, namespaces: Vec<String>) -> Vec<(String, Aside)> {
    let mut found = Vec::new();
    for namespace in namespaces {
        let unasked =
            |t: Trouble| Rights { both: Some(format!("what you may write there cannot be asked: {}", t.cause)), ..Rights::default() };
        let asked = Rights::ask(&line, &namespace).await;
        let again = asked.is_err();
        let rights = asked.unwrap_or_else(unasked);
        let mut others = Vec::new();
        // Who may not make one needs not know what it would miss.
        for (kind, api, plural, pointer, word) in OTHERS.iter().filter(|_| rights.both.is_none()) {
            for object in list(&line, api, plural, &namespace).await.unwrap_or_default() {
                let name = clean(object["metadata"]["name"].as_str().unwrap_or_default(), 253);
                let selector: BTreeMap<String, String> =
                    object.pointer(pointer).and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default();
                if !selector.is_empty() {
                    others.push(Selecting { object: format!("{kind} {name}{word}"), selector });
                }
            }
        }
        found.push((namespace, Aside { rights, others, again }));
    }
    found
}

/// Whole objects, as they were read at one moment. Those that are not there are `Null`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Whole {
    /// The two Deployments.
    pub(super) home: Value,
    pub(super) next: Value,
    /// What carries the split.
    pub(super) object: Value,
    /// The Services that carry traffic.
    pub(super) services: Vec<Value>,
    /// The two autoscalers and the budgets that their pods have, which may be one.
    pub(super) home_scaler: Value,
    pub(super) next_scaler: Value,
    pub(super) home_budget: Value,
    pub(super) next_budget: Value,
}

pub(super) const APPS: &str = "/apis/apps/v1";
pub(super) const CORE: &str = "/api/v1";
pub(super) const GATEWAY: &str = "/apis/gateway.networking.k8s.io/v1";
pub(super) const SCALING: &str = "/apis/autoscaling/v2";
pub(super) const POLICY: &str = "/apis/policy/v1";

impl Whole {
    /// Reads them.
    pub(super) async fn read(line: &Line, id: &WorkloadId, sight: &Sight) -> Result<Whole, Trouble> {
        let namespace = id.namespace.as_str();
        let second = second_name(&id.name);
        let get = |api: &'static str, plural: &'static str, name: String| get(line, api, plural, namespace, name);
        let scene = &sight.scene;
        let object = async {
            match (scene.how, scene.routes.first(), scene.services.first()) {
                (Division::Weights, Some(route), _) => get(GATEWAY, "httproutes", route.name.to_string()).await,
                (_, _, Some(service)) => get(CORE, "services", service.name.to_string()).await,
                _ => Ok(Value::Null),
            }
        };
        let services = futures::future::try_join_all(scene.services.iter().map(|s| get(CORE, "services", s.name.to_string())));
        let (home, next, object, services, scalers, budgets) = tokio::try_join!(
            get(APPS, "deployments", id.name.to_string()),
            get(APPS, "deployments", second.clone()),
            object,
            services,
            list(line, SCALING, "horizontalpodautoscalers", namespace),
            list(line, POLICY, "poddisruptionbudgets", namespace),
        )?;
        let scales = |name: &str| {
            let of = |s: &&Value| s["spec"]["scaleTargetRef"]["kind"] == "Deployment" && s["spec"]["scaleTargetRef"]["name"] == name;
            scalers.iter().find(of).cloned().unwrap_or_default()
        };
        let keeps = |labels: &Value| budgets.iter().find(|b| selects(&b["spec"]["selector"], labels)).cloned().unwrap_or_default();
        let labels = |d: &Value| d["spec"]["template"]["metadata"]["labels"].clone();
        Ok(Whole {
            home_scaler: scales(&id.name),
            next_scaler: scales(&second),
            home_budget: keeps(&labels(&home)),
            // Two budgets for one pod, and it cannot be evicted at all.
            next_budget: keeps(&labels(&next)),
            home,
            next,
            object,
            services,
        })
    }
}

/// Whether a label selector selects a map of labels.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    let exact = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    let one = |e: &Value| {
        let value = e["key"].as_str().and_then(|key| labels.get(key));
        let among = value.is_some_and(|value| e["values"].as_array().is_some_and(|all| all.contains(value)));
        match e["operator"].as_str() {
            Some("In") => among,
            Some("NotIn") => !among,
            Some("Exists") => value.is_some(),
            _ => value.is_none(),
        }
    };
    selector.is_object() && labels.is_object() && exact && selector["matchExpressions"].as_array().into_iter().flatten().all(one)
}

/// One object; `Null` where there is none.
pub(super) async fn get(line: &Line, api: &str, plural: &str, namespace: &str, name: String) -> Result<Value, Trouble> {
    let request = Request::new(format!("{api}/namespaces/{namespace}/{plural}"));
    let doing = format!("get {plural} in namespace {namespace}");
    let got = line.ask(&doing, |client| async move {
        client.request::<Value>(request.get(&name, &GetParams::default()).map_err(kube::Error::BuildRequest)?).await
    });
    match got.await {
        Err(t) if t.kind == Kind::Failed => Ok(Value::Null),
        answer => answer,
    }
}

/// The objects of a kind in a namespace; none where there is no such kind, or where it may not be listed.
async fn list(line: &Line, api: &str, plural: &str, namespace: &str) -> Result<Vec<Value>, Trouble> {
    let request = Request::new(format!("{api}/namespaces/{namespace}/{plural}"));
    let doing = format!("list {plural} in namespace {namespace}");
    let few = ListParams::default().limit(MOST);
    let got = line
        .ask(&doing, |client| async move { client.request::<Value>(request.list(&few).map_err(kube::Error::BuildRequest)?).await })
        .await;
    match got {
        Ok(mut all) => Ok(all["items"].as_array_mut().map(std::mem::take).unwrap_or_default()),
        Err(t) if matches!(t.kind, Kind::Failed | Kind::Refused) => Ok(Vec::new()),
        Err(t) => Err(t),
    }
}
