//! Commands against a cluster that the test plays: what they take from it, and what one says while another flies.

#[path = "fake/api_server.rs"]
mod api_server;
#[path = "fake/shop.rs"]
mod shop;

use api_server::ApiServer;
use serde_json::{Value, json};
use shop::{deployment, fill};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

struct Home {
    folder: tempfile::TempDir,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Home {
    fn of(server: &ApiServer) -> Home {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kubeconfig"), server.kubeconfig("east", &json!({"token": "t"}))).unwrap();
        Home { folder }
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn flightdeck(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
        command.args(line.split_whitespace()).env_clear().stdin(Stdio::null()).current_dir(self.path()).kill_on_drop(true);
        command.env("HOME", self.path()).env("FLIGHTDECK_DATA", self.path().join("data"));
        command.env("KUBECONFIG", self.path().join("kubeconfig")).env("LANG", "C.UTF-8").env("USER", "mara");
        command
    }
    async fn run(&self, line: &str) -> Said {
        let done = self.flightdeck(line).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }
    async fn json(&self, line: &str) -> Value {
        let said = self.run(line).await;
        serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{line}: {e}: {}{}", said.out, said.err))
    }
}

/// `order` as its owner annotated it.
fn annotated(notes: &[(&str, &str)]) -> Value {
    let mut order = deployment("order", "order:v42");
    for (name, text) in notes {
        order["metadata"]["annotations"][*name] = json!(text);
    }
    order
}

const NOTES: [(&str, &str); 5] = [
    ("deployment.strategy", "canary"),
    ("deployment.canary.initialTraffic", "20%"),
    ("deployment.canary.stepSize", "40%"),
    ("deployment.rollbackThreshold", "3% error rate"),
    ("deployment.kubernetes.io/revision", "1"),
];

#[tokio::test]
async fn options_come_before_the_file_the_file_before_annotations_and_those_before_defaults() {
    let server = ApiServer::start().await;
    fill(&server);
    server.put("deployments", annotated(&NOTES));
    let home = Home::of(&server);
    std::fs::write(home.path().join("d.yaml"), "service: order\nto: v43\nstepSize: 30%\n").unwrap();
    let plan = home.json("plan -f d.yaml --json").await;
    assert_eq!((&plan["fleet"], &plan["practice"], &plan["strategy"]), (&"east".into(), &false.into(), &"canary".into()));
    let value = |plan: &Value, key: &str| {
        let found = plan["values"].as_array().unwrap().iter().find(|v| v["key"] == key).unwrap().clone();
        (found["value"].as_str().unwrap().to_owned(), found["place"].as_str().unwrap_or("default").to_owned())
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(value(&plan, "strategy"), pair("canary", "annotation deployment.strategy"));
    assert_eq!(value(&plan, "stepSize"), pair("30%", "d.yaml:3:1"));
    assert_eq!(value(&plan, "initialTraffic"), pair("20%", "annotation deployment.canary.initialTraffic"));
    assert_eq!(value(&plan, "rollbackThreshold"), pair("3% error rate", "annotation deployment.rollbackThreshold"));
    assert_eq!(value(&plan, "maxTraffic"), pair("100%", "default"));
    let text = home.run("plan -f d.yaml").await.out;
    assert!(text.contains("  initialTraffic     20%            annotation deployment.canary.initialTraffic\n"), "{text}");

    // An option over all of them; nothing but annotations says how.
    let mut deploy = home.flightdeck("deploy order --to v43 --step-size 50% --yes").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(deploy.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert_eq!(first, "by annotation: strategy canary, initialTraffic 20%, rollbackThreshold 3% error rate");
    let status = home.json("status --json").await;
    let labels: Vec<&str> = status["rollouts"][0]["steps"].as_array().unwrap().iter().map(|s| s["label"].as_str().unwrap()).collect();
    assert!(labels.contains(&"20 %") && labels.contains(&"70 %"), "{labels:?}");
}

#[tokio::test]
async fn an_annotation_that_is_wrong_is_told_with_its_name_and_nothing_is_launched() {
    let server = ApiServer::start().await;
    fill(&server);
    server.put("deployments", annotated(&[("deployment.strategy", "canary"), ("deployment.canary.stepSize", "0%")]));
    let home = Home::of(&server);
    let said = home.run("deploy order --to v43 --yes").await;
    assert_eq!((said.code, said.err.as_str()), (Some(3), "annotation deployment.canary.stepSize: stepSize: 0% never gets on: write 10%\n"));
    assert!(server.asked("PATCH").is_empty());
}

#[tokio::test]
async fn while_one_flies_another_is_told_where_to_press_and_may_go_back() {
    let server = ApiServer::start().await;
    fill(&server);
    let home = Home::of(&server);
    let unarmed = home.run("deploy order --to v43 --strategy rolling").await;
    assert_eq!((unarmed.code, unarmed.err.as_str()), (Some(4), "order: this fleet is safe: give --yes\n"));

    let mut deploy = home.flightdeck("deploy order --to v43 --strategy rolling --yes --json").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(deploy.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let id = first["rollout"].as_str().unwrap().to_owned();
    for verb in ["pause", "promote --yes", "skip --yes", "abort"] {
        let (verb, yes) = verb.split_once(' ').unwrap_or((verb, ""));
        let said = home.run(&format!("{verb} order {yes}")).await;
        let message = format!("{id}: another flightdeck drives it: do it there, or end that one first; rollback works from here too\n");
        assert_eq!((said.code, said.err), (Some(4), message), "{verb}");
    }
    let json = home.json("pause order --json").await;
    assert_eq!((&json["error"]["code"], &json["error"]["kind"]), (&4.into(), &"refused".into()));

    let pid = rustix::process::Pid::from_raw(deploy.id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(deploy.wait().await.unwrap().code(), Some(11));
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"finished".into(), &"held".into()));
    let said = home.run("resume order").await;
    assert_eq!((said.code, said.err), (Some(4), format!("{id}: this fleet is safe: give --yes\n")));
    let said = home.run("undo order --yes").await;
    assert_eq!(said.code, Some(4));
    assert!(said.err.contains("there is no rollback to undo") && !said.err.contains("press"), "{}", said.err);
}

#[tokio::test]
async fn the_picture_of_a_cluster_keeps_the_rules_of_our_json() {
    let server = ApiServer::start().await;
    fill(&server);
    server.put("deployments", annotated(&NOTES));
    let home = Home::of(&server);
    let said = home.run("status --json").await;
    assert!(said.out.starts_with("{\"schema\":\"flightdeck/1\",\"now\":"), "{}", said.out);
    let picture: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(picture["regions"][0]["state"]["state"], "answers");
    let cell = &picture["services"][0]["cells"][0];
    assert_eq!(cell["pods"], json!({"ready": 2, "want": 2}));
    assert_eq!(picture["services"][0]["annotations"]["deployment.canary.stepSize"], "40%");
    let mut nulls = Vec::new();
    find_nulls(&picture, "", &mut nulls);
    assert!(nulls.is_empty(), "{nulls:?}");
}

fn find_nulls(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => found.push(path.to_owned()),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| find_nulls(value, &format!("{path}.{key}"), found)),
        Value::Array(all) => all.iter().for_each(|value| find_nulls(value, path, found)),
        _ => {}
    }
}
