//! Parses the command line, wires what the command needs, and runs it.
#![forbid(unsafe_code)]

use clap::Parser;
use flightdeck::cli::args::{JournalCommand, VerbArgs};
use flightdeck::cli::{
    Cli, Command, completions, deploy, doctor, finish, journal, man, plan, program_log, refuse, status, strategies, verb,
};
use flightdeck::rollout::Verb;
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
    let command = match cli.command {
        Some(Command::Plan(args)) => return finish(plan::run(&args), args.json),
        Some(Command::Strategies(args)) => return finish(strategies::run(&args), false),
        Some(Command::Deploy(args)) if args.help || args.list_strategies => return finish(strategies::about_deploy(&args), args.json),
        Some(Command::Doctor(args)) => return finish(doctor::run(&args), args.json),
        Some(Command::Journal(args)) => {
            let json = matches!(args.command, JournalCommand::List { json: true } | JournalCommand::Verify { json: true, .. });
            return finish(journal::run(&args.command), json);
        }
        Some(Command::Completions { shell }) => return finish(completions::run(shell), false),
        Some(Command::Man) => return finish(man::run(&[]), false),
        other => other,
    };
    // What drives rollouts keeps a log of the program.
    let _log = match program_log() {
        Ok(log) => log,
        Err(trouble) => return finish(Err(vec![trouble]), false),
    };
    match command {
        Some(Command::Deploy(args)) => finish(deploy::run(&args), args.json),
        Some(Command::Status(args)) => finish(status::run(&args), args.json),
        Some(Command::Rollback(args)) => press(Verb::Rollback, &args, true),
        Some(Command::Pause(args)) => press(Verb::Pause, &args, true),
        Some(Command::Abort(args)) => press(Verb::Abort, &args, true),
        Some(Command::Take(args)) => press(Verb::Take, &args, true),
        Some(Command::Promote(args)) => press(if args.full { Verb::PromoteFull } else { Verb::Promote }, &args.armed.verb, args.armed.yes),
        Some(Command::Resume(args)) => press(Verb::Resume, &args.verb, args.yes),
        Some(Command::Skip(args)) => press(Verb::Skip, &args.verb, args.yes),
        Some(Command::Retry(args)) => press(Verb::Retry, &args.verb, args.yes),
        Some(Command::Undo(args)) => press(Verb::Undo, &args.verb, args.yes),
        _ => finish(
            Err(vec![Trouble::new(Kind::Internal, Place::named("flightdeck"), "this build has no cockpit", "use a newer one")]),
            false,
        ),
    }
}

fn press(verb: Verb, args: &VerbArgs, armed: bool) -> u8 {
    finish(verb::run(verb, args, armed), args.json)
}
