//! lab: a small real Kubernetes on this machine, without containers, for flightdeck's tests and for people.
//!
//! etcd, the API server and the controller manager run as processes in a network namespace; a test kubelet runs every pod as a local
//! HTTP process. `tests/lab/README.md` says how to use it. Weakness: no scheduler, no kube-proxy (Services have endpoints, but their
//! addresses lead nowhere), no logs or exec of pods, no volumes.
//!
//! (Not named main.rs, because Cargo takes `tests/*/main.rs` for a test.)
#![forbid(unsafe_code)]

mod app;
mod behaviour;
mod container;
mod control_plane;
mod credentials;
mod http;
mod kubelet;
mod load;
mod network;
mod place;
mod pod;
mod process;
mod programs;

use std::future::Future;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use color_eyre::eyre::{OptionExt, Result, WrapErr};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use place::Place;

/// Exit code when this machine cannot run a lab as it is, told apart from a lab that failed.
const NOT_HERE: u8 = 2;
const KUBELET: &str = "kubelet";

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

#[derive(Subcommand)]
enum Task {
    /// Build the programs that are missing
    Build,
    /// Start a lab and print where it is, as one line of JSON
    Up {
        #[command(flatten)]
        lab: Named,
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
    /// Kill the API server; pods run on
    StopApi(Named),
    /// Start the API server again
    StartApi(Named),
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
        lab: Named,
        #[command(flatten)]
        options: load::Options,
    },
    /// The test kubelet (`up` starts it)
    #[command(hide = true)]
    Kubelet(Named),
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

fn perform(task: Task) -> Result<ExitCode> {
    match task {
        Task::Build => programs::build()?,
        Task::Up { lab, attached } => return up(&Place::named(&lab.name)?, attached),
        Task::Down { lab, clean } => down(&Place::named(&lab.name)?, Duration::from_secs(3), clean)?,
        Task::StopApi(lab) => {
            // At SIGTERM it would wait a minute for open watches; etcd holds the state.
            process::stop(&Place::named(&lab.name)?, &[control_plane::API_SERVER], Duration::ZERO)?;
        }
        Task::StartApi(lab) => {
            let place = Place::named(&lab.name)?;
            network::enter(&place)?;
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
        Task::Load { lab, options } => {
            let place = Place::named(&lab.name)?;
            network::enter(&place)?;
            println!("{}", block_on(options.run(&place))?);
        }
        Task::Kubelet(lab) => {
            let place = Place::named(&lab.name)?;
            network::enter(&place)?;
            block_on(kubelet::run(&place))?;
        }
        Task::App => block_on(app::run())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up(place: &Place, attached: bool) -> Result<ExitCode> {
    let is_root = rustix::process::geteuid().is_root();
    let missing = (!is_root)
        .then(|| "network namespaces need root: run it with sudo, or inside `unshare -Urnm` (tests/lab/README.md)".to_owned())
        .or(programs::missing()?);
    if let Some(reason) = missing {
        eprintln!("{reason}");
        return Ok(ExitCode::from(NOT_HERE));
    }
    let outcome = start(place, attached);
    if attached || outcome.is_err() {
        down(place, Duration::ZERO, attached)?;
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

fn start(place: &Place, attached: bool) -> Result<()> {
    let begun = Instant::now();
    std::fs::create_dir_all(&place.directory)?;
    network::create(place)?;
    credentials::create(place)?;
    control_plane::start_etcd(place)?;
    control_plane::start_api_server(place)?;
    block_on(async {
        let client = control_plane::client(place, "admin").await?;
        control_plane::wait_for_api_server(place, &client).await?;
        let api_ready = begun.elapsed();
        control_plane::start_controller_manager(place)?;
        // Through /proc: the very program that runs now, even when its file is replaced by a new build.
        let mut kubelet = Command::new("/proc/self/exe");
        kubelet.arg0("lab").args(["kubelet", "--name", &place.name]);
        process::start(place, KUBELET, kubelet)?;
        control_plane::wait_for_pods(&client, kubelet::NODE).await?;
        println!("{}", report(place, api_ready, begun.elapsed()));
        if attached {
            owner_is_gone().await?;
        }
        Ok(())
    })
}

fn report(place: &Place, api_ready: Duration, up: Duration) -> serde_json::Value {
    let kubeconfigs: serde_json::Map<_, _> =
        credentials::USERS.iter().map(|user| ((*user).to_owned(), json!(place.kubeconfig(user)))).collect();
    let seconds = |time: Duration| (time.as_secs_f64() * 100.0).round() / 100.0;
    json!({
        "name": place.name,
        "network": place.network_file(),
        "directory": place.directory,
        "server": credentials::server(),
        "kubeconfigs": kubeconfigs,
        "apiReadySeconds": seconds(api_ready),
        "upSeconds": seconds(up),
    })
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
    // The kubelet's pods end with it. Each part before what it needs.
    process::stop(place, &[KUBELET, control_plane::CONTROLLER_MANAGER], patience)?;
    process::stop(place, &[control_plane::API_SERVER], patience)?;
    process::stop(place, &[control_plane::ETCD], patience)?;
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
