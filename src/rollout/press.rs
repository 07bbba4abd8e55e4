//! What a person's verb means in each phase (design section 3, the table of verbs).

use super::decide::Deciding;
use super::event::{By, RollbackCause, What};
use super::input::{Refusal, Verb};
use super::state::Phase;
use crate::strategy::Gate;
use crate::units::{LegId, Percent, Person};

impl Deciding {
    pub(super) fn press(&mut self, verb: Verb, by: &Person, reason: Option<String>) -> Result<(), Refusal> {
        let by = By::Person(by.clone());
        if self.it.state.phase == Phase::Watched {
            self.board(&by, verb)?;
        }
        match verb {
            Verb::Rollback => self.press_rollback(by, reason),
            Verb::Pause => self.press_pause(by),
            Verb::Resume => {
                if self.it.state.paused.is_some() {
                    self.push(by, What::Resumed);
                }
                Ok(())
            }
            Verb::Promote => self.press_promote(by),
            Verb::PromoteFull => {
                self.must_fly()?;
                if !self.it.state.holds_dropped {
                    self.push(by, What::HoldsDropped);
                }
                Ok(())
            }
            Verb::Skip => self.press_skip(by, reason),
            Verb::Retry => self.press_retry(by),
            Verb::Abort => match self.it.state.phase {
                Phase::Flying => {
                    self.push(by, What::Aborted { reason });
                    Ok(())
                }
                Phase::Aborted => Ok(()),
                _ => self.must_fly(),
            },
            Verb::Undo => {
                if !self.it.can_undo() {
                    return Err(refuse("there is no rollback to undo, or the new side does not run any more", "launch it again"));
                }
                self.push(by, What::Undone);
                Ok(())
            }
            Verb::OverCapacity => {
                if self.it.state.phase != Phase::RollingBack {
                    return Err(refuse("no rollback is moving", "this key goes beyond what ready pods can carry, while one is"));
                }
                self.push(by, What::OverCapacity);
                Ok(())
            }
            Verb::Take => {
                if self.it.ended() {
                    return Err(refuse("it has ended", "nothing to take"));
                }
                self.push(by, What::Taken);
                Ok(())
            }
        }
    }

    /// The first key on somebody else's update opens a log.
    fn board(&mut self, by: &By, verb: Verb) -> Result<(), Refusal> {
        if matches!(verb, Verb::Undo | Verb::OverCapacity | Verb::Take) {
            return Err(refuse("this update is watched, not flown", "R takes it back, p pauses it"));
        }
        let (plan, step) = (Box::new((*self.it.plan).clone()), self.it.state.step);
        self.push(by.clone(), What::Boarded { plan, step });
        Ok(())
    }

    /// `R` means one thing however often it is pressed.
    fn press_rollback(&mut self, by: By, reason: Option<String>) -> Result<(), Refusal> {
        match self.it.state.phase {
            Phase::RollingBack | Phase::Back | Phase::RolledBack => {
                // A rollback that a person holds goes on.
                if self.it.state.paused.is_some() {
                    self.push(by, What::Resumed);
                }
                Ok(())
            }
            _ if self.it.plan.legs.iter().all(|l| l.old.as_str().is_empty()) => {
                Err(refuse("there is no older version to go back to", "launch the version that should run"))
            }
            _ => {
                self.push(by, What::RollbackBegan { why: RollbackCause::Asked { reason } });
                Ok(())
            }
        }
    }

    fn press_pause(&mut self, by: By) -> Result<(), Refusal> {
        match self.it.state.phase {
            Phase::Flying | Phase::RollingBack => {
                if self.it.state.paused.is_none() {
                    self.push(by, What::Paused);
                }
                Ok(())
            }
            _ => self.must_fly(),
        }
    }

    fn press_promote(&mut self, by: By) -> Result<(), Refusal> {
        self.must_fly()?;
        let state = &self.it.state;
        if state.paused.is_some() {
            return Err(refuse("it is paused", "press p to resume it first"));
        }
        let holds = self.it.plan.steps.get(state.step).is_some_and(|s| s.hold.is_some()) && !state.hold_ended;
        match (state.applied, holds) {
            (Some(_), true) => {
                self.push(by, What::HoldEnded { step: self.it.state.step });
                Ok(())
            }
            (Some(_), false) => Err(refuse("its hold is over, a gate is closed", "press S to pass the gate, with a reason")),
            (None, _) => Err(refuse("the step is not done yet", "wait until its pods and its traffic are there")),
        }
    }

    /// Passes a hold, an analysis or a closed gate; never scale, ready, traffic or a compensation.
    fn press_skip(&mut self, by: By, reason: Option<String>) -> Result<(), Refusal> {
        let state = &self.it.state;
        if state.phase == Phase::Back {
            self.push(by, What::Skipped { step: state.step, gate: None, reason });
            return Ok(());
        }
        self.must_fly()?;
        let (at, state) = (self.it.state.step, &self.it.state);
        let Some(step) = self.it.plan.steps.get(at) else { return Ok(()) };
        let judged = step.gates.contains(&Gate::Verdict);
        let outside = step.gates.iter().find(|g| !matches!(g, Gate::Verdict | Gate::Capacity) && !state.passed_gates.contains(g)).copied();
        let what = match (state.started, state.applied) {
            (false, _) if outside.is_some() => What::Skipped { step: at, gate: outside, reason },
            (true, Some(_)) => What::Skipped { step: at, gate: judged.then_some(Gate::Verdict), reason },
            _ => return Err(refuse("pods, health and traffic cannot be skipped", "wait, press r to try again, or R to go back")),
        };
        self.push(by, what);
        Ok(())
    }

    fn press_retry(&mut self, by: By) -> Result<(), Refusal> {
        if self.it.state.phase == Phase::Aborted {
            self.push(by, What::Restarted);
            return Ok(());
        }
        let failed: Vec<(LegId, crate::fleet::Aspect)> =
            self.it.state.legs.iter().flat_map(|(id, l)| l.failures.keys().map(|a| (id.clone(), *a))).collect();
        if failed.is_empty() {
            return Err(refuse("nothing has failed that can be tried again", "what waits for pods goes on by itself when they come"));
        }
        for (leg, aspect) in failed {
            self.push(by.clone(), What::WishRenewed { leg, aspect });
        }
        Ok(())
    }

    fn must_fly(&self) -> Result<(), Refusal> {
        match self.it.state.phase {
            Phase::Flying => Ok(()),
            Phase::Watched => Err(refuse("this update is watched, not flown", "R takes it back, p pauses it")),
            Phase::Aborted => Err(refuse("it is aborted", "press r to begin again from step 1, or R to clean up")),
            Phase::RollingBack => Err(refuse("it is rolling back", "press u to undo the rollback while the new side runs")),
            Phase::Back => Err(refuse("it is rolled back", "press u to undo the rollback while the new side runs")),
            Phase::RolledBack => Err(refuse("it was rolled back", "launch it again")),
            Phase::Promoted => Err(refuse("it is promoted", "press R to go back, or launch another version")),
            Phase::Superseded => Err(refuse("somebody else drives it", "press T to take the controls")),
        }
    }
}

impl super::state::Rollout {
    /// The share of the new side over all legs, weighted by their pods at launch.
    pub(super) fn share_of(&self, weight: impl Fn(&LegId) -> Percent) -> Percent {
        let pods: u32 = self.plan.legs.iter().map(|l| l.base.max(1)).sum();
        let sum: f64 = self.plan.legs.iter().map(|l| weight(&l.id).share() * f64::from(l.base.max(1))).sum();
        Percent::from_share(sum / f64::from(pods.max(1)))
    }
}

fn refuse(cause: &str, remedy: &str) -> Refusal {
    Refusal { cause: cause.into(), remedy: remedy.into() }
}
