//! `flightdeck strategies [show NAME]`, `deploy --list-strategies` and `deploy --strategy NAME --help`.

use super::args::{Cli, DeployArgs, StrategiesArgs, StrategiesCommand};
use super::{Done, json_text, print};
use crate::strategy::{StrategyKind, kebab, keys, strategies_json, strategies_text, strategy, strategy_help, strategy_text};
use crate::units::{Kind, Place, Trouble};
use clap::CommandFactory;

/// `strategies`
pub fn run(args: &StrategiesArgs) -> Done {
    match &args.command {
        None => print(&strategies_text()),
        Some(StrategiesCommand::Show { name }) => print(&strategy_text(named(name)?)),
    }
}

/// `deploy`, when it is asked what there is and not to do it.
pub fn about_deploy(args: &DeployArgs) -> Done {
    match args.document.strategy() {
        _ if args.list_strategies && args.json => print(&json_text(&strategies_json())?),
        _ if args.list_strategies => print(&strategies_text()),
        Some(name) => {
            let kind = named(name)?;
            let first = keys(kind).first().map(|key| format!("--{} {}", kebab(key.name), key.value)).unwrap_or_default();
            print(&format!(
                "{}\nEach key is an option too, such as {first}; `flightdeck deploy --help` lists all options.\n",
                strategy_help(kind)
            ))
        }
        None => {
            let mut command = Cli::command();
            command.build();
            print(&command.find_subcommand_mut("deploy").map(|deploy| deploy.render_long_help().to_string()).unwrap_or_default())
        }
    }
}

fn named(name: &str) -> Result<StrategyKind, Vec<Trouble>> {
    strategy(name).map_err(|wrong| vec![Trouble::new(Kind::Usage, Place::default(), wrong.cause, wrong.remedy)])
}
