//! The fleet in a box: its clock, what is due when, and what is told.
//!
//! Time only moves in `poll`, from one thing that is due to the next and never past the caller's `now`; whatever reaches the
//! fleet is put in line with its time. So how often it is asked changes nothing. Known weakness: facts of one step come in
//! the order of the steps below, not of their milliseconds.

mod calls;

use super::dice::Dice;
use super::faults::{Fault, Ill, Incident, When};
use super::lag::Lag;
use super::layout::{Layout, NAMESPACE, START, ServicePlan};
use super::traffic::wave;
use super::workload::{Burst, Workload, grid};
use super::write::Write;
use crate::fleet::{Fact, Rights, Role, Side};
use crate::rollout::Ask;
use crate::units::{Kind, Percent, Place, Region, Revision, Span, Time, Trouble, Version, WorkloadId};
use calls::{Call, Stage};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// A region that says nothing for so long is lost, and then asked again as often.
const SILENCE: Span = Span::secs(3);
const ASK_AGAIN: Span = Span::secs(5);
/// How often requests are counted: before the fleet opens, usually, and where a leg is watched closely.
const COUNT_PAST: i64 = 5000;
const COUNT: i64 = 1000;
const COUNT_CLOSELY: i64 = 500;
/// How often lag is told.
const TELL_LAG: i64 = 10_000;

/// One region as it is, and as it is heard.
#[derive(Clone, Debug)]
struct Site {
    name: Region,
    dice: Dice,
    /// It does not answer, since then.
    silent: Option<Time>,
    /// It was told to be lost.
    lost: bool,
    /// When its connection is looked at next.
    look: Option<Time>,
    slow: Span,
    failing: Percent,
}

impl Site {
    /// Whether what happens there is heard.
    fn is_heard(&self) -> bool {
        self.silent.is_none() && !self.lost
    }
}

/// A health question that is open.
#[derive(Clone, Debug)]
struct Visit {
    workload: usize,
    revision: Revision,
    path: String,
    at: Time,
}

/// What is wrong with a version of a workload.
#[derive(Clone, Debug)]
struct Illness {
    workload: usize,
    version: Version,
    ill: Ill,
}

type Questions = Vec<(WorkloadId, Ask)>;

/// A simulated fleet.
#[derive(Clone, Debug)]
pub struct Fleet {
    layout: Layout,
    clock: Time,
    sites: Vec<Site>,
    workloads: Vec<Workload>,
    /// Bursts of errors that hit all versions of a service.
    bursts: Vec<Burst>,
    lags: Vec<Lag>,
    visits_dice: Dice,
    /// When requests are counted next.
    mark: Time,
    /// Incidents to come, and when those under way end.
    to_come: Vec<Incident>,
    under_way: Vec<(Time, Incident)>,
    illnesses: Vec<Illness>,
    calls: Vec<Call>,
    nth_call: u64,
    asked: VecDeque<(Time, Questions)>,
    open: Questions,
    visits: Vec<Visit>,
    facts: VecDeque<Fact>,
}

impl Fleet {
    /// A fleet of this layout where these incidents happen. Its clock begins `layout.warm_up` before `START`.
    pub fn new(seed: u64, layout: Layout, incidents: Vec<Incident>) -> Fleet {
        let from = layout.begins();
        let site = |name: &Region| Site {
            name: name.clone(),
            dice: Dice::new(seed, &["writes", name.as_str()]),
            silent: None,
            lost: false,
            look: None,
            slow: Span::ZERO,
            failing: Percent::ZERO,
        };
        let pairs = (0..layout.regions.len()).flat_map(|r| (0..layout.services.len()).map(move |s| (r, s)));
        let burst = |s: &ServicePlan| Burst::new(Dice::new(seed, &["burst", &s.name]), from, Span::secs(12), Span::secs(240));
        let replicas = layout.regions.iter().enumerate().filter(|(_, r)| r.role == Role::Replica);
        let mut it = Fleet {
            clock: from,
            sites: layout.regions.iter().map(|r| site(&r.name)).collect(),
            workloads: pairs.filter_map(|(r, s)| Workload::new(seed, &layout, r, s)).collect(),
            bursts: layout.services.iter().map(burst).collect(),
            lags: replicas.flat_map(|(at, r)| Lag::all(seed, at, &r.name)).collect(),
            visits_dice: Dice::new(seed, &["health"]),
            mark: from,
            to_come: incidents,
            under_way: Vec::new(),
            illnesses: Vec::new(),
            calls: Vec::new(),
            nth_call: 0,
            asked: VecDeque::new(),
            open: Vec::new(),
            visits: Vec::new(),
            facts: VecDeque::new(),
            layout,
        };
        it.mark = it.next_mark();
        for at in 0..it.sites.len() {
            it.tell_connected(at);
        }
        it.tell_rows();
        for service in &it.layout.services {
            it.facts.push_back(Fact::VersionsSeen { service: service.service(), versions: service.versions() });
        }
        it.facts.extend(it.lags.iter_mut().map(Lag::step));
        it
    }

    /// What it consists of.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Sends a write. A newer one for the same workload and aspect replaces an older one that has not landed.
    pub fn write(&mut self, now: Time, write: Write) {
        let due = now.max(self.clock);
        let Some(workload) = self.place(&write.workload) else {
            let name = write.workload.to_string();
            let trouble = Trouble::new(Kind::Usage, Place::named(name), "no such workload", "look at its name and region");
            self.tell_failed(&write, trouble, None);
            return;
        };
        self.nth_call += 1;
        self.calls.push(Call { due, nth: self.nth_call, sent: due, workload, stage: Stage::Leaves, write });
    }
    /// The questions that are open now, all of them.
    pub fn ask(&mut self, now: Time, open: &[(WorkloadId, Ask)]) {
        let last = self.asked.back().map_or(&self.open, |(_, questions)| questions);
        if last != open {
            self.asked.push_back((now.max(self.clock), open.to_vec()));
        }
    }
    /// Lets something happen now; its own time, if it names one, does not count.
    pub fn happen(&mut self, now: Time, incident: Incident) {
        self.to_come.push(Incident { when: When::At(now.max(self.clock)), ..incident });
    }
    /// The next fact up to now, if there is one.
    pub fn poll(&mut self, now: Time) -> Option<Fact> {
        loop {
            if let Some(fact) = self.facts.pop_front() {
                return Some(fact);
            }
            let due = self.due();
            if due > now {
                return None;
            }
            self.step(due);
        }
    }
    /// When something is due next.
    pub fn poll_timeout(&self) -> Time {
        if self.facts.is_empty() { self.due() } else { self.clock }
    }
    /// A fingerprint of all of its state, the next random numbers included.
    pub fn digest(&self) -> String {
        format!("{:x}", Sha256::digest(format!("{self:?}")))
    }

    fn place(&self, id: &WorkloadId) -> Option<usize> {
        self.workloads.iter().position(|w| w.id == *id)
    }
    fn due(&self) -> Time {
        let incidents = self.to_come.iter().filter_map(|i| if let When::At(at) = i.when { Some(at) } else { None });
        let first = incidents
            .chain(self.workloads.iter().map(|w| w.wake))
            .chain(self.bursts.iter().map(|b| b.until))
            .chain(self.calls.iter().map(|c| c.due))
            .chain(self.asked.front().map(|(at, _)| *at))
            .chain(self.visits.iter().map(|v| v.at))
            .chain(self.sites.iter().filter_map(|s| s.look))
            .chain(self.under_way.iter().map(|(end, _)| *end))
            .fold(self.mark, Time::min);
        first.max(self.clock)
    }

    fn step(&mut self, now: Time) {
        self.clock = now;
        self.hear_questions(now);
        self.carry_calls(now);
        self.begin_incidents(now);
        self.look_at_sites(now);
        for (service, burst) in self.bursts.iter_mut().enumerate() {
            if burst.turn(now) {
                for workload in self.workloads.iter_mut().filter(|w| w.service == service) {
                    workload.flow(now);
                    workload.shared_burst = burst.on;
                }
            }
        }
        for workload in self.workloads.iter_mut().filter(|w| w.wake <= now) {
            workload.control(now);
        }
        if now == self.mark {
            self.count(now);
            self.mark = self.next_mark();
        }
        self.watch_shares(now);
        self.tell_rows();
        self.make_visits(now);
    }

    // Questions.

    fn hear_questions(&mut self, now: Time) {
        while let Some((_, open)) = self.asked.pop_front_if(|(at, _)| *at <= now) {
            self.workloads.iter_mut().for_each(|w| w.closely = false);
            let mut visits = std::mem::take(&mut self.visits);
            for (id, ask) in &open {
                let Some(workload) = self.place(id) else { continue };
                match ask {
                    Ask::Closely { .. } => self.workloads[workload].closely = true,
                    Ask::Health { revision: None, .. } => {}
                    Ask::Health { revision: Some(revision), path, .. } => {
                        let known = visits.iter().position(|v| (v.workload, &v.revision, &v.path) == (workload, revision, path));
                        let visit = known.map(|at| visits.swap_remove(at)).unwrap_or_else(|| {
                            let at = grid(now + self.visits_dice.span(Span(300), Span(900)));
                            Visit { workload, revision: revision.clone(), path: path.clone(), at }
                        });
                        self.visits.push(visit);
                    }
                }
            }
            self.open = open;
            self.mark = self.next_mark();
        }
    }
    fn make_visits(&mut self, now: Time) {
        for visit in self.visits.iter_mut().filter(|v| v.at <= now) {
            visit.at = grid(now + self.visits_dice.span(Span(2000), Span(3000)));
            let workload = &self.workloads[visit.workload];
            if !self.sites[workload.region].is_heard() {
                continue;
            }
            let Some((well, ill, why)) = workload.health(&visit.revision, &visit.path) else { continue };
            let (workload, revision) = (workload.id.clone(), visit.revision.clone());
            self.facts.push_back(Fact::HealthSeen { workload, revision, at: now, well, ill, why });
        }
    }

    // Incidents.

    fn begin_incidents(&mut self, now: Time) {
        let ended = self.under_way.extract_if(.., |(end, _)| *end <= now).map(|(_, incident)| incident);
        for incident in ended.collect::<Vec<_>>() {
            self.set(&incident, false, now);
        }
        let due = self.to_come.extract_if(.., |i| matches!(i.when, When::At(at) if at <= now));
        for incident in due.collect::<Vec<_>>() {
            self.set(&incident, true, now);
            if let Some(lasts) = incident.lasts {
                self.under_way.push((grid(now + lasts), incident));
            }
        }
    }

    /// Lets an incident begin, or end.
    fn set(&mut self, incident: &Incident, begins: bool, now: Time) {
        match &incident.fault {
            Fault::Ill { service, side, ill } => self.set_ill(incident, (service, *side), Some(*ill), begins, now),
            Fault::Healed { service, side } => self.set_ill(incident, (service, *side), None, false, now),
            Fault::OldPods { service, left } => {
                let Some(old) = self.layout.service(service).map(|plan| ServicePlan::version(plan.runs)) else { return };
                self.at(incident, Some(service)).for_each(|(_, w)| w.shrink(&old, *left, now));
            }
            Fault::NoMetrics { service } => {
                self.at(incident, service.as_deref()).for_each(|(_, w)| w.metrics = !begins);
            }
            Fault::SetImage { service, version, by, pace } => {
                let known = self.illnesses.clone();
                self.at(incident, Some(service)).for_each(|(at, w)| w.set_image(version, by, *pace, ills(&known, at, version), now));
            }
            Fault::LostRegion | Fault::SlowWrites { .. } | Fault::FailingWrites { .. } => {
                for site in self.sites.iter_mut().filter(|s| incident.is_in(&s.name)) {
                    match incident.fault {
                        Fault::SlowWrites { takes } => site.slow = if begins { takes } else { Span::ZERO },
                        Fault::FailingWrites { share } => site.failing = if begins { share } else { Percent::ZERO },
                        _ => {
                            site.silent = begins.then_some(now);
                            site.look = site.look.or(Some(now + SILENCE));
                        }
                    }
                }
            }
        }
    }
    /// The workloads of a service, or all, where an incident happens.
    fn at(&mut self, incident: &Incident, service: Option<&str>) -> impl Iterator<Item = (usize, &mut Workload)> {
        let fits = move |w: &Workload| service.is_none_or(|s| *w.id.name == *s) && incident.is_in(&w.id.region);
        self.workloads.iter_mut().enumerate().filter(move |(_, w)| fits(w))
    }
    fn set_ill(&mut self, incident: &Incident, (service, side): (&str, Side), ill: Option<Ill>, begins: bool, now: Time) {
        let Some(plan) = self.layout.service(service) else { return };
        let version = ServicePlan::version(if side == Side::New { plan.runs + 1 } else { plan.runs });
        let places: Vec<usize> = self.at(incident, Some(service)).map(|(at, _)| at).collect();
        for workload in places {
            let this = |i: &Illness| i.workload == workload && i.version == version && ill.is_none_or(|ill| i.ill == ill);
            self.illnesses.retain(|i| !this(i));
            if let (Some(ill), true) = (ill, begins) {
                self.illnesses.push(Illness { workload, version: version.clone(), ill });
            }
            let ills = ills(&self.illnesses, workload, &version);
            self.workloads[workload].set_ills(&version, ills, now);
        }
    }
    /// Incidents that wait for a share, and see it.
    fn watch_shares(&mut self, now: Time) {
        for incident in &mut self.to_come {
            let When::Share { service, weight, after } = &incident.when else { continue };
            let reached = |w: &&Workload| w.id.name == *service && w.new_share() + 1e-9 >= weight.share();
            let places = incident.regions.as_slice();
            let here = |w: &&Workload| places.is_empty() || places.contains(&w.id.region);
            if self.workloads.iter().filter(here).any(|w| reached(&w)) {
                incident.when = When::At(grid(now + Span(1) + *after));
            }
        }
    }

    // Connections, counts and rows.

    fn look_at_sites(&mut self, now: Time) {
        for at in 0..self.sites.len() {
            let site = &mut self.sites[at];
            if site.look.is_none_or(|look| look > now) {
                continue;
            }
            site.look = None;
            match (site.silent, site.lost) {
                (Some(since), _) => {
                    let again = now + ASK_AGAIN;
                    (site.lost, site.look) = (true, Some(again));
                    let region = site.name.clone();
                    let trouble =
                        Trouble::new(Kind::OutOfReach, Place::named(region.as_str()), "does not answer", "it is asked again by itself");
                    self.facts.push_back(Fact::ConnectionLost { region, since, trouble, again });
                }
                (None, true) => {
                    site.lost = false;
                    self.tell_connected(at);
                }
                (None, false) => {}
            }
        }
    }
    fn tell_connected(&mut self, at: usize) {
        let region = self.sites[at].name.clone();
        let rights = Rights { user: Some("you".into()), denied: Vec::new() };
        self.facts.push_back(Fact::Connected { region: region.clone(), server: format!("simulated {region}") });
        self.facts.push_back(Fact::RightsSeen { region, namespace: NAMESPACE.into(), rights });
        self.workloads.iter_mut().filter(|w| w.region == at).for_each(Workload::forget);
    }

    /// The next time at which requests are counted.
    fn next_mark(&self) -> Time {
        let closely = self.workloads.iter().any(|w| w.closely);
        let every = if self.clock < START {
            COUNT_PAST
        } else if closely {
            COUNT_CLOSELY
        } else {
            COUNT
        };
        Time((self.clock.0.div_euclid(every) + 1) * every)
    }
    fn count(&mut self, now: Time) {
        let whole = now.0.rem_euclid(COUNT) == 0;
        let wave = wave(now);
        for workload in self.workloads.iter_mut().filter(|w| whole || w.closely) {
            let sample = workload.count(now);
            if workload.metrics && self.sites[workload.region].is_heard() {
                self.facts.push_back(Fact::Sampled(sample));
            }
            workload.set_wave(wave);
        }
        let heard = self.sites.iter().filter(|s| whole && s.is_heard());
        self.facts.extend(heard.map(|s| Fact::Heard { region: s.name.clone(), at: now }));
        if now.0.rem_euclid(TELL_LAG) == 0 {
            for lag in &mut self.lags {
                let fact = lag.step();
                if self.sites[lag.region].is_heard() {
                    self.facts.push_back(fact);
                }
            }
        }
    }
    fn tell_rows(&mut self) {
        for workload in self.workloads.iter_mut().filter(|w| w.touched) {
            if self.sites[workload.region].is_heard()
                && let Some(row) = workload.news(self.clock)
            {
                self.facts.push_back(Fact::WorkloadSeen(Box::new(row)));
            }
        }
    }
}

fn ills(known: &[Illness], workload: usize, version: &Version) -> Vec<Ill> {
    known.iter().filter(|i| i.workload == workload && i.version == *version).map(|i| i.ill).collect()
}
