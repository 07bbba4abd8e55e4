//! Credentials that a program has to be asked for (`exec` in a kubeconfig): run without standard input, for 15 s at most.
//!
//! Knows no API server. What it gets stays in memory and out of every `Debug`. Known weakness: a program that wants to ask
//! somebody something cannot; its last words are shown with the command that lets it.

use crate::units::{Kind, Place, Span, Time, Trouble, clean};
use kube::config::ExecConfig;
use serde::Deserialize;
use std::fmt;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long a program may take.
pub(super) const LIMIT: Duration = Duration::from_secs(15);
/// A credential is asked for again so long before it ends.
const MARGIN: Span = Span::secs(60);

/// What a program gave.
#[derive(Clone)]
pub(super) struct Credential {
    pub(super) token: Option<String>,
    /// A certificate and its key, PEM.
    pub(super) certificate: Option<(String, String)>,
    expires: Option<Time>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Credential {
    /// Whether it holds for a while.
    pub(super) fn holds(&self, now: Time) -> bool {
        self.expires.is_none_or(|end| now + MARGIN < end)
    }
}

#[derive(Deserialize)]
struct Answer {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Runs the program of a context.
pub(super) async fn ask(context: &str, exec: &ExecConfig, limit: Duration) -> Result<Credential, Trouble> {
    let program = exec.command.as_deref().unwrap_or_default();
    let trouble = |cause: String| {
        let remedy = exec
            .install_hint
            .as_deref()
            .map_or_else(|| format!("log in: kubectl --context {context} get namespaces"), |hint| clean(hint.trim(), 200));
        Trouble::new(Kind::OutOfReach, Place::named(context.to_owned()), clean(&cause, 300), remedy)
    };
    let mut info = serde_json::json!({
        "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": {"interactive": false},
    });
    if let Some(cluster) = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info) {
        info["spec"]["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let mut command = Command::new(program);
    command.args(exec.args.iter().flatten()).env("KUBERNETES_EXEC_INFO", info.to_string());
    for pair in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (pair.get("name"), pair.get("value")) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let out = match tokio::time::timeout(limit, command.output()).await {
        Err(_) => return Err(trouble(format!("{program} did not answer within {limit:?}"))),
        Ok(Err(e)) => return Err(trouble(format!("{program} cannot be run: {e}"))),
        Ok(Ok(out)) => out,
    };
    let said = clean(String::from_utf8_lossy(&out.stderr).trim(), 2000);
    if !said.is_empty() {
        tracing::info!(context, program, "{said}");
    }
    if !out.status.success() {
        let last = said.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect::<String>();
        return Err(trouble(format!("{program} failed ({}): {last}", out.status)));
    }
    // Most print JSON, some YAML, which JSON is a part of.
    let answer: Answer = serde_yaml::from_slice(&out.stdout).map_err(|_| trouble(format!("{program} gave no credential")))?;
    let status = answer.status.ok_or_else(|| trouble(format!("{program} gave no credential")))?;
    let expires = match &status.expiration_timestamp {
        Some(text) => Some(Time::parse(text).ok_or_else(|| trouble(format!("{program} gave `{text}` as the time it ends")))?),
        None => None,
    };
    let credential = Credential { token: status.token, certificate: status.client_certificate_data.zip(status.client_key_data), expires };
    if credential.token.is_none() && credential.certificate.is_none() {
        return Err(trouble(format!("{program} gave neither a token nor a certificate")));
    }
    Ok(credential)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> ExecConfig {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
            "env": [{"name": "WHO", "value": "mara"}],
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn a_token_is_taken_with_its_end_and_without_standard_input() {
        let script = r#"read line; echo "{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"for $WHO\",\"expirationTimestamp\":\"2026-01-05T09:00:00Z\"}}""#;
        let got = ask("east", &shell(script), LIMIT).await.unwrap();
        assert_eq!(got.token.as_deref(), Some("for mara"));
        let end = Time::parse("2026-01-05T09:00:00Z").unwrap();
        assert!(got.holds(end - Span::secs(61)) && !got.holds(end - Span::secs(60)));
        assert!(!format!("{got:?}").contains("mara"));
    }

    #[tokio::test]
    async fn a_program_that_fails_is_quoted_and_the_way_to_log_in_is_named() {
        let trouble = ask("east", &shell("echo 'token expired, \x1b[31mlog in' >&2; exit 3"), LIMIT).await.unwrap_err();
        assert!(trouble.cause.contains("token expired,  [31mlog in"), "{trouble}");
        assert_eq!(trouble.remedy, "log in: kubectl --context east get namespaces");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_given_up() {
        let trouble = ask("east", &shell("exec sleep 600"), Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(trouble.cause, "sh did not answer within 50ms");
    }

    #[tokio::test]
    async fn an_answer_without_a_credential_is_said() {
        for (script, cause) in [
            ("echo '{}'", "sh gave no credential"),
            ("echo '[1'", "sh gave no credential"),
            ("echo '{\"status\":{}}'", "sh gave neither a token nor a certificate"),
        ] {
            assert_eq!(ask("east", &shell(script), LIMIT).await.unwrap_err().cause, cause);
        }
        let trouble = ask("east", &serde_json::from_str(r#"{"command": "no-such-program"}"#).unwrap(), LIMIT).await.unwrap_err();
        assert!(trouble.cause.starts_with("no-such-program cannot be run"), "{trouble}");
    }
}
