//! The encoders that can be made by name.

use std::collections::BTreeMap;

use common::{GridShape, Preprocess};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// The project's own catalogue.
pub const OWN: &str = include_str!("../../encoders.toml");

/// How an encoder is made of a file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Recipe {
    /// The path of the network in the file, if that is an archive.
    pub member: Option<String>,
    /// Number of blocks whose outputs make up a cell.
    pub blocks: usize,
    /// The shape of a grid.
    #[serde(with = "common::sides")]
    pub grid: GridShape,
    /// Number of classes of its head, if it has one.
    pub classes: Option<usize>,
    /// How images become the encoder's input.
    pub preprocess: Preprocess,
    /// The SHA-256 of the encoder, where it is known.
    pub encoder: Option<String>,
}

/// Entries by name: [`Recipe`]s, or a type with more fields.
pub type Catalogue<Entry> = BTreeMap<String, Entry>;

/// Parses a catalogue.
///
/// # Errors
/// If the text is not TOML, or an entry lacks a field.
pub fn parse<Entry: DeserializeOwned>(text: &str) -> Result<Catalogue<Entry>, toml::de::Error> {
    toml::from_str(text)
}

impl Recipe {
    /// Whether `encoder` is the one that this recipe makes, as far as the catalogue has its hash.
    #[must_use]
    pub fn is_result(&self, encoder: &[u8]) -> bool {
        self.encoder
            .as_ref()
            .is_none_or(|expected| *expected == hex::encode(Sha256::digest(encoder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_catalogue_can_be_parsed() {
        let catalogue = parse::<Recipe>(OWN).unwrap();
        let own = &catalogue["efficientnet-lite2"];
        assert_eq!(own.grid, GridShape::from([7, 7, 1488]));
        assert!(own.member.as_ref().is_some_and(|member| member.starts_with("efficientnet_lite2")));
        assert!(!own.is_result(b"another encoder"));
        assert!(catalogue["resnet50"].is_result(b"any encoder"));
        assert!(parse::<Recipe>("lite = 1").is_err());
    }
}
