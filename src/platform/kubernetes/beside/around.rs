//! What is read on demand: what of others selects pods in a namespace, and the whole objects that a second Deployment is made from.
//!
//! Asks and decides nothing. Known weakness: what of others selects pods is read once per connection, and only by
//! `matchLabels`.

use super::super::connection::Line;
use super::super::index::Aside;
use super::super::rights::Beside as Rights;
use super::super::sights::Sight;
use super::scene::{Selecting, second_name};
use super::second::own_labels;
use crate::fleet::Division;
use crate::units::{Kind, Trouble, WorkloadId, clean};
use kube::api::{GetParams, ListParams};
use kube::core::Request;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects of one kind that are looked at in a namespace.
const MOST: u32 = 500;

/// What of others selects pods there: the kind, where it is listed, how its selectors are called, and a word on it.
const OTHERS: [(&str, &str, &str, &str, &str); 3] = [
    // Whom it is for, and whom it lets in and out.
    ("NetworkPolicy", "/apis/networking.k8s.io/v1", "networkpolicies", "podSelector", ""),
    ("PodMonitor", MONITORING, "podmonitors", "selector", ""),
    ("PodDisruptionBudget", POLICY, "poddisruptionbudgets", "selector", " (it gets its own)"),
];
const MONITORING: &str = "/apis/monitoring.coreos.com/v1";

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
        for (kind, api, plural, called, word) in OTHERS.iter().filter(|_| rights.both.is_none()) {
            for object in list(&line, api, plural, &namespace).await.unwrap_or_default() {
                let mut selectors = Vec::new();
                selectors_in(&object["spec"], called, &mut selectors);
                others.extend(
                    selectors.into_iter().map(|selector| Selecting { object: format!("{kind} {}{word}", name(&object)), selector }),
                );
            }
        }
        if rights.both.is_none() {
            let monitors = list(&line, MONITORING, "servicemonitors", &namespace).await.unwrap_or_default();
            if !monitors.is_empty() {
                let services = list(&line, CORE, "services", &namespace).await.unwrap_or_default();
                others.extend(monitors.iter().flat_map(|monitor| services.iter().filter_map(|service| monitored(monitor, service))));
            }
        }
        found.push((namespace, Aside { rights, others, again }));
    }
    found
}

fn name(object: &Value) -> String {
    clean(object["metadata"]["name"].as_str().unwrap_or_default(), 253)
}

fn labels_of(map: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(map.clone()).unwrap_or_default()
}

/// Every selector by labels in a part of an object.
fn selectors_in(part: &Value, called: &str, found: &mut Vec<BTreeMap<String, String>>) {
    match part {
        Value::Array(all) => all.iter().for_each(|one| selectors_in(one, called, found)),
        Value::Object(map) => {
            for (key, one) in map {
                if key == called {
                    found.extend(Some(labels_of(&one["matchLabels"])).filter(|labels| !labels.is_empty()));
                } else {
                    selectors_in(one, called, found);
                }
            }
        }
        _ => {}
    }
}

/// A ServiceMonitor that scrapes a Service, and will not scrape the second one's, which does not get the labels of other tools.
fn monitored(monitor: &Value, service: &Value) -> Option<Selecting> {
    let (wanted, all) = (labels_of(&monitor["spec"]["selector"]["matchLabels"]), labels_of(&service["metadata"]["labels"]));
    let second = own_labels(service);
    let has = |key: &String, value: &String| all.get(key) == Some(value);
    let misses = wanted.iter().all(|(k, v)| has(k, v)) && wanted.keys().any(|k| !second.contains_key(k));
    misses.then(|| Selecting {
        object: format!("ServiceMonitor {} (Prometheus does not scrape it)", name(monitor)),
        selector: labels_of(&service["spec"]["selector"]),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_that_lets_pods_in_selects_them_too() {
        let from = json!({"podSelector": {"matchLabels": {"app": "order"}}, "namespaceSelector": {"matchLabels": {"team": "shop"}}});
        let spec = json!({"podSelector": {"matchLabels": {"app": "cart"}}, "ingress": [{"from": [from, {"podSelector": {}}]}]});
        let mut found = Vec::new();
        selectors_in(&spec, "podSelector", &mut found);
        found.sort();
        assert_eq!(found, ["cart", "order"].map(|app| BTreeMap::from([("app".to_owned(), app.to_owned())])));
    }

    #[test]
    fn a_monitor_by_the_label_of_another_tool_misses_the_second_service() {
        let labels = json!({"app": "order", "app.kubernetes.io/instance": "order"});
        let service = json!({"metadata": {"name": "order", "labels": labels}, "spec": {"selector": {"app": "order"}}});
        let by = |labels: Value| json!({"metadata": {"name": "shop"}, "spec": {"selector": {"matchLabels": labels}}});
        let helm = monitored(&by(json!({"app.kubernetes.io/instance": "order"})), &service).unwrap();
        assert_eq!(helm.object, "ServiceMonitor shop (Prometheus does not scrape it)");
        assert_eq!(helm.selector, BTreeMap::from([("app".to_owned(), "order".to_owned())]));
        assert_eq!(monitored(&by(json!({"app": "order"})), &service), None);
        assert_eq!(monitored(&by(json!({"app.kubernetes.io/instance": "cart"})), &service), None);
    }
}
