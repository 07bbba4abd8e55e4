//! What can be typed after `flightdeck`.

use super::document::DocumentArgs;
use crate::settings::{Asked, COLORS, GLYPHS};
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;
use std::str::FromStr;

/// Shows every cluster, region and version, launches and steps rollouts, and goes back with one key.
///
/// Without a command it opens the cockpit: on the first fleet of the settings, else on the kubeconfig's current context, else
/// on the practice fleet.
#[derive(Debug, Parser)]
#[command(name = "flightdeck", version, max_term_width = 120, args_conflicts_with_subcommands = true, disable_help_subcommand = false)]
pub struct Cli {
    /// The cockpit's own options.
    #[command(flatten)]
    pub cockpit: CockpitArgs,
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of the cockpit.
#[derive(Clone, Debug, Args)]
pub struct CockpitArgs {
    /// The practice fleet.
    #[command(flatten)]
    pub practice: PracticeArgs,
    /// The real one.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// What happens in practice: a scenario's name or file
    #[arg(long, value_name = "NAME|FILE", requires = "practice")]
    pub scenario: Option<String>,
    /// Change nothing, whatever is pressed
    #[arg(long)]
    pub readonly: bool,
    /// A theme's name or file
    #[arg(long, value_name = "NAME|FILE")]
    pub theme: Option<String>,
    /// Which characters the terminal's font has
    #[arg(long, value_parser = GLYPHS)]
    pub glyphs: Option<String>,
    /// How many colours to use
    #[arg(long, value_parser = COLORS)]
    pub color: Option<String>,
}

/// Which real fleet.
#[derive(Clone, Debug, Default, Args)]
pub struct FleetArgs {
    /// The fleet of the settings with this name
    #[arg(long, value_name = "FLEET", conflicts_with = "context")]
    pub env: Option<String>,
    /// A context of the kubeconfig, as the one region
    #[arg(long, value_name = "CONTEXT")]
    pub context: Option<String>,
    /// Look only here
    #[arg(short, long, value_name = "NS")]
    pub namespace: Option<String>,
    /// The kubeconfig, instead of KUBECONFIG and ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The settings, instead of FLIGHTDECK_SETTINGS and config.yaml
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

impl FleetArgs {
    /// As the settings are asked.
    pub fn asked(&self, practice: bool) -> Asked {
        Asked { practice, env: self.env.clone(), context: self.context.clone(), namespace: self.namespace.clone() }
    }
}

/// The practice fleet.
#[derive(Clone, Debug, Default, Args)]
pub struct PracticeArgs {
    /// Fly the simulated fleet
    #[arg(long, conflicts_with_all = ["env", "context", "namespace", "kubeconfig"])]
    pub practice: bool,
    /// The same seed gives the same flight
    #[arg(long, value_name = "N", requires = "practice")]
    pub seed: Option<u64>,
    /// So many times as fast as life, or max
    #[arg(long, value_name = "X|max", requires = "practice")]
    pub speed: Option<Speed>,
}

/// How fast a simulated fleet runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as life.
    Times(f64),
    /// As fast as it can.
    Max,
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        match text.strip_suffix('x').unwrap_or(text).parse::<f64>() {
            Ok(times) if (0.1..=1000.0).contains(&times) => Ok(Speed::Times(times)),
            _ => Err("write a number from 0.1 to 1000, or max".into()),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a document would do, step by step, and its rollback; changes nothing
    Plan(PlanArgs),
    /// Roll a version out to its end, without a screen
    Deploy(Box<DeployArgs>),
    /// Go back: all traffic to the stable version, then undo every step
    Rollback(VerbArgs),
    /// End the current hold now
    Promote(PromoteArgs),
    /// Take no step forward; automatic rollback stays on
    Pause(VerbArgs),
    /// Go on after a pause
    Resume(ArmedArgs),
    /// Pass a hold, an analysis or a closed gate
    Skip(ArmedArgs),
    /// Try what failed again now; after an abort from step 1
    Retry(ArmedArgs),
    /// All traffic to the stable version; the new one stays for inspection
    Abort(VerbArgs),
    /// Take a rollback back, while the new version still runs
    Undo(ArmedArgs),
    /// Drive a rollout from here
    Take(VerbArgs),
    /// Show what is in flight and what runs where
    Status(StatusArgs),
    /// List the strategies: when to use each, its risk and its way back
    Strategies(StrategiesArgs),
    /// Check terminal, folders, settings, contexts and rights
    Doctor(DoctorArgs),
    /// The logs of rollouts
    Journal(JournalArgs),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// `plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The document; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// For the practice fleet
    #[arg(long, conflicts_with_all = ["env", "context", "namespace", "kubeconfig"])]
    pub practice: bool,
    /// The real one.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `deploy`
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct DeployArgs {
    /// What is rolled out; in practice order-service where nothing says it
    pub service: Option<String>,
    /// The document; `-` reads standard input
    #[arg(short = 'f', long = "config", visible_alias = "file", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What the document says, and more.
    #[command(flatten)]
    pub document: DocumentArgs,
    /// The practice fleet.
    #[command(flatten)]
    pub practice: PracticeArgs,
    /// What happens in practice: a scenario's name or file
    #[arg(long, value_name = "NAME|FILE", requires = "practice")]
    pub scenario: Option<String>,
    /// The real one.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Launch on a fleet that is safe
    #[arg(long)]
    pub yes: bool,
    /// As JSON, one line for each event
    #[arg(long)]
    pub json: bool,
    /// List the strategies
    #[arg(long)]
    pub list_strategies: bool,
    /// Print help; with --strategy, that strategy's
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub help: bool,
}

/// A verb for one rollout.
#[derive(Debug, Args)]
pub struct VerbArgs {
    /// Its id, or its service where one of it is in flight
    pub rollout: String,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The fleet.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// A verb that a safe fleet wants to be armed for.
#[derive(Debug, Args)]
pub struct ArmedArgs {
    /// The verb's own.
    #[command(flatten)]
    pub verb: VerbArgs,
    /// Do it on a fleet that is safe
    #[arg(long)]
    pub yes: bool,
}

/// `promote`
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// Drop all holds and verdict gates
    #[arg(long)]
    pub full: bool,
    /// The verb's own.
    #[command(flatten)]
    pub armed: ArmedArgs,
}

/// `status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The fleet.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Again at each change
    #[arg(long)]
    pub watch: bool,
}

/// `strategies`
#[derive(Debug, Args)]
pub struct StrategiesArgs {
    /// What of them.
    #[command(subcommand)]
    pub command: Option<StrategiesCommand>,
}

/// What of the strategies.
#[derive(Debug, Subcommand)]
pub enum StrategiesCommand {
    /// Print a document with all keys and their defaults
    Show {
        /// Which strategy
        name: String,
    },
}

/// `doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Ask each region's Prometheus about a service, or about the first few, and show what comes back
    #[arg(long, value_name = "SERVICE", num_args = 0..=1)]
    pub metrics: Option<Option<String>>,
    /// The fleet.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `journal`
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// What of it.
    #[command(subcommand)]
    pub command: JournalCommand,
}

/// What of the journal.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// List the rollouts that have a log
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the events of a rollout, one JSON object a line
    Export {
        /// Its id
        rollout: String,
        /// Then what was counted meanwhile
        #[arg(long)]
        seen: bool,
    },
    /// Check the chain of one log, or of all
    Verify {
        /// Its id
        rollout: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::GlyphSet;
    use crate::tui::theme::ColorChoice;
    use clap::builder::PossibleValue;
    use clap::{CommandFactory, ValueEnum};

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_words_for_glyphs_and_colours_are_those_that_the_screen_knows() {
        let glyphs: Vec<_> = GlyphSet::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        let colors: Vec<_> = ColorChoice::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        assert!(glyphs.iter().map(PossibleValue::get_name).eq(GLYPHS));
        assert!(colors.iter().map(PossibleValue::get_name).eq(COLORS));
    }

    #[test]
    fn every_line_of_the_design_is_understood() {
        let lines = "flightdeck
            flightdeck --practice --seed 7 --speed max
            flightdeck --env production -n shop --settings s.yaml --readonly
            flightdeck --context kind --kubeconfig k
            flightdeck --theme light --glyphs ascii --color never
            flightdeck plan -f canary.yaml --json
            flightdeck deploy order --to v42 --strategy canary --env production --initial-traffic 1
            flightdeck deploy --config canary.yaml --yes
            flightdeck deploy -f canary.yaml
            flightdeck deploy --strategy blue-green --practice
            flightdeck deploy --practice --seed 7 --speed max --scenario error-burst --json
            flightdeck deploy --list-strategies
            flightdeck plan --file canary.yaml --practice
            flightdeck deploy --strategy canary --help
            flightdeck rollback order --reason slow --json
            flightdeck promote order-3f9k2m7q --full --yes
            flightdeck pause order
            flightdeck resume order --yes
            flightdeck skip order --reason known
            flightdeck retry order
            flightdeck abort order
            flightdeck undo order
            flightdeck take order
            flightdeck status --json --watch
            flightdeck strategies
            flightdeck strategies show canary
            flightdeck doctor
            flightdeck journal list
            flightdeck journal export order-3f9k2m7q
            flightdeck journal export order-3f9k2m7q --seen
            flightdeck journal verify
            flightdeck completions bash
            flightdeck man";
        for line in lines.lines() {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "flightdeck --seed 7",
            "flightdeck --practice --env production",
            "flightdeck --env production --context kind",
            "flightdeck --practice --speed fast",
            "flightdeck --practice --speed 0",
            "flightdeck --practice status",
            "flightdeck deploy --scenario x",
            "flightdeck rollback",
            "flightdeck serve",
            "flightdeck plan",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_speed_is_a_number_or_max() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("10".parse(), Ok(Speed::Times(10.0)));
        assert_eq!("2.5x".parse(), Ok(Speed::Times(2.5)));
        for bad in ["", "x", "-1", "0", "NaN", "inf", "1e9"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }
}
