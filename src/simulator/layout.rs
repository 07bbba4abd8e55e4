//! What the simulated fleet consists of: regions, services, pods, rates.
//!
//! The figures are those of the product's pictures. Known weakness: all regions follow one daily wave, as if all users lived
//! in one time zone.

use crate::fleet::Role;
use crate::units::{Percent, Region, Revision, Service, Span, Time, Version};
use std::sync::Arc;

/// When a simulated fleet opens: 2026-01-05T09:00:00Z.
pub const START: Time = Time(1_767_603_600_000);
/// The namespace of all services.
pub const NAMESPACE: &str = "shop";
/// The container whose image changes.
pub const CONTAINER: &str = "app";

/// One simulated region.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionPlan {
    /// Its name.
    pub name: Region,
    /// What it is for.
    pub role: Role,
    /// Its share of the users.
    pub users: Percent,
}

/// One simulated service, the same in all regions.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicePlan {
    /// Its name.
    pub name: Arc<str>,
    /// The number of the version that runs: 41 is `v41`.
    pub runs: u32,
    /// Requests per second over all regions at the middle of the day's wave.
    pub requests: f64,
    /// Failed requests between bursts, a part of one.
    pub errors: f64,
    /// Median latency in milliseconds.
    pub median: f64,
    /// 99th percentile of latency in milliseconds.
    pub p99: f64,
    /// Pods per region.
    pub pods: Vec<u32>,
    /// How long a pod usually takes from start to ready.
    pub start: Span,
    /// Whether pods wait before they go; without it a removed pod loses requests.
    pub drains: bool,
}

impl ServicePlan {
    /// Its full name.
    pub fn service(&self) -> Service {
        Service::new(NAMESPACE, &self.name)
    }
    /// What version `number` is called.
    pub fn version(number: u32) -> Version {
        Version::new(format!("v{number}"))
    }
    /// The identity of version `number`.
    pub fn revision(number: u32) -> Revision {
        Revision::new(format!("v{number}"))
    }
    /// The image of a version.
    pub fn image(&self, version: &Version) -> String {
        image(&self.name, version)
    }
    /// The versions that the registry has, newest first: the next one, the one that runs and two older ones.
    pub fn versions(&self) -> Vec<Version> {
        (self.runs.saturating_sub(2)..=self.runs + 1).rev().map(Self::version).collect()
    }
}

/// The image of a version of a service.
pub(super) fn image(service: &str, version: &Version) -> String {
    format!("{NAMESPACE}/{service}:{version}")
}

/// A whole fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Its regions.
    pub regions: Vec<RegionPlan>,
    /// Its services.
    pub services: Vec<ServicePlan>,
    /// How long it runs before `START`, so that charts have a past.
    pub warm_up: Span,
}

impl Layout {
    /// The reference fleet: 3 regions, 8 services, 240 pods, 10 minutes of past.
    pub fn reference() -> Layout {
        let region = |name, role, users| RegionPlan { name: Region::new(name), role, users: Percent::whole(users) };
        #[rustfmt::skip]
        let services = [
            // name                runs requests errors median p99    pods         start drains
            ("authentication",      33,   610.0, 0.0004,  14.0,  48.0, [18,  6,  6], 3000, true),
            ("catalogue",          102, 1_220.0, 0.0012,  34.0, 122.0, [27,  9,  9], 4500, true),
            ("search",              77,   930.0, 0.0022,  58.0, 210.0, [28, 10, 10], 6000, true),
            ("checkout",            18,   305.0, 0.0028,  46.0, 138.0, [18,  6,  6], 4000, true),
            ("order-service",       41,   240.0, 0.0018,  44.0, 138.0, [18,  6,  6], 4000, true),
            ("payment-service",     18,   231.0, 0.0009,  61.0, 184.0, [14,  5,  5], 5000, true),
            ("inventory-service",    9,   402.0, 0.0015,  22.0,  77.0, [ 9,  4,  3], 3500, false),
            ("shipping-service",    21,   118.0, 0.0011,  52.0, 164.0, [ 9,  4,  4], 3500, false),
        ];
        Layout {
            regions: vec![
                region("us-east-1", Role::Primary, 62),
                region("us-west-2", Role::Replica, 21),
                region("eu-west-1", Role::Replica, 17),
            ],
            services: services
                .into_iter()
                .map(|(name, runs, requests, errors, median, p99, pods, start, drains)| ServicePlan {
                    name: Arc::from(name),
                    runs,
                    requests,
                    errors,
                    median,
                    p99,
                    pods: pods.to_vec(),
                    start: Span(start),
                    drains,
                })
                .collect(),
            warm_up: Span::mins(10),
        }
    }
    /// A service by its name.
    pub fn service(&self, name: &str) -> Option<&ServicePlan> {
        self.services.iter().find(|s| *s.name == *name)
    }
    /// Where a fleet of this layout begins.
    pub fn begins(&self) -> Time {
        START - self.warm_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_fleet_has_240_pods_and_all_users() {
        let fleet = Layout::reference();
        assert_eq!(fleet.services.iter().flat_map(|s| &s.pods).sum::<u32>(), 240);
        assert_eq!(fleet.regions.iter().fold(Percent::ZERO, |sum, r| sum.plus(r.users)), Percent::ALL);
        assert_eq!(fleet.service("order-service").unwrap().pods, [18, 6, 6]);
        assert_eq!(START.to_string(), "2026-01-05T09:00:00.000Z");
    }
}
