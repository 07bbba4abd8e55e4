//! What is out there: one face for the simulator and for Kubernetes.
//!
//! Never decides: it carries wishes out, answers asks with facts, and tells what it saw. Known weakness: a wish that was
//! dropped for a newer one may still land; the fence on the traffic object is what refuses it.

pub mod kubernetes;
mod simulator;

pub use simulator::Simulator;

use crate::fleet::{Division, Fact};
use crate::rollout::{Ask, Wish};
use crate::strategy::Queries;
use crate::units::{Revision, RolloutId, Span, Term, Time, Version, WorkloadId};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A wish with everything that carrying it out needs, bound when it was made: the cluster is never read from a selection.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Whose wish it is.
    pub rollout: RolloutId,
    /// The workload, with its region.
    pub workload: WorkloadId,
    /// The wish.
    pub wish: Wish,
    /// The stable revision.
    pub old: Revision,
    /// The new revision, once known.
    pub new: Option<Revision>,
    /// The container whose image changes.
    pub container: String,
    /// The image of the new version.
    pub image: String,
    /// What the new version is called.
    pub version: Version,
    /// Where the new side is a second workload beside the first: how traffic is divided between the two.
    pub beside: Option<Division>,
}

/// A question with its workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Whose question it is.
    pub rollout: RolloutId,
    /// The workload, with its region.
    pub workload: WorkloadId,
    /// The question.
    pub ask: Ask,
    /// How requests are counted while it is open, where something else than the pods can be asked. `None`: by the pods' own pages,
    /// which are quick; a rollback is proven by those.
    pub judged: Option<Arc<Judged>>,
}

/// What a verdict needs counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// How often it is looked at: intervals are that long, or a multiple of it.
    pub every: Span,
    /// The stable revision.
    pub old: Revision,
    /// The new revision, once known.
    pub new: Option<Revision>,
    /// The document's own queries.
    pub metrics: Option<Queries>,
}

/// A log to be kept beside one of its rollout's workloads, and the right to drive to be held there.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Whose log.
    pub rollout: RolloutId,
    /// The workload, with its region.
    pub workload: WorkloadId,
    /// Its lines, all of them.
    pub log: Arc<str>,
    /// The `seq` of its last event.
    pub seq: u64,
    /// Its term.
    pub term: Term,
    /// It moves forward: without the right to drive nothing of it is written.
    pub forward: bool,
    /// The right to drive is wanted; else it is given back.
    pub drives: bool,
}

/// The platform's face, poll-style: nothing here waits.
pub trait Platform {
    /// Wants a state. A newer wish for the same workload and aspect replaces an older one and never waits for its call.
    fn send(&mut self, now: Time, order: Order);
    /// The questions that are open now, all of them; what is missing is not asked any more.
    fn ask(&mut self, now: Time, open: &[Question]);
    /// The workloads that a person looks at: their requests are counted although nothing moves.
    fn look(&mut self, _workloads: &[WorkloadId]) {}
    /// The logs that are kept beside workloads from now on, all of them; what is missing is let go. It delays no order.
    fn keep(&mut self, _now: Time, _records: &[Record]) {}
    /// Whether logs can be kept out there, where other flightdecks see them.
    fn keeps(&self) -> bool {
        false
    }
    /// The next fact, if there is one.
    fn poll(&mut self, now: Time) -> Option<Fact>;
    /// When it wants to be polled next, if time alone can bring something.
    fn poll_timeout(&self) -> Option<Time>;
    /// Resolves when there may be something to poll. It only wakes.
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}
