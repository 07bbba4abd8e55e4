//! Watching one region: what its streams tell goes into the index, and what changed comes out as facts.
//!
//! One task per region, so that a silent one delays no other. Writes nothing. Known weakness: after a silence everything is listed
//! again, since a watch may have lost what happened meanwhile.

use super::connection::{BackOff, LIMIT, Line, code, now, trouble, within};
use super::index::{Aside, Index, Kept};
use super::objects::{Deployment, Pod, Row, Seen, Set, Slice, Uid};
use super::route::Route;
use super::service::Service;
use super::sights::Sights;
use super::streams::{Scopes, Streams, Told, Watched, What};
use super::{RegionSpec, beside, rights, rows, templates};
use crate::fleet::{Fact, Workload};
use crate::units::{Kind, Place, Span, Time, Trouble, WorkloadId, clean};
use futures::future::{BoxFuture, FutureExt, OptionFuture};
use kube::Client;
use kube::runtime::watcher;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Without a word for so long, the API server is asked for one.
const QUIET: Duration = Duration::from_secs(10);
/// The same while something moves in the region.
const QUIET_IN_FLIGHT: Duration = Duration::from_secs(2);
/// Rows are made at most so often.
const PACE: Duration = Duration::from_millis(50);
/// That a region was heard is told at most so often.
const TELL: Duration = Duration::from_secs(1);

/// One region's eyes.
pub(super) struct Watcher {
    spec: RegionSpec,
    line: Arc<Line>,
    facts: mpsc::Sender<Fact>,
    sights: Arc<Sights>,
    index: Index,
    scopes: Scopes,
    /// The rows as last told.
    told: HashMap<WorkloadId, Workload>,
    skipped: u64,
}

/// One connection of a region.
struct Live {
    client: Client,
    server: String,
    streams: Streams,
    connected: bool,
    heard: Instant,
    told_heard: Option<Instant>,
    /// When rows are to be made, and when they were.
    flush_at: Option<Instant>,
    flushed: Instant,
    /// Rows that change by time alone.
    again: HashMap<Uid, Time>,
    /// Namespaces whose rights were asked for.
    asked: HashSet<String>,
    /// Templates that were asked for.
    templates: templates::Asked,
    /// Questions on the side; they end with the connection.
    aside: JoinSet<()>,
    /// Those whose answers go into the rows.
    found: JoinSet<Vec<(String, Aside)>>,
    /// Before rights that could not be asked are asked again.
    asking: BackOff,
}

impl Live {
    /// Rows are to be made soon, at the pace.
    fn dirty(&mut self) {
        self.flush_at.get_or_insert_with(|| Instant::now().max(self.flushed + PACE));
    }
    /// When rows are to be made next, by a change or by time.
    fn due(&self, at: Time) -> Option<Instant> {
        let by_time = self.again.values().min().map(|t| Instant::now() + Duration::from_millis(t.since(at).0));
        [self.flush_at, by_time].into_iter().flatten().min()
    }
}

impl Watcher {
    pub(super) fn new(spec: RegionSpec, line: Arc<Line>, facts: mpsc::Sender<Fact>, sights: Arc<Sights>) -> Watcher {
        let (index, scopes, told) = (Index::default(), Scopes::default(), HashMap::new());
        Watcher { spec, line, facts, sights, index, scopes, told, skipped: 0 }
    }

    /// Watches for as long as somebody listens.
    pub(super) async fn run(mut self) {
        let mut wait = BackOff::default();
        let mut since = now();
        loop {
            let (trouble, connected) = match self.connect().await {
                Ok(mut live) => (self.listen(&mut live).await, live.connected),
                Err(trouble) => (trouble, false),
            };
            if connected {
                wait.reset();
                since = now();
            }
            self.line.hang_up(trouble.cause.contains("(401)")).await;
            let pause = wait.next();
            let again = now() + Span(pause.as_millis() as u64);
            let fact = Fact::ConnectionLost { region: self.spec.name.clone(), since, trouble, again };
            if self.facts.send(fact).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn connect(&mut self) -> Result<Live, Trouble> {
        let version = self.line.version().await?;
        let client = self.line.client().await?;
        let scopes = Scopes::ask(&self.line, &client, &self.spec.namespaces).await?;
        if scopes != self.scopes {
            // What may be seen changed: what was seen elsewhere is not known any more.
            self.index = Index::default();
            self.scopes = scopes;
        }
        (self.index.pods_known, self.index.slices_known, self.index.services_known) = (false, false, false);
        let streams = Streams::start(&client, &self.scopes);
        let server = format!("{version} {}", self.line.context.name);
        let (heard, flushed) = (Instant::now(), Instant::now() - PACE);
        Ok(Live {
            client,
            server,
            streams,
            connected: false,
            heard,
            told_heard: None,
            flush_at: None,
            flushed,
            again: HashMap::new(),
            asked: HashSet::new(),
            templates: HashSet::new(),
            aside: JoinSet::new(),
            found: JoinSet::new(),
            asking: BackOff::default(),
        })
    }

    /// Listens until the connection is lost; says why.
    async fn listen(&mut self, live: &mut Live) -> Trouble {
        let context = self.line.context.name.clone();
        let mut changes = self.sights.changes();
        let mut question: Option<BoxFuture<'static, Result<(), Trouble>>> = None;
        let mut doubt = false;
        self.heard(live);
        loop {
            let quiet = if self.sights.moving(&self.spec.name).is_empty() { QUIET } else { QUIET_IN_FLIGHT };
            let ask_at = if doubt { Instant::now() } else { live.heard + quiet };
            let due = live.due(now());
            tokio::select! {
                Some(told) = live.streams.next() => match &told.what {
                    What::Failed(watcher::Error::WatchFailed(kube::Error::SerdeError(e))) => self.skip(format!("{:?}: {e}", told.kind)),
                    What::Failed(e) => match self.denied(told.kind, e) {
                        Some(trouble) => return trouble,
                        // A watch that breaks may be the first sign that the server is gone.
                        None => doubt = true,
                    },
                    _ => {
                        self.heard(live);
                        self.take(live, told);
                    }
                },
                () = sleep_until(due.unwrap_or(ask_at)), if due.is_some() => {
                    if !self.flush(live).await {
                        return silent(&context, "nobody listens any more".into());
                    }
                }
                () = sleep_until(ask_at), if question.is_none() => {
                    let (client, place) = (live.client.clone(), context.clone());
                    question = Some(async move {
                        within(&place, "get its version", LIMIT, client.apiserver_version()).await.map(drop)
                    }.boxed());
                }
                Some(answer) = OptionFuture::from(question.as_mut()), if question.is_some() => {
                    (question, doubt) = (None, false);
                    if let Err(trouble) = answer {
                        return trouble;
                    }
                    self.heard(live);
                    if let Some(kind) = live.streams.stalled() {
                        return silent(&context, format!("the list of {kind:?} does not go on").to_lowercase());
                    }
                }
                Ok(()) = changes.changed() => {
                    for id in self.sights.unseen(&self.spec.name) {
                        if let Some(uid) = self.index.by_name(id.namespace.as_str(), &id.name).map(|d| d.uid) {
                            self.index.touch_one(uid);
                            live.flush_at = Some(Instant::now());
                        }
                    }
                }
                Some(_) = live.aside.join_next(), if !live.aside.is_empty() => {}
                Some(found) = live.found.join_next(), if !live.found.is_empty() => {
                    for (namespace, aside) in found.unwrap_or_default() {
                        if aside.again {
                            let (line, namespace, wait) = (self.line.clone(), namespace.clone(), live.asking.next());
                            live.found.spawn(async move {
                                tokio::time::sleep(wait).await;
                                beside::look_around(line, vec![namespace]).await
                            });
                        }
                        self.index.touch_inside(&namespace);
                        self.index.asides.insert(namespace, aside);
                        live.dirty();
                    }
                }
            }
        }
    }

    fn heard(&self, live: &mut Live) {
        live.heard = Instant::now();
        if live.told_heard.is_none_or(|at| at.elapsed() >= TELL) {
            live.told_heard = Some(live.heard);
            // When the way is full, there is fresher news on it.
            let _ = self.facts.try_send(Fact::Heard { region: self.spec.name.clone(), at: now() });
        }
    }

    /// Whether an error of a watch means that we are not let in any more. Everything else heals by itself: the watch begins again.
    fn denied(&self, kind: Watched, e: &watcher::Error) -> Option<Trouble> {
        tracing::debug!(region = %self.spec.name, ?kind, "{e}");
        let (watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) | watcher::Error::WatchFailed(e)) = e else {
            return None;
        };
        let doing = format!("list and watch {kind:?}").to_lowercase();
        matches!(code(e), Some(401 | 403)).then(|| trouble(&self.line.context.name, &doing, e))
    }

    fn take(&mut self, live: &mut Live, told: Told) {
        let (kind, namespace) = (told.kind, told.namespace.as_str());
        match told.what {
            What::Began => match kind {
                Watched::Deployments => self.index.begin::<Deployment>(namespace),
                Watched::Sets => self.index.begin::<Set>(namespace),
                Watched::Pods => self.index.begin::<Pod>(namespace),
                Watched::Slices => self.index.begin::<Slice>(namespace),
                Watched::Services => self.index.begin::<Service>(namespace),
                Watched::Routes => self.index.begin::<Route>(namespace),
            },
            What::Deployment(seen, there) => self.apply(*seen, there),
            What::Set(seen, there) => self.apply(seen, there),
            What::Pod(seen, there) => self.apply(seen, there),
            What::Slice(seen, there) => self.apply(seen, there),
            What::Service(seen, there) => self.apply(seen, there),
            What::Route(seen, there) => self.apply(seen, there),
            What::Done => {
                match kind {
                    Watched::Deployments => self.index.sweep::<Deployment>(namespace),
                    Watched::Sets => self.index.sweep::<Set>(namespace),
                    Watched::Pods => self.index.sweep::<Pod>(namespace),
                    Watched::Slices => self.index.sweep::<Slice>(namespace),
                    Watched::Services => self.index.sweep::<Service>(namespace),
                    Watched::Routes => self.index.sweep::<Route>(namespace),
                }
                // A split is made of Services and routes: with one of them missing it would be another one.
                let split = |k| !live.streams.lists(k) || live.streams.complete(k);
                let both = split(Watched::Services) && split(Watched::Routes) && live.streams.lists(Watched::Services);
                let complete = live.streams.complete(kind) && (both || !matches!(kind, Watched::Services | Watched::Routes));
                let known = match kind {
                    Watched::Pods => &mut self.index.pods_known,
                    Watched::Slices => &mut self.index.slices_known,
                    Watched::Services | Watched::Routes => &mut self.index.services_known,
                    Watched::Deployments | Watched::Sets => &mut false,
                };
                if complete && !std::mem::replace(known, complete) {
                    self.index.touch_all();
                }
            }
            What::Failed(_) => {}
        }
        // Rows without their ReplicaSets would be wrong; without their pods they are only poorer.
        if live.streams.complete(Watched::Deployments) && live.streams.complete(Watched::Sets) {
            live.dirty();
        }
    }

    fn apply<R: Row + Kept + PartialEq>(&mut self, seen: Seen<R>, there: bool) {
        match seen.row {
            Ok(Some(row)) if there => self.index.apply(seen.key, row),
            Ok(_) => self.index.remove::<R>(&seen.key),
            Err(why) => {
                // An object that turned odd must not stay as it was.
                self.index.remove::<R>(&seen.key);
                self.skip(why);
            }
        }
    }

    fn skip(&mut self, why: String) {
        self.skipped += 1;
        let why = clean(&why, 200);
        tracing::warn!(region = %self.spec.name, "skipped: {why}");
        // When the way is full, the next count says it too.
        let _ = self.facts.try_send(Fact::Skipped { region: self.spec.name.clone(), objects: self.skipped, why });
    }

    /// Tells what changed. False when nobody listens any more.
    async fn flush(&mut self, live: &mut Live) -> bool {
        let at = now();
        live.flush_at = None;
        let region = self.spec.name.clone();
        live.again.retain(|uid, due| {
            let later = *due > at;
            if !later {
                self.index.touch_one(*uid);
            }
            later
        });
        for uid in self.index.take_dirty() {
            self.index.note_split(uid, at);
            let Some((row, again)) = self.index.workload(uid, &region, at) else { continue };
            if let Some(again) = again {
                live.again.insert(uid, again);
            }
            self.sights.set_moving(&row.id, row.moves());
            if self.sights.wants(&row.id)
                && let Some(sight) = self.index.sight(uid, row.clone())
            {
                self.sights.publish(sight);
                templates::prepare(&mut live.templates, &mut live.aside, &self.line, &self.sights, &row);
            }
            if self.told.get(&row.id) != Some(&row) {
                self.told.insert(row.id.clone(), row.clone());
                if self.facts.send(Fact::WorkloadSeen(Box::new(row))).await.is_err() {
                    return false;
                }
            }
        }
        let first = !live.connected && live.streams.all_complete();
        let mut gone: Vec<WorkloadId> = self.index.take_gone().iter().map(|d| rows::id(&region, d)).collect();
        if first {
            let lost = |id: &&WorkloadId| self.index.by_name(id.namespace.as_str(), &id.name).is_none();
            gone = self.told.keys().filter(lost).cloned().collect();
        }
        for id in gone {
            if self.told.remove(&id).is_none() {
                continue;
            }
            self.sights.set_moving(&id, false);
            if self.facts.send(Fact::WorkloadGone(id)).await.is_err() {
                return false;
            }
        }
        let new: Vec<String> = self.index.namespaces().into_iter().filter(|n| !live.asked.contains(*n)).map(str::to_owned).collect();
        if !new.is_empty() {
            live.asked.extend(new.iter().cloned());
            live.found.spawn(beside::look_around(self.line.clone(), new.clone()));
            live.aside.spawn(rights::ask(self.line.clone(), region.clone(), new, self.facts.clone()));
        }
        if first {
            live.connected = true;
            tracing::info!(%region, rows = ?self.index.counts(), "connected");
            if self.facts.send(Fact::Connected { region, server: live.server.clone() }).await.is_err() {
                return false;
            }
        }
        live.flushed = Instant::now();
        true
    }
}

fn silent(context: &str, cause: String) -> Trouble {
    Trouble::new(Kind::OutOfReach, Place::named(context.to_owned()), cause, "it is tried again")
}
