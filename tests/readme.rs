//! The README says what the program says: its tables are made from the program's own, its command lines are understood, and
//! what it links to is there.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use flightdeck::cli::Cli;
use flightdeck::cli::man::EXIT;
use flightdeck::practice::{SCENARIOS, Scenario};
use flightdeck::tui::commands::{Action, COMMANDS, Danger};
use flightdeck::tui::keymap::default_keys;
use flightdeck::units::yaml;
use std::fs;
use std::path::{Path, PathBuf};

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    let dashes: Vec<String> = heads.iter().map(|_| "---".into()).collect();
    [line(&heads), line(&dashes)].into_iter().chain(rows.into_iter().map(|row| line(&row))).collect()
}

/// Every table that is made, by the name in its marks.
fn tables() -> [(&'static str, String); 4] {
    let keys = COMMANDS.iter().map(|c| {
        let keys: Vec<String> = default_keys(c.action).iter().map(|key| format!("`{key}`")).collect();
        // To hold needs no arming, only to go on again.
        let holds = matches!(c.action, Action::Pause | Action::StopLine | Action::Take);
        let arm = if c.danger == Danger::Forward && !holds { " (armed, in a safe fleet)" } else { "" };
        vec![keys.join(" "), c.name.into(), format!("{}{arm}", c.doc)]
    });
    let cli = Cli::command();
    let about = |c: &clap::Command| c.get_about().map(ToString::to_string).unwrap_or_default();
    let commands = cli.get_subcommands().map(|c| vec![format!("`{}`", c.get_name()), about(c)]);
    let scenarios = SCENARIOS.iter().map(|(name, text)| {
        let scenario = Scenario::read(yaml::parse(name, text.as_bytes())).unwrap();
        vec![format!("`{name}`"), scenario.title, scenario.story]
    });
    let exits = EXIT.iter().map(|(code, means)| vec![(*code).to_owned(), (*means).to_owned()]);
    [
        ("keys", table(&["key", "command", "what it does"], keys)),
        ("commands", table(&["command", "what it does"], commands)),
        ("scenarios", table(&["scenario", "title", "story"], scenarios)),
        ("exit codes", table(&["exit", "means"], exits)),
    ]
}

#[test]
fn the_tables_are_those_of_the_program() {
    let written = fs::read_to_string(here("README.md")).unwrap();
    let mut right = written.clone();
    for (name, table) in tables() {
        let begin = format!("<!-- {name}: made by UPDATE_README=1 cargo test --test readme -->\n");
        let end = format!("<!-- end of {name} -->");
        let from = right.find(&begin).unwrap_or_else(|| panic!("README.md has no line {begin}")) + begin.len();
        let to = from + right[from..].find(&end).unwrap_or_else(|| panic!("README.md has no line {end}"));
        right.replace_range(from..to, &table);
    }
    if std::env::var_os("UPDATE_README").is_some() {
        return fs::write(here("README.md"), right).unwrap();
    }
    let wrong = right.lines().zip(written.lines()).find(|(right, written)| right != written);
    assert!(right == written, "the tables have changed, first {wrong:?}: UPDATE_README=1 cargo test --test readme");
}

#[test]
fn every_command_line_is_understood() {
    let text = fs::read_to_string(here("README.md")).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| l.starts_with("flightdeck")).collect();
    assert!(lines.len() > 10, "only {} commands were found", lines.len());
    for line in lines {
        let words = line.split(['#', '>', '<']).next().unwrap_or("").split_whitespace();
        if let Err(e) = Cli::try_parse_from(words) {
            assert!(matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion), "{line}: {e}");
        }
    }
}

#[test]
fn what_it_links_to_is_there() {
    let text = fs::read_to_string(here("README.md")).unwrap();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.contains("://")) {
        assert!(here(link).exists(), "README.md points at {link}, which is not there");
    }
}
