//! What `platform/kubernetes` does when an API server misbehaves.

#[path = "fake/api_server.rs"]
mod api_server;
#[path = "fake/shop.rs"]
mod shop;

use api_server::{Answer, ApiServer};
use flightdeck::fleet::{Aspect, Divides, Division, Fact, Way, Workload};
use flightdeck::platform::kubernetes::{Contexts, KubernetesPlatform, RegionSpec};
use flightdeck::platform::{Order, Platform};
use flightdeck::rollout::{Want, Wish, WishKey};
use flightdeck::units::{Kind, LegId, Namespace, Percent, Region, RolloutId, Term, Time, Trouble, Version};
use serde_json::{Value, json};
use shop::{deployment, fill, pod, set};
use std::time::Duration;

/// How long a fact may take. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Eyes {
    platform: KubernetesPlatform,
    seen: Vec<Fact>,
    _files: tempfile::TempDir,
}

impl Eyes {
    /// One region per (name, kubeconfig); the namespaces are for all of them.
    fn on(regions: &[(&str, String)], namespaces: &[&str]) -> Eyes {
        let files = tempfile::tempdir().unwrap();
        let mut merged = json!({"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []});
        for (name, text) in regions {
            let mut one: Value = serde_json::from_str(text).unwrap();
            // Each its own cluster and user.
            one["contexts"][0]["context"]["cluster"] = json!(name);
            one["contexts"][0]["context"]["user"] = json!(name);
            for list in ["clusters", "users", "contexts"] {
                one[list][0]["name"] = json!(name);
                merged[list].as_array_mut().unwrap().push(one[list][0].take());
            }
        }
        let path = files.path().join("config");
        std::fs::write(&path, merged.to_string()).unwrap();
        let spec = |(name, _): &(&str, String)| RegionSpec {
            name: Region::new(name),
            context: (*name).to_owned(),
            namespaces: namespaces.iter().map(Namespace::new).collect(),
            prometheus: None,
        };
        let specs: Vec<RegionSpec> = regions.iter().map(spec).collect();
        let platform = KubernetesPlatform::start(Contexts::read(Some(&path)).unwrap(), &specs).unwrap();
        Eyes { platform, seen: Vec::new(), _files: files }
    }
    fn open(server: &ApiServer) -> Eyes {
        Eyes::on(&[("east", server.kubeconfig("east", &json!({"token": "t"})))], &[])
    }
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Fact) -> Option<T>) -> T {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                while let Some(fact) = self.platform.poll(Time(0)) {
                    let found = wanted(&fact);
                    self.seen.push(fact);
                    if let Some(found) = found {
                        return found;
                    }
                }
                self.platform.ready().await;
            }
        });
        let found = found.await;
        found.unwrap_or_else(|_| panic!("not seen in {PATIENCE:?}: {what}\n{}", self.seen.iter().map(brief).collect::<Vec<_>>().join("\n")))
    }
    async fn connected(&mut self, name: &str) {
        self.until("connected", |fact| matches!(fact, Fact::Connected { region, .. } if region.as_str() == name).then_some(())).await;
    }
    async fn lost(&mut self) -> Trouble {
        self.until("lost", |fact| if let Fact::ConnectionLost { trouble, .. } = fact { Some(trouble.clone()) } else { None }).await
    }
    async fn row(&mut self, what: &str, wanted: impl Fn(&Workload) -> bool) -> Workload {
        self.until(what, |fact| match fact {
            Fact::WorkloadSeen(row) if wanted(row) => Some((**row).clone()),
            _ => None,
        })
        .await
    }
    async fn gone(&mut self, name: &str) {
        self.until("gone", |fact| matches!(fact, Fact::WorkloadGone(id) if &*id.name == name).then_some(())).await;
    }
    async fn failed(&mut self) -> Trouble {
        self.until("a write that failed", |fact| match fact {
            Fact::WriteFailed { trouble, .. } => Some(trouble.clone()),
            _ => None,
        })
        .await
    }
    async fn taken(&mut self) -> Term {
        self.until("a write that was taken", |fact| if let Fact::WriteTaken { term, .. } = fact { Some(*term) } else { None }).await
    }
}

/// A fact in one line.
fn brief(fact: &Fact) -> String {
    let Fact::WorkloadSeen(w) = fact else { return format!("{fact:?}") };
    let side = |r: &flightdeck::fleet::RevisionSeen| format!("{} {}/{}/{}", r.version, r.pods.want, r.pods.exist, r.pods.ready);
    let sides: Vec<String> = w.revisions.iter().map(side).collect();
    format!("{} of {}: {} paused={} complete={}", w.id.name, w.replicas, sides.join(", "), w.paused, w.complete)
}

fn order(row: &Workload, term: u64) -> Order {
    let want = Want::Roll { forward: true, share: Percent::ALL, surge: 1, unavailable: 0, paused: false };
    let key = WishKey { leg: LegId::new("east"), aspect: Aspect::Template };
    Order {
        rollout: RolloutId::new("order-1"),
        workload: row.id.clone(),
        wish: Wish { key, want, term: Term(term), way: Way::Forward, again: 0 },
        old: row.template.clone(),
        new: None,
        container: "app".into(),
        image: "order:v43".into(),
        version: Version::new("v43"),
        beside: None,
    }
}

fn back(row: &Workload, term: u64) -> Order {
    let mut order = order(row, term);
    order.wish.want = Want::Roll { forward: false, share: Percent::ALL, surge: 1, unavailable: 0, paused: false };
    order.wish.way = Way::Back;
    order
}

#[tokio::test]
async fn a_watch_that_is_too_old_lists_again_and_sees_what_it_lost() {
    let server = ApiServer::start().await;
    fill(&server);
    server.put("deployments", deployment("search", "search:v1"));
    let mut eyes = Eyes::open(&server);
    eyes.connected("east").await;
    server.lose("deployments", "shop/search");
    server.compact();
    eyes.gone("search").await;
    assert_eq!(server.asked("GET /apis/apps/v1/deployments?&limit=500").len(), 2);
}

#[tokio::test]
async fn a_watch_that_is_cut_goes_on_where_it_was_without_a_list() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut eyes = Eyes::open(&server);
    eyes.connected("east").await;
    server.cut();
    server.put("deployments", {
        let mut paused = deployment("order", "order:v42");
        paused["spec"]["paused"] = json!(true);
        paused
    });
    eyes.row("paused", |w| w.paused).await;
    assert_eq!(server.asked("GET /apis/apps/v1/deployments?&limit=500").len(), 1);
    assert!(!eyes.seen.iter().any(|fact| matches!(fact, Fact::ConnectionLost { .. })));
}

#[tokio::test]
async fn objects_that_do_not_parse_are_skipped_and_counted_in_lists_and_watches() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut odd = deployment("odd", "odd:v1");
    odd["spec"]["replicas"] = json!("many");
    server.put("deployments", odd);
    let mut eyes = Eyes::open(&server);
    eyes.connected("east").await;
    let skipped = |wanted: u64| {
        move |fact: &Fact| match fact {
            Fact::Skipped { objects, why, .. } if *objects == wanted => Some(why.clone()),
            _ => None,
        }
    };
    assert!(eyes.seen.iter().find_map(skipped(1)).unwrap().starts_with("deployments shop/odd: invalid type: string \"many\""));
    let mut odd = pod("order-aaa", "order-aaa-1");
    odd["status"] = json!("?\u{1b}[2J");
    server.put("pods", odd);
    let why = eyes.until("skipped", skipped(2)).await;
    assert!(why.starts_with("pods shop/order-aaa-1: ") && !why.contains('\u{1b}'), "{why}");
    server.say_line("pods", "this is not JSON".into());
    eyes.until("skipped", skipped(3)).await;
    server.put("pods", pod("order-aaa", "order-aaa-2"));
    eyes.row("two pods", |w| w.revisions[0].pods.exist == 2).await;
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let server = ApiServer::start().await;
    fill(&server);
    for n in 2..1200 {
        server.put("pods", pod("order-aaa", &format!("order-aaa-{n}")));
    }
    let mut eyes = Eyes::open(&server);
    eyes.row("all pods", |w| w.revisions[0].pods.exist == 1200).await;
    assert_eq!(server.asked("GET /api/v1/pods?&limit=500").len(), 3);
}

#[tokio::test]
async fn a_server_that_hangs_is_lost_after_five_seconds_and_found_again() {
    let server = ApiServer::start().await;
    fill(&server);
    server.answer("GET /version", Answer::Never);
    let mut eyes = Eyes::open(&server);
    let trouble = eyes.lost().await;
    assert_eq!((trouble.kind, trouble.cause.as_str()), (Kind::OutOfReach, "no answer within 5 s"));
    server.answer("GET /version", Answer::Well);
    eyes.connected("east").await;
}

#[tokio::test]
async fn one_dead_region_delays_no_other() {
    let (server, dead) = (ApiServer::start().await, ApiServer::start().await);
    fill(&server);
    dead.answer("GET /version", Answer::Never);
    let user = json!({"token": "t"});
    let nowhere =
        json!({"clusters": [{"cluster": {"server": "http://127.0.0.1:1"}}], "users": [{"user": user}], "contexts": [{"context": {}}]});
    let regions = [("dead", dead.kubeconfig("x", &user)), ("nowhere", nowhere.to_string()), ("east", server.kubeconfig("x", &user))];
    let mut eyes = Eyes::on(&regions, &[]);
    eyes.connected("east").await;
    let slow = |fact: &Fact| matches!(fact, Fact::ConnectionLost { region, .. } if region.as_str() == "dead");
    assert!(!eyes.seen.iter().any(slow));
    let refused = eyes.seen.iter().find_map(|fact| match fact {
        Fact::ConnectionLost { region, trouble, .. } if region.as_str() == "nowhere" => Some(trouble.remedy.clone()),
        _ => None,
    });
    if let Some(remedy) = refused {
        assert!(remedy.starts_with("is the API server running"), "{remedy}");
    }
}

#[tokio::test]
async fn where_all_namespaces_are_denied_the_contexts_own_is_watched() {
    let server = ApiServer::start().await;
    fill(&server);
    for path in ["/apis/apps/v1/deployments", "/apis/apps/v1/replicasets", "/api/v1/pods", "/apis/discovery.k8s.io/v1/endpointslices"] {
        server.answer(&format!("GET {path}"), Answer::Code(403, String::new()));
    }
    let mut eyes = Eyes::open(&server);
    eyes.connected("east").await;
    eyes.seen.iter().find(|fact| matches!(fact, Fact::WorkloadSeen(w) if w.revisions[0].pods.ready == 2)).unwrap();
}

#[tokio::test]
async fn without_pods_and_slices_the_controllers_counts_are_shown() {
    let server = ApiServer::start().await;
    fill(&server);
    server.answer("GET /api/v1/", Answer::Code(403, String::new()));
    server.answer("GET /apis/discovery.k8s.io/", Answer::Code(403, String::new()));
    let mut eyes = Eyes::open(&server);
    eyes.connected("east").await;
    eyes.seen.iter().find(|fact| matches!(fact, Fact::WorkloadSeen(w) if w.revisions[0].pods.ready == 2)).unwrap();
}

#[tokio::test]
async fn without_deployments_the_missing_right_is_said() {
    let server = ApiServer::start().await;
    server.answer("GET /apis/apps/v1/", Answer::Code(403, String::new()));
    let trouble = Eyes::open(&server).lost().await;
    assert_eq!(
        (trouble.cause.as_str(), trouble.remedy.as_str()),
        ("list deployments in namespace shop: denied (403)", "ask for the right to list deployments in namespace shop")
    );
}

#[tokio::test]
async fn answers_that_are_not_kubernetes_are_quoted_without_their_control_characters() {
    let server = ApiServer::start().await;
    server.answer("GET /version", Answer::Code(502, "<html>bad\u{1b}[2Jgateway</html>".into()));
    let trouble = Eyes::open(&server).lost().await;
    assert_eq!(trouble.cause, "get its version: the API server says 502: <html>bad [2Jgateway</html>");
    let server = ApiServer::start().await;
    server.answer("GET /version", Answer::Code(200, "[]".into()));
    assert_eq!(Eyes::open(&server).lost().await.kind, Kind::OutOfReach);
    let server = ApiServer::start().await;
    server.answer("GET /version", Answer::Close);
    assert_eq!(Eyes::open(&server).lost().await.kind, Kind::OutOfReach);
}

#[tokio::test]
async fn a_credential_that_is_refused_is_asked_for_again() {
    let server = ApiServer::start().await;
    fill(&server);
    server.only("second");
    let dir = tempfile::tempdir().unwrap();
    let flag = dir.path().join("asked");
    let script = format!(
        "test -e {0} && t=second || t=first; touch {0}; echo '{{\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"'$t'\"}}}}'",
        flag.display()
    );
    let user = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}});
    let mut eyes = Eyes::on(&[("east", server.kubeconfig("x", &user))], &[]);
    assert_eq!(eyes.lost().await.cause, "credentials refused (401)");
    eyes.connected("east").await;
}

#[tokio::test]
async fn rights_that_are_missing_are_told_per_namespace() {
    let server = ApiServer::start().await;
    fill(&server);
    server.allow(false);
    let mut eyes = Eyes::open(&server);
    let rights = eyes
        .until("rights", |fact| {
            if let Fact::RightsSeen { rights, namespace, .. } = fact { Some((rights.clone(), namespace.clone())) } else { None }
        })
        .await;
    assert_eq!((rights.0.user.as_deref(), rights.1.as_str()), (Some("mara"), "shop"));
    assert_eq!(rights.0.denied[0].1, "patch deployments in namespace shop");
}

#[tokio::test]
async fn writes_that_are_refused_say_why() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("order", |w| w.revisions[0].pods.ready == 2).await;
    for (answer, kind, cause) in [
        (403, Kind::Refused, "patch deployments in namespace shop: denied (403)"),
        (409, Kind::OutOfReach, "patch deployments in namespace shop: changed at the same moment (409)"),
        (429, Kind::OutOfReach, "patch deployments in namespace shop: the API server says 429: as the test told"),
        (500, Kind::OutOfReach, "patch deployments in namespace shop: the API server says 500: as the test told"),
    ] {
        server.patches(&[Answer::Code(answer, String::new())]);
        eyes.platform.send(Time(0), order(&row, answer.into()));
        let trouble = eyes.failed().await;
        assert_eq!((trouble.kind, trouble.cause.as_str()), (kind, cause));
    }
    server.patches(&[Answer::Close]);
    eyes.platform.send(Time(0), order(&row, 1000));
    assert_eq!(eyes.failed().await.kind, Kind::OutOfReach);
}

#[tokio::test]
async fn a_patch_whose_test_failed_is_looked_at_once_and_explained() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("order", |w| w.revisions[0].pods.ready == 2).await;
    // The watch has not seen it: somebody else's fix.
    let mut fixed = deployment("order", "order:v42-fix");
    fixed["metadata"]["managedFields"] =
        json!([{"manager": "kubectl-edit", "time": "2026-01-05T09:10:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}}]);
    server.answer("GET /apis/apps/v1/namespaces/shop/deployments/order", Answer::Code(200, fixed.to_string()));
    server.patches(&[Answer::Code(422, String::new())]);
    eyes.platform.send(Time(0), order(&row, 1));
    assert_eq!(eyes.failed().await.cause, "its template was changed by kubectl-edit: app is order:v42-fix");
    assert_eq!(server.asked("GET /apis/apps/v1/namespaces/shop/deployments/order").len(), 1);
}

#[tokio::test]
async fn a_rollback_that_was_made_from_an_old_sight_is_made_anew_once() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut moving = deployment("order", "order:v43");
    moving["metadata"]["generation"] = json!(2);
    moving["status"]["observedGeneration"] = json!(2);
    moving["status"]["updatedReplicas"] = json!(1);
    server.put("deployments", moving);
    let mut newer = set("order", "bbb", "order:v43");
    newer["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    server.put("replicasets", newer);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("moving", |w| w.moves()).await;
    server.patches(&[Answer::Code(422, String::new())]);
    let mut order = back(&row, 1);
    order.old = "aaa".into();
    eyes.platform.send(Time(0), order);
    assert_eq!(eyes.taken().await, Term(1));
    let sent = server.asked("PATCH /apis/apps/v1/namespaces/shop/deployments/order");
    assert_eq!(sent.len(), 2);
    let template = &sent[0].body.as_array().unwrap().iter().find(|op| op["path"] == "/spec/template").unwrap()["value"];
    assert_eq!(*template, json!({"metadata": {"labels": {}}, "spec": {"containers": [{"name": "app", "image": "order:v42"}]}}));
    assert!(!sent[0].body.as_array().unwrap().iter().any(|op| op["op"] == "test"));
    assert!(sent[0].path.contains("fieldManager=flightdeck"));
}

#[tokio::test]
async fn a_rollback_whose_template_was_removed_says_so() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("order", |w| w.revisions[0].pods.ready == 2).await;
    let mut order = back(&row, 1);
    order.old = "zzz".into();
    eyes.platform.send(Time(0), order);
    let trouble = eyes.failed().await;
    assert_eq!(trouble.kind, Kind::Refused);
    assert!(trouble.cause.ends_with("its ReplicaSet was removed (revisionHistoryLimit)"), "{trouble}");
}

#[tokio::test]
async fn a_newer_order_waits_for_no_older_call() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("order", |w| w.revisions[0].pods.ready == 2).await;
    server.patches(&[Answer::Never]);
    eyes.platform.send(Time(0), order(&row, 1));
    while server.asked("PATCH").is_empty() {
        tokio::task::yield_now().await;
    }
    eyes.platform.send(Time(0), order(&row, 2));
    assert_eq!(eyes.taken().await, Term(2));
    assert!(!eyes.seen.iter().any(|fact| matches!(fact, Fact::WriteFailed { .. })));
}

#[tokio::test]
async fn a_write_that_is_not_answered_is_given_up_after_five_seconds() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("order", |w| w.revisions[0].pods.ready == 2).await;
    server.patches(&[Answer::Never]);
    eyes.platform.send(Time(0), order(&row, 1));
    let trouble = eyes.failed().await;
    assert_eq!((trouble.kind, trouble.cause.as_str()), (Kind::OutOfReach, "patch deployments in namespace shop: no answer within 5 s"));
    assert_eq!(server.asked("PATCH").len(), 1);
}

#[tokio::test]
async fn an_order_for_a_region_that_is_not_there_is_refused() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("order", |w| w.revisions[0].pods.ready == 2).await;
    let mut order = order(&row, 1);
    order.workload.region = Region::new("west");
    eyes.platform.send(Time(0), order);
    assert_eq!(eyes.failed().await.cause, "no such region");
}

#[tokio::test]
async fn a_deployment_that_comes_again_under_its_name_is_the_new_one() {
    let server = ApiServer::start().await;
    fill(&server);
    let mut eyes = Eyes::open(&server);
    eyes.connected("east").await;
    let mut again = deployment("order", "order:v42");
    again["metadata"]["uid"] = json!("other");
    again["spec"]["replicas"] = json!(3);
    server.put("deployments", again);
    let row = eyes.row("the new one", |w| w.replicas == 3).await;
    // Its ReplicaSet is not there yet; the one of the old Deployment is not its own.
    assert_eq!(row.template.as_str(), "?");
    assert!(!eyes.seen.iter().any(|fact| matches!(fact, Fact::WorkloadGone(_))));
    server.remove("deployments", "shop/order");
    eyes.gone("order").await;
}

/// `order` with a Service before it, and the second one beside it, all pods ready.
fn fill_beside(server: &ApiServer) {
    let labelled = |mut object: Value, slot: &str| {
        let labels = json!({"app": "order", "slot": slot});
        object["spec"]["selector"]["matchLabels"] = labels.clone();
        object["spec"]["template"]["metadata"]["labels"] = labels;
        object
    };
    fill(server);
    server.put("deployments", labelled(deployment("order", "order:v42"), "main"));
    server.put(
        "services",
        json!({"metadata": {"name": "order", "namespace": "shop", "uid": "s"}, "spec": {"selector": {"app": "order", "slot": "main"}}}),
    );
    let mut next = labelled(deployment("order-next", "order:v43"), "main-next");
    next["metadata"]["annotations"] = json!({"flightdeck.dev/next-of": "order", "flightdeck.dev/old": "aaa"});
    server.put("deployments", next);
    server.put("replicasets", set("order-next", "ccc", "order:v43"));
    server.put("pods", pod("order-next-ccc", "order-next-ccc-0"));
}

/// All traffic to the second one.
fn switch(row: &Workload, term: u64) -> Order {
    let mut order = order(row, term);
    order.wish.key.aspect = Aspect::Traffic;
    order.wish.want = Want::Weight { new: Percent::ALL };
    order.beside = Some(Division::Switch);
    order
}

const SERVICE: &str = "PATCH /api/v1/namespaces/shop/services/order";

#[tokio::test]
async fn a_cluster_without_the_gateway_api_is_no_trouble() {
    let server = ApiServer::start().await;
    server.answer("GET /apis/gateway.networking.k8s.io", Answer::Code(404, String::new()));
    fill_beside(&server);
    let mut eyes = Eyes::open(&server);
    eyes.connected("east").await;
    let row = eyes.row("a divided workload", |w| w.divides.by().is_some() && w.beside.is_some()).await;
    assert_eq!(row.divides.by().unwrap().object, "Service order");
    assert_eq!((row.split.len(), row.beside.unwrap().share), (2, Some(Percent::ZERO)));
}

#[tokio::test]
async fn services_that_may_not_be_seen_divide_nothing() {
    let server = ApiServer::start().await;
    server.answer("GET /api/v1/services", Answer::Code(403, String::new()));
    server.answer("GET /api/v1/namespaces/shop/services", Answer::Code(403, String::new()));
    fill(&server);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("a row", |w| matches!(w.divides, Divides::Nothing(_))).await;
    assert_eq!(row.divides, Divides::Nothing("its Services may not be seen".into()));
}

#[tokio::test]
async fn what_may_not_be_created_is_said_where_the_traffic_would_be_divided() {
    let server = ApiServer::start().await;
    server.allow(false);
    fill_beside(&server);
    let mut eyes = Eyes::open(&server);
    let denied = "you may not create deployments in namespace shop";
    eyes.row("the missing right", |w| w.divides == Divides::Nothing(denied.into())).await;
}

#[tokio::test]
async fn a_second_deployment_is_no_row_of_its_own_until_the_first_is_gone() {
    let server = ApiServer::start().await;
    fill(&server);
    server.put("deployments", deployment("order-next", "order:v43"));
    let mut eyes = Eyes::open(&server);
    eyes.row("somebody's own", |w| &*w.id.name == "order-next").await;
    fill_beside(&server);
    eyes.gone("order-next").await;
    eyes.row("one row", |w| &*w.id.name == "order" && w.beside.is_some() && w.revisions.len() == 2).await;
    server.remove("deployments", "shop/order");
    eyes.row("left alone", |w| &*w.id.name == "order-next").await;
}

#[tokio::test]
async fn a_switch_that_is_refused_is_looked_at_once_and_made_again() {
    let server = ApiServer::start().await;
    fill_beside(&server);
    server.patches(&[Answer::Code(422, String::new())]);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("both", |w| w.beside.as_ref().is_some_and(|b| b.revision.is_some()) && w.divides.by().is_some()).await;
    eyes.platform.send(Time(0), switch(&row, 3));
    assert_eq!(eyes.taken().await, Term(3));
    let (writes, looks) = (server.asked(SERVICE), server.asked("GET /api/v1/namespaces/shop/services/order"));
    assert_eq!((writes.len(), looks.len()), (2, 1));
    let last = writes[1].body.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last, json!({"op": "replace", "path": "/spec/selector/slot", "value": "main-next"}));
}

#[tokio::test]
async fn a_switch_below_a_higher_term_says_who_drives() {
    let server = ApiServer::start().await;
    fill_beside(&server);
    let mut eyes = Eyes::open(&server);
    let row = eyes.row("both", |w| w.beside.as_ref().is_some_and(|b| b.revision.is_some()) && w.divides.by().is_some()).await;
    // The watch does not tell it: what is read says so.
    let theirs = json!({"rollout": "order-9", "term": 9, "way": "back", "to": "x"}).to_string();
    let fenced = json!({"metadata": {"name": "order", "namespace": "shop", "uid": "s", "annotations": {"flightdeck.dev/flight": theirs}},
        "spec": {"selector": {"app": "order", "slot": "main"}}});
    server.answer("GET /api/v1/namespaces/shop/services/order", Answer::Code(200, fenced.to_string()));
    server.answer(SERVICE, Answer::Code(422, String::new()));
    eyes.platform.send(Time(0), switch(&row, 3));
    let trouble = eyes.failed().await;
    assert_eq!((trouble.kind, trouble.cause.as_str()), (Kind::Refused, "somebody else drives: term 9 of order-9 stands on it, ours is 3"));
    assert_eq!(server.asked(SERVICE).len(), 1);
}
