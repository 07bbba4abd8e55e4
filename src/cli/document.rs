//! Reading a document for the command line: its file, and an option for every key that a document can have.
//!
//! The options are made from the strategies' own tables, so that a key that is added there can be typed here.

use crate::strategy::{COMMON, Document, Key, NO_EFFECT, Sources, StrategyKind, kebab, keys};
use crate::units::{Kind, Place, Trouble, yaml};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::fs::File;
use std::path::Path;
use std::sync::LazyLock;

/// An option for a key that does something; `service` has none, it is the word behind `deploy`.
struct KeyOption {
    key: &'static Key,
    long: String,
    value: &'static str,
    help: String,
}

static OPTIONS: LazyLock<Vec<KeyOption>> = LazyLock::new(|| {
    let mut all: Vec<KeyOption> = Vec::new();
    let own = StrategyKind::ALL.into_iter().flat_map(|kind| keys(kind).iter().map(move |key| (Some(kind), key)));
    for (kind, key) in own.chain(COMMON.iter().map(|key| (None, key))) {
        let means = |key: &Key| kind.map_or_else(|| key.text.into(), |kind| format!("{}: {}", kind.name(), key.text));
        match all.iter_mut().find(|option| option.key.name == key.name) {
            // What a key means may depend on the strategy.
            Some(option) if option.key.text != key.text => {
                let first = StrategyKind::ALL.into_iter().find(|kind| keys(*kind).contains(option.key));
                if let Some(first) = first.filter(|_| option.value != "VALUE") {
                    option.help = format!("{}: {}", first.name(), option.help);
                }
                (option.value, option.help) = ("VALUE", format!("{} {}", option.help, means(key)));
            }
            Some(_) => {}
            None if key.name == "service" || NO_EFFECT.contains(&key.name) => {}
            None => all.push(KeyOption { key, long: kebab(key.name), value: key.value, help: key.text.into() }),
        }
    }
    all
});

/// Options of strategies that this version does not fly.
const NOT_FLOWN: [(&str, &str, bool); 3] =
    [("duration", "ab-testing", true), ("target-users", "feature-flag", true), ("coordinated-rollout", "saga-pattern", false)];

/// `--strategy` and the keys of documents, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentArgs {
    /// Keys as documents write them, with their texts.
    pub options: Vec<(String, String)>,
    /// Options with the strategy that they belong to, which is not flown.
    not_flown: Vec<(&'static str, &'static str)>,
}

impl DocumentArgs {
    /// The strategy that was typed.
    pub fn strategy(&self) -> Option<&str> {
        self.options.iter().find(|(key, _)| key == "strategy").map(|(_, text)| text.as_str())
    }
}

impl Args for DocumentArgs {
    fn augment_args(command: Command) -> Command {
        let strategy = Arg::new("strategy").long("strategy").value_name("STRATEGY");
        let mut command = command.arg(strategy.help("How: blue-green, canary or rolling; --strategy NAME --help tells about one"));
        for KeyOption { key, long, value, help } in OPTIONS.iter() {
            let option = Arg::new(key.name).long(long.as_str()).value_name(*value).help(help.as_str());
            command = command.arg(option.help_heading("Keys of a document (they override the file)").hide_short_help(true));
        }
        for (name, _, takes_value) in NOT_FLOWN {
            let action = if takes_value { clap::ArgAction::Set } else { clap::ArgAction::SetTrue };
            command = command.arg(Arg::new(name).long(name).action(action).hide(true));
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for DocumentArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<DocumentArgs, clap::Error> {
        let names = std::iter::once("strategy").chain(OPTIONS.iter().map(|option| option.key.name));
        let typed = |name: &str| Some((name.to_owned(), matches.get_one::<String>(name)?.clone()));
        let given = |(name, ..): &(&str, &str, bool)| matches.value_source(name) == Some(ValueSource::CommandLine);
        let not_flown = NOT_FLOWN.iter().filter(|option| given(option)).map(|(name, strategy, _)| (*name, *strategy)).collect();
        Ok(DocumentArgs { options: names.filter_map(typed).collect(), not_flown })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Reads what is said of a rollout: the file, where there is one (`-`: standard input), and what was typed over it. What is
/// wrong with it is said here, before any cluster is asked.
pub fn sources(file: Option<&Path>, typed: &DocumentArgs) -> Result<Sources, Vec<Trouble>> {
    if !typed.not_flown.is_empty() {
        let refuse = |(name, strategy): &(&str, &str)| {
            let cause = format!("it belongs to {strategy}, which is not flown by this version");
            Trouble::new(Kind::Usage, Place::named(format!("--{name}")), cause, "leave it out")
        };
        return Err(typed.not_flown.iter().map(refuse).collect());
    }
    let written = file.map(|path| {
        if path == Path::new("-") {
            return yaml::read("standard input", std::io::stdin().lock());
        }
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => yaml::read(&name, file),
            Err(e) => yaml::unreadable(&name, &e),
        }
    });
    let sources = Sources { options: typed.options.clone(), file: written, ..Sources::default() };
    let is_text = sources.file.as_ref().is_none_or(|file| file.root.is_some() && file.troubles.is_empty());
    // Where only the workload's annotations may name the strategy, nobody knows yet which keys are right.
    if !is_text || sources.said("strategy").is_some() {
        read(&sources)?;
    }
    Ok(sources)
}

/// The document that all sources make.
pub fn read(sources: &Sources) -> Result<Document, Vec<Trouble>> {
    Document::read(sources).map_err(|troubles| troubles.into_iter().map(typed_wrong).collect())
}

/// What is wrong with an option is a matter of usage, not of a document.
fn typed_wrong(trouble: Trouble) -> Trouble {
    if trouble.place.name.starts_with("--") { Trouble { kind: Kind::Usage, ..trouble } } else { trouble }
}
