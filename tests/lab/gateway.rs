//! The Gateway API as a part of a lab: its kinds, a Gateway `gw` in `default` that routes of every namespace may use, and Traefik,
//! which really splits requests.
//!
//! It knows Traefik's flags, nothing of routes. Traefik follows a change after its throttle: 2 s by default, a tenth of that here.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, bail};
use futures::future::try_join_all;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::objects::apply;
use crate::place::Place;
use crate::{credentials, process, programs};

pub const TRAEFIK: &str = "traefik";
const PATIENCE: Duration = Duration::from_secs(30);

/// Where requests come in.
pub fn address(place: &Place) -> String {
    format!("{}:8000", place.address(0, 2))
}

/// Where `/metrics` is.
pub fn metrics_address(place: &Place) -> String {
    format!("{}:8080", place.address(0, 2))
}

/// Starts it unless it runs with this throttle (as `100ms`), and returns when the Gateway is programmed.
pub async fn start(place: &Place, client: &Client, throttle: &str) -> Result<()> {
    let definitions = fs::read_to_string(programs::GATEWAY_API.path()?)?;
    let definitions =
        serde_yaml::Deserializer::from_str(&definitions).map(Value::deserialize).collect::<std::result::Result<Vec<_>, _>>()?;
    try_join_all(definitions.iter().map(|definition| apply(client, None, definition))).await?;
    wait_for(client, "apiextensions.k8s.io", "CustomResourceDefinition", None, "Established", &definitions).await?;
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "traefik"},
        "spec": {"controllerName": "traefik.io/gateway-controller"},
    });
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"},
        "spec": {"gatewayClassName": "traefik", "listeners": [
            {"name": "web", "protocol": "HTTP", "port": 8000, "allowedRoutes": {"namespaces": {"from": "All"}}},
        ]},
    });
    apply(client, None, &class).await?;
    apply(client, Some("default"), &gateway).await?;
    let record = place.directory.join("traefik.throttle");
    if fs::read_to_string(&record).unwrap_or_default() != throttle {
        process::stop(place, &[TRAEFIK], Duration::from_secs(3))?;
        fs::write(&record, throttle)?;
    }
    process::start(place, TRAEFIK, command(place, throttle)?)?;
    wait_for(client, "gateway.networking.k8s.io", "Gateway", Some("default"), "Programmed", &[gateway]).await
}

fn command(place: &Place, throttle: &str) -> Result<Command> {
    let mut traefik = Command::new(programs::TRAEFIK.path()?);
    traefik.arg(format!("--entrypoints.web.address={}", address(place)));
    traefik.arg(format!("--entrypoints.traefik.address={}", metrics_address(place)));
    traefik.args(["--api.insecure=true", "--global.checknewversion=false", "--global.sendanonymoususage=false"]);
    traefik.args(["--providers.kubernetesgateway=true", "--providers.kubernetesgateway.token=admin-token"]);
    traefik.arg(format!("--providers.kubernetesgateway.endpoint={}", credentials::server(place)));
    traefik.arg(format!("--providers.kubernetesgateway.certauthfilepath={}", place.directory.join("ca.crt").display()));
    traefik.arg(format!("--providers.providersthrottleduration={throttle}"));
    traefik.args(["--metrics.prometheus=true", "--metrics.prometheus.addserviceslabels=true"]);
    traefik.args(["--metrics.prometheus.addrouterslabels=true", "--log.level=INFO"]);
    Ok(traefik)
}

/// Waits until all of `objects` have the condition.
async fn wait_for(client: &Client, group: &str, kind: &str, namespace: Option<&str>, condition: &str, objects: &[Value]) -> Result<()> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let deadline = Instant::now() + PATIENCE;
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        loop {
            let seen = api.get(name).await?;
            let conditions = seen.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            if conditions.iter().any(|seen| seen["type"] == condition && seen["status"] == "True") {
                break;
            }
            if Instant::now() > deadline {
                bail!("{kind} {name} is not {condition} after {PATIENCE:?}: {}", json!(conditions));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}
