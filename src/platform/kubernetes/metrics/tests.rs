//! Pages as pods give them, and the intervals that come out.

use super::super::beside::Scene;
use super::super::objects::{Deployment, Row};
use super::super::sights::PodSight;
use super::*;
use crate::fleet::Workload;
use crate::units::{Region, Service, Span};

fn page(ok: u32, failed: u32) -> String {
    let (fast, all) = (ok, ok + failed);
    format!(
        "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n\
         http_requests_total{{code=\"200\"}} {ok}\nhttp_requests_total{{code=\"503\"}} {failed}\n\
         # TYPE http_request_duration_seconds histogram\n\
         http_request_duration_seconds_bucket{{le=\"0.1\"}} {fast}\n\
         http_request_duration_seconds_bucket{{le=\"0.5\"}} {all}\n\
         http_request_duration_seconds_bucket{{le=\"+Inf\"}} {all}\n\
         http_request_duration_seconds_sum 1.5\nhttp_request_duration_seconds_count {all}\n"
    )
}

fn sight(pods: &[(&str, &str, bool)]) -> Sight {
    let json = r#"{"metadata": {"name": "order", "namespace": "shop", "uid": "d"}, "spec": {"template": {}}}"#;
    let row = Workload {
        id: WorkloadId { region: Region::new("east"), namespace: "shop".into(), kind: "Deployment".into(), name: "order".into() },
        service: Service::new("shop", "order"),
        revisions: vec![],
        template: Revision::new("new"),
        replicas: 0,
        split: vec![],
        divides: Default::default(),
        beside: None,
        flight: None,
        paused: false,
        complete: false,
        deadline_passed: false,
        changed: Time(0),
        changed_by: None,
        automation: None,
        rolling: None,
        drains: false,
        start_takes: None,
        annotations: vec![],
    };
    let pods = pods.iter().map(|(name, revision, ready)| PodSight {
        name: (*name).into(),
        revision: Revision::new(revision),
        next: false,
        ready: *ready,
        served: None,
        trouble: None,
        young_until: Time(0),
    });
    let deployment = Deployment::read(json).unwrap().unwrap();
    Sight { row, sets: vec![], pods: pods.collect(), scene: Scene::alone(&deployment), slices_known: true, deployment }
}

fn pages(all: &[(&str, u32, u32)]) -> HashMap<Arc<str>, Page> {
    all.iter().map(|(pod, ok, failed)| ((*pod).into(), Page::parse(&page(*ok, *failed)).unwrap())).collect()
}

/// `new 10/2` per revision for requests and errors, or `-`.
fn line(sample: Option<Sample>) -> String {
    let Some(sample) = sample else { return "-".into() };
    let sides = sample.counts.iter().map(|(r, c)| format!("{r} {}/{}", c.requests, c.errors));
    format!("{}: {}", sample.span, sides.collect::<Vec<_>>().join(", "))
}

#[test]
fn a_page_counts_requests_errors_and_latency() {
    let page = Page::parse(&page(90, 10)).unwrap();
    assert_eq!((page.requests, page.errors), (100.0, 10.0));
    let counts = page.since(&Page::default()).unwrap();
    let latency = counts.latency.unwrap();
    assert_eq!((latency.edges, latency.counts), (vec![100.0, 500.0], vec![90.0, 10.0, 0.0]));
}

#[test]
fn a_page_without_requests_says_nothing() {
    assert_eq!(Page::parse("go_goroutines 7\n"), None);
    assert_eq!(Page::parse("<html>not found</html>"), None);
    assert_eq!(Page::parse(""), None);
    // One that has not answered a request yet counts all the same.
    assert_eq!(Page::parse("# TYPE http_requests_total counter\n"), Some(Page::default()));
}

#[test]
fn intervals_are_what_was_counted_between_two_pages_summed_per_revision() {
    let mut c = Counters::default();
    let s = sight(&[("a", "old", true), ("b", "old", true), ("c", "new", true)]);
    assert_eq!(line(c.take(&s, pages(&[("a", 10, 0), ("b", 10, 0), ("c", 5, 5)]), Time(0))), "-");
    let sample = c.take(&s, pages(&[("a", 20, 1), ("b", 15, 0), ("c", 5, 7)]), Time(500));
    assert_eq!(line(sample), "500ms: new 2/2, old 16/1");
    let sample = c.take(&s, pages(&[("a", 20, 1), ("b", 15, 0), ("c", 5, 7)]), Time(1000));
    assert_eq!(line(sample), "500ms: new 0/0, old 0/0");
}

#[test]
fn no_pages_are_no_sample() {
    let mut c = Counters::default();
    let s = sight(&[("a", "old", true)]);
    assert_eq!(line(c.take(&s, HashMap::new(), Time(0))), "-");
    assert_eq!(line(c.take(&s, HashMap::new(), Time(500))), "-");
}

#[test]
fn a_pod_that_began_anew_is_a_gap() {
    let mut c = Counters::default();
    let s = sight(&[("a", "old", true), ("b", "new", true)]);
    c.take(&s, pages(&[("a", 10, 0), ("b", 10, 0)]), Time(0));
    assert_eq!(line(c.take(&s, pages(&[("a", 11, 0), ("b", 3, 0)]), Time(500))), "500ms: old 1/0");
    assert_eq!(line(c.take(&s, pages(&[("a", 12, 0), ("b", 7, 0)]), Time(1000))), "500ms: new 4/0, old 1/0");
}

#[test]
fn a_pod_that_does_not_answer_makes_its_side_a_gap_until_it_was_read_twice() {
    let mut c = Counters::default();
    let s = sight(&[("a", "old", true), ("b", "new", true), ("c", "new", true)]);
    c.take(&s, pages(&[("a", 1, 0), ("b", 1, 0), ("c", 1, 0)]), Time(0));
    assert_eq!(line(c.take(&s, pages(&[("a", 2, 0), ("b", 2, 0)]), Time(500))), "500ms: old 1/0");
    // Back again: what it counted in between belongs to no whole interval.
    assert_eq!(line(c.take(&s, pages(&[("a", 3, 0), ("b", 3, 0), ("c", 9, 0)]), Time(1000))), "500ms: new 1/0, old 1/0");
    assert_eq!(line(c.take(&s, pages(&[("a", 4, 0), ("b", 4, 0), ("c", 10, 0)]), Time(1500))), "500ms: new 2/0, old 1/0");
}

#[test]
fn a_pod_that_is_new_counts_from_its_start_and_one_that_is_gone_not_at_all() {
    let mut c = Counters::default();
    c.take(&sight(&[("a", "old", true)]), pages(&[("a", 10, 0)]), Time(0));
    c.take(&sight(&[("a", "old", true), ("b", "new", false)]), pages(&[("a", 10, 0)]), Time(500));
    let sample = c.take(&sight(&[("b", "new", true)]), pages(&[("b", 7, 1)]), Time(1000));
    assert_eq!(line(sample), "500ms: new 8/1");
}

#[test]
fn other_edges_are_no_latency() {
    let odd = Page { buckets: vec![(1.0, 1.0), (f64::INFINITY, 1.0)], ..Page::default() };
    let counts = Page::parse(&page(1, 0)).unwrap().since(&odd).unwrap();
    assert_eq!((counts.requests, counts.latency), (1.0, None));
    assert_eq!(Span(0), Time(0).since(Time(0)));
}

#[test]
fn who_never_had_pages_is_asked_less_and_less_and_who_had_some_at_once_again() {
    let mut silence = Silence::default();
    let mut waits = |heard, pages| {
        silence.note(heard, pages);
        silence.wait(CLOSELY).as_millis()
    };
    let never: Vec<_> = (0..8).map(|_| waits(true, false)).collect();
    assert_eq!(never, [500, 500, 30_000, 60_000, 120_000, 240_000, 240_000, 240_000]);
    // The way to the pods is cut: nothing is known of their pages.
    assert_eq!(waits(false, false), 500);
    assert_eq!(waits(true, true), 500);
    assert_eq!((0..8).map(|_| waits(true, false)).max(), Some(500));
}
