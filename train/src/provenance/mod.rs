//! The data of a run: recorded with it, and compared with the present data each time the run is used.

mod compare;
mod part;
mod photo;
mod trained_on;

use data::{Split, Vocabulary};

pub use self::compare::{OnChange, Purpose, compare, refuse_seen};
pub use self::trained_on::{PhotoIndex, TrainedOn};
use crate::Result;
use crate::dataset::DataSet;
use crate::run::{DataRecord, PartRecord, SetRecord};

impl DataRecord {
    /// The record of a network with that vocabulary that is trained on these photos.
    ///
    /// # Errors
    /// [`Error::Content`](crate::Error::Content) if a name cannot be written.
    pub fn new(vocabulary: &Vocabulary, trained_on: &TrainedOn) -> Result<Self> {
        Ok(Self { vocabulary: vocabulary.origin().cloned(), trained_on: trained_on.record()? })
    }
}

impl SetRecord {
    /// Records the splits of a data set.
    ///
    /// # Errors
    /// [`Error::Features`](crate::Error::Features) if the store cannot be read.
    pub fn record_splits(&mut self, data: &DataSet) -> Result<()> {
        let test = PartRecord::new(data, Split::Test)?;
        self.train = Some(PartRecord::new(data, Split::Train)?);
        self.dev = Some(PartRecord::new(data, Split::Dev)?);
        self.test = (test.digest.images > 0).then_some(test);
        Ok(())
    }

    /// Whether a data set has the photos of one of the recorded splits.
    ///
    /// # Errors
    /// [`Error::Features`](crate::Error::Features) if the store cannot be read.
    pub fn shares_photos(&self, data: &DataSet) -> Result<bool> {
        for split in Split::ALL {
            let Some(then) = self.part(split) else { continue };
            let now = PartRecord::new(data, split)?;
            if now.photos > 0 && now.photos_sha256 == then.photos_sha256 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
