//! The label rule: which labels tell a second Deployment from the first, so that neither Services nor Deployments nor budgets overlap.
//!
//! Pure. The changed key is in the Deployment's own selector and in that of every Service that selects its pods; where no key is
//! in both, two change, one of each.

use super::super::objects::Deployment;
use super::super::service::Service;
use serde_json::Value;
use std::collections::BTreeMap;

/// The best keys first; policies of others select by the rest.
const PREFERRED: [&str; 5] = ["version", "slot", "color", "colour", "app.kubernetes.io/instance"];
/// What the second one's names and values end with.
pub(in super::super) const NEXT: &str = "-next";
/// Longest value of a label.
const LONGEST: usize = 63;

/// The keys that change, with the first Deployment's values; or why there are none.
pub(super) fn keys(d: &Deployment, services: &[&Service]) -> Result<Vec<(String, String)>, String> {
    let Some(own) = &d.selects else { return Err("its selector has matchExpressions".into()) };
    let own: Vec<&str> = own.keys().map(String::as_str).collect();
    let Some((first, others)) = services.split_first() else { return Err("no Service selects its pods".into()) };
    let served: Vec<&str> =
        first.selector.keys().map(String::as_str).filter(|k| others.iter().all(|s| s.selector.contains_key(*k))).collect();
    let both: Vec<&str> = own.iter().copied().filter(|k| served.contains(k)).collect();
    let keys = match (best(&both), best(&own), best(&served)) {
        (Some(key), ..) => vec![key],
        (None, Some(own), Some(served)) => vec![own, served],
        _ => return Err("its Services select by no common label".into()),
    };
    let value = |key: &str| Some((key.to_owned(), d.labels.get(key)?.clone()));
    let keys: Vec<(String, String)> = keys.into_iter().filter_map(value).collect();
    match keys.iter().find(|(_, value)| value.len() + NEXT.len() > LONGEST) {
        Some((key, _)) => Err(format!("its label {key} is too long to add {NEXT}")),
        None if keys.is_empty() => Err("its pods do not have the labels that it selects by".into()),
        None => Ok(keys),
    }
}

fn best<'a>(keys: &[&'a str]) -> Option<&'a str> {
    PREFERRED.iter().find_map(|p| keys.iter().find(|k| *k == p)).or(keys.first()).copied()
}

/// The keys by which two Deployments differ, with the first one's values.
pub(super) fn differ(first: &Deployment, second: &Deployment) -> Vec<(String, String)> {
    let differs =
        |(key, value): (&String, &String)| (second.labels.get(key)? == &format!("{value}{NEXT}")).then(|| (key.clone(), value.clone()));
    first.labels.iter().filter_map(differs).collect()
}

/// Sets the changed keys of a label map to the second one's values, or back.
pub(super) fn set(labels: &mut Value, keys: &[(String, String)], next: bool) {
    let Some(map) = labels.as_object_mut() else { return };
    for (key, value) in keys {
        if let Some(label) = map.get_mut(key) {
            *label = if next { format!("{value}{NEXT}").into() } else { value.as_str().into() };
        }
    }
}

/// A pod template for the second Deployment, or for the first: the changed labels, also where the template selects by them itself.
pub(super) fn template(template: &mut Value, keys: &[(String, String)], next: bool) {
    set(&mut template["metadata"]["labels"], keys, next);
    for part in ["affinity", "topologySpreadConstraints"] {
        if let Some(part) = template["spec"].get_mut(part) {
            selectors(part, keys, next);
        }
    }
}

fn selectors(part: &mut Value, keys: &[(String, String)], next: bool) {
    match part {
        Value::Array(all) => all.iter_mut().for_each(|one| selectors(one, keys, next)),
        Value::Object(map) => {
            for (name, one) in map {
                if name == "labelSelector" {
                    set(&mut one["matchLabels"], keys, next);
                    expressions(&mut one["matchExpressions"], keys, next);
                    // An index makes what was not there.
                    if let Some(map) = one.as_object_mut() {
                        map.retain(|_, v| !v.is_null());
                    }
                } else {
                    selectors(one, keys, next);
                }
            }
        }
        _ => {}
    }
}

fn expressions(all: &mut Value, keys: &[(String, String)], next: bool) {
    for one in all.as_array_mut().into_iter().flatten() {
        let Some((_, value)) = keys.iter().find(|(key, _)| one["key"] == *key) else { continue };
        let second = format!("{value}{NEXT}");
        let (from, to) = if next { (value, &second) } else { (&second, value) };
        for v in one["values"].as_array_mut().into_iter().flatten().filter(|v| *v == from) {
            *v = to.as_str().into();
        }
    }
}

/// A label map as a query for those who select by it.
pub(super) fn selects_by<'a>(selector: &'a BTreeMap<String, String>, keys: &[(String, String)]) -> Option<&'a str> {
    selector.keys().map(String::as_str).find(|k| keys.iter().any(|(key, _)| key == k))
}
