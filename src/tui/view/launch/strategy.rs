//! The first stage: what is launched, and which strategy fits here.

use super::page::{Page, widest};
use super::{TALL, foot, press, stairs};
use super::{checks, needs};
use crate::strategy::{About, Plan, Route, StrategyKind, about};
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::launch::{Form, Typed};
use crate::tui::pen::{Bit, Pen, dim, key, shorten, sign, strong, text};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::view::{TWO_COLUMNS, View, WIDE, beside, take, take_last};
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::table::{Column, Row, Table};
use crate::tui::widgets::title::Title;
use crate::units::{Kind, Trouble};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Rows of the stairs with their labels.
const STAIRS: u16 = 12;
/// Columns where the words behind a name begin.
const BEHIND: u16 = 11;

pub(super) fn draw(area: Rect, buf: &mut Buffer, form: &Form, view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    let mut rest = area;
    let last = take_last(&mut rest, 1);
    if rest.height >= TALL {
        take_last(&mut rest, 1);
    }
    let cursor = what(&mut rest, buf, form, view, pen);
    take(&mut rest, 1);
    table(take(&mut rest, StrategyKind::ALL.len() as u16 + 1), buf, form, pen);
    take(&mut rest, 1);
    chosen(rest, buf, form, pen);
    foot(last, &next(form, view), buf, pen);
    cursor
}

/// What to press.
fn next<'a>(form: &'a Form, view: &View<'a>) -> Vec<Fact<'a>> {
    if let Some(editing) = &form.editing {
        let mut line = vec![
            Fact::new(0, press(view, Action::Open, "Enter", "takes it")),
            Fact::new(0, press(view, Action::Leave, "Esc", "leaves it")),
        ];
        if matches!(editing.what, Typed::Service | Typed::Version) {
            line.insert(1, Fact::new(1, [key("Up Down"), text(" those that are known")]));
        }
        return line;
    }
    let refused = form.unfit().filter(|t| t.kind == Kind::Refused);
    if form.to.is_empty() {
        return vec![
            Fact::new(0, press(view, Action::Version, "t", "names the version to launch")),
            Fact::new(1, [dim("none is known that does not run yet")]),
        ];
    }
    if refused.is_some() {
        let other = [key(view.key(Action::Down, "j")), text(" "), key(view.key(Action::Up, "k")), text(" choose another strategy")];
        return vec![Fact::new(0, [strong(format!("{} does not fit here.", format::capital(form.kind.name())))]), Fact::new(0, other)];
    }
    vec![
        Fact::new(0, [key(view.key(Action::Open, "Enter")), text(" fill in "), strong(form.kind.name())]),
        Fact::new(1, [key(view.key(Action::Plan, "v")), text(" straight to its plan")]),
        Fact::new(2, [dim("nothing changes before the last "), dim(view.key(Action::Open, "Enter"))]),
    ]
}

/// The service and the version, each with what else there is.
fn what(rest: &mut Rect, buf: &mut Buffer, form: &Form, view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    let services: Vec<&str> = view.snapshot.services.iter().map(|v| &*v.service.name).collect();
    let versions = view.snapshot.services.iter().find(|v| v.service == form.service).map_or(&[][..], |v| &v.versions);
    let mut cursor = None;
    if rest.height >= 15 || form.typed(Typed::Service).is_some() {
        let row = take(rest, 1);
        let at = services.iter().position(|s| *s == &*form.service.name).unwrap_or(0);
        let mut facts = vec![Fact::new(2, [dim(format!("{} of {}", at + 1, services.len()))])];
        if form.typed(Typed::Service).is_some() && row.width + 2 >= TWO_COLUMNS {
            facts = vec![Fact::new(0, [dim(format!("known here: {}", services.join(", ")))])];
        }
        facts.extend(
            checks::in_flight(&form.service, view.snapshot).map(|says| Fact::new(0, [sign(Sign::Failing), text(format!(" {says}"))])),
        );
        facts.push(Fact::new(1, press(view, Action::Service, "s", "another")));
        cursor = cursor.or(choice(row, buf, form, Typed::Service, strong(&*form.service.name), facts, pen));
    }
    let row = take(rest, 1);
    let mut known = vec![dim("known here: ")];
    for (i, version) in versions.iter().enumerate() {
        let role = if *version == form.from {
            Role::Old
        } else if version.as_str() == form.to {
            Role::New
        } else {
            Role::Text
        };
        known.extend([dim(if i > 0 { ", " } else { "" }), Bit::new(role, version.as_str())]);
    }
    if versions.is_empty() {
        known = vec![dim("no other version is known here")];
    }
    let value = if form.to.is_empty() { Bit::new(Role::Unknown, "? not named") } else { Bit::new(Role::New, &form.to) };
    let facts = vec![
        Fact::new(3, [dim("now "), Bit::new(Role::Old, form.from.as_str())]),
        Fact::new(2, known),
        Fact::new(1, press(view, Action::Version, "t", "another")),
    ];
    cursor.or(choice(row, buf, form, Typed::Version, value, facts, pen))
}

/// A name, its value or the field where it is typed, and facts beside it.
fn choice(row: Rect, buf: &mut Buffer, form: &Form, what: Typed, value: Bit<'_>, facts: Vec<Fact<'_>>, pen: &Pen<'_>) -> Option<Position> {
    let name = if what == Typed::Service { "SERVICE" } else { "VERSION" };
    pen.text(buf, row.x, row.y, BEHIND, name, Role::Title);
    let field = form.typed(what);
    let wide = if field.is_some() { (row.width / 3).min(30) } else { value.width().min(row.width / 2) };
    let place = Rect { x: row.x + BEHIND, width: wide, ..row };
    let cursor = field.map(|f| f.draw(place, buf, pen));
    if field.is_none() {
        pen.bits(buf, place.x, place.y, wide, &[Bit::new(value.role, shorten(&value.text, wide))]);
    }
    let behind = Rect { x: place.right() + 2, width: row.right().saturating_sub(place.right() + 1), ..row };
    // While it is typed its own key is not one.
    let left = facts.into_iter().filter(|f| cursor.is_none() || f.rank != 1).collect();
    Facts { head: Vec::new(), left, right: Vec::new(), spacing: Spacing { gap: 3, tab: None } }.draw(behind, buf, pen);
    cursor
}

fn table(area: Rect, buf: &mut Buffer, form: &Form, pen: &Pen<'_>) {
    let columns = [
        Column::words([], 12),
        Column::words([dim("use it when")], 54).rank(2),
        Column::words([dim("risk")], 5),
        Column::numbers([dim("way back")], 8),
        Column::numbers([dim("extra pods")], 12).rank(1),
        Column::words([dim("fits here")], 13).gap(3).grows(),
    ];
    let rows: Vec<Row<'_>> = StrategyKind::ALL.into_iter().map(|kind| row(kind, form, area.width + 2 >= WIDE)).collect();
    let selected = StrategyKind::ALL.iter().position(|k| *k == form.kind);
    Table { title: "STRATEGY", note: "", columns: &columns, rows: &rows, selectable: true, selected }.draw(area, buf, pen);
    for (row, kind) in area.rows().skip(1).zip(StrategyKind::ALL) {
        pen.spot(row, Spot::Strategy(kind));
    }
}

fn row(kind: StrategyKind, form: &Form, wide: bool) -> Row<'_> {
    let it = about(kind);
    let fit = form.fits.iter().find(|(k, _)| *k == kind).map(|(_, fit)| fit);
    let (back, pods) = match fit {
        Some(Ok(plan)) => (strong(format::measured(needs::way_back(plan))), extra(plan)),
        _ => (dim(it.rollback_speed), format::NONE.to_owned()),
    };
    let [mark, blank, mut word] = fits(fit);
    if let (true, Some(Err(t))) = (wide, fit) {
        word.text = t.cause.clone().into();
    } else if let (true, Some(Ok(plan))) = (wide, fit) {
        word.text = plan.warnings.first().map_or(word.text, |w| super::warning(w).to_owned().into());
    }
    let full = "■".repeat(usize::from(it.risk));
    let rest = "□".repeat(usize::from(5 - it.risk.min(5)));
    Row {
        sign: None,
        cells: vec![
            [strong(kind.name())].into(),
            [text(it.use_when)].into(),
            [Bit::new(if it.risk > 3 { Role::Warn } else { Role::Text }, full), Bit::new(Role::Faint, rest)].into(),
            [back].into(),
            [text(pods)].into(),
            [mark, blank, word].into(),
        ],
        off: matches!(fit, Some(Err(t)) if t.kind == Kind::Refused),
    }
}

/// `+3 to +30`, `+3`, `none`.
fn extra(plan: &Plan) -> String {
    match needs::extra_pods(plan) {
        (_, 0) => "none".into(),
        (first, most) if first == most => format!("+{most}"),
        (first, most) => format!("+{first} to +{most}"),
    }
}

/// A sign and a word for whether a strategy fits.
fn fits(fit: Option<&Result<std::sync::Arc<Plan>, Trouble>>) -> [Bit<'static>; 3] {
    let (mark, role, word) = match fit {
        None => (Sign::Unknown, Role::Unknown, "not known yet"),
        Some(Err(t)) if t.kind == Kind::Refused => (Sign::Off, Role::Off, "not here"),
        Some(Err(t)) if t.place.name == "--to" => (Sign::Unknown, Role::Unknown, "no version"),
        Some(Err(_)) => (Sign::Failing, Role::Bad, "not so"),
        Some(Ok(plan)) if plan.strategy == StrategyKind::Canary && plan.legs.iter().any(|l| l.route == Route::Pods) => {
            (Sign::Look, Role::Text, "by pods")
        }
        Some(Ok(plan)) if !plan.warnings.is_empty() => (Sign::Look, Role::Text, "look below"),
        Some(Ok(_)) => (Sign::Ok, Role::Text, "yes"),
    };
    [sign(mark), text(" "), Bit::new(role, word)]
}

/// The chosen strategy: its traffic over time, and what to know of it.
fn chosen(area: Rect, buf: &mut Buffer, form: &Form, pen: &Pen<'_>) {
    let mut rest = area;
    let it = about(form.kind);
    let fit = form.fits.iter().find(|(k, _)| *k == form.kind).map(|(_, fit)| fit);
    let plan = fit.and_then(|f| f.as_ref().ok());
    let note = match plan {
        Some(plan) => plan.summary().split_once(", ").map(|(_, rest)| rest.to_owned()).unwrap_or_default(),
        None => it.what.to_owned(),
    };
    let name = form.kind.name().to_uppercase();
    Title::new(&name, vec![Fact::new(1, [dim(note)])]).draw(take(&mut rest, 1), buf, pen);
    let (two, wide) = (area.width + 2 >= TWO_COLUMNS, area.width + 2 >= WIDE);
    let (left, right) = if two { beside(rest, rest.width * 48 / 100) } else { (Rect::default(), rest) };
    if let Some(plan) = plan {
        let place = if two { left } else { rest };
        let rows = if two { STAIRS } else { STAIRS - 4 }.min(place.height.saturating_sub(1));
        let room = two || rest.height >= STAIRS + 8;
        if room {
            traffic(Rect { height: rows + 1, ..place }, buf, plan, pen);
        }
        let right = if !two && room { Rect { y: rest.y + rows + 2, height: rest.height.saturating_sub(rows + 2), ..rest } } else { right };
        let below = Rect { y: left.y + rows + 2, height: left.height.saturating_sub(rows + 2), ..left };
        if wide && usize::from(below.height) > plan.steps.len() + 1 {
            super::plan::steps(below, buf, plan, 0, pen);
        }
        return words(right, buf, it, Ok(plan), pen);
    }
    words(if two { rest } else { right }, buf, it, Err(fit.and_then(|f| f.as_ref().err())), pen);
}

fn traffic(area: Rect, buf: &mut Buffer, plan: &Plan, pen: &Pen<'_>) {
    let mut rest = area;
    let row = take(&mut rest, 1);
    let to = super::super::words::version(&plan.to);
    pen.bits(buf, row.x, row.y, row.width, &[dim("traffic on "), Bit::new(Role::New, to), dim(" over time")]);
    stairs::draw(rest, buf, plan, pen);
}

/// What happens, what then when it goes wrong, what it needs, what one learns; what has no room is left out, the last first.
fn words(area: Rect, buf: &mut Buffer, it: &About, plan: Result<&std::sync::Arc<Plan>, Option<&Trouble>>, pen: &Pen<'_>) {
    let mut page = Page { rest: area, buf, pen };
    let learn = format!("{}.", format::capital(it.learn));
    match plan {
        Ok(plan) => {
            page.section("what happens", &[&needs::what_happens(plan)], true);
            let wrong = needs::when_wrong(plan);
            page.section("when it goes wrong", &wrong.iter().map(String::as_str).collect::<Vec<_>>(), false);
            let needs = needs::needs(plan);
            let warnings: Vec<&str> = plan.warnings.iter().map(|w| super::warning(w)).collect();
            let rows = needs.len() as u16 + warnings.iter().map(|w| page.rows_signed(w)).sum::<u16>();
            if page.rest.height >= rows + 2 {
                page.skip(1);
                page.line(&[Bit::new(Role::Title, "what it needs")]);
                let tab = widest(needs.iter().map(|n| n.what)) + 3;
                for need in &needs {
                    let blank = " ".repeat(usize::from(tab.saturating_sub(super::page::widest(std::iter::once(need.what)))));
                    page.line(&[sign(need.sign), text(" "), text(need.what), text(blank), dim(need.there.as_str())]);
                }
                warnings.iter().for_each(|w| page.signed(Sign::Look, w, Role::Text));
            }
        }
        Err(trouble) => {
            if let Some(trouble) = trouble {
                let missing = trouble.place.name == "--to";
                page.signed(if missing { Sign::Unknown } else { Sign::Failing }, &format::capital(&trouble.cause), Role::Strong);
                page.signed(Sign::Later, &format::capital(&trouble.remedy), Role::Text);
                page.skip(1);
            }
            page.section("what happens", &[&format!("{}.", format::capital(it.what))], true);
            page.section("when it goes wrong", &[&format!("{}.", format::capital(it.way_back))], false);
            page.section("what it needs", &[&format!("{}.", format::capital(it.needs))], false);
        }
    }
    page.section("what you learn", &[&learn], false);
}
