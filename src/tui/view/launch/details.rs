//! The second stage: every value with where it comes from, and beside it what the chosen one means.

use super::checks::{Check, checks};
use super::page::{Page, widest};
use super::{foot, press};
use crate::strategy::Key;
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::launch::{Form, Typed};
use crate::tui::pen::{Bit, Pen, columns, dim, key, sign, strong, text};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::view::{TWO_COLUMNS, View, WIDE, take, take_last};
use crate::tui::widgets::facts::Fact;
use crate::tui::widgets::table::{Column, Row, Table, keep_in_sight};
use crate::units::count;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Columns of the values, where a text can be typed.
const VALUE: u16 = 20;
/// Columns of the list, at least.
const LIST: u16 = 54;
/// Columns that the steps of the plan need beside the rest.
const PLAN: u16 = 68;

pub(super) fn draw(area: Rect, buf: &mut Buffer, form: &Form, view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    let mut rest = area;
    let last = take_last(&mut rest, 1);
    foot(last, &next(form, view), buf, pen);
    take_last(&mut rest, 1);
    let rows = form.rows();
    let chosen = rows.get(form.row).map(|r| r.key);
    let screen = area.width + 2;
    if screen < TWO_COLUMNS {
        // The list and what the chosen row means below it.
        let below = rest.height.saturating_sub(rows.len() as u16 + 3).max(6).min(rest.height.saturating_sub(4));
        let lower = take_last(&mut rest, below);
        take_last(&mut rest, 1);
        let cursor = list(rest, buf, form, pen);
        let mut page = Page { rest: lower, buf, pen };
        meaning(&mut page, form, chosen, view);
        found(&mut page, form, view);
        return cursor;
    }
    let left = Rect { width: if screen >= WIDE { 62 } else { (area.width * 48 / 100).max(LIST) }, ..rest };
    for y in rest.top()..rest.bottom() {
        pen.put(buf, left.right() + 2, y, '│', Role::Faint);
    }
    let mut right = Rect { x: left.right() + 5, width: area.right().saturating_sub(left.right() + 5), ..rest };
    if let (true, Some(compiled)) = (right.width >= 58 + PLAN, &form.compiled) {
        // A third column has the plan that the values make.
        let plan = Rect { x: right.x + 58, width: right.width.saturating_sub(58), ..right };
        super::plan::steps(plan, buf, &compiled.plan, 0, pen);
        right.width = 54;
    }
    let rows_of_list = (rows.len() as u16 + 2).min(left.height.saturating_sub(2));
    let cursor = list(Rect { height: rows_of_list, ..left }, buf, form, pen);
    let mut below = left;
    take(&mut below, rows_of_list + 1);
    found(&mut Page { rest: below, buf, pen }, form, view);
    let mut page = Page { rest: right, buf, pen };
    meaning(&mut page, form, chosen, view);
    makes(&mut page, form);
    as_a_file(&mut page, form);
    cursor
}

/// What to press.
fn next<'a>(form: &'a Form, view: &View<'a>) -> Vec<Fact<'a>> {
    if let Some(editing) = &form.editing {
        let mut line = vec![
            Fact::new(0, press(view, Action::Open, "Enter", "takes it")),
            Fact::new(0, press(view, Action::Leave, "Esc", "leaves it as it was")),
        ];
        if editing.what == Typed::Version {
            line.insert(1, Fact::new(1, [key("Up Down"), text(" those that are known")]));
        }
        return line;
    }
    let tab = key(view.key(Action::NextPane, "Tab"));
    if let Some(compiled) = &form.compiled {
        let back = format::measured(super::needs::way_back(&compiled.plan));
        return vec![
            Fact::new(0, [tab, text(" the plan"), dim(format!(": {}", count(compiled.plan.steps.len(), "step")))]),
            Fact::new(1, [dim("way back "), strong(back)]),
            Fact::new(2, [dim("every value may stay as it is")]),
        ];
    }
    let many = format!("{} {} wrong", count(form.troubles.len(), "value"), if form.troubles.len() == 1 { "is" } else { "are" });
    vec![Fact::new(0, [sign(Sign::Failing), strong(format!(" {many}"))]), Fact::new(1, [tab, text(" goes to it")])]
}

/// The rows in sight, and the field where one is typed.
fn list(area: Rect, buf: &mut Buffer, form: &Form, pen: &Pen<'_>) -> Option<Position> {
    let rows = form.rows();
    let name = widest(rows.iter().map(|r| r.key.name));
    let columns_of_list = [Column::words([], name), Column::words([dim("value")], VALUE).grows(), Column::words([dim("from")], 8)];
    let mut all: Vec<Row<'_>> = rows
        .iter()
        .map(|r| {
            let wrong = form.wrong(r.key).is_some();
            let (value, role) = match (r.text.as_str(), r.mine) {
                ("", _) => (format::NONE, Role::Dim),
                (value, _) if wrong => (value, Role::Bad),
                (value, true) => (value, Role::Strong),
                (value, false) => (value, Role::Text),
            };
            let from = match (r.text.is_empty(), r.mine) {
                (true, _) if r.key.name == "to" => Bit::new(Role::Unknown, "missing"),
                (true, _) => dim("not set"),
                (false, true) => text("you"),
                (false, false) if r.annotated => text("service"),
                (false, false) if r.key.name == "to" => dim("newest"),
                (false, false) => dim("default"),
            };
            Row {
                sign: wrong.then(|| sign(Sign::Failing)),
                cells: vec![
                    [if r.mine { strong(r.key.name) } else { text(r.key.name) }].into(),
                    [Bit::new(role, value)].into(),
                    [from].into(),
                ],
                off: false,
            }
        })
        .collect();
    all.push(Row { sign: None, cells: vec![[Bit::new(Role::New, "the plan →")].into(), [dim("")].into(), [dim("")].into()], off: false });
    let height = usize::from(area.height.saturating_sub(1));
    // From the middle on the chosen row stays there.
    let first = keep_in_sight(form.row.saturating_sub(height / 2), form.row, height, all.len());
    let shown = all.get(first..(first + height).min(all.len())).unwrap_or_default();
    let note = if all.len() > height { format!("{}-{}/{}", first + 1, first + shown.len(), all.len()) } else { String::new() };
    Table { title: "DETAILS", note: &note, columns: &columns_of_list, rows: shown, selectable: true, selected: Some(form.row - first) }
        .draw(area, buf, pen);
    for (row, at) in area.rows().skip(1).take(shown.len()).zip(first..) {
        pen.spot(row, Spot::Detail(at));
    }
    let editing = form.editing.as_ref()?;
    let x = area.x + 3 + name + 2;
    let place = Rect { x, y: area.y + 1 + (form.row - first) as u16, width: area.right().saturating_sub(x + 10), height: 1 };
    Some(editing.field.draw(place, buf, pen))
}

/// What the chosen key means, how it is written, and what is wrong with it.
fn meaning(page: &mut Page<'_, '_>, form: &Form, chosen: Option<&Key>, view: &View<'_>) {
    let Some(chosen) = chosen else {
        page.line(&[strong("the plan")]);
        page.words("Every step with what takes it back, before anything is changed.", Role::Text);
        if let Some(compiled) = &form.compiled {
            page.skip(1);
            page.words(&compiled.plan.summary(), Role::Dim);
        }
        return;
    };
    page.line(&[strong(chosen.name)]);
    page.words(chosen.text, Role::Text);
    if let Some(trouble) = form.wrong(chosen) {
        page.signed(Sign::Failing, &trouble.cause, Role::Strong);
        page.signed(Sign::Later, &trouble.remedy, Role::Text);
        return;
    }
    if chosen.name == "to" {
        let known = view.snapshot.services.iter().find(|v| v.service == form.service).map_or(&[][..], |v| &v.versions);
        let names: Vec<&str> = known.iter().map(|v| v.as_str()).collect();
        let says = if names.is_empty() { "no other version is known here".into() } else { format!("known here  {}", names.join("   ")) };
        page.words(&says, Role::Dim);
        return;
    }
    page.skip(u16::from(page.rest.height > 3));
    page.line(&[
        dim("write   "),
        text(chosen.value),
        dim(if chosen.usual { "   the default" } else { "   for example; without it nothing" }),
    ]);
    if form.rows().iter().any(|r| r.key == chosen && r.annotated) {
        page.line(&[dim("from    "), text("an annotation on the service")]);
    }
}

/// What was found: what is wrong in other rows, and what may surprise.
fn found(page: &mut Page<'_, '_>, form: &Form, view: &View<'_>) {
    let width = page.rest.width;
    let chosen = form.rows().get(form.row).map(|r| r.key);
    let shown = chosen.and_then(|k| form.wrong(k));
    let others: Vec<_> = form.troubles.iter().filter(|t| Some(*t) != shown).collect();
    for t in &others {
        page.signed(Sign::Failing, &format!("{}: {}", t.cause, t.remedy), Role::Text);
    }
    if let Some(compiled) = &form.compiled {
        let checks = checks(&compiled.plan, view.snapshot);
        let (look, ok): (Vec<&Check>, Vec<&Check>) = checks.iter().partition(|c| c.sign != Sign::Done);
        look.iter().for_each(|c| page.signed(c.sign, &c.says, Role::Text));
        page.signed(Sign::Ok, "all values are possible", Role::Text);
        for check in ok.iter().filter(|c| columns(&c.says) + 2 <= width) {
            page.signed(Sign::Ok, &check.says, Role::Text);
        }
    }
}

/// What the values make, while they are typed too.
fn makes(page: &mut Page<'_, '_>, form: &Form) {
    if page.rest.height < 4 {
        return;
    }
    page.skip(1);
    page.line(&[Bit::new(Role::Title, "what it makes")]);
    match &form.compiled {
        Some(c) => {
            let back = format::measured(super::needs::way_back(&c.plan));
            let summary = c.plan.summary();
            let words = summary.split_once(", ").map_or("", |(_, rest)| rest);
            page.line(&[text(words)]);
            page.line(&[dim("way back "), strong(back), dim(", left behind: "), text(c.plan.left_behind())]);
        }
        None => page.line(&[dim("no plan while something is wrong")]),
    }
}

/// The same as a file, which `flightdeck deploy -f` takes.
fn as_a_file(page: &mut Page<'_, '_>, form: &Form) {
    let Some(compiled) = &form.compiled else { return };
    let yaml = compiled.document.to_yaml();
    let lines: Vec<&str> = yaml.lines().collect();
    if page.rest.height < 4 {
        return;
    }
    page.skip(1);
    page.line(&[Bit::new(Role::Title, "the same as a file")]);
    for (i, line) in lines.iter().enumerate() {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        page.line(&[dim(format!("{:>2} ", i + 1)), text(name), text(": "), strong(value)]);
    }
}
