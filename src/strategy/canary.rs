//! Canary: traffic in growing shares, each held and judged before the next.

use super::catalogue::About;
use super::document::{Key, Reader, usual};
use super::plan::{Limit, PlanLeg, Route, StrategyKind};
use super::steps::{Steps, only};
use crate::units::written::{Wrong, percent, span};
use crate::units::{Percent, Span};

pub(super) const ABOUT: About = About {
    kind: StrategyKind::Canary,
    what: "traffic in growing shares, each judged before the next",
    use_when: "traffic can be split and errors are measured",
    risk: 3,
    risk_word: "medium",
    rollback_speed: "fast",
    way_back: "weight to 0; the old pods were never scaled down",
    needs: "a router that splits (without one it goes by pods), an error rate, and enough traffic to see it",
    benefits: ["few users meet a bad version", "every share is judged before the next", "performance is compared with the old version"],
    learn: "traffic management: small steps, a limit fixed beforehand, and patience",
};

pub(super) const KEYS: &[Key] = &[
    usual("initialTraffic", "5%", "The share of requests that the new version gets first."),
    usual("maxTraffic", "100%", "The share at which it has passed; then it gets all."),
    usual("stepSize", "10%", "How much each step adds."),
    usual("stepInterval", "5m", "How long each share is held and watched."),
    usual("healthCheckPath", "/health", "Where each new pod says whether it is well."),
    usual(
        "rollbackThreshold",
        "2% error rate",
        "When the new version has failed: 2% error rate, 1.5x baseline (the old version's), p99 300ms, or a list of them.",
    ),
];

/// More steps than this are a mistake.
const MOST_SHARES: u32 = 100;

/// What a canary document asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// The first share.
    pub initial_traffic: Percent,
    /// The share at which it has passed.
    pub max_traffic: Percent,
    /// What each step adds.
    pub step_size: Percent,
    /// How long each share is held.
    pub step_interval: Span,
    /// When the new version has failed.
    pub limits: Vec<Limit>,
}

impl Canary {
    pub(super) fn read(reader: &mut Reader) -> Option<Canary> {
        let initial_traffic = reader.value("initialTraffic", some);
        let max_traffic = reader.value("maxTraffic", some);
        let step_size = reader.value("stepSize", |t| match percent(t)? {
            Percent::ZERO => Err(Wrong::new("0% never gets on", "write 10%")),
            size => Ok(size),
        });
        let step_interval = reader.value("stepInterval", span);
        let limits = reader.limits();
        if let (Some(first), Some(most)) = (initial_traffic, max_traffic) {
            if first > most {
                let cause = format!("initialTraffic: {}% is above maxTraffic {}%", first.points(), most.points());
                reader.wrong(
                    &["initialTraffic", "maxTraffic"],
                    Wrong::new(cause, format!("lower initialTraffic to {}%, or raise maxTraffic", most.points())),
                );
            } else if let Some(size) = step_size {
                let way = u32::from(most.hundredths() - first.hundredths());
                let shares = way.div_ceil(u32::from(size.hundredths())) + 1;
                if shares > MOST_SHARES {
                    let least = Percent::from_hundredths(way.div_ceil(MOST_SHARES - 1)).unwrap_or(Percent::ALL);
                    let cause = format!("stepSize: {}% makes {shares} steps, {MOST_SHARES} are the most", size.points());
                    reader.wrong(
                        &["stepSize", "maxTraffic", "initialTraffic"],
                        Wrong::new(cause, format!("write {}% or more", least.points())),
                    );
                }
            }
        }
        if let Some(limits) = &limits
            && !limits.iter().any(Limit::counts_requests)
            && !limits.is_empty()
        {
            let cause = "rollbackThreshold: a canary needs a limit on requests too";
            reader.wrong(&["rollbackThreshold"], Wrong::new(cause, "write 2% error rate, or [2% error rate, 30s]"));
        }
        Some(Canary {
            initial_traffic: initial_traffic?,
            max_traffic: max_traffic?,
            step_size: step_size?,
            step_interval: step_interval?,
            limits: limits?,
        })
    }

    /// The shares in their order: from the first by the step, the last one cut to the most.
    pub fn shares(&self) -> Vec<Percent> {
        let mut shares = vec![self.initial_traffic];
        while let Some(last) = shares.last().copied().filter(|last| *last < self.max_traffic && self.step_size > Percent::ZERO) {
            shares.push(last.plus(self.step_size).min(self.max_traffic));
        }
        shares
    }

    pub(super) fn wave(&self, steps: &mut Steps<'_>, wave: u16, legs: &[PlanLeg]) {
        let (all, by_pods) = (legs.iter().collect::<Vec<_>>(), only(legs, Route::Pods));
        steps.start(wave, legs);
        for (nth, share) in self.shares().into_iter().enumerate() {
            if nth == 0 && !by_pods.is_empty() {
                // by pods there was nobody to ask for health before the first share
                steps.weight(wave, &all, share, Span::ZERO, false);
                steps.health(wave, &by_pods);
                steps.hold(wave, &all, self.step_interval, true);
            } else {
                steps.weight(wave, &all, share, self.step_interval, true);
            }
        }
        if self.max_traffic < Percent::ALL {
            steps.scale(wave, legs);
            steps.weight(wave, &all, Percent::ALL, Span::ZERO, false);
        }
    }

    pub(super) fn close(steps: &mut Steps<'_>, wave: u16, legs: &[PlanLeg]) {
        steps.hold(wave, &legs.iter().collect::<Vec<_>>(), steps.rules.rollback_window, false);
        steps.retire(wave, legs);
    }
}

fn some(text: &str) -> Result<Percent, Wrong> {
    match percent(text)? {
        Percent::ZERO => Err(Wrong::new("0% sends nobody to the new version", "write 1% or more")),
        share => Ok(share),
    }
}
