//! Which value counts: options before the file, the file before annotations, those before labels, and defaults last.
//!
//! Knows the sources and their order, not what a key means. Known weakness: an annotation cannot be told from another
//! tool's with the same first word, so an unknown `deployment.` annotation without a `/` is an error.

use super::catalogue::{self, NOT_FLOWN};
use super::plan::StrategyKind;
use crate::units::written::{Wrong, nearest};
use crate::units::yaml::{self, Mark, Name, Node, Troubles, Value, Written};
use crate::units::{Place, clean};

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line, a form on the screen, or the API.
    Option,
    /// The document, in that line.
    File {
        /// From 1.
        line: u32,
    },
    /// An annotation on the workload or its Application.
    Annotation,
    /// A label on the pull request.
    Label,
    /// Nobody said anything.
    Default,
}

impl Origin {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Option => "option",
            Origin::File { .. } => "file",
            Origin::Annotation => "annotation",
            Origin::Label => "label",
            Origin::Default => "default",
        }
    }
    /// As the launch screen says it.
    pub fn words(self) -> String {
        match self {
            Origin::Option => "option".into(),
            Origin::File { line } => format!("file, line {line}"),
            Origin::Annotation => "annotation".into(),
            Origin::Label => "label".into(),
            Origin::Default => "default".into(),
        }
    }
}

/// All that people said about one rollout, wherever they said it.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Keys with texts, as a document would write them: `("stepSize", "10%")`.
    pub options: Vec<(String, String)>,
    /// The document, as [`yaml::read`] or [`yaml::parse`] gave it.
    pub file: Option<Written>,
    /// Annotations of the workload or its Application, all of them.
    pub annotations: Vec<(String, String)>,
    /// Labels of the pull request, all of them.
    pub labels: Vec<String>,
}

impl Sources {
    /// What the options, else the file, say for a key with one text; nothing of it is checked.
    pub fn said(&self, key: &str) -> Option<&str> {
        let option = self.options.iter().find(|(name, _)| name == key).map(|(_, text)| text.as_str());
        let in_file = || match &self.file.as_ref()?.root.as_ref()?.value {
            Value::Map(entries) => entries.iter().find(|(name, _)| name.text == key)?.1.text(),
            _ => None,
        };
        option.or_else(in_file)
    }
}

/// One value that somebody gave.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// The key, as a document writes it.
    pub key: String,
    /// The value.
    pub node: Node,
    /// Who gave it.
    pub origin: Origin,
    /// What messages call its source; lines count only in a file.
    pub source: String,
    /// Where the key stands in the source.
    pub at: Mark,
}

impl Given {
    /// Where what is wrong with it is collected.
    pub fn troubles(&self) -> Troubles {
        if self.origin == Origin::Option { Troubles::of_option(&self.source) } else { Troubles::new(&self.source) }
    }
    /// Its place, for messages about the key.
    pub fn place(&self) -> Place {
        self.troubles().place(self.at)
    }
}

const ANNOTATION: &str = "deployment.";
const LABEL: &str = "deploy:";
/// Strategy of those who name none (the seed's workflow).
const USUAL: StrategyKind = StrategyKind::BlueGreen;

/// The strategy that counts; `None` when what was named is none, which is in `troubles` then.
pub(super) struct Selected {
    pub kind: Option<StrategyKind>,
    pub origin: Origin,
    pub place: Place,
    /// What was given, the value that counts first.
    pub given: Vec<Given>,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

/// Puts all sources in order.
pub(super) fn select(sources: &Sources, troubles: &mut Troubles) -> Selected {
    let mut given: Vec<Given> =
        sources.options.iter().map(|(key, text)| plain(key, text, format!("--{}", kebab(key)), Origin::Option)).collect();
    given.extend(sources.file.as_ref().map(|file| from_file(file, troubles)).unwrap_or_default());
    given.extend(
        sources
            .annotations
            .iter()
            .find(|(k, _)| k == "deployment.strategy")
            .map(|(k, text)| plain("strategy", text, format!("annotation {k}"), Origin::Annotation)),
    );
    given.extend(labels(&sources.labels, troubles));

    let named = given.iter().find(|g| g.key == "strategy").cloned();
    let kind = match &named {
        None => Some(USUAL),
        Some(named) => {
            let mut here = named.troubles();
            let kind = named.node.read("strategy", &mut here, catalogue::strategy);
            troubles.absorb(here);
            // a slip of the pen: the rest is checked as what was probably meant
            let meant = || nearest(named.node.text()?, StrategyKind::ALL.map(StrategyKind::name));
            kind.or_else(|| meant().and_then(|name| catalogue::strategy(name).ok()))
        }
    };
    let (origin, place) = named.map_or((Origin::Default, Place::default()), |n| (n.origin, n.place()));
    let mut selected = Selected { kind, origin, place, given: Vec::new(), warnings: Vec::new() };
    if let Some(kind) = kind {
        let annotated = annotations(&sources.annotations, kind, &mut selected.warnings);
        let label = given.iter().position(|g| g.origin == Origin::Label).unwrap_or(given.len());
        given.splice(label..label, annotated);
    }
    given.retain(|g| g.key != "strategy");
    selected.given = given;
    selected
}

/// A value that was not written in a file. One that begins with a bracket is read as YAML, any other as it is.
fn plain(key: &str, text: &str, source: String, origin: Origin) -> Given {
    let listed = text.trim_start().starts_with(['[', '{']).then(|| yaml::parse(&source, text.as_bytes()));
    let node = listed.filter(|w| w.troubles.is_empty()).and_then(|w| w.root).unwrap_or_else(|| Node::text_of(text));
    Given { key: key.to_owned(), node, origin, source, at: Mark::default() }
}

fn from_file(file: &Written, troubles: &mut Troubles) -> Vec<Given> {
    let mut here = file.troubles.clone();
    let entries = file.root.as_ref().map(|root| match &root.value {
        Value::Map(entries) => {
            let text = |key: &str| entries.iter().find(|(name, _)| name.text == key).and_then(|(_, node)| node.text());
            let Some(kind) = text("apiVersion").and(text("kind")) else { return entries.as_slice() };
            let cause = format!("this is a Kubernetes {}, not a rollout document", clean(kind, 40));
            here.at(root.at, Wrong::new(cause, "`flightdeck strategies show canary` prints a document to begin with"));
            &[]
        }
        _ => {
            here.at(root.at, Wrong::new("a document is keys with values", "begin with `strategy: canary`"));
            &[]
        }
    });
    troubles.absorb(here);
    let one = |(Name { at, text }, node): &(Name, Node)| Given {
        key: text.clone(),
        node: node.clone(),
        origin: Origin::File { line: at.line },
        source: file.troubles.name().to_owned(),
        at: *at,
    };
    entries.unwrap_or_default().iter().map(one).collect()
}

fn labels(labels: &[String], troubles: &mut Troubles) -> Option<Given> {
    let mut named = labels.iter().filter_map(|l| Some((l, l.strip_prefix(LABEL)?)));
    let (first, strategy) = named.next()?;
    if let Some((second, _)) = named.find(|(_, other)| *other != strategy) {
        let mut here = Troubles::new(format!("label {}", clean(second, 60)));
        here.at(Mark::default(), Wrong::new(format!("the label {} asks for another strategy", clean(first, 60)), "keep one deploy: label"));
        troubles.absorb(here);
    }
    Some(plain("strategy", strategy, format!("label {}", clean(first, 60)), Origin::Label))
}

/// `deployment.KEY` and `deployment.STRATEGY.KEY`; those of other strategies are not ours. A key that means something else in
/// another strategy counts only for the strategy that the annotations themselves name.
fn annotations(all: &[(String, String)], kind: StrategyKind, warnings: &mut Vec<String>) -> Vec<Given> {
    let written_for = all.iter().find(|(k, _)| k == "deployment.strategy").map(|(_, v)| v.trim());
    let mut own = Vec::new();
    let mut shared = Vec::new();
    for (name, text) in all {
        let Some(key) = name.strip_prefix(ANNOTATION).filter(|k| !k.contains('/') && *k != "strategy") else { continue };
        let given = |key: &str| plain(key, text, format!("annotation {}", clean(name, 80)), Origin::Annotation);
        match key.split_once('.') {
            Some((strategy, key)) if strategy == kind.name() => own.push(given(key)),
            Some((strategy, _)) if StrategyKind::ALL.iter().any(|k| k.name() == strategy) || NOT_FLOWN.contains(&strategy) => {}
            None if written_for.is_some_and(|w| w != kind.name()) && !catalogue::means_the_same_everywhere(key) => {
                let was = clean(written_for.unwrap_or_default(), 40);
                warnings.push(format!("annotation {}: written for {was}, not used for {}", clean(name, 80), kind.name()));
            }
            _ => shared.push(given(key)),
        }
    }
    own.extend(shared);
    own
}

/// `stepSize` as the command line writes it: `step-size`.
pub fn kebab(key: &str) -> String {
    let mut out = String::new();
    for c in clean(key, 60).chars() {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
