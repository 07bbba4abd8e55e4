//! What is seen of a workload: its row, its pods' health, and whether an update of it is at work.

use super::super::faults::Ill;
use super::super::layout::CONTAINER;
use super::set::Set;
use super::{DEADLINE, Workload};
use crate::fleet::{Divides, Flight, Pods as PodsRow, RevisionSeen, Workload as Row};
use crate::units::{Percent, Revision, Time, count};

impl Workload {
    /// The share of requests that goes to other revisions than the stable one.
    pub fn new_share(&self) -> f64 {
        self.sets.iter().filter(|s| s.revision != self.stable).map(|s| s.share).sum()
    }

    /// Asks every pod of a revision that has started for its health: how many are well, how many not, and why.
    /// `None` while all of them start: nobody could answer yet.
    pub fn health(&self, revision: &Revision, path: &str) -> Option<(u32, u32, Option<String>)> {
        let Some(set) = self.sets.iter().find(|s| s.revision == *revision && s.pods.len() > 0) else {
            return Some((0, 0, Some("no pods".into())));
        };
        let (all, ready) = (set.pods.len() - set.pods.begin(), set.pods.ready());
        if all == 0 {
            return None;
        }
        if set.is(&Ill::Unhealthy) && ready > 0 {
            return Some((0, all, Some(format!("{path} answers 503"))));
        }
        let why =
            || set.pods.stuck(&self.habits(set)).map_or_else(|| format!("{} of {} not ready", all - ready, count(all, "pod")), |s| s.cause);
        Some((ready, all - ready, (ready < all).then(why)))
    }

    /// Whether no update is at work: one revision has all traffic. Idle pods of another may stand by.
    pub(super) fn complete(&self) -> bool {
        self.roll.is_none() && self.sets.iter().any(|s| s.asked == Percent::ALL)
    }
    /// Whether a rolling update waits because it has come as far as it was asked to.
    pub(super) fn holds(&self) -> bool {
        self.roll.as_ref().is_some_and(|roll| {
            let goal = roll.goal(self.replicas);
            let there = |s: &Set| s.revision == roll.target && s.pods.ready() >= goal;
            roll.paused || (roll.share < Percent::ALL && self.sets.iter().any(there))
        })
    }
    pub(super) fn in_motion(&self) -> bool {
        let waits = self.sets.iter().any(|s| s.pods.ready() < if self.roll.is_some() { s.pods.len() } else { s.want });
        (self.roll.is_some() && !self.holds()) || waits
    }
    pub(super) fn is_late(&self, now: Time) -> bool {
        self.in_motion() && now.since(self.progress) >= DEADLINE
    }
    pub fn flight(&self) -> Option<&Flight> {
        self.flight.as_ref()
    }

    fn row(&self, now: Time) -> Row {
        let pods = |s: &Set| PodsRow {
            want: if self.roll.is_some() { s.pods.len() } else { s.want },
            exist: s.pods.len(),
            ready: s.pods.ready(),
            stuck: s.pods.stuck(&self.habits(s)),
        };
        let revisions = self.sets.iter().map(|s| RevisionSeen {
            revision: s.revision.clone(),
            version: s.version.clone(),
            number: None,
            pods: pods(s),
            images: vec![(CONTAINER.into(), s.image.clone())],
            created: s.created,
            seen_healthy: s.seen_healthy,
        });
        let split = self.sets.iter().filter(|s| self.roll.is_none() && (s.asked > Percent::ZERO || !s.gone()));
        Row {
            id: self.id.clone(),
            service: self.service_name.clone(),
            revisions: revisions.collect(),
            template: self.template.clone(),
            replicas: if self.roll.is_some() { self.replicas } else { self.sets.iter().map(|s| s.want).sum() },
            split: split.map(|s| (s.revision.clone(), s.asked)).collect(),
            // Both sides stand by themselves here.
            divides: Divides::Nothing(String::new()),
            beside: None,
            flight: self.flight.clone(),
            paused: self.holds(),
            complete: self.complete(),
            deadline_passed: self.is_late(now),
            changed: self.changed,
            changed_by: self.changed_by.clone(),
            automation: None,
            rolling: Some(self.rolling),
            drains: self.drains,
            start_takes: Some(self.start),
            annotations: Vec::new(),
        }
    }

    /// Its row, when it is another than the one told last.
    pub fn news(&mut self, now: Time) -> Option<Row> {
        self.touched = false;
        let row = self.row(now);
        if self.told.as_ref() == Some(&row) {
            return None;
        }
        self.told = Some(row.clone());
        Some(row)
    }
    /// Forgets what was told, so that its row is told again.
    pub fn forget(&mut self) {
        (self.told, self.touched) = (None, true);
    }
}
