//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use models::DeviceChoice;

/// Stage two: the attention LSTM, trained on the feature store.
#[derive(Parser)]
#[command(name = "train", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Train a network and export it.
    Fit(Fit),
    /// Caption a split with the best checkpoint and score the captions.
    Evaluate(Evaluate),
    /// Write the best checkpoint as ONNX, for `serve`.
    Export(Export),
}

#[derive(Args)]
pub(crate) struct Fit {
    /// Captions: CSV (`image,caption`) or `name.jpg#0<TAB>caption`.
    #[arg(
        long,
        env = "SHOWTELL_CAPTIONS",
        default_value = "data/captions.txt",
        value_name = "FILE"
    )]
    pub(crate) captions: PathBuf,
    /// The feature store that `extract` filled.
    #[arg(
        long,
        env = "SHOWTELL_STORE",
        default_value = "features/flickr8k.h5",
        value_name = "FILE"
    )]
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Folder of the official split lists [default: the folder of the captions].
    #[arg(long, env = "SHOWTELL_SPLITS", value_name = "DIR")]
    pub(crate) splits: Option<PathBuf>,
    /// Go on with the run in the folder, with its own settings; only --epochs may be raised.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Everything random follows from it.
    #[arg(long, env = "SHOWTELL_SEED", default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// The most epochs.
    #[arg(long, env = "SHOWTELL_EPOCHS", default_value_t = 20, value_name = "N")]
    pub(crate) epochs: usize,
    /// Images in a batch; each comes with all its captions.
    #[arg(long, env = "SHOWTELL_BATCH", default_value_t = 16, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) batch: u16,
    /// Adam's learning rate.
    #[arg(long, env = "SHOWTELL_LEARNING_RATE", default_value_t = 5e-4, value_name = "X")]
    pub(crate) learning_rate: f64,
    /// Share of word embeddings and deep outputs set to zero.
    #[arg(long, env = "SHOWTELL_DROPOUT", default_value_t = 0.5, value_name = "X")]
    pub(crate) dropout: f64,
    /// Weight of the term that asks every cell to be looked at.
    #[arg(long, env = "SHOWTELL_DOUBLY_STOCHASTIC", default_value_t = 1.0, value_name = "X")]
    pub(crate) doubly_stochastic: f64,
    /// Largest norm of the gradient.
    #[arg(long, env = "SHOWTELL_CLIP", default_value_t = 5.0, value_name = "X")]
    pub(crate) clip: f64,
    /// Epochs without a better dev CIDEr before training stops.
    #[arg(long, env = "SHOWTELL_PATIENCE", default_value_t = 4, value_name = "N")]
    pub(crate) patience: usize,
    /// How often a word must occur in the training captions.
    #[arg(long, env = "SHOWTELL_MIN_COUNT", default_value_t = 5, value_name = "N")]
    pub(crate) min_count: usize,
}

#[derive(Args)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Which split.
    #[arg(long, env = "SHOWTELL_SPLIT", value_enum, default_value = "dev")]
    pub(crate) split: SplitChoice,
    /// Captions kept at each step of the search.
    #[arg(long, env = "SHOWTELL_BEAM", default_value_t = 3, value_name = "K",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) beam: u16,
    /// Where to write the scores as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Captions, if they moved since training.
    #[arg(long, env = "SHOWTELL_CAPTIONS", value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// The feature store, if it moved since training.
    #[arg(long, env = "SHOWTELL_STORE", value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// Folder of the official split lists, if it moved since training.
    #[arg(long, env = "SHOWTELL_SPLITS", value_name = "DIR")]
    pub(crate) splits: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The run folder.
    #[arg(long, env = "SHOWTELL_RUN", default_value = "models/flickr8k", value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Where libtorch runs: auto, cpu or cuda.
    #[arg(long, env = "SHOWTELL_DEVICE", default_value_t, value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Threads of libtorch [default: all cores]. The same seed gives the same curve for the same
    /// number of threads.
    #[arg(long, env = "SHOWTELL_THREADS", value_name = "N")]
    pub(crate) threads: Option<u16>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SplitChoice {
    /// The split that chooses checkpoints.
    Dev,
    /// The held-out split.
    Test,
}
