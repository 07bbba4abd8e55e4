//! A document, checked: every value with where it came from, and everything that is wrong at once.
//!
//! Knows no fleet. Known weakness: of a value that another source overrides, nothing is checked.

use super::blue_green::BlueGreen;
use super::canary::Canary;
use super::catalogue::{keys, unknown_key};
use super::limit::limits;
use super::plan::{Amount, Gate, Limit, Rules, StrategyKind};
use super::queries::queries;
use super::regions::{Regions, regions};
use super::rolling::Rolling;
use super::selection::{Given, Origin, Selected, Sources, select};
use crate::units::written::{Wrong, percent, quoted, span, whole};
use crate::units::yaml::{Node, Troubles};
use crate::units::{Percent, Place, Span, Trouble, clean};

/// One key that documents can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// As documents write it.
    pub name: &'static str,
    /// A value, as documents write it.
    pub value: &'static str,
    /// The value is what counts when nobody says anything; else it is an example, and without one the key is left out.
    pub usual: bool,
    /// What it means.
    pub text: &'static str,
}

/// A key with a default.
pub(super) const fn usual(name: &'static str, value: &'static str, text: &'static str) -> Key {
    Key { name, value, usual: true, text }
}

/// A key that is left out when nobody gives it.
pub(super) const fn optional(name: &'static str, value: &'static str, text: &'static str) -> Key {
    Key { name, value, usual: false, text }
}

/// Keys of every document, beside `strategy` and the strategy's own.
pub const COMMON: &[Key] = &[
    optional("service", "order-service", "What is rolled out."),
    optional("to", "v42", "The new version: a tag such as v42, or \"@sha256:...\" for a digest."),
    optional("container", "app", "The container whose image changes, where a pod has several."),
    usual("regions", "all", "Where: all, [a, b] together, or {waves: [[a], [b, c]], between: 10m} one after another."),
    usual("rollbackWindow", "15m", "How long the old version stays up after the last step, so that the way back stays short."),
    usual("progressDeadline", "10m", "How long a step may make no progress; then the rollout goes back."),
    usual("checkInterval", "10s", "How often errors and latency are checked."),
    usual("window", "1m", "How far back each check looks."),
    usual("leastRequests", "30", "With fewer requests than this in the window a check says nothing."),
    usual("failuresInARow", "3", "So many bad checks in a row roll back."),
    usual("healthyInARow", "3", "So many good health checks in a row pass."),
    optional("gates", "[alerts, freeze]", "What must be open before traffic moves: [alerts, freeze, lag, approval]."),
    optional("margin", "0.1%", "Worse than the old version by more than this fails."),
    optional("tolerate", "0.5%", "Surely not worse than the old version by this much passes."),
    optional("forgive", "3m", "Bursts of errors up to this long are forgiven."),
    optional(
        "metrics",
        "{requests: \"sum(increase(requests{pod=~'{{pods}}'}[{{interval}}]))\", errors: \"sum(increase(errors{pod=~'{{pods}}'}[{{interval}}]))\"}",
        "PromQL of your own for regions with a Prometheus: requests, errors and latency.",
    ),
];

/// Keys that are read and checked, and change nothing in this version.
pub const NO_EFFECT: [&str; 3] = ["margin", "tolerate", "forgive"];

/// A value as somebody gave it, or its default.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Which key.
    pub key: &'static Key,
    /// The value, as a document would write it in one line.
    pub text: String,
    /// Who gave it.
    pub origin: Origin,
    /// Where.
    pub place: Place,
}

/// What the strategy itself asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// One switch.
    BlueGreen(BlueGreen),
    /// Growing shares.
    Canary(Canary),
    /// Pod by pod.
    Rolling(Rolling),
}

/// A checked document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// How the new version goes out.
    pub strategy: StrategyKind,
    /// Who chose that.
    pub strategy_origin: Origin,
    /// Where that was said.
    pub strategy_place: Place,
    /// What is rolled out, where the document says it.
    pub service: Option<String>,
    /// The new version, where the document says it: a tag, or `@sha256:...`.
    pub to: Option<String>,
    /// The container whose image changes, where the document says it.
    pub container: Option<String>,
    /// Where.
    pub regions: Regions,
    /// What the document wants open before traffic moves.
    pub gates: Vec<Gate>,
    /// The numbers for the whole rollout.
    pub rules: Rules,
    /// The strategy's own part.
    pub shape: Shape,
    /// Every value: the strategy's own first, those without a value left out.
    pub entries: Vec<Entry>,
    /// What is allowed and may surprise.
    pub warnings: Vec<String>,
}

impl Document {
    /// Reads what all sources say. Wrong values come back all at once.
    pub fn read(sources: &Sources) -> Result<Document, Vec<Trouble>> {
        let name = sources.file.as_ref().map_or("", |f| f.troubles.name());
        let mut troubles = Troubles::new(name);
        let Selected { kind, origin, place, given, warnings } = select(sources, &mut troubles);
        let Some(kind) = kind else { return troubles.or(None) };
        let mut reader = Reader { keys: keys(kind), given, entries: Vec::new(), troubles, warnings };
        let document = reader.document(kind, origin, place);
        reader.unknown(kind);
        reader.troubles.or(document)
    }

    /// Where the value of a key was given.
    pub fn place(&self, key: &str) -> Place {
        self.entries.iter().find(|e| e.key.name == key).map_or_else(Place::default, |e| e.place.clone())
    }

    /// The same as a file: the strategy's own keys, and of the others those that somebody gave.
    pub fn to_yaml(&self) -> String {
        let own = keys(self.strategy);
        let shown = self.entries.iter().filter(|e| e.origin != Origin::Default || own.iter().any(|k| k.name == e.key.name));
        let lines = shown.map(|e| format!("{}: {}\n", e.key.name, e.text));
        std::iter::once(format!("strategy: {}\n", self.strategy.name())).chain(lines).collect()
    }
}

/// Takes values key by key, with their places, and collects what is wrong.
pub(super) struct Reader {
    keys: &'static [Key],
    given: Vec<Given>,
    entries: Vec<Entry>,
    troubles: Troubles,
    warnings: Vec<String>,
}

impl Reader {
    fn document(&mut self, kind: StrategyKind, strategy_origin: Origin, strategy_place: Place) -> Option<Document> {
        let health_check_path = self.value("healthCheckPath", path);
        let shape = match kind {
            StrategyKind::BlueGreen => BlueGreen::read(self).map(Shape::BlueGreen),
            StrategyKind::Canary => Canary::read(self).map(Shape::Canary),
            StrategyKind::Rolling => Rolling::read(self).map(Shape::Rolling),
        };
        let service = self.value("service", |t| name(t, "order-service"));
        let to = self.value("to", version);
        let container = self.value("container", |t| name(t, "app"));
        let regions = self.node("regions", regions);
        let rollback_window = self.value("rollbackWindow", span);
        let progress_deadline = self.value("progressDeadline", |t| at_least(t, Span::secs(1)));
        let check_interval = self.value("checkInterval", |t| at_least(t, Span::secs(1)));
        let window = self.value("window", |t| at_least(t, Span::secs(1)));
        let least_requests = self.value("leastRequests", |t| between(t, 1, 1_000_000));
        let failures_in_a_row = self.value("failuresInARow", |t| between(t, 1, 100));
        let healthy_in_a_row = self.value("healthyInARow", |t| between(t, 1, 100));
        let gates = self.node("gates", gates).unwrap_or_default();
        self.value("margin", percent);
        self.value("tolerate", percent);
        self.value("forgive", span);
        let metrics = self.node("metrics", queries);

        if let (Some(window), Some(interval)) = (window, check_interval)
            && window < interval
        {
            let cause = format!("window: {window} is shorter than checkInterval {interval}");
            self.wrong(&["window", "checkInterval"], Wrong::new(cause, format!("write {interval} or more")));
        }
        if rollback_window == Some(Span::ZERO) {
            self.warn("rollbackWindow", "0s: the old version goes at once, and the way back is long from then on");
        }
        if !gates.is_empty() {
            self.warn("gates", "a gate that nothing here can answer stays closed until a person passes it (S)");
        }
        for key in NO_EFFECT {
            if self.entries.iter().any(|e| e.key.name == key) {
                self.warn(key, "has no effect yet");
            }
        }
        let order: Vec<&str> = self.keys.iter().chain(COMMON).map(|k| k.name).collect();
        self.entries.sort_by_key(|e| order.iter().position(|name| *name == e.key.name));
        let shape = shape?;
        // Going by pods, a canary gives up no capacity; only rolling documents say how fast.
        let (mut max_surge, mut max_unavailable) = (Amount::Share(Percent::whole(25)), Amount::Pods(0));
        let (mut limits, mut health_check_timeout, mut cleanup_old_versions) = (Vec::new(), Span::secs(30), true);
        match &shape {
            Shape::BlueGreen(b) => (limits, cleanup_old_versions) = (b.limits.clone(), b.cleanup_old_versions),
            Shape::Canary(c) => limits.clone_from(&c.limits),
            Shape::Rolling(r) => {
                (max_surge, max_unavailable, health_check_timeout) = (r.max_surge, r.max_unavailable, r.health_check_timeout);
            }
        }
        Some(Document {
            strategy: kind,
            strategy_origin,
            strategy_place,
            service,
            to,
            container,
            regions: regions?,
            gates,
            rules: Rules {
                health_check_path: health_check_path?,
                health_check_timeout,
                limits,
                rollback_window: rollback_window?,
                progress_deadline: progress_deadline?,
                check_interval: check_interval?,
                window: window?,
                least_requests: least_requests?,
                failures_in_a_row: failures_in_a_row?,
                healthy_in_a_row: healthy_in_a_row?,
                max_surge,
                max_unavailable,
                cleanup_old_versions,
                metrics,
            },
            shape,
            entries: std::mem::take(&mut self.entries),
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    /// The value of a key that counts, read by `parse`; `None` when it is wrong, or not given and without a default.
    pub fn node<T>(&mut self, name: &str, parse: impl FnOnce(&str, &Node, &mut Troubles) -> Option<T>) -> Option<T> {
        let key = self.keys.iter().chain(COMMON).find(|k| k.name == name)?;
        let given = match self.given.iter().find(|g| g.key == name) {
            Some(given) => given.clone(),
            None => {
                let (node, source) = (Node::text_of(key.usual.then_some(key.value)?), "default".into());
                Given { key: name.into(), node, origin: Origin::Default, source, at: Default::default() }
            }
        };
        self.entries.push(Entry { key, text: given.node.to_string(), origin: given.origin, place: given.place() });
        let mut here = given.troubles();
        let value = parse(name, &given.node, &mut here);
        self.troubles.absorb(here);
        value
    }

    /// The same for a key with one text.
    pub fn value<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        self.node(name, |key, node, troubles| node.read(key, troubles, parse))
    }

    /// The thresholds of a strategy that has them.
    pub fn limits(&mut self) -> Option<Vec<Limit>> {
        self.node("rollbackThreshold", limits)
    }

    /// Values that are possible by themselves and wrong together; told at the first of them that somebody gave.
    pub fn wrong(&mut self, names: &[&str], wrong: Wrong) {
        let Some(given) = names.iter().find_map(|name| self.given.iter().find(|g| g.key == *name)) else {
            return self.troubles.at(Default::default(), wrong);
        };
        let mut here = given.troubles();
        here.at(given.node.at, wrong);
        self.troubles.absorb(here);
    }

    /// A value that is allowed and may surprise.
    pub fn warn(&mut self, name: &str, text: &str) {
        let place = self.given.iter().find(|g| g.key == name).map(|g| format!("{}: ", g.place())).unwrap_or_default();
        self.warnings.push(format!("{place}{name}: {text}"));
    }

    fn unknown(&mut self, kind: StrategyKind) {
        let known: Vec<&str> = keys(kind).iter().chain(COMMON).map(|k| k.name).collect();
        for given in self.given.iter().filter(|g| !known.contains(&g.key.as_str())) {
            let mut here = given.troubles();
            here.at(given.at, unknown_key(&given.key, kind));
            self.troubles.absorb(here);
        }
    }
}

fn at_least(text: &str, least: Span) -> Result<Span, Wrong> {
    let span = span(text)?;
    if span < least { Err(Wrong::new(format!("{span} is below {least}"), format!("write {least} or more"))) } else { Ok(span) }
}

fn between(text: &str, least: u32, most: u32) -> Result<u32, Wrong> {
    match whole(text)? {
        n if n < least => Err(Wrong::new(format!("{n} is below {least}"), format!("write {least} or more"))),
        n if n > most => Err(Wrong::new(format!("{n} is above {most}"), format!("write {most} or less"))),
        n => Ok(n),
    }
}

fn path(text: &str) -> Result<String, Wrong> {
    if text.contains("://") {
        return Err(Wrong::new(format!("{} is a whole address", quoted(text)), "write its path, such as /health"));
    }
    if !text.starts_with('/') {
        return Err(Wrong::new(format!("{} does not begin with /", quoted(text)), format!("write /{}", clean(text.trim(), 60))));
    }
    if text.len() > 1024 || text.contains(|c: char| c.is_whitespace() || !c.is_ascii()) {
        return Err(Wrong::new(format!("{} is not a path", quoted(text)), "write a path such as /health, without blanks"));
    }
    Ok(text.to_owned())
}

/// A name as Kubernetes takes them (a DNS label).
fn name(text: &str, such_as: &str) -> Result<String, Wrong> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = text.len() <= 63 && text.starts_with(letters) && text.ends_with(letters) && text.chars().all(|c| letters(c) || c == '-');
    if good {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("{} is not a name", quoted(text)), format!("small letters, digits and -, such as {such_as}")))
}

/// A tag, or `@` and a digest.
fn version(text: &str) -> Result<String, Wrong> {
    if let Some(digest) = text.strip_prefix('@') {
        let hex =
            digest.strip_prefix("sha256:").is_some_and(|h| h.len() == 64 && h.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        let wrong = || Wrong::new(format!("{} is not a digest", quoted(text)), "write \"@sha256:\" and 64 hexadecimal digits");
        return if hex { Ok(text.to_owned()) } else { Err(wrong()) };
    }
    if let Some((_, tag)) = text.rsplit_once(':').filter(|(image, _)| !image.is_empty()) {
        return Err(Wrong::new(format!("{} is a whole image", quoted(text)), format!("write its tag: {}", clean(tag, 60))));
    }
    let tag = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.is_empty() || text.len() > 128 || text.starts_with(['.', '-']) || !text.chars().all(tag) {
        return Err(Wrong::new(format!("{} is not a tag", quoted(text)), "letters, digits, _ . and -, such as v42"));
    }
    Ok(text.to_owned())
}

fn gates(key: &str, node: &Node, troubles: &mut Troubles) -> Option<Vec<Gate>> {
    const ALL: [Gate; 4] = [Gate::Alerts, Gate::Freeze, Gate::Lag, Gate::Approval];
    let gate = |text: &str| {
        let names = ALL.map(Gate::name);
        let meant = || {
            crate::units::written::nearest(text, names)
                .map_or_else(|| format!("write {}", names.join(", ")), |m| format!("did you mean {m}?"))
        };
        ALL.into_iter().find(|g| g.name() == text).ok_or_else(|| Wrong::new(format!("{} is not a gate", quoted(text)), meant()))
    };
    let mut gates = Vec::new();
    for item in node.items(key, troubles)? {
        gates.extend(item.read(key, troubles, gate).filter(|g| !gates.contains(g)));
    }
    Some(gates)
}
