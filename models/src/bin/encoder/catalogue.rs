//! The encoders that are made by name.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use data::text;
use download::Source;
use models::Preprocess;
use serde::Deserialize;

/// The project's own list.
const OWN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/encoders.toml"));

/// An encoder, and the file that it is made of.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Entry {
    /// The family of the network, and what it was trained on.
    pub(crate) architecture: String,
    /// Who publishes the file, under which name.
    pub(crate) origin: String,
    pub(crate) licence: String,
    #[serde(flatten)]
    pub(crate) source: Source,
    /// Where the network lies in the file, if that is an archive.
    pub(crate) member: Option<String>,
    /// Blocks whose outputs make up a cell.
    pub(crate) blocks: usize,
    /// Height, width, and values of a cell.
    pub(crate) grid: [usize; 3],
    pub(crate) preprocess: Preprocess,
    /// The SHA-256 of the encoder, where it is known.
    pub(crate) encoder: Option<String>,
}

/// Encoders by name.
pub(crate) type Catalogue = BTreeMap<String, Entry>;

/// The catalogue at `path`, or the project's own.
pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Catalogue> {
    let Some(path) = path else { return Ok(toml::from_str(OWN)?) };
    let place = || path.display().to_string();
    toml::from_str(&text::read(path)?).with_context(place)
}

/// The encoder called `name`.
pub(crate) fn find<'a>(catalogue: &'a Catalogue, name: &str) -> anyhow::Result<&'a Entry> {
    catalogue.get(name).ok_or_else(|| {
        let names = catalogue.keys().map(String::as_str).collect::<Vec<_>>();
        anyhow!(
            "no encoder is called {name}\n  There are: {}. Others are made by `encoder convert` or `encoder adapt`.",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use download::Checksum;

    #[test]
    fn the_own_catalogue_can_be_read() {
        let catalogue = super::read(None).unwrap();
        for (name, entry) in &catalogue {
            assert!(entry.source.address.starts_with("https://"), "{name}");
            let Checksum::Sha256(digits) = &entry.source.checksum else { panic!("{name}") };
            assert_eq!(digits.len(), 64, "{name}");
            assert_eq!(super::find(&catalogue, name).unwrap(), entry);
        }
        let error = super::find(&catalogue, "resnet").unwrap_err().to_string();
        assert!(error.contains("efficientnet-lite2, resnet50"), "{error}");
    }
}
