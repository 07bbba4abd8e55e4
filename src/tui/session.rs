//! The model and the world together, without a terminal: keys in, a picture out. The terminal's loop drives it by the clock,
//! key scripts by virtual time.

use super::launch::Compiled;
use super::model::{Hand, Model, Place};
use super::update::Effect;
use crate::cockpit::World;
use crate::strategy::{Document, Plan, StrategyKind, compile};
use crate::units::{Kind, Person, Place as Where, Time, Trouble, Version};
use crossterm::event::{KeyEvent, MouseEvent};
use std::sync::Arc;

/// What only the terminal's loop can do.
#[derive(Debug, PartialEq)]
pub enum Outside {
    /// The speed of practice has changed.
    Pace,
    /// Copy a text.
    Copy(String),
    /// Read keys and theme again.
    Reload,
    /// Give the terminal back for a while.
    Suspend,
    /// Leave.
    Quit,
}

/// A person at a world.
pub struct Session {
    /// What is known and flown.
    pub world: World,
    /// What the screen knows.
    pub model: Model,
    person: Person,
    /// There is a picture that nobody was told of.
    news: bool,
    /// Hand time, when somebody was last told.
    told: Hand,
}

impl Session {
    /// A session over a world that has made its first step.
    pub fn new(world: World, model: Model, person: Person) -> Session {
        Session { world, model, person, news: false, told: Hand(0) }
    }

    /// A key was pressed.
    pub fn key(&mut self, hand: Hand, key: KeyEvent) -> Vec<Outside> {
        let effects = self.model.key(hand, key);
        self.carry_out(effects)
    }

    /// Text was pasted.
    pub fn paste(&mut self, text: &str) -> Vec<Outside> {
        let effects = self.model.paste(text);
        self.carry_out(effects)
    }

    /// The mouse did something.
    pub fn mouse(&mut self, hand: Hand, event: MouseEvent) -> Vec<Outside> {
        let effects = self.model.mouse(hand, event);
        self.carry_out(effects)
    }

    /// Hand time has passed.
    pub fn tick(&mut self, hand: Hand) -> Vec<Outside> {
        let effects = self.model.tick(hand);
        self.carry_out(effects)
    }

    /// The terminal is lost: what was meant is carried out.
    pub fn lost(&mut self) {
        let effects = self.model.lost();
        self.carry_out(effects);
    }

    /// Fleet time has come to `now`. `true`: the screen is another one than when this was last asked.
    pub fn advance(&mut self, now: Time, hand: Hand) -> bool {
        self.world.run_until(now);
        self.look(hand);
        // The moment of a countdown or toast comes without a new picture.
        self.model.hand = hand;
        let told = std::mem::replace(&mut self.told, hand);
        std::mem::take(&mut self.news) | self.model.shows_time_since(told)
    }

    /// Takes the newest picture.
    fn look(&mut self, hand: Hand) {
        let snapshot = self.world.snapshot();
        if Arc::ptr_eq(&snapshot, &self.model.snapshot) {
            return;
        }
        self.news = true;
        self.model.show(snapshot, hand);
        self.world.look(self.model.looks_at());
        // What is launched is what is on the screen, so the plan there keeps up with the fleet.
        if self.model.place == Place::Launch && self.model.form.as_ref().is_some_and(|f| f.editing.is_none()) {
            self.compile();
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Vec<Outside> {
        let mut outside = Vec::new();
        for effect in effects {
            match effect {
                Effect::Take { intent, armed } => {
                    let result = self.world.take(self.world.now(), intent.clone(), &self.person, armed);
                    let hand = self.model.hand;
                    self.look(hand);
                    self.model.answered(&intent, result);
                }
                Effect::Compile => self.compile(),
                Effect::Pace => outside.push(Outside::Pace),
                Effect::Copy(text) => outside.push(Outside::Copy(text)),
                Effect::Reload => outside.push(Outside::Reload),
                Effect::Suspend => outside.push(Outside::Suspend),
                Effect::Quit => outside.push(Outside::Quit),
            }
        }
        outside
    }

    /// Compiles what the form says, and what each other strategy would be here.
    fn compile(&mut self) {
        let Some(form) = &self.model.form else { return };
        let compiled: Vec<(StrategyKind, Result<Compiled, Vec<Trouble>>)> =
            StrategyKind::ALL.into_iter().map(|kind| (kind, self.compile_as(kind))).collect();
        let kind = form.kind;
        let Some(form) = &mut self.model.form else { return };
        form.fits = compiled.iter().map(|(k, r)| (*k, r.as_ref().map(|c| c.plan.clone()).map_err(|t| first(t)))).collect();
        form.given = compiled
            .iter()
            .find(|(k, _)| *k == kind)
            .and_then(|(_, r)| r.as_ref().ok())
            .map(|c| c.document.entries.clone())
            .unwrap_or_default();
        (form.compiled, form.troubles) = match compiled.into_iter().find(|(k, _)| *k == kind) {
            Some((_, Ok(compiled))) => (Some(compiled), Vec::new()),
            Some((_, Err(troubles))) => (None, troubles),
            None => (None, Vec::new()),
        };
    }

    fn compile_as(&self, kind: StrategyKind) -> Result<Compiled, Vec<Trouble>> {
        let Some(form) = &self.model.form else { return Err(Vec::new()) };
        let mut document = Document::read(&form.sources(kind))?;
        document.warnings.extend(self.world.annotations(&form.service).1);
        let to = document.to.clone().unwrap_or_default();
        if to.is_empty() {
            let place = Where::named("--to");
            return Err(vec![Trouble::new(
                Kind::Usage,
                place,
                "no version is named",
                "write a tag such as v42, or @sha256: and the digest",
            )]);
        }
        self.world.everywhere(&document).map_err(|t| vec![t])?;
        let legs = self.world.legs(&form.service, &to, document.container.as_deref()).map_err(|t| vec![t])?;
        let plan: Plan = compile(&document, &legs, &form.service, &Version::new(&to))?;
        Ok(Compiled { document, plan: Arc::new(plan) })
    }
}

fn first(troubles: &[Trouble]) -> Trouble {
    let none = || Trouble::new(Kind::Document, Where::default(), "it does not fit here", "");
    troubles.first().cloned().unwrap_or_else(none)
}
