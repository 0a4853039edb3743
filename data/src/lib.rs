//! Captions as text: reading them, splitting the images, tokens, the vocabulary and the scores.
//!
//! This room needs no native library and no model.

pub mod captions;
pub mod digest;
pub mod download;
mod error;
pub mod files;
pub mod import;
pub mod metrics;
pub mod pairs;
pub mod scenes;
pub mod splits;
pub mod tokens;
pub mod vocabulary;

pub use captions::{CaptionedImage, Captions};
pub use error::{Error, Result};
pub use splits::{Split, Splits};
pub use vocabulary::Vocabulary;
