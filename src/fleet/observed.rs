//! All that is known of one rollout now: complete, the newest wins, and what is missing is unknown.

use super::{Automation, Counts, Flight, Pods, Side, Stuck};
use crate::units::{LegId, Percent, Revision, Span, Time};
use std::collections::BTreeMap;

/// Whether a leg's region answers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Reach {
    /// Nothing was heard yet.
    #[default]
    Unknown,
    /// It answers; last heard then.
    Answers(Time),
    /// It does not.
    Silent {
        /// Since when.
        since: Time,
        /// Why, in words.
        why: String,
        /// When it is asked again.
        again: Option<Time>,
    },
}

impl Reach {
    /// Whether it answers.
    pub fn answers(&self) -> bool {
        matches!(self, Reach::Answers(_))
    }
}

/// One side of a leg as seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SideSeen {
    /// Its revision, once it is known.
    pub revision: Option<Revision>,
    /// Its pods; `None` when unknown.
    pub pods: Option<Pods>,
    /// What it did in the last whole interval, and when that ended.
    pub last: Option<(Time, Span, Counts)>,
    /// The revision exists in the cluster (its template can be brought back).
    pub exists: bool,
}

/// The second workload of a leg as seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BesideSeen {
    /// The one side that it runs; `None` while it has pods of both.
    pub side: Option<Side>,
    /// The share that is asked for it; unknown where it cannot be read.
    pub share: Option<Percent>,
}

/// One leg as seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LegSeen {
    /// Whether its region answers.
    pub reach: Reach,
    /// The stable side.
    pub old: SideSeen,
    /// The new side.
    pub new: SideSeen,
    /// The revision that the workload's template asks for.
    pub template: Option<Revision>,
    /// Traffic asked for the new side, as read back.
    pub want: Option<Percent>,
    /// The one side that the workload itself runs; `None` while it has pods of both.
    pub home: Option<Side>,
    /// The second workload beside it, while there is one.
    pub beside: Option<BesideSeen>,
    /// Share of requests that the new side got in the last whole interval; `None` without requests or metrics.
    pub seen: Option<Percent>,
    /// Requests per second, both sides.
    pub load: Option<f64>,
    /// The fence, as read.
    pub flight: Option<Flight>,
    /// The update is paused.
    pub paused: bool,
    /// The controller has finished.
    pub complete: bool,
    /// Why it does not go on.
    pub stuck: Option<Stuck>,
    /// Who else writes here.
    pub automation: Option<Automation>,
    /// A right that is missing, in words.
    pub denied: Option<String>,
    /// How long pods take from start to ready.
    pub start_takes: Option<Span>,
    /// The old side's error rate before the rollout began, a part of one.
    pub rate_before: Option<f64>,
    /// What the last check said, in words: `too few: 12 of 30 requests`.
    pub says: Option<String>,
}

/// What is known of one rollout now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// When this was put together.
    pub at: Time,
    /// Gates that something outside opens: open, or closed and why. What is missing is unknown and counts as closed.
    pub gates: BTreeMap<String, Result<(), String>>,
    /// Per leg.
    pub legs: BTreeMap<LegId, LegSeen>,
}

impl LegSeen {
    /// Whether a side has a workload of its own, without pods of the other.
    pub fn stands(&self, side: Side) -> bool {
        self.home == Some(side) || self.beside.is_some_and(|b| b.side == Some(side))
    }
    /// Whether the workload itself runs one side, finished, and has all the traffic.
    pub fn is_home(&self, side: Side) -> bool {
        self.home == Some(side) && self.complete && self.beside.is_none_or(|b| b.share == Some(Percent::ZERO))
    }
}

impl Observed {
    /// A leg; an unknown one when nothing was seen of it.
    pub fn leg(&self, id: &LegId) -> std::borrow::Cow<'_, LegSeen> {
        self.legs.get(id).map_or_else(|| std::borrow::Cow::Owned(LegSeen::default()), std::borrow::Cow::Borrowed)
    }
}
