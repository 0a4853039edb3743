//! The photos that a network was trained on.

use std::collections::{HashMap, HashSet};

use data::names::normal;
use data::{Captions, digest, text};
use features::{FeatureStore, Source};
use serde::{Deserialize, Serialize};

use super::part::{lines, sorted_photos};
use crate::dataset::{ScoredImage, TrainingImage};
use crate::run::{RunConfig, RunFolder};
use crate::{Error, Result};

/// The photos that a network was trained on: their names, in Unicode normal form C, and the SHA-256 of their files.
///
/// `trained-on.jsonl` lists them, and `config.toml` tells the number of lines that count and their SHA-256. Photos are only
/// ever added at the end, and the list is written before the config: after a kill between the two, those that count
/// are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainedOn {
    photos: Vec<(String, Source)>,
    /// Whether these are all: runs of earlier versions have no list.
    complete: bool,
}

/// What `config.toml` says of `trained-on.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedOnRecord {
    /// The number of photos: of lines.
    pub photos: usize,
    /// The SHA-256 of these lines.
    pub sha256: String,
    /// Whether the list holds all photos: those from before the run had a list are not known.
    pub complete: bool,
}

impl TrainedOn {
    /// No photo: fresh weights.
    #[must_use]
    pub fn nothing() -> Self {
        Self { photos: Vec::new(), complete: true }
    }

    /// The photos that the network of a run was trained on.
    pub fn of_run(folder: &RunFolder, config: &RunConfig) -> Result<Self> {
        let Some(record) = config.data.as_ref().map(|data| &data.trained_on) else {
            return Ok(Self { photos: Vec::new(), complete: false });
        };
        let path = folder.trained_on();
        let list = text::read(&path)?;
        let counted = list.split_inclusive('\n').take(record.photos).collect::<String>();
        if digest::of_bytes(counted.as_bytes()) != record.sha256 {
            let problem = "not the list of photos that this run was trained on; restore it";
            return Err(Error::run(&path, problem));
        }
        let photos = counted.lines().map(photo).collect::<Option<Vec<_>>>();
        let damaged = || Error::run(&path, "a line is not the name and the SHA-256 of a photo");
        Ok(Self { photos: photos.ok_or_else(damaged)?, complete: record.complete })
    }

    /// Adds images that a network is trained on.
    pub fn add(&mut self, images: &[TrainingImage], store: &FeatureStore) -> Result<()> {
        self.append(sorted_photos(images.iter().map(|image| image.row), store)?);
        Ok(())
    }

    /// Adds the photos of another network.
    pub fn extend(&mut self, other: Self) {
        self.append(other.photos);
        self.complete &= other.complete;
    }

    fn append(&mut self, photos: Vec<(String, Source)>) {
        let known = self.photos.iter().cloned().collect::<HashSet<_>>();
        self.photos.extend(photos.into_iter().filter(|photo| !known.contains(photo)));
    }

    /// The number of photos.
    #[must_use]
    pub fn len(&self) -> usize {
        self.photos.len()
    }

    /// Whether there is no photo.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.photos.is_empty()
    }

    /// Whether all photos are known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Writes the list into a run folder, replacing it as a whole.
    pub fn save(&self, folder: &RunFolder) -> Result<()> {
        folder.write(&folder.trained_on(), lines(&self.photos)?.as_bytes())
    }

    pub(super) fn record(&self) -> Result<TrainedOnRecord> {
        let sha256 = digest::of_bytes(lines(&self.photos)?.as_bytes());
        Ok(TrainedOnRecord { photos: self.photos.len(), sha256, complete: self.complete })
    }

    /// Whether none of the captioned images has the name of one of these photos.
    #[must_use]
    pub fn shares_no_name(&self, captions: &Captions) -> bool {
        let names = self.photos.iter().map(|(name, _)| name.as_str()).collect::<HashSet<_>>();
        !captions.iter().any(|of| names.contains(normal(&of.image).as_ref()))
    }

    /// Those of `images` that are among these photos, by name or by file, as they are called in messages.
    pub fn seen(&self, images: &[ScoredImage], store: &FeatureStore) -> Result<Vec<String>> {
        let names = self.photos.iter().map(|(name, _)| name.as_str()).collect::<HashSet<_>>();
        let files = self.photos.iter().map(|(name, file)| (*file, name)).collect::<HashMap<_, _>>();
        let mut seen = Vec::new();
        for image in images {
            if names.contains(normal(&image.image).as_ref()) {
                seen.push(image.image.clone());
            } else if let Some(same) = files.get(&store.source(image.row)?) {
                seen.push(format!("{} (the same file as {same})", image.image));
            }
        }
        Ok(seen)
    }
}

/// A photo of a line of the list.
fn photo(line: &str) -> Option<(String, Source)> {
    let (name, sha256) = serde_json::from_str::<(String, String)>(line).ok()?;
    let mut source = Source::default();
    hex::decode_to_slice(sha256, &mut source).ok()?;
    Some((name, source))
}
