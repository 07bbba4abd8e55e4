//! The metrics that are known by name. They are entries of the same kind as a person's own.
//!
//! Each asks only for series that say how a request ended, so that a label by another name is "no series" and never "no errors".
//! Known weakness: Istio's are looked for by the pods they were scraped from, gateways' by a Service named like its Deployment.

use crate::strategy::Queries;

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Preset {
    /// What settings call it.
    pub(super) name: &'static str,
    pub(super) queries: Queries,
    /// What one second is in the edges of its buckets, in milliseconds.
    pub(super) to_ms: f64,
    /// It tells the sides apart by their Deployments, so there must be two.
    pub(super) by_workload: bool,
}

fn preset(name: &'static str, counter: &str, buckets: &str, side: &str, code: &str, to_ms: f64) -> Preset {
    let sum = |what: &str, more: &str, by: &str| format!("sum{by}(increase({what}{{{side}{more}}}[{{{{interval}}}}]))");
    Preset {
        name,
        queries: Queries {
            requests: sum(counter, &format!(",{code}!=\"\""), ""),
            errors: sum(counter, &format!(",{code}=~\"5..\""), ""),
            latency: Some(sum(buckets, "", " by (le) ")),
        },
        to_ms,
        by_workload: side.contains("{{workload}}"),
    }
}

/// All of them, or those of one name, in the order in which they are looked for.
pub(super) fn presets(only: Option<&str>) -> Vec<Preset> {
    let pods = "namespace=\"{{namespace}}\",pod=~\"{{pods}}\"";
    let own = |code| preset("pods", "http_requests_total", "http_request_duration_seconds_bucket", pods, code, 1000.0);
    let all = [
        own("code"),
        own("status"),
        own("status_code"),
        preset(
            "istio",
            "istio_requests_total",
            "istio_request_duration_milliseconds_bucket",
            "reporter=\"destination\",namespace=\"{{namespace}}\",pod=~\"{{pods}}\"",
            "response_code",
            1.0,
        ),
        preset(
            "traefik",
            "traefik_service_requests_total",
            "traefik_service_request_duration_seconds_bucket",
            "service=~\"httproute-.*-svc-{{namespace}}-{{workload}}-[0-9]+@kubernetesgateway\"",
            "code",
            1000.0,
        ),
        preset(
            "nginx",
            "nginx_ingress_controller_requests",
            "nginx_ingress_controller_request_duration_seconds_bucket",
            "exported_namespace=\"{{namespace}}\",service=\"{{workload}}\"",
            "status",
            1000.0,
        ),
    ];
    all.into_iter().filter(|preset| only.is_none_or(|name| name == preset.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_tells_the_sides_apart_and_counts_an_interval_once() {
        for preset in presets(None) {
            let Queries { requests, errors, latency } = &preset.queries;
            for query in [requests, errors, latency.as_ref().unwrap()] {
                assert!(query.contains("[{{interval}}]") && (query.contains("{{pods}}") || query.contains("{{workload}}")), "{query}");
            }
        }
        let first = &presets(Some("pods"))[0].queries;
        assert_eq!(
            first.errors,
            r#"sum(increase(http_requests_total{namespace="{{namespace}}",pod=~"{{pods}}",code=~"5.."}[{{interval}}]))"#
        );
        assert_eq!(presets(Some("istio")).len(), 1);
    }
}
