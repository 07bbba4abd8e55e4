//! Blue-green and canary on plain Deployments: a second one beside the first, on a real API server, with users' requests counted.

#[path = "lab/deck.rs"]
mod deck;
#[path = "lab/harness.rs"]
mod harness;
#[path = "lab/owner.rs"]
mod owner;

use deck::{Deck, blue_green, canary};
use flightdeck::rollout::{Phase, Verb};
use harness::{Bed, GATEWAY, Load, Report, in_lab, in_lab_with};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use owner::{answered, behind_a_gateway, deployment, differences, image, left, lost, objects, selector, weight, when_lost, written};
use serde_json::json;
use std::path::Path;

/// A flightdeck on the namespace of a test.
fn open(bed: &Bed, data: &Path) -> Deck {
    Deck::open(&bed.lab.kubeconfig("admin"), &bed.namespace, data)
}

/// Users' requests to the ready addresses of the Service `order`.
fn users(bed: &Bed) -> Load {
    bed.load(&["--service", &format!("{}/order", bed.namespace), "--rps", "100"])
}

/// Stops the requests; none may have been lost.
fn none_lost(users: Load) -> Report {
    let report = users.stop();
    assert_eq!(report.failed, 0, "{:?} {:?}", when_lost(&report), report.versions);
    report
}

/// Nothing of ours is left but the fence, and the owner's objects are as he wrote them.
async fn tidy(bed: &Bed, routed: bool) {
    bed.until("nothing of ours", async || left(bed, routed).await.is_empty().then_some(())).await;
}

#[test]
fn a_blue_green_is_switched_adopted_and_promoted_and_no_request_is_lost() {
    in_lab("next-promoted", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43", &blue_green("3s")).await;
        deck.until("the switch", async |_| (selector(&bed).await == "order-next").then_some(())).await;
        let next = deployment(&bed, "order-next").await.unwrap();
        assert_eq!(image(&next), "shop/order:v43");
        let owners: Vec<&str> = next.metadata.owner_references.iter().flatten().map(|o| o.kind.as_str()).collect();
        assert_eq!(owners, ["Deployment", "Service"]);
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v42");
        assert!(bed.api::<PodDisruptionBudget>().get_opt("order-next").await.unwrap().is_some());
        deck.phase_is(Phase::Promoted).await;
        tidy(&bed, false).await;
        assert_eq!(image(&bed.until_available("order").await), "shop/order:v43");
        let report = none_lost(users);
        assert!(report.answered("v42") > 0 && report.answered("v43") > 0);
    });
}

#[test]
fn a_blue_green_that_was_switched_goes_back_by_one_write() {
    in_lab("next-back", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43", &[("strategy", "blue-green"), ("rollbackWindow", "10s")]).await;
        deck.until("the switch", async |_| (selector(&bed).await == "order-next").then_some(())).await;
        deck.press(Verb::Rollback).unwrap();
        deck.until("back", async |_| (selector(&bed).await == "order").then_some(())).await;
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed, false).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v42");
        none_lost(users);
    });
}

#[test]
fn in_the_middle_of_an_adoption_the_old_template_comes_back_in_the_dark() {
    in_lab("next-adoption", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43-start5", &blue_green("3s")).await;
        deck.until("the adoption", async |_| (image(&deployment(&bed, "order").await?) == "shop/order:v43-start5").then_some(())).await;
        assert_eq!(selector(&bed).await, "order-next");
        deck.press(Verb::Rollback).unwrap();
        deck.until("back", async |_| (selector(&bed).await == "order").then_some(())).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v42");
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed, false).await;
        none_lost(users);
    });
}

#[test]
fn a_first_deployment_that_is_made_anew_takes_neither_the_second_one_nor_the_way_back_away() {
    in_lab("next-anew", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43", &[("strategy", "blue-green"), ("rollbackWindow", "2m")]).await;
        deck.until("the switch", async |_| (selector(&bed).await == "order-next").then_some(())).await;
        let deployments: Api<Deployment> = bed.api();
        let before = deployment(&bed, "order").await.unwrap();
        deployments.delete("order", &DeleteParams::background()).await.unwrap();
        bed.until("order is gone", async || deployment(&bed, "order").await.is_none().then_some(())).await;
        let metadata = ObjectMeta { name: Some("order".into()), ..ObjectMeta::default() };
        let anew = Deployment { metadata, spec: before.spec, status: None };
        deployments.create(&PostParams::default(), &anew).await.unwrap();
        bed.until_available("order").await;
        assert_eq!(selector(&bed).await, "order-next");
        let next = deployment(&bed, "order-next").await.unwrap();
        assert_eq!(next.metadata.owner_references.unwrap().len(), 1);
        deck.press(Verb::Rollback).unwrap();
        deck.until("back", async |_| (selector(&bed).await == "order").then_some(())).await;
        none_lost(users);
    });
}

#[test]
fn what_one_flightdeck_began_another_finishes() {
    in_lab("next-killed", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = open(&bed, data.path());
        let users = users(&bed);
        deck.launch("v43", &blue_green("3s")).await;
        deck.until("the second Deployment", async |_| deployment(&bed, "order-next").await).await;
        let id = deck.id.clone();
        drop(deck);
        let mut deck = open(&bed, data.path());
        deck.id = id;
        deck.phase_is(Phase::Promoted).await;
        tidy(&bed, false).await;
        assert_eq!(image(&bed.until_available("order").await), "shop/order:v43");
        none_lost(users);
    });
}

/// Pods that exit at SIGTERM and cut what is in flight: what is lost only because nobody is sent to them stays so.
const OLD: &str = "shop/order:v42-abrupt";
const NEW: &str = "v43-abrupt";

/// `order` behind a route, with its users.
async fn routed(bed: &Bed) -> Load {
    bed.deploy("order", 2, OLD).await;
    bed.until_available("order").await;
    behind_a_gateway(bed, "150").await
}

#[test]
fn a_canary_behind_a_gateway_is_promoted_and_no_request_is_lost() {
    in_lab_with(&[GATEWAY], "next-canary", async |bed| {
        let users = routed(&bed).await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = open(&bed, data.path());
        deck.launch(NEW, &canary("2s", "3s")).await;
        let mut weights = Vec::new();
        deck.until("all of it", async |_| {
            let now = weight(&bed).await;
            if weights.last() != Some(&now) {
                weights.push(now);
            }
            (now == 100).then_some(())
        })
        .await;
        assert_eq!(weights, [0, 25, 50, 100]);
        deck.phase_is(Phase::Promoted).await;
        tidy(&bed, true).await;
        assert_eq!(image(&bed.until_available("order").await), "shop/order:v43-abrupt");
        let report = none_lost(users);
        assert!(report.answered("v42-abrupt") > 0 && report.answered(NEW) > 0);
    });
}

#[test]
fn a_canary_goes_back_by_one_write_and_nobody_gets_the_new_version_after_the_proof() {
    in_lab_with(&[GATEWAY], "next-canary-back", async |bed| {
        let users = routed(&bed).await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = open(&bed, data.path());
        deck.launch(NEW, &canary("2s", "3s")).await;
        deck.until("half of it", async |_| (weight(&bed).await == 50).then_some(())).await;
        deck.press(Verb::Rollback).unwrap();
        let id = deck.id.clone().unwrap();
        deck.until("the proof", async |world| matches!(world.rollout(&id)?.phase(), Phase::Back | Phase::RolledBack).then_some(())).await;
        let proven = harness::now();
        assert_eq!(weight(&bed).await, 0);
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed, true).await;
        let report = none_lost(users);
        assert!(report.versions[NEW].last_start <= proven, "{report:?} {proven}");
    });
}

#[test]
fn after_the_adoption_the_idle_second_one_takes_the_old_template_and_then_the_traffic() {
    in_lab_with(&[GATEWAY], "next-refill", async |bed| {
        let users = routed(&bed).await;
        let data = tempfile::tempdir().unwrap();
        let mut deck = open(&bed, data.path());
        let options = canary("2s", "8s");
        deck.launch(NEW, &options).await;
        deck.until("all of it", async |_| (weight(&bed).await == 100).then_some(())).await;
        deck.until("the traffic at home again", async |_| (weight(&bed).await == 0).then_some(())).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), "shop/order:v43-abrupt");
        deck.press(Verb::Rollback).unwrap();
        deck.until("the old version beside", async |_| (weight(&bed).await == 100).then_some(())).await;
        assert_eq!(image(&deployment(&bed, "order-next").await.unwrap()), OLD);
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed, true).await;
        assert_eq!(image(&deployment(&bed, "order").await.unwrap()), OLD);
        none_lost(users);
    });
}

#[test]
fn two_services_of_one_route_fly_at_the_same_time_and_one_goes_back_alone() {
    in_lab_with(&[GATEWAY], "next-shared", async |bed| {
        for name in ["order", "pay"] {
            bed.deploy(name, 2, &format!("shop/{name}:v42")).await;
            bed.until_available(name).await;
        }
        let rule = |name: &str| json!({"matches": [{"path": {"type": "PathPrefix", "value": format!("/{name}")}}], "backendRefs": [{"name": name, "port": 80}]});
        let spec = json!({"parentRefs": [{"name": "gw", "namespace": "default"}], "hostnames": [bed.host("shop")], "rules": [rule("order"), rule("pay")]});
        bed.apply(
            &json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop"}, "spec": spec})
                .to_string(),
        )
        .await;
        let users: Vec<Load> = ["order", "pay"]
            .map(|name| bed.load(&["--url", &format!("http://{}/{name}", bed.gateway()), "--host", &bed.host("shop"), "--rps", "60"]))
            .into();
        let mut since = 0.0;
        for one in &users {
            since = answered(&bed, one).await;
        }
        let wrote = written(&bed).await;
        let weights = async || {
            let route = serde_json::to_value(objects(&bed, "HTTPRoute").get("shop").await.unwrap()).unwrap();
            let next = |rule: usize| route["spec"]["rules"][rule]["backendRefs"][1]["weight"].as_u64();
            (next(0), next(1))
        };
        let holds = canary("10m", "3s");
        let data = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (mut order, mut pay) = (open(&bed, data[0].path()), open(&bed, data[1].path()));
        pay.service = "pay";
        order.launch("v43", &holds).await;
        order.until("a quarter of order", async |_| (weights().await.0 == Some(25)).then_some(())).await;
        pay.launch("v43", &holds).await;
        pay.until("a quarter of pay", async |_| (weights().await.1 == Some(25)).then_some(())).await;
        order.press(Verb::Rollback).unwrap();
        order.phase_is(Phase::RolledBack).await;
        pay.until("pay stays", async |_| (weights().await == (None, Some(25))).then_some(())).await;
        pay.press(Verb::PromoteFull).unwrap();
        pay.phase_is(Phase::Promoted).await;
        let images = async |name: &str| image(&bed.until_available(name).await).to_owned();
        assert_eq!((images("order").await, images("pay").await), ("shop/order:v42".into(), "shop/pay:v43".into()));
        let as_before = async || {
            let mut now = written(&bed).await;
            now.insert("Deployment pay".into(), wrote["Deployment pay"].clone());
            Some(differences(&wrote, &now)).filter(Vec::is_empty).map(|_| ())
        };
        bed.until("everything as its owner wrote it", as_before).await;
        for one in users {
            let report = one.stop();
            assert_eq!(lost(&report, since, f64::MAX), 0, "{:?} {:?}", report.failures, report.versions);
        }
    });
}

#[test]
fn another_flightdeck_follows_a_canary_and_sends_its_traffic_back() {
    in_lab_with(&[GATEWAY], "next-watched", async |bed| {
        let users = routed(&bed).await;
        let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut deck = open(&bed, data.path());
        deck.launch(NEW, &canary("2s", "3s")).await;
        deck.until("a quarter of it", async |_| (weight(&bed).await == 25).then_some(())).await;
        // Its terminal is lost.
        drop(deck);
        let mut deck = open(&bed, other.path());
        let id = deck
            .until("the canary of somebody else", async |world| {
                let snapshot = world.snapshot();
                let rollout = snapshot.rollouts.first()?;
                let id = &rollout.status.id;
                (rollout.status.to.as_str() == NEW && world.follows(id)).then(|| id.clone())
            })
            .await;
        deck.id = Some(id);
        deck.press(Verb::Rollback).unwrap();
        deck.until("back", async |_| (weight(&bed).await == 0).then_some(())).await;
        deck.phase_is(Phase::RolledBack).await;
        tidy(&bed, true).await;
        none_lost(users);
    });
}
