//! The lab does what a cluster does, as far as flightdeck's other tests rely on it.

#[path = "lab/behaviour.rs"]
mod behaviour;
#[path = "lab/faults.rs"]
mod faults;
#[path = "lab/harness.rs"]
mod harness;

use std::time::Duration;

use faults::{Fault, Faults};
use futures::StreamExt;
use futures::future::join_all;
use harness::{
    Bed, GATEWAY, Load, PROMETHEUS, PROMETHEUS_TLS, Report, alone_in_lab, alone_in_lab_with, client_of, curl, in_clusters,
    in_clusters_with, in_lab, in_lab_with, now,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GetParams, ListParams, Patch, PatchParams, PostParams, Request, WatchEvent, WatchParams,
};
use kube::config::Kubeconfig;
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

#[test]
fn a_deployment_becomes_available_and_a_new_image_rolls_it() {
    in_lab("rolls", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        bed.set_image("order", "shop/order:v43").await;
        bed.until_available("order").await;
        let pods = bed.pods("order").await;
        let images: Vec<_> = pods.iter().map(|pod| pod.spec.as_ref().unwrap().containers[0].image.clone().unwrap()).collect();
        assert_eq!(images, ["shop/order:v43"; 4]);
        let status = pods[0].status.clone().unwrap();
        let container = &status.container_statuses.unwrap()[0];
        assert!(container.image_id.starts_with("shop/order@sha256:") && container.ready);
        assert_eq!((status.phase.as_deref(), container.restart_count), (Some("Running"), 0));
    });
}

#[test]
fn an_image_that_is_missing_holds_the_update_and_says_why() {
    in_lab("bad-pull", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        bed.set_image("order", "shop/order:v43-bad-pull").await;
        let message = waiting(&bed, "ImagePullBackOff").await;
        assert!(message.starts_with("Back-off pulling image \"shop/order:v43-bad-pull\""), "{message}");
        assert_eq!(available(&bed).await, 2);
    });
}

#[test]
fn a_version_that_crashes_is_restarted_with_a_growing_delay() {
    in_lab("crash", async |bed| {
        bed.deploy("order", 1, "shop/order:v43-crash").await;
        let message = waiting(&bed, "CrashLoopBackOff").await;
        assert!(message.starts_with("back-off 1s restarting failed container=app pod=order-"), "{message}");
    });
}

#[test]
fn a_version_that_says_it_is_unhealthy_never_becomes_ready() {
    in_lab("unhealthy", async |bed| {
        bed.deploy("order", 1, "shop/order:v43-unhealthy").await;
        bed.until("a pod that runs and is not ready", async || {
            let status = bed.pods("order").await.first()?.status.clone()?;
            let is_ready = status.conditions?.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
            (status.phase? == "Running" && !is_ready).then_some(())
        })
        .await;
        assert_eq!(available(&bed).await, 0);
    });
}

#[test]
fn endpoint_slices_name_the_pods_that_are_ready() {
    in_lab("slices", async |bed| {
        bed.deploy("order", 3, "shop/order:v42").await;
        bed.until_available("order").await;
        let mut pods: Vec<_> = bed.pods("order").await.into_iter().map(|pod| pod.status.unwrap().pod_ip.unwrap()).collect();
        pods.sort();
        bed.until("slices with the addresses of all pods", async || (ready_addresses(&bed).await == pods).then_some(())).await;
    });
}

#[test]
fn metrics_of_a_pod_are_read_through_the_api_server() {
    in_lab("metrics", async |bed| {
        bed.deploy("order", 1, "shop/order:v42-errors50").await;
        bed.until_available("order").await;
        let pod = bed.pods("order").await.remove(0);
        let (name, address) = (pod.metadata.name.unwrap(), pod.status.unwrap().pod_ip.unwrap());
        let url = format!("http://{address}:8080/");
        let report: Value = serde_json::from_str(&bed.lab.task("load", &["--url", &url, "--rps", "200", "--seconds", "1"])).unwrap();
        let (ok, failed) = (report["ok"].as_u64().unwrap(), report["failed"].as_u64().unwrap());
        assert!(ok + failed == 200 && ok > 50 && failed > 50, "{report}");
        let path = format!("api/v1/namespaces/{}/pods/{name}:8080/proxy/metrics", bed.namespace);
        let text = bed.client.request_text(Request::new("").get(&path, &GetParams::default()).unwrap()).await.unwrap();
        assert!(text.contains(&format!("http_requests_total{{code=\"200\"}} {ok}\n")), "{text}");
        assert!(text.contains(&format!("http_requests_total{{code=\"500\"}} {failed}\n")), "{text}");
        assert!(text.contains("http_request_duration_seconds_bucket{le=\"+Inf\"} 200\n"), "{text}");
    });
}

#[test]
fn no_request_is_lost_while_a_deployment_that_drains_is_rolled() {
    in_lab("drains", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        bed.until_available("order").await;
        let service = format!("{}/order", bed.namespace);
        let mut load = bed.lab.command("load", &["--service", &service, "--rps", "200", "--seconds", "60"]);
        let load = load.stdout(std::process::Stdio::piped()).spawn().unwrap();
        bed.until("the load's first requests", async || (requests(&bed).await > 0).then_some(())).await;
        bed.set_image("order", "shop/order:v43").await;
        bed.until_available("order").await;
        bed.until("requests at the new version", async || (requests(&bed).await > 0).then_some(())).await;
        let pods: Api<Pod> = bed.api();
        bed.until("the old pods have drained", async || {
            let all = pods.list_metadata(&ListParams::default()).await.ok()?.items;
            all.iter().all(|pod| pod.metadata.deletion_timestamp.is_none()).then_some(())
        })
        .await;
        rustix::process::kill_process(rustix::process::Pid::from_child(&load), rustix::process::Signal::TERM).unwrap();
        let report: Value = serde_json::from_slice(&load.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(report["failed"], 0, "{report}");
        assert!(report["versions"]["v42"]["ok"].as_u64() > Some(0) && report["versions"]["v43"]["ok"].as_u64() > Some(0), "{report}");
    });
}

#[test]
fn a_viewer_may_look_and_not_touch_and_a_stranger_may_do_neither() {
    in_lab("rights", async |bed| {
        bed.deploy("order", 1, "shop/order:v42").await;
        let deployments: Api<Deployment> = Api::namespaced(bed.lab.client("viewer").await, &bed.namespace);
        deployments.get("order").await.unwrap();
        let patch = Patch::Merge(json!({"spec": {"replicas": 2}}));
        let refused = deployments.patch("order", &PatchParams::default(), &patch).await.unwrap_err();
        assert_eq!(code(&refused), Some(403), "{refused}");
        let deployments: Api<Deployment> = Api::namespaced(bed.lab.client("stranger").await, &bed.namespace);
        let refused = deployments.list(&ListParams::default()).await.unwrap_err();
        assert_eq!(code(&refused), Some(403), "{refused}");
        assert!(refused.to_string().contains("User \"stranger\" cannot list resource \"deployments\""), "{refused}");
    });
}

#[test]
fn a_pod_that_is_deleted_ends_and_another_takes_its_place() {
    in_lab("delete", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let pods: Api<Pod> = bed.api();
        let name = bed.pods("order").await.remove(0).metadata.name.unwrap();
        pods.delete(&name, &DeleteParams::default()).await.unwrap();
        bed.until("the deleted pod is gone", async || pods.get_opt(&name).await.unwrap().is_none().then_some(())).await;
        bed.until_available("order").await;
    });
}

#[test]
fn an_api_server_that_stops_comes_back_to_the_same_pods() {
    alone_in_lab("outage", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        bed.until_available("order").await;
        let before = uids(&bed).await;
        let pod = bed.pods("order").await.remove(0).status.unwrap().pod_ip.unwrap();
        let away = bed.lab.stop_api();
        let deployments: Api<Deployment> = bed.api();
        assert_eq!(code(&deployments.get("order").await.unwrap_err()), None);
        let url = format!("http://{pod}:8080/");
        let report: Value = serde_json::from_str(&bed.lab.task("load", &["--url", &url, "--rps", "50", "--seconds", "1"])).unwrap();
        assert_eq!((&report["ok"], &report["failed"]), (&json!(50), &json!(0)), "pods serve on without an API server");
        drop(away);
        assert_eq!(uids(&bed).await, before);
        bed.set_image("order", "shop/order:v43").await;
        bed.until_available("order").await;
        let nodes: Api<Node> = Api::all(bed.client.clone());
        assert!(nodes.get("lab-0").await.is_ok());
    });
}

#[test]
fn requests_are_really_split_by_a_routes_weights() {
    in_lab_with(&[GATEWAY], "split", async |bed| {
        pair(&bed, "shop/order:v42", "shop/order:v43").await;
        bed.route("order", &[("order", 95), ("order-next", 5)]).await;
        let load = bed.load_route("order", &["--rps", "200", "--fresh-rps", "40", "--slow-rps", "10", "--slow-ms", "500"]);
        let before = both_answer(&bed, &load).await;
        bed.until("2,000 requests more", async || (load.so_far().ok >= before.ok + 2_000).then_some(())).await;
        let report = load.stop();
        assert_eq!(report.failed, before.failed, "{:?}", report.failures);
        let next = (report.answered("v43") - before.answered("v43")) as f64 / (report.ok - before.ok) as f64;
        assert!((0.048..=0.052).contains(&next), "{next}");
    });
}

/// Waits until both versions answer, and for a second without a failure: the gateway may hear of the second one's endpoints a moment
/// after the first answers. What was counted by then.
async fn both_answer(bed: &Bed, load: &Load) -> Report {
    bed.until("both versions answer", async || {
        let report = load.so_far();
        (report.answered("v42") > 50 && report.answered("v43") > 50).then_some(())
    })
    .await;
    let mut calm = (0, now());
    bed.until("a second without a failure", async || {
        let report = load.so_far();
        if report.failed != calm.0 {
            calm = (report.failed, now());
        }
        (now() - calm.1 > 1.0).then_some(report)
    })
    .await
}

#[test]
fn the_last_request_of_a_version_that_lost_its_weight_is_known() {
    in_lab_with(&[GATEWAY], "last", async |bed| {
        pair(&bed, "shop/order:v42", "shop/order:v43").await;
        bed.route("order", &[("order", 50), ("order-next", 50)]).await;
        bed.served("order").await;
        let load = bed.load_route("order", &["--rps", "200"]);
        let lost = both_answer(&bed, &load).await.failed;
        let patched = now();
        bed.route("order", &[("order", 100), ("order-next", 0)]).await;
        bed.until("a second without v43", async || {
            let last = load.so_far().versions["v43"].last_start;
            (now() - last > 1.0 && now() - patched > 1.0).then_some(())
        })
        .await;
        let report = load.stop();
        assert_eq!(report.failed, lost, "{:?}", report.failures);
        let after = report.versions["v43"].last_start - patched;
        assert!(after < 2.0, "v43 served for {after} s more");
        assert!(report.versions["v42"].last_start > patched + 0.9);
        // A request is counted in the tenth of a second in which it was sent, so that no answer is missing.
        let counted: u64 = report.intervals.iter().flat_map(|interval| interval.versions.values()).sum();
        assert_eq!((counted, report.intervals.iter().map(|interval| interval.sent).sum::<u64>()), (report.ok, report.sent));
    });
}

#[test]
fn requests_with_a_header_go_where_the_route_sends_them_and_pods_count_them() {
    in_lab_with(&[GATEWAY], "headers", async |bed| {
        pair(&bed, "shop/order:v42", "shop/order:v43").await;
        let rule = |matches: &str, service: &str| format!("{{matches: [{{{matches}}}], backendRefs: [{{name: {service}, port: 80}}]}}");
        let rules = [
            rule("headers: [{name: X-Canary, value: always}]", "order-next"),
            rule("headers: [{name: Cookie, type: RegularExpression, value: '(^|.*; )group=beta(;.*|$)'}]", "order-next"),
            rule("path: {type: PathPrefix, value: /}", "order"),
        ];
        bed.apply(&format!(
            "{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{name: order}}, spec: {{\
             parentRefs: [{{name: gw, namespace: default}}], hostnames: [{}], rules: [{}]}}}}",
            bed.host("order"),
            rules.join(", ")
        ))
        .await;
        bed.served("order").await;
        for (header, version) in [("X-Canary: always", "v43"), ("Cookie: a=b; group=beta", "v43"), ("X-Canary: never", "v42")] {
            let load = bed.load_route("order", &["--rps", "100", "--header", header]);
            bed.until("20 requests", async || (load.so_far().ok >= 20).then_some(())).await;
            let report = load.stop();
            assert_eq!((report.answered(version), report.failed), (report.sent, 0), "{header}");
        }
        let page = pages(&bed, "order-next").await;
        assert!(page.contains("http_requests_by_header_total{header=\"x-canary\",value=\"always\"} "), "{page}");
        assert!(page.contains("http_requests_by_header_total{header=\"cookie\",value=\"group=beta\"} "), "{page}");
        assert!(page.contains("http_requests_by_path_total{path=\"/\"} "), "{page}");
    });
}

#[test]
fn a_gateway_that_cannot_mirror_says_so_and_a_route_that_asks_for_it_serves_nobody() {
    in_lab_with(&[GATEWAY], "mirror", async |bed| {
        pair(&bed, "shop/order:v42", "shop/order:v43").await;
        bed.route("order", &[("order", 1)]).await;
        bed.served("order").await;
        let resource = |kind| ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", kind));
        let classes: Api<DynamicObject> = Api::all_with(bed.client.clone(), &resource("GatewayClass"));
        let class = classes.get("traefik").await.unwrap();
        let features = class.data["status"]["supportedFeatures"].to_string();
        assert!(features.contains("HTTPRouteMethodMatching") && !features.contains("HTTPRouteRequestMirror"), "{features}");
        let filter = json!([{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "order-next", "port": 80}}}]);
        let routes: Api<DynamicObject> = Api::namespaced_with(bed.client.clone(), &bed.namespace, &resource("HTTPRoute"));
        let add =
            Patch::Json::<()>(serde_json::from_value(json!([{"op": "add", "path": "/spec/rules/0/filters", "value": filter}])).unwrap());
        routes.patch("order", &PatchParams::default(), &add).await.unwrap();
        let (url, host) = (format!("http://{}/", bed.gateway()), format!("Host: {}", bed.host("order")));
        let code = bed.until("the gateway refuses", async || Some(curl(&["--header", &host, &url])).filter(|code| code != "200")).await;
        assert_eq!(code, "500");
        let conditions = bed
            .until("a status of the new route", async || {
                let route = routes.get("order").await.unwrap();
                let conditions = route.data["status"]["parents"][0]["conditions"].as_array().cloned().unwrap_or_default();
                let is_new = |condition: &Value| condition["observedGeneration"].as_i64() == route.metadata.generation;
                conditions.iter().all(is_new).then_some(conditions)
            })
            .await;
        let is_fine = conditions.iter().all(|condition| condition["status"] == "True");
        assert!(is_fine, "the route's own status does not say it: {}", json!(conditions));
    });
}

#[test]
fn traefik_counts_the_requests_of_each_backend() {
    in_lab_with(&[GATEWAY], "backends", async |bed| {
        pair(&bed, "shop/order:v42", "shop/order:v43").await;
        bed.route("order", &[("order", 50), ("order-next", 50)]).await;
        bed.served("order").await;
        let load = bed.load_route("order", &["--rps", "100"]);
        bed.until("100 requests", async || (load.so_far().ok >= 100).then_some(())).await;
        load.stop();
        let page = page(&bed.gateway_metrics(), "/metrics").await;
        let counted = |service: &str| {
            let name = format!("-svc-backends-{service}-");
            let lines = page.lines().filter(|line| line.starts_with("traefik_service_requests_total{code=\"200\"") && line.contains(&name));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
        };
        assert!(counted("order") >= 50.0 && counted("order-next") >= 50.0, "{page}");
    });
}

#[test]
fn prometheus_answers_rates_per_revision() {
    in_lab_with(&[PROMETHEUS], "rates", async |bed| {
        pair(&bed, "shop/order:v42", "shop/order:v43-errors50").await;
        let loads = ["rates/order", "rates/order-next"].map(|service| bed.load(&["--service", service, "--rps", "100"]));
        let query = "sum by (version, revision) (rate(http_requests_total{namespace=\"rates\",service=\"order\",code=\"500\"}[5s])) \
                     / on (version, revision) sum by (version, revision) (rate(http_requests_total{namespace=\"rates\",service=\"order\"}[5s]))";
        let (version, revision, share) = bed
            .until("an error rate of v43", async || {
                let answer = ask(&bed, query).await;
                let [row] = answer["data"]["result"].as_array()?.as_slice() else { return None };
                let share = row["value"][1].as_str()?.parse::<f64>().ok().filter(|share| (0.4..0.6).contains(share))?;
                Some((row["metric"]["version"].clone(), row["metric"]["revision"].clone(), share))
            })
            .await;
        let pod = bed.pods("order").await.into_iter().find(|pod| pod.metadata.labels.as_ref().unwrap()["slot"] == "next").unwrap();
        assert_eq!(version, "v43-errors50");
        assert_eq!(revision, pod.metadata.labels.unwrap()["pod-template-hash"], "{share}");
        for load in loads {
            load.stop();
        }
    });
}

#[test]
fn guarded_doors_to_prometheus_open_for_who_they_know() {
    in_lab_with(&[PROMETHEUS, PROMETHEUS_TLS], "doors", async |bed| {
        let ca = bed.lab.authority();
        let ca = ca.to_str().unwrap();
        let url = |port: u16| format!("http://{}/api/v1/query?query=vector(1)", bed.prometheus(port));
        let tls = format!("https://{}/api/v1/query?query=vector(1)", bed.prometheus(9443));
        for (key, url) in [
            (vec!["--user", "flightdeck:secret"], url(9091)),
            (vec!["--header", "Authorization: Bearer prometheus-token"], url(9092)),
            (vec!["--header", "X-Scope-OrgID: shop"], url(9093)),
            (vec!["--user", "flightdeck:secret", "--cacert", ca], tls.clone()),
        ] {
            assert_eq!(curl(&[&key[..], &[&url]].concat()), "200", "{url}");
            assert_eq!(curl(&["--cacert", ca, &url]), "401", "{url}");
        }
        assert_eq!(curl(&["--user", "flightdeck:secret", &tls]), "000", "an unknown authority is not trusted");
    });
}

#[test]
fn an_eviction_respects_a_budget() {
    in_lab("evict", async |bed| {
        bed.deploy("order", 2, "shop/order:v42-start2").await;
        bed.until_available("order").await;
        bed.apply("{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: order}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: order}}}}")
            .await;
        let pods: Vec<String> = bed.pods("order").await.into_iter().map(|pod| pod.metadata.name.unwrap()).collect();
        bed.until("the budget is counted", async || bed.evict(&pods[0]).await.ok()).await;
        let refused = bed.evict(&pods[1]).await.unwrap_err();
        assert_eq!(code(&refused), Some(429), "{refused}");
        bed.until_available("order").await;
        bed.until("the second may go when another is ready", async || bed.evict(&pods[1]).await.ok()).await;
    });
}

#[test]
fn an_abrupt_version_cuts_what_is_in_flight_and_a_graceful_one_ends_it() {
    in_lab("ends", async |bed| {
        for (name, image, cut) in [("abrupt", "shop/order:v42-abrupt", true), ("graceful", "shop/order:v42-graceful", false)] {
            bed.deploy(name, 1, image).await;
            bed.until_available(name).await;
            let pod = bed.pods(name).await.remove(0);
            let url = format!("http://{}:8080/", pod.status.unwrap().pod_ip.unwrap());
            // One request that takes 2 s, and the pod has to go meanwhile: preStop takes 1 s.
            let load = bed.lab.command("load", &["--url", &url, "--rps", "0", "--slow-rps", "1", "--slow-ms", "2000", "--seconds", "1"]);
            let load = { load }.stdout(std::process::Stdio::piped()).spawn().unwrap();
            bed.until("a request in flight", async || {
                pages(&bed, name).await.contains("http_requests_by_path_total{path=\"/\"} 1").then_some(())
            })
            .await;
            let pods: Api<Pod> = bed.api();
            pods.delete(&pod.metadata.name.unwrap(), &DeleteParams::default()).await.unwrap();
            let report: Value = serde_json::from_slice(&load.wait_with_output().unwrap().stdout).unwrap();
            assert_eq!(report["failures"], if cut { json!({"cut": 1}) } else { json!({}) }, "{name}");
        }
    });
}

#[test]
fn three_clusters_are_contexts_of_one_kubeconfig_and_fail_apart() {
    in_clusters("three", async |beds| {
        for (bed, image) in beds.iter().zip(["shop/order:v41", "shop/order:v42", "shop/order:v43"]) {
            bed.deploy("order", 1, image).await;
        }
        for (bed, version) in beds.iter().zip(["v41", "v42", "v43"]) {
            bed.until_available("order").await;
            let load = bed.load(&["--service", "three/order", "--rps", "50"]);
            bed.until("requests", async || (load.so_far().ok >= 10).then_some(())).await;
            let report = load.stop();
            assert_eq!((report.answered(version), report.failed), (report.sent, 0));
        }
        let away = beds[1].lab.stop_api_of(1);
        let deployments: Api<Deployment> = beds[1].api();
        assert_eq!(code(&deployments.get("order").await.unwrap_err()), None);
        for bed in [&beds[0], &beds[2]] {
            bed.set_image("order", "shop/order:v44").await;
            bed.until_available("order").await;
        }
        drop(away);
        beds[1].set_image("order", "shop/order:v44").await;
        beds[1].until_available("order").await;
    });
}

#[test]
fn each_fault_is_what_a_client_sees() {
    in_lab("faults", async |bed| {
        let faults = Faults::before(&bed.lab.kubeconfig("admin"));
        let client = client_of(&faults.kubeconfig(), &bed.lab.contexts[0]).await;
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "faults");
        let count = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "count"}, "data": {"n": "0"}});
        let straight: Api<ConfigMap> = bed.api();
        straight.create(&PostParams::default(), &serde_json::from_value(count).unwrap()).await.unwrap();
        let set = async |n: &str| maps.patch("count", &PatchParams::default(), &Patch::Merge(json!({"data": {"n": n}}))).await;
        let is = async |n: &str| straight.get("count").await.unwrap().data.unwrap()["n"] == n;
        set("1").await.unwrap();
        assert!(is("1").await, "without a fault all goes through");
        for (fault, status) in
            [(Fault::Conflict, 409), (Fault::Gone, 410), (Fault::TooMany, 429), (Fault::Internal, 500), (Fault::Unavailable, 503)]
        {
            faults.next("PATCH ", fault);
            assert_eq!(code(&set("2").await.unwrap_err()), Some(status), "{fault:?}");
        }
        let url = Kubeconfig::read_from(faults.kubeconfig()).unwrap().clusters.remove(0).cluster.unwrap().server.unwrap();
        faults.next("GET /readyz", Fault::TooMany);
        assert_eq!(curl(&[&format!("{url}/readyz"), "--write-out", "%{http_code} %header{retry-after}"]), "429 1");

        faults.next("PATCH ", Fault::Reset);
        assert_eq!(code(&set("2").await.unwrap_err()), None);
        assert!(is("1").await, "nothing that was refused was done");
        faults.next("PATCH ", Fault::LostAnswer);
        assert_eq!(code(&set("2").await.unwrap_err()), None);
        assert!(is("2").await, "it was done, and only its answer was lost");

        faults.next("PATCH ", Fault::Late(Duration::from_millis(200)));
        assert_eq!(code(&set("late").await.unwrap_err()), None);
        assert!(is("2").await);
        bed.until("it was done after all", async || is("late").await.then_some(())).await;
        set("2").await.unwrap();

        faults.next("POST ", Fault::Twice);
        let made = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}});
        let twice = maps.create(&PostParams::default(), &serde_json::from_value(made).unwrap()).await.unwrap_err();
        assert_eq!(code(&twice), Some(409), "the second of two finds what the first one made");

        let begun = std::time::Instant::now();
        faults.next("GET ", Fault::Delay(Duration::from_millis(300)));
        maps.get("count").await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(300));

        faults.next("GET ", Fault::Hang);
        let hung = tokio::spawn({
            let maps = maps.clone();
            async move { maps.get("count").await }
        });
        bed.until("the request hangs", async || faults.seen().iter().any(|seen| seen.fault == Fault::Hang).then_some(())).await;
        assert!(!hung.is_finished());
        faults.off();
        hung.await.unwrap().unwrap();

        let before = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version;
        set("3").await.unwrap();
        faults.next("GET ", Fault::StaleList);
        let stale = maps.list(&ListParams::default()).await.unwrap();
        assert_eq!(stale.metadata.resource_version, before);
        let n = |list: &kube::core::ObjectList<ConfigMap>| {
            list.iter().find(|map| map.metadata.name.as_deref() == Some("count")).unwrap().data.as_ref().unwrap()["n"].clone()
        };
        assert_eq!((n(&stale), n(&maps.list(&ListParams::default()).await.unwrap())), ("2".to_owned(), "3".to_owned()));
        let kinds: Vec<_> = faults.seen().iter().map(|seen| seen.method.clone()).collect();
        let wanted = ["PATCH"; 5].into_iter().chain(["GET"]).chain(["PATCH"; 3]).chain(["POST", "GET", "GET", "GET"]);
        assert_eq!(kinds, wanted.collect::<Vec<_>>());
    });
}

#[test]
fn a_region_that_is_lost_takes_no_other_with_it() {
    in_clusters("lost", async |beds| {
        let faults = Faults::before(&beds[0].lab.kubeconfig("admin"));
        let kubeconfig = faults.kubeconfig();
        let mut maps = Vec::new();
        for bed in &beds {
            maps.push(Api::<ConfigMap>::namespaced(client_of(&kubeconfig, bed.context()).await, "lost"));
        }
        faults.always(beds[1].context(), Fault::Hang);
        let late = tokio::time::timeout(Duration::from_millis(500), maps[1].list(&ListParams::default())).await;
        assert!(late.is_err());
        for maps in [&maps[0], &maps[2]] {
            maps.list(&ListParams::default()).await.unwrap();
        }
        faults.off();
        maps[1].list(&ListParams::default()).await.unwrap();
    });
}

#[test]
fn each_cluster_has_parts_of_its_own() {
    in_clusters_with(&[GATEWAY, PROMETHEUS], "parts", async |beds| {
        for (bed, version) in beds.iter().zip(["v41", "v42", "v43"]) {
            bed.deploy("order", 1, &format!("shop/order:{version}")).await;
            bed.route("order", &[("order", 1)]).await;
        }
        for (bed, version) in beds.iter().zip(["v41", "v42", "v43"]) {
            bed.until_available("order").await;
            bed.served("order").await;
            let load = bed.load_route("order", &["--rps", "50"]);
            let seen = format!("sum(rate(http_requests_total{{namespace=\"parts\",version=\"{version}\"}}[5s])) > 0");
            bed.until("Prometheus sees it", async || ask(bed, &seen).await["data"]["result"][0].is_object().then_some(())).await;
            let report = load.stop();
            assert_eq!((report.answered(version), report.failed), (report.sent, 0), "{:?}", report.failures);
        }
    });
}

#[test]
fn a_pod_is_ready_when_all_its_containers_are_and_each_is_scraped() {
    in_lab_with(&[PROMETHEUS], "several", async |bed| {
        let container = |name: &str, image: &str, port: u16| json!({"name": name, "image": image, "ports": [{"containerPort": port}], "readinessProbe": {"httpGet": {"path": "/health", "port": port}}});
        let labels = json!({"app": "order"});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "order"},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                container("app", "shop/order:v42", 8080),
                container("proxy", "shop/proxy:v7-unhealthy", 8081),
            ]}}},
        });
        bed.apply(&deployment.to_string()).await;
        let ready = async || {
            let status = bed.pods("order").await.first()?.status.clone()?;
            Some(status.container_statuses?.iter().map(|container| container.ready).collect::<Vec<_>>())
        };
        bed.until("one of two is ready", async || (ready().await? == [true, false]).then_some(())).await;
        assert_eq!(available(&bed).await, 0);
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "proxy", "image": "shop/proxy:v8"}]}}}});
        let deployments: Api<Deployment> = bed.api();
        deployments.patch("order", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
        bed.until_available("order").await;
        let query = "count(up{namespace=\"several\",version=~\"v42|v8\"} == 1)";
        bed.until("both are scraped", async || (ask(&bed, query).await["data"]["result"][0]["value"][1].as_str()? == "2").then_some(()))
            .await;
    });
}

#[test]
fn watches_are_cut_expire_and_go_silent() {
    in_lab("watches", async |bed| {
        let faults = Faults::before(&bed.lab.kubeconfig("admin"));
        let context = &bed.lab.contexts[0];
        let client = client_of(&faults.kubeconfig(), context).await;
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "watches");
        let parameters = WatchParams::default().disable_bookmarks();
        let begin = async || Box::pin(maps.watch(&parameters, "0").await.unwrap());
        let soon = Duration::from_millis(100);

        let mut events = begin().await;
        assert!(matches!(events.next().await, Some(Ok(WatchEvent::Added(_)))), "the map that each namespace has");
        let made = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}});
        let straight: Api<ConfigMap> = bed.api();
        straight.create(&PostParams::default(), &serde_json::from_value(made).unwrap()).await.unwrap();
        let event = events.next().await;
        assert!(matches!(&event, Some(Ok(WatchEvent::Added(map))) if map.metadata.name.as_deref() == Some("made")), "{event:?}");
        drop(events);

        faults.next("GET ", Fault::CutWatch(soon));
        let mut events = begin().await;
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        assert!(matches!(last, Some(Err(_))), "{last:?}");

        faults.next("GET ", Fault::ExpireWatch(soon));
        let mut events = begin().await;
        let expired = loop {
            if let Some(Ok(WatchEvent::Error(status))) = events.next().await {
                break status;
            }
        };
        assert_eq!((expired.code, expired.reason.as_str()), (410, "Expired"));

        let mut events = begin().await;
        assert!(events.next().await.is_some() && events.next().await.is_some());
        faults.always(context, Fault::Hang);
        let patch = Patch::Merge(json!({"data": {"n": "1"}}));
        straight.patch("made", &PatchParams::default(), &patch).await.unwrap();
        let silence = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
        assert!(silence.is_err(), "nothing passes while the region is lost");
        faults.off();
        assert!(matches!(events.next().await, Some(Err(_)) | None), "and what was open is dead when it is back");
        maps.get("made").await.unwrap();
    });
}

#[test]
fn the_same_seed_does_the_same_to_the_same_requests() {
    in_lab("seeds", async |bed| {
        let faults = Faults::before(&bed.lab.kubeconfig("admin"));
        let client = client_of(&faults.kubeconfig(), &bed.lab.contexts[0]).await;
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "seeds");
        let schedule = async |seed: u64| {
            let from = faults.seen().len();
            faults.random(seed);
            for turn in 0..60 {
                let patch = Patch::Merge(json!({"data": {"turn": turn.to_string()}}));
                let _ = tokio::time::timeout(Duration::from_secs(2), maps.patch("kube-root-ca.crt", &PatchParams::default(), &patch)).await;
            }
            faults.off();
            faults.seen().into_iter().skip(from).map(|seen| seen.fault).collect::<Vec<_>>()
        };
        let (first, second, other) = (schedule(1).await, schedule(1).await, schedule(2).await);
        assert!(first.len() > 3, "{first:?}");
        assert_eq!(first, second);
        assert_ne!(first, other);
    });
}

#[test]
fn a_proxy_with_a_long_throttle_follows_late() {
    alone_in_lab_with(&[GATEWAY], "throttle", async |bed| {
        bed.lab.throttle("2s");
        pair(&bed, "shop/order:v42", "shop/order:v43").await;
        bed.route("order", &[("order", 100), ("order-next", 0)]).await;
        bed.served("order").await;
        let load = bed.load_route("order", &["--rps", "100"]);
        bed.until("v42 answers", async || (load.so_far().answered("v42") > 20).then_some(())).await;
        // The second of two changes in a row waits for the throttle.
        bed.route("order", &[("order", 0), ("order-next", 100)]).await;
        bed.until("v43 answers", async || (load.so_far().answered("v43") > 20).then_some(())).await;
        let patched = now();
        bed.route("order", &[("order", 100), ("order-next", 0)]).await;
        bed.until("v42 answers again", async || (load.so_far().versions["v42"].last_start > patched + 0.5).then_some(())).await;
        let report = load.stop();
        let after = report.versions["v43"].last_start - patched;
        bed.lab.throttle("100ms");
        assert_eq!(report.failed, 0, "{:?}", report.failures);
        assert!((0.5..4.0).contains(&after), "{after}");
    });
}

/// The message of the first container of `order` that waits for `reason`.
async fn waiting(bed: &Bed, reason: &str) -> String {
    bed.until(reason, async || {
        bed.pods("order").await.into_iter().find_map(|pod| {
            let waiting = pod.status?.container_statuses?.first()?.state.clone()?.waiting?;
            (waiting.reason.as_deref() == Some(reason)).then_some(waiting.message?)
        })
    })
    .await
}

async fn available(bed: &Bed) -> i32 {
    let deployments: Api<Deployment> = bed.api();
    deployments.get("order").await.unwrap().status.and_then(|status| status.available_replicas).unwrap_or_default()
}

/// The status code of the API server's answer; None when it gave none.
fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

async fn uids(bed: &Bed) -> Vec<String> {
    bed.pods("order").await.into_iter().map(|pod| pod.metadata.uid.unwrap()).collect()
}

async fn ready_addresses(bed: &Bed) -> Vec<String> {
    let slices: Api<EndpointSlice> = bed.api();
    let slices = slices.list(&ListParams::default().labels("kubernetes.io/service-name=order")).await.unwrap();
    let endpoints = slices.items.into_iter().flat_map(|slice| slice.endpoints.unwrap_or_default());
    let ready = endpoints.filter(|endpoint| endpoint.conditions.as_ref().is_some_and(|conditions| conditions.ready == Some(true)));
    let mut addresses: Vec<_> = ready.flat_map(|endpoint| endpoint.addresses).collect();
    addresses.sort();
    addresses
}

/// Requests that the pods of `order` have counted so far.
async fn requests(bed: &Bed) -> u64 {
    let pages = bed.pods("order").await.into_iter().map(|pod| {
        let path = format!("api/v1/namespaces/{}/pods/{}:8080/proxy/metrics", bed.namespace, pod.metadata.name.unwrap());
        let request = Request::new("").get(&path, &GetParams::default()).unwrap();
        async { bed.client.request_text(request).await.unwrap_or_default() }
    });
    let count = |page: String| {
        let lines = page.lines().filter_map(|line| line.strip_prefix("http_request_duration_seconds_count ")?.parse::<u64>().ok());
        lines.sum::<u64>()
    };
    join_all(pages).await.into_iter().map(count).sum()
}

/// `order` and `order-next` with 2 pods each, apart by the label `slot`, each with its Service.
async fn pair(bed: &Bed, image: &str, next: &str) {
    for (name, slot, image) in [("order", "main", image), ("order-next", "next", next)] {
        let labels = json!({"app": "order", "slot": slot});
        let template = json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{
                "name": "app", "image": image, "ports": [{"containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
            }]},
        });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        });
        bed.apply(&format!("{deployment}\n---\n{service}\n")).await;
    }
    bed.until_available("order").await;
    bed.until_available("order-next").await;
}

/// The body at this address.
async fn page(address: &str, path: &str) -> String {
    let output = std::process::Command::new("curl").args(["--silent", &format!("http://{address}{path}")]).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// Prometheus' answer, through the API server.
async fn ask(bed: &Bed, query: &str) -> Value {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query={encoded}");
    let text = bed.client.request_text(Request::new("").get(&path, &GetParams::default()).unwrap()).await.unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The metrics of all pods of a Deployment, one after the other.
async fn pages(bed: &Bed, deployment: &str) -> String {
    let pods: Api<Pod> = bed.api();
    let mut text = String::new();
    for pod in pods.list(&ListParams::default()).await.unwrap() {
        let name = pod.metadata.name.unwrap();
        if name.rsplitn(3, '-').last() == Some(deployment) {
            let path = format!("api/v1/namespaces/{}/pods/{name}:8080/proxy/metrics", bed.namespace);
            text += &bed.client.request_text(Request::new("").get(&path, &GetParams::default()).unwrap()).await.unwrap_or_default();
        }
    }
    text
}
