//! The practice fleet with a person before it: a script of keys and clicks in, a screen out.
//!
//! With `FLIGHTDECK_SCREENS=folder` each screen that is held is also written there as text with colours, to be looked at.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use flightdeck::cli::flight;
use flightdeck::cockpit::{FleetSpec, Ids, RegionSpec, World};
use flightdeck::fleet::Protection;
use flightdeck::journal::Memory;
use flightdeck::platform::Simulator;
use flightdeck::practice::Scenario;
use flightdeck::simulator::START;
use flightdeck::tui::app::paint;
use flightdeck::tui::glyphs::GlyphSet;
use flightdeck::tui::keymap::Keymap;
use flightdeck::tui::launch::Stage;
use flightdeck::tui::model::{Hand, Model, Speed};
use flightdeck::tui::pen::Pen;
use flightdeck::tui::session::{Outside, Session};
use flightdeck::tui::theme::{Mode, Theme, Tier};
use flightdeck::units::{Person, Span};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

/// A person at the practice fleet, or at a fleet like it that is safe.
#[allow(dead_code)] // each test has its own use for it
pub struct Desk {
    pub session: Session,
    pub hand: u64,
}

#[allow(dead_code)] // each test has its own use for it
impl Desk {
    pub fn practice() -> Desk {
        Desk::at(flight::practice(&Scenario::free(42), false), Some(Speed { factor: 1.0, stopped: false }))
    }

    pub fn safe() -> Desk {
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

    pub fn at(mut world: World, speed: Option<Speed>) -> Desk {
        let model = Model::new(world.snapshot(), Keymap::default(), speed, None);
        let mut desk = Desk { session: Session::new(world, model, Person::new("ana")), hand: 10_000 };
        desk.fly(Span::secs(20));
        desk
    }

    /// Fleet time passes.
    pub fn fly(&mut self, span: Span) {
        let until = self.session.world.now() + span;
        self.session.advance(until, Hand(self.hand));
    }

    /// Keys as people write them: `l enter j`; what is in quotes is typed letter by letter.
    pub fn keys(&mut self, script: &str) -> &mut Desk {
        for (i, part) in script.split('"').enumerate() {
            match i % 2 {
                0 => part.split_whitespace().for_each(|key| self.press(key)),
                _ => part.chars().for_each(|c| self.event(KeyEvent::from(KeyCode::Char(c)))),
            }
        }
        self
    }

    pub fn press(&mut self, key: &str) {
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

    pub fn event(&mut self, key: KeyEvent) {
        self.hand += 300;
        let outside = self.session.key(Hand(self.hand), key);
        assert!(!outside.contains(&Outside::Quit), "{key:?} leaves");
    }

    pub fn model(&self) -> &Model {
        &self.session.model
    }

    pub fn stage(&self) -> Option<Stage> {
        self.model().form.as_ref().map(|f| f.stage)
    }

    /// What the toast says.
    pub fn said(&self) -> &str {
        self.model().toast().map_or("", |s| &s.text)
    }

    pub fn drawn(&self, (width, height): (u16, u16), tier: Tier, set: GlyphSet) -> Buffer {
        let theme = Theme::load(None, Mode::Dark, tier).unwrap();
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        paint(self.model(), buf.area, &mut buf, &Pen::new(&theme, set), false);
        buf
    }

    pub fn text(&self, size: (u16, u16)) -> String {
        text(&self.drawn(size, Tier::True, GlyphSet::Braille))
    }

    /// Where words stand on the screen, column and row of their first letter.
    pub fn find(&self, size: (u16, u16), words: &str) -> (u16, u16) {
        let screen = self.text(size);
        let found = screen.lines().enumerate().find_map(|(row, line)| Some((line[..line.find(words)?].chars().count(), row)));
        let (column, row) = found.unwrap_or_else(|| panic!("{words} is not on the screen:\n{screen}"));
        (column as u16, row as u16)
    }

    /// Does something with the mouse where words stand on the screen.
    pub fn mouse(&mut self, size: (u16, u16), kind: MouseEventKind, words: &str) {
        let (column, row) = self.find(size, words);
        self.hand += 300;
        let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        let outside = self.session.mouse(Hand(self.hand), event);
        assert!(!outside.contains(&Outside::Quit));
    }

    pub fn click(&mut self, size: (u16, u16), words: &str) {
        self.mouse(size, MouseEventKind::Down(MouseButton::Left), words);
    }
}

pub fn text(buf: &Buffer) -> String {
    let row = |cells: &[Cell]| cells.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned();
    buf.content.chunks(usize::from(buf.area.width)).map(row).collect::<Vec<_>>().join("\n")
}

/// The screen with its colours, for the eye.
#[allow(dead_code)] // each test has its own use for it
pub fn keep(buf: &Buffer, name: &str) {
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
