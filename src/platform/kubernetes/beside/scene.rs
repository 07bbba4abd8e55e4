//! What stands around a Deployment: its Services and routes, the second Deployment, and how traffic is divided between the two.
//!
//! Pure: rows go in. Known weakness: Services that send to it from other namespaces (by routes or by name) are not seen.

use super::super::objects::Deployment;
use super::super::rights::Beside as Rights;
use super::super::route::{Route, Verdict, names, weight};
use super::super::service::Service;
use super::labels::{self, NEXT};
use crate::fleet::{Divider, Division, Flight};
use crate::units::{Percent, Time};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest name of a Service.
const LONGEST: usize = 63;

/// Something of others that selects pods by labels.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Selecting {
    /// `NetworkPolicy shop-web`.
    pub(in super::super) object: String,
    /// By which labels.
    pub(in super::super) selector: BTreeMap<String, String>,
}

/// What is around one Deployment.
#[derive(Clone, Debug)]
pub(in super::super) struct Scene {
    /// The Deployment's name.
    pub(in super::super) name: Arc<str>,
    /// How traffic is divided, or can be.
    pub(in super::super) how: Division,
    /// Why it cannot.
    pub(in super::super) undivided: Option<String>,
    /// What may not be written, or cannot be asked: nothing is begun then. A way back is tried all the same.
    pub(in super::super) denied: Option<String>,
    /// Whether it is known what may be written; until then it is not divided.
    pub(in super::super) asked: bool,
    /// The labels that tell the two apart, with the first one's values.
    pub(in super::super) keys: Vec<(String, String)>,
    /// The Services that carry its traffic.
    pub(in super::super) services: Vec<Service>,
    /// The routes that name one of them.
    pub(in super::super) routes: Vec<Route>,
    /// The second Deployment.
    pub(in super::super) next: Option<Deployment>,
    /// The second one's own Services.
    pub(in super::super) seconds: Vec<Service>,
    /// Since when the split has stood as it is; unknown before it was seen.
    pub(in super::super) since: Option<Time>,
}

/// The rows of one namespace.
pub(in super::super) struct Around<'a> {
    pub(in super::super) services: Vec<&'a Service>,
    pub(in super::super) routes: Vec<&'a Route>,
    pub(in super::super) deployments: Vec<&'a Deployment>,
    /// Whether its Services are known.
    pub(in super::super) known: bool,
    /// What of that may be written.
    pub(in super::super) rights: Option<&'a Rights>,
    pub(in super::super) since: Option<Time>,
}

impl Scene {
    /// The scene of a Deployment, with the second one where there is one.
    pub(in super::super) fn of(d: &Deployment, next: Option<&Deployment>, around: &Around<'_>) -> Scene {
        let belongs = |s: &&&Service| {
            let ours = s.split_of.as_deref() == Some(&*d.name);
            s.next_of.is_none() && (ours || s.selects(&d.labels) || next.is_some_and(|n| s.selects(&n.labels)))
        };
        let mut services: Vec<&Service> = around.services.iter().filter(belongs).copied().collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        let seconds: Vec<Service> =
            around.services.iter().filter(|s| s.next_of.as_deref() == Some(&*d.name)).map(|s| (*s).clone()).collect();
        let routed = |s: &Service| around.routes.iter().any(|r| r.rules_of(&s.name).next().is_some());
        let mut routes: Vec<Route> =
            around.routes.iter().filter(|r| services.iter().any(|s| r.rules_of(&s.name).next().is_some())).map(|r| (*r).clone()).collect();
        routes.sort_by(|a, b| a.name.cmp(&b.name));
        let (keys, mut undivided) = match next.map(|n| labels::differ(d, n)).filter(|k| !k.is_empty()) {
            Some(keys) => (keys, None),
            None => match labels::keys(d, &services) {
                Ok(keys) => (keys, None),
                Err(why) => (Vec::new(), Some(why)),
            },
        };
        let switched = services.iter().any(|s| on_next(s, &keys));
        let how = if routes.is_empty() || switched { Division::Switch } else { Division::Weights };
        if how == Division::Weights {
            services.retain(|s| routed(s));
        }
        let mut scene = Scene {
            name: d.name.clone(),
            how,
            undivided: None,
            denied: None,
            asked: true,
            keys,
            services: services.into_iter().cloned().collect(),
            routes,
            next: next.cloned(),
            seconds,
            since: around.since,
        };
        if !around.known {
            undivided = Some("its Services may not be seen".into());
        }
        scene.undivided = undivided.or_else(|| scene.in_the_way(d, around));
        scene.asked = scene.undivided.is_some() || around.rights.is_some();
        scene.denied = scene.denied(around.rights);
        scene
    }

    /// What keeps the traffic from being divided, although the labels would do.
    fn in_the_way(&self, d: &Deployment, around: &Around<'_>) -> Option<String> {
        let name = format!("{}{NEXT}", d.name);
        for s in &self.services {
            let shares = |o: &&&Deployment| o.uid != d.uid && o.next_of.as_deref() != Some(&*d.name) && s.selects(&o.labels);
            if let Some(other) = around.deployments.iter().find(shares) {
                return Some(format!("Service {} also sends to deployment {}", s.name, other.name));
            }
            let second = second_name(&s.name);
            if second.len() > LONGEST {
                return Some(format!("the name of Service {} is too long to add {NEXT}", s.name));
            }
            if around.services.iter().any(|o| *o.name == *second && o.next_of.is_none()) {
                return Some(format!("there is a Service {second} that is not ours"));
            }
        }
        if around.deployments.iter().any(|o| *o.name == *name && o.next_of.is_none()) {
            return Some(format!("there is a deployment {name} that is not ours"));
        }
        let twice = |r: &&Route| {
            let ours = |b: &&Value| self.services.iter().any(|s| names(b, &s.name, &r.namespace));
            r.rules.iter().any(|rule| rule.iter().filter(ours).count() > 1)
        };
        if let Some(route) = self.routes.iter().find(twice) {
            return Some(format!("a rule of HTTPRoute {} names its Services twice", route.name));
        }
        let unserved = |r: &&Route| self.how == Division::Weights && r.verdict == Verdict::Unserved;
        self.routes.iter().find(unserved).map(|r| format!("no gateway serves HTTPRoute {}", r.name))
    }

    fn denied(&self, rights: Option<&Rights>) -> Option<String> {
        let Some(rights) = rights else { return Some("what you may write there is not known yet".into()) };
        let traffic = if self.how == Division::Weights { &rights.routes } else { &rights.services };
        rights.both.as_ref().or(traffic.as_ref()).cloned()
    }

    /// Why nothing is begun there.
    pub(in super::super) fn why_not(&self) -> Option<&String> {
        self.undivided.as_ref().or(self.denied.as_ref())
    }

    /// What divides the traffic.
    pub(in super::super) fn divider(&self, others: &[Selecting], all: &[&Service], d: &Deployment) -> Option<Divider> {
        if self.why_not().is_some() {
            return None;
        }
        let mut touches: Vec<String> = others
            .iter()
            .filter(|o| labels::selects_by(&o.selector, &self.keys).is_some() && o.selector.iter().all(|(k, v)| d.labels.get(k) == Some(v)))
            .map(|o| o.object.clone())
            .collect();
        touches.dedup();
        let left = |s: &&&Service| s.next_of.is_none() && s.selects(&d.labels) && !self.services.iter().any(|own| own.name == s.name);
        // Whoever comes by these waits for the adoption.
        touches.extend(all.iter().filter(left).map(|s| format!("Service {} (its users get the new version at the adoption)", s.name)));
        Some(Divider { how: self.how, object: self.object()?, touches })
    }

    /// The object that carries the split.
    fn object(&self) -> Option<String> {
        match self.how {
            Division::Weights => self.routes.first().map(|r| format!("HTTPRoute {}", r.name)),
            Division::Switch => self.services.first().map(|s| format!("Service {}", s.name)),
        }
    }

    /// The share of traffic that is asked for the second one: the mean over everything that divides it.
    pub(in super::super) fn share(&self) -> Option<Percent> {
        let shares: Vec<f64> = match self.how {
            Division::Switch => self.services.iter().map(|s| if on_next(s, &self.keys) { 1.0 } else { 0.0 }).collect(),
            Division::Weights => self.routes.iter().flat_map(|r| self.shares_of(r)).collect(),
        };
        (!shares.is_empty()).then(|| Percent::from_share(shares.iter().sum::<f64>() / shares.len() as f64))
    }

    /// The second one's share of ours, in each rule of a route that gives us any.
    pub(super) fn shares_of(&self, route: &Route) -> Vec<f64> {
        let of = |s: &Service| {
            let second = second_name(&s.name);
            let one = |rule: &Vec<Value>| {
                let sum = |name: &str| rule.iter().filter(|b| names(b, name, &route.namespace)).map(weight).sum::<u64>() as f64;
                let (first, next) = (sum(&s.name), sum(&second));
                if first + next > 0.0 { Some(next / (first + next)) } else { None }
            };
            route.rules_of(&s.name).filter_map(|(_, rule)| one(rule)).collect::<Vec<f64>>()
        };
        self.services.iter().flat_map(of).collect()
    }

    /// Whether some route names the second one.
    pub(super) fn named(&self) -> bool {
        self.routes.iter().any(|r| is_named(r, &self.services))
    }

    /// What the drain is counted from: every change of it begins anew.
    pub(in super::super) fn stands(&self) -> (Option<Percent>, bool) {
        (self.share(), self.named())
    }

    /// The fences on everything that divides the traffic, the highest term first.
    pub(in super::super) fn flight(&self) -> Option<Flight> {
        let routes = self.routes.iter().filter_map(|r| r.flight(&self.name));
        let texts = routes.chain(self.services.iter().filter_map(|s| s.flight.as_deref()));
        texts.filter_map(|t| super::super::fence::read(Some(t))).max_by_key(|f| f.term)
    }
}

#[cfg(test)]
impl Scene {
    /// Nothing around it.
    pub(in super::super) fn alone(d: &Deployment) -> Scene {
        Scene::of(d, None, &Around { services: vec![], routes: vec![], deployments: vec![], known: true, rights: None, since: None })
    }
}

/// Whether a Service's selector names the second one.
pub(super) fn on_next(s: &Service, keys: &[(String, String)]) -> bool {
    keys.iter().any(|(key, value)| s.selector.get(key).is_some_and(|v| *v == format!("{value}{NEXT}")))
}

/// Whether a route names the second Service of one of these.
pub(super) fn is_named(route: &Route, services: &[Service]) -> bool {
    let seconds: Vec<String> = services.iter().map(|s| second_name(&s.name)).collect();
    route.rules.iter().flatten().any(|b| seconds.iter().any(|s| names(b, s, &route.namespace)))
}

/// The second Service of one.
pub(super) fn second_name(service: &str) -> String {
    format!("{service}{NEXT}")
}
