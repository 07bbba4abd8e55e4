//! The third stage: every step with its undo, the ways back, what was looked at; and then it goes.

use super::checks::{self, Check};
use super::foot;
use super::page::Page;
use crate::strategy::{BackRun, Compensation, Plan, Reversible, Step};
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::launch::{Form, Typed};
use crate::tui::pen::{Bit, Pen, columns, dim, key, sign, strong, text};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::view::words;
use crate::tui::view::{TWO_COLUMNS, View, beside, take, take_last};
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::split_bar::Bar;
use crate::tui::widgets::table::{Cell, Column, Row, Table};
use crate::tui::widgets::title::{Title, rule};
use crate::units::{Span, count};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

pub(super) fn draw(area: Rect, buf: &mut Buffer, form: &Form, view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    let mut rest = area;
    let last = take_last(&mut rest, 2);
    take_last(&mut rest, 1);
    let checks = form.compiled.as_ref().map(|c| checks::checks(&c.plan, view.snapshot)).unwrap_or_default();
    let cursor = go(last, buf, form, &checks, view, pen);
    let Some(compiled) = &form.compiled else {
        let mut page = Page { rest, buf, pen };
        for t in &form.troubles {
            page.signed(Sign::Failing, &t.cause, Role::Strong);
            page.signed(Sign::Later, &t.remedy, Role::Text);
        }
        return cursor;
    };
    let plan = &*compiled.plan;
    let ways = plan.ways_back();
    if area.width + 2 >= TWO_COLUMNS {
        let (_, right) = beside(rest, rest.width * 41 / 100);
        // All steps, where the ways back keep their rows, one of them in two, with a title and what is left behind.
        let rows = (lines(plan).len() as u16 + 1).min(rest.height.saturating_sub(ways.len() as u16 + 4));
        let table = take(&mut rest, rows);
        take(&mut rest, 1);
        steps(table, buf, plan, form.scroll, pen);
        let (left, right) = beside(rest, right.width);
        ways_back(left, buf, plan, &ways, view, pen);
        before_you_go(right, buf, &checks, pen);
    } else {
        let line = take_last(&mut rest, 1);
        one_line(line, buf, &checks, pen);
        let most = (rest.height / 3).max(3);
        let below = take_last(&mut rest, (ways.len() as u16 + 2).min(most));
        take_last(&mut rest, 1);
        ways_back(below, buf, plan, &ways, view, pen);
        steps(rest, buf, plan, form.scroll, pen);
    }
    cursor
}

/// A line of the table of steps.
enum Line {
    Step(usize),
    /// From here on other regions move.
    Regions(String),
    /// From here on the way back takes longer.
    Slower(String),
}

fn lines(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for at in 0..plan.steps.len() {
        lines.extend(plan.moves_on_to(at).map(Line::Regions));
        lines.extend(plan.slows_at(at).map(|(before, after)| {
            Line::Slower(format!("after this the way back takes {} instead of {}", format::measured(after), format::measured(before)))
        }));
        lines.push(Line::Step(at));
    }
    lines
}

/// Every step, as many as fit from the one that is scrolled to.
pub(super) fn steps(area: Rect, buf: &mut Buffer, plan: &Plan, scroll: usize, pen: &Pen<'_>) {
    if area.height < 2 {
        return;
    }
    let lines = lines(plan);
    let rows = usize::from(area.height - 1);
    let first = scroll.min(lines.len().saturating_sub(rows));
    let shown = lines.get(first..(first + rows).min(lines.len())).unwrap_or_default();
    pen.spot(area, Spot::Scrolls(lines.len().saturating_sub(rows)));
    let all: Option<f64> = plan.legs.iter().map(|l| l.load).sum();
    let label = plan.steps.iter().map(|s| columns(&s.label())).max().unwrap_or(4);
    let widest = |of: &dyn Fn(usize) -> String, most: u16| (0..plan.steps.len()).map(|at| columns(&of(at))).max().unwrap_or(4).min(most);
    let numbers = (0..plan.steps.len()).filter_map(|at| Some(columns(&exposed(plan.exposed(at)?)))).max().unwrap_or(0);
    let takes = plan.steps.iter().map(|s| columns(&takes(s))).max().unwrap_or(0).max(5);
    let (does, passes, back) = (widest(&|at| plan.does(at), 60), widest(&|at| plan.passes_when(at), 34), widest(&|at| undo(plan, at), 28));
    // What a step does gives way before the column behind it does, as long as it says something.
    let room = area.width.saturating_sub(2 + 2 + 2 + label + 3 + 2 + back);
    let (alone, beside) = (room.saturating_sub(2 + takes), room.saturating_sub(2 + takes + 3 + passes));
    let does = match () {
        () if beside >= does.min(24) => does.min(beside),
        () if alone >= does.min(16) => does.min(alone),
        () => does.min(room),
    };
    let mut columns = vec![
        Column::numbers([], 2),
        Column::words([], label),
        Column::words([dim("does")], does).gap(3),
        Column::words([dim("passes when")], passes).gap(3).rank(2),
        Column::words([dim("undo")], back),
        Column::numbers([dim("takes")], takes).rank(1),
    ];
    if all.is_some() {
        columns.push(Column::words([dim("requests exposed")], 16).gap(3).rank(3).grows());
        columns.push(Column::numbers([], numbers).gap(1).rank(3));
    }
    let blank: Vec<Column<'_>> = columns.iter().map(|c| Column { heading: Vec::new(), ..c.clone() }).collect();
    Table { title: "PLAN", note: "", columns: &columns, rows: &[], selectable: false, selected: None }.draw(area, buf, pen);
    if lines.len() > rows {
        // Between the title and the first heading.
        pen.text(buf, area.x + 5, area.y, label + 3, &format!("{}-{}/{}", first + 1, first + shown.len(), lines.len()), Role::Dim);
    }
    for (line, y) in shown.iter().zip(area.y + 1..) {
        match line {
            // The row above has the place of the headings, which are drawn already.
            Line::Step(at) => {
                let rows = [row(plan, *at, all)];
                let area = Rect { y: y - 1, height: 2, ..area };
                Table { title: "", note: "", columns: &blank, rows: &rows, selectable: false, selected: None }.draw(area, buf, pen);
            }
            Line::Regions(says) => {
                Page { rest: Rect { y, height: 1, ..area }, buf, pen }.line(&[dim(says.as_str())]);
            }
            Line::Slower(says) => across(Rect { y, height: 1, ..area }, buf, says, pen),
        }
    }
}

/// Words on a dashed line.
fn across(row: Rect, buf: &mut Buffer, says: &str, pen: &Pen<'_>) {
    rule(buf, row.x, row.right(), row.y, '╌', Role::Limit, pen);
    // Where it is narrow, the words take the dashes' place.
    let dashes = if columns(says) + 8 <= row.width { 6 } else { 0 };
    let says = format!("{}{says} ", if dashes > 0 { " " } else { "" });
    Page { rest: Rect { x: row.x + dashes, width: row.width - dashes, ..row }, buf, pen }.line(&[Bit::new(Role::Limit, says)]);
}

/// What takes a step back, in few words.
fn undo(plan: &Plan, at: usize) -> String {
    match plan.steps.get(at).map(|s| (s.compensation, &s.legs)) {
        Some((Compensation::Nothing, _)) => "nothing".into(),
        Some((Compensation::TemplateBack, _)) => "template back, by pods".into(),
        Some((Compensation::StartOldPods, legs)) => {
            let pods: u32 = plan.legs.iter().filter(|l| legs.contains(&l.id)).map(|l| l.base).sum();
            format!("start {} of {}", count(pods, "pod"), words::version(&plan.from()))
        }
        Some((other, _)) => other.words().into(),
        None => String::new(),
    }
}

fn takes(step: &Step) -> String {
    format!("≈{}", (Span(step.expected.0 + 500)).clock())
}

fn exposed(per_second: f64) -> String {
    format!("{}/s", format::per_second(per_second))
}

fn row(plan: &Plan, at: usize, all: Option<f64>) -> Row<'static> {
    let Some(step) = plan.steps.get(at) else { return Row::default() };
    // What is as in the row above is read once.
    let same = at
        .checked_sub(1)
        .and_then(|b| plan.steps.get(b))
        .is_some_and(|b| b.kind == step.kind && b.gates == step.gates && b.hold == step.hold);
    let role = if same { Role::Dim } else { Role::Text };
    let back = if step.reversible == Reversible::Instant { role } else { Role::Warn };
    let mut cells: Vec<Cell<'static>> = vec![
        [dim((at + 1).to_string())].into(),
        [strong(step.label())].into(),
        [Bit::new(role, plan.does(at))].into(),
        [Bit::new(role, plan.passes_when(at))].into(),
        [Bit::new(back, undo(plan, at))].into(),
        [text(takes(step))].into(),
    ];
    if let (Some(exposed), Some(all)) = (plan.exposed(at), all) {
        cells.push(if exposed > 0.0 { Cell::Bar(Bar::split(exposed / all.max(0.001), None)) } else { Cell::Words(Vec::new()) });
        let number = self::exposed(exposed);
        cells.push([if exposed > 0.0 { strong(number) } else { dim(number) }].into());
    }
    Row { sign: None, cells, off: false }
}

/// What the one key does, step by step.
fn ways_back(area: Rect, buf: &mut Buffer, plan: &Plan, ways: &[BackRun], view: &View<'_>, pen: &Pen<'_>) {
    let mut rest = area;
    let left_behind = plan.left_behind();
    let all = rest.height > ways.len() as u16 + 1;
    let note = if all { "the same key at every step".to_owned() } else { format!("left behind: {left_behind}") };
    Title::new("WAY BACK", vec![Fact::new(1, [dim(note)])]).draw(take(&mut rest, 1), buf, pen);
    let plate = key(view.key(Action::Rollback, "R"));
    let steps = |w: &BackRun| {
        if w.first == w.last { format!("in step {}", w.first + 1) } else { format!("in step {}-{}", w.first + 1, w.last + 1) }
    };
    let label = ways.iter().map(|w| columns(&steps(w))).max().unwrap_or(0).max(11);
    let slow = |w: &BackRun| w.reversible != Reversible::Instant;
    let rows: Vec<(String, String, String, bool)> = ways
        .iter()
        .map(|w| (steps(w), w.does.clone(), format!("{}{}", if w.up_to { "up to " } else { "" }, format::measured(w.about)), slow(w)))
        .chain(all.then(|| ("left behind".to_owned(), left_behind, String::new(), false)))
        .collect();
    let keys = plate.width() + 2;
    for (i, (steps, does, takes, slow)) in rows.iter().enumerate() {
        let row = take(&mut rest, 1);
        if row.height == 0 {
            break;
        }
        if i == 0 {
            pen.bits(buf, row.x, row.y, keys, std::slice::from_ref(&plate));
        }
        pen.text(buf, row.x + keys, row.y, label, steps, Role::Dim);
        let takes = if *slow {
            vec![Bit::new(Role::Warn, takes.as_str()), text(" "), sign(Sign::Look)]
        } else {
            vec![strong(takes.as_str()), text("  ")]
        };
        let wide = crate::tui::pen::width(&takes);
        pen.bits_right(buf, row.right(), row.y, &takes);
        let from = keys + label + 2;
        let place = Rect { x: row.x + from, width: row.width.saturating_sub(from + wide + 2), ..row };
        let lines = crate::tui::view::wrap(does, place.width).len() as u16;
        // A second line where nothing that follows loses its own.
        let spare = rest.height.saturating_sub((rows.len() - i - 1) as u16);
        let more = lines.saturating_sub(1).min(spare);
        take(&mut rest, more);
        let mut page = Page { rest: Rect { height: 1 + more, ..place }, buf, pen };
        if more + 1 >= lines { page.words(does, Role::Text) } else { page.line(&[text(does.as_str())]) }
    }
}

fn before_you_go(area: Rect, buf: &mut Buffer, checks: &[Check], pen: &Pen<'_>) {
    let mut rest = area;
    let count = checks::count(checks);
    Title::new("BEFORE YOU GO", vec![Fact::new(1, [dim(count)])]).draw(take(&mut rest, 1), buf, pen);
    let mut page = Page { rest, buf, pen };
    for check in checks {
        if page.rows_signed(&check.says) <= page.rest.height {
            page.signed(check.sign, &check.says, if check.sign == Sign::Failing { Role::Strong } else { Role::Text });
        }
    }
}

/// The same in a line: the worst in words.
fn one_line(row: Rect, buf: &mut Buffer, checks: &[Check], pen: &Pen<'_>) {
    let worst = checks.first().filter(|c| c.sign != Sign::Done);
    let line = Facts {
        head: vec![Bit::new(Role::Title, "BEFORE YOU GO")],
        left: match worst {
            Some(c) => vec![Fact::new(2, [dim(checks::count(checks))]), Fact::new(0, [sign(c.sign), text(" "), text(c.says.as_str())])],
            None => vec![Fact::new(0, [sign(Sign::Done), text(" "), text(checks::count(checks))])],
        },
        right: Vec::new(),
        spacing: Spacing { gap: 2, tab: None },
    };
    line.draw(Rect { x: row.x - 1, width: row.width + 2, ..row }, buf, pen);
}

/// What to press to launch, and why it is launched.
fn go(area: Rect, buf: &mut Buffer, form: &Form, checks: &[Check], view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    let mut rest = area;
    let row = take(&mut rest, 1);
    let (enter, arm) = (key(view.key(Action::Open, "Enter")), key(view.key(Action::Arm, "A")));
    let fleet = &view.snapshot.fleet;
    let what = format!("launches {} {}", form.service.name, form.to);
    let reason = form.typed(Typed::Reason);
    let line = if reason.is_some() {
        vec![Fact::new(0, [enter, text(" keeps it")]), Fact::new(0, press_leave(view))]
    } else if view.snapshot.readonly {
        vec![Fact::new(0, [strong("this is read only:"), text(" nothing can be launched from here")])]
    } else if form.compiled.is_none() {
        vec![Fact::new(0, press_leave(view)), Fact::new(0, [strong("nothing can be launched: something is wrong in the details")])]
    } else if let Some(check) = checks.iter().find(|c| c.sign == Sign::Failing) {
        vec![Fact::new(0, [strong("cannot be launched now:"), text(format!(" {}", check.says))])]
    } else if view.unarmed() {
        vec![
            Fact::new(0, [strong(format!("{fleet} is safe.")), text("  To launch press "), arm, text("  then "), enter]),
            Fact::new(1, [dim("armed for 60 s, then safe again")]),
        ]
    } else if let Some(left) = view.armed {
        let left = format!("ARMED {}", format::countdown(left, view.reduce_motion));
        vec![Fact::new(0, [Bit::new(Role::Warn, left)]), Fact::new(0, [enter, strong(format!(" {what}"))])]
    } else {
        let regions = form.compiled.as_ref().map_or(0, |c| c.plan.legs.len());
        vec![
            Fact::new(0, [enter, strong(format!(" {what}"))]),
            Fact::new(1, [dim(format!("{} in {}", form.kind.name(), words::regions(regions)))]),
        ]
    };
    foot(row, &line, buf, pen);
    let row = take(&mut rest, 1);
    foot(row, &[], buf, pen);
    pen.text(buf, row.x, row.y, 5, "why", Role::Dim);
    let place = Rect { x: row.x + 6, width: row.width.saturating_sub(6), ..row };
    match reason {
        Some(field) => return Some(field.draw(place, buf, pen)),
        None if form.reason.is_empty() => {
            let why = view.key(Action::Why, "w");
            pen.bits(buf, place.x.saturating_sub(1), place.y, place.width, &[key(why), dim(" says why; it goes into the log")]);
        }
        None => {
            Page { rest: place, buf, pen }.line(&[text(form.reason.as_str())]);
        }
    }
    None
}

fn press_leave<'a>(view: &View<'a>) -> Vec<Bit<'a>> {
    vec![key(view.key(Action::Leave, "Esc")), text(if view.typing { " leaves it" } else { " back to the details" })]
}
