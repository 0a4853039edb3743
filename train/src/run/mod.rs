//! The run folder: everything needed to repeat, resume and understand a run.

mod config;
mod data;
mod encoder;
mod folder;
mod single_set;
mod trained;

pub use self::config::{REVISION, RunConfig};
pub use self::data::{DataRecord, PartRecord, SetRecord, SplitRecord, TrainedOnRecord};
pub use self::encoder::{EncoderDifference, EncoderRecord};
pub use self::folder::RunFolder;
pub(crate) use self::folder::{RELIABILITY_FILE, TRAINED_ON_FILE};
pub use self::trained::TrainedRun;
