//! Where a rollout goes: all regions together, some, or wave by wave.

use super::plan::PlanLeg;
use crate::units::written::{Wrong, nearest, quoted, span};
use crate::units::yaml::{Node, Troubles, Value};
use crate::units::{Kind, Place, Region, Span, Trouble, clean};

/// What a document says about regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// The waves in their order, each region with the place where it is named; `None`: all regions, together.
    pub waves: Option<Vec<Vec<(Region, Place)>>>,
    /// How long to wait between two waves.
    pub between: Span,
}

/// `all`, `[a, b]`, or `{waves: [[a], [b, c]], between: 10m}`.
pub(super) fn regions(key: &str, node: &Node, troubles: &mut Troubles) -> Option<Regions> {
    let (waves, between) = match &node.value {
        Value::Text(text) if text == "all" => return Some(Regions::default()),
        Value::Text(text) => {
            let cause = format!("{key}: {} is neither all nor a list", quoted(text));
            troubles.at(node.at, Wrong::new(cause, format!("write all, or [{}]", clean(text, 60))));
            return None;
        }
        Value::Map(_) => {
            let mut fields = node.fields(key, troubles)?;
            let waves = fields.get("waves");
            let between = fields.read("between", troubles, span).unwrap_or_default();
            fields.finish(troubles);
            let Some(waves) = waves else {
                troubles.at(node.at, Wrong::new(format!("{key}: no waves"), "write {waves: [[a], [b, c]], between: 10m}"));
                return None;
            };
            (waves.items("waves", troubles)?.iter().collect::<Vec<_>>(), between)
        }
        _ => (vec![node], Span::ZERO),
    };
    if waves.is_empty() {
        troubles.at(node.at, Wrong::new(format!("{key}: no wave in it"), "write [[a], [b, c]]"));
    }
    let mut named: Vec<(Region, Place)> = Vec::new();
    let mut read = Vec::new();
    for wave in waves {
        let Some(items) = wave.items(key, troubles) else { continue };
        if items.is_empty() {
            troubles.at(wave.at, Wrong::new(format!("{key}: an empty list names no region"), "write [a, b], or all"));
        }
        let mut members = Vec::new();
        for item in items {
            let Some(name) = item.read(key, troubles, region) else { continue };
            let place = troubles.place(item.at);
            if let Some((_, first)) = named.iter().find(|(known, _)| *known == name) {
                let first = first.line.map_or_else(String::new, |l| format!(", first in line {l}"));
                troubles.at(item.at, Wrong::new(format!("{key}: {name} is named twice{first}"), "a region belongs to one wave"));
                continue;
            }
            named.push((name.clone(), place.clone()));
            members.push((name, place));
        }
        read.push(members);
    }
    Some(Regions { waves: Some(read), between })
}

fn region(text: &str) -> Result<Region, Wrong> {
    if text.is_empty() || text.len() > 253 || text.contains(char::is_whitespace) {
        return Err(Wrong::new(format!("{} is not the name of a region", quoted(text)), "write a name such as eu-west-1"));
    }
    Ok(Region::new(text))
}

impl Regions {
    /// The legs wave by wave, out of those that could be flown.
    pub(super) fn divide(&self, seeds: &[PlanLeg]) -> Result<Vec<Vec<PlanLeg>>, Vec<Trouble>> {
        let Some(waves) = &self.waves else { return Ok(vec![seeds.to_vec()]) };
        let known = || seeds.iter().map(|s| s.region.as_str());
        let mut troubles = Vec::new();
        let mut divided = Vec::new();
        for (wave, members) in (0..).zip(waves) {
            let mut legs = Vec::new();
            for (region, place) in members {
                let here = seeds.iter().filter(|s| s.region == *region);
                let before = legs.len();
                legs.extend(here.map(|s| PlanLeg { wave, ..s.clone() }));
                if legs.len() == before {
                    let remedy = match nearest(region.as_str(), known()) {
                        Some(meant) => format!("did you mean {meant}?"),
                        None => format!("known here: {}", known().collect::<Vec<_>>().join(", ")),
                    };
                    let region = clean(region.as_str(), 60);
                    troubles.push(Trouble::new(Kind::Document, place.clone(), format!("regions: unknown region {region}"), remedy));
                }
            }
            divided.push(legs);
        }
        if troubles.is_empty() { Ok(divided) } else { Err(troubles) }
    }
    /// As plans say it: `3 regions together`, `3 regions in 2 waves`.
    pub fn words(regions: usize, waves: usize) -> String {
        match (regions, waves) {
            (1, _) => "1 region".into(),
            (n, 0 | 1) => format!("{n} regions together"),
            (n, waves) => format!("{n} regions in {waves} waves"),
        }
    }
}
