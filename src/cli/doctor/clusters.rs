//! Whether the clusters answer, and what may be done there.

use super::{Finding, State};
use crate::platform::kubernetes::{ContextReport, Contexts, probe};
use crate::settings::{Asked, Destination, Settings, choose};
use crate::units::{Kind, Namespace, Place, Trouble};
use futures::future::join_all;
use std::path::Path;
use std::time::Duration;

const AREA: &str = "clusters";

/// So many contexts are asked.
const MOST: usize = 64;
/// How long one context may take to answer all questions.
const LIMIT: Duration = Duration::from_secs(30);

/// A context that is to be asked.
struct Line {
    context: String,
    namespaces: Vec<Namespace>,
    /// The fleet that would be opened needs it.
    needed: bool,
}

/// Asks all contexts at once: those of the settings and those of the kubeconfig.
pub(super) async fn look(settings: &Settings, asked: &Asked, kubeconfig: Option<&Path>) -> Vec<Finding> {
    let contexts = match Contexts::read(kubeconfig) {
        Ok(contexts) => contexts,
        Err(trouble) if trouble.kind == Kind::Usage && kubeconfig.is_none() && !names_one(settings, asked) => {
            return vec![Finding::look(AREA, "kubeconfig", "there is none: flightdeck opens the practice fleet", trouble.remedy)];
        }
        Err(trouble) => return vec![Finding::fails(AREA, "kubeconfig", &trouble)],
    };
    let mut all = vec![Finding::ok(AREA, "kubeconfig", contexts.origin.clone())];
    let opened = match choose(settings, asked, contexts.current().as_deref()) {
        Ok(Destination::Real(fleet)) => {
            all.push(Finding::ok(AREA, "opens", format!("{}, {} {}", fleet.name, fleet.regions.len(), regions(fleet.regions.len()))));
            Some(fleet)
        }
        Ok(Destination::Practice) => {
            all.push(Finding::look(AREA, "opens", "the practice fleet", "`kubectl config use-context NAME` chooses a real one"));
            None
        }
        Err(trouble) => {
            all.push(Finding::fails(AREA, "opens", &trouble));
            None
        }
    };
    let mut lines: Vec<Line> = Vec::new();
    let mut add = |context: &str, namespaces: &[Namespace], needed| match lines.iter_mut().find(|line| line.context == context) {
        Some(line) => {
            line.needed |= needed;
            let new = namespaces.iter().filter(|n| !line.namespaces.contains(n)).cloned().collect::<Vec<_>>();
            line.namespaces.extend(new);
        }
        None => lines.push(Line { context: context.into(), namespaces: namespaces.to_vec(), needed }),
    };
    opened.iter().flat_map(|fleet| &fleet.regions).for_each(|region| add(&region.context, &region.namespaces, true));
    settings.fleets.iter().flat_map(|fleet| &fleet.regions).for_each(|region| add(&region.context, &region.namespaces, false));
    contexts.names().iter().for_each(|name| add(name, &[], false));
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    let ask = |line: &Line| {
        let (contexts, context, namespaces) = (&contexts, line.context.clone(), line.namespaces.clone());
        async move { tokio::time::timeout(LIMIT, probe(contexts, &context, &namespaces)).await }
    };
    let reports = join_all(lines.iter().map(ask)).await;
    for (line, report) in lines.iter().zip(reports) {
        match report {
            Ok(report) => all.extend(found(&report, line.needed)),
            Err(_) => all.push(unreachable(&line.context, &slow(&line.context), line.needed)),
        }
    }
    if more > 0 {
        all.push(Finding::look(AREA, "more", format!("{more} contexts were not asked"), "--context NAME asks one first"));
    }
    all
}

/// Whether the settings or the command line name a cluster.
fn names_one(settings: &Settings, asked: &Asked) -> bool {
    !settings.fleets.is_empty() || asked.env.is_some() || asked.context.is_some()
}

fn regions(n: usize) -> &'static str {
    if n == 1 { "region" } else { "regions" }
}

fn slow(context: &str) -> Trouble {
    let cause = format!("it did not answer everything in {} s", LIMIT.as_secs());
    Trouble::new(Kind::OutOfReach, Place::named(context), cause, "try again; rollouts there would be slow too")
}

/// A context without an answer fails only where the fleet that would be opened needs it.
fn unreachable(context: &str, trouble: &Trouble, needed: bool) -> Finding {
    let finding = Finding::fails(AREA, context, &Trouble { place: Place::default(), ..trouble.clone() });
    if needed { finding } else { Finding { state: State::Look, kind: None, ..finding } }
}

/// What one context is told about.
fn found(report: &ContextReport, needed: bool) -> Vec<Finding> {
    let context = report.context.as_str();
    let version = match &report.version {
        Ok(version) => version,
        Err(trouble) => return vec![unreachable(context, trouble, needed)],
    };
    let user = report.user.as_ref().map(|user| format!(", as {user}")).unwrap_or_default();
    let mut all = vec![Finding::ok(AREA, context, format!("{version} in {} ms{user}", report.took.0))];
    for missing in report
        .needs
        .iter()
        .filter(|need| need.allowed != Some(true))
        .collect::<Vec<_>>()
        .chunk_by(|a, b| (a.purpose, a.allowed) == (b.purpose, b.allowed))
    {
        let [first, ..] = missing else { continue };
        let words = missing.iter().map(|need| need.words.as_str()).collect::<Vec<_>>().join(", ");
        let says = format!("{}: {words}", if first.allowed.is_some() { "denied" } else { "nobody says whether allowed" });
        all.push(Finding::look(AREA, format!("{context} rights"), says, format!("ask for a role with it: {}", first.purpose)));
    }
    if !report.needs.is_empty() && report.needs.iter().all(|need| need.allowed == Some(true)) {
        all.push(Finding::ok(AREA, format!("{context} rights"), "everything that flightdeck does"));
    }
    all.push(match &report.metrics {
        Ok((counted, looked)) => {
            Finding::ok(AREA, format!("{context} metrics"), format!("{counted} of the {looked} pods looked at count their requests"))
        }
        Err(why) => {
            let remedy = "without them a rollout is judged by readiness and health alone: let pods serve http_requests_total";
            Finding::look(AREA, format!("{context} metrics"), format!("none: {why}"), remedy)
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::kubernetes::NeedReport;
    use crate::units::Span;

    fn report(version: Result<String, Trouble>, allowed: Option<bool>) -> ContextReport {
        let need = NeedReport { words: "patch deployments in namespace shop".into(), purpose: "launch, pause and roll back", allowed };
        ContextReport { context: "prod".into(), version, took: Span(12), user: Some("mara".into()), needs: vec![need], metrics: Ok((2, 5)) }
    }

    fn says(all: &[Finding]) -> Vec<String> {
        all.iter().map(|f| format!("{:?} {}: {} -> {}", f.state, f.name, f.says, f.remedy.clone().unwrap_or_default())).collect()
    }

    #[test]
    fn a_context_that_answers_says_what_is_missing_there() {
        let good = found(&report(Ok("v1.36.0".into()), Some(true)), true);
        assert!(good.iter().all(|finding| finding.state == State::Ok), "{good:?}");
        assert_eq!(good[0].says, "v1.36.0 in 12 ms, as mara");
        let bad = says(&found(&report(Ok("v1.36.0".into()), Some(false)), true));
        let remedy = "ask for a role with it: launch, pause and roll back";
        assert_eq!(bad[1], format!("Look prod rights: denied: patch deployments in namespace shop -> {remedy}"));
    }

    #[test]
    fn a_context_that_does_not_answer_fails_where_it_is_needed() {
        let trouble = Trouble::new(Kind::OutOfReach, Place::named("prod"), "connection refused", "is it running?");
        let needed = found(&report(Err(trouble.clone()), None), true);
        assert_eq!(
            (says(&needed), needed[0].kind),
            (vec!["Fails prod: connection refused -> is it running?".to_owned()], Some(Kind::OutOfReach))
        );
        assert_eq!(found(&report(Err(trouble), None), false)[0].state, State::Look);
    }
}
