//! The first screens at every size, beside the pictures: their text, what their colours mean, and that no line is cut in a word.
//!
//! With `FLIGHTDECK_SCREENS=folder` each screen is also written there as text with colours, to be looked at.

mod demo;

use demo::*;
use flightdeck::cockpit::{RegionState, Snapshot};
use flightdeck::rollout::{Mood, Phase, Readiness};
use flightdeck::tui::glyphs::GlyphSet;
use flightdeck::tui::keymap::Keymap;
use flightdeck::tui::model::{Focus, Full, Grace, Hand, Model, Over, Place, Speed};
use flightdeck::tui::pen::Pen;
use flightdeck::tui::theme::{Mode, Role, Theme, Tier};
use flightdeck::tui::view::{self, Shown, View};
use flightdeck::tui::widgets::field::Field;
use flightdeck::units::Span;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use std::sync::Arc;

const SIZES: [(u16, u16); 5] = [(80, 24), (100, 30), (120, 36), (200, 50), (200, 60)];

fn model(shot: Snapshot, place: Place) -> Model {
    let mut model = Model::new(Arc::new(shot), Keymap::default(), None, None);
    model.place = place;
    model
}

fn rollout(shot: Snapshot) -> Model {
    model(shot, Place::Rollout)
}

fn fleet_screen(shot: Snapshot) -> Model {
    model(shot, Place::Fleet)
}

fn theme(name: &str, tier: Tier) -> Theme {
    Theme::load(Some(name), Mode::Dark, tier).unwrap()
}

fn draw_in(model: &Model, (width, height): (u16, u16), theme: &Theme, set: GlyphSet) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    let shown = Shown::of(model);
    view::draw(buf.area, &mut buf, &View::of(model, &shown, false), &Pen::new(theme, set));
    buf
}

fn draw(model: &Model, size: (u16, u16)) -> Buffer {
    draw_in(model, size, &theme("dark", Tier::True), GlyphSet::Braille)
}

fn text(buf: &Buffer) -> String {
    let row = |cells: &[Cell]| cells.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned();
    buf.content.chunks(usize::from(buf.area.width)).map(row).collect::<Vec<_>>().join("\n")
}

/// The screen with its colours, for the eye.
fn keep(buf: &Buffer, name: &str) {
    let Ok(folder) = std::env::var("FLIGHTDECK_SCREENS") else { return };
    let mut out = String::new();
    for cells in buf.content.chunks(usize::from(buf.area.width)) {
        for cell in cells {
            let mut codes = vec!["0".to_owned()];
            for (colour, base) in [(cell.fg, 38), (cell.bg, 48)] {
                match colour {
                    Color::Rgb(r, g, b) => codes.push(format!("{base};2;{r};{g};{b}")),
                    Color::Indexed(i) => codes.push(format!("{base};5;{i}")),
                    Color::Reset => {}
                    named => {
                        let all = [
                            Color::Black,
                            Color::Red,
                            Color::Green,
                            Color::Yellow,
                            Color::Blue,
                            Color::Magenta,
                            Color::Cyan,
                            Color::Gray,
                            Color::DarkGray,
                            Color::LightRed,
                            Color::LightGreen,
                            Color::LightYellow,
                            Color::LightBlue,
                            Color::LightMagenta,
                            Color::LightCyan,
                            Color::White,
                        ];
                        let at = all.iter().position(|c| *c == named).unwrap();
                        codes.push(format!("{base};5;{at}"));
                    }
                }
            }
            for (modifier, code) in [(Modifier::BOLD, "1"), (Modifier::DIM, "2"), (Modifier::UNDERLINED, "4"), (Modifier::REVERSED, "7")] {
                if cell.modifier.contains(modifier) {
                    codes.push(code.into());
                }
            }
            write!(out, "\x1b[{}m{}", codes.join(";"), cell.symbol()).unwrap();
        }
        out += "\x1b[0m\n";
    }
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(format!("{folder}/{name}.txt"), out).unwrap();
}

/// Holds the screen's text at each of the sizes.
fn holds(name: &str, model: &Model, sizes: &[(u16, u16)]) {
    for size in sizes {
        let buf = draw(model, *size);
        let name = format!("{name}_{}x{}", size.0, size.1);
        keep(&buf, &name);
        insta::assert_snapshot!(name, text(&buf));
    }
}

#[test]
fn a_rollout_that_goes_well() {
    holds("well", &rollout(with(well(), at("14:03:22"))), &SIZES);
}

#[test]
fn a_rollout_that_fails() {
    holds("failing", &rollout(with(failing(&REGIONS), at("14:04:41"))), &SIZES);
}

#[test]
fn a_rollout_that_fails_in_one_of_three_regions() {
    holds("failing_in_one", &rollout(with(failing(&REGIONS[2..]), at("14:04:41"))), &[(80, 24), (120, 36)]);
}

#[test]
fn a_rollback_that_moves() {
    holds("moving", &rollout(with(moving(), at("14:44:19") + Span(400))), &SIZES);
}

#[test]
fn what_is_left_of_a_rollback_does_not_grow_with_the_clock() {
    let rail = |clock: &str| {
        let lines = text(&draw(&rollout(with(moving(), at(clock))), (120, 36)));
        lines.lines().nth(8).unwrap_or("").split_whitespace().skip_while(|w| !w.starts_with('≈')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rail("14:44:19").join(" "), "≈4.0 s more ≈4.0 s more");
    assert_eq!(rail("14:44:59"), rail("14:44:19"));
}

#[test]
fn a_rollback_that_is_proven() {
    holds("proven", &rollout(with(proven(), at("14:44:27"))), &SIZES);
}

#[test]
fn a_rollback_with_one_region_silent() {
    let mut shot = with(one_silent(), at("14:44:27"));
    shot.regions[1].state = RegionState::Silent { since: at("14:43:46"), why: "no answer in 5 s".into(), again: at("14:44:30") };
    holds("one_silent", &rollout(shot), &[(80, 24), (120, 36)]);
}

#[test]
fn a_fleet_where_one_fails_one_is_stuck_and_one_waits() {
    holds("fleet", &fleet_screen(fleet()), &SIZES);
}

#[test]
fn a_quiet_fleet() {
    holds("quiet", &fleet_screen(quiet()), &[(80, 24), (120, 36), (200, 50)]);
}

#[test]
fn a_real_cluster_that_has_not_answered_yet() {
    let mut model = fleet_screen(connecting());
    model.hint = Some("real cluster: kind-dev. To practise without one: flightdeck --practice".into());
    holds("connecting", &model, &[(80, 24), (120, 36)]);
}

#[test]
fn the_practice_fleet_says_what_to_try_first() {
    let shot = practice();
    let order = shot.rollouts[1].status.id.clone();
    let mut model = Model::new(
        Arc::new(shot),
        Keymap::default(),
        Some(Speed { factor: 4.0, stopped: false }),
        Some("Press Enter to look at order-service, n to step it, R to take it back.".into()),
    );
    model.selected = Some(order);
    holds("practice", &model, &[(80, 24), (120, 36)]);
}

#[test]
fn an_update_that_somebody_else_started_and_that_is_stuck() {
    holds("stuck", &rollout(with(stuck(), at("14:04:41"))), &[(80, 24), (120, 36), (200, 50)]);
}

#[test]
fn a_blue_green_before_its_switch() {
    holds("held", &rollout(with(held(), at("14:04:41"))), &[(80, 24), (120, 36)]);
}

#[test]
fn a_rollout_that_somebody_else_drives_and_one_whose_driver_is_gone() {
    holds("followed", &rollout(with(followed(None), at("14:03:22"))), &[(80, 24), (120, 36)]);
    holds("driver_gone", &rollout(with(followed(Some(Span::secs(41))), at("14:03:22"))), &[(80, 24), (120, 36)]);
}

#[test]
fn a_blue_green_whose_first_deployment_is_dark_while_it_adopts() {
    holds("adopting", &rollout(with(adopting(), at("14:04:41"))), &[(80, 24), (120, 36), (200, 50)]);
}

#[test]
fn a_rollout_with_too_few_requests_to_tell() {
    holds("too_few", &rollout(with(unclear(), at("14:03:22"))), &[(80, 24), (120, 36)]);
}

#[test]
fn a_rollout_without_metrics() {
    holds("no_metrics", &rollout(with(no_metrics(), at("14:03:22"))), &[(80, 24), (120, 36)]);
}

#[test]
fn a_fleet_with_a_region_that_denies_and_one_that_is_silent() {
    let mut shot = fleet();
    shot.regions[1].state = RegionState::Silent { since: at("14:04:00"), why: "connection refused".into(), again: at("14:04:44") };
    shot.regions[2].denied = vec!["list pods in namespace shop".into(), "patch deployments in namespace shop".into()];
    for service in &mut shot.services {
        service.cells[1].as_mut().unwrap().mood = flightdeck::cockpit::CellMood::Unknown;
    }
    holds("denied", &fleet_screen(shot), &[(80, 24), (120, 36), (200, 60)]);
}

#[test]
fn screens_of_events_plan_and_why() {
    for (full, name) in [(Full::Events, "events"), (Full::Plan, "plan"), (Full::Why, "why")] {
        let mut model = rollout(with(failing(&REGIONS), at("14:04:41")));
        model.full = Some(full);
        holds(name, &model, &[(80, 24), (120, 36)]);
    }
    let mut model = fleet_screen(fleet());
    model.full = Some(Full::Events);
    holds("fleet_events", &model, &[(80, 24)]);
    let mut model = rollout(with(failing(&REGIONS), at("14:04:41")));
    model.full = Some(Full::Latency);
    holds("latency", &model, &[(80, 24)]);
}

#[test]
fn a_filter_that_is_typed() {
    let mut model = fleet_screen(fleet());
    model.over = Some(Over::Filter(Field::with("se")));
    model.filter = "se".into();
    holds("filter", &model, &[(80, 24), (120, 36)]);
}

#[test]
fn without_colours_and_in_ascii_the_words_are_the_same() {
    for (name, model) in [("failing", rollout(with(failing(&REGIONS), at("14:04:41")))), ("fleet", fleet_screen(fleet()))] {
        for size in [(80, 24), (120, 36)] {
            let colour = draw(&model, size);
            let mono = draw_in(&model, size, &theme("dark", Tier::Mono), GlyphSet::Braille);
            let ascii = draw_in(&model, size, &theme("dark", Tier::Mono), GlyphSet::Ascii);
            keep(&mono, &format!("{name}_mono_{}x{}", size.0, size.1));
            keep(&ascii, &format!("{name}_ascii_{}x{}", size.0, size.1));
            assert!(mono.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
            assert!(ascii.content.iter().all(|c| c.symbol().is_ascii()));
            let letters = |buf: &Buffer| text(buf).chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>();
            assert_eq!(letters(&mono), letters(&colour));
            insta::assert_snapshot!(format!("{name}_ascii_{}x{}", size.0, size.1), text(&ascii));
        }
    }
    for (theme_name, tier, name) in [
        ("light", Tier::True, "light"),
        ("deuteranopia", Tier::True, "deuteranopia"),
        ("dark", Tier::Ansi, "16"),
        ("dark", Tier::Indexed, "256"),
    ] {
        let model = rollout(with(failing(&REGIONS), at("14:04:41")));
        let buf = draw_in(&model, (120, 36), &theme(theme_name, tier), GlyphSet::Braille);
        keep(&buf, &format!("failing_{name}_120x36"));
        assert_eq!(text(&buf), text(&draw(&model, (120, 36))));
    }
}

/// The top lines of a model, at a width.
fn top(model: &Model, width: u16, rows: std::ops::Range<usize>) -> String {
    let height = if width >= 120 { 36 } else { 24 };
    let lines = text(&draw(model, (width, height)));
    lines.lines().skip(rows.start).take(rows.len()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_top_lines_in_every_mode() {
    let mut out = String::new();
    let mut say = |name: &str, model: &Model| {
        for (width, rows) in [(120, 2..5), (80, 1..3), (60, 1..3)] {
            writeln!(out, "{name}, {width}\n{}", top(model, width, rows)).unwrap();
        }
        out.push('\n');
    };
    let one = |r, clock: &str| rollout(with(r, at(clock)));
    say("on course", &one(well(), "14:03:22"));
    let mut armed = one(well(), "14:03:22");
    armed.armed = Some(Hand(52_000));
    say("armed", &armed);
    say("too few", &one(unclear(), "14:03:22"));
    say("stuck", &one(stuck(), "14:04:41"));
    say("held", &one(held(), "14:04:41"));
    say("failing", &one(failing(&REGIONS), "14:04:41"));
    say("failing in one region", &one(failing(&REGIONS[2..]), "14:04:41"));
    let mut grace = one(well(), "14:03:22");
    grace.grace = Some(Grace { rollout: grace.selected.clone().unwrap(), until: Hand(1100), pressed: Hand(0) });
    say("grace", &grace);
    say("moving", &rollout(with(moving(), at("14:44:19") + Span(400))));
    say("proven", &one(proven(), "14:44:27"));
    let mut shot = with(one_silent(), at("14:44:27"));
    shot.regions[1].state = RegionState::Silent { since: at("14:43:46"), why: "no answer in 5 s".into(), again: at("14:44:30") };
    say("one region silent", &rollout(shot));
    let mut r = moving();
    r.status.mood = Mood::NotProven { missing: "us-east-1 still has errors".into() };
    say("not proven", &one(r, "14:46:20"));
    for (name, readiness) in [
        ("way back slow", Readiness::Slow { why: "us-east-1 has 10 of 18 pods".into() }),
        ("way back partly", Readiness::Partly { why: "us-west-2 silent for 41s".into() }),
        ("way back denied", Readiness::Denied { why: "you may not patch httproutes in namespace shop".into() }),
        ("way back off", Readiness::Off { why: "no older version is there".into() }),
    ] {
        let mut r = well();
        if name == "way back slow" {
            (r.status.rollback.ready, r.status.rollback.now, r.status.rollback.about) = (22, pc(82.0), Span::secs(40));
        }
        r.status.rollback.moves[1].reachable = name != "way back partly";
        r.status.rollback.readiness = readiness;
        say(name, &one(r, "14:03:22"));
    }
    let mut r = failing(&REGIONS);
    r.status.rollback.readiness = Readiness::Denied { why: "you may not patch httproutes in namespace shop".into() };
    say("failing and denied", &one(r, "14:04:41"));
    let mut r = failing(&REGIONS);
    r.status.rollback.left_behind = vec!["Argo CD order-service still says v42 and may put it back".into()];
    say("failing and something is left behind", &one(r, "14:04:41"));
    let mut r = failing(&REGIONS);
    r.record.not_recorded = Some("disk full".into());
    r.status.rollback.never_seen_healthy = true;
    say("failing, not recorded, never seen healthy", &one(r, "14:04:41"));
    let mut r = well();
    r.status.mood = Mood::Superseded;
    r.phase = Phase::Superseded;
    say("superseded", &one(r, "14:03:22"));
    let mut r = well();
    r.status.mood = Mood::Aborted;
    r.phase = Phase::Aborted;
    say("aborted", &one(r, "14:03:22"));
    let mut r = well();
    (r.status.mood, r.phase, r.status.ended) = (Mood::Promoted, Phase::Promoted, Some(at("14:51:40")));
    say("promoted", &one(r, "14:52:00"));
    let mut typing = one(failing(&REGIONS), "14:04:41");
    typing.over = Some(Over::Filter(Field::with("ord")));
    say("while text is typed", &typing);
    insta::assert_snapshot!("top_lines", out);
}

#[test]
fn below_the_least_size_the_r_line_is_all_there_is() {
    let model = rollout(with(failing(&REGIONS), at("14:04:41")));
    let at = |size| text(&draw(&model, size)).trim_end().to_owned();
    insta::assert_snapshot!([(59, 20), (52, 14), (30, 4)].map(at).join("\n\n"));
}

fn roles(buf: &Buffer, theme: &Theme, role: Role) -> String {
    let style = theme.style(role);
    let is = |c: &&Cell| Some(c.fg) == style.fg && c.symbol() != " ";
    buf.content.iter().filter(is).map(Cell::symbol).collect()
}

#[test]
fn when_all_is_well_nothing_is_red_and_no_strip_is_on_the_screen() {
    let theme = theme("dark", Tier::True);
    for model in [rollout(with(well(), at("14:03:22"))), fleet_screen(quiet())] {
        for size in SIZES {
            let buf = draw(&model, size);
            assert_eq!(roles(&buf, &theme, Role::Bad), "", "{size:?}");
            let strips = [Role::Alarm, Role::Caution, Role::Proof].map(|r| theme.style(r).bg);
            assert!(buf.content.iter().all(|c| !strips.contains(&Some(c.bg))), "{size:?}");
        }
    }
}

#[test]
fn one_strip_at_most_from_edge_to_edge_and_at_the_place_of_the_calm_lines() {
    let theme = theme("dark", Tier::True);
    let cases = [
        (rollout(with(failing(&REGIONS), at("14:04:41"))), Role::Alarm),
        (rollout(with(moving(), at("14:44:19"))), Role::Caution),
        (rollout(with(proven(), at("14:44:27"))), Role::Proof),
        (fleet_screen(fleet()), Role::Alarm),
    ];
    for (model, role) in cases {
        for size in SIZES {
            let buf = draw(&model, size);
            let ground = theme.style(role).bg;
            let rows: Vec<u16> = (0..size.1 - 1).filter(|y| Some(buf[(size.0 - 1, *y)].bg) == ground).collect();
            let first = if size.1 < 34 { 1 } else { 2 } + u16::from(model.place == Place::Rollout && size.0 >= 120 && size.1 >= 34);
            assert_eq!(rows, [first, first + 1], "{role:?} {size:?}");
            assert!((0..size.0).all(|x| Some(buf[(x, first)].bg) == ground));
        }
    }
}

#[test]
fn trouble_moves_nothing() {
    // The rail, the regions and the chart stand in the same rows, well and failing.
    for size in SIZES {
        let [well, failing] =
            [rollout(with(well(), at("14:03:22"))), rollout(with(failing(&REGIONS), at("14:04:41")))].map(|m| text(&draw(&m, size)));
        for title in ["REGIONS", "ERROR RATE", "VERDICT", "EVENTS", "PLAN AND"] {
            let row = |text: &str| text.lines().position(|l| l.contains(title));
            assert_eq!(row(&well), row(&failing), "{title} at {size:?}");
        }
    }
}

#[test]
fn the_new_version_is_blue_until_it_is_over_the_limit_and_the_old_one_never_red() {
    let theme = theme("dark", Tier::True);
    let buf = draw(&rollout(with(failing(&REGIONS), at("14:04:41"))), (120, 36));
    let bad = roles(&buf, &theme, Role::Bad);
    for number in ["4.82", "5.00", "4.40", "4.70", "v424.8%", "+4.5", "oversince14:03:55"] {
        assert!(bad.replace(' ', "").contains(number), "{number} in {bad}");
    }
    assert!(!bad.contains("0.28") && !bad.contains("v41"));
}

#[test]
fn another_rollout_that_fails_is_called_in_the_status_bar_with_its_key() {
    let theme = theme("dark", Tier::True);
    let mut model = rollout(fleet());
    model.selected = Some(model.snapshot.rollouts[1].status.id.clone());
    let buf = draw(&model, (120, 36));
    let alarm: String = (0..120).filter(|x| Some(buf[(*x, 0)].bg) == theme.style(Role::Alarm).bg).map(|x| buf[(x, 0)].symbol()).collect();
    assert_eq!(alarm, " ✗ 1 failing  0 ");
}

#[test]
fn the_selected_row_and_the_line_above_speak_of_the_same_rollout() {
    let mut model = fleet_screen(fleet());
    model.selected = Some(model.snapshot.rollouts[1].status.id.clone());
    let lines = text(&draw(&model, (120, 36)));
    let selected = lines.lines().find(|l| l.starts_with('▸')).unwrap();
    assert!(selected.contains("catalogue"), "{selected}");
    assert!(lines.lines().nth(3).unwrap().contains("catalogue"), "{lines}");
    model.focus = Focus::Services;
    model.service = Some(model.snapshot.services[2].service.clone());
    let lines = text(&draw(&model, (120, 36)));
    assert!(lines.lines().find(|l| l.starts_with('▸')).unwrap().contains("checkout"));
}

#[test]
fn calm_services_fold_where_there_is_no_room_and_open() {
    let mut shot = fleet();
    shot.services.extend((0..30).map(|i| row(&format!("tool-{i:02}"), "v7", 3.0, 0.1, 20.0)));
    let mut model = fleet_screen(shot);
    let lines = text(&draw(&model, (80, 24)));
    assert!(lines.contains("calm: ") && lines.contains("c shows them"), "{lines}");
    for name in ["authentication", "catalogue", "order-service", "search", "shipping-service"] {
        assert!(lines.lines().skip(8).any(|l| l.contains(name)), "{name} is folded:\n{lines}");
    }
    model.calm = true;
    (model.focus, model.service) = (Focus::Services, Some(model.snapshot.services[37].service.clone()));
    let lines = text(&draw(&model, (80, 24)));
    assert!(lines.contains("tool-29") && !lines.contains("calm: "), "{lines}");
}

/// Every state that the tests above draw.
fn all() -> Vec<(&'static str, Model)> {
    let mut silent = with(one_silent(), at("14:44:27"));
    silent.regions[1].state = RegionState::Silent { since: at("14:43:46"), why: "no answer in 5 s".into(), again: at("14:44:30") };
    let mut denied = fleet();
    denied.regions[2].denied = vec!["list pods in namespace shop".into()];
    let mut all = vec![
        ("well", rollout(with(well(), at("14:03:22")))),
        ("failing", rollout(with(failing(&REGIONS), at("14:04:41")))),
        ("failing in one", rollout(with(failing(&REGIONS[..1]), at("14:04:41")))),
        ("moving", rollout(with(moving(), at("14:44:19")))),
        ("proven", rollout(with(proven(), at("14:44:27")))),
        ("one silent", rollout(silent)),
        ("stuck", rollout(with(stuck(), at("14:04:41")))),
        ("held", rollout(with(held(), at("14:04:41")))),
        ("too few", rollout(with(unclear(), at("14:03:22")))),
        ("no metrics", rollout(with(no_metrics(), at("14:03:22")))),
        ("fleet", fleet_screen(fleet())),
        ("denied", fleet_screen(denied)),
        ("quiet", fleet_screen(quiet())),
        ("connecting", fleet_screen(connecting())),
        ("practice", fleet_screen(practice())),
    ];
    for full in [Full::Events, Full::Plan, Full::Why, Full::Latency] {
        let mut model = rollout(with(failing(&REGIONS), at("14:04:41")));
        model.full = Some(full);
        all.push(("full", model));
    }
    all
}

#[test]
fn every_screen_draws_at_every_size() {
    for (name, model) in all() {
        for width in (1..=250).step_by(7) {
            for height in [1, 2, 5, 15, 16, 17, 23, 24, 33, 34, 44, 70] {
                let buf = draw(&model, (width, height));
                assert!(buf.content.iter().all(|c| !c.symbol().contains(char::is_control)), "{name} at {width}x{height}");
            }
        }
    }
}

#[test]
fn no_line_of_words_is_cut_inside_a_word_or_a_number() {
    let split = |l: &str| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    // What stands above the curves and in the bars, in words.
    let words = |model: &Model, size: (u16, u16)| -> Vec<String> {
        let lines = text(&draw(model, size));
        let is_curve = |l: &&str| ["ERROR RATE", "TRAFFIC ON", "LATENCY p99"].iter().any(|t| l.contains(t));
        let until = lines.lines().position(|l| is_curve(&l)).unwrap_or(usize::from(size.1));
        let shown = lines.lines().take(until).chain(lines.lines().last());
        shown.flat_map(split).collect()
    };
    // Where there is room nothing is cut, so those are the words there are.
    let every = |model: &Model, size: (u16, u16)| split(&text(&draw(model, size)));
    let mut cut = std::collections::BTreeMap::new();
    for (name, model) in all() {
        let roomy = [(250, 70), (159, 70), (159, 30), (119, 70), (99, 70), (99, 20), (79, 70), (79, 20)];
        let mut known: std::collections::BTreeSet<String> = roomy.iter().flat_map(|size| every(&model, *size)).collect();
        known.extend(split("calm: more: c shows them"));
        for width in 60..=250 {
            for height in [16 + width * 7 % 55, 24] {
                for word in words(&model, (width, height)) {
                    let drawn = word.chars().any(|c| "━╾─┄█▌░·".contains(c) || ('▏'..='▉').contains(&c));
                    let counts = word.starts_with('+') || word.chars().all(|c| c.is_ascii_digit() || "-/".contains(c));
                    // A line that may never go ends after a whole word.
                    let whole = word.trim_end_matches(['…', ',']);
                    let known_word =
                        known.contains(&word) || known.contains(whole) || known.contains(&format!("{whole},")) || whole.is_empty();
                    if !(drawn || counts || known_word) {
                        cut.insert((name, word), (width, height));
                    }
                }
            }
        }
    }
    assert!(cut.is_empty(), "{cut:#?}");
}

#[test]
fn long_after_a_rollback_its_chart_has_stopped_and_then_gives_way_to_the_usual_curves() {
    let later = at("14:46:10");
    let mut r = proven();
    let mut moves = (**r.moves.as_ref().unwrap()).clone();
    moves.seen.extend((0..100).map(|s| (at("14:44:28") + Span::secs(s), pc(0.0))));
    r.moves = Some(Arc::new(moves.clone()));
    let lines = text(&draw(&rollout(with(r.clone(), later)), (120, 36)));
    assert!(
        lines.contains("TRAFFIC ON v19") && lines.contains("14:44:20") && !lines.lines().skip(1).any(|l| l.contains("14:46")),
        "{lines}"
    );
    moves.seen.retain(|(at, _)| *at > demo::at("14:45:00"));
    r.moves = Some(Arc::new(moves));
    let lines = text(&draw(&rollout(with(r, later)), (120, 36)));
    assert!(lines.contains("ERROR RATE") && !lines.contains("TRAFFIC ON"), "{lines}");
}
