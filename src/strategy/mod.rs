//! Documents to plans: what a person wrote, checked, and the steps it means.
//!
//! Knows no engine, no cluster and no clock. Known weakness: expected durations come from the document and from pod
//! start times seen so far; a first launch of a service guesses 30 s a pod.

mod plan;

pub use plan::{Amount, Compensation, Gate, Limit, Plan, PlanLeg, Reversible, Route, Rules, Step, StepKind, StrategyKind};
