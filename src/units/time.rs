//! Points in time and their distances, in whole milliseconds. Nothing here reads a clock.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// Milliseconds since the Unix epoch, UTC. In JSON: RFC 3339 with milliseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// A length of time in milliseconds, never negative. In JSON: seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Time {
    /// The time since `earlier`; nothing when `earlier` is later.
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
    /// From RFC 3339 text.
    pub fn parse(text: &str) -> Option<Time> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Time(t.as_millisecond()))
    }
    /// `14:03:22`, UTC.
    pub fn clock(self) -> String {
        let s = self.0.div_euclid(1000).rem_euclid(86_400);
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// From whole seconds.
    pub const fn secs(s: u64) -> Span {
        Span(s * 1000)
    }
    /// From whole minutes.
    pub const fn mins(m: u64) -> Span {
        Span(m * 60_000)
    }
    /// In seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
    /// Whole seconds as people read them: `0:46`, `12:40`, `1:31:41`, `2 d 4 h`.
    pub fn clock(self) -> String {
        let s = self.0 / 1000;
        match s {
            0..3600 => format!("{}:{:02}", s / 60, s % 60),
            3600..86_400 => format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
            _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
        }
    }
    /// `self` without `other`, at least nothing.
    pub fn less(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add_unsigned(span.0))
    }
}
impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub_unsigned(span.0))
    }
}
impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}
impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}
impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Span {
    /// As documents write it: `500ms`, `30s`, `5m`, `1h30m`, `2d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")] {
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Time::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an RFC 3339 time")))
    }
}
impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) { s.serialize_u64(self.0 / 1000) } else { s.serialize_f64(self.as_secs_f64()) }
    }
}
impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let secs = f64::deserialize(d)?;
        if !(0.0..1e12).contains(&secs) {
            return Err(serde::de::Error::custom(format!("{secs} is not a length of time in seconds")));
        }
        Ok(Span((secs * 1000.0).round() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::{Span, Time};

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        let t = Time::parse("2026-01-05T09:00:00Z").unwrap();
        assert_eq!(t.to_string(), "2026-01-05T09:00:00.000Z");
        assert_eq!((t + Span(1)).to_string(), "2026-01-05T09:00:00.001Z");
        assert_eq!(t.clock(), "09:00:00");
    }

    #[test]
    fn spans_read_as_documents_write_them() {
        assert_eq!(Span::mins(90).to_string(), "1h30m");
        assert_eq!(Span(500).to_string(), "500ms");
        assert_eq!(Span::ZERO.to_string(), "0s");
    }
}
