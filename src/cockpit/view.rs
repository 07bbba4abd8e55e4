//! The world as a snapshot: made when somebody looks and something changed, shared by all who look.

use super::launch::annotated;
use super::snapshot::*;
use super::track::{SMOOTH, side, together};
use super::{World, fold::Row};
use crate::fleet::{Counts, Workload};
use crate::rollout::{LegMood, LegStatus, Mood, Rollout, Status};
use crate::units::{Percent, Region, RolloutId, Service, Span, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How much of a rollback's curve is shown.
const MOVES: Span = Span::secs(180);
/// An ended rollout stays in the picture for so long.
const SHOWN: Span = Span::mins(15);

impl World {
    /// The picture of now. The same one is handed out until something changes or a second passes.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let second = |t: Time| t.0.div_euclid(1000);
        if let Some(last) = self.picture.as_ref().filter(|p| !self.dirty && second(p.now) == second(self.now)) {
            return last.clone();
        }
        self.dirty = false;
        let picture = Arc::new(self.draw());
        self.picture = Some(picture.clone());
        picture
    }

    fn draw(&self) -> Snapshot {
        let mut rollouts = self.rollouts();
        rollouts.sort_by_key(|r| (r.status.mood.need(), r.status.began, r.status.id.clone()));
        let rows = self.rows.values().map(|r| r.workload.changed);
        Snapshot {
            now: self.now,
            fleet: self.spec.name.clone(),
            practice: self.spec.practice,
            protection: self.spec.protection,
            readonly: self.spec.readonly,
            grace: self.spec.grace,
            regions: self.region_views(),
            services: self.service_views(&rollouts),
            notes: self.all_notes(&rollouts),
            lags: self.lag_views(),
            stopped_line: self.line.as_ref().map(super::line::Line::view),
            term: self.flown.values().map(|f| f.engine.term()).max().unwrap_or_default(),
            last_change: rows.max(),
            rollouts,
        }
    }

    fn rollouts(&self) -> Vec<RolloutView> {
        let shown = |f: &&super::world::Flown| !f.engine.ended() || self.now.since(f.engine.last_at()) < SHOWN;
        let flown = self.flown.values().filter(shown).map(|f| &f.engine);
        flown.chain(self.watched.values()).map(|engine| self.rollout_view(engine)).collect()
    }

    fn rollout_view(&self, engine: &Rollout) -> RolloutView {
        let id = engine.id();
        let seen = self.observe(engine, Some(id));
        let mut status = engine.status(&seen, self.now);
        self.forget_old_shares(engine, &mut status);
        let record = self.record_view(engine);
        if let Some(driver) = record.driver.as_ref().filter(|d| !d.name.is_empty()) {
            status.by = Some(driver.name.clone());
        }
        if let Some(mood) = self.without_driver(engine, &record) {
            status.mood = mood;
        }
        let flown = self.flown.get(id);
        let (mut old, mut new, mut span) = (Counts::default(), Counts::default(), Span::ZERO);
        let (mut legs, mut dark) = (Vec::new(), Vec::new());
        for leg in &engine.plan().legs {
            let row = self.rows.get(&leg.workload);
            let revision = self.new_revision(engine, leg);
            let from = self.now - engine.plan().rules.window;
            let from = self.evidence(id, &leg.id).and_then(|e| e.since).map_or(from, |s| s.max(from));
            let of = |r, from| row.map(|row| row.track.between(r, from, self.now)).unwrap_or_default();
            // Since its traffic was taken away the new side is idle, whatever it did before.
            let since = engine.weight_since(&leg.id).filter(|(w, _)| *w == Percent::ZERO).map_or(from, |(_, at)| at.max(from));
            let (o, n) = (of(&leg.old, from), revision.as_ref().map(|r| of(r, since)).unwrap_or_default());
            old.add(&o.0);
            new.add(&n.0);
            span = span.max(o.1).max(n.1);
            let curves = row.map(|row| row.track.curves(&leg.old, revision.as_ref())).unwrap_or_default();
            let beside = row.and_then(|row| row.workload.beside.as_ref());
            if beside.is_some_and(|b| b.share == Some(Percent::ALL)) {
                dark.push(leg.workload.clone());
            }
            legs.push(LegView { id: leg.id.clone(), old: side(&o.0, o.1), new: side(&n.0, n.1), curves: Arc::new(curves) });
        }
        let curves = together(&legs.iter().map(|l| l.curves.as_ref()).collect::<Vec<_>>());
        RolloutView {
            phase: engine.phase(),
            old: side(&old, span),
            new: side(&new, span),
            verdict: self.verdict(id),
            curves: Arc::new(curves),
            moves: status.back.is_some().then(|| Arc::new(self.moves(engine))),
            notes: flown.map(|f| f.notes.iter().take(100).cloned().collect()).unwrap_or_default(),
            failed_since: self.failed_since(id).filter(|_| matches!(status.mood, Mood::Failing { .. })),
            dark,
            record,
            legs,
            status,
        }
    }

    /// Where counts come seldom, those of before a rollback say nothing of now: a leg that is proven back has no share any
    /// more, and that of one that still moves is not known.
    fn forget_old_shares(&self, engine: &Rollout, status: &mut Status) {
        let Some(back) = &status.back else { return };
        let mut forgot = false;
        for plan in &engine.plan().legs {
            let moved = engine.weight_since(&plan.id).map(|(_, at)| at).filter(|at| *at >= back.began);
            let counted = |at| self.rows.get(&plan.workload).is_some_and(|row| row.track.counted_since(at));
            let leg = status.legs.iter_mut().find(|l| l.id == plan.id && l.seen.is_some());
            if let (Some(at), Some(leg)) = (moved, leg)
                && !counted(at)
            {
                let proven = back.legs.iter().any(|(id, took)| *id == leg.id && took.is_some());
                leg.seen = proven.then_some(Percent::ZERO);
                forgot = true;
            }
        }
        if forgot {
            let of = |l: &LegStatus| Some((l.seen?.share(), l.load.unwrap_or(1.0)));
            let all: Option<Vec<(f64, f64)>> = status.legs.iter().map(of).collect();
            let sum = |all: &[(f64, f64)]| all.iter().fold((0.0, 0.0), |(m, s), (share, load)| (m + share * load, s + load));
            status.seen = all.map(|all| sum(&all)).filter(|(_, load)| *load > 0.0).map(|(mine, load)| Percent::from_share(mine / load));
        }
    }

    /// Traffic on the new side over time, asked for and seen, and all errors: one value a second.
    fn moves(&self, engine: &Rollout) -> Moves {
        let mut seconds: BTreeMap<i64, (f64, f64, f64)> = BTreeMap::new();
        for leg in &engine.plan().legs {
            let (Some(row), Some(new)) = (self.rows.get(&leg.workload), self.new_revision(engine, leg)) else { continue };
            for (at, mine, failed, all) in row.track.each(&new, self.now - MOVES) {
                let sum = seconds.entry((at.0 + 999).div_euclid(1000)).or_default();
                *sum = (sum.0 + mine, sum.1 + failed, sum.2 + all);
            }
        }
        let counted = || seconds.iter().filter(|(_, (.., all))| *all > 0.0);
        let wants = self.flown.get(engine.id()).map(|f| f.wants.iter().copied().collect()).unwrap_or_default();
        Moves {
            seen: counted().map(|(s, (mine, _, all))| (Time(s * 1000), Percent::from_share(mine / all))).collect(),
            want: wants,
            errors: counted().map(|(s, (_, failed, all))| (Time(s * 1000), failed / all)).collect(),
        }
    }

    fn region_views(&self) -> Vec<RegionView> {
        let loads: BTreeMap<&Region, f64> = self.rows.values().fold(BTreeMap::new(), |mut sums, row| {
            *sums.entry(&row.workload.id.region).or_default() += row.track.load(self.now, SMOOTH).unwrap_or(0.0);
            sums
        });
        let all: f64 = loads.values().sum();
        let view = |spec: &super::RegionSpec| {
            let known = self.regions.get(&spec.name);
            let denied = known.iter().flat_map(|r| r.rights.values()).flat_map(|r| r.denied.iter().map(|(_, w)| w.clone())).collect();
            RegionView {
                name: spec.name.clone(),
                role: spec.role,
                share: (all > 0.0).then(|| Percent::from_share(loads.get(&spec.name).copied().unwrap_or(0.0) / all)),
                state: known.map_or(RegionState::Connecting { since: self.now }, |r| r.state.clone()),
                server: known.and_then(|r| r.server.clone()),
                heard: known.and_then(|r| r.heard),
                skipped: known.and_then(|r| r.skipped.clone()),
                denied,
            }
        };
        self.spec.regions.iter().map(view).collect()
    }

    fn service_views(&self, rollouts: &[RolloutView]) -> Vec<ServiceView> {
        let mut services: BTreeMap<&Service, Vec<&Row>> = BTreeMap::new();
        for row in self.rows.values() {
            services.entry(&row.workload.service).or_default().push(row);
        }
        let mut flights: BTreeMap<&Service, &RolloutView> = BTreeMap::new();
        for rollout in rollouts.iter().filter(|r| r.in_flight()) {
            flights.entry(&rollout.status.service).or_insert(rollout);
        }
        let view = |(service, rows): (&Service, Vec<&Row>)| {
            let rollout = flights.get(service).copied();
            let (mut sum, mut span) = (Counts::default(), Span::ZERO);
            for row in &rows {
                let (counts, s) = row.track.total(self.now - SMOOTH, self.now);
                sum.add(&counts);
                span = span.max(s);
            }
            let here: Vec<Option<&Row>> =
                self.spec.regions.iter().map(|spec| rows.iter().find(|r| r.workload.id.region == spec.name).copied()).collect();
            let cells = here.iter().map(|row| row.map(|row| self.cell(row, &rows, rollout))).collect();
            let versions = self.versions.get(service).cloned().unwrap_or_default();
            let workloads: Vec<&Workload> = here.iter().flatten().map(|row| &row.workload).collect();
            let annotations = annotated(&workloads).map(|w| w.annotations.clone()).unwrap_or_default();
            ServiceView { service: service.clone(), cells, numbers: side(&sum, span), versions, annotations }
        };
        services.into_iter().map(view).collect()
    }

    fn cell(&self, row: &Row, others: &[&Row], rollout: Option<&RolloutView>) -> Cell {
        let w = &row.workload;
        let leg = rollout.and_then(|r| r.status.legs.iter().find(|l| l.id.as_str() == w.id.region.as_str()).map(|l| (r, l)));
        let silent = self.regions.get(&w.id.region).is_some_and(|r| matches!(r.state, RegionState::Silent { .. }));
        let template = w.revision(&w.template).map_or_else(|| "?".into(), |r| r.version.clone());
        let differs = |o: &&&Row| o.workload.revision(&o.workload.template).is_some_and(|r| r.version != template);
        let drift =
            (rollout.is_none() && others.iter().any(|o| differs(&o))).then(|| others.iter().map(|o| o.workload.changed).max()).flatten();
        let ready: u32 = w.revisions.iter().map(|r| r.pods.ready).sum();
        let (version, to, mut mood, why) = match leg {
            Some((r, l)) => {
                let share = l.seen.unwrap_or(l.want);
                let held = matches!(r.status.mood, Mood::Held { .. });
                let mood = match l.mood {
                    LegMood::Failing => CellMood::Fails,
                    LegMood::Look => CellMood::Look,
                    LegMood::Unknown => CellMood::Unknown,
                    LegMood::Later | LegMood::Done => CellMood::Calm,
                    LegMood::Ok | LegMood::Moving if held => CellMood::Held,
                    LegMood::Ok | LegMood::Moving => CellMood::Moves,
                };
                (r.status.from.clone(), Some((r.status.to.clone(), share)), mood, l.why.clone())
            }
            None if drift.is_some() => (template, None, CellMood::Drift, Some("drift".into())),
            None => {
                let stuck = w.revisions.iter().find_map(|r| r.pods.stuck.as_ref()).map(|s| s.cause.clone());
                (template, None, if stuck.is_some() { CellMood::Look } else { CellMood::Calm }, stuck)
            }
        };
        if silent {
            mood = CellMood::Unknown;
        }
        Cell {
            workload: w.id.clone(),
            version,
            to,
            mood,
            why,
            drift_since: drift,
            pods: (ready, if w.beside.is_some() { w.revisions.iter().map(|r| r.pods.want).sum() } else { w.replicas }),
            rollout: leg.map(|(r, _)| r.status.id.clone()),
        }
    }

    fn all_notes(&self, rollouts: &[RolloutView]) -> Vec<Note> {
        let mut all: Vec<Note> = self.notes.iter().chain(rollouts.iter().flat_map(|r| r.notes.iter())).cloned().collect();
        // Stable: lines of the same moment keep the order in which they were told.
        all.sort_by_key(|n| std::cmp::Reverse(n.at));
        all.truncate(super::world::MOST_NOTES);
        all
    }

    fn lag_views(&self) -> Vec<LagView> {
        let mut worst: BTreeMap<&str, LagView> = BTreeMap::new();
        for ((data, region), (lag, promise)) in &self.lags {
            let view = LagView { data: data.clone(), region: region.clone(), lag: *lag, promise: *promise };
            let part = |v: &LagView| v.lag.0 as f64 / v.promise.0.max(1) as f64;
            match worst.get(data.as_str()) {
                Some(known) if part(known) >= part(&view) => {}
                _ => {
                    worst.insert(data, view);
                }
            }
        }
        let mut all: Vec<LagView> = worst.into_values().collect();
        all.sort_by_key(|l| l.promise);
        all
    }

    /// The rollout that a name means: an id, or a service of which exactly one is in flight; for a rollback, or where none
    /// is, the last one.
    pub fn find(&self, name: &str, ended_too: bool) -> Result<RolloutId, Vec<RolloutId>> {
        let known: Vec<&Rollout> = self.flown.values().map(|f| &f.engine).chain(self.watched.values()).collect();
        if let Some(exact) = known.iter().find(|r| r.id().as_str() == name) {
            return Ok(exact.id().clone());
        }
        let service = self.service(name).ok();
        let of_service = |r: &&&Rollout| service.as_ref().is_some_and(|s| r.plan().service == *s);
        let flying: Vec<&&Rollout> = known.iter().filter(of_service).filter(|r| !r.settled()).collect();
        if let [one] = flying.as_slice() {
            return Ok(one.id().clone());
        }
        if flying.is_empty()
            && ended_too
            && let Some(last) = known.iter().filter(of_service).max_by_key(|r| r.last_at())
        {
            return Ok(last.id().clone());
        }
        Err(known.iter().map(|r| r.id().clone()).collect())
    }
}
