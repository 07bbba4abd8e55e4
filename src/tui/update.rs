//! A key in: the model changes, and what has to happen outside comes out as effects.

use super::commands::{Action, Danger, command, off};
use super::input::esc_and_letter;
use super::keymap::Keymap;
use super::model::{ARMED, Focus, Full, Grace, Hand, Model, Over, Place, SECOND};
use super::palette::Palette;
use super::spots::Spot;
use super::widgets::field::Field;
use crate::cockpit::Intent;
use crate::fleet::Protection;
use crate::rollout::{Phase, Verb};
use crate::units::RolloutId;
use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};

/// What has to happen outside the model.
#[derive(Debug)]
pub enum Effect {
    /// A wish, bound to its rollout when the key was pressed.
    Take {
        /// What.
        intent: Intent,
        /// Whether the person had armed.
        armed: bool,
    },
    /// The form on the launch screen has changed: compile it again.
    Compile,
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

impl Model {
    /// A key was pressed.
    pub fn key(&mut self, hand: Hand, key: KeyEvent) -> Vec<Effect> {
        self.hand = hand;
        let mut effects = self.tick(hand);
        self.last_key = hand;
        let action = self.keymap.action(key);
        if let (None, Some(keys)) = (action, esc_and_letter(key)) {
            effects.extend(keys.into_iter().flat_map(|key| self.key(hand, key)));
            return effects;
        }
        if !matches!(action, Some(Action::Quit)) {
            self.leaving = false;
        }
        // While text is typed all keys are text, but Esc and Enter; ctrl-c still leaves.
        let control = key.modifiers.contains(crossterm::event::KeyModifiers::CONTROL);
        let leaves = action == Some(Action::Quit) && control;
        if self.typing() && !leaves {
            effects.extend(self.type_key(key));
            return effects;
        }
        if let Some(over @ (Over::Help(_) | Over::Story)) = &mut self.over {
            let most = self.drawn.most();
            match (action.and_then(by), over) {
                (Some(by), Over::Help(scroll)) => *scroll = scrolled(*scroll, by, most),
                _ => match action {
                    // R is never hidden behind a page of help.
                    Some(Action::Rollback | Action::Quit) => self.over = None,
                    _ => {
                        self.over = None;
                        return effects;
                    }
                },
            }
            if self.over.is_some() {
                return effects;
            }
        }
        effects.extend(action.map(|action| self.act(action)).unwrap_or_default());
        effects
    }

    /// Text was pasted: into a field, else nowhere.
    pub fn paste(&mut self, text: &str) -> Vec<Effect> {
        match &mut self.over {
            Some(Over::Palette(p)) => p.field.paste(text),
            Some(Over::Filter(f)) => {
                f.paste(text);
                self.filter = f.text();
            }
            Some(Over::Reason { text: f, .. }) => f.paste(text),
            _ => {
                let editing = self.form.as_mut().and_then(|f| f.editing.as_mut());
                if let Some(editing) = editing {
                    editing.field.paste(text);
                    return vec![Effect::Compile];
                }
            }
        }
        Vec::new()
    }

    /// The wheel scrolls what is under the pointer; a click selects a row, opens the selected one, and presses a key of the bar.
    pub fn mouse(&mut self, hand: Hand, event: MouseEvent) -> Vec<Effect> {
        self.hand = hand;
        let spot = self.drawn.at(event.column, event.row);
        match event.kind {
            MouseEventKind::ScrollDown => self.wheel(Action::Down, spot),
            MouseEventKind::ScrollUp => self.wheel(Action::Up, spot),
            MouseEventKind::Down(MouseButton::Left) => spot.map(|spot| self.click(hand, spot)).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    fn wheel(&mut self, action: Action, spot: Option<Spot>) -> Vec<Effect> {
        let by = if action == Action::Down { 1 } else { -1 };
        match (&mut self.over, spot) {
            (Some(Over::Help(scroll)), _) => *scroll = scrolled(*scroll, by, self.drawn.most()),
            (Some(Over::Palette(palette)), _) => palette.move_by(by),
            (Some(Over::Filter(_) | Over::Reason { .. } | Over::Story), _) => {}
            (None, Some(Spot::Scrolls(most))) if self.place != Place::Launch => self.scroll = scrolled(self.scroll, by, Some(most)),
            (None, Some(Spot::Rollout(_))) => self.select(Focus::InFlight, by),
            (None, Some(Spot::Service(_))) => self.select(Focus::Services, by),
            (None, _) => return self.act(action),
        }
        Vec::new()
    }

    fn click(&mut self, hand: Hand, spot: Spot) -> Vec<Effect> {
        // A key of the bar is that key, whatever takes the keys now.
        if let Spot::Key(action) = spot {
            let key = self.keymap.event(action);
            return key.map(|key| self.key(hand, key)).unwrap_or_default();
        }
        let effects = self.tick(hand);
        self.last_key = hand;
        let enter = |model: &mut Model| model.keymap.event(Action::Open).map(|key| model.key(hand, key)).unwrap_or_default();
        let more = match spot {
            Spot::Rollout(id) if self.focus == Focus::InFlight && self.selected.as_ref() == Some(&id) => enter(self),
            Spot::Rollout(id) => {
                (self.focus, self.selected) = (Focus::InFlight, Some(id));
                Vec::new()
            }
            Spot::Service(service) if self.focus == Focus::Services && self.service.as_ref() == Some(&service) => enter(self),
            Spot::Service(service) => {
                (self.focus, self.service) = (Focus::Services, Some(service));
                Vec::new()
            }
            Spot::Command(at) => match &mut self.over {
                Some(Over::Palette(palette)) if palette.chosen != at => {
                    palette.chosen = at;
                    Vec::new()
                }
                _ => enter(self),
            },
            Spot::Strategy(_) | Spot::Detail(_) => match self.point(&spot) {
                true => vec![Effect::Compile],
                false => enter(self),
            },
            Spot::Key(_) | Spot::Scrolls(_) | Spot::Nothing => Vec::new(),
        };
        effects.into_iter().chain(more).collect()
    }

    /// Hand time has passed: a grace may have ended.
    pub fn tick(&mut self, hand: Hand) -> Vec<Effect> {
        self.hand = hand;
        if self.grace.as_ref().is_some_and(|g| g.until <= hand) { self.fire_grace() } else { Vec::new() }
    }

    /// The terminal is lost: a rollback in its grace is carried out.
    pub fn lost(&mut self) -> Vec<Effect> {
        self.fire_grace()
    }

    fn fire_grace(&mut self) -> Vec<Effect> {
        match self.grace.take() {
            Some(grace) => self.send(grace.rollout, Verb::Rollback, None),
            None => Vec::new(),
        }
    }

    fn send(&mut self, rollout: RolloutId, verb: Verb, reason: Option<String>) -> Vec<Effect> {
        self.hint = None;
        vec![Effect::Take { intent: Intent::Press { rollout, verb, reason }, armed: self.armed_for().is_some() }]
    }

    /// A key while text is typed.
    fn type_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        match (&mut self.over, key.code) {
            (Some(Over::Filter(_)), KeyCode::Esc) => {
                self.filter.clear();
                self.over = None;
            }
            (Some(Over::Filter(_)), KeyCode::Enter) => self.over = None,
            (Some(_), KeyCode::Esc) => self.over = None,
            (Some(Over::Palette(palette)), KeyCode::Enter) => {
                let chosen = palette.found().get(palette.chosen).map(|c| c.action);
                self.over = None;
                return chosen.map(|a| self.act(a)).unwrap_or_default();
            }
            (Some(Over::Palette(palette)), KeyCode::Down) => palette.move_by(1),
            (Some(Over::Palette(palette)), KeyCode::Up) => palette.move_by(-1),
            (Some(Over::Palette(palette)), KeyCode::Tab) => {
                if let Some(command) = palette.found().get(palette.chosen) {
                    palette.field = Field::with(command.name);
                    palette.chosen = 0;
                }
            }
            (Some(Over::Palette(palette)), _) => {
                if palette.field.key(key) {
                    palette.chosen = 0;
                }
            }
            (Some(Over::Filter(field)), _) => {
                field.key(key);
                self.filter = field.text();
            }
            (Some(Over::Reason { verb, rollout, text }), KeyCode::Enter) => {
                let (verb, rollout, reason) = (*verb, rollout.clone(), text.text());
                self.over = None;
                return self.send(rollout, verb, Some(reason).filter(|r| !r.trim().is_empty()));
            }
            (Some(Over::Reason { text, .. }), _) => {
                text.key(key);
            }
            _ => return self.form_type(key),
        }
        Vec::new()
    }

    /// Carries out what a key or the palette asks for.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        if self.place == Place::Launch
            && let Some(effects) = self.form_command(action)
        {
            return effects;
        }
        // A frightened hand presses R three times: what goes back already needs no answer.
        let goes_back = self.current().is_some_and(|r| matches!(r.phase, Phase::RollingBack | Phase::Back));
        if action == Action::Rollback && goes_back {
            return Vec::new();
        }
        if let Some(why) = off(action, self) {
            self.say(format!("{}: {why}", command(action).name), true);
            return Vec::new();
        }
        match action {
            Action::Rollback => return self.press_rollback(),
            Action::Pause => {
                let paused = self.current().is_some_and(|r| r.status.paused);
                return self.verb(if paused { Verb::Resume } else { Verb::Pause });
            }
            Action::Promote => return self.verb(Verb::Promote),
            Action::PromoteFull => return self.verb(Verb::PromoteFull),
            Action::Retry => return self.verb(Verb::Retry),
            Action::Abort => return self.verb(Verb::Abort),
            Action::Undo => return self.verb(Verb::Undo),
            Action::OverCapacity => return self.verb(Verb::OverCapacity),
            Action::Take => return self.verb(Verb::Take),
            Action::Skip => {
                if self.must_arm(Verb::Skip) {
                    return Vec::new();
                }
                if let Some(rollout) = self.selected.clone() {
                    self.over = Some(Over::Reason { verb: Verb::Skip, rollout, text: Field::default() });
                }
            }
            Action::StopLine => return self.stop_line(),
            Action::Arm => {
                self.armed = Some(self.hand.plus(ARMED));
            }
            Action::Launch => return self.open_form(),
            // Only the launch screen has them, and takes them before.
            Action::Service | Action::Version | Action::Default => {}
            Action::Open => self.open(),
            Action::Leave => self.leave(),
            Action::Worst => {
                let worst = self.snapshot.rollouts.first().map(|r| r.status.id.clone());
                if worst.is_some() {
                    (self.selected, self.place, self.full) = (worst, Place::Rollout, None);
                    (self.scroll, self.step) = (0, None);
                }
            }
            Action::Events => self.toggle(Full::Events),
            Action::Plan => self.toggle(Full::Plan),
            Action::Latency => self.toggle(Full::Latency),
            Action::Why => self.toggle(Full::Why),
            Action::Calm => self.calm = !self.calm,
            Action::Zoom => self.zoomed = !self.zoomed,
            Action::Filter => {
                self.place = Place::Fleet;
                self.over = Some(Over::Filter(Field::with(&self.filter)));
            }
            Action::Palette => self.over = Some(Over::Palette(Palette::default())),
            Action::Help => self.over = Some(Over::Help(0)),
            Action::Story => self.over = Some(Over::Story),
            Action::Copy => {
                let id = self.selected.clone();
                return id.map(|id| vec![Effect::Copy(format!("flightdeck rollback {id}"))]).unwrap_or_default();
            }
            Action::Up | Action::Down | Action::Top | Action::Bottom | Action::PageUp | Action::PageDown => {
                self.go(by(action).unwrap_or(0));
            }
            Action::NextPane => {
                self.focus = match self.focus {
                    Focus::InFlight => Focus::Services,
                    Focus::Services => Focus::InFlight,
                };
            }
            Action::Faster => return self.pace(2.0),
            Action::Slower => return self.pace(0.5),
            Action::Freeze => {
                if let Some(speed) = &mut self.speed {
                    speed.stopped = !speed.stopped;
                }
                return vec![Effect::Pace];
            }
            Action::Reload => return vec![Effect::Reload],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Quit => return self.quit(),
        }
        Vec::new()
    }

    /// `R` means one thing, however often it is pressed: in the grace it skips the grace, while moving it does nothing.
    fn press_rollback(&mut self) -> Vec<Effect> {
        let Some(here) = self.current() else { return Vec::new() };
        let (id, phase) = (here.status.id.clone(), here.phase);
        if matches!(phase, Phase::RollingBack | Phase::Back | Phase::RolledBack) {
            return Vec::new();
        }
        match self.grace.clone() {
            Some(grace) if grace.rollout == id => {
                if grace.pressed.until(self.hand) >= SECOND {
                    self.fire_grace()
                } else {
                    Vec::new()
                }
            }
            other => {
                let mut effects = if other.is_some() { self.fire_grace() } else { Vec::new() };
                let wait = if self.snapshot.protection == Protection::Safe { self.snapshot.grace.0 } else { 0 };
                if wait == 0 {
                    effects.extend(self.send(id, Verb::Rollback, None));
                } else {
                    self.grace = Some(Grace { rollout: id, until: self.hand.plus(wait), pressed: self.hand });
                }
                effects
            }
        }
    }

    fn verb(&mut self, verb: Verb) -> Vec<Effect> {
        if self.must_arm(verb) {
            return Vec::new();
        }
        let id = self.selected.clone();
        id.map(|id| self.send(id, verb, None)).unwrap_or_default()
    }

    /// Says how to arm, where a verb needs it and the person has not.
    fn must_arm(&mut self, verb: Verb) -> bool {
        // A pause of a moving rollback is the one pause that takes something from users.
        let stops_back = verb == Verb::Pause && self.current().is_some_and(|r| r.phase == Phase::RollingBack);
        let needs = (verb.needs_arming() || stops_back) && self.snapshot.protection == Protection::Safe;
        if needs && self.armed_for().is_none() {
            let arm = self.keymap.key(Action::Arm).unwrap_or_default();
            self.say(format!("{} is safe: press {arm} to arm, then again", self.snapshot.fleet), true);
            return true;
        }
        false
    }

    /// Holds every rollout in flight; again: resumes exactly those.
    fn stop_line(&mut self) -> Vec<Effect> {
        let stopped = self.snapshot.stopped_line.is_some();
        if stopped && self.must_arm(Verb::Resume) {
            return Vec::new();
        }
        let armed = stopped && self.armed_for().is_some();
        vec![Effect::Take { intent: if stopped { Intent::ResumeLine } else { Intent::StopLine }, armed }]
    }

    fn open(&mut self) {
        if self.place == Place::Fleet && self.focus == Focus::Services {
            let service = self.service.clone();
            let found = self.snapshot.rollouts.iter().find(|r| service.as_ref() == Some(&r.status.service));
            match found.map(|r| r.status.id.clone()) {
                Some(id) => self.selected = Some(id),
                None => {
                    let launch = self.keymap.key(Action::Launch).unwrap_or_default();
                    self.say(format!("nothing of it is in flight: {launch} launches a version"), false);
                    return;
                }
            }
        }
        if self.selected.is_some() {
            (self.place, self.full) = (Place::Rollout, None);
            (self.scroll, self.step) = (0, None);
        }
    }

    /// Esc: the grace, then what floats, then a full pane, then the filter, then the fleet. It never quits.
    fn leave(&mut self) {
        if self.grace.take().is_some() {
            self.say("rollback cancelled", false);
        } else if self.over.take().is_some() {
        } else if self.full.take().is_some() {
            self.scroll = 0;
        } else if self.place != Place::Fleet {
            (self.place, self.form) = (Place::Fleet, None);
            (self.scroll, self.step) = (0, None);
        } else {
            self.scroll = 0;
            self.filter.clear();
        }
    }

    fn toggle(&mut self, full: Full) {
        self.full = if self.full == Some(full) { None } else { Some(full) };
        self.scroll = 0;
        if full != Full::Events && self.place == Place::Fleet {
            self.place = Place::Rollout;
        }
    }

    /// Moves the selection, or scrolls a full pane as far as it goes.
    fn go(&mut self, by: isize) {
        let back = self.current().is_some_and(|r| r.status.back.is_some());
        match (self.full, self.place) {
            (None | Some(Full::Latency), Place::Rollout) if !back => self.look_at_step(by),
            (None | Some(Full::Latency), Place::Fleet) => self.select(self.focus, by),
            _ => self.scroll = scrolled(self.scroll, by, self.drawn.most()),
        }
    }

    /// Looks at another step of the rail, from the one that is flown on; above the first one at none.
    fn look_at_step(&mut self, by: isize) {
        let Some(status) = self.current().map(|r| &r.status) else { return };
        let last = status.steps.len().saturating_sub(1);
        self.step = match self.step {
            None => Some(status.step.min(last)),
            Some(at) => at.checked_add_signed(by).map(|at| at.min(last)).or((by < -1).then_some(0)),
        };
    }

    /// Moves the selection in a list of the fleet, which has the arrows from now on.
    fn select(&mut self, focus: Focus, by: isize) {
        self.focus = focus;
        match focus {
            Focus::InFlight => {
                let ids: Vec<RolloutId> = self.listed().iter().map(|r| r.status.id.clone()).collect();
                if let Some(id) = moved(&ids, self.selected.as_ref(), by) {
                    self.selected = Some(id);
                }
            }
            Focus::Services => {
                let shown = self.snapshot.services.iter().filter(|s| self.matches(&s.service.name));
                let all: Vec<_> = shown.map(|s| s.service.clone()).collect();
                if let Some(service) = moved(&all, self.service.as_ref(), by) {
                    self.service = Some(service);
                }
            }
        }
    }

    fn pace(&mut self, factor: f64) -> Vec<Effect> {
        if let Some(speed) = &mut self.speed {
            speed.factor = (speed.factor * factor).clamp(1.0, 512.0);
            speed.stopped = false;
        }
        vec![Effect::Pace]
    }

    /// Leaves; once more when a rollout is driven from here.
    fn quit(&mut self) -> Vec<Effect> {
        let driven = self.snapshot.rollouts.iter().filter(|r| r.status.flown && r.in_flight()).count();
        if driven > 0 && !self.snapshot.practice && !self.leaving {
            self.leaving = true;
            self.say(format!("{driven} driven from here: it holds without you. Press again to leave"), false);
            return Vec::new();
        }
        let mut effects = self.fire_grace();
        effects.push(Effect::Quit);
        effects
    }

    /// What a wish led to.
    pub fn answered(&mut self, intent: &Intent, result: Result<RolloutId, crate::units::Trouble>) {
        match (intent, result) {
            (Intent::Launch { .. }, Ok(id)) => {
                self.hint = None;
                (self.selected, self.place, self.full, self.form) = (Some(id), Place::Rollout, None, None);
            }
            (Intent::Press { .. }, Ok(_)) => {}
            (Intent::StopLine, Ok(_)) => {
                let line = self.snapshot.stopped_line.as_ref();
                let (held, not) = line.map_or((0, &[][..]), |line| (line.held.len(), &line.not_held));
                let not: Vec<String> = not.iter().map(|n| format!("{}: {}", n.rollout, n.why)).collect();
                let text = if not.is_empty() { "rollbacks go on".into() } else { format!("not held: {}", not.join(", ")) };
                self.say(format!("line stopped: {held} held, {text}"), !not.is_empty());
            }
            (Intent::ResumeLine, Ok(_)) => self.say("line resumed", false),
            (_, Err(trouble)) => self.say(format!("{}: {}", trouble.cause, trouble.remedy), true),
        }
    }

    /// Whether a command moves something and the fleet is not armed for it: its key is shown, and says what to do first.
    pub fn needs_arm(&self, action: Action) -> bool {
        let holds = matches!(action, Action::Pause | Action::StopLine | Action::Take);
        let forward = command(action).danger == Danger::Forward && !holds;
        forward && self.snapshot.protection == Protection::Safe && self.armed_for().is_none()
    }

    /// New keys, from the settings.
    pub fn rekey(&mut self, keymap: Keymap) {
        self.keymap = keymap;
    }
}

/// How far a key moves, in rows.
pub(super) fn by(action: Action) -> Option<isize> {
    Some(match action {
        Action::Down => 1,
        Action::Up => -1,
        Action::PageDown => 10,
        Action::PageUp => -10,
        Action::Top => isize::MIN / 2,
        Action::Bottom => isize::MAX / 2,
        _ => return None,
    })
}

/// Scrolled by so many rows from where the last frame was, which shows no more than there is. What was not drawn yet has no end.
pub(super) fn scrolled(scroll: usize, by: isize, most: Option<usize>) -> usize {
    scroll.min(most.unwrap_or(usize::MAX)).saturating_add_signed(by)
}

/// The item `by` places from the one that is selected.
fn moved<T: Clone + PartialEq>(all: &[T], selected: Option<&T>, by: isize) -> Option<T> {
    let last = all.len().checked_sub(1)?;
    let at = selected.and_then(|s| all.iter().position(|i| i == s)).unwrap_or(0);
    all.get(at.saturating_add_signed(by).min(last)).cloned()
}
