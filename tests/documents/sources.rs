//! Who wins: options, the file, annotations, labels, defaults; and every value knows who gave it.

use crate::practice::{compiled, sources};
use flightdeck::strategy::{Document, Entry, Origin, Sources, StrategyKind};
use flightdeck::units::{Kind, Trouble};

fn entry<'d>(document: &'d Document, key: &str) -> &'d Entry {
    document.entries.iter().find(|e| e.key.name == key).unwrap()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn says(result: Result<Document, Vec<Trouble>>) -> Vec<String> {
    result.unwrap_err().iter().map(ToString::to_string).collect()
}

/// The annotations of the seed's Application.
fn seed_annotations() -> Vec<(String, String)> {
    pairs(&[
        ("deployment.strategy", "blue-green"),
        ("deployment.healthCheckPath", "/healthz"),
        ("deployment.rollbackThreshold", "45s"),
        ("deployment.canary.initialTraffic", "4%"),
        ("deployment.canary.stepSize", "12%"),
        ("deployment.canary.stepInterval", "6m"),
        ("deployment.kubernetes.io/revision", "7"),
        ("argocd.argoproj.io/sync-wave", "1"),
    ])
}

#[test]
fn each_value_comes_from_the_strongest_source_that_has_it() {
    let mut all = sources("strategy: canary\nstepSize: 20%\nstepInterval: 2m\n");
    all.options = pairs(&[("stepSize", "30%")]);
    all.annotations = seed_annotations();
    let document = Document::read(&all).unwrap();
    let seen: Vec<(&str, &str, String)> =
        ["initialTraffic", "maxTraffic", "stepSize", "stepInterval", "healthCheckPath", "rollbackThreshold"]
            .map(|key| (key, entry(&document, key).text.as_str(), entry(&document, key).origin.words()))
            .to_vec();
    let expected = [
        ("initialTraffic", "4%", "annotation"),
        ("maxTraffic", "100%", "default"),
        ("stepSize", "30%", "option"),
        ("stepInterval", "2m", "file, line 3"),
        ("healthCheckPath", "/healthz", "annotation"),
        ("rollbackThreshold", "2% error rate", "default"),
    ];
    assert_eq!(seen, expected.map(|(k, v, o)| (k, v, o.to_owned())));
    assert_eq!(document.warnings, ["annotation deployment.rollbackThreshold: written for blue-green, not used for canary"]);
    assert_eq!(document.strategy_origin, Origin::File { line: 1 });
}

#[test]
fn annotations_alone_make_a_document_and_those_of_other_strategies_wait_for_theirs() {
    let document = Document::read(&Sources { annotations: seed_annotations(), ..Sources::default() }).unwrap();
    assert_eq!((document.strategy, document.strategy_origin), (StrategyKind::BlueGreen, Origin::Annotation));
    assert_eq!(entry(&document, "rollbackThreshold").text, "45s");
    assert!(document.warnings.is_empty());
}

#[test]
fn a_label_names_the_strategy_when_nobody_stronger_does() {
    let labels = vec!["bug".to_owned(), "deploy:rolling".to_owned()];
    let document = Document::read(&Sources { labels: labels.clone(), ..Sources::default() }).unwrap();
    assert_eq!((document.strategy, document.strategy_origin), (StrategyKind::Rolling, Origin::Label));
    let annotated = Document::read(&Sources { labels: labels.clone(), annotations: seed_annotations(), ..Sources::default() }).unwrap();
    assert_eq!(annotated.strategy, StrategyKind::BlueGreen);
    let option = Document::read(&Sources { labels, options: pairs(&[("strategy", "canary")]), ..Sources::default() }).unwrap();
    assert_eq!((option.strategy, option.strategy_origin), (StrategyKind::Canary, Origin::Option));
}

#[test]
fn without_a_word_from_anybody_it_is_blue_green_with_every_default() {
    let document = Document::read(&Sources::default()).unwrap();
    assert_eq!(document.strategy, StrategyKind::BlueGreen);
    assert!(document.entries.iter().all(|e| e.origin == Origin::Default));
}

#[test]
fn what_is_wrong_names_its_source() {
    let options = Sources {
        options: pairs(&[("strategy", "canary"), ("initialTraffic", "120"), ("regions", "[us-east-1, us-east-1]")]),
        ..Sources::default()
    };
    assert_eq!(
        says(Document::read(&options)),
        [
            "--initial-traffic: initialTraffic: 120% is above 100%: write 100% or less",
            "--regions:1:13: regions: us-east-1 is named twice, first in line 1: a region belongs to one wave",
        ]
    );
    let kinds = |result: Result<Document, Vec<Trouble>>| result.unwrap_err().iter().map(|t| t.kind).collect::<Vec<_>>();
    assert_eq!(kinds(Document::read(&options)), [Kind::Usage, Kind::Usage]);
    let mut annotations = seed_annotations();
    annotations.extend(pairs(&[("deployment.blue-green.cleanup", "true"), ("deployment.healthcheckpath", "/x")]));
    assert_eq!(
        says(Document::read(&Sources { annotations, ..Sources::default() })),
        [
            "annotation deployment.blue-green.cleanup: unknown key cleanup: blue-green takes healthCheckPath, rollbackThreshold, cleanupOldVersions",
            "annotation deployment.healthcheckpath: unknown key healthcheckpath: did you mean healthCheckPath?",
        ]
    );
    let labels = Sources { labels: vec!["deploy:canary".into(), "deploy:saga-pattern".into()], ..Sources::default() };
    assert_eq!(
        says(Document::read(&labels)),
        ["label deploy:saga-pattern: the label deploy:canary asks for another strategy: keep one deploy: label"]
    );
    let label = Sources { labels: vec!["deploy:feature-flag".into()], ..Sources::default() };
    assert_eq!(
        says(Document::read(&label)),
        ["label deploy:feature-flag: strategy: feature-flag is not flown by this version: it flies blue-green, canary, rolling"]
    );
}

#[test]
fn an_option_that_changes_the_strategy_does_not_silently_drop_the_files_keys() {
    let mut all = sources("strategy: canary\nstepSize: 20%\nhealthCheckPath: /healthz\n");
    all.options = pairs(&[("strategy", "rolling")]);
    assert_eq!(says(Document::read(&all)), ["d.yaml:2:1: unknown key stepSize: it belongs to canary"]);
}

#[test]
fn a_value_that_is_overridden_may_be_wrong() {
    let mut all = sources("strategy: canary\nstepSize: 0%\n");
    all.options = pairs(&[("stepSize", "20%")]);
    assert!(Document::read(&all).is_ok());
}

#[test]
fn a_document_written_as_a_file_reads_back_the_same() {
    let mut all = sources(
        "strategy: canary\nrollbackThreshold: [2% error rate, p99 300ms]\nregions: {waves: [[eu-west-1], [us-east-1]], between: 10m}\nto: \"@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n",
    );
    all.options = pairs(&[("failuresInARow", "5")]);
    let text = Document::read(&all).unwrap().to_yaml();
    assert_eq!(
        text,
        "strategy: canary\ninitialTraffic: 5%\nmaxTraffic: 100%\nstepSize: 10%\nstepInterval: 5m\nhealthCheckPath: /health\n\
         rollbackThreshold: [2% error rate, p99 300ms]\nto: \"@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n\
         regions: { waves: [[eu-west-1], [us-east-1]], between: 10m }\nfailuresInARow: 5\n"
    );
    assert_eq!(compiled(&text).unwrap().rules.failures_in_a_row, 5);
}
