//! What keys and the mouse do on the fleet and on a rollout: a script in, a screen out, over the practice fleet.

mod desk;

use crossterm::event::MouseEventKind;
use desk::Desk;
use flightdeck::rollout::Phase;
use flightdeck::tui::launch::Stage;
use flightdeck::tui::model::{Focus, Over, Place, Speed, Story};
use flightdeck::units::Span;

const NARROW: (u16, u16) = (80, 24);
const USUAL: (u16, u16) = (120, 36);
const WIDE: (u16, u16) = (200, 60);

/// A canary of inventory-service at 5 %, on its own screen.
fn flying() -> Desk {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter tab enter");
    desk.fly(Span::mins(2));
    desk
}

fn last_line(screen: &str) -> &str {
    screen.lines().last().unwrap_or("")
}

/// The lines of a pane, from its title on.
fn pane<'s>(screen: &'s str, title: &str) -> Vec<&'s str> {
    screen.lines().skip_while(|l| !l.contains(title)).take_while(|l| !l.trim().is_empty()).collect()
}

#[test]
fn the_way_out_is_in_the_key_bar_of_a_rollout_however_narrow_it_is() {
    let mut desk = flying();
    assert!(last_line(&desk.text(NARROW)).contains("Esc  fleet"), "{}", desk.text(NARROW));
    desk.keys("R");
    assert!(last_line(&desk.text(NARROW)).contains("Esc  fleet"), "{}", desk.text(NARROW));
    desk.fly(Span::secs(10));
    assert!(last_line(&desk.text(NARROW)).contains("Esc  fleet"), "{}", desk.text(NARROW));
    assert!(last_line(&desk.text((60, 16))).contains("Esc"), "{}", desk.text((60, 16)));
}

#[test]
fn whether_time_stands_is_the_last_fact_to_go() {
    let mut desk = flying();
    desk.session.model.speed = Some(Speed { factor: 8.0, stopped: true });
    for width in [60, 70, 80, 100] {
        assert!(desk.text((width, 24)).lines().next().unwrap().contains("stopped"), "{}", desk.text((width, 24)));
    }
    desk.session.model.speed = Some(Speed { factor: 8.0, stopped: false });
    assert!(desk.text((60, 16)).lines().next().unwrap().contains("×8"));
}

#[test]
fn a_launch_at_80x24_has_a_row_for_the_service_and_its_key() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l");
    let screen = desk.text(NARROW);
    assert!(screen.contains(" SERVICE    inventory-service   4 of 8   s  another"), "{screen}");
}

#[test]
fn clusters_have_their_servers_in_full_where_there_is_room() {
    let desk = Desk::practice();
    let screen = desk.text(WIDE);
    assert!(["us-east-1", "us-west-2", "eu-west-1"].iter().all(|r| screen.contains(&format!("simulated {r} "))), "{screen}");
}

#[test]
fn what_is_under_the_events_does_not_move_with_them() {
    let mut desk = Desk::practice();
    let row = |desk: &Desk| desk.text(WIDE).lines().position(|l| l.contains("CLUSTERS"));
    let before = row(&desk);
    desk.keys("tab j j j l enter tab enter esc");
    desk.fly(Span::mins(2));
    assert!(before.is_some());
    assert_eq!(row(&desk), before);
}

#[test]
fn a_list_longer_than_its_pane_says_which_part_of_it_is_shown_and_is_scrolled_by_the_wheel() {
    let mut desk = flying();
    let title = |desk: &Desk| pane(&desk.text(USUAL), "EVENTS")[0].to_owned();
    let all = desk.model().current().unwrap().notes.len();
    let first = title(&desk);
    assert!(first.contains(" 1-") && first.contains(&format!("/{all} ")), "{first}");
    desk.mouse(USUAL, MouseEventKind::ScrollDown, "EVENTS");
    assert!(title(&desk).contains(" 2-"), "{}", title(&desk));
    for _ in 0..50 {
        desk.mouse(USUAL, MouseEventKind::ScrollDown, "EVENTS");
    }
    let end = title(&desk);
    assert!(end.contains(&format!("-{all}/{all} ")), "{end}");
    // Not past its end: once up is one row up.
    desk.mouse(USUAL, MouseEventKind::ScrollUp, "EVENTS");
    assert!(title(&desk).contains(&format!("-{}/{all} ", all - 1)), "{}", title(&desk));
    // Leaving it forgets that.
    desk.keys("esc");
    assert!(pane(&desk.text(NARROW), "EVENTS")[0].contains(" 1-"));
}

#[test]
fn services_that_are_opened_say_how_many_there_are_above_and_below() {
    let mut desk = Desk::practice();
    desk.keys("c tab G");
    let screen = desk.text((80, 16));
    assert!(screen.contains("shipping-service") && screen.contains(" more: ") && screen.contains("c folds"), "{screen}");
}

#[test]
fn help_and_plan_end_where_they_end() {
    let mut desk = flying();
    for (open, size) in [("?", NARROW), ("v", NARROW), ("e", (80, 16))] {
        desk.keys(open);
        for _ in 0..80 {
            desk.text(size);
            desk.keys("j");
        }
        let end = desk.text(size);
        desk.keys("k");
        assert_ne!(desk.text(size), end, "{open}: one up does nothing");
        desk.keys("j");
        assert_eq!(desk.text(size), end, "{open}");
        desk.keys("esc");
    }
}

#[test]
fn j_and_k_look_at_the_steps_of_the_rail() {
    let mut desk = flying();
    let row = |desk: &Desk| desk.text(USUAL).lines().nth(8).unwrap_or("").trim().to_owned();
    assert_eq!(row(&desk), "");
    desk.keys("j");
    assert!(row(&desk).starts_with("step 3 of 15   5 %   began 09:00"), "{}", row(&desk));
    desk.keys("j");
    assert!(row(&desk).starts_with("step 4 of 15   15 %   due ≈09:05   undo weight 0, at once"), "{}", row(&desk));
    // At the sizes where the plan stands beside, its row is chosen too.
    let screen = desk.text(WIDE);
    assert!(screen.lines().any(|l| l.contains("▸◇ 15 %")), "{screen}");
    desk.keys("G");
    assert!(row(&desk).starts_with("step 15 of 15   retire"), "{}", row(&desk));
    desk.keys("g k");
    assert_eq!(row(&desk), "");
    // Nothing else moves.
    let at = |screen: &str| screen.lines().position(|l| l.contains("REGIONS"));
    let before = at(&desk.text(NARROW));
    desk.keys("j");
    assert_eq!(at(&desk.text(NARROW)), before);
}

#[test]
fn after_a_rollback_of_what_was_well_w_does_not_say_that_it_failed() {
    let mut desk = flying();
    desk.keys("R");
    desk.fly(Span::secs(10));
    let screen = desk.text(USUAL);
    assert!(last_line(&screen).contains("w  why back"), "{screen}");
    desk.keys("w");
    let why = desk.text(USUAL);
    assert!(why.contains("rolled back        by ana at 09:02"), "{why}");
}

#[test]
fn a_share_from_before_a_rollback_is_not_shown_as_that_of_now() {
    let mut desk = flying();
    assert!(desk.model().current().unwrap().status.seen.is_some());
    desk.keys("R esc");
    desk.fly(Span(200));
    // Nothing was counted since: what is seen is not known, whatever it was.
    let r = desk.model().snapshot.rollouts.iter().find(|r| &*r.status.service.name == "inventory-service").unwrap();
    assert_eq!((r.phase, r.status.seen), (Phase::RollingBack, None));
    for (size, row) in [(NARROW, "v10 ?"), (USUAL, "3 regions      ?"), (WIDE, "    ?  rolling back")] {
        let screen = desk.text(size);
        assert!(pane(&screen, "IN FLIGHT").iter().any(|l| l.contains("inventory-service") && l.contains(row)), "{screen}");
    }
    desk.fly(Span::secs(20));
    assert!(pane(&desk.text(NARROW), "IN FLIGHT").iter().any(|l| l.contains("v10 0 %")), "{}", desk.text(NARROW));
    // The small chart has the old version's number, and its name.
    let screen = desk.text(WIDE);
    assert!(pane(&screen, "ERROR RATE OF EVERY ROLLOUT")[1].contains(" v9 0."), "{screen}");
}

#[test]
fn in_the_details_enter_and_the_arrows_take_what_is_typed_and_go_on() {
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter");
    let row = |desk: &Desk| {
        let form = desk.model().form.as_ref().unwrap();
        form.rows().get(form.row).map_or("the plan", |r| r.key.name)
    };
    assert_eq!(row(&desk), "initialTraffic");
    desk.keys("enter ctrl-u \"7%\" enter");
    assert_eq!(row(&desk), "maxTraffic");
    desk.keys("down enter ctrl-u \"20%\" down");
    assert_eq!(row(&desk), "stepInterval");
    desk.keys("enter ctrl-u \"6m\" up");
    assert_eq!(row(&desk), "stepSize");
    let set: Vec<String> = desk.model().form.as_ref().unwrap().rows().into_iter().filter(|r| r.mine).map(|r| r.text).collect();
    assert_eq!(set, ["7%", "20%", "6m"]);
    // What is wrong is told at its row.
    desk.keys("enter ctrl-u \"0%\" enter");
    assert_eq!(row(&desk), "stepSize");
    // To the end with the arrows, and on.
    desk.keys("d");
    (0..20).for_each(|_| desk.press("down"));
    assert_eq!(row(&desk), "the plan");
    desk.keys("enter");
    assert_eq!(desk.stage(), Some(Stage::Plan));
}

#[test]
fn what_is_in_the_way_of_a_launch_is_said_and_its_key_is_off() {
    let mut desk = Desk::practice();
    desk.keys("l s ctrl-u \"catalogue\" enter enter up enter v");
    let bar = |desk: &Desk| last_line(&desk.text(USUAL)).to_owned();
    // A key that is off has no plate: the word stands one column nearer.
    assert!(bar(&desk).contains("Enter launch"), "{}", bar(&desk));
    let rollouts = desk.model().snapshot.rollouts.len();
    desk.keys("enter");
    assert_eq!(desk.said(), "cannot be launched now: v103 is in flight, by ilias: finish it first");
    assert_eq!(desk.model().snapshot.rollouts.len(), rollouts);
    // With nothing in the way it is lit.
    let mut desk = Desk::practice();
    desk.keys("tab j j j l enter tab");
    assert!(bar(&desk).contains("Enter  launch"), "{}", bar(&desk));
}

#[test]
fn a_click_selects_a_row_and_a_click_on_the_selected_one_opens_it() {
    let mut desk = flying();
    desk.keys("esc");
    desk.click(USUAL, "catalogue    ");
    assert_eq!(&*desk.model().current().unwrap().status.service.name, "catalogue");
    assert_eq!(desk.model().place, Place::Fleet);
    desk.click(USUAL, "catalogue    ");
    assert_eq!(desk.model().place, Place::Rollout);
    desk.keys("esc");
    desk.click(USUAL, "search ");
    assert_eq!((desk.model().focus, &*desk.model().service.as_ref().unwrap().name), (Focus::Services, "search"));
    // The wheel moves in the list under the pointer, whichever had the arrows.
    desk.mouse(USUAL, MouseEventKind::ScrollDown, "inventory-service  v9");
    assert_eq!((desk.model().focus, &*desk.model().current().unwrap().status.service.name), (Focus::InFlight, "inventory-service"));
    // Beside all rows nothing is meant.
    desk.click(USUAL, "IN FLIGHT");
    assert_eq!(desk.model().place, Place::Fleet);
}

#[test]
fn a_click_on_a_key_of_the_bar_is_that_key() {
    let mut desk = flying();
    desk.click(USUAL, "Esc  fleet");
    assert_eq!(desk.model().place, Place::Fleet);
    desk.click(USUAL, "Enter  open");
    assert_eq!(desk.model().place, Place::Rollout);
    desk.click(USUAL, "?  help");
    assert!(matches!(desk.model().over, Some(Over::Help(_))));
    // What floats covers what is below it, and its own keys are in the bar.
    desk.click(USUAL, "Esc  close");
    assert!(desk.model().over.is_none());
    desk.click(USUAL, "R  roll back");
    desk.fly(Span::secs(10));
    assert_eq!(desk.model().current().unwrap().phase, Phase::Back);
}

#[test]
fn a_click_on_r_has_the_grace_and_the_arming_of_its_key() {
    let mut desk = Desk::safe();
    desk.click(USUAL, "R  roll back");
    assert!(desk.model().grace.is_some());
    desk.keys("esc");
    assert!(desk.model().grace.is_none());
    desk.keys("tab j j j l enter tab");
    desk.click(USUAL, "Enter launch");
    assert_eq!(desk.said(), "production is safe: press A to arm, then Enter");
}

#[test]
fn commands_strategies_and_details_are_pointed_at_too() {
    let mut desk = Desk::practice();
    desk.keys(": \"e\"");
    desk.click(USUAL, "events ");
    desk.click(USUAL, "events ");
    assert!(desk.model().over.is_none());
    assert!(desk.text(USUAL).contains("fleet › events"), "{}", desk.text(USUAL));
    desk.keys("esc tab j j j l");
    desk.click(USUAL, "rolling  ");
    assert_eq!(desk.model().form.as_ref().unwrap().kind.name(), "rolling");
    desk.click(USUAL, "rolling  ");
    assert_eq!(desk.stage(), Some(Stage::Details));
    desk.click(USUAL, "healthCheckPath     /");
    let form = desk.model().form.as_ref().unwrap();
    assert_eq!(form.rows()[form.row].key.name, "healthCheckPath");
    desk.click(USUAL, "healthCheckPath     /");
    assert!(desk.model().typing());
}

#[test]
fn what_an_exercise_is_about_is_one_command_away() {
    let mut desk = Desk::practice();
    desk.keys(": \"story\" enter");
    assert_eq!(desk.said(), "story: only in practice with --scenario");
    let (title, story, learn) = ("A hole behind you", "Somebody scales down v41, which stands idle.", "The way back needs pods.");
    desk.session.model.story = Some(Story { title: title.into(), story: story.into(), learn: learn.into() });
    desk.keys(": \"story\" enter");
    for size in [(60, 16), NARROW, USUAL, WIDE] {
        let screen = desk.text(size);
        assert!(
            [title, "Somebody scales down v41", "what it teaches", "The way back needs"].iter().all(|w| screen.contains(w)),
            "{screen}"
        );
    }
    desk.keys("x");
    assert!(desk.model().over.is_none());
}

#[test]
fn what_was_under_way_before_somebody_looked_has_the_time_it_began_at() {
    let desk = Desk::practice();
    let screen = desk.text(USUAL);
    assert!(screen.contains("08:50:30 ◆ catalogue  moves to v103 by ilias"), "{screen}");
}
