//! Captions as text: captions files, splits, tokens, the vocabulary and scores.
//!
//! This crate needs no native library and no model.
#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")
)]

pub mod captions;
pub mod corpus;
mod error;
pub mod metrics;
pub mod pairs;
pub mod part;
pub mod splits;
pub mod tokens;
pub mod vocabulary;

pub use captions::{CaptionedImage, Captions};
pub use corpus::Corpus;
pub use error::{Error, Result};
pub use part::PartDigest;
pub use splits::{Split, Splits};
pub use vocabulary::{Vocabulary, VocabularyOrigin};
