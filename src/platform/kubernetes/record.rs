//! The log of a workload's last rollout, in a ConfigMap beside it.
//!
//! Newest wins, at most one write a second, always on what was read. What another flightdeck wrote there in a higher term stays; a
//! branch that does not lead is kept beside the one that does. Known weakness: of a branch only what fits is kept.

use super::keeper::{Post, Words, metadata, name, named};
use super::lease::ask;
use crate::fleet::{Fact, RecordOff, RecordSeen};
use crate::journal::{Copy, lead};
use crate::platform::Record;
use crate::units::{RolloutId, Term, clean};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The most bytes of a log that are kept in a cluster.
pub(super) const MOST: usize = 700 << 10;
/// The most bytes of a branch beside it.
const MOST_BRANCH: usize = 200 << 10;
/// At most one write in this time.
const PACE: Duration = Duration::from_secs(1);
/// What is decided in the same moment goes in one write.
const GATHER: Duration = Duration::from_millis(20);
/// The keys.
const LOG: &str = "log";
const BRANCH: &str = "branch";
/// The annotation that names the rollout, and who wrote.
const ROLLOUT: &str = "flightdeck.dev/rollout";
const DRIVER: &str = "flightdeck.dev/driver";

/// The ConfigMap as read.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shelf {
    rollout: String,
    log: String,
    branch: Option<String>,
    version: String,
}

impl Shelf {
    fn read(map: &ConfigMap) -> Shelf {
        let note = |name: &str| map.metadata.annotations.as_ref().and_then(|a| a.get(name)).cloned().unwrap_or_default();
        let data = |key: &str| map.data.as_ref().and_then(|d| d.get(key)).cloned();
        let version = map.metadata.resource_version.clone().unwrap_or_default();
        Shelf { rollout: note(ROLLOUT), log: data(LOG).unwrap_or_default(), branch: data(BRANCH), version }
    }
}

/// A ConfigMap as others are told of it; `None` where it is none of a log.
pub(super) fn seen(map: &ConfigMap) -> Option<RecordSeen> {
    let shelf = Shelf::read(map);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let id = clean(&shelf.rollout, 200);
    if id.is_empty() || !id.chars().all(plain) {
        return None;
    }
    let driver = map.metadata.annotations.as_ref().and_then(|a| a.get(DRIVER)).map(|d| clean(named(d), 200)).unwrap_or_default();
    Some(RecordSeen { rollout: RolloutId::new(id), log: shelf.log.into(), branch: shelf.branch.map(Into::into), driver })
}

/// What is to be written.
#[derive(Debug, PartialEq)]
struct Put {
    /// Nothing where it stands there already.
    write: Option<(String, Option<String>)>,
    /// Why ours is not what leads there then.
    behind: Option<String>,
}

/// What becomes of a log, where this stands.
fn put(mine: &str, rollout: &RolloutId, term: Term, there: Option<&Shelf>) -> Put {
    let whole = |branch: Option<String>| Put { write: Some((mine.to_owned(), branch)), behind: None };
    let Some(there) = there else { return whole(None) };
    if there.rollout != rollout.as_str() {
        let id = RolloutId::new(&there.rollout);
        let theirs = lead(&id, &[Copy { name: "", text: there.log.as_bytes() }]).map(|l| l.log.term());
        return match theirs.filter(|t| *t > term) {
            Some(t) => Put { write: None, behind: Some(format!("the log of {id} stands there, in term {}", t.0)) },
            None => whole(None),
        };
    }
    if there.log == mine {
        return Put { write: None, behind: None };
    }
    let copies = [Copy { name: "there", text: there.log.as_bytes() }, Copy { name: "mine", text: mine.as_bytes() }];
    let Some(lead) = lead(rollout, &copies) else { return whole(there.branch.clone()) };
    let text = |lines: &[u8]| {
        let end = lines.len().min(MOST_BRANCH);
        String::from_utf8_lossy(lines.get(..end).unwrap_or_default()).into_owned()
    };
    let broken = lead.faults.iter().any(|(name, _)| name == "there").then(|| text(there.log.as_bytes()));
    let other = lead.branches.first().map(|b| text(&b.lines));
    if lead.name == "mine" {
        return whole(other.or(broken).or_else(|| there.branch.clone()));
    }
    match other {
        None => Put { write: None, behind: Some("a longer log of it stands there".into()) },
        other => {
            let write = (other != there.branch).then(|| (there.log.clone(), other));
            Put { write, behind: Some("another branch of its log leads there".into()) }
        }
    }
}

/// Keeps one workload's log.
pub(super) struct Scribe(pub(super) Post);

impl Scribe {
    pub(super) async fn run(mut self) {
        let mut there: Option<Shelf> = None;
        let mut known = false;
        let mut wait = PACE;
        loop {
            let record = self.0.wanted.borrow_and_update().clone();
            let mut again = None;
            if let Some(record) = record {
                let began = Instant::now();
                let (upto, off) = match self.keep(&record, &mut there, &mut known).await {
                    Ok(None) => {
                        wait = PACE;
                        (record.seq, None)
                    }
                    Ok(Some(why)) => (0, Some((why, true))),
                    Err(Words::Denied(why)) => (0, Some((why, false))),
                    Err(Words::Conflict) => {
                        // Somebody wrote in the same moment: on what stands there now, without a word.
                        known = false;
                        sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                    Err(Words::Other(why)) => (0, Some((why, false))),
                };
                if off.is_some() {
                    (known, wait) = (false, (wait * 2).min(Duration::from_secs(10)));
                    again = Some(began + wait);
                }
                let off = off.map(|(why, holds)| RecordOff { why, holds });
                let fact = Fact::RecordKept { workload: self.0.workload.clone(), rollout: record.rollout.clone(), upto, off };
                if self.0.facts.send(fact).await.is_err() {
                    return;
                }
                sleep_until(began + PACE).await;
            }
            tokio::select! {
                changed = self.0.wanted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    sleep(GATHER).await;
                }
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            }
        }
    }

    /// Writes it where it does not stand there yet. Says why it does not lead.
    async fn keep(&self, record: &Record, there: &mut Option<Shelf>, known: &mut bool) -> Result<Option<String>, Words> {
        if record.log.len() > MOST {
            return Ok(Some(format!("its log is full: {} of {} KiB", record.log.len() >> 10, MOST >> 10)));
        }
        if let Some(why) = self.0.passes.lost(&self.0.workload, &record.rollout).filter(|_| record.forward) {
            return Ok(Some(why));
        }
        let name = name(&self.0.workload);
        if !*known {
            if let Some(why) = super::keeper::denied(&self.0.line, &self.0.workload, "", "configmaps").await {
                return Err(Words::Denied(why));
            }
            let get = name.clone();
            let found = ask(&self.0.line, &self.0.workload, "get configmaps", async move |api| api.get_opt(&get).await).await?;
            *there = found.as_ref().map(Shelf::read);
            *known = true;
        }
        let Put { write, behind } = put(&record.log, &record.rollout, record.term, there.as_ref());
        if let Some((log, branch)) = write {
            let notes = BTreeMap::from([(ROLLOUT, record.rollout.to_string()), (DRIVER, self.0.me.identity.clone())]);
            let mut metadata = metadata(&self.0.workload, "log", Some(notes));
            let data = json!({LOG: log, BRANCH: branch});
            let written: ConfigMap = match there.as_ref() {
                None => {
                    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": without_null(data)});
                    let map: ConfigMap = serde_json::from_value(body).map_err(|e| Words::Other(e.to_string()))?;
                    let params = PostParams { field_manager: Some("flightdeck".into()), ..PostParams::default() };
                    ask(&self.0.line, &self.0.workload, "create configmaps", async move |api| api.create(&params, &map).await).await?
                }
                Some(shelf) => {
                    metadata["resourceVersion"] = json!(shelf.version);
                    let patch = Patch::Merge(json!({"metadata": metadata, "data": data}));
                    let params = PatchParams { field_manager: Some("flightdeck".into()), ..PatchParams::default() };
                    ask(&self.0.line, &self.0.workload, "patch configmaps", async move |api| api.patch(&name, &params, &patch).await)
                        .await?
                }
            };
            *there = Some(Shelf::read(&written));
        }
        Ok(behind)
    }
}

fn without_null(mut data: serde_json::Value) -> serde_json::Value {
    if let Some(map) = data.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Chain, encode};
    use crate::rollout::{By, Event, What};
    use crate::units::{Person, Time};

    fn log(id: &str, events: &[(u64, &str)]) -> String {
        let (id, mut text) = (RolloutId::new(id), Vec::new());
        let mut chain = Chain::start(&id);
        for (n, (term, by)) in events.iter().enumerate() {
            let seq = n as u64 + 1;
            let event = Event { seq, term: Term(*term), at: Time(seq as i64), by: By::Person(Person::new(by)), what: What::Paused };
            encode(&mut chain, &id, &event, &mut text).unwrap();
        }
        String::from_utf8(text).unwrap()
    }

    /// Each row: what stands there, ours with its term, whose log stands there afterwards, how many lines of a branch, and why ours is
    /// not what leads.
    #[test]
    fn what_leads_is_written_and_what_does_not_is_kept_beside_it() {
        let short = log("order-1", &[(1, "ana")]);
        let ana = log("order-1", &[(1, "ana"), (1, "ana"), (1, "ana")]);
        let bob = log("order-1", &[(1, "ana"), (2, "bob")]);
        let broken = bob.replace("bob", "eve");
        let last = log("order-0", &[(1, "ana")]);
        let next = log("order-2", &[(5, "bob")]);
        let there = |id: &str, log: &str| Some(Shelf { rollout: id.into(), log: log.into(), branch: None, version: "7".into() });
        type Row<'a> = (&'a str, Option<Shelf>, &'a str, u64, Option<&'a str>, usize, Option<&'a str>);
        let table: [Row<'_>; 9] = [
            ("nothing", None, &ana, 1, Some(&ana), 0, None),
            ("the same", there("order-1", &ana), &ana, 1, None, 0, None),
            ("less of it", there("order-1", &short), &ana, 1, Some(&ana), 0, None),
            ("more of it", there("order-1", &ana), &short, 1, None, 0, Some("a longer log of it stands there")),
            ("an older branch", there("order-1", &ana), &bob, 2, Some(&bob), 2, None),
            ("a newer branch", there("order-1", &bob), &ana, 1, Some(&bob), 2, Some("another branch of its log leads there")),
            ("a broken one", there("order-1", &broken), &ana, 1, Some(&ana), 2, None),
            ("an older rollout", there("order-0", &last), &ana, 1, Some(&ana), 0, None),
            ("a newer rollout", there("order-2", &next), &ana, 1, None, 0, Some("the log of order-2 stands there, in term 5")),
        ];
        for (what, there, mine, term, log, branch, behind) in table {
            let found = put(mine, &RolloutId::new("order-1"), Term(term), there.as_ref());
            let lines = found.write.as_ref().and_then(|(_, branch)| branch.as_ref()).map_or(0, |b| b.lines().count());
            let written = found.write.as_ref().map(|(log, _)| log.as_str());
            assert_eq!((written, lines, found.behind.as_deref()), (log, branch, behind), "{what}");
        }
    }

    #[test]
    fn a_branch_that_is_kept_already_is_not_written_again() {
        let (ana, bob) = (log("order-1", &[(1, "ana"), (1, "ana")]), log("order-1", &[(1, "ana"), (2, "bob")]));
        let there = Shelf { rollout: "order-1".into(), log: bob, branch: None, version: "7".into() };
        let id = RolloutId::new("order-1");
        let (log, branch) = put(&ana, &id, Term(1), Some(&there)).write.unwrap();
        let kept = Shelf { log, branch, ..there };
        assert_eq!(put(&ana, &id, Term(1), Some(&kept)).write, None);
    }
}
