//! The steps of a plan while they are put together: kinds with their gates, times and compensations.
//!
//! Knows no document and no strategy. Known weakness: expected times take pods as starting all at once, and a fleet without
//! figures as one whose pods start in 30 s.

use super::plan::{Amount, Compensation, Gate, PlanLeg, Reversible, Route, Rules, Step, StepKind};
use crate::units::{LegId, Percent, Span};

/// One good answer of every pod, asked over the network.
const HEALTH_ROUND: Span = Span::secs(2);
/// A weight or a selector, from the write until the traffic is seen to have moved.
const MOVE: Span = Span::secs(1);
/// A drain of 10 s, and pods that end.
const RETIRE: Span = Span::secs(20);
/// How long the second workload stays, idle, after the first has adopted its template; never longer than the rollback window.
const SECOND_WINDOW: Span = Span::mins(5);

/// Steps so far.
pub(super) struct Steps<'r> {
    pub rules: &'r Rules,
    /// What the document wants open before traffic moves.
    pub gates: &'r [Gate],
    pub all: Vec<Step>,
}

impl Steps<'_> {
    /// Pods of the new side beside the old ones, enough for the next share. Legs that go by pods have none of their own.
    pub fn scale(&mut self, wave: u16, legs: &[PlanLeg]) {
        let beside = only(legs, Route::Weights);
        if !beside.is_empty() {
            self.push(StepKind::Scale, wave, &beside, slowest(&beside));
        }
    }

    /// The first pods of the new side, and their health.
    pub fn start(&mut self, wave: u16, legs: &[PlanLeg]) {
        self.scale(wave, legs);
        let beside = only(legs, Route::Weights);
        if !beside.is_empty() {
            self.health(wave, &beside);
        }
    }

    /// Every pod of the new side asked for its health.
    pub fn health(&mut self, wave: u16, legs: &[&PlanLeg]) {
        self.push(StepKind::HealthCheck, wave, legs, Span(HEALTH_ROUND.0 * u64::from(self.rules.healthy_in_a_row)));
    }

    /// Waits until every pod of the new side is ready.
    pub fn wait_ready(&mut self, wave: u16, legs: &[&PlanLeg]) {
        self.push(StepKind::WaitReady, wave, legs, slowest(legs));
    }

    /// A share of the traffic; `judged`: the step is left only after good checks.
    pub fn weight(&mut self, wave: u16, legs: &[&PlanLeg], weight: Percent, hold: Span, judged: bool) {
        let first = !self.moved_in(wave);
        let before = |leg: &PlanLeg| self.all.iter().rev().find(|s| s.weight.is_some() && s.legs.contains(&leg.id)).and_then(|s| s.weight);
        let grows = legs.iter().map(|leg| match (leg.route, before(leg)) {
            // the pods for the first share are there already
            (Route::Weights, None) => MOVE,
            (Route::Weights, Some(was)) if leg.pods_for(weight, 1.0) == leg.pods_for(was, 1.0) => MOVE,
            (Route::Weights, Some(_)) => leg.start_takes + MOVE,
            (Route::Pods, was) => self.rules.rolls(leg, was.unwrap_or_default(), weight),
        });
        let takes = grows.max().unwrap_or_default() + hold;
        let gates = self.gates_of_move(first, judged);
        let step = self.push(StepKind::SetWeight, wave, legs, takes);
        (step.weight, step.hold, step.gates) = (Some(weight), (hold > Span::ZERO).then_some(hold), gates);
    }

    /// All traffic at once.
    pub fn switch(&mut self, wave: u16, legs: &[&PlanLeg]) {
        let gates = self.gates_of_move(!self.moved_in(wave), false);
        let step = self.push(StepKind::Switch, wave, legs, MOVE);
        (step.weight, step.gates) = (Some(Percent::ALL), gates);
    }

    /// Waits; `judged`: the step is left only after good checks.
    pub fn hold(&mut self, wave: u16, legs: &[&PlanLeg], span: Span, judged: bool) {
        let step = self.push(StepKind::Hold, wave, legs, span);
        (step.hold, step.gates) = (Some(span), if judged { vec![Gate::Verdict] } else { Vec::new() });
    }

    /// The old pods go, where they stand beside the new ones. A workload that has a second one adopts its template first, and the
    /// second stays idle for a shorter window before it goes.
    pub fn retire(&mut self, wave: u16, legs: &[PlanLeg]) {
        let beside = only(legs, Route::Weights);
        let adopts: Vec<&PlanLeg> = beside.iter().filter(|l| l.beside.is_some()).copied().collect();
        if !adopts.is_empty() {
            let takes = slowest(&adopts) + MOVE + RETIRE;
            self.push(StepKind::Adopt, wave, &adopts, takes);
            self.hold(wave, &adopts, SECOND_WINDOW.min(self.rules.rollback_window), false);
        }
        if !beside.is_empty() {
            let gates = self.gates.iter().copied().filter(|g| *g != Gate::Approval).collect();
            self.push(StepKind::Retire, wave, &beside, RETIRE).gates = gates;
        }
    }

    fn moved_in(&self, wave: u16) -> bool {
        self.all.iter().any(|s| s.wave == wave && s.weight.is_some())
    }

    /// An approval is asked for once a wave, before its first users.
    fn gates_of_move(&self, first: bool, judged: bool) -> Vec<Gate> {
        let asked = self.gates.iter().copied().filter(|g| first || *g != Gate::Approval);
        judged.then_some(Gate::Verdict).into_iter().chain([Gate::Capacity]).chain(asked).collect()
    }

    fn push(&mut self, kind: StepKind, wave: u16, legs: &[&PlanLeg], expected: Span) -> &mut Step {
        let by_pods = legs.iter().any(|l| l.route == Route::Pods);
        let (compensation, reversible) = match kind {
            StepKind::Scale => (Compensation::RemoveNewPods, Reversible::Instant),
            StepKind::WaitReady | StepKind::HealthCheck | StepKind::Hold => (Compensation::Nothing, Reversible::Instant),
            StepKind::SetWeight if by_pods => (Compensation::TemplateBack, Reversible::Gradual),
            StepKind::SetWeight => (Compensation::WeightZero, Reversible::Instant),
            StepKind::Switch => (Compensation::SwitchBack, Reversible::Instant),
            StepKind::Adopt => (Compensation::OldBeside, Reversible::Gradual),
            StepKind::Retire if legs.iter().all(|l| l.beside.is_some()) => (Compensation::OldBeside, Reversible::Gradual),
            StepKind::Retire => (Compensation::StartOldPods, Reversible::Gradual),
        };
        let legs: Vec<LegId> = legs.iter().map(|l| l.id.clone()).collect();
        let at = self.all.len();
        self.all.push(Step { kind, wave, legs, weight: None, hold: None, gates: Vec::new(), expected, compensation, reversible });
        &mut self.all[at]
    }
}

/// The legs with one sort of route.
pub(super) fn only(legs: &[PlanLeg], route: Route) -> Vec<&PlanLeg> {
    legs.iter().filter(|l| l.route == route).collect()
}

/// How long the pods of the slowest leg take to start, all at once.
fn slowest(legs: &[&PlanLeg]) -> Span {
    legs.iter().map(|l| l.start_takes).max().unwrap_or_default()
}

impl Rules {
    /// Pods more than asked for, and pods that may be missing, of `base`: a share of surge is rounded up, one of missing pods
    /// down, and not both are 0 (as the Deployment controller does it).
    pub fn roll_pods(&self, base: u32) -> (u32, u32) {
        let up = match self.max_surge {
            Amount::Pods(n) => n,
            Amount::Share(share) => share.of_rounded_up(base),
        };
        let down = match self.max_unavailable {
            Amount::Pods(n) => n.min(base),
            Amount::Share(share) => (u64::from(base) * u64::from(share.hundredths()) / 10_000) as u32,
        };
        if up == 0 && down == 0 { (0, 1) } else { (up, down) }
    }

    /// How long a workload is expected to roll from one share of its pods to another.
    pub fn rolls(&self, leg: &PlanLeg, from: Percent, to: Percent) -> Span {
        let pods = to.of_rounded_up(leg.base).abs_diff(from.of_rounded_up(leg.base));
        let (up, down) = self.roll_pods(leg.base);
        Span(leg.start_takes.0 * u64::from(pods.div_ceil(up + down)))
    }
}
