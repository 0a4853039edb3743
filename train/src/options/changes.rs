//! Settings on the command line.

use clap::Args;
use models::SearchOptions;
use train::recipes::Precision;
use train::run::Training;

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
    /// Epochs without a better one before training stops: with a higher dev CIDEr, or the same and a lower dev loss.
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
