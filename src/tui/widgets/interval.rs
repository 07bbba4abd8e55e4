//! The interval of a difference against 0 and a limit: left of the limit passes, right of it fails, across it is unclear.

use crate::tui::pen::{Pen, columns};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// An interval, in the unit of the difference.
#[derive(Clone, Copy, Debug)]
pub struct Interval<'a> {
    /// Its lower end.
    pub low: f64,
    /// The best guess.
    pub middle: f64,
    /// Its upper end.
    pub high: f64,
    /// The limit, and how it is written.
    pub limit: Option<(f64, &'a str)>,
    /// The values at the left and right edge of the pane.
    pub range: (f64, f64),
    /// What the interval says.
    pub role: Role,
}

impl Interval<'_> {
    /// A range that holds 0, the limit and the interval, and that changes in steps, so that the picture does not jump.
    pub fn range(low: f64, high: f64, limit: f64) -> (f64, f64) {
        let unit = if limit > 0.0 { limit } else { 1.0 };
        let reach = |want: f64, start: f64| {
            let mut reach = start * unit;
            while reach < want && reach.is_finite() {
                reach *= std::f64::consts::SQRT_2;
            }
            reach
        };
        (-reach(-low * 1.05, 0.27), reach(high.max(unit) * 1.05, 1.27))
    }

    /// The column of a value in a pane of `width`, at its edge where it lies outside.
    pub fn column(&self, value: f64, width: u16) -> u16 {
        let (from, to) = self.range;
        let share = ((value - from) / (to - from)).clamp(0.0, 1.0);
        (share * f64::from(width.saturating_sub(1))).round() as u16
    }

    /// Draws the line in the first row of `area` and the numbers of 0 and the limit in the second.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        if area.height == 0 || area.width == 0 {
            return;
        }
        let at = |value| area.x + self.column(value, area.width);
        let y = area.y;
        for x in area.left()..area.right() {
            pen.put(buf, x, y, '·', Role::Faint);
        }
        for x in at(self.low)..=at(self.high) {
            pen.put(buf, x, y, '━', self.role);
        }
        let number = |buf: &mut Buffer, x: u16, text: &str, role| {
            let x = x.saturating_sub(columns(text) / 2).clamp(area.x, area.right().saturating_sub(columns(text)).max(area.x));
            if area.height > 1 {
                pen.text(buf, x, y + 1, area.width, text, role);
            }
        };
        match self.limit {
            Some((limit, written)) => {
                pen.put(buf, at(0.0), y, '│', Role::Dim);
                pen.put(buf, at(limit), y, '┃', Role::Limit);
                number(buf, at(0.0), "0", Role::Dim);
                number(buf, at(limit), written, Role::Limit);
            }
            // Without a limit, 0 is the line that counts.
            None => pen.put(buf, at(0.0), y, '┃', Role::Text),
        }
        pen.put(buf, at(self.middle), y, '◆', self.role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widgets::testing::rows;

    fn draw(low: f64, middle: f64, high: f64) -> String {
        let interval = Interval { low, middle, high, limit: Some((2.0, "2.0")), range: Interval::range(low, high, 2.0), role: Role::New };
        rows(34, 2, |buf, pen| interval.draw(buf.area, buf, pen))
    }

    #[test]
    fn left_of_the_limit_passes_right_of_it_fails_and_across_is_unclear() {
        insta::assert_snapshot!([draw(-0.18, 0.03, 0.31), draw(3.7, 4.5, 5.4), draw(-2.8, 0.2, 5.2)].join("\n"), @r"
        |····━━◆━━━·················┃······
        |      0                   2.0
        |··│········┃······━━━━◆━━━········
        |  0       2.0
        |·━━━━━━━━━◆━━━━━┃━━━━━━━━━━━······
        |          0    2.0
        ");
    }

    #[test]
    fn the_range_holds_everything_and_changes_in_steps() {
        let (from, to) = Interval::range(-0.2, 0.4, 2.0);
        assert_eq!(Interval::range(-0.25, 1.9, 2.0), (from, to));
        let (_, wider) = Interval::range(-0.2, 5.4, 2.0);
        assert!(wider > 5.4 && from < -0.2 && to > 2.0);
    }
}
