//! One rollout: does it go well, and can I still go back? The rail, the regions, the curves, the verdict, the plan, the events.

use super::{BETWEEN, FULL, TWO_COLUMNS, View, WIDE, beside, take, take_last};
use super::{back, charts, events, plan, regions, verdict};
use crate::cockpit::RolloutView;
use crate::rollout::{Phase, StepState};
use crate::strategy::StepKind;
use crate::tui::format;
use crate::tui::pen::{Bit, Pen, dim, strong, text};
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::tui::widgets::rail::{Point, Rail, Step};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Whether there is a column of panes beside the charts.
pub(super) fn has_side(screen: Rect) -> bool {
    screen.width >= TWO_COLUMNS
}

/// Whether the plan has a place beside the charts.
pub(super) fn has_plan(screen: Rect) -> bool {
    screen.width >= WIDE && screen.height >= 44
}

/// Rows that a chart with its title and its axis needs at least.
const CHART: u16 = 7;

/// Draws the screen below the top lines.
pub(super) fn draw(content: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let Some(r) = view.subject() else { return gone(content, buf, view, pen) };
    let screen = buf.area;
    let mut rest = content;
    let goes_back = back::goes_back(r);
    if goes_back {
        let shown = back::rail(take(&mut rest, 3), buf, r, view, pen);
        debug_assert!(shown);
    } else {
        rail(take(&mut rest, 2), buf, r, view.step, pen);
    }
    let below = take(&mut rest, 1);
    if let Some(at) = view.step.filter(|_| !goes_back) {
        step(below, buf, r, at, pen);
    }
    // The charts keep their least where they have it at all; of more regions the worst are shown.
    let most = match rest.height.saturating_sub(CHART + 3) {
        ..3 => rest.height.saturating_sub(3),
        most => most,
    };
    let form = regions::Form::at(screen.width, r, most);
    let rows = form.rows(r).min(most);
    regions::draw(take(&mut rest, rows + 1), buf, r, view.snapshot.now, form, pen);
    take(&mut rest, 1);

    // A side of a few rows says less than one line over the whole width.
    if !has_side(screen) || rest.height < 12 {
        let line = take_last(&mut rest, 1);
        if rest.height >= 24 {
            events::of_rollout(take_last(&mut rest, 9), buf, r, view, pen);
            take_last(&mut rest, 1);
        }
        if goes_back {
            back::line(line, buf, r, pen);
            back::charts(rest, buf, r, view, pen);
        } else {
            verdict::line(line, buf, r, view, pen);
            charts::column(rest, buf, r, view, pen);
        }
        return;
    }
    let (left, mut side) = beside(rest, side_width(screen.width) + if goes_back && screen.width < WIDE { 4 } else { 0 });
    if goes_back {
        back::charts(left, buf, r, view, pen);
        back::side(&mut side, buf, r, pen);
    } else {
        charts::column(left, buf, r, view, pen);
        verdict::pane(take(&mut side, verdict::HEIGHT), buf, r, view, pen);
        take(&mut side, 1);
        if has_plan(screen) {
            // The events keep a few rows.
            let rows = (plan::height(r)).min(side.height.saturating_sub(7));
            plan::pane(take(&mut side, rows), buf, r, view, pen);
            take(&mut side, 1);
        }
    }
    events::of_rollout(side, buf, r, view, pen);
}

/// The column beside the charts: 30 at 100 columns, 34 at 120, 58 at 200.
fn side_width(width: u16) -> u16 {
    match width {
        ..FULL => 30,
        w => (34 + (w - FULL) * 3 / 10).min(58),
    }
}

/// The waypoints of the plan.
fn rail(area: Rect, buf: &mut Buffer, r: &RolloutView, selected: Option<usize>, pen: &Pen<'_>) {
    let s = &r.status;
    let point = |step: &crate::rollout::StepStatus| match step.state {
        StepState::Done => Point::Done,
        StepState::Now => Point::Now(step.part.or(part(step, s)).unwrap_or(0.0)),
        StepState::Failing => Point::Failing(step.part.unwrap_or(0.5)),
        StepState::Later => Point::Later,
    };
    let step = |step| Step { label: label(step), short: short(step), point: point(step), took: None };
    let mut steps: Vec<Step<'_>> = s.steps.iter().map(step).collect();
    if r.phase == Phase::Promoted {
        steps.iter_mut().for_each(|s| s.point = Point::Done);
    }
    Rail { steps: &steps, selected }.draw(area, buf, pen);
}

/// The step that is looked at: when, how long, and what takes it back.
fn step(area: Rect, buf: &mut Buffer, r: &RolloutView, at: usize, pen: &Pen<'_>) {
    let Some(step) = r.status.steps.get(at) else { return };
    let when = match (step.state, step.began, step.due) {
        (StepState::Later, _, Some(due)) => vec![dim("due "), text(format::planned(due))],
        (StepState::Later, ..) => vec![dim("not due yet")],
        (_, Some(began), _) => vec![dim("began "), text(began.clock())],
        (_, None, _) => Vec::new(),
    };
    let mut left = vec![Fact::new(0, [strong(step.label.as_str())])];
    left.extend((!when.is_empty()).then(|| Fact::new(2, when)));
    left.extend(step.took.map(|took| Fact::new(3, [dim("took "), text(took.clock())])));
    let role = if step.undo_slow { Role::Warn } else { Role::Text };
    left.push(Fact::new(1, [dim("undo "), Bit::new(role, step.undo.as_str())]));
    let head = vec![dim(format!("step {} of {}", at + 1, r.status.steps.len()))];
    let line = Facts { head, left, right: Vec::new(), spacing: Spacing { gap: BETWEEN, tab: None } };
    line.draw(Rect { x: area.x - 1, width: area.width + 2, ..area }, buf, pen);
}

/// How much of its share a step has reached, where it has no hold that tells.
fn part(step: &crate::rollout::StepStatus, s: &crate::rollout::Status) -> Option<f64> {
    let weight = step.weight.filter(|w| w.share() > 0.0)?;
    Some((s.seen.unwrap_or(s.want).share() / weight.share()).min(1.0))
}

fn label(step: &crate::rollout::StepStatus) -> &str {
    &step.label
}

/// The label where there is little room.
fn short(step: &crate::rollout::StepStatus) -> &str {
    match step.kind {
        StepKind::Scale => "pods",
        StepKind::WaitReady => "up",
        StepKind::HealthCheck => "ok",
        StepKind::SetWeight => step.label.strip_suffix(" %").unwrap_or(&step.label),
        StepKind::Switch => "swap",
        StepKind::Hold => "hold",
        StepKind::Adopt => "own",
        StepKind::Retire => "end",
    }
}

/// The rollout is not in the picture any more.
fn gone(content: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let row = Rect { x: content.x.saturating_sub(1), width: content.width + 2, height: content.height.min(1), ..content };
    let mut left = vec![Fact::new(0, [dim("This rollout is over and no longer kept here.")])];
    left.push(Fact::new(1, super::bar::invite(view, crate::tui::commands::Action::Leave, "to the fleet")));
    Facts { head: Vec::new(), left, right: Vec::new(), spacing: Spacing { gap: BETWEEN, tab: None } }.draw(row, buf, pen);
}
