//! The one error of flightdeck.

use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::fmt;

/// What sort of trouble; it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A bug, or something that the machine refused.
    Internal,
    /// Neither forward nor back was possible.
    Failed,
    /// Wrong words on the command line, an unknown or ambiguous name.
    Usage,
    /// A bad document, settings, scenario or journal.
    Document,
    /// Refused: a gate, a right, a freeze, not armed.
    Refused,
    /// Out of reach; nothing was changed.
    OutOfReach,
}

impl Kind {
    /// The exit code (design section 10).
    pub fn code(self) -> u8 {
        match self {
            Kind::Internal | Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Document => 3,
            Kind::Refused => 4,
            Kind::OutOfReach => 5,
        }
    }
}

/// Where it is: a file with line and column, or the name of the thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// A file, `standard input`, a context, a region, a key.
    pub name: String,
    /// Line from 1, where there is one.
    pub line: Option<u32>,
    /// Column from 1, where there is one.
    pub column: Option<u32>,
}

impl Place {
    /// A place that has only a name.
    pub fn named(name: impl Into<String>) -> Place {
        Place { name: name.into(), line: None, column: None }
    }
    /// A place in a text.
    pub fn at(name: impl Into<String>, line: u32, column: u32) -> Place {
        Place { name: name.into(), line: Some(line), column: Some(column) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        Ok(())
    }
}

/// One error: what sort, where, why, and what helps. A source is attached as text in `cause`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What sort.
    pub kind: Kind,
    /// Where.
    pub place: Place,
    /// Why, as a short fact.
    pub cause: String,
    /// What would be right, or what to do.
    pub remedy: String,
}

impl Trouble {
    /// A trouble from its four parts.
    pub fn new(kind: Kind, place: Place, cause: impl Into<String>, remedy: impl Into<String>) -> Trouble {
        Trouble { kind, place, cause: cause.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Trouble {
    /// `canary.yaml:3:1: stepsize is not a key here: did you mean stepSize?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.name.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.cause)?;
        if !self.remedy.is_empty() {
            write!(f, ": {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Trouble {}

impl From<Trouble> for Vec<Trouble> {
    /// So that `?` goes from one trouble to all of them.
    fn from(trouble: Trouble) -> Vec<Trouble> {
        vec![trouble]
    }
}

impl Serialize for Trouble {
    /// `{"code","kind","place","cause","remedy"}`
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut t = s.serialize_struct("Trouble", 5)?;
        t.serialize_field("code", &self.kind.code())?;
        t.serialize_field("kind", &self.kind)?;
        t.serialize_field("place", &self.place.to_string())?;
        t.serialize_field("cause", &self.cause)?;
        t.serialize_field("remedy", &self.remedy)?;
        t.end()
    }
}
