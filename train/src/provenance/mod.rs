//! What a run was trained on: recorded with the run, and compared with the data each time the run is used again.

mod compare;
mod part;
mod trained_on;

use data::{Captions, Split, Splits, Vocabulary, VocabularyOrigin};
use features::FeatureStore;
use serde::{Deserialize, Serialize};

pub use self::compare::{Purpose, compare, refuse_seen};
pub use self::part::PartRecord;
pub use self::trained_on::{TrainedOn, TrainedOnRecord};
use crate::Result;

/// A data set as runs use it.
#[derive(Debug)]
pub struct DataSet {
    /// What people wrote about the images.
    pub captions: Captions,
    /// Which image is trained on, which chooses the model, which is only scored.
    pub splits: Splits,
    /// The grids of the images.
    pub store: FeatureStore,
}

/// `[data]` in `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// What is trained on.
    pub train: PartRecord,
    /// What chooses the best checkpoint.
    pub dev: PartRecord,
    /// What is only scored, if the data set had such a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PartRecord>,
    /// What the vocabulary was counted over, where its file tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<VocabularyOrigin>,
    /// All photos that the network was trained on, those of the run that it refines included.
    pub trained_on: TrainedOnRecord,
}

impl DataRecord {
    /// The record of a network that is trained on `data`.
    pub fn new(data: &DataSet, vocabulary: &Vocabulary, trained_on: &TrainedOn) -> Result<Self> {
        let test = PartRecord::new(data, Split::Test)?;
        Ok(Self {
            train: PartRecord::new(data, Split::Train)?,
            dev: PartRecord::new(data, Split::Dev)?,
            test: (test.digest.images > 0).then_some(test),
            vocabulary: vocabulary.origin().cloned(),
            trained_on: trained_on.record()?,
        })
    }

    /// The record of a part, if the data set had it.
    #[must_use]
    pub fn part(&self, split: Split) -> Option<&PartRecord> {
        match split {
            Split::Train => Some(&self.train),
            Split::Dev => Some(&self.dev),
            Split::Test => self.test.as_ref(),
        }
    }
}
