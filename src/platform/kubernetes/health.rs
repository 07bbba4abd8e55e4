//! Asking every pod of a revision whether it is well, for as long as somebody wants to know.
//!
//! Only counts answers; what follows from them is the engine's. Known weakness: a pod that is still starting is left out, so a version
//! whose pods all hang while starting is found by its pods, not here.

use super::connection::{Line, now};
use super::proxy::{Ask, ask};
use super::sights::{PodSight, Sight, Sights};
use crate::fleet::Fact;
use crate::units::{Revision, Time, WorkloadId};
use futures::future::FutureExt;
use futures::stream::{self, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// How often pods are asked.
const PACE: Duration = Duration::from_secs(2);
/// How many pods are asked at once.
const AT_ONCE: usize = 8;

/// Asks until it is dropped.
pub(super) async fn watch(
    line: Arc<Line>,
    sights: Arc<Sights>,
    facts: mpsc::Sender<Fact>,
    id: WorkloadId,
    revision: Revision,
    path: String,
) {
    let mut seen = sights.follow(&id);
    loop {
        let next = Instant::now() + PACE;
        let sight = seen.borrow_and_update().clone();
        if let Some(sight) = sight {
            if let Some((well, ill, why)) = round(&line, &sight, &revision, &path, now()).await {
                let fact = Fact::HealthSeen { workload: id.clone(), revision: revision.clone(), at: now(), well, ill, why };
                if facts.send(fact).await.is_err() {
                    return;
                }
            }
            sleep_until(next).await;
        } else if seen.changed().await.is_err() {
            return;
        }
    }
}

/// Asks every pod once: how many are well, how many not, and what the first of them said. `None` while there is no pod or all
/// are still starting: that is not ill.
async fn round(line: &Line, sight: &Sight, revision: &Revision, path: &str, at: Time) -> Option<(u32, u32, Option<String>)> {
    let pods: Vec<&PodSight> = sight.pods.iter().filter(|p| p.revision == *revision).collect();
    if pods.is_empty() {
        return None;
    }
    let door = sight.sets.iter().find(|(r, ..)| r == revision).map(|(.., door)| door);
    let Some((door, port)) = door.and_then(|d| Some((d, d.port?))) else {
        return Some((0, 0, Some("its containers name no port to ask".into())));
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let namespace = &sight.row.id.namespace;
    let mut asked = Vec::new();
    for pod in pods.into_iter().filter(|p| p.ready || p.trouble.is_some() || p.young_until <= at) {
        let what = Ask { namespace, pod: &pod.name, port, tls: door.tls, path: &path };
        let answer = async move {
            match &pod.trouble {
                Some(cause) => Ok(Err(cause.clone())),
                None => ask(line, &what).await,
            }
        };
        asked.push(answer.boxed());
    }
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let (mut well, mut ill, mut why) = (0, 0, None);
    for answer in answers {
        match answer {
            Ok(Ok(_)) => well += 1,
            Ok(Err(words)) => {
                ill += 1;
                why.get_or_insert(words);
            }
            // Nothing is known of any pod then.
            Err(trouble) => return Some((0, 0, Some(trouble.cause))),
        }
    }
    (well + ill > 0).then_some((well, ill, why))
}
