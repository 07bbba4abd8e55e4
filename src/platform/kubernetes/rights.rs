//! What the user may do: asked for before a key is offered.
//!
//! One review for all namespaces first, since it often answers for each of them. Known weakness: a right that changes later is
//! seen at the next connection, or by the write that is refused.

use super::connection::{BackOff, Line};
use crate::fleet::{Fact, Rights, WriteRight};
use crate::units::{Namespace, Region, Trouble, clean};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Something that has to be allowed: a verb on a resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) verb: &'static str,
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) subresource: &'static str,
}

impl Need {
    /// As a person would ask for it; an empty namespace is all of them.
    pub(super) fn words(&self, namespace: &str) -> String {
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        let place = if namespace.is_empty() { "all namespaces".into() } else { format!("namespace {namespace}") };
        format!("{} {}{slash}{} in {place}", self.verb, self.resource, self.subresource)
    }
}

pub(super) const PATCH: Need = Need { verb: "patch", group: "apps", resource: "deployments", subresource: "" };

/// What driving a plain Deployment needs: a rolling update scales nothing.
const WRITES: [(WriteRight, Need); 1] = [(WriteRight::PatchWorkload, PATCH)];

const fn need(verb: &'static str, group: &'static str, resource: &'static str) -> Need {
    Need { verb, group, resource, subresource: "" }
}

/// What a second Deployment beside the first needs, whatever divides the traffic.
const BESIDE: [Need; 6] = [
    need("create", "apps", "deployments"),
    need("delete", "apps", "deployments"),
    PATCH,
    need("create", "", "services"),
    need("create", "policy", "poddisruptionbudgets"),
    need("get", "apps", "replicasets"),
];
const SERVICES: Need = need("patch", "", "services");
const ROUTES: Need = need("patch", "gateway.networking.k8s.io", "httproutes");

/// Why there can be no second Deployment in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// Of what it needs anyway.
    pub(super) both: Option<String>,
    /// To switch Services, and to write weights.
    pub(super) services: Option<String>,
    pub(super) routes: Option<String>,
}

impl Beside {
    /// Asks what is denied in a namespace; the first answer that is no ends it.
    pub(super) async fn ask(line: &Line, namespace: &str) -> Result<Beside, Trouble> {
        let denied = async |need: Need| {
            Ok::<_, Trouble>((!may(line, need, namespace).await?).then(|| format!("you may not {}", need.words(namespace))))
        };
        let mut beside = Beside::default();
        for need in BESIDE {
            beside.both = denied(need).await?;
            if beside.both.is_some() {
                return Ok(beside);
            }
        }
        (beside.services, beside.routes) = (denied(SERVICES).await?, denied(ROUTES).await?);
        Ok(beside)
    }
}

/// Asks for the rights in each namespace and tells them. What cannot be asked is asked again.
pub(super) async fn ask(line: Arc<Line>, region: Region, namespaces: Vec<String>, facts: mpsc::Sender<Fact>) {
    let user = user(&line).await.ok();
    let mut everywhere = Vec::new();
    for (right, need) in WRITES {
        if matches!(may(&line, need, "").await, Ok(true)) {
            everywhere.push(right);
        }
    }
    let (mut unasked, mut wait) = (VecDeque::from(namespaces), BackOff::default());
    'namespaces: while let Some(namespace) = unasked.pop_front() {
        let mut denied = Vec::new();
        for (right, need) in WRITES.iter().filter(|(right, _)| !everywhere.contains(right)) {
            match may(&line, *need, &namespace).await {
                Ok(true) => {}
                Ok(false) => denied.push((*right, need.words(&namespace))),
                Err(e) => {
                    tracing::debug!(%region, namespace, "rights: {e}");
                    tokio::time::sleep(wait.next()).await;
                    if facts.is_closed() {
                        return;
                    }
                    unasked.push_back(namespace);
                    continue 'namespaces;
                }
            }
        }
        let rights = Rights { user: user.clone(), denied };
        let fact = Fact::RightsSeen { region: region.clone(), namespace: Namespace::new(&namespace), rights };
        if facts.send(fact).await.is_err() {
            return;
        }
    }
}

/// Who the API server thinks we are.
pub(super) async fn user(line: &Line) -> Result<String, Trouble> {
    let review = line.ask("ask who we are", |client| async move {
        Api::<SelfSubjectReview>::all(client).create(&PostParams::default(), &SelfSubjectReview::default()).await
    });
    let named = review.await?.status.and_then(|s| s.user_info).and_then(|u| u.username);
    Ok(clean(&named.unwrap_or_default(), 200))
}

/// Whether something is allowed in a namespace; an empty one is all of them.
pub(super) async fn may(line: &Line, need: Need, namespace: &str) -> Result<bool, Trouble> {
    let text = |t: &str| (!t.is_empty()).then(|| t.to_owned());
    let attributes = ResourceAttributes {
        verb: text(need.verb),
        group: text(need.group),
        resource: text(need.resource),
        subresource: text(need.subresource),
        namespace: text(namespace),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let answer = line.ask("ask for rights", |client| async move {
        Api::<SelfSubjectAccessReview>::all(client).create(&PostParams::default(), &review).await
    });
    Ok(answer.await?.status.is_some_and(|s| s.allowed))
}

#[cfg(test)]
mod tests {
    use super::{Need, PATCH};

    #[test]
    fn rights_are_named_as_a_person_would_ask_for_them() {
        assert_eq!(PATCH.words("shop"), "patch deployments in namespace shop");
        let proxy = Need { verb: "get", group: "", resource: "pods", subresource: "proxy" };
        assert_eq!(proxy.words(""), "get pods/proxy in all namespaces");
    }
}
