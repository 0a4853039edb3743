//! `extract`: stage one. Every image through the encoder, once, into the feature store.

mod compare;
mod images;
mod inspect;
mod merge;
mod options;
mod pipeline;
mod plan;
mod progress;
mod run;
mod task;

use std::process::ExitCode;

use clap::Parser as _;

use crate::options::{Cli, Command};

fn main() -> ExitCode {
    // Whoever reads the output may stop reading, as `head` does.
    sigpipe::reset();
    let cli = Cli::parse();
    let done = match cli.command {
        None => run::run(&cli.run).map(|()| true),
        Some(Command::Run(options)) => run::run(&options).map(|()| true),
        Some(Command::Plan(options)) => run::plan(&options).map(|()| true),
        Some(Command::Merge(options)) => merge::run(&options).map(|()| true),
        Some(Command::Inspect(options)) => inspect::inspect(&options).map(|()| true),
        Some(Command::Verify(options)) => inspect::verify(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
