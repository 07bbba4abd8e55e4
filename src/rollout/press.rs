//! What a person's verb means in each phase (design section 3, the table of verbs).

use super::decide::Deciding;
use super::event::{By, RollbackCause, What};
use super::input::{Refusal, Verb};
use super::state::{Phase, can_return};
use crate::strategy::{Gate, PlanLeg};
use crate::units::{LegId, Percent, Person};

impl Deciding {
    pub(super) fn press(&mut self, verb: Verb, by: &Person, reason: Option<String>) -> Result<(), Refusal> {
        let by = By::Person(by.clone());
        if let Some(why) = self.it.state.read_only.as_ref().filter(|_| verb != Verb::Rollback) {
            return Err(refuse(why, "it is read-only here: R goes back, a newer flightdeck does the rest"));
        }
        if self.it.state.phase == Phase::Watched {
            self.board(&by, verb)?;
        }
        match verb {
            Verb::Rollback => self.press_rollback(by, reason),
            Verb::Pause => self.press_pause(by),
            Verb::Resume => self.press_resume(by),
            Verb::Promote => self.press_promote(by),
            Verb::PromoteFull => self.press_promote_full(by),
            Verb::Skip => self.press_skip(by, reason),
            Verb::Retry => self.press_retry(by),
            Verb::Abort => self.press_abort(by, reason),
            Verb::Undo => self.press_undo(by),
            Verb::OverCapacity => self.press_over_capacity(by),
            Verb::Take => self.press_take(by),
        }
    }

    /// The first key on somebody else's update opens a log.
    fn board(&mut self, by: &By, verb: Verb) -> Result<(), Refusal> {
        if matches!(verb, Verb::Undo | Verb::OverCapacity | Verb::Take) {
            return Err(refuse("this update is watched, not flown", "R takes it back, p pauses it"));
        }
        if self.it.is_through() && verb != Verb::Rollback {
            return Err(refuse("this update is through", "press R to go back"));
        }
        if matches!(verb, Verb::Rollback | Verb::Abort) {
            self.must_have_a_way_back()?;
        }
        let (plan, step) = (Box::new((*self.it.plan).clone()), self.it.state.step);
        self.push(by.clone(), What::Boarded { plan, step });
        Ok(())
    }

    /// `R` means one thing however often it is pressed.
    fn press_rollback(&mut self, by: By, reason: Option<String>) -> Result<(), Refusal> {
        match self.it.state.phase {
            Phase::RollingBack | Phase::Back | Phase::RolledBack => self.press_resume(by),
            _ => {
                self.must_have_a_way_back()?;
                self.push(by, What::RollbackBegan { why: RollbackCause::Asked { reason } });
                Ok(())
            }
        }
    }

    fn press_pause(&mut self, by: By) -> Result<(), Refusal> {
        if self.it.state.phase != Phase::RollingBack {
            self.must_fly()?;
        }
        if self.it.state.paused.is_none() {
            self.push(by, What::Paused);
        }
        Ok(())
    }

    /// Where nothing is paused there is nothing to do.
    fn press_resume(&mut self, by: By) -> Result<(), Refusal> {
        if self.it.state.paused.is_some() {
            self.push(by, What::Resumed);
        }
        Ok(())
    }

    fn press_promote(&mut self, by: By) -> Result<(), Refusal> {
        self.must_fly()?;
        let state = &self.it.state;
        if state.paused.is_some() {
            return Err(refuse("it is paused", "press p to resume it first"));
        }
        if !state.started && state.gate.is_some() {
            return Err(refuse("a gate before the next step is closed", "press S to pass the gate, with a reason"));
        }
        if state.applied.is_none() {
            return Err(refuse("the step is not done yet", "wait until its pods and its traffic are there"));
        }
        if !self.is_holding() {
            return Err(refuse("its hold is over, a gate is closed", "press S to pass the gate, with a reason"));
        }
        self.push(by, What::HoldEnded { step: self.it.state.step });
        Ok(())
    }

    /// All the way, from a pause too.
    fn press_promote_full(&mut self, by: By) -> Result<(), Refusal> {
        self.must_fly()?;
        self.press_resume(by.clone())?;
        if !self.it.state.holds_dropped {
            self.push(by, What::HoldsDropped);
        }
        Ok(())
    }

    /// Passes a hold, an analysis or a closed gate; never scale, ready, traffic or a compensation.
    fn press_skip(&mut self, by: By, reason: Option<String>) -> Result<(), Refusal> {
        let at = self.it.state.step;
        if let (Phase::Back, Some(back)) = (self.it.state.phase, &self.it.state.back) {
            if !back.closing {
                self.push(by, What::Skipped { step: at, gate: None, reason });
            }
            return Ok(());
        }
        self.must_fly()?;
        let state = &self.it.state;
        let gate = match (state.started, state.applied) {
            (false, _) => state.gate,
            (true, Some(_)) => self.open_verdict(),
            (true, None) => None,
        };
        let holds = state.applied.is_some() && self.is_holding();
        if gate.is_none() && !holds {
            return Err(match state.applied {
                Some(_) => refuse("no hold and no gate is left in this step", "wait for the region or the traffic that it waits for"),
                None => refuse("pods, health and traffic cannot be skipped", "wait, press r to try again, or R to go back"),
            });
        }
        self.push(by, What::Skipped { step: at, gate, reason });
        Ok(())
    }

    /// The judgement that this step still waits for, where it waits for one.
    fn open_verdict(&self) -> Option<Gate> {
        let state = &self.it.state;
        let judged = self.it.plan.steps.get(state.step).is_some_and(|s| s.gates.contains(&Gate::Verdict)) && !state.holds_dropped;
        let asked = judged || state.legs.values().any(|l| l.both_sick);
        (asked && !state.passed_gates.contains(&Gate::Verdict)).then_some(Gate::Verdict)
    }

    /// Whether a hold is running.
    fn is_holding(&self) -> bool {
        let state = &self.it.state;
        match (state.applied, self.it.hold_ends()) {
            (Some(at), Some(ends)) => at + state.elapsed(at, self.now) < ends,
            _ => false,
        }
    }

    /// After an abort from step 1; else all that is asked for once more, now.
    fn press_retry(&mut self, by: By) -> Result<(), Refusal> {
        let state = &self.it.state;
        let returns = |l: &&PlanLeg| can_return(l);
        let carries = |l: &PlanLeg| state.legs.get(&l.id).is_some_and(|s| s.weight > Percent::ZERO);
        match state.phase {
            Phase::Aborted if self.it.plan.legs.iter().filter(returns).any(carries) => {
                Err(refuse("its traffic is not back yet", "wait for the pods or the region it waits for, or press R"))
            }
            Phase::Aborted => {
                self.push(by, What::Restarted);
                Ok(())
            }
            Phase::Flying | Phase::RollingBack | Phase::Back if state.legs.values().any(|l| l.touched()) => {
                self.push(by, What::Retried);
                Ok(())
            }
            Phase::Flying | Phase::RollingBack | Phase::Back => Err(refuse("nothing has been asked for yet", "it goes on by itself")),
            _ => self.must_fly(),
        }
    }

    fn press_abort(&mut self, by: By, reason: Option<String>) -> Result<(), Refusal> {
        if self.it.state.phase == Phase::Aborted {
            return Ok(());
        }
        self.must_fly()?;
        self.must_have_a_way_back()?;
        self.push(by, What::Aborted { reason });
        Ok(())
    }

    fn press_undo(&mut self, by: By) -> Result<(), Refusal> {
        if !matches!(self.it.state.phase, Phase::RollingBack | Phase::Back) {
            return Err(refuse("there is no rollback to undo", "this key takes a rollback back while the new side runs"));
        }
        if !self.it.can_undo() {
            return Err(refuse("the new side had no traffic, or does not run any more", "launch it again"));
        }
        self.push(by, What::Undone);
        Ok(())
    }

    fn press_over_capacity(&mut self, by: By) -> Result<(), Refusal> {
        if self.it.state.phase != Phase::RollingBack {
            return Err(refuse("no rollback is moving", "this key goes beyond what ready pods can carry, while one is"));
        }
        self.press_resume(by.clone())?;
        if !self.it.state.back.as_ref().is_some_and(|b| b.over_capacity) {
            self.push(by, What::OverCapacity);
        }
        Ok(())
    }

    fn press_take(&mut self, by: By) -> Result<(), Refusal> {
        if self.it.ended() {
            return Err(refuse("it has ended", "nothing to take"));
        }
        self.push(by, What::Taken);
        Ok(())
    }

    fn must_have_a_way_back(&self) -> Result<(), Refusal> {
        if self.it.has_way_back() {
            return Ok(());
        }
        Err(refuse("there is no older version to go back to", "launch the version that should run"))
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
