//! DATA PLANE: how far copies of the data are behind, against what was promised.

use super::take;
use crate::cockpit::{LagView, Snapshot};
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, columns, dim, shorten, text};
use crate::tui::theme::Role;
use crate::tui::widgets::facts::Fact;
use crate::tui::widgets::split_bar::Bar;
use crate::tui::widgets::table::{Cell, Column, Row, Table};
use crate::tui::widgets::title::Title;
use crate::units::Span;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows that the pane would take.
pub(super) fn height(shot: &Snapshot) -> u16 {
    u16::try_from(shot.lags.len()).unwrap_or(u16::MAX).saturating_add(1)
}

/// Draws the pane.
pub(super) fn draw(area: Rect, buf: &mut Buffer, shot: &Snapshot, pen: &Pen<'_>) {
    let mut rest = area;
    Title::new("DATA PLANE", vec![Fact::new(0, [dim("now / promise")])]).draw(take(&mut rest, 1), buf, pen);
    let name = shot.lags.iter().map(|l| columns(&l.data)).max().unwrap_or(0).clamp(6, 16);
    let columns =
        [Column::words([], name), Column::words([], 6).grows().rank(2), Column::numbers([], 7), Column::numbers([], 8).gap(3).rank(1)];
    let rows: Vec<Row<'_>> = shot.lags.iter().map(row).collect();
    // The title has the row of the headings.
    let table = Rect { y: rest.y.saturating_sub(1), height: rest.height + 1, ..rest };
    Table { title: "", note: "", columns: &columns, rows: &rows, selectable: false, selected: None }.draw(table, buf, pen);
}

fn row(lag: &LagView) -> Row<'_> {
    let over = lag.lag > lag.promise;
    let (mark, number, bar) = if over { (Sign::Look, Role::Warn, Role::Warn) } else { (Sign::Ok, Role::Strong, Role::Text) };
    let part = lag.lag.0 as f64 / lag.promise.0.max(1) as f64;
    Row {
        sign: Some(Bit::new(mark.role(), mark.text())),
        cells: vec![
            [text(shorten(&lag.data, 16))].into(),
            Cell::Bar(Bar::progress(part.min(1.0), bar)),
            [Bit::new(number, span(lag.lag))].into(),
            [dim(span(lag.promise))].into(),
        ],
        off: false,
    }
}

/// Below a minute in seconds, `41 s`; from there on `1:12`.
pub(super) fn span(span: Span) -> String {
    if span.0 < 60_000 { format::age(span) } else { span.clock() }
}
