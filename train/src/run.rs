//! The run folder: everything needed to repeat, resume and understand a run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use data::Vocabulary;
use features::{FeatureStore, ORIGINAL, Provenance};
use models::bundle::VOCABULARY_FILE;
use models::{Preprocess, SearchOptions};
use serde::{Deserialize, Serialize};
use tch::nn::VarStore;
use tch::{Device, Kind};

use crate::checkpoint::Checkpoint;
use crate::recipes::{self, Network, NetworkConfig, Precision, Recipe, Regularization};
use crate::{Error, Refinement, Result};

/// The source revision this program was built from.
pub const REVISION: &str = data::revision!();

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Everything random follows from it.
    pub seed: u64,
    /// The most epochs.
    pub epochs: usize,
    /// Images in a batch; each comes with all its captions.
    pub batch: usize,
    /// Images that are shuffled together; larger data sets are read in blocks of neighbouring rows.
    #[serde(default = "window")]
    pub window: usize,
    /// The highest learning rate of `AdamW`.
    pub learning_rate: f64,
    /// Steps in which the learning rate rises from nothing.
    pub warm_up: usize,
    /// By what the learning rate is multiplied in each epoch.
    pub decay: f64,
    /// What share of each weight, times the learning rate, is taken off in each step.
    pub weight_decay: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// Decay of the running mean of the weights that captions are generated with; 0 is none.
    pub averaging: f64,
    /// How much the captions of an image are weighed by their consensus, from 0 (not) to 1.
    #[serde(default)]
    pub consensus: f64,
    /// The views of the store; in each epoch an image is shown in one of them.
    pub views: Vec<String>,
    /// Epochs without a better dev CIDEr before training stops.
    pub patience: usize,
    /// The numbers that matrices are multiplied in.
    pub precision: Precision,
    /// What keeps the network from learning by heart.
    pub regularization: Regularization,
}

impl Training {
    /// What a recipe is trained with, unless something else is asked for, on a store with the given
    /// views.
    #[must_use]
    pub fn of(recipe: Recipe, seed: u64, views: &[String]) -> Self {
        let plain = Self {
            seed,
            epochs: 20,
            batch: 16,
            window: window(),
            learning_rate: 5e-4,
            warm_up: 0,
            decay: 1.0,
            weight_decay: 0.0,
            clip: 5.0,
            averaging: 0.0,
            consensus: 0.0,
            views: vec![ORIGINAL.to_owned()],
            patience: 4,
            precision: Precision::of_this_machine(),
            regularization: Regularization {
                dropout: 0.5,
                doubly_stochastic: 1.0,
                ..Regularization::NONE
            },
        };
        match recipe {
            Recipe::ShowAttendTell => plain,
            Recipe::Adaptive => Self {
                epochs: 20,
                batch: 8,
                learning_rate: 8e-4,
                warm_up: 200,
                decay: 0.87,
                weight_decay: 0.05,
                averaging: 0.9995,
                consensus: 0.5,
                views: views.to_vec(),
                regularization: Regularization {
                    dropout: 0.4,
                    label_smoothing: 0.1,
                    ..Regularization::NONE
                },
                ..plain
            },
        }
    }

    /// What a trained network is refined with. Nothing is dropped: captions are drawn from the whole
    /// network, so it is that one which is rewarded.
    #[must_use]
    pub fn refining(base: &Self, seed: u64) -> Self {
        Self {
            seed,
            epochs: 15,
            batch: 16,
            learning_rate: 5e-5,
            warm_up: 50,
            decay: 0.95,
            weight_decay: 0.0,
            averaging: 0.99,
            consensus: 0.0,
            patience: 5,
            regularization: Regularization::NONE,
            ..base.clone()
        }
    }

    /// The learning rate of the step after `steps`.
    #[must_use]
    pub fn rate_at(&self, steps: i32, steps_of_epoch: usize) -> f64 {
        let steps = f64::from(steps);
        let rising = ((steps + 1.0) / self.warm_up.max(1) as f64).min(1.0);
        self.learning_rate * rising * self.decay.powf(steps / steps_of_epoch.max(1) as f64)
    }
}

/// All of Flickr8k; of ResNet50's grids 1.6 GB, of which the system keeps two at hand.
fn window() -> usize {
    8192
}

impl NetworkConfig {
    /// The sizes of a recipe, for cells of `channels` and a vocabulary.
    #[must_use]
    pub fn of(recipe: Recipe, channels: usize, vocabulary: usize) -> Self {
        let (attention, heads) = match recipe {
            Recipe::Adaptive => (512, 8),
            Recipe::ShowAttendTell => (256, 1),
        };
        Self {
            channels: channels as i64,
            vocabulary: vocabulary as i64,
            annotation: 512,
            attention,
            heads,
            embedding: 512,
            hidden: 512,
        }
    }
}

/// The encoder behind the store that a run was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderRecord {
    /// File name.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Height, width and channels of a grid.
    pub grid: [usize; 3],
    /// How images became its input.
    pub preprocess: Preprocess,
}

/// `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The kind of network.
    pub recipe: Recipe,
    /// The source revision that trained it.
    pub revision: String,
    /// The captions file.
    pub captions: PathBuf,
    /// The folder in which split lists were looked for, and how the images were split.
    pub splits: (PathBuf, String),
    /// The feature store.
    pub store: PathBuf,
    /// The licence of photos and captions, if somebody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_licence: Option<String>,
    /// SHA-256 of the vocabulary's words.
    pub vocabulary_sha256: String,
    /// What the run refines, if it does not begin with fresh weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refinement: Option<Refinement>,
    /// The encoder.
    pub encoder: EncoderRecord,
    /// The sizes of the network.
    pub network: NetworkConfig,
    /// How it was trained.
    pub training: Training,
    /// How captions are searched.
    pub search: SearchOptions,
}

/// A run folder.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder at `path`, whether or not it is there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The checkpoint with the best dev CIDEr: weights alone.
    #[must_use]
    pub fn best(&self) -> PathBuf {
        self.0.join("checkpoints/best.safetensors")
    }

    /// The checkpoint of the last finished epoch: weights and optimiser state.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.0.join("checkpoints/last.safetensors")
    }

    /// The vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> PathBuf {
        self.0.join(VOCABULARY_FILE)
    }

    /// The curves: a JSON object for each epoch.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// Writes `config.toml`, replacing it as a whole.
    pub fn save_config(&self, config: &RunConfig) -> Result<()> {
        let path = self.config();
        let text = toml::to_string(config).map_err(|error| Error::run(&path, error.to_string()))?;
        self.write(&path, text.as_bytes())
    }

    /// Reads `config.toml`.
    pub fn load_config(&self) -> Result<RunConfig> {
        let path = self.config();
        if !path.exists() {
            return Err(Error::run(&path, "no run here; start one with `train fit`"));
        }
        let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
        toml::from_str(&text).map_err(|error| Error::run(&path, error.to_string()))
    }

    /// Adds a line to `metrics.jsonl` after its first `epoch - 1` lines, so that what a killed run
    /// wrote beyond its last checkpoint does not stay.
    pub fn record(&self, epoch: usize, line: &impl Serialize) -> Result<()> {
        let path = self.metrics();
        let before = if path.exists() {
            fs::read_to_string(&path).map_err(Error::io(&path))?
        } else {
            String::new()
        };
        let line =
            serde_json::to_string(line).map_err(|error| Error::run(&path, error.to_string()))?;
        let kept = before.lines().take(epoch - 1).chain([line.as_str(), ""]);
        self.write(&path, kept.collect::<Vec<_>>().join("\n").as_bytes())
    }

    /// Writes a file of the run, replacing it as a whole.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        data::files::replace(path, bytes).map_err(Error::io(path))
    }

    /// Holds the folder against a second run for as long as the file lives.
    pub fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.0).map_err(Error::io(&self.0))?;
        let path = self.0.join(".lock");
        let file = File::create(&path).map_err(Error::io(&path))?;
        file.try_lock().map_err(|_| Error::run(&self.0, "another training runs in this folder"))?;
        Ok(file)
    }

    /// Opens the best network of the run with its config and vocabulary.
    pub fn open_best(&self, device: Device) -> Result<TrainedRun> {
        let config = self.load_config()?;
        if !self.best().exists() {
            return Err(Error::run(
                &self.best(),
                "no epoch is finished yet; let `train fit` go on",
            ));
        }
        let checkpoint = Checkpoint::load(&self.best())?;
        let vocabulary = Vocabulary::load(&self.vocabulary())?;
        if vocabulary.sha256() != checkpoint.progress.vocabulary_sha256 {
            let problem = "not the vocabulary this network was trained with";
            return Err(Error::run(&self.vocabulary(), problem));
        }
        let mut weights = VarStore::new(device);
        let network =
            recipes::build(config.recipe, &weights.root(), config.network, config.training.seed);
        weights.set_kind(Kind::Float);
        checkpoint.copy_weights(&weights)?;
        Ok(TrainedRun { config, vocabulary, network, checkpoint, _weights: weights })
    }
}

/// A trained network with what belongs to it.
#[derive(Debug)]
pub struct TrainedRun {
    /// Its config.
    pub config: RunConfig,
    /// Its vocabulary.
    pub vocabulary: Vocabulary,
    /// The network.
    pub network: Box<dyn Network>,
    /// The checkpoint it came from.
    pub checkpoint: Checkpoint,
    _weights: VarStore,
}

impl EncoderRecord {
    /// What the store says about its encoder.
    pub fn of(store: &FeatureStore, path: &Path) -> Result<Self> {
        let Provenance { encoder_name, encoder_sha256, preprocess, grid, .. } = store.provenance();
        let preprocess = serde_json::from_str(preprocess)
            .map_err(|error| Error::run(path, format!("its preprocessing: {error}")))?;
        Ok(Self {
            name: encoder_name.clone(),
            sha256: encoder_sha256.clone(),
            grid: [grid.height, grid.width, grid.channels],
            preprocess,
        })
    }

    /// Refuses a store of another encoder.
    pub fn check(&self, store: &FeatureStore, path: &Path) -> Result<()> {
        let other = Self::of(store, path)?;
        if *self == other {
            return Ok(());
        }
        Err(Error::run(
            path,
            format!(
                "made by the encoder {} ({}), but the run was trained on {} ({})\n  \
                 Name the store of the run, or train another run (--run DIR).",
                other.name, other.sha256, self.name, self.sha256
            ),
        ))
    }
}
