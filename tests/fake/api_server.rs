//! An API server that does what a test tells it to: real sockets and HTTP, made-up objects, every kind of misbehaviour.
//!
//! It keeps objects by kind and answers lists, watches, gets and patches from them. Weakness: it checks nothing, and a patch changes
//! nothing by itself.

// Each test uses its own part of it.
#![allow(dead_code)]

use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// How a request is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// As it should be.
    Well,
    /// With this status and, when it is empty, a Kubernetes `Status`.
    Code(u16, String),
    /// Not at all, for ever.
    Never,
    /// By closing the connection.
    Close,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub body: Value,
    pub token: String,
    pub at: Instant,
}

#[derive(Clone, Debug)]
enum Word {
    Event { kind: String, line: String },
    Cut,
}

struct State {
    /// Objects by plural, then `namespace/name`.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    version: u64,
    /// Watches from before this version are told 410.
    oldest: u64,
    /// By the start of `METHOD path`; the longest counts.
    answers: HashMap<String, Answer>,
    /// For the next patches, before `answers`.
    patches: VecDeque<Answer>,
    /// What SelfSubjectAccessReview says.
    allowed: bool,
    /// The only token that is let in.
    token: Option<String>,
    asked: Vec<Asked>,
}

/// The server. It ends with the test's runtime.
pub struct ApiServer {
    state: Arc<Mutex<State>>,
    words: broadcast::Sender<Word>,
    pub url: String,
}

impl ApiServer {
    pub async fn start() -> ApiServer {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", door.local_addr().unwrap());
        let state = State {
            objects: BTreeMap::new(),
            version: 100,
            oldest: 0,
            answers: HashMap::new(),
            patches: VecDeque::new(),
            allowed: true,
            token: None,
            asked: Vec::new(),
        };
        let server = ApiServer { state: Arc::new(Mutex::new(state)), words: broadcast::channel(1024).0, url };
        let (state, words) = (server.state.clone(), server.words.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = door.accept().await {
                tokio::spawn(serve(stream, state.clone(), words.clone()));
            }
        });
        server
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
    /// A kubeconfig with a context for this server.
    pub fn kubeconfig(&self, context: &str, user: &Value) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": context,
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        })
        .to_string()
    }
    /// Puts an object in; watches are told.
    pub fn put(&self, plural: &str, mut object: Value) {
        let mut state = self.state();
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let key = format!("{}/{}", object["metadata"]["namespace"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let known = state.objects.entry(plural.to_owned()).or_default().insert(key, object.clone()).is_some();
        drop(state);
        self.say(plural, if known { "MODIFIED" } else { "ADDED" }, &object);
    }
    /// Takes an object away without telling watches: they lost it.
    pub fn lose(&self, plural: &str, key: &str) -> Value {
        let mut state = self.state();
        state.version += 1;
        let mut object = state.objects.get_mut(plural).unwrap().remove(key).unwrap();
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        object
    }
    /// Takes an object away; watches are told.
    pub fn remove(&self, plural: &str, key: &str) {
        let object = self.lose(plural, key);
        self.say(plural, "DELETED", &object);
    }
    /// Tells watches an event, whatever it is.
    pub fn say(&self, plural: &str, event: &str, object: &Value) {
        self.say_line(plural, event_line(event, object));
    }
    /// Tells watches a line, whatever it is.
    pub fn say_line(&self, plural: &str, line: String) {
        let _ = self.words.send(Word::Event { kind: plural.to_owned(), line });
    }
    /// Closes all watches.
    pub fn cut(&self) {
        let _ = self.words.send(Word::Cut);
    }
    /// Forgets the past: watches from before now are told 410, and the open ones are cut.
    pub fn compact(&self) {
        let mut state = self.state();
        state.version += 1;
        state.oldest = state.version;
        drop(state);
        self.cut();
    }
    /// How requests that begin with `METHOD path` are answered from now on.
    pub fn answer(&self, start: &str, answer: Answer) {
        self.state().answers.insert(start.to_owned(), answer);
    }
    /// How the next patches are answered.
    pub fn patches(&self, answers: &[Answer]) {
        self.state().patches.extend(answers.iter().cloned());
    }
    /// What reviews of rights say.
    pub fn allow(&self, allowed: bool) {
        self.state().allowed = allowed;
    }
    /// Lets only this token in.
    pub fn only(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }
    /// The requests so far that begin with `METHOD path`.
    pub fn asked(&self, start: &str) -> Vec<Asked> {
        self.state().asked.iter().filter(|a| format!("{} {}", a.method, a.path).starts_with(start)).cloned().collect()
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>, words: broadcast::Sender<Word>) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await {
        // Before the state is read, so that no event falls between list and watch.
        let events = words.subscribe();
        let start = format!("{} {}", asked.method, asked.path);
        let (answer, allowed) = {
            let mut state = state.lock().unwrap();
            state.asked.push(asked.clone());
            let scripted = if asked.method == "PATCH" { state.patches.pop_front() } else { None };
            let ruled =
                || state.answers.iter().filter(|(s, _)| start.starts_with(&***s)).max_by_key(|(s, _)| s.len()).map(|(_, a)| a.clone());
            let let_in = state.token.as_ref().is_none_or(|t| asked.token == format!("Bearer {t}"));
            let answer = if let_in { scripted.or_else(ruled).unwrap_or(Answer::Well) } else { Answer::Code(401, String::new()) };
            (answer, state.allowed)
        };
        match answer {
            Answer::Never => std::future::pending().await,
            Answer::Close => return,
            Answer::Code(code, body) if body.is_empty() => {
                let status = json!({"kind": "Status", "status": "Failure", "code": code, "reason": "Told", "message": "as the test told"});
                respond(&mut stream, code, &status.to_string()).await;
            }
            Answer::Code(code, body) => respond(&mut stream, code, &body).await,
            Answer::Well if asked.path.contains("watch=true") => return watch(stream, &asked.path, &state, events).await,
            Answer::Well => {
                let (code, body) = well(&asked, &mut state.lock().unwrap(), allowed);
                respond(&mut stream, code, &body.to_string()).await;
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
    let mut parts = line.split(' ');
    let (method, path) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let (mut length, mut token) = (0, String::new());
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => token = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { method, path, body: serde_json::from_slice(&body).unwrap_or(Value::Null), token, at: Instant::now() })
}

async fn respond(stream: &mut BufReader<TcpStream>, code: u16, body: &str) {
    let head = format!("HTTP/1.1 {code} Told\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
}

/// `/apis/apps/v1/namespaces/shop/deployments/order?x` as plural, namespace, name, query.
fn place(path: &str) -> (String, String, String, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').skip(if path.starts_with("/apis/") { 4 } else { 3 }).collect();
    let own = |part: Option<&&str>| part.map_or(String::new(), |p| (*p).to_owned());
    match parts.as_slice() {
        ["namespaces", namespace, plural, rest @ ..] => ((*plural).into(), (*namespace).into(), own(rest.first()), query.into()),
        [plural, rest @ ..] => ((*plural).into(), String::new(), own(rest.first()), query.into()),
        [] => (String::new(), String::new(), String::new(), query.into()),
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

fn well(asked: &Asked, state: &mut State, allowed: bool) -> (u16, Value) {
    let (plural, namespace, name, query) = place(&asked.path);
    match (asked.method.as_str(), plural.as_str()) {
        ("GET", _) if asked.path.starts_with("/version") => (
            200,
            json!({"gitVersion": "v1.36.0", "major": "1", "minor": "36", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""}),
        ),
        ("POST", "selfsubjectaccessreviews") => {
            let mut review = asked.body.clone();
            review["status"] = json!({"allowed": allowed});
            (201, review)
        }
        ("POST", "selfsubjectreviews") => (201, json!({"metadata": {}, "status": {"userInfo": {"username": "mara"}}})),
        ("GET" | "PATCH", _) if !name.is_empty() => {
            match state.objects.get(&plural).and_then(|all| all.get(&format!("{namespace}/{name}"))) {
                Some(object) => (200, object.clone()),
                None => (404, json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"})),
            }
        }
        ("GET", _) => {
            let inside = |key: &str| namespace.is_empty() || key.starts_with(&format!("{namespace}/"));
            let all: Vec<&Value> =
                state.objects.get(&plural).into_iter().flatten().filter(|(key, _)| inside(key)).map(|(_, object)| object).collect();
            let from: usize = parameter(&query, "continue").map_or(0, |c| c.parse().unwrap());
            let limit: usize = parameter(&query, "limit").map_or(usize::MAX, |l| l.parse().unwrap());
            let page: Vec<&Value> = all.iter().skip(from).take(limit).copied().collect();
            let next = from + page.len();
            let more = if next < all.len() { next.to_string() } else { String::new() };
            (200, json!({"kind": "List", "metadata": {"resourceVersion": state.version.to_string(), "continue": more}, "items": page}))
        }
        _ => (404, json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "no such path"})),
    }
}

async fn watch(mut stream: BufReader<TcpStream>, path: &str, state: &Mutex<State>, mut events: broadcast::Receiver<Word>) {
    let (plural, _, _, query) = place(path);
    let from: u64 = parameter(&query, "resourceVersion").unwrap().parse().unwrap();
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let gone = from < state.lock().unwrap().oldest;
    if gone {
        let status =
            json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version"});
        chunk(&mut stream, &event_line("ERROR", &status)).await;
        let _ = stream.write_all(b"0\r\n\r\n").await;
        return;
    }
    // What happened since the version that is asked for.
    let missed: Vec<Value> = {
        let state = state.lock().unwrap();
        let newer = |object: &&Value| object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap() > from;
        state.objects.get(&plural).into_iter().flat_map(|all| all.values()).filter(newer).cloned().collect()
    };
    for object in missed {
        chunk(&mut stream, &event_line("MODIFIED", &object)).await;
    }
    loop {
        match events.recv().await {
            Ok(Word::Event { kind, line }) if kind == plural => {
                if !chunk(&mut stream, &line).await {
                    return;
                }
            }
            Ok(Word::Event { .. }) => {}
            Ok(Word::Cut) | Err(_) => return,
        }
    }
}

/// An event as API servers write it: its type comes first.
fn event_line(event: &str, object: &Value) -> String {
    format!("{{\"type\":\"{event}\",\"object\":{object}}}")
}

async fn chunk(stream: &mut BufReader<TcpStream>, line: &str) -> bool {
    let text = format!("{:x}\r\n{line}\n\r\n", line.len() + 1);
    stream.write_all(text.as_bytes()).await.is_ok()
}
