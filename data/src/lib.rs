//! Captions as text: reading them, splitting the images, tokens, the vocabulary and the scores.
//!
//! This room needs no native library and no model.

pub mod captions;
mod dataset;
pub mod digest;
pub mod download;
mod error;
pub mod files;
pub mod flickr8k;
pub mod import;
pub mod left_out;
pub mod metrics;
pub mod names;
pub mod pairs;
pub mod part;
pub mod program;
pub mod quotes;
pub mod scenes;
mod size;
pub mod splits;
pub mod text;
pub mod tokens;
pub mod vocabulary;

pub use captions::{CaptionedImage, Captions};
pub use error::{Error, Result};
pub use left_out::LeftOut;
pub use part::{PartDigest, digest_of_part};
pub use size::Size;
pub use splits::{Split, Splits};
pub use vocabulary::{Vocabulary, VocabularyOrigin};

#[doc(hidden)]
pub use git_version::git_version;

/// The version of the program that asks, with the revision it was built from, such as
/// `0.1.0 (1a2b3c4d5e6f)`; without the revision where it was not built from a repository.
#[macro_export]
macro_rules! version {
    () => {
        $crate::git_version!(
            args = ["--always", "--abbrev=12", "--exclude=*"],
            prefix = concat!(env!("CARGO_PKG_VERSION"), " ("),
            suffix = ")",
            cargo_prefix = ""
        )
    };
}

/// The revision that the program was built from, such as `1a2b3c4d5e6f`; `unknown` where it was not built
/// from a repository.
#[macro_export]
macro_rules! revision {
    () => {
        $crate::git_version!(
            args = ["--always", "--abbrev=12", "--exclude=*"],
            fallback = "unknown"
        )
    };
}
