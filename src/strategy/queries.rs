//! A person's own queries for requests, errors and latency: PromQL with names in it that are filled in per side and interval.
//!
//! Knows no Prometheus. Known weakness: PromQL is not parsed; what is wrong beyond the obvious its Prometheus has to say.

use crate::units::written::{Wrong, nearest};
use crate::units::yaml::{Node, Troubles, Value};
use serde::{Deserialize, Serialize};

/// Names that a query can have in it, as `{{name}}`, and what stands there when it is sent.
pub const NAMES: [(&str, &str); 7] = [
    ("namespace", "the namespace"),
    ("service", "the service's name"),
    ("workload", "the Deployment that runs the side"),
    ("revision", "the side's pod-template-hash, as a regular expression"),
    ("pods", "a regular expression of the side's pods"),
    ("side", "old or new"),
    ("interval", "the length of the interval, such as 10s"),
];

/// Of those, the ones that tell the sides apart.
const SIDES: [&str; 4] = ["workload", "revision", "pods", "side"];

/// The queries of one source of numbers. Requests and errors are counts in the interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queries {
    /// How many requests a side answered in the interval.
    pub requests: String,
    /// How many of them failed.
    pub errors: String,
    /// How many took how long, by `le` in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<String>,
}

/// Reads `{requests, errors, latency}`.
pub fn queries(key: &str, node: &Node, troubles: &mut Troubles) -> Option<Queries> {
    let mut fields = node.fields(key, troubles)?;
    let requests = fields.read("requests", troubles, |text| query(text, false));
    let errors = fields.read("errors", troubles, |text| query(text, false));
    let latency = fields.read("latency", troubles, |text| query(text, true));
    let has = |name: &str| matches!(&node.value, Value::Map(all) if all.iter().any(|(key, _)| key.text == name));
    for name in ["requests", "errors"] {
        if !has(name) {
            let example = if name == "errors" { ",code=~\\\"5..\\\"" } else { "" };
            let remedy =
                format!("add {name}: \"sum(increase(http_requests_total{{pod=~\\\"{{{{pods}}}}\\\"{example}}}[{{{{interval}}}}]))\"");
            troubles.at(node.at, Wrong::new(format!("{key} has no {name}"), remedy));
        }
    }
    fields.finish(troubles);
    Some(Queries { requests: requests?, errors: errors?, latency })
}

fn query(text: &str, by_le: bool) -> Result<String, Wrong> {
    let text = text.trim();
    let mut named = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            return Err(Wrong::new("a {{ without its }}", "close it: {{pods}}"));
        };
        let name = name.trim();
        if !NAMES.iter().any(|(known, _)| *known == name) {
            let known = NAMES.map(|(known, _)| known);
            let meant = nearest(name, known).map_or_else(|| format!("there are {}", known.join(", ")), |m| format!("did you mean {m}?"));
            return Err(Wrong::new(format!("{{{{{}}}}} is not known here", crate::units::clean(name, 40)), meant));
        }
        named.push(name);
        rest = after;
    }
    if text.is_empty() || text.len() > 4096 {
        return Err(Wrong::new("not a query", "write PromQL, 4096 characters at most"));
    }
    if let Some(at) = text.find("~\"").filter(|at| !text[..*at].ends_with(['=', '!'])) {
        let shown = crate::units::clean(text.get(at.saturating_sub(12)..).unwrap_or(text), 20);
        return Err(Wrong::new(format!("`{shown}` is not PromQL"), "write =~ for a regular expression"));
    }
    if !named.contains(&"interval") {
        return Err(Wrong::new("no {{interval}}: each interval is counted once", "write increase(...[{{interval}}])"));
    }
    if !named.iter().any(|name| SIDES.contains(name)) {
        return Err(Wrong::new("both versions would get the same answer", "add pod=~\"{{pods}}\", {{revision}}, {{workload}} or {{side}}"));
    }
    if by_le && !text.contains("le") {
        return Err(Wrong::new("latency without its buckets", "write sum by (le) (increase(..._bucket{...}[{{interval}}]))"));
    }
    Ok(text.to_owned())
}

/// A query as it is sent: names filled in. A value ends no string of the query.
pub fn filled(query: &str, value: impl Fn(&str) -> String) -> String {
    let mut sent = String::new();
    let mut rest = query;
    while let Some((before, name, after)) = rest.split_once("{{").and_then(|(b, r)| r.split_once("}}").map(|(n, a)| (b, n, a))) {
        sent += before;
        sent.extend(value(name.trim()).chars().filter(|c| !matches!(c, '"' | '\\' | '\'' | '`' | '\n')));
        rest = after;
    }
    sent + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::yaml;

    fn read(text: &str) -> String {
        let yaml::Written { root, mut troubles } = yaml::parse("d", text.as_bytes());
        let found = queries("metrics", &root.unwrap(), &mut troubles);
        match troubles.or(found) {
            Ok(q) => format!("{} | {} | {}", q.requests, q.errors, q.latency.unwrap_or_default()),
            Err(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn queries_are_told_what_would_count_wrong() {
        let good = "sum(increase(r{pod=~\"{{pods}}\"}[{{interval}}]))";
        assert_eq!(read(&format!("requests: '{good}'\nerrors: '{good}'\n")), format!("{good} | {good} | "));
        for (query, says) in [
            ("sum(rate(r{pod=~\"{{pods}}\"}[1m]))", "no {{interval}}: each interval is counted once: write increase(...[{{interval}}])"),
            (
                "sum(increase(r[{{interval}}]))",
                "both versions would get the same answer: add pod=~\"{{pods}}\", {{revision}}, {{workload}} or {{side}}",
            ),
            ("x{pod=~\"{{pod}}\"}[{{interval}}]", "{{pod}} is not known here: did you mean pods?"),
            (
                "x{code~\"5..\",pod=~\"{{pods}}\"}[{{interval}}]",
                "`x{code~\"5..\",pod=~\"…` is not PromQL: write =~ for a regular expression",
            ),
            ("x{{pods", "a {{ without its }}: close it: {{pods}}"),
        ] {
            let told = read(&format!("requests: '{good}'\nerrors: '{query}'\n"));
            assert_eq!(told, format!("d:2:9: errors: {says}"));
        }
        assert!(read(&format!("requests: '{good}'\n")).starts_with("d:1:1: metrics has no errors: add errors:"));
    }

    #[test]
    fn a_value_cannot_end_the_string_it_stands_in() {
        let sent = filled("r{pod=~\"{{ pods }}\"}[{{interval}}]", |name| if name == "pods" { "a\"} or b{\"".into() } else { "10s".into() });
        assert_eq!(sent, "r{pod=~\"a} or b{\"}[10s]");
    }
}
