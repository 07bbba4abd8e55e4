//! From `R` to the orders of a rollback in three regions at the platform's door, with the news of earlier rollouts around.
//! The figure to hold is 10 ms at the 99th percentile. Known weakness: of the 30 earlier rollouts the world keeps the last 20.

#[path = "../tests/session/mod.rs"]
mod session;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use flightdeck::fleet::{Aspect, Fact, Way};
use flightdeck::journal::{Memory, Store};
use flightdeck::platform::{Order, Platform, Question, Simulator};
use flightdeck::practice::Scenario;
use flightdeck::rollout::Event;
use flightdeck::tui::model::Hand;
use flightdeck::tui::session::Session;
use flightdeck::units::{RolloutId, Span, Time};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

const EARLIER: usize = 30;

/// The simulator, and how many orders of a way back for traffic have reached it.
struct Counted {
    simulator: Simulator,
    back: Rc<Cell<usize>>,
}

impl Platform for Counted {
    fn send(&mut self, now: Time, order: Order) {
        if order.wish.way == Way::Back && order.wish.key.aspect == Aspect::Traffic {
            self.back.set(self.back.get() + 1);
        }
        self.simulator.send(now, order);
    }
    fn ask(&mut self, now: Time, open: &[Question]) {
        self.simulator.ask(now, open);
    }
    fn poll(&mut self, now: Time) -> Option<Fact> {
        self.simulator.poll(now)
    }
    fn poll_timeout(&self) -> Option<Time> {
        self.simulator.poll_timeout()
    }
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        self.simulator.ready()
    }
}

/// The practice fleet with the logs of earlier rollouts, its canary three minutes old.
fn flying(earlier: &[Event]) -> (Session, Rc<Cell<usize>>) {
    let mut store = Memory::default();
    if !earlier.is_empty() {
        for n in 0..EARLIER {
            let id = RolloutId::new(format!("order-service-earlier{n}"));
            store.open(&id);
            store.append(&id, earlier, true);
            store.close(&id);
        }
    }
    let scenario = Scenario::free(42);
    let back = Rc::new(Cell::new(0));
    let platform = Counted { simulator: Simulator::new(scenario.fleet()), back: back.clone() };
    let mut world = session::world(&scenario, Box::new(platform), Box::new(store));
    session::canary(&mut world);
    let mut session = session::session(world);
    let now = session.world.now() + Span::mins(3);
    session.advance(now, Hand(180_000));
    (session, back)
}

/// The events of a canary that went to its end.
fn earlier() -> Vec<Event> {
    let scenario = Scenario::free(42);
    let mut world = session::world(&scenario, Box::new(Simulator::new(scenario.fleet())), Box::new(Memory::default()));
    let id = session::canary(&mut world);
    world.run_until(world.now() + Span::mins(180));
    assert!(world.rollout(&id).is_some_and(|r| r.ended()), "it comes to an end");
    world.take_events(&id)
}

fn keys(c: &mut Criterion) {
    let earlier = earlier();
    let mut group = c.benchmark_group("keys");
    group.sample_size(20).warm_up_time(Duration::from_millis(500));
    group.bench_function("R to the orders for three regions", |b| {
        b.iter_batched(
            || flying(&earlier),
            |(mut session, back)| {
                session.key(Hand(181_000), KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT));
                assert_eq!(back.get(), 3, "one order for each region");
                session
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, keys);
criterion_main!(benches);
