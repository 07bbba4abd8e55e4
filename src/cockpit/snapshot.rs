//! One immutable picture of everything: what the screen draws, `status --json` prints and a later API serves.

use crate::analysis::Verdict;
use crate::fleet::{MetricsSeen, Protection, Role};
use crate::rollout::{Mood, NotHeld, Phase, Status};
use crate::units::json::{all_seconds, percent, seconds, whole};
use crate::units::{LegId, Percent, Region, RolloutId, Service, Span, Term, Time, Version, WorkloadId};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// The length of one chart point: a dot of braille is 5 s, a column 10 s.
pub const DOT: Span = Span::secs(5);

/// One chart point of one side: what was counted in the 5 s that ended then.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dot {
    /// Requests counted.
    pub requests: f64,
    /// Of those, failed.
    pub errors: f64,
    /// The 99th percentile of latency in milliseconds, where it is measured.
    pub p99: Option<f64>,
}

/// The curves of one leg, or of all legs together. Where a time has no dot there is a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// The old side, 5 s a dot, oldest first; the time is the end of the interval.
    pub old: Vec<(Time, Dot)>,
    /// The new side.
    pub new: Vec<(Time, Dot)>,
}

/// The share of the new side over time while moving back, one value per sample (0.5 to 1 s), oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moves {
    /// Share of requests seen on the new side.
    pub seen: Vec<(Time, Percent)>,
    /// Share asked for; a change of it is a step in the curve.
    pub want: Vec<(Time, Percent)>,
    /// Errors of all traffic, a part of one.
    pub errors: Vec<(Time, f64)>,
}

/// What one side did in the last check window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideView {
    /// Requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Requests in the window.
    #[serde(serialize_with = "whole")]
    pub requests: f64,
    /// Of those, failed.
    #[serde(serialize_with = "whole")]
    pub errors: f64,
    /// Errors per request; absent without requests.
    #[serde(rename = "errorsPercent", serialize_with = "percent", skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// p50, p95, p99 in milliseconds.
    #[serde(rename = "latencySeconds", serialize_with = "all_seconds", skip_serializing_if = "Option::is_none")]
    pub latency: Option<[f64; 3]>,
}

/// What the numbers say so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictView {
    /// The word.
    pub verdict: Verdict,
    /// New minus old, in points.
    #[serde(rename = "differencePoints", skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// Newcombe's 95 % interval of it, in points.
    #[serde(rename = "intervalPoints", skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// New minus old p99, in milliseconds.
    #[serde(rename = "p99DifferenceSeconds", serialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub p99_difference: Option<f64>,
    /// Requests counted on the new side so far.
    #[serde(serialize_with = "whole")]
    pub requests: f64,
    /// Requests that failed on the new side so far.
    #[serde(serialize_with = "whole")]
    pub failed: f64,
    /// In words, where there is something to say: why, where a number is missing.
    #[serde(rename = "why", skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// The next check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_check: Option<Time>,
    /// Whether anything counts requests here at all: without it nothing is zero.
    pub measured: bool,
    /// Why there are no numbers now, in a word, where a Prometheus is asked: `error`, `empty`, `not a number`, `stale`, `no metrics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<&'static str>,
    /// What a Prometheus was asked last, per leg.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<LegMetrics>,
}

/// What a Prometheus was asked last for a leg.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LegMetrics {
    /// Which.
    pub leg: LegId,
    /// What, and what came back.
    #[serde(flatten)]
    pub seen: MetricsSeen,
}

/// One leg's numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LegView {
    /// Which.
    pub id: LegId,
    /// The old side.
    pub old: SideView,
    /// The new side.
    pub new: SideView,
    /// Its curves.
    #[serde(skip)]
    pub curves: Arc<Curves>,
}

/// One line of what happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// When, in fleet time.
    pub at: Time,
    /// What kind of news.
    pub sign: Sign,
    /// Whose: a service or a region.
    pub subject: Arc<str>,
    /// The news; the part that carries the meaning comes first.
    pub text: String,
    /// What is said beside it, dim.
    pub aside: String,
    /// Of which rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
}

/// The sign of a note (look.md section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// `●` ok.
    Ok,
    /// `✓` done, passed.
    Done,
    /// `◆` moves.
    Moves,
    /// `▸` launched.
    Launched,
    /// `▲` look.
    Look,
    /// `✗` fails.
    Fails,
    /// `■` held.
    Held,
    /// `←` back.
    Back,
    /// `?` unknown.
    Unknown,
    /// No sign.
    Plain,
}

/// Who drives a rollout, seen from another flightdeck.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverView {
    /// `ana@laptop`.
    pub name: String,
    /// For how long his Lease was not renewed, once that is longer than it counts.
    #[serde(rename = "goneSeconds", skip_serializing_if = "Option::is_none")]
    pub gone: Option<Span>,
    /// The Lease was given back: the name is who wrote the log last.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nobody: bool,
}

impl DriverView {
    /// `ana@laptop drives it`.
    pub fn says(&self) -> String {
        if self.nobody { "nobody drives it".into() } else { format!("{} drives it", self.name) }
    }
}

/// Whether a rollout's log is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordView {
    /// Why not, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_recorded: Option<String>,
    /// Where it is kept here only, and why: `eu-west-1: patch configmaps in namespace shop: denied (403)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_here: Vec<String>,
    /// Whose flightdeck drives it, where that is not this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<DriverView>,
    /// Branches of its log that do not lead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<String>,
    /// Copies of its log that do not hold, with their line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// A rollout with its numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutView {
    /// What the engine says.
    #[serde(flatten)]
    pub status: Status,
    /// Where it is in its life.
    #[serde(skip)]
    pub phase: Phase,
    /// All legs together, the old side.
    pub old: SideView,
    /// All legs together, the new side.
    pub new: SideView,
    /// Per leg.
    #[serde(rename = "measured")]
    pub legs: Vec<LegView>,
    /// What the numbers say.
    pub verdict: VerdictView,
    /// All legs together.
    #[serde(skip)]
    pub curves: Arc<Curves>,
    /// While it moves back, and after.
    #[serde(skip)]
    pub moves: Option<Arc<Moves>>,
    /// What happened, newest first, at most 100.
    pub notes: Vec<Note>,
    /// Requests that failed on the new side since it began to fail, and since when; for the strip.
    #[serde(serialize_with = "failed_since", skip_serializing_if = "Option::is_none")]
    pub failed_since: Option<(Time, f64)>,
    /// Workloads whose traffic all goes to the one beside them: what their owner changes there reaches nobody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dark: Vec<WorkloadId>,
    /// The log.
    #[serde(flatten)]
    pub record: RecordView,
}

/// A region.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionView {
    /// Its name.
    pub name: Region,
    /// What it is for, where the settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Its share of all requests, where they are counted.
    #[serde(rename = "sharePercent", skip_serializing_if = "Option::is_none")]
    pub share: Option<Percent>,
    /// Whether it answers.
    pub state: RegionState,
    /// The server's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// When it was last heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard: Option<Time>,
    /// Objects that could not be read, and the last reason.
    #[serde(serialize_with = "skipped", skip_serializing_if = "Option::is_none")]
    pub skipped: Option<(u64, String)>,
    /// What the user may not do here, in words.
    pub denied: Vec<String>,
}

/// Whether a region answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "state")]
pub enum RegionState {
    /// Asked since then, no answer yet.
    Connecting {
        /// Since when.
        since: Time,
    },
    /// It answers.
    Answers,
    /// It does not.
    Silent {
        /// Since when.
        since: Time,
        /// Why.
        why: String,
        /// When it is asked again.
        again: Time,
    },
}

/// A service in one region.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// The workload.
    pub workload: WorkloadId,
    /// The version that serves, or served before the update.
    pub version: Version,
    /// The version it moves to, and its share.
    #[serde(serialize_with = "moves_to", skip_serializing_if = "Option::is_none")]
    pub to: Option<(Version, Percent)>,
    /// How it goes.
    pub mood: CellMood,
    /// What to say: `image pull denied`, `drift`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when it differs from the other regions with nothing in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_since: Option<Time>,
    /// Ready pods, and asked for.
    #[serde(serialize_with = "pods")]
    pub pods: (u32, u32),
    /// The rollout that moves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
}

/// How a service goes in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellMood {
    /// One version, healthy.
    Calm,
    /// Moves, well.
    Moves,
    /// Look at it.
    Look,
    /// Held.
    Held,
    /// Fails.
    Fails,
    /// Runs another version than the other regions.
    Drift,
    /// Its region is silent: the last that was known.
    Unknown,
}

/// A service over all regions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    /// Which.
    pub service: Service,
    /// One per region, in the order of `Snapshot::regions`; `None`: not there. In JSON only those that are.
    #[serde(serialize_with = "there")]
    pub cells: Vec<Option<Cell>>,
    /// All regions and versions together, the last 10 s.
    pub numbers: SideView,
    /// Versions that can be launched, newest first.
    pub versions: Vec<Version>,
    /// What its owners wrote on it about how it is rolled out.
    #[serde(serialize_with = "annotations", skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<(String, String)>,
}

/// Replication of one kind of data, the worst region's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LagView {
    /// `orders`, `users`, ...
    pub data: String,
    /// Into which region.
    pub region: Region,
    /// How far behind.
    #[serde(rename = "lagSeconds")]
    pub lag: Span,
    /// How far it may be.
    #[serde(rename = "promiseSeconds")]
    pub promise: Span,
}

/// A line that stands: no forward step anywhere in the fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoppedLine {
    /// Since when.
    pub since: Time,
    /// Who stopped it.
    pub by: String,
    /// What is held for it, and goes on with it.
    pub held: Vec<RolloutId>,
    /// What could not be held, and why.
    pub not_held: Vec<NotHeld>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Fleet time.
    pub now: Time,
    /// The fleet's name.
    pub fleet: Arc<str>,
    /// On the simulator.
    pub practice: bool,
    /// Whether it needs arming.
    pub protection: Protection,
    /// Nothing may be changed from here.
    pub readonly: bool,
    /// How long `R` waits, in hand time.
    #[serde(rename = "graceSeconds")]
    pub grace: Span,
    /// All regions.
    pub regions: Vec<RegionView>,
    /// All services, by name.
    pub services: Vec<ServiceView>,
    /// All rollouts in flight, and those that ended a short time ago; the one that needs a person most first.
    pub rollouts: Vec<RolloutView>,
    /// What happened, newest first, at most 200.
    pub notes: Vec<Note>,
    /// Replication, where something tells about it.
    pub lags: Vec<LagView>,
    /// While the line is stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_line: Option<StoppedLine>,
    /// The highest term seen anywhere; a display fact.
    pub term: Term,
    /// The last change that was seen, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_change: Option<Time>,
}

fn failed_since<S: Serializer>(since: &Option<(Time, f64)>, s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct FailedSince {
        at: Time,
        #[serde(serialize_with = "whole")]
        failed: f64,
    }
    since.map(|(at, failed)| FailedSince { at, failed }).serialize(s)
}

fn skipped<S: Serializer>(skipped: &Option<(u64, String)>, s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Skipped<'a> {
        objects: u64,
        why: &'a str,
    }
    skipped.as_ref().map(|(objects, why)| Skipped { objects: *objects, why }).serialize(s)
}

fn moves_to<S: Serializer>(to: &Option<(Version, Percent)>, s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct MovesTo<'a> {
        version: &'a Version,
        share_percent: Percent,
    }
    to.as_ref().map(|(version, share)| MovesTo { version, share_percent: *share }).serialize(s)
}

fn pods<S: Serializer>((ready, want): &(u32, u32), s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Pods {
        ready: u32,
        want: u32,
    }
    Pods { ready: *ready, want: *want }.serialize(s)
}

fn annotations<S: Serializer>(all: &[(String, String)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(all.iter().map(|(name, value)| (name, value)))
}

fn there<S: Serializer>(cells: &[Option<Cell>], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(cells.iter().flatten())
}

impl RolloutView {
    /// Whether it is still on its way (a rollback that can be undone counts as ended).
    pub fn in_flight(&self) -> bool {
        let through = self.phase == Phase::Watched && self.status.mood == Mood::Promoted;
        !through && !matches!(self.phase, Phase::Promoted | Phase::RolledBack | Phase::Back)
    }
}

impl Snapshot {
    /// How many rollouts are failing.
    pub fn failing(&self) -> usize {
        self.rollouts.iter().filter(|r| r.status.mood.need() == 0).count()
    }
    /// How many need a person.
    pub fn need_you(&self) -> usize {
        self.rollouts.iter().filter(|r| r.status.mood.needs_person()).count()
    }
    /// How many are in flight.
    pub fn in_flight(&self) -> usize {
        self.rollouts.iter().filter(|r| r.in_flight()).count()
    }
    /// Clusters that answer, of all.
    pub fn clusters(&self) -> (usize, usize) {
        (self.regions.iter().filter(|r| r.state == RegionState::Answers).count(), self.regions.len())
    }
    /// How old the oldest data shown is, of the regions that answer.
    pub fn data_age(&self) -> Option<Span> {
        self.regions.iter().filter(|r| r.state == RegionState::Answers).filter_map(|r| r.heard).min().map(|at| self.now.since(at))
    }
    /// One rollout.
    pub fn rollout(&self, id: &RolloutId) -> Option<&RolloutView> {
        self.rollouts.iter().find(|r| r.status.id == *id)
    }
}
