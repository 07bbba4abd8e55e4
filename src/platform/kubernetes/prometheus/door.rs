//! The way to a region's Prometheus: by its URL, or as a Service through the API server's proxy.
//!
//! Knows HTTP and who asks, not what is asked. Secrets are read when the connection is made, stay in memory and are in no `Debug`.
//! Known weakness: the words of an answer that is an error are read whole before they are cut.

use super::super::connection::{LIMIT, Line, aside, io_kind};
use super::super::kubeconfig::innermost;
use super::answer::{Answer, Failure};
use crate::settings::{Auth, Prometheus, PrometheusAt, SecretFrom};
use crate::units::{Kind, Time, clean};
use futures::io::AsyncReadExt;
use kube::core::Request;
use kube::{Client, Config};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The largest answer that is read.
const MOST: u64 = 4 << 20;

/// The way to one Prometheus. It belongs to the runtime that first asks.
pub(in super::super) struct Door {
    settings: Prometheus,
    line: Arc<Line>,
    made: Mutex<Option<Client>>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Door {
    /// `line` leads to the API server of its region.
    pub(in super::super) fn new(settings: Prometheus, line: Arc<Line>) -> Door {
        Door { settings, line, made: Mutex::new(None) }
    }
    pub(super) fn settings(&self) -> &Prometheus {
        &self.settings
    }
    /// What people call it.
    pub(super) fn name(&self) -> String {
        match &self.settings.at {
            PrometheusAt::Url(url) => clean(url, 100),
            PrometheusAt::Service { namespace, name, port } => format!("{namespace}/{name}:{port}"),
        }
    }

    /// Asks an instant query, as of a time (now, without one). It takes 5 s at most.
    pub(super) async fn ask(&self, query: &str, at: Option<Time>) -> Result<Answer, Failure> {
        match tokio::time::timeout(LIMIT, self.text(query, at)).await {
            Ok(Ok(text)) => Answer::read(&text),
            Ok(Err(failure)) => Err(failure),
            Err(_) => {
                self.hang_up().await;
                Err(Failure::again(format!("no answer within {} s", LIMIT.as_secs())))
            }
        }
    }

    async fn text(&self, query: &str, at: Option<Time>) -> Result<String, Failure> {
        let client = self.client().await?;
        let mut path = match &self.settings.at {
            PrometheusAt::Url(_) => "/api/v1/query".to_owned(),
            PrometheusAt::Service { namespace, name, port } => {
                format!("/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy/api/v1/query")
            }
        };
        path += &format!("?query={}", encoded(query));
        if let Some(at) = at {
            path += &format!("&time={}.{:03}", at.0.div_euclid(1000), at.0.rem_euclid(1000));
        }
        let request = Request::new("").get(path.trim_start_matches('/'), &kube::api::GetParams::default());
        let mut request = request.map_err(|e| Failure::last(clean(&e.to_string(), 200)))?;
        // The client sends paths as they are.
        *request.uri_mut() = path.parse().map_err(|_| Failure::last("the query is too long to be sent".into()))?;
        let read = async {
            let mut page = Vec::new();
            let read = client.request_stream(request).await?.take(MOST).read_to_end(&mut page).await;
            read.map_err(kube::Error::ReadEvents)?;
            Ok::<_, kube::Error>(String::from_utf8_lossy(&page).into_owned())
        };
        match read.await {
            Ok(text) => Ok(text),
            Err(e) => {
                if !matches!(&e, kube::Error::Api(s) if (400..500).contains(&s.code) && !matches!(s.code, 401 | 403)) {
                    self.hang_up().await;
                }
                Err(self.failure(&e))
            }
        }
    }

    /// The next question makes the connection anew, and reads secrets again.
    async fn hang_up(&self) {
        *self.made.lock().await = None;
    }

    async fn client(&self) -> Result<Client, Failure> {
        let PrometheusAt::Url(url) = &self.settings.at else {
            return self.line.client().await.map_err(|t| Failure::again(t.cause));
        };
        let mut made = self.made.lock().await;
        if let Some(client) = &*made {
            return Ok(client.clone());
        }
        let (url, settings) = (url.clone(), self.settings.clone());
        // Files and certificates are read beside.
        let work = move || connect(&url, &settings);
        let client = aside("prometheus", work).await.map_err(|t| Failure::again(t.cause))?.map_err(Failure::again)?;
        Ok(made.insert(client).clone())
    }

    /// What an error means, and what helps.
    fn failure(&self, e: &kube::Error) -> Failure {
        let through = matches!(self.settings.at, PrometheusAt::Service { .. });
        match e {
            kube::Error::Api(s) => Failure::http(s.code, &s.message, through),
            _ => {
                let words = match io_kind(e) {
                    Some(std::io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
                    _ => clean(&innermost(e), 200),
                };
                Failure { kind: Kind::OutOfReach, remedy: "is it running, and is its address right?".into(), ..Failure::again(words) }
            }
        }
    }
}

/// The client of a URL, with the secrets as they are now.
fn connect(url: &str, settings: &Prometheus) -> Result<Client, String> {
    let mut config = Config::new(url.parse().map_err(|_| "its URL cannot be read".to_owned())?);
    (config.connect_timeout, config.default_retry) = (Some(LIMIT), false);
    match &settings.auth {
        None => {}
        Some(Auth::Bearer(from)) => config.auth_info.token = Some(secret(from)?.into()),
        Some(Auth::Basic { user, password }) => {
            config.auth_info.username = Some(user.clone());
            config.auth_info.password = Some(secret(password)?.into());
        }
    }
    if let Some(tenant) = &settings.tenant
        && let (Ok(name), Ok(value)) = ("x-scope-orgid".parse(), tenant.parse())
    {
        config.headers.push((name, value));
    }
    if let Some(ca) = &settings.ca {
        std::fs::File::open(ca).map_err(|e| format!("{}: {e}", ca.display()))?;
        config.root_cert_file = Some(ca.clone());
    }
    Client::try_from(config).map_err(|e| clean(&innermost(&e), 200))
}

fn secret(from: &SecretFrom) -> Result<String, String> {
    let text = match from {
        SecretFrom::Env(name) => std::env::var(name).map_err(|_| format!("the variable {name} is not set"))?,
        SecretFrom::File(path) => std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?,
    };
    let text = text.trim_end();
    if text.is_empty() || text.contains(|c: char| c.is_control()) {
        return Err("the secret is empty, or has more than one line".into());
    }
    Ok(text.to_owned())
}

/// Everything but letters and digits as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
