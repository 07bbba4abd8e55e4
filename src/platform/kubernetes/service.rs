//! Services as slim rows: whose pods they send to.
//!
//! Knows no workload. A Service without a selector is of no interest: nobody can say where it sends.

use super::automation::Meta;
use super::fence::FLIGHT;
use super::objects::{Labels, NEXT_OF, Row, or_empty};
use crate::units::clean;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The annotation of a Service whose selector is switched: the Deployment that it belongs to.
pub(super) const SPLIT_OF: &str = "flightdeck.dev/split-of";

/// A Service with a selector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Service {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) selector: Labels,
    /// Whether there is a map of annotations to write into.
    pub(super) annotated: bool,
    /// The fence, as written.
    pub(super) flight: Option<Box<str>>,
    /// The Deployment whose second one it sends to: it is ours.
    pub(super) next_of: Option<Arc<str>>,
    /// The Deployment that it belongs to while its selector is ours to switch.
    pub(super) split_of: Option<Arc<str>>,
}

impl Service {
    /// Whether it sends to pods with these labels.
    pub(super) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

#[derive(Deserialize)]
struct ServiceIn {
    metadata: Meta,
    #[serde(default)]
    spec: ServiceSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ServiceSpec {
    #[serde(deserialize_with = "or_empty")]
    selector: BTreeMap<String, String>,
    r#type: String,
}

impl Row for Service {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Service";
    const PLURAL: &'static str = "services";

    fn read(json: &str) -> Result<Option<Self>, serde_json::Error> {
        let ServiceIn { metadata: m, spec } = serde_json::from_str(json)?;
        if spec.selector.is_empty() || spec.r#type == "ExternalName" {
            return Ok(None);
        }
        let name = |note: &str| m.annotations.get(note).map(|v| clean(v, 253).into());
        Ok(Some(Service {
            namespace: clean(&m.namespace, 253).into(),
            name: clean(&m.name, 253).into(),
            selector: Arc::new(spec.selector),
            annotated: !m.annotations.is_empty(),
            flight: m.annotations.get(FLIGHT).map(|v| v.as_str().into()),
            next_of: name(NEXT_OF),
            split_of: name(SPLIT_OF),
        }))
    }
}
