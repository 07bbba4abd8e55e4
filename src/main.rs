//! Parses the command line, wires what the command needs, and runs it.
#![forbid(unsafe_code)]

use clap::Parser;
use flightdeck::cli::args::{JournalCommand, VerbArgs};
use flightdeck::cli::{
    Cli, Command, cockpit, completions, deploy, doctor, finish, journal, man, plan, program_log, refuse, status, strategies, verb,
};
use flightdeck::rollout::Verb;
use flightdeck::tui::commands::COMMANDS;
use flightdeck::tui::keymap::default_keys;
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
    // What drives rollouts keeps a log of the program, until the end.
    let quiet = matches!(
        cli.command,
        Some(
            Command::Plan(_)
                | Command::Strategies(_)
                | Command::Doctor(_)
                | Command::Journal(_)
                | Command::Completions { .. }
                | Command::Man
        )
    );
    let _log = match (!quiet).then(program_log).transpose() {
        Ok(log) => log.flatten(),
        Err(trouble) => return finish(Err(vec![trouble]), false),
    };
    let press = |verb: Verb, args: &VerbArgs, armed: bool| finish(verb::run(verb, args, armed), args.json);
    match cli.command {
        None => finish(cockpit::run(&cli.cockpit), false),
        Some(Command::Plan(args)) => finish(plan::run(&args), args.json),
        Some(Command::Strategies(args)) => finish(strategies::run(&args), false),
        Some(Command::Deploy(args)) if args.help || args.list_strategies => finish(strategies::about_deploy(&args), args.json),
        Some(Command::Deploy(args)) => finish(deploy::run(&args), args.json),
        Some(Command::Rollback(args)) => press(Verb::Rollback, &args, true),
        Some(Command::Promote(args)) => {
            let verb = if args.full { Verb::PromoteFull } else { Verb::Promote };
            press(verb, &args.armed.verb, args.armed.yes)
        }
        Some(Command::Pause(args)) => press(Verb::Pause, &args, false),
        Some(Command::Resume(args)) => press(Verb::Resume, &args.verb, args.yes),
        Some(Command::Skip(args)) => press(Verb::Skip, &args.verb, args.yes),
        Some(Command::Retry(args)) => press(Verb::Retry, &args.verb, args.yes),
        Some(Command::Abort(args)) => press(Verb::Abort, &args, false),
        Some(Command::Undo(args)) => press(Verb::Undo, &args.verb, args.yes),
        Some(Command::Take(args)) => press(Verb::Take, &args, false),
        Some(Command::Status(args)) => finish(status::run(&args), args.json),
        Some(Command::Doctor(args)) => finish(doctor::run(&args), args.json),
        Some(Command::Journal(args)) => {
            let json = matches!(args.command, JournalCommand::List { json: true } | JournalCommand::Verify { json: true, .. });
            finish(journal::run(&args.command), json)
        }
        Some(Command::Completions { shell }) => finish(completions::run(shell), false),
        Some(Command::Man) => finish(man::run(&[keys()]), false),
    }
}

/// The keys of the cockpit, from the command table.
fn keys() -> (&'static str, Vec<(String, String)>) {
    let row = |c: &flightdeck::tui::commands::Command| (default_keys(c.action).join(", "), format!("{}: {}", c.name, c.doc));
    ("KEYS", COMMANDS.iter().filter(|c| !c.keys.is_empty()).map(row).collect())
}
