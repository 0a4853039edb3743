//! Data sets of captions: Flickr8k from its public addresses, others from JSON, and drawn scenes.
#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")
)]

mod archive;
pub mod coco;
mod dataset;
mod error;
pub mod flickr8k;
pub mod import;
pub mod scenes;
mod staging;

pub use error::{ArchiveProblem, DrawError, Error, ImportProblem, Result};
