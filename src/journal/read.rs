//! Reading a log, line by line, as far as its chain holds.

use super::line::{Chain, Decoded, LONGEST, decode};
use crate::rollout::Event;
use crate::units::{Kind, Place, RolloutId, Trouble};
use std::io::{self, BufRead, Read};

/// What is wrong with a log. Lines are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line was altered, or does not follow the one before it. Nothing from it on counts.
    Broken {
        /// Which line.
        line: u64,
        /// How, as the rest of a sentence about the line.
        why: String,
    },
    /// A line of a format with a higher number. Nothing from it on is read.
    Newer {
        /// Which line.
        line: u64,
        /// Its number.
        v: u64,
    },
    /// The chain holds, but an event is of a kind that this version does not know: the state after it cannot be told.
    Tainted {
        /// The first such line.
        line: u64,
        /// Its kind.
        kind: String,
    },
}

impl Fault {
    /// The line that it is about.
    pub fn line(&self) -> u64 {
        match self {
            Fault::Broken { line, .. } | Fault::Newer { line, .. } | Fault::Tainted { line, .. } => *line,
        }
    }

    /// As an error about the log called `name`.
    pub fn trouble(&self, name: &str) -> Trouble {
        let place = Place { name: name.into(), line: u32::try_from(self.line()).ok(), column: None };
        let (cause, remedy) = match self {
            Fault::Broken { why, .. } => {
                (format!("this line {why}"), "the events before it count; the rollout is read-only here, and R works".to_string())
            }
            Fault::Newer { v, .. } => {
                (format!("this line has format {v}, and this flightdeck reads up to {}", super::VERSION), "use a newer flightdeck".into())
            }
            Fault::Tainted { kind, .. } => (
                format!("this flightdeck does not know events of kind `{kind}`"),
                "the rollout is read-only here, and R works; use a newer flightdeck".into(),
            ),
        };
        Trouble::new(Kind::Document, place, cause, remedy)
    }
}

/// What came next in a log.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// An event. `Lines::raw` has its line.
    Event(Event),
    /// A line that holds, with something in it that this version does not know, or that nothing can be read after.
    Fault(Fault),
    /// The last line has no end: a write that never finished. So many bytes.
    Torn(u64),
    /// The end.
    End,
}

/// A log, read line by line in bounded memory.
pub struct Lines<'a, R> {
    source: R,
    rollout: &'a RolloutId,
    chain: Chain,
    raw: Vec<u8>,
    number: u64,
    good: u64,
    over: bool,
}

impl<'a, R: BufRead> Lines<'a, R> {
    /// From the start of a log.
    pub fn new(source: R, rollout: &'a RolloutId) -> Self {
        Lines { source, rollout, chain: Chain::start(rollout), raw: Vec::new(), number: 0, good: 0, over: false }
    }

    /// The next line. After a broken or newer line there is only the end.
    pub fn advance(&mut self) -> io::Result<Next> {
        if self.over {
            return Ok(Next::End);
        }
        self.raw.clear();
        let read = self.source.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut self.raw)?;
        if read == 0 {
            self.over = true;
            return Ok(Next::End);
        }
        self.number += 1;
        if self.raw.pop_if(|last| *last == b'\n').is_none() {
            self.over = true;
            return Ok(if read > LONGEST {
                Next::Fault(Fault::Broken { line: self.number, why: format!("is longer than {LONGEST} bytes") })
            } else {
                Next::Torn(read as u64)
            });
        }
        match decode(&self.raw, self.number, self.rollout, &mut self.chain) {
            Ok(decoded) => {
                self.good += read as u64;
                Ok(match decoded {
                    Decoded::Event(event) => Next::Event(event),
                    Decoded::Unknown(kind) => Next::Fault(Fault::Tainted { line: self.number, kind }),
                })
            }
            Err(fault) => {
                self.over = true;
                Ok(Next::Fault(fault))
            }
        }
    }

    /// The line of the last event or tainted line, without its line feed.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

/// A log as far as it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The events that are known, in order. In a tainted log some are missing.
    pub events: Vec<Event>,
    /// What the next line must follow.
    pub chain: Chain,
    /// The length of the lines that hold, in bytes.
    pub bytes: u64,
    /// The length of an unfinished last line, in bytes; 0: there was none.
    pub torn: u64,
    /// What is wrong; a broken or newer line rather than a tainted one before it.
    pub fault: Option<Fault>,
}

impl Log {
    /// One without a line.
    pub fn empty(rollout: &RolloutId) -> Log {
        Log { events: Vec::new(), chain: Chain::start(rollout), bytes: 0, torn: 0, fault: None }
    }
}

/// Reads a whole log. An error is one of reading; what is wrong with the log itself is in the result.
pub fn read(source: impl BufRead, rollout: &RolloutId) -> io::Result<Log> {
    let mut lines = Lines::new(source, rollout);
    let mut log = Log::empty(rollout);
    loop {
        match lines.advance()? {
            Next::Event(event) => log.events.push(event),
            Next::Fault(fault @ Fault::Tainted { .. }) => {
                log.fault.get_or_insert(fault);
            }
            Next::Fault(fault) => log.fault = Some(fault),
            Next::Torn(bytes) => log.torn = bytes,
            Next::End => break,
        }
    }
    (log.chain, log.bytes) = (lines.chain, lines.good);
    Ok(log)
}
