//! The encoder that a run belongs to.

use std::path::Path;

use features::{FeatureStore, Provenance};
use models::Preprocess;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The encoder behind the store that a run was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderRecord {
    /// File name.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Height, width and channels of a grid.
    pub grid: [usize; 3],
    /// How images became its input.
    pub preprocess: Preprocess,
}

impl EncoderRecord {
    /// What the store says about its encoder.
    pub fn of(store: &FeatureStore, path: &Path) -> Result<Self> {
        let Provenance { encoder_name, encoder_sha256, preprocess, grid, .. } = store.provenance();
        let preprocess = serde_json::from_str(preprocess)
            .map_err(|error| Error::run(path, format!("its preprocessing: {error}")))?;
        Ok(Self {
            name: encoder_name.clone(),
            sha256: encoder_sha256.clone(),
            grid: [grid.height, grid.width, grid.channels],
            preprocess,
        })
    }

    /// Whether both are the same encoder, whatever its file is called.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.difference(other).is_none()
    }

    /// Refuses a store of another encoder.
    pub fn check(&self, store: &FeatureStore, path: &Path) -> Result<()> {
        let Some(difference) = self.difference(&Self::of(store, path)?) else { return Ok(()) };
        Err(Error::run(
            path,
            format!(
                "{difference}\n  Name the store of the run (--store), or train another run (--run DIR)."
            ),
        ))
    }

    /// How the encoder of a store differs from this one in anything that grids depend on.
    fn difference(&self, other: &Self) -> Option<String> {
        let shape = |of: &Self| of.grid.map(|side: usize| side.to_string()).join("×");
        if self.sha256 != other.sha256 {
            Some(format!(
                "made by the encoder {} ({}), but the run was trained on {} ({})",
                other.name, other.sha256, self.name, self.sha256
            ))
        } else if self.grid != other.grid {
            let (theirs, ours) = (shape(other), shape(self));
            Some(format!("its grids are {theirs}, but the run was trained on grids of {ours}"))
        } else if self.preprocess != other.preprocess {
            let [theirs, ours] = [other, self].map(|of| serde_json::to_string(&of.preprocess));
            let (theirs, ours) = (theirs.unwrap_or_default(), ours.unwrap_or_default());
            Some(format!("its images were prepared as {theirs}, but those of the run as {ours}"))
        } else {
            None
        }
    }
}
