//! A new rollout being made: choose a strategy, fill it in, see the plan and its way back, go.
//!
//! Holds what was typed; what it means is compiled outside and handed back, while it is typed too. Known weakness: it edits
//! one document's values in a list, so waves are typed as text.

use super::commands::{Action, command};
use super::model::{Focus, Model, Place};
use super::spots::Spot;
use super::update::{Effect, by, scrolled};
use super::view::in_the_way;
use super::widgets::field::Field;
use crate::cockpit::{Intent, ServiceView};
use crate::fleet::Protection;
use crate::strategy::{COMMON, Document, Entry, Key, NO_EFFECT, Origin, Plan, Sources, StrategyKind, kebab, keys};
use crate::units::{Kind, Service, Trouble, Version};
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

/// What a text is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Which service.
    Service,
    /// Which version.
    Version,
    /// The value of a key.
    Value(&'static Key),
    /// Why it is launched.
    Reason,
}

/// A text being typed.
#[derive(Debug)]
pub struct Editing {
    /// What for.
    pub what: Typed,
    /// The text.
    pub field: Field,
}

/// What a form compiles to.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The document.
    pub document: Document,
    /// The plan.
    pub plan: Arc<Plan>,
}

/// A row of the details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which key.
    pub key: &'static Key,
    /// Its value; empty where it is left out.
    pub text: String,
    /// Whether the person set it.
    pub mine: bool,
    /// Whether an annotation on the service gave it.
    pub annotated: bool,
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
    /// The newest version, where it runs nowhere yet; else empty.
    pub newest: String,
    /// How far.
    pub stage: Stage,
    /// Which strategy is chosen.
    pub kind: StrategyKind,
    /// Which row of the details is chosen; the one behind the last goes on to the plan.
    pub row: usize,
    /// The plan is scrolled down so far.
    pub scroll: usize,
    /// What its owners wrote on it about how it is rolled out.
    pub annotations: Vec<(String, String)>,
    /// What the person set: for which strategy, key and text.
    pub set: Vec<(StrategyKind, &'static str, String)>,
    /// The values of the chosen strategy with who gave them, where the document could be read.
    pub given: Vec<Entry>,
    /// What is typed now.
    pub editing: Option<Editing>,
    /// Why it is launched.
    pub reason: String,
    /// What the values give; nothing where something is wrong.
    pub compiled: Option<Compiled>,
    /// What is wrong.
    pub troubles: Vec<Trouble>,
    /// What each strategy would be here: its plan, or why it does not fit.
    pub fits: Vec<(StrategyKind, Result<Arc<Plan>, Trouble>)>,
}

impl Form {
    /// A form for a service, with the newest version that does not run yet.
    pub fn of(view: &ServiceView) -> Form {
        Form {
            service: view.service.clone(),
            from: view.cells.iter().flatten().next().map_or_else(|| "?".into(), |c| c.version.clone()),
            to: newest(view),
            newest: newest(view),
            stage: Stage::Strategy,
            kind: annotated_kind(view).unwrap_or(StrategyKind::Canary),
            row: 0,
            scroll: 0,
            annotations: view.annotations.clone(),
            set: Vec::new(),
            given: Vec::new(),
            editing: None,
            reason: String::new(),
            compiled: None,
            troubles: Vec::new(),
            fits: Vec::new(),
        }
    }

    /// The text that is typed for something now.
    pub fn typed(&self, what: Typed) -> Option<&Field> {
        self.editing.as_ref().filter(|e| e.what == what).map(|e| &e.field)
    }

    /// The rows of the details: the version, the strategy's own keys, those of every document.
    pub fn rows(&self) -> Vec<Row> {
        let (to, rest): (Vec<&'static Key>, Vec<_>) = COMMON.iter().filter(|k| k.name != "service").partition(|k| k.name == "to");
        let shown = rest.into_iter().filter(|k| !NO_EFFECT.contains(&k.name));
        to.into_iter().chain(keys(self.kind)).chain(shown).map(|key| self.row_of(key)).collect()
    }

    fn row_of(&self, key: &'static Key) -> Row {
        let usual = || if key.usual { key.value.to_owned() } else { String::new() };
        let annotated = |e: &&Entry| e.key.name == key.name && e.origin == Origin::Annotation;
        let given = self.given.iter().find(annotated).map(|e| e.text.clone());
        match (key.name, self.set_for(self.kind).find(|(name, _)| *name == key.name)) {
            ("to", _) => Row { key, text: self.to.clone(), mine: self.to != self.newest, annotated: false },
            (_, Some((_, text))) => Row { key, text: text.to_owned(), mine: true, annotated: false },
            (_, None) => Row { key, mine: false, annotated: given.is_some(), text: given.unwrap_or_else(usual) },
        }
    }

    /// What is wrong with the value of a key.
    pub fn wrong(&self, key: &Key) -> Option<&Trouble> {
        let option = format!("--{}", kebab(key.name));
        let annotation = |name: &str| name.strip_prefix("annotation deployment.").is_some_and(|n| n.rsplit('.').next() == Some(key.name));
        self.troubles.iter().find(|t| t.place.name == option || annotation(&t.place.name))
    }

    /// What the person set for a strategy: what was set for another one counts where the key is one of every document.
    fn set_for(&self, kind: StrategyKind) -> impl Iterator<Item = (&'static str, &str)> {
        let common = |name: &str| COMMON.iter().any(|k| k.name == name);
        self.set.iter().filter(move |(k, name, _)| *k == kind || common(name)).map(|(_, name, text)| (*name, text.as_str()))
    }

    /// Sets a key, or lets go of it.
    fn put(&mut self, key: &'static str, text: Option<String>) {
        let kind = self.kind;
        let common = COMMON.iter().any(|k| k.name == key);
        self.set.retain(|(k, name, _)| *name != key || *k != kind && !common);
        self.set.extend(text.map(|text| (kind, key, text)));
    }

    /// What is said of the rollout, for the reader of documents; what is being typed counts already.
    pub fn sources(&self, kind: StrategyKind) -> Sources {
        let typed = self.editing.as_ref().map(|e| (e.what, e.field.text().trim().to_owned()));
        let to = match &typed {
            Some((Typed::Version, text)) => text,
            _ => &self.to,
        };
        let mut options = vec![("strategy".to_owned(), kind.name().to_owned())];
        options.extend(Some(to).filter(|t| !t.is_empty()).map(|to| ("to".to_owned(), to.clone())));
        options.extend(self.set_for(kind).map(|(key, text)| (key.to_owned(), text.to_owned())));
        if let Some((Typed::Value(key), text)) = &typed
            && kind == self.kind
        {
            options.retain(|(name, _)| name != key.name);
            // An empty text leaves it as it is by itself.
            options.extend(Some(text).filter(|t| !t.is_empty()).map(|text| (key.name.to_owned(), text.clone())));
        }
        Sources { options, annotations: self.annotations.clone(), ..Sources::default() }
    }

    /// Why the chosen strategy cannot be flown here.
    pub fn unfit(&self) -> Option<&Trouble> {
        self.fits.iter().find(|(k, _)| *k == self.kind).and_then(|(_, fit)| fit.as_ref().err())
    }

    fn edit(&mut self, what: Typed, text: &str) {
        self.editing = Some(Editing { what, field: Field::with(text) });
    }

    /// Chooses another row of the details, up to the one behind the last.
    fn go_on(&mut self, by: isize) {
        if self.stage == Stage::Details {
            self.row = self.row.saturating_add_signed(by).min(self.rows().len());
        }
    }

    fn edit_row(&mut self) -> bool {
        let Some(row) = self.rows().into_iter().nth(self.row) else { return false };
        self.edit(if row.key.name == "to" { Typed::Version } else { Typed::Value(row.key) }, &row.text);
        true
    }
}

/// The strategy that the owners of a service wrote on it.
fn annotated_kind(view: &ServiceView) -> Option<StrategyKind> {
    let (_, name) = view.annotations.iter().find(|(name, _)| name == "deployment.strategy")?;
    StrategyKind::ALL.into_iter().find(|kind| kind.name() == name.trim())
}

/// The newest version, where it runs nowhere yet; else empty: an older one is never meant by itself.
fn newest(view: &ServiceView) -> String {
    let runs = |v: &&Version| view.cells.iter().flatten().any(|c| c.version == **v || c.to.as_ref().is_some_and(|(t, _)| t == *v));
    view.versions.first().filter(|v| !runs(v)).map(Version::to_string).unwrap_or_default()
}

impl Model {
    /// Opens the form for the selected service; for another one where that is in flight and nobody pointed at it.
    pub(super) fn open_form(&mut self) -> Vec<Effect> {
        let flying = |s: &Service| self.snapshot.rollouts.iter().any(|r| r.status.service == *s && r.in_flight());
        let listed = self.place == Place::Fleet && self.focus == Focus::Services;
        let pointed = self.current().map(|r| &r.status.service).filter(|s| !listed && (self.place != Place::Fleet || !flying(s)));
        let service = pointed.or(self.service.as_ref().filter(|s| listed || !flying(s)));
        let views = &self.snapshot.services;
        let found = service.and_then(|s| views.iter().find(|v| v.service == *s));
        let Some(view) = found.or_else(|| views.iter().find(|v| !flying(&v.service))).or(views.first()) else {
            self.say("no service was seen yet", true);
            return Vec::new();
        };
        self.form = Some(Form::of(view));
        (self.place, self.full) = (Place::Launch, None);
        vec![Effect::Compile]
    }

    /// The service that the form is for, as it is now.
    pub(super) fn form_view(&self) -> Option<&ServiceView> {
        let form = self.form.as_ref()?;
        self.snapshot.services.iter().find(|v| v.service == form.service)
    }

    /// A command that means something of its own on the launch screen; `None`: what it means everywhere.
    pub(super) fn form_command(&mut self, action: Action) -> Option<Vec<Effect>> {
        if self.grace.is_some() && action == Action::Leave || self.full.is_some() {
            return None;
        }
        let form = self.form.as_mut()?;
        // Only the wheel comes here while text is typed.
        if form.editing.is_some() {
            return Some(Vec::new());
        }
        let by = by(action);
        match (form.stage, action) {
            (Stage::Strategy, _) if by.is_some() => {
                let all = StrategyKind::ALL;
                let at = all.iter().position(|k| *k == form.kind).unwrap_or(0);
                form.kind = all[at.saturating_add_signed(by.unwrap_or(0)).min(all.len() - 1)];
                form.row = 0;
            }
            (Stage::Details, _) if by.is_some() => {
                form.go_on(by.unwrap_or(0));
                return Some(Vec::new());
            }
            (Stage::Plan, _) if by.is_some() => {
                form.scroll = scrolled(form.scroll, by.unwrap_or(0), self.drawn.most());
                return Some(Vec::new());
            }
            (Stage::Strategy, Action::Service) => {
                let name = form.service.name.to_string();
                form.edit(Typed::Service, &name);
            }
            (Stage::Strategy | Stage::Details, Action::Version) => {
                form.row = 0;
                let to = form.to.clone();
                form.edit(Typed::Version, &to);
            }
            (Stage::Strategy, Action::Open | Action::NextPane) => self.show_details(),
            (Stage::Details, Action::Open) => {
                if !form.edit_row() {
                    self.show_plan();
                }
            }
            (Stage::Details, Action::NextPane) => self.show_plan(),
            (Stage::Strategy | Stage::Details, Action::Plan) => self.show_plan(),
            (Stage::Details, Action::Default) => match form.rows().get(form.row).map(|r| r.key.name) {
                Some("to") => form.to = form.newest.clone(),
                Some(key) => form.put(key, None),
                None => {}
            },
            (Stage::Plan, Action::Why) => {
                let reason = form.reason.clone();
                form.edit(Typed::Reason, &reason);
            }
            (Stage::Plan, Action::Open) => return Some(self.go_up()),
            (Stage::Plan, Action::Launch) => {
                let enter = self.keymap.key(Action::Open).unwrap_or_default();
                self.say(format!("{enter} launches"), false);
            }
            (Stage::Plan, Action::Leave) => form.stage = Stage::Details,
            (Stage::Details, Action::Leave) => form.stage = Stage::Strategy,
            // Off on this screen, or opening what is open.
            (_, Action::Launch | Action::NextPane | Action::Plan) => {}
            _ => return None,
        }
        Some(vec![Effect::Compile])
    }

    /// Chooses what was pointed at; `false`: it was chosen already, or something is typed.
    pub(super) fn point(&mut self, spot: &Spot) -> bool {
        let Some(form) = self.form.as_mut().filter(|f| f.editing.is_none()) else { return false };
        match spot {
            Spot::Strategy(kind) if form.kind != *kind => (form.kind, form.row) = (*kind, 0),
            Spot::Detail(row) if form.row != *row => form.row = *row,
            _ => return false,
        }
        true
    }

    fn show_details(&mut self) {
        let Some(form) = self.form.as_mut() else { return };
        if form.to.is_empty() {
            form.edit(Typed::Version, "");
            self.say("which version? Type its tag, or take one that is known with the arrows", false);
        } else if let Some(trouble) = form.unfit().filter(|t| t.kind == Kind::Refused) {
            let text = format!("{}: {}", trouble.cause, trouble.remedy);
            self.say(text, true);
        } else {
            (form.stage, form.row) = (Stage::Details, form.row.max(1));
        }
    }

    /// Goes on to the plan, or to the first row that is in the way.
    fn show_plan(&mut self) {
        let Some(form) = self.form.as_mut() else { return };
        let Some(trouble) = form.troubles.first() else {
            (form.stage, form.scroll) = (Stage::Plan, 0);
            return;
        };
        let text = format!("{}: {}", trouble.cause, trouble.remedy);
        if let Some(row) = form.rows().iter().position(|r| form.wrong(r.key).is_some()) {
            (form.row, form.stage) = (row, Stage::Details);
        }
        self.say(text, true);
    }

    /// Launches what is on the screen.
    fn go_up(&mut self) -> Vec<Effect> {
        let armed = self.armed_for().is_some() || self.snapshot.protection == Protection::Open;
        let Some(form) = &self.form else { return Vec::new() };
        let Some(compiled) = &form.compiled else {
            self.say("there is no plan to launch: go back, and repair the details", true);
            return Vec::new();
        };
        if let Some(says) = in_the_way(&compiled.plan, &self.snapshot) {
            self.say(format!("cannot be launched now: {says}"), true);
            return Vec::new();
        }
        if !armed {
            let key = |action| self.keymap.key(action).unwrap_or_else(|| command(action).name.to_owned());
            let text = format!("{} is safe: press {} to arm, then {}", self.snapshot.fleet, key(Action::Arm), key(Action::Open));
            self.say(text, true);
            return Vec::new();
        }
        let reason = Some(form.reason.trim().to_owned()).filter(|r| !r.is_empty());
        vec![Effect::Take { intent: Intent::Launch { plan: compiled.plan.clone(), reason }, armed }]
    }

    /// A key while a field of the form takes them.
    pub(super) fn form_type(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(Editing { what, mut field }) = self.form.as_mut().and_then(|f| f.editing.take()) else { return Vec::new() };
        match key.code {
            KeyCode::Esc => {}
            KeyCode::Enter => self.keep(what, field, 1),
            // A value has nothing to choose from: the arrows take it and go on.
            KeyCode::Down if matches!(what, Typed::Value(_)) => self.keep(what, field, 1),
            KeyCode::Up if matches!(what, Typed::Value(_)) => self.keep(what, field, -1),
            _ => {
                match key.code {
                    KeyCode::Down => self.next_choice(what, &mut field, 1),
                    KeyCode::Up => self.next_choice(what, &mut field, -1),
                    KeyCode::Tab => {
                        let typed = field.text();
                        if let Some(meant) = self.choices(what).into_iter().find(|c| c.contains(typed.trim())) {
                            field = Field::with(&meant);
                        }
                    }
                    _ => {
                        field.key(key);
                    }
                }
                if let Some(form) = &mut self.form {
                    form.editing = Some(Editing { what, field });
                }
            }
        }
        vec![Effect::Compile]
    }

    /// Takes what was typed, and in the details goes on by so many rows; what is wrong keeps its row, which says why.
    fn keep(&mut self, what: Typed, field: Field, by: isize) {
        let text = field.text().trim().to_owned();
        let named = |v: &&ServiceView| *v.service.name == *text;
        let view = self.snapshot.services.iter().find(named).cloned();
        let Some(form) = &mut self.form else { return };
        match (what, view) {
            (Typed::Service, Some(view)) if view.service == form.service => {}
            (Typed::Service, Some(view)) => {
                let (kind, set) = (form.kind, std::mem::take(&mut form.set));
                *form = Form { kind, set, ..Form::of(&view) };
            }
            (Typed::Service, None) => {
                form.editing = Some(Editing { what, field });
                self.say(format!("there is no service {text}: the arrows go through those there are"), true);
            }
            (Typed::Version, _) => {
                form.to = text;
                form.go_on(by);
            }
            (Typed::Value(key), _) => {
                form.put(key.name, Some(text).filter(|t| !t.is_empty()));
                if form.wrong(key).is_none() {
                    form.go_on(by);
                }
            }
            (Typed::Reason, _) => form.reason = text,
        }
    }

    /// What can be taken instead of typed.
    pub(super) fn choices(&self, what: Typed) -> Vec<String> {
        match what {
            Typed::Service => self.snapshot.services.iter().map(|v| v.service.name.to_string()).collect(),
            Typed::Version => self.form_view().map(|v| v.versions.iter().map(Version::to_string).collect()).unwrap_or_default(),
            Typed::Value(_) | Typed::Reason => Vec::new(),
        }
    }

    fn next_choice(&self, what: Typed, field: &mut Field, by: isize) {
        let all = self.choices(what);
        let at = all.iter().position(|c| *c == field.text().trim());
        let next = at.map_or(0, |at| at.saturating_add_signed(by)).min(all.len().saturating_sub(1));
        if let Some(text) = all.get(next) {
            *field = Field::with(text);
        }
    }
}
