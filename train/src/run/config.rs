//! `config.toml`: everything needed to repeat a run.

use std::path::PathBuf;

use models::SearchOptions;
use serde::{Deserialize, Serialize};

use super::{DataRecord, EncoderRecord};
use crate::Result;
use crate::settings::{NetworkConfig, Recipe, Refinement, Training, check_search};

/// The source revision this program was built from.
pub const REVISION: &str = common::revision!();

/// `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The kind of network.
    pub recipe: Recipe,
    /// The source revision that trained it.
    pub revision: String,
    /// The captions file.
    pub captions: PathBuf,
    /// How the images were split.
    pub splits: SplitRecord,
    /// The feature store.
    pub store: PathBuf,
    /// The licence of photos and captions, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_licence: Option<String>,
    /// SHA-256 of the vocabulary's words.
    pub vocabulary_sha256: String,
    /// How the run refines another one, if it does.
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
    /// The data it was trained and scored on; runs of earlier versions have no such record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataRecord>,
}

impl RunConfig {
    /// Refuses settings that no run can be trained with.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) with the flag of the first one, or its name in a file of settings.
    pub fn check(&self) -> Result<()> {
        self.training.check()?;
        if let Some(refinement) = &self.refinement {
            refinement.check_limits()?;
        }
        self.network.check()?;
        check_search(&self.search)
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
