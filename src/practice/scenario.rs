//! A scenario file: a story, a seed, changes to the reference fleet, and what happens in it.
//!
//! All that is wrong with one is told at once, each with its place. Known weakness: a fault names what it does in numbers, so
//! whether a scenario can be won is not checked.

use crate::fleet::Side;
use crate::simulator::{Fault, Fleet, Ill, Incident, Layout, START, ServicePlan, When};
use crate::units::written::{self, Wrong, nearest, quoted};
use crate::units::yaml::{Fields, Node, Troubles, Value, Written};
use crate::units::{Percent, Region, Span, Trouble, Version};
use std::sync::Arc;

/// The scenarios that flightdeck brings: name and text.
pub const SCENARIOS: [(&str, &str); 6] = [
    ("healthy", include_str!("../../scenarios/healthy.yaml")),
    ("error-burst-at-15", include_str!("../../scenarios/error-burst-at-15.yaml")),
    ("bad-image", include_str!("../../scenarios/bad-image.yaml")),
    ("slow-version", include_str!("../../scenarios/slow-version.yaml")),
    ("capacity-hole", include_str!("../../scenarios/capacity-hole.yaml")),
    ("lost-region", include_str!("../../scenarios/lost-region.yaml")),
];

/// What an event can do, as scenarios write it.
const DOES: [&str; 12] = [
    "error-burst",
    "slow-version",
    "bad-image",
    "crash-loop",
    "unhealthy",
    "heal",
    "capacity-hole",
    "lost-region",
    "slow-writes",
    "failing-writes",
    "missing-metrics",
    "set-image",
];

/// A story on a simulated fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What it is called on screen.
    pub title: String,
    /// What a person is told at the start.
    pub story: String,
    /// What it teaches.
    pub learn: String,
    /// The seed that it was written for.
    pub seed: u64,
    /// Its fleet.
    pub layout: Layout,
    /// What happens in it.
    pub incidents: Vec<Incident>,
}

impl Scenario {
    /// The fleet that opens when nobody names a scenario: nothing goes wrong, and one update is under way.
    pub fn free(seed: u64) -> Scenario {
        Scenario {
            title: "Free flight".into(),
            story: String::new(),
            learn: String::new(),
            seed,
            layout: Layout::reference(),
            incidents: vec![Incident::watched_rollout()],
        }
    }

    /// Reads a scenario.
    pub fn read(written: Written) -> Result<Scenario, Vec<Trouble>> {
        let Written { root, mut troubles } = written;
        let Some(root) = root else { return troubles.or(None) };
        let scenario = scenario(&root, &mut troubles);
        troubles.or(scenario)
    }

    /// Its fleet, before the first fact.
    pub fn fleet(&self) -> Fleet {
        Fleet::new(self.seed, self.layout.clone(), self.incidents.clone())
    }
}

fn scenario(root: &Node, t: &mut Troubles) -> Option<Scenario> {
    let mut fields = root.fields("a scenario", t)?;
    let title = needed(&mut fields, root, "title", t, some_text);
    let story = needed(&mut fields, root, "story", t, some_text);
    let learn = needed(&mut fields, root, "learn", t, some_text);
    let seed = fields.read("seed", t, written::whole).unwrap_or(1);
    let mut it = Scenario { seed: seed.into(), ..Scenario::free(0) };
    if let Some(node) = fields.get("fleet") {
        services(node, &mut it.layout, t);
    }
    for node in fields.get("events").and_then(|n| n.items("events", t)).unwrap_or_default() {
        it.incidents.extend(incident(node, &it.layout, t));
    }
    fields.finish(t);
    (it.title, it.story, it.learn) = (title?, story?, learn?);
    Some(it)
}

/// Changes to services of the reference fleet.
fn services(node: &Node, layout: &mut Layout, t: &mut Troubles) {
    let Value::Map(entries) = &node.value else {
        // Says what should stand here.
        node.fields("fleet", t);
        return;
    };
    for (name, node) in entries {
        match known_service(&name.text, layout) {
            Err(wrong) => t.at(name.at, wrong),
            Ok(known) => {
                if let Some(plan) = layout.services.iter_mut().find(|s| s.name == known) {
                    service(node, plan, t);
                }
            }
        }
    }
}

fn service(node: &Node, plan: &mut ServicePlan, t: &mut Troubles) {
    let Some(mut fields) = node.fields(&plan.name.clone(), t) else { return };
    if let Some(requests) = fields.read("requests", t, |text| match written::whole(text)? {
        n @ 1..=100_000 => Ok(f64::from(n)),
        _ => Err(Wrong::new(format!("{} a second", quoted(text)), "write 1 to 100000")),
    }) {
        plan.requests = requests;
    }
    if let Some(errors) = fields.read("errors", t, written::percent) {
        plan.errors = errors.share();
    }
    if let Some(start) = fields.read("start", t, some_time) {
        plan.start = start;
    }
    if let Some(drains) = fields.read("drains", t, written::flag) {
        plan.drains = drains;
    }
    fields.finish(t);
}

fn incident(node: &Node, layout: &Layout, t: &mut Troubles) -> Option<Incident> {
    let mut fields = node.fields("an event", t)?;
    let when = when(&mut fields, node, layout, t);
    let mut regions = Vec::new();
    for node in fields.get("regions").and_then(|n| n.items("regions", t)).unwrap_or_default() {
        regions.extend(node.read("regions", t, |text| known_region(text, layout)));
    }
    let lasts = fields.get("lasts");
    let does = needed(&mut fields, node, "do", t, |text| one_of(text, &DOES));
    let fault = does.and_then(|does| fault(does, &mut fields, node, layout, t));
    if does.is_some() {
        fields.finish(t);
    }
    let lasts = match (lasts, &fault) {
        (Some(node), Some(fault)) if !fault.can_end() => {
            t.at(node.at, Wrong::new(format!("lasts: {} does not end by itself", does.unwrap_or_default()), "leave the line out"));
            None
        }
        (Some(node), _) => node.read("lasts", t, some_time),
        (None, _) => None,
    };
    Some(Incident { when: when?, regions, lasts, fault: fault? })
}

fn when(fields: &mut Fields<'_>, node: &Node, layout: &Layout, t: &mut Troubles) -> Option<When> {
    match (fields.get("at"), fields.get("when")) {
        (Some(at), None) => at.read("at", t, written::span).map(|at| When::At(START + at)),
        (None, Some(when)) => {
            let mut fields = when.fields("when", t)?;
            let service = needed(&mut fields, when, "service", t, |text| known_service(text, layout));
            let weight = needed(&mut fields, when, "weight", t, some_share);
            let after = fields.read("after", t, written::span).unwrap_or_default();
            fields.finish(t);
            Some(When::Share { service: service?, weight: weight?, after })
        }
        (Some(_), Some(when)) => {
            t.at(when.at, Wrong::new("an event with at and when", "keep one of them"));
            None
        }
        (None, None) => {
            t.at(node.at, Wrong::new("an event without a time", "add at: 2m, or when: { service: order-service, weight: 15% }"));
            None
        }
    }
}

fn fault(does: &str, fields: &mut Fields<'_>, node: &Node, layout: &Layout, t: &mut Troubles) -> Option<Fault> {
    let ill = match does {
        "error-burst" => Some(needed(fields, node, "rate", t, some_share).map(|rate| Ill::Errors(rate.share()))),
        "slow-version" => Some(needed(fields, node, "factor", t, times).map(Ill::Slow)),
        "bad-image" => Some(Some(Ill::BadImage)),
        "crash-loop" => Some(Some(Ill::CrashLoop)),
        "unhealthy" => Some(Some(Ill::Unhealthy)),
        _ => None,
    };
    if ill.is_some() || does == "heal" {
        let service = needed(fields, node, "service", t, |text| known_service(text, layout));
        let side = fields.read("side", t, |text| one_of(text, &["new", "old"])).unwrap_or("new");
        let (service, side) = (service?, if side == "old" { Side::Old } else { Side::New });
        return match ill {
            Some(ill) => Some(Fault::Ill { service, side, ill: ill? }),
            None => Some(Fault::Healed { service, side }),
        };
    }
    match does {
        "capacity-hole" => {
            let service = needed(fields, node, "service", t, |text| known_service(text, layout));
            let left = needed(fields, node, "left", t, written::percent);
            Some(Fault::OldPods { service: service?, left: left? })
        }
        "slow-writes" => Some(Fault::SlowWrites { takes: needed(fields, node, "takes", t, some_time)? }),
        "failing-writes" => Some(Fault::FailingWrites { share: needed(fields, node, "share", t, some_share)? }),
        "missing-metrics" => match fields.get("service") {
            Some(node) => Some(Fault::NoMetrics { service: Some(node.read("service", t, |text| known_service(text, layout))?) }),
            None => Some(Fault::NoMetrics { service: None }),
        },
        "set-image" => {
            let service = needed(fields, node, "service", t, |text| known_service(text, layout));
            let version = needed(fields, node, "version", t, some_text).map(Version::new);
            let by = needed(fields, node, "by", t, some_text);
            let pace = fields.read("pace", t, written::span).unwrap_or_default();
            Some(Fault::SetImage { service: service?, version: version?, by: by?, pace })
        }
        _ => Some(Fault::LostRegion),
    }
}

/// A key that has to be there.
fn needed<T>(
    fields: &mut Fields<'_>,
    node: &Node,
    key: &'static str,
    t: &mut Troubles,
    parse: impl FnOnce(&str) -> Result<T, Wrong>,
) -> Option<T> {
    match fields.get(key) {
        Some(node) => node.read(key, t, parse),
        None => {
            t.at(node.at, Wrong::new(format!("{key} is missing"), format!("add {key}: ...")));
            None
        }
    }
}

fn one_of<'w>(text: &str, words: &[&'w str]) -> Result<&'w str, Wrong> {
    words.iter().find(|word| **word == text).copied().ok_or_else(|| meant(text, words))
}
/// What is said about a word that is not among the known ones.
fn meant(text: &str, words: &[&str]) -> Wrong {
    let remedy = match nearest(text, words.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("write one of {}", words.join(", ")),
    };
    Wrong::new(format!("{} is not known here", quoted(text)), remedy)
}
fn known_service(text: &str, layout: &Layout) -> Result<Arc<str>, Wrong> {
    let names: Vec<&str> = layout.services.iter().map(|s| &*s.name).collect();
    one_of(text, &names).map(Arc::from)
}
fn known_region(text: &str, layout: &Layout) -> Result<Region, Wrong> {
    let names: Vec<&str> = layout.regions.iter().map(|r| r.name.as_str()).collect();
    one_of(text, &names).map(Region::new)
}
fn some_text(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() { Err(Wrong::new("nothing in it", "write a text")) } else { Ok(text.trim().into()) }
}
fn some_share(text: &str) -> Result<Percent, Wrong> {
    match written::percent(text)? {
        Percent::ZERO => Err(Wrong::new("0% is nothing", "write more than 0%")),
        share => Ok(share),
    }
}
fn some_time(text: &str) -> Result<Span, Wrong> {
    match written::span(text)? {
        Span::ZERO => Err(Wrong::new("0s is no time", "write more than 0s")),
        span => Ok(span),
    }
}
/// `2.5x`: so many times slower.
fn times(text: &str) -> Result<f64, Wrong> {
    let wrong = || Wrong::new(format!("{} is not a factor from 1x to 100x", quoted(text)), "write 2.5x");
    let number: f64 = text.strip_suffix('x').and_then(|n| n.trim().parse().ok()).ok_or_else(wrong)?;
    if (1.0..=100.0).contains(&number) { Ok(number) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::yaml;

    fn read(text: &str) -> Result<Scenario, Vec<Trouble>> {
        Scenario::read(yaml::parse("s.yaml", text.as_bytes()))
    }
    fn says(text: &str) -> Vec<String> {
        read(text).unwrap_err().iter().map(ToString::to_string).collect()
    }
    const HEAD: &str = "title: T\nstory: S\nlearn: L\n";

    #[test]
    fn a_scenario_says_when_where_how_long_and_what() {
        let text = "seed: 9\nfleet:\n  search: { requests: 500, errors: 0.5%, start: 12s, drains: false }\nevents:\n  \
                    - { at: 2m, regions: [us-west-2], lasts: 90s, do: lost-region }\n  \
                    - { when: { service: order-service, weight: 15%, after: 5s }, do: error-burst, service: order-service, rate: 4.5% }\n";
        let scenario = read(&format!("{HEAD}{text}")).unwrap();
        let search = scenario.layout.service("search").unwrap();
        assert_eq!((scenario.seed, search.requests, search.start, search.drains), (9, 500.0, Span::secs(12), false));
        let share = When::Share { service: "order-service".into(), weight: Percent::whole(15), after: Span::secs(5) };
        let burst = Fault::Ill { service: "order-service".into(), side: Side::New, ill: Ill::Errors(0.045) };
        assert_eq!(
            scenario.incidents[1..],
            [
                Incident {
                    when: When::At(START + Span::mins(2)),
                    regions: vec![Region::new("us-west-2")],
                    lasts: Some(Span::secs(90)),
                    fault: Fault::LostRegion
                },
                Incident { when: share, regions: vec![], lasts: None, fault: burst },
            ]
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let text = "title: T\nstorry: S\nlearn: ''\nseed: -1\nfleet:\n  orders: { }\n  search: { requests: 0, speed: 3 }\nevents:\n  \
                    - { do: eror-burst, rate: 5% }\n  \
                    - { at: 30, do: slow-version, service: search, factor: 2 }\n  \
                    - { at: 1m, when: { }, regions: [us-west], do: capacity-hole, service: search, left: 120%, lasts: 5m }\n  \
                    - { at: 1m, do: heal, service: search, lasts: 1m }\n  \
                    - { at: 1m, do: error-burst, service: search, rate: 0% }\n  \
                    - { at: 1m, do: set-image, service: search }\n";
        assert_eq!(
            says(text),
            [
                "s.yaml:1:1: story is missing: add story: ...",
                "s.yaml:2:1: unknown key storry: did you mean story?",
                "s.yaml:3:8: learn: nothing in it: write a text",
                "s.yaml:4:7: seed: `-1` is not a whole number: write 3",
                "s.yaml:6:3: `orders` is not known here: write one of authentication, catalogue, search, checkout, order-service, \
                 payment-service, inventory-service, shipping-service",
                "s.yaml:7:23: requests: `0` a second: write 1 to 100000",
                "s.yaml:7:26: unknown key speed: known here: requests, errors, start, drains",
                "s.yaml:9:5: an event without a time: add at: 2m, or when: { service: order-service, weight: 15% }",
                "s.yaml:9:11: do: `eror-burst` is not known here: did you mean error-burst?",
                "s.yaml:10:11: at: 30 has no unit: write 30s",
                "s.yaml:10:58: factor: `2` is not a factor from 1x to 100x: write 2.5x",
                "s.yaml:11:21: an event with at and when: keep one of them",
                "s.yaml:11:36: regions: `us-west` is not known here: did you mean us-west-2?",
                "s.yaml:11:88: left: 120% is above 100%: write 100% or less",
                "s.yaml:12:49: lasts: heal does not end by itself: leave the line out",
                "s.yaml:13:55: rate: 0% is nothing: write more than 0%",
                "s.yaml:14:5: version is missing: add version: ...",
                "s.yaml:14:5: by is missing: add by: ...",
            ]
        );
    }

    #[test]
    fn what_is_no_scenario_gets_one_message() {
        assert_eq!(says(""), ["s.yaml: nothing is written in it: begin with a key and its value"]);
        assert_eq!(says("[a]"), ["s.yaml:1:1: a scenario: a list where keys with values belong: write `key: value`, one a line"]);
        assert_eq!(says(&format!("{HEAD}events: soon\n")), ["s.yaml:4:9: events: `soon` where a list belongs: write [soon]"]);
        assert_eq!(
            says(&format!("{HEAD}fleet: [search]\n")),
            ["s.yaml:4:8: fleet: a list where keys with values belong: write `key: value`, one a line"]
        );
    }
}
