//! Command-line options of the programs that caption photos: the model and the search.

use std::path::PathBuf;

use clap::Args;
use clap::error::ErrorKind;
use common::View;
use models::bundle::MANIFEST_FILE;
use models::{
    Captioner, CaptionerOptions, DeviceChoice, Limits, Manifest, NeighbourChoice, SearchOptions,
};

/// The default run folder of `train fit`.
const TRAINED: &str = "models/flickr8k";
/// The model that is part of Showtell, in its checkout.
const SHIPPED: &str = "models/showtell";
/// The same where Showtell is installed, from the folder of its programs.
const INSTALLED: &str = "../share/showtell/models/showtell";

/// The model and its device.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The model folder, as written by `train` [default: models/flickr8k, or else models/showtell, which is part of
    /// Showtell, in this folder or where Showtell is installed].
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// The encoder [default: searched in the model folder, then in its parent folder].
    #[arg(long, value_name = "FILE")]
    pub encoder: Option<PathBuf>,
    /// The device of the encoder.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Views of a photo whose word probabilities are averaged, separated by commas; each takes as long as a photo, and the
    /// original is always one of them [default: those of the model].
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',')]
    pub views: Vec<View>,
    /// A neighbour index: the captions of similar training images choose among those of the search [default: that of the
    /// model, if it has one].
    #[arg(long, value_name = "FILE", conflicts_with = "no_neighbours")]
    pub neighbours: Option<PathBuf>,
    /// Rank captions by the network alone.
    #[arg(long)]
    pub no_neighbours: bool,
    /// Multiply 32-bit floats in the search on all processors. By default those with VNNI multiply 8-bit integers, which is
    /// faster with one view; about one caption in 25 differs.
    #[arg(long)]
    pub exact: bool,
}

impl ModelArgs {
    /// Opens the model for photos within `limits`, with `threads` for its networks, or one per core. With `tags` photos get
    /// tags, if the encoder has a head.
    ///
    /// # Errors
    /// If the model folder is incomplete or damaged, the encoder is another one, or the device is missing.
    pub fn open(
        &self,
        threads: Option<usize>,
        limits: Limits,
        tags: bool,
    ) -> models::Result<Captioner> {
        let options = CaptionerOptions {
            encoder: self.encoder.clone(),
            device: self.device,
            threads,
            views: (!self.views.is_empty()).then(|| self.views.clone()),
            neighbours: self.neighbour_choice(),
            tags,
            exact: self.exact,
            limits,
        };
        Captioner::open(&self.folder(), &options)
    }

    fn neighbour_choice(&self) -> NeighbourChoice {
        match &self.neighbours {
            _ if self.no_neighbours => NeighbourChoice::Off,
            Some(path) => NeighbourChoice::File(path.clone()),
            None => NeighbourChoice::OfModel,
        }
    }

    /// The model folder: `--model`, or one of the defaults. A checkout may lack the encoder of its model, which an installation
    /// has.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let is_model = |folder: &PathBuf| folder.join(MANIFEST_FILE).exists();
        let is_complete = |folder: &PathBuf| {
            let encoder = self.encoder.as_deref();
            Manifest::load(folder).is_ok_and(|of| of.find_encoder(folder, encoder).is_ok())
        };
        let installed = || {
            let program = std::env::current_exe().ok()?;
            Some(program.parent()?.join(INSTALLED)).filter(is_model)
        };
        let chosen = self.model.clone();
        chosen
            .or_else(|| Some(PathBuf::from(TRAINED)).filter(is_model))
            .or_else(|| Some(PathBuf::from(SHIPPED)).filter(is_complete))
            .or_else(installed)
            .unwrap_or_else(|| SHIPPED.into())
    }
}

/// The settings of beam search.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// The beam: captions kept at each step of the search; at least as many as a neighbour index chooses from.
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
    /// Block repeated n-grams of this size (0 = off).
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub no_repeat_ngram: u16,
    /// Block words that directly repeat the word before.
    #[arg(long)]
    pub no_double_words: bool,
}

impl SearchArgs {
    /// The options of a search for the `n_best` captions.
    ///
    /// # Errors
    /// An error of the command line if two options contradict each other.
    pub fn options(&self, n_best: u16) -> Result<SearchOptions, clap::Error> {
        if n_best > self.beam {
            return Err(conflict(format!("--n-best {n_best} needs --beam {n_best} or more")));
        }
        if self.min_length >= self.max_length {
            let (min_length, least) = (self.min_length, self.min_length + 1);
            return Err(conflict(format!(
                "--min-length {min_length} needs --max-length {least} or more"
            )));
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

fn conflict(problem: String) -> clap::Error {
    clap::Error::raw(ErrorKind::ArgumentConflict, problem)
}
