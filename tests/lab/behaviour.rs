//! How a version behaves: what its image's tag and its environment say about errors, latency, health and start.
//!
//! A pure reading of text; it knows neither sockets nor processes. The tag wins over the environment, because `kubectl set image`
//! changes nothing but the image. A suffix that is not one of these is part of the version's name and means nothing.

use std::time::Duration;

/// What the pod's process does, in its own units.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// The tag as written, or seven digits of the digest.
    pub version: String,
    /// Share of requests answered with 500, from 0 to 1.
    pub error_rate: f64,
    /// Median time to answer a request.
    pub latency: Duration,
    /// Whether `/health` ever says yes.
    pub healthy: bool,
    /// Exits at once with code 1.
    pub crashes: bool,
    /// Time from the start to the first yes of `/health`.
    pub start: Duration,
    /// Time that it serves on after SIGTERM, already not ready. Then its door closes and what is in flight ends.
    pub drain: Duration,
    /// Exits at SIGTERM and cuts what is in flight.
    pub abrupt: bool,
}

impl Behaviour {
    /// Reads `image` and the variables `ERROR_RATE`, `LATENCY_MS`, `HEALTH`, `START_SECONDS`, `DRAIN_SECONDS` and `AT_TERM`
    /// (`graceful`: no drain; `abrupt`).
    pub fn of(image: &str, variable: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| variable(name)?.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let seconds = |name: &str, default: f64| Duration::from_secs_f64(number(name).unwrap_or(default).min(3600.0));
        let mut behaviour = Self {
            version: version(image),
            error_rate: number("ERROR_RATE").unwrap_or(0.0).min(1.0),
            latency: Duration::from_secs_f64(number("LATENCY_MS").unwrap_or(5.0).min(60_000.0) / 1000.0),
            healthy: variable("HEALTH").as_deref() != Some("fail"),
            crashes: false,
            start: seconds("START_SECONDS", 0.0),
            drain: seconds("DRAIN_SECONDS", 3.0),
            abrupt: false,
        };
        behaviour.at_term(&variable("AT_TERM").unwrap_or_default());
        for word in tag(image).split('-') {
            let amount = |prefix: &str| word.strip_prefix(prefix)?.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
            if let Some(percent) = amount("errors") {
                behaviour.error_rate = (percent / 100.0).min(1.0);
            } else if let Some(milliseconds) = amount("slow") {
                behaviour.latency = Duration::from_secs_f64(milliseconds.min(60_000.0) / 1000.0);
            } else if let Some(seconds) = amount("start") {
                behaviour.start = Duration::from_secs_f64(seconds.min(3600.0));
            } else if word == "unhealthy" {
                behaviour.healthy = false;
            } else if word == "crash" {
                behaviour.crashes = true;
            }
            behaviour.at_term(word);
        }
        behaviour
    }

    fn at_term(&mut self, word: &str) {
        match word {
            "graceful" => (self.drain, self.abrupt) = (Duration::ZERO, false),
            "abrupt" => self.abrupt = true,
            _ => {}
        }
    }
}

/// What the registry of `image` says where it does not give it: no such image, or not for this one.
pub fn refused(image: &str) -> Option<String> {
    let resolving = format!("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\"");
    match tag(image) {
        tag if tag.contains("denied-pull") => Some(format!(
            "rpc error: code = Unknown desc = {resolving}: failed to authorize: failed to fetch anonymous token: \
             unexpected status from GET request to https://registry.example/token: 401 Unauthorized"
        )),
        tag if tag.contains("bad-pull") => Some(format!("rpc error: code = NotFound desc = {resolving}: {image}: not found")),
        _ => None,
    }
}

/// The name without tag and digest: `shop/order` of `shop/order:v42`.
pub fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

fn tag(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') => tag,
        _ => "latest",
    }
}

fn version(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((_, digest)) => digest.chars().take(7).collect(),
        None => tag(image).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(image: &str, variables: &[(&str, &str)]) -> Behaviour {
        Behaviour::of(image, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_plain_tag_is_a_healthy_version() {
        let plain = of("shop/order:v42", &[]);
        assert_eq!((plain.version.as_str(), plain.error_rate, plain.healthy, plain.crashes), ("v42", 0.0, true, false));
        assert_eq!((plain.latency, plain.start, plain.drain), (Duration::from_millis(5), Duration::ZERO, Duration::from_secs(3)));
    }

    #[test]
    fn the_tag_wins_over_the_environment() {
        let variables = [("ERROR_RATE", "0.05"), ("LATENCY_MS", "20"), ("START_SECONDS", "1")];
        assert_eq!(of("shop/order:v43", &variables).error_rate, 0.05);
        let tagged = of("shop/order:v43-errors20-slow200-start0.5", &variables);
        assert_eq!((tagged.error_rate, tagged.latency, tagged.start), (0.2, Duration::from_millis(200), Duration::from_millis(500)));
        assert_eq!(tagged.version, "v43-errors20-slow200-start0.5");
    }

    #[test]
    fn bad_versions_are_named_by_their_tag() {
        assert!(of("shop/order:v43-crash", &[]).crashes);
        assert!(!of("shop/order:v43-unhealthy", &[]).healthy);
        assert!(refused("shop/order:v43-bad-pull").is_some_and(|m| m.ends_with("not found")) && refused("shop/bad-pull:v43").is_none());
        assert!(refused("shop/order:v43-denied-pull").is_some_and(|m| m.ends_with("401 Unauthorized")));
    }

    #[test]
    fn nonsense_in_the_environment_is_ignored() {
        let variables = [("ERROR_RATE", "-1"), ("LATENCY_MS", "NaN"), ("START_SECONDS", "soon")];
        assert_eq!(of("shop/order:v1", &variables), of("shop/order:v1", &[]));
    }

    #[test]
    fn a_port_is_not_a_tag_and_a_digest_is_a_version() {
        assert_eq!(of("registry:5000/shop/order", &[]).version, "latest");
        assert_eq!(repository("registry:5000/shop/order:v1"), "registry:5000/shop/order");
        assert_eq!(of("shop/order@sha256:0123456789abcdef", &[]).version, "0123456");
        assert_eq!(repository("shop/order@sha256:0123456789abcdef"), "shop/order");
    }
}
