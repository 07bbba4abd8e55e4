//! The interval for a difference of two rates: Newcombe's hybrid score interval.
//!
//! Known weakness: it takes requests as independent. Errors that come in bursts make the true interval wider, and looking
//! all the time makes it wrong more often than 1 time in 20.

/// The normal quantile for 95 %, both sides.
const Z: f64 = 1.959_963_984_540_054;

/// An interval of shares or of their difference, parts of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Wilson's score interval for a share of `k` in `n`; counts may be fractional, `k` is cut to `n`.
/// Source: Wilson 1927. `None` without a count.
pub fn wilson(k: f64, n: f64) -> Option<Interval> {
    if !(n > 0.0 && n.is_finite() && k.is_finite()) {
        return None;
    }
    let p = (k / n).clamp(0.0, 1.0);
    let zz = Z * Z;
    let middle = p + zz / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + zz / (4.0 * n * n)).sqrt();
    let scale = 1.0 + zz / n;
    Some(Interval { low: ((middle - half) / scale).max(0.0), high: ((middle + half) / scale).min(1.0) })
}

/// The interval of `k_new / n_new - k_old / n_old` at 95 %.
/// Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10.
/// `None` when one side has no count.
pub fn difference(k_new: f64, n_new: f64, k_old: f64, n_old: f64) -> Option<Interval> {
    let (new, old) = (wilson(k_new, n_new)?, wilson(k_old, n_old)?);
    let (p, q) = ((k_new / n_new).clamp(0.0, 1.0), (k_old / n_old).clamp(0.0, 1.0));
    let low = p - q - (p - new.low).hypot(old.high - q);
    let high = p - q + (new.high - p).hypot(q - old.low);
    Some(Interval { low: low.max(-1.0), high: high.min(1.0) })
}
