//! Facts into rows, and rows into what a rollout's engine is shown.

use super::snapshot::RegionState;
use super::track::Track;
use super::{Note, Sign, World};
use crate::fleet::{Aspect, BesideSeen, Fact, LegSeen, MetricsSeen, Observed, Reach, Rights, Side, SideSeen, Workload};
use crate::rollout::{DRIVER, Input, Phase, Rollout};
use crate::strategy::PlanLeg;
use crate::units::{Namespace, Percent, Region, Revision, RolloutId, Span, Time};
use std::collections::BTreeMap;

/// A workload with its counts.
#[derive(Debug)]
pub(super) struct Row {
    pub workload: Workload,
    pub track: Track,
    /// What a Prometheus said last, while one is asked.
    pub metrics: Option<MetricsSeen>,
}

/// A region as known.
#[derive(Debug)]
pub(super) struct RegionFold {
    pub state: RegionState,
    pub server: Option<String>,
    pub heard: Option<Time>,
    pub skipped: Option<(u64, String)>,
    pub rights: BTreeMap<Namespace, Rights>,
}

impl World {
    /// Takes one fact in, and tells the rollouts what it means for them.
    pub(super) fn fold(&mut self, fact: Fact) {
        // Numbers are shown once a second; what a rollout makes of them is shown at once.
        self.dirty |=
            !matches!(fact, Fact::Sampled(_) | Fact::Heard { .. } | Fact::LagSeen { .. } | Fact::LeaseSeen { .. } | Fact::Driving { .. });
        let now = self.now;
        match fact {
            Fact::Connected { region, server } => {
                let again = matches!(self.region(&region).state, RegionState::Silent { .. });
                let known = self.region(&region);
                (known.state, known.server, known.heard) = (RegionState::Answers, Some(server), Some(now));
                if again {
                    // What was asked meanwhile may never have arrived.
                    for flown in self.flown.values_mut() {
                        let legs = flown.engine.plan().legs.iter().filter(|l| l.region == region).map(|l| l.id.clone());
                        let legs: Vec<_> = legs.collect();
                        flown.sent.retain(|key, _| !legs.contains(&key.leg));
                    }
                    self.note_region(&region, Sign::Ok, "answers again");
                }
            }
            Fact::ConnectionLost { region, since, trouble, again } => {
                if !matches!(self.region(&region).state, RegionState::Silent { .. }) {
                    self.note_region(&region, Sign::Unknown, &format!("silent: {}", trouble.cause));
                }
                self.region(&region).state = RegionState::Silent { since, why: trouble.cause, again };
            }
            Fact::Heard { region, at } => self.region(&region).heard = Some(at),
            Fact::WorkloadSeen(workload) => {
                self.watch_again.insert(workload.service.clone());
                match self.rows.get_mut(&workload.id) {
                    Some(row) => row.workload = *workload,
                    None => {
                        let track = self.past.remove(&workload.id).unwrap_or_default();
                        self.rows.insert(workload.id.clone(), Row { workload: *workload, track, metrics: None });
                    }
                }
            }
            Fact::WorkloadGone(id) => {
                if let Some(row) = self.rows.remove(&id) {
                    self.watch_again.insert(row.workload.service);
                }
            }
            Fact::Sampled(sample) => {
                self.evidence_from(&sample);
                if let Some(row) = self.rows.get_mut(&sample.workload) {
                    row.track.push(sample);
                }
            }
            Fact::MetricsSeen { workload, metrics } => {
                if let Some(row) = self.rows.get_mut(&workload) {
                    row.metrics = Some(*metrics);
                }
            }
            Fact::HealthSeen { workload, revision, at, well, ill, why } => {
                let good = ill == 0 && well > 0;
                let why = why.unwrap_or_else(|| if well + ill == 0 { "no pod could be asked".into() } else { format!("{ill} ill") });
                for (id, leg) in self.legs_of(&workload, Some(&revision)) {
                    self.tell(&id, &Input::Health { leg, at, pods: well + ill, well: good, why: why.clone() });
                }
            }
            Fact::WriteTaken { workload, aspect, took, .. } => {
                for (id, _) in self.legs_of(&workload, None) {
                    if let Some(flown) = self.flown.get_mut(&id)
                        && flown.engine.phase() == crate::rollout::Phase::RollingBack
                    {
                        let what = match aspect {
                            Aspect::Traffic => "traffic",
                            Aspect::Template => "template",
                            Aspect::OldReplicas | Aspect::NewReplicas => "pods",
                        };
                        let service = flown.engine.plan().service.name.clone();
                        let text = format!("{} {what} written", workload.region);
                        flown.note(now, Sign::Plain, &service, &text, &format!("in {} ms", took.0));
                    }
                }
            }
            Fact::WriteFailed { workload, aspect, term, trouble, fenced_by } => {
                let may_heal = !matches!(trouble.kind, crate::units::Kind::Refused | crate::units::Kind::Document);
                for (id, leg) in self.legs_of(&workload, None) {
                    let (cause, fenced_by) = (trouble.cause.clone(), fenced_by.clone());
                    self.tell(&id, &Input::WishFailed { leg, aspect, term, cause, fenced_by, may_heal });
                }
            }
            Fact::RightsSeen { region, namespace, rights } => {
                self.region(&region).rights.insert(namespace, rights);
            }
            Fact::Skipped { region, objects, why } => self.region(&region).skipped = Some((objects, why)),
            Fact::LagSeen { region, data, lag, promise } => {
                self.lags.insert((data, region), (lag, promise));
            }
            Fact::RecordSeen { workload, record } => self.record_seen(workload, record.map(|r| *r)),
            Fact::LeaseSeen { workload, lease } => self.lease_seen(workload, lease),
            Fact::RecordsListed { region, denied } => self.records_listed(region, denied),
            Fact::RecordKept { workload, rollout, upto, off } => self.record_kept(workload, rollout, upto, off),
            Fact::Driving { workload, rollout, at, held } => self.driving(workload, rollout, at, held),
            Fact::VersionsSeen { service, versions } => {
                self.versions.insert(service, versions);
            }
        }
    }

    pub(super) fn region(&mut self, region: &Region) -> &mut RegionFold {
        let now = self.now;
        self.regions.entry(region.clone()).or_insert_with(|| RegionFold {
            state: RegionState::Connecting { since: now },
            server: None,
            heard: None,
            skipped: None,
            rights: BTreeMap::new(),
        })
    }

    fn note_region(&mut self, region: &Region, sign: Sign, text: &str) {
        let note = Note { at: self.now, sign, subject: region.as_str().into(), text: text.into(), aside: String::new(), rollout: None };
        self.notes.push_front(note);
        self.notes.truncate(super::MOST_NOTES);
    }

    /// The flown rollouts that have a leg in a workload; with a revision, only those whose new side it is.
    fn legs_of(&self, workload: &crate::units::WorkloadId, new: Option<&Revision>) -> Vec<(RolloutId, crate::units::LegId)> {
        let mut found = Vec::new();
        for (id, flown) in &self.flown {
            for leg in flown.engine.plan().legs.iter().filter(|l| l.workload == *workload) {
                if new.is_none_or(|r| self.new_revision(&flown.engine, leg).as_ref() == Some(r)) {
                    found.push((id.clone(), leg.id.clone()));
                }
            }
        }
        found
    }

    /// The revision of a leg's new side: as the engine knows it, else the one that runs the plan's image.
    pub(super) fn new_revision(&self, engine: &Rollout, leg: &PlanLeg) -> Option<Revision> {
        let known = engine.new_revision(&leg.id);
        // A workload that has adopted a template has an identity of its own for it once the second workload is gone.
        let adopted = |r| leg.beside.is_some() && self.rows.get(&leg.workload).is_some_and(|row| row.workload.revision(r).is_none());
        if let Some(known) = known.filter(|r| !adopted(r)) {
            return Some(known.clone());
        }
        let row = &self.rows.get(&leg.workload)?.workload;
        let runs =
            |r: &&crate::fleet::RevisionSeen| r.revision != leg.old && r.images.iter().any(|(c, i)| *c == leg.container && *i == leg.image);
        row.revisions.iter().filter(runs).max_by_key(|r| r.created).map(|r| r.revision.clone())
    }

    /// All that is known of one rollout now.
    pub(super) fn observe(&self, engine: &Rollout, id: Option<&RolloutId>) -> Observed {
        let legs = engine.plan().legs.iter().map(|l| (l.id.clone(), self.observe_leg(engine, l, id))).collect();
        Observed { at: self.now, gates: self.gates(engine), legs }
    }

    fn observe_leg(&self, engine: &Rollout, leg: &PlanLeg, id: Option<&RolloutId>) -> LegSeen {
        let region = self.regions.get(&leg.region);
        let reach = match region.map(|r| (&r.state, r.heard)) {
            Some((RegionState::Answers, heard)) => Reach::Answers(heard.unwrap_or(self.now)),
            Some((RegionState::Silent { since, why, again }, _)) => Reach::Silent { since: *since, why: why.clone(), again: Some(*again) },
            _ => Reach::Unknown,
        };
        let Some(row) = self.rows.get(&leg.workload) else { return LegSeen { reach, ..LegSeen::default() } };
        let w = &row.workload;
        let new = self.new_revision(engine, leg);
        let side = |revision: Option<&Revision>| match revision {
            None => SideSeen { pods: Some(crate::fleet::Pods::default()), ..SideSeen::default() },
            Some(r) => SideSeen {
                revision: Some(r.clone()),
                pods: Some(w.revision(r).map(|r| r.pods.clone()).unwrap_or_default()),
                last: row.track.last(r),
                exists: w.revision(r).is_some(),
            },
        };
        let evidence = id.and_then(|id| self.flown.get(id)?.evidence.get(&leg.id));
        let denied = region.and_then(|r| r.rights.get(&leg.workload.namespace)).and_then(|r| r.denied.first());
        let side_of = |revision: &Revision| match revision {
            r if *r == leg.old => Some(Side::Old),
            r if Some(r) == new.as_ref() => Some(Side::New),
            _ => None,
        };
        let alone = w.beside.as_ref().map_or_else(|| w.complete.then_some(&w.template), |b| b.home.as_ref());
        // On the way back what its owner put there meanwhile is the old side: it is not the version that is left.
        let back = leg.beside.is_some() && matches!(engine.phase(), Phase::RollingBack | Phase::Back | Phase::Aborted);
        let is_new = |r: &Revision| w.revision(r).is_none_or(|r| r.images.iter().any(|(c, i)| *c == leg.container && *i == leg.image));
        let own = alone.filter(|r| back && side_of(r).is_none() && !is_new(r));
        let (old, new_side) = (side(own.or(Some(&leg.old))), side(new.as_ref()));
        LegSeen {
            reach,
            home: own.map(|_| Side::Old).or_else(|| alone.and_then(side_of)),
            beside: w.beside.as_ref().map(|b| BesideSeen { side: b.revision.as_ref().and_then(side_of), share: b.share }),
            template: Some(w.template.clone()),
            want: new.as_ref().map_or(Some(Percent::ZERO), |r| w.want(r)),
            seen: new.as_ref().and_then(|r| self.share_of(engine, leg, row, r)),
            load: row.track.load(self.now, Span::mins(1)),
            flight: self.highest_flight(engine, w),
            paused: w.paused,
            complete: w.complete,
            stuck: new_side.pods.as_ref().and_then(|p| p.stuck.clone()),
            automation: w.automation.clone(),
            denied: denied.map(|(_, words)| words.clone()),
            start_takes: w.start_takes,
            rate_before: evidence.and_then(|e| e.rate_before),
            says: evidence.map(|e| e.says.clone()).filter(|s| !s.is_empty()),
            old,
            new: new_side,
        }
    }

    /// The share of requests that a leg's new side gets, from what was counted since it last changed. What a proof has said holds
    /// until the next whole interval.
    fn share_of(&self, engine: &Rollout, leg: &PlanLeg, row: &Row, new: &Revision) -> Option<Percent> {
        let (moved, proven) = (engine.weight_since(&leg.id).map(|(_, at)| at), engine.proven_at(&leg.id));
        let share = row.track.share(new, moved.max(proven), self.now);
        match proven {
            Some(at) if !row.track.counted_since(at) => share.map(|_| Percent::ZERO),
            _ => share,
        }
    }

    /// Gates that something here can tell about.
    fn gates(&self, engine: &Rollout) -> BTreeMap<String, Result<(), String>> {
        let mut gates = BTreeMap::new();
        if let Some(why) = self.driven_elsewhere(engine) {
            gates.insert(DRIVER.into(), Err(why));
        }
        if !self.lags.is_empty() {
            let regions: Vec<&Region> = engine.plan().legs.iter().map(|l| &l.region).collect();
            let late = self.lags.iter().find(|((_, region), (lag, promise))| regions.contains(&region) && lag > promise);
            let open = match late {
                Some(((data, region), (lag, promise))) => Err(format!("{data} in {region} lag {lag}, promise {promise}")),
                None => Ok(()),
            };
            gates.insert("lag".into(), open);
        }
        gates
    }
}
