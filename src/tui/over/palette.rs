//! The palette: commands that match what is typed, and what the chosen one would do, in full, before Enter.

use crate::cockpit::RolloutView;
use crate::tui::commands::{Action, COMMANDS, Command, off};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::model::Model;
use crate::tui::palette::Palette;
use crate::tui::pen::{Bit, Pen, columns, dim, strong};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::view::wrap;
use crate::tui::widgets::facts::whole_words;
use crate::tui::widgets::overlay::Overlay;
use crate::tui::widgets::table::keep_in_sight;
use crate::tui::widgets::title::rule;
use crate::units::{Span, count};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Columns of the names.
const NAME: u16 = 16;
/// Rows beside the commands: the field, two rules, two lines of consequence.
const OTHER: u16 = 5;
/// Commands in sight at most.
const MOST: u16 = 14;

/// Draws the palette over `below`, and returns where the cursor belongs.
pub(super) fn draw(model: &Model, palette: &Palette, below: Rect, buf: &mut Buffer, pen: &Pen<'_>) -> Position {
    let found = palette.found();
    let rows = (found.len() as u16).clamp(1, MOST.min(below.height.saturating_sub(OTHER + 2)));
    let inside = Overlay::default().draw(below, Overlay::place(below, 86, rows + OTHER + 2), buf, pen);
    let first = keep_in_sight(0, palette.chosen, usize::from(rows), found.len());
    let count = match found.len() > usize::from(rows) {
        true => format!("{}-{}/{} commands", first + 1, first + usize::from(rows), found.len()),
        false => format!("{} of {} commands", found.len(), COMMANDS.len()),
    };
    pen.bits(buf, inside.x, inside.y, 2, &[strong(": ")]);
    pen.bits_right(buf, inside.right(), inside.y, &[dim(count.as_str())]);
    let room = inside.width.saturating_sub(columns(&count) + 4);
    let cursor = palette.field.draw(Rect { x: inside.x + 2, width: room, height: 1, ..inside }, buf, pen);
    let last = inside.bottom().saturating_sub(3);
    for y in [inside.y + 1, last] {
        rule(buf, inside.x, inside.right(), y, '─', Role::Faint, pen);
    }
    for ((command, i), y) in found.iter().zip(0..).skip(first).zip(inside.y + 2..last) {
        let place = Rect { y, height: 1, ..inside };
        pen.spot(place, Spot::Command(i));
        row(model, command, i == palette.chosen, palette, place, buf, pen);
    }
    match found.get(palette.chosen) {
        Some(command) => {
            let words = consequence(model, command);
            pen.bits(buf, inside.x, last + 1, NAME, &[strong(command.name)]);
            let (x, wide) = (inside.x + NAME, inside.width.saturating_sub(NAME));
            for (line, y) in wrap(&words, wide).into_iter().zip(last + 1..inside.bottom()) {
                pen.text(buf, x, y, wide, line, Role::Text);
            }
        }
        None => {
            pen.text(buf, inside.x, inside.y + 2, inside.width, "no command has this in its name", Role::Dim);
        }
    }
    cursor
}

/// One command: its name with what was typed in `new`, what it does, its key; off ones say why.
fn row(model: &Model, command: &Command, chosen: bool, palette: &Palette, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    if chosen {
        let wide = Rect { x: area.x.saturating_sub(1), width: area.width + 2, ..area };
        pen.over(buf, wide, Role::Selected);
        pen.text(buf, wide.x, area.y, 1, Sign::Selected.text(), Role::New);
    }
    let why = off(command.action, model);
    let arm = model.needs_arm(command.action).then(|| format!("needs {}", arm_key(model)));
    let dead = why.is_some() || arm.is_some();
    let (name, words) = if dead { (Role::Off, Role::Off) } else { (Role::Strong, Role::Dim) };
    let hits = if dead { Vec::new() } else { palette.hits(command.name) };
    let letter = |(i, c): (usize, char)| Bit::new(if hits.contains(&(i as u32)) { Role::New } else { name }, c.to_string());
    let letters: Vec<Bit<'_>> = command.name.chars().enumerate().map(letter).collect();
    pen.bits(buf, area.x + 1, area.y, NAME - 1, &letters);
    let keys = model.keymap.all(command.action).join(" ");
    let room = area.width.saturating_sub(NAME + columns(&keys) + 2);
    let doc = command.doc.split(';').next().unwrap_or(command.doc);
    let said = [Bit::new(words, why.or(arm.map(|arm| format!("{doc}; {arm}"))).unwrap_or_else(|| doc.to_owned()))];
    let fits = said.iter().map(Bit::width).sum::<u16>() <= room;
    pen.bits(buf, area.x + NAME, area.y, room, if fits { &said } else { &[] });
    if !fits {
        pen.bits(buf, area.x + NAME, area.y, room, &whole_words(&said, room));
    }
    pen.bits_right(buf, area.right(), area.y, &[Bit::new(name, keys.as_str())]);
}

fn arm_key(model: &Model) -> String {
    model.keymap.key(Action::Arm).unwrap_or_else(|| "arming".into())
}

/// What `Enter` would do now, in full.
fn consequence(model: &Model, command: &Command) -> String {
    if let Some(why) = off(command.action, model) {
        return format!("Does nothing now: {why}.");
    }
    let does = match model.current() {
        Some(r) => of_rollout(model, command, r),
        None => None,
    };
    let does = does.or_else(|| of_fleet(model, command.action)).unwrap_or_else(|| format!("{}.", format::capital(command.doc)));
    if model.needs_arm(command.action) { format!("{does} Needs {} first.", arm_key(model)) } else { does }
}

fn of_rollout(model: &Model, command: &Command, r: &RolloutView) -> Option<String> {
    let (s, name) = (&r.status, &r.status.service.name);
    let now = format!("{} %", format::want(s.want.points()));
    Some(match command.action {
        Action::Rollback => rollback(model, r),
        Action::Promote => match &s.next {
            Some((label, _)) if label == "done" => format!("{name}: ends the hold, and with it the rollout."),
            Some((label, _)) => format!("{name}: ends the hold at {now} and goes on to {label}. The gates of {label} still count."),
            None => format!("{name}: ends the hold at {now}."),
        },
        Action::PromoteFull => {
            format!("{name}: from {now} to all traffic on {}, without holds and verdicts. Capacity and health still count.", s.to)
        }
        Action::Pause if s.paused => format!("{name}: goes on from {now}."),
        Action::Pause => format!("{name}: holds at {now}. A failing {} still rolls back by itself.", s.to),
        Action::Abort => format!("{name}: all traffic to {}. The pods of {} stay, to be looked at.", s.from, s.to),
        Action::Skip => format!("{name}: passes what it waits for, after you have said why."),
        Action::Retry => format!("{name}: tries again what failed."),
        Action::Undo => format!(
            "{name}: back to {} on {}, held there.",
            s.back.as_ref().map_or(now, |b| format!("{} %", format::want(b.was.points()))),
            s.to
        ),
        Action::Take => format!("{name}: is driven from here, in a new term. Whoever drove it holds."),
        Action::Copy => format!("Copies `flightdeck rollback {}`.", s.id),
        _ => return None,
    })
}

fn of_fleet(model: &Model, action: Action) -> Option<String> {
    let shot = &model.snapshot;
    Some(match action {
        Action::StopLine if let Some(line) = &shot.stopped_line => {
            format!("Resumes the {} that it holds.", count(line.held.len(), "rollout"))
        }
        Action::StopLine => {
            let names: Vec<&str> = shot.rollouts.iter().filter(|r| r.in_flight()).map(|r| &*r.status.service.name).collect();
            format!("Holds {}: {}. Rollbacks go on.", names.len(), names.join(", "))
        }
        Action::Arm => {
            format!("{} can be launched and promoted in for 60 s, then it is safe again. Rolling back needs no arming.", shot.fleet)
        }
        Action::Worst => {
            let r = shot.rollouts.first()?;
            format!("Goes to {} {}.", r.status.service.name, r.status.to)
        }
        Action::Launch => "Opens a form. Nothing changes before its last Enter.".into(),
        Action::Quit => match shot.rollouts.iter().filter(|r| r.status.flown && r.in_flight()).count() {
            0 => "Leaves. Nothing is driven from here.".into(),
            1 => "Leaves. The rollout that is driven from here holds.".into(),
            n => format!("Leaves. The {n} rollouts that are driven from here hold."),
        },
        _ => return None,
    })
}

fn rollback(model: &Model, r: &RolloutView) -> String {
    let plan = &r.status.rollback;
    let left = match plan.left_behind.as_slice() {
        [] => "leaves nothing behind".to_owned(),
        all => format!("left behind: {}", all.join(", ")),
    };
    let regions = match plan.moves.as_slice() {
        [one] => one.leg.to_string(),
        many => count(many.len(), "region"),
    };
    let pods = if plan.need > 0 { format!(", pods ready {}/{}", plan.ready, plan.need) } else { String::new() };
    let grace = match model.snapshot.grace {
        Span::ZERO => String::new(),
        grace => format!(" Runs after a grace of {}.", format::measured(grace)),
    };
    let about = format::measured(plan.about);
    format!("{}, {regions} to {}{pods}, about {about}, {left}.{grace}", r.status.service.name, plan.target)
}
