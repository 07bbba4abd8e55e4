//! A table: a sign, a name, columns of words and of numbers, headings on the row of the title.
//!
//! It is given only the rows in sight. Columns are dropped by rank where it is narrow. Known weakness: one column at most
//! takes the width that is left over.

use super::facts::whole_words;
use super::sparkline::Sparkline;
use super::split_bar::Bar;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, Pen, Tint, columns, width};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A column.
#[derive(Clone, Debug)]
pub struct Column<'a> {
    /// Its heading; the first column has the title instead.
    pub heading: Vec<Bit<'a>>,
    /// Columns on the screen; the least where it grows.
    pub width: u16,
    /// Whether it takes what is left over.
    pub grows: bool,
    /// Whether it is aligned at its right edge, as numbers are.
    pub right: bool,
    /// Blanks before it.
    pub gap: u16,
    /// The highest is dropped first; 0 never.
    pub rank: u8,
}

impl<'a> Column<'a> {
    /// Words, two blanks after the column before.
    pub fn words(heading: impl Into<Vec<Bit<'a>>>, width: u16) -> Column<'a> {
        Column { heading: heading.into(), width, grows: false, right: false, gap: 2, rank: 0 }
    }
    /// Numbers, two blanks after the column before.
    pub fn numbers(heading: impl Into<Vec<Bit<'a>>>, width: u16) -> Column<'a> {
        Column { right: true, ..Column::words(heading, width) }
    }
    /// The same with another gap.
    pub fn gap(self, gap: u16) -> Column<'a> {
        Column { gap, ..self }
    }
    /// The same with a rank.
    pub fn rank(self, rank: u8) -> Column<'a> {
        Column { rank, ..self }
    }
    /// The same, growing.
    pub fn grows(self) -> Column<'a> {
        Column { grows: true, ..self }
    }
}

/// What stands in a row under a column.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// Words.
    Words(Vec<Bit<'a>>),
    /// A bar over the width of the column.
    Bar(Bar),
    /// A sparkline over the width of the column.
    Spark(Sparkline<'a>),
}

impl<'a, T: Into<Vec<Bit<'a>>>> From<T> for Cell<'a> {
    fn from(bits: T) -> Cell<'a> {
        Cell::Words(bits.into())
    }
}

/// A row.
#[derive(Clone, Debug, Default)]
pub struct Row<'a> {
    /// Its sign.
    pub sign: Option<Bit<'a>>,
    /// One for each column of the table, dropped ones too.
    pub cells: Vec<Cell<'a>>,
    /// Cannot be used now: all of it in `off`.
    pub off: bool,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    /// Bold capitals over the first column.
    pub title: &'a str,
    /// Behind the title, dim.
    pub note: &'a str,
    /// The columns.
    pub columns: &'a [Column<'a>],
    /// The rows in sight.
    pub rows: &'a [Row<'a>],
    /// Whether rows can be selected: the sign then stands one column further right, the name too.
    pub selectable: bool,
    /// The selected one of the rows in sight.
    pub selected: Option<usize>,
}

impl Table<'_> {
    /// Draws the table; the selected row also takes the margin at each side of `area`.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        if area.height == 0 {
            return;
        }
        let sign = area.x + u16::from(self.selectable);
        let places = self.places(sign + 2, area.right());
        let end = pen.text(buf, area.x, area.y, area.width, self.title, Role::Title);
        // Up to the next heading.
        let headed = self.columns.iter().zip(&places).skip(1).filter(|(c, _)| !c.heading.is_empty());
        let note_room =
            headed.filter_map(|(_, p)| *p).map(|(x, _)| x).next().map_or(area.right(), |x| x.saturating_sub(2)).saturating_sub(end + 2);
        if columns(self.note) <= note_room {
            pen.text(buf, end + 2, area.y, note_room, self.note, Role::Dim);
        }
        for (column, place) in self.columns.iter().zip(&places) {
            if let Some((x, width)) = *place {
                words(&column.heading, x, area.y, width, column.right, buf, pen);
            }
        }
        for ((y, row), i) in (area.top() + 1..area.bottom()).zip(self.rows).zip(0..) {
            let pen = if row.off { pen.on(Tint::Off) } else { *pen };
            if let Some(bit) = &row.sign {
                pen.bits(buf, sign, y, 1, std::slice::from_ref(bit));
            }
            for ((cell, column), place) in row.cells.iter().zip(self.columns).zip(&places) {
                let Some((x, width)) = *place else { continue };
                let area = Rect { x, y, width, height: 1 };
                match cell {
                    Cell::Words(bits) => words(bits, x, y, width, column.right, buf, &pen),
                    Cell::Bar(bar) => bar.draw(area, buf, &pen),
                    Cell::Spark(spark) => spark.draw(area, buf, &pen),
                }
            }
            if self.selected == Some(i) {
                let x = area.x.saturating_sub(1);
                pen.text(buf, x, y, 1, Sign::Selected.text(), Role::New);
                pen.over(buf, Rect { x, y, width: area.width + 2, height: 1 }, Role::Selected);
            }
        }
    }

    /// Where each column starts and how wide it is; `None` for one that was dropped.
    fn places(&self, from: u16, end: u16) -> Vec<Option<(u16, u16)>> {
        let room = end.saturating_sub(from);
        let mut kept: Vec<bool> = vec![true; self.columns.len()];
        let needed = |kept: &[bool]| {
            let shown = self.columns.iter().zip(kept).filter(|(_, kept)| **kept).map(|(c, _)| c);
            shown.enumerate().map(|(i, c)| c.width + if i == 0 { 0 } else { c.gap }).sum::<u16>()
        };
        while needed(&kept) > room {
            let worst = self
                .columns
                .iter()
                .enumerate()
                .filter(|(i, c)| c.rank > 0 && kept.get(*i) == Some(&true))
                .max_by_key(|(i, c)| (c.rank, *i));
            match worst.and_then(|(i, _)| kept.get_mut(i)) {
                Some(keep) => *keep = false,
                None => break,
            }
        }
        let spare = room.saturating_sub(needed(&kept));
        let mut x = from;
        let mut first = true;
        self.columns
            .iter()
            .zip(kept)
            .map(|(column, kept)| {
                if !kept {
                    return None;
                }
                x += if std::mem::take(&mut first) { 0 } else { column.gap };
                let width = (column.width + if column.grows { spare } else { 0 }).min(end.saturating_sub(x));
                let place = (x, width);
                x += width;
                Some(place)
            })
            .collect()
    }
}

/// Words in a column: at its left or right edge, as many whole ones as fit.
fn words(bits: &[Bit<'_>], x: u16, y: u16, room: u16, right: bool, buf: &mut Buffer, pen: &Pen<'_>) {
    let all = width(bits);
    if all <= room {
        pen.bits(buf, if right { x + room - all } else { x }, y, room, bits);
        return;
    }
    pen.bits(buf, x, y, room, &whole_words(bits, room));
}

/// The first row in sight, so that the selected one is, moved as little as can be.
pub fn keep_in_sight(first: usize, selected: usize, height: usize, rows: usize) -> usize {
    let last_first = rows.saturating_sub(height);
    first.min(selected).max((selected + 1).saturating_sub(height)).min(last_first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::GlyphSet;
    use crate::tui::pen::{dim, sign, strong, text};
    use crate::tui::theme::Theme;
    use crate::tui::widgets::testing;

    fn drawn(width: u16, selected: Option<usize>) -> (String, Buffer, Theme) {
        let theme = testing::dark();
        let columns = [
            Column::words([], 14),
            Column::words([dim("traffic on "), Bit::new(Role::New, "v42")], 16).grows(),
            Column::numbers([dim("seen")], 5),
            Column::numbers([dim("want")], 4),
            Column::numbers([dim("req/s")], 6).rank(1),
            Column::numbers([dim("p99")], 6).rank(2),
        ];
        let row = |s, name: &'static str, seen: f64| Row {
            sign: Some(sign(s)),
            cells: vec![
                [strong(name)].into(),
                Cell::Bar(Bar::split(seen / 100.0, Some(0.15))),
                [strong(format!("{seen:.1}"))].into(),
                [dim("15")].into(),
                [text("149")].into(),
                [text("144"), dim(" ms")].into(),
            ],
            off: name == "eu-west-1",
        };
        let rows =
            [row(Sign::Ok, "us-east-1", 14.6), row(Sign::Failing, "a-region-with-a-long-name", 21.4), row(Sign::Off, "eu-west-1", 0.0)];
        let table =
            Table { title: "REGIONS", note: "worst first", columns: &columns, rows: &rows, selectable: selected.is_some(), selected };
        let mut buf = Buffer::empty(Rect::new(0, 0, width, 4));
        table.draw(Rect { x: 1, width: width - 2, ..buf.area }, &mut buf, &Pen::new(&theme, GlyphSet::Braille));
        (testing::text(&buf), buf, theme)
    }

    #[test]
    fn columns_are_dropped_by_rank_and_names_are_shortened() {
        insta::assert_snapshot!([drawn(80, None).0, drawn(60, None).0, drawn(52, None).0].join("\n\n"), @r"
        | REGIONS           traffic on v42                    seen  want   req/s     p99
        | ● us-east-1       ━━━━╾──────────────────────────   14.6    15     149  144 ms
        | ✗ a-region-with…  ━━━━━│╾────────────────────────   21.4    15     149  144 ms
        | ◌ eu-west-1       ─────│─────────────────────────    0.0    15     149  144 ms

        | REGIONS           traffic on v42        seen  want   req/s
        | ● us-east-1       ━━━────────────────   14.6    15     149
        | ✗ a-region-with…  ━━━│───────────────   21.4    15     149
        | ◌ eu-west-1       ───│───────────────    0.0    15     149

        | REGIONS           traffic on v42        seen  want
        | ● us-east-1       ━━━────────────────   14.6    15
        | ✗ a-region-with…  ━━━│───────────────   21.4    15
        | ◌ eu-west-1       ───│───────────────    0.0    15
        ");
    }

    #[test]
    fn the_selected_row_goes_from_edge_to_edge_with_its_sign_in_column_0() {
        let (rows, buf, theme) = drawn(80, Some(1));
        insta::assert_snapshot!(rows, @r"
        | REGIONS            traffic on v42                   seen  want   req/s     p99
        |  ● us-east-1       ━━━━╾─────────────────────────   14.6    15     149  144 ms
        |▸ ✗ a-region-with…  ━━━━━│╾───────────────────────   21.4    15     149  144 ms
        |  ◌ eu-west-1       ─────│────────────────────────    0.0    15     149  144 ms
        ");
        let ground = theme.style(Role::Selected).bg.unwrap();
        assert!((0..80).all(|x| buf[(x, 2)].bg == ground) && buf[(0, 1)].bg != ground);
        assert_eq!(buf[(4, 3)].fg, theme.style(Role::Off).fg.unwrap());
    }

    #[test]
    fn the_selected_row_is_kept_in_sight() {
        assert_eq!(keep_in_sight(0, 4, 5, 20), 0);
        assert_eq!(keep_in_sight(0, 5, 5, 20), 1);
        assert_eq!(keep_in_sight(9, 3, 5, 20), 3);
        assert_eq!(keep_in_sight(15, 19, 8, 20), 12);
        assert_eq!(keep_in_sight(3, 0, 5, 2), 0);
    }
}
