//! The house: a room imports only from rooms above it, and pure rooms know nothing of the world outside.
//!
//! It looks for every `crate::room` in the text, not only in `use` lines, and for re-exports that would hide one.

use std::fs;
use std::path::Path;

/// The rooms, in the order of what they may know.
const ROOMS: [&str; 15] = [
    "units",
    "fleet",
    "analysis",
    "strategy",
    "rollout",
    "simulator",
    "practice",
    "journal",
    "settings",
    "platform",
    "services",
    "cockpit",
    "tui",
    "api",
    "cli",
];
/// The rooms that know no I/O and no clock.
const PURE: [&str; 7] = ["units", "fleet", "analysis", "strategy", "rollout", "simulator", "practice"];
/// What a pure room must not name.
const FORBIDDEN: [&str; 14] = [
    "tokio::",
    "kube::",
    "k8s_openapi::",
    "reqwest::",
    "crossterm::",
    "ratatui::",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
];

/// What is wrong with one file of a room.
fn wrong(room: &str, file: &str, text: &str) -> Vec<String> {
    let rank = |name: &str| ROOMS.iter().position(|r| *r == name);
    let own = rank(room).unwrap_or(0);
    let mut found = Vec::new();
    // Tests of a room may stand on anything.
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    for (i, line) in code.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("//") {
            continue;
        }
        for part in line.split("crate::").skip(1) {
            let names: Vec<&str> = match part.strip_prefix('{') {
                Some(group) => group.split([',', '}']).map(|n| n.trim().split("::").next().unwrap_or("")).collect(),
                None => vec![part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("")],
            };
            for name in names.into_iter().filter(|n| rank(n).is_some_and(|r| r > own)) {
                found.push(format!("{file}:{}: {room} must not know {name}", i + 1));
            }
        }
        if line.starts_with("pub use crate::") {
            found.push(format!("{file}:{}: a re-export of another room hides who knows whom", i + 1));
        }
        if PURE.contains(&room) {
            for word in FORBIDDEN.iter().filter(|w| line.contains(**w)) {
                found.push(format!("{file}:{}: {room} is pure and must not name {word}", i + 1));
            }
        }
    }
    found
}

fn files(dir: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            files(&entry.path(), into);
        } else if entry.path().extension().is_some_and(|e| e == "rs") {
            into.push(entry.path());
        }
    }
}

#[test]
fn a_room_imports_only_from_rooms_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut seen = 0;
    for room in ROOMS.iter().filter(|r| src.join(r).is_dir()) {
        let mut all = Vec::new();
        files(&src.join(room), &mut all);
        seen += all.len();
        for file in all {
            let name = file.strip_prefix(&src).unwrap().display().to_string();
            found.extend(wrong(room, &name, &fs::read_to_string(&file).unwrap()));
        }
    }
    assert!(seen > 50, "only {seen} files were looked at");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_folder_of_the_house_is_a_room_and_every_room_has_its_line() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    let declared: Vec<&str> = lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let expected: Vec<&str> = ROOMS.iter().copied().filter(|r| src.join(r).is_dir()).collect();
    assert_eq!(declared, expected, "lib.rs lists the rooms in their order");
    for entry in fs::read_dir(&src).unwrap().map(Result::unwrap).filter(|e| e.path().is_dir()) {
        let name = entry.file_name().into_string().unwrap();
        assert!(ROOMS.contains(&name.as_str()), "{name} is no room");
    }
}

#[test]
fn the_check_itself_finds_what_it_is_for() {
    let bad = "use crate::cockpit::World;\nlet x = crate::tui::view::draw();\npub use crate::units::Time;\nuse crate::{fleet, cli::args};\ntokio::spawn(x);\n";
    let found = wrong("rollout", "rollout/bad.rs", bad);
    assert_eq!(
        found,
        [
            "rollout/bad.rs:1: rollout must not know cockpit",
            "rollout/bad.rs:2: rollout must not know tui",
            "rollout/bad.rs:3: a re-export of another room hides who knows whom",
            "rollout/bad.rs:4: rollout must not know cli",
            "rollout/bad.rs:5: rollout is pure and must not name tokio::",
        ]
    );
    assert!(wrong("cockpit", "cockpit/good.rs", "use crate::rollout::Rollout;\n// crate::cli is named in a comment\n").is_empty());
}
