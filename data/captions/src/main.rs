//! `captions`: data sets, vocabulary and scores of captions, without models or native libraries.

mod cli;
mod commands;

use std::process::ExitCode;

use common::program::CAPTIONS;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    CAPTIONS.run(|cli: Cli| {
        match cli.command {
            Command::Vocabulary { source, out, min_count } => {
                commands::vocabulary(&source, &out, min_count)
            }
            Command::Tokenize => commands::tokenize_lines(),
            Command::Score(options) => commands::score::run(&options),
            Command::References { source, split, out } => {
                commands::references(&source, split.into(), &out)
            }
            Command::Flickr8k { out } => commands::flickr8k(&out),
            Command::Coco2017(options) => commands::coco2017(&options),
            Command::Import { data_set, out } => commands::import(&data_set, &out),
            Command::Scenes(options) => commands::scenes(&options),
            Command::Looked { objects, captions } => commands::looked(&objects, &captions),
            Command::Frequencies { references, out } => commands::frequencies(&references, &out),
        }?;
        Ok(ExitCode::SUCCESS)
    })
}
