//! A curve over time, in dots: the old version, the new one over it, and the limit.
//!
//! Missing data is a gap with one `?` on the axis, and never bridged. The new version turns `bad` above the limit, the old one
//! never does. Labels stand at the end of their curve; there is no legend. Must never know what is measured. Known weakness:
//! in a cell where both curves run, only the new one is seen.

use super::paper::Paper;
use super::scale::Scale;
use crate::tui::pen::{Bit, Pen, columns, width};
use crate::tui::theme::Role;
use crate::units::{Span, Time};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Columns left of the plot: a label of five and a blank.
pub const GUTTER: u16 = 6;
/// Rows below the plot for the axis and its times.
pub const AXIS: u16 = 2;

/// One measured curve.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// Values by time, oldest first; `None` is known to be missing.
    pub samples: &'a [(Time, Option<f64>)],
    /// How far apart samples usually are. Twice that without one is a gap.
    pub every: Span,
    /// `old`, `new` or `third`.
    pub role: Role,
    /// Whether it turns `bad` above the limit.
    pub judged: bool,
    /// What stands at its end.
    pub label: Vec<Bit<'a>>,
}

/// A step of the rollout on the x axis.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// When.
    pub at: Time,
    /// Its label, in the top row.
    pub label: &'a str,
    /// Whether it is still to come.
    pub planned: bool,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// The x axis; its width is that of the plot (see [`plot_width`]).
    pub paper: Paper,
    /// The y axis.
    pub scale: Scale,
    /// The curves, the old one first.
    pub curves: &'a [Curve<'a>],
    /// The limit.
    pub limit: Option<f64>,
    /// The steps.
    pub marks: &'a [Mark<'a>],
    /// Where the axis turns into the future.
    pub now: Time,
    /// Whether the axis is drawn; of charts above each other only the last has it.
    pub axis: bool,
    /// For data that is old: all curves in `off`, with these words instead of labels.
    pub stale: Option<&'a str>,
}

/// The columns of the plot in a pane of this width.
pub const fn plot_width(pane: u16) -> u16 {
    pane.saturating_sub(GUTTER)
}

/// Dots of a curve, two a column.
struct Dots {
    values: Vec<Option<f64>>,
    /// The last dot with a value.
    last: Option<usize>,
}

impl Chart<'_> {
    /// Draws the chart.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let rows = area.height.saturating_sub(if self.axis { AXIS } else { 0 });
        let plot = Rect { x: area.x + GUTTER.min(area.width), y: area.y, width: plot_width(area.width).min(self.paper.width), height: rows };
        if plot.is_empty() {
            return;
        }
        self.draw_grid(area, plot, buf, pen);
        self.draw_marks(plot, buf, pen);
        let dots: Vec<Dots> = self.curves.iter().map(|c| self.dots_of(c, plot.width)).collect();
        for (curve, dots) in self.curves.iter().zip(&dots) {
            self.draw_curve(curve, dots, plot, buf, pen);
        }
        self.draw_labels(&dots, plot, buf, pen);
        if self.axis {
            self.draw_axis(&dots, Rect { y: plot.bottom(), height: AXIS, ..plot }, buf, pen);
        }
    }

    fn draw_grid(&self, area: Rect, plot: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        for tick in self.scale.ticks(plot.height, self.limit) {
            let y = plot.y + tick.row;
            let end = area.x + GUTTER - 1;
            let role = if tick.limit { Role::Warn } else { Role::Dim };
            pen.text(buf, end.saturating_sub(columns(&tick.label)), y, GUTTER, &tick.label, role);
            if tick.limit {
                (plot.left()..plot.right()).for_each(|x| pen.put(buf, x, y, '╌', Role::Limit));
            } else {
                (plot.left()..plot.right()).step_by(4).for_each(|x| pen.put(buf, x, y, '·', Role::Faint));
            }
        }
    }

    fn draw_marks(&self, plot: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let limit_row = self.limit.map(|limit| plot.y + self.scale.dot(limit, plot.height) / 4);
        // From the right, so that where labels would touch the newer one stays.
        let mut free = plot.right();
        for mark in self.marks.iter().rev() {
            let Some(column) = self.paper.column(mark.at).filter(|c| *c < plot.width) else { continue };
            let x = plot.x + column;
            let (line, word) = if mark.planned { (Role::Faint, Role::Dim) } else { (Role::Mark, Role::Text) };
            (plot.top()..plot.bottom()).filter(|y| Some(*y) != limit_row).for_each(|y| pen.put(buf, x, y, '┊', line));
            let room = columns(mark.label);
            let start = if x + 1 + room <= free { x + 1 } else { x.saturating_sub(room + 1) };
            if start > plot.x && (start > x || mark.planned) && start + room <= free {
                pen.text(buf, start, plot.y, room, mark.label, word);
            }
            free = start.min(x);
        }
    }

    /// The dots of a curve: the mean of the samples in each, a straight line between those that are near enough.
    fn dots_of(&self, curve: &Curve<'_>, width: u16) -> Dots {
        let count = usize::from(width) * 2;
        let mut values: Vec<Option<f64>> = vec![None; count];
        let first = curve.samples.partition_point(|(at, _)| self.paper.dot(*at) < 0).saturating_sub(1);
        let reach = curve.every.0.saturating_mul(2);
        let mut before: Option<(i64, f64, Time)> = None;
        let (mut sum, mut n) = (0.0, 0.0);
        for (at, value) in curve.samples.get(first..).unwrap_or_default() {
            let dot = self.paper.dot(*at);
            if dot >= count as i64 {
                break;
            }
            let Some(value) = value.filter(|v| v.is_finite()) else {
                before = None;
                continue;
            };
            let same = before.is_some_and(|(last, ..)| last == dot);
            (sum, n) = if same { (sum + value, n + 1.0) } else { (value, 1.0) };
            let mean = sum / n;
            if let Some((last, from, _)) = before.filter(|(.., when)| at.since(*when).0 <= reach) {
                for between in last.max(-1) + 1..dot {
                    set(&mut values, between, from + (mean - from) * (between - last) as f64 / (dot - last) as f64);
                }
            }
            set(&mut values, dot, mean);
            before = Some((dot, mean, *at));
        }
        let last = values.iter().rposition(Option::is_some);
        Dots { values, last }
    }

    fn draw_curve(&self, curve: &Curve<'_>, dots: &Dots, plot: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        // Braille bits by row in a cell, left and right.
        const BITS: [[u8; 4]; 2] = [[1, 2, 4, 64], [8, 16, 32, 128]];
        let limit = self.limit.filter(|_| curve.judged);
        let limit_dot = limit.map(|l| self.scale.dot(l, plot.height));
        let mut cells: Vec<(u8, bool)> = vec![(0, false); usize::from(plot.height)];
        let mut before: Option<u16> = None;
        for (x, pair) in (plot.left()..plot.right()).zip(dots.values.chunks(2)) {
            for (value, bits) in pair.iter().zip(BITS) {
                let Some(value) = value else {
                    before = None;
                    continue;
                };
                let dot = self.scale.dot(*value, plot.height);
                // Up to, but not onto, the height of the dot before: a steep curve stays one line.
                let (from, to) = match before {
                    Some(b) if b < dot => (b + 1, dot),
                    Some(b) if b > dot => (dot, b - 1),
                    _ => (dot, dot),
                };
                for d in from..=to {
                    let bad = limit_dot.is_some_and(|l| d < l) || d == dot && limit.is_some_and(|l| *value > l);
                    if let (Some(cell), Some(bit)) = (cells.get_mut(usize::from(d / 4)), bits.get(usize::from(d % 4))) {
                        *cell = (cell.0 | bit, cell.1 || bad);
                    }
                }
                before = Some(dot);
            }
            for (y, cell) in (plot.y..).zip(&mut cells) {
                let (mask, bad) = std::mem::take(cell);
                if mask != 0 {
                    let role = if self.stale.is_some() { Role::Off } else if bad { Role::Bad } else { curve.role };
                    pen.put(buf, x, y, pen.set().plot(mask), role);
                }
            }
        }
    }

    fn draw_labels(&self, dots: &[Dots], plot: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let now = self.paper.column(self.now);
        let ends = dots.iter().zip(self.curves).filter_map(|(d, curve)| {
            let dot = d.last?;
            Some((dot, (*d.values.get(dot)?)?, curve))
        });
        let row = |value: f64| self.scale.dot(value, plot.height) / 4;
        if let Some(words) = self.stale {
            if let Some((dot, value, _)) = ends.max_by_key(|(dot, ..)| *dot) {
                let x = plot.x + (dot / 2) as u16 + 2;
                let bit = [Bit::new(Role::Unknown, words)];
                if x + width(&bit) <= plot.right() {
                    pen.bits(buf, x, plot.y + row(value).saturating_sub(1), width(&bit), &bit);
                }
            }
            return;
        }
        let Some(now) = now else { return };
        let x = plot.x + now + 2;
        // By height, and of equals the new one first; then one row apart.
        let mut labels: Vec<(u16, &[Bit<'_>])> = ends.map(|(_, value, curve)| (row(value), curve.label.as_slice())).collect();
        labels.reverse();
        labels.retain(|(_, label)| !label.is_empty() && x + width(label) <= plot.right());
        labels.sort_by_key(|(row, _)| *row);
        let mut free = 0;
        for (row, _) in &mut labels {
            *row = (*row).max(free);
            free = *row + 1;
        }
        let mut top = plot.height;
        for (row, label) in labels.iter_mut().rev() {
            *row = (*row).min(top.saturating_sub(1));
            top = *row;
            pen.bits(buf, x, plot.y + *row, width(label), label);
        }
    }

    fn draw_axis(&self, dots: &[Dots], area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let now = self.paper.dot(self.now).div_euclid(2);
        let y = area.y;
        for (x, column) in (area.left()..area.right()).zip(0i64..) {
            let (c, role) = if column > now { ('┄', Role::Faint) } else { ('─', Role::Faint) };
            pen.put(buf, x, y, c, role);
        }
        for (column, label) in self.paper.ticks() {
            let x = area.x + column;
            pen.put(buf, x, y, '┴', Role::Mark);
            let start = x.saturating_sub(columns(&label) / 2);
            if column < area.width && start + columns(&label) <= area.right() && area.height > 1 {
                pen.text(buf, start, y + 1, columns(&label), &label, Role::Dim);
            }
        }
        for (from, to) in self.gaps(dots, now) {
            (from..to).for_each(|column| pen.put(buf, area.x + column, y, ' ', Role::Faint));
            pen.text(buf, area.x + (from + to - 1) / 2, y, 1, "?", Role::Unknown);
        }
        if let Some(column) = self.paper.column(self.now).filter(|c| *c < area.width) {
            pen.put(buf, area.x + column, y, '┃', Role::Strong);
        }
    }

    /// Runs of columns without data from the first data up to now.
    fn gaps(&self, dots: &[Dots], now: i64) -> Vec<(u16, u16)> {
        let has = |column: usize| dots.iter().any(|d| d.values.iter().skip(column * 2).take(2).any(Option::is_some));
        let Some(first) = dots.iter().filter_map(|d| d.values.iter().position(Option::is_some)).min() else { return Vec::new() };
        // The newest columns may still be on their way.
        let last = dots.iter().filter_map(|d| d.last).max().unwrap_or(first) / 2;
        let waited = self.curves.iter().map(|c| c.every.0 as i64 * 2).max().unwrap_or(0);
        let due = self.paper.dot(Time(self.now.0 - waited)).div_euclid(2);
        let end = if due > last as i64 { usize::try_from(now).unwrap_or(0) } else { last };
        let mut gaps: Vec<(u16, u16)> = Vec::new();
        for column in (first / 2..end.min(usize::from(self.paper.width))).filter(|c| !has(*c)).map(|c| c as u16) {
            match gaps.last_mut() {
                Some((_, to)) if *to == column => *to += 1,
                _ => gaps.push((column, column + 1)),
            }
        }
        gaps
    }
}

fn set(values: &mut [Option<f64>], dot: i64, value: f64) {
    if let Some(slot) = usize::try_from(dot).ok().and_then(|i| values.get_mut(i)) {
        *slot = Some(value);
    }
}
