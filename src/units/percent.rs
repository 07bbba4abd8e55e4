//! Shares, in hundredths of a percent.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A share from 0 % to 100 %, stored in 1/100 % (0 to 10,000), so that a split sums exactly.
///
/// In JSON it is a number of percent (`15`, `0.5`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u16);

impl Percent {
    /// Nothing.
    pub const ZERO: Percent = Percent(0);
    /// Everything.
    pub const ALL: Percent = Percent(10_000);

    /// From whole percent; above 100 is 100.
    pub const fn whole(percent: u16) -> Percent {
        Percent(if percent > 100 { 10_000 } else { percent * 100 })
    }
    /// From hundredths of a percent; `None` above 10,000.
    pub const fn from_hundredths(n: u32) -> Option<Percent> {
        if n > 10_000 { None } else { Some(Percent(n as u16)) }
    }
    /// Hundredths of a percent, 0 to 10,000.
    pub const fn hundredths(self) -> u16 {
        self.0
    }
    /// The nearest share to a part of one (0.15 is 15 %); outside 0 to 1 it is cut, and not-a-number is 0.
    pub fn from_share(share: f64) -> Percent {
        Percent((share.clamp(0.0, 1.0) * 10_000.0).round() as u16)
    }
    /// The largest share not above a part of one.
    pub fn floor_share(share: f64) -> Percent {
        Percent((share.clamp(0.0, 1.0) * 10_000.0 + 1e-9).floor() as u16)
    }
    /// As a part of one.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
    /// In percent (15.0).
    pub fn points(self) -> f64 {
        f64::from(self.0) / 100.0
    }
    /// What is missing to 100 %.
    pub const fn rest(self) -> Percent {
        Percent(10_000 - self.0)
    }
    /// `n` things, this share of them, rounded up.
    pub fn of_rounded_up(self, n: u32) -> u32 {
        (u64::from(n) * u64::from(self.0)).div_ceil(10_000) as u32
    }
    /// The sum, at most 100 %.
    pub const fn plus(self, other: Percent) -> Percent {
        let sum = self.0 as u32 + other.0 as u32;
        Percent(if sum > 10_000 { 10_000 } else { sum as u16 })
    }
}

impl fmt::Display for Percent {
    /// `15 %`, `0.5 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.points())
    }
}

impl Serialize for Percent {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(100) { s.serialize_u16(self.0 / 100) } else { s.serialize_f64(self.points()) }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let points = f64::deserialize(d)?;
        if !(0.0..=100.0).contains(&points) {
            return Err(serde::de::Error::custom(format!("{points} is not between 0 and 100 percent")));
        }
        Ok(Percent((points * 100.0).round() as u16))
    }
}
