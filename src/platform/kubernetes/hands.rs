//! Writing: one task per workload and aspect, which does what leads on until the wish is met.
//!
//! Has its own thread and its own connections, kept warm where something moves, so that a rollback leaves at once. Known weakness:
//! a newer order drops the older one's call, which may land all the same; the fence refuses what comes after it.

use super::connection::{LIMIT, Line, code, now, trouble};
use super::deployment::{Done, Next, Write, explain, next};
use super::index::Index;
use super::objects::{Deployment, Row, Seen, Set};
use super::passes::Passes;
use super::sights::{Sight, Sights, Template};
use super::{beside, rights, rows, templates};
use crate::fleet::{Aspect, Fact, Flight};
use crate::platform::{Order, Question};
use crate::units::{Kind, Place, Region, Span, Trouble, WorkloadId};
use kube::api::{GetParams, ListParams, Patch, PatchParams};
use kube::core::{ObjectList, Request};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

/// A connection that waits is used at least so often, which keeps it open.
const WARM: Duration = Duration::from_secs(20);
/// A sight that the watch does not give within this is asked for.
const PATIENCE: Duration = Duration::from_millis(200);

/// Orders on their way to the hands: the newest per workload and aspect.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    orders: Mutex<HashMap<(WorkloadId, Aspect), Order>>,
    came: Notify,
}

impl Inbox {
    /// Puts an order in; an older one for the same is replaced.
    pub(super) fn put(&self, order: Order) {
        let key = (order.workload.clone(), order.wish.key.aspect);
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).insert(key, order);
        self.came.notify_one();
    }
    async fn take(&self) -> Vec<Order> {
        loop {
            let orders = std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner));
            if !orders.is_empty() {
                return orders.into_values().collect();
            }
            self.came.notified().await;
        }
    }
}

/// What every task that writes has.
pub(super) struct Hands {
    pub(super) lines: HashMap<Region, Arc<Line>>,
    pub(super) sights: Arc<Sights>,
    pub(super) facts: mpsc::Sender<Fact>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) open: watch::Receiver<Arc<[Question]>>,
    pub(super) passes: Arc<Passes>,
}

struct Running {
    order: Order,
    task: AbortHandle,
    /// A write is under way.
    writing: Arc<AtomicBool>,
}

impl Hands {
    /// Carries orders out for as long as they may come.
    pub(super) async fn run(self) {
        for (region, line) in &self.lines {
            let (sights, open) = (self.sights.clone(), self.open.clone());
            tokio::spawn(keep_warm(region.clone(), line.clone(), sights, open));
        }
        let mut running: HashMap<(WorkloadId, Aspect), Running> = HashMap::new();
        loop {
            for order in self.inbox.take().await {
                // What an older term still does for the workload ends with it: it must not answer what this one does.
                running.retain(|(id, _), r| {
                    let over = *id == order.workload && r.order.wish.term < order.wish.term;
                    if over {
                        r.task.abort();
                    }
                    !over && !r.task.is_finished()
                });
                let key = (order.workload.clone(), order.wish.key.aspect);
                if let Some(before) = running.remove(&key) {
                    if before.order == order && before.writing.load(Ordering::Relaxed) {
                        // The same once more, while its call is under way.
                        running.insert(key, before);
                        continue;
                    }
                    before.task.abort();
                }
                let writing = Arc::new(AtomicBool::new(false));
                let drive = Drive {
                    line: self.lines.get(&order.workload.region).cloned(),
                    sights: self.sights.clone(),
                    passes: self.passes.clone(),
                    facts: self.facts.clone(),
                    order: order.clone(),
                    writing: writing.clone(),
                };
                running.insert(key, Running { order, task: tokio::spawn(drive.run()).abort_handle(), writing });
            }
        }
    }
}

/// Keeps the line of a region open while a rollout there is asked about or moves.
async fn keep_warm(region: Region, line: Arc<Line>, sights: Arc<Sights>, mut open: watch::Receiver<Arc<[Question]>>) {
    let mut changes = sights.changes();
    loop {
        let asked = open.borrow_and_update().iter().any(|q| q.workload.region == region);
        changes.mark_unchanged();
        let wanted = asked || !sights.moving(&region).is_empty();
        if wanted && let Err(e) = line.version().await {
            tracing::debug!(%region, "keeping warm: {e}");
            line.hang_up(false).await;
        }
        tokio::select! {
            () = sleep(WARM), if wanted => {}
            changed = open.changed(), if !wanted => if changed.is_err() { return },
            _ = changes.changed(), if !wanted => {}
        }
    }
}

/// One order being carried out.
struct Drive {
    line: Option<Arc<Line>>,
    sights: Arc<Sights>,
    passes: Arc<Passes>,
    facts: mpsc::Sender<Fact>,
    order: Order,
    writing: Arc<AtomicBool>,
}

impl Drive {
    async fn run(self) {
        let Some(line) = self.line.clone() else {
            let place = Place::named(self.order.workload.to_string());
            return self.failed(Trouble::new(Kind::Refused, place, "no such region", "name one of the fleet's regions"), None).await;
        };
        let driven = match self.order.beside {
            Some(_) => beside::drive(&line, &self.sights, &self.passes, &self.facts, &self.order, &self.writing).await,
            None => self.drive(&line).await,
        };
        if let Err((trouble, fenced_by)) = driven {
            if trouble.kind == Kind::Refused && trouble.cause.contains("(403)") {
                let (region, namespace) = (self.order.workload.region.clone(), self.order.workload.namespace.to_string());
                tokio::spawn(rights::ask(line, region, vec![namespace], self.facts.clone()));
            }
            self.failed(trouble, fenced_by).await;
        }
    }

    async fn drive(&self, line: &Line) -> Result<(), (Trouble, Option<Flight>)> {
        let id = &self.order.workload;
        let mut sights = self.sights.follow(id);
        let mut done = Done::default();
        let mut template: Option<Arc<Template>> = self.sights.template(id, &self.order.old);
        // What our own last write led to: an older sight is not looked at.
        let mut generation = 0;
        let mut looked: Option<Arc<Sight>> = None;
        let mut second = true;
        loop {
            let seen = match looked.take() {
                Some(sight) => Some(sight),
                None => sights.borrow_and_update().clone(),
            };
            let sight = match seen {
                Some(sight) if sight.deployment.generation < generation => {
                    self.wait(&mut sights).await;
                    continue;
                }
                Some(sight) => sight,
                None => {
                    if timeout(PATIENCE, sights.changed()).await.is_err() {
                        looked = Some(Arc::new(look(line, id).await.map_err(|t| (t, None))?));
                    }
                    continue;
                }
            };
            match next(&self.order, &sight, template.as_deref(), done) {
                Next::Met => return Ok(()),
                Next::Wait => self.wait(&mut sights).await,
                Next::Refuse(trouble, fenced_by) => return Err((trouble, fenced_by)),
                Next::Fetch => {
                    let fetched = templates::fetch(line, id, &self.order.old).await.map_err(|t| (t, None))?;
                    self.sights.prepare(id, &self.order.old, fetched);
                    template = self.sights.template(id, &self.order.old);
                }
                Next::Write(write) => match self.write(line, &write).await {
                    Ok(now) => {
                        done = write.done;
                        generation = now;
                    }
                    Err(Refused::Trouble(trouble)) => return Err((trouble, None)),
                    Err(Refused::Unprocessable(words)) => {
                        let fresh = look(line, id).await.map_err(|t| (t, None))?;
                        if let Some(why) = explain(&self.order, &write, &fresh) {
                            return Err(why);
                        }
                        if !second {
                            return Err((words, None));
                        }
                        // It was made from an old sight: once more, from a fresh one.
                        (second, looked) = (false, Some(Arc::new(fresh)));
                    }
                },
            }
        }
    }

    async fn wait(&self, sights: &mut watch::Receiver<Option<Arc<Sight>>>) {
        // The sender lives as long as somebody follows, and this does.
        if sights.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Sends one write. Returns the generation that it made.
    async fn write(&self, line: &Line, write: &Write) -> Result<i64, Refused> {
        let id = &self.order.workload;
        self.passes.may(&self.order).await.map_err(Refused::Trouble)?;
        let doing = format!("patch deployments in namespace {}", id.namespace);
        let place = line.context.name.clone();
        self.writing.store(true, Ordering::Relaxed);
        let sent = Instant::now();
        let answer = match line.client().await {
            Ok(client) => timeout(LIMIT, patch(&client, id, &write.patch)).await,
            Err(trouble) => {
                self.writing.store(false, Ordering::Relaxed);
                return Err(Refused::Trouble(trouble));
            }
        };
        let took = Span(sent.elapsed().as_millis() as u64);
        self.writing.store(false, Ordering::Relaxed);
        match answer {
            Ok(Ok(text)) => {
                let fact = Fact::WriteTaken { workload: id.clone(), aspect: self.order.wish.key.aspect, term: self.order.wish.term, took };
                let _ = self.facts.send(fact).await;
                Ok(Deployment::read(&text).ok().flatten().map_or(0, |d| d.generation))
            }
            Ok(Err(e)) => {
                let trouble = trouble(&place, &doing, &e);
                match code(&e) {
                    Some(422) => Err(Refused::Unprocessable(trouble)),
                    found => {
                        // A line that broke is made anew; one that was refused asks for new credentials.
                        if found.is_none() || found == Some(401) {
                            line.hang_up(found == Some(401)).await;
                        }
                        Err(Refused::Trouble(trouble))
                    }
                }
            }
            Err(_) => {
                line.hang_up(false).await;
                let cause = format!("{doing}: no answer within {} s", LIMIT.as_secs());
                Err(Refused::Trouble(Trouble::new(Kind::OutOfReach, Place::named(place), cause, "it is tried again")))
            }
        }
    }

    async fn failed(&self, trouble: Trouble, fenced_by: Option<Flight>) {
        let (aspect, term) = (self.order.wish.key.aspect, self.order.wish.term);
        tracing::warn!(workload = %self.order.workload, "{trouble}");
        let _ = self.facts.send(Fact::WriteFailed { workload: self.order.workload.clone(), aspect, term, trouble, fenced_by }).await;
    }
}

enum Refused {
    /// One of the patch's tests failed, or the server does not accept what it makes.
    Unprocessable(Trouble),
    Trouble(Trouble),
}

async fn patch(client: &kube::Client, id: &WorkloadId, patch: &Value) -> kube::Result<String> {
    let patch = serde_json::from_value(patch.clone()).map_err(kube::Error::SerdeError)?;
    let params = PatchParams { field_manager: Some("flightdeck".into()), ..PatchParams::default() };
    let deployments = Request::new(format!("/apis/apps/v1/namespaces/{}/deployments", id.namespace));
    let request = deployments.patch(&id.name, &params, &Patch::<()>::Json(patch)).map_err(kube::Error::BuildRequest)?;
    client.request_text(request).await
}

/// Looks at a workload directly, without the watch.
pub(super) async fn look(line: &Line, id: &WorkloadId) -> Result<Sight, Trouble> {
    let apps = format!("/apis/apps/v1/namespaces/{}", id.namespace);
    let place = || Place::named(id.to_string());
    let odd = |why: String| Trouble::new(Kind::Refused, place(), format!("it cannot be read: {why}"), "look at it with kubectl");
    let (deployments, name) = (Request::new(format!("{apps}/deployments")), id.name.clone());
    let doing = format!("get deployments in namespace {}", id.namespace);
    let seen: Seen<Deployment> = line
        .ask(&doing, |client| async move {
            client.request(deployments.get(&name, &GetParams::default()).map_err(kube::Error::BuildRequest)?).await
        })
        .await?;
    let key = seen.key.clone();
    let deployment = seen.row.map_err(odd)?.ok_or_else(|| odd("it is empty".into()))?;
    let owner = deployment.uid;
    let (sets, query) = (Request::new(format!("{apps}/replicasets")), ListParams::default().labels(&deployment.selector));
    let doing = format!("list replicasets in namespace {}", id.namespace);
    let sets: ObjectList<Seen<Set>> =
        line.ask(&doing, |client| async move { client.request(sets.list(&query).map_err(kube::Error::BuildRequest)?).await }).await?;
    let mut index = Index::default();
    index.apply(key, deployment);
    for set in sets.items {
        if let Ok(Some(row)) = set.row
            && row.owner == owner
        {
            index.apply(set.key, row);
        }
    }
    let row = index.parts(owner, &id.region, now()).map(|parts| rows::workload(parts).0);
    row.and_then(|row| index.sight(owner, row)).ok_or_else(|| odd("it is gone".into()))
}
