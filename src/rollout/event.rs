//! What the engine decided: the only thing that changes its state, and what the journal keeps.

use crate::fleet::{Aspect, Side};
use crate::strategy::{Gate, Plan};
use crate::units::{LegId, Percent, Person, Revision, RolloutId, Span, Term, Time};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who made it happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// A person.
    Person(Person),
    /// The plan, going on.
    Plan,
    /// A rule of the plan: a limit, failed health, a deadline.
    Automatic,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Person(p) => p.fmt(f),
            By::Plan => f.pad("plan"),
            By::Automatic => f.pad("automatic"),
        }
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its place in the rollout's log, from 1.
    pub seq: u64,
    /// The term it was decided in.
    pub term: Term,
    /// When, in fleet time.
    pub at: Time,
    /// Who.
    pub by: By,
    /// What.
    #[serde(rename = "event")]
    pub what: What,
}

/// A rollout that could not be held when the line was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotHeld {
    /// Which.
    pub rollout: RolloutId,
    /// Why.
    pub why: String,
}

/// Why a rollout went back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "cause")]
pub enum RollbackCause {
    /// A person asked.
    Asked {
        /// Why, as typed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Bad checks in a row.
    Limit {
        /// Where.
        leg: LegId,
        /// In words.
        why: String,
    },
    /// Health failed for too long.
    Health {
        /// Where.
        leg: LegId,
        /// In words.
        why: String,
    },
    /// A step made no progress.
    Deadline {
        /// Where, when one leg is to blame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leg: Option<LegId>,
        /// In words.
        why: String,
    },
    /// Somebody else's flightdeck had begun it: the fence says `back`.
    Fence,
}

impl RollbackCause {
    /// In words, for lines and events.
    pub fn words(&self) -> String {
        match self {
            RollbackCause::Asked { reason: Some(r) } => r.clone(),
            RollbackCause::Asked { reason: None } => "asked".into(),
            RollbackCause::Limit { leg, why } | RollbackCause::Health { leg, why } => format!("{leg}: {why}"),
            RollbackCause::Deadline { leg: Some(leg), why } => format!("{leg}: {why}"),
            RollbackCause::Deadline { leg: None, why } => why.clone(),
            RollbackCause::Fence => "the traffic object says back".into(),
        }
    }
}

/// What was decided. Steps are numbered from 0 here, from 1 on screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "kind")]
pub enum What {
    /// A rollout of ours began.
    Launched {
        /// The compiled plan, which never changes.
        plan: Box<Plan>,
        /// Why, as typed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person took the first action on an update that somebody else had started.
    Boarded {
        /// What it looks like from here.
        plan: Box<Plan>,
        /// The step that it is in.
        step: usize,
    },
    /// A new term, by a take-over.
    Taken,
    /// A step began.
    StepStarted {
        /// Which.
        step: usize,
    },
    /// The new revision of a leg has its identity.
    RevisionFound {
        /// Which leg.
        leg: LegId,
        /// Which revision.
        revision: Revision,
    },
    /// So many pods are wanted.
    ReplicasSet {
        /// Of which leg.
        leg: LegId,
        /// On which side.
        side: Side,
        /// How many.
        pods: u32,
    },
    /// The workload itself should have this side's template, and then all traffic.
    HomeSet {
        /// Of which leg.
        leg: LegId,
        /// Which side.
        side: Side,
    },
    /// This share is wanted for the new side; by pods: that share of the pods.
    WeightSet {
        /// Of which leg.
        leg: LegId,
        /// The share.
        weight: Percent,
    },
    /// A leg has what the step asked for; when all have, the hold's clock starts.
    LegArrived {
        /// Which leg.
        leg: LegId,
    },
    /// All legs of the step have what it asked for.
    StepApplied {
        /// Which step.
        step: usize,
    },
    /// A step is behind us.
    StepPassed {
        /// Which step.
        step: usize,
    },
    /// Every pod said that it is well.
    HealthPassed {
        /// Of which leg.
        leg: LegId,
        /// So many times in a row now.
        nth: u32,
    },
    /// Pods began to be ill; said once until they are well again.
    HealthFailed {
        /// Of which leg.
        leg: LegId,
        /// In words.
        why: String,
    },
    /// A check was good.
    CheckPassed {
        /// Of which leg.
        leg: LegId,
        /// The end of the last interval looked at.
        upto: Time,
    },
    /// A check was bad.
    CheckFailed {
        /// Of which leg.
        leg: LegId,
        /// So many times in a row now.
        nth: u32,
        /// The end of the last interval looked at.
        upto: Time,
        /// In words.
        why: String,
    },
    /// Both sides are over the limit: nothing goes back by itself.
    BothSick {
        /// In which leg.
        leg: LegId,
    },
    /// A person ended the current hold.
    HoldEnded {
        /// Of which step.
        step: usize,
    },
    /// A person dropped all holds and verdict gates.
    HoldsDropped,
    /// A person passed a hold, an analysis or a closed gate.
    Skipped {
        /// In which step.
        step: usize,
        /// The gate, when it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<Gate>,
        /// Why, as typed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// No forward step from here on.
    Paused,
    /// Goes on.
    Resumed,
    /// A write failed and is asked again.
    WishFailed {
        /// Of which leg.
        leg: LegId,
        /// What of it.
        aspect: Aspect,
        /// So many times in a row now.
        nth: u32,
        /// When it is asked again; never, when asking cannot help.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Time>,
        /// In words.
        cause: String,
    },
    /// A write is asked again now.
    WishRenewed {
        /// Of which leg.
        leg: LegId,
        /// What of it.
        aspect: Aspect,
    },
    /// All traffic goes to stable; the new side stays for inspection.
    Aborted {
        /// Why, as typed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// From step 1 again, after an abort.
    Restarted,
    /// A rollback began, in a new term.
    RollbackBegan {
        /// Why.
        #[serde(flatten)]
        why: RollbackCause,
    },
    /// A person accepted more traffic than the ready pods can carry.
    OverCapacity,
    /// A leg's three proofs agree.
    LegProven {
        /// Which leg.
        leg: LegId,
        /// Counted requests, not endpoints.
        counted: bool,
        /// All traffic's error rate then; unknown without metrics or traffic.
        #[serde(rename = "errorRate", default, skip_serializing_if = "Option::is_none")]
        errors: Option<f64>,
    },
    /// Every leg is proven: users are safe.
    Proven {
        /// From the key to the sample that completed it.
        #[serde(rename = "tookSeconds")]
        took: Span,
    },
    /// Two minutes passed without a proof; it is still watched.
    NotProven {
        /// What is missing.
        missing: String,
    },
    /// A rollback was taken back, in a new term.
    Undone,
    /// The end, forward.
    Promoted,
    /// The end, back: every compensation is done.
    RolledBack,
    /// Somebody else drives: a higher term stood on the fence.
    Superseded {
        /// The term there.
        by_term: Term,
    },
    /// Somebody else goes back too, in this higher term: this one goes on in it.
    Followed,
    /// A leg's region does not answer.
    LegSilent {
        /// Which leg.
        leg: LegId,
    },
    /// It answers again.
    LegHeard {
        /// Which leg.
        leg: LegId,
    },
    /// What was asked for a leg's traffic stands there.
    Landed {
        /// Which leg.
        leg: LegId,
    },
    /// Somebody else moved a leg's traffic by hand: it is held there, never fought.
    LegMoved {
        /// Which leg.
        leg: LegId,
        /// What was done, in words.
        why: String,
    },
    /// After a while without news more new pods are ready than before: the step makes progress.
    PodsCame {
        /// Of which leg.
        leg: LegId,
        /// How many are ready.
        ready: u32,
    },
    /// A gate does not let the next step begin.
    GateClosed {
        /// Which gate.
        gate: Gate,
        /// Why.
        why: String,
    },
    /// A person wants all that is asked for to be asked again now, and the step's deadline to begin again.
    Retried,
    /// In a fleet's own log: no forward step anywhere in it from here on.
    LineStopped {
        /// The rollouts that were held for it: what is resumed again.
        held: Vec<RolloutId>,
        /// Those that could not be held.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_held: Vec<NotHeld>,
    },
    /// In a fleet's own log: what was held goes on.
    LineResumed,
}
