//! The process of a pod: answers `/` as its version does, `/health`, and `/metrics` in Prometheus' text form.
//!
//! It knows only its environment. At SIGTERM it is not ready from that moment, serves on while routers take notice, then closes its
//! door, lets what is in flight finish and exits with 0; an abrupt one just exits. It dies with its kubelet: its standard input is a
//! pipe from there. Weakness: it counts only so many paths and headers; later ones are not told apart.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr};
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal};
use rand_pcg::Pcg64Mcg;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use crate::behaviour::Behaviour;
use crate::http::{self, Connection, Request};

/// Upper edges of the histogram's buckets, in seconds: those of Prometheus' client libraries.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const CONNECTIONS: usize = 2_000;
/// Paths, and values of headers, that are counted apart.
const SERIES: usize = 200;
const IDLE: Duration = Duration::from_secs(75);
/// How long requests in flight may take to end after the door has closed.
const LAST_CALL: Duration = Duration::from_secs(20);

struct App {
    behaviour: Behaviour,
    pod: String,
    born: Instant,
    latency: LogNormal<f64>,
    random: RefCell<Pcg64Mcg>,
    counts: RefCell<Counts>,
    leaving: Cell<bool>,
    in_flight: Cell<usize>,
    connections: Cell<usize>,
}

#[derive(Default)]
struct Counts {
    by_code: BTreeMap<u16, u64>,
    by_bucket: [u64; BUCKETS.len()],
    seconds: f64,
    requests: u64,
    by_path: BTreeMap<String, u64>,
    by_header: BTreeMap<(String, String), u64>,
}

/// Serves on `POD_IP` and `PORT` until it is told to go. Without a `PORT` it only lives, as a sidecar that serves nobody; with
/// `RELAY_TO` it passes each connection on to that address.
pub async fn run() -> Result<()> {
    let variable = |name: &str| std::env::var(name).ok();
    let behaviour = Behaviour::of(&variable("IMAGE").unwrap_or_default(), variable);
    std::thread::spawn(|| {
        // The kubelet never writes; the end of its pipe means that it is gone.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
    if behaviour.crashes {
        std::process::exit(1);
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let Some(port) = variable("PORT") else {
        terminate.recv().await;
        return Ok(());
    };
    let address = format!("{}:{port}", variable("POD_IP").unwrap_or_else(|| "127.0.0.1".to_owned()));
    let door = TcpListener::bind(&address).await.wrap_err_with(|| format!("listening on {address}"))?;
    if let Some(to) = variable("RELAY_TO") {
        tokio::select! {
            _ = terminate.recv() => {}
            () = relay(&door, to) => {}
        }
        return Ok(());
    }
    let app = Rc::new(App {
        latency: LogNormal::new(behaviour.latency.as_secs_f64().max(1e-6).ln(), 0.4)?,
        random: RefCell::new(Pcg64Mcg::seed_from_u64(u64::from(std::process::id()))),
        behaviour,
        pod: variable("POD_NAME").unwrap_or_default(),
        born: Instant::now(),
        counts: RefCell::default(),
        leaving: Cell::new(false),
        in_flight: Cell::new(0),
        connections: Cell::new(0),
    });
    let drain = async {
        terminate.recv().await;
        if app.behaviour.abrupt {
            std::process::exit(0);
        }
        app.leaving.set(true);
        sleep(app.behaviour.drain).await;
    };
    tokio::select! {
        () = drain => {}
        () = answer_all(&app, &door) => {}
    }
    drop(door);
    let quiet = async {
        while app.in_flight.get() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = timeout(LAST_CALL, quiet).await;
    Ok(())
}

async fn relay(door: &TcpListener, to: String) {
    loop {
        if let Ok((mut asker, _)) = door.accept().await {
            let to = to.clone();
            tokio::task::spawn_local(async move {
                let mut upstream = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut asker, &mut upstream).await
            });
        }
    }
}

async fn answer_all(app: &Rc<App>, door: &TcpListener) {
    loop {
        match door.accept().await {
            Ok((stream, _)) if app.connections.get() < CONNECTIONS => {
                let app = app.clone();
                app.connections.set(app.connections.get() + 1);
                tokio::task::spawn_local(async move {
                    // What a broken connection means is the asker's business.
                    let _ = serve(&app, stream).await;
                    app.connections.set(app.connections.get() - 1);
                });
            }
            Ok(_) => {}
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve(app: &App, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = timeout(IDLE, http::read_request(&mut connection)).await.unwrap_or(Ok(None)) {
        app.in_flight.set(app.in_flight.get() + 1);
        let (status, kind, body) = match request.path.split('?').next() {
            Some("/health") => app.health(),
            Some("/metrics") => (200, "text/plain; version=0.0.4", app.counts.borrow().text()),
            _ => app.work(&request).await,
        };
        let last = request.last || app.leaving.get();
        let headers = [
            ("Content-Type", kind),
            ("X-Version", app.behaviour.version.as_str()),
            ("X-Pod", app.pod.as_str()),
            ("Connection", if last { "close" } else { "keep-alive" }),
        ];
        let written = http::write_answer(&mut connection, status, &headers, body.as_bytes()).await;
        app.in_flight.set(app.in_flight.get() - 1);
        written?;
        if last {
            break;
        }
    }
    Ok(())
}

impl App {
    fn health(&self) -> (u16, &'static str, String) {
        let ready = self.behaviour.healthy && !self.leaving.get() && self.born.elapsed() >= self.behaviour.start;
        let (status, word) = if ready { (200, "ok\n") } else { (503, "not ready\n") };
        (status, "text/plain", word.to_owned())
    }

    /// Answers after its own time, or that of `?ms=`.
    async fn work(&self, request: &Request) -> (u16, &'static str, String) {
        let begun = Instant::now();
        self.counts.borrow_mut().see(request);
        let asked = request.path.split_once("ms=").and_then(|(_, number)| number.parse::<f64>().ok()).filter(|number| *number >= 0.0);
        let (seconds, fails) = {
            let mut random = self.random.borrow_mut();
            (self.latency.sample(&mut *random), random.random::<f64>() < self.behaviour.error_rate)
        };
        sleep(Duration::from_secs_f64(asked.map_or(seconds, |milliseconds| milliseconds / 1000.0).min(60.0))).await;
        let status = if fails { 500 } else { 200 };
        self.counts.borrow_mut().add(status, begun.elapsed().as_secs_f64());
        (status, "text/plain", format!("{}\n", self.behaviour.version))
    }
}

impl Counts {
    /// Counts the path, the headers `x-...` that no proxy adds, and the cookies.
    fn see(&mut self, request: &Request) {
        let path = request.path.split('?').next().unwrap_or_default();
        count(&mut self.by_path, path.to_owned());
        for (name, value) in &request.headers {
            if name.starts_with("x-") && !name.starts_with("x-forwarded") && name != "x-real-ip" {
                count(&mut self.by_header, (name.clone(), value.clone()));
            }
            if name == "cookie" {
                value.split(';').for_each(|cookie| count(&mut self.by_header, (name.clone(), cookie.trim().to_owned())));
            }
        }
    }

    fn add(&mut self, code: u16, seconds: f64) {
        *self.by_code.entry(code).or_default() += 1;
        for (edge, count) in BUCKETS.iter().zip(&mut self.by_bucket) {
            *count += u64::from(seconds <= *edge);
        }
        self.seconds += seconds;
        self.requests += 1;
    }

    /// A code that was never answered has no line, as in Prometheus' client libraries.
    fn text(&self) -> String {
        let mut text = String::from("# HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n");
        for (code, count) in &self.by_code {
            let _ = writeln!(text, "http_requests_total{{code=\"{code}\"}} {count}");
        }
        text.push_str("# HELP http_requests_by_path_total Requests seen.\n# TYPE http_requests_by_path_total counter\n");
        for (path, count) in &self.by_path {
            let _ = writeln!(text, "http_requests_by_path_total{{path=\"{}\"}} {count}", quoted(path));
        }
        text.push_str("# HELP http_requests_by_header_total Requests seen.\n# TYPE http_requests_by_header_total counter\n");
        for ((header, value), count) in &self.by_header {
            let _ = writeln!(text, "http_requests_by_header_total{{header=\"{}\",value=\"{}\"}} {count}", quoted(header), quoted(value));
        }
        text.push_str("# HELP http_request_duration_seconds Time to answer.\n# TYPE http_request_duration_seconds histogram\n");
        for (edge, count) in BUCKETS.iter().zip(self.by_bucket) {
            let _ = writeln!(text, "http_request_duration_seconds_bucket{{le=\"{edge}\"}} {count}");
        }
        let _ = writeln!(text, "http_request_duration_seconds_bucket{{le=\"+Inf\"}} {}", self.requests);
        let _ = writeln!(text, "http_request_duration_seconds_sum {}", self.seconds);
        let _ = writeln!(text, "http_request_duration_seconds_count {}", self.requests);
        text
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    if counts.len() < SERIES || counts.contains_key(&key) {
        *counts.entry(key).or_default() += 1;
    }
}

/// As a label's value in Prometheus' text form.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
