//! The README says what the program says: its table of keys is made from the command table, its commands exist.

use flightdeck::tui::commands::{COMMANDS, Danger};
use flightdeck::tui::keymap::default_keys;
use std::path::Path;

const BEGIN: &str = "<!-- keys: made from the command table by UPDATE_README=1 cargo test --test readme -->";
const END: &str = "<!-- end of keys -->";

fn keys() -> String {
    let mut table = "| key | command | what it does |\n| --- | --- | --- |\n".to_string();
    for command in COMMANDS {
        let keys = default_keys(command.action).iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(" ");
        let arm = if command.danger == Danger::Forward { " (armed, in a safe fleet)" } else { "" };
        table += &format!("| {keys} | {} | {}{arm} |\n", command.name, command.doc);
    }
    table
}

#[test]
fn the_table_of_keys_is_the_command_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark where the keys begin");
    let (_, after) = rest.split_once(END).expect("the mark where the keys end");
    let expected = format!("{before}{BEGIN}\n{}{END}{after}", keys());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(text == expected, "the keys have changed: UPDATE_README=1 cargo test --test readme");
    }
}

#[test]
fn every_command_of_the_readme_is_understood() {
    use clap::Parser;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| l.starts_with("flightdeck")).collect();
    assert!(lines.len() > 10, "only {} commands were found", lines.len());
    for line in lines {
        let words = line.split('#').next().unwrap_or("").split_whitespace();
        if let Err(e) = flightdeck::cli::Cli::try_parse_from(words) {
            let help = matches!(e.kind(), clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion);
            assert!(help, "{line}: {e}");
        }
    }
}
