//! The trained network of a run.

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
        let checkpoint = Checkpoint::load(&self.best())?;
        let vocabulary = Vocabulary::load(&self.vocabulary())?;
        if vocabulary.sha256() != checkpoint.progress.vocabulary_sha256 {
            return Err(Error::run(&self.vocabulary(), RunProblem::OtherVocabulary));
        }
        if config.encoder.sha256 != checkpoint.progress.encoder_sha256 {
            return Err(Error::run(&self.config(), RunProblem::OtherConfig));
        }
        config.network.check()?;
        memory::check(config.recipe, &config.network, device)?;
        let mut weights = VarStore::new(device);
        let network =
            recipes::build(config.recipe, &weights.root(), config.network, config.training.seed);
        weights.set_kind(Kind::Float);
        checkpoint.copy_weights(&weights)?;
        Ok(TrainedRun { config, vocabulary, network, checkpoint, _weights: weights })
    }
}
