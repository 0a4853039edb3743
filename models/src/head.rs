//! The head of an encoder, and the tags of photos: the probable classes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{files, head};
use ndarray::ArrayView1;
use outline::Outline;
use serde::Serialize;

use crate::network::NetworkFile;
use crate::{Error, Result};

/// The least probability of a tag. Below it about half of the tags of 40 photos of COCO were wrong, above it none of 21.
const MIN_PROBABILITY: f32 = 0.5;
/// The most tags of a photo.
const MAX_TAGS: usize = 5;

/// A class that a photo probably shows, by the classifier that its encoder was made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// Its probability by the classifier, which is not calibrated.
    pub probability: f32,
}

/// The head of an encoder ([`common::head`]).
#[derive(Debug)]
pub(crate) struct Head {
    path: PathBuf,
    bytes: Vec<u8>,
    names: Vec<String>,
}

impl Head {
    /// Reads the head beside an encoder, if there is one.
    pub(crate) fn beside(encoder: &NetworkFile) -> Result<Option<Self>> {
        let Some(path) = find(encoder.path()) else { return Ok(None) };
        let bytes = files::read(&path, head::MAX_FILE).map_err(Error::io(&path))?;
        let outline = Outline::parse(&bytes);
        let refused = |reason: &str| Error::Head { path: path.clone(), reason: reason.to_owned() };
        let (Some(of), Some(names)) =
            (outline.metadata(head::ENCODER_KEY), outline.metadata(head::CLASSES_KEY))
        else {
            return Err(refused("not the head of an encoder"));
        };
        if of != encoder.sha256() {
            return Err(refused("the head of another encoder"));
        }
        if encoder.outline().weights().iter().any(|name| outline.weights().contains(name))
            || !outline.external_data().is_empty()
        {
            return Err(refused("it changes the encoder"));
        }
        let names = serde_json::from_str::<Vec<String>>(names)
            .map_err(|error| refused(&format!("the names of its classes: {error}")))?;
        if names.iter().any(|name| name.trim().is_empty() || name.contains(char::is_control)) {
            return Err(refused("a name of its classes is empty or has control characters"));
        }
        Ok(Some(Self { path, bytes, names }))
    }

    /// The bytes, which are appended to those of the encoder.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An error about the file.
    pub(crate) fn refused(&self, reason: impl Into<String>) -> Error {
        Error::Head { path: self.path.clone(), reason: reason.into() }
    }

    /// The names of the classes; `found` are the probabilities of an image by the network with this head.
    pub(crate) fn names(&self, found: &[f32]) -> Result<Vec<String>> {
        let (names, classes) = (self.names.len(), found.len());
        if names != classes {
            return Err(self.refused(format!("{names} names for {classes} classes")));
        }
        if !found.iter().all(|probability| (0.0..=1.001).contains(probability)) {
            return Err(self.refused("its output is not of probabilities"));
        }
        Ok(self.names.clone())
    }
}

/// The head beside an encoder, or beside the file that it is a link to.
fn find(encoder: &Path) -> Option<PathBuf> {
    let target = encoder.canonicalize().ok();
    let mut paths = [Some(encoder), target.as_deref()].into_iter().flatten().map(head::path_beside);
    paths.find(|path| path.exists())
}

/// The probable classes, the most probable first: at most five, none below 0.5. Classes of the same name are one.
pub(crate) fn tags(names: &[String], probabilities: ArrayView1<f32>) -> Vec<Tag> {
    let mut sums = BTreeMap::<&str, f32>::new();
    for (name, probability) in names.iter().zip(probabilities) {
        *sums.entry(name).or_default() += probability;
    }
    let probable = sums.into_iter().filter(|&(_, probability)| probability >= MIN_PROBABILITY);
    let tag = |(name, probability): (&str, f32)| Tag { name: name.to_owned(), probability };
    let mut tags = probable.map(tag).collect::<Vec<_>>();
    tags.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    tags.truncate(MAX_TAGS);
    tags
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;

    #[test]
    fn probable_classes_are_tags() {
        let names = ["cup", "swimsuit", "dog", "swimsuit", "rare"].map(str::to_owned);
        let found = tags(&names, aview1(&[0.02, 0.24, 0.4, 0.31, 0.03]));
        let found = found.iter().map(|tag| (tag.name.as_str(), tag.probability));
        let expected = [("swimsuit", 0.55)];
        for ((name, probability), (expected, of)) in found.zip(expected) {
            assert!(name == expected && (probability - of).abs() < 1e-6, "{name}: {probability}");
        }
        assert!(tags(&names, aview1(&[0.01; 5])).is_empty());
        assert_eq!(tags(&names, aview1(&[f32::NAN; 5])), []);
    }
}
