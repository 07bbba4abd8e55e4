//! One context's line to its API server: made when it is first needed, kept, and made again when its credentials end.
//!
//! Knows no objects. What went wrong becomes a `Trouble` here. Known weakness: there is one line per context and purpose (watching,
//! writing), and a program that gives credentials is asked once for both, so a slow one delays both.

use super::credentials::{self, Credential};
use super::kubeconfig::{Contexts, innermost};
use crate::units::{Kind, Place, Time, Trouble, clean};
use kube::{Client, Config};
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long any one question to an API server may take.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// The wall clock, which is the clock of a real fleet.
pub(super) fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

/// A context and its credentials, shared by all lines to it.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) name: String,
    contexts: Arc<Contexts>,
    credential: Mutex<Option<Credential>>,
}

impl Context {
    pub(super) fn new(contexts: Arc<Contexts>, name: &str) -> Arc<Context> {
        Arc::new(Context { name: name.to_owned(), contexts, credential: Mutex::new(None) })
    }
    /// The namespace that the context names.
    pub(super) fn namespace(&self) -> String {
        self.contexts.namespace(&self.name)
    }
    /// Asks the program for a credential at the next need, because the last one was refused.
    pub(super) async fn forget(&self) {
        *self.credential.lock().await = None;
    }

    /// How to connect, with a credential that holds; and that credential, where it ends some day.
    async fn config(self: &Arc<Self>) -> Result<(Config, Option<Credential>), Trouble> {
        let this = self.clone();
        let read = aside(&self.name, move || tokio::runtime::Handle::current().block_on(this.contexts.config(&this.name)));
        let (mut config, exec) = read.await??;
        config.connect_timeout = Some(LIMIT);
        config.write_timeout = Some(Duration::from_secs(30));
        config.default_retry = false;
        let Some(exec) = exec else { return Ok((config, None)) };
        let mut kept = self.credential.lock().await;
        let credential = match kept.as_ref().filter(|c| c.holds(now())) {
            Some(c) => c.clone(),
            None => kept.insert(credentials::ask(&self.name, &exec, credentials::LIMIT).await?).clone(),
        };
        if let Some(token) = &credential.token {
            config.auth_info.token = Some(token.as_str().into());
        }
        if let Some((certificate, key)) = &credential.certificate {
            config.auth_info.client_certificate_data = Some(base64(certificate));
            config.auth_info.client_key_data = Some(base64(key).into());
        }
        Ok((config, Some(credential)))
    }
}

/// One line to a context's API server. It belongs to the runtime that makes it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) context: Arc<Context>,
    made: Mutex<Option<Made>>,
}

struct Made {
    client: Client,
    credential: Option<Credential>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("credential", &self.credential).finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(context: Arc<Context>) -> Arc<Line> {
        Arc::new(Line { context, made: Mutex::new(None) })
    }
    /// The client; it is made when there is none yet or its credential is about to end.
    pub(super) async fn client(&self) -> Result<Client, Trouble> {
        let mut made = self.made.lock().await;
        if let Some(m) = made.as_ref().filter(|m| m.credential.as_ref().is_none_or(|c| c.holds(now()))) {
            return Ok(m.client.clone());
        }
        let (config, credential) = self.context.config().await?;
        let name = self.context.name.clone();
        let client = aside(&self.context.name, move || Client::try_from(config).map_err(|e| trouble(&name, "connect", &e))).await??;
        *made = Some(Made { client: client.clone(), credential });
        Ok(client)
    }
    /// Drops the client and, when the API server refused it, the credential.
    pub(super) async fn hang_up(&self, refused: bool) {
        *self.made.lock().await = None;
        if refused {
            self.context.forget().await;
        }
    }
    /// Asks the API server something, for 5 s at most.
    pub(super) async fn ask<T, F: Future<Output = kube::Result<T>>>(
        &self,
        doing: &str,
        question: impl FnOnce(Client) -> F,
    ) -> Result<T, Trouble> {
        let client = self.client().await?;
        within(&self.context.name, doing, LIMIT, question(client)).await
    }
    /// The server's version: the smallest question that shows that it answers.
    pub(super) async fn version(&self) -> Result<String, Trouble> {
        let info = self.ask("get its version", |c| async move { c.apiserver_version().await }).await?;
        Ok(clean(&info.git_version, 60))
    }
}

/// As a kubeconfig keeps certificates.
fn base64(pem: &str) -> String {
    match serde_json::to_value(k8s_openapi::ByteString(pem.as_bytes().to_vec())) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

/// Runs what blocks (files, certificates) beside the runtime.
pub(super) async fn aside<T: Send + 'static>(place: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Trouble> {
    let broken = |cause: &str| Trouble::new(Kind::Internal, Place::named(place.to_owned()), cause, "please report it");
    match tokio::time::timeout(credentials::LIMIT, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(broken("making a connection failed")),
        Err(_) => Err(Trouble { kind: Kind::OutOfReach, ..broken("the kubeconfig's files did not answer within 15 s") }),
    }
}

/// An answer within a limit, or why not.
pub(super) async fn within<T>(
    place: &str,
    doing: &str,
    limit: Duration,
    question: impl Future<Output = kube::Result<T>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => Err(trouble(place, doing, &e)),
        Err(_) => Err(late(place, limit)),
    }
}

fn late(place: &str, limit: Duration) -> Trouble {
    Trouble::new(
        Kind::OutOfReach,
        Place::named(place.to_owned()),
        format!("no answer within {} s", limit.as_secs()),
        "check the network and the API server",
    )
}

/// What an error of the client means, and what helps. `doing` is what was tried, as a person would ask for the right to.
pub(super) fn trouble(place: &str, doing: &str, e: &kube::Error) -> Trouble {
    let place = Place::named(place.to_owned());
    let words = |s: &kube::core::Status| clean(if s.message.is_empty() { &s.reason } else { &s.message }, 300);
    match e {
        kube::Error::Api(s) => match s.code {
            401 => {
                let remedy = format!("log in: kubectl --context {} get namespaces", place.name);
                Trouble::new(Kind::OutOfReach, place, "credentials refused (401)", remedy)
            }
            403 => Trouble::new(Kind::Refused, place, format!("{doing}: denied (403)"), format!("ask for the right to {doing}")),
            404 => Trouble::new(Kind::Failed, place, format!("{doing}: not found (404)"), "it may have been removed"),
            409 => Trouble::new(Kind::OutOfReach, place, format!("{doing}: changed at the same moment (409)"), "it is tried again"),
            429 | 500.. => {
                Trouble::new(Kind::OutOfReach, place, format!("{doing}: the API server says {}: {}", s.code, words(s)), "it is tried again")
            }
            _ => Trouble::new(Kind::Refused, place, format!("{doing}: {} ({})", words(s), s.code), "see the API server's words"),
        },
        kube::Error::SerdeError(e) => {
            let cause = format!("{doing}: its answer is not that of an API server: {e}");
            Trouble::new(Kind::OutOfReach, place, clean(&cause, 300), "check the address in the kubeconfig")
        }
        kube::Error::Auth(_) => Trouble::new(Kind::OutOfReach, place, clean(&innermost(e), 300), "check the credentials in the kubeconfig"),
        _ => {
            let remedy = if io_kind(e) == Some(std::io::ErrorKind::ConnectionRefused) {
                "is the API server running, and is its address in the kubeconfig right?"
            } else {
                "check the network and the API server"
            };
            Trouble::new(Kind::OutOfReach, place, clean(&innermost(e), 300), remedy)
        }
    }
}

/// The HTTP status that the API server answered with, where it answered.
pub(super) fn code(e: &kube::Error) -> Option<u16> {
    if let kube::Error::Api(s) = e { Some(s.code) } else { None }
}

pub(super) fn io_kind(e: &(dyn Error + 'static)) -> Option<std::io::ErrorKind> {
    let mut next = Some(e);
    for _ in 0..16 {
        let e = next?;
        if let Some(io) = e.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = e.source();
    }
    None
}

/// Growing waits between attempts: 1 s, doubled, to 30 s at most.
#[derive(Debug, Default)]
pub(super) struct BackOff(u32);

impl BackOff {
    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let wait = Duration::from_secs(1 << self.0.min(5)).min(Duration::from_secs(30));
        self.0 += 1;
        wait
    }
    /// From the start again.
    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_begin_again() {
        let mut b = BackOff::default();
        let waits: Vec<u64> = (0..8).map(|_| b.next().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        b.reset();
        assert_eq!(b.next().as_secs(), 1);
    }

    #[test]
    fn what_the_api_server_answers_is_said_with_what_helps() {
        let said = |code: u16, message: &str| {
            let status = kube::core::Status::failure(message, "Reason").with_code(code);
            trouble("east", "patch deployments in namespace shop", &kube::Error::Api(status.boxed()))
        };
        assert_eq!(said(401, "").kind, Kind::OutOfReach);
        assert_eq!(
            said(403, "User \"x\" cannot").to_string(),
            "east: patch deployments in namespace shop: denied (403): ask for the right to patch deployments in namespace shop"
        );
        assert_eq!(said(404, "").kind, Kind::Failed);
        assert!(said(503, "etcd \x1b[2J").cause.contains("503: etcd  [2J"));
        assert!(said(422, "bad").cause.ends_with("bad (422)"));
    }
}
