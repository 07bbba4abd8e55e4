//! A version has so many pods: in the slot that runs it, or in the one that has no traffic.
//!
//! Pods are only added. Where an autoscaler owns a number, its bounds are raised, and what its owner wrote is noted and given back.

use super::super::fence::escaped;
use super::around::{APPS, SCALING};
use super::second::{self, note};
use super::{Body, Next, Slot, Stage, home, labels, refuse, write};
use crate::fleet::{Side, Way};
use crate::units::Percent;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The annotation on an autoscaler whose bounds were raised: of each what its owner wrote, and to what.
const RAISED: &str = "flightdeck.dev/raised";
const BOUNDS: [&str; 2] = ["minReplicas", "maxReplicas"];

/// What leads to `pods` pods of a side.
pub(super) fn next(stage: &Stage<'_>, side: Side, pods: u32) -> Next {
    // On the way back the new version never gets a place that it does not have.
    if side == Side::New && stage.order.wish.way == Way::Back {
        return Next::Met;
    }
    let idle = stage.slot_side(Slot::Next) != Some(side);
    if stage.slot_side(Slot::Home) == Some(side) || (idle && stage.owners_own()) {
        return if stage.home().replicas >= pods { Next::Met } else { scale_home(stage, pods) };
    }
    let Some(d) = stage.second() else { return create(stage, side, pods) };
    if stage.slot_side(Slot::Next) == Some(side) {
        return furnish(stage, pods);
    }
    if stage.share() > Percent::ZERO {
        // The second one serves: what has no traffic is at home.
        return if stage.share() == Percent::ALL { home::take(stage, side) } else { stage.moved("") };
    }
    if let Err(wait) = stage.drained() {
        return wait;
    }
    let mut ops = match template(stage, side) {
        Ok(template) => vec![json!({"op": "replace", "path": "/spec/template", "value": template})],
        Err(other) => return other,
    };
    if d.replicas < pods {
        ops.push(json!({"op": "replace", "path": "/spec/replicas", "value": pods}));
    }
    stage.patch(Slot::Next, ops).dark()
}

/// The first Deployment gets more pods.
pub(super) fn scale_home(stage: &Stage<'_>, pods: u32) -> Next {
    let Some(whole) = stage.whole else { return Next::Read };
    if whole.home_scaler.is_null() {
        return stage.patch(Slot::Home, vec![json!({"op": "replace", "path": "/spec/replicas", "value": pods})]);
    }
    raise(&whole.home_scaler, pods).unwrap_or(Next::Wait(None))
}

/// A bound of an autoscaler.
fn bound(scaler: &Value, name: &str) -> u64 {
    scaler["spec"][name].as_u64().unwrap_or(1)
}

/// What was raised: what its owner wrote, and to what.
fn raised(scaler: &Value) -> Option<BTreeMap<String, (u64, u64)>> {
    note(scaler, RAISED).map(|text| serde_json::from_str(text).unwrap_or_default())
}

/// Raises an autoscaler's bounds, so that there are so many pods; nothing where its least number is high enough.
fn raise(scaler: &Value, pods: u32) -> Option<Next> {
    let pods = u64::from(pods);
    if bound(scaler, "minReplicas") >= pods {
        return None;
    }
    let mut all = raised(scaler).unwrap_or_default();
    let mut changes = Vec::new();
    for name in BOUNDS.into_iter().filter(|name| bound(scaler, name) < pods) {
        // What is not what it was raised to, its owner wrote since.
        let now = bound(scaler, name);
        let wrote = all.get(name).filter(|(_, ours)| *ours == now).map_or(now, |(his, _)| *his);
        all.insert(name.to_owned(), (wrote, pods));
        changes.push(json!({"op": "add", "path": format!("/spec/{name}"), "value": pods}));
    }
    let text = json!(all).to_string();
    changes.push(match scaler["metadata"]["annotations"].is_object() {
        true => json!({"op": "add", "path": format!("/metadata/annotations/{}", escaped(RAISED)), "value": text}),
        false => json!({"op": "add", "path": "/metadata/annotations", "value": {RAISED: text}}),
    });
    Some(bounds(scaler, changes))
}

/// Gives an autoscaler the bounds back that its owner wrote; nothing where none was raised.
pub(super) fn lower(scaler: &Value) -> Option<Next> {
    let all = raised(scaler)?;
    let mut changes = vec![json!({"op": "remove", "path": format!("/metadata/annotations/{}", escaped(RAISED))})];
    let mut least = 0;
    for name in BOUNDS {
        let now = bound(scaler, name);
        // One that its owner changed since stays, and the greatest number is never below the least.
        let back = all.get(name).filter(|(_, ours)| *ours == now).map_or(now, |(his, _)| (*his).max(least));
        if back != now {
            changes.push(json!({"op": "replace", "path": format!("/spec/{name}"), "value": back}));
        }
        least = back;
    }
    Some(bounds(scaler, changes))
}

/// A patch of an autoscaler as it was read.
fn bounds(scaler: &Value, changes: Vec<Value>) -> Next {
    let mut ops = vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": scaler["metadata"]["resourceVersion"]})];
    ops.extend(changes);
    write(SCALING, "horizontalpodautoscalers", scaler["metadata"]["name"].as_str().unwrap_or_default(), Body::Patch(ops))
}

/// The second Deployment, and what it needs to serve.
fn create(stage: &Stage<'_>, side: Side, pods: u32) -> Next {
    let scene = &stage.sight.scene;
    let why = if stage.order.wish.way == Way::Back { scene.undivided.as_ref() } else { scene.why_not() };
    if let Some(why) = why {
        return refuse(stage.order, why, "choose rolling");
    }
    let Some(whole) = stage.whole else { return Next::Read };
    if whole.home.is_null() || whole.object.is_null() {
        return Next::Read;
    }
    match template(stage, side) {
        Ok(template) => {
            let body = second::deployment(stage, whole, template, pods);
            let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            write(APPS, "deployments", &name, Body::Create(body))
        }
        Err(other) => other,
    }
}

/// What the second Deployment has beside its pods, then its number.
fn furnish(stage: &Stage<'_>, pods: u32) -> Next {
    let Some(d) = stage.second() else { return Next::Wait(None) };
    let Some(whole) = stage.whole else { return Next::Read };
    if whole.next.is_null() {
        return Next::Read;
    }
    if let Some(missing) = second::missing(stage, whole, pods) {
        return missing;
    }
    if !whole.next_scaler.is_null() {
        return raise(&whole.next_scaler, pods).unwrap_or(Next::Met);
    }
    match d.replicas >= pods {
        true => Next::Met,
        false => stage.patch(Slot::Next, vec![json!({"op": "replace", "path": "/spec/replicas", "value": pods})]),
    }
}

/// A side's template for the second Deployment.
fn template(stage: &Stage<'_>, side: Side) -> Result<Value, Next> {
    let keys = &stage.sight.scene.keys;
    let mut template = match side {
        Side::Old => stage.template.ok_or(Next::Fetch)?.template.clone(),
        Side::New => {
            if stage.slot_side(Slot::Home) != Some(Side::Old) && stage.order.wish.way == Way::Forward {
                return Err(stage.moved(""));
            }
            let whole = stage.whole.ok_or(Next::Read)?;
            let mut template = whole.home["spec"]["template"].clone();
            let of = |c: &&mut Value| c["name"] == *stage.order.container;
            let container = template["spec"]["containers"].as_array_mut().into_iter().flatten().find(of);
            match container {
                Some(container) => container["image"] = json!(stage.order.image),
                None => {
                    let cause = format!("there is no container {}", stage.order.container);
                    return Err(refuse(stage.order, &cause, "name one of its containers"));
                }
            }
            template
        }
    };
    labels::template(&mut template, keys, true);
    Ok(template)
}
