//! What the mouse can point at, noted while it is drawn: where a hand points is where the eye saw it.
//!
//! Must never know what a click does. Known weakness: it holds the last frame, so a click on what has just moved meets what
//! was there.

use super::commands::Action;
use crate::strategy::StrategyKind;
use crate::units::{RolloutId, Service};
use ratatui::layout::{Position, Rect};
use std::cell::RefCell;

/// What was drawn at a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Spot {
    /// A key that can be pressed.
    Key(Action),
    /// A row of IN FLIGHT.
    Rollout(RolloutId),
    /// A row of SERVICES.
    Service(Service),
    /// A strategy on the launch screen.
    Strategy(StrategyKind),
    /// A row of the launch's details.
    Detail(usize),
    /// A command of the palette, by its place in the list.
    Command(usize),
    /// A pane that can be scrolled down so far.
    Scrolls(usize),
    /// What floats covers the rest.
    Nothing,
}

/// All of a frame, in the order of drawing.
#[derive(Debug, Default)]
pub struct Spots(RefCell<Vec<(Rect, Spot)>>);

impl Spots {
    /// Forgets the last frame.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// Notes what is drawn.
    pub fn note(&self, area: Rect, spot: Spot) {
        self.0.borrow_mut().push((area, spot));
    }

    /// What lies uppermost at a place.
    pub fn at(&self, column: u16, row: u16) -> Option<Spot> {
        let here = |(area, _): &&(Rect, Spot)| area.contains(Position::new(column, row));
        self.0.borrow().iter().rev().find(here).map(|(_, spot)| spot.clone()).filter(|spot| *spot != Spot::Nothing)
    }

    /// How far down the uppermost pane can be scrolled; `None` where nothing was drawn that can.
    pub fn most(&self) -> Option<usize> {
        self.0.borrow().iter().rev().find_map(|(_, spot)| match spot {
            Spot::Scrolls(most) => Some(*most),
            _ => None,
        })
    }
}
