//! The strategies that documents can name: when to use each, its risk, its way back, and what one learns.
//!
//! Knows no fleet: whether a strategy fits a workload is found when a plan is compiled.

use super::document::{COMMON, Key};
use super::plan::StrategyKind;
use super::{blue_green, canary, rolling};
use crate::units::clean;
use crate::units::written::{Wrong, nearest, quoted};

/// Strategies of the field that this version does not fly.
pub(super) const NOT_FLOWN: [&str; 3] = ["ab-testing", "feature-flag", "saga-pattern"];

/// What a person should know of a strategy before choosing it.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Which.
    pub kind: StrategyKind,
    /// What it is, in one line.
    pub what: &'static str,
    /// When to use it.
    pub use_when: &'static str,
    /// From 1 (least) to 5.
    pub risk: u8,
    /// The same in a word.
    pub risk_word: &'static str,
    /// How quickly it goes back: `instant`, `fast`, `medium`.
    pub rollback_speed: &'static str,
    /// How it goes back.
    pub way_back: &'static str,
    /// What it needs.
    pub needs: &'static str,
    /// What is good about it.
    pub benefits: [&'static str; 3],
    /// What one learns.
    pub learn: &'static str,
}

/// What there is to know of a strategy.
pub fn about(kind: StrategyKind) -> &'static About {
    match kind {
        StrategyKind::BlueGreen => &blue_green::ABOUT,
        StrategyKind::Canary => &canary::ABOUT,
        StrategyKind::Rolling => &rolling::ABOUT,
    }
}

/// The strategy's own keys.
pub fn keys(kind: StrategyKind) -> &'static [Key] {
    match kind {
        StrategyKind::BlueGreen => blue_green::KEYS,
        StrategyKind::Canary => canary::KEYS,
        StrategyKind::Rolling => rolling::KEYS,
    }
}

/// The strategy that a text names.
pub fn strategy(text: &str) -> Result<StrategyKind, Wrong> {
    let flown = StrategyKind::ALL.map(StrategyKind::name);
    if let Some(kind) = StrategyKind::ALL.into_iter().find(|k| k.name() == text) {
        return Ok(kind);
    }
    if NOT_FLOWN.contains(&text) {
        return Err(Wrong::new(format!("{text} is not flown by this version"), format!("it flies {}", flown.join(", "))));
    }
    let remedy = match nearest(text, flown.into_iter().chain(NOT_FLOWN)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("write {}", flown.join(", ")),
    };
    Err(Wrong::new(format!("{} is not a strategy", quoted(text)), remedy))
}

/// What is said about a key that a strategy's documents do not have.
pub(super) fn unknown_key(key: &str, kind: StrategyKind) -> Wrong {
    let own = |kind: StrategyKind| keys(kind).iter().map(|k| k.name);
    let elsewhere = StrategyKind::ALL.into_iter().find(|k| own(*k).any(|name| name == key));
    let remedy = match (elsewhere, nearest(key, own(kind).chain(COMMON.iter().map(|k| k.name)).chain(["strategy"]))) {
        (Some(other), _) => format!("it belongs to {}", other.name()),
        (None, Some(meant)) => format!("did you mean {meant}?"),
        (None, None) => format!("{} takes {}", kind.name(), own(kind).collect::<Vec<_>>().join(", ")),
    };
    Wrong::new(format!("unknown key {}", clean(key, 60)), remedy)
}

/// Whether a key means the same in the documents of every strategy.
pub(super) fn means_the_same_everywhere(key: &str) -> bool {
    key == "healthCheckPath" || COMMON.iter().any(|k| k.name == key)
}
