//! What is seen and wanted, and the write that comes of it.

use super::super::beside::Scene;
use super::super::objects::{Deployment, Uid};
use super::*;
use crate::fleet::{Pods, RevisionSeen, Workload};
use crate::platform::Order;
use crate::rollout::{Wish, WishKey};
use crate::units::{LegId, Region, RolloutId, Service, Term, Time, Version, WorkloadId};

/// 10 pods of `aaa` (v42), nothing moving, generation 1 seen.
fn sight() -> Sight {
    let id = WorkloadId { region: Region::new("east"), namespace: "shop".into(), kind: "Deployment".into(), name: "order".into() };
    let deployment = Deployment {
        namespace: "shop".into(),
        name: "order".into(),
        uid: Uid::new("d"),
        created: Time(0),
        generation: 1,
        observed: 1,
        replicas: 10,
        paused: false,
        strategy: r#"{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}}"#.into(),
        images: vec![("proxy".into(), "proxy:7".into()), ("app".into(), "order:v42".into())],
        drains: true,
        updated: 10,
        exist: 10,
        available: 10,
        ready: 10,
        progressing: None,
        failure: None,
        changed_by: None,
        automation: None,
        annotated: true,
        flight: None,
        former: None,
        stable: None,
        change_cause: None,
        selector: "app=order".into(),
        selects: None,
        labels: Default::default(),
        next_of: None,
        old: None,
        old_images: None,
        wanted: vec![],
    };
    let row = Workload {
        id,
        service: Service::new("shop", "order"),
        revisions: vec![revision("aaa", "order:v42", 10)],
        template: Revision::new("aaa"),
        replicas: 10,
        split: vec![],
        divides: Default::default(),
        beside: None,
        flight: None,
        paused: false,
        complete: true,
        deadline_passed: false,
        changed: Time(0),
        changed_by: Some("kubectl-set".into()),
        automation: None,
        rolling: Some((3, 2)),
        drains: true,
        start_takes: None,
        annotations: vec![],
    };
    Sight { row, sets: vec![], pods: vec![], scene: Scene::alone(&deployment), slices_known: true, deployment }
}

fn revision(hash: &str, image: &str, want: u32) -> RevisionSeen {
    RevisionSeen {
        revision: Revision::new(hash),
        version: Version::new("v"),
        number: None,
        pods: Pods { want, exist: want, ready: want, stuck: None },
        images: vec![("proxy".into(), "proxy:7".into()), ("app".into(), image.into())],
        created: Time(0),
        seen_healthy: false,
    }
}

impl Sight {
    /// v43 (`bbb`) has so many pods, v42 the rest; our numbers and fence (term 3, forward) stand on it.
    fn rolled(mut self, new: u32) -> Sight {
        self.row.revisions = vec![revision("bbb", "order:v43", new), revision("aaa", "order:v42", 10 - new)];
        self.row.template = Revision::new("bbb");
        self.row.complete = new == 10;
        self.deployment.images[1].1 = "order:v43".into();
        (self.deployment.generation, self.deployment.observed, self.deployment.updated) = (2, 2, new);
        self.deployment.former = Some(std::mem::replace(
            &mut self.deployment.strategy,
            r#"{"type":"RollingUpdate","rollingUpdate":{"maxSurge":2,"maxUnavailable":1}}"#.into(),
        ));
        self.fence("order-1", 3, "forward")
    }
    fn fence(mut self, rollout: &str, term: u64, way: &str) -> Sight {
        self.deployment.flight = Some(format!(r#"{{"rollout":"{rollout}","term":{term},"way":"{way}","to":"bbb"}}"#).into());
        self
    }
    fn with(mut self, change: impl FnOnce(&mut Sight)) -> Sight {
        change(&mut self);
        self
    }
}

fn order(way: Way, share: u16, paused: bool) -> Order {
    let forward = way == Way::Forward;
    let want = Want::Roll { forward, share: Percent::whole(share), surge: 2, unavailable: 1, paused };
    Order {
        rollout: RolloutId::new("order-1"),
        workload: sight().row.id,
        wish: Wish { key: WishKey { leg: LegId::new("east"), aspect: crate::fleet::Aspect::Template }, want, term: Term(3), way, again: 0 },
        old: Revision::new("aaa"),
        new: None,
        container: "app".into(),
        image: "order:v43".into(),
        version: Version::new("v43"),
        beside: None,
    }
}

fn forward(share: u16) -> Order {
    order(Way::Forward, share, false)
}

fn back() -> Order {
    order(Way::Back, 100, false)
}

fn old_template() -> Template {
    Template { template: json!({"spec": {"containers": ["v42"]}}), change_cause: None }
}

/// What is written, one operation a line, or what else leads on.
fn said(order: &Order, sight: &Sight, done: Done) -> String {
    match next(order, sight, Some(&old_template()), done) {
        Next::Met => "met".into(),
        Next::Wait => "wait".into(),
        Next::Fetch => "fetch".into(),
        Next::Refuse(trouble, flight) => {
            format!("refused: {}{}", trouble.cause, if flight.is_some() { " (fenced)" } else { "" })
        }
        Next::Write(write) => {
            let ops = write.patch.as_array().unwrap().iter().map(|op| {
                let path = op["path"].as_str().unwrap().replace("/metadata/annotations/", "@").replace("~1", "/");
                let path = path.replace("flightdeck.dev/", "").replace("/spec/template/spec/containers/", "#").replace("/spec/", "");
                let value = op.get("value").map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).unwrap_or_default();
                format!("{} {path} {value}", op["op"].as_str().unwrap()).trim_end().to_owned()
            });
            ops.collect::<Vec<_>>().join("\n")
        }
    }
}

fn first(order: &Order, sight: &Sight) -> String {
    said(order, sight, Done::default())
}

const OURS: &str = r#"{"rollout":"order-1","term":3,"way":"forward","to":"v43"}"#;
const OWNERS: &str = r#"{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}}"#;

#[test]
fn a_rollout_begins_with_one_patch_that_tests_what_it_read() {
    assert_eq!(
        first(&forward(100), &sight()),
        format!(
            "test @flight null\ntest #1/name app\ntest #1/image order:v42\nreplace #1/image order:v43\n\
             replace strategy {{\"type\":\"RollingUpdate\",\"rollingUpdate\":{{\"maxSurge\":2,\"maxUnavailable\":1}}}}\n\
             add @flight {OURS}\nadd @strategy {OWNERS}"
        )
    );
}

#[test]
fn a_deployment_without_annotations_gets_them_only_while_it_has_none() {
    let bare = sight().with(|s| s.deployment.annotated = false);
    let said = first(&forward(100), &bare);
    assert!(said.contains("\ntest /metadata/annotations null\nadd /metadata/annotations {\"flightdeck.dev/flight\":"), "{said}");
}

#[test]
fn a_batch_rolls_no_more_pods_at_once_than_it_is_large() {
    let numbers = |share: u16| {
        let said = first(&forward(share), &sight());
        said.lines().find_map(|l| l.strip_prefix("replace strategy ")).unwrap_or("the owner's").to_owned()
    };
    assert!(numbers(10).contains("\"maxSurge\":1,\"maxUnavailable\":0"));
    assert!(numbers(20).contains("\"maxSurge\":2,\"maxUnavailable\":0"));
    assert!(numbers(50).contains("\"maxSurge\":2,\"maxUnavailable\":1"));
}

#[test]
fn a_batch_that_is_reached_is_paused_and_then_met() {
    let begun = Done { fence: true, template: true, numbers: true, ..Done::default() };
    assert_eq!(said(&forward(50), &sight().rolled(4), begun), "wait");
    let fence = sight().rolled(5).deployment.flight.unwrap();
    let paused = format!("test @flight {fence}\nadd paused true\nadd @flight {fence}");
    assert_eq!(first(&forward(50), &sight().rolled(5)), paused);
    let held = sight().rolled(5).with(|s| s.deployment.paused = true);
    assert_eq!(first(&forward(50), &held), "met");
    // The controller has not seen the pause yet: nothing is concluded from that.
    let unseen = sight().rolled(5).with(|s| (s.deployment.paused, s.deployment.generation) = (true, 3));
    assert_eq!(first(&forward(50), &unseen), "wait");
    // Overshot: the same.
    assert_eq!(first(&forward(50), &sight().rolled(7)), paused);
}

#[test]
fn the_next_batch_resumes_with_numbers_of_its_own() {
    let held = sight().rolled(5).with(|s| s.deployment.paused = true);
    let said = first(&forward(60), &held);
    assert!(said.contains("\"maxSurge\":1,\"maxUnavailable\":0"), "{said}");
    assert!(said.contains("add paused false") && !said.contains("@strategy"), "{said}");
}

#[test]
fn the_end_gives_the_owner_his_strategy_back() {
    let fence = sight().rolled(10).deployment.flight.unwrap();
    let block = serde_json::from_str::<Value>(OWNERS).unwrap();
    let restored = format!("test @flight {fence}\nreplace strategy {block}\nadd @flight {fence}\nremove @strategy");
    assert_eq!(first(&forward(100), &sight().rolled(10)), restored);
    let done = sight().rolled(10).with(|s| s.deployment.former = None);
    assert_eq!(first(&forward(100), &done), "met");
    let spoiled = sight().rolled(10).with(|s| s.deployment.former = Some("{".into()));
    assert!(!first(&forward(100), &spoiled).contains("replace strategy"));
}

#[test]
fn a_persons_pause_holds_it_where_it_is() {
    let said = first(&order(Way::Forward, 100, true), &sight().rolled(4));
    assert!(said.contains("add paused true"), "{said}");
    let held = sight().rolled(4).with(|s| s.deployment.paused = true);
    assert_eq!(first(&order(Way::Forward, 100, true), &held), "met");
    assert!(first(&forward(100), &held).contains("add paused false"));
    // Not begun: nothing is to be rolled.
    assert!(!first(&order(Way::Forward, 100, true), &sight()).contains("order:v43"));
}

#[test]
fn each_thing_is_written_once_so_that_nobody_is_fought() {
    let mut done = Done { pause: true, fence: true, ..Done::default() };
    assert_eq!(said(&forward(50), &sight().rolled(5), done), "met");
    done = Done { resume: true, fence: true, numbers: true, ..Done::default() };
    let paused_by_somebody = sight().rolled(5).with(|s| s.deployment.paused = true);
    assert_eq!(said(&forward(100), &paused_by_somebody, done), "wait");
}

#[test]
fn a_higher_term_on_the_fence_stops_everybody_below_it() {
    let theirs = sight().fence("order-2", 4, "forward");
    let said = "refused: somebody else drives: term 4 of order-2 stands on it, ours is 3 (fenced)";
    assert_eq!((first(&forward(100), &theirs), first(&back(), &theirs)), (said.into(), said.into()));
    let equal = sight().fence("order-2", 3, "forward");
    assert_eq!(first(&forward(100), &equal), "refused: order-2 took the same term 3 (fenced)");
    let turned = sight().fence("order-1", 3, "back");
    assert_eq!(first(&forward(100), &turned), "refused: it rolls back already, in term 3 (fenced)");
    let lower = sight().fence("order-0", 2, "back");
    assert!(first(&forward(100), &lower).starts_with("test @flight {\"rollout\":\"order-0\",\"term\":2"));
}

#[test]
fn what_somebody_else_put_there_is_never_overwritten_forward() {
    let fixed = sight().with(|s| {
        s.row.template = Revision::new("ccc");
        s.deployment.images[1].1 = "order:v42-fix".into();
    });
    assert_eq!(first(&forward(100), &fixed), "refused: its template was changed by kubectl-set: app is order:v42-fix");
    let after = Done { template: true, fence: true, ..Done::default() };
    assert_eq!(said(&forward(100), &fixed, after), "refused: its template was changed by kubectl-set: app is order:v42-fix");
    // The controller has not seen the last change: what it is will be known soon.
    let fresh = sight().with(|s| s.deployment.generation = 2);
    assert_eq!(first(&forward(100), &fresh), "wait");
}

#[test]
fn a_container_that_is_not_there_is_said_with_those_that_are() {
    let mut order = forward(100);
    order.container = "web".into();
    assert_eq!(first(&order, &sight()), "refused: there is no container web: proxy, app");
}

#[test]
fn the_way_back_is_one_patch_without_a_test() {
    let paused = sight().rolled(5).with(|s| s.deployment.paused = true);
    let block = serde_json::from_str::<Value>(OWNERS).unwrap();
    assert_eq!(
        first(&back(), &paused),
        format!(
            "replace template {{\"spec\":{{\"containers\":[\"v42\"]}}}}\nreplace strategy {block}\nadd paused false\n\
             add @flight {{\"rollout\":\"order-1\",\"term\":3,\"way\":\"back\",\"to\":\"aaa\"}}\nremove @strategy"
        )
    );
}

#[test]
fn the_way_back_of_somebody_elses_update_changes_only_what_it_must() {
    let theirs = sight().rolled(5).with(|s| {
        (s.deployment.flight, s.deployment.former) = (None, None);
        s.deployment.change_cause = Some("v43".into());
    });
    assert_eq!(
        first(&back(), &theirs),
        "replace template {\"spec\":{\"containers\":[\"v42\"]}}\n\
         add @flight {\"rollout\":\"order-1\",\"term\":3,\"way\":\"back\",\"to\":\"aaa\"}\nremove @kubernetes.io/change-cause"
    );
}

#[test]
fn the_way_back_needs_the_old_template() {
    assert_eq!(next(&back(), &sight().rolled(5), None, Done::default()), Next::Fetch);
}

#[test]
fn the_way_back_is_met_when_the_old_template_runs_everywhere() {
    let home = sight().fence("order-1", 3, "back");
    assert_eq!(first(&back(), &home), "met");
    let moving = sight().fence("order-1", 3, "back").with(|s| s.row.complete = false);
    assert_eq!(first(&back(), &moving), "wait");
    // Brought back by somebody else, and a pause of our batch still stands.
    let stopped = sight().fence("order-1", 2, "forward").with(|s| s.deployment.paused = true);
    assert!(first(&back(), &stopped).contains("add paused false"));
}

#[test]
fn a_pause_of_the_owner_stays_where_nothing_moves() {
    let his = sight().with(|s| s.deployment.paused = true);
    assert!(!first(&back(), &his).contains("paused"));
}

#[test]
fn a_paused_deployment_with_a_template_that_never_began_is_not_back() {
    let never = sight().fence("order-1", 3, "back").with(|s| {
        (s.deployment.paused, s.deployment.updated) = (true, 0);
    });
    assert!(first(&back(), &never).contains("replace template"));
}

#[test]
fn a_deployment_that_replaces_all_at_once_has_no_batches() {
    let all = sight().with(|s| s.deployment.strategy = r#"{"type":"Recreate"}"#.into());
    assert!(first(&forward(50), &all).starts_with("refused: it replaces all its pods at once"));
    let whole = first(&forward(100), &all);
    assert!(whole.contains("order:v43") && !whole.contains("strategy"), "{whole}");
}

#[test]
fn weights_are_not_offered() {
    let mut order = forward(50);
    order.wish.want = Want::Weight { new: Percent::whole(5) };
    assert_eq!(first(&order, &sight()), "refused: needs a second Deployment, not offered on this cluster");
}

#[test]
fn a_refused_write_is_explained_by_what_changed() {
    let written = |order: &Order, sight: &Sight| match next(order, sight, None, Done::default()) {
        Next::Write(write) => *write,
        other => panic!("{other:?}"),
    };
    let write = written(&forward(100), &sight());
    let why = |fresh: Sight| explain(&forward(100), &write, &fresh).map(|(t, f)| (t.cause, f.map(|f| f.term.0)));
    assert_eq!(
        why(sight().fence("order-9", 8, "back")),
        Some(("somebody else drives: term 8 of order-9 stands on it, ours is 3".into(), Some(8)))
    );
    // A lower term is written over: once more, from what stands there now.
    assert_eq!(why(sight().fence("order-9", 2, "back")), None);
    let fixed = sight().with(|s| s.deployment.images[1].1 = "order:v42-fix".into());
    assert_eq!(why(fixed), Some(("its template was changed by kubectl-set: app is order:v42-fix".into(), None)));
    let gone = sight().with(|s| s.deployment.images.truncate(1));
    assert_eq!(why(gone), Some(("the container app is gone".into(), None)));
    assert_eq!(why(sight()), None);
}
