//! A Deployment with its ReplicaSets, pods and EndpointSlices as one slim row.
//!
//! Pure: objects and the time go in, a `Workload` comes out. Known weakness: a paused Deployment whose new template never began
//! has no ReplicaSet for it, so its row still names the template before.

use super::beside::Scene;
use super::objects::{Deployment, Pod, Set, Uid, images_text};
use super::trouble::{Sort, not_created};
use crate::fleet::{Beside, Divider, Divides, Flight, Pods, RevisionSeen, Stuck, Workload};
use crate::units::{Percent, Person, Region, Revision, Service, Span, Time, Version, WorkloadId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Older revisions without pods that are kept to go back to.
const OLDER: usize = 5;
/// A pod that runs for longer than this (and longer than twice what others took) and is not ready is worth a word.
const SLOW: Span = Span::secs(15);

/// What is known of one Deployment.
pub(super) struct Parts<'a> {
    pub(super) region: &'a Region,
    pub(super) deployment: &'a Deployment,
    pub(super) sets: Vec<SetParts<'a>>,
    /// The second Deployment beside it.
    pub(super) second: Option<Second<'a>>,
    pub(super) scene: Scene,
    pub(super) divider: Option<Divider>,
    /// Whether pods are known; else the controllers' own counts are taken.
    pub(super) pods_known: bool,
    pub(super) now: Time,
}

/// The second Deployment of one.
pub(super) struct Second<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) sets: Vec<SetParts<'a>>,
}

/// What is known of one of its ReplicaSets.
pub(super) struct SetParts<'a> {
    pub(super) set: &'a Set,
    /// Its pods, each with what the EndpointSlices say of it, where one names it.
    pub(super) pods: Vec<(&'a Pod, Option<bool>)>,
}

impl SetParts<'_> {
    fn pods(&self, known: bool) -> Pods {
        let s = self.set;
        if !known {
            return Pods { want: s.want, exist: s.exist, ready: s.ready, stuck: None };
        }
        let there = self.pods.iter().filter(|(p, _)| !p.going);
        let ready = there.clone().filter(|(p, slice)| p.ready && slice.unwrap_or(true)).count();
        Pods { want: s.want, exist: there.count() as u32, ready: ready as u32, stuck: None }
    }
}

/// The identity of a Deployment.
pub(super) fn id(region: &Region, d: &Deployment) -> WorkloadId {
    WorkloadId { region: region.clone(), namespace: (&*d.namespace).into(), kind: "Deployment".into(), name: d.name.clone() }
}

/// One revision of a row: the ReplicaSets that run it, the first Deployment's own before the second one's.
struct Group<'p, 'a> {
    revision: Revision,
    sets: Vec<&'p SetParts<'a>>,
}

impl Group<'_, '_> {
    fn set(&self) -> &Set {
        self.sets[0].set
    }
    fn pods(&self, known: bool) -> Pods {
        self.sets.iter().map(|s| s.pods(known)).fold(Pods::default(), |sum, p| Pods {
            want: sum.want + p.want,
            exist: sum.exist + p.exist,
            ready: sum.ready + p.ready,
            stuck: None,
        })
    }
}

/// Which revision each ReplicaSet is. Beside a second Deployment those with equal images are one, whichever Deployment runs them:
/// the one that the first ran when the second was made (also where its owner has made that anew since), else the earliest.
pub(super) fn canonical(sets: &[&Set], second: Option<&Deployment>) -> HashMap<Uid, Revision> {
    let Some(second) = second else { return sets.iter().map(|s| (s.uid, s.hash.clone())).collect() };
    let was = |set: &Set| second.old_images.as_deref().is_some_and(|was| *was == *images_text(&set.images));
    let name = |set: &Set| {
        if let Some(old) = second.old.as_ref().filter(|_| was(set)) {
            return old.clone();
        }
        let same: Vec<&&Set> = sets.iter().filter(|s| s.images == set.images).collect();
        let old = same.iter().find(|s| Some(&s.hash) == second.old.as_ref());
        old.or(same.iter().min_by(|a, b| (a.created, &a.hash).cmp(&(b.created, &b.hash)))).map_or(&set.hash, |s| &s.hash).clone()
    };
    sets.iter().map(|s| (s.uid, name(s))).collect()
}

/// The newest template first, then what only the second Deployment runs, then the older ones.
fn groups<'p, 'a>(parts: &'p Parts<'a>) -> Vec<Group<'p, 'a>> {
    let second = parts.second.iter().flat_map(|s| &s.sets);
    let all: Vec<&Set> = parts.sets.iter().chain(second.clone()).map(|s| s.set).collect();
    let names = canonical(&all, parts.second.as_ref().map(|s| s.deployment));
    let mut groups: Vec<Group> = Vec::new();
    let mut add = |s: &'p SetParts<'a>, at: Option<usize>| {
        let revision = names.get(&s.set.uid).unwrap_or(&s.set.hash);
        match groups.iter_mut().find(|g| g.revision == *revision) {
            Some(group) => group.sets.push(s),
            None => groups.insert(at.unwrap_or(groups.len()).min(groups.len()), Group { revision: revision.clone(), sets: vec![s] }),
        }
    };
    parts.sets.iter().for_each(|s| add(s, None));
    second.rev().for_each(|s| add(s, Some(1)));
    groups
}

/// When a revision first ran: what the first Deployment ran when the second was made did before that, also where it was made anew since.
fn begun(parts: &Parts, group: &Group) -> Time {
    let second = parts.second.as_ref().map(|s| s.deployment);
    let made = second.filter(|d| d.old.as_ref() == Some(&group.revision)).map(|d| d.created);
    group.sets.iter().map(|s| s.set.created).chain(made).min().unwrap_or(group.set().created)
}

fn newest_first(sets: &mut [SetParts]) {
    sets.sort_by_key(|s| std::cmp::Reverse((s.set.number, s.set.created)));
}

/// The row, and when it has to be made again although nothing changed.
pub(super) fn workload(mut parts: Parts) -> (Workload, Option<Time>) {
    newest_first(&mut parts.sets);
    parts.second.iter_mut().for_each(|s| newest_first(&mut s.sets));
    let parts = &parts;
    let d = parts.deployment;
    let groups = groups(parts);
    let start_takes = start_takes(&groups);
    let mut again = None;
    let mut older = 0;
    let versions = versions(&groups.iter().map(Group::set).collect::<Vec<_>>());
    let deadline = deadline(d);
    let mut revisions = Vec::new();
    for (i, (group, version)) in groups.iter().zip(versions).enumerate() {
        let mut pods = group.pods(parts.pods_known);
        if i > 0 && pods.exist == 0 && pods.want == 0 {
            older += 1;
            if older > OLDER {
                continue;
            }
        }
        for s in &group.sets {
            let (stuck, later) = stuck(s, &s.pods(parts.pods_known), slow(start_takes), parts.now);
            again = [again, later].into_iter().flatten().min();
            pods.stuck = pods.stuck.or(stuck);
        }
        if i == 0 && pods.stuck.is_none() {
            pods.stuck = blocked(d, &pods, deadline);
        }
        let own = |s: &Second| s.sets.first().is_some_and(|own| group.sets.iter().any(|g| g.set.uid == own.set.uid));
        if let Some(second) = parts.second.as_ref().filter(|s| own(s) && pods.stuck.is_none()) {
            pods.stuck = blocked(second.deployment, &pods, self::deadline(second.deployment));
        }
        let set = group.set();
        revisions.push(RevisionSeen {
            revision: group.revision.clone(),
            version,
            number: set.number,
            pods,
            images: set.images.iter().map(|(c, i)| (c.to_string(), i.to_string())).collect(),
            created: begun(parts, group),
            seen_healthy: group.sets.iter().any(|s| d.stable.as_ref() == Some(&s.set.hash)),
        });
    }
    distinct(&mut revisions);
    if revisions.is_empty() {
        revisions.push(unborn(d));
    }
    let template = revisions[0].revision.clone();
    let beside = parts.second.as_ref().map(|s| Beside {
        name: s.deployment.name.to_string(),
        revision: alone(s.deployment, &s.sets, &groups),
        home: alone(d, &parts.sets, &groups),
        share: parts.scene.share(),
        old: s.deployment.old.clone(),
    });
    let by = parts.second.as_ref().map_or(d, |s| s.deployment).changed_by.as_ref();
    let changed = changed(d, &parts.sets);
    let row = Workload {
        id: id(parts.region, d),
        service: Service::new(&d.namespace, &d.name),
        split: parts.second.as_ref().map_or_else(Vec::new, |s| split(&template, s, &groups, parts.scene.share())),
        flight: [flight(d), parts.scene.flight()].into_iter().flatten().max_by_key(|f| f.term),
        template,
        replicas: d.replicas,
        divides: match (&parts.divider, parts.scene.why_not()) {
            (Some(divider), _) => Divides::By(divider.clone()),
            (None, _) if !parts.scene.asked => Divides::Unknown,
            (None, why) => Divides::Nothing(why.cloned().unwrap_or_default()),
        },
        beside,
        paused: d.paused,
        complete: complete(d),
        deadline_passed: deadline.is_some(),
        changed: parts.second.as_ref().map_or(changed, |s| changed.max(s.deployment.created)),
        changed_by: by.map(|(who, _)| Person::new(who)),
        automation: d.automation.clone(),
        rolling: rolling(d),
        drains: d.drains,
        start_takes,
        annotations: d.wanted.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        revisions,
    };
    (row, again)
}

/// The revision of a Deployment's template, once nothing else of it runs.
fn alone(d: &Deployment, sets: &[SetParts], groups: &[Group]) -> Option<Revision> {
    let revision = |set: &Set| groups.iter().find(|g| g.sets.iter().any(|s| s.set.uid == set.uid)).map(|g| g.revision.clone());
    let newest = sets.first().filter(|s| s.set.images == d.images && d.observed >= d.generation)?;
    let template = revision(newest.set)?;
    let runs = |s: &&SetParts| s.set.exist > 0 || s.pods.iter().any(|(p, _)| !p.going);
    sets.iter().filter(runs).all(|s| revision(s.set).as_ref() == Some(&template)).then_some(template)
}

/// The shares of the two templates; none where they cannot be read.
fn split(template: &Revision, second: &Second, groups: &[Group], share: Option<Percent>) -> Vec<(Revision, Percent)> {
    let newest = second.sets.first().and_then(|s| groups.iter().find(|g| g.sets.iter().any(|o| o.set.uid == s.set.uid)));
    match (share, newest.map(|g| &g.revision)) {
        (None, _) => Vec::new(),
        (Some(_), Some(next)) if next == template => vec![(template.clone(), Percent::ALL)],
        (Some(share), next) => {
            let rest = (template.clone(), share.rest());
            std::iter::once(rest).chain(next.map(|n| (n.clone(), share))).collect()
        }
    }
}

/// How long a pod may run before it should be ready.
pub(super) fn slow(start_takes: Option<Span>) -> Span {
    start_takes.map_or(SLOW, |t| Span(t.0 * 2)).max(SLOW)
}

/// Done as `kubectl rollout status` says it; pods that fail after it was done do not make it an update again.
fn complete(d: &Deployment) -> bool {
    let settled = d.observed >= d.generation && d.exist == d.updated;
    let was_done = d.progressing.as_ref().is_some_and(|(reason, _)| &**reason == "NewReplicaSetAvailable");
    settled && (was_done || (d.updated == d.replicas && d.available == d.updated))
}

fn deadline(d: &Deployment) -> Option<Time> {
    d.progressing.as_ref().filter(|(reason, _)| &**reason == "ProgressDeadlineExceeded").map(|(_, at)| *at)
}

/// The fence; one that cannot be read is none.
pub(super) fn flight(d: &Deployment) -> Option<Flight> {
    super::fence::read(d.flight.as_deref())
}

/// When the newest template came to be. One that was brought back is older than that; then the writer's time counts.
fn changed(d: &Deployment, sets: &[SetParts]) -> Time {
    let Some(newest) = sets.first().map(|s| s.set) else { return d.created };
    let brought_back = sets.iter().any(|s| s.set.created > newest.created);
    match &d.changed_by {
        Some((_, at)) if brought_back => newest.created.max(*at),
        _ => newest.created,
    }
}

/// (surge, unavailable) in pods; `None` when all pods are replaced at once.
pub(super) fn rolling(d: &Deployment) -> Option<(u32, u32)> {
    let block: serde_json::Value = serde_json::from_str(&d.strategy).ok()?;
    if block["type"] == "Recreate" {
        return None;
    }
    let amount = |name: &str, round: fn(f64) -> f64| match &block["rollingUpdate"][name] {
        serde_json::Value::Number(n) => n.as_u64().unwrap_or(0) as u32,
        serde_json::Value::String(s) => {
            let percent: f64 = s.trim_end_matches('%').parse().unwrap_or(25.0);
            round(percent / 100.0 * f64::from(d.replicas)) as u32
        }
        _ => round(0.25 * f64::from(d.replicas)) as u32,
    };
    let (surge, unavailable) = (amount("maxSurge", f64::ceil), amount("maxUnavailable", f64::floor));
    // As the controller does: something has to move.
    Some(if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) })
}

/// The middle of how long pods took from being created to ready, newest revision first.
fn start_takes(groups: &[Group]) -> Option<Span> {
    groups.iter().find_map(|g| {
        let pods = g.sets.iter().flat_map(|s| &s.pods);
        let mut took: Vec<Span> = pods.filter(|(p, _)| p.restarts == 0).filter_map(|(p, _)| Some(p.ready_at?.since(p.created))).collect();
        took.sort_unstable();
        // The stamps are whole seconds.
        took.get(took.len() / 2).map(|t| (*t).max(Span::secs(1)))
    })
}

/// Why pods of a revision do not become ready, and when that may change by time alone.
fn stuck(s: &SetParts, pods: &Pods, slow: Span, now: Time) -> (Option<Stuck>, Option<Time>) {
    let mut by_sort: BTreeMap<Sort, Stuck> = BTreeMap::new();
    let mut restarts = 0;
    for (p, _) in s.pods.iter().filter(|(p, _)| !p.going) {
        let Some(t) = &p.trouble else { continue };
        let group =
            by_sort.entry(t.sort).or_insert_with(|| Stuck { cause: t.cause.clone(), pods: 0, since: t.since, may_heal: t.may_heal });
        group.pods += 1;
        group.since = group.since.min(t.since);
        if p.restarts > restarts {
            restarts = p.restarts;
            group.cause.clone_from(&t.cause);
        }
    }
    if let Some(most) = by_sort.into_values().max_by_key(|s| (s.pods, !s.may_heal)) {
        return (Some(most), None);
    }
    if let Some((message, since)) = s.set.failure.as_ref().filter(|_| pods.exist < pods.want) {
        let missing = pods.want - pods.exist;
        return (Some(Stuck { cause: not_created(message), pods: missing, since: *since, may_heal: false }), None);
    }
    let waits = s.pods.iter().filter_map(|(p, _)| {
        let since = p.runs_since.filter(|_| !p.ready && !p.going)?;
        Some((p.unready.as_deref()?, since))
    });
    let (late, soon): (Vec<_>, Vec<_>) = waits.partition(|(_, since)| *since + slow <= now);
    let again = soon.iter().map(|(_, since)| *since + slow).min();
    let stuck = late.first().map(|(container, _)| Stuck {
        cause: format!("not ready: {container} runs, its readiness check fails"),
        pods: late.len() as u32,
        since: late.iter().map(|(_, since)| *since).min().unwrap_or(now),
        may_heal: true,
    });
    (stuck, again)
}

/// Why the update as a whole does not go on.
fn blocked(d: &Deployment, newest: &Pods, deadline: Option<Time>) -> Option<Stuck> {
    let missing = newest.want.saturating_sub(newest.ready);
    if let Some((message, since)) = d.failure.as_ref().filter(|_| newest.exist < newest.want) {
        return Some(Stuck { cause: not_created(message), pods: missing, since: *since, may_heal: false });
    }
    let since = deadline?;
    Some(Stuck { cause: "no progress: the deadline of the Deployment has passed".into(), pods: missing, since, may_heal: true })
}

/// A Deployment whose ReplicaSets are not there yet, or may not be seen.
fn unborn(d: &Deployment) -> RevisionSeen {
    let version = d.images.first().and_then(|(_, image)| name(image)).unwrap_or_else(|| "?".into());
    RevisionSeen {
        revision: Revision::new("?"),
        version: Version::new(version),
        number: None,
        pods: Pods { want: d.replicas, exist: d.exist, ready: d.ready, stuck: None },
        images: d.images.iter().map(|(c, i)| (c.to_string(), i.to_string())).collect(),
        created: d.created,
        seen_healthy: false,
    }
}

/// What each revision is called, newest first: the tag of the first container whose image differs between the newest template
/// and the one before, else the digest, else the number.
fn versions(sets: &[&Set]) -> Vec<Version> {
    let image = |s: &Set, container: &str| s.images.iter().find(|(c, _)| **c == *container).map(|(_, i)| i.clone());
    let speaking: Option<Arc<str>> = match sets {
        [newest, before, ..] => newest.images.iter().find(|(c, i)| image(before, c).is_none_or(|b| b != *i)),
        _ => None,
    }
    .or_else(|| sets.first()?.images.first())
    .map(|(c, _)| c.clone());
    sets.iter()
        .map(|s| {
            let named = speaking.as_deref().and_then(|c| image(s, c)).and_then(|i| name(&i));
            Version::new(named.unwrap_or_else(|| s.number.map_or_else(|| s.hash.to_string(), |n| format!("rev {n}"))))
        })
        .collect()
}

/// What an image calls its version: the tag, else 7 of the digest.
pub(super) fn name(image: &str) -> Option<String> {
    let (named, digest) = image.split_once('@').map_or((image, None), |(n, d)| (n, Some(d)));
    let last = named.rsplit('/').next().unwrap_or(named);
    if let Some((_, tag)) = last.split_once(':') {
        return Some(tag.to_owned());
    }
    let hex = digest?.split_once(':').map_or("", |(_, hex)| hex);
    (!hex.is_empty()).then(|| hex.chars().take(7).collect())
}

/// Equal names get the first letters of their identity.
fn distinct(revisions: &mut [RevisionSeen]) {
    let mut times: BTreeMap<Version, u32> = BTreeMap::new();
    for r in revisions.iter() {
        *times.entry(r.version.clone()).or_default() += 1;
    }
    for r in revisions.iter_mut().filter(|r| times.get(&r.version).is_some_and(|n| *n > 1)) {
        let hash: String = r.revision.as_str().chars().take(4).collect();
        r.version = Version::new(format!("{}·{hash}", r.version));
    }
}

#[cfg(test)]
mod tests;
