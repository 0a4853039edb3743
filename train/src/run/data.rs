//! `[data]` in `config.toml`: the data of a run.

use data::{PartDigest, VocabularyOrigin};
use serde::{Deserialize, Serialize};

/// The data that a run was trained and scored on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// The training split.
    pub train: PartRecord,
    /// The split that chooses the best checkpoint.
    pub dev: PartRecord,
    /// The held-out split, if the data set has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PartRecord>,
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
