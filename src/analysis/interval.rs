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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first eight are the examples of Newcombe's table II (method 10, four decimals there); all twelve decimals come from
    /// solving the score equation by bisection, and not from the closed form above.
    #[test]
    fn the_interval_is_newcombes() {
        for (k, n, m, o, low, high) in [
            (56.0, 70.0, 48.0, 80.0, 0.052431472402, 0.333872654037),
            (9.0, 10.0, 3.0, 10.0, 0.170522723935, 0.809017973535),
            (6.0, 7.0, 2.0, 7.0, 0.058227927482, 0.806249637524),
            (5.0, 56.0, 0.0, 29.0, -0.038137147904, 0.192560013855),
            (0.0, 10.0, 0.0, 20.0, -0.161125158053, 0.277532799863),
            (0.0, 10.0, 0.0, 10.0, -0.277532799863, 0.277532799863),
            (10.0, 10.0, 0.0, 20.0, 0.679086037142, 1.0),
            (10.0, 10.0, 0.0, 10.0, 0.607509350431, 1.0),
            (12.5, 400.25, 40.75, 7600.5, 0.012651552983, 0.047905491725),
            (0.0, 720.0, 3.0, 13680.0, -0.000644618993, 0.005089718931),
        ] {
            let it = difference(k, n, m, o).unwrap();
            assert!((it.low - low).abs() < 1e-11 && (it.high - high).abs() < 1e-11, "{k}/{n} against {m}/{o}: {it:?}");
        }
    }

    #[test]
    fn without_a_count_there_is_no_interval() {
        assert_eq!(difference(0.0, 0.0, 1.0, 10.0), None);
        assert_eq!(difference(f64::NAN, 10.0, 1.0, 10.0), None);
        assert_eq!(wilson(1.0, f64::INFINITY), None);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_difference_and_narrows_with_more_requests(
            n in 1.0..1e6f64, o in 1.0..1e6f64, p in 0.0..=1.0f64, q in 0.0..=1.0f64
        ) {
            let it = difference(n * p, n, o * q, o).unwrap();
            prop_assert!(-1.0 <= it.low && it.low <= p - q + 1e-12 && p - q - 1e-12 <= it.high && it.high <= 1.0);
            let more = difference(4.0 * n * p, 4.0 * n, 4.0 * o * q, 4.0 * o).unwrap();
            prop_assert!(more.high - more.low <= it.high - it.low + 1e-12);
            let mirrored = difference(o * q, o, n * p, n).unwrap();
            prop_assert!((it.low + mirrored.high).abs() < 1e-12);
        }
    }
}
