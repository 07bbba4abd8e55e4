//! The network namespace of a lab: only a loopback device, on which every address of its clusters is local, so that nothing can leave.
//!
//! It knows `ip` and the kernel, nothing of what runs inside. It needs root, or a user namespace of one's own.

use std::fs::File;
use std::os::fd::AsFd;

use color_eyre::eyre::{Result, WrapErr};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::place::Place;
use crate::process::run;

/// Makes the namespace unless it is there, with the addresses of this cluster, and moves this thread and all that it starts into it.
pub fn create(place: &Place) -> Result<()> {
    if !place.network_file().exists() {
        run("ip", &["netns", "add", &place.network()])?;
    }
    enter(place)?;
    run("ip", &["link", "set", "lo", "up"])?;
    run("ip", &["address", "replace", &format!("{}/32", place.api_address()), "dev", "lo"])?;
    run("ip", &["route", "replace", "local", &format!("{}/16", place.address(0, 0)), "dev", "lo"])
}

/// Moves this thread, and all that it starts from now on, into the lab's namespace.
pub fn enter(place: &Place) -> Result<()> {
    let file = File::open(place.network_file()).wrap_err_with(|| format!("lab {:?} is not up", place.name))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).wrap_err("entering the network namespace")
}

/// Removes the namespace; what still runs in it keeps it alive until it ends.
pub fn remove(place: &Place) -> Result<()> {
    if place.network_file().exists() {
        run("ip", &["netns", "delete", &place.network()])?;
    }
    Ok(())
}
