//! Reading `config.yaml`: all that is wrong with it at once, each with its place.

use super::{COLORS, FleetSettings, GLYPHS, GRACE, KeySettings, RegionSettings, Settings, prometheus};
use crate::fleet::{Protection, Role};
use crate::units::written::{self, Wrong, nearest, quoted};
use crate::units::yaml::{self, Node, Troubles, Value, Written};
use crate::units::{Namespace, Region, Span, Trouble, clean};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A longer grace would leave users with the fault.
const LONGEST_GRACE: Span = Span::secs(30);

/// Reads the settings in a file. `optional`: without the file they are the defaults.
pub fn load(path: &Path, optional: bool) -> Result<Settings, Vec<Trouble>> {
    let name = path.display().to_string();
    match File::open(path) {
        Err(e) if optional && e.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
        Err(e) => settings(yaml::unreadable(&name, &e)),
        Ok(file) => {
            let mut text = Vec::new();
            match file.take(yaml::MOST_BYTES + 1).read_to_end(&mut text) {
                Ok(_) => parse(&name, &text),
                Err(e) => settings(yaml::unreadable(&name, &e)),
            }
        }
    }
}

/// Reads the settings in a text that is called `name`.
pub fn parse(name: &str, text: &[u8]) -> Result<Settings, Vec<Trouble>> {
    let says_nothing = |line: &[u8]| line.trim_ascii().first().is_none_or(|first| *first == b'#');
    if text.split(|b| *b == b'\n').all(says_nothing) {
        return Ok(Settings::default());
    }
    settings(yaml::parse(name, text))
}

fn settings(written: Written) -> Result<Settings, Vec<Trouble>> {
    let Written { root, mut troubles } = written;
    let Some(root) = root else { return troubles.or(None) };
    let all = read_settings(&root, &mut troubles);
    troubles.or(all)
}

fn read_settings(root: &Node, t: &mut Troubles) -> Option<Settings> {
    let mut fields = root.fields("settings", t)?;
    let mut all = Settings::default();
    if let Some(fleets) = fields.get("fleets").and_then(|node| node.items("fleets", t)) {
        all.fleets = fleets.iter().filter_map(|node| fleet(node, t)).collect();
        twice(fleets, "fleet", t);
    }
    all.theme = fields.read("theme", t, some_text);
    all.glyphs = fields.read("glyphs", t, |text| one_of(text, &GLYPHS).map(Into::into));
    all.color = fields.read("color", t, |text| one_of(text, &COLORS).map(Into::into));
    if let Some(node) = fields.get("keys") {
        all.keys = keys(node, t);
    }
    for (key, value) in [("mouse", &mut all.mouse), ("bell", &mut all.bell), ("reduceMotion", &mut all.reduce_motion)] {
        if let Some(read) = fields.read(key, t, written::flag) {
            *value = read;
        }
    }
    fields.finish(t);
    Some(all)
}

fn fleet(node: &Node, t: &mut Troubles) -> Option<FleetSettings> {
    let mut fields = node.fields("a fleet", t)?;
    let name = fields.read("name", t, name_of);
    if name.is_none() && fields.get("name").is_none() {
        t.at(node.at, Wrong::new("this fleet has no name", "add name: production"));
    }
    let protection = fields.read("protection", t, |text| match one_of(text, &["safe", "open"])? {
        "open" => Ok(Protection::Open),
        _ => Ok(Protection::Safe),
    });
    let grace = fields.read("grace", t, grace);
    let mut regions = Vec::new();
    match fields.get("regions") {
        None => t.at(node.at, Wrong::new("this fleet has no regions", "add regions: [{ name: NAME, context: CONTEXT }]")),
        Some(node) => {
            let items = node.items("regions", t).unwrap_or_default();
            regions = items.iter().filter_map(|node| region(node, t)).collect();
            twice(items, "region", t);
            if matches!(&node.value, Value::List(items) if items.is_empty()) {
                t.at(node.at, Wrong::new("this fleet has no regions", "add [{ name: NAME, context: CONTEXT }]"));
            }
        }
    }
    fields.finish(t);
    Some(FleetSettings { name: name?, protection: protection.unwrap_or_default(), grace: grace.unwrap_or(GRACE), regions })
}

fn region(node: &Node, t: &mut Troubles) -> Option<RegionSettings> {
    let mut fields = node.fields("a region", t)?;
    let name = fields.read("name", t, name_of);
    if name.is_none() && fields.get("name").is_none() {
        t.at(node.at, Wrong::new("this region has no name", "add name: us-east-1"));
    }
    let role = fields.read("role", t, |text| match one_of(text, &["primary", "replica"])? {
        "replica" => Ok(Role::Replica),
        _ => Ok(Role::Primary),
    });
    let context = fields.read("context", t, some_text);
    let mut namespaces = Vec::new();
    if let Some(items) = fields.get("namespaces").and_then(|node| node.items("namespaces", t)) {
        namespaces = items.iter().filter_map(|node| node.read("namespaces", t, |text| kube_name(text).map(Namespace::new))).collect();
    }
    let prometheus = prometheus::read(&mut fields, node, t);
    fields.finish(t);
    let name = name?;
    let context = context.unwrap_or_else(|| name.clone());
    Some(RegionSettings { name: Region::new(name), role: role.unwrap_or_default(), context, namespaces, prometheus })
}

fn keys(node: &Node, t: &mut Troubles) -> Vec<KeySettings> {
    let Value::Map(entries) = &node.value else {
        // Says what should stand here.
        node.fields("keys", t);
        return vec![];
    };
    let one = |(name, node): &(yaml::Name, Node)| {
        let single = std::slice::from_ref(node);
        let list = if let Value::List(items) = &node.value { items.as_slice() } else { single };
        let keys = list.iter().filter_map(|node| node.read(&clean(&name.text, 60), t, some_text)).collect();
        KeySettings { command: name.text.clone(), keys, place: t.place(name.at) }
    };
    entries.iter().map(one).collect()
}

/// Says where a name is given to a second fleet or region.
fn twice(items: &[Node], what: &str, t: &mut Troubles) {
    let mut names: Vec<&str> = Vec::new();
    for item in items {
        let Value::Map(entries) = &item.value else { continue };
        let Some((_, node)) = entries.iter().find(|(key, _)| key.text == "name") else { continue };
        let Some(name) = node.text() else { continue };
        if names.contains(&name) {
            t.at(node.at, Wrong::new(format!("name: there is a {what} {} already", quoted(name)), "give each its own name"));
        }
        names.push(name);
    }
}

pub(super) fn one_of<'w>(text: &str, words: &[&'w str]) -> Result<&'w str, Wrong> {
    words.iter().find(|word| **word == text).copied().ok_or_else(|| {
        let remedy = match nearest(text, words.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("write one of {}", words.join(", ")),
        };
        Wrong::new(format!("{} is not known here", quoted(text)), remedy)
    })
}

pub(super) fn some_text(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() { Err(Wrong::new("nothing in it", "write one, or leave the line out")) } else { Ok(text.into()) }
}

fn name_of(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':');
    match text.chars().count() {
        1..=63 if text.chars().all(plain) => Ok(text.into()),
        _ => Err(Wrong::new(format!("{} cannot be a name", quoted(text)), "letters, digits and - _ . @ : alone, 63 at most")),
    }
}

/// A name as Kubernetes takes it for a namespace or a service.
pub(super) fn kube_name(text: &str) -> Result<&str, Wrong> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=63).contains(&text.len()) && text.chars().all(plain) && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(text);
    }
    Err(Wrong::new(format!("{} cannot be a name in Kubernetes", quoted(text)), "small letters, digits and - alone, 63 at most"))
}

fn grace(text: &str) -> Result<Span, Wrong> {
    // Fractions of a second are how the grace is spoken of; documents have no need of them.
    let fraction = text.strip_suffix('s').filter(|n| n.contains('.')).and_then(|n| n.parse::<f64>().ok());
    let span = match (text, fraction) {
        ("0", _) => Span::ZERO,
        (_, Some(seconds)) if (0.0..1e6).contains(&seconds) => Span((seconds * 1000.0).round() as u64),
        _ => written::span(text)?,
    };
    if span > LONGEST_GRACE {
        return Err(Wrong::new(format!("{span} is above {LONGEST_GRACE}"), format!("write {LONGEST_GRACE} or less; 0s acts at once")));
    }
    Ok(span)
}
