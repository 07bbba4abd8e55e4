//! What the platform tells, in the past tense.

use super::{Aspect, Sample, Workload};
use crate::units::{Region, Revision, Service, Span, Term, Time, Trouble, WorkloadId};
use serde::{Deserialize, Serialize};

/// Something that a person would like to write, for which a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteRight {
    /// Patch the workload (template, pause).
    PatchWorkload,
    /// Scale it.
    Scale,
    /// Patch what splits the traffic.
    PatchTraffic,
}

/// What the user may do in one namespace of one region; asked for before a key is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rights {
    /// Who the API server thinks we are.
    pub user: Option<String>,
    /// What is denied, as a person would ask for it: `patch deployments in namespace shop`.
    pub denied: Vec<(WriteRight, String)>,
}

/// One message from the platform about what happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A region answers, and its list is complete as of now.
    Connected {
        /// Which.
        region: Region,
        /// The server's version, and the name of the cluster.
        server: String,
    },
    /// A region does not answer. It is asked again at `again`.
    ConnectionLost {
        /// Which.
        region: Region,
        /// Since when.
        since: Time,
        /// Why.
        trouble: Trouble,
        /// When it is asked again.
        again: Time,
    },
    /// A region was heard: its data is as fresh as this.
    Heard {
        /// Which.
        region: Region,
        /// When.
        at: Time,
    },
    /// A workload was seen as it is now.
    WorkloadSeen(Box<Workload>),
    /// A workload is gone.
    WorkloadGone(WorkloadId),
    /// An interval was counted.
    Sampled(Sample),
    /// A Prometheus was asked for an interval of a workload; what it counted comes as a sample.
    MetricsSeen {
        /// Of which workload.
        workload: WorkloadId,
        /// What it said.
        metrics: Box<super::MetricsSeen>,
    },
    /// Every pod of a revision was asked whether it is well.
    HealthSeen {
        /// Of which workload.
        workload: WorkloadId,
        /// Which revision.
        revision: Revision,
        /// When the last answer came.
        at: Time,
        /// Pods that said yes.
        well: u32,
        /// Pods that did not, and what the first of them said.
        ill: u32,
        /// Why, when some are ill or nothing could be asked.
        why: Option<String>,
    },
    /// A write was taken by the API server. What it does is seen later.
    WriteTaken {
        /// Of which workload.
        workload: WorkloadId,
        /// What was written.
        aspect: Aspect,
        /// In which term.
        term: Term,
        /// From sending to the answer.
        took: Span,
    },
    /// A write was refused, or not answered in time.
    WriteFailed {
        /// Of which workload.
        workload: WorkloadId,
        /// What was to be written.
        aspect: Aspect,
        /// In which term.
        term: Term,
        /// Why.
        trouble: Trouble,
        /// A higher term stood on the fence: somebody else drives.
        fenced_by: Option<super::Flight>,
    },
    /// What the user may do.
    RightsSeen {
        /// Where.
        region: Region,
        /// Which namespace.
        namespace: crate::units::Namespace,
        /// What.
        rights: Rights,
    },
    /// The log beside a workload was seen as it is now; `None`: there is none.
    RecordSeen {
        /// Beside which workload.
        workload: WorkloadId,
        /// The log.
        record: Option<Box<super::RecordSeen>>,
    },
    /// Who may drive a workload was seen as it is now; `None`: nobody ever did.
    LeaseSeen {
        /// Which workload.
        workload: WorkloadId,
        /// Who.
        lease: Option<super::LeaseSeen>,
    },
    /// All logs and drivers in a region have been seen, or may not be.
    RecordsListed {
        /// Where.
        region: Region,
        /// What would have to be allowed, as a person would ask for it.
        denied: Option<String>,
    },
    /// How a log of ours is kept beside a workload.
    RecordKept {
        /// Beside which workload.
        workload: WorkloadId,
        /// Whose log.
        rollout: crate::units::RolloutId,
        /// The `seq` of the last event that is there.
        upto: u64,
        /// Why the rest is not.
        off: Option<super::RecordOff>,
    },
    /// Whether the right to drive a workload is held here.
    Driving {
        /// Which workload.
        workload: WorkloadId,
        /// For which rollout.
        rollout: crate::units::RolloutId,
        /// When that was known.
        at: Time,
        /// It is, or cannot be held by anybody here; else why not.
        held: Result<super::Hold, String>,
    },
    /// Objects that could not be read were skipped; the count since the start.
    Skipped {
        /// Where.
        region: Region,
        /// How many.
        objects: u64,
        /// The last reason.
        why: String,
    },
    /// Replication of a kind of data into a region is this far behind.
    LagSeen {
        /// Into which region.
        region: Region,
        /// `orders`, `users`, `products`, `analytics`.
        data: String,
        /// How far.
        lag: Span,
        /// How far it may be.
        promise: Span,
    },
    /// Versions of a service that could be launched were seen, newest first.
    VersionsSeen {
        /// Of which service.
        service: Service,
        /// Their names.
        versions: Vec<crate::units::Version>,
    },
}
