//! The step rail: the waypoints of a plan, or of the way back, at an equal pitch.
//!
//! Known weakness: a label longer than its pitch is shortened, so callers give a short form.

use crate::tui::glyphs::Sign;
use crate::tui::pen::{Pen, columns, shorten};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The least columns between two waypoints.
pub const LEAST_PITCH: u16 = 5;
/// Columns kept at the right for the label of the last waypoint, with the margin.
const LAST_LABEL: u16 = 12;

/// What a waypoint is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    /// Passed.
    Done,
    /// Being flown, and how much of it is behind us in time, from 0 to 1.
    Now(f64),
    /// The same on the way back.
    Back(f64),
    /// Failing here.
    Failing(f64),
    /// Planned.
    Later,
}

/// A waypoint.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Its label, and the label where that is too long.
    pub label: &'a str,
    /// The short form.
    pub short: &'a str,
    /// What it is.
    pub point: Point,
    /// On the way back: seconds, measured or with `≈`.
    pub took: Option<&'a str>,
}

/// The rail.
#[derive(Clone, Copy, Debug)]
pub struct Rail<'a> {
    /// All steps, in order.
    pub steps: &'a [Step<'a>],
    /// The one that is looked at.
    pub selected: Option<usize>,
}

impl Rail<'_> {
    /// Draws the rail in two rows of `area`, or three where steps have seconds.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
        let (shown, before, after, pitch) = self.window(area.width);
        if area.height < 2 || shown.is_empty() {
            return;
        }
        let from = area.x + if before > 0 { LEAST_PITCH } else { 1 };
        if before > 0 {
            pen.text(buf, area.x, area.y, LEAST_PITCH, &format!("+{before}"), Role::Dim);
        }
        let long = shown.iter().all(|s| columns(s.label) < pitch);
        let back = shown.iter().any(|s| s.took.is_some());
        let mut x = from;
        for (i, step) in shown.iter().enumerate() {
            let last = i + 1 == shown.len();
            let (sign, role, behind) = match step.point {
                Point::Done => (Sign::Done, Role::Ok, 1.0),
                Point::Now(part) => (Sign::Now, Role::New, part),
                Point::Back(part) => (Sign::Now, Role::Warn, part),
                Point::Failing(part) => (Sign::Failing, Role::Bad, part),
                Point::Later => (Sign::Later, Role::Dim, 0.0),
            };
            pen.text(buf, x, area.y, 1, sign.text(), role);
            if !last || after > 0 {
                let line = if step.point == Point::Done { Role::Mark } else { role };
                segment(buf, x + 1, area.y, pitch - 1, behind, line, pen);
            }
            // What is flown keeps its unit where only others would lose theirs: it is the one that is read.
            let flown = !matches!(step.point, Point::Done | Point::Later);
            let label = if long || flown && columns(step.label) < pitch { step.label } else { step.short };
            let room = if last { area.right().saturating_sub(x) } else { pitch - 1 };
            let role = match step.point {
                Point::Failing(_) => Role::Bad,
                Point::Now(_) | Point::Back(_) => Role::Strong,
                Point::Done if back => Role::Text,
                Point::Done | Point::Later => Role::Dim,
            };
            let label = shorten(label, room);
            pen.text(buf, x, area.y + 1, room, &label, role);
            if self.selected == Some(before + i) {
                pen.over(buf, Rect { x: x - 1, y: area.y + 1, width: columns(&label) + 2, height: 1 }, Role::Selected);
            }
            if let (Some(took), true) = (step.took, area.height > 2) {
                pen.text(buf, x, area.y + 2, room, took, Role::Dim);
            }
            x += pitch;
        }
        if after > 0 {
            pen.text(buf, x, area.y, LEAST_PITCH, &format!("+{after}"), Role::Dim);
        }
    }

    /// The steps that fit with the current one in the middle, how many are left out at each end, and the pitch.
    fn window(&self, width: u16) -> (&[Step<'_>], usize, usize, u16) {
        let count = self.steps.len();
        let room = width.saturating_sub(LAST_LABEL);
        let pitch = count.checked_sub(1).filter(|n| *n > 0).map_or(LAST_LABEL, |n| room / n as u16);
        if pitch >= LEAST_PITCH {
            return (self.steps, 0, 0, pitch);
        }
        // A label at each end says how many are left out.
        let fit = (usize::from(width.saturating_sub(2 * LEAST_PITCH)) / usize::from(LEAST_PITCH)).clamp(1, count.max(1));
        let current = self.steps.iter().position(|s| s.point != Point::Done).unwrap_or(count);
        let start = current.saturating_sub(fit / 2).min(count.saturating_sub(fit));
        let shown = self.steps.get(start..start + fit).unwrap_or_default();
        (shown, start, count - start - shown.len(), LEAST_PITCH)
    }
}

/// A piece of rail: `behind` of it flown, the rest to come.
fn segment(buf: &mut Buffer, x: u16, y: u16, length: u16, behind: f64, role: Role, pen: &Pen<'_>) {
    let flown = (behind.clamp(0.0, 1.0) * f64::from(length)) as u16;
    for i in 0..length {
        if i < flown { pen.put(buf, x + i, y, '━', role) } else { pen.put(buf, x + i, y, '┄', Role::Faint) }
    }
}

/// A rail in one row with its labels between, for a task in a few stages: `✓ 1 strategy ━━━━ ◆ 2 details ┄┄┄┄ ◇ 3 plan`.
pub fn stages(labels: &[&str], current: usize, area: Rect, buf: &mut Buffer, pen: &Pen<'_>) {
    let (mut x, y) = (area.x, area.y);
    for (i, label) in labels.iter().enumerate() {
        let (sign, role) = match i.cmp(&current) {
            std::cmp::Ordering::Less => (Sign::Done, Role::Text),
            std::cmp::Ordering::Equal => (Sign::Now, Role::Strong),
            std::cmp::Ordering::Greater => (Sign::Later, Role::Dim),
        };
        x = pen.text(buf, x, y, 1, sign.text(), sign.role()) + 1;
        x = pen.text(buf, x, y, area.right().saturating_sub(x), label, role) + 1;
        if i + 1 < labels.len() {
            segment(buf, x, y, 6.min(area.right().saturating_sub(x)), if i < current { 1.0 } else { 0.0 }, Role::Mark, pen);
            x += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::widgets::testing::rows;

    fn rail(steps: &[Step<'_>], width: u16) -> String {
        let height = if steps.iter().any(|s| s.took.is_some()) { 3 } else { 2 };
        rows(width, height, |buf, pen| Rail { steps, selected: None }.draw(Rect { x: 1, width: width - 2, ..buf.area }, buf, pen))
    }

    fn canary() -> Vec<Step<'static>> {
        let labels = ["scale", "health", "5 %", "15 %", "25 %", "35 %", "45 %", "55 %", "65 %", "75 %", "85 %", "95 %", "100 %", "retire"];
        let short = ["pods", "ok", "5", "15", "25", "35", "45", "55", "65", "75", "85", "95", "100", "end"];
        let point = |i| match i {
            0..3 => Point::Done,
            3 => Point::Now(0.36),
            _ => Point::Later,
        };
        labels.iter().zip(short).enumerate().map(|(i, (label, short))| Step { label, short, point: point(i), took: None }).collect()
    }

    #[test]
    fn waypoints_stand_at_an_equal_pitch_and_labels_lose_their_unit_where_it_is_narrow() {
        let steps = canary();
        insta::assert_snapshot!([120, 100, 80].map(|w| rail(&steps, w)).join("\n"), @r"
        |  ✓━━━━━━━✓━━━━━━━✓━━━━━━━◆━━┄┄┄┄┄◇┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄◇
        |  scale   health  5 %     15 %    25 %    35 %    45 %    55 %    65 %    75 %    85 %    95 %    100 %   retire
        |  ✓━━━━━✓━━━━━✓━━━━━◆━┄┄┄┄◇┄┄┄┄┄◇┄┄┄┄┄◇┄┄┄┄┄◇┄┄┄┄┄◇┄┄┄┄┄◇┄┄┄┄┄◇┄┄┄┄┄◇┄┄┄┄┄◇┄┄┄┄┄◇
        |  pods  ok    5     15 %  25    35    45    55    65    75    85    95    100   end
        |  ✓━━━━✓━━━━✓━━━━◆━┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇
        |  pods ok   5    15 % 25   35   45   55   65   75   85   95   100  end
        ");
    }

    #[test]
    fn more_steps_than_fit_leave_the_current_one_in_the_middle() {
        let mut steps = canary();
        steps.extend_from_slice(&canary()[4..]);
        steps.iter_mut().take(12).for_each(|s| s.point = Point::Done);
        steps[12].point = Point::Failing(0.5);
        insta::assert_snapshot!(rail(&steps, 80), @r"
        | +6   ✓━━━━✓━━━━✓━━━━✓━━━━✓━━━━✓━━━━✗━━┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄◇┄┄┄┄+5
        |      45   55   65   75   85   95   100  end  25   35   45   55   65
        ");
    }

    #[test]
    fn the_way_back_has_its_seconds_in_a_third_row() {
        let step = |label, point, took| Step { label, short: label, point, took: Some(took) };
        let steps = [
            step("plan held", Point::Done, "0.0 s"),
            step("eu-west-1", Point::Done, "0.9 s"),
            step("us-west-2", Point::Back(0.5), "2.4 s"),
            step("us-east-1 82 %", Point::Back(0.5), "2.4 s"),
            step("4 pods", Point::Later, "≈4 s"),
            step("last 18 %", Point::Later, "≈5 s"),
            step("proof", Point::Later, "≈6 s"),
        ];
        insta::assert_snapshot!(rail(&steps, 120), @r"
        |  ✓━━━━━━━━━━━━━━━━✓━━━━━━━━━━━━━━━━◆━━━━━━━━┄┄┄┄┄┄┄┄◆━━━━━━━━┄┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄◇┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄◇
        |  plan held        eu-west-1        us-west-2        us-east-1 82 %   4 pods           last 18 %        proof
        |  0.0 s            0.9 s            2.4 s            2.4 s            ≈4 s             ≈5 s             ≈6 s
        ");
    }
}
