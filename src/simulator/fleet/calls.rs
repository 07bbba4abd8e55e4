//! Writes on their way: they take time, may be refused by the fence or fail, and a newer one replaces an older one.

use super::super::write::Write;
use super::{Fleet, ills};
use crate::fleet::{Fact, Flight};
use crate::units::{Kind, Place, Span, Time, Trouble};

/// A call that is not answered by then has failed.
const CALL_LIMIT: Span = Span::secs(5);

/// A write on its way.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub due: Time,
    pub nth: u64,
    pub sent: Time,
    pub workload: usize,
    pub stage: Stage,
    pub write: Write,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    /// Leaves.
    Leaves,
    /// Is done; whether somebody still waits for the answer.
    Lands { awaited: bool },
    /// Is refused by a server in trouble.
    Fails,
    /// Nobody answered in time.
    Unanswered,
}

impl Fleet {
    pub(super) fn carry_calls(&mut self, now: Time) {
        while let Some(at) =
            (0..self.calls.len()).filter(|c| self.calls[*c].due <= now).min_by_key(|c| (self.calls[*c].due, self.calls[*c].nth))
        {
            let call = self.calls.swap_remove(at);
            match call.stage {
                Stage::Leaves => self.leave(call, now),
                Stage::Lands { awaited } => self.land(call, awaited, now),
                Stage::Fails => self.fail(&call.write, "the API server is in trouble (500)"),
                Stage::Unanswered => self.fail(&call.write, "no answer in 5 s"),
            }
        }
    }
    fn leave(&mut self, call: Call, now: Time) {
        self.calls.retain(|c| (c.workload, c.write.aspect) != (call.workload, call.write.aspect) || c.stage == Stage::Leaves);
        let site = &mut self.sites[self.workloads[call.workload].region];
        let takes = site.dice.span(Span(5), Span(20)) + site.slow;
        let fails = site.dice.chance(site.failing.share());
        let unanswered = Call { due: call.sent + CALL_LIMIT, stage: Stage::Unanswered, ..call.clone() };
        if site.silent.is_some() {
            self.calls.push(unanswered);
            return;
        }
        let awaited = takes < CALL_LIMIT;
        if !awaited {
            self.calls.push(unanswered);
        }
        let stage = if fails { Stage::Fails } else { Stage::Lands { awaited } };
        if awaited || !fails {
            self.calls.push(Call { due: now + takes, stage, ..call });
        }
    }
    fn land(&mut self, call: Call, awaited: bool, now: Time) {
        let workload = &mut self.workloads[call.workload];
        if self.sites[workload.region].silent.is_some() {
            if awaited {
                self.calls.push(Call { due: call.sent + CALL_LIMIT, stage: Stage::Unanswered, ..call });
            }
            return;
        }
        let write = &call.write;
        if let Some(there) = workload.flight().filter(|there| write.is_refused_by(there)).cloned() {
            if awaited {
                let cause = format!("refused: {} is there in term {}", there.rollout, there.term.0);
                let trouble = Trouble::new(Kind::Refused, Place::named(workload.id.to_string()), cause, "take the controls to go on");
                self.tell_failed(write, trouble, Some(there));
            }
            return;
        }
        let ills = ills(&self.illnesses, call.workload, &write.version);
        workload.apply(write, ills, now);
        if awaited {
            let (workload, aspect, term) = (write.workload.clone(), write.aspect, write.term);
            self.facts.push_back(Fact::WriteTaken { workload, aspect, term, took: now.since(call.sent) });
        }
    }
    fn fail(&mut self, write: &Write, cause: &str) {
        let trouble = Trouble::new(Kind::OutOfReach, Place::named(write.workload.region.as_str()), cause, "it is asked again");
        self.tell_failed(write, trouble, None);
    }
    pub(super) fn tell_failed(&mut self, write: &Write, trouble: Trouble, fenced_by: Option<Flight>) {
        let (workload, aspect, term) = (write.workload.clone(), write.aspect, write.term);
        self.facts.push_back(Fact::WriteFailed { workload, aspect, term, trouble, fenced_by });
    }
}
