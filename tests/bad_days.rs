//! Bad days, as a table: each row is a situation, a command, and the exact words and the exit code that a person gets.
//!
//! `UPDATE_TABLES=1 cargo test --test bad_days` writes what is said now; read the difference before you keep it. A row begins
//! with `# the situation`; then, each in its own line: `file NAME` with its lines indented by two, `bytes NAME TEXT` (with `\n`,
//! `\x..`), `long NAME SIZE CHAR`, `folder NAME`, `env NAME=VALUE`, `log ID` (a log of three events), `cut ID N` (its last bytes gone),
//! `alter ID FROM TO`, `server` (a cluster with `order`, in `kubeconfig`), `answer START = CODE TEXT|never|close`, `deny`,
//! `annotate NAME TEXT`; `$ the command` ends it. After `exit N` come the lines of both outputs, as they are.

#[path = "fake/api_server.rs"]
mod api_server;
#[path = "fake/shop.rs"]
mod shop;

use api_server::{Answer, ApiServer};
use flightdeck::journal::{FileStore, Store};
use flightdeck::rollout::{By, Event, What};
use flightdeck::units::{Person, RolloutId, Term, Time};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// A row of the table.
struct Row {
    /// All that stands before what is expected.
    given: String,
    command: String,
    expected: String,
}

fn rows(text: &str) -> Vec<Row> {
    let mut all: Vec<Row> = Vec::new();
    for part in text.split("====\n").filter(|part| !part.trim().is_empty()) {
        let at = part.find("\n$ ").unwrap_or_else(|| panic!("no command in: {part}")) + 1;
        let (command, expected) = part[at + 2..].split_once('\n').unwrap();
        assert!(part.starts_with("# "), "{part}");
        all.push(Row { given: part[..at].into(), command: command.into(), expected: expected.into() });
    }
    all
}

/// `\n`, `\t`, `\\` and `\x1b` as the bytes they stand for.
fn bytes(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.bytes());
    while let Some(b) = rest.next() {
        out.push(match b {
            b'\\' => match rest.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'x') => u8::from_str_radix(&String::from_utf8(rest.by_ref().take(2).collect()).unwrap(), 16).unwrap(),
                other => other.unwrap(),
            },
            b => b,
        });
    }
    out
}

fn log(home: &Path, id: &str) {
    let mut store = FileStore::new(home.join("data/rollouts"));
    let rollout = RolloutId::new(id);
    store.open(&rollout);
    let event = |(seq, what)| Event { seq, term: Term(1), at: Time(1_767_603_600_000), by: By::Person(Person::new("mara")), what };
    store.append(&rollout, &(1..).zip([What::Paused, What::Resumed, What::Promoted]).map(event).collect::<Vec<_>>(), true);
    assert!(store.settle());
}

/// Sets a row up, runs its command, and returns what came of it.
async fn run(row: &Row) -> String {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
    command.args(row.command.split_whitespace()).env_clear().current_dir(&home).stdin(Stdio::null()).kill_on_drop(true);
    command.env("HOME", &home).env("FLIGHTDECK_DATA", "data").env("KUBECONFIG", "kubeconfig").env("LANG", "C.UTF-8").env("USER", "mara");
    let path_of = |id: &str| -> PathBuf { home.join("data/rollouts").join(format!("{id}.log")) };
    let (mut server, mut file) = (None, None);
    for line in row.given.lines().skip(1) {
        if let (Some(text), Some(file)) = (line.strip_prefix("  "), &file) {
            let before = fs::read_to_string(file).unwrap();
            fs::write(file, format!("{before}{text}\n")).unwrap();
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "file" => {
                fs::create_dir_all(home.join(first).parent().unwrap()).unwrap();
                fs::write(home.join(first), "").unwrap();
                file = Some(home.join(first));
            }
            "bytes" => fs::write(home.join(first), bytes(second)).unwrap(),
            "long" => {
                let (size, c) = second.split_once(' ').unwrap();
                fs::write(home.join(first), c.repeat(size.parse::<usize>().unwrap() / c.len())).unwrap();
            }
            "folder" => fs::create_dir_all(home.join(first)).unwrap(),
            "env" => {
                let (name, value) = rest.split_once('=').unwrap();
                command.env(name, value);
            }
            "log" => log(&home, first),
            "cut" => {
                let text = fs::read(path_of(first)).unwrap();
                fs::write(path_of(first), &text[..text.len() - second.parse::<usize>().unwrap()]).unwrap();
            }
            "alter" => {
                let (from, to) = second.split_once(' ').unwrap();
                let text = fs::read_to_string(path_of(first)).unwrap();
                assert!(text.contains(from), "{from}");
                fs::write(path_of(first), text.replacen(from, to, 1)).unwrap();
            }
            "server" => {
                let it = ApiServer::start().await;
                shop::fill(&it);
                fs::write(home.join("kubeconfig"), it.kubeconfig("east", &json!({"token": "t"}))).unwrap();
                server = Some(it);
            }
            "answer" => {
                let (start, how) = rest.split_once(" = ").unwrap();
                let answer = match how.split_once(' ').unwrap_or((how, "")) {
                    ("never", _) => Answer::Never,
                    ("close", _) => Answer::Close,
                    (code, text) => Answer::Code(code.parse().unwrap(), String::from_utf8(bytes(text)).unwrap()),
                };
                server.as_ref().unwrap().answer(start, answer);
            }
            "deny" => server.as_ref().unwrap().allow(false),
            "annotate" => {
                let mut order = shop::deployment("order", "order:v42");
                order["metadata"]["annotations"][first] = json!(second);
                server.as_ref().unwrap().put("deployments", order);
            }
            _ => panic!("{line}"),
        }
    }
    let done = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8, whatever the input was");
    let mut said = format!("exit {}\n", done.status.code().expect("it ends by itself"));
    for line in text(done.stdout).lines().chain(text(done.stderr).lines()) {
        assert!(!line.contains(|c: char| c.is_control()), "control characters reach the terminal: {line:?}");
        writeln!(said, "{}", line.trim_end()).unwrap();
    }
    let said = said.replace(&*home.to_string_lossy(), "~");
    server.map_or_else(|| said.clone(), |server| said.replace(server.url.trim_start_matches("http://"), "SERVER"))
}

#[tokio::test]
async fn every_bad_day_has_its_words_and_its_exit_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_days/table.txt");
    let text = fs::read_to_string(&path).unwrap();
    let (mut now, mut wrong) = (String::new(), Vec::new());
    let rows = rows(&text);
    assert!(rows.len() >= 40, "{}", rows.len());
    for row in &rows {
        let said = run(row).await;
        if said != row.expected {
            wrong.push(format!("{}$ {}\n--- expected\n{}--- said\n{said}", row.given, row.command, row.expected));
        }
        write!(now, "{}$ {}\n{said}====\n", row.given, row.command).unwrap();
    }
    if std::env::var_os("UPDATE_TABLES").is_some() {
        fs::write(&path, now).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{} of {} rows\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
