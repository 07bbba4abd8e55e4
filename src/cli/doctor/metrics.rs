//! What each region's Prometheus says: every query as it is sent, and what comes back.

use super::Finding;
use crate::fleet::{Metered, Side};
use crate::platform::kubernetes::{Contexts, MetricsReport, RegionSpec, metrics_report};
use crate::settings::{Asked, Destination, Settings, choose};
use crate::units::Trouble;
use futures::future::join_all;
use std::path::Path;

const AREA: &str = "metrics";

/// A clock that is off by more than this makes intervals that are not whole, in milliseconds.
const SKEW: i64 = 1500;

/// Asks in all regions of the fleet that would be opened, at once.
pub(super) async fn look(settings: &Settings, asked: &Asked, kubeconfig: Option<&Path>, service: Option<&str>) -> Vec<Finding> {
    let Ok(contexts) = Contexts::read(kubeconfig) else { return vec![] };
    let Ok(Destination::Real(fleet)) = choose(settings, asked, contexts.current().as_deref()) else { return vec![] };
    let regions = fleet.regions.iter().map(|region| async {
        let Some(prometheus) = &region.prometheus else {
            let says = "no Prometheus in the settings: pods are asked for their own pages";
            let remedy = "add prometheus: { url: https://... } or { service: monitoring/prometheus:9090 } to the region";
            return vec![Finding::look(AREA, region.name.to_string(), says, remedy)];
        };
        let spec = RegionSpec {
            name: region.name.clone(),
            context: region.context.clone(),
            namespaces: region.namespaces.clone(),
            prometheus: None,
        };
        found(region.name.as_str(), &metrics_report(&contexts, &spec, prometheus, service).await)
    });
    join_all(regions).await.into_iter().flatten().collect()
}

fn found(region: &str, report: &MetricsReport) -> Vec<Finding> {
    let behind = match &report.answers {
        Err(trouble) => return vec![Finding::fails(AREA, region, trouble)],
        Ok(behind) => *behind,
    };
    let mut all = vec![match behind {
        late if late.abs() > SKEW => {
            let says = format!("{} answers, and its clock is {} ms from this machine's", report.name, late.abs());
            Finding::look(AREA, region, says, "set both clocks (NTP): intervals end by this machine's")
        }
        _ => Finding::ok(AREA, region, format!("{} answers", report.name)),
    }];
    if let Some(trouble) = &report.trouble {
        all.push(Finding::fails(AREA, region, &Trouble { place: Default::default(), ..trouble.clone() }));
    }
    for (workload, seen) in &report.workloads {
        let name = format!("{region} {}", workload.name);
        all.push(match seen.state {
            Metered::Counted => Finding::ok(AREA, &name, format!("counted by {}", seen.source)),
            state => Finding::look(AREA, &name, format!("{}: {}", state.word(), seen.why), remedy(state)),
        });
        for asked in &seen.queries {
            let side = if asked.side == Side::New { "new" } else { "old" };
            all.push(Finding::ok(AREA, format!("{name} {} {side}", asked.what), format!("{}   {}", asked.says, asked.query)));
        }
    }
    all
}

fn remedy(state: Metered) -> &'static str {
    match state {
        Metered::Empty => "does Prometheus scrape these pods, with these labels, twice in the interval (scrapeInterval in the settings)?",
        Metered::NotANumber => "ask for counts: sum(increase(...)), never a share",
        Metered::NoMetrics => "let pods serve http_requests_total, or write metrics: { requests: ..., errors: ... } in the region",
        Metered::Failed | Metered::Counted => "look at the query, and at Prometheus' own words",
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::fleet::{AskedQuery, MetricsSeen};
    use crate::units::{Kind, Place, Time, WorkloadId};

    #[test]
    fn each_query_is_shown_as_sent_with_what_came_back_and_what_to_do() {
        let id = WorkloadId { region: "east".into(), namespace: "shop".into(), kind: "Deployment".into(), name: "order".into() };
        let queries = vec![AskedQuery { what: "requests".into(), side: Side::Old, query: "sum(x)".into(), says: "no series".into() }];
        let why = "requests of the old version: no series".into();
        let seen = MetricsSeen { at: Time(0), source: "m/p:1, pods".into(), state: Metered::Empty, why, queries };
        let report = MetricsReport { name: "m/p:1".into(), answers: Ok(2000), workloads: vec![(id, seen)], trouble: None };
        let all = found("east", &report);
        let says: Vec<String> = all.iter().map(|f| format!("{:?} {}: {}", f.state, f.name, f.says)).collect();
        assert_eq!(
            says,
            [
                "Look east: m/p:1 answers, and its clock is 2000 ms from this machine's",
                "Look east order: empty: requests of the old version: no series",
                "Ok east order requests old: no series   sum(x)",
            ]
        );
        assert!(all[1].remedy.as_ref().unwrap().contains("scrapeInterval"));
    }

    #[test]
    fn one_that_does_not_answer_fails_with_its_own_words() {
        let trouble = Trouble::new(Kind::Refused, Place::named("m/p:1"), "answers 401: Unauthorized", "look at bearer");
        let report = MetricsReport { name: "m/p:1".into(), answers: Err(trouble), workloads: vec![], trouble: None };
        let all = found("east", &report);
        assert_eq!((all[0].state, all[0].says.as_str(), all.len()), (State::Fails, "m/p:1: answers 401: Unauthorized", 1));
    }
}
