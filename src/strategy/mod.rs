//! Documents to plans: what a person wrote, checked, and the steps it means.
//!
//! Knows no engine, no cluster and no clock. Known weakness: expected durations come from the document and from pod
//! start times seen so far; a first launch of a service guesses 30 s a pod.

mod blue_green;
mod canary;
mod catalogue;
mod compile;
mod document;
mod limit;
mod plan;
mod regions;
mod rolling;
mod selection;
mod steps;
mod way_back;

pub use blue_green::BlueGreen;
pub use canary::Canary;
pub use catalogue::{About, about, keys, strategy};
pub use compile::compile;
pub use document::{COMMON, Document, Entry, Key, Shape};
pub use plan::{Amount, Compensation, Gate, Limit, Plan, PlanLeg, Reversible, Route, Rules, Step, StepKind, StrategyKind};
pub use regions::Regions;
pub use rolling::Rolling;
pub use selection::{Origin, Sources, kebab};
pub use way_back::{BackMove, WayBack};
