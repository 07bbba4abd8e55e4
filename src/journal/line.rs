//! One line of a log: `{"v":1,"rollout","seq","term","at","by","prev","event","sum"}`.
//!
//! `prev` is the SHA-256, in hex, of the line before (without its line feed); the first line's is that of the rollout's id, so
//! that a log cannot pass for another rollout's. `sum`, always last, is the first 8 digits of the SHA-256 of all that stands
//! before it: the chain alone says nothing about the newest line, and cannot tell which of two lines was altered.

use super::read::Fault;
use crate::rollout::{By, Event, What};
use crate::units::{Kind, Place, RolloutId, Term, Time, Trouble};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The number of this format. A reader refuses a higher one.
pub const VERSION: u32 = 1;

/// The longest line, in bytes, without its line feed.
pub const LONGEST: usize = 1 << 20;

/// `,"sum":"01234567"}`
const SUM_LEN: usize = 18;
const SUM_KEY: &[u8] = br#","sum":""#;

/// How far a log has got: what its next line must follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The `seq` of the last line; 0 before the first.
    pub seq: u64,
    /// The hash of the last line, in hex; of the rollout's id before the first.
    head: [u8; 64],
}

impl Chain {
    /// Before the first line.
    pub fn start(rollout: &RolloutId) -> Chain {
        Chain { seq: 0, head: hex(&Sha256::digest(rollout.as_str())) }
    }

    fn head(&self) -> &str {
        std::str::from_utf8(&self.head).unwrap_or_default()
    }
}

fn hex<const N: usize>(bytes: &[u8]) -> [u8; N] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; N];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}

#[derive(Serialize)]
struct Out<'a> {
    v: u32,
    rollout: &'a RolloutId,
    seq: u64,
    term: Term,
    at: Time,
    by: &'a By,
    prev: &'a str,
    event: &'a What,
}

/// Adds the line of `event`, with its line feed, to `out`. On an error nothing is added and the chain stays where it was.
pub fn encode(chain: &mut Chain, rollout: &RolloutId, event: &Event, out: &mut Vec<u8>) -> Result<(), Trouble> {
    let start = out.len();
    let done = encode_at(chain, rollout, event, out);
    if done.is_err() {
        out.truncate(start);
    }
    done
}

fn encode_at(chain: &mut Chain, rollout: &RolloutId, event: &Event, out: &mut Vec<u8>) -> Result<(), Trouble> {
    let refuse = |cause: String| Trouble::new(Kind::Internal, Place::named(rollout.as_str()), cause, "");
    if event.seq != chain.seq + 1 {
        return Err(refuse(format!("event {} cannot follow event {}", event.seq, chain.seq)));
    }
    let start = out.len();
    let Event { seq, term, at, by, what } = event;
    let line = Out { v: VERSION, rollout, seq: *seq, term: *term, at: *at, by, prev: chain.head(), event: what };
    serde_json::to_writer(&mut *out, &line).map_err(|e| refuse(format!("event {seq} cannot be written: {e}")))?;
    out.pop();
    if out.len() - start + SUM_LEN > LONGEST {
        return Err(refuse(format!("event {seq} is longer than {LONGEST} bytes")));
    }
    let mut hash = Sha256::new_with_prefix(&out[start..]);
    let sum: [u8; 8] = hex(&hash.clone().finalize());
    let tail = out.len();
    out.extend_from_slice(SUM_KEY);
    out.extend_from_slice(&sum);
    out.extend_from_slice(b"\"}");
    hash.update(&out[tail..]);
    out.push(b'\n');
    *chain = Chain { seq: *seq, head: hex(&hash.finalize()) };
    Ok(())
}

/// What a line that holds says.
pub(super) enum Decoded {
    /// An event.
    Event(Event),
    /// Something that this version does not know.
    Unknown(String),
}

#[derive(Deserialize)]
struct In<'a> {
    v: u32,
    #[serde(borrow)]
    rollout: Cow<'a, str>,
    seq: u64,
    term: Term,
    at: Time,
    by: By,
    #[serde(borrow)]
    prev: Cow<'a, str>,
    event: What,
}

/// As much of a line as any version must have.
#[derive(Deserialize)]
struct Frame {
    rollout: String,
    seq: u64,
    prev: String,
    #[serde(default)]
    event: Value,
}

/// Reads `raw` (without its line feed) as line `number`, and moves the chain on when it holds.
pub(super) fn decode(raw: &[u8], number: u64, rollout: &RolloutId, chain: &mut Chain) -> Result<Decoded, Fault> {
    let broken = |why: String| match version(raw) {
        Some(v) if v > u64::from(VERSION) => Fault::Newer { line: number, v },
        _ => Fault::Broken { line: number, why },
    };
    let Some((body, tail)) = raw.len().checked_sub(SUM_LEN).and_then(|at| raw.split_at_checked(at)) else {
        return Err(broken("is not a line of a log".into()));
    };
    let Some(sum) = tail.strip_prefix(SUM_KEY).and_then(|t| t.strip_suffix(b"\"}")) else {
        return Err(broken("was altered: it has no check sum".into()));
    };
    let mut hash = Sha256::new_with_prefix(body);
    if hex::<8>(&hash.clone().finalize()) != sum {
        return Err(broken("was altered: its check sum does not fit".into()));
    }
    hash.update(tail);
    let follows = |theirs: &str, seq: u64, prev: &str| {
        if theirs != rollout.as_str() {
            Err(broken(format!("belongs to rollout {}", crate::units::clean(theirs, 80))))
        } else if prev != chain.head() && number == 1 {
            Err(broken("is not the first line: what came before it is gone".into()))
        } else if prev != chain.head() {
            Err(broken(format!("does not follow line {}: a line was changed, added or removed", number - 1)))
        } else if seq != chain.seq + 1 {
            Err(broken(format!("is event {seq} where {} was due", chain.seq + 1)))
        } else {
            Ok(())
        }
    };
    let decoded = match serde_json::from_slice::<In>(raw) {
        Ok(line) if line.v > VERSION => return Err(Fault::Newer { line: number, v: line.v.into() }),
        Ok(line) => {
            follows(&line.rollout, line.seq, &line.prev)?;
            Decoded::Event(Event { seq: line.seq, term: line.term, at: line.at, by: line.by, what: line.event })
        }
        // The sum fits, so this is no damage: whoever wrote it knew more than we do.
        Err(e) => {
            let frame = serde_json::from_slice::<Frame>(raw).map_err(|_| broken(format!("is not a line of a log: {e}")))?;
            if version(raw).is_some_and(|v| v > u64::from(VERSION)) {
                return Err(broken(String::new()));
            }
            follows(&frame.rollout, frame.seq, &frame.prev)?;
            let kind = frame.event.get("kind").and_then(Value::as_str).unwrap_or("?");
            Decoded::Unknown(crate::units::clean(kind, 80))
        }
    };
    *chain = Chain { seq: chain.seq + 1, head: hex(&hash.finalize()) };
    Ok(decoded)
}

fn version(raw: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    serde_json::from_slice::<Version>(raw).ok().map(|v| v.v)
}
