//! Faults between a client and the lab's API servers: a plain HTTP proxy before each, that does harm by a seeded schedule or as told.
//!
//! It knows HTTP and the shape of a Kubernetes answer, nothing of who asks. What happens to a request hangs on the seed, its method,
//! its path and how many like it came before, not on the order of different requests: a seed repeats its faults as far as a client
//! repeats its requests. The asker's own token is passed on. Weakness: no upgrades (exec, port-forward).
#![allow(dead_code, reason = "no test binary uses all of it")]

#[path = "http.rs"]
mod http;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt};
use kube::api::{GetParams, Request as Builder};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use http::{Connection, Request};

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection is cut before the API server hears of it.
    Reset,
    /// The API server does it; its answer is lost with the connection.
    LostAnswer,
    /// It arrives late, and so does its answer.
    Delay(Duration),
    /// The connection is cut at once, and the API server hears of it after this time, when its sender may have done other things.
    Late(Duration),
    /// The API server hears it twice, as from a proxy that tries again; the second answer comes back.
    Twice,
    /// Refused with 409, 410, 429 (with `Retry-After: 1`), 500, 503.
    Conflict,
    Gone,
    TooMany,
    Internal,
    Unavailable,
    /// No answer comes until the mode changes or the asker gives up.
    Hang,
    /// A watch ends after this time, as if the connection had broken.
    CutWatch(Duration),
    /// A watch says after this time that its resourceVersion is too old.
    ExpireWatch(Duration),
    /// A list comes as it was when it was asked for before.
    StaleList,
}

/// What happened, in the order in which it did.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The context of the cluster.
    pub context: String,
    pub fault: Fault,
    pub method: String,
    pub path: String,
}

/// Proxies before all clusters of a kubeconfig, in a thread of their own. They end with this.
pub struct Faults {
    shared: Arc<Shared>,
    kubeconfig: Kubeconfig,
    files: tempfile::TempDir,
    _end: oneshot::Sender<Infallible>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Off,
    /// One request in five meets a fault.
    Random(u64),
    Always(Fault),
}

struct Shared {
    modes: watch::Sender<Modes>,
    state: Mutex<State>,
}

#[derive(Default)]
struct Modes {
    /// Counts up with every change, so that what hangs in a random schedule is let go by `off`.
    turn: u64,
    of: BTreeMap<String, Mode>,
}

#[derive(Default)]
struct State {
    /// Start of `METHOD path`, and what happens to the next request that has it.
    next: Vec<(String, Fault)>,
    counts: HashMap<String, u64>,
    seen: Vec<Seen>,
    /// By context and path without resourceVersion: lists as they were, oldest first.
    lists: HashMap<String, VecDeque<Said>>,
    /// `METHOD path` of each write that was let through.
    writes: Vec<String>,
    answered: usize,
    /// After so many writes nothing gets through any more.
    last: Option<usize>,
}

/// How many former answers of each list are kept, and how long each may be.
const LISTS: usize = 4;
const LIST: usize = 4 * 1024 * 1024;
/// How long a hung request is held at most.
const HANG: Duration = Duration::from_secs(120);
const SHARE: f64 = 0.2;

impl Faults {
    /// Starts in the network of the calling thread. The proxies do no harm until they are told to.
    pub fn before(kubeconfig: &std::path::Path) -> Self {
        let mut kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        let contexts: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        let modes = Modes { turn: 0, of: contexts.iter().map(|context| (context.clone(), Mode::Off)).collect() };
        let shared = Arc::new(Shared { modes: watch::channel(modes).0, state: Mutex::default() });
        let (end, ended) = oneshot::channel::<Infallible>();
        let (started, addresses) = std::sync::mpsc::channel();
        let (original, known) = (kubeconfig.clone(), shared.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, async {
                for context in contexts {
                    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    started.send((context.clone(), door.local_addr().unwrap())).unwrap();
                    let client = upstream(&original, &context).await;
                    tokio::task::spawn_local(keep(door, Proxy { context, client, shared: known.clone() }));
                }
                drop(started);
                let _ = ended.await;
            });
            runtime.shutdown_background();
        });
        for (context, address) in addresses {
            let named = kubeconfig.contexts.iter().find(|named| named.name == context).and_then(|named| named.context.as_ref());
            let cluster = named.map(|context| context.cluster.clone()).unwrap();
            let cluster = kubeconfig.clusters.iter_mut().find(|named| named.name == cluster).and_then(|named| named.cluster.as_mut());
            let cluster = cluster.unwrap();
            (cluster.server, cluster.certificate_authority) = (Some(format!("http://{address}")), None);
        }
        Self { shared, kubeconfig, files: tempfile::tempdir().unwrap(), _end: end }
    }

    /// The same contexts as in the kubeconfig that it was made from, through the proxies.
    pub fn kubeconfig(&self) -> PathBuf {
        let path = self.files.path().join("kubeconfig");
        std::fs::write(&path, serde_yaml::to_string(&self.kubeconfig).unwrap()).unwrap();
        path
    }

    /// From now on one request in five, to whatever cluster, meets a fault that the seed picks.
    pub fn random(&self, seed: u64) {
        self.state().counts.clear();
        self.set_all(Mode::Random(seed));
    }

    /// From now on each request to this cluster meets this fault; `Hang` and `Reset` hit watches that run, too: the region is lost.
    pub fn always(&self, context: &str, fault: Fault) {
        self.shared.modes.send_modify(|modes| {
            modes.turn += 1;
            *modes.of.get_mut(context).unwrap() = Mode::Always(fault);
        });
    }

    /// The next request whose `METHOD path` starts like this meets this fault, whatever else is going on.
    pub fn next(&self, start: &str, fault: Fault) {
        self.state().next.push((start.to_owned(), fault));
    }

    /// Counts writes anew. Once so many were answered, nothing gets through any more: who sends has been stopped for good.
    pub fn stop_after(&self, writes: usize) {
        let mut state = self.state();
        (state.writes, state.answered, state.last) = (Vec::new(), 0, Some(writes));
    }

    /// Whether that has happened.
    pub fn stopped(&self) -> bool {
        let state = self.state();
        state.last.is_some_and(|last| state.answered >= last)
    }

    /// `METHOD path` of each write: what serves users, not who holds a Lease, what a log says or who may do what.
    pub fn writes(&self) -> Vec<String> {
        self.state().writes.clone()
    }

    /// No more harm; what hangs is let through.
    pub fn off(&self) {
        self.state().next.clear();
        self.set_all(Mode::Off);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    fn set_all(&self, mode: Mode) {
        self.shared.modes.send_modify(|modes| {
            modes.turn += 1;
            modes.of.values_mut().for_each(|known| *known = mode);
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client without a user: the askers bring their own.
async fn upstream(kubeconfig: &Kubeconfig, context: &str) -> Client {
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await.unwrap();
    config.auth_info = kube::config::AuthInfo::default();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

#[derive(Clone)]
struct Proxy {
    context: String,
    client: Client,
    shared: Arc<Shared>,
}

/// What the API server said, or what is said in its place.
#[derive(Clone)]
struct Said {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

async fn keep(door: TcpListener, proxy: Proxy) {
    while let Ok((stream, _)) = door.accept().await {
        let proxy = proxy.clone();
        tokio::task::spawn_local(async move {
            let _ = stream.set_nodelay(true);
            let mut connection = Connection::new(stream);
            while let Ok(Some(request)) = http::read_request(&mut connection).await {
                let done = match proxy.admits(&request) {
                    true => proxy.handle(&mut connection, &request).await,
                    false => Err(Error::from(ErrorKind::ConnectionReset)),
                };
                proxy.answered(&request);
                if done.is_err() {
                    reset(connection);
                    break;
                }
            }
        });
    }
}

/// The request as it goes on: with the asker's token, and the headers that say what is sent and wanted. A macro, because its type
/// is of a library that only kube knows.
macro_rules! forwarded {
    ($request:expr) => {{
        let kept = ["authorization", "content-type", "accept", "user-agent"];
        let headers: HashMap<String, String> = $request.headers.iter().filter(|(name, _)| kept.contains(&name.as_str())).cloned().collect();
        let mut asked = Builder::new("").get("any", &GetParams::default()).map_err(Error::other)?;
        *asked.method_mut() = $request.method.parse().map_err(Error::other)?;
        *asked.uri_mut() = $request.path.parse().map_err(Error::other)?;
        *asked.headers_mut() = (&headers).try_into().map_err(Error::other)?;
        *asked.body_mut() = $request.body.clone();
        asked
    }};
}

impl Proxy {
    /// Whether its sender has not been stopped.
    fn admits(&self, request: &Request) -> bool {
        let mut state = self.shared.state();
        let is_over = match is_write(request) {
            true => state.last.is_some_and(|last| state.writes.len() >= last),
            false => state.last.is_some_and(|last| state.answered >= last),
        };
        if is_write(request) && !is_over {
            state.writes.push(format!("{} {}", request.method, request.path));
        }
        !is_over
    }

    fn answered(&self, request: &Request) {
        let mut state = self.shared.state();
        if is_write(request) && state.answered < state.writes.len() {
            state.answered += 1;
        }
    }

    /// An error ends the connection, without an answer when none has begun.
    async fn handle(&self, connection: &mut Connection, request: &Request) -> Result<()> {
        let fault = self.pick(request);
        if let Some(fault) = fault {
            let (context, method, path) = (self.context.clone(), request.method.clone(), request.path.clone());
            self.shared.state().seen.push(Seen { context, fault, method, path });
        }
        let said = match fault {
            Some(Fault::Reset) => return Err(Error::from(ErrorKind::ConnectionReset)),
            Some(Fault::LostAnswer) => {
                self.ask(request).await?;
                return Err(Error::from(ErrorKind::ConnectionReset));
            }
            Some(Fault::Late(time)) => {
                let (proxy, request) = (self.clone(), request.clone());
                tokio::task::spawn_local(async move {
                    sleep(time).await;
                    proxy.ask(&request).await.map(|_| ())
                });
                return Err(Error::from(ErrorKind::ConnectionReset));
            }
            Some(Fault::Conflict) => {
                refusal(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
            }
            Some(Fault::Gone) => refusal(410, "Expired", "too old resource version"),
            Some(Fault::TooMany) => {
                refusal(429, "TooManyRequests", "the server has received too many requests and has asked us to try again later")
            }
            Some(Fault::Internal) => refusal(500, "InternalError", "etcdserver: leader changed"),
            Some(Fault::Unavailable) => refusal(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
            Some(Fault::Twice) => {
                self.ask(request).await?;
                self.ask(request).await?
            }
            Some(Fault::StaleList) => match self.oldest(request) {
                Some(said) => said,
                None => self.ask(request).await?,
            },
            Some(Fault::Delay(time)) => {
                sleep(time).await;
                return self.pass(connection, request, None).await;
            }
            Some(Fault::Hang) => {
                self.hang(connection).await?;
                return self.pass(connection, request, None).await;
            }
            None | Some(Fault::CutWatch(_) | Fault::ExpireWatch(_)) => return self.pass(connection, request, fault).await,
        };
        let headers: Vec<(&str, &str)> = said.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        http::write_answer(connection, said.status, &headers, &said.body).await
    }

    /// What happens to this request.
    fn pick(&self, request: &Request) -> Option<Fault> {
        let mode = self.shared.modes.borrow().of.get(&self.context).copied().unwrap_or(Mode::Off);
        let name = format!("{} {}", request.method, request.path);
        let mut state = self.shared.state();
        if let Some(index) = state.next.iter().position(|(start, _)| name.starts_with(start)) {
            return Some(state.next.remove(index).1);
        }
        match mode {
            Mode::Off => None,
            Mode::Always(fault) => Some(fault),
            Mode::Random(seed) => {
                // Lists and watches differ in their resourceVersion each time.
                let like = format!("{} {} {} {}", self.context, request.method, without_versions(&request.path), is_watch(request));
                let count = state.counts.entry(like.clone()).or_default();
                *count += 1;
                let digest = Sha256::digest(format!("{seed} {like} {count}"));
                let mut random = Pcg64Mcg::from_seed(std::array::from_fn(|index| digest[index]));
                let is_hit = random.random::<f64>() < SHARE;
                is_hit.then(|| choose(request, &mut random))
            }
        }
    }

    async fn pass(&self, connection: &mut Connection, request: &Request, fault: Option<Fault>) -> Result<()> {
        if is_watch(request) {
            return self.pass_watch(connection, request, fault).await;
        }
        let said = self.ask(request).await?;
        let headers: Vec<(&str, &str)> = said.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        http::write_answer(connection, said.status, &headers, &said.body).await
    }

    /// Asks the API server, and keeps what it says of a list.
    async fn ask(&self, request: &Request) -> Result<Said> {
        let answer = self.client.send(forwarded!(request).map(Body::from)).await.map_err(Error::other)?;
        let text = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let headers: Vec<(String, String)> =
            ["content-type", "retry-after"].iter().filter_map(|name| Some(((*name).to_owned(), text(name)?))).collect();
        let body = answer.into_body().collect_bytes().await.map_err(Error::other)?.to_vec();
        if request.method == "GET" && status == 200 && body.len() <= LIST && is_list(&body) {
            let mut state = self.shared.state();
            let lists = state.lists.entry(self.list_key(request)).or_default();
            lists.push_back(Said { status, headers: headers.clone(), body: body.clone() });
            if lists.len() > LISTS {
                lists.pop_front();
            }
        }
        Ok(Said { status, headers, body })
    }

    /// Passes a watch on, event by event, until it ends, the asker goes, the fault strikes or the region is lost.
    async fn pass_watch(&self, connection: &mut Connection, request: &Request, fault: Option<Fault>) -> Result<()> {
        let lines = match self.client.request_stream(forwarded!(request)).await {
            Ok(lines) => lines,
            Err(kube::Error::Api(status)) => {
                let body = serde_json::to_vec(&status)?;
                return http::write_answer(connection, status.code, &[("content-type", "application/json")], &body).await;
            }
            Err(error) => return Err(Error::other(error)),
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        connection.get_mut().write_all(head.as_bytes()).await?;
        let mut lines = Box::pin(lines.lines());
        let mut modes = self.shared.modes.subscribe();
        let lost = modes.wait_for(|modes| matches!(modes.of.get(&self.context), Some(Mode::Always(Fault::Hang | Fault::Reset))));
        let strike = async {
            match fault {
                Some(Fault::CutWatch(time)) | Some(Fault::ExpireWatch(time)) => sleep(time).await,
                _ => std::future::pending().await,
            }
        };
        tokio::pin!(lost, strike);
        let mut byte = [0];
        loop {
            tokio::select! {
                line = lines.next() => match line {
                    Some(line) => write_chunk(connection, &line?).await?,
                    None => return connection.get_mut().write_all(b"0\r\n\r\n").await,
                },
                () = &mut strike => {
                    if matches!(fault, Some(Fault::ExpireWatch(_))) {
                        let said = refusal(410, "Expired", "too old resource version");
                        let object: Value = serde_json::from_slice(&said.body)?;
                        write_chunk(connection, &json!({"type": "ERROR", "object": object}).to_string()).await?;
                        return connection.get_mut().write_all(b"0\r\n\r\n").await;
                    }
                    return Err(Error::from(ErrorKind::ConnectionReset));
                }
                modes = &mut lost => {
                    let hangs = modes.is_ok_and(|modes| modes.of.get(&self.context) == Some(&Mode::Always(Fault::Hang)));
                    if hangs {
                        self.hang(connection).await?;
                    }
                    return Err(Error::from(ErrorKind::ConnectionReset));
                }
                // The asker says nothing while it watches: it has gone.
                _ = connection.get_ref().peek(&mut byte) => return Err(Error::from(ErrorKind::ConnectionReset)),
            }
        }
    }

    /// Until the mode changes to another than to hang. An error: the asker has gone.
    async fn hang(&self, connection: &Connection) -> Result<()> {
        let mut modes = self.shared.modes.subscribe();
        let turn = modes.borrow().turn;
        let changed = modes.wait_for(|modes| modes.turn != turn && modes.of.get(&self.context) != Some(&Mode::Always(Fault::Hang)));
        let mut byte = [0];
        tokio::select! {
            _ = timeout(HANG, changed) => Ok(()),
            _ = connection.get_ref().peek(&mut byte) => Err(Error::from(ErrorKind::ConnectionReset)),
        }
    }

    /// The list as it was, as far back as it is known.
    fn oldest(&self, request: &Request) -> Option<Said> {
        self.shared.state().lists.get(&self.list_key(request))?.front().cloned()
    }

    fn list_key(&self, request: &Request) -> String {
        format!("{} {}", self.context, without_versions(&request.path))
    }
}

/// One of the faults that such a request can meet.
fn choose(request: &Request, random: &mut Pcg64Mcg) -> Fault {
    let time = Duration::from_millis(random.random_range(50..1_500));
    let mut all = vec![Fault::Reset, Fault::Delay(time), Fault::TooMany, Fault::Internal, Fault::Unavailable, Fault::Hang];
    match request.method.as_str() {
        "GET" if is_watch(request) => {
            all = vec![Fault::CutWatch(time), Fault::ExpireWatch(time), Fault::Gone, Fault::Reset, Fault::Delay(time)]
        }
        "GET" => all.extend([Fault::StaleList, Fault::StaleList]),
        _ => all.extend([
            Fault::LostAnswer,
            Fault::LostAnswer,
            Fault::Twice,
            Fault::Twice,
            Fault::Late(time),
            Fault::Late(time),
            Fault::Conflict,
        ]),
    }
    all.choose(random).copied().unwrap_or(Fault::Reset)
}

fn is_list(body: &[u8]) -> bool {
    let kind = body.strip_prefix(b"{\"kind\":\"").and_then(|rest| rest.split(|byte| *byte == b'"').next());
    kind.is_some_and(|kind| kind.ends_with(b"List"))
}

fn is_write(request: &Request) -> bool {
    let beside = ["/leases", "/configmaps", "/events", "authorization.k8s.io", "authentication.k8s.io"];
    request.method != "GET" && !beside.iter().any(|part| request.path.contains(part))
}

fn is_watch(request: &Request) -> bool {
    request.path.split_once('?').is_some_and(|(_, query)| query.split('&').any(|part| part == "watch=true" || part == "watch=1"))
}

/// A path without what differs each time a client asks for the same.
fn without_versions(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let stays = query
        .split('&')
        .filter(|part| !part.starts_with("resourceVersion") && !part.starts_with("continue=") && !part.starts_with("timeoutSeconds="));
    format!("{path}?{}", stays.collect::<Vec<_>>().join("&"))
}

/// A Kubernetes `Status` in the API server's place.
fn refusal(code: u16, reason: &str, message: &str) -> Said {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code});
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if code == 429 {
        headers.push(("retry-after".to_owned(), "1".to_owned()));
    }
    Said { status: code, headers, body: body.to_string().into_bytes() }
}

async fn write_chunk(connection: &mut Connection, line: &str) -> Result<()> {
    let text = format!("{:x}\r\n{line}\n\r\n", line.len() + 1);
    connection.get_mut().write_all(text.as_bytes()).await
}

/// Closes a connection the hard way, so that its other end sees a reset and not an end.
fn reset(connection: Connection) {
    let stream: TcpStream = connection.into_inner();
    let _ = stream.set_zero_linger();
}
