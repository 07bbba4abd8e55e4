//! The launch screen, help and palette by keys alone: a script in, a screen out, over the practice fleet.
//!
//! With `FLIGHTDECK_SCREENS=folder` each screen is also written there as text with colours, to be looked at.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use flightdeck::cli::flight;
use flightdeck::cockpit::{FleetSpec, Ids, RegionSpec, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::Memory;
use flightdeck::platform::Simulator;
use flightdeck::practice::Scenario;
use flightdeck::rollout::Phase;
use flightdeck::simulator::START;
use flightdeck::tui::app::paint;
use flightdeck::tui::glyphs::GlyphSet;
use flightdeck::tui::keymap::Keymap;
use flightdeck::tui::launch::Stage;
use flightdeck::tui::model::{Hand, Model, Place, Speed};
use flightdeck::tui::pen::Pen;
use flightdeck::tui::session::{Outside, Session};
use flightdeck::tui::theme::{Mode, Theme, Tier};
use flightdeck::units::{Person, Span};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

/// A person at the practice fleet, or at a fleet like it that is safe.
struct Desk {
    session: Session,
    hand: u64,
}

impl Desk {
    fn practice() -> Desk {
        Desk::at(flight::practice(&Scenario::free(42), false), Some(Speed { factor: 1.0, stopped: false }))
    }

    fn safe() -> Desk {
        let scenario = Scenario::free(42);
        let regions = scenario.layout.regions.iter().map(|r| RegionSpec { name: r.name.clone(), role: Some(r.role) }).collect();
        let spec = FleetSpec {
            name: "production".into(),
            practice: false,
            protection: Protection::Safe,
            readonly: false,
            grace: Span(1500),
            regions,
        };
        let platform = Box::new(Simulator::new(scenario.fleet()));
        let begins = START - scenario.layout.warm_up;
        let mut world = World::new(spec, platform, Box::new(Memory::default()), None, Ids::seeded(42), begins);
        world.step(START);
        Desk::at(world, None)
    }

    fn at(mut world: World, speed: Option<Speed>) -> Desk {
        let model = Model::new(world.snapshot(), Keymap::default(), speed, None);
        let mut desk = Desk { session: Session::new(world, model, Person::new("ana")), hand: 10_000 };
        desk.fly(Span::secs(20));
        desk
    }

    /// Fleet time passes.
    fn fly(&mut self, span: Span) {
        let until = self.session.world.now() + span;
        while self.session.world.now() < until {
            let next = self.session.world.poll_timeout().unwrap_or(until).min(until);
            self.session.advance(next, Hand(self.hand));
        }
    }

    /// Keys as people write them: `l enter j`; what is in quotes is typed letter by letter.
    fn keys(&mut self, script: &str) -> &mut Desk {
        for (i, part) in script.split('"').enumerate() {
            match i % 2 {
                0 => part.split_whitespace().for_each(|key| self.press(key)),
                _ => part.chars().for_each(|c| self.event(KeyEvent::from(KeyCode::Char(c)))),
            }
        }
        self
    }

    fn press(&mut self, key: &str) {
        let code = match key {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "ctrl-u" => return self.event(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)),
            one => KeyCode::Char(one.chars().next().unwrap()),
        };
        self.event(KeyEvent::from(code));
    }

    fn event(&mut self, key: KeyEvent) {
        self.hand += 300;
        let outside = self.session.key(Hand(self.hand), key);
        assert!(!outside.contains(&Outside::Quit), "{key:?} leaves");
    }

    fn model(&self) -> &Model {
        &self.session.model
    }

    fn stage(&self) -> Option<Stage> {
        self.model().form.as_ref().map(|f| f.stage)
    }

    /// What the toast says.
    fn said(&self) -> &str {
        self.model().toast().map_or("", |s| &s.text)
    }

    fn drawn(&self, (width, height): (u16, u16), tier: Tier, set: GlyphSet) -> Buffer {
        let theme = Theme::load(None, Mode::Dark, tier).unwrap();
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        paint(self.model(), buf.area, &mut buf, &Pen::new(&theme, set), false);
        buf
    }

    fn text(&self, size: (u16, u16)) -> String {
        text(&self.drawn(size, Tier::True, GlyphSet::Braille))
    }

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
                if let Color::Rgb(r, g, b) = colour {
                    codes.push(format!("{base};2;{r};{g};{b}"));
                }
            }
            for (modifier, code) in [(Modifier::BOLD, "1"), (Modifier::UNDERLINED, "4"), (Modifier::REVERSED, "7")] {
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
