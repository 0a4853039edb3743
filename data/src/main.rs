//! `captions`: what can be done with captions alone, without images, models or native libraries.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use data::splits::folder_of;
use data::{Captions, Splits, Vocabulary};

/// Captions without images: the vocabulary.
#[derive(Parser)]
#[command(name = "captions", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Count the words of the training captions and keep the frequent ones.
    Vocabulary {
        /// Captions: CSV (`image,caption`) or `name.jpg#0<TAB>caption`.
        #[arg(long, env = "SHOWTELL_CAPTIONS", value_name = "FILE")]
        captions: PathBuf,
        /// The vocabulary to write, as JSON.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How often a word must occur in the training captions.
        #[arg(long, default_value_t = 5, value_name = "N")]
        min_count: usize,
        /// Folder of the official split lists [default: the folder of the captions].
        #[arg(long, env = "SHOWTELL_SPLITS", value_name = "DIR")]
        splits: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Vocabulary { captions, out, min_count, splits } = Cli::parse().command;
    let splits = splits.unwrap_or_else(|| folder_of(&captions));
    match vocabulary(&captions, &out, min_count, &splits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn vocabulary(captions: &Path, out: &Path, min_count: usize, splits: &Path) -> data::Result<()> {
    let captions = Captions::read(captions)?;
    let splits = Splits::find(splits)?;
    let vocabulary = Vocabulary::of_training(&captions, &splits, min_count)?;
    vocabulary.save(out)?;
    println!(
        "{}: {} words that occur {min_count} times in the training captions (split by {splits})",
        out.display(),
        vocabulary.len()
    );
    Ok(())
}
