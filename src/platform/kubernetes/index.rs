//! All slim rows of one region, and which workloads a change touches.
//!
//! A plain index: watch events go in as apply, remove and sweep, rows of workloads come out. Knows no connection. Known weakness:
//! a pod of a ReplicaSet that is not listed (its Deployment may not be seen) is kept without use.

use super::objects::{Deployment, Key, Pod, Set, Slice, Uid};
use super::rows::{Parts, SetParts, slow, workload};
use super::sights::{PodSight, Sight};
use super::trouble::Sort;
use crate::fleet::Workload;
use crate::units::{Region, Time};
use std::collections::{HashMap, HashSet};

/// Rows of one kind. Each remembers when it was last seen, so that a list that is complete can sweep the rest away.
#[derive(Debug)]
pub(super) struct Table<R> {
    rows: HashMap<Key, (u32, R)>,
    /// Rises with every list that begins.
    lists: u32,
    /// Which list of a namespace (of all, when empty) began last.
    begun: HashMap<String, u32>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { rows: HashMap::new(), lists: 0, begun: HashMap::new() }
    }
}

impl<R> Table<R> {
    fn get(&self, key: &str) -> Option<&R> {
        self.rows.get(key).map(|(_, row)| row)
    }
    /// The keys in a namespace (all, when empty) that were not seen since its list began.
    fn unseen(&self, namespace: &str) -> Vec<Key> {
        let begun = self.begun.get(namespace).copied().unwrap_or(0);
        let inside = |key: &str| namespace.is_empty() || key.split('/').next() == Some(namespace);
        self.rows.iter().filter(|(key, (seen, _))| *seen < begun && inside(key)).map(|(key, _)| key.clone()).collect()
    }
}

/// A kind of object that the index keeps.
pub(super) trait Kept: Sized {
    fn table(index: &mut Index) -> &mut Table<Self>;
    /// Notes what a row that came or went touches.
    fn touch(index: &mut Index, key: &Key, row: &Self, came: bool);
    /// What of the row before still holds.
    fn settle(&mut self, _before: &Self) {}
}

/// The rows of one region.
#[derive(Debug, Default)]
pub(super) struct Index {
    deployments: Table<Deployment>,
    sets: Table<Set>,
    pods: Table<Pod>,
    slices: Table<Slice>,
    deployment_of: HashMap<Uid, Key>,
    sets_of: HashMap<Uid, Vec<Key>>,
    set_of: HashMap<Uid, Key>,
    pods_of: HashMap<Uid, Vec<Key>>,
    /// How many slices name a pod, and in how many of them it gets requests.
    served: HashMap<Key, (u16, u16)>,
    dirty: HashSet<Uid>,
    gone: Vec<Deployment>,
    /// Whether pods are complete, and EndpointSlices.
    pub(super) pods_known: bool,
    pub(super) slices_known: bool,
}

impl Index {
    /// A list of a namespace (of all, when empty) began.
    pub(super) fn begin<R: Kept>(&mut self, namespace: &str) {
        let table = R::table(self);
        table.lists += 1;
        table.begun.insert(namespace.to_owned(), table.lists);
    }
    /// An object is as it is now.
    pub(super) fn apply<R: Kept + PartialEq>(&mut self, key: Key, mut row: R) {
        let table = R::table(self);
        let seen = table.lists;
        if let Some(before) = table.get(&key) {
            row.settle(before);
        }
        let old = match table.rows.get_mut(&key) {
            Some(entry) if entry.1 == row => {
                entry.0 = seen;
                return;
            }
            Some(entry) => Some(std::mem::replace(entry, (seen, row)).1),
            None => {
                table.rows.insert(key.clone(), (seen, row));
                None
            }
        };
        if let Some(old) = old {
            R::touch(self, &key, &old, false);
        }
        // The row is lent out for a moment, since noting it changes the index around it.
        if let Some((seen, row)) = R::table(self).rows.remove(&key) {
            R::touch(self, &key, &row, true);
            R::table(self).rows.insert(key, (seen, row));
        }
    }
    /// An object is gone.
    pub(super) fn remove<R: Kept>(&mut self, key: &Key) {
        if let Some((_, row)) = R::table(self).rows.remove(key) {
            R::touch(self, key, &row, false);
        }
    }
    /// A list of a namespace (of all when empty) is complete: what it did not name is gone.
    pub(super) fn sweep<R: Kept>(&mut self, namespace: &str) {
        for key in R::table(self).unseen(namespace) {
            self.remove::<R>(&key);
        }
    }
    /// Every workload has to be made again.
    pub(super) fn touch_all(&mut self) {
        self.dirty.extend(self.deployment_of.keys());
    }
    /// One workload has to be made again.
    pub(super) fn touch_one(&mut self, uid: Uid) {
        self.dirty.insert(uid);
    }
    /// The workloads that changed since the last call.
    pub(super) fn take_dirty(&mut self) -> Vec<Uid> {
        self.dirty.drain().collect()
    }
    /// The Deployments that went since the last call and did not come back under their name.
    pub(super) fn take_gone(&mut self) -> Vec<Deployment> {
        let gone = std::mem::take(&mut self.gone);
        gone.into_iter().filter(|d| self.by_name(&d.namespace, &d.name).is_none()).collect()
    }
    /// A Deployment by its name.
    pub(super) fn by_name(&self, namespace: &str, name: &str) -> Option<&Deployment> {
        self.deployments.get(&format!("{namespace}/{name}"))
    }
    /// The namespaces that have Deployments.
    pub(super) fn namespaces(&self) -> HashSet<&str> {
        self.deployments.rows.values().map(|(_, d)| &*d.namespace).collect()
    }
    /// How many rows there are: Deployments, ReplicaSets, pods, EndpointSlices.
    pub(super) fn counts(&self) -> [usize; 4] {
        [self.deployments.rows.len(), self.sets.rows.len(), self.pods.rows.len(), self.slices.rows.len()]
    }

    /// All that is known of one Deployment.
    pub(super) fn parts<'a>(&'a self, uid: Uid, region: &'a Region, now: Time) -> Option<Parts<'a>> {
        let deployment = self.deployments.get(self.deployment_of.get(&uid)?)?;
        let none = Vec::new();
        let sets = self
            .sets_of
            .get(&uid)
            .unwrap_or(&none)
            .iter()
            .filter_map(|key| self.sets.get(key))
            .map(|set| SetParts { set, pods: self.pods_of(set.uid).map(|(_, pod, served)| (pod, served)).collect() })
            .collect();
        Some(Parts { region, deployment, sets, pods_known: self.pods_known, now })
    }
    /// The pods of a ReplicaSet: key, pod, and what the EndpointSlices say of it.
    pub(super) fn pods_of(&self, set: Uid) -> impl Iterator<Item = (&Key, &Pod, Option<bool>)> {
        self.pods_of.get(&set).into_iter().flatten().filter_map(|key| {
            let served = self.served.get(key).filter(|_| self.slices_known).map(|(_, ready)| *ready > 0);
            Some((key, self.pods.get(key)?, served))
        })
    }
    /// The row of a workload, and when it has to be made again although nothing changed.
    pub(super) fn workload(&self, uid: Uid, region: &Region, now: Time) -> Option<(Workload, Option<Time>)> {
        Some(workload(self.parts(uid, region, now)?))
    }
    /// A workload with what driving and counting it needs.
    pub(super) fn sight(&self, uid: Uid, row: Workload) -> Option<Sight> {
        let deployment = self.deployments.get(self.deployment_of.get(&uid)?)?.clone();
        let slow = slow(row.start_takes);
        let sets: Vec<&Set> = self.sets_of.get(&uid).into_iter().flatten().filter_map(|key| self.sets.get(key)).collect();
        let pods = sets.iter().flat_map(|set| self.pods_of(set.uid).map(move |found| (*set, found)));
        let pods = pods.filter(|(_, (_, pod, _))| !pod.going).map(|(set, (key, pod, served))| PodSight {
            name: key.split('/').next_back().unwrap_or_default().into(),
            revision: set.hash.clone(),
            ready: pod.ready && served.unwrap_or(true),
            trouble: pod.trouble.as_ref().map(|t| t.cause.clone()),
            young_until: pod.runs_since.unwrap_or(pod.created) + slow,
        });
        Some(Sight {
            row,
            deployment,
            pods: pods.collect(),
            sets: sets.iter().map(|s| (s.hash.clone(), s.name.clone(), s.door.clone())).collect(),
        })
    }

    fn touch_pod(&mut self, key: &str) {
        if let Some(uid) = self.pods.get(key).map(|p| p.set) {
            self.touch_set(uid);
        }
    }
    fn touch_set(&mut self, set: Uid) {
        if let Some(owner) = self.set_of.get(&set).and_then(|key| self.sets.get(key)).map(|s| s.owner) {
            self.dirty.insert(owner);
        }
    }
}

fn note(map: &mut HashMap<Uid, Vec<Key>>, uid: Uid, key: &Key, came: bool) {
    let keys = map.entry(uid).or_default();
    if came {
        keys.push(key.clone());
    } else {
        keys.retain(|k| k != key);
        if keys.is_empty() {
            map.remove(&uid);
        }
    }
}

impl Kept for Deployment {
    fn table(index: &mut Index) -> &mut Table<Self> {
        &mut index.deployments
    }
    fn touch(index: &mut Index, key: &Key, row: &Self, came: bool) {
        if came {
            index.deployment_of.insert(row.uid, key.clone());
            index.dirty.insert(row.uid);
        } else {
            index.deployment_of.remove(&row.uid);
            index.gone.push(row.clone());
        }
    }
}

impl Kept for Set {
    fn table(index: &mut Index) -> &mut Table<Self> {
        &mut index.sets
    }
    fn touch(index: &mut Index, key: &Key, row: &Self, came: bool) {
        note(&mut index.sets_of, row.owner, key, came);
        if came {
            index.set_of.insert(row.uid, key.clone());
        } else {
            index.set_of.remove(&row.uid);
        }
        index.dirty.insert(row.owner);
    }
}

impl Kept for Pod {
    fn table(index: &mut Index) -> &mut Table<Self> {
        &mut index.pods
    }
    fn touch(index: &mut Index, key: &Key, row: &Self, came: bool) {
        note(&mut index.pods_of, row.set, key, came);
        index.touch_set(row.set);
    }
    /// A back-off says only that an image could not be pulled; the pull before it said why.
    fn settle(&mut self, before: &Self) {
        if let (Some(now), Some(was)) = (&mut self.trouble, &before.trouble)
            && (now.sort, now.exact, was.sort, was.exact) == (Sort::Image, false, Sort::Image, true)
        {
            now.clone_from(was);
        }
    }
}

impl Kept for Slice {
    fn table(index: &mut Index) -> &mut Table<Self> {
        &mut index.slices
    }
    fn touch(index: &mut Index, _: &Key, row: &Self, came: bool) {
        for (pod, ready) in &row.pods {
            let key = index.pods.rows.get_key_value(pod).map_or(pod, |(key, _)| key).clone();
            let (named, serving) = index.served.entry(key.clone()).or_default();
            let by = u16::from(*ready);
            if came {
                (*named, *serving) = (named.saturating_add(1), serving.saturating_add(by));
            } else {
                (*named, *serving) = (named.saturating_sub(1), serving.saturating_sub(by));
            }
            if *named == 0 {
                index.served.remove(&key);
            }
            index.touch_pod(&key);
        }
    }
}
