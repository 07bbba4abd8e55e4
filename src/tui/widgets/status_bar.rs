//! The status bar: where one is at the left, what the whole fleet needs at the right.

use crate::tui::pen::{Bit, Pen, columns, strong, width};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What stands in the status bar.
#[derive(Clone, Debug)]
pub struct StatusBar<'a> {
    /// The name of the fleet, on a tag.
    pub fleet: &'a str,
    /// Whether it is practice: what is not real is marked.
    pub practice: bool,
    /// `safe`, `read only`; nothing in an open fleet.
    pub guard: Option<&'a str>,
    /// What is left of being armed (`0:52`); takes the place of the guard.
    pub armed: Option<&'a str>,
    /// No forward step anywhere in the fleet.
    pub stopped: bool,
    /// From the outermost screen to this one.
    pub crumbs: &'a [&'a str],
    /// Rollouts that fail, in the whole fleet.
    pub failing: usize,
    /// Whether one of them is not the one in the R line; then the count is an alarm, with the key that goes there.
    pub elsewhere: bool,
    /// Rollouts that wait for a person, in the whole fleet.
    pub waiting: usize,
    /// Other facts: `6 in flight`, `3/3 clusters`, `data 1 s`; the first goes first, the last never.
    pub facts: &'a [Bit<'a>],
    /// The clock, with its Z.
    pub clock: &'a str,
}

impl StatusBar<'_> {
    /// Draws the bar in the first row of `area`.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        if area.height == 0 {
            return;
        }
        let (y, row) = (area.y, Rect { height: 1, ..area });
        pen.fill(buf, row, Role::Raised);

        let mut left = pen.text(buf, area.x + 1, y, area.width, "flightdeck", Role::Strong) + 1;
        left = pen.plate(buf, left, y, self.fleet, pen.style(if self.practice { Role::Caution } else { Role::Env }));
        if let Some(time) = self.armed {
            left = pen.plate(buf, left, y, &format!("ARMED {time}"), pen.style(Role::Caution));
        } else if let Some(guard) = self.guard {
            left = pen.text(buf, left + 1, y, area.width, guard, Role::Dim) + 1;
        }

        let counts = self.counts();
        let edge = area.right().saturating_sub(1);
        let crumbs: u16 = self.crumbs.iter().map(|c| columns(c) + 3).sum::<u16>() + 2;
        let right = |facts: &[Bit<'_>], clock: &str| {
            let parts = facts.iter().map(Bit::width).chain(counts.iter().map(|c| width(c)));
            parts.map(|w| w + 2).sum::<u16>() + columns(clock)
        };
        // All facts but the last go before the breadcrumb does, then that one and the clock; the counts never go.
        let (mut facts, mut clock) = (self.facts, self.clock);
        while facts.len() > 1 && left + crumbs + right(facts, clock) > edge || !facts.is_empty() && left + right(facts, clock) > edge {
            facts = facts.get(1..).unwrap_or_default();
        }
        if left + right(facts, clock) > edge {
            clock = "";
        }
        let start = edge.saturating_sub(right(facts, clock)).max(left);
        if left + crumbs + right(facts, clock) <= edge {
            left += 2;
            for (i, crumb) in self.crumbs.iter().enumerate() {
                let last = i + 1 == self.crumbs.len();
                left = pen.text(buf, left, y, area.width, crumb, if last { Role::Strong } else { Role::Dim });
                left = if last { left } else { pen.text(buf, left, y, area.width, " › ", Role::Dim) };
            }
        }
        let clock = [strong(clock)];
        let parts = counts.iter().map(Vec::as_slice).chain(facts.iter().map(std::slice::from_ref)).chain([&clock[..]]);
        let mut x = start;
        for part in parts {
            x = pen.bits(buf, x, y, edge.saturating_sub(x), part) + 2;
        }
    }

    fn counts(&self) -> Vec<Vec<Bit<'static>>> {
        let mut counts = Vec::new();
        if self.stopped {
            counts.push(vec![Bit::new(Role::Warn, "line stopped")]);
        }
        if self.failing > 0 && self.elsewhere {
            counts.push(vec![Bit::new(Role::Alarm, format!(" ✗ {} failing  0 ", self.failing))]);
        } else if self.failing > 0 {
            counts.push(vec![Bit::new(Role::Bad, format!("{} failing", self.failing))]);
        }
        if self.waiting > 0 {
            counts.push(vec![Bit::new(Role::Warn, format!("{} need you", self.waiting))]);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::pen::dim;
    use crate::tui::widgets::testing::rows;

    #[test]
    fn in_flight_goes_first_then_clusters_then_the_breadcrumb_and_the_counts_never() {
        let facts = [dim("6 in flight"), dim("3/3 clusters"), dim("data 1 s")];
        let bar = StatusBar {
            fleet: "production",
            practice: false,
            guard: Some("safe"),
            armed: None,
            stopped: false,
            crumbs: &["fleet", "order-service"],
            failing: 1,
            elsewhere: false,
            waiting: 2,
            facts: &facts,
            clock: "14:04:41Z",
        };
        let at = |width| rows(width, 1, |buf, pen| bar.draw(buf.area, buf, pen));
        insta::assert_snapshot!([140, 120, 100, 80, 60].map(at).join("\n"), @r"
        | flightdeck  production  safe   fleet › order-service                 1 failing  2 need you  6 in flight  3/3 clusters  data 1 s  14:04:41Z
        | flightdeck  production  safe   fleet › order-service          1 failing  2 need you  3/3 clusters  data 1 s  14:04:41Z
        | flightdeck  production  safe   fleet › order-service    1 failing  2 need you  data 1 s  14:04:41Z
        | flightdeck  production  safe        1 failing  2 need you  data 1 s  14:04:41Z
        | flightdeck  production  safe       1 failing  2 need you
        ");
        let stopped = StatusBar { stopped: true, ..bar.clone() };
        let line = rows(80, 1, |buf, pen| stopped.draw(buf.area, buf, pen));
        assert!(line.contains("line stopped  1 failing  2 need you"), "{line}");
    }
}
