//! The simulated fleet as a platform.
//!
//! Translates orders and questions, nothing else; it never looks at what they mean. Known weakness: nothing but time brings
//! facts here, so `ready` never resolves and the caller has to keep to `poll_timeout`.

use super::{Order, Platform, Question};
use crate::fleet::Fact;
use crate::rollout::Ask;
use crate::simulator::{Fleet, Incident, Write};
use crate::units::{Revision, Time, WorkloadId};
use std::future::Future;
use std::pin::Pin;

/// A simulated fleet behind the platform's face.
#[derive(Debug)]
pub struct Simulator {
    fleet: Fleet,
}

impl Simulator {
    /// The platform over a fleet.
    pub fn new(fleet: Fleet) -> Simulator {
        Simulator { fleet }
    }
    /// The fleet.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }
    /// Lets something happen now.
    pub fn happen(&mut self, now: Time, incident: Incident) {
        self.fleet.happen(now, incident);
    }
}

impl Platform for Simulator {
    fn send(&mut self, now: Time, order: Order) {
        let Order { rollout, workload, wish, old, new, image, version, .. } = order;
        let write = Write {
            workload,
            aspect: wish.key.aspect,
            want: wish.want,
            rollout,
            term: wish.term,
            way: wish.way,
            old,
            // A simulated revision is named after its version, so it is known before it exists.
            new: new.unwrap_or_else(|| Revision::new(version.as_str())),
            version,
            image,
        };
        self.fleet.write(now, write);
    }
    fn ask(&mut self, now: Time, open: &[Question]) {
        let open: Vec<(WorkloadId, Ask)> = open.iter().map(|q| (q.workload.clone(), q.ask.clone())).collect();
        self.fleet.ask(now, &open);
    }
    fn poll(&mut self, now: Time) -> Option<Fact> {
        self.fleet.poll(now)
    }
    fn poll_timeout(&self) -> Option<Time> {
        Some(self.fleet.poll_timeout())
    }
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(std::future::pending())
    }
}
