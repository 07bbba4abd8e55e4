//! One frame at 200x50 on the practice fleet with its canary: a second of fleet time, the screen built, compared, written.
//! The figure to hold is 2 ms at the 99th percentile. Known weakness: criterion tells a mean; the spread is in its report.

#[path = "../tests/session/mod.rs"]
mod session;

use criterion::{Criterion, criterion_group, criterion_main};
use flightdeck::journal::Memory;
use flightdeck::platform::Simulator;
use flightdeck::practice::Scenario;
use flightdeck::tui::app;
use flightdeck::tui::glyphs::GlyphSet;
use flightdeck::tui::model::Hand;
use flightdeck::tui::pen::Pen;
use flightdeck::tui::theme::{Mode, Theme, Tier};
use flightdeck::tui::writer::{Recorder, Writer};
use flightdeck::units::Span;
use ratatui::Terminal;

fn frame(c: &mut Criterion) {
    let scenario = Scenario::free(42);
    let mut world = session::world(&scenario, Box::new(Simulator::new(scenario.fleet())), Box::new(Memory::default()));
    session::canary(&mut world);
    let opened = world.now();
    let mut session = session::session(world);
    let theme = Theme::load(Some("dark"), Mode::Dark, Tier::True).expect("a theme of this name");
    let pen = Pen::new(&theme, GlyphSet::Braille);
    let mut screen = Terminal::new(Writer::new(Recorder::new(200, 50))).expect("a recorder takes everything");
    // The curves are an hour long, as late in a long rollout.
    let mut second = 3600;
    session.advance(opened + Span::secs(second), Hand(second * 1000));
    c.bench_function("a frame at 200x50: update, build, compare, write", |b| {
        b.iter(|| {
            second += 1;
            session.advance(opened + Span::secs(second), Hand(second * 1000));
            screen.backend_mut().set_title(&app::title(&session.model, false));
            screen
                .draw(|frame| {
                    app::paint(&session.model, frame.area(), frame.buffer_mut(), &pen, false);
                })
                .expect("a recorder takes everything");
            screen.backend_mut().sink_mut().take()
        });
    });
}

criterion_group!(benches, frame);
criterion_main!(benches);
