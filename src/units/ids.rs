//! Names that must not be mixed up.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// The name from its text.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }
            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $Name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
        impl Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Ok(Self(Arc::from(String::deserialize(d)?)))
            }
        }
    };
}

name!(
    /// One configured line of a fleet: a context and its namespaces; in practice a simulated region.
    Region
);
name!(
    /// What one API server answers for.
    ClusterId
);
name!(
    /// A Kubernetes namespace.
    Namespace
);
name!(
    /// The identity of a version: a pod-template-hash; in the simulator `v42`.
    Revision
);
name!(
    /// What a version is called on screen; never an identity.
    Version
);
name!(
    /// A rollout, such as `order-service-3f9k2m7q`.
    RolloutId
);
name!(
    /// A rollout's part in one workload: the region's name (saga: `service/region`).
    LegId
);
name!(
    /// Who pressed the key: `mara`, or `mara@laptop`.
    Person
);

/// A service: the same name in all regions of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Service {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its name.
    pub name: Arc<str>,
}

impl Service {
    /// The service `name` in `namespace`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: Namespace::new(namespace), name: Arc::from(name) }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// A workload: region, namespace, kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkloadId {
    /// The region it runs in.
    pub region: Region,
    /// Its namespace.
    pub namespace: Namespace,
    /// `Deployment`, or what the engine calls it.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.region, self.namespace, self.name)
    }
}

/// Rises with each take-over and each rollback; a write with a lower one is refused by the fence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(pub u64);

impl Term {
    /// The term after this one.
    pub fn next(self) -> Term {
        Term(self.0 + 1)
    }
}
