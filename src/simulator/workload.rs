//! One simulated workload in one region: its revisions with their pods, who gets the traffic, and what it looks like.
//!
//! Something splits its traffic by weight, so that sets of pods can stand side by side; while a rolling update changes it pod
//! by pod, ready pods share the traffic instead. A set that has all traffic while nothing else is left *is* the workload from
//! then on. Known weakness: a split replaces a rolling update and the other way round; nothing fights.

mod row;
mod set;

pub(super) use set::Burst;

use super::dice::Dice;
use super::faults::Ill;
use super::layout::{self, ServicePlan, image};
use super::pods::{Habits, Pods};
use super::roll::Roll;
use super::traffic::{Flow, Latency, Meets};
use super::write::Write;
use crate::fleet::{Aspect, Counts, Flight, Sample, Workload as Row};
use crate::rollout::Want;
use crate::units::{Percent, Person, Revision, Service, Span, Time, Version, WorkloadId};
use set::Set;

/// The controller works on this grid.
pub(super) const TICK: Span = Span(100);
/// The controller's own deadline.
const DEADLINE: Span = Span::mins(10);
/// A version that ran alone and well for so long was seen healthy.
const HEALTHY_AFTER: Span = Span::mins(10);
/// Older revisions that are kept to go back to.
const KEPT: usize = 5;

/// The first tick at or after a time.
pub(super) fn grid(time: Time) -> Time {
    Time(time.0 + (-time.0).rem_euclid(TICK.0 as i64))
}

/// One workload.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub id: WorkloadId,
    pub region: usize,
    pub service: usize,
    service_name: Service,
    seed: u64,
    dice: Dice,
    /// Newest template first.
    sets: Vec<Set>,
    versions: Vec<Version>,
    /// Pods of a rolling update.
    replicas: u32,
    /// The revision that it rolls to, or that was given all traffic last.
    template: Revision,
    /// The revision that was alone last.
    stable: Revision,
    changed: Time,
    changed_by: Option<Person>,
    roll: Option<Roll>,
    rolling: (u32, u32),
    flight: Option<Flight>,
    /// Whether traffic flows by pods, and when what is asked for takes effect.
    by_pods: bool,
    flows_at: Option<Time>,
    start: Span,
    min_ready: Span,
    drains: bool,
    /// Requests per second at the middle of the day's wave, and now.
    base_rate: f64,
    rate: f64,
    pod_rate: f64,
    errors: f64,
    latency: Latency,
    /// A burst that hits all versions of the service.
    pub shared_burst: bool,
    flowed: Time,
    counted: Time,
    progress: Time,
    /// Since when one revision is alone.
    alone_since: Option<Time>,
    pub metrics: bool,
    pub closely: bool,
    /// When it has to be looked at next.
    pub wake: Time,
    /// Whether its row may have changed.
    pub touched: bool,
    told: Option<Row>,
}

impl Workload {
    /// A workload that has run its version for days.
    pub fn new(seed: u64, layout: &layout::Layout, region: usize, service: usize) -> Option<Workload> {
        let (place, plan, from) = (layout.regions.get(region)?, layout.services.get(service)?, layout.begins());
        let replicas = *plan.pods.get(region)?;
        let load = |r: &layout::RegionPlan, pods: &u32| plan.requests * r.users.share() / f64::from((*pods).max(1));
        let busiest = layout.regions.iter().zip(&plan.pods).map(|(r, p)| load(r, p)).fold(0.0, f64::max);
        let base_rate = plan.requests * place.users.share();
        let quarter = replicas.div_ceil(4).max(1);
        let mut it = Workload {
            id: WorkloadId {
                region: place.name.clone(),
                namespace: layout::NAMESPACE.into(),
                kind: "Deployment".into(),
                name: plan.name.clone(),
            },
            region,
            service,
            service_name: plan.service(),
            seed,
            dice: Dice::new(seed, &[place.name.as_str(), &plan.name]),
            sets: Vec::new(),
            versions: plan.versions(),
            replicas,
            template: ServicePlan::revision(plan.runs),
            stable: ServicePlan::revision(plan.runs),
            changed: from - Span::mins(6 * 24 * 60),
            changed_by: None,
            roll: None,
            rolling: (quarter, replicas / 4),
            flight: None,
            by_pods: false,
            flows_at: None,
            start: plan.start,
            min_ready: Span::ZERO,
            drains: plan.drains,
            base_rate,
            rate: base_rate * super::traffic::wave(from),
            // At the middle of the wave the busiest region's pods are a bit more than half loaded.
            pod_rate: 1.8 * busiest,
            errors: plan.errors,
            latency: Latency::new(plan.median, plan.p99),
            shared_burst: false,
            flowed: from,
            counted: from,
            progress: from,
            alone_since: None,
            metrics: true,
            closely: false,
            wake: from,
            touched: true,
            told: None,
        };
        for (number, age, pods) in [(plan.runs.saturating_sub(1), 20, 0), (plan.runs, 6, replicas)] {
            let version = ServicePlan::version(number);
            it.set(&ServicePlan::revision(number), &version, &plan.image(&version), from - Span::mins(age * 24 * 60), Vec::new());
            if let Some(set) = it.sets.first_mut() {
                (set.seen_healthy, set.want) = (true, pods);
                set.pods.add_ready(pods, from);
            }
        }
        for set in it.sets.iter_mut().filter(|s| s.want > 0) {
            (set.asked, set.flows) = (Percent::ALL, Percent::ALL);
        }
        it.control(from);
        Some(it)
    }

    /// Makes a set without pods for a revision that has none. `ills` are what is wrong with that version.
    fn set(&mut self, revision: &Revision, version: &Version, image: &str, now: Time, ills: Vec<Ill>) {
        if self.has(revision) {
            return;
        }
        let name = |what| [what, self.id.region.as_str(), &self.id.name, revision.as_str()];
        let mut nature = Dice::new(self.seed, &["nature", &self.id.name, revision.as_str()]);
        let nature = (nature.between(0.95, 1.12), nature.between(0.99, 1.04));
        let exists = self.versions.iter().any(|v| v == version) && image == layout::image(&self.id.name, version);
        let set = Set {
            revision: revision.clone(),
            version: version.clone(),
            image: image.into(),
            created: now,
            seen_healthy: false,
            want: 0,
            pods: Pods::new(Dice::new(self.seed, &name("pods"))),
            asked: Percent::ZERO,
            flows: Percent::ZERO,
            share: 0.0,
            flow: Flow::new(Dice::new(self.seed, &name("traffic"))),
            burst: Burst::new(Dice::new(self.seed, &name("burst")), now, Span::secs(8), Span::secs(300)),
            nature,
            ills,
            exists,
        };
        self.sets.insert(0, set);
        // Old revisions that nothing needs are forgotten, as by revisionHistoryLimit.
        while self.sets.len() > KEPT {
            let idle = |s: &Set| s.gone() && s.revision != self.template && s.revision != self.stable;
            let Some(oldest) = self.sets.iter().rposition(idle).filter(|at| *at > 0) else { break };
            self.sets.remove(oldest);
        }
    }

    fn has(&self, revision: &Revision) -> bool {
        self.sets.iter().any(|s| s.revision == *revision)
    }

    fn habits(&self, set: &Set) -> Habits {
        let no_image = match (set.is(&Ill::BadImage), set.exists) {
            (true, _) => Some("image pull denied (403)"),
            (false, false) => Some("image not found"),
            (false, true) => None,
        };
        let crash_loop = set.is(&Ill::CrashLoop);
        Habits { start: self.start, min_ready: self.min_ready, drains: self.drains, no_image, crash_loop }
    }

    // What others do to it.

    /// Carries out a write. The fence has let it pass.
    pub fn apply(&mut self, write: &Write, ills: Vec<Ill>, now: Time) {
        self.flow(now);
        self.flight = Some(write.flight());
        let side = if write.aspect == Aspect::OldReplicas { &write.old } else { &write.new };
        if !self.has(&write.new) && write.aspect != Aspect::OldReplicas {
            self.set(&write.new, &write.version, &write.image, now, ills);
            (self.changed, self.changed_by) = (now, Some(Person::new("flightdeck")));
        }
        if !self.has(&write.old) {
            let version = Version::new(write.old.as_str());
            self.set(&write.old, &version, &image(&self.id.name, &version), now, Vec::new());
        }
        match &write.want {
            Want::Weight { new } => {
                self.stop_rolling(now);
                self.split(&[(&write.new, *new), (&write.old, new.rest())], "flightdeck", now);
            }
            Want::Replicas { pods } => {
                self.stop_rolling(now);
                if let Some(set) = self.sets.iter_mut().find(|s| s.revision == *side) {
                    set.want = *pods;
                }
            }
            // Both sides stand by themselves here: no plan asks for it.
            Want::Home { .. } => {}
            Want::Roll { forward, share, surge, unavailable, paused } => {
                let target = if *forward { &write.new } else { &write.old };
                let roll = Roll { target: target.clone(), share: *share, surge: *surge, unavailable: *unavailable, paused: *paused };
                self.begin_rolling(roll, "flightdeck", Span::ZERO, now);
            }
        }
        self.moved(now);
    }

    /// Somebody changes the image; the workload's own controller rolls it out.
    pub fn set_image(&mut self, version: &Version, by: &str, pace: Span, ills: Vec<Ill>, now: Time) {
        self.flow(now);
        let revision = Revision::new(version.as_str());
        self.set(&revision, version, &image(&self.id.name, version), now, ills);
        let roll = Roll { target: revision, share: Percent::ALL, surge: 1, unavailable: 0, paused: false };
        self.begin_rolling(roll, by, pace, now);
        self.moved(now);
    }

    /// Somebody scales down a version to this share of its pods.
    pub fn shrink(&mut self, version: &Version, left: Percent, now: Time) {
        self.flow(now);
        if let Some(set) = self.sets.iter_mut().find(|s| s.version == *version) {
            set.want = left.of_rounded_up(set.want);
        }
        self.moved(now);
    }

    /// Something is wrong with a version from now on, or no longer.
    pub fn set_ills(&mut self, version: &Version, ills: Vec<Ill>, now: Time) {
        self.flow(now);
        if let Some(set) = self.sets.iter_mut().find(|s| s.version == *version) {
            if ills.contains(&Ill::CrashLoop) && !set.is(&Ill::CrashLoop) {
                set.pods.strike(now);
            }
            set.ills = ills;
        }
        self.moved(now);
    }

    fn moved(&mut self, now: Time) {
        self.touched = true;
        self.progress = now;
        self.control(now);
    }

    fn begin_rolling(&mut self, roll: Roll, by: &str, pace: Span, now: Time) {
        if self.roll.is_none() {
            self.replicas = self.sets.iter().map(|s| s.want).max().unwrap_or_default();
            self.sets.iter_mut().for_each(|s| s.asked = Percent::ZERO);
            self.route_later(now);
        }
        self.min_ready = pace;
        self.rolling = (roll.surge, roll.unavailable);
        self.change(&roll.target.clone(), by, now);
        self.roll = Some(roll);
    }

    /// What runs is what is wanted from here on, and the stable revision gets the traffic until somebody asks for a share.
    fn stop_rolling(&mut self, now: Time) {
        if self.roll.take().is_some() {
            self.sets.iter_mut().for_each(|s| s.want = s.pods.len());
            let stable = self.stable.clone();
            self.split(&[(&stable, Percent::ALL)], "flightdeck", now);
        }
    }

    fn split(&mut self, shares: &[(&Revision, Percent)], by: &str, now: Time) {
        let share = |r: &Revision| shares.iter().find(|(of, _)| *of == r).map_or(Percent::ZERO, |(_, p)| *p);
        if self.sets.iter().any(|s| s.asked != share(&s.revision)) {
            self.route_later(now);
        }
        self.sets.iter_mut().for_each(|s| s.asked = share(&s.revision));
        if let Some((all, _)) = shares.iter().find(|(_, p)| *p == Percent::ALL) {
            self.change(all, by, now);
        }
    }

    fn change(&mut self, template: &Revision, by: &str, now: Time) {
        if self.template != *template {
            self.template = template.clone();
            (self.changed, self.changed_by) = (now, Some(Person::new(by)));
        }
    }

    /// What is asked for takes effect a little later, as in a proxy.
    fn route_later(&mut self, now: Time) {
        self.flows_at = Some(grid(now + self.dice.span(Span(100), Span(500))));
    }

    // What it does by itself.

    /// Lets everything happen that is due, and says in `wake` when to look again.
    pub fn control(&mut self, now: Time) {
        self.flow(now);
        if self.flows_at.is_some_and(|at| at <= now) {
            self.flows_at = None;
            self.by_pods = self.roll.is_some();
            self.sets.iter_mut().for_each(|s| s.flows = s.asked);
        }
        let mut changed = false;
        for at in 0..self.sets.len() {
            let habits = self.habits(&self.sets[at]);
            changed |= self.sets[at].pods.turn(now, &habits);
            self.sets[at].burst.turn(now);
        }
        changed |= self.drive(now);
        changed |= self.settle(now);
        if changed {
            self.touched = true;
            self.progress = now;
        }
        self.shares();
        self.wake = self.next(now, changed);
        if self.is_late(now) {
            self.touched = true;
        }
    }

    fn drive(&mut self, now: Time) -> bool {
        let all: Vec<Habits> = self.sets.iter().map(|s| self.habits(s)).collect();
        let sets = self.sets.iter_mut().zip(all);
        let Some(roll) = &self.roll else {
            let mut changed = false;
            for (set, habits) in sets {
                let (have, want) = (set.pods.len(), set.want);
                if have < want {
                    set.pods.start(want - have, now, &habits);
                } else if have > want {
                    let gone = set.pods.remove_unready(have - want);
                    set.pods.remove_ready(have - want - gone, now, &habits);
                }
                changed |= have != want;
            }
            return changed;
        };
        let (mut target, mut others) = (None, Vec::new());
        for (set, habits) in sets {
            if set.revision == roll.target { target = Some((&mut set.pods, habits)) } else { others.push((&mut set.pods, habits)) }
        }
        target.is_some_and(|(pods, habits)| roll.pass(self.replicas, (pods, &habits), &mut others, now))
    }

    /// When an update is done, or one side has everything and nothing else is left, that revision is the workload.
    fn settle(&mut self, now: Time) -> bool {
        if let Some(alone) = self.alone_since
            && now.since(alone) >= HEALTHY_AFTER
            && let Some(set) = self.sets.iter_mut().find(|s| s.revision == self.stable)
        {
            self.alone_since = None;
            set.seen_healthy |= set.ills.is_empty();
            self.touched = true;
        }
        let Some(roll) = &self.roll else {
            let gone = |but: &Set| self.sets.iter().all(|s| s.revision == but.revision || s.gone());
            let all = self.sets.iter().find(|s| s.asked == Percent::ALL && s.revision != self.stable);
            let Some(alone) = all.filter(|s| self.flows_at.is_none() && gone(s)) else { return false };
            (self.stable, self.alone_since) = (alone.revision.clone(), Some(now));
            return true;
        };
        let target = self.sets.iter().find(|s| s.revision == roll.target);
        let available = target.map_or(0, |s| s.pods.available(now, &self.habits(s)));
        let others = self.sets.iter().filter(|s| s.revision != roll.target).map(|s| s.pods.len()).sum::<u32>();
        if roll.share < Percent::ALL || available < self.replicas || others > 0 {
            return false;
        }
        let target = roll.target.clone();
        for set in &mut self.sets {
            set.want = if set.revision == target { self.replicas } else { 0 };
        }
        if self.stable != target {
            (self.stable, self.alone_since) = (target.clone(), Some(now));
        }
        (self.roll, self.min_ready) = (None, Span::ZERO);
        self.split(&[(&target, Percent::ALL)], "flightdeck", now);
        true
    }

    fn shares(&mut self) {
        let targets: u32 = self.sets.iter().map(Set::targets).sum();
        for set in &mut self.sets {
            set.share = if !self.by_pods {
                set.flows.share()
            } else if targets > 0 {
                f64::from(set.targets()) / f64::from(targets)
            } else if set.revision == self.template {
                1.0
            } else {
                0.0
            };
        }
    }

    /// The time until which it may be left alone.
    fn next(&self, now: Time, changed: bool) -> Time {
        let busy = |s: &Set| s.flow.queues() || self.rate * s.share > self.capacity(s);
        if changed || self.sets.iter().any(busy) {
            return grid(now + Span(1));
        }
        let sets = self.sets.iter().flat_map(|s| [s.pods.next(now, &self.habits(s)), (s.share > 0.0).then_some(s.burst.until)]);
        let late = (!self.is_late(now) && self.in_motion()).then(|| self.progress + DEADLINE);
        let healthy = self.alone_since.map(|at| at + HEALTHY_AFTER);
        let first = sets.chain([self.flows_at, late, healthy]).flatten().min();
        first.map_or(Time(i64::MAX), |at| grid(at.max(now + Span(1))))
    }

    // Its traffic.

    fn capacity(&self, set: &Set) -> f64 {
        f64::from(set.pods.ready()) * self.pod_rate
    }

    /// Lets the traffic run up to now, with everything as it was.
    pub fn flow(&mut self, now: Time) {
        let time = now.since(self.flowed);
        if time == Span::ZERO {
            return;
        }
        self.flowed = now;
        for at in 0..self.sets.len() {
            let set = &self.sets[at];
            if set.share <= 0.0 && !set.flow.queues() {
                continue;
            }
            let shared = if self.shared_burst { 2.5 } else { 1.0 };
            let own = if set.burst.on { 2.0 } else { 1.0 };
            let (ready, holes) = (f64::from(set.pods.ready()), f64::from(set.pods.holes()));
            let meets = Meets {
                arriving: self.rate * set.share,
                capacity: ready * self.pod_rate,
                lost: if holes > 0.0 { holes / (ready + holes) } else { 0.0 },
                errors: (self.errors * set.nature.0 * shared * own + set.errors()).min(1.0),
                slow: set.nature.1 * set.slow(),
            };
            self.sets[at].flow.run(time, &meets);
        }
    }

    /// Follows the day's wave.
    pub fn set_wave(&mut self, wave: f64) {
        self.rate = self.base_rate * wave;
    }

    /// Counts the interval since the last count.
    pub fn count(&mut self, now: Time) -> Sample {
        self.flow(now);
        let span = now.since(self.counted);
        self.counted = now;
        let measured = |s: &&mut Set| s.share > 0.0 || s.pods.len() > 0 || !s.flow.is_idle();
        let counts: Vec<(Revision, Counts)> =
            self.sets.iter_mut().filter(measured).map(|s| (s.revision.clone(), s.flow.count(&self.latency))).collect();
        Sample { workload: self.id.clone(), at: now, span, counts }
    }
}
