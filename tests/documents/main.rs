//! Documents, from text to messages and plans, as a table: each case is a document, `----`, and what is said about it.
//!
//! `UPDATE=1 cargo test --test documents` writes what is said now into the tables; read the difference before keeping it.

mod bounds;
mod practice;
mod properties;
mod sources;

use flightdeck::strategy::plan_text;
use practice::{compiled, read};
use std::path::Path;

/// Runs each case of a table: `# sentence`, the input, `----`, the output, `====`.
fn table(file: &str, run: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut now, mut wrong, mut cases) = (String::new(), Vec::new(), 0);
    for case in text.split("====\n").filter(|c| !c.trim().is_empty()) {
        let (input, expected) = case.split_once("----\n").unwrap();
        let (title, document) = input.split_once('\n').unwrap();
        assert!(title.starts_with("# "), "{title}");
        let output = run(document);
        if output != expected {
            wrong.push(format!("{title}\n--- expected\n{expected}--- said\n{output}"));
        }
        now += &format!("{input}----\n{output}====\n");
        cases += 1;
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, now).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{} of {cases} cases in {file}\n{}", wrong.len(), wrong.join("\n"));
}

fn messages(document: &str) -> String {
    match compiled(document) {
        Ok(plan) => format!("no message\n{}", plan.warnings.iter().map(|w| format!("warning: {w}\n")).collect::<String>()),
        Err(troubles) => troubles.iter().map(|t| format!("{t} (exit {})\n", t.kind.code())).collect(),
    }
}

#[test]
fn a_bad_document_gets_all_its_messages() {
    table("bad.txt", messages);
}

#[test]
fn a_document_that_may_surprise_gets_a_warning() {
    table("warned.txt", messages);
}

#[test]
fn a_document_becomes_the_plan_that_a_person_reads() {
    table("plans.txt", |document| match compiled(document) {
        Ok(plan) => plan_text(&plan),
        Err(troubles) => troubles.iter().map(|t| format!("{t}\n")).collect(),
    });
}

#[test]
fn a_document_reads_the_same_as_json() {
    let yaml = "strategy: canary\nstepSize: 20%\nrollbackThreshold: [2% error rate, p99 300ms]\nregions: {waves: [[eu-west-1], [us-east-1]], between: 10m}\n";
    let json = "{\n\t\"strategy\": \"canary\",\n\t\"stepSize\": \"20%\",\n\t\"rollbackThreshold\":[\"2% error rate\",\"p99 300ms\"],\n\t\"regions\": {\"waves\":[[\"eu-west-1\"],[\"us-east-1\"]],\"between\":\"10m\"}}";
    let (yaml, json) = (compiled(yaml).unwrap(), compiled(json).unwrap());
    assert_eq!(yaml, json);
    assert_eq!(yaml.legs.len(), 2);
    assert_eq!(read("strategy: canary").unwrap().rules.least_requests, 30);
}
