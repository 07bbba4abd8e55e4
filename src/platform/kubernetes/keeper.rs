//! Logs and Leases of one region: those of others are watched, ours are kept and held.
//!
//! Has its own thread and its own connections, so that nothing here delays a rollback. Known weakness: what may be listed is asked
//! again once a minute only.

use super::RegionSpec;
use super::connection::{BackOff, Line, code, trouble};
use super::lease::{Held, Holder};
use super::passes::Passes;
use super::record::{self, Scribe};
use super::rights::{Need, may};
use crate::fleet::Fact;
use crate::platform::Record;
use crate::units::{Kind, Trouble, WorkloadId};
use futures::stream::{BoxStream, SelectAll, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// The label that all of ours has; it says which of the two it is.
const LABEL: &str = "flightdeck.dev/part";
/// The annotation that names the workload's kind.
const KIND: &str = "flightdeck.dev/kind";
/// What our objects' names begin with.
const PREFIX: &str = "flightdeck.";
/// A watch is begun again after so long: a line that broke without a word is found then.
const WATCH: u32 = 60;
/// What was denied is asked again after so long.
const DENIED: Duration = Duration::from_secs(60);

/// Who this flightdeck is to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// `ana@laptop/3f9k2m7q`: what is behind the `/` tells two flightdecks of one person apart.
    pub identity: String,
    /// How long a Lease counts without being renewed; it is renewed in a third of that.
    pub lease: Duration,
}

impl Default for Driver {
    /// One that nobody else is, for 15 s.
    fn default() -> Driver {
        use std::hash::{BuildHasher, RandomState};
        let identity = format!("flightdeck/{:016x}", RandomState::new().hash_one(std::process::id()));
        Driver { identity, lease: Duration::from_secs(15) }
    }
}

/// What a driver is called.
pub(super) fn named(identity: &str) -> &str {
    identity.rsplit_once('/').map_or(identity, |(name, _)| name)
}

/// Why something was not written.
#[derive(Debug, PartialEq)]
pub(super) enum Words {
    /// It was changed by somebody else in the same moment.
    Conflict,
    /// It may not be.
    Denied(String),
    /// Anything else.
    Other(String),
}

/// The name of a workload's log and Lease.
pub(super) fn name(workload: &WorkloadId) -> String {
    format!("{PREFIX}{}", workload.name)
}

/// What may not be done with our objects of a kind in a workload's namespace, as a person would ask for it. What cannot be asked is
/// told by the write that is refused.
pub(super) async fn denied(line: &Line, workload: &WorkloadId, group: &'static str, resource: &'static str) -> Option<String> {
    let namespace = workload.namespace.as_str();
    let need = |verb| Need { verb, group, resource, subresource: "" };
    let (get, create, patch) = (need("get"), need("create"), need("patch"));
    let (a, b, c) = tokio::join!(may(line, get, namespace), may(line, create, namespace), may(line, patch, namespace));
    let denied = [(get, a), (create, b), (patch, c)].into_iter().find(|(_, may)| matches!(may, Ok(false)))?;
    Some(format!("you may not {}", denied.0.words(namespace)))
}

/// What both of them have.
pub(super) fn metadata(workload: &WorkloadId, part: &str, notes: Option<BTreeMap<&str, String>>) -> Value {
    let mut notes = notes.unwrap_or_default();
    notes.insert(KIND, workload.kind.to_string());
    json!({"name": name(workload), "labels": {LABEL: part}, "annotations": notes})
}

/// What the two who serve one workload have: who keeps its log, and who holds its Lease.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) line: Arc<Line>,
    pub(super) workload: WorkloadId,
    pub(super) me: Driver,
    pub(super) passes: Arc<Passes>,
    pub(super) facts: mpsc::Sender<Fact>,
    pub(super) wanted: watch::Receiver<Option<Record>>,
}

/// One region's keeper.
pub(super) struct Keeper {
    pub(super) spec: RegionSpec,
    pub(super) line: Arc<Line>,
    pub(super) facts: mpsc::Sender<Fact>,
    pub(super) passes: Arc<Passes>,
    pub(super) me: Driver,
    pub(super) wanted: watch::Receiver<Arc<[Record]>>,
}

enum Told {
    Record(WorkloadId, Option<Box<crate::fleet::RecordSeen>>),
    Lease(WorkloadId, Option<Held>),
    /// The first list of one watch is complete.
    Listed(usize),
    Began(usize),
    Failed(kube::runtime::watcher::Error),
}

impl Keeper {
    /// Watches and keeps for as long as somebody listens.
    pub(super) async fn run(self) {
        tokio::join!(self.keep(), self.see());
    }

    /// Keeps the wanted logs of a region, and holds their Leases.
    async fn keep(&self) {
        let mut wanted = self.wanted.clone();
        let mut kept: HashMap<WorkloadId, watch::Sender<Option<Record>>> = HashMap::new();
        let mut tasks = JoinSet::new();
        loop {
            let records = wanted.borrow_and_update().clone();
            for record in records.iter().filter(|r| r.workload.region == self.spec.name) {
                let sender = kept.entry(record.workload.clone()).or_insert_with(|| {
                    let (sender, wanted) = watch::channel(None);
                    let (workload, line) = (record.workload.clone(), self.line.clone());
                    let (me, passes, facts) = (self.me.clone(), self.passes.clone(), self.facts.clone());
                    let post = Post { line, workload, me, passes, facts, wanted };
                    tasks.spawn(Scribe(post.clone()).run());
                    tasks.spawn(Holder(post).run());
                    sender
                });
                sender.send_if_modified(|before| {
                    let changed = before.as_ref() != Some(record);
                    if changed {
                        *before = Some(record.clone());
                    }
                    changed
                });
            }
            for (id, sender) in &kept {
                if !records.iter().any(|r| r.workload == *id) {
                    sender.send_if_modified(|before| before.take().is_some());
                }
            }
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return },
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
    }

    async fn see(&self) {
        let mut wait = BackOff::default();
        loop {
            let pause = match self.watch().await {
                Ok(()) => return,
                Err(t) if t.kind == Kind::Refused => {
                    let denied = Some(t.cause.trim_end_matches(": denied (403)").to_owned());
                    let fact = Fact::RecordsListed { region: self.spec.name.clone(), denied };
                    if self.facts.send(fact).await.is_err() {
                        return;
                    }
                    DENIED
                }
                Err(t) => {
                    tracing::debug!(region = %self.spec.name, "logs: {t}");
                    self.line.hang_up(t.cause.contains("(401)")).await;
                    wait.next()
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Watches until nobody listens, or says why it cannot.
    async fn watch(&self) -> Result<(), Trouble> {
        let client = self.line.client().await?;
        let mut streams: SelectAll<BoxStream<'static, Told>> = SelectAll::new();
        let namespaces = self.namespaces(&client).await?;
        for namespace in &namespaces {
            let n = streams.len();
            let region = self.spec.name.clone();
            let id = move |namespace: Option<String>, name: &str, notes: &BTreeMap<String, String>| WorkloadId {
                region: region.clone(),
                namespace: crate::units::Namespace::new(namespace.unwrap_or_default()),
                kind: notes.get(KIND).map_or("Deployment", String::as_str).into(),
                name: name.strip_prefix(PREFIX).unwrap_or(name).into(),
            };
            let of = id.clone();
            let record = move |map: ConfigMap, there: bool| {
                let seen = record::seen(&map).filter(|_| there).map(Box::new);
                Told::Record(of(map.namespace(), &map.name_any(), map.annotations()), seen)
            };
            streams.push(told::<ConfigMap>(&client, namespace, n, record));
            let lease = move |lease: Lease, there: bool| {
                let held = there.then(|| Held::read(&lease));
                Told::Lease(id(lease.namespace(), &lease.name_any(), lease.annotations()), held)
            };
            streams.push(told::<Lease>(&client, namespace, n + 1, lease));
        }
        let mut pending: HashSet<usize> = (0..streams.len()).collect();
        // What a list does not have any more is gone.
        let mut known: HashMap<usize, HashSet<WorkloadId>> = HashMap::new();
        let mut listing: HashMap<usize, HashSet<WorkloadId>> = HashMap::new();
        while let Some(told) = streams.next().await {
            let facts: Vec<Fact> = match told {
                Told::Began(n) => {
                    listing.insert(n, HashSet::new());
                    Vec::new()
                }
                Told::Record(workload, record) => {
                    note(&mut known, &mut listing, 0, &workload, record.is_some());
                    vec![Fact::RecordSeen { workload, record }]
                }
                Told::Lease(workload, held) => {
                    note(&mut known, &mut listing, 1, &workload, held.is_some());
                    vec![Fact::LeaseSeen { workload, lease: held.map(|h| h.seen(&self.me)) }]
                }
                Told::Listed(n) => {
                    let namespace = namespaces.get(n / 2).cloned().unwrap_or_default();
                    let here = |id: &WorkloadId| namespace.is_empty() || id.namespace.as_str() == namespace;
                    let now = listing.remove(&n).unwrap_or_default();
                    let known = known.entry(n % 2).or_default();
                    let gone: Vec<WorkloadId> = known.iter().filter(|id| here(id) && !now.contains(*id)).cloned().collect();
                    known.retain(|id| !gone.contains(id));
                    let gone = gone.into_iter().map(|workload| match n % 2 {
                        0 => Fact::RecordSeen { workload, record: None },
                        _ => Fact::LeaseSeen { workload, lease: None },
                    });
                    let mut facts: Vec<Fact> = gone.collect();
                    if pending.remove(&n) && pending.is_empty() {
                        facts.push(Fact::RecordsListed { region: self.spec.name.clone(), denied: None });
                    }
                    facts
                }
                Told::Failed(e) => {
                    use kube::runtime::watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
                    if let InitialListFailed(e) | WatchStartFailed(e) | WatchFailed(e) = &e
                        && matches!(code(e), Some(401 | 403))
                    {
                        return Err(trouble(&self.line.context.name, "list and watch configmaps and leases", e));
                    }
                    tracing::debug!(region = %self.spec.name, "logs: {e}");
                    Vec::new()
                }
            };
            for fact in facts {
                if self.facts.send(fact).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Where they may be listed; all namespaces at once are an empty name.
    async fn namespaces(&self, client: &Client) -> Result<Vec<String>, Trouble> {
        if !self.spec.namespaces.is_empty() {
            return Ok(self.spec.namespaces.iter().map(|n| n.as_str().to_owned()).collect());
        }
        let one = kube::api::ListParams::default().labels(LABEL).limit(1);
        let all: Api<ConfigMap> = Api::all(client.clone());
        match super::connection::within(&self.line.context.name, "list configmaps", super::connection::LIMIT, all.list(&one)).await {
            Ok(_) => Ok(vec![String::new()]),
            Err(t) if t.kind == Kind::Refused => Ok(vec![self.line.context.namespace()]),
            Err(t) => Err(t),
        }
    }
}

fn note(
    known: &mut HashMap<usize, HashSet<WorkloadId>>,
    listing: &mut HashMap<usize, HashSet<WorkloadId>>,
    kind: usize,
    id: &WorkloadId,
    there: bool,
) {
    let known = known.entry(kind).or_default();
    if there {
        known.insert(id.clone());
    } else {
        known.remove(id);
    }
    for (_, list) in listing.iter_mut().filter(|(n, _)| **n % 2 == kind) {
        list.insert(id.clone());
    }
}

fn told<K>(client: &Client, namespace: &str, n: usize, object: impl Fn(K, bool) -> Told + Send + 'static) -> BoxStream<'static, Told>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let api: Api<K> = if namespace.is_empty() { Api::all(client.clone()) } else { Api::namespaced(client.clone(), namespace) };
    let told = move |event| match event {
        Ok(Event::Init) => Told::Began(n),
        Ok(Event::InitApply(found) | Event::Apply(found)) => object(found, true),
        Ok(Event::Delete(found)) => object(found, false),
        Ok(Event::InitDone) => Told::Listed(n),
        Err(e) => Told::Failed(e),
    };
    watcher(api, Config::default().labels(LABEL).timeout(WATCH)).default_backoff().map(told).boxed()
}
