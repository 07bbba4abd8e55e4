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
mod plan_text;
mod queries;
mod regions;
mod rolling;
mod selection;
mod steps;
mod strategies_text;
mod way_back;
mod words;

pub use blue_green::BlueGreen;
pub use canary::Canary;
pub use catalogue::{About, about, keys, strategy};
pub use compile::compile;
pub use document::{COMMON, Document, Entry, Key, NO_EFFECT, Shape};
pub use plan::{Amount, Compensation, Gate, Limit, Plan, PlanLeg, Reversible, Route, Rules, Step, StepKind, StrategyKind};
pub use plan_text::{BackRun, plan_json, plan_text};
pub use queries::{NAMES as QUERY_NAMES, Queries, filled, queries};
pub use regions::Regions;
pub use rolling::Rolling;
pub use selection::{Origin, Sources, kebab};
pub use strategies_text::{strategies_json, strategies_text, strategy_help, strategy_text};
pub use way_back::{BackMove, WayBack};
