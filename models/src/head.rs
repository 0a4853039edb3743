//! The head of an encoder, and the tags of photos: the probable classes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::{files, head};
use ndarray::ArrayView1;
use outline::Outline;
use serde::Serialize;

use crate::network::NetworkFile;
use crate::{Error, Result};

/// The least probability of a tag.
const MIN_PROBABILITY: f32 = 0.25;
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
        let path = head::path_beside(encoder.path());
        if !path.exists() {
            return Ok(None);
        }
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
        let names = serde_json::from_str(names)
            .map_err(|error| refused(&format!("the names of its classes: {error}")))?;
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

    /// The names of the classes, of which a network with this head must have `classes`.
    pub(crate) fn into_names(self, classes: usize) -> Result<Vec<String>> {
        if self.names.len() == classes {
            return Ok(self.names);
        }
        let names = self.names.len();
        Err(self.refused(format!("{names} names for {classes} classes")))
    }
}

/// The probable classes, the most probable first: at most five, none below 0.25. Classes of the same name are one.
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
        let found = tags(&names, aview1(&[0.2, 0.14, 0.4, 0.16, 0.1]));
        let found = found.iter().map(|tag| (tag.name.as_str(), tag.probability));
        let expected = [("dog", 0.4), ("swimsuit", 0.3)];
        for ((name, probability), (expected, of)) in found.zip(expected) {
            assert!(name == expected && (probability - of).abs() < 1e-6, "{name}: {probability}");
        }
        assert!(tags(&names, aview1(&[0.01; 5])).is_empty());
        assert_eq!(tags(&names, aview1(&[f32::NAN; 5])), []);
    }
}
