//! The second Deployment goes: the traffic's objects as their owner wrote them, his autoscaler too, then one delete.
//!
//! Its Services, budget and autoscaler are owned by it and go with it. Never while it has traffic, and a drain after every write that
//! takes it from there.

use super::around::APPS;
use super::replicas::lower;
use super::{Body, Next, Slot, Stage, traffic, write};
use crate::units::Percent;
use serde_json::Value;

/// What leads to no second Deployment.
pub(super) fn next(stage: &Stage<'_>) -> Next {
    let there = stage.second().is_some();
    if there {
        // Who has no ready pod at home keeps the second one, whatever the split says.
        if stage.share() > Percent::ZERO || stage.ready(Slot::Home) == 0 {
            return Next::Wait(None);
        }
        if let Err(wait) = stage.drained() {
            return wait;
        }
    }
    if let Some(write) = traffic::restore(stage) {
        return write;
    }
    let Some(whole) = stage.whole else { return Next::Read };
    if let Some(write) = lower(&whole.home_scaler) {
        return write;
    }
    if !there {
        return Next::Met;
    }
    match (&whole.next["metadata"]["name"], &whole.next["metadata"]["uid"]) {
        (Value::String(name), Value::String(uid)) => write(APPS, "deployments", name, Body::Delete(uid.clone())).dark(),
        _ => Next::Wait(None),
    }
}
