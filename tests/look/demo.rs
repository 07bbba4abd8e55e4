//! A rollout as the pictures show it, made of the parts: what a pane would draw, without anything behind it.

use flightdeck::tui::format;
use flightdeck::tui::glyphs::Sign;
use flightdeck::tui::pen::{Bit, Pen, Tint, dim, key, sign, strong, text};
use flightdeck::tui::theme::Role;
use flightdeck::tui::widgets::chart::{AXIS, Chart, Curve, Mark, plot_width};
use flightdeck::tui::widgets::facts::{Fact, Facts, Spacing};
use flightdeck::tui::widgets::interval::Interval;
use flightdeck::tui::widgets::key_bar::{BarKey, KeyBar, KeyState};
use flightdeck::tui::widgets::paper::{Paper, TEN_SECONDS};
use flightdeck::tui::widgets::rail::{Point, Rail, Step};
use flightdeck::tui::widgets::scale::{Ceiling, Scale, Unit};
use flightdeck::tui::widgets::split_bar::Bar;
use flightdeck::tui::widgets::status_bar::StatusBar;
use flightdeck::tui::widgets::strip::Strip;
use flightdeck::tui::widgets::table::{Cell, Column, Row, Table};
use flightdeck::tui::widgets::title::Title;
use flightdeck::units::{Span, Time};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn at(clock: &str) -> Time {
    Time::parse(&format!("2026-11-24T{clock}Z")).unwrap()
}

/// The same for the same arguments, between -1 and 1.
fn noise(a: i64, b: i64) -> f64 {
    let mut n = (a.wrapping_mul(0x9E37_79B9_7F4A_7C15u64 as i64) ^ b.wrapping_mul(0x2545_F491_4F6C_DD1D)) as u64;
    n ^= n >> 29;
    n = n.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n ^= n >> 32;
    (n % 2001) as f64 / 1000.0 - 1.0
}

pub struct Demo {
    pub now: Time,
    pub failing: bool,
    /// The selected event, for the test of a cursor move.
    pub selected: Option<usize>,
    /// Whether all numbers change each second.
    pub lively: bool,
}

impl Demo {
    pub fn well() -> Demo {
        Demo { now: at("14:03:22"), failing: false, selected: None, lively: false }
    }
    pub fn failing() -> Demo {
        Demo { now: at("14:04:41"), failing: true, ..Demo::well() }
    }

    fn wobble(&self, what: i64, by: f64) -> f64 {
        if self.lively { noise(self.now.0 / 1000, what) * by } else { 0.0 }
    }

    /// A sample every 5 s, of the error rate or the latency of a side.
    fn series(&self, new: bool, latency: bool) -> Vec<(Time, Option<f64>)> {
        let (first, gap) = (if new { at("13:56:30") } else { at("13:30:00") }, at("13:58:40")..at("13:59:20"));
        (first.0 / 5000..=self.now.0 / 5000)
            .map(|i| Time(i * 5000))
            .map(|t| {
                let wave = (t.0 as f64 / 50_000.0).sin().powi(5) + noise(t.0 / 5000, i64::from(new)) * 0.4;
                let over = t.since(at("14:03:30")).as_secs_f64() * f64::from(u8::from(self.failing && new));
                let value = match latency {
                    true => 138.0 + 4.0 * f64::from(u8::from(new)) + wave * 6.0 + (over * 1.4).min(74.0),
                    false => (0.28 + wave * if new { 0.22 } else { 0.04 } + (over * 0.09).min(4.6)).max(0.0),
                };
                (t, (!gap.contains(&t)).then_some(value))
            })
            .collect()
    }

    pub fn draw(&self, buf: &mut Buffer, pen: &Pen<'_>) {
        let screen = buf.area;
        pen.fill(buf, screen, Role::Ground);
        if screen.width < 100 { self.draw_narrow(buf, pen) } else { self.draw_wide(buf, pen) }
    }

    fn draw_wide(&self, buf: &mut Buffer, pen: &Pen<'_>) {
        let Rect { width, height, .. } = buf.area;
        let row = |y| Rect::new(0, y, width, 1);
        let block = |x, y, w, h| Rect::new(x, y, w, h);
        let right_width = if width >= 200 { 58 } else { 34 };
        let left_width = width - 2 - 3 - right_width;
        let right = width - 1 - right_width;

        self.status_bar(row(0), buf, pen);
        self.subject(width).draw(row(2), buf, pen);
        self.verdict_and_r(block(0, 3, width, 2), buf, pen);
        self.rail(block(1, 6, width - 2, 2), buf, pen);
        self.regions(block(1, 9, width - 2, 5), true, buf, pen);

        let latency = if height >= 50 { 8 } else { 4 };
        let errors = height - 15 - 1 - 1 - 1 - latency - AXIS - 1;
        self.error_title().draw(block(1, 15, left_width, 1), buf, pen);
        self.errors(block(1, 16, left_width, errors), false, Span::ZERO, buf, pen);
        let y = 17 + errors;
        Title::new("LATENCY p99", vec![Fact::new(1, [dim("no limit set, compared with v41")])]).draw(block(1, y, left_width, 1), buf, pen);
        self.latency(block(1, y + 1, left_width, latency + AXIS), buf, pen);

        self.verdict(block(right, 15, right_width, 8), buf, pen);
        self.events(block(right, 24, right_width, height - 25), buf, pen);
        self.keys(row(height - 1), buf, pen);
    }

    fn draw_narrow(&self, buf: &mut Buffer, pen: &Pen<'_>) {
        let Rect { width, height, .. } = buf.area;
        let row = |y| Rect::new(0, y, width, 1);
        self.status_bar(row(0), buf, pen);
        self.verdict_and_r(Rect::new(0, 1, width, 2), buf, pen);
        self.rail(Rect::new(1, 4, width - 2, 2), buf, pen);
        self.regions(Rect::new(1, 7, width - 2, 4), false, buf, pen);
        self.error_title().draw(Rect::new(1, 12, width - 2, 1), buf, pen);
        self.errors(Rect::new(1, 13, width - 2, height - 13 - 2), true, Span::ZERO, buf, pen);
        self.verdict_line().draw(row(height - 2), buf, pen);
        self.keys(row(height - 1), buf, pen);
    }

    fn status_bar(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let facts = [dim("6 in flight"), dim("3/3 clusters"), dim("data 1 s")];
        StatusBar {
            fleet: "production",
            practice: false,
            guard: Some("safe"),
            armed: None,
            stopped: false,
            crumbs: &["fleet", "order-service"],
            failing: usize::from(self.failing),
            elsewhere: false,
            waiting: 2,
            facts: &facts,
            clock: &format::clock(self.now),
        }
        .draw(area, buf, pen);
    }

    fn subject(&self, width: u16) -> Facts<'static> {
        let next = if self.failing { strong("held") } else { strong(format::countdown(at("14:06:34").since(self.now), false)) };
        let mut right = vec![
            Fact::new(0, [Bit::new(Role::New, "15 %")]),
            Fact::new(1, [dim("step "), strong("4"), dim("/14")]),
            Fact::new(2, [dim(if self.failing { "next 25 % " } else { "next 25 % in " }), next]),
        ];
        if !self.failing {
            right.push(Fact::new(3, [dim("done ≈14:51")]));
        }
        Facts {
            head: vec![strong("order-service")],
            left: vec![
                Fact::new(0, [Bit::new(Role::Old, "v41"), dim(" → "), Bit::new(Role::New, "v42")]),
                Fact::new(2, [dim("canary")]),
                Fact::new(4, [dim(if self.failing { "by mara, 9 min ago" } else { "by mara, 8 min ago" })]),
                Fact::new(5, [dim("PR 812")]),
            ],
            right,
            spacing: Spacing::at(width),
        }
    }

    fn verdict_and_r(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let width = area.width;
        let spacing = Spacing::at(width);
        let narrow = width < 120;
        let over = self.now.since(at("14:03:55")).clock();
        if self.failing {
            let top = match narrow {
                true => vec![
                    Fact::new(0, [strong("order-service v42")]),
                    Fact::new(0, [strong("4.8 % errors"), dim(", limit 2.0, for "), strong(over)]),
                ],
                false => vec![
                    Fact::new(0, [strong("errors 4.8 %"), dim(" on v42, 0.28 on v41, limit 2.0")]),
                    Fact::new(1, [dim("over for "), strong(over), dim(" in 3 regions")]),
                ],
            };
            let failed = match narrow {
                true => Fact::new(2, [strong("64"), dim(" failed")]),
                false => Fact::new(2, [strong("64"), dim(" requests failed, "), strong("+1.7"), dim("/s")]),
            };
            Strip {
                tint: Tint::Alarm,
                top: Facts { head: vec![strong("✗ FAILING")], left: top, right: vec![failed], spacing },
                bottom: Facts {
                    head: vec![key("R  ROLL BACK")],
                    left: self.way_back(narrow),
                    right: vec![Fact::new(3, [dim("automatic in "), strong("0:20")])],
                    spacing,
                },
            }
            .draw(area, buf, pen);
            return;
        }
        let errors = Bit::new(Role::New, format!("v42 {} %", format::rate(0.31 + self.wobble(1, 0.05))));
        let check = Fact::new(
            3,
            [
                dim("check in "),
                strong(format!("{:>5}", format::countdown(Span(12_000 - self.now.0.rem_euclid(10_000) as u64 + 2_000), false))),
            ],
        );
        let top = match narrow {
            true => Facts {
                head: vec![sign(Sign::Ok), strong(" order-service")],
                left: vec![
                    Fact::new(3, [Bit::new(Role::Old, "v41"), dim(" → "), Bit::new(Role::New, "v42")]),
                    Fact::new(0, [Bit::new(Role::New, "0.31 %"), dim(" errors, limit "), Bit::new(Role::Limit, "2.0")]),
                ],
                right: vec![Fact::new(1, [Bit::new(Role::New, "15 %")]), Fact::new(2, [strong("4"), dim("/14")])],
                spacing,
            },
            false => Facts {
                head: vec![sign(Sign::Ok), strong(" on course")],
                left: vec![
                    Fact::new(0, [dim("errors   "), errors, Bit::new(Role::Old, "   v41 0.28 %")]),
                    Fact::new(0, [Bit::new(Role::Limit, "limit 2.0 %")]),
                    Fact::new(5, [dim("  p99   "), Bit::new(Role::New, format!("v42 {:.0} ms", 142.0 + self.wobble(2, 6.0)))]),
                    Fact::new(6, [Bit::new(Role::Old, format!("v41 {:.0} ms", 138.0 + self.wobble(3, 4.0)))]),
                ],
                right: vec![check],
                spacing,
            },
        };
        let bottom = Facts {
            head: vec![key("R"), text(" "), sign(Sign::Ok), strong(" ready")],
            left: self.way_back(narrow),
            right: if narrow { vec![] } else { vec![Fact::new(5, [dim("undo while v42 runs")])] },
            spacing,
        };
        for (row, facts) in area.rows().zip([top, bottom]) {
            facts.draw(row, buf, pen);
        }
    }

    fn way_back(&self, narrow: bool) -> Vec<Fact<'static>> {
        let strong_if_failing = |t: &'static str| if self.failing { strong(t) } else { text(t) };
        vec![
            Fact::new(1, [dim(if narrow && self.failing { "3 regions to " } else { "3 regions back to " }), strong_if_failing("v41")]),
            Fact::new(2, [dim(if narrow { "pods " } else { "pods ready " }), strong_if_failing("30/30")]),
            Fact::new(3, [dim("about "), strong("0.4 s")]),
            Fact::new(4, [dim("left behind: nothing")]),
        ]
    }

    fn rail(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        const LONG: [&str; 14] =
            ["scale", "health", "5 %", "15 %", "25 %", "35 %", "45 %", "55 %", "65 %", "75 %", "85 %", "95 %", "100 %", "retire"];
        const SHORT: [&str; 14] = ["pods", "ok", "5", "15", "25", "35", "45", "55", "65", "75", "85", "95", "100", "end"];
        let part = self.now.since(at("14:01:34")).as_secs_f64() / 300.0;
        let point = |i| match i {
            0..3 => Point::Done,
            3 if self.failing => Point::Failing(part),
            3 => Point::Now(part),
            _ => Point::Later,
        };
        let steps: Vec<Step<'_>> =
            LONG.iter().zip(SHORT).enumerate().map(|(i, (label, short))| Step { label, short, point: point(i), took: None }).collect();
        Rail { steps: &steps, selected: None }.draw(area, buf, pen);
    }

    fn regions(&self, area: Rect, wide: bool, buf: &mut Buffer, pen: &Pen<'_>) {
        let new = |t: String| Bit::new(Role::New, t);
        let mut columns = vec![
            Column::words([], if wide { 11 } else { 9 }),
            Column::words([dim("traffic on "), new("v42".into())], 15).grows().gap(if wide { 2 } else { 1 }),
            Column::numbers([dim("seen")], 5),
            Column::numbers([dim("want")], 4).gap(if wide { 2 } else { 1 }),
            Column::numbers([dim(if wide { "pods v42" } else { "pods" })], if wide { 8 } else { 5 }).gap(3),
            Column::numbers([dim("v41")], 5).gap(5),
            Column::numbers([dim("req/s")], 6).gap(2),
            Column::numbers([dim("errors v42")], 10).gap(if wide { 3 } else { 2 }),
            Column::numbers([dim("v41")], 4),
            Column::numbers([dim("p99 v42")], 7).gap(3),
            Column::numbers([dim("v41 ")], 4),
        ];
        if !wide {
            for (column, rank) in [(5, 1), (9, 2), (10, 3)] {
                columns[column].rank = rank;
                columns[column].width = 60;
            }
        }
        let data = [
            ("all", 15.0, (5, 5), (30, 30), 240.0, (0.31, 4.82), 0.28, (142.0, 214.0), 138.0),
            ("us-east-1", 14.6, (3, 3), (18, 18), 149.0, (0.33, 5.00), 0.29, (144.0, 218.0), 139.0),
            ("us-west-2", 15.3, (1, 1), (6, 6), 50.0, (0.26, 4.40), 0.25, (138.0, 201.0), 136.0),
            ("eu-west-1", 15.9, (1, 1), (6, 6), 41.0, (0.30, 4.70), 0.28, (141.0, 207.0), 137.0),
        ];
        let rows: Vec<Row<'_>> = data
            .into_iter()
            .skip(usize::from(!wide))
            .zip(10..)
            .map(|((name, seen, pods, old_pods, load, errors, old_errors, p99, old_p99), i)| {
                let all = name == "all";
                let seen: f64 = seen + self.wobble(i, 0.4);
                let errors = if self.failing { errors.1 } else { errors.0 } + self.wobble(i + 10, 0.04);
                let p99 = if self.failing { p99.1 } else { p99.0 } + self.wobble(i + 20, 5.0);
                let bar = Bar { full: all, ..Bar::split(seen / 100.0, Some(0.15)) };
                let error = Bit::new(if self.failing { Role::Bad } else { Role::New }, format::rate_in_table(errors));
                Row {
                    sign: (!all).then(|| sign(if self.failing { Sign::Failing } else { Sign::Ok })),
                    cells: vec![
                        [if all { strong(name) } else { text(name) }].into(),
                        Cell::Bar(bar),
                        [strong(format::seen(seen))].into(),
                        [dim("15")].into(),
                        [text(format::pods(pods.0, pods.1, 2))].into(),
                        [dim(format::pods(old_pods.0, old_pods.1, 2))].into(),
                        [text(format::per_second(load + self.wobble(i + 30, 9.0)))].into(),
                        [error, dim(" %")].into(),
                        [Bit::new(Role::Old, format::rate_in_table(old_errors + self.wobble(i + 40, 0.02)))].into(),
                        [new(format!("{p99:.0}")), dim(" ms")].into(),
                        [Bit::new(Role::Old, format!("{:.0} ", old_p99 + self.wobble(i + 50, 4.0)))].into(),
                    ],
                    off: false,
                }
            })
            .collect();
        Table { title: "REGIONS", note: "", columns: &columns, rows: &rows, selectable: false, selected: None }.draw(area, buf, pen);
    }

    fn error_title(&self) -> Title<'static> {
        let mut note = vec![Fact::new(2, [dim("limit 2.0 %")])];
        if self.failing {
            note.push(Fact::new(1, [Bit::new(Role::Bad, "over since 14:03:55")]));
        }
        Title::new("ERROR RATE", note)
    }

    fn errors(&self, area: Rect, axis: bool, lag: Span, buf: &mut Buffer, pen: &Pen<'_>) {
        let (old, new) = (self.series(false, false), self.series(true, false));
        let mut ceiling = Ceiling::over_limit(2.0);
        ceiling.see(new.iter().filter_map(|(_, v)| *v).fold(0.0, f64::max));
        let (v42, role) = if self.failing {
            ("v42 4.8 %".into(), Role::Bad)
        } else {
            (format!("v42 {} %", format::rate(0.31 + self.wobble(1, 0.05))), Role::New)
        };
        let curve = |samples, role, judged, label| Curve { samples, every: Span::secs(5), role, judged, label };
        Chart {
            paper: Paper::new(self.now, TEN_SECONDS, plot_width(area.width), lag),
            scale: Scale::new(&ceiling, Unit::Percent),
            curves: &[
                curve(&old, Role::Old, false, vec![Bit::new(Role::Old, "v41 0.28")]),
                curve(&new, Role::New, true, vec![Bit::new(role, v42)]),
            ],
            limit: Some(2.0),
            marks: &self.marks(if self.failing { "25 % held" } else { "25 %" }),
            now: self.now,
            axis,
            stale: None,
        }
        .draw(area, buf, pen);
    }

    fn latency(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let (old, new) = (self.series(false, true), self.series(true, true));
        let curve =
            |samples, role, label: String| Curve { samples, every: Span::secs(5), role, judged: false, label: vec![Bit::new(role, label)] };
        Chart {
            paper: Paper::new(self.now, TEN_SECONDS, plot_width(area.width), Span::secs(1)),
            scale: Scale::new(&Ceiling::over_median(138.0), Unit::Millis),
            curves: &[
                curve(&old, Role::Old, "v41 138".into()),
                curve(
                    &new,
                    Role::New,
                    if self.failing { "v42 214 ms".into() } else { format!("v42 {:.0} ms", 142.0 + self.wobble(2, 6.0)) },
                ),
            ],
            limit: None,
            marks: &self.marks("").map(|m| Mark { label: "", ..m }),
            now: self.now,
            axis: true,
            stale: None,
        }
        .draw(area, buf, pen);
    }

    fn marks(&self, next: &'static str) -> [Mark<'static>; 3] {
        [
            Mark { at: at("13:56:31"), label: "5 %", planned: false },
            Mark { at: at("14:01:34"), label: "15 %", planned: false },
            Mark { at: at("14:06:34"), label: next, planned: true },
        ]
    }

    fn verdict(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let row = |y: u16| Rect { y: area.y + y, height: 1, ..area };
        let (low, middle, high, role) =
            if self.failing { (3.7, 4.5, 5.4, Role::Bad) } else { (-0.18, 0.03 + self.wobble(4, 0.02), 0.31, Role::New) };
        let word = if self.failing { Bit::new(Role::Bad, "✗ fail") } else { Bit::new(Role::Ok, "● pass so far") };
        Title::new("VERDICT", vec![Fact::new(0, [word])]).draw(row(0), buf, pen);
        pen.bits(buf, area.x, area.y + 1, area.width, &[dim("errors, v42 over v41")]);
        let difference = Bit::new(if self.failing { Role::Bad } else { Role::Strong }, format::points(middle));
        pen.bits_right(buf, area.right(), area.y + 1, &[difference, dim(" points")]);
        Interval { low, middle, high, limit: Some((2.0, "2.0")), range: Interval::range(low, high, 2.0), role }.draw(
            Rect { height: 2, ..row(2) },
            buf,
            pen,
        );
        pen.bits(buf, area.x, area.y + 5, area.width, &[dim("p99")]);
        let more = if self.failing { ("+75 ms", "  +54 %") } else { ("+4 ms", "  +3 %") };
        pen.bits_right(buf, area.right(), area.y + 5, &[strong(more.0), dim(more.1)]);
        if self.failing {
            pen.bits(buf, area.x, area.y + 6, area.width, &[dim("bad checks")]);
            let checks = [Bit::new(Role::Bad, "✗✗✗"), dim("◇◇   "), strong("3"), dim(" of 5")];
            pen.bits_right(buf, area.right(), area.y + 6, &checks);
            pen.bits(buf, area.x, area.y + 7, area.width, &[dim("automatic rollback in")]);
            pen.bits_right(buf, area.right(), area.y + 7, &[strong("0:20")]);
            return;
        }
        let seen = 3_888 + (self.wobble(0, 1.0) != 0.0) as u64 * (self.now.0 / 1000 % 1000) as u64;
        let count = [strong(format::thousands(seen)), dim(" of 6,100")];
        pen.bits(buf, area.x, area.y + 6, area.width, &[dim("evidence")]);
        pen.bits_right(buf, area.right(), area.y + 6, &count);
        let bar = Rect { x: area.x + 10, width: area.width - 10 - 15, ..row(6) };
        Bar::progress(seen as f64 / 6_100.0, Role::Strong).draw(bar, buf, pen);
        pen.bits(buf, area.x, area.y + 7, area.width, &[dim("blind below")]);
        pen.bits_right(buf, area.right(), area.y + 7, &[strong("+0.6"), dim("   +0.5 in 1:02")]);
    }

    fn verdict_line(&self) -> Facts<'static> {
        let (word, facts) = match self.failing {
            true => (
                Bit::new(Role::Bad, "✗ fail"),
                vec![
                    Fact::new(0, [Bit::new(Role::Bad, "+4.5"), dim(" points, 3.7 to 5.4")]),
                    Fact::new(2, [dim("p99 "), strong("+75 ms")]),
                    Fact::new(1, [Bit::new(Role::Bad, "✗✗✗"), dim("◇◇ 3 of 5 bad")]),
                ],
            ),
            false => (
                Bit::new(Role::Ok, "● pass so far"),
                vec![
                    Fact::new(0, [strong("+0.03"), dim(" points, −0.18 to 0.31")]),
                    Fact::new(1, [strong("3,888"), dim(" of 6,100 requests")]),
                ],
            ),
        };
        Facts { head: vec![Bit::new(Role::Title, "VERDICT"), dim("  "), word], left: facts, right: vec![], spacing: Spacing::at(80) }
    }

    fn events(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        Title::new("EVENTS", vec![Fact::new(1, [dim("newest first")])]).draw(area, buf, pen);
        let mut events: Vec<(&str, Option<Sign>, Vec<Bit<'_>>)> = Vec::new();
        if self.failing {
            for (time, what, rate) in
                [("14:04:35", "check 3 of 5  ", "4.8 %"), ("14:04:15", "check 2 of 5  ", "4.1 %"), ("14:03:55", "over limit    ", "2.3 %")]
            {
                events.push((time, Some(Sign::Failing), vec![text(what), Bit::new(Role::Bad, rate)]));
            }
            events.push(("14:03:55", Some(Sign::Held), vec![text("25 % held")]));
        }
        events.extend([
            ("14:02:34", Some(Sign::Ok), vec![text("15 % check ok "), dim("0.29 %")]),
            ("14:01:36", None, vec![dim("15.0 % seen on the wire")]),
            ("14:01:34", Some(Sign::Now), vec![Bit::new(Role::New, "15 %"), dim(" in 3 regions")]),
            ("14:01:33", Some(Sign::Done), vec![text("5 % passed "), dim("3,624 req")]),
            ("13:59:20", None, vec![dim("metrics back")]),
            ("13:58:40", Some(Sign::Unknown), vec![text("no metrics "), dim("for 40 s")]),
            ("13:56:31", Some(Sign::Now), vec![Bit::new(Role::New, "5 %"), dim(" in 3 regions")]),
            ("13:56:31", Some(Sign::Done), vec![text("health ok "), dim("5/5 pods")]),
            ("13:55:40", Some(Sign::Selected), vec![text("launched "), dim("by mara")]),
            ("13:55:38", None, vec![dim("plan compiled, 14 steps")]),
        ]);
        for ((y, (time, mark, words)), i) in (area.y + 1..area.bottom()).zip(events).zip(0..) {
            pen.bits(buf, area.x, y, 8, &[dim(time)]);
            if let Some(mark) = mark {
                let role = if mark == Sign::Selected { Role::Text } else { mark.role() };
                pen.bits(buf, area.x + 9, y, 1, &[Bit::new(role, mark.text())]);
            }
            pen.bits(buf, area.x + 11, y, area.width - 11, &words);
            if self.selected == Some(i) {
                pen.bits(buf, area.x - 1, y, 1, &[sign(Sign::Selected)]);
                pen.over(buf, Rect { x: area.x - 1, y, width: area.width + 2, height: 1 }, Role::Selected);
            }
        }
    }

    fn keys(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let bar = |key, word, state| BarKey { key, word, state, stays: false };
        let (live, off) = (KeyState::Live, KeyState::Off);
        let keys = match self.failing {
            true => vec![
                bar("R", "roll back", KeyState::Calling),
                bar("n", "step", off),
                bar("P", "promote", off),
                bar("p", "pause", live),
                bar("F", "freeze all", live),
                bar("y", "copy", live),
                bar("A", "arm", live),
            ],
            false => vec![
                bar("R", "roll back", live),
                bar("p", "pause", live),
                bar("n", "step", off),
                bar("P", "promote", off),
                bar("A", "arm", live),
                bar("Tab", "pane", live),
                bar("Esc", "fleet", live),
            ],
        };
        KeyBar { keys: &keys, right: &[bar(":", "command", live), bar("?", "help", live)] }.draw(area, buf, pen);
    }
}
