//! Every command once: name, what it does, its keys, its danger, and when and why it is off.
//!
//! Help, palette, key bar, man page and the README's table of keys come from here.

use super::launch::Stage;
use super::model::{Model, Place};
use crate::rollout::{Mood, Phase, Readiness};

/// What a person can ask the screen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    Rollback,
    Pause,
    Promote,
    PromoteFull,
    Skip,
    Retry,
    Abort,
    Undo,
    OverCapacity,
    Take,
    StopLine,
    Arm,
    Launch,
    Service,
    Version,
    Default,
    Open,
    Leave,
    Worst,
    Events,
    Plan,
    Latency,
    Why,
    Calm,
    Zoom,
    Filter,
    Palette,
    Help,
    Copy,
    Up,
    Down,
    Top,
    Bottom,
    PageUp,
    PageDown,
    NextPane,
    Faster,
    Slower,
    Freeze,
    Story,
    Reload,
    Suspend,
    Quit,
}

/// What a command can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Only changes what is shown.
    None,
    /// Goes back: never needs arming.
    Back,
    /// Moves a rollout: needs arming in a safe fleet.
    Forward,
}

/// One command.
#[derive(Debug)]
pub struct Command {
    /// What it asks for.
    pub action: Action,
    /// Where it stands in the help.
    pub group: &'static str,
    /// Its name in the palette and in the settings.
    pub name: &'static str,
    /// What it does, in a line; what stands before a semicolon is enough where there is little room.
    pub doc: &'static str,
    /// Its word in the key bar.
    pub word: &'static str,
    /// Its keys, unless the settings say otherwise.
    pub keys: &'static [&'static str],
    /// What it can do.
    pub danger: Danger,
}

macro_rules! commands {
    ($($group:literal { $($action:ident $name:literal [$($key:literal),*] $danger:ident $word:literal $doc:literal;)* })*) => {
        /// All commands, in the order of the help.
        pub const COMMANDS: &[Command] = &[$($(Command {
            action: Action::$action,
            group: $group,
            name: $name,
            doc: $doc,
            word: $word,
            keys: &[$($key),*],
            danger: Danger::$danger,
        }),*),*];
    };
}

commands! {
    "the way back" {
        Rollback "rollback" ["R"] Back "roll back" "all traffic back to the stable version; every region";
        Abort "abort" [] Back "abort" "all traffic to stable; the new version stays for inspection";
        Undo "undo" ["u"] Forward "undo" "take a rollback back; while the new version still runs";
        OverCapacity "over capacity" ["!"] Forward "over capacity" "of a moving rollback the rest now; beyond what ready pods can carry";
        StopLine "stop the line" ["F"] Forward "freeze all" "no forward step in this fleet; rollbacks go on. Again: resume exactly those";
    }
    "forward" {
        Promote "promote" ["n"] Forward "step" "end the current hold now; the next step's gates still count";
        PromoteFull "promote full" ["P"] Forward "promote" "drop all holds and verdict gates; capacity and health still count";
        Pause "pause" ["p"] Forward "pause" "hold here, or go on; automatic rollback stays on";
        Skip "skip" ["S"] Forward "skip" "pass a hold or a closed gate; with a reason";
        Retry "retry" ["r"] Forward "try again" "try what failed again; after an abort from step 1";
        Take "take" ["T"] Forward "take" "take the controls; a new term, driven here";
        Arm "arm" ["A"] None "arm" "allow launching and promoting for 60 s";
    }
    "this rollout" {
        Why "why" ["w"] None "why" "why it does not go on; what the last checks said";
        Plan "plan" ["v"] None "plan" "every step with its undo";
        Latency "latency" ["m"] None "latency" "latency instead of errors; where only one chart fits";
        Zoom "zoom" ["z"] None "zoom" "10 s or 1 min a column";
        Copy "copy" ["y"] None "copy" "copy what does the same as R; as a command line";
    }
    "a new one" {
        Launch "launch" ["l"] None "launch" "choose a strategy, see the plan, go";
        Service "service" ["s"] None "service" "of a launch: another service";
        Version "version" ["t"] None "version" "of a launch: another version";
        Default "default" ["d"] None "default" "of a launch: a value as it was by itself";
    }
    "practice" {
        Faster "faster" ["+"] None "faster" "time runs twice as fast";
        Slower "slower" ["-"] None "slower" "time runs half as fast";
        Freeze "freeze time" ["space"] None "stop time" "time stands still, or goes on";
        Story "story" [] None "story" "what this exercise is about; and what it teaches";
    }
    "move" {
        Open "open" ["enter"] None "open" "look at what is selected";
        Leave "back" ["esc"] None "back" "close what is open, then go back; it never stops a rollback and never quits";
        Up "up" ["k", "up"] None "up" "the row above";
        Down "down" ["j", "down"] None "down" "the row below";
        Top "top" ["g", "home"] None "top" "the first row";
        Bottom "bottom" ["G", "end"] None "bottom" "the last row";
        PageUp "page up" ["ctrl-u", "pageup"] None "page up" "half a screen up";
        PageDown "page down" ["ctrl-d", "pagedown"] None "page down" "half a screen down";
        NextPane "pane" ["tab"] None "pane" "the next pane";
        Worst "worst" ["0"] None "worst" "the rollout that needs a person most";
    }
    "anywhere" {
        Filter "filter" ["/"] None "filter" "show only what matches; `!word` for not";
        Calm "calm" ["c"] None "calm" "show calm services too, or fold them";
        Events "events" ["e"] None "events" "what happened, newest first";
        Palette "command" [":"] None "command" "find any command by name";
        Help "help" ["?"] None "help" "all keys, live ones first";
        Reload "reload" [] None "reload" "read keys and theme again; from the settings";
        Suspend "suspend" ["ctrl-z"] None "suspend" "give the terminal to the shell; `fg` returns";
        Quit "quit" ["q", "ctrl-c"] None "quit" "leave; a rollout that is driven from here holds";
    }
}

/// The command of an action.
pub fn command(action: Action) -> &'static Command {
    // Each action stands in the table; a test holds that.
    COMMANDS.iter().find(|c| c.action == action).unwrap_or(&COMMANDS[0])
}

/// Why a command cannot be used now; `None`: it can. What needs arming is not off: its key says what to do first.
pub fn off(action: Action, model: &Model) -> Option<String> {
    let snapshot = &model.snapshot;
    let here = model.current();
    let why = |text: &str| Some(text.to_string());
    let verb = matches!(command(action).danger, Danger::Forward | Danger::Back);
    if verb && snapshot.readonly {
        return why("read-only: started with --readonly");
    }
    if model.place == Place::Launch && model.full.is_none() {
        let stage = model.form.as_ref().map(|f| f.stage);
        match (action, stage) {
            (Action::Why, Some(Stage::Plan)) => return None,
            (Action::Service, _) => return (stage != Some(Stage::Strategy)).then(|| "only while the strategy is chosen".into()),
            (Action::Version, _) => return (stage == Some(Stage::Plan)).then(|| "only before the plan".into()),
            (Action::Default, _) => return (stage != Some(Stage::Details)).then(|| "only in the details".into()),
            (Action::Plan, _) => return None,
            (Action::Why | Action::Latency | Action::Zoom, _) => return why("only on the rollout's own screen"),
            (Action::StopLine, _) => {}
            _ if command(action).danger == Danger::Forward => return why("only on the rollout's own screen: go back first"),
            _ => {}
        }
    }
    let resumes = action == Action::Pause && here.is_some_and(|r| r.status.paused);
    let forward = resumes || matches!(action, Action::Promote | Action::PromoteFull | Action::Skip | Action::Retry | Action::Undo);
    if let Some(driver) = here.and_then(|r| r.record.driver.as_ref()).filter(|_| forward) {
        return Some(format!("{}: T takes the controls", driver.says()));
    }
    let phase = here.map(|r| r.phase);
    let flying = || match phase {
        None => why("no rollout is selected"),
        Some(Phase::Flying) => None,
        Some(Phase::Watched) => why("somebody else's update: R takes it back, p pauses it"),
        Some(Phase::Aborted) => why("aborted: r begins again"),
        Some(Phase::RollingBack) => why("it is rolling back"),
        Some(Phase::Back | Phase::RolledBack) => why("it is rolled back"),
        Some(Phase::Promoted) => why("it is promoted"),
        Some(Phase::Superseded) => why("somebody else drives it: T takes the controls"),
    };
    match action {
        Action::Rollback => match here.map(|r| &r.status.rollback.readiness) {
            None => why("nothing is in flight"),
            Some(Readiness::Off { why } | Readiness::Denied { why }) => Some(why.clone()),
            Some(_) => None,
        },
        Action::Pause => match phase {
            Some(Phase::RollingBack | Phase::Watched) => None,
            _ => flying(),
        },
        Action::Promote | Action::PromoteFull | Action::Skip | Action::Abort => match (action, phase) {
            (Action::Skip, Some(Phase::Back)) => None,
            _ => flying(),
        },
        Action::Retry => match (phase, here.map(|r| &r.status.mood)) {
            (Some(Phase::Aborted), _) => None,
            (Some(Phase::Flying), Some(Mood::Stuck { .. })) => None,
            (Some(_), _) => why("nothing has failed that can be tried again"),
            (None, _) => why("no rollout is selected"),
        },
        Action::Undo => match here.and_then(|r| r.status.back.as_ref()) {
            Some(back) if back.undo_until.is_some() || phase == Some(Phase::RollingBack) => None,
            _ => why("there is no rollback that can be undone"),
        },
        Action::OverCapacity => match phase {
            Some(Phase::RollingBack) => None,
            _ => why("no rollback is moving"),
        },
        Action::Take => match phase {
            Some(Phase::Superseded) => None,
            Some(_) if here.is_some_and(|r| r.record.driver.is_some()) => None,
            _ if matches!(here.map(|r| &r.status.mood), Some(Mood::Held { key: Some('T'), .. })) => None,
            Some(_) => why("it is driven here already"),
            None => why("no rollout is selected"),
        },
        Action::StopLine => (snapshot.in_flight() == 0 && snapshot.stopped_line.is_none()).then(|| "nothing is in flight".into()),
        Action::Arm => (snapshot.protection == crate::fleet::Protection::Open).then(|| "nothing needs arming here".into()),
        Action::Launch => (snapshot.readonly).then(|| "read-only: started with --readonly".into()),
        Action::Faster | Action::Slower | Action::Freeze => (model.speed.is_none()).then(|| "only in practice".into()),
        Action::Story => (model.story.is_none()).then(|| "only in practice with --scenario".into()),
        Action::Plan | Action::Latency | Action::Zoom | Action::Why => (here.is_none()).then(|| "no rollout is selected".into()),
        Action::Copy => (here.is_none()).then(|| "no rollout is selected".into()),
        Action::Worst => (snapshot.rollouts.is_empty()).then(|| "nothing is in flight".into()),
        Action::Service | Action::Version | Action::Default => why("only on the launch screen"),
        Action::Calm => (model.place != Place::Fleet).then(|| "only on the fleet screen".into()),
        Action::NextPane => (model.place == Place::Rollout).then(|| "only on the fleet screen".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_action_name_and_key_stands_in_the_table_once() {
        let actions: BTreeSet<Action> = COMMANDS.iter().map(|c| c.action).collect();
        let names: BTreeSet<&str> = COMMANDS.iter().map(|c| c.name).collect();
        let keys: Vec<&str> = COMMANDS.iter().flat_map(|c| c.keys.iter().copied()).collect();
        assert_eq!(actions.len(), COMMANDS.len());
        assert_eq!(names.len(), COMMANDS.len());
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        assert_eq!(command(Action::Quit).name, "quit");
        assert!(COMMANDS.iter().all(|c| command(c.action).action == c.action));
    }
}
