//! Random numbers: one seed, and a child stream for each thing that draws.
//!
//! A stream belongs to one thing (a side's traffic, a set's pods, a region's writes), so what one thing draws never moves
//! another's numbers, whatever order they are worked on. Known weakness: logarithms come from the system's mathematics
//! library, so runs are equal bit for bit on one kind of machine and may differ in a last digit between two.

use crate::units::Span;
use rand::{Rng, RngCore, SeedableRng};
use rand_distr::{Binomial, Distribution, Poisson, StandardNormal};
use rand_pcg::Pcg64Mcg;
use std::fmt;

/// From this mean on a Poisson number is taken from the normal distribution.
const NORMAL_FROM: f64 = 50.0;

/// One stream of random numbers.
#[derive(Clone)]
pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    /// The child of `seed` with this name (FNV-1a of both).
    pub fn new(seed: u64, name: &[&str]) -> Dice {
        let bytes = seed.to_le_bytes().into_iter().chain(name.iter().flat_map(|part| part.bytes().chain([0xff])));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Dice(Pcg64Mcg::seed_from_u64(hash))
    }
    /// Even between two numbers.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }
    /// Even between two lengths of time.
    pub fn span(&mut self, low: Span, high: Span) -> Span {
        Span(self.between(low.0 as f64, high.0 as f64).round() as u64)
    }
    /// Whether something happens that happens with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }
    /// The time to the next of events that come by chance, `mean` apart.
    pub fn wait(&mut self, mean: Span) -> Span {
        let unit: f64 = self.0.random();
        Span((-(1.0 - unit).ln() * mean.0 as f64).round() as u64)
    }
    /// Log-normal around a median.
    pub fn around(&mut self, median: Span, sigma: f64) -> Span {
        let z: f64 = StandardNormal.sample(&mut self.0);
        Span((median.0 as f64 * (sigma * z).exp()).round() as u64)
    }
    /// How many of events that come by chance, `mean` of them on average.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean > NORMAL_FROM {
            let z: f64 = StandardNormal.sample(&mut self.0);
            return (mean + mean.sqrt() * z).round().max(0.0);
        }
        // Below one in a million nothing is drawn at all; the constructor refuses what is not above 0.
        if mean < 1e-6 {
            return 0.0;
        }
        Poisson::new(mean).map_or(0.0, |d| d.sample(&mut self.0))
    }
    /// How many of `n` when each counts with this probability.
    pub fn binomial(&mut self, n: f64, probability: f64) -> f64 {
        Binomial::new(n as u64, probability.clamp(0.0, 1.0)).map_or(0.0, |d| d.sample(&mut self.0) as f64)
    }
}

impl fmt::Debug for Dice {
    /// The next number, which stands for the stream's state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0.clone().next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_one_seed_differ_and_the_same_child_repeats() {
        let draw = |seed, name: &[&str]| format!("{:?}", Dice::new(seed, name));
        assert_eq!(draw(7, &["a", "b"]), draw(7, &["a", "b"]));
        assert_ne!(draw(7, &["a", "b"]), draw(7, &["ab"]));
        assert_ne!(draw(7, &["a", "b"]), draw(8, &["a", "b"]));
    }

    #[test]
    fn poisson_numbers_have_their_mean_and_variance_at_every_size() {
        for mean in [0.02, 0.7, 11.0, 13.0, 49.0, 51.0, 800.0] {
            let mut dice = Dice::new(1, &["poisson"]);
            let n = 40_000;
            let drawn: Vec<f64> = (0..n).map(|_| dice.poisson(mean)).collect();
            let seen = drawn.iter().sum::<f64>() / f64::from(n);
            let variance = drawn.iter().map(|x| (x - seen).powi(2)).sum::<f64>() / f64::from(n);
            assert!((seen - mean).abs() < 5.0 * (mean / f64::from(n)).sqrt(), "mean {seen} of {mean}");
            assert!((variance / mean - 1.0).abs() < 0.1, "variance {variance} of {mean}");
        }
    }
}
