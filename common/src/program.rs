//! The frame of every program: environment variables, output, errors, exit status.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Command, Parser};
use serde_json::json;

pub use crate::generate::write_manual;
use crate::{SkippedEntries, describe_io, generate};

/// A program and the prefix of its environment variables: each option `--some-option` may be given as the variable
/// `PREFIX_SOME_OPTION`.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    prefix: &'static str,
    /// Whether standard error is one JSON document per line when it is not a terminal.
    json_lines: bool,
    /// The native libraries that it uses, a line each.
    native: fn() -> Vec<String>,
}

/// `captions`.
pub const CAPTIONS: Program = Program::new("SHOWTELL_CAPTIONS_");
/// `encoder`.
pub const ENCODER: Program = Program::new("SHOWTELL_ENCODER_");
/// `convert`.
pub const CONVERT: Program = Program::new("SHOWTELL_CONVERT_");
/// `extract`.
pub const EXTRACT: Program = Program { json_lines: true, ..Program::new("SHOWTELL_EXTRACT_") };
/// `train`.
pub const TRAIN: Program = Program::new("SHOWTELL_TRAIN_");
/// `serve`.
pub const SERVE: Program = Program::new("SHOWTELL_SERVE_");
/// `caption`.
pub const CAPTION: Program = Program::new("SHOWTELL_CAPTION_");

/// The prefix of all variables before each program had its own.
const OLD_PREFIX: &str = "SHOWTELL_";

impl Program {
    const fn new(prefix: &'static str) -> Self {
        Self { prefix, json_lines: false, native: Vec::new }
    }

    /// The program with the native libraries that `--version` names.
    #[must_use]
    pub const fn with_native(self, native: fn() -> Vec<String>) -> Self {
        Self { native, ..self }
    }

    /// Parses the command line and the environment, runs `work`, and returns the exit status: that of `work`, or 1
    /// after an error, which is printed. A closed output, as with `head`, is not an error. The status of a wrong
    /// command line or variable is 2.
    pub fn run<C: Parser>(self, work: impl FnOnce(C) -> anyhow::Result<ExitCode>) -> ExitCode {
        let command = self.with_variables(C::command());
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_some_and(|first| first == generate::FLAG) {
            return self.ended(generate::generate(command, arguments).map(|()| ExitCode::SUCCESS));
        }
        let parsed = self
            .check_variables(&command, variable_names())
            .and_then(|unknown| {
                for name in unknown {
                    self.report("warning", &format!("{name}: ignored: no option has this name"));
                }
                command.try_get_matches()
            })
            .and_then(|matches| C::from_arg_matches(&matches));
        let cli = match parsed {
            Ok(cli) => cli,
            Err(error) => return self.print_message(&error.format(&mut C::command())),
        };
        self.ended(work(cli))
    }

    /// The exit status of a program that has ended; an error is printed.
    fn ended(self, result: anyhow::Result<ExitCode>) -> ExitCode {
        match result {
            Ok(status) => status,
            Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                self.report("error", &explain(&error));
                ExitCode::FAILURE
            }
        }
    }

    /// Writes a message to standard error.
    fn report(self, level: &str, message: &str) {
        if self.writes_json() {
            warn(json!({ "event": level, "message": message }));
        } else {
            warn(format_args!("{level}: {message}"));
        }
    }

    fn writes_json(self) -> bool {
        self.json_lines && !io::stderr().is_terminal()
    }

    /// Prints the help, the version or an error of the command line, and returns the exit status.
    fn print_message(self, message: &clap::Error) -> ExitCode {
        let status = u8::try_from(message.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        if message.use_stderr() && self.writes_json() {
            let text = message.render().to_string();
            self.report("error", text.strip_prefix("error: ").unwrap_or(&text).trim_end());
            return status;
        }
        let native =
            if message.kind() == ErrorKind::DisplayVersion { (self.native)() } else { Vec::new() };
        let printed = message.print().and_then(|()| {
            let mut out = io::stdout().lock();
            native.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            out.flush()
        });
        match printed {
            Err(error) if !message.use_stderr() && error.kind() != io::ErrorKind::BrokenPipe => {
                self.report("error", &format!("standard output: {}", describe_io(&error)));
                ExitCode::FAILURE
            }
            _ => status,
        }
    }

    /// Adds a variable to each option of `command` and of its subcommands.
    fn with_variables(self, command: Command) -> Command {
        let command = command.mut_args(|arg| {
            let Some(long) = arg.get_long() else { return arg };
            let variable = OsString::from(self.prefix.to_owned() + &variable_name(long));
            match arg.get_action() {
                ArgAction::SetTrue => arg.env(variable).value_parser(BoolishValueParser::new()),
                ArgAction::Set | ArgAction::Append => arg.env(variable),
                _ => arg,
            }
        });
        command.mut_subcommands(|command| self.with_variables(command))
    }

    /// Refuses variables under their old names. Returns those with this program's prefix that no option has.
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
                    let problem = format!("environment variable {name}: renamed: use {new}");
                    return Err(clap::Error::raw(ErrorKind::UnknownArgument, problem));
                }
            }
        }
        Ok(unknown)
    }
}

/// The names of the environment's variables. Addresses of services, which Kubernetes adds to each container
/// (`SHOWTELL_PORT=tcp://10.0.0.1:80` for a service `showtell`), are skipped.
fn variable_names() -> impl Iterator<Item = OsString> {
    let is_service = |value: &OsString| value.as_encoded_bytes().starts_with(b"tcp://");
    std::env::vars_os().filter(move |(_, value)| !is_service(value)).map(|(name, _)| name)
}

fn variable_name(long: &str) -> String {
    long.to_ascii_uppercase().replace('-', "_")
}

fn collect_variables(command: &Command, known: &mut Vec<String>) {
    let variables = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str());
    known.extend(variables.map(str::to_owned));
    command.get_subcommands().for_each(|command| collect_variables(command, known));
}

/// Prints a line to standard output. Unlike `println!` it returns an error, and does not panic, if the disk is full or
/// the output is closed.
///
/// # Errors
/// If the line cannot be written.
pub fn print(line: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output")
}

/// Prints a line to standard error; a closed standard error is ignored.
pub fn warn(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Prints to standard error the entries that were skipped of `file`, one reason per line.
pub fn report_skipped_entries(file: &Path, skipped_entries: &SkippedEntries) {
    for line in skipped_entries.to_string().lines() {
        warn(format_args!("{}: {line}", file.display()));
    }
}

/// The message of an error and those of its causes, each once: many messages contain their cause. Errors of the operating
/// system are described by [`describe_io`].
#[must_use]
pub fn explain(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        let raw = cause.to_string();
        let described = cause.downcast_ref().map_or_else(|| raw.clone().into(), describe_io);
        if message.is_empty() {
            message = described.into_owned();
        } else if !described.is_empty() && !message.contains(&raw) && !message.contains(&*described)
        {
            message = message + ": " + &described;
        }
    }
    message
}

/// Whether an error says that the output was closed, as with `head`.
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
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
    fn old_names_are_refused_and_unknown_ones_reported() {
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
    fn causes_are_printed_once() {
        let io = || io::Error::other("the disk is full");
        let twice = anyhow::Error::new(io()).context("a.txt: the disk is full");
        assert_eq!(explain(&twice), "a.txt: the disk is full");
        let chain = Err::<(), _>(io()).context("a.txt").context("cannot save");
        assert_eq!(explain(&chain.unwrap_err()), "cannot save: a.txt: the disk is full");
    }
}
