//! Prometheus as a part of a lab: it scrapes each pod and the gateway's proxy once a second.
//!
//! It knows Prometheus' flags and files, nothing of queries. It can be reached at its address, as the Service `monitoring/prometheus`
//! through the API server's proxy, through `guard`, and a second one only by TLS and with a password.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, bail};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{Api, GetParams, Request};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::objects::apply;
use crate::place::Place;
use crate::{credentials, gateway, guard, process, programs, targets};

pub const PROMETHEUS: &str = "prometheus";
pub const PROMETHEUS_TLS: &str = "prometheus-tls";
const PORT: u16 = 9090;
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// The user is `flightdeck`, the password `secret`; Prometheus wants it as bcrypt.
const WEB: &str = "\
tls_server_config: {cert_file: prometheus.crt, key_file: prometheus.key}
basic_auth_users: {flightdeck: \"$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\"}
";

/// Where it listens.
pub fn address(place: &Place) -> String {
    format!("{}:{PORT}", place.address(0, 3))
}

/// Where the one with TLS listens.
pub fn tls_address(place: &Place) -> String {
    format!("{}:9443", place.address(0, 3))
}

/// Starts it unless it runs, and returns when it answers.
pub async fn start(place: &Place, client: &Client) -> Result<()> {
    process::start(place, PROMETHEUS, command(place, PROMETHEUS, &address(place))?)?;
    guard::start(place)?;
    apply(client, None, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}})).await?;
    // The API server's proxy reaches nothing but pods: this one passes on.
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "prometheus", "labels": {"app": "prometheus"}},
        "spec": {"containers": [{
            "name": "prometheus", "image": "lab/relay:v1", "ports": [{"containerPort": PORT}],
            "env": [{"name": "RELAY_TO", "value": address(place)}],
        }]},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "prometheus"},
        "spec": {"selector": {"app": "prometheus"}, "ports": [{"name": "http", "port": PORT, "targetPort": PORT}]},
    });
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "monitoring");
    let deadline = Instant::now() + PATIENCE;
    while accounts.get_opt("default").await?.is_none() && Instant::now() < deadline {
        sleep(POLL).await;
    }
    for object in [pod, service] {
        apply(client, Some("monitoring"), &object).await?;
    }
    let path = "api/v1/namespaces/monitoring/services/prometheus:9090/proxy/-/ready";
    loop {
        let answer = client.request_text(Request::new("").get(path, &GetParams::default())?).await;
        match answer {
            Ok(_) => return Ok(()),
            Err(error) if !process::is_running(place, PROMETHEUS) || Instant::now() > deadline => {
                bail!("Prometheus is not ready: {error}\n{}", process::last_words(place, PROMETHEUS));
            }
            Err(_) => sleep(POLL).await,
        }
    }
}

/// Starts the one with TLS and a password unless it runs, and returns when its door is open.
pub async fn start_tls(place: &Place) -> Result<()> {
    credentials::certificate(place, PROMETHEUS, &format!("IP:{}", place.address(0, 3)))?;
    fs::write(place.directory.join("prometheus.web.yml"), WEB)?;
    let mut command = command(place, PROMETHEUS_TLS, &tls_address(place))?;
    command.arg("--web.config.file=prometheus.web.yml");
    process::start(place, PROMETHEUS_TLS, command)?;
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(tls_address(place)).await.is_err() {
        if !process::is_running(place, PROMETHEUS_TLS) || Instant::now() > deadline {
            bail!("Prometheus is not ready:\n{}", process::last_words(place, PROMETHEUS_TLS));
        }
        sleep(POLL).await;
    }
    Ok(())
}

fn command(place: &Place, name: &str, address: &str) -> Result<Command> {
    let file: PathBuf = place.directory.join(format!("{name}.yml"));
    let pods = place.directory.join(targets::FILE);
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [
            {"job_name": "pods", "file_sd_configs": [{"files": [pods], "refresh_interval": "1s"}]},
            {"job_name": "traefik", "static_configs": [{"targets": [gateway::metrics_address(place)]}]},
        ],
    });
    fs::write(&file, serde_yaml::to_string(&config)?)?;
    let mut command = Command::new(programs::PROMETHEUS.path()?);
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", place.directory.join(format!("{name}.tsdb")).display()));
    command.arg(format!("--web.listen-address={address}"));
    Ok(command)
}
