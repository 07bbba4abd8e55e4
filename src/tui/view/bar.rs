//! What stands in the status bar and in the key bar.

use super::{Screen, View};
use crate::fleet::Protection;
use crate::rollout::Mood;
use crate::tui::format;
use crate::tui::pen::{Bit, Pen, dim, shorten, strong};
use crate::tui::theme::Role;
use crate::tui::widgets::key_bar::{BarKey, KeyBar, KeyState};
use crate::tui::widgets::status_bar::StatusBar;
use crate::units::Span;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::borrow::Cow;

/// Data older than this is marked as old.
const OLD: Span = Span::secs(10);

/// The status bar.
pub(super) fn status(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let shot = view.snapshot;
    let subject = view.subject();
    let name = subject.map(|r| shorten(&r.status.service.name, 24)).unwrap_or_default();
    let crumbs: &[&str] = match view.screen {
        Screen::Fleet => &["fleet"],
        Screen::FleetEvents => &["fleet", "events"],
        Screen::Rollout => &["fleet", &name],
        Screen::RolloutEvents => &["fleet", &name, "events"],
        Screen::Plan => &["fleet", &name, "plan"],
    };
    let failing = shot.failing();
    let fails = |r: &crate::cockpit::RolloutView| matches!(r.status.mood, Mood::Failing { .. });
    let armed = view.armed.map(|left| format::countdown(left, view.reduce_motion));
    StatusBar {
        fleet: &shorten(&shot.fleet, 20),
        practice: shot.practice,
        guard: if shot.readonly {
            Some("read only")
        } else {
            (shot.protection == Protection::Safe && !shot.practice).then_some("safe")
        },
        armed: armed.as_deref(),
        crumbs,
        failing,
        elsewhere: failing > 0 && !subject.is_some_and(fails),
        waiting: shot.need_you().saturating_sub(failing),
        facts: &facts(view),
        clock: &format::clock(shot.now),
    }
    .draw(area, buf, pen);
}

fn facts<'a>(view: &View<'a>) -> Vec<Bit<'a>> {
    let shot = view.snapshot;
    let (answer, all) = shot.clusters();
    let mut facts = vec![dim(format!("{} in flight", shot.in_flight()))];
    if !shot.practice {
        facts.push(Bit::new(if answer < all { Role::Unknown } else { Role::Dim }, format!("{answer}/{all} clusters")));
    }
    facts.extend(view.speed.map(|speed| strong(Cow::Borrowed(speed))));
    facts.push(match shot.data_age() {
        Some(age) => Bit::new(if age > OLD { Role::Unknown } else { Role::Dim }, format!("data {}", format::age(age))),
        None => Bit::new(Role::Unknown, "no data"),
    });
    facts
}

/// The key bar, in the last row of the screen.
pub(super) fn keys(screen: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let narrow = screen.width < super::TWO_COLUMNS;
    let bar = |(command, word): (&'static str, &'static str)| {
        let bound = view.bound(command)?;
        Some(BarKey { key: bound.key, word, state: if bound.live { KeyState::Live } else { KeyState::Off } })
    };
    let mut left: Vec<BarKey<'_>> = rollback(view).into_iter().collect();
    left.extend(offered(view, screen).into_iter().filter_map(bar));
    let right: Vec<BarKey<'_>> =
        [("palette", if narrow { "cmd" } else { "command" }), ("help", "help")].into_iter().filter_map(bar).collect();
    let row = Rect { y: screen.bottom().saturating_sub(1), height: 1, ..screen };
    KeyBar { keys: &left, right: &right }.draw(row, buf, pen);
}

/// `R`, which is always first.
fn rollback<'a>(view: &View<'a>) -> Option<BarKey<'a>> {
    let bound = view.bound("rollback")?;
    let mood = view.subject().map(|r| &r.status.mood);
    let live = if bound.live { KeyState::Live } else { KeyState::Off };
    let (word, state) = match mood {
        _ if view.grace.is_some() => ("now", live),
        Some(Mood::Failing { .. }) if bound.live => ("roll back", KeyState::Calling),
        Some(Mood::RollingBack | Mood::NotProven { .. }) => ("rolling back", KeyState::Off),
        _ => ("roll back", live),
    };
    Some(BarKey { key: bound.key, word, state })
}

/// The other commands, by use on this screen.
fn offered(view: &View<'_>, screen: Rect) -> Vec<(&'static str, &'static str)> {
    let mut keys: Vec<(&str, &str)> = Vec::new();
    let subject = view.subject();
    if view.grace.is_some() {
        return vec![("back", "cancel")];
    }
    match view.screen {
        Screen::Fleet if view.typing => keys.extend([("open", "keep the filter"), ("back", "no filter")]),
        Screen::Fleet => {
            keys.extend([("open", "open"), ("launch", "launch"), ("step", "step")]);
            keys.extend([("freeze", if screen.width < super::TWO_COLUMNS { "freeze" } else { "freeze all" }), ("filter", "filter")]);
            keys.extend([("arm", "arm"), ("pane", "pane"), ("events", "events")]);
        }
        Screen::Rollout => keys.extend(on_rollout(view, screen)),
        Screen::FleetEvents => keys.extend([("back", "fleet")]),
        Screen::RolloutEvents | Screen::Plan => keys.extend([("back", "rollout")]),
    }
    if view.screen == Screen::Fleet && subject.is_none_or(|r| !r.in_flight()) {
        keys.retain(|(command, _)| *command != "step");
    }
    if view.snapshot.practice && !view.typing {
        keys.extend([("time", "stop time"), ("speed", "speed")]);
    }
    if view.snapshot.protection == Protection::Open {
        keys.retain(|(command, _)| *command != "arm");
    }
    keys
}

fn on_rollout(view: &View<'_>, screen: Rect) -> Vec<(&'static str, &'static str)> {
    let Some(r) = view.subject() else { return vec![("back", "fleet")] };
    let mut keys = match &r.status.mood {
        Mood::Failing { .. } => {
            vec![("step", "step"), ("promote", "promote"), ("pause", "pause"), ("freeze", "freeze all"), ("copy", "copy"), ("arm", "arm")]
        }
        Mood::RollingBack | Mood::NotProven { .. } => {
            let hold = if r.status.paused { "go on" } else { "hold here" };
            vec![("pause", hold), ("over-capacity", "over capacity"), ("arm", "arm"), ("freeze", "freeze all")]
        }
        Mood::Back => vec![("undo", "undo"), ("arm", "arm"), ("why", "why it failed")],
        Mood::Promoted | Mood::Superseded => vec![("take", "take"), ("launch", "launch")],
        Mood::Held { key: Some('S'), .. } => vec![("skip", "skip"), ("pause", "pause"), ("step", "step"), ("arm", "arm")],
        Mood::Stuck { .. } | Mood::Aborted => vec![("retry", "try again"), ("why", "why"), ("pause", "pause"), ("arm", "arm")],
        _ => vec![
            ("pause", if r.status.paused { "resume" } else { "pause" }),
            ("step", "step"),
            ("promote", "promote"),
            ("arm", "arm"),
        ],
    };
    // What has no pane of its own at this size is behind a key.
    if !super::rollout::has_plan(screen) {
        keys.push(("plan", "plan"));
    }
    if !super::rollout::has_side(screen) {
        keys.extend([("events", "events"), ("latency", if view.latency { "errors" } else { "latency" })]);
    }
    keys.push(("back", "fleet"));
    keys
}

/// A line of what can be pressed beside a pane that has nothing to show: ` l  launch one`.
pub(super) fn invite<'a>(view: &View<'a>, command: &'static str, word: &str) -> Vec<Bit<'a>> {
    view.live(command).map_or_else(Vec::new, |key| vec![Bit::new(Role::Keycap, key), dim(format!(" {word}"))])
}
