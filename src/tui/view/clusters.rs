//! CLUSTERS and SILENT FOR LONG: what answers, and what nobody has looked at for long. Wide screens only.

use super::words::{self, whole};
use super::{View, take};
use crate::cockpit::{RegionState, RegionView, Snapshot};
use crate::fleet::Role as RegionRole;
use crate::rollout::Mood;
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, text};
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::table::{Cell, Column, Row, Table};
use crate::tui::widgets::title::Title;
use crate::units::{Span, count};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What waits longer than this is silent for long.
const LONG: Span = Span::mins(10);

/// Rows of CLUSTERS.
pub(super) fn height(shot: &Snapshot) -> u16 {
    u16::try_from(shot.regions.len()).unwrap_or(u16::MAX).saturating_add(2)
}

/// Draws CLUSTERS.
pub(super) fn draw(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let shot = view.snapshot;
    let (answer, all) = shot.clusters();
    let mut rest = area;
    Title::new("CLUSTERS", vec![Fact::new(0, [dim(format!("{answer} of {all} answer"))])]).draw(take(&mut rest, 1), buf, pen);
    let name = shot.regions.iter().map(|r| columns(r.name.as_str())).max().unwrap_or(0).clamp(8, 24);
    let server = shot.regions.iter().filter_map(|r| r.server.as_deref()).map(columns).max().unwrap_or(0).clamp(6, 32);
    let columns = [
        Column::words([dim("region")], name),
        Column::words([dim("role")], 8).gap(3),
        Column::numbers([dim("requests")], 8),
        Column::words([dim("server")], server).gap(3),
        Column::numbers([dim("heard")], 12).gap(3),
        Column::words([dim("denied")], 24).gap(3).grows(),
    ];
    let rows: Vec<Row<'_>> = shot.regions.iter().map(|r| row(r, view)).collect();
    Table { title: "", note: "", columns: &columns, rows: &rows, selectable: false, selected: None }.draw(rest, buf, pen);
}

fn row<'a>(region: &'a RegionView, view: &View<'_>) -> Row<'a> {
    let now = view.snapshot.now;
    let (mark, heard) = match &region.state {
        RegionState::Answers => (Sign::Ok, region.heard.map_or_else(|| format::UNKNOWN.into(), |at| words::ago(view, at))),
        RegionState::Connecting { since } => (Sign::Later, format!("asked {}", format::age(now.since(*since)))),
        RegionState::Silent { since, .. } => (Sign::Unknown, format!("silent {}", format::age(now.since(*since)))),
    };
    let role = region.role.map(|r| match r {
        RegionRole::Primary => "primary",
        RegionRole::Replica => "replica",
    });
    let mut says: Vec<Bit<'a>> = Vec::new();
    match (&region.state, region.denied.as_slice(), &region.skipped) {
        (RegionState::Silent { why, again, .. }, ..) => {
            says.extend([text(why.as_str()), dim(format!(", asked again in {}", format::age(again.since(now))))]);
        }
        (_, [], None) => says.push(dim(if matches!(region.state, RegionState::Answers) { "nothing" } else { "" })),
        (_, [], Some((objects, why))) => says.push(dim(format!("nothing, but {} could not be read: {why}", count(*objects, "object")))),
        (_, denied, _) => says.push(Bit::new(Role::Unknown, denied.join(", "))),
    }
    Row {
        sign: Some(Bit::new(mark.role(), mark.text())),
        cells: vec![
            [text(shorten(region.name.as_str(), 24))].into(),
            [dim(role.unwrap_or(""))].into(),
            [text(region.share.map_or_else(|| format::UNKNOWN.into(), |s| format!("{} %", whole(s))))].into(),
            [dim(shorten(region.server.as_deref().unwrap_or(""), 32))].into(),
            [Bit::new(if mark == Sign::Unknown { Role::Unknown } else { Role::Dim }, heard)].into(),
            Cell::Words(says),
        ],
        off: false,
    }
}

/// A thing that nobody looked at for long: its sign, whose it is, the words, and the command that helps.
pub(super) struct Silent<'a> {
    mark: Sign,
    subject: &'a str,
    words: String,
    helps: Option<(Action, String)>,
}

/// Drifts, and rollouts that wait for a person.
pub(super) fn silent_for_long<'a>(shot: &'a Snapshot) -> Vec<Silent<'a>> {
    let mut found = Vec::new();
    for service in &shot.services {
        for (cell, region) in service.cells.iter().zip(&shot.regions) {
            let Some((cell, since)) = cell.as_ref().and_then(|c| Some((c, c.drift_since?))) else { continue };
            let others = service.cells.iter().flatten().map(|c| &c.version).find(|v| **v != cell.version);
            if let (true, Some(others)) = (shot.now.since(since) > LONG, others) {
                let words = format!("{} on {} for {}, others {others}", region.name, cell.version, format::age(shot.now.since(since)));
                found.push(Silent {
                    mark: Sign::Drift,
                    subject: &service.service.name,
                    words,
                    helps: Some((Action::Launch, format!("launch {others} there"))),
                });
            }
        }
    }
    for r in &shot.rollouts {
        let since = words::since(&r.status);
        let (mark, cause) = match &r.status.mood {
            Mood::Stuck { cause, .. } => (Sign::Look, cause),
            Mood::Held { cause, .. } => (Sign::Held, cause),
            _ => continue,
        };
        if shot.now.since(since) > LONG {
            let words = format!("{cause}, for {}", format::age(shot.now.since(since)));
            found.push(Silent { mark, subject: &r.status.service.name, words, helps: Some((Action::Why, "why".into())) });
        }
    }
    found
}

/// Draws SILENT FOR LONG.
pub(super) fn draw_silent(area: Rect, buf: &mut Buffer, found: &[Silent<'_>], view: &View<'_>, pen: &Pen<'_>) {
    let mut rest = area;
    let mut note = vec![Fact::new(1, [dim("found by looking for what nobody looks at")])];
    let rows = usize::from(area.height.saturating_sub(1));
    note.extend((found.len() > rows).then(|| Fact::new(0, [dim(format!("{rows} of {}", found.len()))])));
    Title::new("SILENT FOR LONG", note).draw(take(&mut rest, 1), buf, pen);
    let name = found.iter().map(|s| columns(s.subject)).max().unwrap_or(0).min(24);
    for (silent, row) in found.iter().zip(rest.rows()) {
        pen.text(buf, row.x, row.y, 1, silent.mark.text(), silent.mark.role());
        pen.text(buf, row.x + 2, row.y, name, &shorten(silent.subject, name), Role::Text);
        let x = row.x + 2 + name + 2;
        let line = Rect { x: x - 1, width: (row.right() + 2).saturating_sub(x), ..row };
        let mut left = vec![Fact::new(0, [dim(silent.words.as_str())])];
        left.extend(
            silent.helps.as_ref().filter(|(a, _)| view.live(*a).is_some()).map(|(a, w)| Fact::new(1, super::bar::invite(view, *a, w))),
        );
        Facts { head: Vec::new(), left, right: Vec::new(), spacing: Spacing { gap: 4, tab: None } }.draw(line, buf, pen);
    }
}
