//! What holds for every document that can be flown, over random ones.

use crate::practice::{compiled, read};
use flightdeck::strategy::{
    Compensation, Document, Gate, Plan, Reversible, Shape, Sources, StepKind, StrategyKind, about, plan_json, plan_text, strategies_json,
    strategies_text, strategy_help, strategy_text,
};
use flightdeck::units::{Percent, yaml};
use proptest::prelude::*;

fn document() -> impl Strategy<Value = String> {
    let fleet = prop_oneof![Just(""), Just("## pods\n"), Just("## pods-cut\n"), Just("## one-without-router\n")];
    let regions = prop_oneof![
        Just("regions: all\n"),
        Just("regions: [eu-west-1, us-east-1]\n"),
        Just("regions: {waves: [[eu-west-1], [us-east-1, us-west-2]], between: 7m}\n"),
        Just("regions: {waves: [[us-west-2], [eu-west-1], [us-east-1]]}\n"),
    ];
    let gates = prop_oneof![Just(""), Just("gates: [approval, lag]\n"), Just("gates: [freeze]\n")];
    let canary = (1u32..=10_000, 1u32..=10_000, 100u32..=10_000, 0u32..600).prop_map(|(a, b, step, hold)| {
        let percent = |n: u32| format!("{}.{:02}%", n / 100, n % 100);
        let (first, most) = (a.min(b), a.max(b));
        format!(
            "strategy: canary\ninitialTraffic: {}\nmaxTraffic: {}\nstepSize: {}\nstepInterval: {hold}s\n",
            percent(first),
            percent(most),
            percent(step)
        )
    });
    let rolling = (0u32..4, 1u32..4, proptest::option::of(0u32..600)).prop_map(|(up, down, hold)| {
        let interval = hold.map_or_else(String::new, |h| format!("stepInterval: {h}s\n"));
        format!("strategy: rolling\nmaxSurge: {up}\nmaxUnavailable: {down}\n{interval}")
    });
    let blue_green = prop_oneof![
        Just("strategy: blue-green\n"),
        Just("strategy: blue-green\ncleanupOldVersions: false\nrollbackThreshold: [30s, 1%]\n")
    ];
    let strategy = prop_oneof![canary, rolling, blue_green.prop_map(String::from)];
    (fleet, strategy, regions, gates).prop_map(|(fleet, strategy, regions, gates)| format!("{fleet}{strategy}{regions}{gates}"))
}

fn check(plan: &Plan) {
    assert!(!plan.steps.is_empty() && plan.steps.iter().all(|s| !s.legs.is_empty()));
    assert!(plan.steps.windows(2).all(|w| w[0].wave <= w[1].wave), "waves go in order");
    for leg in &plan.legs {
        let mine = || plan.steps.iter().enumerate().filter(|(_, s)| s.legs.contains(&leg.id));
        let weights: Vec<Percent> = mine().filter_map(|(_, s)| s.weight).collect();
        assert!(weights.windows(2).all(|w| w[0] < w[1]), "weights rise: {weights:?}");
        assert_eq!(weights.last(), Some(&Percent::ALL), "in the end it has everything");
        // no traffic before pods are there and well; the old pods go last, after the whole window
        let first = mine().find(|(_, s)| s.weight.is_some()).unwrap().0;
        let last = mine().rfind(|(_, s)| s.weight.is_some()).unwrap().0;
        if leg.route == flightdeck::strategy::Route::Weights {
            let before: Vec<StepKind> = mine().filter(|(at, _)| *at < first).map(|(_, s)| s.kind).collect();
            assert_eq!(before, [StepKind::Scale, StepKind::HealthCheck]);
        }
        assert!(mine().any(|(_, s)| s.kind == StepKind::HealthCheck));
        let window = mine().find(|(at, s)| *at > last && s.kind == StepKind::Hold && s.hold == Some(plan.rules.rollback_window));
        let window = window.unwrap().0;
        assert!(mine().filter(|(_, s)| s.kind == StepKind::Retire).all(|(at, _)| at > window));
    }
    for (at, step) in plan.steps.iter().enumerate() {
        let changes = !matches!(step.kind, StepKind::Hold | StepKind::HealthCheck | StepKind::WaitReady);
        assert_eq!(step.compensation != Compensation::Nothing, changes, "what changes something can be taken back");
        assert_eq!(step.weight.is_some(), matches!(step.kind, StepKind::SetWeight | StepKind::Switch));
        assert_eq!(step.weight.is_some(), step.gates.contains(&Gate::Capacity), "capacity before every weight");
        assert!(step.hold.is_none_or(|h| h <= step.expected));
        let back = plan.way_back(at);
        let moved = |c: Compensation| back.moves.iter().position(|m| m.compensation == c);
        assert!(moved(Compensation::Nothing).is_none());
        if let Some(remove) = moved(Compensation::RemoveNewPods) {
            assert_eq!(remove, back.moves.len() - 1, "traffic before everything else");
        }
        assert_eq!(back.reversible == Reversible::Gradual, back.moves.iter().any(|m| m.reversible == Reversible::Gradual));
        // every leg that a step so far has changed is taken back
        for done in plan.steps.iter().take(at + 1).filter(|s| s.compensation != Compensation::Nothing) {
            let taken = &back.moves[moved(done.compensation).unwrap()].legs;
            assert!(done.legs.iter().all(|l| taken.contains(l)));
        }
    }
}

proptest! {
    #[test]
    fn a_document_that_can_be_flown_makes_a_plan_that_can_be_taken_back(text in document()) {
        match compiled(&text) {
            Ok(plan) => {
                check(&plan);
                prop_assert!(!plan_text(&plan).is_empty());
                let again: Plan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
                prop_assert_eq!(again, plan);
            }
            Err(troubles) => {
                // only what these random documents may ask for and not get
                for t in troubles {
                    let text = t.to_string();
                    prop_assert!(text.contains("switches traffic between two sets of pods") || text.contains("the most"), "{}", text);
                }
            }
        }
    }

    #[test]
    fn an_approval_is_asked_for_once_a_wave_before_its_first_users(text in document()) {
        if let Ok(plan) = compiled(&text) && text.contains("approval") {
            let asked: Vec<u16> = plan.steps.iter().filter(|s| s.gates.contains(&Gate::Approval)).map(|s| s.wave).collect();
            let mut waves: Vec<u16> = plan.legs.iter().map(|l| l.wave).collect();
            waves.dedup();
            prop_assert_eq!(asked, waves);
        }
    }

    #[test]
    fn any_bytes_are_a_document_or_get_messages(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let file = yaml::parse("d.yaml", &bytes);
        if let Err(troubles) = Document::read(&Sources { file: Some(file), ..Sources::default() }) {
            prop_assert!(!troubles.is_empty());
        }
    }

    #[test]
    fn any_value_of_any_key_is_taken_or_gets_messages_that_name_the_key(
        key in prop_oneof![Just("initialTraffic"), Just("stepInterval"), Just("rollbackThreshold"), Just("regions"), Just("to"), Just("gates"), Just("window")],
        value in "[ -~é🚀]{0,30}"
    ) {
        let quoted = serde_json::to_string(&value).unwrap();
        if let Err(troubles) = read(&format!("strategy: canary\n{key}: {quoted}\n")) {
            for t in troubles {
                prop_assert!(t.cause.starts_with(key), "{}", t);
                prop_assert!(!t.remedy.is_empty(), "{}", t);
                prop_assert_eq!(t.place.line, Some(2));
            }
        }
    }
}

#[test]
fn the_documented_defaults_are_a_valid_file_that_reads_back_as_the_defaults() {
    for kind in StrategyKind::ALL {
        let shown = read(&strategy_text(kind)).unwrap();
        let bare = read(&format!("strategy: {}", kind.name())).unwrap();
        assert_eq!(
            (&shown.rules, &shown.shape, &shown.regions, &shown.warnings),
            (&bare.rules, &bare.shape, &bare.regions, &bare.warnings)
        );
        let texts = |d: &Document| d.entries.iter().map(|e| (e.key.name, e.text.clone())).collect::<Vec<_>>();
        assert_eq!(texts(&shown), texts(&bare));
        // what stands behind a comment is an example that can be taken as it is
        let all = strategy_text(kind)
            .replace("\n# stepInterval:", "\nstepInterval:")
            .replace("\n# service:", "\nservice:")
            .replace("\n# to:", "\nto:")
            .replace("\n# gates:", "\ngates:");
        assert!(read(&all).is_ok(), "{:?}", read(&all));
    }
}

#[test]
fn the_defaults_are_the_seeds_examples() {
    let Shape::Canary(canary) = read("strategy: canary").unwrap().shape else { panic!() };
    assert_eq!(canary.shares(), [5, 15, 25, 35, 45, 55, 65, 75, 85, 95, 100].map(Percent::whole));
    insta::assert_snapshot!(StrategyKind::ALL.map(strategy_text).join("\n"));
}

#[test]
fn the_catalogue_says_what_the_cheat_sheet_says() {
    let rows = StrategyKind::ALL.map(|kind| (kind.name(), about(kind).risk_word, about(kind).rollback_speed));
    assert_eq!(rows, [("blue-green", "low", "instant"), ("canary", "medium", "fast"), ("rolling", "low", "medium")]);
    assert!(
        strategies_json()["strategies"][1]["keys"].as_array().unwrap().iter().any(|k| k["name"] == "stepSize" && k["default"] == "10%")
    );
    insta::assert_snapshot!(format!("{}\n\n{}", strategies_text(), strategy_help(StrategyKind::Canary)));
}

#[test]
fn a_plan_for_programs_has_kind_regions_weight_hold_and_the_way_back() {
    let plan = plan_json(&compiled("strategy: canary\nstepSize: 95%\nregions: [us-east-1, eu-west-1]\n").unwrap());
    assert_eq!(plan["schema"], "flightdeck/1");
    let steps: Vec<String> = plan["steps"].as_array().unwrap().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(steps.join("\n"));
    let keys: Vec<&String> = plan.as_object().unwrap().keys().collect();
    for key in ["service", "strategy", "to", "from", "legs", "steps", "warnings", "expectedSeconds"] {
        assert!(keys.contains(&&key.to_owned()), "{key}");
    }
}
