//! The data of a run: recorded with it, and compared with the present data each time the run is used.

mod compare;
mod part;
mod trained_on;

use data::{Split, Vocabulary};

pub use self::compare::{OnChange, Purpose, compare, refuse_seen};
pub use self::trained_on::TrainedOn;
use crate::Result;
use crate::dataset::DataSet;
use crate::run::{DataRecord, PartRecord};

impl DataRecord {
    /// The record of a network that is trained on `data`.
    ///
    /// # Errors
    /// [`Error::Features`](crate::Error::Features) if the store cannot be read.
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

    /// The record of a split, if the data set had it.
    fn part(&self, split: Split) -> Option<&PartRecord> {
        match split {
            Split::Train => Some(&self.train),
            Split::Dev => Some(&self.dev),
            Split::Test => self.test.as_ref(),
        }
    }
}
