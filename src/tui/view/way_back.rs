//! The R line: what going back would do, always in the same place, whatever the state.

use super::words::{self, share, version};
use super::{FULL, View};
use crate::cockpit::RolloutView;
use crate::rollout::{BackStatus, Mood, Readiness, RollbackKind, RollbackPlan};
use crate::tui::commands::Action;
use crate::tui::format;
use crate::tui::glyphs::Sign;
use crate::tui::pen::{Bit, dim, key, shorten, sign, strong, text};
use crate::tui::theme::Role;
use crate::tui::widgets::facts::{Fact, Facts, Spacing};
use crate::units::{Percent, count};

/// How the line is written.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// Columns of the screen.
    pub width: u16,
    /// No line above says which service it is.
    pub named: bool,
}

impl Form {
    pub fn full(self) -> bool {
        self.width >= FULL
    }
    pub fn spacing(self) -> Spacing {
        Spacing::at(self.width)
    }
}

/// The line for a rollout that does not move back.
pub(super) fn line<'a>(r: &'a RolloutView, view: &View<'a>, form: Form) -> Facts<'a> {
    let plan = &r.status.rollback;
    let failing = matches!(r.status.mood, Mood::Failing { .. });
    let state = state(plan, view);
    let mut line = Facts { head: head(view, failing, state), left: Vec::new(), right: Vec::new(), spacing: form.spacing() };
    let why = if view.snapshot.readonly { "this is read only" } else { why(plan) };
    match state {
        State::Ready | State::Slow | State::Partly => {
            line.left.push(Fact::new(0, target(r, form, failing)));
            line.left.extend(readiness(r, view, state, form));
            line.left.extend(left_behind(plan, form));
        }
        State::Denied => {
            line.left.push(Fact::new(0, [text(why)]));
            line.left.extend(view.live(Action::Copy).map(|k| Fact::new(2, [key(k), dim(" copy the command")])));
        }
        State::Off => line.left.push(Fact::new(0, [dim(why)])),
    }
    if plan.never_seen_healthy && !matches!(state, State::Denied | State::Off) {
        line.left.push(Fact::new(1, [Bit::new(Role::Warn, format!("{} was never seen healthy", version(&plan.target)))]));
    }
    line.right.extend(right(r, view, state, form));
    line
}

/// The line where nothing can be taken back because nothing is in flight.
pub(super) fn nothing<'a>(view: &View<'a>, form: Form) -> Facts<'a> {
    Facts {
        head: head(view, false, State::Off),
        left: vec![Fact::new(0, [dim("nothing in flight, nothing to take back")])],
        right: Vec::new(),
        spacing: form.spacing(),
    }
}

/// The line in the grace: the same key acts now, and another one calls it off.
pub(super) fn grace<'a>(view: &View<'a>, form: Form) -> Facts<'a> {
    let rollback = view.key(Action::Rollback, "R");
    let cancel = view.key(Action::Leave, "Esc");
    Facts {
        head: vec![key(rollback), strong(" now")],
        left: vec![Fact::new(0, [key(cancel), strong(" cancel")])],
        right: Vec::new(),
        spacing: Spacing { tab: None, ..form.spacing() },
    }
}

/// The line while it moves back: what else can be done, each by another key.
pub(super) fn moving<'a>(r: &'a RolloutView, back: &'a BackStatus, view: &View<'a>, form: Form) -> Facts<'a> {
    let needs_arming = arming(view);
    let mut line = Facts { head: Vec::new(), left: Vec::new(), right: Vec::new(), spacing: Spacing { tab: None, ..form.spacing() } };
    let rollback = view.key(Action::Rollback, "R");
    let hold = view.bound(Action::Pause).map(|b| b.key.as_str());
    match (r.status.paused, hold) {
        (true, _) => line.head.extend([key(rollback), strong(" goes on")]),
        (false, Some(hold)) => line.head.extend([key(hold), strong(format!(" hold here{needs_arming}"))]),
        (false, None) => line.head.push(strong(format!("{rollback}  was pressed"))),
    }
    let silent = silent(r);
    if let Some(leg) = silent.first() {
        line.left.push(Fact::new(0, [strong("follows when it answers")]));
        line.left.extend(leg.seen.map(|seen| Fact::new(2, [text(format!("last seen {} on {}", share(seen), version(&r.status.to)))])));
    } else if back.can < Percent::ALL
        && let Some(bound) = view.bound(Action::OverCapacity)
    {
        let rest = words::about(back.can.rest());
        let words = if form.full() {
            format!(" move the last {rest} too, over capacity{needs_arming}")
        } else {
            format!(" the last {rest} too{needs_arming}")
        };
        line.left.push(Fact::new(1, [key(bound.key.as_str()), strong(words)]));
    }
    line.left.extend(left_behind(&r.status.rollback, form));
    line
}

/// The line when it is back: the undo, while there is one, and what it cost.
pub(super) fn back<'a>(r: &'a RolloutView, back: Option<&'a BackStatus>, view: &View<'a>, form: Form) -> Facts<'a> {
    let mut line = Facts { head: Vec::new(), left: Vec::new(), right: Vec::new(), spacing: Spacing { tab: None, ..form.spacing() } };
    let to = version(&r.status.to);
    match back.and_then(|b| b.undo_until) {
        Some(until) => {
            let needs_arming = arming(view);
            let undo = view.key(Action::Undo, "u");
            line.head.extend([key(undo), strong(" undo")]);
            line.left.push(Fact::new(1, [strong(format!("until {} while {to} runs{needs_arming}", format::hour_minute(until)))]));
        }
        None => line.left.push(Fact::new(1, [strong(format!("launch {to} again to try it again"))])),
    }
    let failed = r.verdict.failed.round() as u64;
    if failed > 0 {
        line.left.push(Fact::new(3, [text(format!("{} failed on {to}", words::requests(failed)))]));
    }
    line.left.extend(left_behind(&r.status.rollback, form).filter(|f| f.rank == 0));
    line
}

/// Legs that do not answer.
pub(super) fn silent(r: &RolloutView) -> Vec<&crate::rollout::LegStatus> {
    r.status.legs.iter().filter(|l| l.silent_since.is_some()).collect()
}

/// What a verb that needs arming says beside it where nothing is armed.
fn arming(view: &View<'_>) -> String {
    if view.unarmed() { format!(" (needs {})", view.key(Action::Arm, "A")) } else { String::new() }
}

/// The five states of the line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Slow,
    Partly,
    Denied,
    Off,
}

fn state(plan: &RollbackPlan, view: &View<'_>) -> State {
    match &plan.readiness {
        _ if view.snapshot.readonly => State::Off,
        Readiness::Ready => State::Ready,
        Readiness::Slow { .. } => State::Slow,
        Readiness::Partly { .. } => State::Partly,
        Readiness::Denied { .. } => State::Denied,
        Readiness::Off { .. } => State::Off,
    }
}

fn why(plan: &RollbackPlan) -> &str {
    match &plan.readiness {
        Readiness::Ready => "",
        Readiness::Slow { why } | Readiness::Partly { why } | Readiness::Denied { why } | Readiness::Off { why } => why,
    }
}

/// The key and the state: `R ● ready`; on a strip the key with its verb, `R  ROLL BACK`.
fn head<'a>(view: &View<'a>, calling: bool, state: State) -> Vec<Bit<'a>> {
    let bound = view.key(Action::Rollback, "R");
    let pressed = if view.typing { format!("Esc {bound}") } else { bound.to_owned() };
    let works = !matches!(state, State::Denied | State::Off);
    if calling {
        return match state {
            State::Denied => vec![strong(format!("{pressed}  DENIED"))],
            State::Off => vec![strong(format!("{pressed}  OFF"))],
            _ => vec![key(format!("{pressed}  ROLL BACK"))],
        };
    }
    let (mark, word, role) = match state {
        State::Ready => (Sign::Ok, "ready", Role::Strong),
        State::Slow => (Sign::Look, "slow", Role::Warn),
        State::Partly => (Sign::Unknown, "partly", Role::Unknown),
        State::Denied => (Sign::Off, "denied", Role::Off),
        State::Off => (Sign::Off, "off", Role::Off),
    };
    let mut head = if works { vec![key(pressed), text(" ")] } else { vec![Bit::new(Role::Off, pressed), text("  ")] };
    head.extend([sign(mark), text(" "), Bit::new(role, word)]);
    head
}

/// What would move, and where: `3 regions back to v41`.
fn target<'a>(r: &'a RolloutView, form: Form, failing: bool) -> Vec<Bit<'a>> {
    let plan = &r.status.rollback;
    let to = version(&plan.target);
    let all = plan.moves.len();
    let reached = plan.moves.iter().filter(|m| m.reachable).count();
    let place = match plan.moves.as_slice() {
        [one] => shorten(one.leg.as_str(), 20).into_owned(),
        _ if reached < all => format!("{reached} of {}", words::regions(all)),
        _ => words::regions(all),
    };
    let name = if form.named && form.full() { format!("{}: ", shorten(&r.status.service.name, 24)) } else { String::new() };
    let (what, after) = match plan.kind {
        _ if all == 0 => ("nothing has changed yet: ends it".to_owned(), ""),
        RollbackKind::RemoveNew => {
            let pods: u32 = r.status.legs.iter().filter_map(|l| l.new_pods.as_ref()).map(|p| p.exist).sum();
            let new = version(&r.status.to);
            let words = match (pods, form.full()) {
                (0, _) => format!("no traffic on {new} yet: ends it"),
                (n, true) => format!("no traffic on {new} yet: removes {}", count(n, "pod")),
                (n, false) => format!("removes {} of {new}", count(n, "pod")),
            };
            (words, "")
        }
        RollbackKind::SwitchBack if form.full() => (format!("{place} back to "), ""),
        RollbackKind::TemplateBack if form.full() => (format!("{place} back to "), ", pod by pod"),
        RollbackKind::SwitchBack | RollbackKind::TemplateBack => (format!("{place} to "), ""),
    };
    let named = what.ends_with("to ");
    let mut bits = vec![dim(name + &what)];
    if named {
        bits.extend([Bit::new(if failing { Role::Strong } else { Role::Text }, to), dim(after)]);
    }
    bits
}

/// Pods, how much at once, how long, and why it is not at its best.
fn readiness<'a>(r: &'a RolloutView, view: &View<'_>, state: State, form: Form) -> Vec<Fact<'a>> {
    let plan = &r.status.rollback;
    let since = |l: &crate::rollout::LegStatus| Some(format::age(view.snapshot.now.since(l.silent_since?)));
    let first = silent(r).into_iter().find_map(|l| Some(format!("{} silent for {}", shorten(l.id.as_str(), 20), since(l)?)));
    let unheard = first.unwrap_or_else(|| why(plan).to_owned());
    let mut facts = Vec::new();
    if plan.kind != RollbackKind::RemoveNew && plan.need > 0 {
        let role = if plan.ready < plan.need { Role::Warn } else { Role::Strong };
        let word = if form.full() { "pods ready " } else { "pods " };
        facts.push(Fact::new(2, [dim(word), Bit::new(role, format!("{}/{}", plan.ready, plan.need))]));
    }
    let about = format::measured(plan.about);
    let partly = state == State::Slow && plan.kind == RollbackKind::SwitchBack && plan.now < Percent::ALL;
    if partly {
        facts.push(Fact::new(1, [strong(words::about(plan.now)), dim(" at once, rest about "), strong(about)]));
    } else {
        facts.push(Fact::new(3, [dim("about "), strong(about)]));
    }
    match state {
        State::Partly => {
            facts.insert(0, Fact::new(0, [Bit::new(Role::Unknown, unheard)]));
            facts.push(Fact::new(4, [dim("follows when it answers")]));
        }
        // The word `pod by pod` stands in the target.
        State::Slow if plan.kind == RollbackKind::SwitchBack => facts.push(Fact::new(3, [dim(why(plan))])),
        _ => {}
    }
    facts
}

/// What is not taken back. Nothing may be dropped from the line; something never.
fn left_behind<'a>(plan: &'a RollbackPlan, form: Form) -> impl Iterator<Item = Fact<'a>> {
    let fact = match plan.left_behind.as_slice() {
        [] => form.full().then(|| Fact::new(4, [dim("left behind: nothing")])),
        [one] => Some(Fact::new(0, [Bit::new(Role::Warn, format!("left behind: {one}"))])),
        [first, rest @ ..] => Some(Fact::new(0, [Bit::new(Role::Warn, format!("left behind: {first}, and {} more", rest.len()))])),
    };
    fact.into_iter()
}

fn right<'a>(r: &'a RolloutView, view: &View<'a>, state: State, form: Form) -> Vec<Fact<'a>> {
    if r.record.not_recorded.is_some() {
        return vec![Fact::new(1, [Bit::new(Role::Warn, "not recorded")])];
    }
    if let (Mood::Failing { automatic: Some(at), .. }, true) = (&r.status.mood, state != State::Denied) {
        return vec![Fact::new(1, [dim("automatic in "), strong(words::left(view, *at))])];
    }
    let undo = r.in_flight() && state == State::Ready && r.status.rollback.kind == RollbackKind::SwitchBack && form.full();
    if undo { vec![Fact::new(5, [dim(format!("undo while {} runs", version(&r.status.to)))])] } else { Vec::new() }
}
