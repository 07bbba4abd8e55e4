//! The questions of one region that are open: each becomes a task, and ends when it is not asked any more.
//!
//! Starts and stops, asks nothing itself. Known weakness: of the workloads that move without a question only the first few are counted.

use super::connection::Line;
use super::sights::Sights;
use super::{health, metrics};
use crate::fleet::Fact;
use crate::platform::Question;
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
    pub(super) facts: mpsc::Sender<Fact>,
    pub(super) sights: Arc<Sights>,
    pub(super) open: watch::Receiver<Arc<[Question]>>,
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
        loop {
            let (health, paces) = self.wanted();
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
                _ = changes.changed() => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
    }

    /// Which revisions are asked for their health, and which workloads are counted how often.
    fn wanted(&mut self) -> (Vec<HealthKey>, HashMap<WorkloadId, Duration>) {
        let open = self.open.borrow_and_update().clone();
        let (mut health, mut paces) = (Vec::new(), HashMap::new());
        for id in self.sights.moving(&self.region).into_iter().take(MOST_MOVING) {
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
        }
        (health, paces)
    }
}

fn stop(task: &AbortHandle) -> bool {
    task.abort();
    false
}
