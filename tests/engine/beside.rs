//! The model of a workload with a second one beside it: which version each runs, who has the traffic, and how writes that want
//! a version somewhere find their place. It knows no engine.

use super::world::Place;
use flightdeck::fleet::{Aspect, BesideSeen, Division, Side};
use flightdeck::rollout::{Want, Wish};
use flightdeck::units::{Percent, Span, Time};

/// How long a workload takes to change its template, without traffic.
const CHANGE: Span = Span::secs(8);

#[derive(Clone, Debug)]
pub struct Beside {
    pub how: Division,
    /// What the workload itself runs; until `mixed` it has pods of both.
    pub home: Side,
    mixed: Option<Time>,
    /// What the second one runs, while there is one, and its share of the traffic.
    pub next: Option<Side>,
    pub on_next: Percent,
}

impl Beside {
    pub fn new(how: Division) -> Beside {
        Beside { how, home: Side::Old, mixed: None, next: None, on_next: Percent::ZERO }
    }
    fn alone(&self, now: Time) -> Option<Side> {
        self.mixed.is_none_or(|until| now >= until).then_some(self.home)
    }
    pub fn seen(&self, now: Time) -> (Option<Side>, Option<BesideSeen>) {
        (self.alone(now), self.next.map(|side| BesideSeen { side: Some(side), share: Some(self.on_next) }))
    }
    /// The new version's share.
    pub fn share(&self) -> Percent {
        let of = |side, share| if side == Side::New { share } else { Percent::ZERO };
        of(self.home, self.on_next.rest()).plus(self.next.map_or(Percent::ZERO, |next| of(next, self.on_next)))
    }
    /// Somebody else moves the traffic, as far as the two can be told apart.
    pub fn shift(&mut self, share: Percent) {
        let share = match self.how {
            Division::Switch if share.share() < 0.5 => Percent::ZERO,
            Division::Switch => Percent::ALL,
            Division::Weights => share,
        };
        match self.next {
            Some(next) if next != self.home => self.on_next = if next == Side::New { share } else { share.rest() },
            _ => {}
        }
    }
    pub fn next(&self, now: Time) -> Option<Time> {
        self.mixed.filter(|at| *at > now)
    }
}

impl Place {
    /// A write lands. False: what it waits for is not there yet.
    pub fn land_beside(&mut self, wish: &Wish, now: Time) -> bool {
        let Some(mut it) = self.beside.clone() else { return true };
        let done = match wish.want {
            Want::Weight { new } => weight(&mut it, new, now),
            Want::Replicas { pods: 0 } => self.remove(&mut it, now),
            Want::Replicas { pods } => {
                let side = if wish.key.aspect == Aspect::OldReplicas { Side::Old } else { Side::New };
                self.place(&mut it, side, pods, now);
                true
            }
            Want::Home { forward } => self.come_home(&mut it, if forward { Side::New } else { Side::Old }, now),
            Want::Roll { .. } => true,
        };
        self.beside = Some(it);
        done
    }

    /// The second workload goes, when it has no traffic.
    fn remove(&mut self, it: &mut Beside, now: Time) -> bool {
        if it.on_next > Percent::ZERO {
            return false;
        }
        it.next = None;
        self.scale_side(it.home.other(), 0, now);
        if self.ready_of(it.home, now) > self.base {
            self.scale_side(it.home, self.base, now);
        }
        true
    }

    /// A version gets pods: where it is, else in the workload that has no traffic.
    fn place(&mut self, it: &mut Beside, side: Side, pods: u32, now: Time) {
        if it.home != side && it.next != Some(side) {
            if it.next.is_some() && it.on_next > Percent::ZERO {
                (it.home, it.mixed) = (side, Some(now + CHANGE));
            } else {
                it.next = Some(side);
            }
            let left = if it.home == side.other() { self.base } else { pods };
            self.scale_side(side.other(), left, now);
        }
        if self.want_of(side) < pods {
            self.scale_side(side, pods, now);
        }
    }

    fn come_home(&mut self, it: &mut Beside, side: Side, now: Time) -> bool {
        if it.home != side {
            if it.next == Some(side) && it.on_next == Percent::ALL && !self.stuck {
                (it.home, it.mixed) = (side, Some(now + CHANGE));
                self.scale_side(side, self.want_of(side) + self.base, now);
                self.scale_side(side.other(), 0, now);
            }
            return false;
        }
        let all_ready = self.ready_of(side, now) == self.want_of(side);
        if it.on_next > Percent::ZERO && it.alone(now) == Some(side) && all_ready {
            it.on_next = Percent::ZERO;
        }
        it.on_next == Percent::ZERO && it.alone(now) == Some(side)
    }
}

/// Traffic goes where each version stands alone.
fn weight(it: &mut Beside, new: Percent, now: Time) -> bool {
    let share = |side| if side == Side::New { new } else { new.rest() };
    let home = it.alone(now);
    match it.next {
        None => home.is_some_and(|home| share(home) == Percent::ALL),
        Some(next) if home == Some(next) => share(next) == Percent::ALL,
        Some(next) => {
            let rest = share(next.other());
            if rest > Percent::ZERO && home != Some(next.other()) {
                return false;
            }
            it.on_next = share(next);
            true
        }
    }
}
