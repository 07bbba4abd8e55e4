//! What goes to the terminal, and how often the loop wakes and draws: exact, by virtual time, through the front.

mod session;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use flightdeck::cockpit::{FleetSpec, Ids, RegionSpec, World};
use flightdeck::fleet::{Fact, Protection};
use flightdeck::journal::Memory;
use flightdeck::platform::{Order, Platform, Question, Simulator};
use flightdeck::practice::Scenario;
use flightdeck::simulator::START;
use flightdeck::tui::app;
use flightdeck::tui::glyphs::GlyphSet;
use flightdeck::tui::keymap::Keymap;
use flightdeck::tui::model::{Hand, Model, Speed};
use flightdeck::tui::pace::Pace;
use flightdeck::tui::pen::Pen;
use flightdeck::tui::session::Session;
use flightdeck::tui::theme::{Mode, Theme, Tier};
use flightdeck::tui::writer::{Recorder, Writer};
use flightdeck::units::{Person, Span, Time};
use ratatui::Terminal;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The terminal's loop on a terminal of 200x50 that counts, and on a clock that is turned by hand.
struct Cockpit {
    session: Session,
    screen: Terminal<Writer<Recorder>>,
    theme: Theme,
    pace: Pace,
    opened: Time,
    at: Duration,
    wakes: usize,
    draws: usize,
    /// When each frame was drawn, and its bytes.
    frames: Vec<(Duration, usize)>,
}

impl Cockpit {
    fn over(session: Session) -> Cockpit {
        Cockpit {
            opened: session.world.now(),
            session,
            screen: Terminal::new(Writer::new(Recorder::new(200, 50))).unwrap(),
            theme: Theme::load(Some("dark"), Mode::Dark, Tier::True).unwrap(),
            pace: Pace::default(),
            at: Duration::ZERO,
            wakes: 0,
            draws: 0,
            frames: Vec::new(),
        }
    }
    fn practice() -> Cockpit {
        let scenario = Scenario::free(42);
        let mut world = session::world(&scenario, Box::new(Simulator::new(scenario.fleet())), Box::new(Memory::default()));
        session::canary(&mut world);
        Cockpit::over(session::session(world))
    }
    /// A practice fleet without requests in which nothing happens: nothing but the clock and ages changes.
    fn quiet() -> Cockpit {
        let mut scenario = Scenario::free(42);
        scenario.layout.services.iter_mut().for_each(|s| s.requests = 0.0);
        scenario.incidents.clear();
        let world = session::world(&scenario, Box::new(Simulator::new(scenario.fleet())), Box::new(Memory::default()));
        Cockpit::over(session::session(world))
    }
    fn now(&self) -> Time {
        let speed = self.session.model.speed.map_or(1.0, |s: Speed| s.factor);
        self.opened + Span((self.at.as_millis() as f64 * speed) as u64)
    }
    fn hand(&self) -> Hand {
        Hand(self.at.as_millis() as u64)
    }
    /// The bytes of what is drawn now.
    fn draw(&mut self) -> usize {
        let pen = Pen::new(&self.theme, GlyphSet::Braille);
        let model = &self.session.model;
        self.screen.backend_mut().set_title(&app::title(model, false));
        self.screen
            .draw(|frame| {
                if let Some(cursor) = app::paint(model, frame.area(), frame.buffer_mut(), &pen, false) {
                    frame.set_cursor_position(cursor);
                }
            })
            .unwrap();
        self.pace.drew(self.at);
        self.draws += 1;
        let bytes = self.screen.backend_mut().sink_mut().take().len();
        self.frames.push((self.at, bytes));
        bytes
    }
    fn key(&mut self, code: KeyCode) {
        let outside = self.session.key(self.hand(), KeyEvent::new(code, KeyModifiers::NONE));
        assert!(outside.is_empty());
        self.pace.happened(true);
    }
    /// Runs the loop for so many seconds; the bytes of each.
    fn run(&mut self, seconds: u64) -> Vec<usize> {
        let mut bytes = vec![0; seconds as usize];
        let start = self.at;
        let end = start + Duration::from_secs(seconds);
        loop {
            if self.pace.must_draw(self.at, true) {
                let drawn = self.draw();
                let second = (self.at - start).as_secs() as usize;
                bytes[second.min(seconds as usize - 1)] += drawn;
            }
            let rest = self.pace.rests(self.at, true, &self.session, self.now()).unwrap_or(Duration::MAX);
            // A timer ends on a whole millisecond.
            let rest = rest.min(end - self.at).as_micros().div_ceil(1000) as u64;
            self.at += Duration::from_millis(rest);
            if self.at >= end {
                return bytes;
            }
            self.wakes += 1;
            let outside = self.session.tick(self.hand());
            assert!(outside.is_empty());
            let (now, hand) = (self.now(), self.hand());
            self.pace.happened(self.session.advance(now, hand));
        }
    }
}

/// Mean, 95th percentile and most.
fn summary(bytes: &[usize]) -> (usize, usize, usize) {
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    (bytes.iter().sum::<usize>() / bytes.len(), sorted[bytes.len() * 95 / 100], sorted[bytes.len() - 1])
}

/// Said with `--nocapture`; held below.
fn say(what: &str, bytes: &[usize]) -> (usize, usize, usize) {
    let summary = summary(bytes);
    println!("{what}: mean {}, p95 {}, most {} bytes a second", summary.0, summary.1, summary.2);
    summary
}

#[test]
fn where_nothing_changed_nothing_is_drawn_and_a_frame_is_no_bytes() {
    let mut cockpit = Cockpit::practice();
    cockpit.run(30);
    assert!(!cockpit.pace.must_draw(cockpit.at + Duration::from_secs(60), true));
    assert_eq!(cockpit.draw(), 0);
    // Time stands still: there is nothing to wake for either.
    cockpit.session.model.speed = Some(Speed { factor: 1.0, stopped: true });
    cockpit.at += Duration::from_secs(5);
    assert_eq!(cockpit.pace.rests(cockpit.at, true, &cockpit.session, cockpit.now()), None);
}

#[test]
fn moving_the_selection_takes_at_most_300_bytes() {
    let mut cockpit = Cockpit::practice();
    cockpit.run(60);
    let mut most = 0;
    for code in [KeyCode::Tab, KeyCode::Down, KeyCode::Down, KeyCode::Up, KeyCode::Down, KeyCode::Up, KeyCode::Up] {
        cockpit.draw();
        cockpit.key(code);
        let bytes = cockpit.draw();
        if code != KeyCode::Tab {
            assert!(bytes > 0, "{code:?} moves nothing");
            most = most.max(bytes);
        }
    }
    println!("a move of the selection: at most {most} bytes");
    assert!(most <= 300, "{most}");
}

#[test]
fn a_quiet_second_is_a_few_bytes() {
    let mut cockpit = Cockpit::quiet();
    cockpit.run(1200);
    let (mean, _, most) = say("quiet", &cockpit.run(120));
    assert!(mean <= 20 && most <= 200, "{mean} {most}");
}

#[test]
fn ten_minutes_of_a_canary_with_all_numbers_changing_stay_within_their_bytes() {
    for (place, keys, limits) in [("fleet", &[][..], (500, 3500)), ("rollout", &[KeyCode::Enter][..], (600, 3500))] {
        let mut cockpit = Cockpit::practice();
        cockpit.run(5);
        keys.iter().for_each(|key| cockpit.key(*key));
        cockpit.run(5);
        let (mean, _, most) = say(place, &cockpit.run(600));
        assert!(mean <= limits.0 && most <= limits.1, "{place}: {mean} {most}");
    }
}

#[test]
fn no_second_of_a_canarys_first_minute_is_more_than_4096_bytes_whenever_it_begins() {
    for (place, keys) in [("fleet", &[][..]), ("rollout", &[KeyCode::Enter][..])] {
        let mut cockpit = Cockpit::practice();
        // The first frame is the whole screen, and so is that of another place.
        cockpit.draw();
        keys.iter().for_each(|key| cockpit.key(*key));
        cockpit.draw();
        cockpit.frames.clear();
        cockpit.run(60);
        let within = |from: Duration| {
            let second = cockpit.frames.iter().filter(|(at, _)| (from..from + Duration::from_secs(1)).contains(at));
            (second.map(|(_, bytes)| bytes).sum::<usize>(), from)
        };
        let (most, from) = cockpit.frames.iter().map(|(at, _)| within(*at)).max().unwrap();
        println!("{place}: at most {most} bytes in a second, from {from:?} on");
        assert!(most <= 4096, "{place}: {most} from {from:?} on: {:?}", cockpit.frames);
    }
}

#[test]
fn a_quiet_practice_fleet_wakes_the_loop_less_than_twice_a_second_and_is_drawn_once() {
    let mut cockpit = Cockpit::quiet();
    cockpit.run(1200);
    (cockpit.wakes, cockpit.draws) = (0, 0);
    cockpit.run(60);
    println!("quiet practice: {} wake-ups, {} draws in 60 s", cockpit.wakes, cockpit.draws);
    assert!(cockpit.wakes <= 90 && cockpit.draws <= 60, "{} {}", cockpit.wakes, cockpit.draws);
}

#[test]
fn numbers_alone_are_drawn_once_a_second() {
    let scenario = Scenario::free(42);
    let world = session::world(&scenario, Box::new(Simulator::new(scenario.fleet())), Box::new(Memory::default()));
    let mut cockpit = Cockpit::over(session::session(world));
    // Until the update that is under way is through.
    cockpit.run(1800);
    (cockpit.wakes, cockpit.draws) = (0, 0);
    let (mean, _, most) = say("calm fleet with traffic", &cockpit.run(60));
    println!("calm fleet with traffic: {} wake-ups, {} draws in 60 s", cockpit.wakes, cockpit.draws);
    assert!(cockpit.wakes <= 90 && cockpit.draws <= 60, "{} {}", cockpit.wakes, cockpit.draws);
    assert!(mean <= 600 && most <= 4096, "{mean} {most}");
}

/// A real fleet that says nothing.
struct Silent;

impl Platform for Silent {
    fn send(&mut self, _: Time, _: Order) {}
    fn ask(&mut self, _: Time, _: &[Question]) {}
    fn poll(&mut self, _: Time) -> Option<Fact> {
        None
    }
    fn poll_timeout(&self) -> Option<Time> {
        None
    }
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_real_fleet_that_says_nothing_wakes_the_loop_once_a_second() {
    let spec = FleetSpec {
        name: "prod".into(),
        practice: false,
        protection: Protection::Safe,
        readonly: false,
        grace: Span::ZERO,
        regions: vec![RegionSpec { name: "eu-west-1".into(), role: None }],
    };
    let mut world = World::new(spec, Box::new(Silent), Box::new(Memory::default()), None, Ids::seeded(1), START);
    world.step(START);
    let model = Model::new(world.snapshot(), Keymap::default(), None, None);
    let mut cockpit = Cockpit::over(Session::new(world, model, Person::new("ana")));
    cockpit.run(10);
    (cockpit.wakes, cockpit.draws) = (0, 0);
    cockpit.run(60);
    assert!((59..=61).contains(&cockpit.wakes) && cockpit.draws <= 60, "{} {}", cockpit.wakes, cockpit.draws);
}
