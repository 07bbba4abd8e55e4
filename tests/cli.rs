//! The program as it is run: what it prints, and how it ends.

use flightdeck::journal::{FileStore, Store};
use flightdeck::rollout::{By, Event, What};
use flightdeck::units::{Person, RolloutId, Term, Time};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program, with folders of its own and nothing of this machine's settings.
fn flightdeck(home: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
    command.args(line.split_whitespace()).env_clear().stdin(Stdio::null());
    command
        .env("HOME", home)
        .env("FLIGHTDECK_DATA", home.join("data"))
        .env("KUBECONFIG", home.join("no-kubeconfig"))
        .env("LANG", "C.UTF-8");
    command
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(home: &Path, line: &str) -> Said {
    said(flightdeck(home, line).output().unwrap())
}

fn said(Output { status, stdout, stderr }: Output) -> Said {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A log of three events, as a flight would leave it.
fn flown(home: &Path, folder: &str, id: &str) -> std::path::PathBuf {
    let mut store = FileStore::new(home.join("data").join(folder));
    let rollout = RolloutId::new(id);
    store.open(&rollout);
    let whats = [What::Paused, What::Resumed, What::Promoted];
    let event = |(seq, what)| Event { seq, term: Term(1), at: Time(1_767_603_600_000), by: By::Person(Person::new("mara")), what };
    store.append(&rollout, &(1..).zip(whats).map(event).collect::<Vec<_>>(), true);
    assert!(store.settle());
    store.path(&rollout, "log").unwrap()
}

#[test]
fn help_and_version_are_answers_and_wrong_words_are_not() {
    let home = tempfile::tempdir().unwrap();
    for (line, code, out, err) in [
        ("--help", 0, "Usage: flightdeck [OPTIONS]", ""),
        ("--version", 0, "flightdeck 0.", ""),
        ("help deploy", 0, "--initial-traffic <5%>", ""),
        ("deploy --help", 0, "--initial-traffic <5%>", ""),
        ("deploy --strategy canary --help", 0, "canary: traffic in growing shares", ""),
        ("deploy --list-strategies", 0, "blue-green", ""),
        ("strategies", 0, "rolling", ""),
        ("deploy --strategy canry --help", 2, "", "`canry` is not a strategy: did you mean canary?"),
        ("strategies show ab-testing", 2, "", "ab-testing is not flown by this version"),
        ("serve", 2, "", "unrecognized subcommand 'serve'"),
        ("--practise", 2, "", "a similar argument exists: '--practice'"),
        ("journal export", 2, "", "<ROLLOUT>"),
    ] {
        let said = run(home.path(), line);
        assert_eq!(said.code, Some(code), "{line}: {}{}", said.out, said.err);
        assert!(said.out.contains(out) && said.err.contains(err), "{line}: {}{}", said.out, said.err);
        assert!(said.out.is_empty() == out.is_empty(), "{line}: answers go to one place: {}", said.out);
    }
}

#[test]
fn a_document_that_strategies_show_prints_is_a_good_one() {
    let home = tempfile::tempdir().unwrap();
    for name in ["blue-green", "canary", "rolling"] {
        let said = run(home.path(), &format!("strategies show {name}"));
        assert_eq!(said.code, Some(0));
        let path = home.path().join("document.yaml");
        fs::write(&path, said.out).unwrap();
        let sources = flightdeck::cli::document::sources(Some(&path), &Default::default()).unwrap();
        assert_eq!(flightdeck::cli::document::read(&sources).unwrap().strategy.name(), name);
    }
}

#[test]
fn a_plan_is_shown_for_people_and_for_programs_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("canary.yaml");
    fs::write(&path, "strategy: canary\nstepInterval: 1m\nmaxTraffic: 25%\nstepSize: 20%\n").unwrap();
    let line = format!("plan --practice -f {}", path.display());
    let text = run(home.path(), &line);
    assert_eq!(text.code, Some(0), "{}", text.err);
    for part in ["order-service   v41 → v42   canary", "weight 25 %, hold 1:00", "weight 0, at once", "WAY BACK"] {
        assert!(text.out.contains(part), "{part}: {}", text.out);
    }
    let json: Value = serde_json::from_str(&run(home.path(), &format!("{line} --json")).out).unwrap();
    assert_eq!(json["schema"], "flightdeck/1");
    let steps = json["steps"].as_array().unwrap();
    let weights: Vec<_> = steps.iter().filter(|step| step["kind"] == "set-weight").map(|step| step["weight"].as_f64().unwrap()).collect();
    assert_eq!(weights, [5.0, 25.0, 100.0]);
    for step in steps {
        assert!(["kind", "regions", "reversible", "compensation"].iter().all(|key| !step[key].is_null()), "{step}");
    }
    assert_eq!(run(home.path(), "journal list").out, "no rollout has a log here yet\n");
}

#[test]
fn a_plan_says_which_fleet_it_is_for_and_where_each_value_comes_from() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("d.yaml");
    fs::write(&path, "strategy: canary\nservice: order\nstepSize: 50%\n").unwrap();
    let line = format!("plan -f {}", path.display());
    let said = run(home.path(), &line);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with("for the practice fleet: no kubeconfig names a cluster\n"), "{}", said.out);
    assert!(said.out.contains(&format!("  stepSize  50%     {}:3:1\n", path.display())), "{}", said.out);
    let json: Value = serde_json::from_str(&run(home.path(), &format!("{line} --json")).out).unwrap();
    assert_eq!((&json["fleet"], &json["practice"]), (&"practice".into(), &true.into()));
    assert_eq!(json["practiceWhy"], "no kubeconfig names a cluster");
    let value = |key: &str| json["values"].as_array().unwrap().iter().find(|v| v["key"] == key).unwrap().clone();
    assert_eq!((&value("stepSize")["origin"], &value("maxTraffic")["origin"]), (&"file".into(), &"default".into()));
    fs::write(&path, "strategy: canary\n").unwrap();
    assert!(run(home.path(), &line).out.starts_with("for the practice fleet: the document names no service\n"));
}

/// What is wrong with a JSON text of ours (design section 10).
fn against_the_rules(value: &Value, path: &str, found: &mut Vec<String>) {
    let camel = |key: &str| key.starts_with(|c: char| c.is_ascii_lowercase()) && key.chars().all(|c| c.is_ascii_alphanumeric());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let here = format!("{path}.{key}");
                if !camel(key) {
                    found.push(format!("{here}: not camelCase"));
                }
                if ["requests", "failed", "errors"].contains(&key.as_str()) && value.is_f64() {
                    found.push(format!("{here}: {value} is counted, and not whole"));
                }
                if (key.ends_with("Seconds") || key.ends_with("Percent")) && !value.is_number() && !value.is_array() {
                    found.push(format!("{here}: {value} is no number"));
                }
                if ["at", "began", "last", "now", "since", "ended"].contains(&key.as_str()) {
                    let time = value.as_str().unwrap_or_default();
                    let written = time.parse::<jiff::Timestamp>().map(|t| format!("{t:.3}")).unwrap_or_default();
                    if written != time || time.is_empty() {
                        found.push(format!("{here}: {value} is no time"));
                    }
                }
                against_the_rules(value, &here, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|value| against_the_rules(value, path, found)),
        Value::Null => found.push(format!("{path}: null")),
        _ => {}
    }
}

#[test]
fn every_json_keeps_the_rules_and_begins_with_its_schema() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("d.yaml"), "strategy: canary\nrollbackThreshold: [2% error rate, p99 300ms, 1.5x baseline]\n").unwrap();
    fs::write(home.path().join("r.yaml"), "strategy: rolling\nmaxUnavailable: 25%\n").unwrap();
    let log = "deploy --practice --seed 7 --scenario error-burst-at-15 --speed max --step-interval 1m --rollback-window 1m --json";
    let flight = run(home.path(), log).out;
    let first: Value = serde_json::from_str(flight.lines().next().unwrap()).unwrap();
    let id = first["rollout"].as_str().unwrap();
    for line in [
        log,
        &format!("plan --practice --json -f {}", home.path().join("d.yaml").display()),
        &format!("plan --practice --json -f {}", home.path().join("r.yaml").display()),
        "deploy --list-strategies --json",
        "doctor --json",
        "journal list --json",
        "journal verify --json",
        &format!("journal export {id}"),
        &format!("journal export {id} --seen"),
    ] {
        let said = run(home.path(), line);
        assert!(said.out.starts_with("{\"schema\":\"flightdeck/1\""), "{line}: {}", said.out);
        let mut found = Vec::new();
        for json in said.out.lines() {
            against_the_rules(&serde_json::from_str(json).unwrap(), "", &mut found);
        }
        assert!(found.is_empty(), "{line}: {found:#?}");
    }
    assert!(flight.lines().last().unwrap().contains("\"event\":\"finished\",\"outcome\":\"rolled-back\""), "{flight}");
}

#[test]
fn what_was_seen_is_exported_on_request() {
    let home = tempfile::tempdir().unwrap();
    let flight =
        run(home.path(), "deploy --practice --seed 7 --speed max --initial-traffic 50% --step-interval 1m --rollback-window 1m --json");
    let first: Value = serde_json::from_str(flight.out.lines().next().unwrap()).unwrap();
    let id = first["rollout"].as_str().unwrap();
    let (plain, seen) = (run(home.path(), &format!("journal export {id}")), run(home.path(), &format!("journal export {id} --seen")));
    let rest = seen.out.strip_prefix(&plain.out).expect("the log comes first, as it is");
    let samples: Vec<Value> = rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(samples.len() > 60, "{}", samples.len());
    assert!(samples.iter().all(|s| s["kind"] == "sample" && s["counts"].is_array()), "{rest}");
}

/// All that a program writes to a terminal as its standard error, and what it prints.
#[cfg(target_os = "linux")]
fn on_a_terminal(mut command: Command) -> (Vec<u8>, String) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::io::Read;
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let open = || fs::OpenOptions::new().read(true).write(true).open(&name).unwrap();
    let mut child = command.stderr(open()).stdout(Stdio::piped()).spawn().unwrap();
    // The other end of the terminal is closed with the last who has it open.
    drop(command);
    let mut terminal = fs::File::from(terminal);
    let reader = std::thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = terminal.read(&mut piece) {
            all.extend_from_slice(&piece[..n]);
        }
        all
    });
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.wait().unwrap();
    (reader.join().unwrap(), out)
}

#[cfg(target_os = "linux")]
#[test]
fn a_deployment_on_a_terminal_has_a_line_that_says_how_it_goes_and_takes_it_away() {
    let home = tempfile::tempdir().unwrap();
    let line = "deploy --practice --seed 7 --speed 200 --initial-traffic 50% --step-interval 1m --rollback-window 1m";
    let (bytes, out) = on_a_terminal(flightdeck(home.path(), line));
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(out.contains("promoted: order-service is on v42"), "{out}");
    let lines: Vec<&str> = text.split("\r\x1b[K").filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 3, "{lines:?}");
    for line in &lines {
        assert!(line.starts_with("step ") && line.contains("seen ") && line.contains("R "), "{line}");
        assert!(line.chars().count() < 80 && !line.contains(|c: char| c.is_control()), "it stays one line, without colours: {line}");
    }
    let mut screen = vt100::Parser::new(24, 80, 0);
    screen.process(&bytes);
    assert_eq!(screen.screen().contents(), "", "nothing of it stays");

    let mut ascii = flightdeck(home.path(), line);
    ascii.env("LANG", "C").env("NO_COLOR", "1");
    assert!(String::from_utf8(on_a_terminal(ascii).0).unwrap().is_ascii());
    let (bytes, _) = on_a_terminal(flightdeck(home.path(), &format!("{line} --json")));
    assert!(bytes.is_empty(), "never beside JSON");
    let mut dumb = flightdeck(home.path(), line);
    dumb.env("TERM", "dumb");
    assert!(on_a_terminal(dumb).0.is_empty(), "never where a line cannot be rewritten");
}

#[test]
fn completions_and_the_manual_know_every_command() {
    let home = tempfile::tempdir().unwrap();
    let commands = ["deploy", "rollback", "journal", "doctor"];
    for shell in ["bash", "zsh", "fish"] {
        let said = run(home.path(), &format!("completions {shell}"));
        assert_eq!(said.code, Some(0));
        assert!(commands.iter().all(|command| said.out.contains(command)), "{shell}");
    }
    let page = run(home.path(), "man");
    assert_eq!(page.code, Some(0));
    for part in [".TH flightdeck 1", "FLIGHTDECK DEPLOY", "FLIGHTDECK JOURNAL EXPORT", "EXIT STATUS", "rolled back, proven", "NO_COLOR"] {
        assert!(page.out.contains(part), "{part}");
    }
    assert_eq!(run(home.path(), "completions tcsh").code, Some(2));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    for line in ["completions bash", "journal list", "--help", "journal verify --json"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = flightdeck(home.path(), line).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let said = said(child.wait_with_output().unwrap());
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{line}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let said = said(flightdeck(home.path(), "man").stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("standard output: it cannot be written"), "{}", said.err);
}

#[test]
fn logs_are_listed_verified_and_exported() {
    let home = tempfile::tempdir().unwrap();
    let path = flown(home.path(), "rollouts", "order-service-3f9k2m7q");
    flown(home.path(), "practice", "search-000007");
    let list = run(home.path(), "journal list").out;
    assert!(list.contains("order-service-3f9k2m7q  ?        2026-01-05T09:00:00Z  2026-01-05T09:00:00Z  3       promoted"), "{list}");
    assert!(list.contains("practice"), "{list}");
    let json: Value = serde_json::from_str(&run(home.path(), "journal list --json").out).unwrap();
    assert_eq!((&json["schema"], json["rollouts"].as_array().unwrap().len()), (&"flightdeck/1".into(), 2));

    let verify = run(home.path(), "journal verify order-service-3f9k2m7q");
    assert_eq!((verify.code, verify.out.as_str()), (Some(0), "order-service-3f9k2m7q   3 events   the chain holds\n"));
    let export = run(home.path(), "journal export order-service-3f9k2m7q");
    let (first, rest) = export.out.split_once('\n').unwrap();
    assert_eq!(first, r#"{"schema":"flightdeck/1","rollout":"order-service-3f9k2m7q"}"#);
    assert_eq!(rest, fs::read_to_string(path).unwrap(), "the lines as they are, so that others can check the chain");
    assert_eq!(run(home.path(), "journal export search-000007").code, Some(0));
}

#[test]
fn a_practice_flight_leaves_a_log_whose_chain_holds() {
    let home = tempfile::tempdir().unwrap();
    let flight =
        run(home.path(), "deploy --practice --seed 7 --speed max --initial-traffic 50% --step-interval 1m --rollback-window 1m --json");
    assert_eq!(flight.code, Some(0), "{}{}", flight.out, flight.err);
    let last: Value = serde_json::from_str(flight.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"finished".into(), &"promoted".into()));
    let json: Value = serde_json::from_str(&run(home.path(), "journal verify --json").out).unwrap();
    let [log] = json["rollouts"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!((&log["rollout"], &log["holds"], &log["outcome"]), (&last["rollout"], &true.into(), &"promoted".into()));
    assert_eq!(log["events"].as_u64().unwrap() as usize, flight.out.lines().count() - 1);
}

#[test]
fn a_rollback_that_is_proven_and_not_cleared_up_is_listed_as_that() {
    let home = tempfile::tempdir().unwrap();
    let flight = run(home.path(), "deploy --practice --seed 7 --scenario error-burst-at-15 --speed max --step-interval 1m --json").out;
    let first: Value = serde_json::from_str(flight.lines().next().unwrap()).unwrap();
    let id = first["rollout"].as_str().unwrap();
    let listed = || run(home.path(), "journal list").out;
    assert!(listed().contains("rolled back"), "{}", listed());
    let log = home.path().join("data/practice").join(format!("{id}.log"));
    let text = fs::read_to_string(&log).unwrap();
    for (last, says) in [("proven", "back, not cleared up"), ("rollback-began", "rolling back")] {
        let at = text.find(&format!("\"kind\":\"{last}\"")).unwrap();
        let end = at + text[at..].find('\n').unwrap() + 1;
        fs::write(&log, &text[..end]).unwrap();
        assert!(listed().contains(says), "{}", listed());
    }
}

#[test]
fn a_wrong_level_of_the_program_log_is_refused_and_a_place_that_takes_none_is_not() {
    let home = tempfile::tempdir().unwrap();
    let wrong = said(flightdeck(home.path(), "rollback order").env("FLIGHTDECK_LOG", "a=b=c").output().unwrap());
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.starts_with("FLIGHTDECK_LOG: `a=b=c` is no level"), "{}", wrong.err);
    fs::write(home.path().join("data"), "a file where the folder should be").unwrap();
    let said = run(home.path(), "rollback order");
    assert!(!said.err.contains("program log"), "{}", said.err);
}

#[test]
fn a_broken_chain_is_told_with_its_line_and_ends_with_3() {
    let home = tempfile::tempdir().unwrap();
    let path = flown(home.path(), "rollouts", "order-1");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("resumed", "restart")).unwrap();
    let place = format!("{}:2", path.display());
    let said = run(home.path(), "journal verify");
    assert_eq!(said.code, Some(3));
    assert_eq!(said.out, "order-1   1 events   the chain is broken   line 2: was altered: its check sum does not fit\n");
    let remedy = "the events before it count; the rollout is read-only here, and R works";
    assert_eq!(said.err, format!("{place}: this line was altered: its check sum does not fit: {remedy}\n"));

    let said = run(home.path(), "journal verify --json");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &json["rollouts"][0]["holds"], &json["rollouts"][0]["line"]), (Some(3), &false.into(), &2.into()));
    let said = run(home.path(), "journal export order-1");
    assert_eq!((said.code, said.out.lines().count()), (Some(3), 2), "what holds is exported, and then it says why there is no more");
    assert!(said.err.starts_with(&place), "{}", said.err);

    let lines: Vec<&str> = whole.lines().collect();
    fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
    assert!(run(home.path(), "journal verify order-1").err.contains("does not follow line 1: a line was changed, added or removed"));
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let said = run(home.path(), "journal verify order-1");
    assert_eq!(said.code, Some(0), "a torn last line is repaired, not refused");
    assert!(said.out.contains("line 3: unfinished"), "{}", said.out);
}

#[test]
fn errors_for_programs_are_one_json_object() {
    let home = tempfile::tempdir().unwrap();
    for (line, code, kind) in [("journal verify nowhere --json", 2, "usage"), ("journal verify --jsn --json", 2, "usage")] {
        let said = run(home.path(), line);
        let json: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{line}: {e}: {}", said.out));
        assert_eq!(
            (said.code, json["error"]["code"].as_i64(), json["error"]["kind"].as_str()),
            (Some(code), Some(code.into()), Some(kind))
        );
        for part in ["place", "cause", "remedy"] {
            assert!(json["error"][part].is_string(), "{line}: {part}");
        }
    }
}

#[test]
fn the_doctor_says_what_is_wrong_with_the_settings_and_ends_with_3() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config.yaml");
    fs::write(&path, "fleets:\n  - name: production\n    grace: 5\nthem: dark\n").unwrap();
    let said = run(home.path(), &format!("doctor --settings {}", path.display()));
    assert_eq!(said.code, Some(3), "{}", said.out);
    for part in ["grace: 5 has no unit", "write 5s", "unknown key them", "did you mean theme?", "this fleet has no regions"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let json: Value = serde_json::from_str(&run(home.path(), &format!("doctor --json --settings {}", path.display())).out).unwrap();
    let fails = json["findings"].as_array().unwrap().iter().filter(|finding| finding["state"] == "fails").count();
    assert_eq!(fails, 3);
    fs::write(&path, "theme: nowhere\nkeys: { rolback: R }\n").unwrap();
    let said = run(home.path(), &format!("doctor --settings {}", path.display()));
    assert_eq!(said.code, Some(3), "{}", said.out);
    assert!(said.out.contains("theme") && said.out.contains("rolback"), "{}", said.out);
}

#[test]
fn the_doctor_says_which_clusters_do_not_answer_and_ends_with_5_where_one_is_needed() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kubeconfig");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: dead\n\
                clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\n\
                contexts: [{name: dead, context: {cluster: c, user: u}}]\n";
    fs::write(&path, text).unwrap();
    let said = run(home.path(), &format!("doctor --kubeconfig {}", path.display()));
    assert_eq!(said.code, Some(5), "{}", said.out);
    assert!(said.out.contains("opens") && said.out.contains("Connection refused"), "{}", said.out);
    fs::write(&path, text.replace("current-context: dead\n", "")).unwrap();
    let said = run(home.path(), &format!("doctor --kubeconfig {}", path.display()));
    assert_eq!(said.code, Some(0), "nothing that would be opened needs it: {}", said.out);
    let none = run(home.path(), "doctor");
    assert_eq!(none.code, Some(0), "{}", none.out);
    assert!(none.out.contains("flightdeck opens the practice fleet"), "{}", none.out);
    let settings = home.path().join("config.yaml");
    fs::write(&settings, "fleets: [{ name: lab, grace: 1.5s, regions: [{ name: r }] }]\n").unwrap();
    let said = run(home.path(), &format!("doctor --settings {}", settings.display()));
    assert!(said.out.contains("grace 1.5s"), "as it is written: {}", said.out);
    assert_eq!(run(home.path(), "doctor --env production").code, Some(2));
}
