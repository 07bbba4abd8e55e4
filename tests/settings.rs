//! The settings: the design's own example, and what each mistake is answered with.

use flightdeck::fleet::{Protection, Role};
use flightdeck::settings::{Auth, Folders, Metrics, Prometheus, PrometheusAt, SecretFrom, Settings, load, parse};
use flightdeck::units::{Namespace, Place, Span};
use std::path::Path;

const EXAMPLE: &str = r#"
fleets:
  - name: production
    protection: safe            # the default for everything real; "open" has to be written
    grace: 1.5s
    regions:
      - { name: us-east-1, role: primary, context: prod-use1, namespaces: [shop], prometheus: { service: monitoring/prometheus:9090 } }
      - { name: eu-west-1, role: replica, context: prod-euw1, namespaces: [shop], prometheus: { url: "https://prom.eu.example" } }
theme: light
glyphs: block
color: "256"
keys:
  rollback: [R, ctrl-r]
  pause: space
  quit: []
mouse: false
bell: false
reduceMotion: true
"#;

fn read(text: &str) -> Settings {
    parse("config.yaml", text.as_bytes()).unwrap_or_else(|all| panic!("{all:?}"))
}

/// All that is wrong with a text, one a line.
fn wrong(text: &str) -> String {
    let all = parse("c", text.as_bytes()).expect_err("it should be refused");
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_of_the_design_is_read() {
    let settings = read(EXAMPLE);
    let [fleet] = settings.fleets.as_slice() else { panic!("{:?}", settings.fleets) };
    assert_eq!((fleet.name.as_str(), fleet.protection, fleet.grace), ("production", Protection::Safe, Span(1500)));
    let [us, eu] = fleet.regions.as_slice() else { panic!("{:?}", fleet.regions) };
    assert_eq!((us.name.as_str(), us.role, us.context.as_str()), ("us-east-1", Role::Primary, "prod-use1"));
    assert_eq!(us.namespaces, [Namespace::new("shop")]);
    let service = PrometheusAt::Service { namespace: Namespace::new("monitoring"), name: "prometheus".into(), port: 9090 };
    let at = |prometheus: &Option<Prometheus>| prometheus.as_ref().map(|p| p.at.clone());
    assert_eq!(at(&us.prometheus), Some(service));
    assert_eq!((eu.role, at(&eu.prometheus)), (Role::Replica, Some(PrometheusAt::Url("https://prom.eu.example".into()))));
    assert_eq!(
        (settings.theme.as_deref(), settings.glyphs.as_deref(), settings.color.as_deref()),
        (Some("light"), Some("block"), Some("256"))
    );
    let keys: Vec<_> = settings.keys.iter().map(|k| (k.command.as_str(), k.keys.join(" "), k.place.to_string())).collect();
    assert_eq!(
        keys,
        [
            ("rollback", "R ctrl-r".to_string(), "config.yaml:13:3".to_string()),
            ("pause", "space".into(), "config.yaml:14:3".into()),
            ("quit", String::new(), "config.yaml:15:3".into())
        ]
    );
    assert_eq!((settings.mouse, settings.bell, settings.reduce_motion), (false, false, true));
}

#[test]
fn every_key_is_optional() {
    for text in ["", "\n# nothing yet\n", "{}", "fleets: []"] {
        assert_eq!(read(text), Settings::default(), "{text:?}");
    }
    let settings = read("fleets: [{ name: lab, protection: open, grace: 0s, regions: [{ name: kind }] }]");
    let fleet = &settings.fleets[0];
    assert_eq!((fleet.protection, fleet.grace), (Protection::Open, Span::ZERO));
    assert_eq!((fleet.regions[0].context.as_str(), fleet.regions[0].namespaces.len()), ("kind", 0), "the context is named like the region");
}

#[test]
fn each_mistake_has_its_own_answer() {
    let fleet = |rest: &str| format!("fleets: [{{ name: a, regions: [{{ name: r }}], {rest} }}]");
    let region = |rest: &str| format!("fleets: [{{ name: a, regions: [{{ name: r, {rest} }}] }}]");
    let table = [
        ("fleet: []".into(), "c:1:1: unknown key fleet: did you mean fleets?"),
        ("reducemotion: true".into(), "c:1:1: unknown key reducemotion: did you mean reduceMotion?"),
        ("mouse: yes".into(), "c:1:8: mouse: `yes` is neither true nor false: write true"),
        ("bell:".into(), "c:1:5: bell: no value: write one, or leave the line out"),
        ("theme: ''".into(), "c:1:8: theme: nothing in it: write one, or leave the line out"),
        ("theme: [a]".into(), "c:1:8: theme: a list where one value belongs: write one value"),
        ("glyphs: brail".into(), "c:1:9: glyphs: `brail` is not known here: did you mean braille?"),
        ("color: 24bit".into(), "c:1:8: color: `24bit` is not known here: write one of auto, always, never, 16, 256"),
        ("keys: [a]".into(), "c:1:7: keys: a list where keys with values belong: write `key: value`, one a line"),
        ("keys: { quit: { a: b } }".into(), "c:1:15: quit: keys with values where one value belongs: write one value"),
        ("fleets: production".into(), "c:1:9: fleets: `production` where a list belongs: write [production]"),
        ("fleets: [production]".into(), "c:1:10: a fleet: `production` where keys with values belong: write `key: value`, one a line"),
        ("fleets: [{ regions: [{ name: r }] }]".into(), "c:1:10: this fleet has no name: add name: production"),
        ("fleets: [{ name: a }]".into(), "c:1:10: this fleet has no regions: add regions: [{ name: NAME, context: CONTEXT }]"),
        ("fleets: [{ name: a, regions: [] }]".into(), "c:1:30: this fleet has no regions: add [{ name: NAME, context: CONTEXT }]"),
        (
            "fleets: [{ name: a b, regions: [{ name: r }] }]".into(),
            "c:1:18: name: `a b` cannot be a name: letters, digits and - _ . @ : alone, 63 at most",
        ),
        (fleet("protection: on"), "c:1:57: protection: `on` is not known here: write one of safe, open"),
        (fleet("grace: 5"), "c:1:52: grace: 5 has no unit: write 5s"),
        (fleet("grace: 2m"), "c:1:52: grace: 2m is above 30s: write 30s or less; 0s acts at once"),
        (fleet("grace: soon"), "c:1:52: grace: `soon` is not a length of time: write 500ms, 30s, 5m, 2h, 1d or 1h30m"),
        (fleet("color: red"), "c:1:45: unknown key color: known here: name, protection, grace, regions"),
        ("fleets: [{ name: a, regions: [{ context: c }] }]".into(), "c:1:31: this region has no name: add name: us-east-1"),
        (
            "fleets: [{ name: a, regions: [{ name: r }, { name: r }] }]".into(),
            "c:1:52: name: there is a region `r` already: give each its own name",
        ),
        (
            "fleets: [{ name: a, regions: [{ name: r }] }, { name: a, regions: [{ name: r }] }]".into(),
            "c:1:55: name: there is a fleet `a` already: give each its own name",
        ),
        (region("role: main"), "c:1:48: role: `main` is not known here: write one of primary, replica"),
        (region("context: ''"), "c:1:51: context: nothing in it: write one, or leave the line out"),
        (region("namespaces: shop"), "c:1:54: namespaces: `shop` where a list belongs: write [shop]"),
        (
            region("namespaces: [Shop]"),
            "c:1:55: namespaces: `Shop` cannot be a name in Kubernetes: small letters, digits and - alone, 63 at most",
        ),
        (region("prometheus: http://p"), "c:1:54: prometheus: `http://p` where keys with values belong: write `key: value`, one a line"),
        (
            region("prometheus: {}"),
            "c:1:54: prometheus says nothing: write { url: https://... } or { service: monitoring/prometheus:9090 }",
        ),
        (region("prometheus: { url: prom }"), "c:1:61: url: `prom` is not a URL: write https://prometheus.example"),
        (
            region("prometheus: { url: 'https://me:secret@prom' }"),
            "c:1:61: url: a password in a URL: leave it out, and write basic: { user: NAME, password: { env: VARIABLE } }",
        ),
        (
            region("prometheus: { url: 'http://p', bearer: s3cr3t }"),
            "c:1:81: bearer: a secret where it is kept belongs: write { env: VARIABLE } or { file: /path }: settings hold no secrets",
        ),
        (
            region("prometheus: { url: 'http://p', bearer: { env: A, file: b } }"),
            "c:1:81: bearer is kept in one place: write { env: VARIABLE } or { file: /path }: settings hold no secrets",
        ),
        (
            region("prometheus: { url: 'http://p', basic: { user: me } }"),
            "c:1:80: basic needs a user and a password: write { user: NAME, password: { env: VARIABLE } }",
        ),
        (
            region("prometheus: { url: 'http://p', bearer: { env: A }, basic: { user: me, password: { env: A } } }"),
            "c:1:100: prometheus has a bearer and a basic: keep one of them",
        ),
        (
            region("prometheus: { service: 'm/p:1', bearer: { env: A } }"),
            "c:1:82: bearer with a service: leave it out: the API server is asked as the kubeconfig's user, and passes nothing on",
        ),
        (
            region("prometheus: { url: 'http://p', tenant: 'a b' }"),
            "c:1:81: tenant: `a b` cannot be a tenant: letters, digits and signs without blanks, 150 at most",
        ),
        (region("prometheus: { url: 'http://p', scrapeInterval: 100ms }"), "c:1:89: scrapeInterval: 100ms is below 1s: write 1s or more"),
        (region("prometheus: { url: 'http://p' }, metrics: istoi"), "c:1:84: metrics: `istoi` is not known here: did you mean istio?"),
        (region("metrics: pods"), "c:1:31: metrics without a prometheus: add prometheus: { url: https://... }; without one pods are asked"),
        (
            region("prometheus: { service: prometheus }"),
            "c:1:65: service: `prometheus` is not a service with its port: write monitoring/prometheus:9090",
        ),
        (region("prometheus: { url: 'http://p', service: m/p:1 }"), "c:1:82: prometheus has a url and a service: keep one of them"),
        ("[]".into(), "c:1:1: settings: a list where keys with values belong: write `key: value`, one a line"),
    ];
    let told: Vec<_> = table
        .iter()
        .map(|(text, _)| (text, wrong(text)))
        .filter(|(text, told)| table.iter().any(|(t, m)| t == *text && m != told))
        .collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn a_prometheus_says_who_asks_and_what_and_never_a_secret() {
    let text = r#"
fleets:
  - name: a
    regions:
      - name: r
        prometheus:
          url: https://p/prefix
          basic: { user: me, password: { file: /run/secrets/p } }
          tenant: shop
          ca: /etc/ca.pem
          scrapeInterval: 30s
        metrics:
          requests: sum(increase(r{revision="{{revision}}"}[{{interval}}]))
          errors: sum(increase(e{revision="{{revision}}"}[{{interval}}])) or vector(0)
      - { name: s, prometheus: { service: "m/p:1" }, metrics: istio }
"#;
    let fleet = read(text).fleets.remove(0);
    let first = fleet.regions[0].prometheus.clone().unwrap();
    let password = SecretFrom::File("/run/secrets/p".into());
    assert_eq!(first.auth, Some(Auth::Basic { user: "me".into(), password }));
    assert_eq!(
        (first.tenant.as_deref(), first.ca.as_deref(), first.scrapes),
        (Some("shop"), Some(Path::new("/etc/ca.pem")), Span::secs(30))
    );
    assert!(matches!(&first.metrics, Metrics::Own(own) if own.errors.ends_with("or vector(0)") && own.latency.is_none()));
    let second = fleet.regions[1].prometheus.clone().unwrap();
    assert_eq!((second.metrics, second.scrapes), (Metrics::Preset("istio"), Span::secs(15)));
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_text() {
    let text = "theme: ''\nfleets:\n  - name: a\n    grace: 5\n    regions:\n      - role: main\nmous: true\n";
    assert_eq!(
        wrong(text),
        "c:1:8: theme: nothing in it: write one, or leave the line out\n\
         c:4:12: grace: 5 has no unit: write 5s\n\
         c:6:9: this region has no name: add name: us-east-1\n\
         c:6:15: role: `main` is not known here: write one of primary, replica\n\
         c:7:1: unknown key mous: did you mean mouse?"
    );
}

#[test]
fn settings_that_are_named_must_be_there_and_those_by_default_need_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    assert_eq!(load(&path, true).unwrap(), Settings::default());
    let all = load(&path, false).unwrap_err();
    assert_eq!(all[0].place, Place::named(path.display().to_string()));
    assert_eq!((all[0].cause.as_str(), all[0].kind.code()), ("no such file", 3));
    assert_eq!(load(dir.path(), true).unwrap_err()[0].cause, "this is a directory");
}

#[test]
fn a_data_folder_of_ones_own_takes_the_state_along() {
    let folders = Folders::find(Some(Path::new("/somewhere"))).unwrap();
    assert_eq!(folders.rollouts(), Path::new("/somewhere/rollouts"));
    assert_eq!(folders.state, Path::new("/somewhere/state"));
    assert!(folders.settings().ends_with("flightdeck/config.yaml"));
}
