//! All keys: the live ones by what they are for, then those that are off with the reason, and the signs.

use crate::tui::commands::{Action, COMMANDS, Command, off};
use crate::tui::glyphs::Sign;
use crate::tui::model::Model;
use crate::tui::pen::{Bit, Pen, columns, dim, sign, strong, text};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, draw_right, whole_words};
use crate::tui::widgets::overlay::Overlay;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Columns of the keys.
const KEYS: u16 = 14;
/// Columns of the box, at most.
const WIDE: u16 = 112;
/// From this inner width on the live keys stand in two columns.
const TWO: u16 = 84;

/// A line of a column.
#[derive(Clone)]
enum Line {
    Blank,
    Heading(String),
    Live(&'static Command),
    Off(&'static Command, String),
}

/// The signs, in the order of their weight.
const SIGNS: [(Sign, &str); 11] = [
    (Sign::Ok, "ok"),
    (Sign::Look, "look"),
    (Sign::Failing, "failing"),
    (Sign::Held, "held"),
    (Sign::Drift, "drift"),
    (Sign::Unknown, "unknown"),
    (Sign::Done, "done"),
    (Sign::Now, "now"),
    (Sign::Later, "later"),
    (Sign::Back, "back"),
    (Sign::Off, "off"),
];

/// Why a command cannot be used now; what needs arming says the key that arms.
fn why(command: &Command, model: &Model) -> Option<String> {
    let arm = || format!("needs {}", model.keymap.key(Action::Arm).unwrap_or_else(|| "arming".into()));
    off(command.action, model).or_else(|| model.needs_arm(command.action).then(arm))
}

/// Draws the help over `below`.
pub(super) fn draw(model: &Model, scroll: usize, below: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    let known: Vec<(&'static Command, Option<String>)> = COMMANDS.iter().map(|c| (c, why(c, model))).collect();
    let dead = known.iter().filter(|(_, why)| why.is_some()).count();
    let note = format!("{} live, {dead} off now", known.len() - dead);
    let title = Overlay { title: vec![strong("keys that work here")], note: vec![Fact::new(1, [dim(note.as_str())])] };
    let two = Overlay::place(below, WIDE, 1).width >= TWO + 4;

    let mut groups: Vec<Vec<Line>> = Vec::new();
    for chunk in known.chunk_by(|a, b| a.0.group == b.0.group) {
        let live: Vec<Line> = chunk.iter().filter(|(_, why)| why.is_none()).map(|(c, _)| Line::Live(c)).collect();
        if let (Some((first, _)), false) = (chunk.first(), live.is_empty()) {
            groups.push([vec![Line::Heading(first.group.to_uppercase())], live].concat());
        }
    }
    let mut lines: Vec<(Line, Line)> = match two {
        true => side_by_side(&groups),
        false => joined(&groups).into_iter().map(|line| (line, Line::Blank)).collect(),
    };
    if dead > 0 {
        lines.extend([(Line::Blank, Line::Blank), (Line::Heading("OFF NOW".into()), Line::Blank)]);
        lines.extend(known.into_iter().filter_map(|(c, why)| Some((Line::Off(c, why?), Line::Blank))));
    }

    // A blank row under the border and above the signs where there is room for them.
    let air = u16::from(below.height > 26);
    let inside = title.draw(below, Overlay::place(below, WIDE, lines.len() as u16 + 4 + 2 * air), buf, pen);
    let rows = inside.height.saturating_sub(air + 2 + air);
    let first = scroll.min(lines.len().saturating_sub(usize::from(rows)));
    pen.spot(inside, Spot::Scrolls(lines.len().saturating_sub(usize::from(rows))));
    let right = inside.x + inside.width / 2 + 1;
    for ((left, other), y) in lines.iter().skip(first).zip(inside.y + air..inside.y + air + rows) {
        let half = if two && !matches!(left, Line::Off(..)) { inside.width / 2 - 1 } else { inside.width };
        line(left, model, Rect { y, height: 1, width: half, ..inside }, buf, pen);
        line(other, model, Rect { x: right, y, height: 1, width: inside.right().saturating_sub(right) }, buf, pen);
    }
    let more = lines.len().saturating_sub(first + usize::from(rows));
    foot(more, model, Rect { y: inside.bottom().saturating_sub(2), height: 2, ..inside }, buf, pen);
}

/// Groups one under the other, a blank row between.
fn joined(groups: &[Vec<Line>]) -> Vec<Line> {
    groups.join(&Line::Blank)
}

/// Groups in two columns of about the same height, in their order.
fn side_by_side(groups: &[Vec<Line>]) -> Vec<(Line, Line)> {
    let height = |groups: &[Vec<Line>]| joined(groups).len();
    let cut = (0..=groups.len()).min_by_key(|at| {
        let (left, right) = groups.split_at(*at);
        height(left).max(height(right))
    });
    let (left, right) = groups.split_at(cut.unwrap_or(groups.len()));
    let (mut left, mut right) = (joined(left), joined(right));
    let rows = left.len().max(right.len());
    left.resize(rows, Line::Blank);
    right.resize(rows, Line::Blank);
    left.into_iter().zip(right).collect()
}

fn line(line: &Line, model: &Model, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    let keys = |c: &Command| model.keymap.all(c.action).join(" ");
    let after = |x: u16| Rect { x: area.x + x, width: area.width.saturating_sub(x), ..area };
    match line {
        Line::Blank => {}
        Line::Heading(words) => {
            pen.text(buf, area.x, area.y, area.width, words, Role::Title);
        }
        Line::Live(command) => {
            let (keys, role) = match keys(command) {
                none if none.is_empty() => (format!(": {}", command.name), Role::Text),
                keys => (keys, Role::Strong),
            };
            pen.text(buf, area.x, area.y, KEYS, &keys, role);
            // A command that is typed by name has the name where others have the key.
            fitted(short(command.doc), after(columns(&keys).max(KEYS - 2) + 2), Role::Text, buf, pen);
        }
        Line::Off(command, why) => {
            let keys = Some(keys(command)).filter(|k| !k.is_empty()).unwrap_or_else(|| ":".into());
            pen.text(buf, area.x, area.y, KEYS, &keys, Role::Off);
            pen.text(buf, area.x + KEYS, area.y, 14, command.name, Role::Off);
            fitted(why, after(KEYS + 15), Role::Off, buf, pen);
        }
    }
}

/// What stands before the semicolon.
fn short(doc: &str) -> &str {
    doc.split(';').next().unwrap_or(doc)
}

/// As many whole words as fit.
fn fitted(words: &str, area: Rect, role: Role, buf: &mut Buffer, pen: &Pen<'_>) {
    let bits = [Bit::new(role, words)];
    if columns(words) <= area.width {
        pen.bits(buf, area.x, area.y, area.width, &bits);
    } else {
        pen.bits(buf, area.x, area.y, area.width, &whole_words(&bits, area.width));
    }
}

/// The signs, as many as fit, and how to see more.
fn foot(more: usize, model: &Model, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    let key = |action| model.keymap.key(action).unwrap_or_default();
    let mut x = pen.text(buf, area.x, area.y, area.width, "SIGNS ", Role::Title);
    for (mark, word) in SIGNS {
        let wide = columns(word) + 2;
        if x + wide > area.right() {
            break;
        }
        x = pen.bits(buf, x, area.y, wide, &[sign(mark), text(" "), dim(word)]) + 2;
    }
    let says = if more > 0 { format!("{more} more: {} {}", key(Action::Down), key(Action::Up)) } else { "any other key closes".into() };
    draw_right(&[Fact::new(1, [dim(says)])], Rect { y: area.y + 1, height: 1, ..area }, buf, pen, 0);
}
