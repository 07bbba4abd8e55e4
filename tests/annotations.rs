//! What owners wrote on a service fills in the launch form, and says that it did.

mod session;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use flightdeck::fleet::Fact;
use flightdeck::journal::Memory;
use flightdeck::platform::{Order, Platform, Question, Simulator};
use flightdeck::practice::Scenario;
use flightdeck::strategy::StrategyKind;
use flightdeck::tui::model::Hand;
use flightdeck::tui::session::Session;
use flightdeck::units::Time;
use std::pin::Pin;

/// The practice fleet, with the same annotations on every workload.
struct Annotated(Simulator, &'static [(&'static str, &'static str)]);

impl Platform for Annotated {
    fn send(&mut self, now: Time, order: Order) {
        self.0.send(now, order);
    }
    fn ask(&mut self, now: Time, open: &[Question]) {
        self.0.ask(now, open);
    }
    fn poll(&mut self, now: Time) -> Option<Fact> {
        let mut fact = self.0.poll(now)?;
        if let Fact::WorkloadSeen(workload) = &mut fact {
            workload.annotations = self.1.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        }
        Some(fact)
    }
    fn poll_timeout(&self) -> Option<Time> {
        self.0.poll_timeout()
    }
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        self.0.ready()
    }
}

fn form(notes: &'static [(&'static str, &'static str)]) -> Session {
    let scenario = Scenario::free(42);
    let platform = Box::new(Annotated(Simulator::new(scenario.fleet()), notes));
    let mut session = session::session(session::world(&scenario, platform, Box::new(Memory::default())));
    session.key(Hand(10_000), KeyEvent::new(KeyCode::Char('l'), KeyModifiers::NONE));
    session
}

#[test]
fn the_form_begins_with_what_is_written_on_the_service() {
    let session = form(&[("deployment.strategy", "rolling"), ("deployment.maxUnavailable", "2"), ("deployment.canary.stepSize", "15%")]);
    let form = session.model.form.as_ref().unwrap();
    assert_eq!(form.kind, StrategyKind::Rolling);
    let row = |key: &str| form.rows().into_iter().find(|r| r.key.name == key).unwrap();
    assert_eq!((row("maxUnavailable").text.as_str(), row("maxUnavailable").annotated), ("2", true));
    assert!(!row("maxSurge").annotated && !row("maxSurge").text.is_empty());
    assert!(form.troubles.is_empty(), "{:?}", form.troubles);
}

#[test]
fn a_wrong_annotation_is_told_at_its_row() {
    let session = form(&[("deployment.strategy", "canary"), ("deployment.canary.stepSize", "0%")]);
    let form = session.model.form.as_ref().unwrap();
    let step_size = form.rows().into_iter().find(|r| r.key.name == "stepSize").unwrap().key;
    assert_eq!(form.wrong(step_size).unwrap().to_string(), "annotation deployment.canary.stepSize: stepSize: 0% never gets on: write 10%");
    assert!(form.compiled.is_none());
}
