//! Checkpoints: one safetensors file each, weights and optimiser state as 32-bit floats, progress
//! as JSON in the file's metadata. They open on any machine, whatever device wrote them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use tch::nn::VarStore;
use tch::{Tensor, no_grad};

use crate::torch_decoder::flat;
use crate::{Error, Result};

const PROGRESS: &str = "showtell.progress";

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs finished.
    pub epoch: usize,
    /// Optimiser steps taken.
    pub steps: i32,
    /// The epoch with the best dev CIDEr.
    pub best_epoch: usize,
    /// That CIDEr, as a fraction.
    pub best_cider: f64,
    /// The dev loss of that epoch; checkpoints of earlier versions do not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_loss: Option<f64>,
    /// The vocabulary it was trained with.
    pub vocabulary_sha256: String,
    /// The encoder whose grids it was trained on.
    pub encoder_sha256: String,
    /// The epoch that is not finished.
    #[serde(default)]
    pub underway: Underway,
}

/// How far an epoch has come. Losses and rewards are sums over its batches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Underway {
    /// Batches done.
    pub batches: usize,
    /// Captions in them.
    pub captions: usize,
    /// Negative log-likelihoods of a word.
    pub cross_entropy: f64,
    /// CIDEr-D of captions that were drawn.
    pub reward: f64,
    /// What they took.
    pub seconds: f64,
}

impl Underway {
    /// The mean over the batches.
    pub(crate) fn mean(&self, sum: f64) -> f64 {
        sum / self.batches.max(1) as f64
    }
}

/// Writes a checkpoint, unless a value is not a finite number. The file is replaced as a whole: after an error, a kill or
/// a power loss either the old or the new one is there.
pub fn save(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    progress: &Progress,
) -> Result<()> {
    let problem = |error: &dyn std::fmt::Display| Error::run(path, error.to_string());
    let mut owned = Vec::new();
    for (name, tensor) in tensors {
        let shape = tensor.size().iter().map(|&side| side as usize).collect::<Vec<_>>();
        let values = flat(&tensor)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(problem(&format!(
                "not written: `{name}` is no longer a finite number; begin again with a lower --learning-rate"
            )));
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
        .map_err(|error| problem(&error))?;
    let json = serde_json::to_string(progress).map_err(|error| problem(&error))?;
    let metadata = HashMap::from([(PROGRESS.to_owned(), json)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| problem(&error))?;
    data::files::replace(path, &bytes).map_err(Error::io(path))
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    bytes: Vec<u8>,
    /// How far the run had come.
    pub progress: Progress,
}

impl Checkpoint {
    /// Reads the checkpoint at `path`.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(Error::io(path))?;
        let damaged = || Error::run(path, "not a checkpoint of this program, or damaged");
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|_| damaged())?;
        let progress = header.metadata().as_ref().and_then(|metadata| metadata.get(PROGRESS));
        let progress = progress.ok_or_else(damaged)?;
        let progress = serde_json::from_str(progress).map_err(|_| damaged())?;
        Ok(Self { path: path.to_path_buf(), bytes, progress })
    }

    /// Copies all weights of a network, which must be those that were saved.
    pub fn copy_weights(&self, weights: &VarStore) -> Result<()> {
        let mut weights = weights.variables().into_iter();
        weights.try_for_each(|(name, mut weight)| self.copy_into(&name, &mut weight))
    }

    /// Copies the tensor called `name` into `target`, which must have its shape.
    pub fn copy_into(&self, name: &str, target: &mut Tensor) -> Result<()> {
        let problem = |error: &dyn std::fmt::Display| {
            Error::run(&self.path, format!("`{name}`: {error}; it belongs to another network"))
        };
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|error| problem(&error))?;
        let view = tensors.tensor(name).map_err(|error| problem(&error))?;
        let shape = view.shape().iter().map(|&side| side as i64).collect::<Vec<_>>();
        if shape != target.size() || view.dtype() != Dtype::F32 {
            return Err(problem(&format!("{shape:?}, but {:?} is expected", target.size())));
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
