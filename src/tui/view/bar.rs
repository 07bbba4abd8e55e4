//! What stands in the status bar and in the key bar.

use super::View;
use crate::analysis::Verdict;
use crate::fleet::Protection;
use crate::rollout::{By, Mood};
use crate::tui::commands::{Action, command};
use crate::tui::format;
use crate::tui::launch::{Form, Stage, Typed};
use crate::tui::model::{Full, Over, Place};
use crate::tui::pen::{Bit, Pen, dim, shorten, strong};
use crate::tui::spots::Spot;
use crate::tui::theme::Role;
use crate::tui::widgets::key_bar::{BarKey, KeyBar, KeyState};
use crate::tui::widgets::status_bar::StatusBar;
use crate::units::Span;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Data older than this is marked as old.
const OLD: Span = Span::secs(10);

/// The status bar.
pub(super) fn status(area: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let shot = view.snapshot;
    let subject = view.subject();
    let name = subject.map(|r| shorten(&r.status.service.name, 24)).unwrap_or_default();
    let mut crumbs = vec!["fleet"];
    match view.place {
        Place::Fleet => {}
        Place::Rollout => crumbs.push(&name),
        Place::Launch => crumbs.push("launch"),
    }
    crumbs.extend(match view.full {
        Some(Full::Events) => Some("events"),
        Some(Full::Plan) => Some("plan"),
        Some(Full::Why) => Some("why"),
        Some(Full::Latency) | None => None,
    });
    let failing = shot.failing();
    let fails = |r: &crate::cockpit::RolloutView| matches!(r.status.mood, Mood::Failing { .. });
    let armed = view.armed.map(|left| format::countdown(left, view.reduce_motion));
    let safe = shot.protection == Protection::Safe && !shot.practice;
    StatusBar {
        fleet: &shorten(&shot.fleet, 20),
        practice: shot.practice,
        guard: if shot.readonly { Some("read only") } else { safe.then_some("safe") },
        armed: armed.as_deref(),
        stopped: shot.stopped_line.is_some(),
        crumbs: &crumbs,
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
    if !shot.practice || answer < all {
        facts.push(Bit::new(if answer < all { Role::Unknown } else { Role::Dim }, format!("{answer}/{all} clusters")));
    }
    facts.push(match shot.data_age() {
        Some(age) => Bit::new(if age > OLD { Role::Unknown } else { Role::Dim }, format!("data {}", format::age(age))),
        None => Bit::new(Role::Unknown, "no data"),
    });
    // The last goes last: whoever has stopped the time must see that it stands.
    facts.extend(view.speed.map(strong));
    facts
}

/// A key that the bar offers, with another word than the command table's where the screen gives it another meaning.
type Offer = (Action, Option<&'static str>);

/// The key bar, in the last row of the screen.
pub(super) fn keys(screen: Rect, buf: &mut Buffer, view: &View<'_>, pen: &Pen<'_>) {
    let narrow = screen.width < super::TWO_COLUMNS;
    let bar = |(action, word): Offer| {
        let bound = view.bound(action)?;
        let word = word.unwrap_or(command(action).word);
        Some(BarKey {
            key: &bound.key,
            word,
            state: if bound.live { KeyState::Live } else { KeyState::Off },
            stays: action == Action::Leave,
        })
    };
    // The two keys of a list share a word.
    let moves = format!("{} {}", view.key(Action::Down, "j"), view.key(Action::Up, "k"));
    let both = |(action, word): Offer| match (action, word) {
        // Without arming, or with something in the way, the last key does nothing.
        (Action::Open, Some(word @ "launch")) if view.unarmed() || view.making().is_some_and(|f| stops(f, view).is_some()) => {
            Some(BarKey { state: KeyState::Off, ..bar((Action::Open, Some(word)))? })
        }
        (Action::StopLine, _) if view.snapshot.stopped_line.is_some() => bar((Action::StopLine, Some("resume all"))),
        (Action::Down, Some(word)) => Some(BarKey { key: &moves, word, state: KeyState::Live, stays: false }),
        offer => bar(offer),
    };
    let typing = view.typing && view.typed.is_none();
    let mut left: Vec<BarKey<'_>> = rollback(view).filter(|_| !typing).into_iter().collect();
    left.extend(offered(view, screen).into_iter().filter_map(both));
    let right = [(Action::Palette, narrow.then_some("cmd")), (Action::Help, None)];
    let right: Vec<BarKey<'_>> = right.into_iter().filter(|_| !typing).filter_map(bar).collect();
    let row = Rect { y: screen.bottom().saturating_sub(1), height: 1, ..screen };
    for (place, key) in (KeyBar { keys: &left, right: &right }).draw(row, buf, pen) {
        if let Some(bound) = view.keys.iter().find(|b| b.key == key) {
            pen.spot(place, Spot::Key(bound.action));
        }
    }
}

/// `R`, which is always first.
fn rollback<'a>(view: &View<'a>) -> Option<BarKey<'a>> {
    let bound = view.bound(Action::Rollback)?;
    let mood = view.subject().map(|r| &r.status.mood);
    let live = if bound.live { KeyState::Live } else { KeyState::Off };
    let (word, state) = match mood {
        _ if view.grace.is_some() => ("now", live),
        Some(Mood::Failing { .. }) if bound.live => ("roll back", KeyState::Calling),
        Some(Mood::RollingBack | Mood::NotProven { .. }) => ("rolling back", KeyState::Off),
        _ => ("roll back", live),
    };
    Some(BarKey { key: &bound.key, word, state, stays: true })
}

/// The other commands, by use on this screen.
fn offered(view: &View<'_>, screen: Rect) -> Vec<Offer> {
    use Action::{Arm, Down, Events, Faster, Filter, Freeze, Launch, Leave, NextPane, Open, Promote, Slower, StopLine};
    if view.grace.is_some() {
        return vec![(Leave, Some("cancel"))];
    }
    if view.typed.is_some() {
        return vec![(Open, Some("keep it")), (Leave, Some("show all"))];
    }
    match view.over {
        Some(Over::Help(_)) => return vec![(Down, Some("scroll")), (Leave, Some("close"))],
        Some(Over::Story) => return vec![(Leave, Some("close"))],
        Some(Over::Palette(_)) => return vec![(Open, Some("run")), (NextPane, Some("complete")), (Leave, Some("close"))],
        Some(Over::Reason { .. }) => return vec![(Open, Some("do it")), (Leave, Some("leave it"))],
        Some(Over::Filter(_)) | None => {}
    }
    if let Some(form) = view.making() {
        return on_launch(form, view);
    }
    let narrow = (screen.width < super::TWO_COLUMNS).then_some("freeze");
    let mut keys: Vec<Offer> = match (view.full, view.place) {
        (Some(Full::Events), Place::Fleet) => vec![(Leave, Some("fleet"))],
        (Some(Full::Events | Full::Plan | Full::Why), Place::Rollout) => vec![(Leave, Some("rollout"))],
        (_, Place::Rollout) => on_rollout(view, screen),
        _ => {
            let mut keys: Vec<Offer> = vec![(Open, None), (Launch, None)];
            keys.extend(view.subject().filter(|r| r.in_flight()).map(|_| (Promote, None)));
            keys.extend([(StopLine, narrow), (Filter, None), (Arm, None), (NextPane, None), (Events, None)]);
            keys
        }
    };
    if view.snapshot.practice {
        keys.extend([(Freeze, None), (Slower, None), (Faster, None)]);
    }
    if view.snapshot.protection == Protection::Open {
        keys.retain(|(action, _)| *action != Arm);
    }
    keys
}

fn on_launch(form: &Form, view: &View<'_>) -> Vec<Offer> {
    use Action::{Arm, Default, Down, Leave, NextPane, Open, Plan, Service, Version, Why};
    if let Some(editing) = &form.editing {
        let complete = matches!(editing.what, Typed::Service | Typed::Version).then_some((NextPane, Some("complete")));
        return [(Open, Some("take it"))].into_iter().chain(complete).chain([(Leave, Some("leave it"))]).collect();
    }
    match form.stage {
        Stage::Strategy => {
            vec![(Open, Some("details")), (Down, Some("choose")), (Version, None), (Service, None), (Plan, None), (Leave, Some("fleet"))]
        }
        Stage::Details => vec![
            (Open, Some("edit")),
            (Down, Some("choose")),
            (NextPane, Some("plan")),
            (Default, None),
            (Version, None),
            (Leave, Some("strategy")),
        ],
        Stage::Plan => {
            let arm = view.unarmed().then_some((Arm, None));
            let rest = [(Open, Some("launch")), (Why, None), (Down, Some("scroll")), (Leave, Some("details"))];
            arm.into_iter().chain(rest).collect()
        }
    }
}

fn on_rollout(view: &View<'_>, screen: Rect) -> Vec<Offer> {
    use Action::{
        Arm, Copy, Events, Latency, Launch, Leave, OverCapacity, Pause, Plan, Promote, PromoteFull, Retry, Skip, StopLine, Take, Undo, Why,
    };
    let Some(r) = view.subject() else { return vec![(Leave, Some("fleet"))] };
    let paused = r.status.paused;
    let mut keys: Vec<Offer> = match &r.status.mood {
        Mood::Failing { .. } => vec![(Promote, None), (PromoteFull, None), (Pause, None), (StopLine, None), (Copy, None), (Arm, None)],
        Mood::RollingBack | Mood::NotProven { .. } => {
            vec![(Pause, Some(if paused { "go on" } else { "hold here" })), (OverCapacity, None), (Arm, None), (StopLine, None)]
        }
        Mood::Back => vec![(Undo, None), (Arm, None), (Why, Some(if failed(r) { "why it failed" } else { "why back" }))],
        Mood::Promoted => vec![(Launch, None), (Events, None)],
        Mood::Superseded => vec![(Take, None), (Why, None)],
        Mood::Held { key: Some('T'), .. } => vec![(Take, None), (Why, None)],
        Mood::Held { key: Some('S'), .. } => vec![(Skip, None), (Pause, None), (Promote, None), (Arm, None), (Why, None)],
        Mood::Stuck { .. } | Mood::Aborted => vec![(Retry, None), (Why, None), (Pause, paused.then_some("resume")), (Arm, None)],
        Mood::Unclear { .. } | Mood::Held { .. } => {
            vec![(Pause, paused.then_some("resume")), (Promote, None), (PromoteFull, None), (Arm, None), (Why, None)]
        }
        Mood::OnCourse | Mood::Waits { .. } => vec![(Pause, None), (Promote, None), (PromoteFull, None), (Arm, None)],
    };
    // What has no pane of its own at this size is behind a key.
    if !super::rollout::has_plan(screen) {
        keys.push((Plan, None));
    }
    if !super::rollout::has_side(screen) {
        let word = if view.full == Some(Full::Latency) { "errors" } else { "latency" };
        keys.extend([(Events, None), (Latency, Some(word))]);
    }
    keys.push((Leave, Some("fleet")));
    if r.status.back.is_none() && screen.width >= super::WIDE {
        keys.push((Action::Down, Some("steps")));
    }
    keys
}

/// Whether what went back had failed: a person also takes back what is well.
fn failed(r: &crate::cockpit::RolloutView) -> bool {
    r.status.back.as_ref().is_some_and(|b| b.by == By::Automatic) || r.verdict.verdict == Verdict::Fail
}

/// What keeps the plan of a form from being launched now.
fn stops(form: &Form, view: &View<'_>) -> Option<String> {
    match &form.compiled {
        Some(compiled) => super::in_the_way(&compiled.plan, view.snapshot),
        None => Some("something is wrong in the details".into()),
    }
}

/// What can be pressed beside a pane that has nothing to show: ` l  launch one`; nothing where the key does nothing.
pub(super) fn invite<'a>(view: &View<'a>, action: Action, word: &str) -> Vec<Bit<'a>> {
    view.live(action).map_or_else(Vec::new, |key| vec![Bit::new(Role::Keycap, key), dim(format!(" {word}"))])
}
