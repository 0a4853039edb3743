//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use models::{DeviceChoice, SearchOptions};
use train::export::Weights;
use train::recipes::{Precision, Recipe};
use train::run::Training;

/// Stage two: the attention LSTM, trained on the feature store.
#[derive(Parser)]
#[command(name = "train", version = data::version!())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Train a network and export it.
    Fit(Fit),
    /// Train a network further, on the CIDEr-D of captions it says.
    Refine(Refine),
    /// Caption a split with the best checkpoint and score the captions.
    Evaluate(Evaluate),
    /// Write a page about runs: curves, scores, captions with their photos.
    Report(Report),
    /// Write the best checkpoint as ONNX, for `serve`.
    Export(Export),
}

#[derive(Args)]
pub(crate) struct Fit {
    /// Captions: CSV (`image,caption`) or `name.jpg#0<TAB>caption`.
    #[arg(long, default_value = "data/captions.txt", value_name = "FILE")]
    pub(crate) captions: PathBuf,
    /// The feature store that `extract` filled.
    #[arg(long, default_value = "features/flickr8k.h5", value_name = "FILE")]
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Folder of the official split lists [default: the folder of the captions].
    #[arg(long, value_name = "DIR")]
    pub(crate) splits: Option<PathBuf>,
    /// Go on with the run in the folder, with its own settings; only --epochs may be raised.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// The network and how it is trained [default: adaptive].
    #[arg(long, value_enum)]
    pub(crate) recipe: Option<Recipe>,
    /// A file of settings that differ from the recipe's, in the tables of a run's config.toml; flags
    /// change them further.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// How often a word must occur in the training captions.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) min_count: usize,
    /// Licence of photos and captions, told with the model.
    #[arg(long, value_name = "TEXT")]
    pub(crate) data_licence: Option<String>,
}

#[derive(Args)]
pub(crate) struct Refine {
    /// The run whose best network is refined; a run that goes on knows it.
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Go on with the run in the folder, with its own settings; only --epochs may be raised.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Captions that are drawn for an image; each is compared with the others.
    #[arg(long, default_value_t = 5, value_name = "N",
          value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) samples: u16,
    #[command(flatten)]
    pub(crate) changes: Changes,
}

/// Settings that differ from those of the recipe.
#[derive(Args)]
#[command(next_help_heading = "Settings (defaults: of the recipe, see config.toml of the run)")]
pub(crate) struct Changes {
    /// The most epochs.
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Images in a batch; each comes with all its captions.
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) batch: Option<u16>,
    /// Images that are shuffled together. A larger data set is read in blocks of neighbouring rows, so that
    /// a disk keeps up.
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) window: Option<u32>,
    /// The highest learning rate.
    #[arg(long, value_name = "X")]
    pub(crate) learning_rate: Option<f64>,
    /// Steps in which the learning rate rises.
    #[arg(long, value_name = "N")]
    pub(crate) warm_up: Option<usize>,
    /// By what the learning rate is multiplied in each epoch.
    #[arg(long, value_name = "X")]
    pub(crate) decay: Option<f64>,
    /// What share of each weight, times the learning rate, is taken off in each step.
    #[arg(long, value_name = "X")]
    pub(crate) weight_decay: Option<f64>,
    /// Largest norm of the gradient.
    #[arg(long, value_name = "X")]
    pub(crate) clip: Option<f64>,
    /// Decay of the running mean of the weights; 0 is none.
    #[arg(long, value_name = "X")]
    pub(crate) averaging: Option<f64>,
    /// How much captions weigh by their CIDEr-D against the others of their image, from 0 (not) to 1.
    #[arg(long, value_name = "X")]
    pub(crate) consensus: Option<f64>,
    /// Views of the store, separated by commas: in each epoch an image is shown in one of them
    /// [default: all of the store; for show-attend-tell the original alone].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) views: Option<Vec<String>>,
    /// Epochs without a better dev CIDEr before training stops.
    #[arg(long, value_name = "N")]
    pub(crate) patience: Option<usize>,
    /// The numbers that matrices are multiplied in while training [default: bf16 where that is
    /// faster, with AMX or AMD's AVX-512-BF16, else f32].
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) precision: Option<Precision>,
    /// Share of the values of words, cells and outputs set to zero.
    #[arg(long, value_name = "X")]
    pub(crate) dropout: Option<f64>,
    /// Share of an image's cells that are not shown (adaptive).
    #[arg(long, value_name = "X")]
    pub(crate) cell_dropout: Option<f64>,
    /// Share of the encoder's channels set to zero in all cells of an image (adaptive).
    #[arg(long, value_name = "X")]
    pub(crate) channel_dropout: Option<f64>,
    /// Share of the words that are shown as unknown.
    #[arg(long, value_name = "X")]
    pub(crate) word_dropout: Option<f64>,
    /// Share of the probability that is asked to be spread over all words.
    #[arg(long, value_name = "X")]
    pub(crate) label_smoothing: Option<f64>,
    /// Weight of the term that asks every cell to be looked at (show-attend-tell).
    #[arg(long, value_name = "X")]
    pub(crate) doubly_stochastic: Option<f64>,
}

impl Changes {
    /// The settings of a recipe, changed.
    pub(crate) fn apply(&self, mut training: Training) -> Training {
        fn set<T>(value: &mut T, change: Option<T>) {
            if let Some(change) = change {
                *value = change;
            }
        }
        set(&mut training.epochs, self.epochs);
        set(&mut training.batch, self.batch.map(usize::from));
        set(&mut training.window, self.window.map(|window| window as usize));
        set(&mut training.learning_rate, self.learning_rate);
        set(&mut training.warm_up, self.warm_up);
        set(&mut training.decay, self.decay);
        set(&mut training.weight_decay, self.weight_decay);
        set(&mut training.clip, self.clip);
        set(&mut training.averaging, self.averaging);
        set(&mut training.consensus, self.consensus);
        set(&mut training.views, self.views.clone());
        set(&mut training.patience, self.patience);
        set(&mut training.precision, self.precision);
        let regularization = &mut training.regularization;
        set(&mut regularization.dropout, self.dropout);
        set(&mut regularization.cell_dropout, self.cell_dropout);
        set(&mut regularization.channel_dropout, self.channel_dropout);
        set(&mut regularization.word_dropout, self.word_dropout);
        set(&mut regularization.label_smoothing, self.label_smoothing);
        set(&mut regularization.doubly_stochastic, self.doubly_stochastic);
        training
    }
}

#[derive(Args)]
pub(crate) struct Evaluate {
    /// The run folder; several, with commas between them, are averaged.
    #[arg(long, default_value = "models/flickr8k", value_name = "DIR", value_delimiter = ',')]
    pub(crate) run: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Which split.
    #[arg(long, value_enum, default_value = "dev")]
    pub(crate) split: SplitChoice,
    #[command(flatten)]
    pub(crate) search: SearchChanges,
    /// Where to write the scores as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// How captions are searched, where it differs from the run.
#[derive(Args)]
pub(crate) struct SearchChanges {
    /// Captions kept at each step of the search [default: of the run].
    #[arg(long, value_name = "K",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) beam: Option<u16>,
    /// Captions are compared by log-probability / length^X [default: of the run].
    #[arg(long, value_name = "X")]
    pub(crate) length_exponent: Option<f32>,
    /// No N words in a row are said twice in a caption; 0 lets everything be said [default: of the run].
    #[arg(long, value_name = "N")]
    pub(crate) no_repeat_ngram: Option<u16>,
}

impl SearchChanges {
    pub(crate) fn apply(&self, search: SearchOptions) -> SearchOptions {
        SearchOptions {
            beam: self.beam.map_or(search.beam, usize::from),
            length_exponent: self.length_exponent.unwrap_or(search.length_exponent),
            no_repeat_ngram: self.no_repeat_ngram.map_or(search.no_repeat_ngram, usize::from),
            ..search
        }
    }
}

/// Where the data of a run lies, if it moved since training.
#[derive(Args)]
pub(crate) struct DataArgs {
    /// Captions, if they moved since training.
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// The feature store, if it moved since training.
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// Folder of the official split lists, if it moved since training.
    #[arg(long, value_name = "DIR")]
    pub(crate) splits: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Report {
    /// The run folders; the captions of the first one are shown, the others are compared with it.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) runs: Vec<PathBuf>,
    /// The folder of the photos.
    #[arg(long, default_value = "data/Images", value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    /// Where to write the page [default: report.html in the first run folder].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// What matrices are kept in; the network runs in 32-bit floats with both.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) weights: Weights,
    /// Licence of photos and captions, told with the model [default: of the run].
    #[arg(long, value_name = "TEXT")]
    pub(crate) data_licence: Option<String>,
    /// Caption the dev split with the trained and with the exported network, and say how far they agree.
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) search: SearchChanges,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The run folder.
    #[arg(long = "run", default_value = "models/flickr8k", value_name = "DIR")]
    pub(crate) path: PathBuf,
}

#[derive(Args)]
pub(crate) struct Machine {
    /// Where libtorch runs: auto, cpu or cuda.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Threads of libtorch [default: all cores]. The same seed gives the same curve for the same
    /// number of threads.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u16>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SplitChoice {
    /// The split that chooses checkpoints.
    Dev,
    /// The held-out split.
    Test,
}
