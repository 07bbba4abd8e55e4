//! All slim rows of one region, and which workloads a change touches.
//!
//! A plain index: watch events go in as apply, remove and sweep, rows of workloads come out. Knows no connection. Known weakness:
//! a pod of a ReplicaSet that is not listed (its Deployment may not be seen) is kept without use.

use super::beside::{Around, Scene, Selecting};
use super::objects::{Deployment, Key, Pod, Set, Slice, Uid};
use super::rights::Beside as Rights;
use super::route::Route;
use super::rows::{Parts, Second, SetParts, canonical, slow, workload};
use super::service::Service;
use super::sights::{PodSight, Sight};
use super::trouble::Sort;
use crate::fleet::Workload;
use crate::units::{Percent, Region, Time};
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
    services: Table<Service>,
    routes: Table<Route>,
    /// Keys per namespace: Deployments, Services, routes.
    inside: HashMap<String, [Vec<Key>; 3]>,
    /// What was found out about a namespace on the side.
    pub(super) asides: HashMap<String, Aside>,
    /// Since when the split of a Deployment with a second one has stood as it is.
    stands: HashMap<Uid, ((Option<Percent>, bool), Time)>,
    deployment_of: HashMap<Uid, Key>,
    sets_of: HashMap<Uid, Vec<Key>>,
    set_of: HashMap<Uid, Key>,
    pods_of: HashMap<Uid, Vec<Key>>,
    /// How many slices name a pod, and in how many of them it gets requests.
    served: HashMap<Key, (u16, u16)>,
    dirty: HashSet<Uid>,
    /// Namespaces in which every workload has to be made again.
    dirty_inside: HashSet<String>,
    gone: Vec<Deployment>,
    /// Whether pods are complete, EndpointSlices, and Services.
    pub(super) pods_known: bool,
    pub(super) slices_known: bool,
    pub(super) services_known: bool,
}

/// What was found out about a namespace on the side.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// What a second Deployment needs and is denied.
    pub(super) rights: Rights,
    /// What of others selects pods there.
    pub(super) others: Vec<Selecting>,
    /// What is denied could not be asked: it is asked again.
    pub(super) again: bool,
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
    /// Every workload in a namespace has to be made again.
    pub(super) fn touch_inside(&mut self, namespace: &str) {
        self.dirty_inside.insert(namespace.to_owned());
    }
    /// The workloads that changed since the last call. One that became the second of another counts as that one.
    pub(super) fn take_dirty(&mut self) -> Vec<Uid> {
        let mut dirty = std::mem::take(&mut self.dirty);
        for namespace in std::mem::take(&mut self.dirty_inside) {
            dirty.extend(self.deployments_in(&namespace).map(|d| d.uid));
        }
        let homes: HashSet<Uid> = dirty.into_iter().filter_map(|uid| Some(self.home_of(uid)?.uid)).collect();
        homes.into_iter().collect()
    }
    /// The Deployments that went since the last call and did not come back under their name, and those that became the second
    /// of another.
    pub(super) fn take_gone(&mut self) -> Vec<Deployment> {
        let gone = std::mem::take(&mut self.gone);
        let is_row =
            |d: &Deployment| self.by_name(&d.namespace, &d.name).is_some_and(|d| self.home_of(d.uid).is_some_and(|h| h.uid == d.uid));
        gone.into_iter().filter(|d| !is_row(d)).collect()
    }
    /// The Deployment in whose row one is: itself, or the one that it is the second of.
    fn home_of(&self, uid: Uid) -> Option<&Deployment> {
        let d = self.deployments.get(self.deployment_of.get(&uid)?)?;
        let first = d.next_of.as_deref().and_then(|first| self.by_name(&d.namespace, first));
        Some(first.filter(|first| second_of(first) == *d.name).unwrap_or(d))
    }
    /// The second one of a Deployment.
    fn next_of(&self, d: &Deployment) -> Option<&Deployment> {
        self.by_name(&d.namespace, &second_of(d)).filter(|n| n.next_of.as_deref() == Some(&*d.name))
    }
    fn deployments_in(&self, namespace: &str) -> impl Iterator<Item = &Deployment> {
        self.inside.get(namespace).into_iter().flat_map(|i| &i[0]).filter_map(|key| self.deployments.get(key))
    }
    fn services_in(&self, namespace: &str) -> impl Iterator<Item = &Service> {
        self.inside.get(namespace).into_iter().flat_map(|i| &i[1]).filter_map(|key| self.services.get(key))
    }
    /// What stands around a Deployment.
    fn scene(&self, d: &Deployment) -> Scene {
        let keys = |i: usize| self.inside.get(&*d.namespace).into_iter().flat_map(move |all| &all[i]);
        let around = Around {
            services: self.services_in(&d.namespace).collect(),
            routes: keys(2).filter_map(|key| self.routes.get(key)).collect(),
            deployments: self.deployments_in(&d.namespace).collect(),
            known: self.services_known,
            rights: self.asides.get(&*d.namespace).map(|a| &a.rights),
            since: self.stands.get(&d.uid).map(|(_, at)| *at),
        };
        Scene::of(d, self.next_of(d), &around)
    }
    /// Notes how the traffic of a workload is divided now, for the drain to be counted from.
    pub(super) fn note_split(&mut self, uid: Uid, now: Time) {
        let split = self.deployment_of.get(&uid).and_then(|key| self.deployments.get(key)).and_then(|d| {
            self.next_of(d)?;
            Some(self.scene(d).stands())
        });
        match split {
            Some(split) if self.stands.get(&uid).is_none_or(|(before, _)| *before != split) => {
                self.stands.insert(uid, (split, now));
            }
            Some(_) => {}
            None => {
                self.stands.remove(&uid);
            }
        }
    }
    /// A Deployment by its name.
    pub(super) fn by_name(&self, namespace: &str, name: &str) -> Option<&Deployment> {
        self.deployments.get(&format!("{namespace}/{name}"))
    }
    /// The namespaces that have Deployments.
    pub(super) fn namespaces(&self) -> HashSet<&str> {
        self.deployments.rows.values().map(|(_, d)| &*d.namespace).collect()
    }
    /// How many rows there are: Deployments, ReplicaSets, pods, EndpointSlices, Services, routes.
    pub(super) fn counts(&self) -> [usize; 6] {
        let (services, routes) = (self.services.rows.len(), self.routes.rows.len());
        [self.deployments.rows.len(), self.sets.rows.len(), self.pods.rows.len(), self.slices.rows.len(), services, routes]
    }

    /// All that is known of one Deployment, and of the second one beside it.
    pub(super) fn parts<'a>(&'a self, uid: Uid, region: &'a Region, now: Time) -> Option<Parts<'a>> {
        let deployment = self.deployments.get(self.deployment_of.get(&uid)?)?;
        let second = self.next_of(deployment).map(|d| Second { deployment: d, sets: self.sets_with_pods(d.uid) });
        let scene = self.scene(deployment);
        let others = self.asides.get(&*deployment.namespace).map_or(&[][..], |a| &a.others);
        let services: Vec<&Service> = self.services_in(&deployment.namespace).collect();
        let divider = scene.divider(others, &services, deployment);
        Some(Parts { region, deployment, sets: self.sets_with_pods(uid), second, scene, divider, pods_known: self.pods_known, now })
    }
    fn sets(&self, owner: Uid) -> impl Iterator<Item = &Set> {
        self.sets_of.get(&owner).into_iter().flatten().filter_map(|key| self.sets.get(key))
    }
    fn sets_with_pods(&self, owner: Uid) -> Vec<SetParts<'_>> {
        self.sets(owner).map(|set| SetParts { set, pods: self.pods_of(set.uid).map(|(_, pod, served)| (pod, served)).collect() }).collect()
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
        let second = self.next_of(&deployment);
        let own = self.sets(uid).map(|s| (s, false));
        let sets: Vec<(&Set, bool)> = own.chain(second.iter().flat_map(|d| self.sets(d.uid)).map(|s| (s, true))).collect();
        let known = canonical(&sets.iter().map(|(s, _)| *s).collect::<Vec<_>>(), second);
        let revision = |set: &Set| known.get(&set.uid).unwrap_or(&set.hash).clone();
        let pods = sets.iter().flat_map(|(set, next)| self.pods_of(set.uid).map(move |found| (*set, *next, found)));
        let pods = pods.filter(|(_, _, (_, pod, _))| !pod.going).map(|(set, next, (key, pod, served))| PodSight {
            name: key.split('/').next_back().unwrap_or_default().into(),
            revision: revision(set),
            next,
            ready: pod.ready && served.unwrap_or(true),
            served: served.filter(|_| self.slices_known),
            trouble: pod.trouble.as_ref().map(|t| t.cause.clone()),
            young_until: pod.runs_since.unwrap_or(pod.created) + slow,
        });
        Some(Sight {
            pods: pods.collect(),
            sets: sets.iter().map(|(s, _)| (revision(s), s.name.clone(), s.door.clone())).collect(),
            scene: self.scene(&deployment),
            slices_known: self.slices_known,
            row,
            deployment,
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

/// The name of the second one of a Deployment.
fn second_of(d: &Deployment) -> String {
    format!("{}{}", d.name, super::beside::NEXT)
}

/// Notes a key of a namespace.
fn note_inside(index: &mut Index, namespace: &str, kind: usize, key: &Key, came: bool) {
    let keys = &mut index.inside.entry(namespace.to_owned()).or_default()[kind];
    if came {
        keys.push(key.clone());
    } else {
        keys.retain(|k| k != key);
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
        note_inside(index, &row.namespace, 0, key, came);
        // Not its name: a row that is lent out is found by none.
        if let Some(first) = row.next_of.as_deref().and_then(|first| index.by_name(&row.namespace, first)).map(|d| d.uid) {
            index.dirty.insert(first);
            index.gone.push(row.clone());
        }
        if let Some(second) = index.by_name(&row.namespace, &second_of(row)).map(|d| d.uid) {
            index.dirty.insert(second);
        }
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

impl Kept for Service {
    fn table(index: &mut Index) -> &mut Table<Self> {
        &mut index.services
    }
    fn touch(index: &mut Index, key: &Key, row: &Self, came: bool) {
        note_inside(index, &row.namespace, 1, key, came);
        index.touch_inside(&row.namespace);
    }
}

impl Kept for Route {
    fn table(index: &mut Index) -> &mut Table<Self> {
        &mut index.routes
    }
    fn touch(index: &mut Index, key: &Key, row: &Self, came: bool) {
        note_inside(index, &row.namespace, 2, key, came);
        index.touch_inside(&row.namespace);
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
