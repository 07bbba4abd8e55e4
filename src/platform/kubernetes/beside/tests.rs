//! What is seen and wanted, and the write that comes of it: every state between the first write and the last, and both ways.

use super::super::index::{Aside, Index, Kept};
use super::super::objects::{Pod, Row, Seen, Set, Slice, Uid};
use super::super::rights::Beside as Rights;
use super::super::route::Route;
use super::super::service::Service;
use super::*;
use crate::fleet::{Divides, Way, Workload};
use crate::rollout::{Wish, WishKey};
use crate::units::{LegId, Region, Revision, RolloutId, Term, Version};
use serde_json::json;

const NOW: i64 = 1_767_603_600_000;

fn at(seconds: i64) -> String {
    Time(NOW + seconds * 1000).to_string()
}

/// A cluster with `order` (2 pods of v42, label slot=main), its Service and, behind a gateway, its route.
struct Cluster {
    objects: Vec<(&'static str, Value)>,
    /// How long the split has stood.
    stood: i64,
    denied: Rights,
}

/// Lays `change` over `base`: maps are merged, everything else is replaced.
fn over(base: &mut Value, change: Value) {
    match (base, change) {
        (Value::Object(base), Value::Object(change)) => {
            for (key, value) in change {
                over(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, change) => *base = change,
    }
}

impl Cluster {
    fn switched() -> Cluster {
        let mut c = Cluster { objects: Vec::new(), stood: 60, denied: Rights::default() };
        c.workload("order", "main", "v42", "aaa", 0);
        c.put("Service", json!({"metadata": {"name": "order"}, "spec": {"selector": {"app": "order", "slot": "main"}}}));
        c
    }
    fn routed() -> Cluster {
        let mut c = Cluster::switched();
        let said = |kind: &str| json!({"type": kind, "status": "True", "observedGeneration": 1});
        c.put(
            "HTTPRoute",
            json!({"metadata": {"name": "web", "generation": 1},
                "spec": {"rules": [{"backendRefs": [{"name": "order", "port": 80, "weight": 7}]}]},
                "status": {"parents": [{"conditions": [said("Accepted"), said("ResolvedRefs")]}]}}),
        );
        c
    }
    /// The second one beside it with its Service; no traffic yet.
    fn beside(mut self, version: &str) -> Cluster {
        self.workload("order-next", "main-next", version, "ccc", 100);
        self.change(
            "Deployment order-next",
            json!({"metadata": {"annotations": {"flightdeck.dev/next-of": "order", "flightdeck.dev/old": "aaa"}}}),
        );
        self.put(
            "Service",
            json!({"metadata": {"name": "order-next", "annotations": {"flightdeck.dev/next-of": "order"}},
                "spec": {"selector": {"app": "order", "slot": "main-next"}}}),
        );
        self
    }
    /// Set up, with this weight of 100 for the second one.
    fn weighing(self, next: u64) -> Cluster {
        let backends = json!([{"name": "order", "port": 80, "weight": 100 - next}, {"name": "order-next", "port": 80, "weight": next}]);
        let kept = json!([[0, [{"name": "order", "port": 80, "weight": 7}]]]).to_string();
        self.with(
            "web",
            json!({"metadata": {"annotations": {"order.flightdeck.dev/backends": kept}}, "spec": {"rules": [{"backendRefs": backends}]}}),
        )
        .fence("web", 3, "forward")
    }
    fn on_next(self) -> Cluster {
        self.with(
            "Service order",
            json!({"metadata": {"annotations": {"flightdeck.dev/split-of": "order"}}, "spec": {"selector": {"slot": "main-next"}}}),
        )
        .fence("Service order", 3, "forward")
    }
    /// `order` runs v43 itself, whole.
    fn adopted(mut self) -> Cluster {
        self.change(
            "order",
            json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2},
            "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/order:v43"}]}}}}),
        );
        self.set("order", "v43", "bbb", 2, 2, 200);
        self.set("order", "v42", "aaa", 1, 0, 0);
        self.objects.retain(|(kind, o)| *kind != "Pod" || o["metadata"]["ownerReferences"][0]["uid"] != "order-aaa");
        self.pods("order", "bbb");
        self
    }
    fn fence(self, object: &str, term: u64, way: &str) -> Cluster {
        let text = json!({"rollout": "order-1", "term": term, "way": way, "to": "ccc"}).to_string();
        let key = if object == "web" { "order.flightdeck.dev/flight" } else { "flightdeck.dev/flight" };
        self.with(object, json!({"metadata": {"annotations": {key: text}}}))
    }
    fn with(mut self, object: &str, change: Value) -> Cluster {
        self.change(object, change);
        self
    }
    fn stood(mut self, seconds: i64) -> Cluster {
        self.stood = seconds;
        self
    }
    /// `order` (the Deployment before the Service), or `Service order`.
    fn change(&mut self, object: &str, change: Value) {
        let (kind, name) = object.split_once(' ').map_or(("", object), |(k, n)| (k, n));
        let found = self.objects.iter_mut().find(|(k, o)| (kind.is_empty() || *k == kind) && o["metadata"]["name"] == name);
        over(&mut found.unwrap().1, change);
    }
    fn put(&mut self, kind: &'static str, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let mut whole = json!({"metadata": {"namespace": "shop", "uid": name, "creationTimestamp": at(0)}});
        over(&mut whole, object);
        let object = whole;
        self.objects.retain(|(k, o)| *k != kind || o["metadata"]["name"] != *name);
        self.objects.push((kind, object));
    }
    fn workload(&mut self, name: &str, slot: &str, version: &str, hash: &str, born: i64) {
        let labels = json!({"app": "order", "slot": slot});
        self.put(
            "Deployment",
            json!({"metadata": {"name": name, "generation": 1, "creationTimestamp": at(born), "annotations": {"deployment.kubernetes.io/revision": "1"}},
                "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "strategy": {"type": "RollingUpdate"},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": format!("shop/order:{version}")}]}}},
                "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}}),
        );
        self.set(name, version, hash, 1, 2, born);
        self.pods(name, hash);
    }
    fn set(&mut self, of: &str, version: &str, hash: &str, number: u64, pods: u32, born: i64) {
        self.put(
            "ReplicaSet",
            json!({"metadata": {"name": format!("{of}-{hash}"), "creationTimestamp": at(born), "labels": {"pod-template-hash": hash},
                    "annotations": {"deployment.kubernetes.io/revision": number.to_string()},
                    "ownerReferences": [{"kind": "Deployment", "name": of, "uid": of, "controller": true}]},
                "spec": {"replicas": pods, "template": {"spec": {"containers": [{"name": "app", "image": format!("shop/order:{version}")}]}}},
                "status": {"replicas": pods, "readyReplicas": pods}}),
        );
    }
    fn pods(&mut self, of: &str, hash: &str) {
        let set = format!("{of}-{hash}");
        for n in 0..2 {
            self.put(
                "Pod",
                json!({"metadata": {"name": format!("{set}-{n}"), "ownerReferences": [{"kind": "ReplicaSet", "name": set, "uid": set, "controller": true}]},
                    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(5)}]}}),
            );
        }
        let endpoints: Vec<Value> =
            (0..2).map(|n| json!({"targetRef": {"kind": "Pod", "name": format!("{set}-{n}")}, "conditions": {"ready": true}})).collect();
        self.put("EndpointSlice", json!({"metadata": {"name": set}, "endpoints": endpoints}));
    }
    /// Pods of a ReplicaSet are not ready.
    fn starting(mut self, set: &str) -> Cluster {
        for (kind, o) in &mut self.objects {
            if *kind == "Pod" && o["metadata"]["ownerReferences"][0]["uid"] == set {
                o["status"]["conditions"][0]["status"] = json!("False");
            }
            if *kind == "EndpointSlice" && o["metadata"]["name"] == set {
                o["endpoints"].as_array_mut().unwrap().iter_mut().for_each(|e| e["conditions"]["ready"] = json!(false));
            }
        }
        self
    }
    fn index(&self) -> Index {
        fn put<R: Row + Kept + PartialEq>(index: &mut Index, object: &Value) {
            let seen: Seen<R> = serde_json::from_str(&object.to_string()).unwrap();
            index.apply(seen.key.clone(), seen.row.unwrap().unwrap());
        }
        let mut index = Index::default();
        (index.pods_known, index.slices_known, index.services_known) = (true, true, true);
        for (kind, object) in &self.objects {
            match *kind {
                "Deployment" => put::<Deployment>(&mut index, object),
                "ReplicaSet" => put::<Set>(&mut index, object),
                "Pod" => put::<Pod>(&mut index, object),
                "EndpointSlice" => put::<Slice>(&mut index, object),
                "Service" => put::<Service>(&mut index, object),
                _ => put::<Route>(&mut index, object),
            }
        }
        index.asides.insert("shop".into(), Aside { rights: self.denied.clone(), others: Vec::new(), again: false });
        index.note_split(Uid::new("order"), Time(NOW - self.stood * 1000));
        index
    }
    fn row(&self) -> Workload {
        self.index().workload(Uid::new("order"), &Region::new("east"), Time(NOW)).unwrap().0
    }
    fn whole(&self) -> Whole {
        let get = |kind: &str, name: &str| {
            self.objects.iter().find(|(k, o)| *k == kind && o["metadata"]["name"] == name).map_or(Value::Null, |(_, o)| o.clone())
        };
        let object = if get("HTTPRoute", "web").is_null() { get("Service", "order") } else { get("HTTPRoute", "web") };
        Whole {
            home: get("Deployment", "order"),
            next: get("Deployment", "order-next"),
            object,
            services: vec![get("Service", "order")],
            home_scaler: get("HorizontalPodAutoscaler", "order"),
            next_scaler: get("HorizontalPodAutoscaler", "order-next"),
            home_budget: get("PodDisruptionBudget", "order"),
            next_budget: get("PodDisruptionBudget", "order-next"),
        }
    }
    /// What is written for an order, one operation a line, or what else leads on. Objects are read when asked for.
    fn said(&self, order: &Order) -> String {
        let sight = {
            let index = Cluster {
                objects: self
                    .objects
                    .iter()
                    .filter(|(k, _)| !matches!(*k, "HorizontalPodAutoscaler" | "PodDisruptionBudget"))
                    .cloned()
                    .collect(),
                stood: self.stood,
                denied: self.denied.clone(),
            }
            .index();
            let row = index.workload(Uid::new("order"), &Region::new("east"), Time(NOW)).unwrap().0;
            index.sight(Uid::new("order"), row).unwrap()
        };
        let whole = self.whole();
        let old = Template {
            template: json!({"metadata": {"labels": {"app": "order", "slot": "main"}}, "spec": {"was": "v42"}}),
            change_cause: None,
        };
        let done = BTreeSet::new();
        let stage = Stage { order, sight: &sight, template: Some(&old), whole: Some(&whole), done: &done, now: Time(NOW) };
        print(&next(&stage))
    }
}

fn print(next: &Next) -> String {
    let write = match next {
        Next::Met => return "met".into(),
        Next::Wait(None) => return "wait".into(),
        Next::Wait(Some(at)) => return format!("wait {} s", at.since(Time(NOW)).0 / 1000),
        Next::Read => return "read".into(),
        Next::Fetch => return "fetch".into(),
        Next::Refuse(why) => return format!("refused: {}{}", why.0.cause, if why.1.is_some() { " (fenced)" } else { "" }),
        Next::Write(write) => write,
    };
    let ops = match &write.body {
        Body::Delete(uid) => return format!("DELETE {}/{} {uid}", write.plural, write.name),
        Body::Create(object) => return format!("POST {}/{} {object}", write.plural, write.name),
        Body::Merge(part) => return format!("MERGE {}/{} {part}", write.plural, write.name),
        Body::Patch(ops) => ops.iter().map(|op| {
            let path =
                op["path"].as_str().unwrap().replace("/metadata/annotations/", "@").replace("~1", "/").replace("flightdeck.dev/", "");
            let value = op.get("value").map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).unwrap_or_default();
            format!("\n{} {path} {value}", op["op"].as_str().unwrap()).trim_end().to_owned()
        }),
    };
    format!("{}/{}{}", write.plural, write.name, ops.collect::<String>())
}

fn order(aspect: Aspect, want: Want, way: Way) -> Order {
    let term = Term(if way == Way::Forward { 3 } else { 4 });
    Order {
        rollout: RolloutId::new("order-1"),
        workload: Cluster::switched().row().id,
        wish: Wish { key: WishKey { leg: LegId::new("east"), aspect }, want, term, way, again: 0 },
        old: Revision::new("aaa"),
        new: Some(Revision::new("ccc")),
        container: "app".into(),
        image: "shop/order:v43".into(),
        version: Version::new("v43"),
        beside: Some(Division::Weights),
    }
}
fn traffic(new: u16, way: Way) -> Order {
    order(Aspect::Traffic, Want::Weight { new: Percent::whole(new) }, way)
}
fn new_pods(pods: u32, way: Way) -> Order {
    order(Aspect::NewReplicas, Want::Replicas { pods }, way)
}
fn old_pods(pods: u32, way: Way) -> Order {
    order(Aspect::OldReplicas, Want::Replicas { pods }, way)
}
fn home(forward: bool) -> Order {
    order(Aspect::Template, Want::Home { forward }, if forward { Way::Forward } else { Way::Back })
}

const FORWARD: &str = r#"{"rollout":"order-1","term":3,"way":"forward","to":"ccc"}"#;
const BACK: &str = r#"{"rollout":"order-1","term":4,"way":"back","to":"aaa"}"#;
/// As `fence` writes it: the keys in order.
const READ: &str = r#"{"rollout":"order-1","term":3,"to":"ccc","way":"forward"}"#;

#[test]
fn what_can_divide_the_traffic_is_said_or_why_nothing_can() {
    let says = |c: Cluster| {
        let row = c.row();
        match row.divides {
            Divides::By(d) => format!("{:?} by {}", d.how, d.object),
            Divides::Nothing(why) => why,
            Divides::Unknown => "not known yet".into(),
        }
    };
    assert_eq!(says(Cluster::routed()), "Weights by HTTPRoute web");
    assert_eq!(says(Cluster::switched()), "Switch by Service order");
    let selector = |s: Value| Cluster::switched().with("Service order", json!({"spec": {"selector": s}}));
    assert_eq!(says(selector(json!({"app": "other"}))), "no Service selects its pods");
    let expressions = json!({"spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}});
    assert_eq!(says(Cluster::switched().with("order", expressions)), "its selector has matchExpressions");
    let unserved = Cluster::routed().with("web", json!({"status": {"parents": []}}));
    assert_eq!(says(unserved), "no gateway serves HTTPRoute web");
    let mut shared = Cluster::switched();
    shared.workload("search", "main", "v1", "sss", 0);
    assert_eq!(says(shared), "Service order also sends to deployment search");
    let mut taken = Cluster::switched();
    taken.workload("order-next", "other", "v1", "sss", 0);
    assert_eq!(says(taken), "there is a deployment order-next that is not ours");
    let mut denied = Cluster::switched();
    denied.denied.both = Some("you may not create deployments in namespace shop".into());
    assert_eq!(says(denied), "you may not create deployments in namespace shop");
    let mut routes = Cluster::routed();
    routes.denied.routes = Some("you may not patch httproutes in namespace shop".into());
    assert_eq!(says(routes), "you may not patch httproutes in namespace shop");
}

#[test]
fn one_label_changes_that_both_select_by_else_one_of_each() {
    let keys = |own: Value, service: Value| {
        let mut c = Cluster::switched();
        for (kind, o) in &mut c.objects {
            match *kind {
                "Deployment" => {
                    o["spec"]["selector"]["matchLabels"] = own.clone();
                    o["spec"]["template"]["metadata"]["labels"] = json!({"app": "order", "slot": "main", "tier": "web", "version": "v42"});
                }
                "Service" => o["spec"]["selector"] = service.clone(),
                _ => {}
            }
        }
        let index = c.index();
        let row = index.workload(Uid::new("order"), &Region::new("east"), Time(NOW)).unwrap().0;
        let keys = index.sight(Uid::new("order"), row).unwrap().scene.keys;
        keys.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    let both = json!({"app": "order", "slot": "main", "version": "v42"});
    assert_eq!(keys(both.clone(), both.clone()), "version=v42");
    assert_eq!(keys(json!({"app": "order", "slot": "main"}), both), "slot=main");
    assert_eq!(keys(json!({"app": "order"}), json!({"app": "order"})), "app=order");
    assert_eq!(keys(json!({"app": "order"}), json!({"tier": "web"})), "app=order tier=web");
}

#[test]
fn both_deployments_are_one_row_and_equal_images_one_revision() {
    let brief = |c: &Cluster| {
        let w = c.row();
        let sides: Vec<String> = w.revisions.iter().map(|r| format!("{} {} {}", r.revision, r.version, r.pods.ready)).collect();
        let split: Vec<String> = w.split.iter().map(|(r, share)| format!("{r} {share}")).collect();
        let b = w.beside.unwrap();
        let text = |r: Option<Revision>| r.map_or("-".to_owned(), |r| r.to_string());
        format!("{}; home {} next {}; {}", sides.join(", "), text(b.home), text(b.revision), split.join(", "))
    };
    let c = Cluster::routed().beside("v43").weighing(25);
    assert_eq!(brief(&c), "aaa v42 2, ccc v43 2; home aaa next ccc; aaa 75 %, ccc 25 %");
    assert_eq!(c.row().flight.unwrap().term, Term(3));
    assert!(c.row().moves() && c.row().complete);
    let adopted = Cluster::routed().beside("v43").weighing(100).adopted();
    assert_eq!(brief(&adopted), "ccc v43 4, aaa v42 0; home ccc next ccc; ccc 100 %");
    // Its owner made it anew: the same template has another hash, and it is later than the second one.
    let mut anew = Cluster::switched()
        .beside("v43")
        .on_next()
        .with("order-next", json!({"metadata": {"annotations": {"flightdeck.dev/old-images": "app=shop/order:v42"}}}));
    anew.objects.retain(|(kind, o)| *kind != "ReplicaSet" || !o["metadata"]["name"].as_str().unwrap().ends_with("aaa"));
    anew.objects.retain(|(kind, o)| *kind != "Pod" || o["metadata"]["ownerReferences"][0]["uid"] != "order-aaa");
    anew.set("order", "v42", "eee", 1, 2, 400);
    anew.pods("order", "eee");
    assert_eq!(brief(&anew), "aaa v42 2, ccc v43 2; home aaa next ccc; aaa 0 %, ccc 100 %");
    let born: Vec<bool> = anew.row().revisions.windows(2).map(|two| two[0].created <= two[1].created).collect();
    assert_eq!(born, [true]);
    // In the middle of it: pods of two versions.
    let mut middle = Cluster::routed().beside("v43").weighing(100).adopted();
    middle.set("order", "v42", "aaa", 1, 1, 0);
    assert_eq!(brief(&middle), "ccc v43 4, aaa v42 0; home - next ccc; ccc 100 %");
    assert_eq!(brief(&Cluster::switched().beside("v43").on_next()), "aaa v42 2, ccc v43 2; home aaa next ccc; aaa 0 %, ccc 100 %");
    // The old version beside, after an adoption.
    let back = Cluster::routed().beside("v42").weighing(0).adopted();
    assert_eq!(brief(&back), "bbb v43 2, aaa v42 2; home bbb next aaa; bbb 100 %, aaa 0 %");
}

#[test]
fn the_first_share_sets_the_route_up_and_then_moves_it() {
    let order = traffic(5, Way::Forward);
    assert_eq!(Cluster::routed().said(&order), "wait");
    assert_eq!(
        Cluster::routed().beside("v43").said(&order),
        format!(
            "httproutes/web\ntest /metadata/annotations null\nadd /metadata/annotations {}\n\
             test /spec/rules/0/backendRefs [{{\"name\":\"order\",\"port\":80,\"weight\":7}}]\n\
             replace /spec/rules/0/backendRefs [{{\"name\":\"order\",\"port\":80,\"weight\":100}},{{\"name\":\"order-next\",\"port\":80,\"weight\":0}}]",
            json!({"order.flightdeck.dev/flight": FORWARD, "order.flightdeck.dev/backends": r#"[[0,[{"name":"order","port":80,"weight":7}]]]"#})
        )
    );
    assert_eq!(Cluster::routed().beside("v43").starting("order-next-ccc").said(&order), "wait");
    let moves = |c: Cluster| c.said(&order).lines().skip(3).collect::<Vec<_>>().join("\n");
    assert_eq!(
        moves(Cluster::routed().beside("v43").weighing(0)),
        "test /spec/rules/0/backendRefs/0/name order\nadd /spec/rules/0/backendRefs/0/weight 95\n\
         test /spec/rules/0/backendRefs/1/name order-next\nadd /spec/rules/0/backendRefs/1/weight 5"
    );
    assert_eq!(Cluster::routed().beside("v43").weighing(5).said(&order), "met");
    // The gateway has not seen the setting up, or does not take it.
    let set_up = || Cluster::routed().beside("v43").weighing(0).with("web", json!({"metadata": {"generation": 2}}));
    assert_eq!(set_up().said(&order), "wait");
    let no = json!([{"conditions": [{"type": "ResolvedRefs", "status": "False", "message": "no such port", "observedGeneration": 2}]}]);
    assert_eq!(
        set_up().with("web", json!({"status": {"parents": no}})).said(&order),
        "refused: the gateway did not accept it: no such port"
    );
}

#[test]
fn what_others_have_in_a_rule_keeps_its_share() {
    let backends = json!([{"name": "order", "weight": 1}, {"name": "legacy", "weight": 3}]);
    let shared = Cluster::routed().beside("v43").with("web", json!({"spec": {"rules": [{"backendRefs": backends}, {"backendRefs": []}]}}));
    let said = shared.said(&traffic(5, Way::Forward));
    assert!(said.ends_with(
        r#"replace /spec/rules/0/backendRefs [{"name":"order","weight":10000},{"name":"order-next","weight":0},{"name":"legacy","weight":30000}]"#
    ), "{said}");
    let set_up = json!([{"name": "order", "weight": 10000}, {"name": "order-next", "weight": 0}, {"name": "legacy", "weight": 30000}]);
    let moving = shared.with("web", json!({"spec": {"rules": [{"backendRefs": set_up}]}})).fence("web", 3, "forward");
    let said = moving.said(&traffic(5, Way::Forward));
    assert!(
        said.contains("backendRefs/0/weight 9500") && said.contains("backendRefs/1/weight 500") && !said.contains("backendRefs/2"),
        "{said}"
    );
    let undone =
        Cluster::routed().beside("v43").with("web", json!({"spec": {"rules": [{"backendRefs": set_up}]}})).said(&new_pods(0, Way::Back));
    // The owner's own weights are not known there: the shares stay.
    assert!(undone.ends_with(r#"[{"name":"order","weight":10000},{"name":"legacy","weight":30000}]"#), "{undone}");
}

#[test]
fn a_selector_is_switched_whole_and_back() {
    let all = traffic(100, Way::Forward);
    assert_eq!(
        Cluster::switched().beside("v43").said(&all),
        format!(
            "services/order\ntest /metadata/annotations null\nadd /metadata/annotations {}\n\
             test /spec/selector/slot main\nreplace /spec/selector/slot main-next",
            json!({"flightdeck.dev/flight": FORWARD, "flightdeck.dev/split-of": "order"})
        )
    );
    assert_eq!(Cluster::switched().beside("v43").starting("order-next-ccc").said(&all), "wait");
    assert_eq!(Cluster::switched().beside("v43").on_next().said(&all), "met");
    assert!(Cluster::switched().beside("v43").said(&traffic(5, Way::Forward)).starts_with("refused: 5 % of the traffic"));
    assert_eq!(
        Cluster::switched().beside("v43").on_next().said(&traffic(0, Way::Back)),
        format!("services/order\nadd @flight {BACK}\ntest /spec/selector/slot main-next\nreplace /spec/selector/slot main")
    );
}

#[test]
fn a_way_back_takes_the_fence_without_a_test_and_a_forward_one_stops_at_a_higher_term() {
    let c = || Cluster::routed().beside("v43").weighing(50);
    assert_eq!(
        c().said(&traffic(0, Way::Back)),
        format!(
            "httproutes/web\nadd @order.flight {BACK}\ntest /spec/rules/0/backendRefs/0/name order\nadd /spec/rules/0/backendRefs/0/weight 100\n\
             test /spec/rules/0/backendRefs/1/name order-next\nadd /spec/rules/0/backendRefs/1/weight 0"
        )
    );
    // Nothing to move: who drives is said all the same.
    assert_eq!(
        Cluster::routed().beside("v43").weighing(0).said(&traffic(0, Way::Back)),
        format!("httproutes/web\nadd @order.flight {BACK}")
    );
    // A look from before the first write to it takes nothing away that was written since.
    let noted = |key: &str| json!({"metadata": {"annotations": {key: BACK}}});
    let route = Cluster::routed().beside("v43").said(&traffic(0, Way::Back));
    assert_eq!(route, format!("MERGE httproutes/web {}", noted("order.flightdeck.dev/flight")));
    let service = Cluster::switched().beside("v43").said(&traffic(0, Way::Back));
    assert_eq!(service, format!("MERGE services/order {}", noted("flightdeck.dev/flight")));
    let theirs = || c().fence("web", 4, "back");
    let fenced = "refused: somebody else drives: term 4 of order-1 stands on it, ours is 3 (fenced)";
    for order in [traffic(75, Way::Forward), new_pods(2, Way::Forward), home(true), old_pods(0, Way::Forward)] {
        assert_eq!(theirs().said(&order), fenced);
    }
    assert_eq!(
        theirs().with("web", json!({"metadata": {"annotations": {"order.flightdeck.dev/flight": BACK}}})).said(&traffic(50, Way::Back)),
        "met"
    );
}

#[test]
fn the_second_deployment_is_made_with_what_it_needs_to_serve() {
    let order = new_pods(2, Way::Forward);
    let made = Cluster::routed().said(&order);
    let body: Value = serde_json::from_str(made.strip_prefix("POST deployments/order-next ").unwrap()).unwrap();
    let owners: Vec<&str> = body["metadata"]["ownerReferences"].as_array().unwrap().iter().map(|o| o["kind"].as_str().unwrap()).collect();
    assert_eq!(owners, ["Deployment", "HTTPRoute"]);
    assert_eq!(
        body["metadata"]["annotations"],
        json!({"flightdeck.dev/next-of": "order", "flightdeck.dev/old": "aaa", "flightdeck.dev/old-images": "app=shop/order:v42"})
    );
    let labels = json!({"app": "order", "slot": "main-next"});
    assert_eq!((&body["spec"]["selector"]["matchLabels"], &body["spec"]["template"]["metadata"]["labels"]), (&labels, &labels));
    assert_eq!(body["spec"]["template"]["spec"]["containers"][0]["image"], "shop/order:v43");

    let mut c = Cluster::routed().beside("v43");
    c.objects.retain(|(k, o)| *k != "Service" || o["metadata"]["name"] != "order-next");
    c.put(
        "HorizontalPodAutoscaler",
        json!({"metadata": {"name": "order"}, "spec": {"scaleTargetRef": {"name": "order"}, "minReplicas": 1, "maxReplicas": 9}}),
    );
    let budget = c.said(&order);
    assert!(budget.starts_with("POST poddisruptionbudgets/order-next ") && budget.contains(r#""maxUnavailable":1"#), "{budget}");
    c.put("PodDisruptionBudget", json!({"metadata": {"name": "order-next"}}));
    let scaler = c.said(&order);
    assert!(scaler.starts_with("POST horizontalpodautoscalers/order-next ") && scaler.contains(r#""minReplicas":2"#), "{scaler}");
    c.put("HorizontalPodAutoscaler", json!({"metadata": {"name": "order-next"}, "spec": {"minReplicas": 2, "maxReplicas": 9}}));
    let service = c.said(&order);
    assert!(service.starts_with("POST services/order-next ") && service.contains(r#""slot":"main-next""#), "{service}");
    let c = c.beside("v43");
    assert_eq!(c.said(&order), "met");
    let more = c.said(&new_pods(4, Way::Forward));
    assert!(more.starts_with("horizontalpodautoscalers/order-next") && more.contains("add /spec/minReplicas 4"), "{more}");
}

#[test]
fn pods_are_added_where_a_version_runs_and_never_by_a_way_back_where_it_does_not() {
    let mut plain = Cluster::routed().beside("v43");
    plain.put("PodDisruptionBudget", json!({"metadata": {"name": "order-next"}}));
    let scaled = format!("deployments/order-next\ntest /metadata/generation 1\nadd @flight {FORWARD}\nreplace /spec/replicas 4");
    let said = plain.said(&new_pods(4, Way::Forward));
    let sorted = |text: &str| {
        let mut lines: Vec<&str> = text.lines().skip(1).collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    assert_eq!(sorted(&said), sorted(&scaled));
    assert_eq!(plain.said(&old_pods(2, Way::Back)), "met");
    assert!(plain.said(&old_pods(3, Way::Back)).contains("replace /spec/replicas 3"));
    plain.put(
        "HorizontalPodAutoscaler",
        json!({"metadata": {"name": "order", "resourceVersion": "7"}, "spec": {"minReplicas": 2, "maxReplicas": 9}}),
    );
    assert_eq!(
        plain.said(&old_pods(3, Way::Back)),
        "horizontalpodautoscalers/order\ntest /metadata/resourceVersion 7\nadd /spec/minReplicas 3\nadd /metadata/annotations {\"flightdeck.dev/raised\":\"{\\\"minReplicas\\\":[2,3]}\"}"
    );
    assert_eq!(Cluster::routed().said(&new_pods(2, Way::Back)), "met");
    let v44 = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/order:v44"}]}}}});
    assert_eq!(
        Cluster::routed().with("order", v44).said(&new_pods(2, Way::Forward)),
        "refused: order was changed by somebody else: app is shop/order:v44"
    );
}

#[test]
fn a_template_is_adopted_in_the_dark_and_then_the_traffic_comes_home() {
    let dark = || Cluster::routed().beside("v43").weighing(100);
    assert_eq!(dark().stood(4).said(&home(true)), "wait 6 s");
    assert_eq!(Cluster::routed().beside("v43").weighing(99).said(&home(true)), "wait");
    let adopts = dark().said(&home(true));
    assert_eq!(
        adopts.lines().filter(|l| !l.contains("@flight")).collect::<Vec<_>>().join("\n"),
        "deployments/order\ntest /metadata/generation 1\ntest /spec/template/spec/containers/0/name app\n\
         test /spec/template/spec/containers/0/image shop/order:v42\nreplace /spec/template/spec/containers/0/image shop/order:v43"
    );
    let fix = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/order:v42-fix"}]}}}});
    assert_eq!(
        dark().with("order", fix).said(&home(true)),
        "refused: order was changed by somebody else while it was dark: app is shop/order:v42-fix"
    );
    assert_eq!(dark().adopted().starting("order-bbb").said(&home(true)), "wait");
    let mut middle = dark().adopted();
    middle.set("order", "v42", "aaa", 1, 1, 0);
    assert_eq!(middle.said(&home(true)), "wait");
    let returns = dark().adopted().said(&home(true));
    assert!(returns.starts_with("httproutes/web\ntest @order.flight ") && returns.contains("backendRefs/0/weight 100"), "{returns}");
    assert!(returns.contains(READ) || returns.contains("test @order.flight"), "{returns}");
    assert_eq!(Cluster::routed().beside("v43").weighing(0).adopted().said(&home(true)), "met");
    // Both run the version that gets all.
    assert_eq!(dark().adopted().said(&traffic(100, Way::Forward)), "met");
}

#[test]
fn a_way_back_puts_the_old_template_where_there_is_no_traffic() {
    // In the middle of an adoption: into the first one, which is dark.
    let adopting = || Cluster::routed().beside("v43").weighing(100).adopted().starting("order-bbb");
    let said = adopting().said(&old_pods(2, Way::Back));
    assert!(said.starts_with("deployments/order\ntest /metadata/generation 2") && said.contains(r#""spec":{"was":"v42"}"#), "{said}");
    assert!(said.contains(r#""slot":"main""#), "{said}");
    // Traffic is at home again: into the second one, once its last requests are over.
    let idle = || Cluster::routed().beside("v43").weighing(0).adopted();
    assert_eq!(idle().stood(3).said(&old_pods(2, Way::Back)), "wait 7 s");
    let said = idle().said(&old_pods(2, Way::Back));
    assert!(said.starts_with("deployments/order-next\ntest /metadata/generation 1") && said.contains(r#""slot":"main-next""#), "{said}");
    // The old version stands beside: the traffic goes there.
    let said = Cluster::routed().beside("v42").weighing(0).adopted().said(&traffic(0, Way::Back));
    assert!(said.contains("backendRefs/1/weight 100"), "{said}");
    // And home takes it in the dark.
    let said = Cluster::routed().beside("v42").weighing(100).adopted().said(&home(false));
    assert!(said.starts_with("deployments/order\n") && said.contains(r#""was":"v42""#), "{said}");
    // The second one is gone: it is made again with the old template.
    let gone = Cluster::routed().adopted().said(&old_pods(2, Way::Back));
    assert!(gone.starts_with("POST deployments/order-next ") && gone.contains(r#""was":"v42""#), "{gone}");
}

#[test]
fn what_an_owner_puts_beside_a_canary_is_no_hindrance_to_get_off_the_new_version() {
    let v44 = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/order:v44"}]}}}});
    let mut c = Cluster::routed().beside("v43").weighing(30).with("Deployment order", v44);
    c.set("order", "v44", "ddd", 2, 2, 300);
    c.set("order", "v42", "aaa", 1, 0, 0);
    let fenced = c.said(&traffic(0, Way::Back));
    assert!(fenced.contains("@order.flight") && !fenced.contains("/weight"), "{fenced}");
    c.objects.retain(|(kind, o)| *kind != "Pod" || o["metadata"]["ownerReferences"][0]["uid"] != "order-aaa");
    c.pods("order", "ddd");
    assert!(c.said(&traffic(0, Way::Back)).contains("backendRefs/1/weight 0"));
    let moved = "refused: order was changed by somebody else: app is shop/order:v44";
    // It has the pods, it stays, and that is the end of the way back.
    assert_eq!(c.said(&old_pods(2, Way::Back)), "met");
    assert!(c.said(&home(false)).contains("backendRefs/1/weight 0"));
    assert_eq!(c.said(&traffic(50, Way::Forward)), moved);
}

#[test]
fn the_second_one_goes_when_nobody_is_sent_to_it() {
    let order = old_pods(0, Way::Forward);
    let c = || Cluster::routed().beside("v43").adopted();
    assert_eq!(c().weighing(1).said(&order), "wait");
    assert_eq!(c().weighing(0).stood(2).said(&order), "wait 8 s");
    assert_eq!(c().weighing(0).starting("order-bbb").said(&order), "wait");
    let said = c().weighing(0).said(&order);
    assert!(
        said.contains("remove @order.backends")
            && said.ends_with(r#"replace /spec/rules/0/backendRefs [{"name":"order","port":80,"weight":7}]"#),
        "{said}"
    );
    let left = c();
    assert_eq!(left.said(&order), "DELETE deployments/order-next order-next");
    assert_eq!(Cluster::routed().adopted().said(&order), "met");
    let said = Cluster::switched()
        .beside("v43")
        .adopted()
        .with("Service order", json!({"metadata": {"annotations": {"flightdeck.dev/split-of": "order"}}}))
        .said(&order);
    assert!(said.starts_with("services/order\n") && said.ends_with("remove @split-of"), "{said}");
}

#[test]
fn an_autoscaler_gets_back_what_its_owner_wrote_last_and_no_more() {
    let scaler = |least: u64, most: u64, raised: Option<Value>| {
        let notes = raised.map_or(json!({}), |raised| json!({"flightdeck.dev/raised": raised.to_string()}));
        json!({"metadata": {"name": "order", "resourceVersion": "7", "annotations": notes}, "spec": {"minReplicas": least, "maxReplicas": most}})
    };
    // Raised for 4 pods: its bounds now, what is noted, the writes.
    let raises = [
        (2, 9, None, "minReplicas=4", json!({"minReplicas": [2, 4]})),
        (2, 3, None, "minReplicas=4 maxReplicas=4", json!({"minReplicas": [2, 4], "maxReplicas": [3, 4]})),
        (3, 9, Some(json!({"minReplicas": [2, 3]})), "minReplicas=4", json!({"minReplicas": [2, 4]})),
        // Its owner lowered the greatest number since.
        (3, 3, Some(json!({"minReplicas": [1, 2]})), "minReplicas=4 maxReplicas=4", json!({"minReplicas": [3, 4], "maxReplicas": [3, 4]})),
    ];
    for (least, most, noted, writes, note) in raises {
        let mut c = Cluster::routed();
        c.put("HorizontalPodAutoscaler", scaler(least, most, noted));
        let said = c.said(&old_pods(4, Way::Back));
        let bounds: Vec<String> = said.lines().filter_map(|l| Some(l.strip_prefix("add /spec/")?.replace(' ', "="))).collect();
        assert_eq!(bounds.join(" "), writes, "{said}");
        let noted: Value = serde_json::from_str(said.rsplit_once("@raised ").unwrap().1).unwrap();
        assert_eq!(noted, note, "{said}");
    }
    // And at the end, also where the second one is gone already.
    let lowers = [
        (4, 4, json!({"minReplicas": [2, 4], "maxReplicas": [3, 4]}), "replace /spec/minReplicas 2\nreplace /spec/maxReplicas 3"),
        (4, 9, json!({"minReplicas": [2, 4], "maxReplicas": [3, 4]}), "replace /spec/minReplicas 2"),
        (4, 5, json!({"minReplicas": [2, 3], "maxReplicas": [3, 5]}), "replace /spec/maxReplicas 4"),
        (6, 9, json!({"minReplicas": [2, 4]}), ""),
    ];
    for (least, most, noted, writes) in lowers {
        let mut c = Cluster::routed().adopted();
        c.put("HorizontalPodAutoscaler", scaler(least, most, Some(noted)));
        let said = c.said(&old_pods(0, Way::Forward));
        let all = format!("horizontalpodautoscalers/order\ntest /metadata/resourceVersion 7\nremove @raised\n{writes}");
        assert_eq!(said, all.trim_end());
    }
}

#[test]
fn a_budget_that_covers_the_second_one_too_stays_the_only_one() {
    let labels = json!({"app": "order", "slot": "main-next", "team": "shop"});
    let expression =
        |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
    let rows = [
        (json!({}), true),
        (json!({"matchLabels": {"team": "shop"}}), true),
        (json!({"matchLabels": {"team": "shop", "slot": "main"}}), false),
        (expression("slot", "In", &["main", "main-next"]), true),
        (expression("slot", "NotIn", &["main-next"]), false),
        (expression("slot", "Exists", &[]), true),
        (expression("track", "DoesNotExist", &[]), true),
        (Value::Null, false),
    ];
    for (selector, selects) in rows {
        assert_eq!(around::selects(&selector, &labels), selects, "{selector}");
    }
    assert!(!around::selects(&json!({}), &Value::Null));
}

#[test]
fn another_rollout_of_a_shared_route_is_no_hindrance_and_keeps_its_fence() {
    let theirs = json!({"rollout": "pay-1", "term": 9, "way": "back", "to": "x"}).to_string();
    let shared = json!({"metadata": {"annotations": {"pay.flightdeck.dev/flight": theirs, "pay.flightdeck.dev/backends": "[]"}}});
    let c = || Cluster::routed().beside("v43").weighing(50).with("web", shared.clone());
    assert_eq!(c().row().flight.unwrap().rollout.as_str(), "order-1");
    for (order, weight) in [(traffic(100, Way::Forward), 0), (traffic(0, Way::Back), 100)] {
        let said = c().said(&order);
        assert!(said.contains(&format!("backendRefs/0/weight {weight}")) && !said.contains("pay"), "{said}");
    }
}

#[test]
fn what_its_owner_changed_beside_ours_since_stays_and_the_rest_is_as_he_wrote_it() {
    let to = |name: &str, weight: u64| json!({"name": name, "port": 80, "weight": weight});
    let kept = json!([[0, [to("other", 1), to("order", 3)]]]).to_string();
    let end = |other: u64| {
        Cluster::routed()
            .beside("v43")
            .adopted()
            .with(
                "web",
                json!({"metadata": {"annotations": {"order.flightdeck.dev/backends": kept}},
                    "spec": {"rules": [{"backendRefs": [to("other", other), to("order", 30_000), to("order-next", 0)]}]}}),
            )
            .said(&old_pods(0, Way::Forward))
    };
    assert!(
        end(10_000).ends_with(&format!("replace /spec/rules/0/backendRefs {}", json!([to("other", 1), to("order", 3)]))),
        "{}",
        end(10_000)
    );
    assert!(
        end(5_000).ends_with(&format!("replace /spec/rules/0/backendRefs {}", json!([to("other", 5_000), to("order", 30_000)]))),
        "{}",
        end(5_000)
    );
    // Beside a heavy one whole percents are still whole.
    let heavy = json!({"spec": {"rules": [{"backendRefs": [to("other", 999), to("order", 1)]}]}});
    let said = Cluster::routed().beside("v43").with("web", heavy).said(&traffic(25, Way::Forward));
    assert!(said.contains(&json!([to("other", 999_000), to("order", 1_000), to("order-next", 0)]).to_string()), "{said}");
    let twice = json!({"spec": {"rules": [{"backendRefs": [to("order", 1), to("order", 2)]}]}});
    let row = Cluster::routed().with("web", twice).row();
    assert_eq!(row.divides, Divides::Nothing("a rule of HTTPRoute web names its Services twice".into()));
}

#[test]
fn a_template_that_selects_by_the_changed_label_selects_its_own_pods() {
    let term = json!({"labelSelector": {"matchExpressions": [{"key": "slot", "operator": "In", "values": ["main", "other"]}]}});
    let mut template = json!({
        "metadata": {"labels": {"app": "order", "slot": "main"}},
        "spec": {
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}},
            "topologySpreadConstraints": [{"labelSelector": {"matchLabels": {"slot": "main"}}}],
            "containers": [],
        },
    });
    let before = template.clone();
    let keys = [("slot".to_owned(), "main".to_owned())];
    labels::template(&mut template, &keys, true);
    let text = template.to_string();
    assert!(text.contains(r#""values":["main-next","other"]"#) && text.contains(r#""matchLabels":{"slot":"main-next"}"#), "{text}");
    labels::template(&mut template, &keys, false);
    assert_eq!(template, before);
}
