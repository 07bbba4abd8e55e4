//! Why pods do not become ready, in words for people.
//!
//! Reads the statuses of pods and the messages of controllers; knows no workload. Known weakness: the causes of a failed image
//! pull are only in the free text of the container runtime, so an unknown runtime gets its own words, shortened.

use super::objects::{Condition, condition, or_empty, time};
use crate::units::{Time, clean};
use serde::Deserialize;

/// What sort of trouble a pod has; pods with the same sort are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Image,
    Config,
    Crash,
    Start,
    Room,
}

/// Why one pod does not become ready.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PodTrouble {
    pub(super) sort: Sort,
    pub(super) cause: String,
    pub(super) since: Time,
    /// Whether waiting can help.
    pub(super) may_heal: bool,
    /// Whether the cause is known, or only that there is one.
    pub(super) exact: bool,
}

/// A pod's status.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) phase: String,
    #[serde(deserialize_with = "or_empty")]
    pub(super) conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_empty")]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_empty")]
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    image: String,
    ready: bool,
    restart_count: u32,
    state: State,
    last_state: State,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct State {
    waiting: Option<Waiting>,
    running: Option<Running>,
    terminated: Option<Terminated>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Waiting {
    reason: String,
    message: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Running {
    started_at: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i32,
    reason: String,
}

impl Status {
    /// Since when all containers run, while they do.
    pub(super) fn runs_since(&self) -> Option<Time> {
        let started = |s: &ContainerStatus| s.state.running.as_ref().and_then(|r| time(&r.started_at));
        let all: Option<Vec<Time>> = self.container_statuses.iter().map(started).collect();
        all?.into_iter().max()
    }
    /// Restarts of all containers together.
    pub(super) fn restarts(&self) -> u32 {
        self.container_statuses.iter().fold(0, |sum, s| sum.saturating_add(s.restart_count))
    }
    /// A container that runs and is not ready.
    pub(super) fn unready(&self) -> Option<&str> {
        self.container_statuses.iter().find(|s| s.state.running.is_some() && !s.ready).map(|s| s.name.as_str())
    }
}

impl PodTrouble {
    /// The trouble of a pod that is not ready.
    pub(super) fn of(status: &Status, created: Time) -> Option<PodTrouble> {
        let since = condition(&status.conditions, "Ready").and_then(|c| time(&c.last_transition_time)).unwrap_or(created);
        let new = |sort, cause: String, may_heal, exact| PodTrouble { sort, cause: clean(&cause, 160), since, may_heal, exact };
        if let Some(c) = condition(&status.conditions, "PodScheduled").filter(|c| c.status == "False") {
            let since = time(&c.last_transition_time).unwrap_or(created);
            return match c.reason.as_str() {
                "Unschedulable" => Some(PodTrouble { since, ..new(Sort::Room, format!("no room: {}", room(&c.message)), true, true) }),
                "SchedulingGated" => Some(PodTrouble { since, ..new(Sort::Room, "held by a scheduling gate".into(), true, true) }),
                _ => None,
            };
        }
        for (init, s) in
            status.init_container_statuses.iter().map(|s| (true, s)).chain(status.container_statuses.iter().map(|s| (false, s)))
        {
            let whose = |cause: String| if init { format!("{}: {cause}", s.name) } else { cause };
            if let Some(t) = &s.state.terminated {
                if t.exit_code != 0 {
                    return Some(new(Sort::Crash, whose(crash(Some(t), s.restart_count)), true, true));
                }
                continue;
            }
            let Some(w) = &s.state.waiting else { continue };
            return Some(match w.reason.as_str() {
                "" | "ContainerCreating" | "PodInitializing" => continue,
                "ErrImagePull"
                | "ImagePullBackOff"
                | "InvalidImageName"
                | "ErrImageNeverPull"
                | "ImageInspectError"
                | "RegistryUnavailable" => {
                    let (cause, may_heal, exact) = image(&s.image, &w.reason, &w.message);
                    new(Sort::Image, whose(cause), may_heal, exact)
                }
                "CreateContainerConfigError" => new(Sort::Config, whose(format!("config missing: {}", w.message)), false, true),
                "CrashLoopBackOff" => new(Sort::Crash, whose(crash(s.last_state.terminated.as_ref(), s.restart_count)), true, true),
                reason if w.message.is_empty() => new(Sort::Start, whose(format!("does not start: {reason}")), true, true),
                _ => new(Sort::Start, whose(format!("does not start: {}", w.message)), true, true),
            });
        }
        None
    }
}

fn crash(last: Option<&Terminated>, restarts: u32) -> String {
    let times = if restarts == 1 { "1 restart".to_owned() } else { format!("{restarts} restarts") };
    match last {
        Some(t) if t.reason == "OOMKilled" => format!("out of memory, {times}"),
        Some(t) => format!("crashes, exit code {}, {times}", t.exit_code),
        None => format!("crashes, {times}"),
    }
}

/// The cause of a failed pull, whether waiting can help, and whether the cause is known.
fn image(image: &str, reason: &str, message: &str) -> (String, bool, bool) {
    let says = |what: &[&str]| what.iter().any(|w| message.contains(w));
    if reason == "InvalidImageName" {
        return (format!("not an image name: {image}"), false, true);
    }
    if reason == "ErrImageNeverPull" {
        return (format!("image is not on the node and may not be pulled: {image}"), false, true);
    }
    if says(&["403", "Forbidden", "forbidden"]) {
        return ("image pull denied (403)".into(), false, true);
    }
    if says(&["401", "Unauthorized", "unauthorized", "authorization failed", "access denied", "authentication required"]) {
        return ("image pull denied (401)".into(), false, true);
    }
    if says(&["429", "toomanyrequests", "Too Many Requests"]) {
        return ("image pull limited (429)".into(), true, true);
    }
    if says(&["not found", "NotFound", "manifest unknown", "does not exist"]) {
        return (format!("no such image: {image}"), false, true);
    }
    if says(&["no such host", "i/o timeout", "connection refused", "deadline exceeded", "network is unreachable"]) {
        return (format!("the registry does not answer: {image}"), true, true);
    }
    let rest = message.rsplit("desc = ").next().unwrap_or(message);
    if rest.is_empty() || rest.starts_with("Back-off") {
        return (format!("image pull fails: {image}"), true, false);
    }
    (format!("image pull fails: {}", clean(rest, 100)), true, true)
}

/// `0/3 nodes are available: 3 Insufficient cpu. preemption: ...` as `3 Insufficient cpu`.
fn room(message: &str) -> &str {
    let after = message.split_once("are available: ").map_or(message, |(_, rest)| rest);
    after.split(". ").next().unwrap_or(after).trim_end_matches('.')
}

/// `pods "order-x" is forbidden: exceeded quota: ...` as `no pods created: exceeded quota: ...`.
pub(super) fn not_created(message: &str) -> String {
    let why = message.split_once("is forbidden: ").map_or(message, |(_, rest)| rest);
    clean(&format!("no pods created: {why}"), 200)
}
