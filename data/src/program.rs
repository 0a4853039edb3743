//! How every program begins, prints and ends: its variables, its output, its errors, its exit status.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Command, Parser};

use crate::LeftOut;

/// A program and the prefix of its environment variables: each option `--some-option` may be given as the variable
/// `PREFIX_SOME_OPTION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    prefix: &'static str,
}

/// `captions`.
pub const CAPTIONS: Program = Program { prefix: "SHOWTELL_CAPTIONS_" };
/// `encoder`.
pub const ENCODER: Program = Program { prefix: "SHOWTELL_ENCODER_" };
/// `extract`.
pub const EXTRACT: Program = Program { prefix: "SHOWTELL_EXTRACT_" };
/// `train`.
pub const TRAIN: Program = Program { prefix: "SHOWTELL_TRAIN_" };
/// `serve`.
pub const SERVE: Program = Program { prefix: "SHOWTELL_SERVE_" };
/// `caption`.
pub const CAPTION: Program = Program { prefix: "SHOWTELL_CAPTION_" };

/// What variables were called before each program had a prefix of its own.
const OLD_PREFIX: &str = "SHOWTELL_";

impl Program {
    /// Parses the command line and the environment, does `work`, and gives the exit status: what `work` gives, or 1
    /// after an error, which is printed. A reader of the output that stops reading, as `head` does, is not an error.
    /// A wrong command line or variable ends the program with 2.
    pub fn run<C: Parser>(self, work: impl FnOnce(C) -> anyhow::Result<ExitCode>) -> ExitCode {
        let command = self.with_variables(C::command());
        let parsed = self
            .check_variables(&command, variables())
            .and_then(|unknown| {
                for name in unknown {
                    warn(format_args!("warning: {name} is ignored: it belongs to no option"));
                }
                command.try_get_matches()
            })
            .and_then(|matches| C::from_arg_matches(&matches));
        let cli = match parsed {
            Ok(cli) => cli,
            Err(error) => return end(&error.format(&mut C::command())),
        };
        match work(cli) {
            Ok(status) => status,
            Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                warn(format_args!("error: {}", explain(&error)));
                ExitCode::FAILURE
            }
        }
    }

    /// `command` with a variable for each option, those of its subcommands included.
    fn with_variables(self, command: Command) -> Command {
        let command = command.mut_args(|arg| {
            let Some(long) = arg.get_long() else { return arg };
            let variable = OsString::from(self.prefix.to_owned() + &variable_of(long));
            match arg.get_action() {
                ArgAction::SetTrue => arg.env(variable).value_parser(BoolishValueParser::new()),
                ArgAction::Set | ArgAction::Append => arg.env(variable),
                _ => arg,
            }
        });
        command.mut_subcommands(|command| self.with_variables(command))
    }

    /// Refuses variables under their old names. Gives those with this program's prefix that belong to no option.
    fn check_variables(
        self,
        command: &Command,
        set: impl Iterator<Item = OsString>,
    ) -> Result<Vec<String>, clap::Error> {
        let mut known = Vec::new();
        collect_variables(command, &mut known);
        let mut unknown = Vec::new();
        for name in set.filter_map(|name| name.into_string().ok()) {
            if name.starts_with(self.prefix) {
                if !known.contains(&name) {
                    unknown.push(name);
                }
            } else if let Some(option) = name.strip_prefix(OLD_PREFIX) {
                let new = self.prefix.to_owned() + option;
                if known.contains(&new) {
                    let problem =
                        format!("the environment variable {name} is called {new} now; rename it");
                    return Err(clap::Error::raw(ErrorKind::UnknownArgument, problem));
                }
            }
        }
        Ok(unknown)
    }
}

/// Prints the help, the version or a problem of the command line, and gives the exit status.
fn end(message: &clap::Error) -> ExitCode {
    match message.print().and_then(|()| io::stdout().flush()) {
        Err(error) if !message.use_stderr() && error.kind() != io::ErrorKind::BrokenPipe => {
            warn(format_args!("error: standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => u8::try_from(message.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

/// The names of the environment's variables. Kubernetes gives each container the addresses of services, such as
/// `SHOWTELL_PORT=tcp://10.0.0.1:80` of one called `showtell`: those are left out.
fn variables() -> impl Iterator<Item = OsString> {
    let is_service = |value: &OsString| value.as_encoded_bytes().starts_with(b"tcp://");
    std::env::vars_os().filter(move |(_, value)| !is_service(value)).map(|(name, _)| name)
}

fn variable_of(long: &str) -> String {
    long.to_ascii_uppercase().replace('-', "_")
}

fn collect_variables(command: &Command, known: &mut Vec<String>) {
    let variables = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str());
    known.extend(variables.map(str::to_owned));
    command.get_subcommands().for_each(|command| collect_variables(command, known));
}

/// Prints a line to standard output. Unlike `println!` it gives an error, and does not panic, where the output is on
/// a full disk or nobody reads it.
///
/// # Errors
/// If the line cannot be written.
pub fn print(line: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output")
}

/// Prints a line to standard error, if there is anybody to read it.
pub fn warn(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Says on standard error what was left out of `file`, if anything: a reason on each line.
pub fn report_left_out(file: &Path, left_out: &LeftOut) {
    for line in left_out.to_string().lines() {
        warn(format_args!("{}: {line}", file.display()));
    }
}

/// The message of an error and those of its causes, each said once: many messages hold their cause already.
#[must_use]
pub fn explain(error: &anyhow::Error) -> String {
    let mut causes = error.chain().map(ToString::to_string);
    let mut said = causes.next().unwrap_or_default();
    for cause in causes.filter(|cause| !cause.is_empty()) {
        if !said.contains(&cause) {
            said = said + ": " + &cause;
        }
    }
    said
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Sub,
    }

    #[derive(clap::Subcommand)]
    enum Sub {
        Run {
            #[arg(long)]
            batch_size: Option<usize>,
            #[arg(long)]
            prune: bool,
        },
    }

    fn checked(variable: &str) -> Result<Vec<String>, String> {
        let command = EXTRACT.with_variables(<Cli as clap::CommandFactory>::command());
        let set = std::iter::once(OsString::from(variable));
        EXTRACT.check_variables(&command, set).map_err(|error| error.to_string())
    }

    #[test]
    fn old_names_are_refused_and_unknown_ones_found() {
        for variable in ["SHOWTELL_EXTRACT_BATCH_SIZE", "SHOWTELL_EXTRACT_PRUNE", "BATCH_SIZE"] {
            assert!(checked(variable).unwrap().is_empty());
        }
        // Those of other programs, and of the build.
        for variable in ["SHOWTELL_TRAIN_BATCH", "SHOWTELL_NATIVE", "SHOWTELL_HELP"] {
            assert!(checked(variable).unwrap().is_empty());
        }
        let old = checked("SHOWTELL_BATCH_SIZE").unwrap_err();
        assert!(old.contains("SHOWTELL_EXTRACT_BATCH_SIZE"), "{old}");
        assert_eq!(checked("SHOWTELL_EXTRACT_BATCHSIZE").unwrap(), ["SHOWTELL_EXTRACT_BATCHSIZE"]);
    }

    #[test]
    fn causes_are_said_once() {
        let io = || io::Error::other("the disk is full");
        let twice = anyhow::Error::new(io()).context("a.txt: the disk is full");
        assert_eq!(explain(&twice), "a.txt: the disk is full");
        let chain = Err::<(), _>(io()).context("a.txt").context("cannot save");
        assert_eq!(explain(&chain.unwrap_err()), "cannot save: a.txt: the disk is full");
    }
}
