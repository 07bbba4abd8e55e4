//! The fence: whose write counts, as every write tests and says it.
//!
//! Pure: an order and an annotation go in, texts and patch operations come out.

use crate::fleet::{Flight, Way};
use crate::platform::Order;
use crate::units::{Kind, Place, Revision, Trouble, clean};
use serde_json::{Map, Value, json};

/// The annotation that says whose write counts.
pub(super) const FLIGHT: &str = "flightdeck.dev/flight";

/// An annotation of one Deployment on an object that several may share, as `order.flightdeck.dev/flight`: whoever writes without a
/// test takes nothing of the others away.
pub(super) fn of(deployment: &str, note: &str) -> String {
    format!("{deployment}.{note}")
}

/// The fence in an annotation; one that cannot be read is none.
pub(super) fn read(text: Option<&str>) -> Option<Flight> {
    serde_json::from_str(text?).ok()
}

/// Why a fence forbids to write.
pub(super) fn fenced(order: &Order, f: &Flight) -> Option<Trouble> {
    let (mine, theirs) = (order.wish.term, f.term);
    let same = f.rollout == order.rollout;
    let cause = if theirs > mine {
        format!("somebody else drives: term {} of {} stands on it, ours is {}", theirs.0, clean(f.rollout.as_str(), 80), mine.0)
    } else if theirs == mine && !same {
        format!("{} took the same term {}", clean(f.rollout.as_str(), 80), mine.0)
    } else if theirs == mine && f.way == Way::Back && order.wish.way == Way::Forward {
        format!("it rolls back already, in term {}", mine.0)
    } else {
        return None;
    };
    Some(refusal(order, &cause, "take the controls to go on"))
}

pub(super) fn is_ours(order: &Order, f: &Flight) -> bool {
    f.rollout == order.rollout && f.term == order.wish.term && f.way == order.wish.way
}

/// The fence to write; one that is ours already stays as it is.
pub(super) fn text(order: &Order, stands: Option<&str>) -> String {
    if let Some(text) = stands.filter(|_| read(stands).is_some_and(|f| is_ours(order, &f))) {
        return text.to_owned();
    }
    let to = match (order.wish.way, &order.new) {
        (Way::Back, _) => order.old.clone(),
        (Way::Forward, Some(new)) => new.clone(),
        // It has no identity before the controller has seen its template.
        (Way::Forward, None) => Revision::new(order.version.as_str()),
    };
    let flight = Flight { rollout: order.rollout.clone(), term: order.wish.term, way: order.wish.way, to };
    serde_json::to_string(&flight).unwrap_or_default()
}

/// The first operation of a forward write to an object with annotations: the fence is as it was read.
pub(super) fn test(note: &str, stands: Option<&str>) -> Value {
    json!({"op": "test", "path": note_path(note), "value": stands})
}

/// The operations that write annotations; a note without text is removed.
///
/// Where there were none when it was read, there must still be none: what was written since, by whomever, is not to be lost. A test
/// for `null` holds where there is nothing.
pub(super) fn notes(annotated: bool, notes: Vec<(&str, Option<String>)>) -> Vec<Value> {
    if annotated {
        let one = |(name, text): (&str, Option<String>)| match text {
            Some(text) => json!({"op": "add", "path": note_path(name), "value": text}),
            None => json!({"op": "remove", "path": note_path(name)}),
        };
        return notes.into_iter().map(one).collect();
    }
    let map: Map<String, Value> = notes.into_iter().filter_map(|(n, t)| Some((n.to_owned(), json!(t?)))).collect();
    let path = "/metadata/annotations";
    vec![json!({"op": "test", "path": path, "value": null}), json!({"op": "add", "path": path, "value": map})]
}

pub(super) fn refusal(order: &Order, cause: &str, remedy: &str) -> Trouble {
    Trouble::new(Kind::Refused, Place::named(order.workload.to_string()), clean(cause, 300), remedy)
}

/// A key as a part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn note_path(name: &str) -> String {
    format!("/metadata/annotations/{}", escaped(name))
}
