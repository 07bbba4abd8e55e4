//! What the parts of a lab trust: a certificate authority, the API server's certificate, the users' tokens and their kubeconfigs.
//!
//! Tokens are plain words, because nothing outside the lab's network namespace can reach what they open.

use std::fs;

use color_eyre::eyre::Result;

use crate::network::API_ADDRESS;
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
pub fn server() -> String {
    format!("https://{API_ADDRESS}:6443")
}

/// Makes all files unless they are there.
pub fn create(place: &Place) -> Result<()> {
    let file = |name: &str| place.directory.join(name).display().to_string();
    if place.kubeconfig("admin").exists() {
        return Ok(());
    }
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let (ca_key, ca, api_key, request, api, names) =
        (file("ca.key"), file("ca.crt"), file("api.key"), file("api.csr"), file("api.crt"), file("api.names"));
    let openssl = |parts: &[&[&str]]| run("openssl", &parts.concat());
    openssl(&[&["req", "-x509", "-days", "30", "-subj", "/CN=lab", "-keyout", &ca_key, "-out", &ca], &curve])?;
    openssl(&[&["req", "-subj", "/CN=kube-apiserver", "-keyout", &api_key, "-out", &request], &curve])?;
    let known_as = format!("subjectAltName=IP:{API_ADDRESS},IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default.svc");
    fs::write(&names, known_as)?;
    let signing: &[&str] = &["x509", "-req", "-days", "30", "-CAcreateserial", "-extfile", &names];
    openssl(&[signing, &["-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-out", &api]])?;
    openssl(&[&["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", &file("sa.key")]])?;
    openssl(&[&["ec", "-pubout", "-in", &file("sa.key"), "-out", &file("sa.pub")]])?;
    fs::write(place.directory.join("tokens.csv"), TOKENS)?;
    // The administrator's last: it says that all of them are there.
    for user in USERS.iter().rev() {
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": place.name, "cluster": {"server": server(), "certificate-authority": ca}}],
            "users": [{"name": user, "user": {"token": format!("{user}-token")}}],
            "contexts": [{"name": place.name, "context": {"cluster": place.name, "user": user}}],
            "current-context": place.name,
        });
        fs::write(place.kubeconfig(user), serde_yaml::to_string(&kubeconfig)?)?;
    }
    Ok(())
}
