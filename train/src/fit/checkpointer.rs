//! The checkpoints of a run.

use std::time::{Duration, Instant};

use super::learner::Learner;
use super::record::EpochRecord;
use crate::Result;
use crate::checkpoint::{self, Checkpoint, Progress};
use crate::run::RunFolder;

/// The longest training time that a kill may cost.
const INTERVAL: Duration = Duration::from_mins(5);

/// Writes and reads the checkpoints of a run.
#[derive(Debug)]
pub(super) struct Checkpointer<'a> {
    folder: &'a RunFolder,
    last_saved: Instant,
}

impl<'a> Checkpointer<'a> {
    pub(super) fn new(folder: &'a RunFolder) -> Self {
        Self { folder, last_saved: Instant::now() }
    }

    /// Whether the last checkpoint is old.
    pub(super) fn is_due(&self) -> bool {
        self.last_saved.elapsed() > INTERVAL
    }

    /// Writes the last checkpoint, from which the run can be resumed.
    pub(super) fn save_last(&mut self, learner: &Learner, progress: &Progress) -> Result<()> {
        checkpoint::save(&self.folder.last(), learner.state(), progress)?;
        self.last_saved = Instant::now();
        Ok(())
    }

    /// Writes the best checkpoint: the weights that captions are generated with.
    pub(super) fn save_best(&self, learner: &Learner, progress: &Progress) -> Result<()> {
        checkpoint::save(&self.folder.best(), learner.generator_weights(), progress)
    }

    /// Reads the last checkpoint, if there is one; it must be of the vocabulary and encoder of `progress`.
    pub(super) fn load_last(&self, progress: &Progress) -> Result<Option<Checkpoint>> {
        if !self.folder.last().exists() {
            return Ok(None);
        }
        let Progress { vocabulary_sha256, encoder_sha256, .. } = progress;
        let last = self.folder.last();
        self.folder.load_checkpoint(&last, vocabulary_sha256, encoder_sha256).map(Some)
    }

    /// Writes the line of an epoch.
    pub(super) fn record(&self, record: &EpochRecord) -> Result<()> {
        self.folder.record(record.epoch, record)
    }
}
