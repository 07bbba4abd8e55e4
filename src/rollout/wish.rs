//! What should be true out there, and what the engine wants to know.

use crate::fleet::{Aspect, Way};
use crate::units::{LegId, Percent, Revision, Term};
use serde::{Deserialize, Serialize};

/// Which leg, and what of it. There is one wish per key at most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WishKey {
    /// Which leg.
    pub leg: LegId,
    /// What of it.
    pub aspect: Aspect,
}

/// The state that is wanted, never a change of it: asking twice does no harm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "want")]
pub enum Want {
    /// The new side gets this share of the traffic, the old side the rest.
    Weight {
        /// The new side's share.
        new: Percent,
    },
    /// A side has so many pods.
    Replicas {
        /// How many.
        pods: u32,
    },
    /// A workload that has a second one beside it runs one side's template, taken while it has no traffic, and has all traffic.
    Home {
        /// The new template, or the old one.
        forward: bool,
    },
    /// A workload rolls pod by pod to one side's template until it has this share of the pods, then pauses; at 100 % it finishes.
    Roll {
        /// To the new template, or back to the old one.
        forward: bool,
        /// Share of the pods that should have that template.
        share: Percent,
        /// Pods more than asked for.
        surge: u32,
        /// Pods that may be missing.
        unavailable: u32,
        /// Hold it where it is (a person's pause).
        paused: bool,
    },
}

/// One wish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// Which leg and aspect.
    pub key: WishKey,
    /// What should be true.
    pub want: Want,
    /// In which term it is asked.
    pub term: Term,
    /// Which way the rollout moves.
    pub way: Way,
    /// How often the engine has asked again after a failure; a change makes the same wish be sent once more.
    pub again: u32,
}

/// A question, derived like a wish. The platform answers with facts for as long as it is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "ask")]
pub enum Ask {
    /// Is every pod of this revision well?
    Health {
        /// Which leg.
        leg: LegId,
        /// Which revision; `None` while it is not known.
        revision: Option<Revision>,
        /// Where a pod says it.
        path: String,
    },
    /// Count this leg closely (every half second), because it moves.
    Closely {
        /// Which leg.
        leg: LegId,
    },
}
