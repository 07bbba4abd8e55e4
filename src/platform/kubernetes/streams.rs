//! The lists and watches of one region's objects as one stream.
//!
//! Knows what may be listed where, and how far the first lists are; the client library does pages, bookmarks, 410 and resuming.
//! Known weakness: what may be listed is asked once per connection, so a right that is given later is seen after the next one.

use super::connection::{LIMIT, Line, within};
use super::objects::{Deployment, Pod, Row, Seen, Set, Slice};
use super::route::Route;
use super::service::Service;
use crate::units::{Kind, Namespace, Trouble};
use futures::stream::{BoxStream, SelectAll, StreamExt};
use kube::api::ListParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Error, Event, watcher};
use kube::{Api, Client};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Objects per page of a first list.
const PAGE: u32 = 500;
/// A first list that has not gone on for so long is given up.
const LIST_LIMIT: Duration = Duration::from_secs(60);

/// The kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Watched {
    Deployments,
    Sets,
    Pods,
    Slices,
    Services,
    Routes,
}

/// What the watch of one kind in one namespace (in all, when empty) told.
pub(super) struct Told {
    pub(super) kind: Watched,
    pub(super) namespace: String,
    pub(super) what: What,
}

/// What was told. An object comes with whether it is there or gone.
pub(super) enum What {
    Began,
    Deployment(Box<Seen<Deployment>>, bool),
    Set(Seen<Set>, bool),
    Pod(Seen<Pod>, bool),
    Slice(Seen<Slice>, bool),
    Service(Seen<Service>, bool),
    Route(Seen<Route>, bool),
    Done,
    Failed(Error),
}

/// Where each kind may be listed. `[""]` is all namespaces at once; nowhere is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scopes(Vec<(Watched, Vec<String>)>);

impl Scopes {
    /// Asks for one object of each kind. Without Deployments there is nothing to show; each other kind only makes rows poorer.
    pub(super) async fn ask(line: &Line, client: &Client, namespaces: &[Namespace]) -> Result<Scopes, Trouble> {
        let (d, s, p, e, services, routes) = tokio::join!(
            scopes::<Deployment>(line, client, namespaces),
            scopes::<Set>(line, client, namespaces),
            scopes::<Pod>(line, client, namespaces),
            scopes::<Slice>(line, client, namespaces),
            scopes::<Service>(line, client, namespaces),
            scopes::<Route>(line, client, namespaces)
        );
        let mut found = vec![(Watched::Deployments, d?)];
        let others =
            [(Watched::Sets, s), (Watched::Pods, p), (Watched::Slices, e), (Watched::Services, services), (Watched::Routes, routes)];
        for (kind, scopes) in others {
            match scopes {
                Ok(namespaces) => found.push((kind, namespaces)),
                // The cluster has no Gateway API.
                Err(t) if t.kind == Kind::Failed && kind == Watched::Routes => {}
                Err(t) if t.kind == Kind::Refused => tracing::warn!("{t}"),
                Err(t) => return Err(t),
            }
        }
        Ok(Scopes(found))
    }
}

async fn scopes<R: Row>(line: &Line, client: &Client, namespaces: &[Namespace]) -> Result<Vec<String>, Trouble> {
    let all = namespaces.is_empty();
    let named =
        if all { vec![String::new(), line.context.namespace()] } else { namespaces.iter().map(|n| n.as_str().to_owned()).collect() };
    let (mut granted, mut denied) = (Vec::new(), None);
    for namespace in named {
        let doing = match namespace.as_str() {
            "" => format!("list {} in all namespaces", R::PLURAL),
            n => format!("list {} in namespace {n}", R::PLURAL),
        };
        let one = ListParams::default().limit(1);
        match within(&line.context.name, &doing, LIMIT, api::<R>(client, &namespace).list(&one)).await {
            Ok(_) if all => return Ok(vec![namespace]),
            Ok(_) => granted.push(namespace),
            Err(t) if t.kind == Kind::Refused => denied = Some(t),
            Err(t) => return Err(t),
        }
    }
    match denied {
        Some(t) if granted.is_empty() => Err(t),
        _ => Ok(granted),
    }
}

fn api<R: Row>(client: &Client, namespace: &str) -> Api<Seen<R>> {
    if namespace.is_empty() { Api::all(client.clone()) } else { Api::namespaced(client.clone(), namespace) }
}

/// All watches of a region, and how far their first lists are.
pub(super) struct Streams {
    all: SelectAll<BoxStream<'static, Told>>,
    /// First lists that are not complete, and when they last went on.
    pending: HashMap<(Watched, String), Instant>,
    listed: Vec<Watched>,
}

impl Streams {
    pub(super) fn start(client: &Client, scopes: &Scopes) -> Streams {
        let mut streams =
            Streams { all: SelectAll::new(), pending: HashMap::new(), listed: scopes.0.iter().map(|(kind, _)| *kind).collect() };
        for (kind, namespaces) in &scopes.0 {
            for namespace in namespaces {
                streams.pending.insert((*kind, namespace.clone()), Instant::now());
                streams.all.push(match kind {
                    Watched::Deployments => told(*kind, client, namespace, |seen, there| What::Deployment(Box::new(seen), there)),
                    Watched::Sets => told(*kind, client, namespace, What::Set),
                    Watched::Pods => told(*kind, client, namespace, What::Pod),
                    Watched::Slices => told(*kind, client, namespace, What::Slice),
                    Watched::Services => told(*kind, client, namespace, What::Service),
                    Watched::Routes => told(*kind, client, namespace, What::Route),
                });
            }
        }
        streams
    }
    /// The next word of any watch. Watches never end.
    pub(super) async fn next(&mut self) -> Option<Told> {
        let told = self.all.next().await?;
        let place = (told.kind, told.namespace.clone());
        match told.what {
            What::Done => {
                self.pending.remove(&place);
            }
            What::Failed(_) => {}
            _ => {
                self.pending.entry(place).and_modify(|at| *at = Instant::now());
            }
        }
        Some(told)
    }
    /// Whether the first lists of a kind are complete; a kind that may not be listed has none.
    pub(super) fn complete(&self, kind: Watched) -> bool {
        self.pending.keys().all(|(pending, _)| *pending != kind)
    }
    /// Whether a kind is listed at all.
    pub(super) fn lists(&self, kind: Watched) -> bool {
        self.listed.contains(&kind)
    }
    /// Whether all first lists are complete.
    pub(super) fn all_complete(&self) -> bool {
        self.pending.is_empty()
    }
    /// A kind whose first list does not go on.
    pub(super) fn stalled(&self) -> Option<Watched> {
        self.pending.iter().find(|(_, at)| at.elapsed() > LIST_LIMIT).map(|((kind, _), _)| *kind)
    }
}

fn told<R: Row>(kind: Watched, client: &Client, namespace: &str, object: fn(Seen<R>, bool) -> What) -> BoxStream<'static, Told> {
    let namespace = namespace.to_owned();
    // Paged lists are read from the newest state: one from the API server's cache ("any") comes in one piece, whatever its size.
    let config = Config::default().page_size(PAGE);
    watcher(api::<R>(client, &namespace), config)
        .default_backoff()
        .map(move |event| {
            let what = match event {
                Ok(Event::Init) => What::Began,
                Ok(Event::InitApply(seen) | Event::Apply(seen)) => object(seen, true),
                Ok(Event::Delete(seen)) => object(seen, false),
                Ok(Event::InitDone) => What::Done,
                Err(e) => What::Failed(e),
            };
            Told { kind, namespace: namespace.clone(), what }
        })
        .boxed()
}
