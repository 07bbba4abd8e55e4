//! The first screens as pure drawing: a snapshot and what a person has chosen go in, cells come out.
//!
//! One file per pane. The conclusion stands at the top (`top`, `way_back`), the rows and curves that prove it below. Must never
//! know where a key press goes or what made the snapshot; it keeps nothing between two frames. Known weakness: what is in sight
//! of a list is worked out anew in each frame, so a list that grows above the selection moves it.

mod back;
mod bar;
mod charts;
mod clusters;
mod data_plane;
mod events;
mod fleet;
mod flights;
mod launch;
mod plan;
mod regions;
mod rollout;
mod services;
mod top;
mod of_model;
mod verdict;
mod way_back;
mod why;
mod words;

pub(super) use launch::in_the_way;
pub(super) use verdict::wrap;

pub use of_model::Shown;
pub use top::window_title;

use super::commands::Action;
use super::launch::Form;
use super::model::{Focus, Full, Over, Place};
use super::pen::Pen;
use super::theme::Role;
use super::widgets::field::Field;
use crate::cockpit::{RolloutView, ServiceView, Snapshot};
use crate::fleet::Protection;
use crate::units::{RolloutId, Service, Span};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// The least size that a screen is drawn in.
pub const LEAST: (u16, u16) = (60, 16);
/// From this width on there is room for a second column of panes.
const TWO_COLUMNS: u16 = 100;
/// From this width on lines are written in full.
const FULL: u16 = 120;
/// From this width on the plan and what else is usually behind a key stands beside the rest.
const WIDE: u16 = 160;
/// Blank columns between panes side by side.
const BETWEEN: u16 = 3;

/// A command's key, as the command table knows it now. What is not in the list is not offered on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What it asks for.
    pub action: Action,
    /// The key, as it is shown: `R`, `Enter`.
    pub key: String,
    /// Whether it does something here and now.
    pub live: bool,
}

/// What a person has chosen, as plain data, and the snapshot that it is about.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is drawn.
    pub snapshot: &'a Snapshot,
    /// Which screen.
    pub place: Place,
    /// A pane in the place of the others.
    pub full: Option<Full>,
    /// That pane, else the events, is scrolled down so far.
    pub scroll: usize,
    /// The step of the rail that is looked at.
    pub step: Option<usize>,
    /// The rollout that the top lines speak for, and that `R` is about; without one nothing is in flight.
    pub selected: Option<&'a RolloutId>,
    /// The selected service.
    pub service: Option<&'a Service>,
    /// Which list of the fleet screen the arrows move in.
    pub focus: Focus,
    /// The rollouts that are listed, in their order.
    pub rollouts: &'a [&'a RolloutView],
    /// The services that are listed, in their order.
    pub services: &'a [&'a ServiceView],
    /// What the lists are narrowed to; empty: not.
    pub filter: &'a str,
    /// The same while it is typed.
    pub typed: Option<&'a Field>,
    /// Whether text is being typed anywhere: keys are then letters, and `R` needs `Esc` first.
    pub typing: bool,
    /// What is left of being armed.
    pub armed: Option<Span>,
    /// A rollback that waits for its grace to end, and what is left of it. The top lines then speak for this one.
    pub grace: Option<(&'a RolloutId, Span)>,
    /// Whether calm rows of services are shown although they do not fit.
    pub unfolded: bool,
    /// A minute a column, in place of 10 s.
    pub zoomed: bool,
    /// How fast the time of practice goes: `×4`, `stopped`.
    pub speed: Option<&'a str>,
    /// One line that says what to try.
    pub hint: Option<&'a str>,
    /// Countdowns in steps of 5 s.
    pub reduce_motion: bool,
    /// What floats over the screen, or takes the keys.
    pub over: Option<&'a Over>,
    /// A new rollout being made.
    pub form: Option<&'a Form>,
    /// What can be pressed.
    pub keys: &'a [Bound],
}

impl<'a> View<'a> {
    /// The rollout that the top lines speak for.
    pub fn subject(&self) -> Option<&'a RolloutView> {
        self.grace.map(|(id, _)| id).or(self.selected).and_then(|id| self.snapshot.rollout(id))
    }

    /// The key of an action, live or not.
    fn bound(&self, action: Action) -> Option<&'a Bound> {
        self.keys.iter().find(|b| b.action == action)
    }

    /// The key of an action, or how it is usually called where the table has none.
    fn key(&self, action: Action, usual: &'static str) -> &'a str {
        self.bound(action).map_or(usual, |b| b.key.as_str())
    }

    /// The key of an action that does something now.
    fn live(&self, action: Action) -> Option<&'a str> {
        self.bound(action).filter(|b| b.live).map(|b| b.key.as_str())
    }

    /// Whether a verb that needs arming would be refused for want of it.
    fn unarmed(&self) -> bool {
        self.snapshot.protection == Protection::Safe && self.armed.is_none()
    }

    /// What is being made, where that has the screen.
    fn making(&self) -> Option<&'a Form> {
        self.form.filter(|_| self.place == Place::Launch && self.full.is_none())
    }

    /// Whether one rollout has the screen.
    fn of_rollout(&self) -> bool {
        self.place == Place::Rollout && self.subject().is_some()
    }
}

/// Draws the whole screen, and returns where the cursor belongs while text is typed.
pub fn draw(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) -> Option<Position> {
    pen.fill(buf, area, Role::Ground);
    if area.width < LEAST.0 || area.height < LEAST.1 {
        top::too_small(area, buf, view, pen);
        return None;
    }
    let content = frame(area, buf, view, pen);
    if let Some(form) = view.making() {
        return launch::draw(content, buf, form, view, pen);
    }
    match (view.full, view.place) {
        (Some(Full::Events), _) => events::screen(content, buf, view, pen),
        (Some(Full::Plan), Place::Rollout) => plan::screen(content, buf, view, pen),
        (Some(Full::Why), Place::Rollout) => why::screen(content, buf, view, pen),
        (_, Place::Rollout) => rollout::draw(content, buf, view, pen),
        (_, Place::Fleet | Place::Launch) => return fleet::draw(content, buf, view, pen),
    }
    None
}

/// Draws what every screen has, the status bar, the top lines and the key bar, and returns the pane between them without its
/// margins.
pub fn frame(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) -> Rect {
    let mut rest = area;
    bar::status(take(&mut rest, 1), buf, view, pen);
    if area.height >= 34 {
        take(&mut rest, 1);
    }
    let lines = top::height(area, view);
    top::draw(take(&mut rest, lines), buf, view, pen);
    take(&mut rest, 1);
    bar::keys(area, buf, view, pen);
    Rect { x: rest.x + 1, width: rest.width.saturating_sub(2), height: rest.height.saturating_sub(1), ..rest }
}

/// The first `rows` rows of `area`, which loses them.
fn take(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let taken = Rect { height: rows, ..*area };
    area.y += rows;
    area.height -= rows;
    taken
}

/// The last `rows` rows of `area`, which loses them.
fn take_last(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.bottom(), height: rows, ..*area }
}

/// `area` in two panes side by side, the right one of this width.
fn beside(area: Rect, right: u16) -> (Rect, Rect) {
    let left = area.width.saturating_sub(right + BETWEEN);
    (Rect { width: left, ..area }, Rect { x: area.x + left + BETWEEN, width: area.width.saturating_sub(left + BETWEEN), ..area })
}
