//! The share of the traffic: weights on every rule that names a Service of the workload, or its Services' selectors.
//!
//! A forward write tests the fence as it was read, and the first one on a route sets it up; a write back takes the fence without a test.
//! What others wrote into a rule stays: ours is a part of what the rule gave our Service.

use super::super::fence::{self, FLIGHT, escaped, is_ours};
use super::super::route::{BACKENDS, Route, Verdict, names, weight};
use super::super::service::{SPLIT_OF, Service};
use super::around::{CORE, GATEWAY};
use super::labels::NEXT;
use super::scene::{is_named, on_next, second_name};
use super::{Body, Next, Slot, Stage, Write, refuse};
use crate::fleet::{Division, Side, Way};
use crate::units::Percent;
use serde_json::{Value, json};

/// The largest weight that the Gateway API allows.
const HEAVIEST: u64 = 1_000_000;

/// What leads to this share for the new side.
pub(super) fn next(stage: &Stage<'_>, new: Percent) -> Next {
    match wanted(stage, new) {
        Ok(share) => give(stage, share),
        Err(other) if stage.order.wish.way == Way::Back => fence_first(stage).unwrap_or(other),
        Err(other) => other,
    }
}

/// A way back that has to wait for pods says so on the traffic at once, so that nobody goes on forward meanwhile.
fn fence_first(stage: &Stage<'_>) -> Option<Next> {
    let Next::Write(mut write) = give(stage, stage.share()) else { return None };
    write.last = false;
    Some(Next::Write(write))
}

/// The second one's share; or what else comes first.
fn wanted(stage: &Stage<'_>, new: Percent) -> Result<Percent, Next> {
    let now = stage.share();
    let (home, next) = (stage.slot_side(Slot::Home), stage.slot_side(Slot::Next));
    let share = match (home, next) {
        (Some(Side::Old), Some(Side::New)) => new,
        (Some(Side::New), Some(Side::Old)) => new.rest(),
        // Both run the version that gets all: whichever has it.
        (Some(Side::New), Some(Side::New)) if new == Percent::ALL => now,
        (Some(Side::Old), Some(Side::Old)) if new == Percent::ZERO => now,
        // One side has a place of its own, and gets all.
        (Some(Side::Old), _) if new == Percent::ZERO => Percent::ZERO,
        (Some(Side::New), _) if new == Percent::ALL => Percent::ZERO,
        (None, Some(Side::New)) if new == Percent::ALL => Percent::ALL,
        (None, Some(Side::Old)) if new == Percent::ZERO => Percent::ALL,
        // What its owner put there meanwhile is not the new version either.
        (None, _) if new == Percent::ZERO && stage.order.wish.way == Way::Back => Percent::ZERO,
        (None, Some(_)) if stage.order.wish.way == Way::Forward => return Err(stage.moved("")),
        _ => return Err(Next::Wait(None)),
    };
    let gains = |slot| stage.alone(slot) && stage.ready(slot) > 0;
    if (share > now && !gains(Slot::Next)) || (share < now && !gains(Slot::Home)) {
        return Err(Next::Wait(None));
    }
    Ok(share)
}

/// Gives the second one a share, one object after the other.
pub(super) fn give(stage: &Stage<'_>, share: Percent) -> Next {
    let scene = &stage.sight.scene;
    match scene.how {
        Division::Switch if share != Percent::ZERO && share != Percent::ALL => {
            let cause = format!("{share} of the traffic: a selector sends all or nothing");
            refuse(stage.order, &cause, "choose blue-green, or put an HTTPRoute before it")
        }
        Division::Switch => {
            let one = |s: &Service| switch(stage, s, share == Percent::ALL);
            scene.services.iter().filter(|s| !stage.done.contains(&*s.name)).find_map(one).unwrap_or(Next::Met)
        }
        Division::Weights => {
            let one = |r: &Route| weigh(stage, r, share);
            scene.routes.iter().filter(|r| !stage.done.contains(&*r.name)).find_map(one).unwrap_or(Next::Met)
        }
    }
}

/// Begins a patch: the fence as it was read, where it is tested.
fn begun(stage: &Stage<'_>, note: &str, annotated: bool, flight: Option<&str>) -> Vec<Value> {
    if stage.order.wish.way == Way::Forward && annotated { vec![fence::test(note, flight)] } else { Vec::new() }
}

/// A patch that may follow an old look: it adds a fence, and takes no annotation away that came meanwhile.
fn fence_alone(note: &str, text: String) -> Body {
    Body::Merge(json!({"metadata": {"annotations": {note: text}}}))
}

/// Whether the fence has to be written.
fn fence_missing(stage: &Stage<'_>, flight: Option<&str>) -> bool {
    !fence::read(flight).is_some_and(|f| is_ours(stage.order, &f))
}

fn switch(stage: &Stage<'_>, s: &Service, to_next: bool) -> Option<Next> {
    let keys: Vec<&(String, String)> = stage.sight.scene.keys.iter().filter(|(key, _)| s.selector.contains_key(key)).collect();
    let moves = on_next(s, &stage.sight.scene.keys) != to_next;
    let forward = stage.order.wish.way == Way::Forward;
    if !moves && !fence_missing(stage, s.flight.as_deref()) {
        return None;
    }
    let text = fence::text(stage.order, s.flight.as_deref());
    let mut ops = begun(stage, FLIGHT, s.annotated, s.flight.as_deref());
    let mut notes = vec![(FLIGHT, Some(text.clone()))];
    if moves && s.split_of.is_none() {
        notes.push((SPLIT_OF, Some(stage.home().name.to_string())));
    }
    ops.extend(fence::notes(s.annotated, notes));
    for (key, value) in keys.iter().filter(|_| moves) {
        let path = format!("/spec/selector/{}", escaped(key));
        let second = format!("{value}{NEXT}");
        ops.push(json!({"op": "test", "path": path, "value": if to_next { value } else { &second }}));
        ops.push(json!({"op": "replace", "path": path, "value": if to_next { &second } else { value }}));
    }
    Some(Next::Write(Box::new(Write {
        api: CORE,
        plural: "services",
        name: s.name.to_string(),
        body: if moves || forward || s.annotated { Body::Patch(ops) } else { fence_alone(FLIGHT, text) },
        last: true,
        dark: false,
    })))
}

fn weigh(stage: &Stage<'_>, route: &Route, share: Percent) -> Option<Next> {
    let services = &stage.sight.scene.services;
    let set_up = is_named(route, services);
    let now = stage.sight.scene.shares_of(route);
    let there = now.iter().all(|n| Percent::from_share(*n) == share);
    let forward = stage.order.wish.way == Way::Forward;
    let needs = share > Percent::ZERO && !set_up;
    let (name, flight) = (&*stage.home().name, route.flight(&stage.home().name));
    if there && !fence_missing(stage, flight) {
        return None;
    }
    if forward && !there && set_up {
        match &route.verdict {
            Verdict::Refused(words) => {
                let cause = format!("the gateway did not accept it: {words}");
                return Some(refuse(stage.order, &cause, "look at the HTTPRoute"));
            }
            Verdict::Unseen | Verdict::Unserved => return Some(Next::Wait(None)),
            Verdict::Accepted => {}
        }
    }
    let (fence_note, kept_note) = (fence::of(name, FLIGHT), fence::of(name, BACKENDS));
    let text = fence::text(stage.order, flight);
    let mut ops = begun(stage, &fence_note, route.annotated, flight);
    let mut notes = vec![(fence_note.as_str(), Some(text.clone()))];
    if needs {
        let owners: Vec<(usize, Vec<Value>)> =
            services.iter().flat_map(|s| route.rules_of(&s.name)).map(|(i, rule)| (i, rule.clone())).collect();
        notes.push((&kept_note, Some(json!(owners).to_string())));
    }
    ops.extend(fence::notes(route.annotated, notes));
    for s in services {
        for (i, rule) in route.rules_of(&s.name).filter(|_| needs) {
            let path = format!("/spec/rules/{i}/backendRefs");
            ops.push(json!({"op": "test", "path": path, "value": rule}));
            ops.push(json!({"op": "replace", "path": path, "value": divided(rule, &s.name, &route.namespace)}));
        }
        for (i, rule) in route.rules_of(&s.name).filter(|_| set_up && !there) {
            ops.extend(weights(i, rule, s, route, share));
        }
    }
    // Setting up moves nothing: the weights come when the gateway has taken it.
    Some(Next::Write(Box::new(Write {
        api: GATEWAY,
        plural: "httproutes",
        name: route.name.to_string(),
        body: if !there || forward || route.annotated { Body::Patch(ops) } else { fence_alone(&fence_note, text) },
        last: !needs,
        dark: false,
    })))
}

/// A rule with the second Service beside ours, without traffic yet. Beside others all weights are made larger by the same power of
/// ten, so that every share of ours is a whole number, or at least every whole percent.
fn divided(rule: &[Value], service: &str, namespace: &str) -> Vec<Value> {
    let alone = rule.len() == 1;
    let heaviest = rule.iter().map(weight).max().unwrap_or(1).max(1);
    let factor = [10_000, 1_000, 100, 10].into_iter().find(|f| heaviest * f <= HEAVIEST).unwrap_or(1);
    let mut divided = Vec::new();
    for backend in rule {
        let mut own = backend.clone();
        own["weight"] = json!(if alone { 100 } else { weight(backend) * factor });
        let second = names(backend, service, namespace).then(|| {
            let mut second = own.clone();
            (second["name"], second["weight"]) = (json!(second_name(service)), json!(0));
            second
        });
        divided.push(own);
        divided.extend(second);
    }
    divided
}

/// The two weights of a rule, with the names that they belong to tested.
fn weights(rule: usize, backends: &[Value], s: &Service, route: &Route, share: Percent) -> Vec<Value> {
    let second = second_name(&s.name);
    let at = |name: &str| backends.iter().position(|b| names(b, name, &route.namespace));
    let (Some(first), Some(next)) = (at(&s.name), at(&second)) else { return Vec::new() };
    let sum = weight(&backends[first]) + weight(&backends[next]);
    // Alone in its rule any two numbers will do; whole percent are what people read.
    let whole = backends.len() == 2;
    let total = match whole {
        true if share.hundredths().is_multiple_of(100) => 100,
        true => 10_000,
        false => sum,
    };
    let to_next = (total * u64::from(share.hundredths()) + 5_000) / 10_000;
    let one = |at: usize, name: &str, weight: u64| {
        let path = format!("/spec/rules/{rule}/backendRefs/{at}");
        [
            json!({"op": "test", "path": format!("{path}/name"), "value": name}),
            json!({"op": "add", "path": format!("{path}/weight"), "value": weight}),
        ]
    };
    [one(first, &s.name, total - to_next), one(next, &second, to_next)].concat()
}

/// Gives an object back what its owner wrote; nothing where that is so.
pub(super) fn restore(stage: &Stage<'_>) -> Option<Next> {
    let scene = &stage.sight.scene;
    let name = &*stage.home().name;
    let by_route = scene.routes.iter().find_map(|route| {
        let (owners, flight) = (route.kept(name), route.flight(name));
        if owners.is_none() && !is_named(route, &scene.services) {
            return None;
        }
        let (fence_note, kept_note) = (fence::of(name, FLIGHT), fence::of(name, BACKENDS));
        let mut ops = begun(stage, &fence_note, route.annotated, flight);
        let mut notes = vec![(fence_note.as_str(), Some(fence::text(stage.order, flight)))];
        if owners.is_some() {
            notes.push((&kept_note, None));
        }
        ops.extend(fence::notes(route.annotated, notes));
        for s in &scene.services {
            for (i, rule) in
                route.rules_of(&s.name).filter(|(_, rule)| rule.iter().any(|b| names(b, &second_name(&s.name), &route.namespace)))
            {
                let path = format!("/spec/rules/{i}/backendRefs");
                let wrote = owners.iter().flatten().find(|(at, _)| *at == i).map(|(_, wrote)| wrote.as_slice());
                ops.push(json!({"op": "test", "path": path, "value": rule}));
                ops.push(json!({"op": "replace", "path": path, "value": undivided(rule, s, route, wrote)}));
            }
        }
        Some(Write { api: GATEWAY, plural: "httproutes", name: route.name.to_string(), body: Body::Patch(ops), last: true, dark: false })
    });
    let by_service = || {
        scene.services.iter().find(|s| s.split_of.is_some()).map(|s| {
            let mut ops = begun(stage, FLIGHT, s.annotated, s.flight.as_deref());
            let note = (FLIGHT, Some(fence::text(stage.order, s.flight.as_deref())));
            ops.extend(fence::notes(s.annotated, vec![note, (SPLIT_OF, None)]));
            Write { api: CORE, plural: "services", name: s.name.to_string(), body: Body::Patch(ops), last: true, dark: false }
        })
    };
    by_route.or_else(by_service).map(|w| Next::Write(Box::new(w)))
}

/// A rule without the second Service: as the owner wrote it, where nobody changed its backends since.
fn undivided(rule: &[Value], s: &Service, route: &Route, wrote: Option<&[Value]>) -> Vec<Value> {
    let mut left: Vec<Value> = rule.iter().filter(|b| !names(b, &second_name(&s.name), &route.namespace)).cloned().collect();
    // Beside ours nothing was changed but by us.
    let same = |wrote: &&[Value]| {
        let theirs = divided(wrote, &s.name, &route.namespace);
        let theirs: Vec<&Value> = theirs.iter().filter(|b| !names(b, &second_name(&s.name), &route.namespace)).collect();
        let one = |(a, b): (&&Value, &Value)| {
            let mut a = (*a).clone();
            if names(&a, &s.name, &route.namespace) {
                a["weight"] = b["weight"].clone();
            }
            a == *b
        };
        theirs.len() == left.len() && theirs.iter().zip(&left).all(one)
    };
    match wrote.filter(same) {
        Some(wrote) => wrote.to_vec(),
        None => {
            let sum: u64 = rule
                .iter()
                .filter(|b| names(b, &s.name, &route.namespace) || names(b, &second_name(&s.name), &route.namespace))
                .map(weight)
                .sum();
            for own in left.iter_mut().filter(|b| names(b, &s.name, &route.namespace)) {
                own["weight"] = json!(sum);
            }
            left
        }
    }
}
