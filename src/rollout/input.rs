//! What the engine is told.

use crate::analysis::{Look, Verdict};
use crate::fleet::{Aspect, Flight, Observed};
use crate::units::{LegId, Person, Term, Time};
use serde::{Deserialize, Serialize};

/// A verb of design section 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// No forward step; holds' clocks stop.
    Pause,
    /// Goes on.
    Resume,
    /// Ends the current hold now.
    Promote,
    /// Drops all holds and verdict gates.
    PromoteFull,
    /// Passes a hold, an analysis or a closed gate.
    Skip,
    /// Tries what failed again now; after an abort from step 1.
    Retry,
    /// All traffic to stable, the new side stays.
    Abort,
    /// Abort, then every compensation, newest first.
    Rollback,
    /// Of a rollback: back to the weight before it.
    Undo,
    /// Of a moving rollback: the rest now.
    OverCapacity,
    /// A new term, driven here.
    Take,
}

impl Verb {
    /// Whether it needs arming in a safe fleet.
    pub fn needs_arming(self) -> bool {
        !matches!(self, Verb::Pause | Verb::Abort | Verb::Rollback | Verb::Take)
    }
}

/// What the engine is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    /// A person, or a program for one, wants something.
    Press {
        /// What.
        verb: Verb,
        /// Who.
        by: Person,
        /// Why, as typed.
        reason: Option<String>,
    },
    /// All that is known now. Only makes `decide` return events; nothing else of it is kept.
    Observed(&'a Observed),
    /// A check was made.
    Checked {
        /// Of which leg.
        leg: LegId,
        /// The end of the last interval that was looked at.
        upto: Time,
        /// What it showed.
        look: Look,
        /// What the numbers say so far.
        verdict: Verdict,
        /// In words: `errors 4.8 %, limit 2.0 %`.
        why: String,
        /// Whether the old side is over the limit too.
        both_sick: bool,
    },
    /// Every new pod of a leg was asked for its health.
    Health {
        /// Which leg.
        leg: LegId,
        /// When.
        at: Time,
        /// How many could be asked.
        pods: u32,
        /// Whether all said yes; none is not all.
        well: bool,
        /// What the first one said otherwise.
        why: String,
    },
    /// A write failed.
    WishFailed {
        /// Which leg.
        leg: LegId,
        /// What of it.
        aspect: Aspect,
        /// In which term it was asked.
        term: Term,
        /// Why.
        cause: String,
        /// A higher term stood on the fence.
        fenced_by: Option<Flight>,
        /// Whether asking again can help.
        may_heal: bool,
    },
}

/// Why the engine does not do what was asked. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub cause: String,
    /// What helps.
    pub remedy: String,
}
