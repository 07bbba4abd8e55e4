//! A line of facts: a word in front, facts behind at the tab stop, and facts at the right edge.
//!
//! What does not fit is dropped by rank, whole facts at a time, so that no word and no number is ever cut. Known weakness:
//! a fact that may never go ends in `…` after its last whole word where even it alone is too long.

use crate::tui::pen::{Bit, Pen, columns, shorten, width};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::borrow::Cow;

/// Blanks between facts, and the column that they line up at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spacing {
    /// Blanks between two facts.
    pub gap: u16,
    /// The column of the first fact, where the word in front leaves it free.
    pub tab: Option<u16>,
}

impl Spacing {
    /// From 120 columns on: three blanks, a tab stop at column 18. Below: two blanks.
    pub const fn at(width: u16) -> Spacing {
        if width >= 120 { Spacing { gap: 3, tab: Some(18) } } else { Spacing { gap: 2, tab: None } }
    }
}

/// Some words that stay or go together.
#[derive(Clone, Debug)]
pub struct Fact<'a> {
    /// The highest goes first; 0 never goes.
    pub rank: u8,
    /// The words.
    pub bits: Vec<Bit<'a>>,
}

impl<'a> Fact<'a> {
    /// A fact of a rank.
    pub fn new(rank: u8, bits: impl Into<Vec<Bit<'a>>>) -> Fact<'a> {
        Fact { rank, bits: bits.into() }
    }

    /// Columns, and how many blanks stand before it: the plate of a key brings one of its own.
    fn room(&self, gap: u16) -> (u16, u16) {
        (width(&self.bits), if starts_with_key(&self.bits) { gap.saturating_sub(1) } else { gap })
    }
}

fn starts_with_key(bits: &[Bit<'_>]) -> bool {
    bits.first().is_some_and(|b| b.role == Role::Keycap)
}

/// A line of facts in a row that goes from edge to edge.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// What stands in front, from column 1; a key's plate from column 0.
    pub head: Vec<Bit<'a>>,
    /// Facts behind it.
    pub left: Vec<Fact<'a>>,
    /// Facts that end one blank before the right edge.
    pub right: Vec<Fact<'a>>,
    /// How they stand apart.
    pub spacing: Spacing,
}

impl Facts<'_> {
    /// Draws the line in the first row of `area`.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let Spacing { gap, tab } = self.spacing;
        let (edge, y) = (area.right().saturating_sub(1), area.y);
        if area.height == 0 || area.width < 3 {
            return;
        }
        let from = area.x + u16::from(!starts_with_key(&self.head));
        let head = self.fitted_head(area.width / 2);
        let head_end = from + width(&head);
        pen.bits(buf, from, y, edge.saturating_sub(from), &head);

        // A plate's own blank counts as one of the blanks behind it.
        let behind = head_end + gap - u16::from(head.last().is_some_and(|b| b.role == Role::Keycap)).min(gap);
        let start = if self.head.is_empty() { from } else { tab.map_or(behind, |tab| behind.max(area.x + tab)) };
        let mut left: Vec<&Fact<'_>> = self.left.iter().collect();
        let mut right: Vec<&Fact<'_>> = self.right.iter().collect();
        while needed(start, &left, &right, gap) > edge && drop_worst(&mut left, &mut right) {}
        // Nothing may go any more: the right gives way to the left.
        while needed(start, &left, &right, gap) > edge && right.pop().is_some() {}

        let mut x = edge.saturating_sub(span(&right, gap));
        let left_end = if right.is_empty() { edge } else { x.saturating_sub(gap) };
        for (i, fact) in right.iter().enumerate() {
            x += if i == 0 { 0 } else { fact.room(gap).1 };
            x = pen.bits(buf, x, y, edge.saturating_sub(x), &fact.bits);
        }
        let mut x = start;
        for (i, fact) in left.iter().enumerate() {
            x = if i == 0 { x - u16::from(starts_with_key(&fact.bits)).min(x) } else { x + fact.room(gap).1 };
            let room = left_end.saturating_sub(x);
            if fact.room(gap).0 <= room {
                x = pen.bits(buf, x, y, room, &fact.bits);
            } else {
                pen.bits(buf, x, y, room, &whole_words(&fact.bits, room));
                break;
            }
        }
    }

    /// The head, its last words shortened where it is longer than `most`.
    fn fitted_head(&self, most: u16) -> Cow<'_, [Bit<'_>]> {
        let all = width(&self.head);
        match self.head.split_last() {
            Some((last, front)) if all > most => {
                let mut head = front.to_vec();
                let room = most.saturating_sub(width(front)).max(1);
                head.push(Bit { text: shorten(&last.text, room), role: last.role });
                Cow::Owned(head)
            }
            _ => Cow::Borrowed(&self.head),
        }
    }
}

/// Columns of facts one after the other.
fn span(facts: &[&Fact<'_>], gap: u16) -> u16 {
    facts.iter().enumerate().map(|(i, f)| f.room(gap).0 + if i == 0 { 0 } else { f.room(gap).1 }).sum()
}

/// The column after the last fact of a line.
fn needed(start: u16, left: &[&Fact<'_>], right: &[&Fact<'_>], gap: u16) -> u16 {
    let between = if left.is_empty() || right.is_empty() { 0 } else { gap };
    start + span(left, gap) + between + span(right, gap)
}

/// Drops the fact with the highest rank above 0, of equals the one furthest right.
fn drop_worst(left: &mut Vec<&Fact<'_>>, right: &mut Vec<&Fact<'_>>) -> bool {
    let worst = |facts: &[&Fact<'_>]| {
        facts.iter().enumerate().filter(|(_, f)| f.rank > 0).max_by_key(|(i, f)| (f.rank, *i)).map(|(i, f)| (f.rank, i))
    };
    match (worst(left), worst(right)) {
        (None, None) => return false,
        (Some((a, i)), Some((b, _))) if a > b => left.remove(i),
        (_, Some((_, i))) => right.remove(i),
        (Some((_, i)), None) => left.remove(i),
    };
    true
}

/// As many whole words as fit, and `…`; a name that is alone and too long is shortened.
pub fn whole_words<'a>(bits: &'a [Bit<'a>], room: u16) -> Vec<Bit<'a>> {
    let mut kept = Vec::new();
    let mut left = room.saturating_sub(1);
    for bit in bits {
        if bit.width() <= left {
            left -= bit.width();
            kept.push(bit.clone());
            continue;
        }
        let mut end = 0;
        for (i, _) in bit.text.match_indices(' ') {
            if columns(bit.text.get(..i).unwrap_or_default()) <= left {
                end = i;
            }
        }
        let cut = match (end, kept.is_empty() && !bit.text.contains(' ')) {
            (0, true) => shorten(&bit.text, room),
            _ => Cow::Owned(format!("{}…", bit.text.get(..end).unwrap_or_default())),
        };
        kept.push(Bit { text: cut, role: bit.role });
        break;
    }
    if room == 0 { Vec::new() } else { kept }
}

/// Draws facts from the right edge of `area` to the left, dropping what does not fit in it, and returns the column where they start.
pub fn draw_right(facts: &[Fact<'_>], area: Rect, buf: &mut Buffer, pen: &Pen<'_>, gap: u16) -> u16 {
    let mut kept: Vec<&Fact<'_>> = facts.iter().collect();
    while span(&kept, gap) > area.width && drop_worst(&mut Vec::new(), &mut kept) {}
    while span(&kept, gap) > area.width && kept.pop().is_some() {}
    let start = area.right().saturating_sub(span(&kept, gap));
    let mut x = start;
    for (i, fact) in kept.iter().enumerate() {
        x += if i == 0 { 0 } else { fact.room(gap).1 };
        x = pen.bits(buf, x, area.y, area.right().saturating_sub(x), &fact.bits);
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::Sign;
    use crate::tui::pen::{dim, key, sign, strong, text};
    use crate::tui::widgets::testing::rows;

    fn line(facts: &Facts<'_>, width: u16) -> String {
        rows(width, 1, |buf, pen| facts.draw(buf.area, buf, pen))
    }

    fn ready(width: u16) -> Facts<'static> {
        Facts {
            head: vec![key("R"), text(" "), sign(Sign::Ok), strong(" ready")],
            left: vec![
                Fact::new(1, [dim("3 regions back to v41")]),
                Fact::new(2, [dim("pods ready "), text("30/30")]),
                Fact::new(3, [dim("about "), strong("0.4 s")]),
                Fact::new(4, [dim("left behind: nothing")]),
            ],
            right: vec![Fact::new(5, [dim("undo while v42 runs")])],
            spacing: Spacing::at(width),
        }
    }

    #[test]
    fn a_line_drops_its_worst_fact_until_it_fits() {
        let at = |width| line(&ready(width), width);
        insta::assert_snapshot!([120, 100, 80, 60, 40].map(at).join("\n"), @r"
        | R  ● ready       3 regions back to v41   pods ready 30/30   about 0.4 s   left behind: nothing     undo while v42 runs
        | R  ● ready  3 regions back to v41  pods ready 30/30  about 0.4 s  left behind: nothing
        | R  ● ready  3 regions back to v41  pods ready 30/30  about 0.4 s
        | R  ● ready  3 regions back to v41  pods ready 30/30
        | R  ● ready  3 regions back to v41
        ");
    }

    #[test]
    fn a_fact_that_may_not_go_ends_after_a_whole_word() {
        let facts = Facts {
            head: vec![sign(Sign::Held), strong(" stuck")],
            left: vec![Fact::new(0, [text("v42 cannot start in eu-west-1: image pull denied (403)")]), Fact::new(1, [dim("since 6:10")])],
            right: vec![Fact::new(0, [key("r"), dim(" try again")])],
            spacing: Spacing::at(60),
        };
        insta::assert_snapshot!([100, 60, 30].map(|w| line(&facts, w)).join("\n"), @r"
        | ■ stuck  v42 cannot start in eu-west-1: image pull denied (403)  since 6:10           r  try again
        | ■ stuck  v42 cannot start in eu-west-1: image pull denied…
        | ■ stuck  v42 cannot start…
        ");
    }

    #[test]
    fn a_name_in_front_is_shortened_at_half_the_line() {
        let facts = Facts {
            head: vec![strong("a-service-with-a-very-long-name-indeed")],
            left: vec![Fact::new(0, [text("v41 → v42")])],
            right: vec![],
            spacing: Spacing::at(40),
        };
        assert_eq!(line(&facts, 40), "| a-service-with-a-ve…  v41 → v42");
    }
}
