//! flightdeck: a deployment cockpit in the terminal.
//!
//! The rooms below are listed in the order of what they may know: a room imports only from rooms above it
//! (`tests/architecture.rs` holds that). The rooms up to `simulator` are pure: no I/O, no clock, no randomness of their own.
#![forbid(unsafe_code)]

pub mod units;
pub mod fleet;
pub mod analysis;
pub mod strategy;
pub mod rollout;
pub mod simulator;
pub mod practice;
pub mod journal;
pub mod settings;
pub mod platform;
pub mod cockpit;
pub mod tui;
pub mod cli;
