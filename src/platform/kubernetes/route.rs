//! HTTPRoutes of the Gateway API as slim rows: which Services their rules name with which weights, and what the gateway says.
//!
//! Knows no workload. Known weakness: other kinds of routes (GRPCRoute, TLSRoute) are not read.

use super::automation::Meta;
use super::fence::{self, FLIGHT};
use super::objects::{Row, or_empty};
use crate::units::clean;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The annotation, of each Deployment whose traffic is divided, that keeps what the owner's rules named.
pub(super) const BACKENDS: &str = "flightdeck.dev/backends";

/// An HTTPRoute.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) generation: i64,
    /// Whether there is a map of annotations to write into.
    pub(super) annotated: bool,
    /// Our annotations, as written: each Deployment that it sends to has its own.
    pub(super) notes: BTreeMap<Box<str>, Box<str>>,
    /// `backendRefs` of each rule, as written.
    pub(super) rules: Vec<Vec<Value>>,
    /// What its gateways say of this generation.
    pub(super) verdict: Verdict,
}

/// What the gateways of a route say of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// No gateway has said anything: nobody serves it.
    Unserved,
    /// Not all of them have seen the newest state.
    Unseen,
    /// All of them take it.
    Accepted,
    /// One does not, in its words.
    Refused(String),
}

/// Whether a backend is a Service of the route's own namespace with this name.
pub(super) fn names(backend: &Value, service: &str, namespace: &str) -> bool {
    let text = |key: &str, other: &str| backend[key].as_str().unwrap_or(other).to_owned();
    text("kind", "Service") == "Service"
        && text("group", "").is_empty()
        && text("namespace", namespace) == namespace
        && backend["name"] == service
}

/// The weight of a backend; one that names none has 1.
pub(super) fn weight(backend: &Value) -> u64 {
    backend["weight"].as_u64().unwrap_or(1)
}

impl Route {
    /// The fence of a Deployment.
    pub(super) fn flight(&self, deployment: &str) -> Option<&str> {
        self.note(deployment, FLIGHT)
    }
    /// What its owner's rules named, by their places, where a Deployment's traffic is divided.
    pub(super) fn kept(&self, deployment: &str) -> Option<Vec<(usize, Vec<Value>)>> {
        serde_json::from_str(self.note(deployment, BACKENDS)?).ok()
    }
    fn note(&self, deployment: &str, note: &str) -> Option<&str> {
        self.notes.get(fence::of(deployment, note).as_str()).map(|text| &**text)
    }
    /// The rules that name a Service.
    pub(super) fn rules_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = (usize, &'a Vec<Value>)> {
        self.rules.iter().enumerate().filter(move |(_, rule)| rule.iter().any(|b| names(b, service, &self.namespace)))
    }
}

#[derive(Deserialize)]
struct RouteIn {
    metadata: Meta,
    #[serde(default)]
    spec: RouteSpec,
    #[serde(default)]
    status: RouteStatus,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RouteSpec {
    #[serde(deserialize_with = "or_empty")]
    rules: Vec<Rule>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    #[serde(deserialize_with = "or_empty")]
    backend_refs: Vec<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RouteStatus {
    #[serde(deserialize_with = "or_empty")]
    parents: Vec<Parent>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parent {
    #[serde(deserialize_with = "or_empty")]
    conditions: Vec<Said>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    r#type: String,
    status: String,
    reason: String,
    message: String,
    observed_generation: i64,
}

impl RouteStatus {
    fn verdict(&self, generation: i64) -> Verdict {
        if self.parents.is_empty() {
            return Verdict::Unserved;
        }
        let counts = |c: &&Said| matches!(c.r#type.as_str(), "Accepted" | "ResolvedRefs") && c.observed_generation >= generation;
        let mut all = true;
        for parent in &self.parents {
            let said: Vec<&Said> = parent.conditions.iter().filter(counts).collect();
            if let Some(no) = said.iter().find(|c| c.status == "False") {
                let words = if no.message.is_empty() { &no.reason } else { &no.message };
                return Verdict::Refused(clean(words, 200));
            }
            all &= said.len() == 2;
        }
        if all { Verdict::Accepted } else { Verdict::Unseen }
    }
}

impl Row for Route {
    const GROUP: &'static str = "gateway.networking.k8s.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "HTTPRoute";
    const PLURAL: &'static str = "httproutes";

    fn read(json: &str) -> Result<Option<Self>, serde_json::Error> {
        let RouteIn { metadata: m, spec, status } = serde_json::from_str(json)?;
        let ours = |(name, _): &(&String, &String)| [FLIGHT, BACKENDS].iter().any(|note| name.ends_with(&format!(".{note}")));
        Ok(Some(Route {
            namespace: clean(&m.namespace, 253).into(),
            name: clean(&m.name, 253).into(),
            generation: m.generation,
            annotated: !m.annotations.is_empty(),
            notes: m.annotations.iter().filter(ours).map(|(name, text)| (name.as_str().into(), text.as_str().into())).collect(),
            rules: spec.rules.into_iter().map(|r| r.backend_refs).collect(),
            verdict: status.verdict(m.generation),
        }))
    }
}
