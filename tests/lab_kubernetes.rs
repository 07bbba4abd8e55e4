//! Real Deployments on a real API server, as `platform/kubernetes` sees and drives them.

#[path = "lab/harness.rs"]
mod harness;

use flightdeck::fleet::{Aspect, Fact, Flight, Rights, Way, Workload};
use flightdeck::platform::kubernetes::{Contexts, KubernetesPlatform, RegionSpec, probe};
use flightdeck::platform::{Order, Platform, Question};
use flightdeck::rollout::{Ask, Want, Wish, WishKey};
use flightdeck::units::{Kind, LegId, Namespace, Percent, Region, Revision, RolloutId, Term, Time, Trouble, Version};
use harness::{Bed, alone_in_lab, in_lab};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a fact may take. Generous: it only matters when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A platform on one namespace of the lab, with what it told.
struct Eyes {
    platform: KubernetesPlatform,
    rows: BTreeMap<String, Workload>,
    seen: Vec<Fact>,
}

impl Eyes {
    fn open(bed: &Bed, user: &str) -> Eyes {
        let contexts = Contexts::read(Some(&bed.lab.kubeconfig(user))).unwrap();
        let context = contexts.current().unwrap();
        let spec = RegionSpec { name: Region::new("east"), context, namespaces: vec![Namespace::new(&bed.namespace)], prometheus: None };
        Eyes { platform: KubernetesPlatform::start(contexts, &[spec]).unwrap(), rows: BTreeMap::new(), seen: Vec::new() }
    }
    /// The first fact from here on that `wanted` makes something of.
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Fact) -> Option<T>) -> T {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                while let Some(fact) = self.platform.poll(Time(0)) {
                    if let Fact::WorkloadSeen(row) = &fact {
                        self.rows.insert(row.id.name.to_string(), (**row).clone());
                    }
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
        found.unwrap_or_else(|_| {
            let told: Vec<String> = self.seen.iter().map(brief).collect();
            panic!("not seen in {PATIENCE:?}: {what}\n{}", told[told.len().saturating_sub(40)..].join("\n"))
        })
    }
    /// The row of `order` once it is as wanted.
    async fn row(&mut self, what: &str, wanted: impl Fn(&Workload) -> bool) -> Workload {
        if let Some(row) = self.rows.get("order").filter(|row| wanted(row)) {
            return row.clone();
        }
        self.until(what, |fact| match fact {
            Fact::WorkloadSeen(row) if &*row.id.name == "order" && wanted(row) => Some((**row).clone()),
            _ => None,
        })
        .await
    }
    /// `order` at rest on one version.
    async fn at_rest(&mut self, version: &str) -> Workload {
        self.row(&format!("order at rest on {version}"), |w| {
            let newest = &w.revisions[0];
            w.complete && newest.version.as_str() == version && newest.pods.ready == w.replicas
        })
        .await
    }
    async fn connected(&mut self) -> String {
        self.until("connected", |fact| if let Fact::Connected { server, .. } = fact { Some(server.clone()) } else { None }).await
    }
    async fn failed(&mut self) -> (Trouble, Option<Flight>) {
        self.until("a write that failed", |fact| match fact {
            Fact::WriteFailed { trouble, fenced_by, .. } => Some((trouble.clone(), fenced_by.clone())),
            _ => None,
        })
        .await
    }
    async fn rights(&mut self) -> Rights {
        self.until("rights", |fact| if let Fact::RightsSeen { rights, .. } = fact { Some(rights.clone()) } else { None }).await
    }
    fn send(&mut self, order: Order) {
        self.platform.send(Time(0), order);
    }
    fn writes(&self) -> usize {
        self.seen.iter().filter(|fact| matches!(fact, Fact::WriteTaken { .. })).count()
    }
}

/// A fact in one line.
fn brief(fact: &Fact) -> String {
    let Fact::WorkloadSeen(w) = fact else { return format!("{fact:?}") };
    let side = |r: &flightdeck::fleet::RevisionSeen| format!("{} {}/{}/{}", r.version, r.pods.want, r.pods.exist, r.pods.ready);
    let sides: Vec<String> = w.revisions.iter().map(side).collect();
    let flight = w.flight.as_ref().map(|f| (f.term.0, f.way));
    format!("{} {} paused={} complete={} {flight:?} {:?}", w.id.name, sides.join(", "), w.paused, w.complete, w.rolling)
}

fn forward(row: &Workload, image: &str, share: u16, term: u64) -> Order {
    let want = Want::Roll { forward: true, share: Percent::whole(share), surge: 1, unavailable: 0, paused: false };
    Order {
        rollout: RolloutId::new("order-1"),
        workload: row.id.clone(),
        wish: Wish {
            key: WishKey { leg: LegId::new("east"), aspect: Aspect::Template },
            want,
            term: Term(term),
            way: Way::Forward,
            again: 0,
        },
        old: row.template.clone(),
        new: None,
        container: "app".into(),
        image: image.into(),
        version: Version::new("v43"),
        beside: None,
    }
}

fn back(row: &Workload, to: &Revision, term: u64) -> Order {
    let mut order = forward(row, "", 100, term);
    order.wish.want = Want::Roll { forward: false, share: Percent::ALL, surge: 1, unavailable: 0, paused: false };
    (order.wish.way, order.old) = (Way::Back, to.clone());
    order
}

fn pods(row: &Workload, version: &str) -> u32 {
    row.revisions.iter().find(|r| r.version.as_str() == version).map_or(0, |r| r.pods.ready)
}

async fn object(bed: &Bed) -> Value {
    let deployments: Api<Deployment> = bed.api();
    serde_json::to_value(deployments.get("order").await.unwrap()).unwrap()
}

#[test]
fn an_update_that_somebody_else_started_is_seen_to_its_end() {
    in_lab("kube-watched", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        assert!(eyes.connected().await.starts_with("v1."));
        let before = eyes.at_rest("v42").await;
        bed.set_image("order", "shop/order:v43").await;
        let moving = eyes.row("two versions", |w| w.revisions.len() == 2 && w.moves()).await;
        assert_eq!((moving.revisions[0].version.as_str(), moving.revisions[1].revision.clone()), ("v43", before.template));
        let after = eyes.at_rest("v43").await;
        assert_eq!((after.flight.clone(), after.drains, after.moves()), (None, true, false));
        assert!(after.start_takes.is_some());
        assert_eq!(eyes.writes(), 0);
    });
}

#[test]
fn a_rollout_goes_in_batches_waits_between_them_and_gives_the_strategy_back() {
    in_lab("kube-batches", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        let before = eyes.at_rest("v42").await;
        let owners = object(&bed).await["spec"]["strategy"].clone();

        eyes.send(forward(&before, "shop/order:v43", 50, 1));
        let half = eyes.row("half of it, paused", |w| w.paused && pods(w, "v43") >= 2).await;
        assert!(pods(&half, "v43") < 4 && half.flight.as_ref().unwrap().way == Way::Forward, "{half:#?}");
        let held = object(&bed).await;
        assert_eq!(held["spec"]["strategy"]["rollingUpdate"], json!({"maxSurge": 1, "maxUnavailable": 0}));
        assert!(held["metadata"]["annotations"]["flightdeck.dev/strategy"].is_string());

        eyes.send(forward(&before, "shop/order:v43", 100, 1));
        eyes.at_rest("v43").await;
        bed.until("the owner's strategy", async || {
            let now = object(&bed).await;
            (now["spec"]["strategy"] == owners && now["metadata"]["annotations"]["flightdeck.dev/strategy"].is_null()).then_some(())
        })
        .await;
        let managers = object(&bed).await["metadata"]["managedFields"].clone();
        assert!(managers.as_array().unwrap().iter().any(|m| m["manager"] == "flightdeck"));
    });
}

#[test]
fn a_rollout_that_is_paused_by_a_person_stands_still_and_goes_on() {
    in_lab("kube-paused", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        let before = eyes.at_rest("v42").await;
        let mut order = forward(&before, "shop/order:v43-start1", 100, 1);
        eyes.send(order.clone());
        eyes.row("begun", |w| w.revisions.len() == 2).await;
        if let Want::Roll { paused, .. } = &mut order.wish.want {
            *paused = true;
        }
        eyes.send(order.clone());
        let still = eyes.row("paused", |w| w.paused).await;
        assert!(!still.complete && pods(&still, "v42") > 0);
        if let Want::Roll { paused, .. } = &mut order.wish.want {
            *paused = false;
        }
        eyes.send(order);
        let after = eyes.at_rest("v43-start1").await;
        assert!(!after.paused);
    });
}

#[test]
fn a_rollout_goes_back_from_the_middle_by_one_write() {
    in_lab("kube-back", async |bed| {
        bed.deploy("order", 4, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        let before = eyes.at_rest("v42").await;
        let template = object(&bed).await["spec"]["template"].clone();
        let owners = object(&bed).await["spec"]["strategy"].clone();
        eyes.send(forward(&before, "shop/order:v43", 50, 1));
        let half = eyes.row("half of it, paused", |w| w.paused && pods(w, "v43") >= 2).await;
        let written = eyes.writes();
        eyes.send(back(&half, &before.template, 2));
        let after = eyes.row("back", |w| w.complete && w.template == before.template && pods(w, "v42") == 4).await;
        assert_eq!((after.paused, after.flight.unwrap().way, pods(&eyes.rows["order"], "v43")), (false, Way::Back, 0));
        assert_eq!(eyes.writes() - written, 1);
        let now = object(&bed).await;
        assert_eq!((&now["spec"]["template"], &now["spec"]["strategy"]), (&template, &owners));
    });
}

#[test]
fn somebody_elses_bad_image_is_explained_and_rolled_back() {
    in_lab("kube-bad-image", async |bed| {
        bed.deploy("order", 3, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        let before = eyes.at_rest("v42").await;
        bed.set_image("order", "shop/order:v43-bad-pull").await;
        let stuck = eyes.row("stuck", |w| w.revisions[0].pods.stuck.is_some()).await;
        let words = stuck.revisions[0].pods.stuck.clone().unwrap();
        assert_eq!((words.cause.as_str(), words.may_heal), ("no such image: shop/order:v43-bad-pull", false));
        eyes.send(back(&stuck, &before.template, 1));
        let after = eyes.row("back", |w| w.complete && w.template == before.template).await;
        assert_eq!((pods(&after, "v42"), after.flight.unwrap().to), (3, before.template));
    });
}

#[test]
fn a_write_below_a_higher_term_is_refused_and_says_who_drives() {
    in_lab("kube-fence", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        let before = eyes.at_rest("v42").await;
        let theirs = r#"{"rollout":"order-9","term":9,"way":"back","to":"x"}"#;
        let note = json!({"metadata": {"annotations": {"flightdeck.dev/flight": theirs}}});
        let deployments: Api<Deployment> = bed.api();
        deployments.patch("order", &PatchParams::default(), &Patch::Merge(note)).await.unwrap();
        // Sent whether the watch has seen the fence or not: one way it is read, the other way the API server refuses.
        eyes.send(forward(&before, "shop/order:v43", 100, 3));
        let (trouble, fenced_by) = eyes.failed().await;
        assert_eq!((trouble.kind, fenced_by.map(|f| f.term)), (Kind::Refused, Some(Term(9))));
        assert_eq!(object(&bed).await["spec"]["template"]["spec"]["containers"][0]["image"], "shop/order:v42");
        eyes.send(forward(&before, "shop/order:v43", 100, 10));
        eyes.at_rest("v43").await;
    });
}

#[test]
fn a_deployment_without_any_annotation_can_be_launched() {
    in_lab("kube-bare", async |bed| {
        bed.deploy("order", 1, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        let before = eyes.at_rest("v42").await;
        let none = json!([{"op": "remove", "path": "/metadata/annotations"}]);
        let deployments: Api<Deployment> = bed.api();
        let patch = Patch::<()>::Json(serde_json::from_value(none).unwrap());
        deployments.patch("order", &PatchParams::default(), &patch).await.unwrap();
        eyes.send(forward(&before, "shop/order:v43", 100, 1));
        let after = eyes.at_rest("v43").await;
        assert_eq!(after.flight.unwrap().term, Term(1));
    });
}

#[test]
fn a_viewer_sees_everything_and_is_told_what_he_may_not_do() {
    in_lab("kube-viewer", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "viewer");
        let rights = eyes.rights().await;
        assert_eq!(rights.user.as_deref(), Some("viewer"));
        assert_eq!(rights.denied.iter().map(|d| d.1.as_str()).collect::<Vec<_>>(), ["patch deployments in namespace kube-viewer"]);
        let row = eyes.at_rest("v42").await;
        eyes.send(forward(&row, "shop/order:v43", 100, 1));
        let (trouble, _) = eyes.failed().await;
        assert_eq!(trouble.kind, Kind::Refused);
        assert!(trouble.to_string().contains("ask for the right to patch deployments in namespace kube-viewer"), "{trouble}");
    });
}

#[test]
fn a_stranger_is_told_which_right_is_missing() {
    in_lab("kube-stranger", async |bed| {
        let mut eyes = Eyes::open(&bed, "stranger");
        let trouble = eyes
            .until("a refusal", |fact| if let Fact::ConnectionLost { trouble, .. } = fact { Some(trouble.clone()) } else { None })
            .await;
        assert_eq!(trouble.cause, "list deployments in namespace kube-stranger: denied (403)");
    });
}

#[test]
fn an_api_server_that_stops_is_said_and_what_happened_meanwhile_is_seen_afterwards() {
    alone_in_lab("kube-away", async |bed| {
        bed.deploy("order", 2, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        eyes.connected().await;
        eyes.at_rest("v42").await;
        let away = bed.lab.stop_api();
        let (trouble, again, since) = eyes
            .until("lost", |fact| match fact {
                Fact::ConnectionLost { trouble, again, since, .. } => Some((trouble.clone(), *again, *since)),
                _ => None,
            })
            .await;
        assert_eq!(trouble.kind, Kind::OutOfReach);
        assert!(again >= since, "{trouble}");
        drop(away);
        eyes.connected().await;
        bed.set_image("order", "shop/order:v43").await;
        eyes.at_rest("v43").await;
    });
}

#[test]
fn pods_are_asked_for_their_health_and_their_counts() {
    in_lab("kube-counts", async |bed| {
        bed.deploy("order", 2, "shop/order:v42-errors50").await;
        let mut eyes = Eyes::open(&bed, "admin");
        let row = eyes.at_rest("v42-errors50").await;
        let (rollout, leg) = (RolloutId::new("order-1"), LegId::new("east"));
        let question = |ask| Question { rollout: rollout.clone(), workload: row.id.clone(), ask, judged: None };
        let (revision, path) = (Some(row.template.clone()), "/health".to_owned());
        eyes.platform
            .ask(Time(0), &[question(Ask::Closely { leg: leg.clone() }), question(Ask::Health { leg: leg.clone(), revision, path })]);
        let (well, ill, why) = eyes
            .until("health", |fact| match fact {
                Fact::HealthSeen { well, ill, why, .. } => Some((*well, *ill, why.clone())),
                _ => None,
            })
            .await;
        assert_eq!((well, ill, why), (2, 0, None));
        // The first page is only what the next ones are compared with.
        let idle = eyes.until("an idle interval", |fact| if let Fact::Sampled(s) = fact { Some(s.clone()) } else { None }).await;
        assert!(idle.of(&row.template).unwrap().requests < 1.0, "{idle:?}");
        let addresses: Vec<String> = bed.pods("order").await.into_iter().map(|p: Pod| p.status.unwrap().pod_ip.unwrap()).collect();
        for n in 0..40 {
            get(&addresses[n % 2], "/").await;
        }
        let (mut requests, mut errors, mut timed) = (0.0, 0.0, 0.0);
        eyes.until("40 requests counted", |fact| {
            let Fact::Sampled(s) = fact else { return None };
            let counts = s.of(&row.template)?;
            requests += counts.requests;
            errors += counts.errors;
            timed += counts.latency.as_ref().map_or(0.0, |h| h.counts.iter().sum());
            (requests >= 40.0).then_some(())
        })
        .await;
        assert_eq!((requests, timed), (40.0, 40.0));
        assert!((5.0..=35.0).contains(&errors), "{errors}");
        eyes.platform.ask(Time(0), &[]);
    });
}

#[test]
fn a_workload_that_stands_still_is_counted_while_somebody_looks_at_it() {
    in_lab("kube-looked", async |bed| {
        bed.deploy("order", 1, "shop/order:v42").await;
        let mut eyes = Eyes::open(&bed, "admin");
        let row = eyes.at_rest("v42").await;
        eyes.platform.look(std::slice::from_ref(&row.id));
        let counted = |fact: &Fact| if let Fact::Sampled(s) = fact { s.of(&row.template).map(|c| c.requests) } else { None };
        assert_eq!(eyes.until("an idle interval", counted).await, 0.0);
        let address = bed.pods("order").await.remove(0).status.unwrap().pod_ip.unwrap();
        for _ in 0..7 {
            get(&address, "/").await;
        }
        assert_eq!(eyes.until("those requests", |fact| counted(fact).filter(|n| *n > 0.0)).await, 7.0);
    });
}

/// One request to a pod.
async fn get(address: &str, path: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect((address, 8080)).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 "));
}

#[test]
fn the_doctor_finds_out_what_works_with_a_context() {
    in_lab("kube-doctor", async |bed| {
        bed.deploy("order", 1, "shop/order:v42").await;
        bed.until_available("order").await;
        let namespaces = [Namespace::new(&bed.namespace)];
        let report = async |user: &str| {
            let contexts = Contexts::read(Some(&bed.lab.kubeconfig(user))).unwrap();
            probe(&contexts, &contexts.current().unwrap(), &namespaces).await
        };
        let admin = report("admin").await;
        assert!(admin.version.unwrap().starts_with("v1.") && admin.needs.iter().all(|n| n.allowed == Some(true)));
        assert_eq!((admin.user.as_deref(), admin.metrics), (Some("admin"), Ok((1, 1))));
        let viewer = report("viewer").await;
        let denied: Vec<&str> = viewer.needs.iter().filter(|n| n.allowed == Some(false)).map(|n| n.words.as_str()).collect();
        assert!(denied.contains(&"patch deployments in namespace kube-doctor"), "{denied:?}");
        assert!(viewer.metrics.unwrap_err().contains("get pods/proxy"));
    });
}
