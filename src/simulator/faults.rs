//! What can go wrong, and when: the fault model that scenarios are written in.
//!
//! An incident begins at a fleet time, or when a service's new version reaches a share, and ends by itself where it says how
//! long it lasts. Known weakness: a fault is told to the fleet, not grown from a cause, so two of them never interact.

use super::layout::START;
use crate::fleet::Side;
use crate::units::{Percent, Region, Span, Time, Version};
use std::sync::Arc;

/// What can be wrong with a version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ill {
    /// So many more requests fail, a part of one.
    Errors(f64),
    /// It answers so many times slower.
    Slow(f64),
    /// Its image cannot be pulled.
    BadImage,
    /// Its program exits soon after each start.
    CrashLoop,
    /// It serves, but says on its health path that it is not well.
    Unhealthy,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// A version gets an ill. The new side is the version after the one that runs at the start.
    Ill {
        /// Of which service.
        service: Arc<str>,
        /// Which of its versions.
        side: Side,
        /// What.
        ill: Ill,
    },
    /// A version is well again.
    Healed {
        /// Of which service.
        service: Arc<str>,
        /// Which of its versions.
        side: Side,
    },
    /// Somebody scales down the pods of the version that runs at the start, behind the rollout's back.
    OldPods {
        /// Of which service.
        service: Arc<str>,
        /// To this share.
        left: Percent,
    },
    /// The regions serve their users but do not answer us.
    LostRegion,
    /// Writes take so long.
    SlowWrites {
        /// From sending to landing.
        takes: Span,
    },
    /// Writes fail by chance.
    FailingWrites {
        /// This share of them.
        share: Percent,
    },
    /// Nothing is counted.
    NoMetrics {
        /// Of one service; else of all.
        service: Option<Arc<str>>,
    },
    /// Somebody changes a service's image, and its controller rolls it out.
    SetImage {
        /// Of which service.
        service: Arc<str>,
        /// To which version.
        version: Version,
        /// Who.
        by: String,
        /// How long each new pod must be ready before the next one.
        pace: Span,
    },
}

impl Fault {
    /// Whether it can end by itself.
    pub fn can_end(&self) -> bool {
        !matches!(self, Fault::Healed { .. } | Fault::OldPods { .. } | Fault::SetImage { .. })
    }
}

/// When it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// At a fleet time.
    At(Time),
    /// When other versions than the stable one get this share of a service's requests in one of the regions.
    Share {
        /// Of which service.
        service: Arc<str>,
        /// The share.
        weight: Percent,
        /// So long after.
        after: Span,
    },
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// When.
    pub when: When,
    /// Where; nothing here: everywhere.
    pub regions: Vec<Region>,
    /// How long it lasts; `None`: for good.
    pub lasts: Option<Span>,
    /// What.
    pub fault: Fault,
}

impl Incident {
    /// The one update that is always under way when the practice fleet opens: `catalogue` rolls in eu-west-1, slowly.
    pub fn watched_rollout() -> Incident {
        Incident {
            when: When::At(START - Span::secs(570)),
            regions: vec![Region::new("eu-west-1")],
            lasts: None,
            fault: Fault::SetImage {
                service: "catalogue".into(),
                version: Version::new("v103"),
                by: "ilias".into(),
                pace: Span::secs(150),
            },
        }
    }
    /// Whether it happens in a region.
    pub fn is_in(&self, region: &Region) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }
}
