//! The fleet: who needs a person, and what runs where.

use super::words::{self, Worst};
use super::{TWO_COLUMNS, View, WIDE, beside, take, take_last};
use super::{charts, clusters, data_plane, events, flights, services};
use crate::cockpit::RolloutView;
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, dim, key, shorten, strong, text};
use crate::tui::theme::Role;
use crate::tui::widgets::chart::{Chart, Curve, plot_width};
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::paper::Paper;
use crate::tui::widgets::scale::{Ceiling, Scale, Unit};
use crate::tui::widgets::title::Title;
use crate::units::{Percent, Span};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Rows of a small chart of one rollout, with its name.
const CHART: u16 = 7;
/// Small charts beside each other.
const CHARTS: usize = 6;

/// Draws the screen below the top lines, and returns where the cursor belongs while a filter is typed.
pub(super) fn draw(content: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    let mut rest = content;
    let cursor = footer(&mut rest, buf, view, pen);
    let screen = content.width + 2;

    let most = (rest.height / 3).max(3);
    let rows = u16::try_from(view.rollouts.len()).unwrap_or(u16::MAX).clamp(1, most);
    flights::draw(take(&mut rest, rows + 1), buf, view, pen);
    take(&mut rest, 1);

    let notices = services::notices(view, screen);
    // Where there is room for them, the panes below keep theirs; opened, the services take it all.
    let below = if view.unfolded || rest.height < 20 { 0 } else { 6 };
    let room = usize::from(rest.height.saturating_sub(1 + below + notices.len() as u16));
    let fold = services::fold(view.services, room, view);
    let used = (fold.shown.len() + usize::from(!fold.folded.is_empty())) as u16;
    services::draw(take(&mut rest, used + 1), buf, &fold, view, pen);
    if view.services.is_empty() {
        let says = if view.snapshot.services.is_empty() { "no service is known yet" } else { "no service has this in its name" };
        let row = take(&mut rest, 1);
        pen.text(buf, row.x + 2, row.y, if row.height > 0 { row.width } else { 0 }, says, Role::Dim);
    }
    for line in notices {
        let row = take(&mut rest, 1);
        Facts { head: Vec::new(), left: vec![Fact::new(0, line)], right: Vec::new(), spacing: Spacing { gap: 1, tab: None } }.draw(
            Rect { x: row.x + 1, ..row },
            buf,
            pen,
        );
    }
    take(&mut rest, 1);
    if screen >= WIDE {
        wide(&mut rest, buf, view, pen);
    } else {
        lower(rest, buf, view, pen);
    }
    cursor
}

/// Events, and beside or below them the data plane.
fn lower(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let mut rest = area;
    // A title alone says nothing.
    if rest.height < 3 {
        return;
    }
    if view.snapshot.lags.is_empty() {
        return events::of_fleet(rest, buf, view, pen);
    }
    if area.width + 2 >= TWO_COLUMNS {
        let (left, right) = beside(rest, (area.width * 38 / 100).min(76));
        events::of_fleet(left, buf, view, pen);
        return data_plane::draw(right, buf, view.snapshot, pen);
    }
    let rows = data_plane::height(view.snapshot);
    if rest.height >= rows + 6 {
        data_plane::draw(take_last(&mut rest, rows), buf, view.snapshot, pen);
        take_last(&mut rest, 1);
    }
    events::of_fleet(rest, buf, view, pen);
}

/// What wide screens have more: a curve of every rollout, the clusters, and what is silent for long.
fn wide(rest: &mut Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let found = clusters::silent_for_long(view.snapshot);
    let curves: Vec<&&RolloutView> = view.rollouts.iter().filter(|r| !r.curves.old.is_empty() || !r.curves.new.is_empty()).collect();
    // The events keep eight rows; the rest is given by weight.
    let mut spare = rest.height.saturating_sub(8);
    let mut has = |rows: u16| {
        let fits = rows > 0 && spare > rows;
        spare -= if fits { rows + 1 } else { 0 };
        fits
    };
    let charts = has(if curves.is_empty() { 0 } else { CHART + 1 });
    let silent_rows = if found.is_empty() { 0 } else { found.len().min(6) as u16 + 1 };
    let silent = has(silent_rows);
    let clusters = has(clusters::height(view.snapshot));
    if charts {
        small_charts(take(rest, CHART + 1), buf, &curves, view, pen);
        take(rest, 1);
    }
    let below = if clusters { clusters::height(view.snapshot) + 1 } else { 0 } + if silent { silent_rows + 1 } else { 0 };
    // All that is left, whatever has happened: what stands below must not move with each event.
    lower(take(rest, rest.height.saturating_sub(below)), buf, view, pen);
    if clusters {
        take(rest, 1);
        clusters::draw(take(rest, clusters::height(view.snapshot)), buf, view, pen);
    }
    if silent {
        take(rest, 1);
        clusters::draw_silent(take(rest, silent_rows), buf, &found, view, pen);
    }
}

/// Errors of every rollout over the last hour, each against its own limit.
fn small_charts(area: Rect, buf: &mut Buffer, rollouts: &[&&RolloutView], view: &View<'_>, pen: &Pen<'_>) {
    let mut rest = area;
    let title = take(&mut rest, 1);
    let mut words = vec![Bit::new(Role::Title, "ERROR RATE OF EVERY ROLLOUT"), text("  "), Bit::new(Role::New, "new")];
    words.push(dim(" against old, its limit dashed, last hour"));
    if rollouts.len() > CHARTS {
        words.push(dim(format!(", {CHARTS} of {}", rollouts.len())));
    }
    pen.bits(buf, title.x, title.y, title.width, &words);
    let width = (rest.width + 2) / CHARTS as u16 - 2;
    let now = view.snapshot.now;
    for (r, i) in rollouts.iter().take(CHARTS).zip(0u16..) {
        let mut pane = Rect { x: rest.x + i * (width + 2), width, ..rest };
        let worst = Worst::of(r);
        let over = words::over_limit(worst.new, r.status.limit);
        let (mark, role) = if over { (Sign::Failing, Role::Bad) } else { (Sign::Ok, Role::Ok) };
        // What went back has the old version's number, and says so.
        let back = super::back::goes_back(r);
        let new = words::errors_bare(worst.new).filter(|_| !back);
        let note = match new.or_else(|| words::errors_bare(worst.old)) {
            Some(n) if back => vec![Bit::new(Role::Old, format!("{} {n}", words::version(&r.status.from)))],
            Some(n) => vec![Bit::new(role, mark.text()), Bit::new(if over { Role::Bad } else { Role::Text }, format!(" {n}"))],
            None => vec![Bit::new(Role::Unknown, format::UNKNOWN)],
        };
        let name = shorten(&r.status.service.name, width.saturating_sub(12));
        Title { name: vec![text(name)], note: vec![Fact::new(0, note)] }.draw(take(&mut pane, 1), buf, pen);
        let (old, new) = (charts::error_rates(&r.curves.old), charts::error_rates(&r.curves.new));
        let limit = r.status.limit.map(Percent::points);
        let mut ceiling = Ceiling::over_limit(limit.unwrap_or(2.0));
        ceiling.see(old.iter().chain(&new).filter_map(|(_, v)| *v).fold(0.0, f64::max));
        let every = Span::secs(60 * 60 / u64::from(plot_width(width).max(1)));
        Chart {
            // With a column more than the hour: that of now is not whole yet.
            paper: Paper::whole(now - Span::mins(60), now + every, plot_width(width)),
            scale: Scale::new(&ceiling, Unit::Percent),
            curves: &[
                Curve { samples: &old, every, role: Role::Old, judged: false, label: Vec::new() },
                Curve { samples: &new, every, role: Role::New, judged: true, label: Vec::new() },
            ],
            limit,
            marks: &[],
            now,
            axis: false,
            stale: None,
        }
        .draw(pane, buf, pen);
    }
}

/// The row above the key bar: the filter that is typed, else what to try.
fn footer(rest: &mut Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    if let Some(field) = view.typed {
        let row = take_last(rest, 1);
        let slash = view.key(Action::Filter, "/");
        let x = pen.bits(buf, row.x - 1, row.y, row.width, &[key(slash), text(" ")]);
        return Some(field.draw(Rect { x, width: row.right().saturating_sub(x).min(40), ..row }, buf, pen));
    }
    let hint = view.hint?;
    let row = take_last(rest, 1);
    let line = Facts {
        head: vec![Bit::new(Role::New, Sign::Selected.text())],
        left: vec![Fact::new(0, [strong(hint)])],
        right: Vec::new(),
        spacing: Spacing { gap: 1, tab: None },
    };
    line.draw(Rect { x: row.x - 1, width: row.width + 2, ..row }, buf, pen);
    None
}
