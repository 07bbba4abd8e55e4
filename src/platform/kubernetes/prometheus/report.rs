//! What a Prometheus gives for a service, for `doctor --metrics`: each query as sent, and what comes back.
//!
//! Asks and changes nothing. Known weakness: it takes the newest two versions that there are, whichever a rollout would compare.

use super::super::RegionSpec;
use super::super::connection::{Context, Line, now};
use super::super::hands::look;
use super::super::kubeconfig::Contexts;
use super::super::objects::{Deployment, Seen};
use super::{Door, Meter};
use crate::fleet::MetricsSeen;
use crate::platform::Judged;
use crate::settings::Prometheus;
use crate::units::{Kind, Place, Span, Time, Trouble, WorkloadId};
use kube::Api;
use kube::api::ListParams;
use std::sync::Arc;

/// So many Deployments are asked about where none is named.
const MOST: usize = 5;
/// The interval that is asked for, where it is long enough for two scrapes.
const EVERY: Span = Span::secs(10);

/// What was found out about a region's Prometheus.
#[derive(Clone, Debug)]
pub struct MetricsReport {
    /// Where it is.
    pub name: String,
    /// How far its clock is from ours, in milliseconds (positive: it is behind); or why it does not answer.
    pub answers: Result<i64, Trouble>,
    /// Per Deployment: what it was asked.
    pub workloads: Vec<(WorkloadId, MetricsSeen)>,
    /// Why Deployments could not be looked at.
    pub trouble: Option<Trouble>,
}

/// Asks a region's Prometheus about a service, or about the first few there are.
pub async fn metrics_report(contexts: &Contexts, spec: &RegionSpec, prometheus: &Prometheus, service: Option<&str>) -> MetricsReport {
    let line = Line::new(Context::new(Arc::new(contexts.clone()), &spec.context));
    let meter = Meter::new(Door::new(prometheus.clone(), line.clone()));
    let mut report = MetricsReport { name: meter.door.name(), answers: Ok(0), workloads: Vec::new(), trouble: None };
    report.answers = match meter.ask("time()", None).await {
        Ok(answer) => Ok(answer.sum().map_or(0, |seconds| now().0 - (seconds * 1000.0) as i64)),
        Err(failure) => Err(Trouble::new(failure.kind, Place::named(report.name.as_str()), failure.words, failure.remedy)),
    };
    if report.answers.is_err() {
        return report;
    }
    match deployments(&line, spec, service).await {
        Ok(ids) => {
            for id in ids {
                match ask(&meter, &line, &id).await {
                    Ok(seen) => report.workloads.push((id, seen)),
                    Err(trouble) => report.trouble = Some(trouble),
                }
            }
        }
        Err(trouble) => report.trouble = Some(trouble),
    }
    report
}

async fn deployments(line: &Line, spec: &RegionSpec, service: Option<&str>) -> Result<Vec<WorkloadId>, Trouble> {
    let all = vec![String::new()];
    let namespaces = if spec.namespaces.is_empty() { all } else { spec.namespaces.iter().map(ToString::to_string).collect() };
    let mut found = Vec::new();
    for namespace in namespaces {
        let few = ListParams::default().limit(500);
        let list = line
            .ask("list deployments", |client| {
                let api: Api<Seen<Deployment>> = if namespace.is_empty() { Api::all(client) } else { Api::namespaced(client, &namespace) };
                async move { api.list(&few).await }
            })
            .await?;
        for seen in list.items {
            let Some((namespace, name)) = seen.key.split_once('/') else { continue };
            if service.is_none_or(|service| service == name) && found.len() < MOST {
                let id =
                    WorkloadId { region: spec.name.clone(), namespace: namespace.into(), kind: "Deployment".into(), name: name.into() };
                found.push(id);
            }
        }
    }
    match service {
        Some(service) if found.is_empty() => {
            let remedy = "flightdeck status lists the services; -n names the namespace";
            Err(Trouble::new(Kind::Usage, Place::named(spec.name.as_str()), format!("there is no Deployment {service}"), remedy))
        }
        _ => Ok(found),
    }
}

async fn ask(meter: &Meter, line: &Line, id: &WorkloadId) -> Result<MetricsSeen, Trouble> {
    let sight = look(line, id).await?;
    // The version that its template asks for, and the one before.
    let newest = sight.row.template.clone();
    let before = sight.row.revisions.iter().map(|r| &r.revision).find(|r| **r != newest).cloned();
    let (old, new) = match before {
        Some(before) => (before, Some(newest)),
        None => (newest, None),
    };
    let judged = Judged { every: EVERY, old, new, metrics: None };
    let span = meter.span(EVERY);
    let end = Time(now().0 - 2 * super::SETTLE.0 as i64);
    Ok(match meter.source(&sight, &judged, end).await {
        Ok(source) => meter.interval(&source, &sight, &judged, end, span).await.seen,
        Err(seen) => seen,
    })
}
