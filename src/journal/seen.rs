//! What was seen of a rollout, beside its log: counted intervals and notable facts, for the timeline.
//!
//! Lines of JSON without a chain. The file is bounded: when it is full, what is older is put into wider intervals, and then the
//! oldest goes. A line that cannot be read is skipped; replay of the engine needs none of this.

use crate::fleet::Sample;
use crate::units::{Span, Time, WorkloadId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

/// The most bytes that one rollout's file of what was seen has.
pub const MOST_SEEN: u64 = 4 << 20;

/// The longest line, in bytes.
const LONGEST: u64 = 64 << 10;

/// What is older than the first is kept in intervals as wide as the second.
const AGES: [(Span, Span); 2] = [(Span::mins(120), Span::secs(60)), (Span::mins(15), Span::secs(10))];

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Seen {
    /// An interval was counted.
    Sample(Sample),
    /// Something notable happened: `eu-west-1: does not answer`.
    Note {
        /// When.
        at: Time,
        /// In words.
        text: String,
    },
}

impl Seen {
    /// When.
    pub fn at(&self) -> Time {
        match self {
            Seen::Sample(sample) => sample.at,
            Seen::Note { at, .. } => *at,
        }
    }

    /// Its line, with its end.
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        self.write(&mut line);
        line
    }

    /// Adds its line; one that is too long to be read again is left out.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u32,
            #[serde(flatten)]
            seen: &'a Seen,
        }
        let start = out.len();
        let written = serde_json::to_writer(&mut *out, &Line { v: super::VERSION, seen: self });
        if written.is_err() || (out.len() - start) as u64 >= LONGEST {
            out.truncate(start);
        } else {
            out.push(b'\n');
        }
    }
}

/// All that was seen, oldest first.
pub fn read_seen(source: impl BufRead) -> io::Result<Vec<Seen>> {
    let mut all = Vec::new();
    each(source, |seen| all.push(seen))?;
    all.sort_by_key(Seen::at);
    Ok(all)
}

fn each(mut source: impl BufRead, mut found: impl FnMut(Seen)) -> io::Result<()> {
    let mut line = Vec::new();
    let mut skipping = false;
    loop {
        line.clear();
        if source.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        if whole
            && !skipping
            && let Ok(seen) = serde_json::from_slice(&line)
        {
            found(seen);
        }
        skipping = !whole;
    }
}

/// The same in fewer bytes, at most `most`: older samples in wider intervals, then without the oldest. A gap is never bridged.
pub(super) fn thin(source: impl BufRead, newest: Time, most: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut open: BTreeMap<WorkloadId, (Sample, i64)> = BTreeMap::new();
    each(source, |seen| {
        let Seen::Sample(sample) = seen else { return seen.write(&mut out) };
        let age = newest.since(sample.at);
        let Some((_, width)) = AGES.iter().find(|(older, _)| age >= *older) else { return Seen::Sample(sample).write(&mut out) };
        let slot = (sample.at.0 - 1).div_euclid(width.0 as i64);
        match open.get_mut(&sample.workload) {
            Some((sum, theirs)) if *theirs == slot && joins(sum, &sample) => join(sum, &sample),
            _ => {
                if let Some((done, _)) = open.insert(sample.workload.clone(), (sample, slot)) {
                    Seen::Sample(done).write(&mut out);
                }
            }
        }
    })?;
    open.into_values().for_each(|(sample, _)| Seen::Sample(sample).write(&mut out));
    if let Some(over) = out.len().checked_sub(most).filter(|over| *over > 0) {
        let cut = out[over - 1..].iter().position(|b| *b == b'\n').map_or(out.len(), |at| over + at);
        out.drain(..cut);
    }
    Ok(out)
}

fn joins(sum: &Sample, next: &Sample) -> bool {
    next.at - next.span == sum.at && sum.counts.iter().map(|(r, _)| r).eq(next.counts.iter().map(|(r, _)| r))
}

fn join(sum: &mut Sample, next: &Sample) {
    (sum.at, sum.span) = (next.at, sum.span + next.span);
    sum.counts.iter_mut().zip(&next.counts).for_each(|((_, a), (_, b))| a.add(b));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Counts;
    use crate::units::{Namespace, Region, Revision};

    fn sample(at: i64) -> Seen {
        let workload =
            WorkloadId { region: Region::new("eu"), namespace: Namespace::new("shop"), kind: "Deployment".into(), name: "order".into() };
        let counts = vec![(Revision::new("v41"), Counts { requests: 10.0, errors: 1.0, latency: None })];
        Seen::Sample(Sample { workload, at: Time(at * 1000), span: Span::secs(1), counts })
    }

    fn lines(all: &[Seen]) -> Vec<u8> {
        let mut out = Vec::new();
        all.iter().for_each(|s| s.write(&mut out));
        out
    }

    #[test]
    fn old_samples_are_joined_and_young_ones_are_not() {
        let before = lines(&(1..=2000).map(sample).collect::<Vec<_>>());
        let after = read_seen(thin(before.as_slice(), Time(2_000_000), usize::MAX).unwrap().as_slice()).unwrap();
        let Seen::Sample(first) = &after[0] else { panic!("a sample") };
        assert_eq!((first.at, first.span, first.counts[0].1.requests), (Time(10_000), Span::secs(10), 100.0));
        assert_eq!(after.len(), 110 + 900, "1,100 s in tens, then 900 s as they were");
        let requests: f64 = after.iter().map(|s| if let Seen::Sample(s) = s { s.counts[0].1.requests } else { 0.0 }).sum();
        assert_eq!(requests, 20_000.0);
    }

    #[test]
    fn a_gap_is_not_bridged() {
        let before = lines(&[sample(1), sample(2), sample(5), sample(6), sample(5000)]);
        let after = read_seen(thin(before.as_slice(), Time(5_000_000), usize::MAX).unwrap().as_slice()).unwrap();
        let ends: Vec<_> = after.iter().map(|s| s.at().0 / 1000).collect();
        assert_eq!(ends, [2, 6, 5000]);
    }

    #[test]
    fn what_is_still_too_much_loses_its_oldest_whole_lines() {
        let before = lines(&(1..=100).map(sample).collect::<Vec<_>>());
        let one = before.len() / 100;
        let after = thin(before.as_slice(), Time(100_000), 10 * one).unwrap();
        let kept = read_seen(after.as_slice()).unwrap();
        assert!(after.len() <= 10 * one && kept.len() >= 8, "{} lines", kept.len());
        assert_eq!(kept.last(), Some(&sample(100)));
    }

    #[test]
    fn notes_samples_and_unreadable_lines_are_told_apart() {
        let note = Seen::Note { at: Time(500), text: "eu: does not answer".into() };
        let mut file = lines(&[sample(1)]);
        file.extend_from_slice(b"{\"v\":1,\"kind\":\"else\"}\nno json\n");
        note.write(&mut file);
        file.extend_from_slice(b"{\"v\":1,\"kind\":\"no");
        assert_eq!(read_seen(file.as_slice()).unwrap(), [note, sample(1)]);
    }
}
