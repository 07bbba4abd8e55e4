//! Where a service can be rolled out, and to what: the legs of a plan before it is compiled.

use super::World;
use crate::fleet::{Divides, Workload};
use crate::strategy::{Document, Plan, PlanLeg, Route};
use crate::units::{Kind, LegId, Place, Service, Span, Trouble, Version};

/// How long pods take to start where nobody has seen it.
const START: Span = Span::secs(30);

impl World {
    /// The service that a name means: its own name, or where that is not there the only one that begins with it and `-`.
    pub fn service(&self, name: &str) -> Result<Service, Trouble> {
        let all: std::collections::BTreeSet<&Service> = self.rows.values().map(|r| &r.workload.service).collect();
        let exact: Vec<&&Service> = all.iter().filter(|s| *s.name == *name || format!("{}/{}", s.namespace, s.name) == name).collect();
        let begins = || all.iter().filter(|s| s.name.strip_prefix(name).is_some_and(|r| r.starts_with('-'))).collect();
        let found = if exact.is_empty() { begins() } else { exact };
        let list = || all.iter().take(20).map(|s| s.name.to_string()).collect::<Vec<_>>().join(", ");
        match found.as_slice() {
            [one] => Ok((**one).clone()),
            [] if all.is_empty() && !self.spec.regions.iter().any(|r| self.answers(&r.name)) => {
                Err(Trouble::new(Kind::OutOfReach, Place::named(name), "no region answers", "flightdeck doctor says what is in the way"))
            }
            [] if all.is_empty() => Err(usage(name, "no service was seen yet", "flightdeck doctor says what is in the way")),
            [] => Err(usage(name, "there is no such service", &format!("there are {}", list()))),
            many => {
                let names: Vec<String> = many.iter().map(|s| format!("{}/{}", s.namespace, s.name)).collect();
                Err(usage(name, "several services have this name", &format!("write one of {}", names.join(", "))))
            }
        }
    }

    /// The version that a service would be taken to when nobody names one: the newest, where it does not run yet. An older one is
    /// never meant by itself.
    pub fn next_version(&self, service: &Service) -> Option<Version> {
        let runs = |v: &&Version| self.rows.values().any(|r| r.workload.service == *service && runs(&r.workload, v));
        self.versions.get(service)?.first().filter(|v| !runs(v)).cloned()
    }

    /// One leg per region where the service runs, not yet assigned to waves. `to` is a tag, or `@sha256:...`.
    pub fn legs(&self, service: &Service, to: &str, container: Option<&str>) -> Result<Vec<PlanLeg>, Trouble> {
        let rows = self.rows.values().filter(|r| r.workload.service == *service);
        let order = |leg: &PlanLeg| self.spec.regions.iter().position(|r| r.name == leg.region);
        let mut legs = rows.map(|row| self.leg(row, to, container)).collect::<Result<Vec<_>, _>>()?;
        legs.sort_by_key(order);
        if legs.is_empty() {
            return Err(usage(&service.name, "it runs nowhere", "see flightdeck status"));
        }
        Ok(legs)
    }

    /// Whether every region was heard since the start, where a document means all of them: what runs in another one would be left
    /// out unseen.
    pub fn everywhere(&self, document: &Document) -> Result<(), Trouble> {
        let unheard = |r: &&super::RegionSpec| self.regions.get(&r.name).is_none_or(|known| known.server.is_none());
        match self.spec.regions.iter().find(unheard).filter(|_| document.regions.waves.is_none()) {
            None => Ok(()),
            Some(region) => {
                let remedy = "wait until it answers, or name the regions: regions: [a, b]";
                Err(Trouble::new(Kind::OutOfReach, Place::named(region.name.as_str()), "it does not answer, and may run it too", remedy))
            }
        }
    }

    /// What the owners of a service wrote on it about how it is rolled out, and where its regions do not agree: the first one
    /// counts that says anything.
    pub fn annotations(&self, service: &Service) -> (Vec<(String, String)>, Vec<String>) {
        let here = |spec: &super::RegionSpec| {
            self.rows.values().find(|r| r.workload.service == *service && r.workload.id.region == spec.name).map(|r| &r.workload)
        };
        let rows: Vec<&Workload> = self.spec.regions.iter().filter_map(here).collect();
        let Some(first) = annotated(&rows) else { return (Vec::new(), Vec::new()) };
        let differs = rows.iter().filter(|w| w.annotations != first.annotations);
        let warning = |w: &&Workload| format!("annotations in {}: not those of {}, which count", w.id.region, first.id.region);
        (first.annotations.clone(), differs.map(warning).collect())
    }

    /// Whether every leg of a plan runs its image already.
    pub fn runs_already(&self, plan: &Plan) -> bool {
        plan.legs.iter().all(|leg| {
            let old = self.rows.get(&leg.workload).and_then(|row| row.workload.revision(&leg.old));
            old.is_some_and(|old| old.images.iter().any(|(c, image)| *c == leg.container && *image == leg.image))
        })
    }

    fn leg(&self, row: &super::fold::Row, to: &str, container: Option<&str>) -> Result<PlanLeg, Trouble> {
        let w = &row.workload;
        let place = w.id.to_string();
        let running = w.revision(&w.template);
        let stable = running.ok_or_else(|| usage(&place, "nothing of it runs", "repair it first"))?;
        let (name, image) = changed(&stable.images, container, &w.id.name).map_err(|cause| {
            let names: Vec<&str> = stable.images.iter().map(|(c, _)| c.as_str()).collect();
            usage(&place, &cause, &format!("it has {}", names.join(", ")))
        })?;
        let divider = w.divides.by();
        Ok(PlanLeg {
            id: LegId::new(w.id.region.as_str()),
            region: w.id.region.clone(),
            workload: w.id.clone(),
            wave: 0,
            old: stable.revision.clone(),
            old_version: stable.version.clone(),
            new: None,
            container: name.clone(),
            sidecars: stable.images.iter().map(|(c, _)| c).filter(|c| *c != name).cloned().collect(),
            image: with_tag(image, to),
            route: if w.split.is_empty() && divider.is_none() { Route::Pods } else { Route::Weights },
            beside: divider.map(|d| d.how),
            touches: divider.map(|d| d.touches.clone()).unwrap_or_default(),
            undivided: match &w.divides {
                Divides::Unknown => Some("what may be written there is not known yet".into()),
                Divides::Nothing(why) => Some(why.clone()).filter(|why| !why.is_empty()),
                Divides::By(_) => None,
            },
            base: stable.pods.ready.max(1),
            load: row.track.load(self.now, Span::mins(1)),
            drains: w.drains,
            start_takes: w.start_takes.unwrap_or(START),
        })
    }
}

/// The one of a service's workloads, in the order of the regions, whose annotations count.
pub(super) fn annotated<'a>(rows: &[&'a Workload]) -> Option<&'a Workload> {
    rows.iter().find(|w| !w.annotations.is_empty()).copied()
}

fn runs(row: &Workload, version: &Version) -> bool {
    row.revisions.iter().any(|r| r.version == *version && r.pods.exist > 0)
}

/// The container whose image changes: the one that is named, the only one, or the one that is called as its workload. Else nobody can
/// tell it from a sidecar.
fn changed<'a>(images: &'a [(String, String)], named: Option<&str>, workload: &str) -> Result<&'a (String, String), String> {
    match (named, images) {
        (None, [only]) => Ok(only),
        _ => images.iter().find(|(c, _)| c == named.unwrap_or(workload)).ok_or_else(|| match named {
            Some(name) => format!("it has no container {name}"),
            None => "it has several containers, and `container` names none".into(),
        }),
    }
}

/// `repo/name:old` with another tag, or with a digest where `to` begins with `@`.
fn with_tag(image: &str, to: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let cut = name.rfind(':').filter(|colon| name.rfind('/').is_none_or(|slash| slash < *colon));
    let name = &name[..cut.unwrap_or(name.len())];
    if to.starts_with('@') { format!("{name}{to}") } else { format!("{name}:{to}") }
}

fn usage(place: &str, cause: &str, remedy: &str) -> Trouble {
    Trouble::new(Kind::Usage, Place::named(place), cause, remedy)
}

#[cfg(test)]
mod tests {
    use super::{changed, with_tag};

    #[test]
    fn a_container_is_named_where_it_cannot_be_told_from_a_sidecar() {
        let of = |names: &[&str], named: Option<&str>| {
            let images: Vec<(String, String)> = names.iter().map(|n| ((*n).to_owned(), format!("shop/{n}:v1"))).collect();
            changed(&images, named, "order").map(|(name, _)| name.clone())
        };
        assert_eq!(of(&["app"], None), Ok("app".into()));
        assert_eq!(of(&["proxy", "app"], Some("app")), Ok("app".into()));
        assert_eq!(of(&["proxy", "order"], None), Ok("order".into()));
        assert_eq!(of(&["proxy", "app"], None), Err("it has several containers, and `container` names none".into()));
        assert_eq!(of(&["proxy", "app"], Some("web")), Err("it has no container web".into()));
    }

    #[test]
    fn only_the_tag_of_an_image_changes() {
        assert_eq!(with_tag("registry:5000/shop/order:v1", "v2"), "registry:5000/shop/order:v2");
        assert_eq!(with_tag("registry:5000/shop/order", "v2"), "registry:5000/shop/order:v2");
        assert_eq!(with_tag("shop/order:v1@sha256:ab", "@sha256:cd"), "shop/order@sha256:cd");
    }
}
