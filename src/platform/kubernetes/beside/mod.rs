//! Blue-green and canary on a plain Deployment: the new version runs in a second Deployment, `order-next`, until the first adopts it.
//!
//! Each wish is a pure function from what is seen to the one write that leads on, so that anybody can go on from any state, and every
//! state serves users with nobody driving. The engine speaks of sides (old, new); here they are mapped to slots (the first
//! Deployment, the second). Known weakness: the fence stands on what divides the traffic, so a write to pods that have none can only read
//! it once more before; what moves in the milliseconds between is not seen.

mod around;
mod drive;
mod home;
mod labels;
mod replicas;
mod retire;
mod scene;
mod second;
mod traffic;

pub(super) use around::look_around;
pub(super) use drive::drive;
pub(super) use labels::NEXT;
pub(super) use scene::{Around, Scene, Selecting};

use super::fence::{self, fenced, refusal};
use super::objects::Deployment;
use super::sights::{Sight, Template};
use crate::fleet::{Aspect, Division, Flight, Side, Way};
use crate::platform::Order;
use crate::rollout::Want;
use crate::units::{Percent, Span, Time, Trouble};
use around::Whole;
use serde_json::Value;
use std::collections::BTreeSet;

/// After traffic went from pods, and before they change.
const DRAIN: Span = Span::secs(10);

/// What a wish has to work with.
struct Stage<'a> {
    order: &'a Order,
    sight: &'a Sight,
    /// The old template, once fetched.
    template: Option<&'a Template>,
    /// Whole objects, once read.
    whole: Option<&'a Whole>,
    /// What this wish has already given its final state: what somebody else changes afterwards is not fought.
    done: &'a BTreeSet<String>,
    now: Time,
}

/// What leads on.
#[derive(Clone, Debug, PartialEq)]
enum Next {
    /// Nothing: the wish is met.
    Met,
    /// A controller, or until then.
    Wait(Option<Time>),
    /// Whole objects have to be read first.
    Read,
    /// The old template has to be fetched first.
    Fetch,
    /// One write.
    Write(Box<Write>),
    /// Nothing, for this reason; the fence where it says that somebody else drives.
    Refuse(Box<(Trouble, Option<Flight>)>),
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
struct Write {
    api: &'static str,
    plural: &'static str,
    name: String,
    body: Body,
    /// It gives the object the state that the wish wants of it.
    last: bool,
    /// It changes pods that have no traffic: the split is read once more before it leaves.
    dark: bool,
}

impl Next {
    /// A write that changes pods that have no traffic.
    fn dark(mut self) -> Next {
        if let Next::Write(write) = &mut self {
            write.dark = true;
        }
        self
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    /// A JSON patch.
    Patch(Vec<Value>),
    /// A JSON merge patch.
    Merge(Value),
    Create(Value),
    /// Deletes what has this `metadata.uid`.
    Delete(String),
}

/// A slot: the first Deployment, or the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Home,
    Next,
}

/// The one thing that leads on from what is seen.
fn next(stage: &Stage<'_>) -> Next {
    let flight = stage.sight.row.flight.as_ref();
    if let Some((trouble, flight)) = flight.and_then(|f| Some((fenced(stage.order, f)?, f))) {
        return Next::Refuse(Box::new((trouble, Some(flight.clone()))));
    }
    let side = if stage.order.wish.key.aspect == Aspect::OldReplicas { Side::Old } else { Side::New };
    match stage.order.wish.want {
        Want::Weight { new } => traffic::next(stage, new),
        Want::Replicas { pods: 0 } => retire::next(stage),
        Want::Replicas { pods } => replicas::next(stage, side, pods),
        Want::Home { forward } => home::next(stage, if forward { Side::New } else { Side::Old }),
        Want::Roll { .. } => refuse(stage.order, "it has a second Deployment beside it", "finish that rollout first"),
    }
}

impl<'a> Stage<'a> {
    fn home(&self) -> &'a Deployment {
        &self.sight.deployment
    }
    fn second(&self) -> Option<&'a Deployment> {
        self.sight.scene.next.as_ref()
    }
    /// The side that a Deployment's template is; `None` where it is neither.
    fn side_of(&self, d: &Deployment) -> Option<Side> {
        let images: Vec<(String, String)> = d.images.iter().map(|(c, i)| (c.to_string(), i.to_string())).collect();
        if images.iter().any(|(c, i)| *c == self.order.container && *i == self.order.image) {
            return Some(Side::New);
        }
        let old = self.sight.row.revision(&self.order.old)?;
        (old.images == images).then_some(Side::Old)
    }
    fn slot_side(&self, slot: Slot) -> Option<Side> {
        match slot {
            Slot::Home => self.side_of(self.home()),
            Slot::Next => self.side_of(self.second()?),
        }
    }
    /// Whether, on the way back, its owner has put a version of his own into the first Deployment: it is never overwritten.
    fn owners_own(&self) -> bool {
        self.order.wish.way == Way::Back && self.slot_side(Slot::Home).is_none()
    }
    /// Whether a slot runs its template and nothing else.
    fn alone(&self, slot: Slot) -> bool {
        match (slot, &self.sight.row.beside) {
            (Slot::Home, None) => self.sight.row.complete,
            (Slot::Home, Some(b)) => b.home.is_some(),
            (Slot::Next, b) => b.as_ref().is_some_and(|b| b.revision.is_some()),
        }
    }
    /// Pods of a slot that get requests, or would get them.
    fn ready(&self, slot: Slot) -> u32 {
        // Behind a route each slot has a Service of its own; behind one selector nobody names the pods that have no traffic.
        let strict = self.sight.slices_known && self.sight.scene.how == Division::Weights;
        let serves = |served: Option<bool>| if strict { served == Some(true) } else { served != Some(false) };
        self.sight.pods.iter().filter(|p| p.next == (slot == Slot::Next) && p.ready && serves(p.served)).count() as u32
    }
    /// The share that is asked for the second one.
    fn share(&self) -> Percent {
        self.sight.scene.share().unwrap_or_default()
    }
    /// Waits where the split has not stood for the time of a drain.
    fn drained(&self) -> Result<(), Next> {
        match self.sight.scene.since.map(|since| since + DRAIN) {
            Some(at) if at <= self.now => Ok(()),
            at => Err(Next::Wait(at)),
        }
    }
    /// The first Deployment has neither template.
    fn moved(&self, when: &str) -> Next {
        let (d, order) = (self.home(), self.order);
        let by = d.changed_by.as_ref().map_or("somebody else", |(who, _)| who);
        let image = d.images.iter().find(|(c, _)| **c == *order.container).map_or("gone", |(_, image)| image);
        let cause = format!("{} was changed by {by}{when}: {} is {image}", d.name, order.container);
        refuse(order, &cause, "look at it, then launch anew or roll back")
    }
    /// A patch of one of the two Deployments, made from the generation that was read.
    fn patch(&self, slot: Slot, mut ops: Vec<Value>) -> Next {
        let Some(d) = (if slot == Slot::Home { Some(self.home()) } else { self.second() }) else { return Next::Wait(None) };
        ops.insert(0, serde_json::json!({"op": "test", "path": "/metadata/generation", "value": d.generation}));
        let stands = d.flight.as_deref();
        let note = vec![(fence::FLIGHT, Some(fence::text(self.order, stands)))];
        ops.extend(fence::notes(d.annotated, note));
        write(around::APPS, "deployments", &d.name, Body::Patch(ops))
    }
}

fn refuse(order: &Order, cause: &str, remedy: &str) -> Next {
    Next::Refuse(Box::new((refusal(order, cause, remedy), None)))
}

fn write(api: &'static str, plural: &'static str, name: &str, body: Body) -> Next {
    Next::Write(Box::new(Write { api, plural, name: name.to_owned(), body, last: false, dark: false }))
}

#[cfg(test)]
mod tests;
