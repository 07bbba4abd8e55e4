//! A fleet in a box: regions, services, pods and users, with seeded random numbers and no clock of its own.
//!
//! It is handed `now`, takes writes and questions, and tells facts, as a real fleet would. The same seed and the same inputs
//! give the same run, bit for bit, however often it is polled. It knows nothing of rollouts beyond whose write counts, and
//! must never know a strategy or a screen. Known weakness: regions share nothing but bursts of errors; there is no network
//! between services, so a slow one slows no other.

mod dice;
mod faults;
mod fleet;
mod lag;
mod layout;
mod pods;
mod roll;
mod traffic;
mod workload;
mod write;

pub use faults::{Fault, Ill, Incident, When};
pub use fleet::Fleet;
pub use layout::{CONTAINER, Layout, NAMESPACE, RegionPlan, START, ServicePlan};
pub use write::Write;
