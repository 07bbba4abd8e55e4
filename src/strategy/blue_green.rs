//! Blue-green: a full second set of pods, one switch, and the old set stays up for the whole window.

use super::catalogue::About;
use super::document::{Key, Reader, usual};
use super::plan::{Limit, PlanLeg, StrategyKind};
use super::steps::Steps;
use crate::units::written::flag;

pub(super) const ABOUT: About = About {
    kind: StrategyKind::BlueGreen,
    what: "all traffic in one switch between two full sets of pods",
    use_when: "you need one clean switch, and have room for two",
    risk: 2,
    risk_word: "low",
    rollback_speed: "instant",
    way_back: "switch back; the old pods stay up for the whole window",
    needs: "room for a second full set of pods, and a router or Service to switch",
    benefits: ["instant rollback", "no downtime", "simple to understand"],
    learn: "zero-downtime patterns: two sets of pods, one switch, and when it is safe to take the old one away",
};

pub(super) const KEYS: &[Key] = &[
    usual("healthCheckPath", "/health", "Where each new pod says whether it is well."),
    usual(
        "rollbackThreshold",
        "30s",
        "How long health may fail after the switch; then it switches back. A list may add limits on requests: [30s, 2% error rate].",
    ),
    usual("cleanupOldVersions", "true", "Whether the old pods go when the rollback window has passed."),
];

/// What a blue-green document asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct BlueGreen {
    /// When the new version has failed.
    pub limits: Vec<Limit>,
    /// Whether the old pods go in the end.
    pub cleanup_old_versions: bool,
}

impl BlueGreen {
    pub(super) fn read(reader: &mut Reader) -> Option<BlueGreen> {
        let limits = reader.limits();
        let cleanup_old_versions = reader.value("cleanupOldVersions", flag);
        Some(BlueGreen { limits: limits?, cleanup_old_versions: cleanup_old_versions? })
    }

    pub(super) fn wave(steps: &mut Steps<'_>, wave: u16, legs: &[PlanLeg]) {
        steps.start(wave, legs);
        steps.switch(wave, &legs.iter().collect::<Vec<_>>());
    }

    /// The window; where limits on requests are given, good checks have to end it.
    pub(super) fn close(&self, steps: &mut Steps<'_>, wave: u16, legs: &[PlanLeg]) {
        let judged = self.limits.iter().any(Limit::counts_requests);
        steps.hold(wave, &legs.iter().collect::<Vec<_>>(), steps.rules.rollback_window, judged);
        // A second Deployment never stays: its owner would not know which of the two is his.
        if self.cleanup_old_versions || legs.iter().any(|l| l.beside.is_some()) {
            steps.retire(wave, legs);
        }
    }
}
