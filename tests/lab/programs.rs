//! The programs that the lab runs and does not contain: their versions, where they are, and how they are built or fetched.
//!
//! It knows Go's and Debian's command lines, nothing of how the programs are run. A program's file carries its version, so that another
//! version is another file. Built from source where that gives the same parts on every machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use color_eyre::eyre::{OptionExt, Result, WrapErr, bail, eyre};
use serde_json::Value;

use crate::place;

/// One program, by the name of its file and its version.
pub struct Program {
    pub name: &'static str,
    version: &'static str,
    source: Source,
}

enum Source {
    /// A package that is built in a module: a folder under `tests/lab/mod/` with go.mod and go.sum.
    Go { module: &'static str, package: &'static str, link: &'static str },
    /// Definitions of kinds, from a folder of a module, as one YAML file.
    Definitions { module: &'static str, folder: &'static str },
    /// A program of a Debian package. Its version is what the machine's Debian has.
    Debian { path: &'static str },
}

pub const ETCD: Program =
    Program { name: "etcd", version: "3.6.16", source: Source::Go { module: "etcd", package: "./cmd/etcd", link: "" } };
pub const API_SERVER: Program =
    Program { name: "kube-apiserver", version: "1.36.3", source: kubernetes("k8s.io/kubernetes/cmd/kube-apiserver") };
pub const CONTROLLER_MANAGER: Program =
    Program { name: "kube-controller-manager", version: "1.36.3", source: kubernetes("k8s.io/kubernetes/cmd/kube-controller-manager") };
/// The proxy behind the Gateway API.
pub const TRAEFIK: Program = Program {
    name: "traefik",
    version: "3.7.13",
    source: Source::Go { module: "traefik", package: "github.com/traefik/traefik/v3/cmd/traefik", link: "" },
};
pub const GATEWAY_API: Program = Program {
    name: "gateway-api.yaml",
    version: "1.6.1",
    source: Source::Definitions { module: "sigs.k8s.io/gateway-api", folder: "config/crd/standard" },
};
pub const PROMETHEUS: Program = Program { name: "prometheus", version: "", source: Source::Debian { path: "usr/bin/prometheus" } };

/// What every lab needs.
pub const BASE: [Program; 3] = [ETCD, API_SERVER, CONTROLLER_MANAGER];
const ALL: [Program; 6] = [ETCD, API_SERVER, CONTROLLER_MANAGER, TRAEFIK, GATEWAY_API, PROMETHEUS];

/// A copy of this module without its providers, which need a hundred clouds' libraries, stands beside Traefik's.
const LEGO: &str = "github.com/go-acme/lego/v5@v5.4.1";

/// Without its version linked in, the API server calls itself v0.0.0-master, and clients that parse that give up.
const fn kubernetes(package: &'static str) -> Source {
    Source::Go { module: "kube", package, link: "-X k8s.io/component-base/version.gitVersion=v1.36.3" }
}

impl Program {
    /// Where it is, or would be when it were built.
    pub fn path(&self) -> Result<PathBuf> {
        let folder = folder()?;
        if self.version.is_empty() {
            let prefix = format!("{}-", self.name);
            let files = fs::read_dir(&folder).into_iter().flatten().flatten();
            let known = files.filter(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                name.starts_with(&prefix) && !name.ends_with(".part")
            });
            return Ok(known.map(|file| file.path()).max().unwrap_or(folder.join(self.name)));
        }
        Ok(folder.join(format!("{}-{}", self.name, self.version)))
    }

    fn make(&self) -> Result<()> {
        let begun = Instant::now();
        let path = match self.source {
            Source::Go { module, package, link } => self.build(module, package, link)?,
            Source::Definitions { module, folder } => self.gather(module, folder)?,
            Source::Debian { path } => self.unpack(path)?,
        };
        println!("{}: made in {:.0} s", path.file_name().unwrap_or_default().display(), begun.elapsed().as_secs_f64());
        Ok(())
    }

    fn build(&self, module: &str, package: &str, link: &str) -> Result<PathBuf> {
        let path = self.path()?;
        let mut source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mod").join(module);
        if source.join("dns.go.txt").exists() {
            source = beside_lego(&source)?;
        }
        let log = place::cache()?.join(format!("build-{}.log", self.name));
        // Renamed when whole: a build that was cut short is not taken for a program.
        let unfinished = unfinished(&path);
        let output = File::create(&log).wrap_err_with(|| format!("writing {}", log.display()))?;
        let build = ["build", "-ldflags", &format!("-s -w {link}"), "-o"];
        let status = go(&source).args(build).arg(&unfinished).arg(package).stdout(output.try_clone()?).stderr(output).status();
        if !status.wrap_err(NO_GO)?.success() {
            bail!("building {} {} failed: {}\n{}", self.name, self.version, log.display(), without_addresses(&log));
        }
        fs::rename(&unfinished, &path)?;
        Ok(path)
    }

    fn gather(&self, module: &str, folder: &str) -> Result<PathBuf> {
        let path = self.path()?;
        let mut files: Vec<PathBuf> = fs::read_dir(download(&format!("{module}@v{}", self.version))?.join(folder))?
            .map(|file| Ok(file?.path()))
            .collect::<Result<_>>()?;
        files.sort();
        let texts = files.iter().map(fs::read_to_string).collect::<std::io::Result<Vec<_>>>()?;
        let definitions: Vec<String> = texts.into_iter().filter(|text| text.contains("kind: CustomResourceDefinition")).collect();
        let unfinished = unfinished(&path);
        fs::write(&unfinished, definitions.join("\n---\n"))?;
        fs::rename(&unfinished, &path)?;
        Ok(path)
    }

    /// Fetches a Debian package and takes the program out of it; nothing is installed.
    fn unpack(&self, inside: &str) -> Result<PathBuf> {
        let room = place::cache()?.join(format!("unpack-{}", std::process::id()));
        fs::create_dir_all(&room)?;
        let done = (|| {
            output(Command::new("apt-get").args(["download", self.name]).current_dir(&room))?;
            let package = fs::read_dir(&room)?.flatten().map(|file| file.path()).find(|path| path.extension().is_some_and(|e| e == "deb"));
            let package = package.ok_or_eyre("apt-get download left no package")?;
            let version = output(Command::new("dpkg-deb").arg("-f").arg(&package).arg("Version"))?;
            output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&room))?;
            let path = folder()?.join(format!("{}-{}", self.name, version.trim()));
            let unfinished = unfinished(&path);
            fs::copy(room.join(inside), &unfinished)?;
            fs::rename(&unfinished, &path)?;
            Ok(path)
        })();
        fs::remove_dir_all(&room)?;
        done
    }
}

const NO_GO: &str = "go did not start: install Go 1.26 or newer";

fn go(folder: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(folder).envs([("GOFLAGS", "-buildvcs=false"), ("GOTOOLCHAIN", "local"), ("GOWORK", "off")]).stdin(Stdio::null());
    go
}

/// The folder of a module's sources, fetched if need be.
fn download(module: &str) -> Result<PathBuf> {
    let answer: Value = serde_json::from_str(&output(go(&std::env::temp_dir()).args(["mod", "download", "-json", module]))?)?;
    answer["Dir"].as_str().map(PathBuf::from).ok_or_else(|| eyre!("go mod download says no folder of {module}"))
}

/// A copy of Traefik's module with what it needs of lego beside it: a certificate's providers are never asked in a lab.
fn beside_lego(source: &Path) -> Result<PathBuf> {
    let copy = place::cache()?.join("mod").join("traefik");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    copy_folder(source, &copy, &[])?;
    copy_folder(&download(LEGO)?, &copy.join("lego"), &["providers", "e2e", "cmd", "docs"])?;
    let providers = copy.join("lego/providers/dns");
    fs::create_dir_all(&providers)?;
    fs::rename(copy.join("dns.go.txt"), providers.join("dns.go"))?;
    Ok(copy)
}

/// Without the folders named at the top.
fn copy_folder(from: &Path, to: &Path, without: &[&str]) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if !without.iter().any(|one| name == *one) {
                copy_folder(&entry.path(), &to.join(&name), &[])?;
            }
        } else {
            // Read and written, not copied: sources of modules are read-only, and so would their copies be.
            fs::write(to.join(&name), fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Builds and fetches what is missing, one after another.
pub fn build() -> Result<()> {
    fs::create_dir_all(folder()?)?;
    for program in &ALL {
        let path = program.path()?;
        if path.exists() {
            println!("{}: there", path.file_name().unwrap_or_default().display());
        } else {
            program.make()?;
        }
    }
    Ok(())
}

/// What is missing, and what to do about it.
pub fn missing(programs: &[Program]) -> Result<Option<String>> {
    let mut names = Vec::new();
    for program in programs {
        let path = program.path()?;
        if !path.exists() {
            names.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    let remedy = "run `cargo run --example lab -- build` (15 to 30 minutes, once), or set FLIGHTDECK_LAB to the folder that has them";
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

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

/// What a command printed; an error does not repeat the addresses that it fetched from.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().wrap_err_with(|| format!("{name} did not start: install it"))?;
    if !output.status.success() {
        bail!("{name} failed:\n{}", plain(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The end of a build's log.
fn without_addresses(log: &Path) -> String {
    plain(&fs::read_to_string(log).unwrap_or_default())
}

/// The last lines of a text without the addresses that were downloaded from, which are nobody's business.
fn plain(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("://")).collect();
    lines.iter().skip(lines.len().saturating_sub(5)).map(|line| format!("  {line}\n")).collect()
}
