//! The run folder: everything needed to repeat, resume and understand a run.

mod config;
mod encoder;
mod folder;
mod training;

pub use self::config::{REVISION, RunConfig};
pub use self::encoder::EncoderRecord;
pub use self::folder::{RunFolder, TrainedRun};
pub use self::training::Training;
