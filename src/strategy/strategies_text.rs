//! The strategies as text for people and as JSON for programs: which there are, when to use each, and their documents with
//! every default.

use super::catalogue::{About, about, keys};
use super::document::{COMMON, Key, NO_EFFECT};
use super::plan::StrategyKind;
use super::words::{table, wrapped};
use serde_json::{Value, json};

/// Width of texts for people.
const WIDTH: usize = 100;

/// All strategies, a line each.
pub fn strategies_text() -> String {
    let mut rows = vec![["STRATEGY", "use it when", "risk", "way back", "you learn"].map(String::from).to_vec()];
    for kind in StrategyKind::ALL {
        let About { use_when, risk, risk_word, rollback_speed, learn, .. } = about(kind);
        let learn = learn.split(':').next().unwrap_or(learn);
        rows.push(vec![
            kind.name().into(),
            (*use_when).into(),
            format!("{risk} of 5, {risk_word}"),
            (*rollback_speed).into(),
            learn.into(),
        ]);
    }
    table(&rows, &[]) + "\n`flightdeck strategies show canary` prints a document with every default.\n"
}

/// All strategies, for programs.
pub fn strategies_json() -> Value {
    let one = |kind: StrategyKind| {
        let it = about(kind);
        json!({
            "name": kind.name(),
            "what": it.what,
            "useWhen": it.use_when,
            "risk": it.risk,
            "riskWord": it.risk_word,
            "rollbackSpeed": it.rollback_speed,
            "wayBack": it.way_back,
            "needs": it.needs,
            "benefits": it.benefits,
            "learn": it.learn,
            "keys": shown(kind).map(key_json).collect::<Vec<_>>(),
        })
    };
    json!({ "schema": "flightdeck/1", "strategies": StrategyKind::ALL.map(one) })
}

fn key_json(key: &Key) -> Value {
    let mut value = json!({ "name": key.name, "example": key.value, "text": key.text });
    if key.usual {
        value["default"] = json!(key.value);
    }
    value
}

/// The keys that are worth showing: its own, then those of every document that do something.
fn shown(kind: StrategyKind) -> impl Iterator<Item = &'static Key> {
    keys(kind).iter().chain(COMMON).filter(|k| !NO_EFFECT.contains(&k.name))
}

/// A strategy's documented defaults as a valid file.
pub fn strategy_text(kind: StrategyKind) -> String {
    let it = about(kind);
    let mut text = wrapped(&format!("{}: {}.", kind.name(), it.what), "# ", WIDTH);
    text += &wrapped(&format!("Use it when {}. Risk: {}. It needs {}.", it.use_when, it.risk_word, it.needs), "# ", WIDTH);
    text += &wrapped(&format!("Way back ({}): {}.", it.rollback_speed, it.way_back), "# ", WIDTH);
    text += &format!("strategy: {}\n", kind.name());
    for (at, key) in shown(kind).enumerate() {
        if at == keys(kind).len() {
            text += "\n# Keys of every document.\n";
        }
        text += &format!("\n{}", wrapped(key.text, "# ", WIDTH));
        text += &format!("{}{}: {}\n", if key.usual { "" } else { "# " }, key.name, key.value);
    }
    text
}

/// What `flightdeck deploy --strategy NAME --help` says.
pub fn strategy_help(kind: StrategyKind) -> String {
    let it = about(kind);
    let name = kind.name();
    let rows = [
        ("use it when", it.use_when.to_owned()),
        ("risk", format!("{} of 5, {}", it.risk, it.risk_word)),
        ("way back", format!("{}: {}", it.rollback_speed, it.way_back)),
        ("needs", it.needs.to_owned()),
        ("good", it.benefits.join(", ")),
        ("you learn", it.learn.to_owned()),
    ];
    let facts: Vec<Vec<String>> = rows.into_iter().map(|(word, fact)| vec![word.to_owned(), fact]).collect();
    let mut text = format!("{name}: {}\n\n{}\nKeys of its document\n", it.what, table(&facts, &[]));
    text += &key_table(keys(kind).iter());
    text += "\nKeys of every document\n";
    text += &key_table(COMMON.iter().filter(|k| !NO_EFFECT.contains(&k.name)));
    text += "\nFrom here\n";
    for line in [
        format!("flightdeck strategies show {name} > {name}.yaml"),
        format!("flightdeck plan -f {name}.yaml"),
        format!("flightdeck deploy --strategy {name} --practice"),
        format!("flightdeck deploy order-service --to v42 --config {name}.yaml --env production"),
    ] {
        text += &format!("  {line}\n");
    }
    text
}

fn key_table(keys: impl Iterator<Item = &'static Key>) -> String {
    let value = |key: &Key| if key.usual { key.value.to_owned() } else { "-".into() };
    let rows: Vec<Vec<String>> = keys.map(|k| vec![format!("  {}", k.name), value(k), k.text.to_owned()]).collect();
    table(&rows, &[])
}
