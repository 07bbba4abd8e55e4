//! A write to a workload, and the fence that says whose write counts.

use crate::fleet::{Aspect, Flight, Way};
use crate::rollout::Want;
use crate::units::{Revision, RolloutId, Term, Version, WorkloadId};

/// A state that somebody wants, with all that carrying it out needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Of which workload.
    pub workload: WorkloadId,
    /// What of it.
    pub aspect: Aspect,
    /// What should be true.
    pub want: Want,
    /// Whose write it is.
    pub rollout: RolloutId,
    /// In which term.
    pub term: Term,
    /// Which way that rollout moves.
    pub way: Way,
    /// The stable revision.
    pub old: Revision,
    /// The new revision.
    pub new: Revision,
    /// What the new revision is called.
    pub version: Version,
    /// Its image.
    pub image: String,
}

impl Write {
    /// What the write leaves on the traffic object.
    pub(super) fn flight(&self) -> Flight {
        let to = if self.way == Way::Forward { &self.new } else { &self.old };
        Flight { rollout: self.rollout.clone(), term: self.term, way: self.way, to: to.clone() }
    }

    /// Whether the fence refuses it: a higher term stands there, or in the same term somebody else or the way back.
    ///
    /// The way back is written without looking.
    pub(super) fn is_refused_by(&self, flight: &Flight) -> bool {
        let theirs = flight.rollout != self.rollout || flight.way == Way::Back;
        self.way == Way::Forward && (flight.term > self.term || (flight.term == self.term && theirs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Percent;

    fn write(rollout: &str, term: u64, way: Way) -> Write {
        Write {
            workload: WorkloadId {
                region: "us-east-1".into(),
                namespace: "shop".into(),
                kind: "Deployment".into(),
                name: "order-service".into(),
            },
            aspect: Aspect::Traffic,
            want: Want::Weight { new: Percent::whole(5) },
            rollout: RolloutId::new(rollout),
            term: Term(term),
            way,
            old: "v41".into(),
            new: "v42".into(),
            version: "v42".into(),
            image: "shop/order-service:v42".into(),
        }
    }

    #[test]
    fn a_lower_term_is_refused_and_the_way_back_never() {
        let there = write("a", 7, Way::Forward).flight();
        assert_eq!(there.to, Revision::new("v42"));
        assert!(write("a", 6, Way::Forward).is_refused_by(&there));
        assert!(!write("a", 7, Way::Forward).is_refused_by(&there));
        assert!(write("b", 7, Way::Forward).is_refused_by(&there));
        assert!(!write("b", 8, Way::Forward).is_refused_by(&there));
        assert!(!write("b", 1, Way::Back).is_refused_by(&there));
    }

    #[test]
    fn nothing_goes_forward_in_a_term_that_says_back() {
        let back = write("a", 8, Way::Back).flight();
        assert_eq!(back.to, Revision::new("v41"));
        assert!(write("a", 8, Way::Forward).is_refused_by(&back));
        assert!(!write("a", 9, Way::Forward).is_refused_by(&back));
    }
}
