//! What works with a context, for `doctor`: whether it answers, who we are there, what we may do, whether pods can be counted.
//!
//! Asks a handful of questions and changes nothing. Known weakness: it looks at a few pods only, so "no metrics" means that those have
//! none.

use super::connection::{Context, Line, now};
use super::kubeconfig::Contexts;
use super::metrics::is_counted;
use super::objects::{Pod, Seen, Set};
use super::proxy::{self, PROXY};
use super::rights::{self, Need, PATCH};
use crate::units::{Namespace, Span, Trouble};
use kube::Api;
use kube::api::ListParams;
use std::sync::Arc;

/// Pods whose pages are looked at.
const PODS: usize = 5;

/// What was found out about one context.
#[derive(Clone, Debug)]
pub struct ContextReport {
    /// Its name in the kubeconfig.
    pub context: String,
    /// The server's version, or why it does not answer.
    pub version: Result<String, Trouble>,
    /// How long the answer took.
    pub took: Span,
    /// Who the API server thinks we are, where it says so.
    pub user: Option<String>,
    /// What is needed, and whether it is allowed.
    pub needs: Vec<NeedReport>,
    /// Whether requests and errors can be read from pods: of how many pods out of how many, or why not.
    pub metrics: Result<(usize, usize), String>,
}

/// One thing that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedReport {
    /// As a person would ask for it: `patch deployments in namespace shop`.
    pub words: String,
    /// What for.
    pub purpose: &'static str,
    /// Whether it is allowed; `None` when nobody could say.
    pub allowed: Option<bool>,
}

const fn list(verb: &'static str, group: &'static str, resource: &'static str) -> Need {
    Need { verb, group, resource, subresource: "" }
}

const NEEDS: [(Need, &str); 14] = [
    (list("list", "apps", "deployments"), "see rollouts"),
    (list("watch", "apps", "deployments"), "see rollouts"),
    (list("list", "apps", "replicasets"), "see versions"),
    (list("watch", "apps", "replicasets"), "see versions"),
    (list("list", "", "pods"), "see why pods are stuck"),
    (list("watch", "", "pods"), "see why pods are stuck"),
    (list("list", "discovery.k8s.io", "endpointslices"), "count pods that serve"),
    (list("watch", "discovery.k8s.io", "endpointslices"), "count pods that serve"),
    (list("list", "", "services"), "see what divides the traffic"),
    (list("watch", "", "services"), "see what divides the traffic"),
    (PATCH, "launch, pause and roll back"),
    (list("create", "apps", "deployments"), "blue-green and canary beside the old version"),
    (list("patch", "", "services"), "switch a Service"),
    (PROXY, "health checks, and metrics without Prometheus"),
];

/// Looks at one context. Each question has a limit of 5 s; a context that does not answer is not asked the others.
pub async fn probe(contexts: &Contexts, context: &str, namespaces: &[Namespace]) -> ContextReport {
    let line = Line::new(Context::new(Arc::new(contexts.clone()), context));
    let asked = now();
    let version = line.version().await;
    let took = now().since(asked);
    let mut report = ContextReport {
        context: context.to_owned(),
        took,
        user: None,
        needs: Vec::new(),
        metrics: Err("it does not answer".into()),
        version,
    };
    if report.version.is_err() {
        return report;
    }
    report.user = rights::user(&line).await.ok();
    let named: Vec<&str> = if namespaces.is_empty() { vec![""] } else { namespaces.iter().map(Namespace::as_str).collect() };
    for namespace in &named {
        for (need, purpose) in NEEDS {
            let allowed = rights::may(&line, need, namespace).await.ok();
            report.needs.push(NeedReport { words: need.words(namespace), purpose, allowed });
        }
    }
    report.metrics = metrics(&line, &named).await;
    report
}

/// Looks for pages that count requests at the first few pods that serve.
async fn metrics(line: &Line, namespaces: &[&str]) -> Result<(usize, usize), String> {
    let (mut counted, mut looked) = (0, 0);
    let mut last = "no pod of a Deployment serves".to_owned();
    for namespace in namespaces {
        let few = ListParams::default().limit(200);
        let found = line
            .ask("list replicasets and pods", |client| {
                let (sets, pods): (Api<Seen<Set>>, Api<Seen<Pod>>) = if namespace.is_empty() {
                    (Api::all(client.clone()), Api::all(client))
                } else {
                    (Api::namespaced(client.clone(), namespace), Api::namespaced(client, namespace))
                };
                async move { Ok((sets.list(&few).await?, pods.list(&few).await?)) }
            })
            .await
            .map_err(|t| t.cause)?;
        let sets: Vec<Set> = found.0.items.into_iter().filter_map(|s| s.row.ok().flatten()).collect();
        for seen in found.1.items {
            let Ok(Some(pod)) = &seen.row else { continue };
            let door = sets.iter().find(|s| s.uid == pod.set).and_then(|s| s.door.metrics.as_ref());
            let (Some((port, path)), Some((namespace, name))) = (door, seen.key.split_once('/')) else { continue };
            if !pod.ready || looked == PODS {
                continue;
            }
            looked += 1;
            let what = proxy::Ask { namespace: &Namespace::new(namespace), pod: name, port: *port, tls: false, path };
            match proxy::ask(line, &what).await {
                Err(trouble) => return Err(trouble.cause),
                Ok(Err(words)) => last = words,
                Ok(Ok(page)) if is_counted(&page) => counted += 1,
                Ok(Ok(_)) => last = format!("{path} has no http_requests_total"),
            }
        }
    }
    if counted > 0 { Ok((counted, looked)) } else { Err(last) }
}
