//! The launch screen, help and palette by keys alone: a script in, a screen out, over the practice fleet.

mod desk;

use desk::{Desk, keep, text};
use flightdeck::rollout::Phase;
use flightdeck::tui::glyphs::GlyphSet;
use flightdeck::tui::launch::Stage;
use flightdeck::tui::model::Place;
use flightdeck::tui::theme::Tier;
use flightdeck::units::Span;
use ratatui::buffer::Cell;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

/// Held here, so that the snapshots have this file's name.
trait Holds {
    fn holds(&self, name: &str, sizes: &[(u16, u16)]);
}

impl Holds for Desk {
    /// Holds the screen's text at each of the sizes.
    fn holds(&self, name: &str, sizes: &[(u16, u16)]) {
        for size in sizes {
            let buf = self.drawn(*size, Tier::True, GlyphSet::Braille);
            let name = format!("{name}_{}x{}", size.0, size.1);
            keep(&buf, &name);
            insta::assert_snapshot!(name, text(&buf));
        }
    }
}

#[test]
fn the_strategy_is_chosen_with_what_each_needs_and_costs() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l");
    assert_eq!((desk.model().place, desk.stage()), (Place::Launch, Some(Stage::Strategy)));
    desk.holds("strategy", &SIZES);
    desk.keys("k").holds("strategy_blue_green", &[(80, 24), (120, 36)]);
    desk.keys("j j").holds("strategy_rolling", &[(120, 36)]);
}

#[test]
fn the_details_say_what_each_value_means() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter j j").holds("details", &SIZES);
}

#[test]
fn the_plan_is_seen_with_its_way_back_before_it_goes() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter tab").holds("plan", &SIZES);
}

#[test]
fn help_and_palette() {
    let mut desk = Desk::practice();
    desk.keys("?").holds("help", &SIZES);
    desk.keys("esc : \"rol\"").holds("palette", &SIZES);
}

#[test]
fn a_value_that_cannot_be_is_told_while_it_is_typed_and_keeps_the_plan_away() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter j j enter ctrl-u \"0%\"").holds("typing", &[(120, 36)]);
    let form = desk.model().form.as_ref().unwrap();
    assert_eq!(form.troubles.iter().map(|t| t.to_string()).collect::<Vec<_>>(), ["--step-size: stepSize: 0% never gets on: write 10%"]);
    // Esc leaves the value as it was.
    desk.keys("esc");
    assert!(desk.model().form.as_ref().unwrap().compiled.is_some());
    desk.keys("enter ctrl-u \"0%\" enter j j j").holds("error", &SIZES);
    // The plan is not reached: the row that is in the way is chosen.
    desk.keys("tab");
    assert_eq!((desk.stage(), desk.said()), (Some(Stage::Details), "stepSize: 0% never gets on: write 10%"));
    assert_eq!(desk.model().form.as_ref().unwrap().row, 3);
    // The default is one key away.
    desk.keys("d tab");
    assert_eq!(desk.stage(), Some(Stage::Plan));
}

#[test]
fn two_values_that_are_wrong_are_both_told() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter enter ctrl-u \"200%\" enter j j j enter ctrl-u \"soon\" enter");
    let troubles: Vec<&str> = desk.model().form.as_ref().unwrap().troubles.iter().map(|t| t.place.name.as_str()).collect();
    assert_eq!(troubles, ["--initial-traffic", "--step-interval"]);
    assert!(desk.text((120, 36)).contains("2 values are wrong"));
}

#[test]
fn waves_are_typed_as_a_document_writes_them_and_seen_in_the_plan() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter j j j j j j j enter ctrl-u \"[us-east-1, mars]\" enter");
    let form = desk.model().form.as_ref().unwrap();
    assert_eq!(form.rows()[form.row].key.name, "regions");
    assert!(form.wrong(form.rows()[form.row].key).is_some_and(|t| t.cause == "regions: unknown region mars"), "{:?}", form.troubles);
    desk.keys("enter ctrl-u \"{waves: [[us-west-2], [us-east-1, eu-west-1]], between: 10m}\" enter tab G");
    desk.holds("plan_waves", &[(80, 24), (120, 36)]);
}

#[test]
fn what_was_typed_for_a_strategy_is_kept_for_it() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter enter ctrl-u \"2%\" enter esc k enter");
    let set = |desk: &Desk| desk.model().form.as_ref().unwrap().rows().iter().filter(|r| r.mine).map(|r| r.key.name).collect::<Vec<_>>();
    assert_eq!(set(&desk), [""; 0]);
    desk.keys("esc j enter");
    assert_eq!(set(&desk), ["initialTraffic"]);
}

#[test]
fn service_and_version_are_chosen_from_what_is_known() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l s").holds("service_typed", &[(80, 24), (120, 36)]);
    desk.keys("ctrl-u \"order\" tab enter");
    assert_eq!(&*desk.model().form.as_ref().unwrap().service.name, "order-service");
    // The arrows go through the versions that are known, from the newest.
    desk.keys("t").holds("version_typed", &[(80, 24)]);
    let to = desk.model().form.as_ref().unwrap().to.clone();
    desk.keys("down enter");
    assert_ne!(desk.model().form.as_ref().unwrap().to, to);
    desk.keys("t ctrl-u \"v99\" enter enter tab");
    assert!(desk.text((120, 36)).contains("▲ v99 was not seen here: its image may not exist"));
    // No such service: the text stays, to be repaired.
    desk.keys("esc esc s ctrl-u \"ordr\" enter");
    assert_eq!(desk.said(), "there is no service ordr: the arrows go through those there are");
    assert!(desk.model().typing());
}

#[test]
fn a_service_that_is_in_flight_is_not_proposed_and_says_so_when_it_is_asked_for() {
    let mut desk = Desk::practice();
    let flying = desk.model().snapshot.rollouts[0].status.service.clone();
    desk.keys("l");
    assert_ne!(desk.model().form.as_ref().unwrap().service, flying);
    // Its newest version runs already, so none is proposed.
    desk.keys(&format!("s ctrl-u \"{}\" enter", flying.name)).holds("no_version", &[(80, 24), (120, 36)]);
    desk.keys("enter up enter v").holds("in_the_way", &[(80, 24), (120, 36)]);
    assert!(desk.text((120, 36)).contains("✗ v103 is in flight, by ilias: finish it first"));
    desk.keys("enter");
    assert_eq!(desk.said(), "cannot be launched now: v103 is in flight, by ilias: finish it first");
    assert_eq!(desk.stage(), Some(Stage::Plan));
}

#[test]
fn esc_goes_back_a_stage_at_a_time_and_from_the_first_to_the_fleet() {
    let mut desk = Desk::practice();
    let mut seen = Vec::new();
    desk.keys("l enter tab");
    for _ in 0..3 {
        seen.push(desk.stage());
        desk.keys("esc");
    }
    assert_eq!(seen, [Stage::Plan, Stage::Details, Stage::Strategy].map(Some));
    assert_eq!((desk.model().place, desk.stage()), (Place::Fleet, None));
}

#[test]
fn behind_the_last_value_enter_goes_on_to_the_plan() {
    let mut desk = Desk::practice();
    desk.keys("l enter G enter");
    assert_eq!(desk.stage(), Some(Stage::Plan));
}

#[test]
fn a_canary_is_launched_by_keys_alone_and_flown() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter tab w \"faster stock counts\"").holds("why_typed", &[(120, 36)]);
    desk.keys("enter enter");
    assert_eq!((desk.model().place, desk.stage()), (Place::Rollout, None));
    let status = |desk: &Desk| desk.model().current().unwrap().status.clone();
    let launched = status(&desk);
    assert_eq!((&*launched.service.name, launched.to.as_str(), launched.by.as_deref()), ("inventory-service", "v10", Some("ana")));
    desk.fly(Span::mins(3));
    let flown = status(&desk);
    assert_eq!(flown.want.points(), 5.0);
    assert!(flown.seen.is_some_and(|seen| (3.0..8.0).contains(&seen.points())), "{:?} is seen", flown.seen);
    desk.holds("flown", &[(120, 36)]);
    desk.fly(Span::mins(90));
    let phase = desk.model().snapshot.rollouts.iter().find(|r| r.status.id == launched.id).map(|r| r.phase);
    assert!(phase.is_none_or(|p| p == Phase::Promoted), "{phase:?}");
    let service = desk.model().snapshot.services.iter().find(|v| v.service == launched.service).unwrap();
    assert!(service.cells.iter().flatten().all(|c| c.version.as_str() == "v10"));
}

#[test]
fn a_safe_fleet_is_armed_first() {
    let mut desk = Desk::safe();
    desk.keys("tab j j j l enter tab").holds("plan_safe", &[(80, 24), (120, 36)]);
    desk.keys("enter");
    assert_eq!((desk.stage(), desk.said()), (Some(Stage::Plan), "production is safe: press A to arm, then Enter"));
    desk.keys("A").holds("plan_armed", &[(120, 36)]);
    desk.keys("enter");
    assert_eq!(desk.model().place, Place::Rollout);
    // What moves a rollout needs arming again after a minute, and help says so.
    desk.hand += 61_000;
    desk.keys("?").holds("help_safe", &[(120, 36)]);
}

#[test]
fn the_verbs_of_a_rollout_do_nothing_on_the_launch_screen_but_r_does() {
    let mut desk = Desk::practice();
    desk.keys("l p");
    assert_eq!(desk.said(), "pause: only on the rollout's own screen: go back first");
    desk.keys("R");
    desk.fly(Span::secs(1));
    // The strip covers what is being made, which then stands beside the stages.
    desk.holds("strip", &[(80, 24), (120, 36)]);
    assert!(desk.text((120, 36)).contains("ROLLING BACK"));
}

#[test]
fn the_palette_says_in_full_what_enter_would_do() {
    let mut desk = Desk::practice();
    for (typed, says) in [
        ("rollback", "catalogue, eu-west-1 to v102, pods ready"),
        ("stop the", "Holds 1: catalogue. Rollbacks go on."),
        ("undo", "Does nothing now: there is no rollback that can be undone."),
        ("launch", "Opens a form. Nothing changes before its last Enter."),
        ("xyzzy", "no command has this in its name"),
    ] {
        desk.keys(&format!(": \"{typed}\""));
        let screen = desk.text((120, 36));
        assert!(screen.contains(says), "{typed}: {screen}");
        desk.keys("esc");
    }
}

#[test]
fn every_key_stands_in_the_help_whatever_the_size() {
    for size in SIZES {
        let mut desk = Desk::practice();
        desk.keys("?");
        let mut seen = String::new();
        for _ in 0..60 {
            seen += &desk.text(size);
            desk.keys("j");
        }
        for command in flightdeck::tui::commands::COMMANDS {
            let keys = desk.model().keymap.all(command.action).join(" ");
            let keys = if keys.is_empty() { ":" } else { &keys };
            let doc = command.doc.split(';').next().unwrap();
            let shown = |line: &str| line.contains(keys) && (line.contains(doc) || line.contains(command.name));
            assert!(seen.lines().any(shown), "{} at {size:?}", command.name);
        }
    }
}

#[test]
fn in_ascii_without_colour_every_stage_is_ascii() {
    let mut desk = Desk::practice();
    for script in ["tab j j j l", "enter", "tab", "?", "esc : \"a\""] {
        desk.keys(script);
        for size in SIZES {
            let buf = desk.drawn(size, Tier::Mono, GlyphSet::Ascii);
            let odd: Vec<&str> = buf.content.iter().map(Cell::symbol).filter(|s| !s.is_ascii()).collect();
            assert_eq!(odd, [""; 0], "{script} at {size:?}");
        }
    }
}

#[test]
fn no_size_is_too_odd_to_draw() {
    let mut desk = Desk::practice();
    for script in ["tab j j j l", "k", "s", "esc enter", "G", "g enter", "esc tab", "w", "esc ?", "esc :"] {
        desk.keys(script);
        for width in [60, 64, 72, 79, 99, 100, 119, 159, 160, 260] {
            for height in [16, 18, 20, 23, 25, 33, 34, 45, 80] {
                desk.drawn((width, height), Tier::True, GlyphSet::Braille);
            }
        }
    }
}

#[test]
fn no_line_is_cut_inside_a_word_or_a_number() {
    let split = |l: String| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut cut = std::collections::BTreeMap::new();
    for script in [
        "tab j j j l",
        "tab j j j l k",
        "tab j j j l j",
        "tab j j j l enter G",
        "tab j j j l enter tab",
        "l s",
        "l s ctrl-u \"catalogue\" enter enter up enter v",
    ] {
        let mut desk = Desk::practice();
        desk.keys(script);
        let size = |width, height| split(desk.text((width, height)));
        // Where there is room nothing is cut, so those are the words there are.
        let roomy = [(250, 70), (159, 70), (119, 70), (99, 70), (99, 20), (79, 70), (79, 20), (63, 70)];
        let known: std::collections::BTreeSet<String> = roomy.iter().flat_map(|(w, h)| size(*w, *h)).collect();
        for width in 60..=200 {
            for height in [16 + width * 7 % 55, 24] {
                for word in size(width, height) {
                    let drawn = word.chars().any(|c| "━╾─┄█▌░·╌▁▂▃▄▅▆▇│".contains(c));
                    let counts = word.chars().all(|c| c.is_ascii_digit() || "-/:".contains(c));
                    let whole = word.trim_end_matches(['…', ',', '.', ';', ':']);
                    let ends = ["", ",", ".", ";", ":"].iter().any(|end| known.contains(&format!("{whole}{end}")));
                    if !(drawn || counts || ends || whole.is_empty()) {
                        cut.insert((script, word), (width, height));
                    }
                }
            }
        }
    }
    assert!(cut.is_empty(), "{cut:#?}");
}
