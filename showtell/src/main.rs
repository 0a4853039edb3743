//! `showtell`: one command for all programs, which it finds beside itself, as git and cargo do.

mod completions;
mod programs;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use common::program::{explain, is_broken_pipe, warn};

use self::completions::Shell;
use self::programs::Program;

/// Caption photographs: on a web page, over HTTP, from the command line.
#[derive(Parser)]
#[command(name = "showtell", version = common::version!(), disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Caption photos with a trained model.
    #[command(disable_help_flag = true)]
    Caption(Rest),
    /// Serve a trained captioner: a web page and a JSON API.
    #[command(disable_help_flag = true)]
    Serve(Rest),
    /// Fetch, check and score captions of data sets.
    #[command(disable_help_flag = true)]
    Captions(Rest),
    /// Make, quantize and compare encoders.
    #[command(disable_help_flag = true)]
    Encoder(Rest),
    /// Encode photos into a feature store.
    #[command(disable_help_flag = true)]
    Extract(Rest),
    /// Train a captioner on a feature store.
    #[command(disable_help_flag = true)]
    Train(Rest),
    /// Print a script that completes commands and flags in a shell.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write manual pages of all programs into a folder.
    Man {
        /// The folder, such as ~/.local/share/man/man1.
        folder: PathBuf,
    },
}

/// The arguments of a program.
#[derive(Args)]
struct Rest {
    /// The arguments; --help lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let ended = match Cli::try_parse() {
        Ok(cli) => perform(cli.task),
        Err(version) if version.kind() == ErrorKind::DisplayVersion => {
            programs::print_versions(&version)
        }
        Err(error) => error.exit(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            warn(format_args!("error: {}", explain(&error)));
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Caption(rest) => run("caption", rest),
        Task::Serve(rest) => run("serve", rest),
        Task::Captions(rest) => run("captions", rest),
        Task::Encoder(rest) => run("encoder", rest),
        Task::Extract(rest) => run("extract", rest),
        Task::Train(rest) => run("train", rest),
        Task::Completions { shell } => completions::print(shell),
        Task::Man { folder } => programs::write_manuals(Cli::command(), &folder),
    }
}

/// Replaces this process by a program.
fn run(name: &'static str, rest: Rest) -> anyhow::Result<()> {
    let program = Program::find(name)?;
    let error: io::Error =
        Command::new(&program.path).arg0(format!("showtell {name}")).args(rest.arguments).exec();
    Err(common::Error::io(&program.path)(error).into())
}
