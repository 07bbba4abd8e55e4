//! The file that tells Prometheus which pods there are: Debian's build cannot ask the API server.
//!
//! It knows the file's form, nothing of Prometheus. The file is renamed into place, so that half of one is never read. A pod is in it
//! from its first process to its last.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::behaviour::Behaviour;

/// In the cluster's folder.
pub const FILE: &str = "targets.json";

pub struct Targets {
    pub file: PathBuf,
    /// By the pod's uid.
    pub pods: BTreeMap<String, Vec<Value>>,
}

impl Targets {
    pub fn add(&mut self, uid: &str, pod: &Pod, address: Ipv4Addr) {
        self.pods.insert(uid.to_owned(), targets(pod, address));
        self.write();
    }

    pub fn remove(&mut self, uid: &str) {
        self.pods.remove(uid);
        self.write();
    }

    pub fn write(&self) {
        let all: Vec<&Value> = self.pods.values().flatten().collect();
        let unfinished = self.file.with_extension("part");
        let text = json!(all).to_string();
        if let Err(error) = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, &self.file)) {
            eprintln!("writing {}: {error}", self.file.display());
        }
    }
}

/// Each container that serves. Every label of the pod is a label here, with `_` for what Prometheus does not allow in a name.
fn targets(pod: &Pod, address: Ipv4Addr) -> Vec<Value> {
    let label = |name: &str| pod.labels().get(name).cloned().unwrap_or_default();
    let named = |name: &String| name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect::<String>();
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let serving = containers.iter().filter_map(|container| Some((container, container.ports.as_ref()?.first()?.container_port)));
    let target = |(container, port): (&k8s_openapi::api::core::v1::Container, i32)| {
        let mut labels: BTreeMap<String, String> = pod.labels().iter().map(|(name, value)| (named(name), value.clone())).collect();
        let app = Some(label("app")).filter(|name| !name.is_empty()).unwrap_or_else(|| label("app.kubernetes.io/name"));
        for (name, value) in [
            ("namespace", pod.namespace().unwrap_or_default()),
            ("service", app),
            ("pod", pod.name_any()),
            ("container", container.name.clone()),
            ("revision", label("pod-template-hash")),
            ("version", Behaviour::of(container.image.as_deref().unwrap_or_default(), |_| None).version),
        ] {
            labels.insert(name.to_owned(), value);
        }
        json!({"targets": [format!("{address}:{port}")], "labels": labels})
    };
    serving.map(target).collect()
}
