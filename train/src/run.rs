//! The run folder: everything needed to repeat, resume and understand a run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use data::Vocabulary;
use features::{FeatureStore, Provenance};
use models::bundle::VOCABULARY_FILE;
use models::{Preprocess, SearchOptions};
use serde::{Deserialize, Serialize};
use tch::nn::VarStore;
use tch::{Device, Kind};

use crate::checkpoint::Checkpoint;
use crate::network::{NetworkConfig, ShowAttendTell};
use crate::{Error, Result};

/// The name by which the network is known in run folders and manifests.
pub const NETWORK: &str = "show-attend-tell";
/// The source revision this program was built from.
pub const REVISION: &str = env!("SHOWTELL_REVISION");

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Everything random follows from it.
    pub seed: u64,
    /// The most epochs.
    pub epochs: usize,
    /// Images in a batch; each comes with all its captions.
    pub batch: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Share of word embeddings and deep outputs set to zero.
    pub dropout: f64,
    /// Weight λ of the doubly stochastic term.
    pub doubly_stochastic: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// Epochs without a better dev CIDEr before training stops.
    pub patience: usize,
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
    pub kind: String,
    /// The source revision that trained it.
    pub revision: String,
    /// The captions file.
    pub captions: PathBuf,
    /// The folder in which split lists were looked for, and how the images were split.
    pub splits: (PathBuf, String),
    /// The feature store.
    pub store: PathBuf,
    /// SHA-256 of the vocabulary's words.
    pub vocabulary_sha256: String,
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
        let config: RunConfig =
            toml::from_str(&text).map_err(|error| Error::run(&path, error.to_string()))?;
        if config.kind != NETWORK {
            return Err(Error::run(&path, format!("the network `{}` is not known", config.kind)));
        }
        Ok(config)
    }

    /// Adds a line to `metrics.jsonl` after its first `epoch - 1` lines, so that what a killed run
    /// wrote beyond its last checkpoint does not stay.
    pub fn record(&self, epoch: usize, line: &impl Serialize) -> Result<()> {
        let path = self.0.join("metrics.jsonl");
        let before = if path.exists() {
            fs::read_to_string(&path).map_err(Error::io(&path))?
        } else {
            String::new()
        };
        let line =
            serde_json::to_string(line).map_err(|error| Error::run(&path, error.to_string()))?;
        let kept = before.lines().take(epoch - 1).chain([line.as_str(), ""]);
        self.write(
            &path,
            kept.collect::<Vec<_>>()
                .join(
                    "
",
                )
                .as_bytes(),
        )
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
        let network = ShowAttendTell::new(&weights.root(), config.network);
        weights.set_kind(Kind::Float);
        for (name, mut weight) in weights.variables() {
            checkpoint.copy_into(&name, &mut weight)?;
        }
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
    pub network: ShowAttendTell,
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
