//! What a check and the numbers so far say.

use serde::{Deserialize, Serialize};

/// One check of one leg: good, bad or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// Enough requests, under every limit.
    Good,
    /// Enough requests, over a limit.
    Bad,
    /// No data, too few, or an error: says nothing.
    Neither,
}

/// What the numbers say of the new side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not worse than tolerated.
    Pass,
    /// Worse than allowed.
    Fail,
    /// Could be either.
    Inconclusive,
    /// Nothing was counted.
    #[default]
    NoData,
    /// Too few requests to say.
    TooFew,
}
