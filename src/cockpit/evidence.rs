//! What is counted for and against a new version, per leg: checks at whole intervals, and the sums so far.
//!
//! It lives here and not in the engine; after a restart it starts again at nothing, and the engine's gate waits for it.

use super::fold::Row;
use super::{LegMetrics, VerdictView, World};
use crate::analysis::{Look, Reading, Threshold, Verdict, check};
use crate::fleet::{Counts, Metered, Sample};
use crate::rollout::{Input, Phase, Rollout};
use crate::strategy::{Limit, PlanLeg};
use crate::units::{LegId, Percent, RolloutId, Span, Time};

/// A window of counts: each side's, where it was measured, and where it ended.
type Window = (Option<Counts>, Option<Counts>, Time);

/// The evidence of one leg.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Since when the new side has traffic.
    pub since: Option<Time>,
    /// Both sides since then: (old, new).
    pub sums: (Counts, Counts),
    /// The old side's error rate in the minute before the launch.
    pub rate_before: Option<f64>,
    pub next_check: Option<Time>,
    /// The end of the last interval that a check looked at.
    pub checked: Option<Time>,
    pub reading: Option<Reading>,
    pub says: String,
    /// Since when the new side is over the limit, and its failed requests since then.
    pub failing: Option<(Time, f64)>,
}

impl World {
    /// Remembers what was usual before the rollout.
    pub(super) fn remember_rates(&mut self, id: &RolloutId) {
        let Some(flown) = self.flown.get_mut(id) else { return };
        for leg in flown.engine.plan().clone().legs.iter() {
            let row = self.rows.get(&leg.workload);
            let before = row.map(|r| r.track.between(&leg.old, self.now - Span::mins(1), self.now).0);
            flown.evidence.entry(leg.id.clone()).or_default().rate_before = before.and_then(|c| c.rate());
        }
    }

    /// Adds an interval to the sums of the rollouts that it belongs to.
    pub(super) fn evidence_from(&mut self, sample: &Sample) {
        let mut found = Vec::new();
        for (id, flown) in self.flown.iter().filter(|(_, f)| !f.engine.ended()) {
            for leg in flown.engine.plan().legs.iter().filter(|l| l.workload == sample.workload) {
                let new = self.new_revision(&flown.engine, leg);
                found.push((id.clone(), leg.id.clone(), leg.old.clone(), new));
            }
        }
        for (id, leg, old, new) in found {
            self.keep(&id, sample);
            let Some(flown) = self.flown.get_mut(&id) else { continue };
            let carries = flown.engine.weight_since(&leg).is_some_and(|(w, _)| w > Percent::ZERO);
            let known = flown.evidence.entry(leg).or_default();
            let (Some(new), true) = (new, carries || known.since.is_some()) else { continue };
            let since = *known.since.get_or_insert(sample.at);
            if sample.at - sample.span < since {
                continue;
            }
            if let Some(counts) = sample.of(&old) {
                known.sums.0.add(counts);
            }
            if let Some(counts) = sample.of(&new) {
                known.sums.1.add(counts);
                if let Some((_, failed)) = &mut known.failing {
                    *failed += counts.errors;
                }
            }
        }
    }

    /// Makes the checks of a rollout that are due.
    pub(super) fn check(&mut self, id: &RolloutId) {
        let Some(flown) = self.flown.get(id).filter(|f| f.engine.phase() == Phase::Flying) else { return };
        let plan = flown.engine.plan().clone();
        for leg in &plan.legs {
            let Some(flown) = self.flown.get(id) else { return };
            if flown.engine.weight_since(&leg.id).is_none_or(|(w, _)| w == Percent::ZERO) {
                continue;
            }
            let every = plan.rules.check_interval.0.max(1) as i64;
            let next = Time((self.now.0.div_euclid(every) + 1) * every);
            let due = flown.evidence.get(&leg.id).and_then(|e| e.next_check);
            if due.is_some_and(|at| at > self.now) {
                continue;
            }
            let window = due.and_then(|_| self.window(&flown.engine, leg));
            let Some(flown) = self.flown.get_mut(id) else { return };
            flown.evidence.entry(leg.id.clone()).or_default().next_check = Some(next);
            if due.is_none() {
                continue;
            }
            let (old, new, upto) = window.unwrap_or((None, None, self.now));
            let news = self.has_news(id, leg, upto);
            let uncounted = self.flown.get(id).and_then(|f| self.uncounted(&f.engine, leg)).filter(|_| new.is_none());
            let Some(flown) = self.flown.get_mut(id) else { return };
            let known = flown.evidence.entry(leg.id.clone()).or_default();
            known.checked = Some(upto);
            let mut reading = check(old.as_ref(), new.as_ref(), &thresholds(&plan.rules.limits), f64::from(plan.rules.least_requests));
            if let Some((_, why)) = uncounted {
                reading.why = why;
            }
            known.says.clone_from(&reading.why);
            let bad = reading.look == Look::Bad;
            // Windows overlap: the same errors must not be counted as bad a second time.
            if bad && !news {
                reading.look = Look::Neither;
            }
            if bad {
                known.failing.get_or_insert((upto, new.map_or(0.0, |c| c.errors)));
            } else if reading.look == Look::Good {
                known.failing = None;
            }
            let input = Input::Checked {
                leg: leg.id.clone(),
                upto,
                look: reading.look,
                verdict: reading.verdict,
                why: reading.why.clone(),
                both_sick: reading.both_sick,
            };
            known.reading = Some(reading);
            self.tell(id, &input);
            self.dirty = true;
        }
    }

    /// Whether a leg's new side failed a request since the last check; where latency counts, every interval is news.
    fn has_news(&self, id: &RolloutId, leg: &PlanLeg, upto: Time) -> bool {
        let Some(flown) = self.flown.get(id) else { return false };
        let slow = flown.engine.plan().rules.limits.iter().any(|l| matches!(l, Limit::Latency { .. }));
        let last = flown.evidence.get(&leg.id).and_then(|e| e.checked).unwrap_or_default();
        let failed = || {
            let (row, new) = (self.rows.get(&leg.workload)?, self.new_revision(&flown.engine, leg)?);
            Some(row.track.between(&new, last, upto).0.errors)
        };
        slow || failed().is_some_and(|n| n > 0.0)
    }

    /// The counts of the last window, since the new side has this traffic; sides that were not measured are missing.
    fn window(&self, engine: &Rollout, leg: &PlanLeg) -> Option<Window> {
        let row = self.rows.get(&leg.workload)?;
        let upto = row.track.upto()?;
        let new = self.new_revision(engine, leg)?;
        let (_, since) = engine.weight_since(&leg.id)?;
        let first = self.flown.get(engine.id())?.evidence.get(&leg.id)?.since.unwrap_or(since);
        let from = first.max(upto - engine.plan().rules.window);
        let stale = self.stale(row, engine);
        let of = |revision| {
            let (counts, span) = row.track.between(revision, from, upto);
            (span > Span::ZERO && !stale).then_some(counts)
        };
        Some((of(&leg.old), of(&new), upto))
    }

    /// Whether the last interval of a workload ended too long ago.
    fn stale(&self, row: &Row, engine: &Rollout) -> bool {
        let interval = engine.plan().rules.check_interval.max(row.track.last_span().unwrap_or_default());
        row.track.upto().is_some_and(|upto| self.now.since(upto) > Span(interval.0 * 2 + 5_000))
    }

    /// Why a leg that has traffic is not counted now: in a word, and in words.
    fn uncounted(&self, engine: &Rollout, leg: &PlanLeg) -> Option<(&'static str, String)> {
        let row = self.rows.get(&leg.workload).filter(|_| engine.phase() == Phase::Flying)?;
        engine.weight_since(&leg.id).filter(|(weight, _)| *weight > Percent::ZERO)?;
        let last = row.track.upto().map(|at| format!("last counted at {}", at.clock()));
        match row.metrics.as_ref().filter(|seen| seen.at >= engine.began()) {
            Some(seen) if seen.state != Metered::Counted => {
                let words = [Some(format!("{}: {}", seen.state.word(), seen.why)), last.filter(|_| self.stale(row, engine))];
                Some((seen.state.word(), words.into_iter().flatten().collect::<Vec<_>>().join("; ")))
            }
            _ => last.filter(|_| self.stale(row, engine)).map(|last| ("stale", format!("stale: {last}"))),
        }
    }

    /// What the numbers of all legs together say.
    pub(super) fn verdict(&self, id: &RolloutId) -> VerdictView {
        let Some(flown) = self.flown.get(id) else { return VerdictView::default() };
        let plan = flown.engine.plan();
        let (mut old, mut new) = (Counts::default(), Counts::default());
        for known in flown.evidence.values() {
            old.add(&known.sums.0);
            new.add(&known.sums.1);
        }
        let measured = plan.legs.iter().any(|l| self.rows.get(&l.workload).is_some_and(|r| r.track.upto().is_some()));
        let some = |c: &Counts| (c.requests > 0.0).then(|| c.clone());
        let limits = thresholds(&plan.rules.limits);
        let total = check(some(&old).as_ref(), some(&new).as_ref(), &limits, f64::from(plan.rules.least_requests));
        let worst = flown.evidence.values().filter_map(|e| e.reading.as_ref()).max_by_key(|r| severity(r.verdict));
        let fails = worst.filter(|r| r.verdict == Verdict::Fail);
        // What was counted before says nothing of now.
        let missing = plan.legs.iter().find_map(|leg| self.uncounted(&flown.engine, leg)).filter(|_| fails.is_none());
        let metrics = plan.legs.iter().filter(|_| flown.engine.phase() == Phase::Flying).filter_map(|leg| {
            let seen = self.rows.get(&leg.workload)?.metrics.clone().filter(|seen| seen.at >= flown.engine.began())?;
            Some(LegMetrics { leg: leg.id.clone(), seen })
        });
        let verdict = if missing.is_some() { Verdict::NoData } else { total.verdict };
        VerdictView {
            verdict: fails.map_or(verdict, |r| r.verdict),
            difference: total.difference.map(|d| d * 100.0),
            interval: total.interval.map(|i| (i.low * 100.0, i.high * 100.0)),
            p99_difference: total.p99_difference,
            requests: new.requests,
            failed: new.errors,
            says: fails.map_or_else(|| missing.as_ref().map_or(total.why, |(_, words)| words.clone()), |r| r.why.clone()),
            missing: missing.map(|(word, _)| word),
            metrics: metrics.collect(),
            next_check: flown.evidence.values().filter_map(|e| e.next_check).min().filter(|_| flown.engine.phase() == Phase::Flying),
            measured,
        }
    }

    /// Since when a rollout fails, and how many requests of the new side failed since.
    pub(super) fn failed_since(&self, id: &RolloutId) -> Option<(Time, f64)> {
        let all = self.flown.get(id)?.evidence.values().filter_map(|e| e.failing);
        all.reduce(|(a, n), (b, m)| (a.min(b), n + m))
    }

    /// The evidence of a leg, for its numbers on screen.
    pub(super) fn evidence(&self, id: &RolloutId, leg: &LegId) -> Option<&Evidence> {
        self.flown.get(id)?.evidence.get(leg)
    }
}

fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 4,
        Verdict::Inconclusive => 3,
        Verdict::TooFew => 2,
        Verdict::NoData => 1,
        Verdict::Pass => 0,
    }
}

fn thresholds(limits: &[Limit]) -> Vec<Threshold> {
    limits.iter().filter_map(Limit::threshold).collect()
}
