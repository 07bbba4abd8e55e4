//! The x axis of a chart: paper with a fixed print, which is turned and not scrolled.
//!
//! Columns are whole steps of the wall clock, so a dot that is drawn never changes. Now walks from 60 % to 85 % of the width,
//! and then the paper moves by a quarter of the width at once. All of it is a function of the time and the width: nothing is
//! kept. Known weakness: after a change of the width the paper may lie otherwise.

use crate::units::{Span, Time};

/// A column every second: while rolling back.
pub const SECOND: Span = Span::secs(1);
/// A column every 10 seconds: usual.
pub const TEN_SECONDS: Span = Span::secs(10);
/// A column every minute: zoomed out.
pub const MINUTE: Span = Span::mins(1);

/// Where time is on a chart of some columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// The left column, counted from the epoch.
    left: i64,
    /// Milliseconds in a column; even, since a column has two dots.
    per: i64,
    /// Columns.
    pub width: u16,
}

impl Paper {
    /// The paper for `width` columns of `per`. `lag` delays the turn: a chart below another turns a second later, so that
    /// never two are drawn anew in one frame.
    pub fn new(now: Time, per: Span, width: u16, lag: Span) -> Paper {
        let per = (per.0.clamp(2, 1 << 40) & !1) as i64;
        let width = width.max(1);
        let turn = i64::from(width / 4).max(1);
        let ahead = i64::from(width) * 6 / 10;
        let column = (now - lag).0.div_euclid(per);
        Paper { left: (column - ahead).div_euclid(turn) * turn, per, width }
    }

    /// A paper on which a span of time is laid out whole, for what is over.
    pub fn whole(from: Time, to: Time, width: u16) -> Paper {
        let width = width.max(1);
        let per = (to.since(from).0 / u64::from(width)).clamp(1, 1 << 40) as i64 / 2 * 2 + 2;
        Paper { left: from.0.div_euclid(per), per, width }
    }

    /// The column of a time, if it is on the paper.
    pub fn column(&self, at: Time) -> Option<u16> {
        u16::try_from(at.0.div_euclid(self.per) - self.left).ok().filter(|c| *c < self.width)
    }

    /// The dot of a time, two in a column, from the left edge; it may lie outside.
    pub fn dot(&self, at: Time) -> i64 {
        at.0.div_euclid(self.per / 2) - self.left * 2
    }

    /// The time at the left edge of a column.
    pub fn time(&self, column: u16) -> Time {
        Time((self.left + i64::from(column)) * self.per)
    }

    /// The columns that get a mark on the axis, with their label.
    pub fn ticks(&self) -> Vec<(u16, String)> {
        const STEPS: [i64; 15] = [5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21_600, 43_200, 86_400];
        let step = STEPS.into_iter().map(|s| s * 1000).find(|s| *s % self.per == 0 && s / self.per >= 12).unwrap_or(self.per * 12);
        let first = (self.left * self.per).div_euclid(step);
        (first..)
            .map(|n| Time(n * step))
            .take_while(|at| at.0 < (self.left + i64::from(self.width)) * self.per)
            .filter_map(|at| Some((self.column(at)?, label(at, step))))
            .collect()
    }
}

fn label(at: Time, step: i64) -> String {
    let clock = at.clock();
    match step {
        86_400_000.. => jiff::Timestamp::from_millisecond(at.0).map(|t| t.strftime("%d %b").to_string()).unwrap_or_default(),
        ..60_000 => clock,
        _ => clock.get(..5).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &str) -> Time {
        Time::parse(&format!("2026-11-24T{clock}Z")).unwrap()
    }

    #[test]
    fn now_walks_from_60_to_85_percent_and_the_paper_then_turns_by_a_quarter() {
        let start = at("14:00:00");
        let mut turns = Vec::new();
        let mut last = Paper::new(start, TEN_SECONDS, 100, Span::ZERO);
        for s in 0..1800 {
            let now = start + Span::secs(s);
            let paper = Paper::new(now, TEN_SECONDS, 100, Span::ZERO);
            let column = paper.column(now).unwrap();
            assert!((60..85).contains(&column), "now at {column}");
            if paper != last {
                turns.push((s, paper.left - last.left));
            }
            last = paper;
        }
        assert_eq!(turns.iter().map(|(_, by)| *by).collect::<Vec<_>>(), vec![25; turns.len()]);
        assert_eq!(turns.windows(2).map(|w| w[1].0 - w[0].0).collect::<Vec<_>>(), vec![250; turns.len() - 1]);
    }

    #[test]
    fn a_chart_with_a_lag_turns_later() {
        let start = at("14:00:00");
        let turn =
            |lag| (0..600).find(|s| Paper::new(start + Span::secs(*s), TEN_SECONDS, 100, lag) != Paper::new(start, TEN_SECONDS, 100, lag));
        let (first, second) = (turn(Span::ZERO).unwrap(), turn(Span::secs(1)).unwrap());
        assert_eq!(second, first + 1);
    }

    #[test]
    fn ticks_are_whole_steps_of_the_clock_and_labels_do_not_touch() {
        let labels = |per, width| Paper::new(at("14:03:22"), per, width, Span::ZERO).ticks();
        let ten = labels(TEN_SECONDS, 75);
        assert!(ten.iter().all(|(_, l)| l.len() == 5) && ten.windows(2).all(|w| w[1].0 - w[0].0 == 12));
        let one = labels(SECOND, 70);
        assert!(one.iter().all(|(_, l)| l.ends_with("0") && l.len() == 8) && one.windows(2).all(|w| w[1].0 - w[0].0 == 20));
        let days = Paper::whole(at("00:00:00"), at("00:00:00") + Span::mins(7 * 1440), 84).ticks();
        assert!(days.iter().all(|(_, l)| l.ends_with("Nov") || l.ends_with("Dec") || l.contains(':')), "{days:?}");
    }

    #[test]
    fn dots_are_halves_of_a_column_and_what_is_outside_has_no_column() {
        let paper = Paper::new(at("14:03:20"), TEN_SECONDS, 75, Span::ZERO);
        let column = paper.column(at("14:03:20")).unwrap();
        assert_eq!(paper.time(column), at("14:03:20"));
        assert_eq!(paper.dot(at("14:03:24")), i64::from(column) * 2);
        assert_eq!(paper.dot(at("14:03:25")), i64::from(column) * 2 + 1);
        assert_eq!(paper.column(at("09:00:00")), None);
    }
}
