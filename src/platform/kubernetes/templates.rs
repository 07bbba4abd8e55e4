//! Older templates, fetched before they are needed: a rollback must be one write.
//!
//! Asks only for workloads that move or that somebody follows. Known weakness: a ReplicaSet that `revisionHistoryLimit` has removed
//! is gone with its template.

use super::connection::Line;
use super::objects::CAUSE;
use super::sights::{Sights, Template};
use super::template::Door;
use crate::fleet::Workload;
use crate::units::{Kind, Place, Revision, Trouble, WorkloadId};
use kube::api::GetParams;
use kube::core::Request;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// What was asked for on one connection.
pub(super) type Asked = HashSet<(WorkloadId, Revision)>;

/// Fetches what is missing of a workload's older templates.
pub(super) fn prepare(asked: &mut Asked, aside: &mut JoinSet<()>, line: &Arc<Line>, sights: &Arc<Sights>, row: &Workload) {
    for older in row.revisions.iter().skip(1) {
        if sights.template(&row.id, &older.revision).is_some() || !asked.insert((row.id.clone(), older.revision.clone())) {
            continue;
        }
        let (line, sights, id, revision) = (line.clone(), sights.clone(), row.id.clone(), older.revision.clone());
        aside.spawn(async move {
            match fetch(&line, &id, &revision).await {
                Ok(template) => sights.prepare(&id, &revision, template),
                Err(e) => tracing::debug!(%id, %revision, "template: {e}"),
            }
        });
    }
}

/// The template of one revision of a Deployment, from its ReplicaSet.
pub(super) async fn fetch(line: &Line, id: &WorkloadId, revision: &Revision) -> Result<Template, Trouble> {
    fetch_set(line, id, revision, format!("{}-{revision}", id.name)).await
}

/// The template of one revision, from any ReplicaSet that runs it, also of a second Deployment.
pub(super) async fn fetch_any(
    line: &Line,
    id: &WorkloadId,
    revision: &Revision,
    sets: &[(Revision, Arc<str>, Door)],
) -> Result<Template, Trouble> {
    let mut last = Err(gone(id, revision, "no ReplicaSet has it"));
    for (_, name, _) in sets.iter().filter(|(r, ..)| r == revision) {
        last = fetch_set(line, id, revision, name.to_string()).await;
        if last.is_ok() {
            break;
        }
    }
    last
}

async fn fetch_set(line: &Line, id: &WorkloadId, revision: &Revision, name: String) -> Result<Template, Trouble> {
    let sets = Request::new(format!("/apis/apps/v1/namespaces/{}/replicasets", id.namespace));
    let doing = format!("get replicasets in namespace {}", id.namespace);
    let got = line.ask(&doing, |client| async move {
        client.request::<Value>(sets.get(&name, &GetParams::default()).map_err(kube::Error::BuildRequest)?).await
    });
    match got.await {
        Ok(set) => read(set).ok_or_else(|| gone(id, revision, "its ReplicaSet has no template")),
        Err(t) if t.kind == Kind::Failed => Err(gone(id, revision, "its ReplicaSet was removed (revisionHistoryLimit)")),
        Err(t) => Err(t),
    }
}

fn gone(id: &WorkloadId, revision: &Revision, why: &str) -> Trouble {
    let cause = format!("the template of revision {revision} is gone: {why}");
    Trouble::new(Kind::Refused, Place::named(id.to_string()), cause, "choose another revision, or apply the old manifest")
}

/// The template without the label that the controller adds for a ReplicaSet.
fn read(mut set: Value) -> Option<Template> {
    let change_cause = set["metadata"]["annotations"][CAUSE].as_str().map(str::to_owned);
    let mut template = set.get_mut("spec")?.get_mut("template")?.take();
    template.get_mut("metadata")?.get_mut("labels")?.as_object_mut()?.remove("pod-template-hash");
    template.is_object().then_some(Template { template, change_cause })
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;

    #[test]
    fn a_template_comes_back_without_the_controllers_label() {
        let set = json!({
            "metadata": {"annotations": {"kubernetes.io/change-cause": "v41"}},
            "spec": {"template": {"metadata": {"labels": {"app": "order", "pod-template-hash": "6c9f"}}, "spec": {"containers": []}}},
        });
        let t = read(set).unwrap();
        assert_eq!(t.template, json!({"metadata": {"labels": {"app": "order"}}, "spec": {"containers": []}}));
        assert_eq!(t.change_cause.as_deref(), Some("v41"));
        assert!(read(json!({"spec": {}})).is_none());
    }
}
