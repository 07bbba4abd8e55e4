//! The programs that the lab runs and does not contain: their versions, where they are, and how they are built.
//!
//! It knows Go's command line, nothing of how the programs are run. A program's file carries its version, so that another version
//! is another file. Built from source, because nothing else gives the same parts on every machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use color_eyre::eyre::{Result, WrapErr, bail};

use crate::place;

/// One program, by the name of its file and its version.
pub struct Program {
    pub name: &'static str,
    version: &'static str,
    /// Folder under `tests/lab/mod/` with go.mod and go.sum.
    module: &'static str,
    package: &'static str,
    link: &'static str,
}

pub const ETCD: Program = Program { name: "etcd", version: "3.6.16", module: "etcd", package: "./cmd/etcd", link: "" };
/// Without its version linked in, the API server calls itself v0.0.0-master, and clients that parse that give up.
pub const API_SERVER: Program = Program {
    name: "kube-apiserver",
    version: "1.36.3",
    module: "kube",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    link: "-X k8s.io/component-base/version.gitVersion=v1.36.3",
};
pub const CONTROLLER_MANAGER: Program =
    Program { name: "kube-controller-manager", package: "k8s.io/kubernetes/cmd/kube-controller-manager", ..API_SERVER };

pub const ALL: [Program; 3] = [ETCD, API_SERVER, CONTROLLER_MANAGER];

impl Program {
    /// Where it is, or would be when it were built.
    pub fn path(&self) -> Result<PathBuf> {
        Ok(folder()?.join(format!("{}-{}", self.name, self.version)))
    }

    fn build(&self) -> Result<()> {
        let (begun, path) = (Instant::now(), self.path()?);
        let log = place::cache()?.join(format!("build-{}.log", self.name));
        // Renamed when whole: a build that was cut short is not taken for a program.
        let unfinished = path.with_extension(format!("{}.part", std::process::id()));
        let output = File::create(&log).wrap_err_with(|| format!("writing {}", log.display()))?;
        let status = Command::new("go")
            .args(["build", "-ldflags", &format!("-s -w {}", self.link), "-o"])
            .arg(&unfinished)
            .arg(self.package)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mod").join(self.module))
            .envs([("GOFLAGS", "-buildvcs=false"), ("GOTOOLCHAIN", "local"), ("GOWORK", "off")])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()
            .wrap_err("go did not start: install Go 1.26 or newer")?;
        if !status.success() {
            bail!("building {} {} failed: {}\n{}", self.name, self.version, log.display(), without_addresses(&log));
        }
        fs::rename(&unfinished, &path)?;
        println!("{} {}: built in {:.0} s", self.name, self.version, begun.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Builds what is missing, one after another.
pub fn build() -> Result<()> {
    fs::create_dir_all(folder()?)?;
    for program in &ALL {
        if program.path()?.exists() {
            println!("{} {}: there", program.name, program.version);
        } else {
            program.build()?;
        }
    }
    Ok(())
}

/// What is missing, and what to do about it.
pub fn missing() -> Result<Option<String>> {
    let mut names = Vec::new();
    for program in &ALL {
        if !program.path()?.exists() {
            names.push(format!("{}-{}", program.name, program.version));
        }
    }
    let remedy = "run `cargo run --example lab -- build` (10 to 20 minutes, once), or set FLIGHTDECK_LAB to the folder that has them";
    Ok((!names.is_empty()).then(|| format!("{} not in {}: {remedy}", names.join(", "), folder_text())))
}

fn folder() -> Result<PathBuf> {
    match std::env::var_os("FLIGHTDECK_LAB") {
        Some(folder) if !folder.is_empty() => Ok(PathBuf::from(folder)),
        _ => Ok(place::cache()?.join("bin")),
    }
}

fn folder_text() -> String {
    folder().map(|folder| folder.display().to_string()).unwrap_or_default()
}

/// The end of a build's log without the addresses that it downloaded from, which are nobody's business.
fn without_addresses(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("://")).collect();
    lines.iter().skip(lines.len().saturating_sub(5)).map(|line| format!("  {line}\n")).collect()
}
