//! lab: a small real Kubernetes on this machine, without containers, for flightdeck's tests and for people.
//!
//! etcd, the API server and the controller manager run as processes in a network namespace; a test kubelet runs every pod as a local
//! HTTP process. Several such clusters, a gateway and a Prometheus come when they are asked for. `tests/lab/README.md` says how to use
//! it. Weakness: no scheduler, no kube-proxy (Services have endpoints, but their
//! addresses lead nowhere), no logs or exec of pods, no volumes.
//!
//! (Not named main.rs, because Cargo takes `tests/*/main.rs` for a test.)
#![forbid(unsafe_code)]

mod app;
mod behaviour;
mod container;
mod control_plane;
mod credentials;
mod gateway;
mod guard;
mod http;
mod kubelet;
mod load;
mod network;
mod objects;
mod place;
mod pod;
mod process;
mod programs;
mod prometheus;
mod targets;

use std::future::Future;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use color_eyre::eyre::{OptionExt, Result, WrapErr};
use futures::future::try_join_all;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use place::Place;

/// Exit code when this machine cannot run a lab as it is, told apart from a lab that failed.
const NOT_HERE: u8 = 2;
const KUBELET: &str = "kubelet";
const PARTS: [&str; 4] = [gateway::TRAEFIK, prometheus::PROMETHEUS, prometheus::PROMETHEUS_TLS, guard::GUARD];

#[derive(Parser)]
#[command(name = "lab", about = "A small real Kubernetes on this machine, without containers")]
struct Lab {
    #[command(subcommand)]
    task: Task,
}

#[derive(Args)]
struct Named {
    /// Which lab; each has its own network, state and processes
    #[arg(long, default_value = "lab")]
    name: String,
}

#[derive(Args)]
struct OneCluster {
    #[command(flatten)]
    lab: Named,
    /// Which of the lab's clusters, from 0
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..9))]
    cluster: u8,
}

/// What a lab can have beside a cluster.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Part {
    /// The Gateway API's kinds, Traefik, and a Gateway `gw` in the namespace `default`
    Gateway,
    /// Prometheus, which scrapes all pods and the gateway
    Prometheus,
    /// Another one, behind TLS and a password
    PrometheusTls,
}

#[derive(Subcommand)]
enum Task {
    /// Build or fetch the programs that are missing
    Build,
    /// Start a lab and print where it is, as one line of JSON
    Up {
        #[command(flatten)]
        lab: Named,
        /// How many clusters, each with its own API server and pods, as contexts of one kubeconfig
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
        clusters: u8,
        /// Stay, and when standard input closes (or at ctrl-c) stop the lab and remove its state
        #[arg(long)]
        attached: bool,
    },
    /// Stop what `up` started
    Down {
        #[command(flatten)]
        lab: Named,
        /// Remove its state too
        #[arg(long)]
        clean: bool,
    },
    /// Start a part that the lab does not have from the beginning, and print where it is
    Start {
        #[command(flatten)]
        at: OneCluster,
        #[arg(required = true)]
        parts: Vec<Part>,
        /// How long the gateway's proxy collects changes before it follows them; its own default is 2s
        #[arg(long, default_value = "100ms")]
        throttle: String,
    },
    /// Kill the API server; pods run on
    StopApi(OneCluster),
    /// Start the API server again
    StartApi(OneCluster),
    /// Run a command inside, with KUBECONFIG set to the administrator's
    Exec {
        #[command(flatten)]
        lab: Named,
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<String>,
    },
    /// Send requests at a steady rate and count the answers per version
    Load {
        #[command(flatten)]
        at: OneCluster,
        #[command(flatten)]
        options: load::Options,
    },
    /// The test kubelet (`up` starts it)
    #[command(hide = true)]
    Kubelet(OneCluster),
    /// Doors to Prometheus that ask who is there (`start prometheus` starts them)
    #[command(hide = true)]
    Guard(OneCluster),
    /// The process of a pod (the kubelet starts it)
    #[command(hide = true)]
    App,
}

fn main() -> ExitCode {
    perform(Lab::parse().task).unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}

impl OneCluster {
    fn place(&self) -> Result<Place> {
        Ok(Place::named(&self.lab.name)?.cluster(self.cluster))
    }

    /// Moves this thread into the lab's network.
    fn enter(&self) -> Result<Place> {
        let place = self.place()?;
        network::enter(&place)?;
        Ok(place)
    }
}

fn perform(task: Task) -> Result<ExitCode> {
    match task {
        Task::Build => programs::build()?,
        Task::Up { lab, clusters, attached } => return up(&Place::named(&lab.name)?, clusters, attached),
        Task::Down { lab, clean } => down(&Place::named(&lab.name)?, Duration::from_secs(3), clean)?,
        Task::Start { at, parts, throttle } => return start_parts(&at, &parts, &throttle),
        Task::StopApi(at) => {
            // At SIGTERM it would wait a minute for open watches; etcd holds the state.
            process::stop(&at.place()?, &[control_plane::API_SERVER], Duration::ZERO)?;
        }
        Task::StartApi(at) => {
            let place = at.enter()?;
            control_plane::start_api_server(&place)?;
            block_on(async {
                let client = control_plane::client(&place, "admin").await?;
                control_plane::wait_for_api_server(&place, &client).await
            })?;
        }
        Task::Exec { lab, command } => {
            let place = Place::named(&lab.name)?;
            network::enter(&place)?;
            let (program, arguments) = command.split_first().ok_or_eyre("no command")?;
            let mut command = Command::new(program);
            let error = command.args(arguments).env("KUBECONFIG", place.kubeconfig("admin")).exec();
            return Err(error).wrap_err_with(|| format!("starting {program}"));
        }
        Task::Load { at, options } => {
            let place = at.enter()?;
            println!("{}", block_on(options.run(&place))?);
        }
        Task::Kubelet(at) => {
            let place = at.enter()?;
            block_on(kubelet::run(&place))?;
        }
        Task::Guard(at) => {
            let place = at.enter()?;
            block_on(guard::run(&place))?;
        }
        Task::App => block_on(app::run())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up(place: &Place, clusters: u8, attached: bool) -> Result<ExitCode> {
    let is_root = rustix::process::geteuid().is_root();
    let missing = (!is_root)
        .then(|| "network namespaces need root: run it with sudo, or inside `unshare -Urnm` (tests/lab/README.md)".to_owned())
        .or(programs::missing(&programs::BASE)?);
    if let Some(reason) = missing {
        eprintln!("{reason}");
        return Ok(ExitCode::from(NOT_HERE));
    }
    let clusters: Vec<Place> = (0..clusters).map(|cluster| place.cluster(cluster)).collect();
    let outcome = start(&clusters, attached);
    if attached || outcome.is_err() {
        down(place, Duration::ZERO, attached)?;
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

fn start(clusters: &[Place], attached: bool) -> Result<()> {
    let begun = Instant::now();
    credentials::create(clusters)?;
    for place in clusters {
        network::create(place)?;
        control_plane::start_etcd(place)?;
        control_plane::start_api_server(place)?;
    }
    block_on(async {
        let ready = try_join_all(clusters.iter().map(|place| start_rest(place, begun))).await?;
        println!("{}", report(clusters, ready.into_iter().max().unwrap_or_default(), begun.elapsed()));
        if attached {
            owner_is_gone().await?;
        }
        Ok(())
    })
}

/// Waits for the API server, starts what needs it, and returns when pods can be made: the time at which the API server was ready.
async fn start_rest(place: &Place, begun: Instant) -> Result<Duration> {
    let client = control_plane::client(place, "admin").await?;
    control_plane::wait_for_api_server(place, &client).await?;
    let api_ready = begun.elapsed();
    control_plane::start_controller_manager(place)?;
    // Through /proc: the very program that runs now, even when its file is replaced by a new build.
    let mut kubelet = Command::new("/proc/self/exe");
    kubelet.arg0("lab").args([KUBELET, "--name", &place.name, "--cluster", &place.cluster.to_string()]);
    process::start(place, KUBELET, kubelet)?;
    control_plane::wait_for_pods(&client, kubelet::NODE).await?;
    Ok(api_ready)
}

fn report(clusters: &[Place], api_ready: Duration, up: Duration) -> serde_json::Value {
    let of_all = |what: fn(&Place) -> serde_json::Value| clusters.iter().map(what).collect::<Vec<_>>();
    let Some(place) = clusters.first() else { return json!({}) };
    let kubeconfigs: serde_json::Map<_, _> =
        credentials::USERS.iter().map(|user| ((*user).to_owned(), json!(place.kubeconfig(user)))).collect();
    let seconds = |time: Duration| (time.as_secs_f64() * 100.0).round() / 100.0;
    json!({
        "name": place.name,
        "network": place.network_file(),
        "directory": place.directory,
        "servers": of_all(|place| json!(credentials::server(place))),
        "contexts": of_all(|place| json!(place.context())),
        "kubeconfigs": kubeconfigs,
        "apiReadySeconds": seconds(api_ready),
        "upSeconds": seconds(up),
    })
}

fn start_parts(at: &OneCluster, parts: &[Part], throttle: &str) -> Result<ExitCode> {
    let mut needed = Vec::new();
    for part in parts {
        match part {
            Part::Gateway => needed.extend([programs::TRAEFIK, programs::GATEWAY_API]),
            Part::Prometheus | Part::PrometheusTls => needed.push(programs::PROMETHEUS),
        }
    }
    if let Some(reason) = programs::missing(&needed)? {
        eprintln!("{reason}");
        return Ok(ExitCode::from(NOT_HERE));
    }
    let place = at.enter()?;
    block_on(async {
        let client = control_plane::client(&place, "admin").await?;
        for part in parts {
            match part {
                Part::Gateway => gateway::start(&place, &client, throttle).await?,
                Part::Prometheus => prometheus::start(&place, &client).await?,
                Part::PrometheusTls => prometheus::start_tls(&place).await?,
            }
        }
        Ok(())
    })?;
    let addresses = parts.iter().map(|part| match part {
        Part::Gateway => ("gateway", json!({"url": format!("http://{}", gateway::address(&place))})),
        Part::Prometheus => ("prometheus", json!({"url": format!("http://{}", prometheus::address(&place))})),
        Part::PrometheusTls => {
            let ca = place.directory.join("ca.crt");
            ("prometheusTls", json!({"url": format!("https://{}", prometheus::tls_address(&place)), "ca": ca}))
        }
    });
    println!("{}", json!(addresses.collect::<std::collections::BTreeMap<_, _>>()));
    Ok(ExitCode::SUCCESS)
}

/// Returns when standard input has closed, or a signal asks to end.
async fn owner_is_gone() -> Result<()> {
    let (gone, mut closed) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(gone);
    });
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = &mut closed => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn down(place: &Place, patience: Duration, clean: bool) -> Result<()> {
    for cluster in place.clusters() {
        // The kubelet's pods end with it. Each part before what it needs.
        process::stop(&cluster, &PARTS, patience)?;
        process::stop(&cluster, &[KUBELET, control_plane::CONTROLLER_MANAGER], patience)?;
        process::stop(&cluster, &[control_plane::API_SERVER], patience)?;
        process::stop(&cluster, &[control_plane::ETCD], patience)?;
    }
    network::remove(place)?;
    if clean && place.directory.exists() {
        std::fs::remove_dir_all(&place.directory)?;
    }
    Ok(())
}

/// One thread does: the network namespace belongs to this thread, and to what it starts.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = tokio::task::LocalSet::new().block_on(&runtime, future);
    runtime.shutdown_background();
    outcome
}
