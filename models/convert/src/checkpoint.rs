//! Checkpoints of `PyTorch`: names and tensors.

use std::collections::BTreeMap;
use std::path::Path;

use common::files;
use half::{bf16, f16};
use ndarray::{Array, ArrayD, Dimension, IxDyn};
use pytorch_reader::{DType, PytorchReader};
use safetensors::{Dtype, SafeTensors};

use crate::{Error, MAX_FILE, Result};

/// Ends the names of counters of training batches, which the network does not use.
const COUNTER: &str = "num_batches_tracked";

/// The tensors of a network that no layer has taken yet.
#[derive(Debug)]
pub(crate) struct Checkpoint(BTreeMap<String, ArrayD<f32>>);

impl Checkpoint {
    /// Reads a state dict: `.safetensors`, or any file that `torch.save` writes.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
        let mut tensors =
            if is_safetensors { read_safetensors(path)? } else { read_pytorch(path)? };
        tensors.retain(|name, _| !name.ends_with(COUNTER));
        Ok(Self(tensors))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The shape of the tensor `name`.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.get(name).map(ArrayD::shape)
    }

    /// Keeps the tensors of the network that has the tensor `mark`, without the prefix of their names: a checkpoint may
    /// hold a network under a name (`state_dict.`, `module.`). Returns whether there is such a network.
    pub(crate) fn enter(&mut self, mark: &str) -> bool {
        let prefixes = self.0.keys().filter_map(|name| name.strip_suffix(mark));
        let prefix = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        let Some(prefix) = prefix.min_by_key(|prefix| prefix.len()).map(str::to_owned) else {
            return false;
        };
        let tensors = std::mem::take(&mut self.0).into_iter();
        let inside = tensors
            .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor)));
        self.0 = inside.collect();
        true
    }

    /// Takes the tensor `name`, of a fixed rank.
    pub(crate) fn take<D: Dimension>(&mut self, name: &str) -> Result<Array<f32, D>> {
        let tensor = self.0.remove(name);
        let tensor = tensor.ok_or_else(|| Error::MissingTensor(name.to_owned()))?;
        let (name, shape) = (name.to_owned(), tensor.shape().to_vec());
        let refused = Error::Rank { name, shape, rank: D::NDIM.unwrap_or_default() };
        let is_empty = tensor.is_empty();
        tensor.into_dimensionality().ok().filter(|_| !is_empty).ok_or(refused)
    }

    /// Removes the tensors whose names begin with `prefix`.
    pub(crate) fn remove(&mut self, prefix: &str) {
        self.0.retain(|name, _| !name.starts_with(prefix));
    }

    /// The names of the tensors that are left.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// Reads values, little-endian.
type Floats = fn(&[u8]) -> Vec<f32>;

fn read_pytorch(path: &Path) -> Result<BTreeMap<String, ArrayD<f32>>> {
    // A pipe or a folder is refused here.
    files::open(path)?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in PytorchReader::new(path)?.into_tensors() {
        let floats: Floats = match tensor.dtype() {
            DType::F32 => from_f32,
            DType::F16 => from_f16,
            DType::BF16 => from_bf16,
            _ => continue,
        };
        let values = floats(&tensor.read()?);
        let array = array(&name, tensor.shape(), values)?;
        tensors.insert(name, array);
    }
    Ok(tensors)
}

fn read_safetensors(path: &Path) -> Result<BTreeMap<String, ArrayD<f32>>> {
    let bytes = files::read(path, MAX_FILE)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes)?.iter() {
        let floats: Floats = match view.dtype() {
            Dtype::F32 => from_f32,
            Dtype::F16 => from_f16,
            Dtype::BF16 => from_bf16,
            _ => continue,
        };
        tensors.insert(name.to_owned(), array(name, view.shape(), floats(view.data()))?);
    }
    Ok(tensors)
}

fn array(name: &str, shape: &[usize], values: Vec<f32>) -> Result<ArrayD<f32>> {
    let refused =
        |_| Error::Rank { name: name.to_owned(), shape: shape.to_vec(), rank: shape.len() };
    ArrayD::from_shape_vec(IxDyn(shape), values).map_err(refused)
}

fn from_f32(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

fn from_f16(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|value| f16::from_le_bytes(*value).to_f32()).collect()
}

fn from_bf16(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|value| bf16::from_le_bytes(*value).to_f32()).collect()
}
