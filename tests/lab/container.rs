//! One container of a pod as one local process: pulled, started, probed, restarted when it ends, stopped when the pod goes.
//!
//! It knows neither the API server nor the pod's object: it is handed a `Plan` and says what is the case in `View`s.
//! As the real kubelet, it gives up on a missing image slowly and restarts with a growing delay; unlike it, it asks a container that
//! is not ready yet more often than `periodSeconds`, and its delays are seconds, not minutes. Weakness: of the probes it knows
//! `readinessProbe.httpGet`; without one a container is ready when it runs.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::behaviour;
use crate::http::{self, Connection};

const RESTART_LIMIT: Duration = Duration::from_secs(10);
/// The real kubelet gives a process at least this much between SIGTERM and SIGKILL.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// What to run, as the pod's object says it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub image: String,
    /// `namespace_pod(uid)` as messages name it.
    pub pod: String,
    pub variables: Vec<(String, String)>,
    pub address: Ipv4Addr,
    pub probe: Option<Probe>,
    pub pre_stop: Duration,
}

/// `readinessProbe` with an `httpGet`.
#[derive(Clone, Debug)]
pub struct Probe {
    pub port: u16,
    pub path: String,
    pub delay: Duration,
    pub period: Duration,
    pub limit: Duration,
    pub successes: u32,
    pub failures: u32,
}

/// What is the case.
#[derive(Clone, Debug)]
pub struct View {
    pub state: State,
    pub before: Option<Ended>,
    pub restarts: i32,
    pub ready: bool,
    /// The pid that runs, or ran last.
    pub pid: u32,
}

#[derive(Clone, Debug)]
pub enum State {
    Waiting { reason: &'static str, message: String },
    Running { since: Timestamp },
    Ended(Ended),
}

#[derive(Clone, Debug)]
pub struct Ended {
    pub code: i32,
    pub since: Timestamp,
    pub at: Timestamp,
}

impl View {
    /// Before anything happened; `restarts` is what an earlier kubelet counted.
    pub fn new(restarts: i32) -> Self {
        let state = State::Waiting { reason: "ContainerCreating", message: String::new() };
        Self { state, before: None, restarts, ready: false, pid: 0 }
    }
}

/// The image's id, as a container runtime would name it.
pub fn image_id(image: &str) -> String {
    match image.split_once('@') {
        Some(_) => image.to_owned(),
        None => {
            let digest: String = Sha256::digest(image).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{}@sha256:{digest}", behaviour::repository(image))
        }
    }
}

/// One container's life. `stop` holds the grace once the pod has to go; zero means at once.
pub struct Container {
    pub plan: Plan,
    pub index: usize,
    pub view: View,
    pub out: mpsc::Sender<(usize, View)>,
    pub stop: watch::Receiver<Option<Duration>>,
}

impl Container {
    /// Runs until it is stopped.
    pub async fn live(mut self) {
        let mut stop = self.stop.clone();
        if let Some(cause) = behaviour::refused(&self.plan.image) {
            tokio::select! {
                never = self.fail_to_pull(&cause) => match never {},
                _ = stop.wait_for(Option::is_some) => {}
            }
            return;
        }
        let mut delay = Duration::ZERO;
        loop {
            let since = Timestamp::now();
            let code = match self.spawn() {
                Ok(mut process) => {
                    // Held here, because waiting for a process closes its input.
                    let _lifeline = process.stdin.take();
                    self.view.pid = process.id().unwrap_or_default();
                    self.view.state = State::Running { since };
                    self.say().await;
                    let told = tokio::select! {
                        status = process.wait() => Some(status),
                        _ = stop.wait_for(Option::is_some) => None,
                        never = self.probe() => match never {},
                    };
                    match told {
                        Some(status) => status.ok().and_then(|status| status.code()).unwrap_or(137),
                        None => return self.end(process, since).await,
                    }
                }
                Err(error) => {
                    eprintln!("{}: {error}", self.plan.pod);
                    128
                }
            };
            let ended = Ended { code, since, at: Timestamp::now() };
            self.view.ready = false;
            self.view.before = Some(ended.clone());
            self.view.restarts += 1;
            if !delay.is_zero() {
                self.view.state = State::Waiting {
                    reason: "CrashLoopBackOff",
                    message: format!("back-off {delay:?} restarting failed container={} pod={}", self.plan.name, self.plan.pod),
                };
                self.say().await;
                tokio::select! {
                    () = sleep(delay) => {}
                    _ = stop.wait_for(Option::is_some) => return,
                }
            }
            delay = (delay * 2).clamp(Duration::from_secs(1), RESTART_LIMIT);
        }
    }

    /// Says what the runtime says of an image that is not there, as often as a real one, until it is stopped.
    async fn fail_to_pull(&mut self, cause: &str) -> Infallible {
        let image = self.plan.image.clone();
        let mut delay = Duration::from_secs(1);
        loop {
            self.view.state = State::Waiting { reason: "ErrImagePull", message: cause.to_owned() };
            self.say().await;
            sleep(Duration::from_millis(300)).await;
            let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {cause}");
            self.view.state = State::Waiting { reason: "ImagePullBackOff", message };
            self.say().await;
            sleep(delay).await;
            delay = (delay * 2).min(RESTART_LIMIT);
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        // The pipe is never written to; it ends when this kubelet does, and the process with it.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("lab").arg("app").env_clear().envs(self.plan.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true).spawn()
    }

    /// Asks the process whether it is ready, for as long as it runs.
    async fn probe(&mut self) -> Infallible {
        let Some(probe) = self.plan.probe.clone() else {
            self.view.ready = true;
            self.say().await;
            return std::future::pending().await;
        };
        sleep(probe.delay).await;
        let (mut good, mut bad, mut wait) = (0, 0, Duration::from_millis(30));
        loop {
            let answer = timeout(probe.limit, ask(self.plan.address, probe.port, &probe.path)).await;
            if matches!(answer, Ok(Ok(200..=399))) {
                (good, bad) = (good + 1, 0);
            } else {
                (good, bad) = (0, bad + 1);
            }
            let turns = if self.view.ready { bad >= probe.failures } else { good >= probe.successes };
            if turns {
                self.view.ready = !self.view.ready;
                wait = Duration::from_millis(30);
                self.say().await;
            }
            wait = if self.view.ready { probe.period } else { (wait * 2).min(probe.period) };
            sleep(wait).await;
        }
    }

    /// preStop, SIGTERM, grace, SIGKILL; still probed meanwhile.
    async fn end(mut self, mut process: Child, since: Timestamp) {
        let mut stop = self.stop.clone();
        let grace = (*stop.borrow()).unwrap_or_default();
        let deadline = Instant::now() + grace;
        let (pid, pre_stop) = (process.id(), self.plan.pre_stop.min(grace));
        let ask_nicely = async {
            sleep(pre_stop).await;
            if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
                // It may have ended by itself in this moment.
                let _ = kill_process(pid, Signal::TERM);
            }
            sleep_until(deadline.max(Instant::now() + LEAST_GRACE)).await;
        };
        let status = tokio::select! {
            status = process.wait() => status.ok(),
            () = ask_nicely => None,
            _ = stop.wait_for(|grace| *grace == Some(Duration::ZERO)) => None,
            never = self.probe() => match never {},
        };
        let code = match status {
            Some(status) => status.code().unwrap_or(143),
            None => {
                let _ = process.kill().await;
                137
            }
        };
        self.view.ready = false;
        self.view.state = State::Ended(Ended { code, since, at: Timestamp::now() });
        self.say().await;
    }

    async fn say(&self) {
        // A pod that does not listen any more is on its way out.
        let _ = self.out.send((self.index, self.view.clone())).await;
    }
}

async fn ask(address: Ipv4Addr, port: u16, path: &str) -> std::io::Result<u16> {
    let mut connection = Connection::new(TcpStream::connect((address, port)).await?);
    Ok(http::get(&mut connection, &address.to_string(), path, &[]).await?.status)
}
