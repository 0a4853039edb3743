//! Checkpoints: one safetensors file each, weights and optimiser state as 32-bit floats, progress as JSON in the file's
//! metadata. They open on any machine and device.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use tch::nn::VarStore;
use tch::{Tensor, no_grad};

use crate::tensor::flat;
use crate::{Error, Result, RunProblem};

const PROGRESS: &str = "showtell.progress";

/// Progress of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Number of finished epochs.
    pub epoch: usize,
    /// Number of optimiser steps.
    pub steps: i32,
    /// The epoch with the best dev CIDEr.
    pub best_epoch: usize,
    /// The CIDEr of that epoch, as a fraction.
    pub best_cider: f64,
    /// The dev loss of that epoch; checkpoints of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_loss: Option<f64>,
    /// SHA-256 of the words of the vocabulary.
    pub vocabulary_sha256: String,
    /// SHA-256 of the encoder.
    pub encoder_sha256: String,
    /// The unfinished epoch.
    #[serde(default, rename = "underway")]
    pub partial_epoch: PartialEpoch,
}

/// Progress of an epoch. Losses and rewards are sums over its batches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartialEpoch {
    /// Number of finished batches.
    pub batches: usize,
    /// Number of captions in them.
    pub captions: usize,
    /// Sum of the mean negative log-likelihoods of a word.
    pub cross_entropy: f64,
    /// The same of captions without photos.
    #[serde(default)]
    pub text_cross_entropy: f64,
    /// Sum of the mean CIDEr-D of sampled captions.
    pub reward: f64,
    /// Duration in seconds.
    pub seconds: f64,
}

impl PartialEpoch {
    /// The mean loss of the batches.
    pub(crate) fn mean_loss(&self) -> f64 {
        self.cross_entropy / self.batches.max(1) as f64
    }

    /// The mean loss of captions without photos.
    pub(crate) fn mean_text_loss(&self) -> f64 {
        self.text_cross_entropy / self.batches.max(1) as f64
    }

    /// The mean reward of the batches.
    pub(crate) fn mean_reward(&self) -> f64 {
        self.reward / self.batches.max(1) as f64
    }
}

/// Writes a checkpoint. The file is replaced as a whole: after an error, a kill or a power loss either the old or the new
/// one is there.
///
/// # Errors
/// [`Error::NotFinite`] if a value is not a finite number; nothing is written then. [`Error::Torch`] if a value cannot be
/// read, [`Error::Content`] and [`Error::File`] if the file cannot be written.
pub fn save(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    progress: &Progress,
) -> Result<()> {
    let mut owned = Vec::new();
    for (name, tensor) in tensors {
        let shape = tensor.size().iter().map(|&size| size as usize).collect::<Vec<_>>();
        let values = flat(&tensor)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(Error::NotFinite { path: path.to_path_buf(), name });
        }
        owned.push((name, shape, values));
    }
    let views = owned
        .iter()
        .map(|(name, shape, values)| {
            let bytes = bytemuck::cast_slice(values);
            Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(Error::content(path))?;
    let json = serde_json::to_string(progress).map_err(Error::content(path))?;
    let metadata = HashMap::from([(PROGRESS.to_owned(), json)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(Error::content(path))?;
    common::files::replace(path, &bytes).map_err(Error::io(path))
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    bytes: Vec<u8>,
    /// The progress of the run.
    pub progress: Progress,
}

impl Checkpoint {
    /// Reads the checkpoint at `path`.
    ///
    /// # Errors
    /// [`Error::File`], and [`Error::Run`] if the file is damaged or of another kind.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::io(path))?;
        let damaged = || Error::run(path, RunProblem::NotACheckpoint);
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|_| damaged())?;
        let progress = header.metadata().as_ref().and_then(|metadata| metadata.get(PROGRESS));
        let progress = progress.ok_or_else(damaged)?;
        let progress = serde_json::from_str(progress).map_err(|_| damaged())?;
        Ok(Self { path: path.to_path_buf(), bytes, progress })
    }

    /// Copies all weights of a network, which must be those that were saved.
    pub(crate) fn copy_weights(&self, weights: &VarStore) -> Result<()> {
        let mut weights = weights.variables().into_iter();
        weights.try_for_each(|(name, mut weight)| self.copy_into(&name, &mut weight))
    }

    /// Copies the tensor called `name` into `target`, which must have its shape.
    pub(crate) fn copy_into(&self, name: &str, target: &mut Tensor) -> Result<()> {
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(Error::content(&self.path))?;
        let view = tensors.tensor(name).map_err(Error::content(&self.path))?;
        let shape = view.shape().iter().map(|&size| size as i64).collect::<Vec<_>>();
        if shape != target.size() || view.dtype() != Dtype::F32 {
            return Err(Error::OtherTensor {
                path: self.path.clone(),
                name: name.to_owned(),
                found: shape,
                expected: target.size(),
            });
        }
        let source = Tensor::f_from_data_size(view.data(), &shape, tch::Kind::Float)?;
        no_grad(|| target.f_copy_(&source)).map_err(Error::from)
    }
}

/// Weights by name, in the order of the names.
pub(crate) fn sorted_weights(weights: &VarStore) -> Vec<(String, Tensor)> {
    let mut sorted = weights.variables().into_iter().collect::<Vec<_>>();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    sorted
}
