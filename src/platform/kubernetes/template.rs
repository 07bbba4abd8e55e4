//! Pod templates: which images, whether pods drain, and where they answer over HTTP.
//!
//! Reads `spec.template` of Deployments and ReplicaSets. Known weakness: of several containers with a port, the first with a
//! readiness check speaks for the pod.

use super::objects::or_empty;
use crate::units::clean;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A pod template, as far as it is read.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Template {
    #[serde(deserialize_with = "or_empty")]
    metadata: TemplateMeta,
    spec: PodSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TemplateMeta {
    #[serde(deserialize_with = "or_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_empty")]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodSpec {
    #[serde(deserialize_with = "or_empty")]
    containers: Vec<Container>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    name: String,
    image: String,
    #[serde(deserialize_with = "or_empty")]
    ports: Vec<ContainerPort>,
    readiness_probe: Option<Probe>,
    lifecycle: Option<Lifecycle>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ContainerPort {
    name: String,
    container_port: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    http_get: Option<HttpGet>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HttpGet {
    port: serde_json::Value,
    scheme: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lifecycle {
    pre_stop: Option<serde::de::IgnoredAny>,
}

/// Where a pod answers over HTTP.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Door {
    /// The port of its readiness check, else its first port.
    pub(super) port: Option<u16>,
    /// Whether that port speaks TLS.
    pub(super) tls: bool,
    /// Where its numbers are, unless it says that it has none.
    pub(super) metrics: Option<(u16, Arc<str>)>,
}

impl Template {
    /// Its images: (container, image), in order.
    pub(super) fn images(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.spec.containers.iter().map(|c| (clean(&c.name, 253).into(), clean(&c.image, 512).into())).collect()
    }
    /// The labels of its pods.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        self.metadata.labels.clone()
    }
    /// Whether pods wait before they go.
    pub(super) fn drains(&self) -> bool {
        self.spec.containers.iter().any(|c| c.lifecycle.as_ref().is_some_and(|l| l.pre_stop.is_some()))
    }
    /// Where its pods answer.
    pub(super) fn door(&self) -> Door {
        let containers = &self.spec.containers;
        let probed = containers.iter().find_map(|c| {
            let get = c.readiness_probe.as_ref()?.http_get.as_ref()?;
            let port = match &get.port {
                serde_json::Value::Number(n) => n.as_u64().and_then(|n| u16::try_from(n).ok()),
                serde_json::Value::String(s) => c.ports.iter().find(|p| p.name == *s).map(|p| p.container_port).or_else(|| s.parse().ok()),
                _ => None,
            };
            Some((port?, get.scheme.eq_ignore_ascii_case("https")))
        });
        let first = containers.iter().flat_map(|c| &c.ports).map(|p| p.container_port).next();
        let port = probed.map(|p| p.0).or(first);
        let said = |name: &str| self.metadata.annotations.get(name).map(String::as_str);
        let numbers = said("prometheus.io/port").and_then(|p| p.parse().ok()).or(first).or(port);
        let path = said("prometheus.io/path").filter(|p| p.starts_with('/')).unwrap_or("/metrics");
        Door {
            port,
            tls: probed.is_some_and(|p| p.1),
            metrics: numbers.filter(|_| said("prometheus.io/scrape") != Some("false")).map(|p| (p, clean(path, 200).into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Door, Template};
    use serde_json::json;

    fn door(template: serde_json::Value) -> Door {
        serde_json::from_value::<Template>(template).unwrap().door()
    }

    #[test]
    fn a_pod_answers_where_its_readiness_check_asks() {
        let ports = json!([{"name": "grpc", "containerPort": 9000}, {"name": "web", "containerPort": 8443}]);
        let probed = |get: serde_json::Value| {
            let door = door(json!({"spec": {"containers": [{"name": "app", "ports": ports, "readinessProbe": {"httpGet": get}}]}}));
            (door.port, door.tls)
        };
        assert_eq!(probed(json!({"port": 8080})), (Some(8080), false));
        assert_eq!(probed(json!({"port": "web", "scheme": "HTTPS"})), (Some(8443), true));
        assert_eq!(probed(json!({"port": "nowhere"})), (Some(9000), false));
        assert_eq!(door(json!({"spec": {"containers": [{"name": "app"}]}})).port, None);
    }

    #[test]
    fn numbers_are_where_annotations_say() {
        let metrics = |notes: serde_json::Value| {
            let containers = json!([{"name": "app", "ports": [{"containerPort": 8080}]}]);
            door(json!({"metadata": {"annotations": notes}, "spec": {"containers": containers}})).metrics
        };
        assert_eq!(metrics(json!({})), Some((8080, "/metrics".into())));
        assert_eq!(metrics(json!({"prometheus.io/port": "9102", "prometheus.io/path": "/stats"})), Some((9102, "/stats".into())));
        assert_eq!(metrics(json!({"prometheus.io/path": "http://elsewhere/"})), Some((8080, "/metrics".into())));
        assert_eq!(metrics(json!({"prometheus.io/scrape": "false"})), None);
    }
}
