//! The lab does what a cluster does, as far as flightdeck's other tests rely on it.

#[path = "lab/behaviour.rs"]
mod behaviour;
#[path = "lab/harness.rs"]
mod harness;

use futures::future::join_all;
use harness::{Bed, alone_in_lab, in_lab};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, Request};
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
