//! Several copies of one rollout's log: which one leads, where they forked, and what is wrong with the others.
//!
//! Knows lines, terms and chains, and nothing of where a copy was kept. From a fork on the higher term counts, then the longer
//! branch, then the greater text, so that everybody who compares the same copies comes to the same end. A copy whose chain is
//! broken is reported with its line and does not lead. Known weakness: a fork of two whole logs says nothing of who was right.

use super::{Fault, Log, read};
use crate::units::{RolloutId, Term};

/// One copy of a log.
#[derive(Clone, Copy, Debug)]
pub struct Copy<'a> {
    /// Where it was kept: `eu-west-1`, `here`.
    pub name: &'a str,
    /// Its lines.
    pub text: &'a [u8],
}

/// What another copy has from a fork on.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Where it was kept.
    pub name: String,
    /// The last event that it has in common with the one that leads.
    pub after: u64,
    /// Its highest term.
    pub term: Term,
    /// Its lines behind that event.
    pub lines: Vec<u8>,
}

/// The copy that leads.
#[derive(Clone, Debug, PartialEq)]
pub struct Lead {
    /// Where it was kept.
    pub name: String,
    /// What it says.
    pub log: Log,
    /// Its lines, as far as they hold.
    pub text: Vec<u8>,
    /// What others have that it has not.
    pub branches: Vec<Branch>,
    /// The copies that do not hold, and why.
    pub faults: Vec<(String, Fault)>,
}

impl Log {
    /// The term of its last event; terms only rise.
    pub fn term(&self) -> Term {
        self.events.last().map(|e| e.term).unwrap_or_default()
    }
}

/// The copy that leads; `None` where none has a line that holds.
pub fn lead(rollout: &RolloutId, copies: &[Copy<'_>]) -> Option<Lead> {
    let mut whole: Vec<(&str, Log, &[u8])> = Vec::new();
    let mut faults: Vec<(String, Fault)> = Vec::new();
    for copy in copies {
        // Reading from memory does not fail.
        let Ok(log) = read(copy.text, rollout) else { continue };
        if let Some(fault @ (Fault::Broken { .. } | Fault::Newer { .. })) = &log.fault {
            faults.push((copy.name.to_owned(), fault.clone()));
            continue;
        }
        let text = copy.text.get(..usize::try_from(log.bytes).unwrap_or(usize::MAX)).unwrap_or(copy.text);
        if log.chain.seq > 0 {
            whole.push((copy.name, log, text));
        }
    }
    let best = whole.iter().enumerate().max_by(|(_, a), (_, b)| (a.1.term(), a.1.chain.seq, a.2).cmp(&(b.1.term(), b.1.chain.seq, b.2)));
    let (name, log, text) = whole.remove(best?.0);
    let mut branches: Vec<Branch> = Vec::new();
    for (other, theirs, lines) in &whole {
        let (after, common) = common(text, lines);
        let branch =
            Branch { name: (*other).to_owned(), after, term: theirs.term(), lines: lines.get(common..).unwrap_or_default().to_vec() };
        if !branch.lines.is_empty() && !branches.iter().any(|b| b.after == after && b.lines == branch.lines) {
            branches.push(branch);
        }
    }
    Some(Lead { name: name.to_owned(), log, text: text.to_vec(), branches, faults })
}

/// The whole lines that two logs begin with: how many, and how many bytes.
fn common(a: &[u8], b: &[u8]) -> (u64, usize) {
    let lines = a.split_inclusive(|c| *c == b'\n').zip(b.split_inclusive(|c| *c == b'\n'));
    lines.take_while(|(a, b)| a == b).fold((0, 0), |(n, bytes), (line, _)| (n + 1, bytes + line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Chain, encode};
    use crate::rollout::{By, Event, What};
    use crate::units::{Person, Time};

    fn id() -> RolloutId {
        RolloutId::new("order-1")
    }

    /// A log of the given terms, each event by a person.
    fn log(events: &[(u64, &str)]) -> Vec<u8> {
        let (mut chain, mut text) = (Chain::start(&id()), Vec::new());
        for (n, (term, by)) in events.iter().enumerate() {
            let seq = n as u64 + 1;
            let event = Event { seq, term: Term(*term), at: Time(seq as i64), by: By::Person(Person::new(by)), what: What::Paused };
            encode(&mut chain, &id(), &event, &mut text).unwrap();
        }
        text
    }

    /// Each row: the copies, which one leads, its events, the branches as `name after term lines`, and the faults as `name line`.
    #[test]
    fn the_longest_valid_log_of_the_highest_term_leads() {
        let ana = log(&[(1, "ana"), (1, "ana"), (1, "ana"), (1, "ana")]);
        let short = log(&[(1, "ana"), (1, "ana")]);
        let taken = log(&[(1, "ana"), (1, "ana"), (2, "bob")]);
        let tie = log(&[(1, "ana"), (1, "ana"), (2, "cleo"), (2, "cleo")]);
        let torn = ana[..ana.len() - 5].to_vec();
        let mut broken = taken.clone();
        let second = broken.iter().position(|c| *c == b'\n').unwrap();
        broken[second + 20] ^= 1;
        let foreign = taken.replace_id();
        type Row<'a> = (&'a str, Vec<&'a [u8]>, &'a str, u64, &'a [&'a str], &'a [&'a str]);
        let table: [Row<'_>; 9] = [
            ("one", vec![&ana], "a", 4, &[], &[]),
            ("the longer of two", vec![&short, &ana], "b", 4, &[], &[]),
            ("the same twice", vec![&ana, &ana], "b", 4, &[], &[]),
            ("a higher term before a longer log", vec![&ana, &taken], "b", 3, &["a 2 1 2"], &[]),
            ("in one term the longer branch", vec![&taken, &tie], "b", 4, &["a 2 2 1"], &[]),
            ("a torn line counts as never written", vec![&torn, &short], "a", 3, &[], &[]),
            ("a broken one does not lead", vec![&broken, &short], "b", 2, &[], &["a 2"]),
            ("another rollout's log is a broken one", vec![&foreign, &short], "b", 2, &[], &["a 1"]),
            ("three copies, two forks", vec![&ana, &taken, &tie], "c", 4, &["a 2 1 2", "b 2 2 1"], &[]),
        ];
        for (what, copies, name, seq, branches, faults) in table {
            let copies: Vec<Copy<'_>> = ["a", "b", "c"].iter().zip(&copies).map(|(name, text)| Copy { name, text }).collect();
            let lead = lead(&id(), &copies).unwrap();
            assert_eq!((lead.name.as_str(), lead.log.chain.seq), (name, seq), "{what}");
            let lines = |b: &Branch| b.lines.iter().filter(|c| **c == b'\n').count();
            let found: Vec<String> = lead.branches.iter().map(|b| format!("{} {} {} {}", b.name, b.after, b.term.0, lines(b))).collect();
            assert_eq!(found, branches, "{what}");
            let found: Vec<String> = lead.faults.iter().map(|(name, f)| format!("{name} {}", f.line())).collect();
            assert_eq!(found, faults, "{what}");
        }
    }

    #[test]
    fn the_order_of_the_copies_does_not_matter() {
        let ana = log(&[(1, "ana"), (2, "ana")]);
        let bob = log(&[(1, "ana"), (2, "bob")]);
        let of = |a, b| lead(&id(), &[Copy { name: "x", text: a }, Copy { name: "y", text: b }]).unwrap().text;
        assert_eq!(of(&ana, &bob), of(&bob, &ana));
    }

    #[test]
    fn where_no_copy_has_a_line_that_holds_none_leads() {
        let none: [&[u8]; 3] = [b"", b"{\"v\":1", b"no log\n"];
        for text in none {
            assert_eq!(lead(&id(), &[Copy { name: "x", text }]), None);
        }
    }

    trait Foreign {
        fn replace_id(&self) -> Vec<u8>;
    }
    impl Foreign for Vec<u8> {
        fn replace_id(&self) -> Vec<u8> {
            String::from_utf8(self.clone()).unwrap().replace("order-1", "order-2").into_bytes()
        }
    }
}
