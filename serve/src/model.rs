//! The flags by which programs name a model and say how it searches.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::error::ErrorKind;
use models::bundle::MANIFEST_FILE;
use models::decode::MAX_PIXELS;
use models::{Captioner, CaptionerOptions, DeviceChoice, Limits, SearchOptions};

/// Where `train fit` puts a model unless told otherwise.
const TRAINED: &str = "models/flickr8k";
/// The model that comes with Showtell.
const SHIPPED: &str = "models/showtell";

/// Which model, and where it runs.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The model folder, as `train` leaves it [default: models/flickr8k, or models/showtell, which comes with
    /// Showtell, while there is no such model].
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// The encoder [default: looked for in the model folder, then in the folder above it].
    #[arg(long, value_name = "FILE")]
    pub encoder: Option<PathBuf>,
    /// The device of the encoder.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// The most pixels of a photo.
    #[arg(long, default_value_t = MAX_PIXELS, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub max_pixels: u64,
}

impl ModelArgs {
    /// Opens the model. Its networks have `threads` of their own, or share one for each core.
    pub fn open(&self, threads: Option<usize>) -> models::Result<Captioner> {
        let options = CaptionerOptions {
            encoder: self.encoder.clone(),
            device: self.device,
            threads,
            limits: Limits { max_pixels: self.max_pixels },
        };
        Captioner::open(self.folder(), &options)
    }

    /// The model folder: the one that was named, else one of the defaults.
    #[must_use]
    pub fn folder(&self) -> &Path {
        let default =
            || if Path::new(TRAINED).join(MANIFEST_FILE).exists() { TRAINED } else { SHIPPED };
        self.model.as_deref().unwrap_or_else(|| Path::new(default()))
    }
}

/// How captions are searched.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Captions kept at each step of the search.
    #[arg(long, default_value_t = 4, value_name = "K",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub beam: u16,
    /// The fewest words of a caption.
    #[arg(long, default_value_t = 1, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub min_length: u16,
    /// The most words of a caption.
    #[arg(long, default_value_t = 24, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub max_length: u16,
    /// No N words in a row are said twice in a caption; 0 lets everything be said.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub no_repeat_ngram: u16,
    /// No word follows itself.
    #[arg(long)]
    pub no_double_words: bool,
}

impl SearchArgs {
    /// The same for a search of the `n_best` captions. Flags that contradict each other are an error of
    /// the command line.
    pub fn options(&self, n_best: u16) -> Result<SearchOptions, clap::Error> {
        let needs = |one: &str, value: u16, other: &str, least: u16| {
            let needed = format!("{one} {value} needs {other} {least} or more");
            Err(clap::Error::raw(ErrorKind::ArgumentConflict, needed))
        };
        if n_best > self.beam {
            return needs("--n-best", n_best, "--beam", n_best);
        }
        if self.min_length >= self.max_length {
            return needs("--min-length", self.min_length, "--max-length", self.min_length + 1);
        }
        Ok(SearchOptions {
            beam: self.beam.into(),
            n_best: n_best.into(),
            min_length: self.min_length.into(),
            max_length: self.max_length.into(),
            no_repeat_ngram: self.no_repeat_ngram.into(),
            double_words: !self.no_double_words,
            ..SearchOptions::default()
        })
    }
}
