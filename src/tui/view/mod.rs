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
mod plan;
mod regions;
mod rollout;
mod services;
mod top;
mod verdict;
mod way_back;
mod words;

pub use fleet::{listed_rollouts, listed_services};
pub use top::window_title;

use super::pen::Pen;
use super::theme::Role;
use super::widgets::field::Field;
use crate::cockpit::{RolloutView, Snapshot};
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

/// Which screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// Who needs a person, and what runs where.
    #[default]
    Fleet,
    /// The selected rollout, and its way back while it moves back.
    Rollout,
    /// All that happened in the fleet.
    FleetEvents,
    /// All that happened to the selected rollout.
    RolloutEvents,
    /// The plan of the selected rollout, and its way back.
    Plan,
}

impl Screen {
    /// Whether it speaks for one rollout alone.
    fn of_rollout(self) -> bool {
        matches!(self, Screen::Rollout | Screen::RolloutEvents | Screen::Plan)
    }
}

/// Which list of the fleet screen the keys go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The rollouts.
    #[default]
    Flights,
    /// The services.
    Services,
}

/// A command as the command table knows it now. What is not in the list is not offered on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<'a> {
    /// Its name; those that screens offer are in [`COMMANDS`].
    pub command: &'a str,
    /// The key, as it is shown: `R`, `Enter`.
    pub key: &'a str,
    /// Whether it does something here and now.
    pub live: bool,
}

/// The commands that screens offer where [`View::keys`] has them.
pub const COMMANDS: [&str; 26] = [
    "rollback",
    "pause",
    "step",
    "promote",
    "skip",
    "retry",
    "undo",
    "over-capacity",
    "freeze",
    "take",
    "arm",
    "launch",
    "open",
    "back",
    "filter",
    "pane",
    "events",
    "plan",
    "latency",
    "calm",
    "why",
    "copy",
    "speed",
    "time",
    "palette",
    "help",
];

/// What a person has chosen, as plain data, and the snapshot that it is about.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is drawn.
    pub snapshot: &'a Snapshot,
    /// Which screen.
    pub screen: Screen,
    /// The rollout that the top lines speak for, and that `R` is about; without one nothing is in flight.
    pub selected: Option<&'a RolloutId>,
    /// The selected service, in the pane of services.
    pub service: Option<&'a Service>,
    /// Where keys go on the fleet screen.
    pub pane: Pane,
    /// What is left of being armed.
    pub armed: Option<Span>,
    /// A rollback that waits for its grace to end, and what is left of it. The top lines then speak for this one.
    pub grace: Option<(&'a RolloutId, Span)>,
    /// What rollouts and services are narrowed to.
    pub filter: Option<&'a Field>,
    /// Whether text is being typed: keys are then letters, and `R` needs `Esc` first.
    pub typing: bool,
    /// Whether calm rows of services are shown although they do not fit.
    pub unfolded: bool,
    /// Where only one chart fits: latency in place of errors.
    pub latency: bool,
    /// A minute a column, in place of 10 s.
    pub zoomed: bool,
    /// The first row in sight on the screens of events and of the plan.
    pub first: usize,
    /// How fast the time of practice goes: `×4`, `paused`.
    pub speed: Option<&'a str>,
    /// One line that says what to try.
    pub hint: Option<&'a str>,
    /// Countdowns in steps of 5 s.
    pub reduce_motion: bool,
    /// What can be pressed.
    pub keys: &'a [Bound<'a>],
}

impl<'a> View<'a> {
    /// The rollout that the top lines speak for.
    pub fn subject(&self) -> Option<&'a RolloutView> {
        self.grace.map(|(id, _)| id).or(self.selected).and_then(|id| self.snapshot.rollout(id))
    }

    /// The key of a command, live or not.
    fn bound(&self, command: &str) -> Option<&'a Bound<'a>> {
        debug_assert!(COMMANDS.contains(&command), "{command} is not in COMMANDS");
        self.keys.iter().find(|b| b.command == command)
    }

    /// The key of a command that does something now.
    fn live(&self, command: &str) -> Option<&'a str> {
        self.bound(command).filter(|b| b.live).map(|b| b.key)
    }

    /// Whether a verb that needs arming would be refused for want of it.
    fn unarmed(&self) -> bool {
        self.snapshot.protection == crate::fleet::Protection::Safe && self.armed.is_none()
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
    match view.screen {
        Screen::Fleet => return fleet::draw(content, buf, view, pen),
        Screen::Rollout => rollout::draw(content, buf, view, pen),
        Screen::FleetEvents | Screen::RolloutEvents => events::screen(content, buf, view, pen),
        Screen::Plan => plan::screen(content, buf, view, pen),
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
