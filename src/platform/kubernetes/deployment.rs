//! Driving a plain Deployment: from the wish and what is seen, the one write that leads on.
//!
//! Pure: a sight goes in, a JSON patch comes out. A forward write tests the fence and the image as they were read; a write back
//! tests nothing. Known weakness: the controller is paused when it has begun the last pod of a batch, so pods that surge stay until
//! the next one, and a late pause lets up to surge and unavailable more pods begin.

use super::fence::{self, FLIGHT, fenced, is_ours, refusal};
use super::objects::{CAUSE, FORMER};
use super::rows;
use super::sights::{Sight, Template};
use crate::fleet::{Flight, Way};
use crate::platform::Order;
use crate::rollout::Want;
use crate::units::{Percent, Revision, Trouble};
use serde_json::{Value, json};

/// What a wish has already led to. Each is written once per wish: what somebody else changes afterwards is not fought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Done {
    fence: bool,
    template: bool,
    numbers: bool,
    pause: bool,
    resume: bool,
    restore: bool,
}

impl Done {
    fn or(self, other: Done) -> Done {
        Done {
            fence: self.fence || other.fence,
            template: self.template || other.template,
            numbers: self.numbers || other.numbers,
            pause: self.pause || other.pause,
            resume: self.resume || other.resume,
            restore: self.restore || other.restore,
        }
    }
}

/// A write, with what it was made from, so that a refusal can be explained.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Write {
    /// The JSON patch.
    pub(super) patch: Value,
    /// What has been led to when it is taken.
    pub(super) done: Done,
    /// Whether it tests a fence that was read, and which image.
    tested_fence: bool,
    tested_image: Option<String>,
}

/// What leads on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing: the wish is met.
    Met,
    /// The controller.
    Wait,
    /// The old template has to be fetched first.
    Fetch,
    /// One write.
    Write(Box<Write>),
    /// Nothing, for this reason; the fence where it says that somebody else drives.
    Refuse(Trouble, Option<Flight>),
}

/// The one thing that leads on from what is seen.
pub(super) fn next(order: &Order, sight: &Sight, template: Option<&Template>, done: Done) -> Next {
    let Want::Roll { forward, share, surge, unavailable, paused } = order.wish.want else {
        return Next::Refuse(refusal(order, "needs a second Deployment, not offered on this cluster", "choose rolling"), None);
    };
    let (d, row) = (&sight.deployment, &sight.row);
    let flight = rows::flight(d);
    if let Some(trouble) = flight.as_ref().and_then(|f| fenced(order, f)) {
        return Next::Refuse(trouble, flight);
    }
    // What the controller has not seen yet says nothing of what it will do. Only a way back does not wait for that.
    let settled = d.observed >= d.generation;
    if !settled && (forward || done.fence) {
        return Next::Wait;
    }
    let index = d.images.iter().position(|(c, _)| **c == *order.container);
    let image = index.and_then(|i| d.images.get(i)).map_or("", |(_, image)| &**image);
    if forward && index.is_none() {
        let there: Vec<&str> = d.images.iter().map(|(c, _)| &**c).collect();
        let cause = format!("there is no container {}: {}", order.container, there.join(", "));
        return Next::Refuse(refusal(order, &cause, "name one of them"), None);
    }
    let matched = if forward { image == order.image } else { settled && runs(sight, &order.old) };
    let can_roll = rows::rolling(d);
    if forward && can_roll.is_none() && share < Percent::ALL {
        let cause = "it replaces all its pods at once (strategy Recreate), so there are no batches";
        return Next::Refuse(refusal(order, cause, "roll it to 100 % in one step"), None);
    }
    if forward && !matched && !paused && (done.template || row.template != order.old) {
        return Next::Refuse(moved(order, sight, image), None);
    }
    let have = if matched { row.revision(&row.template).map_or(0, |r| r.pods.want) } else { 0 };
    let target = share.of_rounded_up(d.replicas);
    let reached = matched && have >= target;
    let hold = paused || (share < Percent::ALL && reached);
    let ours = flight.as_ref().is_some_and(|f| is_ours(order, f));
    let finished = matched && share == Percent::ALL && !paused && row.complete;

    let mut plan = Plan { template: !matched && !done.template && !paused, ..Plan::default() };
    plan.pause = hold && !d.paused && !done.pause;
    // A pause that nobody of ours made is the owner's, where nothing has to move any more.
    let may_resume = plan.template || !row.complete || flight.as_ref().is_some_and(|f| f.rollout == order.rollout);
    plan.resume = !hold && d.paused && !done.resume && may_resume;
    if forward {
        let left = if share < Percent::ALL { target.saturating_sub(have).max(1) } else { u32::MAX };
        let numbers = clamp(surge, unavailable, left);
        let wanted = can_roll.is_some_and(|now| now != numbers) && !hold && !finished;
        let free = plan.template || plan.resume || !done.numbers;
        plan.numbers = (wanted && free && (!matched || !row.complete)).then_some(numbers);
        plan.restore = finished && d.former.is_some() && !done.restore;
    } else {
        plan.restore = d.former.is_some() && !done.restore && !paused;
    }
    plan.fence = !ours && !done.fence;
    if plan != Plan::default() {
        return write(order, sight, template, done, plan, index.unwrap_or_default());
    }
    let held = d.paused || done.pause;
    let met = if paused {
        held
    } else if share < Percent::ALL {
        reached && held
    } else {
        finished
    };
    if met { Next::Met } else { Next::Wait }
}

/// What one write does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Plan {
    fence: bool,
    template: bool,
    pause: bool,
    resume: bool,
    numbers: Option<(u32, u32)>,
    restore: bool,
}

fn write(order: &Order, sight: &Sight, template: Option<&Template>, done: Done, plan: Plan, index: usize) -> Next {
    let d = &sight.deployment;
    let forward = matches!(order.wish.want, Want::Roll { forward: true, .. });
    let tested = order.wish.way == Way::Forward;
    let mut ops = Vec::new();
    let mut notes: Vec<(&str, Option<String>)> = Vec::new();
    let mut tested_image = None;
    if tested && d.annotated {
        ops.push(fence::test(FLIGHT, d.flight.as_deref()));
    }
    notes.push((FLIGHT, Some(fence::text(order, d.flight.as_deref()))));
    if plan.template && forward {
        let container = format!("/spec/template/spec/containers/{index}");
        let image = d.images.get(index).map(|(_, i)| i.to_string()).unwrap_or_default();
        ops.push(json!({"op": "test", "path": format!("{container}/name"), "value": order.container}));
        ops.push(json!({"op": "test", "path": format!("{container}/image"), "value": image}));
        ops.push(json!({"op": "replace", "path": format!("{container}/image"), "value": order.image}));
        tested_image = Some(image);
    } else if plan.template {
        let Some(t) = template else { return Next::Fetch };
        ops.push(json!({"op": "replace", "path": "/spec/template", "value": t.template}));
        if t.change_cause.as_deref() != d.change_cause.as_deref() {
            notes.push((CAUSE, t.change_cause.clone()));
        }
    }
    if let Some((surge, unavailable)) = plan.numbers {
        let block = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}});
        ops.push(json!({"op": "replace", "path": "/spec/strategy", "value": block}));
        if d.former.is_none() {
            notes.push((FORMER, Some(d.strategy.to_string())));
        }
    } else if plan.restore {
        // One that somebody spoiled is dropped: the numbers of the rollout stay, which serves users as well.
        if let Some(block) = d.former.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()).filter(Value::is_object) {
            ops.push(json!({"op": "replace", "path": "/spec/strategy", "value": block}));
        }
        notes.push((FORMER, None));
    }
    if plan.pause || plan.resume {
        ops.push(json!({"op": "add", "path": "/spec/paused", "value": plan.pause}));
    }
    ops.extend(fence::notes(d.annotated, notes));
    let now = Done {
        fence: true,
        template: plan.template,
        numbers: plan.numbers.is_some(),
        pause: plan.pause,
        resume: plan.resume,
        restore: plan.restore,
    };
    Next::Write(Box::new(Write { patch: Value::Array(ops), done: done.or(now), tested_fence: tested && d.flight.is_some(), tested_image }))
}

/// Which of a refused write's tests failed, from a fresh look. `None`: none of them that forbids to try again.
pub(super) fn explain(order: &Order, write: &Write, fresh: &Sight) -> Option<(Trouble, Option<Flight>)> {
    let d = &fresh.deployment;
    let flight = rows::flight(d);
    if let Some(trouble) = flight.as_ref().and_then(|f| fenced(order, f)) {
        return Some((trouble, flight));
    }
    if write.tested_fence && d.flight.is_none() {
        return Some((refusal(order, "the fence was removed while writing", "look who did, then retry"), None));
    }
    let image = d.images.iter().find(|(c, _)| **c == *order.container).map(|(_, i)| &**i);
    match (&write.tested_image, image) {
        (Some(_), None) => Some((refusal(order, &format!("the container {} is gone", order.container), "look who changed it"), None)),
        (Some(read), Some(now)) if read != now => Some((moved(order, fresh, now), None)),
        _ => None,
    }
}

/// Whether the Deployment's own template is that of a revision.
fn runs(sight: &Sight, revision: &Revision) -> bool {
    let (d, row) = (&sight.deployment, &sight.row);
    let images = row.revision(revision).map(|r| r.images.iter().map(|(c, i)| (&**c, &**i)).collect::<Vec<_>>());
    // Paused, a changed template has no ReplicaSet yet; then no pod counts as updated.
    let begun = d.updated > 0 || d.replicas == 0 || !d.paused;
    row.template == *revision && begun && images == Some(d.images.iter().map(|(c, i)| (&**c, &**i)).collect())
}

/// So few pods at once that a batch ends where it should.
fn clamp(surge: u32, unavailable: u32, left: u32) -> (u32, u32) {
    let up = surge.min(left);
    let down = unavailable.min(left - up);
    if up == 0 && down == 0 { (0, 1) } else { (up, down) }
}

fn moved(order: &Order, sight: &Sight, image: &str) -> Trouble {
    let by = sight.row.changed_by.as_ref().map_or_else(|| "somebody else".to_owned(), ToString::to_string);
    let cause = format!("its template was changed by {by}: {} is {image}", order.container);
    refusal(order, &cause, "look at it, then launch anew or roll back")
}

#[cfg(test)]
mod tests;
