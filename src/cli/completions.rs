//! `flightdeck completions SHELL`

use super::args::Cli;
use super::{Done, print};
use clap::CommandFactory;
use clap_complete::Shell;

/// `completions`
pub fn run(shell: Shell) -> Done {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "flightdeck", &mut out);
    print(&String::from_utf8_lossy(&out))
}
