//! What the watching side hands to those who write, ask for health and count: the newest sight of the workloads they follow.
//!
//! Shared by the threads; holds no connection and decides nothing. Known weakness: a sight is as old as the watch it came from, so
//! every forward write tests what it was made from.

use super::beside::Scene;
use super::objects::Deployment;
use super::template::Door;
use crate::fleet::Workload;
use crate::units::{Region, Revision, Time, WorkloadId};
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Workloads whose older templates are kept at hand, newest use last.
const PREPARED: usize = 64;

/// A workload with what driving and counting it needs beyond its row.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub(super) row: Workload,
    pub(super) deployment: Deployment,
    /// Per revision: the name of its ReplicaSet, and where its pods answer.
    pub(super) sets: Vec<(Revision, Arc<str>, Door)>,
    pub(super) pods: Vec<PodSight>,
    /// What stands around it.
    pub(super) scene: Scene,
    /// Whether EndpointSlices may be seen.
    pub(super) slices_known: bool,
}

/// A pod that is not being deleted.
#[derive(Clone, Debug)]
pub(super) struct PodSight {
    pub(super) name: Arc<str>,
    pub(super) revision: Revision,
    /// Of the second Deployment.
    pub(super) next: bool,
    pub(super) ready: bool,
    /// What the EndpointSlices say of it, where one names it.
    pub(super) served: Option<bool>,
    /// Why it does not become ready.
    pub(super) trouble: Option<String>,
    /// Until then it may still be starting.
    pub(super) young_until: Time,
}

/// An older template and the change cause it came with.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// `spec.template`, fit to be put into the Deployment.
    pub(super) template: Value,
    /// `kubernetes.io/change-cause` of its ReplicaSet.
    pub(super) change_cause: Option<String>,
}

/// The shared sights of one fleet.
#[derive(Debug)]
pub(super) struct Sights {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    followed: HashMap<WorkloadId, watch::Sender<Option<Arc<Sight>>>>,
    moving: HashSet<WorkloadId>,
    templates: HashMap<WorkloadId, HashMap<Revision, Arc<Template>>>,
    used: VecDeque<WorkloadId>,
}

impl Inner {
    /// A workload's templates are in use; the one that was not for longest loses its own.
    fn use_templates(&mut self, id: &WorkloadId) {
        self.used.retain(|used| used != id);
        self.used.push_back(id.clone());
        if self.used.len() > PREPARED
            && let Some(oldest) = self.used.pop_front()
        {
            self.templates.remove(&oldest);
        }
    }
}

impl Sights {
    pub(super) fn new() -> Arc<Sights> {
        Arc::new(Sights { inner: Mutex::default(), changed: watch::channel(0).0 })
    }
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Changes when somebody follows a workload that nobody followed, or a workload begins or ends to move.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
    /// The sights of a workload from here on.
    pub(super) fn follow(&self, id: &WorkloadId) -> watch::Receiver<Option<Arc<Sight>>> {
        let mut inner = self.lock();
        let sender = inner.followed.entry(id.clone()).or_insert_with(|| watch::channel(None).0);
        let receiver = sender.subscribe();
        let unseen = sender.borrow().is_none();
        drop(inner);
        if unseen {
            self.changed.send_modify(|n| *n += 1);
        }
        receiver
    }
    /// Whether a sight is wanted: somebody follows the workload, or it moves and a rollback may come.
    pub(super) fn wants(&self, id: &WorkloadId) -> bool {
        let mut inner = self.lock();
        let wanted = inner.moving.contains(id) || inner.followed.get(id).is_some_and(|s| s.receiver_count() > 0);
        if !wanted {
            inner.followed.remove(id);
        }
        wanted
    }
    /// The workloads of a region that somebody follows and that have no sight yet.
    pub(super) fn unseen(&self, region: &Region) -> Vec<WorkloadId> {
        let inner = self.lock();
        let new = inner.followed.iter().filter(|(id, s)| id.region == *region && s.borrow().is_none());
        new.map(|(id, _)| id.clone()).collect()
    }
    /// A newer sight.
    pub(super) fn publish(&self, sight: Sight) {
        let mut inner = self.lock();
        let sender = inner.followed.entry(sight.row.id.clone()).or_insert_with(|| watch::channel(None).0);
        sender.send_replace(Some(Arc::new(sight)));
    }
    /// Whether a workload moves.
    pub(super) fn set_moving(&self, id: &WorkloadId, moves: bool) {
        let mut inner = self.lock();
        let changed = if moves { inner.moving.insert(id.clone()) } else { inner.moving.remove(id) };
        drop(inner);
        if changed {
            self.changed.send_modify(|n| *n += 1);
        }
    }
    /// The workloads of a region that move.
    pub(super) fn moving(&self, region: &Region) -> Vec<WorkloadId> {
        self.lock().moving.iter().filter(|id| id.region == *region).cloned().collect()
    }
    /// A template that was fetched before it is needed.
    pub(super) fn template(&self, id: &WorkloadId, revision: &Revision) -> Option<Arc<Template>> {
        self.lock().templates.get(id)?.get(revision).cloned()
    }
    /// Keeps a template at hand.
    pub(super) fn prepare(&self, id: &WorkloadId, revision: &Revision, template: Template) {
        let mut inner = self.lock();
        inner.use_templates(id);
        inner.templates.entry(id.clone()).or_default().insert(revision.clone(), Arc::new(template));
    }
}
