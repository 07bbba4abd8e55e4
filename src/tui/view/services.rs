//! SERVICES: what runs where, services by regions, in an order that never changes. Calm rows fold where there is no room.

use super::data_plane;
use super::words::{self, whole};
use super::{FULL, View, WIDE};
use crate::cockpit::{Cell, CellMood, RegionState, RegionView, ServiceView, SideView, Snapshot};
use crate::fleet::Role as RegionRole;
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::model::Focus;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, strong, text, width};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::split_bar::Bar;
use crate::tui::widgets::table::keep_in_sight;
use crate::units::count;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Longer names of versions are shortened where a region would need more columns than this.
const MOST: u16 = 24;

/// Whether a service is calm: one version, healthy, no drift.
fn calm(service: &ServiceView) -> bool {
    service.cells.iter().flatten().all(|c| c.mood == CellMood::Calm && c.to.is_none())
}

/// 0 = must be seen first.
fn need(service: &ServiceView) -> u8 {
    service.cells.iter().flatten().map(need_of).min().unwrap_or(u8::MAX - 1)
}

fn need_of(cell: &Cell) -> u8 {
    match cell.mood {
        CellMood::Fails => 0,
        CellMood::Look => 1,
        CellMood::Unknown => 2,
        CellMood::Held => 3,
        CellMood::Drift => 4,
        CellMood::Moves => 5,
        CellMood::Calm => 6 + u8::from(cell.to.is_none()),
    }
}

/// Which rows are shown in so many rows, and which are folded into one line.
pub(super) struct Fold<'a> {
    pub shown: Vec<&'a ServiceView>,
    pub folded: Vec<&'a ServiceView>,
}

/// All rows where they fit; else those that need a look, and calm ones while there is room, in their order. Opened, the rows
/// around the selected one.
pub(super) fn fold<'a>(listed: &[&'a ServiceView], room: usize, view: &View<'_>) -> Fold<'a> {
    if listed.len() <= room {
        return Fold { shown: listed.to_vec(), folded: Vec::new() };
    }
    let at = view.service.and_then(|s| listed.iter().position(|l| l.service == *s)).unwrap_or(0);
    if view.unfolded {
        let rows = room.saturating_sub(1);
        let first = keep_in_sight(0, at, rows, listed.len());
        let (before, shown) = listed.split_at(first.min(listed.len()));
        let (shown, after) = shown.split_at(rows.min(shown.len()));
        return Fold { shown: shown.to_vec(), folded: after.iter().chain(before).copied().collect() };
    }
    // One row is the line of the folded ones.
    let mut free = room.saturating_sub(1);
    let selected = |s: &ServiceView| view.focus == Focus::Services && view.service == Some(&s.service);
    let mut keep = vec![false; listed.len()];
    let need = |s: &ServiceView| if selected(s) { 0 } else { 1 + need(s) };
    let mut by_need: Vec<usize> = (0..listed.len()).collect();
    by_need.sort_by_key(|i| listed.get(*i).map_or(u8::MAX, |s| need(s)));
    for i in by_need {
        if let (Some(keep), true) = (keep.get_mut(i), free > 0) {
            *keep = true;
            free -= 1;
        }
    }
    let (shown, folded): (Vec<_>, Vec<_>) = listed.iter().zip(keep).partition(|(_, keep)| *keep);
    let of = |rows: Vec<(&&'a ServiceView, bool)>| rows.into_iter().map(|(s, _)| *s).collect();
    let mut folded: Vec<&'a ServiceView> = of(folded);
    folded.sort_by_key(|s| self::need(s));
    Fold { shown: of(shown), folded }
}

/// Where the columns stand.
struct Grid {
    /// Columns of a name.
    name: u16,
    /// The regions that fit, by their place in the fleet.
    regions: Vec<usize>,
    /// Regions that do not.
    hidden: usize,
    /// Columns of a region, its gap included.
    cell: u16,
    /// Columns of a version.
    version: u16,
    /// Columns of a bar; none where there is no room.
    bar: u16,
    /// Columns of a share.
    share: u16,
    /// Columns of ready pods; none where there is no room.
    pods: u16,
    /// Numbers at the right: req/s, errors, p99; narrow: errors alone.
    numbers: u16,
}

impl Grid {
    fn new(area: Rect, shown: &[&ServiceView], shot: &Snapshot) -> Grid {
        let full = area.width + 2 >= FULL;
        let name = shown.iter().map(|s| columns(&s.service.name)).max().unwrap_or(0).clamp(8, (area.width / 4).max(17));
        let numbers = if full { 6 + 2 + 7 + 2 + 8 } else { 6 };
        let room = area.width.saturating_sub(2 + name + 1 + numbers + 2);
        let longest = |c: &Cell| columns(c.version.as_str()).max(c.to.as_ref().map_or(0, |(v, _)| columns(v.as_str())));
        let version = shown.iter().flat_map(|s| s.cells.iter().flatten()).map(longest).max().unwrap_or(0).max(4);
        let shares = shown.iter().flat_map(|s| s.cells.iter().flatten()).filter_map(|c| c.to.as_ref());
        let share = shares.map(|(_, share)| columns(&whole(*share))).max().unwrap_or(0).max(2);
        // Sign, version, version, share, and the gap to the next region.
        let least = (2 + version + 1 + version + 1 + share + 1).min(MOST);
        let count = shot.regions.len().max(1);
        let fit = usize::from(room / least).clamp(1, count);
        let cell = (room / fit as u16).min(if full { 50 } else { 30 });
        // The same with a bar, and a wider gap.
        let others = 2 + 1 + 1 + 1 + share + 2;
        let bar = cell.saturating_sub(others + 2 * version).min(20);
        let pods = if bar >= 16 { 8 } else { 0 };
        let bar = if full && bar >= 5 { bar - pods } else { 0 };
        let version = if bar > 0 { version } else { version.min(cell.saturating_sub(2 + 1 + 1 + share + 1) / 2) };
        // Of more regions than fit, those where something is to be seen come first.
        let mut regions: Vec<usize> = (0..shot.regions.len()).collect();
        if fit < regions.len() {
            let cells = |i: usize| shown.iter().filter_map(move |s| s.cells.get(i)?.as_ref());
            let worst = |i: usize| cells(i).map(need_of).min().unwrap_or(u8::MAX);
            regions.sort_by_key(|i| (worst(*i), std::cmp::Reverse(cells(*i).filter(|c| c.mood != CellMood::Calm).count())));
            regions.truncate(fit);
            regions.sort_unstable();
        }
        Grid { name, hidden: shot.regions.len() - regions.len(), regions, cell, version, bar, share, pods, numbers }
    }

    fn column(&self, area: Rect, nth: usize) -> u16 {
        area.x + 2 + self.name + 1 + self.cell * nth as u16
    }
}

/// Draws the headings, the rows and the line of those that are folded.
pub(super) fn draw(area: Rect, buf: &mut Buffer, fold: &Fold<'_>, view: &View<'_>, pen: &Pen<'_>) {
    if area.height == 0 {
        return;
    }
    let shot = view.snapshot;
    let grid = Grid::new(area, &fold.shown, shot);
    let end = pen.text(buf, area.x, area.y, area.width, "SERVICES", Role::Title);
    if grid.hidden > 0 {
        let more = format!("+{}", words::regions(grid.hidden));
        let room = (grid.column(area, 0) - 1).saturating_sub(end + 1);
        let more = if columns(&more) <= room { more } else { format!("+{}", grid.hidden) };
        pen.text(buf, end + 1, area.y, room, &more, Role::Dim);
    }
    for (nth, region) in grid.regions.iter().filter_map(|i| shot.regions.get(*i)).enumerate() {
        heading(region, Rect { x: grid.column(area, nth), y: area.y, width: grid.cell - 1, height: 1 }, buf, view, pen);
    }
    let full = grid.numbers > 6;
    let titles = if full { "req/s    errors       p99" } else { "errors" };
    pen.bits_right(buf, area.right(), area.y, &[dim(titles)]);

    let mut y = area.y + 1;
    for service in &fold.shown {
        if y >= area.bottom() {
            break;
        }
        let place = Rect { y, height: 1, ..area };
        pen.spot(place, Spot::Service(service.service.clone()));
        row(service, place, buf, &grid, view, pen);
        y += 1;
    }
    if !fold.folded.is_empty() && y < area.bottom() {
        folded(&fold.folded, Rect { y, height: 1, ..area }, buf, view, pen);
    }
}

/// A region: its sign, its name, what it is for and its share of all requests, as far as there is room.
fn heading(region: &RegionView, area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let lag = view.snapshot.lags.iter().find(|l| l.region == region.name && l.lag > l.promise);
    let now = view.snapshot.now;
    let (mark, role, more) = match (&region.state, lag) {
        (RegionState::Connecting { since }, _) => (Sign::Later, Role::Dim, Some(dim(format!("asked {}", format::age(now.since(*since)))))),
        (RegionState::Silent { since, .. }, _) => {
            (Sign::Unknown, Role::Unknown, Some(Bit::new(Role::Unknown, format!("silent {}", format::age(now.since(*since))))))
        }
        (RegionState::Answers, Some(lag)) => {
            (Sign::Look, Role::Warn, Some(Bit::new(Role::Warn, format!("lag {}", data_plane::span(lag.lag)))))
        }
        (RegionState::Answers, None) => (
            Sign::Ok,
            Role::Ok,
            region.role.map(|r| {
                dim(match r {
                    RegionRole::Primary => "primary",
                    RegionRole::Replica => "replica",
                })
            }),
        ),
    };
    pen.text(buf, area.x, area.y, 1, mark.text(), role);
    let room = area.width.saturating_sub(2);
    let mut bits = vec![strong(shorten(region.name.as_str(), room))];
    let share = region.share.map(|s| dim(format!("{} %", whole(s))));
    // What the region is for goes before its share does; trouble goes never.
    let quiet = matches!(region.state, RegionState::Answers) && lag.is_none();
    let fits = |bit: &Bit<'_>, taken: u16| taken + 1 + bit.width() <= room;
    let reserved = if quiet { share.as_ref().map_or(0, |s| s.width() + 1) } else { 0 };
    if let Some(bit) = more.filter(|bit| fits(bit, width(&bits) + reserved)) {
        bits.extend([text(" "), bit]);
    }
    if let Some(bit) = share.filter(|bit| fits(bit, width(&bits))) {
        bits.extend([text(" "), bit]);
    }
    pen.bits(buf, area.x + 2, area.y, room, &bits);
}

fn row(service: &ServiceView, area: Rect, buf: &mut Buffer, grid: &Grid, view: &View<'_>, pen: &Pen<'_>) {
    let fails = service.cells.iter().flatten().any(|c| c.mood == CellMood::Fails);
    let name = shorten(&service.service.name, grid.name);
    pen.text(buf, area.x + 2, area.y, grid.name, &name, if fails { Role::Strong } else { Role::Text });
    for (nth, index) in grid.regions.iter().enumerate() {
        let place = Rect { x: grid.column(area, nth), width: grid.cell.saturating_sub(2), ..area };
        match service.cells.get(*index).and_then(Option::as_ref) {
            Some(cell) => draw_cell(cell, place, buf, grid, view, pen),
            None => {
                pen.text(buf, place.x + 2, place.y, 1, format::NONE, Role::Dim);
            }
        }
    }
    numbers(&service.numbers, fails, area, buf, grid, pen);
    if view.focus == Focus::Services && view.service == Some(&service.service) {
        let x = area.x.saturating_sub(1);
        pen.text(buf, x, area.y, 1, Sign::Selected.text(), Role::New);
        // The name only: a row of all regions and numbers, left and entered, would be 700 bytes a move.
        pen.over(buf, Rect { x, width: (grid.name + 4).min(area.width + 2), ..area }, Role::Selected);
    }
}

fn draw_cell(cell: &Cell, area: Rect, buf: &mut Buffer, grid: &Grid, view: &View<'_>, pen: &Pen<'_>) {
    let (mark, role, words) = match cell.mood {
        CellMood::Calm | CellMood::Moves => (Sign::Ok, Role::Ok, Role::Old),
        CellMood::Look => (Sign::Look, Role::Warn, Role::Old),
        CellMood::Held => (Sign::Held, Role::Warn, Role::Old),
        CellMood::Fails => (Sign::Failing, Role::Bad, Role::Old),
        CellMood::Drift => (Sign::Drift, Role::Warn, Role::Warn),
        CellMood::Unknown => (Sign::Unknown, Role::Unknown, Role::Off),
    };
    let y = area.y;
    pen.text(buf, area.x, y, 1, mark.text(), role);
    let mut x = area.x + 2;
    if grid.pods > 0 {
        let (ready, want) = cell.pods;
        let role = if ready < want { Role::Warn } else { Role::Dim };
        pen.bits_right(buf, area.right() - 1, y, &[Bit::new(role, format!("{ready}/{want}"))]);
    }
    let end = pen.text(buf, x, y, grid.version, &shorten(cell.version.as_str(), grid.version), words);
    let moving = cell.to.as_ref().filter(|(_, share)| cell.mood != CellMood::Calm || share.hundredths() > 0);
    if let Some((to, share)) = moving {
        x = if grid.bar > 0 { x + grid.version + 1 } else { end + 1 };
        if grid.bar > 0 {
            Bar::split(share.share(), None).draw(Rect { x, y, width: grid.bar, height: 1 }, buf, pen);
            x += grid.bar + 1;
        }
        let after = pen.text(
            buf,
            x,
            y,
            grid.version,
            &shorten(to.as_str(), grid.version),
            if cell.mood == CellMood::Unknown { Role::Off } else { Role::New },
        );
        let number = whole(*share);
        let from = if grid.bar > 0 { x + grid.version + 1 } else { after + 1 };
        pen.bits_right(buf, from + grid.share, y, &[strong(number)]);
        return;
    }
    let says: Vec<Bit<'_>> = match (cell.drift_since, &cell.why) {
        (Some(since), _) => {
            let age = format!(" {}", format::age(view.snapshot.now.since(since)));
            let mut bits = if grid.bar > 0 { vec![Bit::new(Role::Warn, "drift")] } else { Vec::new() };
            bits.push(dim(if grid.bar > 0 { age } else { age.trim_start().to_owned() }));
            bits
        }
        (None, Some(why)) => vec![dim(why.as_str())],
        (None, None) => return,
    };
    let start = end + 1;
    let line = Rect { x: start.saturating_sub(1), width: (area.right() + 1).saturating_sub(start + grid.pods) + 2, ..area };
    Facts { head: Vec::new(), left: vec![Fact::new(0, says)], right: Vec::new(), spacing: Spacing { gap: 1, tab: None } }
        .draw(line, buf, pen);
}

/// req/s, errors and p99 of a service over all regions.
fn numbers(side: &SideView, fails: bool, area: Rect, buf: &mut Buffer, grid: &Grid, pen: &Pen<'_>) {
    let unknown = || Bit::new(Role::Unknown, format::UNKNOWN);
    let errors = match (side.load, side.rate) {
        (None, _) => vec![unknown()],
        (Some(_), None) => vec![dim(format::IDLE)],
        (Some(_), Some(rate)) => {
            vec![Bit::new(if fails { Role::Bad } else { Role::Text }, format::rate_in_table(rate * 100.0)), dim(" %")]
        }
    };
    let (right, y) = (area.right(), area.y);
    if grid.numbers <= 6 {
        return pen.bits_right(buf, right, y, &errors);
    }
    let p99 = match (side.load, words::p99(side)) {
        (None, _) => vec![unknown()],
        (Some(_), None) => vec![Bit::new(Role::Dim, format::NONE)],
        (Some(_), Some(p99)) => match p99.rsplit_once(' ') {
            Some((number, unit)) => vec![text(number.to_owned()), dim(format!(" {unit}"))],
            None => vec![text(p99)],
        },
    };
    let load = side.load.map_or_else(unknown, |load| text(format::per_second(load)));
    pen.bits_right(buf, right, y, &p99);
    pen.bits_right(buf, right - 10, y, &errors);
    pen.bits_right(buf, right - 19, y, &[load]);
}

/// The line of the rows that are folded, by name as far as there is room.
fn folded(rows: &[&ServiceView], area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let all_calm = rows.iter().all(|s| calm(s));
    let (mark, word) = match all_calm {
        true if view.unfolded => (Sign::Ok, "more"),
        true => (Sign::Ok, "calm"),
        false => (Sign::Look, "more"),
    };
    let does = if view.unfolded { "folds" } else { "shows them" };
    let key = view.bound(Action::Calm).map(|b| dim(format!("{} {does}", b.key)));
    let room = area.width.saturating_sub(4 + key.as_ref().map_or(0, |k| k.width() + 2));
    let mut words = format!("{} {word}: ", rows.len());
    for (i, service) in rows.iter().enumerate() {
        let part = format!("{}{}", if i > 0 { ", " } else { "" }, service.service.name);
        if columns(&words) + columns(&part) + 3 > room {
            words += if i > 0 { ", …" } else { "…" };
            break;
        }
        words += &part;
    }
    pen.spot(area, Spot::Key(Action::Calm));
    pen.text(buf, area.x + 2, area.y, 1, mark.text(), mark.role());
    pen.text(buf, area.x + 4, area.y, room, &words, Role::Dim);
    pen.bits_right(buf, area.right(), area.y, &key.into_iter().collect::<Vec<_>>());
}

/// What cannot be shown and why, a line a region: silent, denied, not readable. On wide screens CLUSTERS says it.
pub(super) fn notices<'a>(view: &View<'a>, screen: u16) -> Vec<Vec<Bit<'a>>> {
    let now = view.snapshot.now;
    let mut lines = Vec::new();
    for region in &view.snapshot.regions {
        let name = shorten(region.name.as_str(), 24);
        match &region.state {
            RegionState::Silent { since, why, again } => lines.push(vec![
                Bit::new(Role::Unknown, "? "),
                text(format!("{name} silent since {}: {why}", since.clock())),
                dim(format!(", asked again in {}", format::age(again.since(now)))),
            ]),
            // Without any service line B says the same.
            RegionState::Connecting { .. } if view.snapshot.services.is_empty() => {}
            RegionState::Connecting { since } => {
                lines.push(vec![dim("◇ "), text(format!("{name} asked {}", words::ago(view, *since))), dim(", no answer yet")])
            }
            RegionState::Answers => {}
        }
        if let Some(first) = region.denied.first() {
            let more = if region.denied.len() > 1 { format!(", nor {} more", region.denied.len() - 1) } else { String::new() };
            lines.push(vec![Bit::new(Role::Unknown, "? "), text(format!("{name} does not let you {first}")), dim(more)]);
        }
        if let Some((objects, why)) = &region.skipped {
            lines.push(vec![
                Bit::new(Role::Warn, "▲ "),
                text(format!("{} in {name} could not be read", count(*objects, "object"))),
                dim(format!(": {why}")),
            ]);
        }
    }
    lines.truncate(if screen >= WIDE { 0 } else { 3 });
    lines
}
