//! `config.toml`: everything needed to repeat a run.

use models::SearchOptions;
use serde::{Deserialize, Serialize};

use super::{DataRecord, EncoderRecord, SetRecord};
use crate::settings::{
    Distillation, Limit, NetworkConfig, Recipe, Refinement, Training, check_search,
};
use crate::text::TextRecord;
use crate::{Error, Result};

/// The source revision this program was built from.
pub const REVISION: &str = common::revision!();
const WEIGHT: Limit<f64> = Limit::Between(0.01, 100.0);

/// `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The kind of network.
    pub recipe: Recipe,
    /// The source revision that trained it.
    pub revision: String,
    /// The licence of photos and captions, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_licence: Option<String>,
    /// SHA-256 of the vocabulary's words.
    pub vocabulary_sha256: String,
    /// How the run refines another one, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refinement: Option<Refinement>,
    /// The data sets.
    pub sets: Vec<SetRecord>,
    /// The captions without photos, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextRecord>,
    /// How the run learns from others, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<Distillation>,
    /// The encoder.
    pub encoder: EncoderRecord,
    /// The sizes of the network.
    pub network: NetworkConfig,
    /// How it was trained.
    pub training: Training,
    /// How captions are searched.
    pub search: SearchOptions,
    /// The data over all sets; runs of earlier versions have no such record.
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
        if let Some(distillation) = &self.distillation {
            distillation.check_limits()?;
        }
        self.network.check()?;
        for set in &self.sets {
            WEIGHT.check("--data-weight", set.weight)?;
        }
        if self.text.is_some() && self.recipe != Recipe::Adaptive {
            return Err(Error::TextRecipe(self.recipe));
        }
        check_search(&self.search)
    }
}
