//! `[[sets]]` and `[data]` in `config.toml`: the data of a run.

use std::path::PathBuf;

use data::{PartDigest, Split, VocabularyOrigin};
use serde::{Deserialize, Serialize};

/// A data set that a run was trained and scored on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetRecord {
    /// The captions file.
    pub captions: PathBuf,
    /// How the images were split.
    pub splits: SplitRecord,
    /// The feature store.
    pub store: PathBuf,
    /// Its weight: how often an epoch shows each training image, and how much the dev scores count.
    pub weight: f64,
    /// The training split; runs of earlier versions have no record of their splits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<PartRecord>,
    /// The split that chooses the best checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<PartRecord>,
    /// The held-out split, if the data set has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PartRecord>,
}

impl SetRecord {
    /// The record of a split, if there is one.
    #[must_use]
    pub fn part(&self, split: Split) -> Option<&PartRecord> {
        match split {
            Split::Train => self.train.as_ref(),
            Split::Dev => self.dev.as_ref(),
            Split::Test => self.test.as_ref(),
        }
    }
}

/// How the images of a run were split; in `config.toml` an array of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(PathBuf, String)", into = "(PathBuf, String)")]
pub struct SplitRecord {
    /// The folder of the split lists.
    pub folder: PathBuf,
    /// The name of the method: official lists or the hash of the file name.
    pub method: String,
}

impl From<(PathBuf, String)> for SplitRecord {
    fn from((folder, method): (PathBuf, String)) -> Self {
        Self { folder, method }
    }
}

impl From<SplitRecord> for (PathBuf, String) {
    fn from(record: SplitRecord) -> Self {
        (record.folder, record.method)
    }
}

/// The data of all sets together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// The captions that the vocabulary was counted over, if its file names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<VocabularyOrigin>,
    /// The photos that the network was trained on, those of the run that it refines included.
    pub trained_on: TrainedOnRecord,
}

/// One split of a data set: its images and captions, and the photos of which the store has grids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// The captioned images and their captions.
    #[serde(flatten)]
    pub digest: PartDigest,
    /// Number of images with a grid.
    pub photos: usize,
    /// SHA-256 of their names and files, in lines as in `trained-on.jsonl`.
    pub photos_sha256: String,
}

/// The record of `trained-on.jsonl` in `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedOnRecord {
    /// Number of photos, one per line.
    pub photos: usize,
    /// SHA-256 of these lines.
    pub sha256: String,
    /// Whether the list is complete: photos from before the run had a list are unknown.
    pub complete: bool,
}
