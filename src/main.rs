//! Parses the command line, wires what the command needs, and runs it.
#![forbid(unsafe_code)]

use clap::Parser;
use flightdeck::cli::args::JournalCommand;
use flightdeck::cli::{Cli, Command, completions, deploy, doctor, finish, journal, man, refuse, strategies};
use flightdeck::units::{Kind, Place, Trouble};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Only a second call can fail.
    let _ = color_eyre::install();
    ExitCode::from(match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(e) => refuse(&e),
    })
}

fn run(cli: Cli) -> u8 {
    match cli.command {
        Some(Command::Strategies(args)) => finish(strategies::run(&args), false),
        Some(Command::Deploy(args)) if args.help || args.list_strategies => finish(strategies::about_deploy(&args), args.json),
        Some(Command::Doctor(args)) => finish(doctor::run(&args), args.json),
        Some(Command::Deploy(args)) => finish(deploy::run(&args), args.json),
        Some(Command::Journal(args)) => {
            let json = matches!(args.command, JournalCommand::List { json: true } | JournalCommand::Verify { json: true, .. });
            finish(journal::run(&args.command), json)
        }
        Some(Command::Completions { shell }) => finish(completions::run(shell), false),
        Some(Command::Man) => finish(man::run(&[]), false),
        _ => finish(
            Err(vec![Trouble::new(Kind::Internal, Place::named("flightdeck"), "this build has no cockpit", "use a newer one")]),
            false,
        ),
    }
}
