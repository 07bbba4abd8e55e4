//! Who else writes to a Deployment: its owners, GitOps, Helm, an autoscaler, and whoever changed its template last.
//!
//! Reads only the Deployment's own metadata. Known weakness: whether Argo CD or Flux would really put their own state back is
//! written in their objects, which are not read here, so the careful answer is taken.

use super::objects::{Uid, or_empty, time};
use crate::fleet::Automation;
use crate::units::{Time, clean};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The metadata of Deployments and ReplicaSets.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    pub(super) uid: String,
    #[serde(default)]
    pub(super) generation: i64,
    pub(super) creation_timestamp: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_empty")]
    owner_references: Vec<Owner>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(super) managed_fields: Vec<ManagedFields>,
}

impl Meta {
    /// The controller of a kind that owns it.
    pub(super) fn controller(&self, kind: &str) -> Option<Uid> {
        self.owner_references.iter().find(|o| o.controller && o.kind == kind).map(|o| Uid::new(&o.uid))
    }
}

#[derive(Deserialize)]
pub(super) struct Owner {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    name: String,
    pub(super) uid: String,
    #[serde(default)]
    pub(super) controller: bool,
}

/// One entry of `managedFields`: who wrote which fields, and when.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManagedFields {
    #[serde(default)]
    manager: String,
    time: Option<String>,
    #[serde(default)]
    subresource: String,
    #[serde(default, rename = "fieldsV1")]
    fields: Fields,
}

#[derive(Deserialize, Default)]
struct Fields {
    #[serde(rename = "f:spec", default)]
    spec: SpecFields,
}

#[derive(Deserialize, Default)]
struct SpecFields {
    #[serde(rename = "f:template")]
    template: Option<serde::de::IgnoredAny>,
    #[serde(rename = "f:replicas")]
    replicas: Option<serde::de::IgnoredAny>,
}

impl ManagedFields {
    /// Who wrote the template last, and when.
    pub(super) fn template(all: &[ManagedFields]) -> Option<(Arc<str>, Time)> {
        let wrote = |m: &&ManagedFields| m.fields.spec.template.is_some() && m.subresource.is_empty() && !m.manager.is_empty();
        all.iter().filter(wrote).max_by_key(|m| time(&m.time)).map(|m| (clean(&m.manager, 100).into(), time(&m.time).unwrap_or_default()))
    }
}

/// What else writes to it. Of several, the one that would undo most.
pub(super) fn of(m: &Meta) -> Option<Automation> {
    let found = |kind: &str, name: &str, fights: bool| Some(Automation { kind: clean(kind, 100), name: clean(name, 253), fights });
    let note = |name: &str| m.annotations.get(name).map(String::as_str);
    let label = |name: &str| m.labels.get(name).map(String::as_str);
    if let Some(owner) = m.owner_references.iter().find(|o| o.controller) {
        return found(&owner.kind, &owner.name, true);
    }
    // `app:apps/Deployment:namespace/name`
    if let Some(id) = note("argocd.argoproj.io/tracking-id") {
        return found("Argo CD", id.split(':').next().unwrap_or(id), true);
    }
    if let Some(app) = label("argocd.argoproj.io/instance") {
        return found("Argo CD", app, true);
    }
    if m.managed_fields.iter().any(|f| matches!(f.manager.as_str(), "argocd-controller" | "argocd-application-controller")) {
        return found("Argo CD", label("app.kubernetes.io/instance").unwrap_or(&m.name), true);
    }
    if let Some(name) = label("kustomize.toolkit.fluxcd.io/name") {
        return found("Flux", name, true);
    }
    // A HelmRelease corrects drift only when that is switched on.
    if let Some(name) = label("helm.toolkit.fluxcd.io/name") {
        return found("Flux", name, false);
    }
    if let Some(name) = note("meta.helm.sh/release-name") {
        return found("Helm", name, false);
    }
    let scaled = |f: &ManagedFields| f.manager == "kube-controller-manager" && f.subresource == "scale" && f.fields.spec.replicas.is_some();
    if m.managed_fields.iter().any(scaled) {
        return found("HPA", &m.name, false);
    }
    None
}
