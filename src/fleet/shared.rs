//! What several flightdecks know of each other: the logs beside workloads, and who may drive.

use crate::units::{RolloutId, Span, Term};
use std::sync::Arc;

/// A log beside a workload, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSeen {
    /// Whose log.
    pub rollout: RolloutId,
    /// Its lines.
    pub log: Arc<str>,
    /// The lines of another branch, behind the fork.
    pub branch: Option<Arc<str>>,
    /// Who wrote it last: `ana@laptop`.
    pub driver: String,
}

/// Who may drive, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSeen {
    /// Who: `ana@laptop`; empty when it was given back.
    pub holder: String,
    /// It is this flightdeck.
    pub ours: bool,
    /// The term in which it was taken.
    pub term: Term,
    /// How long it counts without being renewed.
    pub length: Span,
}

/// Why a log is not kept beside a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOff {
    /// Why: `patch configmaps in namespace shop: denied`.
    pub why: String,
    /// Forward steps hold for it: it is full, or another's log leads. Else they wait a short time only.
    pub holds: bool,
}

/// How the right to drive is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// By a Lease that was renewed.
    Lease,
    /// Leases may not be used here, in words; nothing but the fence keeps two drivers apart.
    Without(String),
}
