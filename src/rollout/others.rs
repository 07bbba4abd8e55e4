//! What others did to the traffic of a leg, told from what stands on its traffic object: an older write that came over ours
//! is written over, like one of ours that never landed; what somebody moved by hand is shown and held, never fought (design
//! section 3, "Who drives").
//!
//! Known weakness: a hand that moves traffic before our write was seen is taken for a write that has not landed.

use super::decide::Deciding;
use super::event::What;
use super::state::{LegState, Next, Rollout};
use crate::fleet::{Aspect, LegSeen, Observed};
use crate::strategy::{PlanLeg, Route};
use crate::units::{LegId, Percent, Span, Time};

/// A write has landed or failed by then.
pub(super) const WRITES: Span = Span::secs(30);

/// How a leg's traffic stands against what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// As asked for.
    There,
    /// Not there, and no write is on its way any more; or an older write came over ours.
    Missing,
    /// It was there, and somebody moved it by hand.
    Moved,
    /// Cannot be told, or not yet.
    Unknown,
}

impl Deciding {
    /// What landed, what is held, and what is asked again, leg by leg.
    pub(super) fn see_others(&mut self, seen: &Observed) {
        for leg in &self.it.plan.clone().legs {
            let Some(state) = self.it.state.legs.get(&leg.id) else { continue };
            let (id, seen) = (leg.id.clone(), seen.leg(&leg.id));
            let (landed, moved) = (state.landed.is_some(), state.moved);
            // A write that failed has its own time to be tried again, or waits for a person.
            let failed = state.failures.get(&traffic_aspect(leg.route)).is_some_and(|f| f.next != Next::Asked);
            match self.it.stands(leg, state, &seen, self.now) {
                Stands::There if !landed || moved => self.plan(What::Landed { leg: id }),
                Stands::Missing if self.it.state.paused.is_none() && !failed => {
                    self.plan(What::WishRenewed { leg: id, aspect: traffic_aspect(leg.route) });
                }
                Stands::Moved if !moved => {
                    let why = self.it.what_stands(leg, &seen);
                    self.plan(What::LegMoved { leg: id, why });
                }
                _ => {}
            }
        }
    }
}

impl Rollout {
    fn stands(&self, leg: &PlanLeg, state: &LegState, seen: &LegSeen, now: Time) -> Stands {
        let Some(asked_at) = state.asked_at.filter(|_| seen.reach.answers()) else { return Stands::Unknown };
        // By pods the fence is written with the template: where it is ours, the template was.
        let fence = seen.flight.as_ref();
        let mine = leg.route == Route::Pods && fence.is_some_and(|f| f.term == self.state.term);
        match leg.route {
            _ if has_it(leg, state, seen) => Stands::There,
            Route::Weights if seen.want.is_none() => Stands::Unknown,
            _ if state.landed.is_some() && self.is_older(seen) => Stands::Missing,
            _ if state.landed.is_some() => Stands::Moved,
            _ if now < asked_at + WRITES => Stands::Unknown,
            _ if mine => Stands::Moved,
            _ if state.moved && !self.is_older(seen) => Stands::Moved,
            _ => Stands::Missing,
        }
    }

    /// Whether the fence is of an older term than ours.
    fn is_older(&self, seen: &LegSeen) -> bool {
        seen.flight.as_ref().is_some_and(|f| f.term < self.state.term)
    }

    /// What stands there, in words, where it is not what was asked for.
    pub(super) fn what_stands(&self, leg: &PlanLeg, seen: &LegSeen) -> String {
        let id = &leg.id;
        match (leg.route, seen.want, &seen.template) {
            (Route::Weights, Some(share), _) => format!("traffic in {id} was moved to {share} by somebody"),
            (Route::Weights, None, _) => format!("the split in {id} cannot be read"),
            (Route::Pods, _, Some(template)) if *template == leg.old => {
                format!("{id} was put back to {} by somebody", leg.old_version)
            }
            (Route::Pods, ..) => format!("{id} was given another version by somebody"),
        }
    }

    /// The older write that stands in a leg and is being written over, in words.
    pub(super) fn older_write(&self, leg: &PlanLeg, state: &LegState, seen: &LegSeen) -> Option<String> {
        let again = state.restore.is_none() && state.again.contains_key(&traffic_aspect(leg.route));
        let flight = seen.flight.as_ref().filter(|_| again && self.is_older(seen) && !has_it(leg, state, seen))?;
        let by = if flight.rollout == self.id { String::new() } else { format!(" by {}", flight.rollout) };
        Some(format!("an older write{by} stands in {}, ours is sent again", leg.id))
    }
}

/// Whether what was last asked for a leg's traffic is there; what is not known of a template is taken as there.
pub(super) fn has_it(leg: &PlanLeg, state: &LegState, seen: &LegSeen) -> bool {
    let Some(template) = &seen.template else { return leg.route == Route::Pods || seen.want == Some(state.weight) };
    match leg.route {
        Route::Weights => seen.want == Some(state.weight),
        // Nothing of the new version was asked for yet.
        Route::Pods if state.weight == Percent::ZERO => true,
        Route::Pods => *template != leg.old && state.revision.as_ref().is_none_or(|new| new == template),
    }
}

/// What carries a leg's traffic.
pub(super) fn traffic_aspect(route: Route) -> Aspect {
    match route {
        Route::Weights => Aspect::Traffic,
        Route::Pods => Aspect::Template,
    }
}

/// The legs of a list that somebody moved.
pub(super) fn moved<'a>(it: &Rollout, legs: &'a [LegId]) -> Option<&'a LegId> {
    legs.iter().find(|id| it.state.legs.get(*id).is_some_and(|l| l.moved))
}
