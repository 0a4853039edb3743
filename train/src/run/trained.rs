//! The trained network of a run.

use std::path::Path;

use data::Vocabulary;
use tch::nn::VarStore;
use tch::{Device, Kind};

use super::{RunConfig, RunFolder};
use crate::checkpoint::Checkpoint;
use crate::recipes::{self, Network};
use crate::{Error, Result, RunProblem, memory};

/// A trained network with its configuration and vocabulary.
#[derive(Debug)]
pub struct TrainedRun {
    /// Its configuration.
    pub config: RunConfig,
    /// Its vocabulary.
    pub vocabulary: Vocabulary,
    /// The network.
    pub network: Box<dyn Network>,
    /// The checkpoint it was read from.
    pub checkpoint: Checkpoint,
    _weights: VarStore,
}

impl RunFolder {
    /// Opens the best network of the run.
    ///
    /// # Errors
    /// Those of [`load_config`](Self::load_config) and [`Checkpoint::load`], and [`Error::Run`] before the first epoch is
    /// finished or if a file is of another run.
    pub fn open_best(&self, device: Device) -> Result<TrainedRun> {
        let config = self.load_config()?;
        if !self.best().exists() {
            return Err(Error::run(&self.best(), RunProblem::NoEpoch));
        }
        let vocabulary = Vocabulary::load(&self.vocabulary())?;
        let (best, words) = (self.best(), vocabulary.sha256());
        let checkpoint = self.load_checkpoint(&best, &words, &config.encoder.sha256)?;
        config.network.check()?;
        memory::check(config.recipe, &config.network, device, 1)?;
        let (mut weights, network) =
            recipes::build(config.recipe, config.network, config.training.seed, device);
        weights.set_kind(Kind::Float);
        checkpoint.copy_weights(&weights)?;
        Ok(TrainedRun { config, vocabulary, network, checkpoint, _weights: weights })
    }

    /// Reads the checkpoint at `path`, which must be of the vocabulary and the encoder with these SHA-256.
    pub(crate) fn load_checkpoint(
        &self,
        path: &Path,
        vocabulary: &str,
        encoder: &str,
    ) -> Result<Checkpoint> {
        let checkpoint = Checkpoint::load(path)?;
        if checkpoint.progress.vocabulary_sha256 != vocabulary {
            return Err(Error::run(&self.vocabulary(), RunProblem::OtherVocabulary));
        }
        if checkpoint.progress.encoder_sha256 != encoder {
            return Err(Error::run(&self.config(), RunProblem::OtherConfig));
        }
        Ok(checkpoint)
    }
}
