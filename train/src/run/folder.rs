//! The files of a run.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use data::{Vocabulary, text};
use models::bundle::VOCABULARY_FILE;
use serde::Serialize;
use tch::nn::VarStore;
use tch::{Device, Kind};

use super::RunConfig;
use crate::checkpoint::Checkpoint;
use crate::recipes::{self, Network};
use crate::{Error, Result};

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

    /// The photos that it was trained on: a line each.
    #[must_use]
    pub fn trained_on(&self) -> PathBuf {
        self.0.join("trained-on.jsonl")
    }

    fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// Writes `config.toml`, replacing it as a whole.
    pub fn save_config(&self, config: &RunConfig) -> Result<()> {
        self.write(&self.config(), self.config_text(config)?.as_bytes())
    }

    /// What [`Self::save_config`] writes; an error if the config cannot be written as TOML.
    pub fn config_text(&self, config: &RunConfig) -> Result<String> {
        toml::to_string(config).map_err(|error| Error::run(&self.config(), error.to_string()))
    }

    /// Reads `config.toml`.
    pub fn load_config(&self) -> Result<RunConfig> {
        let path = self.config();
        if !path.exists() {
            return Err(Error::run(&path, "no run here; start one with `train fit`"));
        }
        toml::from_str(&text::read(&path)?).map_err(|error| Error::run(&path, error.to_string()))
    }

    /// Adds a line to `metrics.jsonl` after its first `epoch - 1` lines, so that what a killed run
    /// wrote beyond its last checkpoint does not stay.
    pub fn record(&self, epoch: usize, line: &impl Serialize) -> Result<()> {
        let path = self.metrics();
        let before = if path.exists() { text::read(&path)? } else { String::new() };
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
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(Error::run(&self.0, "another training runs in this folder"))
            }
            Err(TryLockError::Error(error)) => {
                let problem = format!(
                    "cannot be locked: {error}\n  Put the run on a file system that has locks (--run DIR)."
                );
                Err(Error::run(&path, problem))
            }
        }
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
        if config.encoder.sha256 != checkpoint.progress.encoder_sha256 {
            let problem =
                "not the config of this network: it was trained on grids of another encoder";
            return Err(Error::run(&self.config(), problem));
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
