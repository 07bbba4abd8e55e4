//! A load generator: sends at a steady rate whether or not answers come, and counts them per version.
//!
//! It knows HTTP and EndpointSlices, nothing of deployments. Aimed at a Service it does what a proxy on every node does: it follows the
//! EndpointSlices and takes any ready address. It sends only inside the lab's network namespace, which has no way out.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use color_eyre::eyre::{Result, bail, eyre};
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::control_plane;
use crate::http::{self, Answer, Connection};
use crate::place::Place;

/// Requests under way at once; one that would be more is counted as failed, "not sent".
const IN_FLIGHT: usize = 2_000;
const LATENCIES: usize = 1_000_000;

#[derive(Args)]
pub struct Options {
    /// Where to send: http://ADDRESS:PORT/PATH; several take turns
    #[arg(long, required_unless_present = "service", conflicts_with = "service")]
    url: Vec<String>,
    /// Send to the ready endpoints of this Service: NAMESPACE/NAME
    #[arg(long)]
    service: Option<String>,
    /// Path to ask for, with --service
    #[arg(long, default_value = "/", requires = "service")]
    path: String,
    /// Requests a second
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    rps: u32,
    /// How long to send; SIGTERM and ctrl-c end it earlier, with its report
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Seconds until a request without an answer counts as failed
    #[arg(long, default_value_t = 3.0)]
    timeout: f64,
    /// Open a new connection for every request
    #[arg(long)]
    fresh: bool,
}

/// `address:port` and the path to ask there.
type Target = (String, String);

struct Generator {
    /// The endpoints of a Service are known.
    aimed: Notify,
    targets: RefCell<Vec<Target>>,
    random: RefCell<Pcg64Mcg>,
    idle: RefCell<HashMap<String, Vec<Connection>>>,
    counts: RefCell<Counts>,
    limit: Duration,
    fresh: bool,
}

#[derive(Default)]
struct Counts {
    sent: u64,
    in_flight: usize,
    ok: u64,
    failed: u64,
    by_version: BTreeMap<String, (u64, u64)>,
    by_failure: BTreeMap<String, u64>,
    latencies: Vec<f64>,
}

impl Options {
    /// Sends for `seconds` and returns the report.
    pub async fn run(&self, place: &Place) -> Result<Value> {
        let targets = self.url.iter().map(|url| target(url)).collect::<Result<Vec<_>>>()?;
        let generator = Rc::new(Generator {
            aimed: Notify::new(),
            targets: RefCell::new(targets),
            random: RefCell::new(Pcg64Mcg::seed_from_u64(u64::from(std::process::id()))),
            idle: RefCell::default(),
            counts: RefCell::default(),
            limit: Duration::from_secs_f64(self.timeout.clamp(0.01, 60.0)),
            fresh: self.fresh,
        });
        let following = async {
            match &self.service {
                Some(service) => self.follow(place, service, &generator).await,
                None => std::future::pending().await,
            }
        };
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let begun = Instant::now();
        tokio::select! {
            () = self.send_all(&generator) => {}
            stopped = following => return Err(match stopped { Err(error) => error, Ok(never) => match never {} }),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let seconds = begun.elapsed().as_secs_f64();
        let quiet = async {
            while generator.counts.borrow().in_flight > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(generator.limit + Duration::from_secs(1), quiet).await;
        Ok(generator.counts.borrow_mut().report(seconds))
    }

    async fn send_all(&self, generator: &Rc<Generator>) {
        if self.service.is_some() {
            generator.aimed.notified().await;
        }
        let begun = Instant::now();
        let end = begun + Duration::from_secs(self.seconds.into());
        for number in 0.. {
            let at = begun + Duration::from_secs_f64(f64::from(number) / f64::from(self.rps));
            if at >= end {
                break;
            }
            sleep_until(at).await;
            generator.send();
        }
    }

    /// Keeps the targets at the ready addresses of a Service.
    async fn follow(&self, place: &Place, service: &str, generator: &Generator) -> Result<Infallible> {
        let Some((namespace, name)) = service.split_once('/') else { bail!("--service is NAMESPACE/NAME, not {service:?}") };
        let client = control_plane::client(place, "admin").await?;
        let slices: Api<EndpointSlice> = Api::namespaced(client, namespace);
        let config = watcher::Config::default().labels(&format!("kubernetes.io/service-name={name}"));
        let events = watcher::watcher(slices, config);
        pin_mut!(events);
        let mut known: HashMap<String, EndpointSlice> = HashMap::new();
        let mut is_whole = false;
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => {
                    is_whole = false;
                    known.clear();
                }
                Ok(watcher::Event::InitApply(slice) | watcher::Event::Apply(slice)) => {
                    known.insert(slice.name_any(), slice);
                }
                Ok(watcher::Event::Delete(slice)) => {
                    known.remove(&slice.name_any());
                }
                Ok(watcher::Event::InitDone) => {
                    is_whole = true;
                    generator.aimed.notify_one();
                }
                Err(_) => sleep(Duration::from_millis(300)).await,
            }
            // Until a list is whole the last known targets stay, as a proxy's table does while the API server is away.
            if is_whole {
                let ready = known.values().flat_map(ready_addresses).map(|address| (address, self.path.clone()));
                *generator.targets.borrow_mut() = ready.collect();
            }
        }
        bail!("the watch of EndpointSlices ended")
    }
}

impl Generator {
    fn send(self: &Rc<Self>) {
        self.counts.borrow_mut().sent += 1;
        let target = self.targets.borrow().choose(&mut *self.random.borrow_mut()).cloned();
        let Some((address, path)) = target else {
            return self.counts.borrow_mut().fail("", "no ready endpoint".to_owned());
        };
        if self.counts.borrow().in_flight >= IN_FLIGHT {
            return self.counts.borrow_mut().fail("", "not sent".to_owned());
        }
        self.counts.borrow_mut().in_flight += 1;
        let generator = self.clone();
        tokio::task::spawn_local(async move {
            let begun = Instant::now();
            let answer = timeout(generator.limit, generator.ask(&address, &path)).await;
            let mut counts = generator.counts.borrow_mut();
            counts.in_flight -= 1;
            if counts.latencies.len() < LATENCIES {
                counts.latencies.push(begun.elapsed().as_secs_f64());
            }
            match answer {
                Ok(Ok(answer)) => {
                    let version = answer.header("x-version").unwrap_or_default();
                    match answer.status {
                        200..=399 => counts.succeed(version),
                        status => counts.fail(version, status.to_string()),
                    }
                }
                Ok(Err(error)) => counts.fail("", failure(error.kind())),
                Err(_) => counts.fail("", "timeout".to_owned()),
            }
        });
    }

    /// On a kept connection when there is one; a new one when the other side had closed that meanwhile.
    async fn ask(&self, address: &str, path: &str) -> std::io::Result<Answer> {
        let kept = self.idle.borrow_mut().get_mut(address).and_then(Vec::pop);
        if let Some(connection) = kept
            && let Ok(answer) = self.ask_on(connection, address, path).await
        {
            return Ok(answer);
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.ask_on(Connection::new(stream), address, path).await
    }

    async fn ask_on(&self, mut connection: Connection, address: &str, path: &str) -> std::io::Result<Answer> {
        let answer = http::get(&mut connection, address, path).await?;
        if answer.kept && !self.fresh {
            self.idle.borrow_mut().entry(address.to_owned()).or_default().push(connection);
        }
        Ok(answer)
    }
}

impl Counts {
    fn succeed(&mut self, version: &str) {
        self.ok += 1;
        self.by_version.entry(version.to_owned()).or_default().0 += 1;
    }

    fn fail(&mut self, version: &str, why: String) {
        self.failed += 1;
        *self.by_failure.entry(why).or_default() += 1;
        if !version.is_empty() {
            self.by_version.entry(version.to_owned()).or_default().1 += 1;
        }
    }

    fn report(&mut self, seconds: f64) -> Value {
        self.latencies.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let last = self.latencies.len().checked_sub(1)?;
            self.latencies.get((last as f64 * share).round() as usize).copied()
        };
        let versions: serde_json::Map<_, _> =
            self.by_version.iter().map(|(version, (ok, failed))| (version.clone(), json!({"ok": ok, "failed": failed}))).collect();
        json!({
            "seconds": seconds, "sent": self.sent, "ok": self.ok, "failed": self.failed,
            "versions": versions, "failures": self.by_failure,
            "p50Seconds": quantile(0.5), "p99Seconds": quantile(0.99),
        })
    }
}

fn target(url: &str) -> Result<Target> {
    let rest = url.strip_prefix("http://").ok_or_else(|| eyre!("--url is http://ADDRESS:PORT/PATH, not {url:?}"))?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if address.contains(':') { address.to_owned() } else { format!("{address}:80") };
    Ok((address, format!("/{path}")))
}

fn ready_addresses(slice: &EndpointSlice) -> Vec<String> {
    let port = slice.ports.iter().flatten().find_map(|port| port.port);
    let is_ready = |conditions: Option<bool>| conditions.unwrap_or(true);
    let ready = slice.endpoints.iter().flatten().filter(|endpoint| is_ready(endpoint.conditions.as_ref().and_then(|c| c.ready)));
    let addresses = ready.filter_map(|endpoint| endpoint.addresses.first());
    port.map(|port| addresses.map(|address| format!("{address}:{port}")).collect()).unwrap_or_default()
}

fn failure(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::ConnectionRefused => "refused".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => "cut".to_owned(),
        other => other.to_string(),
    }
}
