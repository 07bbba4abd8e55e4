//! What stands in real clusters beside a Deployment, and what its owner does meanwhile: autoscalers, budgets, policies, routes with several
//! rules, several routes and Services, several containers. On a real API server, with every user's request counted.

#[path = "lab/deck.rs"]
mod deck;
#[path = "lab/harness.rs"]
mod harness;
#[path = "lab/owner.rs"]
mod owner;

use deck::{Deck, canary};
use flightdeck::cockpit::World;
use flightdeck::rollout::{Phase, Verb};
use harness::{Bed, GATEWAY, Load, Report, app, in_lab_with};
use kube::api::{Patch, PatchParams};
use owner::{HOTFIX, OLD, Written, answered, deployment, differences, image, lost, objects, selector, weight, written};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

const NEW: &str = "shop/order:v43";
/// Half of it at once, with other options beside or instead.
fn half(options: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let instead = [&[("initialTraffic", "50%")], options].concat();
    let kept = canary("1s", "2s").into_iter().filter(|(key, _)| instead.iter().all(|(other, _)| other != key));
    kept.chain(instead.iter().copied()).collect()
}
/// Everything is as its owner wrote it within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Flights at the same time, each behind a gateway in a namespace of its own.
fn beside<T: Sync>(flights: &[(&str, T)], fly: impl AsyncFn(&Bed, &T) + Sync) {
    std::thread::scope(|scope| {
        for (namespace, what) in flights {
            let fly = &fly;
            scope.spawn(move || in_lab_with(&[GATEWAY], namespace, async |bed| fly(&bed, what).await));
        }
    });
}

/// A flightdeck that flies `order`, the users of what its owner wrote, and that.
struct Day<'a> {
    bed: &'a Bed,
    deck: Deck,
    users: Vec<Load>,
    /// Since when all of them are answered.
    since: f64,
    wrote: Written,
    _data: TempDir,
}

impl<'a> Day<'a> {
    async fn of(bed: &'a Bed, users: Vec<Load>) -> Day<'a> {
        let mut since = 0.0;
        for one in &users {
            since = answered(bed, one).await;
        }
        let data = tempfile::tempdir().unwrap();
        let deck = Deck::open(&bed.lab.kubeconfig("admin"), &bed.namespace, data.path());
        Day { bed, deck, users, since, wrote: written(bed).await, _data: data }
    }

    /// Behind a route of its own.
    async fn routed(bed: &'a Bed) -> Day<'a> {
        bed.until_available("order").await;
        let users = owner::behind_a_gateway(bed, "60").await;
        Day::of(bed, vec![users]).await
    }

    /// Until something is said of the rollout.
    async fn said(&mut self, words: &str) {
        let says = async |world: &mut World| {
            let snapshot = world.snapshot();
            snapshot.rollouts[0].notes.iter().any(|n| n.text.contains(words) || n.aside.contains(words)).then_some(())
        };
        self.deck.until(words, says).await;
    }

    /// Until the new version really gets so much of the traffic.
    async fn share(&mut self, percent: u64) {
        self.said(&format!("{percent} % reached")).await;
        assert_eq!(weight(self.bed).await, percent);
    }

    /// To its end: there at once, but for what pods, health and the way back need.
    async fn on(&mut self) {
        self.deck.press(Verb::PromoteFull).unwrap();
        self.deck.phase_is(Phase::Promoted).await;
    }

    async fn back(&mut self) {
        self.deck.press(Verb::Rollback).unwrap();
        self.deck.phase_is(Phase::RolledBack).await;
    }

    /// The owner changes a field of an object by a merge.
    async fn owner(&mut self, kind: &str, change: Value) {
        objects(self.bed, kind).patch("order", &PatchParams::default(), &Patch::Merge(json!({"spec": change}))).await.unwrap();
        let spec = self.wrote.get_mut(&format!("{kind} order")).unwrap()["spec"].as_object_mut().unwrap();
        spec.extend(change.as_object().unwrap().clone());
    }

    /// At its end everything is as its owner wrote it, `order` with this image, and nobody was lost.
    async fn over(mut self, image: &str) -> Vec<Report> {
        let containers = &mut self.wrote.get_mut("Deployment order").unwrap()["spec"]["template"]["spec"]["containers"];
        containers.as_array_mut().unwrap().iter_mut().find(|c| c["name"] == "app").unwrap()["image"] = json!(image);
        let (bed, wrote, mut differ) = (self.bed, &self.wrote, Vec::new());
        let same = async |_: &mut _| {
            differ = differences(wrote, &written(bed).await);
            differ.is_empty().then_some(())
        };
        let same = self.deck.within(PATIENCE, same).await;
        assert!(same.is_some(), "{}: not as its owner wrote it\n{}\n{}", bed.namespace, differ.join("\n"), self.deck.story());
        bed.until_available("order").await;
        let story = self.deck.story();
        let reports: Vec<Report> = self.users.into_iter().map(Load::stop).collect();
        for report in &reports {
            assert_eq!(
                lost(report, self.since, f64::MAX),
                0,
                "{}: {:?} {:?}\n{story}",
                bed.namespace,
                report.failures,
                owner::when_lost(report)
            );
        }
        reports
    }
}

#[test]
fn an_autoscaler_is_copied_raised_where_it_must_be_and_is_in_the_end_as_its_owner_wrote_it_last() {
    beside(&[("owner-scaler", true), ("owner-scaler-back", false)], async |bed, forward| {
        let [mut deployment, service] = app("order", 4, OLD);
        // The autoscaler takes pods away, however busy the gateway is.
        deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] = json!(8);
        bed.apply(&format!("{deployment}\n---\n{service}")).await;
        bed.apply(
            "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: order}, spec: {minReplicas: 2, maxReplicas: 6, \
             scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: order}}}",
        )
        .await;
        let mut day = Day::routed(bed).await;
        day.deck.launch("v43", &canary("1s", "2s")).await;
        day.share(50).await;
        let copy = objects(bed, "HorizontalPodAutoscaler").get("order-next").await.unwrap().data["spec"].clone();
        assert_eq!((&copy["scaleTargetRef"]["name"], &copy["minReplicas"]), (&json!("order-next"), &json!(2)));
        // Fewer than the new version will run on: they have to come again before the traffic comes home.
        day.owner("HorizontalPodAutoscaler", json!({"maxReplicas": 3})).await;
        day.owner("Deployment", json!({"replicas": 3})).await;
        if *forward {
            day.deck.phase_is(Phase::Promoted).await;
        } else {
            day.back().await;
        }
        day.over(if *forward { NEW } else { OLD }).await;
    });
}

/// What a user of a host and path gets at half: of the old version, the new one and another service, in percent.
type Gets = (&'static str, &'static str, [u64; 3]);

/// Rules and routes, and the rule of another service beside ours.
async fn halves(bed: &Bed, gets: &[Gets], forward: bool) {
    let users = |rate| gets.iter().map(|(host, path, _)| visit(bed, host, path, rate)).collect();
    let mut day = Day::of(bed, users("20")).await;
    day.deck.launch("v43", &half(&[])).await;
    day.share(50).await;
    day.deck.press(Verb::Pause).unwrap();
    let divided = |users: &[Load]| gets.iter().zip(users).all(|((.., shares), one)| shares[1] == 0 || one.so_far().answered("v43") > 0);
    day.deck.until("the split in every rule", async |_| divided(&day.users).then_some(())).await;
    for ((host, path, shares), counted) in gets.iter().zip::<Vec<Load>>(users("150")) {
        day.deck.until("300 answers", async |_| (counted.so_far().ok > 300).then_some(())).await;
        let report = counted.stop();
        for (version, share) in ["v42", "v43", "o1"].iter().zip(shares) {
            let got = report.answered(version) as f64 * 100.0 / report.sent as f64;
            assert!((got - *share as f64).abs() < 6.0, "{host}{path}: {version} answers {got:.1} %\n{:?}", report.versions);
        }
    }
    if forward {
        day.deck.press(Verb::Resume).unwrap();
        day.on().await;
    } else {
        day.back().await;
    }
    let reports = day.over(if forward { NEW } else { OLD }).await;
    for ((host, path, shares), report) in gets.iter().zip(reports) {
        let others = report.answered("o1") > 0;
        assert!((shares[2] > 0) == others && (shares[1] > 0) == (report.answered("v43") > 0), "{host}{path}: {:?}", report.versions);
    }
}

fn visit(bed: &Bed, host: &str, path: &str, rate: &str) -> Load {
    bed.load(&["--url", &format!("http://{}{path}", bed.gateway()), "--host", &bed.host(host), "--rps", rate, "--timeout", "10"])
}

#[test]
fn every_rule_and_route_of_order_is_divided_and_nothing_beside_it_and_all_are_given_back() {
    const RULES: [Gets; 4] =
        [("order", "/a", [50, 50, 0]), ("order", "/b", [50, 50, 0]), ("order", "/other", [0, 0, 100]), ("order", "/", [38, 37, 25])];
    const HOSTS: [Gets; 2] = [("order", "/", [50, 50, 0]), ("shop", "/", [50, 50, 0])];
    let flights = [
        ("owner-rules", (true, true)),
        ("owner-rules-back", (true, false)),
        ("owner-hosts", (false, true)),
        ("owner-hosts-back", (false, false)),
    ];
    beside(&flights, async |bed, (rules, forward)| {
        bed.deploy("order", 2, OLD).await;
        bed.until_available("order").await;
        if *rules {
            several_rules(bed).await;
        } else {
            bed.route("order", &[("order", 7)]).await;
            bed.route("shop", &[("order", 1)]).await;
            bed.served("shop").await;
        }
        bed.served("order").await;
        halves(bed, if *rules { &RULES } else { &HOSTS }, *forward).await;
    });
}

/// A route with rules of `order`, of another Service, and of both.
async fn several_rules(bed: &Bed) {
    bed.deploy("other", 1, "shop/other:o1").await;
    bed.until_available("other").await;
    let rule = |path: &str, backends: Value| json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": backends});
    let to = |name: &str, weight: u32| json!({"name": name, "port": 80, "weight": weight});
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "order"},
        "spec": {
            "parentRefs": [{"name": "gw", "namespace": "default"}], "hostnames": [bed.host("order")],
            "rules": [
                rule("/a", json!([to("order", 7)])), rule("/b", json!([{"name": "order", "port": 80}])),
                rule("/other", json!([to("other", 2)])), rule("/", json!([to("other", 1), to("order", 3)])),
            ],
        },
    });
    bed.apply(&route.to_string()).await;
}

#[test]
fn users_of_a_service_beside_the_route_keep_the_old_version_until_it_is_adopted_and_the_plan_names_it() {
    beside(&[("owner-direct", ())], async |bed, ()| {
        bed.deploy("order", 2, OLD).await;
        bed.apply(
            "{apiVersion: v1, kind: Service, metadata: {name: direct}, spec: {clusterIP: None, selector: {app: order}, ports: [{port: 8080}]}}\n---\n\
             {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: order}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: order}}}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web}, spec: {podSelector: {matchLabels: {app: order}}, ingress: [{}]}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: cart},
               spec: {podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{podSelector: {matchLabels: {app: order}}}]}]}}",
        )
        .await;
        let mut day = Day::routed(bed).await;
        let direct = bed.load(&["--service", &format!("{}/direct", bed.namespace), "--rps", "60", "--timeout", "10"]);
        answered(bed, &direct).await;
        day.users.push(direct);

        let file = day._data.path().join("order.yaml");
        std::fs::write(&file, "service: order\nto: v43\nstrategy: canary\n").unwrap();
        let plan = bed.flightdeck("admin", day._data.path()).args(["plan", "-n", &bed.namespace, "-f"]).arg(&file).output().unwrap();
        let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
        for said in ["NetworkPolicy web", "NetworkPolicy cart", "PodDisruptionBudget order", "Service direct"] {
            assert!(plan.contains(said), "{said} is not in\n{plan}");
        }

        // Who comes around the route makes the new version's share smaller than the weight.
        day.deck.launch("v43", &half(&[("window", "5s")])).await;
        day.share(50).await;
        day.deck.press(Verb::PromoteFull).unwrap();
        day.share(100).await;
        assert_eq!(day.users[1].so_far().answered("v43"), 0);
        assert!(day.users[0].so_far().answered("v43") > 0);
        day.deck.phase_is(Phase::Promoted).await;
        let reports = day.over(NEW).await;
        assert!(reports[1].answered("v42") > 0 && reports[1].answered("v43") > 0);
    });
}

#[test]
fn however_pods_are_selected_a_drain_of_their_node_in_mid_canary_loses_nobody_and_the_rollout_goes_on() {
    let (app_only, both) = (json!({"app": "order"}), json!({"app": "order", "tier": "web"}));
    // What the Deployment and the Service select by, what more its pods have, what the budget covers; its pods, and how many of them go.
    let flights = [
        // One budget for both Deployments, by a label that is in no selector.
        ("owner-labels", (both.clone(), both, json!({"version": "v42", "team": "shop"}), json!({"team": "shop"}), 4, 1)),
        // No label that both select by.
        ("owner-no-common", (json!({"component": "order"}), app_only.clone(), json!({}), json!({"component": "order"}), 4, 1)),
        // Two pods: half of it needs one, which a drain would take.
        ("owner-drain", (app_only.clone(), app_only.clone(), json!({}), app_only, 2, usize::MAX)),
    ];
    beside(&flights, async |bed, (selects, serves, more, budget, pods, each)| {
        let [mut deployment, mut service] = app("order", *pods, "shop/order:v42-start1");
        let labels: serde_json::Map<String, Value> =
            [selects, serves, more].into_iter().flat_map(|map| map.as_object().unwrap().clone()).collect();
        deployment["spec"]["selector"]["matchLabels"] = selects.clone();
        deployment["spec"]["template"]["metadata"]["labels"] = labels.into();
        service["spec"]["selector"] = serves.clone();
        let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "shop"},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": budget}}});
        bed.apply(&format!("{deployment}\n---\n{service}\n---\n{budget}")).await;
        let mut day = Day::routed(bed).await;
        day.deck.launch("v43-start1", &half(&[])).await;
        day.share(50).await;
        let forbidden = drained(&mut day, *each).await;
        assert!(*each == 1 || forbidden > 0, "no budget forbade anything");
        day.on().await;
        day.over("shop/order:v43-start1").await;
    });
}

/// Evicts so many pods of each Deployment, one after the other, as a drain of their node does; counts how often a budget forbade it.
async fn drained(day: &mut Day<'_>, each: usize) -> usize {
    let bed = day.bed;
    let pods = bed.api::<k8s_openapi::api::core::v1::Pod>().list_metadata(&Default::default()).await.unwrap().items;
    let there = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).filter_map(|pod| pod.metadata.name);
    let (next, home): (Vec<String>, Vec<String>) = there.partition(|name| name.starts_with("order-next-"));
    assert!(next.len() > 1 && home.len() > 1, "{next:?} {home:?}");
    let mut names: Vec<String> = [next, home].into_iter().flat_map(|all| all.into_iter().take(each)).collect();
    let mut forbidden = 0;
    let evict = async |_: &mut _| {
        let Some(name) = names.last() else { return Some(()) };
        match bed.evict(name).await {
            Ok(()) => drop(names.pop()),
            Err(kube::Error::Api(status)) if status.code == 404 => drop(names.pop()),
            Err(kube::Error::Api(status)) if status.code == 429 => forbidden += 1,
            Err(other) => panic!("{name} may not be evicted: {other}"),
        }
        None
    };
    day.deck.until("all pods evicted", evict).await;
    forbidden
}

#[test]
fn the_container_that_is_named_gets_the_digest_and_a_registry_that_denies_it_is_said_and_gone_back_from() {
    let digest = format!("@sha256:{}", "7b1c5e9a".repeat(8));
    let flights = [("owner-digest", digest.as_str()), ("owner-denied", "v43-denied-pull"), ("owner-missing", "v43-bad-pull")];
    beside(&flights, async |bed, to| {
        let [mut deployment, service] = app("order", 2, OLD);
        let containers = deployment["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
        containers.insert(0, json!({"name": "proxy", "image": "shop/proxy:v7"}));
        bed.apply(&format!("{deployment}\n---\n{service}")).await;
        let mut day = Day::routed(bed).await;
        day.deck.launch(to, &half(&[("container", "app")])).await;
        let why = match *to {
            "v43-denied-pull" => "image pull denied (401)",
            "v43-bad-pull" => "no such image: shop/order:v43-bad-pull",
            _ => {
                day.share(50).await;
                day.on().await;
                let reports = day.over(&format!("shop/order{to}")).await;
                assert!(reports[0].answered("7b1c5e9") > 0, "{:?}", reports[0].versions);
                return;
            }
        };
        let says = |world: &mut World| format!("{:?}", world.snapshot().rollouts[0].status.mood);
        day.deck.until(why, async |world| says(world).contains(why).then_some(())).await;
        assert_eq!((weight(bed).await, day.deck.phase()), (0, Some(Phase::Flying)));
        day.back().await;
        day.over(OLD).await;
    });
}

#[test]
fn after_what_an_owner_applied_in_mid_canary_and_after_an_adoption_by_the_selector_everything_goes_back() {
    // His manifests as they are: a silent way back. With a version of his own: that stays.
    let flights = [("owner-window", None), ("owner-applies", Some(OLD)), ("owner-applies-own", Some(HOTFIX))];
    beside(&flights, async |bed, his| {
        let Some(his) = his else { return second_window(bed).await };
        bed.deploy("order", 2, OLD).await;
        let mut day = Day::routed(bed).await;
        day.deck.launch("v43", &canary("1s", "2s")).await;
        day.share(25).await;
        bed.deploy("order", 2, his).await;
        bed.route("order", &[("order", 7)]).await;
        day.said("moved by somebody").await;
        assert_eq!(weight(bed).await, 0);
        day.back().await;
        day.over(his).await;
    });
}

/// A blue-green by the selector that goes back in the second window.
async fn second_window(bed: &Bed) {
    bed.deploy("order", 2, OLD).await;
    bed.until_available("order").await;
    let users = bed.load(&["--service", &format!("{}/order", bed.namespace), "--rps", "60", "--timeout", "10"]);
    let mut day = Day::of(bed, vec![users]).await;
    day.deck.launch("v43", &[("strategy", "blue-green"), ("rollbackWindow", "8s"), ("rollbackThreshold", "30s")]).await;
    day.deck.until("the switch", async |_| (selector(bed).await == "order-next").then_some(())).await;
    day.deck.until("the traffic at home again", async |_| (selector(bed).await == "order").then_some(())).await;
    assert_eq!(image(&deployment(bed, "order").await.unwrap()), NEW);
    day.deck.press(Verb::Rollback).unwrap();
    day.deck.until("the old version beside", async |_| (selector(bed).await == "order-next").then_some(())).await;
    assert_eq!(image(&deployment(bed, "order-next").await.unwrap()), OLD);
    day.deck.phase_is(Phase::RolledBack).await;
    day.over(OLD).await;
}
