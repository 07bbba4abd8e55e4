//! The right to drive a workload: a Lease beside it, held and renewed, taken, lost and given back.
//!
//! A Lease is judged by how long *this* process has seen it unchanged, never by its times. Its `leaseTransitions` is the term. Always
//! written with the `resourceVersion` that was read: without it one renews the thief's. Known weakness: a lost answer is only
//! understood at the next renewal.

use super::connection::{LIMIT, Line, code, now, trouble};
use super::keeper::{Driver, Post, Words, named};
use super::passes::Pass;
use crate::fleet::{Fact, Hold, LeaseSeen};
use crate::platform::Record;
use crate::units::{Span, Term, WorkloadId, clean};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// A Lease as read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held {
    pub(super) holder: String,
    pub(super) term: Term,
    pub(super) length: Duration,
    /// Changes with every write.
    pub(super) version: String,
}

impl Held {
    pub(super) fn read(lease: &Lease) -> Held {
        let spec = lease.spec.clone().unwrap_or_default();
        let number = |n: Option<i32>| u64::try_from(n.unwrap_or(0)).unwrap_or(0);
        Held {
            holder: clean(&spec.holder_identity.unwrap_or_default(), 200),
            term: Term(number(spec.lease_transitions)),
            length: Duration::from_secs(number(spec.lease_duration_seconds).clamp(1, 3600)),
            version: lease.metadata.resource_version.clone().unwrap_or_default(),
        }
    }
    /// As others are told of it.
    pub(super) fn seen(&self, me: &Driver) -> LeaseSeen {
        let holder = named(&self.holder).to_owned();
        LeaseSeen { holder, ours: self.holder == me.identity, term: self.term, length: Span(self.length.as_millis() as u64) }
    }
}

/// What is to be done about a Lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// There is none.
    Create,
    /// It is ours, or free, or its holder is gone, or has a lower term.
    Write,
    /// It is somebody's.
    Leave(String),
}

/// What is to be done, by one whose rollout is in `term`, who has seen the Lease unchanged for so long.
pub(super) fn act(me: &Driver, term: Term, seen: Option<&Held>, unchanged: Duration) -> Act {
    match seen {
        None => Act::Create,
        Some(held) if held.holder == me.identity || held.holder.is_empty() || held.term < term => Act::Write,
        Some(held) if held.term == term && unchanged >= held.length => Act::Write,
        Some(held) => Act::Leave(format!("{} drives it: T takes it", named(&held.holder))),
    }
}

/// Holds one workload's Lease for as long as that is wanted.
pub(super) struct Holder(pub(super) Post);

impl Holder {
    pub(super) async fn run(mut self) {
        let mut seen: Option<(Held, Instant)> = None;
        loop {
            let record = self.0.wanted.borrow_and_update().clone();
            let what = |r: &Option<Record>| r.as_ref().map(|r| (r.rollout.clone(), r.term, r.drives));
            let now = what(&record);
            let again = match record {
                Some(record) if record.drives => Some(Instant::now() + self.hold(&record, &mut seen).await),
                Some(record) => {
                    self.let_go(&mut seen).await;
                    self.tell(&record, Err("nobody drives it: T takes it".into())).await;
                    None
                }
                None => {
                    self.let_go(&mut seen).await;
                    None
                }
            };
            // Before the time only a new term, or the end, is a reason to write.
            while what(&self.0.wanted.borrow_and_update()) == now {
                tokio::select! {
                    changed = self.0.wanted.changed() => if changed.is_err() { return },
                    () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => break,
                }
            }
        }
    }

    /// One round. Returns when the next one is due.
    async fn hold(&self, record: &Record, seen: &mut Option<(Held, Instant)>) -> Duration {
        let every = self.0.me.lease / 3;
        if seen.is_none()
            && let Some(why) = super::keeper::denied(&self.0.line, &self.0.workload, "coordination.k8s.io", "leases").await
        {
            return self.failed(record, Words::Denied(why)).await;
        }
        // More than one round: what was read before may be old.
        for _ in 0..3 {
            if seen.is_none()
                && let Err(words) = self.look(seen).await
            {
                return self.failed(record, words).await;
            }
            let unchanged = seen.as_ref().map_or(Duration::ZERO, |(_, at)| at.elapsed());
            let held = seen.as_ref().map(|(held, _)| held);
            let sent = (Instant::now(), now());
            let written = match act(&self.0.me, record.term, held, unchanged) {
                Act::Create => self.create(record.term).await,
                Act::Write => self.write(record.term, held).await,
                Act::Leave(why) => {
                    // Looked at again, so that one that is given back or not renewed is found.
                    if let Err(words) = self.look(seen).await {
                        return self.failed(record, words).await;
                    }
                    let still = seen.as_ref().map(|(held, at)| (held, at.elapsed()));
                    if act(&self.0.me, record.term, still.map(|s| s.0), still.map_or(Duration::ZERO, |s| s.1)) == Act::Leave(why.clone()) {
                        self.0.passes.set(&self.0.workload, &record.rollout, Pass::Lost(why.clone()));
                        self.tell(record, Err(why)).await;
                        return every.min(Duration::from_secs(2));
                    }
                    continue;
                }
            };
            match written {
                Ok(held) => {
                    *seen = Some((held, sent.0));
                    self.0.passes.set(&self.0.workload, &record.rollout, Pass::held(sent, self.0.me.lease));
                    self.tell(record, Ok(Hold::Lease)).await;
                    return every;
                }
                // Somebody was faster, or an answer of ours was lost: what stands there decides.
                Err(Words::Conflict) => *seen = None,
                Err(words) => return self.failed(record, words).await,
            }
        }
        every.min(Duration::from_secs(1))
    }

    async fn failed(&self, record: &Record, words: Words) -> Duration {
        match words {
            Words::Denied(why) => {
                self.0.passes.set(&self.0.workload, &record.rollout, Pass::Without);
                self.tell(record, Ok(Hold::Without(why))).await;
                Duration::from_secs(60)
            }
            // The pass ends by itself when it is not renewed.
            Words::Conflict | Words::Other(_) => {
                if let Words::Other(why) = words {
                    tracing::warn!(workload = %self.0.workload, "the Lease is not renewed: {why}");
                }
                (self.0.me.lease / 15).max(Duration::from_millis(200))
            }
        }
    }

    async fn tell(&self, record: &Record, held: Result<Hold, String>) {
        let fact = Fact::Driving { workload: self.0.workload.clone(), rollout: record.rollout.clone(), at: now(), held };
        let _ = self.0.facts.send(fact).await;
    }

    fn name(&self) -> String {
        super::keeper::name(&self.0.workload)
    }

    /// Reads it, and notes since when it is unchanged.
    async fn look(&self, seen: &mut Option<(Held, Instant)>) -> Result<(), Words> {
        let name = self.name();
        let found = self.ask("get leases", async move |api| api.get_opt(&name).await).await?;
        let since = |held: &Held| seen.as_ref().filter(|(before, _)| before == held).map(|(_, at)| *at);
        *seen = found.map(|lease| Held::read(&lease)).map(|held| (held.clone(), since(&held).unwrap_or_else(Instant::now)));
        Ok(())
    }

    async fn create(&self, term: Term) -> Result<Held, Words> {
        let body = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": super::keeper::metadata(&self.0.workload, "driver", None),
            "spec": self.spec(term, true),
        });
        let lease: Lease = serde_json::from_value(body).map_err(|e| Words::Other(e.to_string()))?;
        let params = PostParams { field_manager: Some("flightdeck".into()), ..PostParams::default() };
        self.ask("create leases", async move |api| api.create(&params, &lease).await).await.map(|lease| Held::read(&lease))
    }

    async fn write(&self, term: Term, held: Option<&Held>) -> Result<Held, Words> {
        let (version, mine) = held.map_or(("", false), |h| (h.version.as_str(), h.holder == self.0.me.identity));
        let spec = self.spec(held.map_or(term, |h| h.term).max(term), !mine);
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": spec});
        self.patch(patch).await
    }

    /// Gives it back, where it is ours.
    async fn let_go(&self, seen: &mut Option<(Held, Instant)>) {
        let Some((held, _)) = seen.take().filter(|(held, _)| held.holder == self.0.me.identity) else { return };
        let patch = json!({"metadata": {"resourceVersion": held.version}, "spec": {"holderIdentity": "", "leaseDurationSeconds": 1}});
        if let Err(Words::Other(why) | Words::Denied(why)) = self.patch(patch).await {
            tracing::warn!(workload = %self.0.workload, "the Lease is not given back: {why}");
        }
    }

    async fn patch(&self, patch: Value) -> Result<Held, Words> {
        let name = self.name();
        let params = PatchParams { field_manager: Some("flightdeck".into()), ..PatchParams::default() };
        let written = self.ask("patch leases", async move |api| api.patch(&name, &params, &Patch::Merge(patch)).await).await?;
        Ok(Held::read(&written))
    }

    fn spec(&self, term: Term, taken: bool) -> Value {
        // Without the six digits of a microsecond the API server refuses a time.
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let seconds = self.0.me.lease.as_secs().max(1);
        let mut spec = json!({
            "holderIdentity": self.0.me.identity, "leaseDurationSeconds": seconds, "leaseTransitions": term.0, "renewTime": at,
        });
        if taken {
            spec["acquireTime"] = json!(at);
        }
        spec
    }

    async fn ask<T>(&self, doing: &str, question: impl AsyncFnOnce(Api<Lease>) -> kube::Result<T>) -> Result<T, Words> {
        ask(&self.0.line, &self.0.workload, doing, question).await
    }
}

/// One question about objects of a kind in a workload's namespace.
pub(super) async fn ask<K, T>(
    line: &Line,
    workload: &WorkloadId,
    doing: &str,
    question: impl AsyncFnOnce(Api<K>) -> kube::Result<T>,
) -> Result<T, Words>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    let doing = format!("{doing} in namespace {}", workload.namespace);
    let client = line.client().await.map_err(|t| Words::Other(t.cause))?;
    let api = Api::namespaced(client, workload.namespace.as_str());
    match timeout(LIMIT, question(api)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => {
            let words = trouble(&line.context.name, &doing, &e).cause;
            match code(&e) {
                Some(409) => Err(Words::Conflict),
                Some(403) => Err(Words::Denied(words)),
                found => {
                    if found.is_none() || found == Some(401) {
                        line.hang_up(found == Some(401)).await;
                    }
                    Err(Words::Other(words))
                }
            }
        }
        Err(_) => {
            line.hang_up(false).await;
            Err(Words::Other(format!("{doing}: no answer within {} s", LIMIT.as_secs())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: who holds it, in which term, for how long it was seen unchanged, our term, and what is done.
    #[test]
    fn a_lease_is_taken_from_nobody_who_renews_it_in_our_term_or_a_higher_one() {
        let me = Driver { identity: "bob@desk/1".into(), lease: Duration::from_secs(15) };
        let leave = Act::Leave("ana@laptop drives it: T takes it".into());
        for (holder, term, unchanged, ours, wanted) in [
            ("bob@desk/1", 1, 0, 1, Act::Write),
            ("", 4, 0, 1, Act::Write),
            ("ana@laptop/9", 1, 0, 1, leave.clone()),
            ("ana@laptop/9", 1, 14, 1, leave.clone()),
            ("ana@laptop/9", 1, 15, 1, Act::Write),
            ("ana@laptop/9", 1, 0, 2, Act::Write),
            ("ana@laptop/9", 2, 0, 1, leave.clone()),
            ("ana@laptop/9", 2, 600, 1, leave),
        ] {
            let held = Held { holder: holder.into(), term: Term(term), length: Duration::from_secs(15), version: "7".into() };
            let found = act(&me, Term(ours), Some(&held), Duration::from_secs(unchanged));
            assert_eq!(found, wanted, "{holder} {term} {unchanged} {ours}");
        }
        assert_eq!(act(&me, Term(1), None, Duration::ZERO), Act::Create);
    }
}
