//! Carrying out one wish on a workload that has, or gets, a second Deployment: look, write what leads on, wait until it is seen.
//!
//! Known weakness: after a write the next look waits for the watch, a second at most; a write made from an old look is refused by its
//! tests and made again.

use super::super::connection::{LIMIT, Line, code, now, trouble};
use super::super::fence::{self, FLIGHT, fenced};
use super::super::objects::Row;
use super::super::passes::Passes;
use super::super::route::Route;
use super::super::service::Service;
use super::super::sights::{Sight, Sights, Template};
use super::super::templates;
use super::around::{self, Whole};
use super::second::note;
use super::{Body, Next, Stage, Write, next};
use crate::fleet::{Fact, Flight};
use crate::platform::Order;
use crate::units::{Kind, Place, Span, Trouble, WorkloadId};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

/// A write that the watch does not show within this is looked at as it is.
const SHOWN: Duration = Duration::from_secs(1);
/// Before the same is tried again.
const PAUSE: Duration = Duration::from_millis(300);
/// Refusals by a write's own tests, one after the other.
const TRIES: u32 = 5;

type Failed = (Trouble, Option<Flight>);
type Seen = watch::Receiver<Option<Arc<Sight>>>;

/// Carries an order out until it is met.
pub(in super::super) async fn drive(
    line: &Line,
    sights: &Sights,
    passes: &Passes,
    facts: &mpsc::Sender<Fact>,
    order: &Order,
    writing: &AtomicBool,
) -> Result<(), Failed> {
    let id = &order.workload;
    let mut seen = sights.follow(id);
    let mut template: Option<Arc<Template>> = sights.template(id, &order.old);
    let (mut whole, mut done, mut tries) = (None::<Whole>, BTreeSet::new(), 0);
    loop {
        let Some(sight) = seen.borrow_and_update().clone() else {
            changed(&mut seen, None).await;
            continue;
        };
        let stage = Stage { order, sight: &sight, template: template.as_deref(), whole: whole.as_ref(), done: &done, now: now() };
        match next(&stage) {
            Next::Met => return Ok(()),
            Next::Wait(until) => {
                let wait = until.map(|at| Duration::from_millis(at.since(now()).0));
                changed(&mut seen, wait).await;
                // What was read before may not hold any more.
                whole = None;
            }
            Next::Refuse(why) => return Err(*why),
            Next::Read => {
                if whole.is_some() {
                    changed(&mut seen, Some(PAUSE)).await;
                }
                whole = Some(Whole::read(line, id, &sight).await.map_err(|t| (t, None))?);
            }
            Next::Fetch => {
                let fetched = templates::fetch_any(line, id, &order.old, &sight.sets).await.map_err(|t| (t, None))?;
                sights.prepare(id, &order.old, fetched);
                template = sights.template(id, &order.old);
            }
            Next::Write(write) if write.dark && !stands(line, id, &sight).await.map_err(|t| (t, None))? => {
                whole = None;
                changed(&mut seen, Some(PAUSE)).await;
            }
            Next::Write(write) => {
                whole = None;
                passes.may(order).await.map_err(|t| (t, None))?;
                match send(line, facts, order, writing, &write).await {
                    Ok(()) => {
                        tries = 0;
                        if write.last {
                            done.insert(write.name.clone());
                        }
                        shown(&mut seen, &sight, &write).await;
                    }
                    Err((trouble, Some(404 | 409 | 422))) => {
                        tries += 1;
                        explain(line, order, &write).await?;
                        if tries == TRIES {
                            return Err((trouble, None));
                        }
                        changed(&mut seen, Some(PAUSE)).await;
                    }
                    Err((trouble, _)) => return Err((trouble, None)),
                }
            }
        }
    }
}

/// Whether the traffic is divided as it was seen, and by the same hand: the watch may not have told yet what was just written.
async fn stands(line: &Line, id: &WorkloadId, sight: &Sight) -> Result<bool, Trouble> {
    let namespace = id.namespace.as_str();
    let mut scene = sight.scene.clone();
    for s in &mut scene.services {
        let now = around::get(line, around::CORE, "services", namespace, s.name.to_string()).await?;
        let Ok(Some(now)) = Service::read(&now.to_string()) else { return Ok(false) };
        *s = now;
    }
    for r in &mut scene.routes {
        let now = around::get(line, around::GATEWAY, "httproutes", namespace, r.name.to_string()).await?;
        let Ok(Some(now)) = Route::read(&now.to_string()) else { return Ok(false) };
        *r = now;
    }
    Ok(scene.stands() == sight.scene.stands() && scene.flight() == sight.scene.flight())
}

/// Waits for a newer sight, or so long.
async fn changed(seen: &mut Seen, wait: Option<Duration>) {
    match wait {
        Some(wait) => drop(timeout(wait, seen.changed()).await),
        // The sender lives as long as somebody follows, and this does.
        None => {
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Waits until the watch shows what a write did to its object, where that is watched.
async fn shown(seen: &mut Seen, before: &Sight, write: &Write) {
    if !matches!(write.plural, "deployments" | "services" | "httproutes") {
        return;
    }
    let deadline = Instant::now() + SHOWN;
    while let Ok(Ok(())) = tokio::time::timeout_at(deadline, seen.changed()).await {
        let differs = seen.borrow().as_ref().is_some_and(|now| differs(before, now, write));
        if differs {
            return;
        }
    }
}

/// Whether what was written to looks otherwise than before.
fn differs(before: &Sight, now: &Sight, write: &Write) -> bool {
    let (was, is) = (&before.scene, &now.scene);
    match write.plural {
        "deployments" if *write.name == *before.deployment.name => before.deployment.generation != now.deployment.generation,
        "deployments" => was.next.as_ref().map(|d| (d.uid, d.generation)) != is.next.as_ref().map(|d| (d.uid, d.generation)),
        "services" => was.services != is.services || was.seconds != is.seconds,
        _ => was.routes != is.routes,
    }
}

/// Why a write was refused, where that forbids to try again: somebody else drives.
async fn explain(line: &Line, order: &Order, write: &Write) -> Result<(), Failed> {
    if !matches!(write.body, Body::Patch(_) | Body::Merge(_)) {
        return Ok(());
    }
    let namespace = order.workload.namespace.as_str();
    let object = around::get(line, write.api, write.plural, namespace, write.name.clone()).await.map_err(|t| (t, None))?;
    // A route may be shared: each Deployment has its own fence there.
    let key = if write.plural == "httproutes" { fence::of(&order.workload.name, FLIGHT) } else { FLIGHT.to_owned() };
    let flight = fence::read(note(&object, &key));
    match flight.as_ref().and_then(|f| fenced(order, f)) {
        Some(trouble) => Err((trouble, flight)),
        None => Ok(()),
    }
}

/// Sends one write. An error comes with the API server's code, where it answered.
async fn send(
    line: &Line,
    facts: &mpsc::Sender<Fact>,
    order: &Order,
    writing: &AtomicBool,
    write: &Write,
) -> Result<(), (Trouble, Option<u16>)> {
    let id = &order.workload;
    let verb = match write.body {
        Body::Patch(_) | Body::Merge(_) => "patch",
        Body::Create(_) => "create",
        Body::Delete(_) => "delete",
    };
    let doing = format!("{verb} {} in namespace {}", write.plural, id.namespace);
    let place = line.context.name.clone();
    writing.store(true, Ordering::Relaxed);
    let sent = Instant::now();
    let answer = match line.client().await {
        Ok(client) => timeout(LIMIT, request(&client, id.namespace.as_str(), write)).await,
        Err(trouble) => {
            writing.store(false, Ordering::Relaxed);
            return Err((trouble, None));
        }
    };
    let took = Span(sent.elapsed().as_millis() as u64);
    writing.store(false, Ordering::Relaxed);
    match answer {
        Ok(Ok(_)) => {
            tracing::info!(workload = %id, name = write.name, took = took.0, "{doing}");
            let fact = Fact::WriteTaken { workload: id.clone(), aspect: order.wish.key.aspect, term: order.wish.term, took };
            let _ = facts.send(fact).await;
            Ok(())
        }
        Ok(Err(e)) => {
            let found = code(&e);
            // A line that broke is made anew; one that was refused asks for new credentials.
            if found.is_none() || found == Some(401) {
                line.hang_up(found == Some(401)).await;
            }
            Err((trouble(&place, &doing, &e), found))
        }
        Err(_) => {
            line.hang_up(false).await;
            let cause = format!("{doing}: no answer within {} s", LIMIT.as_secs());
            Err((Trouble::new(Kind::OutOfReach, Place::named(place), cause, "it is tried again"), None))
        }
    }
}

async fn request(client: &kube::Client, namespace: &str, write: &Write) -> kube::Result<String> {
    let objects = Request::new(format!("{}/namespaces/{namespace}/{}", write.api, write.plural));
    let manager = || Some("flightdeck".to_owned());
    let params = PatchParams { field_manager: manager(), ..PatchParams::default() };
    let request = match &write.body {
        Body::Patch(ops) => {
            let patch = serde_json::from_value(ops.clone().into()).map_err(kube::Error::SerdeError)?;
            objects.patch(&write.name, &params, &Patch::<()>::Json(patch))
        }
        Body::Merge(part) => objects.patch(&write.name, &params, &Patch::Merge(part)),
        Body::Create(object) => {
            let params = PostParams { field_manager: manager(), ..PostParams::default() };
            objects.create(&params, serde_json::to_vec(object).map_err(kube::Error::SerdeError)?)
        }
        Body::Delete(uid) => {
            let preconditions = Some(Preconditions { uid: Some(uid.clone()), resource_version: None });
            objects.delete(&write.name, &DeleteParams { preconditions, ..DeleteParams::background() })
        }
    };
    client.request_text(request.map_err(kube::Error::BuildRequest)?).await
}
