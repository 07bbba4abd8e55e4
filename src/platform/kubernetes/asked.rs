//! The questions of one region that are open: each becomes a task, and ends when it is not asked any more.
//!
//! Starts and stops, asks nothing itself. Known weakness: of the workloads that move without a question only the first few are counted,
//! and of those that stand still only the one that somebody looks at.

use super::connection::Line;
use super::prometheus::{self, Meter};
use super::sights::Sights;
use super::{health, metrics};
use crate::fleet::Fact;
use crate::platform::{Judged, Question};
use crate::rollout::Ask;
use crate::units::{Region, Revision, WorkloadId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

/// Workloads that move without a question and are counted all the same.
const MOST_MOVING: usize = 20;

/// Keeps the tasks of one region.
pub(super) struct Asker {
    pub(super) region: Region,
    pub(super) line: Arc<Line>,
    /// Its Prometheus, where it has one.
    pub(super) meter: Option<Arc<Meter>>,
    pub(super) facts: mpsc::Sender<Fact>,
    pub(super) sights: Arc<Sights>,
    pub(super) open: watch::Receiver<Arc<[Question]>>,
    /// What a person looks at.
    pub(super) looked: watch::Receiver<Arc<[WorkloadId]>>,
}

type HealthKey = (WorkloadId, Revision, String);

impl Asker {
    /// Keeps them for as long as questions may come.
    pub(super) async fn run(mut self) {
        let slots = Arc::new(Semaphore::new(metrics::AT_ONCE));
        let mut changes = self.sights.changes();
        // Dropped with this future, and its tasks with it.
        let mut tasks = JoinSet::new();
        let mut visits: HashMap<HealthKey, AbortHandle> = HashMap::new();
        let mut counts: HashMap<WorkloadId, (watch::Sender<Duration>, AbortHandle)> = HashMap::new();
        let mut metered: HashMap<WorkloadId, (watch::Sender<Arc<Judged>>, AbortHandle)> = HashMap::new();
        loop {
            let Wanted { health, paces, judged } = self.wanted();
            metered.retain(|id, (_, task)| judged.contains_key(id) || stop(task));
            for (id, judged) in judged {
                let Some(meter) = &self.meter else { continue };
                if let Some((sender, _)) = metered.get(&id) {
                    sender.send_if_modified(|now| std::mem::replace(now, judged.clone()) != judged);
                    continue;
                }
                let (sender, receiver) = watch::channel(judged);
                let (meter, sights, facts) = (meter.clone(), self.sights.clone(), self.facts.clone());
                let task = tasks.spawn(prometheus::count(meter, sights, facts, id.clone(), receiver, !counts.contains_key(&id)));
                metered.insert(id, (sender, task));
            }
            visits.retain(|key, task| health.contains(key) || stop(task));
            counts.retain(|id, (_, task)| paces.contains_key(id) || stop(task));
            for key in health {
                let (id, revision, path) = key.clone();
                let (line, sights, facts) = (self.line.clone(), self.sights.clone(), self.facts.clone());
                visits.entry(key).or_insert_with(|| tasks.spawn(health::watch(line, sights, facts, id, revision, path)));
            }
            for (id, pace) in paces {
                if let Some((sender, _)) = counts.get(&id) {
                    sender.send_if_modified(|now| std::mem::replace(now, pace) != pace);
                    continue;
                }
                let (sender, receiver) = watch::channel(pace);
                let (line, sights, facts) = (self.line.clone(), self.sights.clone(), self.facts.clone());
                let task = tasks.spawn(metrics::count(line, sights, slots.clone(), facts, id.clone(), receiver));
                counts.insert(id, (sender, task));
            }
            tokio::select! {
                changed = self.open.changed() => if changed.is_err() { return },
                changed = self.looked.changed() => if changed.is_err() { return },
                _ = changes.changed() => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
    }

    fn wanted(&mut self) -> Wanted {
        let open = self.open.borrow_and_update().clone();
        let (mut health, mut paces, mut judged) = (Vec::new(), HashMap::new(), HashMap::new());
        let looked = self.looked.borrow_and_update().clone();
        let looked = looked.iter().filter(|id| id.region == self.region).cloned();
        for id in self.sights.moving(&self.region).into_iter().take(MOST_MOVING).chain(looked) {
            paces.insert(id, metrics::SLOWLY);
        }
        for q in open.iter().filter(|q| q.workload.region == self.region) {
            paces.entry(q.workload.clone()).or_insert(metrics::SLOWLY);
            match &q.ask {
                Ask::Closely { .. } => {
                    paces.insert(q.workload.clone(), metrics::CLOSELY);
                }
                Ask::Health { revision: Some(revision), path, .. } => {
                    health.push((q.workload.clone(), revision.clone(), path.clone()));
                }
                Ask::Health { revision: None, .. } => {}
            }
            if self.meter.is_some() {
                let known = judged.entry(q.workload.clone()).or_insert_with(|| q.judged.clone());
                *known = known.take().and(q.judged.clone());
            }
        }
        // One source at a time: what both counted would count twice.
        let judged: HashMap<_, _> = judged.into_iter().filter_map(|(id, judged)| Some((id, judged?))).collect();
        paces.retain(|id, _| !judged.contains_key(id));
        Wanted { health, paces, judged }
    }
}

/// Which revisions are asked for their health, which workloads are counted by their pods and how often, and which by Prometheus.
struct Wanted {
    health: Vec<HealthKey>,
    paces: HashMap<WorkloadId, Duration>,
    judged: HashMap<WorkloadId, Arc<Judged>>,
}

fn stop(task: &AbortHandle) -> bool {
    task.abort();
    false
}
