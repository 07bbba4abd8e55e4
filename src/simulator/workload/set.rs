//! The pods of one revision with their traffic, and the bursts that their errors come in.

use super::super::dice::Dice;
use super::super::faults::Ill;
use super::super::pods::Pods;
use super::super::traffic::Flow;
use super::grid;
use crate::units::{Percent, Revision, Span, Time, Version};

/// Errors come in bursts: on and off by chance.
#[derive(Clone, Debug)]
pub(in crate::simulator) struct Burst {
    pub on: bool,
    pub until: Time,
    lasts: Span,
    every: Span,
    dice: Dice,
}

impl Burst {
    pub fn new(mut dice: Dice, from: Time, lasts: Span, every: Span) -> Burst {
        let until = grid(from + Span(1) + dice.wait(every));
        Burst { on: false, until, lasts, every, dice }
    }
    /// Turns on or off when it is time.
    pub fn turn(&mut self, now: Time) -> bool {
        let due = self.until <= now;
        if due {
            self.on = !self.on;
            let mean = if self.on { self.lasts } else { self.every };
            self.until = grid(now + Span(1) + self.dice.wait(mean));
        }
        due
    }
}

/// The pods of one revision and their traffic.
#[derive(Clone, Debug)]
pub(in crate::simulator) struct Set {
    pub revision: Revision,
    pub version: Version,
    pub image: String,
    pub created: Time,
    pub seen_healthy: bool,
    /// Pods asked for, while a split and no rolling update is at work.
    pub want: u32,
    pub pods: Pods,
    /// The share asked for, and the share that takes effect.
    pub asked: Percent,
    pub flows: Percent,
    /// Part of the requests that it gets now.
    pub share: f64,
    pub flow: Flow,
    pub burst: Burst,
    /// How its errors and its latency differ from other versions', by nature.
    pub nature: (f64, f64),
    /// What is wrong with it.
    pub ills: Vec<Ill>,
    /// Whether the registry has its image.
    pub exists: bool,
}

impl Set {
    pub fn errors(&self) -> f64 {
        self.ills.iter().map(|i| if let Ill::Errors(rate) = i { *rate } else { 0.0 }).sum()
    }
    pub fn slow(&self) -> f64 {
        self.ills.iter().map(|i| if let Ill::Slow(factor) = i { *factor } else { 1.0 }).product()
    }
    pub fn is(&self, ill: &Ill) -> bool {
        self.ills.contains(ill)
    }
    pub fn gone(&self) -> bool {
        self.want == 0 && self.pods.len() == 0
    }
    /// Pods that get requests: ready ones and, where nobody drains, those that have just gone.
    pub fn targets(&self) -> u32 {
        self.pods.ready() + self.pods.holes()
    }
}
