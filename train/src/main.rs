//! `train`: stage two. Trains, refines, scores and exports the attention LSTM.

mod commands;
mod options;

use std::process::ExitCode;

use common::program::TRAIN;

use crate::commands::{calibrate, evaluate, export, neighbours, report, training};
use crate::options::{Cli, Command};

fn main() -> ExitCode {
    TRAIN.with_native(train::device::native_versions).run(|cli: Cli| {
        match cli.command {
            Command::Fit(options) => training::fit(&options),
            Command::Refine(options) => training::refine(&options),
            Command::Distil(options) => training::distil(&options),
            Command::Evaluate(options) => evaluate::evaluate(&options),
            Command::Report(options) => report::report(&options),
            Command::Export(options) => export::export(&options),
            Command::Calibrate(options) => calibrate::calibrate(&options),
            Command::Neighbours(options) => neighbours::neighbours(&options),
        }?;
        Ok(ExitCode::SUCCESS)
    })
}
