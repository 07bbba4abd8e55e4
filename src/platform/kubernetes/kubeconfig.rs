//! Kubeconfig as kubectl takes it: a file, a list of files, the home directory, or a pod's own service account.
//!
//! Reads files and environment once; opens no connection. Known weakness: a kubeconfig that changes later is seen at the next start.

use crate::units::{Kind, Place, Trouble, clean};
use kube::config::{ExecConfig, KubeConfigOptions, Kubeconfig};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The contexts that can be connected to.
#[derive(Clone, Debug)]
pub struct Contexts {
    files: Kubeconfig,
    /// Where it was read: a path, several, or `service account`.
    pub origin: String,
    /// Whether it is a pod's own service account.
    in_cluster: bool,
}

/// The name of the one context of a pod that has no kubeconfig.
const IN_CLUSTER: &str = "in-cluster";

impl Contexts {
    /// Reads `--kubeconfig FILE`, else the files of KUBECONFIG (those that do not exist are left out), else `~/.kube/config`, else the
    /// service account of the pod that this runs in. Blocks for as long as the files take to read.
    pub fn read(file: Option<&Path>) -> Result<Contexts, Trouble> {
        let home = || std::env::home_dir().map(|h| h.join(".kube").join("config"));
        let (paths, must_exist): (Vec<PathBuf>, bool) = match (file, std::env::var_os("KUBECONFIG")) {
            (Some(file), _) => (vec![file.to_owned()], true),
            (None, Some(list)) if !list.is_empty() => (std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect(), false),
            _ => (home().into_iter().collect(), false),
        };
        let origin = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        let there: Vec<&PathBuf> = paths.iter().filter(|p| must_exist || p.exists()).collect();
        if there.is_empty() {
            if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
                return Ok(Contexts { files: Kubeconfig::default(), origin: "service account".into(), in_cluster: true });
            }
            return Err(Trouble::new(
                Kind::Usage,
                Place::named(origin),
                "there is no kubeconfig",
                "name one with --kubeconfig or KUBECONFIG, or practise with --practice",
            ));
        }
        let mut files = Kubeconfig::default();
        for path in there {
            let place = || Place::named(path.display().to_string());
            let bad = |e: kube::config::KubeconfigError| {
                let said = match &e {
                    kube::config::KubeconfigError::ReadConfig(io, _) if io.kind() == std::io::ErrorKind::NotFound => {
                        return Trouble::new(Kind::Document, place(), "no such file", "check the path");
                    }
                    _ => innermost(&e),
                };
                // The reader draws the place below its words.
                let said = said.lines().next().unwrap_or_default().trim_start_matches("failed to parse kubeconfig YAML: error: ");
                Trouble::new(Kind::Document, place(), clean(said, 300), "kubectl config view must accept it")
            };
            files = Kubeconfig::read_from(path).and_then(|next| files.merge(next)).map_err(bad)?;
        }
        Ok(Contexts { files, origin, in_cluster: false })
    }
    /// The names of all contexts, in the order of the files.
    pub fn names(&self) -> Vec<String> {
        if self.in_cluster {
            return vec![IN_CLUSTER.into()];
        }
        self.files.contexts.iter().map(|c| clean(&c.name, 200)).collect()
    }
    /// The current context.
    pub fn current(&self) -> Option<String> {
        if self.in_cluster {
            return Some(IN_CLUSTER.into());
        }
        self.files.current_context.clone().filter(|c| !c.is_empty())
    }
    /// The namespace of a context; `default` when it names none.
    pub fn namespace(&self, context: &str) -> String {
        let named = self.files.contexts.iter().find(|c| c.name == context).and_then(|c| c.context.as_ref());
        named.and_then(|c| c.namespace.clone()).filter(|n| !n.is_empty()).unwrap_or_else(|| "default".into())
    }
    /// What a context's user must be asked for at a terminal, where its credentials come from a program.
    pub fn login(&self, context: &str) -> Option<String> {
        self.files.contexts.iter().find(|c| c.name == context)?;
        Some(format!("kubectl --context {context} get namespaces"))
    }

    /// How to connect to a context: everything but credentials that a program has to be asked for.
    pub(super) async fn config(&self, context: &str) -> Result<(kube::Config, Option<ExecConfig>), Trouble> {
        let place = || Place::named(context.to_owned());
        let mut config = if self.in_cluster {
            kube::Config::incluster()
                .map_err(|e| Trouble::new(Kind::OutOfReach, place(), clean(&innermost(&e), 300), "the pod needs a service account"))?
        } else {
            let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
            kube::Config::from_custom_kubeconfig(self.files.clone(), &options).await.map_err(|e| {
                let known = format!("contexts in {}: {}", self.origin, self.names().join(", "));
                if self.names().iter().any(|n| n == context) {
                    Trouble::new(Kind::Document, place(), clean(&innermost(&e), 300), known)
                } else {
                    Trouble::new(Kind::Usage, place(), "the kubeconfig has no such context", known)
                }
            })?
        };
        if let Some(host) = config.cluster_url.host()
            && !self.own_proxy(context)
            && direct(host, &no_proxy())
        {
            config.proxy_url = None;
        }
        let exec = config.auth_info.exec.take();
        Ok((config, exec))
    }

    /// Whether the context's cluster names its proxy itself, which NO_PROXY does not lift.
    fn own_proxy(&self, context: &str) -> bool {
        let named = self.files.contexts.iter().find(|c| c.name == context).and_then(|c| c.context.as_ref());
        let cluster = named.and_then(|c| self.files.clusters.iter().find(|named| named.name == c.cluster));
        cluster.and_then(|c| c.cluster.as_ref()).is_some_and(|c| c.proxy_url.as_ref().is_some_and(|p| !p.is_empty()))
    }
}

fn no_proxy() -> String {
    std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default()
}

/// Whether a host is reached without a proxy, by the rules of Go's `ProxyFromEnvironment`: loopback always, else as NO_PROXY lists it
/// (`*`, a name with all below it, an address, a network).
fn direct(host: &str, list: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let address = host.parse::<IpAddr>().ok();
    if host == "localhost" || address.is_some_and(|a| a.is_loopback()) {
        return true;
    }
    list.split(',').map(str::trim).filter(|e| !e.is_empty()).any(|entry| {
        if let (Some(address), Some((network, bits))) = (address, entry.split_once('/')) {
            return network.parse().is_ok_and(|n| bits.parse().is_ok_and(|b| inside(address, n, b)));
        }
        let entry = entry.trim_start_matches("*.").trim_start_matches('.');
        entry == "*" || host == entry || host.ends_with(&format!(".{entry}"))
    })
}

fn inside(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (a, n, width) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (u128::from(a.to_bits()), u128::from(n.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits(), n.to_bits(), 128),
        _ => return false,
    };
    bits <= width && (bits == 0 || (a >> (width - bits)) == (n >> (width - bits)))
}

/// The last cause in a chain of errors, which is the one that says something.
pub(super) fn innermost(e: &(dyn std::error::Error + 'static)) -> String {
    let mut words = e.to_string();
    let mut next = e.source();
    for _ in 0..16 {
        let Some(source) = next else { break };
        let inner = source.to_string();
        if !inner.is_empty() {
            words = inner;
        }
        next = source.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &Path, name: &str, context: &str) -> PathBuf {
        let path = dir.join(name);
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:1'}}}}]\n\
             users: [{{name: u, user: {{token: t}}}}]\n\
             contexts: [{{name: {context}, context: {{cluster: c, user: u, namespace: shop}}}}]\ncurrent-context: {context}\n"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn the_named_file_is_read_with_its_contexts() {
        let dir = tempfile::tempdir().unwrap();
        let contexts = Contexts::read(Some(&file(dir.path(), "a", "east"))).unwrap();
        assert_eq!((contexts.names(), contexts.current().unwrap()), (vec!["east".to_owned()], "east".to_owned()));
        assert_eq!((contexts.namespace("east"), contexts.namespace("west")), ("shop".into(), "default".into()));
    }

    #[test]
    fn a_named_file_that_is_missing_or_broken_is_said_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Contexts::read(Some(&dir.path().join("nowhere"))).unwrap_err();
        assert!(missing.place.name.ends_with("nowhere"), "{missing}");
        let broken = dir.path().join("broken");
        std::fs::write(&broken, "clusters: {").unwrap();
        let broken = Contexts::read(Some(&broken)).unwrap_err();
        assert_eq!(broken.kind, Kind::Document);
        assert!(broken.place.name.ends_with("broken"), "{broken}");
    }

    #[tokio::test]
    async fn an_unknown_context_names_those_that_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let contexts = Contexts::read(Some(&file(dir.path(), "a", "east"))).unwrap();
        let trouble = contexts.config("west").await.unwrap_err();
        assert_eq!(trouble.kind, Kind::Usage);
        assert!(trouble.remedy.ends_with("east"), "{trouble}");
    }

    #[tokio::test]
    async fn a_client_can_be_made_for_real_with_tls() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path(), "a", "east");
        let text = std::fs::read_to_string(&path).unwrap().replace("http://", "https://");
        std::fs::write(&path, text).unwrap();
        let (config, exec) = Contexts::read(Some(&path)).unwrap().config("east").await.unwrap();
        assert!(exec.is_none());
        let client = kube::Client::try_from(config).unwrap();
        let refused = client.apiserver_version().await.unwrap_err();
        assert!(innermost(&refused).contains("refused"), "{refused:?}");
    }

    #[test]
    fn hosts_on_the_no_proxy_list_are_reached_directly() {
        for host in ["localhost", "127.0.0.1", "::1", "[::1]", "10.1.2.3", "api.corp.example", "corp.example", "fd00::7"] {
            assert!(direct(host, " 10.0.0.0/8, .corp.example,fd00::/8"), "{host}");
        }
        for host in ["11.1.2.3", "corp.example.org", "notcorp.example"] {
            assert!(!direct(host, "10.0.0.0/8,corp.example"), "{host}");
        }
        assert!(direct("anything", "*"));
    }
}
