//! What stands in the cluster that a test plays: `order` with two pods, and the objects to add to it.
// Each test uses its own part of it.
#![allow(dead_code)]

use crate::api_server::ApiServer;
use serde_json::{Value, json};

pub fn deployment(name: &str, image: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "generation": 1, "creationTimestamp": "2026-01-05T09:00:00Z",
            "annotations": {"deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "strategy": {"type": "RollingUpdate"},
            "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2},
    })
}

pub fn set(name: &str, hash: &str, image: &str) -> Value {
    json!({
        "metadata": {"name": format!("{name}-{hash}"), "namespace": "shop", "uid": format!("{name}-{hash}"),
            "labels": {"pod-template-hash": hash}, "annotations": {"deployment.kubernetes.io/revision": "1"},
            "creationTimestamp": "2026-01-05T09:00:00Z",
            "ownerReferences": [{"kind": "Deployment", "name": name, "uid": name, "controller": true}]},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"pod-template-hash": hash}}, "spec": {"containers": [{"name": "app", "image": image}]}}},
        "status": {"replicas": 2, "readyReplicas": 2},
    })
}

pub fn pod(set: &str, name: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-01-05T09:00:00Z",
            "ownerReferences": [{"kind": "ReplicaSet", "name": set, "uid": set, "controller": true}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-05T09:00:05Z"}]},
    })
}

/// `order` with 2 pods of v42.
pub fn fill(server: &ApiServer) {
    server.put("deployments", deployment("order", "order:v42"));
    server.put("replicasets", set("order", "aaa", "order:v42"));
    server.put("pods", pod("order-aaa", "order-aaa-0"));
    server.put("pods", pod("order-aaa", "order-aaa-1"));
}
