//! A workload as a slim row: what runs, which versions, who gets the traffic.

use crate::units::{Percent, Person, Revision, RolloutId, Service, Span, Term, Time, Version, WorkloadId};
use serde::{Deserialize, Serialize};

/// The two sides of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Stable, control.
    Old,
    /// Canary, treatment.
    New,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Side {
        match self {
            Side::Old => Side::New,
            Side::New => Side::Old,
        }
    }
}

/// What of a workload can be wanted. One wish per leg and aspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// The share of traffic of the new side.
    Traffic,
    /// Which template the workload itself has: it rolls to it pod by pod, or takes it in the dark while another has the traffic.
    Template,
    /// Pods of the stable side.
    OldReplicas,
    /// Pods of the new side; it is created when it does not exist.
    NewReplicas,
}

impl Aspect {
    /// Whether its object carries the traffic, and the fence.
    pub fn carries_traffic(self) -> bool {
        matches!(self, Aspect::Traffic | Aspect::Template)
    }
}

/// What a region is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Where the data is written.
    #[default]
    Primary,
    /// Where it is copied to.
    Replica,
}

/// Whether launching and promoting need arming first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// They do; the default for everything real.
    #[default]
    Safe,
    /// They do not; practice, or written so in the settings.
    Open,
}

/// Pods of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pods {
    /// How many are asked for.
    pub want: u32,
    /// How many exist.
    pub exist: u32,
    /// How many serve: addresses in the EndpointSlices where those are known, else ready pods.
    pub ready: u32,
    /// Why some do not become ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
}

/// Why something does not go on, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stuck {
    /// The cause: `image pull denied (403)`.
    pub cause: String,
    /// How many pods wait for it.
    pub pods: u32,
    /// Since when.
    pub since: Time,
    /// Whether waiting can help (a crash loop or a slow start may heal; a wrong image name does not).
    pub may_heal: bool,
}

/// One version of a workload that exists in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionSeen {
    /// Its identity.
    pub revision: Revision,
    /// What it is called.
    pub version: Version,
    /// The controller's number, where there is one; a display fact only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Its pods.
    pub pods: Pods,
    /// Its images: (container, image).
    #[serde(default)]
    pub images: Vec<(String, String)>,
    /// When its template came to be.
    pub created: Time,
    /// Whether a flightdeck saw it complete and under its limit for 10 minutes.
    #[serde(default)]
    pub seen_healthy: bool,
}

/// Which way a rollout moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// To the new version.
    Forward,
    /// Back to the stable version.
    Back,
}

/// The fence: the annotation `flightdeck.dev/flight` on the object that carries the traffic; on a route, which several workloads may
/// share, `order.flightdeck.dev/flight`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flight {
    /// Whose write counts.
    pub rollout: RolloutId,
    /// Higher wins.
    pub term: Term,
    /// Forward, or back.
    pub way: Way,
    /// The revision that the traffic goes to.
    pub to: Revision,
}

/// Who else writes to a workload and would undo what we do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Automation {
    /// `Argo CD`, `Helm`, `Flux`, `HPA`.
    pub kind: String,
    /// The object.
    pub name: String,
    /// Whether it puts its own state back by itself.
    pub fights: bool,
}

/// How traffic can be divided between a workload and a second one beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Division {
    /// A route sends any share to either.
    Weights,
    /// A selector sends all of it to one.
    Switch,
}

/// What can divide a workload's traffic between two sets of pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Divider {
    /// How.
    pub how: Division,
    /// The object that carries the split: `HTTPRoute order`, `Service order`.
    pub object: String,
    /// What a second workload would miss, since it selects by the label that tells the two apart: `NetworkPolicy shop-web`.
    pub touches: Vec<String>,
}

/// What divides a workload's traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Divides {
    /// That has not been found out yet.
    #[default]
    Unknown,
    /// This.
    By(Divider),
    /// Nothing, for this reason.
    Nothing(String),
}

impl Divides {
    /// What does, where something is known to.
    pub fn by(&self) -> Option<&Divider> {
        if let Divides::By(divider) = self { Some(divider) } else { None }
    }
}

/// A second workload of ours that stands beside the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beside {
    /// Its name: `order-next`.
    pub name: String,
    /// The one revision that it runs; `None` while it has pods of two. Equal templates have
    /// one identity in a row, whichever workload runs them.
    pub revision: Option<Revision>,
    /// The same of the first workload.
    pub home: Option<Revision>,
    /// The share of traffic that is asked for it; unknown where it cannot be read.
    pub share: Option<Percent>,
    /// The revision that the first workload ran when this one was made, where that is known.
    #[serde(default)]
    pub old: Option<Revision>,
}

/// A workload in one region. The newest row replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Which.
    pub id: WorkloadId,
    /// The service it serves.
    pub service: Service,
    /// The revisions, newest template first.
    pub revisions: Vec<RevisionSeen>,
    /// The revision that its template asks for now.
    pub template: Revision,
    /// Pods asked for, all revisions together.
    pub replicas: u32,
    /// Shares of traffic that are asked for, where something splits it (a route, a selector). Empty: by pods.
    pub split: Vec<(Revision, Percent)>,
    /// What can divide its traffic between it and a second workload.
    #[serde(default)]
    pub divides: Divides,
    /// The second workload, while there is one.
    #[serde(default)]
    pub beside: Option<Beside>,
    /// The fence, as read.
    pub flight: Option<Flight>,
    /// Whether its update is paused.
    pub paused: bool,
    /// Whether the controller has seen the newest template and nothing of an older one runs.
    pub complete: bool,
    /// The controller's own deadline has passed.
    pub deadline_passed: bool,
    /// When the newest template came to be.
    pub changed: Time,
    /// Who changed it, as far as the cluster knows (a field manager).
    pub changed_by: Option<Person>,
    /// What else writes to it.
    pub automation: Option<Automation>,
    /// Pods of a rolling update: (surge, unavailable).
    pub rolling: Option<(u32, u32)>,
    /// Whether each pod waits before it goes (a preStop hook); without it a rolling update loses requests.
    pub drains: bool,
    /// How long pods usually take from start to ready, where it was seen.
    pub start_takes: Option<Span>,
    /// What its owner wrote on it about how it is rolled out: `deployment.strategy` and the like, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<(String, String)>,
}

impl Workload {
    /// The row of one revision.
    pub fn revision(&self, revision: &Revision) -> Option<&RevisionSeen> {
        self.revisions.iter().find(|r| r.revision == *revision)
    }
    /// The share of traffic that is asked for one revision: what the split says, else its share of the ready pods.
    pub fn want(&self, revision: &Revision) -> Option<Percent> {
        if !self.split.is_empty() {
            return Some(self.split.iter().find(|(r, _)| r == revision).map_or(Percent::ZERO, |(_, p)| *p));
        }
        let ready: u32 = self.revisions.iter().map(|r| r.pods.ready).sum();
        let mine = self.revision(revision).map_or(0, |r| r.pods.ready);
        (ready > 0).then(|| Percent::from_share(f64::from(mine) / f64::from(ready)))
    }
    /// Whether two revisions are at work: an update is in flight, whoever started it.
    pub fn moves(&self) -> bool {
        !self.complete || self.beside.is_some() || self.split.iter().filter(|(_, p)| *p > Percent::ZERO).count() > 1
    }
}
