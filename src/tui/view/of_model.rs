//! A view of the model: what is listed, and what each key is now.

use super::{Bound, View};
use crate::cockpit::{RolloutView, ServiceView};
use crate::tui::commands::{Action, COMMANDS, off};
use crate::tui::model::{Model, Over};
use crate::units::Span;

/// What a view borrows beside the model itself.
#[derive(Debug)]
pub struct Shown<'a> {
    rollouts: Vec<&'a RolloutView>,
    services: Vec<&'a ServiceView>,
    keys: Vec<Bound>,
    speed: Option<String>,
}

impl<'a> Shown<'a> {
    /// What the model lists, and every key with whether it works now.
    pub fn of(model: &'a Model) -> Shown<'a> {
        let bound = |action: Action| {
            // A verb that needs arming first is as good as off in a bar.
            let live = off(action, model).is_none() && !model.needs_arm(action);
            Some(Bound { action, key: model.keymap.key(action)?, live })
        };
        Shown {
            rollouts: model.listed(),
            services: model.snapshot.services.iter().filter(|s| model.matches(&s.service.name)).collect(),
            keys: COMMANDS.iter().filter_map(|c| bound(c.action)).collect(),
            speed: model.speed.map(|s| if s.stopped { "stopped".into() } else { format!("×{}", s.factor) }),
        }
    }
}

impl<'a> View<'a> {
    /// The view of a model; `shown` is made of the same.
    pub fn of(model: &'a Model, shown: &'a Shown<'a>, reduce_motion: bool) -> View<'a> {
        View {
            snapshot: &model.snapshot,
            place: model.place,
            full: model.full,
            scroll: model.scroll,
            step: model.step,
            selected: model.selected.as_ref(),
            service: model.service.as_ref(),
            focus: model.focus,
            rollouts: &shown.rollouts,
            services: &shown.services,
            filter: &model.filter,
            typed: if let Some(Over::Filter(field)) = &model.over { Some(field) } else { None },
            typing: model.typing(),
            armed: model.armed.filter(|until| *until > model.hand).map(|until| Span(model.hand.until(until))),
            grace: model.grace.as_ref().map(|g| (&g.rollout, Span(model.hand.until(g.until)))),
            unfolded: model.calm,
            zoomed: model.zoomed,
            speed: shown.speed.as_deref(),
            hint: model.hint.as_deref(),
            reduce_motion,
            over: model.over.as_ref(),
            form: model.form.as_ref(),
            keys: &shown.keys,
        }
    }
}
