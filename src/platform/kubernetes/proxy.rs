//! Asking a pod over HTTP, through the API server's proxy.
//!
//! Knows what an answer is, not what it says. Known weakness: it needs the right to `get pods/proxy`, and the page passes through the
//! API server.

use super::connection::{Line, code, trouble};
use super::rights::Need;
use crate::units::{Kind, Namespace, Place, Trouble, clean};
use futures::io::AsyncReadExt;
use kube::core::Request;
use std::time::Duration;
use tokio::time::timeout;

/// What asking pods needs.
pub(super) const PROXY: Need = Need { verb: "get", group: "", resource: "pods", subresource: "proxy" };
/// How long a pod may take to answer.
const LIMIT: Duration = Duration::from_secs(2);
/// The largest page that is read; what is behind it is cut off.
const MOST: u64 = 4 << 20;

/// A page of a pod.
pub(super) struct Ask<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) pod: &'a str,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// With its leading `/`.
    pub(super) path: &'a str,
}

/// What a pod answered: the page; or why not, in words, where only this pod is to blame; or trouble with the way to all of them.
pub(super) async fn ask(line: &Line, what: &Ask<'_>) -> Result<Result<String, String>, Trouble> {
    let client = line.client().await?;
    let pods = Request::new(format!("/api/v1/namespaces/{}/pods", what.namespace));
    let scheme = if what.tls { "https:" } else { "" };
    let pod = format!("{scheme}{}:{}", what.pod, what.port);
    let page = async {
        let request = pods.get_subresource(&format!("proxy{}", what.path), &pod).map_err(kube::Error::BuildRequest)?;
        let mut page = Vec::new();
        let read = client.request_stream(request).await?.take(MOST).read_to_end(&mut page).await;
        read.map_err(kube::Error::ReadEvents)?;
        Ok::<_, kube::Error>(String::from_utf8_lossy(&page).into_owned())
    };
    let e = match timeout(LIMIT, page).await {
        Ok(Ok(page)) => return Ok(Ok(page)),
        Ok(Err(e)) => e,
        Err(_) => return Ok(Err(format!("{} does not answer within {} s", what.path, LIMIT.as_secs()))),
    };
    let words = if let kube::Error::Api(s) = &e { s.message.as_str() } else { "" };
    match code(&e) {
        None | Some(401) => Err(trouble(&line.context.name, "ask pods", &e)),
        // The pod may say 403 too; the API server says it about itself.
        Some(403) if words.contains("pods/proxy") || words.contains("cannot get resource") => {
            let doing = PROXY.words(what.namespace.as_str());
            let place = Place::named(line.context.name.clone());
            Err(Trouble::new(Kind::Refused, place, format!("{doing}: denied (403)"), format!("ask for the right to {doing}")))
        }
        Some(_) if words.contains("error trying to reach service") => {
            let why = words.rsplit(": ").next().unwrap_or_default();
            Ok(Err(format!("{} cannot be reached: {}", what.path, clean(why, 80))))
        }
        Some(code) => Ok(Err(format!("{} answers {code}", what.path))),
    }
}
