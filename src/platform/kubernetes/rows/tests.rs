//! Objects as the API gives them, and the rows that come out.

use super::super::index::{Index, Kept};
use super::super::objects::{Deployment, Pod, Row, Seen, Set, Slice, Uid};
use crate::fleet::{Automation, Way, Workload};
use crate::units::{Percent, Region, Span, Time};
use serde_json::{Value, json};

/// A Deployment `shop/order` with what belongs to it.
struct Scene {
    deployment: Value,
    others: Vec<(&'static str, Value)>,
    pods_known: bool,
    now: Time,
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

fn at(seconds: i64) -> String {
    Time(1_767_603_600_000 + seconds * 1000).to_string()
}

impl Scene {
    /// 4 of 4 pods of v42, complete.
    fn new() -> Scene {
        let deployment = json!({
            "metadata": {"name": "order", "namespace": "shop", "uid": "d", "generation": 1, "creationTimestamp": at(0),
                "annotations": {"deployment.kubernetes.io/revision": "1"},
                "managedFields": [
                    {"manager": "kubectl-client-side-apply", "operation": "Update", "time": at(0),
                        "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}}},
                    {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "time": at(99),
                        "fieldsV1": {"f:status": {}}},
                ]},
            "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "order"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "template": {"metadata": {"labels": {"app": "order"}}, "spec": {"containers": [{"name": "app", "image": "shop/order:v42"}]}}},
            "status": {"observedGeneration": 1, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
                "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "lastTransitionTime": at(0)}]},
        });
        let mut scene = Scene { deployment, others: Vec::new(), pods_known: true, now: Time::parse(&at(60)).unwrap() };
        scene.set("aaa", 1, "shop/order:v42", 4, json!({}));
        scene.pods("aaa", 4, json!({}));
        scene
    }
    /// An update to v43 that has begun: 1 new pod, 3 old ones.
    fn updating() -> Scene {
        let mut s = Scene::new();
        s.others.clear();
        s.deployment(json!({
            "metadata": {"generation": 2},
            "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/order:v43"}]}}},
            "status": {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 3, "conditions": [
                {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "lastTransitionTime": at(30)}]},
        }));
        s.set("aaa", 1, "shop/order:v42", 3, json!({}));
        s.pods("aaa", 3, json!({}));
        s.set("bbb", 2, "shop/order:v43", 1, json!({"metadata": {"creationTimestamp": at(30)}}));
        s
    }
    fn deployment(&mut self, change: Value) -> &mut Self {
        over(&mut self.deployment, change);
        self
    }
    fn set(&mut self, hash: &str, number: u64, image: &str, replicas: u32, change: Value) -> &mut Self {
        let mut set = json!({
            "metadata": {"name": format!("order-{hash}"), "namespace": "shop", "uid": hash, "creationTimestamp": at(0),
                "labels": {"app": "order", "pod-template-hash": hash},
                "annotations": {"deployment.kubernetes.io/revision": number.to_string()},
                "ownerReferences": [{"kind": "Deployment", "name": "order", "uid": "d", "controller": true}]},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
            "status": {"replicas": replicas, "readyReplicas": replicas},
        });
        over(&mut set, change);
        self.others.push(("set", set));
        self
    }
    /// Pods `order-<hash>-0` and on, ready 5 s after they were created.
    fn pods(&mut self, hash: &str, count: usize, change: Value) -> &mut Self {
        for _ in 0..count {
            let nth =
                self.others.iter().filter(|(_, p)| p["metadata"]["name"].as_str().unwrap().starts_with(&format!("order-{hash}-"))).count();
            let mut pod = json!({
                "metadata": {"name": format!("order-{hash}-{nth}"), "namespace": "shop", "uid": format!("{hash}{nth}"), "creationTimestamp": at(30),
                    "ownerReferences": [{"kind": "ReplicaSet", "name": format!("order-{hash}"), "uid": hash, "controller": true}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at(35)}],
                    "containerStatuses": [{"name": "app", "image": "shop/order:v43", "ready": true, "restartCount": 0,
                        "state": {"running": {"startedAt": at(31)}}}]},
            });
            over(&mut pod, change.clone());
            self.others.push(("pod", pod));
        }
        self
    }
    /// A pod of v43 whose one container waits.
    fn waiting(&mut self, reason: &str, message: &str, last: Value, restarts: u32) -> &mut Self {
        self.pods(
            "bbb",
            1,
            json!({"status": {
            "phase": "Pending",
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at(30)}],
            "containerStatuses": [{"name": "app", "image": "shop/order:v43", "ready": false, "restartCount": restarts,
                "state": {"waiting": {"reason": reason, "message": message}}, "lastState": last}]}}),
        )
    }
    fn slice(&mut self, pods: &[(&str, Option<bool>)]) -> &mut Self {
        let endpoint = |(pod, ready): &(&str, Option<bool>)| {
            json!({
            "addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod, "namespace": "shop"}})
        };
        let endpoints: Vec<Value> = pods.iter().map(endpoint).collect();
        let n = self.others.len();
        self.others.push(("slice", json!({"metadata": {"name": format!("order-{n}"), "namespace": "shop"}, "endpoints": endpoints})));
        self
    }
    fn seen(&self) -> (Workload, Option<Time>) {
        let mut index = Index::default();
        (index.pods_known, index.slices_known) = (self.pods_known, true);
        // Pods first: the order of the lists must not matter.
        for (kind, object) in self.others.iter().rev() {
            match *kind {
                "set" => put::<Set>(&mut index, object),
                "pod" => put::<Pod>(&mut index, object),
                _ => put::<Slice>(&mut index, object),
            }
        }
        put::<Deployment>(&mut index, &self.deployment);
        assert!(index.take_dirty().contains(&Uid::new("d")));
        index.workload(Uid::new("d"), &Region::new("east"), self.now).unwrap()
    }
    fn row(&self) -> Workload {
        self.seen().0
    }
    /// `4/4/3` for want, exist, ready of each revision, newest first, by name.
    fn pods_line(&self) -> String {
        let row = self.row();
        let one = |r: &crate::fleet::RevisionSeen| format!("{} {}/{}/{}", r.version, r.pods.want, r.pods.exist, r.pods.ready);
        row.revisions.iter().map(one).collect::<Vec<_>>().join(", ")
    }
    /// `cause | pods | heals` of the newest revision.
    fn stuck(&self) -> String {
        let row = self.row();
        row.revisions[0]
            .pods
            .stuck
            .as_ref()
            .map_or("-".into(), |s| format!("{} | {} | {}", s.cause, s.pods, if s.may_heal { "may heal" } else { "does not heal" }))
    }
}

fn put<R: Row + Kept + PartialEq>(index: &mut Index, object: &Value) {
    let seen: Seen<R> = serde_json::from_str(&object.to_string()).unwrap();
    if let Some(row) = seen.row.unwrap() {
        index.apply(seen.key, row);
    }
}

#[test]
fn a_quiet_workload_is_complete_with_its_version_and_who_made_it() {
    let row = Scene::new().row();
    assert_eq!((row.complete, row.moves(), row.paused, row.deadline_passed), (true, false, false, false));
    assert_eq!(row.id.to_string(), "east/shop/order");
    assert_eq!((row.template.as_str(), row.revisions[0].version.as_str(), row.revisions[0].number), ("aaa", "v42", Some(1)));
    assert_eq!(row.changed_by.as_ref().unwrap().as_str(), "kubectl-client-side-apply");
    assert_eq!((row.rolling, row.drains, row.start_takes), (Some((1, 1)), false, Some(Span::secs(5))));
    assert_eq!(row.want(&row.template), Some(Percent::ALL));
}

#[test]
fn an_update_shows_both_sides_newest_first() {
    let mut s = Scene::updating();
    s.pods("bbb", 1, json!({}));
    assert_eq!(s.pods_line(), "v43 1/1/1, v42 3/3/3");
    let row = s.row();
    assert_eq!((row.complete, row.template.as_str(), row.changed), (false, "bbb", Time::parse(&at(30)).unwrap()));
    assert_eq!(row.want(&row.template), Some(Percent::whole(25)));
}

#[test]
fn a_generation_that_the_controller_has_not_seen_is_not_complete() {
    let mut s = Scene::new();
    s.deployment(json!({"metadata": {"generation": 2}}));
    assert!(!s.row().complete);
}

#[test]
fn a_pod_that_fails_after_the_update_was_done_is_not_an_update() {
    let mut s = Scene::new();
    s.deployment(json!({"status": {"availableReplicas": 3, "readyReplicas": 3}}));
    assert!(s.row().complete);
    s.deployment(json!({"status": {"conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]}}));
    assert!(!s.row().complete);
}

#[test]
fn ready_is_what_the_endpoint_slices_say_where_they_name_the_pod() {
    let mut s = Scene::new();
    s.slice(&[("order-aaa-0", Some(true)), ("order-aaa-1", Some(false)), ("order-aaa-2", None)]);
    assert_eq!(s.pods_line(), "v42 4/4/3");
    s.slice(&[("order-aaa-1", Some(true))]);
    assert_eq!(s.pods_line(), "v42 4/4/4");
}

#[test]
fn a_slice_does_not_make_a_pod_ready_that_says_it_is_not() {
    let mut s = Scene::updating();
    s.pods("bbb", 1, json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}));
    s.slice(&[("order-bbb-0", Some(true))]);
    assert_eq!(s.pods_line(), "v43 1/1/0, v42 3/3/3");
}

#[test]
fn pods_that_go_or_are_over_do_not_count() {
    let mut s = Scene::updating();
    s.pods("bbb", 1, json!({"metadata": {"deletionTimestamp": at(40)}}));
    s.pods("bbb", 1, json!({"status": {"phase": "Failed"}}));
    assert_eq!(s.pods_line(), "v43 1/0/0, v42 3/3/3");
}

#[test]
fn without_a_right_to_see_pods_the_controllers_counts_are_taken() {
    let mut s = Scene::updating();
    s.pods_known = false;
    assert_eq!(s.pods_line(), "v43 1/1/1, v42 3/3/3");
}

#[test]
fn images_that_cannot_be_pulled_say_why_and_whether_waiting_helps() {
    for (reason, message, stuck) in [
        (
            "ErrImagePull",
            "rpc error: code = Unknown desc = failed to pull and unpack image \"r/shop/order:v43\": unexpected status from HEAD request: 403 Forbidden",
            "image pull denied (403) | 1 | does not heal",
        ),
        (
            "ErrImagePull",
            "pull access denied, repository does not exist or may require authorization",
            "image pull denied (401) | 1 | does not heal",
        ),
        (
            "ImagePullBackOff",
            "Back-off pulling image \"shop/order:v43\": ErrImagePull: failed to resolve reference: docker.io/shop/order:v43: not found",
            "no such image: shop/order:v43 | 1 | does not heal",
        ),
        ("ErrImagePull", "toomanyrequests: You have reached your pull rate limit", "image pull limited (429) | 1 | may heal"),
        ("ErrImagePull", "dial tcp: lookup registry: no such host", "the registry does not answer: shop/order:v43 | 1 | may heal"),
        ("ImagePullBackOff", "Back-off pulling image \"shop/order:v43\"", "image pull fails: shop/order:v43 | 1 | may heal"),
        ("InvalidImageName", "", "not an image name: shop/order:v43 | 1 | does not heal"),
        ("ErrImagePull", "rpc error: code = X desc = out of \u{1b}[31mluck", "image pull fails: out of  [31mluck | 1 | may heal"),
    ] {
        let mut s = Scene::updating();
        s.waiting(reason, message, json!({}), 0);
        assert_eq!(s.stuck(), stuck, "{message}");
    }
}

#[test]
fn a_back_off_keeps_the_words_of_the_pull_before_it() {
    let pod = |message: &str| {
        let mut s = Scene::updating();
        s.waiting("ImagePullBackOff", message, json!({}), 0);
        s.others.pop().unwrap().1
    };
    let mut index = Index::default();
    put::<Pod>(&mut index, &pod("403 Forbidden"));
    put::<Pod>(&mut index, &pod("Back-off pulling image \"shop/order:v43\""));
    let (_, pod, _) = index.pods_of(Uid::new("bbb")).next().unwrap();
    assert_eq!(pod.trouble.as_ref().unwrap().cause, "image pull denied (403)");
}

#[test]
fn crashes_say_code_and_restarts_of_the_worst_pod() {
    let mut s = Scene::updating();
    s.waiting("CrashLoopBackOff", "back-off", json!({"terminated": {"exitCode": 1, "reason": "Error"}}), 2);
    s.waiting("CrashLoopBackOff", "back-off", json!({"terminated": {"exitCode": 1, "reason": "Error"}}), 5);
    assert_eq!(s.stuck(), "crashes, exit code 1, 5 restarts | 2 | may heal");
    let mut s = Scene::updating();
    s.waiting("CrashLoopBackOff", "back-off", json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), 1);
    assert_eq!(s.stuck(), "out of memory, 1 restart | 1 | may heal");
}

#[test]
fn a_pod_without_a_node_says_what_there_is_no_room_for() {
    let mut s = Scene::updating();
    s.pods(
        "bbb",
        1,
        json!({"status": {"phase": "Pending", "containerStatuses": null, "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": at(31),
        "message": "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found."}]}}),
    );
    assert_eq!(s.stuck(), "no room: 3 Insufficient cpu | 1 | may heal");
    assert_eq!(s.row().revisions[0].pods.stuck.as_ref().unwrap().since, Time::parse(&at(31)).unwrap());
}

#[test]
fn missing_configuration_and_a_command_that_does_not_start_are_named() {
    let mut s = Scene::updating();
    s.waiting("CreateContainerConfigError", "secret \"db\" not found", json!({}), 0);
    assert_eq!(s.stuck(), "config missing: secret \"db\" not found | 1 | does not heal");
    let mut s = Scene::updating();
    s.waiting("RunContainerError", "exec: \"/app\": no such file", json!({}), 0);
    assert_eq!(s.stuck(), "does not start: exec: \"/app\": no such file | 1 | may heal");
}

#[test]
fn a_starting_pod_is_not_stuck_until_it_takes_too_long() {
    let unready = json!({"status": {
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at(30)}],
        "containerStatuses": [{"name": "app", "ready": false, "state": {"running": {"startedAt": at(50)}}}]}});
    let mut s = Scene::updating();
    s.pods("bbb", 1, unready);
    let (row, again) = s.seen();
    assert_eq!((row.revisions[0].pods.stuck.clone(), again), (None, Time::parse(&at(65))));
    s.now = again.unwrap();
    assert_eq!(s.stuck(), "not ready: app runs, its readiness check fails | 1 | may heal");
    assert_eq!(s.seen().1, None);
}

#[test]
fn a_container_that_is_being_created_is_not_stuck() {
    let mut s = Scene::updating();
    s.waiting("ContainerCreating", "", json!({}), 0);
    assert_eq!(s.stuck(), "-");
}

#[test]
fn pods_that_may_not_be_created_say_why() {
    let quota = "pods \"order-bbb-x\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10";
    let mut s = Scene::updating();
    s.deployment(json!({"status": {"conditions": [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": quota, "lastTransitionTime": at(31)}]}}));
    let words = "no pods created: exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10 | 1 | does not heal";
    assert_eq!(s.stuck(), words);
    let mut s = Scene::updating();
    let failed = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": quota}]);
    s.others.pop();
    s.set("bbb", 2, "shop/order:v43", 1, json!({"status": {"conditions": failed}}));
    assert_eq!(s.stuck(), words);
}

#[test]
fn a_deadline_that_has_passed_is_said() {
    let mut s = Scene::updating();
    s.pods("bbb", 1, json!({}));
    s.deployment(json!({"status": {"conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": at(40)}]}}));
    assert!(s.row().deadline_passed && !s.row().complete);
    assert_eq!(s.stuck(), "no progress: the deadline of the Deployment has passed | 0 | may heal");
}

#[test]
fn a_paused_update_is_paused() {
    let mut s = Scene::updating();
    s.deployment(json!({"spec": {"paused": true}}));
    assert!(s.row().paused && !s.row().complete);
}

#[test]
fn versions_are_tags_of_the_container_that_changes_then_digests_then_numbers() {
    let name = super::name;
    assert_eq!(name("shop/order:v43").as_deref(), Some("v43"));
    assert_eq!(name("registry:5000/shop/order"), None);
    assert_eq!(name("registry:5000/shop/order:v1@sha256:0123456789").as_deref(), Some("v1"));
    assert_eq!(name("shop/order@sha256:0123456789").as_deref(), Some("0123456"));

    let mut s = Scene::updating();
    s.others.clear();
    let two = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "proxy", "image": "proxy:7"}, {"name": "app", "image": image}]}}}});
    s.set("aaa", 1, "", 3, two("shop/order:v42")).set("bbb", 2, "", 1, two("shop/order@sha256:0123456789"));
    assert_eq!(s.pods_line(), "0123456 1/0/0, v42 3/0/0");
    s.others.clear();
    s.set("aaa", 11, "shop/order", 3, json!({})).set("bbb", 12, "shop/order", 1, json!({}));
    assert_eq!(s.pods_line(), "rev 12 1/0/0, rev 11 3/0/0");
}

#[test]
fn equal_names_get_the_first_letters_of_their_identity() {
    let mut s = Scene::updating();
    s.others.clear();
    s.set("6c9f8d", 1, "shop/order:latest", 3, json!({})).set("77b2aa", 2, "shop/order:latest", 1, json!({}));
    assert_eq!(s.pods_line(), "latest·77b2 1/0/0, latest·6c9f 3/0/0");
}

#[test]
fn a_template_that_was_brought_back_changed_when_its_writer_wrote() {
    let mut s = Scene::updating();
    s.others.clear();
    s.set("aaa", 3, "shop/order:v42", 1, json!({})).set("bbb", 2, "shop/order:v43", 3, json!({"metadata": {"creationTimestamp": at(30)}}));
    s.deployment(json!({"metadata": {"managedFields": [
        {"manager": "kubectl", "time": at(45), "fieldsV1": {"f:spec": {"f:template": {}}}}]}}));
    let row = s.row();
    assert_eq!((row.template.as_str(), row.changed), ("aaa", Time::parse(&at(45)).unwrap()));
    assert_eq!(row.changed_by.unwrap().as_str(), "kubectl");
}

#[test]
fn few_old_revisions_without_pods_are_kept() {
    let mut s = Scene::new();
    s.others.clear();
    s.set("n", 20, "shop/order:v20", 4, json!({}));
    for n in 1..=9_u64 {
        s.set(&format!("o{n}"), n, &format!("shop/order:v{n}"), u32::from(n == 2), json!({}));
    }
    let row = s.row();
    let names: Vec<&str> = row.revisions.iter().map(|r| r.version.as_str()).collect();
    assert_eq!(names, ["v20", "v9", "v8", "v7", "v6", "v5", "v2"]);
}

#[test]
fn the_fence_and_the_stable_revision_are_read_from_annotations() {
    let mut s = Scene::updating();
    s.deployment(json!({"metadata": {"annotations": {
        "flightdeck.dev/flight": r#"{"rollout":"order-3f9k2m7q","term":7,"way":"back","to":"aaa"}"#,
        "flightdeck.dev/stable": "aaa"}}}));
    let row = s.row();
    let flight = row.flight.as_ref().unwrap();
    assert_eq!((flight.term.0, flight.way, flight.to.as_str()), (7, Way::Back, "aaa"));
    assert_eq!(row.revisions.iter().map(|r| r.seen_healthy).collect::<Vec<_>>(), [false, true]);
    s.deployment(json!({"metadata": {"annotations": {"flightdeck.dev/flight": "{not json"}}}));
    assert_eq!(s.row().flight, None);
}

#[test]
fn who_else_writes_is_recognised() {
    let found = |change: Value| {
        let mut s = Scene::new();
        s.deployment(json!({ "metadata": change }));
        s.row().automation
    };
    let is = |kind: &str, name: &str, fights| Some(Automation { kind: kind.into(), name: name.into(), fights });
    assert_eq!(found(json!({})), None);
    let tracked = json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop-prod:apps/Deployment:shop/order"}});
    assert_eq!(found(tracked), is("Argo CD", "shop-prod", true));
    assert_eq!(found(json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}})), is("Flux", "shop", true));
    assert_eq!(found(json!({"labels": {"helm.toolkit.fluxcd.io/name": "shop"}})), is("Flux", "shop", false));
    assert_eq!(found(json!({"annotations": {"meta.helm.sh/release-name": "shop"}})), is("Helm", "shop", false));
    let owner = json!({"ownerReferences": [{"kind": "Canary", "name": "order", "uid": "c", "controller": true}]});
    assert_eq!(found(owner), is("Canary", "order", true));
    let scaled = json!({"managedFields": [
        {"manager": "kube-controller-manager", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]});
    assert_eq!(found(scaled), is("HPA", "order", false));
}

#[test]
fn surge_and_unavailable_are_pods_as_the_controller_rounds_them() {
    let rolling = |strategy: Value| {
        let mut s = Scene::new();
        s.deployment["spec"]["strategy"] = strategy;
        s.deployment["spec"]["replicas"] = json!(10);
        s.row().rolling
    };
    assert_eq!(rolling(json!({"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})), Some((3, 2)));
    assert_eq!(rolling(json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})), Some((1, 0)));
    assert_eq!(rolling(json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "5%"}})), Some((0, 1)));
    assert_eq!(rolling(json!({})), Some((3, 2)));
    assert_eq!(rolling(json!({"type": "Recreate"})), None);
}

#[test]
fn an_update_that_was_just_asked_for_has_no_revision_yet() {
    let mut s = Scene::new();
    s.others.clear();
    let row = s.row();
    assert_eq!((row.template.as_str(), row.revisions[0].version.as_str(), row.revisions[0].pods.ready), ("?", "v42", 4));
}

#[test]
fn an_object_that_does_not_parse_becomes_a_reason_with_its_name() {
    let odd = json!({"metadata": {"name": "order", "namespace": "shop", "uid": "d", "resourceVersion": "7"}, "spec": {"replicas": "many"}});
    let seen: Seen<Deployment> = serde_json::from_str(&odd.to_string()).unwrap();
    let why = seen.row.unwrap_err();
    assert!(why.starts_with("deployments shop/order: ") && why.contains("many"), "{why}");
    assert_eq!(&*seen.key, "shop/order");
    let nameless: Seen<Pod> = serde_json::from_str("{\"metadata\": 3}").unwrap();
    assert!(nameless.row.is_err());
}

#[test]
fn names_from_outside_never_carry_control_characters() {
    let mut s = Scene::new();
    s.others.clear();
    s.set("aaa", 1, "shop/order:\u{1b}[2Jv42", 4, json!({}));
    assert_eq!(s.row().revisions[0].version.as_str(), " [2Jv42");
}
