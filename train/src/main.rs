//! `train`: stage two. Trains, refines, scores and exports the attention LSTM.

mod commands;
mod options;

use std::process::ExitCode;

use clap::Parser as _;

use crate::commands::{evaluation, export, report, training};
use crate::options::{Cli, Command};

fn main() -> ExitCode {
    // Whoever reads the output may stop reading, as `head` does.
    sigpipe::reset();
    let result = match Cli::parse().command {
        Command::Fit(options) => training::fit(&options),
        Command::Refine(options) => training::refine(&options),
        Command::Evaluate(options) => evaluation::evaluate(&options),
        Command::Report(options) => report::report(&options),
        Command::Export(options) => export::export(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
