//! Who may write forward, asked right before every such write: the keeper of Leases says so, the hands ask.
//!
//! Shared by the threads; knows no connection. Known weakness: between the question and the write on the wire a process can be
//! stopped; then the fence on the object is what refuses.

use super::connection::now;
use crate::fleet::Way;
use crate::platform::{Order, Record};
use crate::units::{Kind, Place, RolloutId, Span, Time, Trouble, WorkloadId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// So long a write waits for a Lease that is being asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the right to drive one workload.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pass {
    /// It was asked for, and no answer has come yet.
    Asked,
    /// It is held until then. Both clocks count: one stands still while a laptop sleeps, the other can be set.
    Held(Instant, Time),
    /// Leases may not be used: only the fence keeps drivers apart.
    Without,
    /// It is not held, for this reason.
    Lost(String),
}

impl Pass {
    /// Held for so long from a moment on.
    pub(super) fn held(sent: (Instant, Time), length: Duration) -> Pass {
        Pass::Held(sent.0 + length, sent.1 + Span(length.as_millis() as u64))
    }
    /// Whether it can be used now; `None`: that is not known yet.
    fn open(&self) -> Option<Result<(), String>> {
        match self {
            Pass::Asked => None,
            Pass::Held(until, wall) => (Instant::now() < *until && now() < *wall).then_some(Ok(())),
            Pass::Without => Some(Ok(())),
            Pass::Lost(why) => Some(Err(why.clone())),
        }
    }
}

#[derive(Debug)]
pub(super) struct Passes {
    all: Mutex<HashMap<WorkloadId, (RolloutId, Pass)>>,
    changed: watch::Sender<u64>,
}

impl Passes {
    pub(super) fn new() -> Arc<Passes> {
        Arc::new(Passes { all: Mutex::default(), changed: watch::channel(0).0 })
    }
    fn lock(&self) -> MutexGuard<'_, HashMap<WorkloadId, (RolloutId, Pass)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Those that are wanted now; a new one is not known yet.
    pub(super) fn want(&self, records: &[Record]) {
        let mut all = self.lock();
        all.retain(|id, (rollout, _)| records.iter().any(|r| r.workload == *id && r.rollout == *rollout));
        for record in records {
            all.entry(record.workload.clone()).or_insert_with(|| (record.rollout.clone(), Pass::Asked));
        }
    }
    /// What was found out about one.
    pub(super) fn set(&self, workload: &WorkloadId, rollout: &RolloutId, pass: Pass) {
        if let Some((_, known)) = self.lock().get_mut(workload).filter(|(whose, _)| whose == rollout) {
            *known = pass;
        }
        self.changed.send_modify(|n| *n += 1);
    }
    /// Why a log may not be written forward here, once that is known.
    pub(super) fn lost(&self, workload: &WorkloadId, rollout: &RolloutId) -> Option<String> {
        match self.lock().get(workload) {
            Some((whose, Pass::Lost(why))) if whose == rollout => Some(why.clone()),
            _ => None,
        }
    }
    fn open(&self, order: &Order) -> Option<Result<(), String>> {
        match self.lock().get(&order.workload) {
            // Nobody keeps a log of it.
            None => Some(Ok(())),
            Some((whose, pass)) if *whose == order.rollout => pass.open(),
            Some((whose, _)) => Some(Err(format!("{whose} is driven here"))),
        }
    }
    /// Whether an order may be written now. A way back always may; one forward waits for the Lease a short time.
    pub(super) async fn may(&self, order: &Order) -> Result<(), Trouble> {
        if order.wish.way == Way::Back {
            return Ok(());
        }
        let mut changed = self.changed.subscribe();
        let answer = timeout(PATIENCE, async {
            loop {
                changed.mark_unchanged();
                if let Some(answer) = self.open(order) {
                    return answer;
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        });
        let why = match answer.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => "the Lease that says who drives is not renewed".to_owned(),
        };
        Err(Trouble::new(Kind::Failed, Place::named(order.workload.to_string()), why, "take the controls to go on"))
    }
}
