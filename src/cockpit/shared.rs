//! What other flightdecks fly: their logs beside the workloads, replayed and shown live; who drives; and taking the controls.
//!
//! A followed rollout decides and writes nothing here until a person presses a key on it. Never compares anybody's times with the
//! clock here: a driver is gone when his Lease was *seen* unchanged for longer than it counts. Known weakness: after a start that
//! takes as long as a Lease to find out.

use super::snapshot::{DriverView, Note, RecordView, Sign};
use super::world::{Flown, World};
use crate::fleet::{Flight, Hold, LeaseSeen, RecordOff, RecordSeen, Way, Workload};
use crate::journal::{Chain, Copy, HELD, Lead, encode, lead, read};
use crate::platform::Record;
use crate::rollout::{Event, Input, Mood, Phase, Refusal, Rollout, Verb};
use crate::units::{Person, Region, RolloutId, Span, Term, Time, WorkloadId, count};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Forward wishes wait so long for a log beside the workload; who has only the local one goes on then, and says so.
const PATIENCE: Span = Span::secs(5);
/// When time jumps further than this the machine slept: somebody may have taken the controls.
const SLEPT: Span = Span::secs(30);
/// How long an end waits for what is given back.
const PARTING: std::time::Duration = std::time::Duration::from_secs(1);
/// An ended rollout's log is kept up for so long, so that its last lines are written.
const LAST: Span = Span::secs(60);

/// The lines of a rollout's log, as they are kept beside its workloads.
pub(super) struct Paper {
    chain: Chain,
    text: Vec<u8>,
    shared: Option<Arc<str>>,
}

impl Paper {
    pub fn new(chain: Chain, text: Vec<u8>) -> Paper {
        Paper { chain, text, shared: None }
    }
    pub fn add(&mut self, rollout: &RolloutId, event: &Event) {
        // One that cannot be encoded is missed by the local log too, which says so.
        let _ = encode(&mut self.chain, rollout, event, &mut self.text);
        self.shared = None;
    }
    fn shared(&mut self) -> Arc<str> {
        let text = &self.text;
        self.shared.get_or_insert_with(|| String::from_utf8_lossy(text).into()).clone()
    }
}

/// What is known of others.
#[derive(Default)]
pub(super) struct Shared {
    records: BTreeMap<WorkloadId, (RecordSeen, Term)>,
    /// With the time at which they were last seen to change.
    leases: BTreeMap<WorkloadId, (LeaseSeen, Time)>,
    kept: BTreeMap<WorkloadId, (RolloutId, u64, Option<RecordOff>)>,
    driving: BTreeMap<WorkloadId, (RolloutId, Time, Result<Hold, String>)>,
    /// Regions whose logs have been read, or why they may not be.
    listed: BTreeMap<Region, Option<String>>,
    wanted: Vec<Record>,
    /// When the machine woke, and how long it slept.
    slept: Option<(Time, Span)>,
    /// The highest flight that logs tell of, where it is above what we fly.
    above: BTreeMap<RolloutId, Flight>,
    /// This flightdeck ends: nothing is held any more.
    leaving: bool,
}

impl World {
    /// Notes that time has jumped.
    pub(super) fn wake(&mut self, now: Time) {
        let gap = now.since(self.now);
        if self.platform.keeps() && gap > SLEPT {
            self.shared.slept = Some((now, gap));
        }
    }

    pub(super) fn record_seen(&mut self, workload: WorkloadId, record: Option<RecordSeen>) {
        let Some(record) = record else {
            self.shared.records.remove(&workload);
            return;
        };
        let id = record.rollout.clone();
        // What we wrote ourselves is no news.
        let ours =
            self.flown.get(&id).filter(|f| !f.follows && f.paper.as_ref().is_some_and(|p| p.text.starts_with(record.log.as_bytes())));
        if let Some(term) = ours.map(|f| f.engine.term()) {
            self.shared.records.insert(workload, (record, term));
            return;
        }
        let term = lead(&id, &[Copy { name: "", text: record.log.as_bytes() }]).map(|l| l.log.term()).unwrap_or_default();
        let fault = read(record.log.as_bytes(), &id).ok().and_then(|log| log.fault);
        if let Some(fault) = fault.filter(|_| self.shared.records.get(&workload).is_none_or(|(before, _)| before.log != record.log)) {
            let trouble = fault.trouble(&format!("the log in {}", workload.region));
            let (subject, rollout) = (workload.name.clone(), Some(id.clone()));
            let (text, aside) = (trouble.place.to_string(), trouble.cause);
            self.notes.push_front(Note { at: self.now, sign: Sign::Look, subject, text, aside, rollout });
            self.notes.truncate(super::MOST_NOTES);
        }
        self.shared.records.insert(workload, (record, term));
        self.take_in(&id);
    }

    pub(super) fn lease_seen(&mut self, workload: WorkloadId, lease: Option<LeaseSeen>) {
        match lease {
            Some(lease) => self.shared.leases.insert(workload.clone(), (lease, self.now)),
            None => self.shared.leases.remove(&workload),
        };
        let flown = self.flown.iter().find(|(_, f)| f.engine.plan().legs.iter().any(|l| l.workload == workload));
        if let Some(id) = flown.map(|(id, _)| id.clone()) {
            self.take_in(&id);
        }
    }

    pub(super) fn records_listed(&mut self, region: Region, denied: Option<String>) {
        self.shared.listed.insert(region, denied);
        self.dirty = true;
    }

    pub(super) fn record_kept(&mut self, workload: WorkloadId, rollout: RolloutId, upto: u64, off: Option<RecordOff>) {
        self.shared.kept.insert(workload, (rollout, upto, off));
    }

    pub(super) fn driving(&mut self, workload: WorkloadId, rollout: RolloutId, at: Time, held: Result<Hold, String>) {
        self.dirty |= self.shared.driving.get(&workload).is_none_or(|(whose, _, before)| *whose != rollout || *before != held);
        self.shared.driving.insert(workload, (rollout, at, held));
    }

    /// The log of a rollout that leads among those beside its workloads.
    fn lead_of(&self, id: &RolloutId) -> Option<Lead> {
        let of = self.shared.records.iter().filter(|(_, (record, _))| record.rollout == *id);
        let copies: Vec<Copy<'_>> = of.map(|(w, (r, _))| Copy { name: w.region.as_str(), text: r.log.as_bytes() }).collect();
        lead(id, &copies)
    }

    /// Makes of a rollout what the logs beside its workloads say.
    fn take_in(&mut self, id: &RolloutId) {
        let Some(lead) = self.lead_of(id) else { return };
        let (term, seq) = (lead.log.term(), lead.log.chain.seq);
        let Some(flown) = self.flown.get(id) else { return self.follow(id, lead) };
        if flown.follows {
            if (term, seq) != (flown.engine.term(), flown.engine.seq()) {
                self.follow(id, lead);
            }
            return;
        }
        let engine = &flown.engine;
        if engine.ended() {
            return;
        }
        let forked = flown.paper.as_ref().is_some_and(|p| !p.text.starts_with(&lead.text) && !lead.text.starts_with(&p.text));
        let lost = self.leases_of(engine).any(|(lease, _)| !lease.ours && !lease.holder.is_empty() && lease.term >= engine.term());
        // Superseded, it is in the term of whoever took it; its own log says no more than ours.
        let theirs = flown.paper.as_ref().is_none_or(|p| !p.text.starts_with(&lead.text));
        let overtaken = engine.phase() == Phase::Superseded && term >= engine.term() && theirs;
        if overtaken || (forked && lost && term >= engine.term() && engine.phase() == Phase::Flying) {
            self.store.close(id);
            self.follow(id, lead);
        } else if term > engine.term() {
            let Some(theirs) = Rollout::replay(id.clone(), &lead.log.events) else { return };
            let back = matches!(theirs.phase(), Phase::RollingBack | Phase::Back | Phase::RolledBack);
            let leg = engine.plan().legs.first();
            let (way, to) = if back { (Way::Back, leg.map(|l| l.old.clone())) } else { (Way::Forward, None) };
            let to = to.unwrap_or_else(|| engine.plan().to.as_str().into());
            self.shared.above.insert(id.clone(), Flight { rollout: id.clone(), term, way, to });
        }
    }

    /// One that somebody else drives by now is shown from his log, which may have been read before that was known.
    pub(super) fn yield_to(&mut self, id: &RolloutId) {
        let Some(flown) = self.flown.get(id).filter(|f| !f.follows && f.engine.phase() == Phase::Superseded) else { return };
        let term = flown.engine.term();
        if self.shared.records.values().any(|(record, theirs)| record.rollout == *id && *theirs >= term) {
            self.take_in(id);
        }
    }

    /// Shows a rollout from its log.
    fn follow(&mut self, id: &RolloutId, lead: Lead) {
        let Some(mut engine) = Rollout::replay(id.clone(), &lead.log.events) else { return };
        if let Some(fault) = &lead.log.fault {
            engine = engine.read_only(fault.trouble(id.as_str()).cause);
        }
        let here = |region: &Region| self.spec.regions.iter().any(|r| r.name == *region);
        if !engine.plan().legs.iter().all(|l| here(&l.region)) || (engine.ended() && !self.flown.contains_key(id)) {
            return;
        }
        let mut flown = Flown::new(engine);
        flown.follows = true;
        flown.branches =
            lead.branches.iter().map(|b| format!("{} of term {}, from event {}", count_lines(&b.lines), b.term.0, b.after + 1)).collect();
        flown.faults = lead.faults.iter().map(|(name, fault)| fault.trouble(&format!("the log in {name}")).to_string()).collect();
        flown.paper = Some(Paper::new(lead.log.chain.clone(), lead.text));
        let from = lead.log.events.len().saturating_sub(super::MOST_NOTES);
        for event in &lead.log.events[from..] {
            super::news::tell(&mut flown, event);
        }
        if let Some(before) = self.flown.remove(id) {
            flown.evidence = before.evidence;
        }
        self.watch_again.insert(flown.engine.plan().service.clone());
        self.flown.insert(id.clone(), flown);
        self.dirty = true;
    }

    /// Before a key on a rollout that somebody else flies: from here on it is driven here, from its log. The verb is tried first; one
    /// that is refused changes nothing. What makes it stand still or go back takes the controls with it; what moves it forward does not.
    pub(super) fn take_over(&mut self, id: &RolloutId, verb: Verb, reason: &Option<String>, by: &Person) -> Result<(), Refusal> {
        if !self.follows(id) {
            return Ok(());
        }
        // A way back needs no log.
        if verb != Verb::Rollback && self.neighbour_drives(id) {
            let remedy = "do it there, or end that one first; rollback works from here too".into();
            return Err(Refusal { cause: HELD.into(), remedy });
        }
        let Some(flown) = self.flown.get(id) else { return Ok(()) };
        let stops = matches!(verb, Verb::Pause | Verb::Abort | Verb::Rollback | Verb::OverCapacity | Verb::Take);
        if !stops && !flown.engine.ended() {
            return Err(Refusal { cause: self.driver_view(&flown.engine).says(), remedy: "T takes the controls".into() });
        }
        let press = |verb: Verb| Input::Press { verb, by: by.clone(), reason: reason.clone() };
        let mut trial = flown.engine.in_term(self.highest(&flown.engine));
        let mut taken = Vec::new();
        if verb != Verb::Take {
            // One that has ended has no controls to take, and may go back all the same.
            taken =
                trial.decide(self.now, &press(Verb::Take)).or_else(|why| if verb == Verb::Rollback { Ok(Vec::new()) } else { Err(why) })?;
            taken.iter().for_each(|event| trial.apply(event));
        }
        trial.decide(self.now, &press(verb))?;
        let lines = flown.paper.as_ref().map(|p| p.text.clone()).unwrap_or_default();
        self.store.adopt(id, &lines);
        let Some(flown) = self.flown.get_mut(id) else { return Ok(()) };
        flown.follows = false;
        self.record(id, taken);
        Ok(())
    }

    /// The highest term that is known of a rollout's workloads: on traffic objects, Leases and logs.
    pub(super) fn highest(&self, engine: &Rollout) -> Term {
        let of = |w: &WorkloadId| {
            let fence = self.rows.get(w).and_then(|row| row.workload.flight.as_ref()).map(|f| f.term);
            let lease = self.shared.leases.get(w).map(|(lease, _)| lease.term);
            let record = self.shared.records.get(w).map(|(_, term)| *term);
            fence.max(lease).max(record)
        };
        engine.plan().legs.iter().filter_map(|l| of(&l.workload)).max().unwrap_or_default()
    }

    /// What stands on a leg's traffic object, or what a log of its rollout says where that is higher.
    pub(super) fn highest_flight(&self, engine: &Rollout, workload: &Workload) -> Option<Flight> {
        let above = self.shared.above.get(engine.id()).filter(|a| a.term > engine.term());
        let fence = workload.flight.as_ref();
        match (fence, above) {
            (Some(fence), Some(above)) if (fence.term, fence.way == Way::Back) >= (above.term, above.way == Way::Back) => {
                Some(fence.clone())
            }
            (_, Some(above)) => Some(above.clone()),
            (fence, None) => fence.cloned(),
        }
    }

    fn leases_of<'a>(&'a self, engine: &'a Rollout) -> impl Iterator<Item = &'a (LeaseSeen, Time)> {
        engine.plan().legs.iter().filter_map(|l| self.shared.leases.get(&l.workload))
    }

    /// Why a rollout that is flown here may not be moved forward from here.
    pub(super) fn driven_elsewhere(&self, engine: &Rollout) -> Option<String> {
        let flown = self.flown.get(engine.id()).filter(|f| !f.follows && self.platform.keeps())?;
        if flown.engine.ended() {
            return None;
        }
        if self.shared.leaving {
            return Some("this flightdeck ends".into());
        }
        for leg in engine.plan().legs.iter().filter(|l| self.answers(&l.region)) {
            let mine = |(whose, _, _): &&(RolloutId, Time, Result<Hold, String>)| whose == engine.id();
            let driving = self.shared.driving.get(&leg.workload).filter(mine);
            if !self.shared.listed.contains_key(&leg.region) {
                return Some(format!("the logs in {} are not read yet", leg.region));
            }
            if let Some((_, _, Err(why))) = driving {
                return Some(why.clone());
            }
            if let Some((woke, gap)) = self.shared.slept {
                let renewed = driving.is_some_and(|(_, at, held)| *at >= woke || matches!(held, Ok(Hold::Without(_))));
                let heard = self.regions.get(&leg.region).and_then(|r| r.heard).is_some_and(|at| at >= woke);
                if !(renewed && heard) {
                    return Some(format!("this machine slept for {gap}: who drives in {} is asked first", leg.region));
                }
            }
            let full = self.kept_of(engine.id(), &leg.workload).and_then(|(_, _, off)| off.as_ref()).filter(|off| off.holds);
            if let Some(off) = full.filter(|_| driving.is_some_and(|(.., held)| held.is_ok())) {
                return Some(format!("{}: {}", leg.region, off.why));
            }
        }
        None
    }

    fn kept_of(&self, id: &RolloutId, workload: &WorkloadId) -> Option<&(RolloutId, u64, Option<RecordOff>)> {
        self.shared.kept.get(workload).filter(|(whose, ..)| whose == id)
    }

    /// Whether a forward wish for a workload may leave: its log is there too, or cannot be, or has kept it waiting long enough.
    pub(super) fn kept_there(&self, flown: &Flown, workload: &WorkloadId) -> bool {
        if !self.platform.keeps() || flown.paper.is_none() {
            return true;
        }
        match self.kept_of(flown.engine.id(), workload) {
            Some((_, upto, None)) if *upto >= flown.engine.seq() => true,
            Some((.., Some(off))) if off.holds => false,
            _ => self.now.since(flown.engine.last_at()) >= PATIENCE,
        }
    }

    /// When a wish that waits for its log waits no longer.
    pub(super) fn patience_ends(&self, flown: &Flown) -> Option<Time> {
        let waits = !flown.follows && flown.engine.plan().legs.iter().any(|l| !self.kept_there(flown, &l.workload));
        Some(flown.engine.last_at() + PATIENCE).filter(|at| waits && *at > self.now)
    }

    /// Whether the last lines of a rollout stand beside every workload that answers, or cannot.
    pub fn is_kept(&self, id: &RolloutId) -> bool {
        let Some(flown) = self.flown.get(id).filter(|f| f.paper.is_some() && !f.follows && self.platform.keeps()) else { return true };
        let kept = |w: &WorkloadId| self.kept_of(id, w).is_some_and(|(_, upto, off)| *upto >= flown.engine.seq() || off.is_some());
        flown.engine.plan().legs.iter().filter(|l| self.answers(&l.region)).all(|l| kept(&l.workload))
    }

    /// Before the end: nothing moves forward from here any more, and the right to drive is given back, so that others need not wait
    /// until it lapses. Takes a second at most.
    pub async fn part(&mut self, now: fn() -> Time) {
        self.shared.leaving = true;
        self.keep_records();
        let given = async {
            while self.holds() {
                self.ready().await;
                self.step(now());
            }
        };
        let _ = tokio::time::timeout(PARTING, given).await;
    }

    /// Whether the right to drive something is held where somebody answers.
    fn holds(&self) -> bool {
        let held = |(workload, (rollout, _, held)): (&WorkloadId, &(RolloutId, Time, Result<Hold, String>))| {
            let ours = self.flown.get(rollout).is_some_and(|f| !f.follows && !f.engine.ended());
            ours && *held == Ok(Hold::Lease) && self.answers(&workload.region)
        };
        self.shared.driving.iter().any(held)
    }

    /// Whether the logs of all regions that answer have been read, or may not be.
    pub fn records_known(&self) -> bool {
        let regions = self.spec.regions.iter().filter(|r| self.answers(&r.name));
        !self.platform.keeps() || regions.into_iter().all(|r| self.shared.listed.contains_key(&r.name))
    }

    /// Whether somebody else's flightdeck drives a rollout that is known here.
    pub fn follows(&self, id: &RolloutId) -> bool {
        self.flown.get(id).is_some_and(|f| f.follows)
    }

    /// Hands the platform the logs to keep and the Leases to hold.
    pub(super) fn keep_records(&mut self) {
        if !self.platform.keeps() {
            return;
        }
        let mut records: Vec<Record> = Vec::new();
        for (id, flown) in &mut self.flown {
            let engine = &flown.engine;
            let over = engine.ended() && self.now.since(engine.last_at()) >= LAST;
            if flown.follows || over || engine.phase() == Phase::Superseded {
                continue;
            }
            let Some(log) = flown.paper.as_mut().map(Paper::shared) else { continue };
            for leg in &engine.plan().legs {
                // One that ended, or is back, has nothing to say where the next one flies.
                let forward = engine.phase() == Phase::Flying;
                let rank = (forward, !engine.ended());
                if records.iter().any(|r| r.workload == leg.workload && (r.forward, r.drives) > rank) {
                    continue;
                }
                records.retain(|r| r.workload != leg.workload);
                records.push(Record {
                    rollout: id.clone(),
                    workload: leg.workload.clone(),
                    log: log.clone(),
                    seq: engine.seq(),
                    term: engine.term(),
                    forward,
                    drives: !engine.ended() && !self.shared.leaving,
                });
            }
        }
        if records != self.shared.wanted {
            self.platform.keep(self.now, &records);
            self.shared.wanted = records;
        }
    }

    /// How a rollout's log is kept, and who drives it.
    pub(super) fn record_view(&self, engine: &Rollout) -> RecordView {
        let flown = self.flown.get(engine.id());
        let mut view = RecordView { not_recorded: self.not_recorded(engine.id()), ..RecordView::default() };
        let Some(flown) = flown.filter(|f| self.platform.keeps() && !f.engine.ended()) else { return view };
        view.branches.clone_from(&flown.branches);
        for (workload, (record, _)) in self.shared.records.iter().filter(|(_, (record, _))| record.rollout == *engine.id()) {
            if let Some(branch) = &record.branch {
                view.branches.push(format!("{} kept beside it in {}", count_lines(branch.as_bytes()), workload.region));
            }
        }
        view.faults.clone_from(&flown.faults);
        if flown.follows {
            view.driver = Some(self.driver_view(engine));
            return view;
        }
        for leg in &engine.plan().legs {
            let off = self.kept_of(engine.id(), &leg.workload).and_then(|(_, _, off)| off.as_ref());
            let driving = self.shared.driving.get(&leg.workload).filter(|(whose, ..)| whose == engine.id());
            if let Some(off) = off {
                view.only_here.push(format!("{}: {}", leg.region, off.why));
            }
            if let Some((.., Ok(Hold::Without(why)))) = driving {
                view.only_here.push(format!("{}: no Lease: {why}", leg.region));
            }
        }
        view
    }

    fn driver_view(&self, engine: &Rollout) -> DriverView {
        let held: Vec<_> = self.leases_of(engine).filter(|(lease, _)| !lease.holder.is_empty()).collect();
        // Who is heard somewhere is not gone.
        let newest = held.iter().max_by_key(|(lease, at)| (*at, lease.term));
        match newest {
            Some((lease, at)) => {
                let silent = self.now.since(*at);
                DriverView { name: lease.holder.clone(), gone: Some(silent).filter(|s| *s > lease.length), nobody: false }
            }
            None if self.neighbours.contains(engine.id()) => {
                DriverView { name: "another flightdeck here".into(), gone: None, nobody: false }
            }
            None => {
                let of = self.shared.records.values().find(|(record, _)| record.rollout == *engine.id());
                DriverView { name: of.map(|(record, _)| record.driver.clone()).unwrap_or_default(), gone: None, nobody: true }
            }
        }
    }

    /// What a followed rollout needs before anything else: a driver.
    pub(super) fn without_driver(&self, engine: &Rollout, view: &RecordView) -> Option<Mood> {
        let driver = view.driver.as_ref().filter(|_| !engine.ended())?;
        let cause = match driver.gone {
            Some(gone) => format!("driver {} gone {}", driver.name, gone.clock()),
            None if driver.nobody => driver.says(),
            None => return None,
        };
        // Users have the old version; what is left beside it stays until somebody drives.
        let cause = if engine.settled() { format!("back, not cleared up: {cause}") } else { cause };
        Some(Mood::Held { cause, key: Some('T') })
    }
}

fn count_lines(lines: &[u8]) -> String {
    count(lines.iter().filter(|c| **c == b'\n').count(), "event")
}
