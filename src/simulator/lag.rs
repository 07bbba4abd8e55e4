//! How far the replicas are behind, per kind of data.

use super::dice::Dice;
use crate::fleet::Fact;
use crate::units::{Region, Span};

/// Kinds of data with their usual lag and their promise.
const KINDS: [(&str, Span, Span); 4] = [
    ("orders", Span::secs(6), Span::secs(30)),
    ("users", Span::secs(8), Span::mins(1)),
    ("products", Span::secs(72), Span::mins(5)),
    ("analytics", Span::secs(860), Span::mins(60)),
];

/// The lag of one kind of data into one region. It wanders around its usual value.
#[derive(Clone, Debug)]
pub(super) struct Lag {
    pub region: usize,
    name: Region,
    data: &'static str,
    usual: Span,
    promise: Span,
    level: f64,
    dice: Dice,
}

impl Lag {
    /// All kinds of data into one region.
    pub fn all(seed: u64, region: usize, name: &Region) -> impl Iterator<Item = Lag> {
        KINDS.into_iter().map(move |(data, usual, promise)| {
            let dice = Dice::new(seed, &["lag", name.as_str(), data]);
            Lag { region, name: name.clone(), data, usual, promise, level: 1.0, dice }
        })
    }
    /// Wanders one step on, and says where it is.
    pub fn step(&mut self) -> Fact {
        self.level += 0.2 * (1.0 - self.level) + self.dice.between(-0.15, 0.15);
        let lag = Span((self.usual.0 as f64 * self.level.max(0.1)).round() as u64);
        Fact::LagSeen { region: self.name.clone(), data: self.data.into(), lag, promise: self.promise }
    }
}
