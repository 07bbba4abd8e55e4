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
        let document = flightdeck::cli::document::read(Some(&path), &Default::default()).unwrap();
        assert_eq!(document.strategy.name(), name);
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
fn a_bad_document_is_answered_with_all_that_is_wrong_and_3() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("d.yaml");
    let line = format!("plan --practice -f {}", path.display());
    let bad: [(&[u8], &str); 6] = [
        (b"strategy: canary\nstepsize: 10%\ninitialTraffic: 120%\n", "d.yaml:3:17: initialTraffic: 120% is above 100%: write 100% or less"),
        (b"strategy: canry\n", "did you mean canary?"),
        (b"a: &a [x]\nb: *a\n", "an anchor"),
        (b"strategy: \xff\xfe\n", "not UTF-8"),
        (b"strategy: \x1b[31m\n", "control character"),
        (b"", "nothing is written in it"),
    ];
    for (text, message) in bad {
        fs::write(&path, text).unwrap();
        let said = run(home.path(), &line);
        assert_eq!(said.code, Some(3), "{}", said.err);
        assert!(said.err.contains(message), "{message}: {}", said.err);
        assert!(!said.err.contains('\x1b'));
    }
    fs::write(&path, "strategy: canary\nstepsize: 10%\ninitialTraffic: 120%\n").unwrap();
    assert_eq!(run(home.path(), &line).err.lines().count(), 2);
    let json: Value = serde_json::from_str(&run(home.path(), &format!("{line} --json")).out).unwrap();
    assert_eq!((json["errors"].as_array().unwrap().len(), &json["error"]["cause"]), (2, &"unknown key stepsize".into()));
    fs::write(&path, vec![b'['; 4 << 20]).unwrap();
    assert!(run(home.path(), &line).err.contains("larger than 1 MiB"));
    assert_eq!(run(home.path(), "plan --practice -f nowhere.yaml").code, Some(3));
}

#[test]
fn a_wrong_option_is_a_matter_of_usage() {
    let home = tempfile::tempdir().unwrap();
    for (line, message) in [
        ("deploy --practice --strategy canary --step-size 0%", "--step-size: stepSize: 0% never gets on: write 10%\n"),
        (
            "deploy --practice --strategy rolling --initial-traffic 1",
            "--initial-traffic: unknown key initialTraffic: it belongs to canary\n",
        ),
        ("deploy --practice --duration 2h", "--duration: it belongs to ab-testing, which is not flown by this version: leave it out\n"),
    ] {
        let said = run(home.path(), line);
        assert_eq!((said.code, said.err.as_str()), (Some(2), message), "{line}");
    }
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
fn without_logs_the_journal_says_so() {
    let home = tempfile::tempdir().unwrap();
    for line in ["journal list", "journal verify"] {
        let said = run(home.path(), line);
        assert_eq!((said.code, said.out.as_str()), (Some(0), "no rollout has a log here yet\n"), "{line}");
    }
    let said = run(home.path(), "journal export order-1");
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(2), "order-1: no rollout of this name has a log here: no rollout has a log here yet\n")
    );
    assert_eq!(run(home.path(), "journal verify ../../etc/passwd").code, Some(2));
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
    assert_eq!(run(home.path(), "doctor --env production").code, Some(2));
}
