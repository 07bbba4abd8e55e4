//! Real clusters: plain Deployments over any number of API servers.
//!
//! Three threads of its own, so that reading thousands of objects never delays a rollback: one watches, asks and counts, one writes,
//! one keeps logs and Leases. Only this folder knows API types; facts and rows go out. Known weakness: traffic is divided by HTTPRoutes
//! and by selectors of Services only.

mod asked;
mod automation;
mod beside;
mod connection;
mod credentials;
mod deployment;
mod fence;
mod hands;
mod health;
mod index;
mod keeper;
mod kubeconfig;
mod lease;
mod metrics;
mod objects;
mod passes;
mod probe;
mod prometheus;
mod proxy;
mod record;
mod rights;
mod route;
mod rows;
mod service;
mod sights;
mod streams;
mod template;
mod templates;
mod trouble;
mod watch;

pub use keeper::Driver;
pub use kubeconfig::Contexts;
pub use probe::{ContextReport, NeedReport, probe};
pub use prometheus::{MetricsReport, metrics_report};

use super::{Order, Platform, Question, Record};
use crate::fleet::Fact;
use crate::settings::Prometheus;
use crate::units::{Kind, Namespace, Place, Region, Time, Trouble, WorkloadId};
use asked::Asker;
use connection::{Context, Line};
use hands::{Hands, Inbox};
use keeper::Keeper;
use passes::Passes;
use prometheus::{Door, Meter};
use sights::Sights;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use watch::Watcher;

/// Facts on their way; when they are not taken, watching waits.
const WAY: usize = 1024;

/// One region of a fleet: a context, and the namespaces that count (none: all that may be seen).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionSpec {
    /// What the region is called.
    pub name: Region,
    /// The kubeconfig's context.
    pub context: String,
    /// Its namespaces; none are all.
    pub namespaces: Vec<Namespace>,
    /// What counts requests for verdicts there; without it pods are asked.
    pub prometheus: Option<Prometheus>,
}

/// The clusters of one fleet. It works until it is dropped.
#[derive(Debug)]
pub struct KubernetesPlatform {
    facts: mpsc::Receiver<Fact>,
    next: Option<Fact>,
    inbox: Arc<Inbox>,
    open: tokio::sync::watch::Sender<Arc<[Question]>>,
    looked: tokio::sync::watch::Sender<Arc<[WorkloadId]>>,
    kept: tokio::sync::watch::Sender<Arc<[Record]>>,
    passes: Arc<Passes>,
    /// Dropped, they end the threads.
    _stop: Vec<oneshot::Sender<()>>,
}

impl KubernetesPlatform {
    /// Starts to connect to all regions at once and returns at once; a region that does not answer becomes a fact.
    pub fn start(contexts: Contexts, regions: &[RegionSpec]) -> Result<KubernetesPlatform, Trouble> {
        KubernetesPlatform::start_as(contexts, regions, Driver::default())
    }

    /// The same, as a driver that others know by this name.
    pub fn start_as(contexts: Contexts, regions: &[RegionSpec], driver: Driver) -> Result<KubernetesPlatform, Trouble> {
        let contexts = Arc::new(contexts);
        let (tell, facts) = mpsc::channel(WAY);
        let sights = Sights::new();
        let mut shared: HashMap<&str, Arc<Context>> = HashMap::new();
        let open = tokio::sync::watch::channel(Arc::from([])).0;
        let looked = tokio::sync::watch::channel(Arc::from([])).0;
        let kept = tokio::sync::watch::channel(Arc::from([])).0;
        let passes = Passes::new();
        let (mut watchers, mut askers, mut lines, mut keepers) = (Vec::new(), Vec::new(), HashMap::new(), Vec::new());
        for spec in regions {
            let context = shared.entry(&spec.context).or_insert_with(|| Context::new(contexts.clone(), &spec.context));
            lines.insert(spec.name.clone(), Line::new(context.clone()));
            let line = Line::new(context.clone());
            askers.push(Asker {
                region: spec.name.clone(),
                line: line.clone(),
                meter: spec.prometheus.clone().map(|settings| Meter::new(Door::new(settings, line.clone()))),
                facts: tell.clone(),
                sights: sights.clone(),
                open: open.subscribe(),
                looked: looked.subscribe(),
            });
            keepers.push(Keeper {
                spec: spec.clone(),
                line: Line::new(context.clone()),
                facts: tell.clone(),
                passes: passes.clone(),
                me: driver.clone(),
                wanted: kept.subscribe(),
            });
            watchers.push(Watcher::new(spec.clone(), line, tell.clone(), sights.clone()));
        }
        let inbox = Arc::new(Inbox::default());
        let hands = Hands { lines, sights, facts: tell, inbox: inbox.clone(), open: open.subscribe(), passes: passes.clone() };
        let eyes = thread("flightdeck-eyes", move || async move {
            let mut tasks = tokio::task::JoinSet::new();
            for (watcher, asker) in watchers.into_iter().zip(askers) {
                tasks.spawn(watcher.run());
                tasks.spawn(asker.run());
            }
            while tasks.join_next().await.is_some() {}
        })?;
        let hands = thread("flightdeck-hands", move || hands.run())?;
        let keepers = thread("flightdeck-keeper", move || async move {
            futures::future::join_all(keepers.into_iter().map(Keeper::run)).await;
        })?;
        Ok(KubernetesPlatform { facts, next: None, inbox, open, looked, kept, passes, _stop: vec![eyes, hands, keepers] })
    }
}

/// Puts a list in, where it is another one.
fn put<T: Clone + PartialEq>(into: &tokio::sync::watch::Sender<Arc<[T]>>, list: &[T]) {
    into.send_if_modified(|before| {
        let changed = **before != *list;
        if changed {
            *before = Arc::from(list);
        }
        changed
    });
}

/// Runs work on a thread with its own runtime, until what it returns is dropped.
fn thread<F: Future<Output = ()>>(name: &str, work: impl FnOnce() -> F + Send + 'static) -> Result<oneshot::Sender<()>, Trouble> {
    let trouble = |e: std::io::Error| {
        Trouble::new(Kind::Internal, Place::named(name.to_owned()), format!("cannot start: {e}"), "close other programs and try again")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(trouble)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let body = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                () = work() => {}
            }
        });
        // What still runs beside it (a program that gives credentials) must not hold the thread.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(trouble)?;
    Ok(stop)
}

impl Platform for KubernetesPlatform {
    fn send(&mut self, _now: Time, order: Order) {
        self.inbox.put(order);
    }
    fn ask(&mut self, _now: Time, open: &[Question]) {
        put(&self.open, open);
    }
    fn look(&mut self, workloads: &[WorkloadId]) {
        put(&self.looked, workloads);
    }
    fn keep(&mut self, _now: Time, records: &[Record]) {
        // Before the first order of a rollout: from here on its forward writes wait for the Lease.
        self.passes.want(records);
        self.kept.send_replace(Arc::from(records));
    }
    fn keeps(&self) -> bool {
        true
    }
    fn poll(&mut self, _now: Time) -> Option<Fact> {
        self.next.take().or_else(|| self.facts.try_recv().ok())
    }
    fn poll_timeout(&self) -> Option<Time> {
        None
    }
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async {
            if self.next.is_none() {
                self.next = self.facts.recv().await;
                if self.next.is_none() {
                    // Nothing will come any more; the simulator's face waits for ever then, too.
                    std::future::pending::<()>().await;
                }
            }
        })
    }
}
