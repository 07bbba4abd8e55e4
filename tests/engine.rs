//! The engine in tables: what happens to a rollout, line by line, and its state as printed after it.
//!
//! Each file in `tests/engine` has blocks: lines that happen, `----`, the printed state, an empty line. `UPDATE_TABLES=1`
//! writes what is printed now into the files: read the difference before it is committed.

#[path = "engine/plans.rs"]
mod plans;
#[path = "engine/print.rs"]
mod print;
#[path = "engine/table.rs"]
mod table;

use std::fs;
use std::path::Path;
use table::{Table, blocks};

/// Runs a table. A new rollout begins with each `launch` or `watched`.
fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let mut table = Table::new();
    let mut now = String::new();
    for (input, _) in blocks(&text) {
        if input.lines().any(|l| l.starts_with("launch") || l.starts_with("watched")) {
            table = Table::new();
        }
        now += &format!("{input}----\n{}\n", table.run(&input));
    }
    if std::env::var_os("UPDATE_TABLES").is_some() {
        return fs::write(&path, now.trim_end().to_owned() + "\n").unwrap();
    }
    for (expected, found) in blocks(&text).iter().zip(blocks(&now)) {
        assert!(expected.1 == found.1, "{name}\n{}expected:\n{}found:\n{}", found.0, expected.1, found.1);
    }
}

macro_rules! tables {
    ($($test:ident: $file:literal,)*) => {$(
        #[test]
        fn $test() {
            run($file);
        }
    )*};
}

tables! {
    a_healthy_canary_is_promoted: "canary.txt",
    each_verb_in_each_phase: "verbs.txt",
    it_goes_back_by_itself: "automatic.txt",
    a_rollback_moves_as_far_as_pods_carry_and_is_proven: "rollback.txt",
    a_rollback_is_undone_and_an_abort_begins_again: "undo.txt",
    a_pause_stops_the_clocks: "pause.txt",
    a_region_is_lost_and_comes_back: "lost_region.txt",
    writes_fail: "failures.txt",
    the_fence_says_who_drives: "fence.txt",
    what_others_did_is_written_over_or_held: "others.txt",
    pod_by_pod: "by_pods.txt",
    blue_green_switches_once: "blue_green.txt",
    wave_by_wave: "waves.txt",
    gates_stand_before_steps: "gates.txt",
    updates_of_others: "watched.txt",
    what_cannot_be_read_whole_goes_back_only: "read_only.txt",
    a_second_workload_beside_the_first: "beside.txt",
}

#[test]
fn every_table_is_run() {
    let source = include_str!("engine.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine");
    for file in fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).filter(|f| f.ends_with(".txt")) {
        assert!(source.contains(&format!("\"{file}\"")), "{file} is run by no test");
    }
}
