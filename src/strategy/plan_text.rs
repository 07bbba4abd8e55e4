//! A plan as text for people and as JSON for programs: every step with what it does, when it passes and what takes it back,
//! and the way back from each.

use super::plan::{Gate, Limit, Plan, PlanLeg, Route, Step, StepKind};
use super::regions::Regions;
use super::way_back::WayBack;
use super::words::{about, clock, seconds, table};
use super::{Compensation, Reversible};
use crate::units::{LegId, Percent, Span, count};
use serde_json::{Value, json};

/// The plan as lines.
pub fn plan_text(plan: &Plan) -> String {
    let mut text = format!("{}   {} → {}   {}\n\n", plan.service, plan.from(), plan.to, plan.summary());
    text += &steps(plan);
    text += "\nWAY BACK, the same key at every step\n";
    text += &ways_back(plan);
    if !plan.warnings.is_empty() {
        text += "\nLOOK AT\n";
        plan.warnings.iter().for_each(|w| text += &format!("  {w}\n"));
    }
    text
}

/// The plan for programs.
pub fn plan_json(plan: &Plan) -> Value {
    let steps = plan.steps.iter().enumerate().map(|(at, step)| {
        let back = plan.way_back(at);
        let mut value = json!(step);
        if let Value::Object(fields) = &mut value {
            fields.insert("step".into(), json!(at + 1));
            fields.insert("undo".into(), json!(step.compensation.words()));
            fields.insert("rollback".into(), json!(back.moves));
            fields.insert("rollbackSeconds".into(), json!(back.about));
            fields.insert("rollbackReversible".into(), json!(back.reversible));
        }
        value
    });
    json!({
        "schema": "flightdeck/1",
        "service": plan.service,
        "strategy": plan.strategy,
        "from": plan.from(),
        "to": plan.to,
        "expectedSeconds": plan.expected(),
        "warnings": plan.warnings,
        "legs": plan.legs,
        "steps": steps.collect::<Vec<_>>(),
        "rules": plan.rules,
    })
}

/// Steps one after the other that have the same way back.
#[derive(Clone, Debug, PartialEq)]
pub struct BackRun {
    /// The first of them, from 0.
    pub first: usize,
    /// The last of them.
    pub last: usize,
    /// The moves in words.
    pub does: String,
    /// How long it takes from the worst of them.
    pub about: Span,
    /// Whether it takes less from some of them.
    pub up_to: bool,
    /// How quickly.
    pub reversible: Reversible,
}

impl Plan {
    /// `canary, 3 regions together, 15 steps, about 1 h 8 min`.
    pub fn summary(&self) -> String {
        let waves = usize::from(self.legs.iter().map(|l| l.wave).max().unwrap_or(0)) + 1;
        let regions = Regions::words(self.legs.len(), waves);
        format!("{}, {regions}, {}, {}", self.strategy.name(), count(self.steps.len(), "step"), about(self.expected()))
    }
    /// What a step does: `weight 15 %, hold 5:00`.
    pub fn does(&self, at: usize) -> String {
        self.steps.get(at).map_or_else(String::new, |step| does(self, at, step))
    }
    /// When a step is passed: `errors < 2.0 %`.
    pub fn passes_when(&self, at: usize) -> String {
        self.steps.get(at).map_or_else(String::new, |step| passes_when(self, step))
    }
    /// Which legs a step moves, where that differs from the step before.
    pub fn moves_on_to(&self, at: usize) -> Option<String> {
        let step = self.steps.get(at)?;
        let before = at.checked_sub(1).and_then(|before| self.steps.get(before));
        let differs = self.legs.iter().any(|l| l.wave > 0) && before.is_none_or(|b| b.legs != step.legs);
        differs.then(|| whose(self, step))
    }
    /// Requests per second that meet the new version from a step on, where they are counted.
    pub fn exposed(&self, at: usize) -> Option<f64> {
        self.legs.iter().map(|l| Some(l.load? * self.weight_at(at, &l.id).share())).sum()
    }
    /// How long the way back takes before a step and from it on, where it is with this step that it does not go at once any more.
    pub fn slows_at(&self, at: usize) -> Option<(Span, Span)> {
        let (before, after) = (self.way_back(at.checked_sub(1)?), self.way_back(at));
        let slows = before.reversible == Reversible::Instant && after.reversible != Reversible::Instant;
        slows.then_some((before.about, after.about))
    }
    /// The ways back, step by step, those that are the same together.
    pub fn ways_back(&self) -> Vec<BackRun> {
        let mut first = 0;
        let ways: Vec<WayBack> = (0..self.steps.len()).map(|at| self.way_back(at)).collect();
        let sorts = |way: &WayBack| way.moves.iter().map(|m| m.compensation).collect::<Vec<_>>();
        let run = |run: &[WayBack]| {
            let about = run.iter().map(|w| w.about).max().unwrap_or_default();
            let begins = first;
            first += run.len();
            BackRun {
                first: begins,
                last: first - 1,
                does: run.first().map(|way| words(self, way)).unwrap_or_default(),
                about,
                up_to: run.iter().any(|w| w.about != about),
                reversible: run.first().map_or(Reversible::Instant, |w| w.reversible),
            }
        };
        ways.chunk_by(|a, b| sorts(a) == sorts(b)).map(run).collect()
    }
    /// What stays when the rollout has passed.
    pub fn left_behind(&self) -> String {
        let beside = self.legs.iter().any(|l| l.route == Route::Weights);
        if beside && !self.rules.cleanup_old_versions {
            format!("{} pods stay up until somebody removes them", self.from())
        } else {
            "nothing".into()
        }
    }
}

fn steps(plan: &Plan) -> String {
    let counted = plan.exposed(0).map(|_| "requests exposed");
    let heading = ["PLAN", "", "does", "passes when", "undo", "takes"].into_iter().chain(counted);
    let mut rows = vec![heading.map(String::from).collect::<Vec<_>>()];
    for (at, step) in plan.steps.iter().enumerate() {
        rows.extend(plan.moves_on_to(at).map(|legs| vec![legs]));
        if let Some((before, after)) = plan.slows_at(at) {
            rows.push(vec![format!("------ after this the way back takes {} instead of {}", seconds(after), seconds(before))]);
        }
        let mut row = vec![
            format!("{:2}", at + 1),
            step.label(),
            plan.does(at),
            plan.passes_when(at),
            step.compensation.words().to_owned(),
            format!("≈{}", clock(step.expected)),
        ];
        row.extend(plan.exposed(at).map(|per_second| format!("{per_second:.0}/s")));
        rows.push(row);
    }
    table(&rows, &[5, 6])
}

/// Which legs a step moves, where not all steps move all.
fn whose(plan: &Plan, step: &Step) -> String {
    let names = step.legs.iter().map(LegId::as_str).collect::<Vec<_>>().join(", ");
    if step.legs.len() == plan.legs.len() { format!("all waves: {names}") } else { format!("wave {}: {names}", step.wave + 1) }
}

fn legs<'p>(plan: &'p Plan, step: &Step) -> Vec<&'p PlanLeg> {
    step.legs.iter().filter_map(|id| plan.leg(id)).collect()
}

fn does(plan: &Plan, at: usize, step: &Step) -> String {
    let legs = legs(plan, step);
    let by_pods = legs.iter().filter(|l| l.route == Route::Pods).count();
    let (old, new) = (plan.from(), &plan.to);
    match step.kind {
        StepKind::Scale => {
            let pods: Vec<u32> = legs.iter().map(|l| l.pods_for(next_weight(plan, at, &l.id), 1.0)).collect();
            format!("{} of {new}{}", count(pods.iter().sum::<u32>(), "pod"), split(&pods))
        }
        StepKind::WaitReady => format!("waits for every pod of {new}"),
        StepKind::HealthCheck => format!("GET {} on each", plan.rules.health_check_path),
        StepKind::SetWeight => {
            let weight = step.weight.unwrap_or_default();
            let hold = step.hold.map_or_else(String::new, |h| format!(", hold {}", clock(h)));
            match by_pods {
                0 => format!("weight {weight}{hold}"),
                n if n == legs.len() => {
                    let pods: Vec<u32> = legs.iter().map(|l| weight.of_rounded_up(l.base)).collect();
                    format!("by pods: {}{}{hold}", count(pods.iter().sum::<u32>(), "pod"), split(&pods))
                }
                _ => {
                    let there = legs.iter().filter(|l| l.route == Route::Pods).map(|l| l.region.as_str()).collect::<Vec<_>>();
                    format!("weight {weight}, {} by pods{hold}", there.join(", "))
                }
            }
        }
        StepKind::Switch => format!("all traffic to {new}"),
        StepKind::Hold => match (next_kind(plan, at), step.weight_before(plan, at)) {
            (Some(StepKind::Retire), Percent::ALL) if adopted(plan, at) => {
                format!("{old} can come back beside for {}", clock(step.expected))
            }
            (None | Some(StepKind::Adopt | StepKind::Retire), Percent::ALL) if by_pods == 0 => {
                format!("{old} stays up for {}", clock(step.expected))
            }
            _ => format!("waits {}", clock(step.expected)),
        },
        StepKind::Adopt => {
            let names: std::collections::BTreeSet<&str> = legs.iter().map(|l| &*l.workload.name).collect();
            format!("{} takes {new} without traffic, then the traffic", names.into_iter().collect::<Vec<_>>().join(", "))
        }
        StepKind::Retire if legs.iter().all(|l| l.beside.is_some()) => "the second Deployment goes".into(),
        StepKind::Retire => format!("{old} to 0 pods"),
    }
}

/// Whether the workloads have adopted the new template before a step.
fn adopted(plan: &Plan, at: usize) -> bool {
    plan.steps.iter().take(at).any(|s| s.kind == StepKind::Adopt)
}

fn next_kind(plan: &Plan, at: usize) -> Option<StepKind> {
    plan.steps.get(at + 1).map(|s| s.kind)
}

/// The share that a leg gets next, from a step on.
fn next_weight(plan: &Plan, at: usize, leg: &LegId) -> Percent {
    plan.steps.iter().skip(at).filter(|s| s.legs.contains(leg)).find_map(|s| s.weight).unwrap_or(Percent::ALL)
}

impl Step {
    /// The share that its first leg has while it is done.
    fn weight_before(&self, plan: &Plan, at: usize) -> Percent {
        self.legs.first().map_or(Percent::ZERO, |leg| plan.weight_at(at, leg))
    }
}

fn split(pods: &[u32]) -> String {
    if pods.len() < 2 {
        return String::new();
    }
    format!(" ({})", pods.iter().map(u32::to_string).collect::<Vec<_>>().join("+"))
}

fn passes_when(plan: &Plan, step: &Step) -> String {
    let rules = &plan.rules;
    let within = format!("within {}", clock(rules.progress_deadline));
    let mut words = match step.kind {
        StepKind::Scale | StepKind::WaitReady => format!("all ready {within}"),
        StepKind::HealthCheck => format!("{} good in a row", rules.healthy_in_a_row),
        _ if step.gates.contains(&Gate::Verdict) => rules.limits.iter().map(Limit::words).collect::<Vec<_>>().join(", "),
        StepKind::SetWeight if legs(plan, step).iter().any(|l| l.route == Route::Pods) => format!("rolled {within}"),
        StepKind::SetWeight | StepKind::Switch => format!("seen {within}"),
        StepKind::Hold => {
            let health = rules.limits.iter().find(|l| matches!(l, Limit::Health(_)));
            format!("{} have passed{}", clock(step.expected), health.map_or_else(String::new, |l| format!(", {}", l.words())))
        }
        StepKind::Adopt => "all pods ready, traffic seen".into(),
        StepKind::Retire if legs(plan, step).iter().all(|l| l.beside.is_some()) => "it is gone".into(),
        StepKind::Retire => format!("{} pods are gone", plan.from()),
    };
    for gate in &step.gates {
        words += match gate {
            Gate::Verdict | Gate::Capacity => "",
            Gate::Lag => ", lag ok",
            Gate::Alerts => ", no alert",
            Gate::Freeze => ", no freeze",
            Gate::Approval => ", approved",
        };
    }
    words
}

fn ways_back(plan: &Plan) -> String {
    let row = |run: BackRun| {
        let (first, last) = (run.first + 1, run.last + 1);
        let steps = if first == last { format!("  in step {first}") } else { format!("  in step {first}-{last}") };
        vec![steps, run.does, format!("{}{}", if run.up_to { "up to " } else { "" }, seconds(run.about))]
    };
    let mut rows: Vec<Vec<String>> = plan.ways_back().into_iter().map(row).collect();
    rows.push(vec!["  left behind".into(), plan.left_behind(), String::new()]);
    table(&rows, &[2])
}

fn words(plan: &Plan, way: &WayBack) -> String {
    let (old, new) = (plan.from(), &plan.to);
    let one = |compensation| match compensation {
        Compensation::Nothing => "nothing to undo".to_owned(),
        Compensation::RemoveNewPods => format!("remove {new} pods"),
        Compensation::WeightZero => "weight 0".into(),
        Compensation::SwitchBack => "switch back".into(),
        Compensation::TemplateBack => format!("{old} template back, pod by pod"),
        Compensation::StartOldPods => format!("start {old} pods"),
        Compensation::OldBeside => format!("start {old} pods beside"),
    };
    match way.moves.is_empty() {
        true => "nothing to undo".into(),
        false => way.moves.iter().map(|m| one(m.compensation)).collect::<Vec<_>>().join(", then "),
    }
}
