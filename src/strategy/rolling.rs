//! Rolling: pods are replaced a few at a time; a share of the pods is a share of the traffic.

use super::catalogue::About;
use super::document::{Key, Reader, optional, usual};
use super::plan::{Amount, PlanLeg, Rules, StrategyKind};
use super::steps::Steps;
use crate::units::written::{Wrong, percent, quoted, span, whole};
use crate::units::{Percent, Span};

pub(super) const ABOUT: About = About {
    kind: StrategyKind::Rolling,
    what: "pod by pod, with health checks",
    use_when: "versions can live side by side, and there is no router",
    risk: 2,
    risk_word: "low",
    rollback_speed: "medium",
    way_back: "old template back, pod by pod",
    needs: "a Deployment, and pods that finish their requests before they stop (preStop)",
    benefits: ["few extra pods", "always available", "works everywhere"],
    learn: "resource management: surge, missing pods, and health checks that tell the truth",
};

pub(super) const KEYS: &[Key] = &[
    usual("maxUnavailable", "1", "Pods that may be missing on the way: a number, or a share such as 25%."),
    usual("maxSurge", "1", "Pods more than asked for on the way: a number, or a share such as 25%."),
    usual("healthCheckPath", "/health", "Where each new pod says whether it is well."),
    usual("healthCheckTimeout", "30s", "How long health may fail; then the old template comes back."),
    optional("stepInterval", "5m", "Go batch by batch, and hold this long after each."),
];

/// More batches than this are a mistake.
pub(super) const MOST_BATCHES: u32 = 100;

/// What a rolling document asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Rolling {
    /// Pods that may be missing.
    pub max_unavailable: Amount,
    /// Pods more than asked for.
    pub max_surge: Amount,
    /// How long health may fail.
    pub health_check_timeout: Span,
    /// How long each batch is held; `None`: no batches.
    pub step_interval: Option<Span>,
}

impl Rolling {
    pub(super) fn read(reader: &mut Reader) -> Option<Rolling> {
        let max_unavailable = reader.value("maxUnavailable", amount);
        let max_surge = reader.value("maxSurge", amount);
        let health_check_timeout = reader.value("healthCheckTimeout", |t| match span(t)? {
            Span::ZERO => Err(Wrong::new("0s fails at once", "write 30s")),
            span => Ok(span),
        });
        let step_interval = reader.value("stepInterval", span);
        if let (Some(down), Some(up)) = (max_unavailable, max_surge)
            && down.is_none()
            && up.is_none()
        {
            let cause = "maxUnavailable: 0 beside maxSurge 0 lets no pod change";
            reader.wrong(&["maxUnavailable", "maxSurge"], Wrong::new(cause, "write 1 for one of them"));
        }
        Some(Rolling {
            max_unavailable: max_unavailable?,
            max_surge: max_surge?,
            health_check_timeout: health_check_timeout?,
            step_interval,
        })
    }

    /// Batches that the largest leg needs.
    pub(super) fn batches(&self, rules: &Rules, legs: &[PlanLeg]) -> u32 {
        let batches = |leg: &PlanLeg| {
            let (up, down) = rules.roll_pods(leg.base);
            leg.base.div_ceil(up + down)
        };
        match self.step_interval {
            Some(_) => legs.iter().map(batches).max().unwrap_or(1).max(1),
            None => 1,
        }
    }

    pub(super) fn wave(&self, steps: &mut Steps<'_>, wave: u16, legs: &[PlanLeg]) {
        let all = legs.iter().collect::<Vec<_>>();
        let batches = self.batches(steps.rules, legs);
        for nth in 1..=batches {
            // rounded down: a share's pods are rounded up, and a third of 6 pods is 2 of them
            let share = Percent::from_hundredths(10_000 * nth / batches).unwrap_or(Percent::ALL);
            let last = nth == batches;
            steps.weight(wave, &all, share, self.step_interval.filter(|_| !last).unwrap_or_default(), false);
            if nth == 1 && !last {
                steps.health(wave, &all);
            }
        }
        steps.wait_ready(wave, &all);
        steps.health(wave, &all);
    }

    pub(super) fn close(steps: &mut Steps<'_>, wave: u16, legs: &[PlanLeg]) {
        steps.hold(wave, &legs.iter().collect::<Vec<_>>(), steps.rules.rollback_window, false);
    }
}

/// A whole number is pods, with `%` a share of those asked for.
fn amount(text: &str) -> Result<Amount, Wrong> {
    if text.trim_end().ends_with('%') {
        return percent(text).map(Amount::Share);
    }
    whole(text).map(Amount::Pods).map_err(|wrong| {
        let cause =
            if wrong.cause.ends_with("too large") { wrong.cause } else { format!("{} is neither pods nor a share of them", quoted(text)) };
        Wrong::new(cause, "write 1, or 25%")
    })
}

impl Amount {
    fn is_none(self) -> bool {
        matches!(self, Amount::Pods(0) | Amount::Share(Percent::ZERO))
    }
}
