//! The catalogue with the files that encoders are made of.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use common::text;
use convert::catalogue::{self, Catalogue, Recipe};
use download::Source;
use serde::Deserialize;

/// An encoder, and the file that it is made of.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Entry {
    /// The family of the network and its training data.
    pub(crate) architecture: String,
    /// The publisher's name of the file.
    pub(crate) origin: String,
    pub(crate) licence: String,
    #[serde(flatten)]
    pub(crate) source: Source,
    #[serde(flatten)]
    pub(crate) recipe: Recipe,
}

/// Reads the catalogue at `path`, or the project's own.
pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Catalogue<Entry>> {
    let Some(path) = path else { return Ok(catalogue::parse(catalogue::OWN)?) };
    catalogue::parse(&text::read(path)?).with_context(|| path.display().to_string())
}

/// The encoder `name`.
pub(crate) fn find<'a>(catalogue: &'a Catalogue<Entry>, name: &str) -> anyhow::Result<&'a Entry> {
    catalogue.get(name).ok_or_else(|| {
        let names = catalogue.keys().map(String::as_str).collect::<Vec<_>>();
        anyhow!(
            "{name}: not in the catalogue\n  It has {}. Make others with `encoder convert` or `encoder adapt`.",
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
