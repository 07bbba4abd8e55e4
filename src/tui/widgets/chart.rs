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
        let plot =
            Rect { x: area.x + GUTTER.min(area.width), y: area.y, width: plot_width(area.width).min(self.paper.width), height: rows };
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
                    let role = if self.stale.is_some() {
                        Role::Off
                    } else if bad {
                        Role::Bad
                    } else {
                        curve.role
                    };
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
        // The top row belongs to the label of the step that is to come.
        let top = u16::from(self.marks.iter().any(|m| m.planned && !m.label.is_empty()));
        let row = |value: f64| (self.scale.dot(value, plot.height) / 4).max(top);
        if let Some(words) = self.stale {
            if let Some((dot, value, _)) = ends.max_by_key(|(dot, ..)| *dot) {
                let x = plot.x + (dot / 2) as u16 + 2;
                let bit = [Bit::new(Role::Unknown, words)];
                if x + width(&bit) <= plot.right() {
                    pen.bits(buf, x, plot.y + row(value).saturating_sub(1).max(top).min(plot.height - 1), width(&bit), &bit);
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
        let mut below = plot.height;
        for (row, label) in labels.iter_mut().rev() {
            *row = (*row).min(below.saturating_sub(1));
            below = *row;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::GlyphSet;
    use crate::tui::pen::dim;
    use crate::tui::widgets::paper::{SECOND, TEN_SECONDS};
    use crate::tui::widgets::scale::{Ceiling, Unit};
    use crate::tui::widgets::testing::{dark, text};

    const PANE: Rect = Rect { x: 0, y: 0, width: 66, height: 10 };

    fn at(clock: &str) -> Time {
        Time::parse(&format!("2026-11-24T{clock}Z")).unwrap()
    }

    /// Both sides every 5 s until `now`: the new one from 13:59 on, over its limit of 2 % after 14:03:30; nothing known for 40 s.
    fn samples(now: Time) -> [Vec<(Time, Option<f64>)>; 2] {
        let gap = at("14:01:00")..at("14:01:40");
        let side = |from: Time, value: fn(f64) -> f64| {
            (from.0 / 5000..=now.0 / 5000)
                .map(|i| Time(i * 5000))
                .map(|t| (t, (!gap.contains(&t)).then(|| value(t.since(at("14:03:30")).as_secs_f64()))))
                .collect()
        };
        [side(at("13:50:00"), |_| 0.5), side(at("13:59:00"), |over| (0.5 + over / 12.0).min(5.0))]
    }

    fn draw(now: Time, stale: Option<&str>) -> Buffer {
        let theme = dark();
        let mut buf = Buffer::empty(PANE);
        let [old, new] = samples(now.min(at("14:04:30")));
        let curve = |samples, role, judged, label: &'static str| Curve {
            samples,
            every: Span::secs(5),
            role,
            judged,
            label: vec![Bit::new(role, label)],
        };
        let mut ceiling = Ceiling::over_limit(2.0);
        ceiling.see(5.0);
        Chart {
            paper: Paper::new(now, TEN_SECONDS, plot_width(PANE.width), Span::ZERO),
            scale: Scale::new(&ceiling, Unit::Percent),
            curves: &[curve(&old, Role::Old, false, "v41 0.5"), curve(&new, Role::New, true, "v42 5.0")],
            limit: Some(2.0),
            marks: &[
                Mark { at: at("13:59:00"), label: "5 %", planned: false },
                Mark { at: at("14:07:10"), label: "25 % held", planned: true },
            ],
            now,
            axis: true,
            stale,
        }
        .draw(PANE, &mut buf, &Pen::new(&theme, GlyphSet::Braille));
        buf
    }

    fn colours(buf: &Buffer, role: Role) -> usize {
        let colour = dark().style(role).fg.unwrap();
        buf.content.iter().filter(|c| c.fg == colour && c.symbol().starts_with(|c| ('\u{2801}'..='\u{28FF}').contains(&c))).count()
    }

    #[test]
    fn a_gap_is_not_bridged_and_has_one_question_mark_and_labels_stand_at_the_ends() {
        insta::assert_snapshot!(text(&draw(at("14:04:30"), None)), @r"
        |  6 % ·   ·   ·┊5 %   ·   ·   ·   ·   ·   ·   ·   ·   25 % held ┊
        |               ┊                               ⡰⠂ v42 5.0       ┊
        |    4 ·   ·   ·┊  ·   ·   ·   ·   ·   ·   ·   ⡰⠁  ·   ·   ·   · ┊
        |               ┊                             ⢰⠁                 ┊
        |               ┊                            ⢠⠃                  ┊
        |  2.0 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌⢠⠃╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
        |               ┊                          ⢀⠇                    ┊
        |    0 ⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒   ·⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠊⠒⠒⠒⠒⠒⠂ v41 0.5 ·   · ┊
        |      ───┴───────────┴───── ?  ──┴───────────┴──┃┄┄┄┄┄┄┄┄┴┄┄┄┄┄┄┄┄
        |       13:58       14:00       14:02       14:04       14:06
        ");
    }

    #[test]
    fn only_the_new_version_turns_bad_and_only_above_the_limit() {
        let before = draw(at("14:03:20"), None);
        assert_eq!(colours(&before, Role::Bad), 0);
        let after = draw(at("14:04:30"), None);
        let limit_row = 5;
        assert!(colours(&after, Role::Bad) > 4);
        let bad = dark().style(Role::Bad).fg.unwrap();
        for (i, cell) in after.content.iter().enumerate() {
            assert!(cell.fg != bad || after.pos_of(i).1 <= limit_row, "bad below the limit");
        }
    }

    #[test]
    fn a_dot_that_was_drawn_never_changes_until_the_paper_is_turned() {
        let start = at("14:03:00");
        let mut last = draw(start, None);
        let mut turns = 0;
        for s in 1..90 {
            let now = start + Span::secs(s);
            let next = draw(now, None);
            let paper = |t| Paper::new(t, TEN_SECONDS, plot_width(PANE.width), Span::ZERO);
            if paper(now) != paper(start + Span::secs(s - 1)) {
                turns += 1;
            } else {
                let known = GUTTER + paper(now).column(start + Span::secs(s - 1)).unwrap();
                for (i, (a, b)) in last.content.iter().zip(&next.content).enumerate() {
                    assert!(last.pos_of(i).0 >= known || a == b, "{:?} changed at {s} s", last.pos_of(i));
                }
            }
            last = next;
        }
        assert!(turns <= 1);
    }

    #[test]
    fn stale_curves_are_kept_in_off_with_their_age() {
        let buf = draw(at("14:05:30"), Some("? 60 s old"));
        insta::assert_snapshot!(text(&buf), @r"
        |  6 % ·   ·   ·┊5 %   ·   ·   ·   ·   ·   ·   ·   ·   25 % held ┊
        |               ┊                               ⡰⠂ ? 60 s old    ┊
        |    4 ·   ·   ·┊  ·   ·   ·   ·   ·   ·   ·   ⡰⠁  ·   ·   ·   · ┊
        |               ┊                             ⢰⠁                 ┊
        |               ┊                            ⢠⠃                  ┊
        |  2.0 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌⢠⠃╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
        |               ┊                          ⢀⠇                    ┊
        |    0 ⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒   ·⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠊⠒⠒⠒⠒⠒⠂ ·   ·   ·   · ┊
        |      ───┴───────────┴───── ?  ──┴───────────┴───  ?  ┃┄┄┴┄┄┄┄┄┄┄┄
        |       13:58       14:00       14:02       14:04       14:06
        ");
        assert_eq!(colours(&buf, Role::New) + colours(&buf, Role::Old) + colours(&buf, Role::Bad), 0);
        assert!(colours(&buf, Role::Off) > 20);
    }

    #[test]
    fn several_samples_in_a_dot_are_their_mean_and_hopeless_numbers_are_gaps() {
        let now = at("14:00:10");
        let samples: Vec<_> =
            [(0, 1.0), (1, 3.0), (5, 2.0), (6, f64::NAN), (7, 2.0)].map(|(s, v)| (at("14:00:00") + Span::secs(s), Some(v))).to_vec();
        let curve = Curve { samples: &samples, every: Span::secs(1), role: Role::New, judged: false, label: vec![dim("")] };
        let paper = Paper::new(now, TEN_SECONDS, 40, Span::ZERO);
        let scale = Scale::new(&Ceiling::fixed(4.0), Unit::Count);
        let chart = Chart { paper, scale, curves: &[], limit: None, marks: &[], now, axis: false, stale: None };
        let dots = chart.dots_of(&curve, 40);
        let dot = paper.dot(at("14:00:00")) as usize;
        assert_eq!(dots.values[dot..dot + 2], [Some(2.0), Some(2.0)]);
        assert_eq!(dots.last, Some(dot + 1));
    }

    #[test]
    fn no_data_and_no_room_draw_no_curve_and_do_not_panic() {
        let theme = dark();
        for (width, height) in [(0, 0), (3, 1), (6, 3), (7, 3), (40, 2), (20, 1)] {
            let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
            let now = at("14:00:00");
            let paper = Paper::new(now, SECOND, plot_width(width), Span::ZERO);
            let scale = Scale::new(&Ceiling::over_limit(2.0), Unit::Percent);
            let curve = Curve { samples: &[], every: SECOND, role: Role::New, judged: true, label: vec![] };
            let chart = Chart { paper, scale, curves: &[curve], limit: Some(2.0), marks: &[], now, axis: true, stale: None };
            chart.draw(buf.area, &mut buf, &Pen::new(&theme, GlyphSet::Braille));
            assert_eq!(colours(&buf, Role::New), 0);
        }
    }
}
