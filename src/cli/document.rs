//! Reading a document for the command line: its file, and an option for every key that a document can have.
//!
//! The options are made from the strategies' own tables, so that a key that is added there can be typed here.

use crate::strategy::{COMMON, Document, Key, Sources, StrategyKind, kebab, keys};
use crate::units::{Kind, Trouble, yaml};
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::fs::File;
use std::path::Path;
use std::sync::LazyLock;

/// Every key with its option; `service` is no option, it is the word behind `deploy`.
static OPTIONS: LazyLock<Vec<(String, &'static Key)>> = LazyLock::new(|| {
    let mut all: Vec<(String, &Key)> = Vec::new();
    for key in StrategyKind::ALL.into_iter().flat_map(keys).chain(COMMON).filter(|key| key.name != "service") {
        if all.iter().all(|(_, other)| other.name != key.name) {
            all.push((kebab(key.name), key));
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
        for (name, key) in OPTIONS.iter() {
            let option = Arg::new(key.name).long(name.as_str()).value_name("VALUE").help(key.text);
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
        for (name, strategy, _) in NOT_FLOWN {
            if matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine) {
                let says = format!("--{name} belongs to {strategy}, which this version does not fly\n");
                return Err(clap::Error::raw(ErrorKind::UnknownArgument, says));
            }
        }
        let names = std::iter::once("strategy").chain(OPTIONS.iter().map(|(_, key)| key.name));
        let typed = |name: &str| Some((name.to_owned(), matches.get_one::<String>(name)?.clone()));
        Ok(DocumentArgs { options: names.filter_map(typed).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Reads a document: the file, where there is one (`-`: standard input), and what was typed over it.
pub fn read(file: Option<&Path>, options: &[(String, String)]) -> Result<Document, Vec<Trouble>> {
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
    let sources = Sources { options: options.to_vec(), file: written, ..Sources::default() };
    Document::read(&sources).map_err(|troubles| troubles.into_iter().map(typed_wrong).collect())
}

/// What is wrong with an option is a matter of usage, not of a document.
fn typed_wrong(trouble: Trouble) -> Trouble {
    if trouble.place.name.starts_with("--") { Trouble { kind: Kind::Usage, ..trouble } } else { trouble }
}
