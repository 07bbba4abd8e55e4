//! EVENTS: what happened, newest first. What does not fit is dropped: first what is said beside it, then whole words.

use super::words::tenths;
use super::{View, take};
use crate::cockpit::{Note, RolloutView, Sign as News};
use crate::rollout::Phase;
use crate::tui::glyphs::Sign;
use crate::tui::model::Place;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, width};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::title::Title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How an event is written.
#[derive(Clone, Copy)]
struct Form {
    /// Times with tenths, while seconds are few.
    tenths: bool,
    /// A column for whose event it is, this wide.
    subject: Option<u16>,
}

/// The events of one rollout, in a pane.
pub(super) fn of_rollout(area: Rect, buf: &mut Buffer, r: &RolloutView, view: &View<'_>, pen: &Pen<'_>) {
    list(area, buf, &r.notes, "newest first", view.scroll, Form { tenths: moves_back(r), subject: None }, empty(Some(r)), pen);
}

/// The events of the fleet, in a pane.
pub(super) fn of_fleet(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let form = Form { tenths: false, subject: Some(subjects(&view.snapshot.notes, area.width)) };
    list(area, buf, &view.snapshot.notes, "all regions, newest first", view.scroll, form, empty(None), pen);
}

/// All events, on a screen of their own.
pub(super) fn screen(content: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let rollout = view.subject().filter(|_| view.place == Place::Rollout);
    let notes = rollout.map_or(view.snapshot.notes.as_slice(), |r| r.notes.as_slice());
    let form = Form { tenths: rollout.is_some_and(moves_back), subject: rollout.is_none().then(|| subjects(notes, content.width)) };
    list(content, buf, notes, "newest first", view.scroll, form, empty(rollout), pen);
}

/// What is said where nothing is listed.
fn empty(r: Option<&RolloutView>) -> &'static str {
    match r {
        Some(r) if !r.status.flown => "A log begins with the first key.",
        _ => "Nothing has happened yet.",
    }
}

fn moves_back(r: &RolloutView) -> bool {
    matches!(r.phase, Phase::RollingBack | Phase::Back)
}

/// The width of the column of names: that of the longest.
fn subjects(notes: &[Note], room: u16) -> u16 {
    notes.iter().map(|n| columns(&n.subject)).max().unwrap_or(0).clamp(6, 20).min(room / 3)
}

#[allow(clippy::too_many_arguments)] // each is one of what it draws; a struct for three callers would only rename them
fn list(area: Rect, buf: &mut Buffer, notes: &[Note], note: &str, scroll: usize, form: Form, empty: &str, pen: &Pen<'_>) {
    let mut rest = area;
    let title = take(&mut rest, 1);
    let rows = usize::from(rest.height);
    let most = notes.len().saturating_sub(rows);
    let first = scroll.min(most);
    // What does not fit is counted; above the first row are newer ones.
    let mut says = vec![Fact::new(1, [dim(note)])];
    if most > 0 {
        says.insert(0, Fact::new(0, [dim(format!("{}-{}/{}", first + 1, first + rows, notes.len()))]));
    }
    Title::new("EVENTS", says).draw(title, buf, pen);
    pen.spot(area, Spot::Scrolls(most));
    if notes.is_empty() {
        pen.text(buf, rest.x, rest.y, if rest.height > 0 { rest.width } else { 0 }, empty, Role::Dim);
    }
    for (note, row) in notes.iter().skip(first).zip(rest.rows()) {
        draw(note, row, buf, form, pen);
    }
}

fn draw(note: &Note, row: Rect, buf: &mut Buffer, form: Form, pen: &Pen<'_>) {
    let at = if form.tenths { tenths(note.at) } else { note.at.clock() };
    let mut x = pen.text(buf, row.x, row.y, row.width, &at, Role::Dim) + 1;
    if let Some((mark, role)) = sign(note.sign) {
        pen.text(buf, x, row.y, 1, mark, role);
    }
    x += 2;
    if let Some(subject) = form.subject {
        pen.text(buf, x, row.y, subject, &shorten(&note.subject, subject), Role::Text);
        x += subject + 2;
    }
    let (text, aside) = roles(note.sign, form.subject.is_some());
    let mut facts = vec![Fact::new(0, [Bit::new(text, note.text.as_str())])];
    if !note.aside.is_empty() {
        facts.push(Fact::new(1, [Bit::new(aside, note.aside.as_str())]));
    }
    // A line of facts begins one column behind its edge and ends one before it.
    let room = row.right().saturating_sub(x);
    let line = Rect { x: x.saturating_sub(1), width: room + 2, ..row };
    if width(&facts.iter().flat_map(|f| f.bits.clone()).collect::<Vec<_>>()) > 0 && room > 0 {
        Facts { head: Vec::new(), left: facts, right: Vec::new(), spacing: Spacing { gap: 1, tab: None } }.draw(line, buf, pen);
    }
}

fn sign(news: News) -> Option<(&'static str, Role)> {
    let (sign, role) = match news {
        News::Ok => (Sign::Ok, Role::Ok),
        News::Done => (Sign::Done, Role::Ok),
        News::Moves => (Sign::Now, Role::New),
        News::Launched => (Sign::Selected, Role::Text),
        News::Look => (Sign::Look, Role::Warn),
        News::Fails => (Sign::Failing, Role::Bad),
        News::Held => (Sign::Held, Role::Warn),
        News::Back => (Sign::Back, Role::Warn),
        News::Unknown => (Sign::Unknown, Role::Unknown),
        News::Plain => return None,
    };
    Some((sign.text(), role))
}

/// The roles of the words and of what stands beside them. In the list of the fleet the name carries the weight.
fn roles(news: News, named: bool) -> (Role, Role) {
    match news {
        News::Fails => (if named { Role::Dim } else { Role::Text }, Role::Bad),
        _ if named => (Role::Dim, Role::Dim),
        News::Moves => (Role::New, Role::Dim),
        News::Plain => (Role::Dim, Role::Dim),
        _ => (Role::Text, Role::Dim),
    }
}
