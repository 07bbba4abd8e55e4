//! The README's tables are those of the program.

use clap::CommandFactory;
use flightdeck::cli::args::Cli;
use flightdeck::cli::man::EXIT;
use flightdeck::practice::{SCENARIOS, Scenario};
use flightdeck::tui::commands::COMMANDS;
use flightdeck::tui::keymap::default_keys;
use flightdeck::units::yaml;
use std::path::Path;

fn table(head: [&str; 2], rows: impl IntoIterator<Item = (String, String)>) -> String {
    let cell = |text: String| text.replace('|', "\\|");
    let rows: String = rows.into_iter().map(|(a, b)| format!("| {} | {} |\n", cell(a), cell(b))).collect();
    format!("| {} | {} |\n| --- | --- |\n{rows}", head[0], head[1])
}

/// Every table that is made, by the name in its markers.
fn tables() -> [(&'static str, String); 4] {
    let keys = COMMANDS.iter().map(|c| {
        let keys: Vec<String> = default_keys(c.action).iter().map(|key| format!("`{key}`")).collect();
        (if keys.is_empty() { format!("`:` {}", c.name) } else { keys.join(" ") }, format!("**{}**: {}", c.name, c.doc))
    });
    let cli = Cli::command();
    let about = |c: &clap::Command| c.get_about().map(ToString::to_string).unwrap_or_default();
    let commands = cli.get_subcommands().map(|c| (format!("`flightdeck {}`", c.get_name()), about(c)));
    let scenarios = SCENARIOS.iter().map(|(name, text)| {
        let scenario = Scenario::read(yaml::parse(name, text.as_bytes())).unwrap();
        (format!("`{name}`"), scenario.title)
    });
    let exits = EXIT.iter().map(|(code, means)| (format!("`{code}`"), (*means).to_string()));
    [
        ("keys", table(["Key", "What it does"], keys)),
        ("commands", table(["Command", "What it does"], commands)),
        ("scenarios", table(["Scenario", "What it is about"], scenarios)),
        ("exit codes", table(["Exit code", "Means"], exits)),
    ]
}

#[test]
fn the_readme_has_the_tables_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let mut right = written.clone();
    for (name, table) in tables() {
        let (begin, end) = (format!("<!-- {name}: UPDATE_README=1 cargo test --test readme -->\n"), format!("<!-- end of {name} -->"));
        let from = right.find(&begin).unwrap_or_else(|| panic!("README.md has no line {begin}")) + begin.len();
        let to = from + right[from..].find(&end).unwrap_or_else(|| panic!("README.md has no line {end}"));
        right.replace_range(from..to, &table);
    }
    if std::env::var_os("UPDATE_README").is_some() {
        return std::fs::write(&path, right).unwrap();
    }
    let wrong = right.lines().zip(written.lines()).find(|(right, written)| right != written);
    assert!(right == written, "README.md is not what the program has: {wrong:?}\nrun: UPDATE_README=1 cargo test --test readme");
}

#[test]
fn every_option_and_picture_that_the_readme_names_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(here.join("README.md")).unwrap();
    let mut known: Vec<String> = ["release", "test", "locked", "example"].map(|cargo| cargo.to_string()).to_vec();
    let mut open = vec![Cli::command()];
    while let Some(command) = open.pop() {
        known.extend(command.get_arguments().filter_map(|a| a.get_long()).map(String::from));
        known.extend(command.get_arguments().flat_map(|a| a.get_all_aliases().unwrap_or_default()).map(String::from));
        open.extend(command.get_subcommands().cloned());
    }
    let named = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter_map(|word| word.strip_prefix("--"));
    for option in named.filter(|option| option.chars().next().is_some_and(|c| c.is_ascii_lowercase())) {
        assert!(known.iter().any(|k| k == option), "README.md names --{option}, which does not exist");
    }
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.contains("://")) {
        assert!(here.join(link.split('#').next().unwrap_or(link)).exists(), "README.md points at {link}, which does not exist");
    }
}
