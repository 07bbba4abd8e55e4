//! The objects of a second Deployment: itself, its Services, its budget and its autoscaler, made from those of the first.
//!
//! Nothing by which other tools know their own objects is copied. The Deployment has two owners, the first one and what carries the
//! split, so that a first one that is made anew does not take it away; the rest is owned by the second one and goes with it.

use super::super::objects::{NEXT_OF, OLD, OLD_IMAGES, images_text};
use super::around::{CORE, POLICY, SCALING, Whole};
use super::scene::second_name;
use super::{Body, Next, Stage, labels, write};
use serde_json::{Map, Value, json};

/// Labels by which other tools know their own objects.
const TRACKING: [&str; 4] = ["app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart", "argocd.argoproj.io/instance"];

/// The text of an annotation.
pub(super) fn note<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

/// Labels without those of other tools.
pub(super) fn own_labels(object: &Value) -> Map<String, Value> {
    let foreign = |key: &str| TRACKING.contains(&key) || key.contains("toolkit.fluxcd.io/");
    let all = object["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    all.into_iter().filter(|(key, _)| !foreign(key)).collect()
}

fn owner(api: &str, kind: &str, object: &Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "name": object["metadata"]["name"], "uid": object["metadata"]["uid"]})
}

/// The second Deployment.
pub(super) fn deployment(stage: &Stage<'_>, whole: &Whole, template: Value, pods: u32) -> Value {
    let (d, scene) = (stage.home(), &stage.sight.scene);
    let object = match scene.how {
        crate::fleet::Division::Weights => owner("gateway.networking.k8s.io/v1", "HTTPRoute", &whole.object),
        crate::fleet::Division::Switch => owner("v1", "Service", &whole.object),
    };
    let mut spec = whole.home["spec"].clone();
    labels::set(&mut spec["selector"]["matchLabels"], &scene.keys, true);
    (spec["template"], spec["replicas"]) = (template, json!(pods));
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("paused");
    }
    let mut notes = json!({NEXT_OF: &*d.name, OLD: stage.order.old.as_str()});
    if let Some(old) = stage.sight.row.revision(&stage.order.old) {
        notes[OLD_IMAGES] = json!(images_text(&old.images));
    }
    let mut own = Value::Object(own_labels(&whole.home));
    labels::set(&mut own, &scene.keys, true);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": second_name(&d.name), "namespace": &*d.namespace, "labels": own,
            "annotations": notes,
            "ownerReferences": [owner("apps/v1", "Deployment", &whole.home), object],
        },
        "spec": spec,
    })
}

/// What the second Deployment does not have yet: its budget, its autoscaler, its Services.
pub(super) fn missing(stage: &Stage<'_>, whole: &Whole, pods: u32) -> Option<Next> {
    let (d, scene) = (stage.home(), &stage.sight.scene);
    let second = second_name(&d.name);
    let meta = |name: &str, own: Map<String, Value>| {
        json!({
            "name": name, "namespace": &*d.namespace, "labels": own, "annotations": {NEXT_OF: &*d.name},
            "ownerReferences": [owner("apps/v1", "Deployment", &whole.next)],
        })
    };
    if whole.next_budget.is_null() {
        let mut spec = json!({"selector": {"matchLabels": whole.next["spec"]["selector"]["matchLabels"]}});
        let first = &whole.home_budget["spec"];
        for field in ["minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy"] {
            if !first[field].is_null() {
                spec[field] = first[field].clone();
            }
        }
        if first.is_null() {
            spec["maxUnavailable"] = json!(1);
        }
        let body = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta(&second, Map::new()), "spec": spec});
        return Some(write(POLICY, "poddisruptionbudgets", &second, Body::Create(body)));
    }
    if whole.next_scaler.is_null() && !whole.home_scaler.is_null() {
        let mut spec = whole.home_scaler["spec"].clone();
        spec["scaleTargetRef"]["name"] = json!(second);
        let least = spec["minReplicas"].as_u64().unwrap_or(1).max(u64::from(pods));
        spec["minReplicas"] = json!(least);
        spec["maxReplicas"] = json!(spec["maxReplicas"].as_u64().unwrap_or(1).max(least));
        let (api, kind) = ("autoscaling/v2", "HorizontalPodAutoscaler");
        let body = json!({"apiVersion": api, "kind": kind, "metadata": meta(&second, Map::new()), "spec": spec});
        return Some(write(SCALING, "horizontalpodautoscalers", &second, Body::Create(body)));
    }
    let missing = whole.services.iter().find(|s| {
        let name = second_name(s["metadata"]["name"].as_str().unwrap_or_default());
        !scene.seconds.iter().any(|own| *own.name == *name)
    })?;
    let name = second_name(missing["metadata"]["name"].as_str().unwrap_or_default());
    let mut spec = Map::new();
    for field in ["ports", "sessionAffinity", "sessionAffinityConfig", "publishNotReadyAddresses", "ipFamilyPolicy", "ipFamilies"] {
        if !missing["spec"][field].is_null() {
            spec.insert(field.into(), missing["spec"][field].clone());
        }
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        port.remove("nodePort");
    }
    if missing["spec"]["clusterIP"] == "None" {
        spec.insert("clusterIP".into(), json!("None"));
    }
    let mut selector = missing["spec"]["selector"].clone();
    labels::set(&mut selector, &scene.keys, true);
    spec.insert("selector".into(), selector);
    let body = json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(&name, own_labels(missing)), "spec": spec});
    Some(write(CORE, "services", &name, Body::Create(body)))
}
