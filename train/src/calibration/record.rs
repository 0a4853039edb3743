//! `reliability.json` in a run folder: how reliable the confidence in its captions is.

use std::fmt::Write as _;

use common::{Size, digest, files};
use models::Manifest;
use models::bundle::MANIFEST_FILE;
use models::confidence::{Calibration, FeatureWeight};
use serde::{Deserialize, Serialize};

use super::Reliability;
use crate::run::{RELIABILITY_FILE, RunFolder};
use crate::{Error, Result, RunProblem};

/// The largest file that is read.
const LIMIT: Size = Size::mib(16);

/// How reliable a calibrated confidence is on each data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityRecord {
    /// SHA-256 of the calibration that was measured.
    calibration_sha256: String,
    /// The data sets.
    pub sets: Vec<SetReliability>,
}

/// How reliable a confidence is on the dev photos of a data set, in folds that it was not fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetReliability {
    /// The name of the set.
    pub name: String,
    /// How reliable it is.
    #[serde(flatten)]
    pub reliability: Reliability,
}

impl ReliabilityRecord {
    /// The record of a calibration.
    #[must_use]
    pub fn new(calibration: &Calibration, sets: Vec<SetReliability>) -> Self {
        Self { calibration_sha256: sha256(calibration), sets }
    }

    /// Writes the file of a run, replacing it as a whole. It counts as soon as the manifest has the same calibration.
    ///
    /// # Errors
    /// [`Error::Content`] and [`Error::File`].
    pub fn save(&self, folder: &RunFolder) -> Result<()> {
        let text = serde_json::to_string_pretty(self);
        let text = text.map_err(Error::content(&folder.reliability()))?;
        folder.write(RELIABILITY_FILE, text.as_bytes())
    }

    /// Reads the file of a run; none if the model is not exported or not calibrated, or was calibrated by an earlier
    /// version, which kept no such file.
    ///
    /// # Errors
    /// Those of [`Manifest::load`], [`Error::File`], and [`Error::Run`] if the file is damaged or of another calibration than
    /// that in the manifest.
    pub fn load(folder: &RunFolder) -> Result<Option<Self>> {
        let path = folder.reliability();
        if !path.exists() || !folder.path().join(MANIFEST_FILE).exists() {
            return Ok(None);
        }
        let Some(calibration) = Manifest::load(folder.path())?.confidence else { return Ok(None) };
        let bytes = files::read(&path, LIMIT).map_err(Error::io(&path))?;
        let record = serde_json::from_slice::<Self>(&bytes).ok().filter(|of| !of.sets.is_empty());
        let record = record.ok_or_else(|| Error::run(&path, RunProblem::NotAReliability))?;
        if record.calibration_sha256 != sha256(&calibration) {
            return Err(Error::run(&path, RunProblem::OtherReliability));
        }
        Ok(Some(record))
    }
}

/// The SHA-256 of the numbers of a calibration, of which ten digits count: the last ones of a number may change as it is
/// read.
fn sha256(calibration: &Calibration) -> String {
    let Calibration { search, weights, bias, unfamiliar } = calibration;
    let mut text = format!("{} {bias:.9e}", search.neighbours_sha256);
    if let Some(unfamiliar) = unfamiliar {
        let _ = write!(text, " {unfamiliar:.9e}");
    }
    for FeatureWeight { feature, mean, deviation, weight } in weights {
        let _ = write!(text, " {feature:?} {mean:.9e} {deviation:.9e} {weight:.9e}");
    }
    digest::of_bytes(text.as_bytes())
}
