//! The plan: compiled steps over legs, fixed at launch, with what each step takes back.

use super::queries::Queries;
use crate::fleet::Division;
use crate::units::{LegId, Percent, Region, Revision, Service, Span, Version, WorkloadId};
use serde::{Deserialize, Serialize};

/// How a new version goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyKind {
    /// All traffic in one switch between two full sets of pods.
    BlueGreen,
    /// Traffic in growing shares.
    Canary,
    /// Pod by pod.
    Rolling,
}

impl StrategyKind {
    /// Those that documents can name, in the order of the seed.
    pub const ALL: [StrategyKind; 3] = [StrategyKind::BlueGreen, StrategyKind::Canary, StrategyKind::Rolling];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            StrategyKind::BlueGreen => "blue-green",
            StrategyKind::Canary => "canary",
            StrategyKind::Rolling => "rolling",
        }
    }
}

/// How a leg's traffic is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// Something splits requests by weight between two sets of pods.
    Weights,
    /// One workload changes pod by pod; its share of pods is its share of traffic.
    Pods,
}

/// What a step does (design section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Starts pods of the new side and waits until they are ready.
    Scale,
    /// Waits until every pod of the new side is ready.
    WaitReady,
    /// Asks each new pod for its health.
    HealthCheck,
    /// Gives the new side a share of the traffic; by pods: rolls that share of the pods.
    SetWeight,
    /// Gives the new side all traffic at once.
    Switch,
    /// Waits.
    Hold,
    /// The workload itself takes the new template while a second one has the traffic, and then the traffic.
    Adopt,
    /// Takes the old pods away; after an adoption the second workload.
    Retire,
}

impl StepKind {
    /// As plans write it.
    pub fn name(self) -> &'static str {
        match self {
            StepKind::Scale => "scale",
            StepKind::WaitReady => "wait-ready",
            StepKind::HealthCheck => "health-check",
            StepKind::SetWeight => "set-weight",
            StepKind::Switch => "switch",
            StepKind::Hold => "hold",
            StepKind::Adopt => "adopt",
            StepKind::Retire => "retire",
        }
    }
}

/// What must be true before a step is left (verdict) or before it begins (all others).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The checks since the last change of weight are good.
    Verdict,
    /// Ready pods can carry the share.
    Capacity,
    /// Replication keeps its promise.
    Lag,
    /// No alert fires.
    Alerts,
    /// No freeze window.
    Freeze,
    /// Somebody approved.
    Approval,
}

/// What takes a step back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compensation {
    /// Nothing was changed.
    Nothing,
    /// Removes the pods of the new side.
    RemoveNewPods,
    /// Weight 0.
    WeightZero,
    /// Switches back to the old side.
    SwitchBack,
    /// Puts the old template back, pod by pod.
    TemplateBack,
    /// Starts the old pods again, then moves the traffic.
    StartOldPods,
    /// Puts the old template into the workload that has no traffic, then moves the traffic there.
    OldBeside,
}

impl Compensation {
    /// As plans and tables say it.
    pub fn words(self) -> &'static str {
        match self {
            Compensation::Nothing => "nothing to undo",
            Compensation::RemoveNewPods => "remove new pods",
            Compensation::WeightZero => "weight 0, at once",
            Compensation::SwitchBack => "switch back, at once",
            Compensation::TemplateBack => "old template back, pod by pod",
            Compensation::StartOldPods => "start old pods, then traffic",
            Compensation::OldBeside => "old template beside, then traffic",
        }
    }
}

/// How quickly a step can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reversible {
    /// At once.
    Instant,
    /// Gradually.
    Gradual,
    /// Not any more.
    Never,
}

/// One step. `legs` move together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// Which wave it belongs to, from 0.
    pub wave: u16,
    /// The legs it moves.
    #[serde(rename = "regions")]
    pub legs: Vec<LegId>,
    /// The share of the new side from here on, where the step changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Percent>,
    /// How long it waits when it is done.
    #[serde(rename = "holdSeconds", default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Span>,
    /// What must be true.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// How long it is expected to take, hold included.
    #[serde(rename = "expectedSeconds")]
    pub expected: Span,
    /// What takes it back.
    pub compensation: Compensation,
    /// How quickly.
    pub reversible: Reversible,
}

/// A number of pods, or a share of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Amount {
    /// So many.
    Pods(u32),
    /// Such a share of those asked for.
    #[serde(rename = "sharePercent")]
    Share(Percent),
}

/// When a version has failed: the operator's own thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Limit {
    /// More failed requests than this.
    #[serde(rename = "errorsPercent")]
    ErrorRate(Percent),
    /// More failed requests than so many times the old version's.
    Baseline(f64),
    /// Slower than this at the quantile (99 is p99).
    Latency {
        /// In percent.
        quantile: u8,
        /// The limit.
        #[serde(rename = "mostSeconds")]
        most: Span,
    },
    /// Health fails for longer than this.
    #[serde(rename = "healthSeconds")]
    Health(Span),
}

/// The numbers that hold for the whole rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Where each pod says whether it is well.
    pub health_check_path: String,
    /// How long one health check may go on failing before the rollout goes back.
    #[serde(rename = "healthCheckTimeoutSeconds")]
    pub health_check_timeout: Span,
    /// When the version has failed.
    pub limits: Vec<Limit>,
    /// How long the old side stays up after the last step.
    #[serde(rename = "rollbackWindowSeconds")]
    pub rollback_window: Span,
    /// How long a step may make no progress.
    #[serde(rename = "progressDeadlineSeconds")]
    pub progress_deadline: Span,
    /// How often a leg is checked.
    #[serde(rename = "checkIntervalSeconds")]
    pub check_interval: Span,
    /// How far back a check looks.
    #[serde(rename = "windowSeconds")]
    pub window: Span,
    /// Fewer requests than this say nothing.
    pub least_requests: u32,
    /// So many bad checks in a row roll back.
    pub failures_in_a_row: u32,
    /// So many good health checks in a row pass.
    pub healthy_in_a_row: u32,
    /// Rolling: how many more pods than asked for.
    pub max_surge: Amount,
    /// Rolling: how many pods may be missing.
    pub max_unavailable: Amount,
    /// Whether the old side is taken away at the end.
    pub cleanup_old_versions: bool,
    /// The document's own queries, for regions with a Prometheus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Queries>,
}

/// One leg of the plan: a workload in a region, from one revision to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanLeg {
    /// Its name.
    pub id: LegId,
    /// Its region.
    pub region: Region,
    /// What changes.
    pub workload: WorkloadId,
    /// Which wave it belongs to, from 0.
    pub wave: u16,
    /// The stable revision.
    pub old: Revision,
    /// What the stable revision is called.
    pub old_version: Version,
    /// The new revision, where it is known before its template exists (simulator, watched rollouts).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Revision>,
    /// The container whose image changes.
    pub container: String,
    /// The other containers of its pods, which stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sidecars: Vec<String>,
    /// The image it changes to.
    pub image: String,
    /// How the traffic is divided.
    pub route: Route,
    /// Where the new side is a second workload beside the first, which takes the new template in the end: how traffic is divided
    /// between the two. `None`: both sides stand by themselves, or it goes by pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Division>,
    /// What a second workload would miss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<String>,
    /// Why nothing divides its traffic, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undivided: Option<String>,
    /// Ready pods of the old side at launch.
    pub base: u32,
    /// Requests per second at launch, where measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Whether pods wait before they go.
    pub drains: bool,
    /// How long pods take from start to ready, as far as it was seen.
    #[serde(rename = "startTakesSeconds")]
    pub start_takes: Span,
}

impl PlanLeg {
    /// Pods that a share of the traffic needs at so many times the load of the launch: `ceil(base x share x load)`, at least 1;
    /// nothing for no share.
    ///
    /// A second workload beside one of several pods has at least 2: a budget lets the only pod of one go, and its share with it.
    pub fn pods_for(&self, share: Percent, load: f64) -> u32 {
        if share == Percent::ZERO {
            return 0;
        }
        let pods = f64::from(self.base) * load * share.share();
        let least = if self.beside.is_some() { self.base.clamp(1, 2) } else { 1 };
        ((pods - 1e-9).ceil() as u32).max(least)
    }
}

/// A compiled rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What is rolled out.
    pub service: Service,
    /// How.
    pub strategy: StrategyKind,
    /// What the new version is called.
    pub to: Version,
    /// Where.
    pub legs: Vec<PlanLeg>,
    /// In which steps.
    pub steps: Vec<Step>,
    /// By which numbers.
    pub rules: Rules,
    /// What is allowed and may surprise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Plan {
    /// One leg.
    pub fn leg(&self, id: &LegId) -> Option<&PlanLeg> {
        self.legs.iter().find(|l| l.id == *id)
    }
    /// What the stable version is called; where regions differ, the first leg's.
    pub fn from(&self) -> Version {
        self.legs.first().map_or_else(|| Version::new("?"), |l| l.old_version.clone())
    }
    /// The largest share that the plan ever gives a leg's new side up to and with a step.
    pub fn weight_at(&self, step: usize, leg: &LegId) -> Percent {
        self.steps.iter().take(step + 1).filter(|s| s.legs.contains(leg)).filter_map(|s| s.weight).next_back().unwrap_or_default()
    }
    /// The error rate that is too high, where a limit names one.
    pub fn error_limit(&self) -> Option<Percent> {
        self.rules.limits.iter().find_map(|l| if let Limit::ErrorRate(p) = l { Some(*p) } else { None })
    }
    /// How long all steps are expected to take.
    pub fn expected(&self) -> Span {
        self.steps.iter().fold(Span::ZERO, |sum, s| sum + s.expected)
    }
}

impl Gate {
    /// As documents and `Observed` name it.
    pub fn name(self) -> &'static str {
        match self {
            Gate::Verdict => "verdict",
            Gate::Capacity => "capacity",
            Gate::Lag => "lag",
            Gate::Alerts => "alerts",
            Gate::Freeze => "freeze",
            Gate::Approval => "approval",
        }
    }
}

impl Step {
    /// The waypoint's name on the rail: `scale`, `15 %`, `retire`.
    pub fn label(&self) -> String {
        match (self.kind, self.weight) {
            (StepKind::SetWeight, Some(weight)) => weight.to_string(),
            (StepKind::HealthCheck, _) => "health".into(),
            (StepKind::WaitReady, _) => "ready".into(),
            (kind, _) => kind.name().into(),
        }
    }
}
