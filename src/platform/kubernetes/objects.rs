//! Objects of the API as slim rows: each is read from its JSON text and only what we need of it is kept.
//!
//! Knows no connection and no workload. An object that does not parse becomes a reason and never an error of the list or the
//! watch it came in. Known weakness: each object's text is read twice (its name, then its row), which costs a tenth of a
//! millisecond for a large pod.

use super::automation::{ManagedFields, Meta};
use super::fence::FLIGHT;
use super::template::{Door, Template};
use super::trouble::{PodTrouble, Status};
use crate::fleet::Automation;
use crate::units::{Revision, Time, clean};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `namespace/name`.
pub(super) type Key = Arc<str>;

/// Who an object is for as long as it lives: its `metadata.uid` in 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Uid(u128);

impl Uid {
    /// From the text of the API (FNV-1a, so that any text will do).
    pub(super) fn new(text: &str) -> Uid {
        Uid(text
            .bytes()
            .fold(0x6c62272e07bb014262b821756295c58d, |h, b| (h ^ u128::from(b)).wrapping_mul(0x0000000001000000000000000000013b)))
    }
}

/// A kind of object that is watched.
pub(super) trait Row: Clone + std::fmt::Debug + Send + Sync + Sized + 'static {
    const GROUP: &'static str;
    const VERSION: &'static str;
    const KIND: &'static str;
    const PLURAL: &'static str;
    /// The row from an object's JSON; `None` when the object is of no interest.
    fn read(json: &str) -> Result<Option<Self>, serde_json::Error>;
}

/// An object as it came: its name, and its row or why it has none.
#[derive(Clone, Debug)]
pub(super) struct Seen<R> {
    meta: ObjectMeta,
    /// `namespace/name`.
    pub(super) key: Key,
    /// The row; `Ok(None)` is an object of no interest, `Err` one that could not be read.
    pub(super) row: Result<Option<R>, String>,
}

#[derive(Deserialize)]
struct Head {
    metadata: HeadMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadMeta {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    resource_version: Option<String>,
}

impl<'de, R: Row> Deserialize<'de> for Seen<R> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(d)?.get();
        let odd = |e: serde_json::Error| clean(&format!("{}: {e}", R::PLURAL), 200);
        Ok(match serde_json::from_str::<Head>(raw) {
            Ok(Head { metadata: m }) => Seen {
                key: key(&m.namespace, &m.name),
                row: R::read(raw).map_err(|e| clean(&format!("{} {}/{}: {e}", R::PLURAL, m.namespace, m.name), 200)),
                meta: ObjectMeta {
                    name: Some(m.name),
                    namespace: Some(m.namespace),
                    resource_version: m.resource_version,
                    ..ObjectMeta::default()
                },
            },
            Err(e) => Seen { meta: ObjectMeta::default(), key: Arc::from(""), row: Err(odd(e)) },
        })
    }
}

impl<R: Row> kube::Resource for Seen<R> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;
    fn kind(_: &()) -> Cow<'_, str> {
        R::KIND.into()
    }
    fn group(_: &()) -> Cow<'_, str> {
        R::GROUP.into()
    }
    fn version(_: &()) -> Cow<'_, str> {
        R::VERSION.into()
    }
    fn plural(_: &()) -> Cow<'_, str> {
        R::PLURAL.into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// The key of an object; names are cleaned, since they end on screens.
pub(super) fn key(namespace: &str, name: &str) -> Key {
    Arc::from(clean(&format!("{namespace}/{name}"), 512))
}

/// A time of the API.
pub(super) fn time(text: &Option<String>) -> Option<Time> {
    text.as_deref().and_then(Time::parse)
}

/// A list or a map that may be `null`.
pub(super) fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// A condition of any object's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) last_transition_time: Option<String>,
}

/// The condition of one type.
pub(super) fn condition<'a>(all: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    all.iter().find(|c| c.kind == kind)
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deployment {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) uid: Uid,
    pub(super) created: Time,
    pub(super) generation: i64,
    /// The generation that the controller has seen.
    pub(super) observed: i64,
    pub(super) replicas: u32,
    pub(super) paused: bool,
    /// `spec.strategy` as JSON.
    pub(super) strategy: Box<str>,
    /// Its images: (container, image), in the template's order.
    pub(super) images: Vec<(Arc<str>, Arc<str>)>,
    pub(super) drains: bool,
    /// Pods of the template, of all revisions, and those that serve.
    pub(super) updated: u32,
    pub(super) exist: u32,
    pub(super) available: u32,
    pub(super) ready: u32,
    /// The last word of the `Progressing` condition: (reason, since when).
    pub(super) progressing: Option<(Box<str>, Time)>,
    /// Why pods cannot be created, and since when.
    pub(super) failure: Option<(Box<str>, Time)>,
    /// Who wrote the template last, and when.
    pub(super) changed_by: Option<(Arc<str>, Time)>,
    pub(super) automation: Option<Automation>,
    /// Whether there is a map of annotations to write into.
    pub(super) annotated: bool,
    /// `flightdeck.dev/flight`, as written.
    pub(super) flight: Option<Box<str>>,
    /// `flightdeck.dev/strategy`: the strategy block from before a rollout.
    pub(super) former: Option<Box<str>>,
    /// `flightdeck.dev/stable`: the revision that was seen healthy.
    pub(super) stable: Option<Revision>,
    /// `kubernetes.io/change-cause`.
    pub(super) change_cause: Option<Box<str>>,
    /// Its selector, as a query.
    pub(super) selector: Box<str>,
    /// Its selector's labels; `None` where it has expressions too.
    pub(super) selects: Option<Labels>,
    /// The labels of its pods.
    pub(super) labels: Labels,
    /// `flightdeck.dev/next-of`: the Deployment that it is the second one of.
    pub(super) next_of: Option<Arc<str>>,
    /// `flightdeck.dev/old`: which revision the first one ran when the second was made.
    pub(super) old: Option<Revision>,
    /// That revision's images, as `images_text` writes them: whoever makes the first Deployment anew gives its template another hash.
    pub(super) old_images: Option<Box<str>>,
    /// `deployment.*`: how its owner wants it rolled out.
    pub(super) wanted: Vec<(Box<str>, Box<str>)>,
}

/// Labels, by key.
pub(super) type Labels = Arc<BTreeMap<String, String>>;

/// The annotation on everything that is ours beside a Deployment: its name.
pub(super) const NEXT_OF: &str = "flightdeck.dev/next-of";
/// The annotation that names the revision that the first Deployment ran when the second was made.
pub(super) const OLD: &str = "flightdeck.dev/old";
/// The annotation with its images.
pub(super) const OLD_IMAGES: &str = "flightdeck.dev/old-images";

/// Images by container, as one text.
pub(super) fn images_text<S: AsRef<str>>(images: &[(S, S)]) -> String {
    images.iter().map(|(c, i)| format!("{}={}", c.as_ref(), i.as_ref())).collect::<Vec<_>>().join(",")
}

/// The annotation that keeps the owner's strategy block while a rollout uses its own.
pub(super) const FORMER: &str = "flightdeck.dev/strategy";
/// The annotation that names the revision last seen healthy.
pub(super) const STABLE: &str = "flightdeck.dev/stable";
/// The first word of annotations that say how a workload is rolled out; a `/` in the name makes it another tool's.
const WANTED: &str = "deployment.";
/// So many of them are kept, and so many characters of each; a longer value is wrong in any case.
const MOST_WANTED: (usize, usize) = (32, 256);
/// The annotation of `kubectl rollout history`.
pub(super) const CAUSE: &str = "kubernetes.io/change-cause";

#[derive(Deserialize)]
struct DeploymentIn {
    metadata: Meta,
    spec: DeploymentSpec,
    #[serde(default)]
    status: DeploymentStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentSpec {
    replicas: Option<u32>,
    #[serde(default)]
    paused: bool,
    strategy: Option<Box<RawValue>>,
    #[serde(default)]
    selector: Selector,
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    #[serde(deserialize_with = "or_empty")]
    match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_empty")]
    match_expressions: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct DeploymentStatus {
    observed_generation: i64,
    replicas: u32,
    updated_replicas: u32,
    ready_replicas: u32,
    available_replicas: u32,
    #[serde(deserialize_with = "or_empty")]
    conditions: Vec<Condition>,
}

impl Row for Deployment {
    const GROUP: &'static str = "apps";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Deployment";
    const PLURAL: &'static str = "deployments";

    fn read(json: &str) -> Result<Option<Self>, serde_json::Error> {
        let DeploymentIn { metadata: m, spec, status } = serde_json::from_str(json)?;
        let created = time(&m.creation_timestamp).unwrap_or_default();
        let at = |c: &Condition| time(&c.last_transition_time).unwrap_or(created);
        let note = |name: &str| m.annotations.get(name).map(|v| v.as_str().into());
        let selector: Vec<String> = spec.selector.match_labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        Ok(Some(Deployment {
            namespace: clean(&m.namespace, 253).into(),
            name: clean(&m.name, 253).into(),
            uid: Uid::new(&m.uid),
            created,
            generation: m.generation,
            observed: status.observed_generation,
            replicas: spec.replicas.unwrap_or(1),
            paused: spec.paused,
            strategy: spec.strategy.as_ref().map_or("{}", |s| s.get()).into(),
            images: spec.template.images(),
            drains: spec.template.drains(),
            updated: status.updated_replicas,
            exist: status.replicas,
            available: status.available_replicas,
            ready: status.ready_replicas,
            progressing: condition(&status.conditions, "Progressing").map(|c| (clean(&c.reason, 100).into(), at(c))),
            failure: condition(&status.conditions, "ReplicaFailure")
                .filter(|c| c.status == "True")
                .map(|c| (clean(&c.message, 400).into(), at(c))),
            changed_by: ManagedFields::template(&m.managed_fields),
            automation: super::automation::of(&m),
            annotated: !m.annotations.is_empty(),
            flight: note(FLIGHT),
            former: note(FORMER),
            stable: m.annotations.get(STABLE).map(|v| Revision::new(clean(v, 63))),
            change_cause: note(CAUSE),
            wanted: wanted(&m.annotations),
            selector: selector.join(",").into(),
            selects: spec.selector.match_expressions.is_empty().then(|| Arc::new(spec.selector.match_labels)),
            labels: Arc::new(spec.template.labels()),
            next_of: m.annotations.get(NEXT_OF).map(|v| clean(v, 253).into()),
            old: m.annotations.get(OLD).map(|v| Revision::new(clean(v, 63))),
            old_images: note(OLD_IMAGES),
        }))
    }
}

fn wanted(annotations: &std::collections::BTreeMap<String, String>) -> Vec<(Box<str>, Box<str>)> {
    let ours = annotations.iter().filter(|(name, _)| name.starts_with(WANTED) && !name.contains('/'));
    ours.take(MOST_WANTED.0).map(|(name, value)| (clean(name, 100).into(), clean(value, MOST_WANTED.1).into())).collect()
}

/// A ReplicaSet of a Deployment: one revision.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Set {
    /// Its Deployment.
    pub(super) owner: Uid,
    pub(super) uid: Uid,
    pub(super) name: Arc<str>,
    pub(super) hash: Revision,
    pub(super) number: Option<u64>,
    pub(super) created: Time,
    pub(super) want: u32,
    pub(super) exist: u32,
    pub(super) ready: u32,
    pub(super) images: Vec<(Arc<str>, Arc<str>)>,
    pub(super) failure: Option<(Box<str>, Time)>,
    pub(super) door: Door,
}

#[derive(Deserialize)]
struct SetIn {
    metadata: Meta,
    spec: SetSpec,
    #[serde(default)]
    status: SetStatus,
}

#[derive(Deserialize)]
struct SetSpec {
    replicas: Option<u32>,
    #[serde(default)]
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SetStatus {
    replicas: u32,
    ready_replicas: u32,
    #[serde(deserialize_with = "or_empty")]
    conditions: Vec<Condition>,
}

impl Row for Set {
    const GROUP: &'static str = "apps";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "ReplicaSet";
    const PLURAL: &'static str = "replicasets";

    fn read(json: &str) -> Result<Option<Self>, serde_json::Error> {
        let SetIn { metadata: m, spec, status } = serde_json::from_str(json)?;
        let (Some(owner), Some(hash)) = (m.controller("Deployment"), m.labels.get("pod-template-hash")) else {
            return Ok(None);
        };
        let created = time(&m.creation_timestamp).unwrap_or_default();
        Ok(Some(Set {
            owner,
            uid: Uid::new(&m.uid),
            name: clean(&m.name, 253).into(),
            hash: Revision::new(clean(hash, 63)),
            number: m.annotations.get("deployment.kubernetes.io/revision").and_then(|n| n.parse().ok()),
            created,
            want: spec.replicas.unwrap_or(1),
            exist: status.replicas,
            ready: status.ready_replicas,
            images: spec.template.images(),
            failure: condition(&status.conditions, "ReplicaFailure")
                .filter(|c| c.status == "True")
                .map(|c| (clean(&c.message, 400).into(), time(&c.last_transition_time).unwrap_or(created))),
            door: spec.template.door(),
        }))
    }
}

/// A pod of a ReplicaSet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pod {
    /// Its ReplicaSet.
    pub(super) set: Uid,
    pub(super) created: Time,
    pub(super) ready: bool,
    /// When it became ready, while it is.
    pub(super) ready_at: Option<Time>,
    /// Since when all its containers run, while they do.
    pub(super) runs_since: Option<Time>,
    pub(super) restarts: u32,
    /// It is being deleted.
    pub(super) going: bool,
    /// A container that runs and is not ready.
    pub(super) unready: Option<Box<str>>,
    pub(super) trouble: Option<Box<PodTrouble>>,
}

#[derive(Deserialize)]
struct PodIn {
    metadata: PodMeta,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodMeta {
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "or_empty")]
    owner_references: Vec<super::automation::Owner>,
}

impl Row for Pod {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";

    fn read(json: &str) -> Result<Option<Self>, serde_json::Error> {
        let PodIn { metadata: m, status } = serde_json::from_str(json)?;
        let Some(set) = m.owner_references.iter().find(|o| o.controller && o.kind == "ReplicaSet") else { return Ok(None) };
        if matches!(status.phase.as_str(), "Succeeded" | "Failed") {
            return Ok(None);
        }
        let created = time(&m.creation_timestamp).unwrap_or_default();
        let ready = condition(&status.conditions, "Ready");
        let is_ready = ready.is_some_and(|c| c.status == "True");
        Ok(Some(Pod {
            set: Uid::new(&set.uid),
            created,
            ready: is_ready,
            ready_at: ready.filter(|_| is_ready).and_then(|c| time(&c.last_transition_time)),
            runs_since: status.runs_since(),
            restarts: status.restarts(),
            going: m.deletion_timestamp.is_some(),
            unready: status.unready().map(|n| clean(n, 63).into()),
            trouble: if is_ready { None } else { PodTrouble::of(&status, created).map(Box::new) },
        }))
    }
}

/// An EndpointSlice: which pods get requests through a Service.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slice {
    /// (`namespace/pod`, whether requests are sent to it).
    pub(super) pods: Vec<(Key, bool)>,
}

#[derive(Deserialize)]
struct SliceIn {
    metadata: HeadMeta,
    #[serde(default, deserialize_with = "or_empty")]
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    target_ref: Option<Target>,
    #[serde(default)]
    conditions: EndpointConditions,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize, Default)]
struct EndpointConditions {
    ready: Option<bool>,
}

impl Row for Slice {
    const GROUP: &'static str = "discovery.k8s.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "EndpointSlice";
    const PLURAL: &'static str = "endpointslices";

    fn read(json: &str) -> Result<Option<Self>, serde_json::Error> {
        let SliceIn { metadata: m, endpoints } = serde_json::from_str(json)?;
        let pods: Vec<(Key, bool)> = endpoints
            .iter()
            .filter_map(|e| {
                let pod = e.target_ref.as_ref().filter(|t| t.kind == "Pod")?;
                // "Unknown" counts as ready: so does every proxy.
                Some((key(&m.namespace, &pod.name), e.conditions.ready.unwrap_or(true)))
            })
            .collect();
        Ok((!pods.is_empty()).then_some(Slice { pods }))
    }
}
