//! Objects that a lab's parts need in its API server, whatever their kind.

use color_eyre::eyre::{Result, WrapErr};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::Value;

/// Applies an object to a namespace, or, without one, to the cluster. Its plural has to be the regular one.
pub async fn apply(client: &Client, namespace: Option<&str>, object: &Value) -> Result<()> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (name, kind) = (text("/metadata/name"), text("/kind"));
    let (group, version) = text("/apiVersion").rsplit_once('/').unwrap_or(("", text("/apiVersion")));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let parameters = PatchParams::apply("lab").force();
    api.patch(name, &parameters, &Patch::Apply(object)).await.wrap_err_with(|| format!("applying {kind} {name}"))?;
    Ok(())
}
