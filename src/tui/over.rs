//! What floats: all keys, the palette, and the line where a reason is typed.

use super::commands::{COMMANDS, Command, off};
use super::model::{Model, Over};
use super::pen::{Bit, Pen, columns, dim, key, strong, text};
use super::theme::Role;
use super::view::LEAST;
use super::widgets::overlay::Overlay;
use crate::cockpit::RolloutView;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Draws what floats, below the top lines; where the cursor belongs is returned.
pub fn draw(model: &Model, over: &Over, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) -> Option<Position> {
    let top = if area.height >= 34 { 6 } else { 4 };
    let below = Rect { y: area.y + top, height: area.height.saturating_sub(top + 1), ..area };
    if area.width < LEAST.0 || below.height < 6 {
        return None;
    }
    match over {
        Over::Help(scroll) => {
            help(model, *scroll, below, buf, pen);
            None
        }
        Over::Palette(palette) => {
            let found = palette.found();
            let place = Overlay::place(below, 80, (found.len() as u16 + 7).min(19));
            let inside = Overlay::default().draw(below, place, buf, pen);
            pen.bits(buf, inside.x, inside.y, 2, &[dim(": ")]);
            let count = format!("{} of {} commands", found.len(), COMMANDS.len());
            pen.bits_right(buf, inside.right(), inside.y, &[dim(count.as_str())]);
            let room = inside.width.saturating_sub(columns(&count) + 4);
            let cursor = palette.field.draw(Rect { x: inside.x + 2, width: room, height: 1, ..inside }, buf, pen);
            let rows = inside.height.saturating_sub(5);
            let first = palette.chosen.saturating_sub(usize::from(rows.saturating_sub(1)));
            for (i, command) in found.iter().enumerate().skip(first).take(usize::from(rows)) {
                let y = inside.y + 2 + (i - first) as u16;
                row(model, command, i == palette.chosen, &palette.field.text(), Rect { y, height: 1, ..inside }, buf, pen);
            }
            if let Some(command) = found.get(palette.chosen) {
                let y = inside.bottom().saturating_sub(2);
                consequence(model, command, Rect { y, height: 2, ..inside }, buf, pen);
            }
            Some(cursor)
        }
        Over::Reason { verb, rollout, text: field } => {
            let place = Overlay::place(below, 80, 5);
            let inside = Overlay { title: vec![strong("why")], note: Vec::new() }.draw(below, place, buf, pen);
            let verb = format!("{verb:?} {rollout}").to_lowercase();
            pen.bits(buf, inside.x, inside.y, inside.width, &[text(verb.as_str()), dim("   the reason goes into the log")]);
            let cursor = field.draw(Rect { y: inside.y + 1, height: 1, ..inside }, buf, pen);
            pen.bits(buf, inside.x, inside.y + 2, inside.width, &[key("Enter"), dim(" do it   "), key("Esc"), dim(" leave it")]);
            Some(cursor)
        }
        Over::Filter(_) => None,
    }
}

/// One command: its name with what was typed in `new`, what it does, its key; off ones say why.
fn row(model: &Model, command: &Command, chosen: bool, typed: &str, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    if chosen {
        pen.over(buf, area, Role::Selected);
        pen.text(buf, area.x.saturating_sub(1), area.y, 1, "▸", Role::New);
    }
    let why = off(command.action, model);
    let (name, words) = if why.is_some() { (Role::Off, Role::Off) } else { (Role::Strong, Role::Dim) };
    let lower = command.name.to_lowercase();
    let typed = typed.trim().to_lowercase();
    let at = if typed.is_empty() { None } else { lower.find(&typed) };
    let bits: Vec<Bit<'_>> = match at.filter(|_| why.is_none()) {
        Some(at) => {
            let (before, rest) = command.name.split_at(at);
            let (hit, after) = rest.split_at(typed.len().min(rest.len()));
            vec![Bit::new(name, before), Bit::new(Role::New, hit), Bit::new(name, after)]
        }
        None => vec![Bit::new(name, command.name)],
    };
    pen.bits(buf, area.x, area.y, 18, &bits);
    let keys = model.keymap.all(command.action).join(" ");
    let room = area.width.saturating_sub(20 + columns(&keys) + 2);
    let said = match &why {
        Some(why) => why.as_str(),
        None => command.doc,
    };
    pen.text(buf, area.x + 20, area.y, room, &super::pen::shorten(said, room), words);
    pen.bits_right(buf, area.right(), area.y, &[Bit::new(name, keys.as_str())]);
}

/// What `Enter` would do, in full, before it is pressed.
fn consequence(model: &Model, command: &Command, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    let words = match off(command.action, model) {
        Some(why) => format!("off: {why}"),
        None if model.needs_arm(command.action) => format!("{}; needs arming first", command.doc),
        None => match (command.action, model.current()) {
            (super::commands::Action::Rollback, Some(r)) => way_back(r),
            _ => command.doc.to_string(),
        },
    };
    pen.bits(buf, area.x, area.y, 18, &[strong(command.name)]);
    for (i, line) in folded(&words, area.width.saturating_sub(20)).iter().take(2).enumerate() {
        pen.text(buf, area.x + 20, area.y + i as u16, area.width.saturating_sub(20), line, Role::Text);
    }
}

fn way_back(r: &RolloutView) -> String {
    let plan = &r.status.rollback;
    let left =
        if plan.left_behind.is_empty() { "leaves nothing behind".into() } else { format!("left behind: {}", plan.left_behind.join(", ")) };
    let regions = plan.moves.len();
    let s = if regions == 1 { "" } else { "s" };
    format!(
        "{}, {regions} region{s} to {}, pods ready {}/{}, about {}, {left}",
        r.status.service,
        plan.target,
        plan.ready,
        plan.need,
        super::format::measured(plan.about)
    )
}

/// Live keys first, then off ones with the reason.
fn help(model: &Model, scroll: u16, below: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    let place = Overlay::place(below, 100, below.height);
    let inside = Overlay { title: vec![strong("keys")], note: Vec::new() }.draw(below, place, buf, pen);
    let (live, dead): (Vec<&Command>, Vec<&Command>) = COMMANDS.iter().partition(|c| off(c.action, model).is_none());
    let rows: Vec<&Command> = live.into_iter().chain(dead).collect();
    let most = usize::from(inside.height.saturating_sub(1));
    let first = usize::from(scroll).min(rows.len().saturating_sub(most));
    for (i, command) in rows.iter().skip(first).take(most).enumerate() {
        let y = inside.y + i as u16;
        let why = off(command.action, model);
        let role = if why.is_some() { Role::Off } else { Role::Strong };
        let keys = model.keymap.all(command.action).join(" ");
        pen.text(buf, inside.x, y, 12, &keys, role);
        pen.text(buf, inside.x + 13, y, 16, command.name, role);
        let room = inside.width.saturating_sub(30);
        let said = why.map_or_else(|| command.doc.to_string(), |w| format!("off: {w}"));
        pen.text(buf, inside.x + 30, y, room, &super::pen::shorten(&said, room), if role == Role::Off { Role::Off } else { Role::Dim });
    }
    let more = rows.len().saturating_sub(first + most);
    let foot = if more > 0 { format!("{more} more: j k   any other key closes") } else { "any key closes".into() };
    pen.bits_right(buf, inside.right(), inside.bottom().saturating_sub(1), &[dim(foot.as_str())]);
}

/// Text in lines of at most so many columns, broken between words.
fn folded(words: &str, width: u16) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let last = lines.last_mut();
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}
