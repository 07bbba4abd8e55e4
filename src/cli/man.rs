//! `flightdeck man`: the manual page, made from the definition of the command line.

use super::args::Cli;
use super::{Done, print};
use crate::units::{Kind, Place, Trouble};
use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;

/// Exit codes, and what they mean.
pub const EXIT: [(&str, &str); 9] = [
    ("0", "promoted, done, or nothing to do"),
    ("1", "a bug, or neither forward nor back was possible"),
    ("2", "wrong words on the command line, an unknown or ambiguous name"),
    ("3", "a bad document, settings, scenario or journal"),
    ("4", "refused: a gate, a right, a freeze, not armed"),
    ("5", "out of reach; nothing was changed"),
    ("10", "rolled back, proven"),
    ("11", "held, waiting, not proven yet, or a region unknown"),
    ("101", "a panic"),
];

const ENVIRONMENT: [(&str, &str); 5] = [
    ("FLIGHTDECK_SETTINGS", "the settings, instead of config.yaml in the configuration directory"),
    ("FLIGHTDECK_DATA", "where logs are kept, instead of the data directory; the program's own log is below it then"),
    ("FLIGHTDECK_LOG", "the level of the program's own log: error, warn, info, debug or trace"),
    ("KUBECONFIG", "the kubeconfig files, as kubectl takes them"),
    ("NO_COLOR", "when set, no colour is ever written"),
];

/// `man`. `more` are further sections: a title, and its rows of a term and its text.
pub fn run(more: &[(&str, Vec<(String, String)>)]) -> Done {
    let bug = |e: io::Error| vec![Trouble::new(Kind::Internal, Place::named("manual page"), e.to_string(), "report this")];
    print(&page(more).map_err(bug)?)
}

fn page(more: &[(&str, Vec<(String, String)>)]) -> io::Result<String> {
    let mut command = Cli::command();
    command.build();
    let mut out = Vec::new();
    let page = Man::new(command.clone());
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let nested: Vec<_> = sub.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
        let one = std::slice::from_ref(&sub);
        for sub in if nested.is_empty() { one } else { &nested } {
            command_section(sub, &mut out)?;
        }
    }
    for (title, rows) in more {
        section(title, rows.iter().map(|(term, text)| (term.as_str(), text.as_str())), &mut out)?;
    }
    section("EXIT STATUS", EXIT, &mut out)?;
    section("ENVIRONMENT", ENVIRONMENT, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A command with its options, under its own title.
fn command_section(sub: &clap::Command, out: &mut Vec<u8>) -> io::Result<()> {
    let name = sub.get_bin_name().unwrap_or(sub.get_name()).to_owned();
    let mut title = Roff::new();
    title.control("SH", [name.to_uppercase().as_str()]);
    title.text([roman(sub.get_about().map(ToString::to_string).unwrap_or_default())]);
    title.to_writer(out)?;
    let mut body = Vec::new();
    let page = Man::new(sub.clone());
    page.render_synopsis_section(&mut body)?;
    page.render_options_section(&mut body)?;
    // Inside a command's section its parts are plain paragraphs.
    let body = String::from_utf8_lossy(&body).replace(".SH SYNOPSIS", ".PP").replace(".SH OPTIONS", ".PP").replace(".SH ", ".SS ");
    out.extend_from_slice(body.as_bytes());
    Ok(())
}

fn section<'a>(title: &str, rows: impl IntoIterator<Item = (&'a str, &'a str)>, out: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (term, text) in rows {
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text([roman(text)]);
    }
    roff.to_writer(out)
}
