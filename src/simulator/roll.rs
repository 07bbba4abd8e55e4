//! The rolling controller: changes a workload pod by pod, within surge and unavailable, as far as a share.
//!
//! As a Deployment's: new pods while there is room above, old ones while enough are available, broken old ones first.

use super::pods::{Habits, Pods};
use crate::units::{Percent, Revision, Time};

/// An update that is being rolled out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Roll {
    /// The revision it rolls to.
    pub target: Revision,
    /// How far: this share of the pods.
    pub share: Percent,
    /// Pods more than asked for.
    pub surge: u32,
    /// Pods that may be missing.
    pub unavailable: u32,
    /// Stands still.
    pub paused: bool,
}

impl Roll {
    /// Pods of the target that are wanted, of so many.
    pub fn goal(&self, replicas: u32) -> u32 {
        self.share.of_rounded_up(replicas)
    }

    /// One pass: starts and removes what may be started and removed now. Returns whether anything changed.
    pub fn pass(&self, replicas: u32, target: (&mut Pods, &Habits), others: &mut [(&mut Pods, Habits)], now: Time) -> bool {
        if self.paused {
            return false;
        }
        let (target, habits) = target;
        let goal = self.goal(replicas);
        // With neither, nothing could ever move; the API server takes 0 and 0 as 0 and 1, too.
        let unavailable = if self.surge == 0 { self.unavailable.max(1) } else { self.unavailable };
        let total = target.len() + others.iter().map(|(p, _)| p.len()).sum::<u32>();
        let room = (replicas + self.surge).saturating_sub(total);
        let start = goal.saturating_sub(target.len()).min(room);
        target.start(start, now, habits);

        let available = target.available(now, habits) + others.iter().map(|(p, h)| p.available(now, h)).sum::<u32>();
        let mut spare = available.saturating_sub(replicas.saturating_sub(unavailable));
        let mut excess = others.iter().map(|(p, _)| p.len()).sum::<u32>().saturating_sub(replicas - goal.min(replicas));
        let mut removed = 0;
        for (pods, _) in others.iter_mut() {
            let gone = pods.remove_unready(excess);
            (excess, removed) = (excess - gone, removed + gone);
        }
        for (pods, habits) in others.iter_mut() {
            // Ready but not yet available ones count as available here: taking one too few is the safe side.
            let gone = pods.remove_ready(excess.min(spare), now, habits);
            (excess, spare, removed) = (excess - gone, spare - gone, removed + gone);
        }
        start + removed > 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::*;
    use crate::units::Span;
    use proptest::prelude::*;

    fn habits() -> Habits {
        Habits { start: Span::secs(4), min_ready: Span::ZERO, drains: true, no_image: None, crash_loop: false }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_update_never_goes_beyond_surge_and_unavailable_and_comes_to_its_share(
            seed in 0u64..1000, replicas in 1u32..40, surge in 0u32..6, unavailable in 0u32..6, share in 1u16..=100, back_after in 0..200,
        ) {
            let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
            let mut new = Pods::new(Dice::new(seed, &["new"]));
            let mut old = Pods::new(Dice::new(seed, &["old"]));
            old.add_ready(replicas, Time(0));
            let roll = |share, paused| Roll { target: Revision::new("v2"), share, surge, unavailable, paused };
            let mut now = Time(0);
            let check = |new: &Pods, old: &Pods, deaths: bool| {
                prop_assert!(new.len() + old.len() <= replicas + surge, "{} + {} pods of {replicas} + {surge}", new.len(), old.len());
                if !deaths {
                    let ready = new.ready() + old.ready();
                    prop_assert!(ready + unavailable >= replicas, "{ready} ready of {replicas}, {unavailable} may be missing");
                }
                Ok(())
            };
            // A pod that dies by chance may bring the fleet below what the controller keeps; such runs prove nothing about it.
            let mut deaths = false;
            for tick in 0..1000 {
                let back = tick > back_after;
                let (target, other) = if back { (&mut old, &mut new) } else { (&mut new, &mut old) };
                let share = if back { Percent::ALL } else { Percent::whole(share) };
                let before = target.ready() + other.ready();
                target.turn(now, &habits());
                other.turn(now, &habits());
                deaths |= target.ready() + other.ready() < before;
                roll(share, false).pass(replicas, (target, &habits()), &mut [(other, habits())], now);
                check(&new, &old, deaths)?;
                now += Span(500);
            }
            prop_assert_eq!((new.len(), old.len()), (0, replicas));
        }

        #[test]
        fn a_share_is_reached_and_not_passed(seed in 0u64..1000, replicas in 1u32..40, surge in 0u32..4, unavailable in 0u32..4, share in 1u16..=100) {
            let mut new = Pods::new(Dice::new(seed, &["new"]));
            let mut old = Pods::new(Dice::new(seed, &["old"]));
            old.add_ready(replicas, Time(0));
            let roll = Roll { target: Revision::new("v2"), share: Percent::whole(share), surge, unavailable, paused: false };
            let goal = roll.goal(replicas);
            let mut now = Time(0);
            for _ in 0..1000 {
                new.turn(now, &habits());
                old.turn(now, &habits());
                roll.pass(replicas, (&mut new, &habits()), &mut [(&mut old, habits())], now);
                prop_assert!(new.len() <= goal);
                now += Span(500);
            }
            prop_assert_eq!((new.len(), old.len()), (goal, replicas - goal));
        }
    }
}
