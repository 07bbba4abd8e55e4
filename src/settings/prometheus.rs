//! Where a region's Prometheus is, who asks it, and what it is asked.
//!
//! Settings hold no secrets, only where each is: it is read when the connection is made. Known weakness: how often Prometheus
//! scrapes has to be said here; it is not asked for it.

use super::read::{kube_name, one_of, some_text};
use crate::strategy::{Queries, queries};
use crate::units::written::{self, Wrong, quoted};
use crate::units::yaml::{Fields, Node, Troubles, Value};
use crate::units::{Namespace, Span};
use serde::Serialize;
use std::path::PathBuf;

/// How often Prometheus scrapes where nothing is said.
const SCRAPES: Span = Span::secs(15);

/// The metrics that are known by name: the pods' own, and those of data planes.
pub const PRESETS: [&str; 4] = ["pods", "istio", "traefik", "nginx"];

/// A region's Prometheus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// Where it is.
    #[serde(flatten)]
    pub at: PrometheusAt,
    /// Who asks; through the API server it is the user of the kubeconfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The tenant: `X-Scope-OrgID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// A file with the certificates of its authority, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// How often it scrapes: an interval that is counted has two scrapes at least.
    #[serde(rename = "scrapeIntervalSeconds")]
    pub scrapes: Span,
    /// What it is asked.
    pub metrics: Metrics,
}

/// Where a Prometheus is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PrometheusAt {
    /// At a URL.
    Url(String),
    /// A Service, reached through the API server's proxy.
    Service {
        /// Its namespace.
        namespace: Namespace,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Auth {
    /// A token.
    Bearer(SecretFrom),
    /// A user with a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretFrom,
    },
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretFrom {
    /// In a variable of the environment.
    Env(String),
    /// In a file; blanks at its end do not count.
    File(PathBuf),
}

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metrics {
    /// The first of [`PRESETS`] that has series.
    #[default]
    Found,
    /// One of [`PRESETS`].
    Preset(&'static str),
    /// A person's own.
    Own(Queries),
}

/// The keys `prometheus` and `metrics` of a region.
pub(super) fn read(fields: &mut Fields<'_>, region: &Node, t: &mut Troubles) -> Option<Prometheus> {
    let (node, asked) = (fields.get("prometheus"), fields.get("metrics"));
    let metrics = asked.and_then(|node| match &node.value {
        Value::Map(_) => queries("metrics", node, t).map(Metrics::Own),
        _ => node.read("metrics", t, |text| one_of(text, &PRESETS).map(Metrics::Preset)),
    });
    let Some(node) = node else {
        if asked.is_some() {
            t.at(region.at, Wrong::new("metrics without a prometheus", "add prometheus: { url: https://... }; without one pods are asked"));
        }
        return None;
    };
    let mut fields = node.fields("prometheus", t)?;
    let (url, service) = (fields.get("url"), fields.get("service"));
    let (bearer, basic, tenant, ca) = (fields.get("bearer"), fields.get("basic"), fields.get("tenant"), fields.get("ca"));
    let scrapes = fields.read("scrapeInterval", t, |text| match written::span(text)? {
        span if span >= Span::secs(1) => Ok(span),
        span => Err(Wrong::new(format!("{span} is below 1s"), "write 1s or more")),
    });
    fields.finish(t);
    let at = match (url, service) {
        (Some(url), None) => url.read("url", t, |text| http_url(text).map(PrometheusAt::Url)),
        (None, Some(service)) => service.read("service", t, proxied),
        (Some(_), Some(service)) => {
            t.at(service.at, Wrong::new("prometheus has a url and a service", "keep one of them"));
            None
        }
        (None, None) => {
            t.at(node.at, Wrong::new("prometheus says nothing", "write { url: https://... } or { service: monitoring/prometheus:9090 }"));
            None
        }
    };
    let own = [("bearer", bearer), ("basic", basic), ("ca", ca)].into_iter().find_map(|(key, node)| Some((key, node?)));
    if let (Some(PrometheusAt::Service { .. }), Some((key, node))) = (&at, own) {
        let remedy = "leave it out: the API server is asked as the kubeconfig's user, and passes nothing on";
        t.at(node.at, Wrong::new(format!("{key} with a service"), remedy));
    }
    if let (Some(_), Some(basic)) = (bearer, basic) {
        t.at(basic.at, Wrong::new("prometheus has a bearer and a basic", "keep one of them"));
    }
    let auth = match (bearer, basic) {
        (Some(node), _) => secret("bearer", node, t).map(Auth::Bearer),
        (None, Some(node)) => basic_auth(node, t),
        (None, None) => None,
    };
    let tenant = tenant.and_then(|node| node.read("tenant", t, header_text));
    let ca = ca.and_then(|node| node.read("ca", t, some_text)).map(PathBuf::from);
    Some(Prometheus { at: at?, auth, tenant, ca, scrapes: scrapes.unwrap_or(SCRAPES), metrics: metrics.unwrap_or_default() })
}

fn basic_auth(node: &Node, t: &mut Troubles) -> Option<Auth> {
    let mut fields = node.fields("basic", t)?;
    let (user, password) = (fields.read("user", t, some_text), fields.get("password"));
    fields.finish(t);
    let password = password.and_then(|node| secret("password", node, t));
    if user.is_none() || password.is_none() {
        t.at(node.at, Wrong::new("basic needs a user and a password", "write { user: NAME, password: { env: VARIABLE } }"));
    }
    Some(Auth::Basic { user: user?, password: password? })
}

/// Where a secret is. One that stands here itself is refused, and not repeated.
fn secret(key: &str, node: &Node, t: &mut Troubles) -> Option<SecretFrom> {
    const REMEDY: &str = "write { env: VARIABLE } or { file: /path }: settings hold no secrets";
    let Value::Map(_) = &node.value else {
        t.at(node.at, Wrong::new(format!("{key}: a secret where it is kept belongs"), REMEDY));
        return None;
    };
    let mut fields = node.fields(key, t)?;
    let (env, file) = (fields.read("env", t, some_text), fields.read("file", t, some_text));
    fields.finish(t);
    match (env, file) {
        (Some(env), None) => Some(SecretFrom::Env(env)),
        (None, Some(file)) => Some(SecretFrom::File(file.into())),
        _ => {
            t.at(node.at, Wrong::new(format!("{key} is kept in one place"), REMEDY));
            None
        }
    }
}

fn header_text(text: &str) -> Result<String, Wrong> {
    match text.chars().count() {
        1..=150 if text.chars().all(|c| c.is_ascii_graphic()) => Ok(text.into()),
        _ => Err(Wrong::new(format!("{} cannot be a tenant", quoted(text)), "letters, digits and signs without blanks, 150 at most")),
    }
}

fn http_url(text: &str) -> Result<String, Wrong> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(host) = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default()) else {
        return Err(Wrong::new(format!("{} is not a URL", quoted(text)), "write https://prometheus.example"));
    };
    if host.contains('@') {
        return Err(Wrong::new("a password in a URL", "leave it out, and write basic: { user: NAME, password: { env: VARIABLE } }"));
    }
    if host.is_empty() || text.contains(char::is_whitespace) || text.contains(['?', '#']) {
        return Err(Wrong::new(format!("{} is not a URL", quoted(text)), "write https://prometheus.example"));
    }
    Ok(text.into())
}

fn proxied(text: &str) -> Result<PrometheusAt, Wrong> {
    let wrong = || Wrong::new(format!("{} is not a service with its port", quoted(text)), "write monitoring/prometheus:9090");
    let (namespace, rest) = text.split_once('/').ok_or_else(wrong)?;
    let (name, port) = rest.split_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    Ok(PrometheusAt::Service { namespace: Namespace::new(kube_name(namespace)?), name: kube_name(name)?.into(), port })
}
