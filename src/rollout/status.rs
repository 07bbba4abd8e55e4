//! What a rollout looks like from outside: what screens, JSON and the API show.

use super::By;
use crate::fleet::{Pods, Stuck};
use crate::strategy::{StepKind, StrategyKind};
use crate::units::json::percent;
use crate::units::{LegId, Percent, RolloutId, Service, Span, Term, Time, Version};
use serde::{Serialize, Serializer};

/// How it goes, in one word and, where a person can help, one line and one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "mood")]
pub enum Mood {
    /// All is well.
    OnCourse,
    /// Waits, and time alone leads on.
    Waits {
        /// For what.
        cause: String,
    },
    /// Cannot be told yet.
    Unclear {
        /// Why.
        cause: String,
    },
    /// Does not go on without a person.
    Held {
        /// Why.
        cause: String,
        /// The key that helps.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<char>,
    },
    /// Does not go on, and a person can help.
    Stuck {
        /// Why.
        cause: String,
        /// The key that helps.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<char>,
    },
    /// The new version is over a limit.
    Failing {
        /// In words.
        cause: String,
        /// Since when.
        since: Time,
        /// When it goes back by itself, if it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        automatic: Option<Time>,
    },
    /// Moves back.
    RollingBack,
    /// Moved back, not proven.
    NotProven {
        /// What is missing.
        missing: String,
    },
    /// Back, proven.
    Back,
    /// Done, forward.
    Promoted,
    /// Aborted by a person.
    Aborted,
    /// Somebody else drives.
    Superseded,
}

impl Mood {
    /// 0 = needs a person most. The order of IN FLIGHT.
    pub fn need(&self) -> u8 {
        match self {
            Mood::Failing { .. } => 0,
            Mood::NotProven { .. } => 1,
            Mood::Stuck { .. } => 2,
            Mood::RollingBack => 3,
            Mood::Held { .. } | Mood::Aborted | Mood::Superseded => 4,
            Mood::Unclear { .. } => 5,
            Mood::Waits { .. } => 6,
            Mood::OnCourse => 7,
            Mood::Back => 8,
            Mood::Promoted => 9,
        }
    }
    /// Whether a person should look.
    pub fn needs_person(&self) -> bool {
        self.need() <= 5 && !matches!(self, Mood::RollingBack | Mood::Unclear { .. })
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Behind us.
    Done,
    /// Being done.
    Now,
    /// Being done, and failing.
    Failing,
    /// To come.
    Later,
}

/// One step as shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// `scale`, `15 %`, `retire`.
    pub label: String,
    /// What it does.
    pub kind: StepKind,
    /// Where it stands.
    pub state: StepState,
    /// The new side's share from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<Percent>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<Time>,
    /// How long it took.
    #[serde(rename = "tookSeconds", skip_serializing_if = "Option::is_none")]
    pub took: Option<Span>,
    /// When it is expected to begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Time>,
    /// How much of its hold is over, from 0 to 1 (the step that is being done).
    #[serde(rename = "partPercent", serialize_with = "percent", skip_serializing_if = "Option::is_none")]
    pub part: Option<f64>,
    /// What takes it back, in words.
    pub undo: String,
    /// Whether taking it back is slow.
    pub undo_slow: bool,
}

/// One leg as shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LegStatus {
    /// Its name: the region's.
    pub id: LegId,
    /// Share of requests seen on the new side.
    #[serde(rename = "seenPercent", skip_serializing_if = "Option::is_none")]
    pub seen: Option<Percent>,
    /// Share that is asked for.
    #[serde(rename = "wantPercent")]
    pub want: Percent,
    /// Whether its region answers; else since when not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Time>,
    /// Pods of the new side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_pods: Option<Pods>,
    /// Pods of the old side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_pods: Option<Pods>,
    /// Pods that the old side needs to carry everything.
    pub need: u32,
    /// Requests per second, both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// How it goes here.
    pub mood: LegMood,
    /// Why, where there is something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How one leg goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegMood {
    /// Well.
    Ok,
    /// Over a limit.
    Failing,
    /// Look at it.
    Look,
    /// Moving back.
    Moving,
    /// Back, proven.
    Done,
    /// Not heard.
    Unknown,
    /// Its wave has not begun.
    Later,
}

/// Whether `R` would work, and how well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "readiness")]
pub enum Readiness {
    /// Everything can move at once.
    Ready,
    /// Some has to wait for pods.
    Slow {
        /// Why.
        why: String,
    },
    /// A region cannot be reached.
    Partly {
        /// Which, and since when.
        why: String,
    },
    /// A right is missing.
    Denied {
        /// Which.
        why: String,
    },
    /// There is nothing to go back to, or nothing to do.
    Off {
        /// Why.
        why: String,
    },
}

/// What going back means here; the slowest is the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RollbackKind {
    /// Nothing has traffic yet: the new pods go.
    RemoveNew,
    /// The old version still runs: traffic switches back.
    SwitchBack,
    /// An older template is put back, pod by pod.
    TemplateBack,
}

/// One leg's move of a rollback.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// Which leg.
    pub leg: LegId,
    /// Ready pods of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<u32>,
    /// Pods of the target that everything needs.
    pub need: u32,
    /// The share of the leg's traffic on the new side now.
    #[serde(rename = "fromPercent")]
    pub from: Percent,
    /// The least share that it can be brought to with the pods that are ready.
    #[serde(rename = "nowPercent")]
    pub now: Percent,
    /// How long it takes, all of it.
    #[serde(rename = "aboutSeconds")]
    pub about: Span,
    /// Whether its region answers.
    pub reachable: bool,
}

/// The compiled rollback: on screen all the time, not only after the key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackPlan {
    /// What it means here.
    pub kind: RollbackKind,
    /// The target's name.
    pub target: Version,
    /// Whether the target was never seen healthy by a flightdeck.
    pub never_seen_healthy: bool,
    /// The moves.
    pub moves: Vec<Move>,
    /// Ready pods of the target, and needed, over all legs that answer.
    pub ready: u32,
    /// See `ready`.
    pub need: u32,
    /// The share of all traffic that could be on the target at once.
    #[serde(rename = "nowPercent")]
    pub now: Percent,
    /// How long, all of it.
    #[serde(rename = "aboutSeconds")]
    pub about: Span,
    /// What is not taken back; empty: nothing.
    pub left_behind: Vec<String>,
    /// Whether the key works.
    #[serde(flatten)]
    pub readiness: Readiness,
}

/// The three that must agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Share of requests on the target; unknown while a leg that is not proven does not answer.
    #[serde(rename = "trafficPercent", skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Percent>,
    /// Counted requests; else taken from endpoints.
    pub counted: bool,
    /// When traffic was proven, since the key.
    #[serde(rename = "trafficAfterSeconds", skip_serializing_if = "Option::is_none")]
    pub traffic_at: Option<Span>,
    /// Ready pods of the target, in the legs where they are known.
    pub ready: u32,
    /// Needed in all.
    pub need: u32,
    /// When pods were proven, since the key.
    #[serde(rename = "podsAfterSeconds", skip_serializing_if = "Option::is_none")]
    pub pods_at: Option<Span>,
    /// All traffic's error rate, a part of one.
    #[serde(rename = "errorsPercent", serialize_with = "percent", skip_serializing_if = "Option::is_none")]
    pub errors: Option<f64>,
    /// When errors were proven, since the key.
    #[serde(rename = "errorsAfterSeconds", skip_serializing_if = "Option::is_none")]
    pub errors_at: Option<Span>,
    /// Why there is no error rate: `no metrics`, `no traffic`, `eu-west-1 silent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors_why: Option<String>,
}

/// A rollback on its way, or done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackStatus {
    /// When it began.
    pub began: Time,
    /// Who.
    pub by: By,
    /// Why.
    pub why: String,
    /// The share that the new side had.
    #[serde(rename = "wasPercent")]
    pub was: Percent,
    /// The share of all traffic that the ready pods of the target can carry.
    #[serde(rename = "canPercent")]
    pub can: Percent,
    /// What the rest waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// Legs back, with the seconds each took.
    #[serde(serialize_with = "legs_back")]
    pub legs: Vec<(LegId, Option<Span>)>,
    /// The three that must agree.
    pub proof: Proof,
    /// How long all of it took, when proven.
    #[serde(rename = "tookSeconds", skip_serializing_if = "Option::is_none")]
    pub took: Option<Span>,
    /// Until when it can be undone (while the new side runs).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Time>,
}

/// A rollout as shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its id; a watched one is named after its service.
    pub id: RolloutId,
    /// What.
    pub service: Service,
    /// How.
    pub strategy: StrategyKind,
    /// From which version.
    pub from: Version,
    /// To which.
    pub to: Version,
    /// Our plan, log and driver; else watched.
    pub flown: bool,
    /// Who launched it, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it began.
    pub began: Time,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// The term.
    pub term: Term,
    /// How it goes.
    #[serde(flatten)]
    pub mood: Mood,
    /// No forward step.
    pub paused: bool,
    /// Requests seen on the new side, all legs together.
    #[serde(rename = "seenPercent", skip_serializing_if = "Option::is_none")]
    pub seen: Option<Percent>,
    /// Asked for, all legs together.
    #[serde(rename = "wantPercent")]
    pub want: Percent,
    /// The step that is being done, from 0.
    pub step: usize,
    /// All steps.
    pub steps: Vec<StepStatus>,
    /// What comes next, and when; no time: it waits.
    #[serde(serialize_with = "next", skip_serializing_if = "Option::is_none")]
    pub next: Option<(String, Option<Time>)>,
    /// When all is expected to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<Time>,
    /// When the step being done goes back by itself, if nothing more of it comes until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// Bad checks in a row, the worst leg's, and how many roll back.
    #[serde(serialize_with = "bad_checks")]
    pub bad_checks: (u32, u32),
    /// The error rate that is too high.
    #[serde(rename = "limitPercent", skip_serializing_if = "Option::is_none")]
    pub limit: Option<Percent>,
    /// All legs.
    pub legs: Vec<LegStatus>,
    /// What `R` would do.
    pub rollback: RollbackPlan,
    /// A rollback on its way, or done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<BackStatus>,
    /// Why the new side does not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
}

fn legs_back<S: Serializer>(legs: &[(LegId, Option<Span>)], s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct LegBack<'a> {
        leg: &'a LegId,
        #[serde(rename = "tookSeconds", skip_serializing_if = "Option::is_none")]
        took: Option<Span>,
    }
    s.collect_seq(legs.iter().map(|(leg, took)| LegBack { leg, took: *took }))
}

fn next<S: Serializer>(next: &Option<(String, Option<Time>)>, s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Next<'a> {
        step: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<Time>,
    }
    next.as_ref().map(|(step, at)| Next { step, at: *at }).serialize(s)
}

fn bad_checks<S: Serializer>((bad, of): &(u32, u32), s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct BadChecks {
        bad: u32,
        of: u32,
    }
    BadChecks { bad: *bad, of: *of }.serialize(s)
}
