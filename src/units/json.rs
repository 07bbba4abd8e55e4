//! Numbers as our JSON writes them (design section 10): what is counted is whole, what takes time is in seconds.
//!
//! For `serialize_with`. Knows no type of any other room.

use serde::Serializer;

/// Something that is counted: `86`, never `86.0`.
pub fn whole<S: Serializer>(count: &f64, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_i64(count.round() as i64)
}

/// Something that is counted, or estimated where not everything was: whole where it is, and never rounded.
pub fn exact<S: Serializer>(count: &f64, s: S) -> Result<S::Ok, S::Error> {
    let whole = *count as i64;
    if whole as f64 == *count { s.serialize_i64(whole) } else { s.serialize_f64(*count) }
}

/// Milliseconds as seconds.
pub fn seconds<S: Serializer>(ms: &Option<f64>, s: S) -> Result<S::Ok, S::Error> {
    match ms {
        Some(ms) => s.serialize_some(&thousandth(*ms)),
        None => s.serialize_none(),
    }
}

/// Milliseconds as seconds, each of them.
pub fn all_seconds<S: Serializer>(ms: &Option<[f64; 3]>, s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(ms.iter().flatten().map(|ms| thousandth(*ms)))
}

/// A part of one, in percent.
pub fn percent<S: Serializer>(part: &Option<f64>, s: S) -> Result<S::Ok, S::Error> {
    match part {
        Some(part) => s.serialize_some(&((part * 10_000.0).round() / 100.0)),
        None => s.serialize_none(),
    }
}

/// To the microsecond.
fn thousandth(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1e6
}
