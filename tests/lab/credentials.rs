//! What the parts of a lab trust: a certificate authority, the API server's certificate, the users' tokens and their kubeconfigs.
//!
//! Tokens are plain words, because nothing outside the lab's network namespace can reach what they open.

use std::fs;

use color_eyre::eyre::Result;
use serde_json::{Value, json};

use crate::place::Place;
use crate::process::run;

/// Users with a kubeconfig. `viewer` may read what the built-in role `view` reads; `stranger` may do nothing.
pub const USERS: [&str; 3] = ["admin", "viewer", "stranger"];

const TOKENS: &str = "\
admin-token,admin,1,\"system:masters\"
viewer-token,viewer,2,\"lab:viewers\"
stranger-token,stranger,3
";

/// The address of the API server.
pub fn server(place: &Place) -> String {
    format!("https://{}:6443", place.api_address())
}

/// Makes all files of a lab's clusters unless they are there. The first cluster's kubeconfigs have the contexts of all.
pub fn create(clusters: &[Place]) -> Result<()> {
    for place in clusters {
        std::fs::create_dir_all(&place.directory)?;
        if !place.directory.join("sa.pub").exists() {
            authority(place)?;
            certificate(place, "api", &format!("IP:{},IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default.svc", place.api_address()))?;
            let file = |name: &str| place.directory.join(name).display().to_string();
            run("openssl", &["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", &file("sa.key")])?;
            run("openssl", &["ec", "-pubout", "-in", &file("sa.key"), "-out", &file("sa.pub")])?;
        }
        fs::write(place.directory.join("tokens.csv"), TOKENS)?;
        let known = if place.cluster == 0 { clusters } else { std::slice::from_ref(place) };
        for user in USERS {
            fs::write(place.kubeconfig(user), serde_yaml::to_string(&kubeconfig(user, known))?)?;
        }
    }
    Ok(())
}

fn kubeconfig(user: &str, clusters: &[Place]) -> Value {
    let cluster = |place: &Place| json!({"server": server(place), "certificate-authority": place.directory.join("ca.crt")});
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters.iter().map(|place| json!({"name": place.context(), "cluster": cluster(place)})).collect::<Vec<_>>(),
        "users": [{"name": user, "user": {"token": format!("{user}-token")}}],
        "contexts": clusters.iter().map(|place| {
            json!({"name": place.context(), "context": {"cluster": place.context(), "user": user}})
        }).collect::<Vec<_>>(),
        "current-context": clusters.first().map(Place::context),
    })
}

const CURVE: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

fn authority(place: &Place) -> Result<()> {
    let file = |name: &str| place.directory.join(name).display().to_string();
    let who: &[&str] = &["req", "-x509", "-days", "30", "-subj", "/CN=lab", "-keyout", &file("ca.key"), "-out", &file("ca.crt")];
    run("openssl", &[who, &CURVE].concat())
}

/// `NAME.key` and `NAME.crt`, signed by the cluster's authority, for `names` as `IP:10.77.0.1,DNS:somewhere`.
pub fn certificate(place: &Place, name: &str, names: &str) -> Result<()> {
    let file = |ending: &str| place.directory.join(format!("{name}.{ending}")).display().to_string();
    let ca = |ending: &str| place.directory.join(format!("ca.{ending}")).display().to_string();
    let subject = format!("/CN={name}");
    run("openssl", &[&["req", "-subj", &subject, "-keyout", &file("key"), "-out", &file("csr")], &CURVE[..]].concat())?;
    fs::write(file("names"), format!("subjectAltName={names}"))?;
    let signing = ["x509", "-req", "-days", "30", "-CAcreateserial", "-extfile"];
    let files = [&file("names"), "-in", &file("csr"), "-CA", &ca("crt"), "-CAkey", &ca("key"), "-out", &file("crt")];
    run("openssl", &[&signing[..], &files].concat())
}
