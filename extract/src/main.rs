//! `extract`: stage one. Every image through the encoder, once, into the feature store.

mod compare;
mod images;
mod inspect;
mod memory;
mod merge;
mod options;
mod pipeline;
mod plan;
mod progress;
mod run;
mod task;

use std::process::ExitCode;

use data::program::EXTRACT;

use crate::options::{Cli, Command};

fn main() -> ExitCode {
    EXTRACT.run(|cli: Cli| {
        match cli.command {
            None => run::run(&cli.run)?,
            Some(Command::Run(options)) => run::run(&options)?,
            Some(Command::Plan(options)) => run::plan(&options)?,
            Some(Command::Merge(options)) => merge::run(&options)?,
            Some(Command::Inspect(options)) => inspect::inspect(&options)?,
            Some(Command::Verify(options)) => return inspect::verify(&options),
        }
        Ok(ExitCode::SUCCESS)
    })
}
