//! A load generator: sends at a steady rate whether or not answers come, and counts them per version and per tenth of a second.
//!
//! It knows HTTP and EndpointSlices, nothing of deployments. Aimed at a Service it does what a proxy on every node does: it follows the
//! EndpointSlices and takes any ready address. It sends only inside the lab's network namespace, which has no way out. As browsers do,
//! it asks again on a new connection when a kept one had been closed before the answer's first byte; those are counted as retried.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use color_eyre::eyre::{Result, bail, eyre};
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::control_plane;
use crate::http::{self, Answer, Connection};
use crate::place::Place;

/// Requests under way at once; one that would be more is counted as failed, "not sent".
const IN_FLIGHT: usize = 2_000;
const LATENCIES: usize = 1_000_000;
const INTERVAL: Duration = Duration::from_millis(100);

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
    /// The Host header, where it is not the address
    #[arg(long)]
    host: Option<String>,
    /// A further header, "NAME: VALUE"; may be repeated
    #[arg(long, value_parser = header)]
    header: Vec<(String, String)>,
    /// Requests a second on kept connections
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    rps: u32,
    /// Requests a second beside those with a new connection each
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    fresh_rps: u32,
    /// Requests a second beside those that take long
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    slow_rps: u32,
    /// How long those take, in milliseconds
    #[arg(long, default_value_t = 1_000)]
    slow_ms: u32,
    /// How long to send; SIGTERM and ctrl-c end it earlier, with its report
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Seconds until a request without an answer counts as failed
    #[arg(long, default_value_t = 3.0)]
    timeout: f64,
    /// Print the counts so far ten times a second, each a line of JSON; the report is the last line
    #[arg(long)]
    live: bool,
}

/// `address:port` and the path to ask there.
type Target = (String, String);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Stream {
    Kept,
    Fresh,
    Slow,
}

struct Generator {
    targets: RefCell<Vec<Target>>,
    random: RefCell<Pcg64Mcg>,
    idle: RefCell<HashMap<String, Vec<Connection>>>,
    counts: RefCell<Counts>,
    limit: Duration,
    host: Option<String>,
    headers: Vec<(String, String)>,
    slow_ms: u32,
}

struct Counts {
    begun: Instant,
    /// The same moment, in seconds since 1970.
    began: f64,
    in_flight: usize,
    retried: u64,
    /// Sent and failed.
    by_stream: BTreeMap<Stream, (u64, u64)>,
    by_version: BTreeMap<String, Answers>,
    by_failure: BTreeMap<String, u64>,
    intervals: Vec<Interval>,
    latencies: Vec<f64>,
}

/// What a version answered. Times are seconds since 1970.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answers {
    ok: u64,
    failed: u64,
    /// When the first and the last request that it answered was sent.
    first_start: f64,
    last_start: f64,
}

/// The requests that were sent in a tenth of a second, whenever their answers came.
#[derive(Clone, Default, Serialize)]
struct Interval {
    sent: u64,
    versions: BTreeMap<String, u64>,
    lost: BTreeMap<String, u64>,
}

impl Options {
    /// Sends for `seconds` and returns the report.
    pub async fn run(&self, place: &Place) -> Result<Value> {
        let targets = self.url.iter().map(|url| target(url)).collect::<Result<Vec<_>>>()?;
        let generator = Rc::new(Generator {
            targets: RefCell::new(targets),
            random: RefCell::new(Pcg64Mcg::seed_from_u64(u64::from(std::process::id()))),
            idle: RefCell::default(),
            counts: RefCell::new(Counts::new()),
            limit: Duration::from_secs_f64(self.timeout.clamp(0.01, 60.0)),
            host: self.host.clone(),
            headers: self.header.clone(),
            slow_ms: self.slow_ms,
        });
        let (aimed, mut is_aimed) = watch::channel(self.service.is_none());
        let following = async {
            match &self.service {
                Some(service) => self.follow(place, service, &generator, aimed).await,
                None => std::future::pending().await,
            }
        };
        let sending = async {
            let _ = is_aimed.wait_for(|aimed| *aimed).await;
            *generator.counts.borrow_mut() = Counts::new();
            tokio::join!(
                self.send_all(&generator, Stream::Kept, self.rps),
                self.send_all(&generator, Stream::Fresh, self.fresh_rps),
                self.send_all(&generator, Stream::Slow, self.slow_rps),
            )
        };
        let telling = async {
            loop {
                sleep(INTERVAL).await;
                if self.live {
                    println!("{}", generator.counts.borrow().so_far());
                }
            }
        };
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = sending => {}
            stopped = following => return Err(match stopped { Err(error) => error, Ok(never) => match never {} }),
            () = telling => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let seconds = generator.counts.borrow().begun.elapsed().as_secs_f64();
        let quiet = async {
            while generator.counts.borrow().in_flight > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(generator.limit + Duration::from_secs(1), quiet).await;
        Ok(generator.counts.borrow_mut().report(seconds))
    }

    async fn send_all(&self, generator: &Rc<Generator>, stream: Stream, rps: u32) {
        let begun = Instant::now();
        let end = begun + Duration::from_secs(self.seconds.into());
        for number in 0..rps.saturating_mul(self.seconds) {
            let at = begun + Duration::from_secs_f64(f64::from(number) / f64::from(rps));
            sleep_until(at).await;
            generator.send(stream);
        }
        sleep_until(end).await;
    }

    /// Keeps the targets at the ready addresses of a Service.
    async fn follow(&self, place: &Place, service: &str, generator: &Generator, aimed: watch::Sender<bool>) -> Result<Infallible> {
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
                }
                Err(_) => sleep(Duration::from_millis(300)).await,
            }
            // Until a list is whole the last known targets stay, as a proxy's table does while the API server is away.
            if is_whole {
                let ready = known.values().flat_map(ready_addresses).map(|address| (address, self.path.clone()));
                *generator.targets.borrow_mut() = ready.collect();
                // Users come once there is a service: a Deployment is available a moment before its addresses are in the slices.
                if !generator.targets.borrow().is_empty() {
                    aimed.send_replace(true);
                }
            }
        }
        bail!("the watch of EndpointSlices ended")
    }
}

impl Generator {
    fn send(self: &Rc<Self>, stream: Stream) {
        let index = self.counts.borrow_mut().send(stream);
        let target = self.targets.borrow().choose(&mut *self.random.borrow_mut()).cloned();
        let Some((address, mut path)) = target else {
            return self.counts.borrow_mut().lose(stream, index, "no ready endpoint".to_owned());
        };
        if self.counts.borrow().in_flight >= IN_FLIGHT {
            return self.counts.borrow_mut().lose(stream, index, "not sent".to_owned());
        }
        if stream == Stream::Slow {
            path = format!("{path}{}ms={}", if path.contains('?') { '&' } else { '?' }, self.slow_ms);
        }
        self.counts.borrow_mut().in_flight += 1;
        let generator = self.clone();
        tokio::task::spawn_local(async move {
            let (begun, sent) = (Instant::now(), now());
            let answer = timeout(generator.limit, generator.ask(stream, &address, &path)).await;
            let mut counts = generator.counts.borrow_mut();
            counts.in_flight -= 1;
            if counts.latencies.len() < LATENCIES && stream != Stream::Slow {
                counts.latencies.push(begun.elapsed().as_secs_f64());
            }
            match answer {
                Ok(Ok(answer)) => {
                    counts.answer(index, sent, answer.header("x-version"), answer.status == 200);
                    if answer.status != 200 {
                        counts.lose(stream, index, answer.status.to_string());
                    }
                }
                Ok(Err(error)) => counts.lose(stream, index, failure(error.kind())),
                Err(_) => counts.lose(stream, index, "timeout".to_owned()),
            }
        });
    }

    /// On a kept connection when there is one; on a new one when the other side had closed that meanwhile.
    async fn ask(&self, stream: Stream, address: &str, path: &str) -> std::io::Result<Answer> {
        let kept = (stream != Stream::Fresh).then(|| self.idle.borrow_mut().get_mut(address).and_then(Vec::pop)).flatten();
        if let Some(connection) = kept {
            match self.ask_on(connection, stream, address, path).await {
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => self.counts.borrow_mut().retried += 1,
                other => return other,
            }
        }
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        self.ask_on(Connection::new(connection), stream, address, path).await
    }

    async fn ask_on(&self, mut connection: Connection, stream: Stream, address: &str, path: &str) -> std::io::Result<Answer> {
        let host = self.host.as_deref().unwrap_or(address);
        let answer = http::get(&mut connection, host, path, &self.headers).await?;
        if answer.kept && stream != Stream::Fresh {
            self.idle.borrow_mut().entry(address.to_owned()).or_default().push(connection);
        }
        Ok(answer)
    }
}

impl Counts {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            began: now(),
            in_flight: 0,
            retried: 0,
            by_stream: BTreeMap::new(),
            by_version: BTreeMap::new(),
            by_failure: BTreeMap::new(),
            intervals: Vec::new(),
            latencies: Vec::new(),
        }
    }

    /// Returns the interval that the request belongs to.
    fn send(&mut self, stream: Stream) -> usize {
        self.by_stream.entry(stream).or_default().0 += 1;
        let index = usize::try_from(self.begun.elapsed().as_millis() / INTERVAL.as_millis()).unwrap_or_default();
        self.interval(index).sent += 1;
        index
    }

    fn interval(&mut self, index: usize) -> &mut Interval {
        if self.intervals.len() <= index {
            self.intervals.resize(index + 1, Interval::default());
        }
        &mut self.intervals[index]
    }

    fn answer(&mut self, index: usize, sent: f64, version: Option<&str>, is_ok: bool) {
        // A proxy's own answer has no version.
        let Some(version) = version else { return };
        let answers = self.by_version.entry(version.to_owned()).or_insert(Answers { first_start: sent, ..Answers::default() });
        answers.first_start = answers.first_start.min(sent);
        answers.last_start = answers.last_start.max(sent);
        *(if is_ok { &mut answers.ok } else { &mut answers.failed }) += 1;
        *self.interval(index).versions.entry(version.to_owned()).or_default() += 1;
    }

    fn lose(&mut self, stream: Stream, index: usize, why: String) {
        self.by_stream.entry(stream).or_default().1 += 1;
        *self.interval(index).lost.entry(why.clone()).or_default() += 1;
        *self.by_failure.entry(why).or_default() += 1;
    }

    /// Sent, answered with 200, and lost for whatever reason.
    fn so_far(&self) -> Value {
        let sent: u64 = self.by_stream.values().map(|(sent, _)| sent).sum();
        let failed: u64 = self.by_stream.values().map(|(_, failed)| failed).sum();
        json!({
            "sent": sent, "failed": failed, "ok": sent.saturating_sub(failed + self.in_flight as u64),
            "retried": self.retried, "versions": self.by_version, "failures": self.by_failure,
        })
    }

    fn report(&mut self, seconds: f64) -> Value {
        self.latencies.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let last = self.latencies.len().checked_sub(1)?;
            self.latencies.get((last as f64 * share).round() as usize).copied()
        };
        let streams = self.by_stream.iter().map(|(stream, (sent, failed))| (*stream, json!({"sent": sent, "failed": failed})));
        let mut report = self.so_far();
        for (name, value) in [
            ("began", json!(self.began)),
            ("seconds", json!(seconds)),
            ("streams", json!(streams.collect::<BTreeMap<_, _>>())),
            ("intervals", json!(self.intervals)),
            ("p50Seconds", json!(quantile(0.5))),
            ("p99Seconds", json!(quantile(0.99))),
        ] {
            report[name] = value;
        }
        report
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is \"NAME: VALUE\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
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
        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => "cut".to_owned(),
        other => other.to_string(),
    }
}
