//! The engine: what a rollout decides from what is seen and pressed, as events, and what should be true out there.
//!
//! A state machine without I/O, clock or randomness. `decide` turns an input and the time into events and changes nothing;
//! `apply` is the only writer, live and in replay; `wishes`, `asks` and `status` are derived. Known weakness: it believes
//! what it is told, so a platform that lies about ready pods can make it move too much.

mod apply;
mod back;
mod capacity;
mod compile;
mod decide;
mod event;
mod forward;
mod input;
mod mood;
mod others;
mod press;
mod show;
mod state;
mod status;
mod watched;
mod wish;
mod wishes;

pub use event::{By, Event, NotHeld, RollbackCause, What};
pub use forward::DRIVER;
pub use input::{Input, Refusal, Verb};
pub use state::{Phase, Rollout};
pub use status::{BackStatus, LegMood, LegStatus, Mood, Move, Proof, Readiness, RollbackKind, RollbackPlan, Status, StepState, StepStatus};
pub use watched::{RECENT, watch};
pub use wish::{Ask, Want, Wish, WishKey};
