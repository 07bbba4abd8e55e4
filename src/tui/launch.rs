//! A new rollout being made: choose a strategy, fill it in, see the plan and its way back, go.
//!
//! Holds what was typed; what it means is compiled outside and handed back. Known weakness: it edits one document's values
//! in a list, so waves are typed as text.

use super::commands::Action;
use super::model::{Model, Place};
use super::update::Effect;
use super::widgets::field::Field;
use crate::cockpit::Intent;
use crate::strategy::{Document, Plan, Sources, StrategyKind};
use crate::units::{Service, Trouble, Version};
use crossterm::event::{KeyCode, KeyEvent};
use std::sync::Arc;

/// How far the person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Which strategy.
    Strategy,
    /// With which values.
    Details,
    /// The plan, before it goes.
    Plan,
}

/// What is being typed.
#[derive(Debug)]
pub enum Editing {
    /// The value of a key.
    Value(Field),
    /// Why it is launched.
    Reason,
}

/// What a form compiles to.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The document, as far as it could be read.
    pub document: Document,
    /// The plan.
    pub plan: Arc<Plan>,
}

/// The form.
#[derive(Debug)]
pub struct Form {
    /// What is launched.
    pub service: Service,
    /// What runs now.
    pub from: Version,
    /// The new version, as typed.
    pub to: String,
    /// How far.
    pub stage: Stage,
    /// Which strategy is chosen.
    pub kind: StrategyKind,
    /// Which row of the details is chosen; 0 is the version.
    pub row: usize,
    /// What the person set: key and text.
    pub set: Vec<(String, String)>,
    /// What is typed now.
    pub editing: Option<Editing>,
    /// Why it is launched.
    pub reason: Field,
    /// What the last reading gave; the document before it where it could not be read.
    pub compiled: Option<Compiled>,
    /// What is wrong.
    pub troubles: Vec<Trouble>,
    /// What each strategy would be here: its plan, or why it does not fit.
    pub fits: Vec<(StrategyKind, Result<Arc<Plan>, Trouble>)>,
}

impl Form {
    /// Whether a text field takes the keys.
    pub fn typing(&self) -> bool {
        self.editing.is_some()
    }

    /// Text was pasted.
    pub fn paste(&mut self, text: &str) {
        match &mut self.editing {
            Some(Editing::Value(field)) => field.paste(text),
            Some(Editing::Reason) => self.reason.paste(text),
            None => {}
        }
    }

    /// The rows of the details: key, value, where it comes from.
    pub fn rows(&self) -> Vec<(String, String, String)> {
        let mut rows = vec![("to".to_string(), self.to.clone(), if self.to.is_empty() { "missing".into() } else { "you".into() })];
        if let Some(compiled) = self.compiled.as_ref().filter(|c| c.document.strategy == self.kind) {
            for entry in compiled.document.entries.iter().filter(|e| !matches!(e.key.name, "to" | "service" | "strategy")) {
                let mine = self.set.iter().find(|(k, _)| k == entry.key.name);
                let text = mine.map_or_else(|| entry.text.clone(), |(_, t)| t.clone());
                rows.push((entry.key.name.into(), text, if mine.is_some() { "you".into() } else { entry.origin.words() }));
            }
        }
        rows
    }

    /// What is said of the rollout, for the reader of documents.
    pub fn sources(&self, kind: StrategyKind) -> Sources {
        let mut options = vec![("strategy".to_string(), kind.name().to_string())];
        if !self.to.is_empty() {
            options.push(("to".into(), self.to.clone()));
        }
        if kind == self.kind {
            options.extend(self.set.iter().cloned());
        }
        Sources { options, ..Sources::default() }
    }
}

impl Model {
    /// Opens the form for the selected service, with the newest version that does not run yet.
    pub(super) fn open_form(&mut self) -> Vec<Effect> {
        let selected = match (self.place, self.focus) {
            (Place::Fleet, super::model::Focus::Services) => self.service.clone(),
            _ => self.current().map(|r| r.status.service.clone()).or_else(|| self.service.clone()),
        };
        let Some(view) = self.snapshot.services.iter().find(|v| Some(&v.service) == selected.as_ref()) else {
            self.say("no service was seen yet", true);
            return Vec::new();
        };
        let runs = |v: &&Version| view.cells.iter().flatten().any(|c| c.version == **v || c.to.as_ref().is_some_and(|(t, _)| t == *v));
        let from = view.cells.iter().flatten().next().map_or_else(|| "?".into(), |c| c.version.clone());
        let to = view.versions.iter().find(|v| !runs(v)).map(|v| v.to_string()).unwrap_or_default();
        self.form = Some(Form {
            service: view.service.clone(),
            from,
            to,
            stage: Stage::Strategy,
            kind: StrategyKind::Canary,
            row: 0,
            set: Vec::new(),
            editing: None,
            reason: Field::default(),
            compiled: None,
            troubles: Vec::new(),
            fits: Vec::new(),
        });
        (self.place, self.full) = (Place::Launch, None);
        vec![Effect::Compile]
    }

    /// A key on the launch screen that means something of its own there; `None`: what it means everywhere.
    pub(super) fn form_command(&mut self, key: KeyEvent, action: Option<Action>) -> Option<Vec<Effect>> {
        let armed = self.armed_for().is_some() || self.snapshot.protection == crate::fleet::Protection::Open;
        let form = self.form.as_mut()?;
        let rows = form.rows();
        match (form.stage, action, key.code) {
            (Stage::Strategy, Some(Action::Down | Action::Up), _) => {
                let all = StrategyKind::ALL;
                let at = all.iter().position(|k| *k == form.kind).unwrap_or(0);
                let by = if action == Some(Action::Down) { 1 } else { -1 };
                form.kind = all[at.saturating_add_signed(by).min(all.len() - 1)];
                form.set.clear();
                form.row = 0;
                Some(vec![Effect::Compile])
            }
            (Stage::Strategy, Some(Action::Open), _) => {
                form.stage = Stage::Details;
                Some(Vec::new())
            }
            (Stage::Details, Some(Action::Down), _) => {
                form.row = (form.row + 1).min(rows.len().saturating_sub(1));
                Some(Vec::new())
            }
            (Stage::Details, Some(Action::Up), _) => {
                form.row = form.row.saturating_sub(1);
                Some(Vec::new())
            }
            (Stage::Details, Some(Action::Open), _) => {
                let text = rows.get(form.row).map(|r| r.1.clone()).unwrap_or_default();
                form.editing = Some(Editing::Value(Field::with(&text)));
                Some(Vec::new())
            }
            (Stage::Details, _, KeyCode::Char('d')) => {
                let name = rows.get(form.row).map(|r| r.0.clone()).unwrap_or_default();
                form.set.retain(|(k, _)| *k != name);
                Some(vec![Effect::Compile])
            }
            (Stage::Details, Some(Action::NextPane), _) => {
                if form.troubles.is_empty() {
                    form.stage = Stage::Plan;
                } else {
                    let first = form.troubles[0].to_string();
                    self.say(first, true);
                }
                Some(Vec::new())
            }
            (Stage::Plan, _, KeyCode::Char('w')) => {
                form.editing = Some(Editing::Reason);
                Some(Vec::new())
            }
            (Stage::Plan, Some(Action::Open), _) => {
                let Some(compiled) = form.compiled.clone().filter(|_| form.troubles.is_empty()) else {
                    self.say("there is no plan to launch: Esc, and repair the details", true);
                    return Some(Vec::new());
                };
                if !armed {
                    let text = format!(
                        "{} is safe: press {} to arm, then Enter",
                        self.snapshot.fleet,
                        self.keymap.key(Action::Arm).unwrap_or_default()
                    );
                    self.say(text, true);
                    return Some(Vec::new());
                }
                let reason = Some(form.reason.text()).filter(|r| !r.trim().is_empty());
                Some(vec![Effect::Take { intent: Intent::Launch { plan: compiled.plan, reason }, armed }])
            }
            (Stage::Plan, Some(Action::Leave), _) => {
                form.stage = Stage::Details;
                Some(Vec::new())
            }
            (Stage::Details, Some(Action::Leave), _) => {
                form.stage = Stage::Strategy;
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// A key while a field of the form takes them.
    pub(super) fn form_type(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(form) = self.form.as_mut() else { return Vec::new() };
        match (form.editing.take(), key.code) {
            (Some(_), KeyCode::Esc) | (None, _) | (Some(Editing::Reason), KeyCode::Enter) => Vec::new(),
            (Some(Editing::Value(field)), KeyCode::Enter) => {
                let text = field.text().trim().to_string();
                match form.rows().get(form.row).map(|r| r.0.clone()) {
                    Some(name) if name == "to" => form.to = text,
                    Some(name) => {
                        form.set.retain(|(k, _)| *k != name);
                        form.set.push((name, text));
                    }
                    None => {}
                }
                vec![Effect::Compile]
            }
            (Some(Editing::Value(mut field)), _) => {
                field.key(key);
                form.editing = Some(Editing::Value(field));
                Vec::new()
            }
            (Some(Editing::Reason), _) => {
                form.reason.key(key);
                form.editing = Some(Editing::Reason);
                Vec::new()
            }
        }
    }
}
