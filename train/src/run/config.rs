//! `config.toml`: everything needed to repeat a run.

use std::path::PathBuf;

use models::SearchOptions;
use serde::{Deserialize, Serialize};

use super::{EncoderRecord, Training};
use crate::Refinement;
use crate::provenance::DataRecord;
use crate::recipes::{NetworkConfig, Recipe};

/// The source revision this program was built from.
pub const REVISION: &str = data::revision!();

/// `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The kind of network.
    pub recipe: Recipe,
    /// The source revision that trained it.
    pub revision: String,
    /// The captions file.
    pub captions: PathBuf,
    /// The folder in which split lists were looked for, and how the images were split.
    pub splits: (PathBuf, String),
    /// The feature store.
    pub store: PathBuf,
    /// The licence of photos and captions, if somebody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_licence: Option<String>,
    /// SHA-256 of the vocabulary's words.
    pub vocabulary_sha256: String,
    /// What the run refines, if it does not begin with fresh weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refinement: Option<Refinement>,
    /// The encoder.
    pub encoder: EncoderRecord,
    /// The sizes of the network.
    pub network: NetworkConfig,
    /// How it was trained.
    pub training: Training,
    /// How captions are searched.
    pub search: SearchOptions,
    /// What it was trained and scored on; runs of earlier versions have no such record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataRecord>,
}

impl NetworkConfig {
    /// The sizes of a recipe, for cells of `channels` and a vocabulary.
    #[must_use]
    pub fn of(recipe: Recipe, channels: usize, vocabulary: usize) -> Self {
        let (attention, heads) = match recipe {
            Recipe::Adaptive => (512, 8),
            Recipe::ShowAttendTell => (256, 1),
        };
        Self {
            channels: channels as i64,
            vocabulary: vocabulary as i64,
            annotation: 512,
            attention,
            heads,
            embedding: 512,
            hidden: 512,
        }
    }
}
