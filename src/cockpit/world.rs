//! The world: what is known, what is flown, and the one loop over it. `step` never waits.

use super::evidence::Evidence;
use super::fold::{RegionFold, Row};
use super::line::Line;
use super::shared::{Paper, Shared};
use super::snapshot::{Note, Sign};
use super::track::Track;
use crate::fleet::{Divides, Protection, Role, Way};
use crate::journal::{Chain, HELD, Seen, SeenHealthy, Store};
use crate::platform::{Judged, Order, Platform, Question};
use crate::rollout::{Event, Input, Phase, RECENT, Rollout, Verb, Want, Wish, WishKey, watch};
use crate::strategy::{Plan, PlanLeg, StrategyKind};
use crate::units::{Kind, LegId, Percent, Person, Place, Region, RolloutId, Service, Span, Time, Trouble, Version, WorkloadId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Lines of news kept, of the fleet and of each rollout.
pub(super) const MOST_NOTES: usize = 200;
/// Ended rollouts kept in memory; the oldest goes first.
const MOST_ENDED: usize = 20;
/// A rollback's wish that is not met by then is sent again.
const AGAIN: Span = Span::secs(5);

/// One region of a fleet.
#[derive(Clone, Debug)]
pub struct RegionSpec {
    /// Its name.
    pub name: Region,
    /// What it is for, where somebody said so.
    pub role: Option<Role>,
}

/// A fleet as configured.
#[derive(Clone, Debug)]
pub struct FleetSpec {
    /// Its name.
    pub name: Arc<str>,
    /// On the simulator.
    pub practice: bool,
    /// Whether launching needs arming.
    pub protection: Protection,
    /// Nothing may be changed from here.
    pub readonly: bool,
    /// How long `R` waits, in hand time.
    pub grace: Span,
    /// Its regions, in order.
    pub regions: Vec<RegionSpec>,
}

/// What a person wants, bound to its rollout when the key was pressed.
#[derive(Clone, Debug)]
pub enum Intent {
    /// A new rollout.
    Launch {
        /// The compiled plan.
        plan: Arc<Plan>,
        /// Why, as typed.
        reason: Option<String>,
    },
    /// A verb on a rollout.
    Press {
        /// Which.
        rollout: RolloutId,
        /// What.
        verb: Verb,
        /// Why, as typed.
        reason: Option<String>,
    },
    /// No forward step anywhere in this fleet.
    StopLine,
    /// What the stopped line holds goes on.
    ResumeLine,
}

/// A rollout that is flown from here.
pub(super) struct Flown {
    pub engine: Rollout,
    /// Somebody else drives it: it is shown from his log, and decides and writes nothing here.
    pub follows: bool,
    /// Its log's lines, where those are known.
    pub paper: Option<Paper>,
    /// Branches of its log that do not lead, and copies that do not hold, in words.
    pub branches: Vec<String>,
    pub faults: Vec<String>,
    /// What was sent last for each key, and when.
    pub sent: BTreeMap<WishKey, (Wish, Time)>,
    pub evidence: BTreeMap<LegId, Evidence>,
    pub notes: VecDeque<Note>,
    /// The share asked for, each time it changed.
    pub wants: VecDeque<(Time, Percent)>,
    /// Events not handed to a program yet (`deploy --json`).
    pub fresh: VecDeque<Event>,
}

impl Flown {
    pub(super) fn new(engine: Rollout) -> Flown {
        Flown {
            engine,
            follows: false,
            paper: None,
            branches: Vec::new(),
            faults: Vec::new(),
            sent: BTreeMap::new(),
            evidence: BTreeMap::new(),
            notes: VecDeque::new(),
            wants: VecDeque::new(),
            fresh: VecDeque::new(),
        }
    }

    pub(super) fn note(&mut self, at: Time, sign: Sign, subject: &str, text: &str, aside: &str) {
        let rollout = Some(self.engine.id().clone());
        let note = Note { at, sign, subject: subject.into(), text: text.into(), aside: aside.into(), rollout };
        self.notes.push_front(note);
        self.notes.truncate(MOST_NOTES);
    }
}

/// Everything that one flightdeck knows and drives.
pub struct World {
    pub(super) spec: FleetSpec,
    pub(super) platform: Box<dyn Platform>,
    pub(super) store: Box<dyn Store>,
    healthy: Option<SeenHealthy>,
    ids: Ids,
    pub(super) now: Time,
    pub(super) regions: BTreeMap<Region, RegionFold>,
    pub(super) rows: BTreeMap<WorkloadId, Row>,
    /// What was counted before a restart, of workloads that were not seen since.
    pub(super) past: BTreeMap<WorkloadId, Track>,
    pub(super) versions: BTreeMap<Service, Vec<Version>>,
    pub(super) lags: BTreeMap<(String, Region), (Span, Span)>,
    pub(super) flown: BTreeMap<RolloutId, Flown>,
    pub(super) watched: BTreeMap<Service, Rollout>,
    pub(super) watch_again: BTreeSet<Service>,
    pub(super) notes: VecDeque<Note>,
    /// While the line is stopped.
    pub(super) line: Option<Line>,
    /// What other flightdecks fly.
    pub(super) shared: Shared,
    /// Rollouts whose logs another flightdeck of this machine had when this one began.
    pub(super) neighbours: BTreeSet<RolloutId>,
    questions: Vec<Question>,
    pub(super) dirty: bool,
    pub(super) picture: Option<Arc<super::Snapshot>>,
}

/// Where ids come from: in practice from the seed and a counter, so that a run repeats.
#[derive(Debug)]
pub struct Ids {
    seed: u64,
    count: u64,
}

impl Ids {
    /// Ids that repeat with the seed.
    pub fn seeded(seed: u64) -> Ids {
        Ids { seed, count: 0 }
    }
    /// Ids that nobody else has.
    pub fn fresh() -> Ids {
        use std::hash::{BuildHasher, RandomState};
        Ids { seed: RandomState::new().hash_one(std::process::id()), count: 0 }
    }
    fn next(&mut self, service: &Service) -> RolloutId {
        self.count += 1;
        // SplitMix64 (Steele, Lea and Flood 2014): neighbours in, strangers out.
        let mut z = self.seed.wrapping_add(self.count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let letters = b"23456789abcdefghjkmnpqrstuvwxyz";
        let tail: String = (0..8).map(|i| letters[(z >> (i * 8)) as usize % letters.len()] as char).collect();
        RolloutId::new(format!("{}-{tail}", service.name))
    }
}

impl World {
    /// A world before its first step. Rollouts in flight in the store's logs go on where they were.
    pub fn new(
        spec: FleetSpec,
        platform: Box<dyn Platform>,
        store: Box<dyn Store>,
        healthy: Option<SeenHealthy>,
        ids: Ids,
        now: Time,
    ) -> World {
        let mut world = World {
            spec,
            platform,
            store,
            healthy,
            ids,
            now,
            regions: BTreeMap::new(),
            rows: BTreeMap::new(),
            past: BTreeMap::new(),
            versions: BTreeMap::new(),
            lags: BTreeMap::new(),
            flown: BTreeMap::new(),
            watched: BTreeMap::new(),
            watch_again: BTreeSet::new(),
            notes: VecDeque::new(),
            line: None,
            shared: Shared::default(),
            neighbours: BTreeSet::new(),
            questions: Vec::new(),
            dirty: true,
            picture: None,
        };
        for region in world.spec.regions.clone() {
            world.region(&region.name);
        }
        world.board_logs();
        world.board_line();
        world
    }

    /// What was in flight when the last flightdeck here ended, and what ended last.
    fn board_logs(&mut self) {
        let known: BTreeSet<Region> = self.spec.regions.iter().map(|r| r.name.clone()).collect();
        for id in self.store.list().unwrap_or_default() {
            let Ok(log) = self.store.read(&id) else { continue };
            let Some(mut engine) = Rollout::replay(id.clone(), &log.events) else { continue };
            if let Some(fault) = &log.fault {
                engine = engine.read_only(fault.trouble(id.as_str()).cause);
            }
            if !engine.plan().legs.iter().all(|l| known.contains(&l.region)) {
                continue;
            }
            let follows = !engine.ended() && !self.boards(&id);
            if !engine.ended() {
                self.recall(&id);
            }
            let mut flown = Flown::new(engine);
            flown.follows = follows;
            if log.fault.is_none() && self.platform.keeps() {
                flown.paper = self.store.text(&id).ok().map(|text| Paper::new(log.chain.clone(), text));
            }
            let from = log.events.len().saturating_sub(MOST_NOTES);
            for event in &log.events[from..] {
                super::news::tell(&mut flown, event);
            }
            self.flown.insert(id, flown);
        }
        self.forget_ended();
    }

    /// Whether a rollout in flight goes on here: not where this flightdeck only looks, or another one has its log.
    fn boards(&mut self, id: &RolloutId) -> bool {
        if self.spec.readonly {
            return false;
        }
        self.store.open(id);
        if self.held_elsewhere(id) {
            self.store.close(id);
            self.neighbours.insert(id.clone());
        }
        !self.neighbours.contains(id)
    }

    /// Whether another flightdeck of this machine still has a log that it had when this one began.
    pub(super) fn neighbour_drives(&mut self, id: &RolloutId) -> bool {
        if self.neighbours.contains(id) {
            self.store.open(id);
            if !self.held_elsewhere(id) {
                self.neighbours.remove(id);
            }
            self.store.close(id);
        }
        self.neighbours.contains(id)
    }

    /// The curves of a rollout that goes on begin where they were.
    fn recall(&mut self, id: &RolloutId) {
        match self.store.seen(id) {
            Ok(all) => all.iter().for_each(|seen| {
                if let Seen::Sample(sample) = seen {
                    self.past.entry(sample.workload.clone()).or_default().recall(sample);
                }
            }),
            Err(trouble) => tracing::warn!(%trouble, "the curves begin anew"),
        }
    }

    fn forget_ended(&mut self) {
        let mut ended: Vec<(Time, RolloutId)> =
            self.flown.iter().filter(|(_, f)| f.engine.ended()).map(|(id, f)| (f.engine.last_at(), id.clone())).collect();
        ended.sort();
        for (_, id) in ended.iter().rev().skip(MOST_ENDED) {
            self.flown.remove(id);
        }
    }

    /// One round: facts in, decisions, wishes out. Synchronous; it never waits.
    pub fn step(&mut self, now: Time) {
        self.wake(now);
        self.now = self.now.max(now);
        while let Some(fact) = self.platform.poll(self.now) {
            self.fold(fact);
        }
        self.watch_others();
        let flying = |f: &Flown| !f.follows && !f.engine.ended();
        let ids: Vec<RolloutId> = self.flown.iter().filter(|(_, f)| flying(f)).map(|(id, _)| id.clone()).collect();
        for id in &ids {
            // Who may not drive judges nothing either.
            if self.flown.get(id).is_some_and(|f| self.driven_elsewhere(&f.engine).is_none()) {
                self.check(id);
            }
            self.decide_on(id);
            self.yield_to(id);
        }
        self.keep_records();
        for id in &ids {
            self.send(id);
        }
        self.ask();
    }

    /// When time alone can lead on.
    pub fn poll_timeout(&self) -> Option<Time> {
        let flown = self.flown.values().filter(|f| !f.engine.ended() && !f.follows);
        // A check that is past was not made because nothing asked for it: it leads nowhere.
        let checks = |f: &'_ Flown| f.evidence.values().filter_map(|e| e.next_check).filter(|at| *at > self.now).min();
        let times = flown.flat_map(|f| f.engine.poll_timeout(self.now).into_iter().chain(checks(f)).chain(self.patience_ends(f)));
        times.chain(self.platform.poll_timeout()).min()
    }

    /// Resolves when there may be something to step for. It only wakes.
    pub async fn ready(&mut self) {
        let (platform, store) = (self.platform.ready(), self.store.ready());
        futures::future::select(platform, store).await;
    }

    /// Takes what a person wants. What it leads to leaves at once.
    pub fn take(&mut self, now: Time, intent: Intent, by: &Person, armed: bool) -> Result<RolloutId, Trouble> {
        self.now = self.now.max(now);
        self.dirty = true;
        let (needs_arming, name) = match &intent {
            Intent::Launch { plan, .. } => (true, plan.service.name.to_string()),
            Intent::Press { rollout, verb, .. } => (verb.needs_arming(), rollout.to_string()),
            Intent::StopLine => (false, self.spec.name.to_string()),
            Intent::ResumeLine => (true, self.spec.name.to_string()),
        };
        let refuse = |cause: &str, remedy: &str| Err(Trouble::new(Kind::Refused, Place::named(&name), cause, remedy));
        if self.spec.readonly {
            return refuse("this flightdeck is read-only", "start it without --readonly");
        }
        if needs_arming && self.spec.protection == Protection::Safe && !armed {
            return refuse("this fleet is safe", "press A to arm");
        }
        let id = match intent {
            Intent::Launch { plan, reason } => self.launch(plan, reason, by)?,
            Intent::Press { rollout, verb, reason } => self.press(rollout, verb, reason, by)?,
            Intent::StopLine => return self.stop_line(by),
            Intent::ResumeLine => return self.resume_line(by),
        };
        self.lead_on(&id);
        Ok(id)
    }

    /// What a press led to leaves at once.
    pub(super) fn lead_on(&mut self, id: &RolloutId) {
        self.decide_on(id);
        self.keep_records();
        self.send(id);
        self.ask();
    }

    fn launch(&mut self, plan: Arc<Plan>, reason: Option<String>, by: &Person) -> Result<RolloutId, Trouble> {
        let refuse =
            |cause: String, remedy: &str| Err(Trouble::new(Kind::Refused, Place::named(plan.service.name.as_ref()), cause, remedy));
        if self.line.is_some() {
            return refuse("the line is stopped: no forward step in this fleet".into(), "F in the cockpit resumes it");
        }
        let flying = self.flown.values().find(|f| f.engine.plan().service == plan.service && !f.engine.settled());
        if let Some(other) = flying {
            return refuse(format!("{} is in flight", other.engine.id()), "finish it or take it back first");
        }
        if let Some(other) = self.watched.get(&plan.service).filter(|w| !w.is_through()) {
            return refuse(
                format!("{} is being updated by somebody else to {}", plan.service, other.plan().to),
                "wait for it, or take it back with R",
            );
        }
        if self.runs_already(&plan) {
            return refuse(format!("{} runs already", plan.to), "name another version");
        }
        if let Some(leg) = plan.legs.iter().find(|l| !self.answers(&l.region)) {
            return refuse(format!("{} does not answer", leg.region), "launch without it (regions: ...), or wait until it is back");
        }
        let denied =
            plan.legs.iter().find_map(|l| Some((l, self.regions.get(&l.region)?.rights.get(&l.workload.namespace)?.denied.first()?)));
        if let Some((leg, (_, words))) = denied {
            return refuse(format!("{}: you may not {words}", leg.region), "ask whoever keeps the rights there");
        }
        // By pods would be the lesser way: it is not taken because an answer is late.
        let unknown = |l: &&PlanLeg| self.rows.get(&l.workload).is_some_and(|row| row.workload.divides == Divides::Unknown);
        if let Some(leg) = plan.legs.iter().filter(|_| plan.strategy != StrategyKind::Rolling).find(unknown) {
            return refuse(format!("{}: what may be written there is not known yet", leg.region), "try again in a moment");
        }
        // A rollback that can still be undone ends when the next version goes out.
        let close: Vec<RolloutId> = self
            .flown
            .iter()
            .filter(|(_, f)| f.engine.plan().service == plan.service && f.engine.phase() == Phase::Back)
            .map(|(id, _)| id.clone())
            .collect();
        for id in close {
            self.press(id, Verb::Skip, Some("another version is launched".into()), by)?;
        }
        let id = self.ids.next(&plan.service);
        let highest = self.highest(&Rollout::new(id.clone(), plan.clone()));
        self.store.open(&id);
        let (engine, first) = Rollout::launch(id.clone(), plan, self.now, by.clone(), reason, highest);
        let mut flown = Flown::new(engine);
        flown.paper = self.platform.keeps().then(|| Paper::new(Chain::start(&id), Vec::new()));
        if let Some(paper) = &mut flown.paper {
            paper.add(&id, &first);
        }
        super::news::tell(&mut flown, &first);
        self.flown.insert(id.clone(), flown);
        self.store.append(&id, std::slice::from_ref(&first), true);
        self.fresh(&id, first);
        self.remember_rates(&id);
        self.forget_ended();
        Ok(id)
    }

    pub(super) fn press(&mut self, id: RolloutId, verb: Verb, reason: Option<String>, by: &Person) -> Result<RolloutId, Trouble> {
        let unknown = || Trouble::new(Kind::Usage, Place::named(id.as_str()), "there is no such rollout here", "see flightdeck status");
        let boards = !self.flown.contains_key(&id);
        if boards {
            let (_, watched) = self.watched.iter().find(|(_, r)| *r.id() == id).ok_or_else(unknown)?;
            let mut flown = Flown::new(watched.clone());
            flown.paper = self.platform.keeps().then(|| Paper::new(Chain::start(&id), Vec::new()));
            self.flown.insert(id.clone(), flown);
        }
        let taken = self.take_over(&id, verb, &reason, by);
        let refusal = taken.and_then(|()| {
            let Some(flown) = self.flown.get(&id) else { return Ok(Vec::new()) };
            let input = Input::Press { verb, by: by.clone(), reason };
            match verb {
                // What takes a new term takes one above all that was seen.
                Verb::Rollback | Verb::Take | Verb::Undo => flown.engine.in_term(self.highest(&flown.engine)).decide(self.now, &input),
                _ => flown.engine.decide(self.now, &input),
            }
        });
        match refusal {
            Ok(events) => {
                if boards || self.flown.get(&id).is_some_and(|f| f.engine.ended()) {
                    self.store.open(&id);
                }
                self.record(&id, events);
                self.watch_again.insert(self.flown[&id].engine.plan().service.clone());
                Ok(id)
            }
            Err(refusal) => {
                if boards {
                    self.flown.remove(&id);
                }
                Err(Trouble::new(Kind::Refused, Place::named(id.as_str()), refusal.cause, refusal.remedy))
            }
        }
    }

    /// Tells an engine something, and records what it decides.
    pub(super) fn tell(&mut self, id: &RolloutId, input: &Input<'_>) {
        let Some(flown) = self.flown.get(id).filter(|f| !f.follows) else { return };
        if let Ok(events) = flown.engine.decide(self.now, input) {
            self.record(id, events);
        }
    }

    fn decide_on(&mut self, id: &RolloutId) {
        let Some(flown) = self.flown.get(id) else { return };
        let seen = self.observe(&flown.engine, Some(id));
        self.tell(id, &Input::Observed(&seen));
    }

    /// Appends to the log, applies, tells people.
    pub(super) fn record(&mut self, id: &RolloutId, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        self.dirty = true;
        self.store.append(id, &events, true);
        for event in events {
            let Some(flown) = self.flown.get_mut(id) else { return };
            flown.engine.apply(&event);
            if let Some(paper) = &mut flown.paper {
                paper.add(id, &event);
            }
            super::news::tell(flown, &event);
            self.learn(id, &event);
            self.fresh(id, event);
        }
        if self.flown.get(id).is_some_and(|f| f.engine.ended()) {
            self.store.close(id);
        }
    }

    /// A version that was promoted was seen complete and under its limit.
    fn learn(&mut self, id: &RolloutId, event: &Event) {
        if event.what != crate::rollout::What::Promoted {
            return;
        }
        let (Some(healthy), Some(flown)) = (&mut self.healthy, self.flown.get(id)) else { return };
        for leg in &flown.engine.plan().legs {
            if let Some(revision) = flown.engine.new_revision(&leg.id) {
                // What cannot be noted is only a worse answer to "where back to" one day; the log has it all.
                if let Err(trouble) = healthy.note(&self.spec.name, &leg.workload, revision, event.at) {
                    tracing::warn!(%trouble, "not noted as healthy");
                }
            }
        }
    }

    fn fresh(&mut self, id: &RolloutId, event: Event) {
        if let Some(flown) = self.flown.get_mut(id) {
            if flown.fresh.len() == 10_000 {
                flown.fresh.pop_front();
            }
            flown.fresh.push_back(event);
        }
    }

    /// Hands out the events of a rollout that nobody has taken yet.
    pub fn take_events(&mut self, id: &RolloutId) -> Vec<Event> {
        self.flown.get_mut(id).map(|f| f.fresh.drain(..).collect()).unwrap_or_default()
    }

    /// Sends what differs from what was sent last. Forward wishes wait for the log; a rollback waits for nothing.
    fn send(&mut self, id: &RolloutId) {
        let Some(flown) = self.flown.get(id) else { return };
        let recorded = self.store.recorded(id);
        let written = recorded.off.is_none() && recorded.upto >= flown.engine.seq() && self.driven_elsewhere(&flown.engine).is_none();
        let mut orders = Vec::new();
        for wish in flown.engine.wishes() {
            let Some(leg) = flown.engine.plan().leg(&wish.key.leg) else { continue };
            let unmet = || wish.way == Way::Back && !self.met(flown, &wish);
            let again = match flown.sent.get(&wish.key) {
                Some((last, at)) if *last == wish => self.now.since(*at) >= AGAIN && unmet(),
                _ => true,
            };
            let may = wish.way == Way::Back || (written && self.kept_there(flown, &leg.workload));
            if !again || !may || !self.answers(&leg.region) {
                continue;
            }
            orders.push(Order {
                rollout: id.clone(),
                workload: leg.workload.clone(),
                old: leg.old.clone(),
                new: self.new_revision(&flown.engine, leg),
                container: leg.container.clone(),
                image: leg.image.clone(),
                version: flown.engine.plan().to.clone(),
                beside: leg.beside,
                wish,
            });
        }
        for order in orders {
            if let Some(flown) = self.flown.get_mut(id) {
                flown.sent.insert(order.wish.key.clone(), (order.wish.clone(), self.now));
            }
            self.platform.send(self.now, order);
        }
    }

    /// Whether the traffic that a way back asks for is what is seen, with its fence.
    fn met(&self, flown: &Flown, wish: &Wish) -> bool {
        let Some(leg) = flown.engine.plan().leg(&wish.key.leg) else { return true };
        let Some(row) = self.rows.get(&leg.workload) else { return true };
        let moves = matches!(wish.want, Want::Weight { .. } | Want::Roll { .. });
        if moves && row.workload.flight.as_ref().is_none_or(|f| f.term < wish.term || f.way != Way::Back) {
            return false;
        }
        match wish.want {
            Want::Weight { new } => self.new_revision(&flown.engine, leg).is_none_or(|r| row.workload.want(&r) == Some(new)),
            Want::Roll { forward, .. } => !forward && row.workload.template == leg.old,
            Want::Replicas { .. } | Want::Home { .. } => true,
        }
    }

    pub(super) fn answers(&self, region: &Region) -> bool {
        self.regions.get(region).is_some_and(|r| r.state == super::RegionState::Answers)
    }

    /// A person looks at a service: it is counted although nothing moves.
    pub fn look(&mut self, service: Option<&Service>) {
        let of = |service: &Service| {
            self.rows.values().map(|row| &row.workload).filter(|w| w.service == *service).map(|w| w.id.clone()).collect()
        };
        let workloads: Vec<WorkloadId> = service.map(of).unwrap_or_default();
        self.platform.look(&workloads);
    }

    fn ask(&mut self) {
        let mut open = Vec::new();
        for (id, flown) in self.flown.iter().filter(|(_, f)| !f.follows) {
            for ask in flown.engine.asks() {
                let (crate::rollout::Ask::Health { leg, .. } | crate::rollout::Ask::Closely { leg }) = &ask;
                let Some(plan) = flown.engine.plan().leg(leg) else { continue };
                let ask = match ask {
                    crate::rollout::Ask::Health { leg, path, .. } => {
                        crate::rollout::Ask::Health { revision: self.new_revision(&flown.engine, plan), leg, path }
                    }
                    other => other,
                };
                let judged = (flown.engine.phase() == Phase::Flying).then(|| {
                    let (rules, new) = (&flown.engine.plan().rules, self.new_revision(&flown.engine, plan));
                    Arc::new(Judged { every: rules.check_interval, old: plan.old.clone(), new, metrics: rules.metrics.clone() })
                });
                open.push(Question { rollout: id.clone(), workload: plan.workload.clone(), ask, judged });
            }
        }
        if open != self.questions {
            self.platform.ask(self.now, &open);
            self.questions = open;
        }
    }

    /// Derives again what others move, for the services whose rows changed, and those whose update was through long enough.
    fn watch_others(&mut self) {
        let old = |r: &Rollout| r.is_through() && self.now.since(r.began()) >= RECENT;
        self.watch_again.extend(self.watched.iter().filter(|(_, r)| old(r)).map(|(s, _)| s.clone()));
        for service in std::mem::take(&mut self.watch_again) {
            let rows: Vec<_> = self.rows.values().map(|r| &r.workload).filter(|w| w.service == service).collect();
            let found = watch(&rows, self.now).filter(|found| !self.is_ours(&service, found));
            let by = rows.iter().find_map(|r| r.changed_by.clone()).map(|b| format!("by {b}")).unwrap_or_default();
            let before = self.watched.get(&service);
            let through = |r: &Rollout| (Sign::Done, format!("is on {}", r.plan().to), String::new());
            let news = match (&found, before) {
                (Some(new), Some(old)) if new.id() == old.id() => (new.is_through() && !old.is_through()).then(|| through(new)),
                (Some(new), _) if new.is_through() => None,
                (Some(new), _) => Some((Sign::Moves, format!("moves to {}", new.plan().to), by)),
                (None, Some(old)) if !old.is_through() && !self.is_ours(&service, old) => Some(through(old)),
                (None, _) => None,
            };
            if let Some((sign, text, aside)) = news {
                let rollout = found.as_ref().map(|f| f.id().clone());
                // What is under way when it is first seen began before that.
                let at = if sign == Sign::Moves { found.as_ref().map_or(self.now, |f| f.began().min(self.now)) } else { self.now };
                self.notes.push_front(Note { at, sign, subject: service.name.clone(), text, aside, rollout });
                self.notes.truncate(MOST_NOTES);
            }
            match found {
                Some(found) => self.watched.insert(service, found),
                None => self.watched.remove(&service),
            };
        }
    }

    /// Whether an update that was derived from the cluster is one of ours, moving or ended a short time ago.
    fn is_ours(&self, service: &Service, found: &Rollout) -> bool {
        self.flown.values().filter(|f| f.engine.plan().service == *service).any(|f| {
            let moves = !f.engine.settled() && f.engine.phase() != Phase::Superseded;
            moves || (found.is_through() && self.now.since(f.engine.last_at()) < RECENT)
        })
    }

    /// Keeps what was counted beside a rollout's log, for who looks back at it.
    pub(super) fn keep(&mut self, id: &RolloutId, sample: &crate::fleet::Sample) {
        self.store.note(id, &Seen::Sample(sample.clone()));
    }

    /// How a rollout's log is kept: why not, where it is not.
    pub fn not_recorded(&self, id: &RolloutId) -> Option<String> {
        let flown = self.flown.get(id)?;
        if flown.engine.ended() || flown.follows {
            return None;
        }
        self.store.recorded(id).off
    }

    /// Whether another flightdeck of this machine has the log of a rollout that was opened here.
    pub(super) fn held_elsewhere(&self, id: &RolloutId) -> bool {
        self.store.recorded(id).off.as_deref() == Some(HELD)
    }

    /// Whether everything that a rollout asks for now is what is seen.
    pub fn nothing_open(&self, id: &RolloutId) -> bool {
        let Some(flown) = self.flown.get(id) else { return true };
        let sent = |wish: &Wish| flown.sent.get(&wish.key).is_some_and(|(last, at)| last == wish && self.now.since(*at) >= Span::secs(1));
        flown.engine.wishes().iter().all(sent)
    }

    /// Writes what is still to be written, 5 s at most.
    pub fn settle(&mut self) -> bool {
        self.store.settle()
    }

    /// Fleet time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Whether every region has answered or failed once.
    pub fn heard_all(&self) -> bool {
        self.spec
            .regions
            .iter()
            .all(|r| self.regions.get(&r.name).is_some_and(|s| !matches!(s.state, super::RegionState::Connecting { .. })))
    }

    /// Whether what may be written, and what divides the traffic, is known for every workload of the regions that answer.
    pub fn rights_known(&self) -> bool {
        self.rows.values().map(|row| &row.workload).filter(|w| self.answers(&w.id.region)).all(|w| {
            let known = self.regions.get(&w.id.region);
            w.divides != Divides::Unknown && known.is_some_and(|region| region.rights.contains_key(&w.id.namespace))
        })
    }
}

impl World {
    /// The fleet's name.
    pub fn fleet(&self) -> &str {
        &self.spec.name
    }
    /// Whether the fleet is simulated.
    pub fn practice(&self) -> bool {
        self.spec.practice
    }
    /// The engine of a rollout, flown or watched.
    pub fn rollout(&self, id: &RolloutId) -> Option<&Rollout> {
        self.flown.get(id).map(|f| &f.engine).or_else(|| self.watched.values().find(|r| r.id() == id))
    }
}
