//! Checkpoints of `PyTorch`: names and tensors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchReader};
use safetensors::{Dtype, SafeTensors};

/// Counts batches in training; says nothing about a network.
const COUNTER: &str = "num_batches_tracked";

/// A tensor of floats, row-major, with the length of each side, outermost first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor<Shape = Vec<usize>> {
    pub(super) shape: Shape,
    pub(super) values: Vec<f32>,
}

/// The tensors of a network that nothing has taken yet.
#[derive(Debug)]
pub(super) struct Weights(BTreeMap<String, Tensor>);

impl Weights {
    /// Reads a state dict: `.safetensors`, or any file that `torch.save` writes.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let named = path.extension().is_some_and(|extension| extension == "safetensors");
        let mut tensors = if named { of_safetensors(path)? } else { of_pytorch(path)? };
        tensors.retain(|name, _| !name.ends_with(COUNTER));
        Ok(Self(tensors))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The shape of the tensor `name`.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// Keeps the tensors of the network that has the tensor `mark`, under the names that
    /// they have there: a checkpoint may hold the network under a name of its own (`state_dict.`,
    /// `module.`). False if there is none.
    pub(super) fn enter(&mut self, mark: &str) -> bool {
        let prefixes = self.0.keys().filter_map(|name| name.strip_suffix(mark));
        let prefix = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        let Some(prefix) = prefix.min_by_key(|prefix| prefix.len()).map(str::to_owned) else {
            return false;
        };
        let inside = std::mem::take(&mut self.0).into_iter();
        let inside = inside
            .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor)));
        self.0 = inside.collect();
        true
    }

    /// Takes the tensor `name`, which has that many sides.
    pub(super) fn take<const SIDES: usize>(
        &mut self,
        name: &str,
    ) -> Result<Tensor<[usize; SIDES]>, String> {
        let Tensor { shape, values } =
            self.0.remove(name).ok_or_else(|| format!("it has no tensor `{name}`"))?;
        match <[usize; SIDES]>::try_from(&shape[..]) {
            Ok(shape) if !values.is_empty() => Ok(Tensor { shape, values }),
            _ => Err(format!("its tensor `{name}` is {shape:?}, not one of {SIDES} sides")),
        }
    }

    /// Forgets the tensors whose names begin with `prefix`.
    pub(super) fn forget(&mut self, prefix: &str) {
        self.0.retain(|name, _| !name.starts_with(prefix));
    }

    /// The names of the tensors that are left.
    pub(super) fn left(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

fn of_pytorch(path: &Path) -> Result<BTreeMap<String, Tensor>, String> {
    let reader = PytorchReader::new(path).map_err(|error| error.to_string())?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in reader.into_tensors() {
        let floats: fn(&[u8]) -> Vec<f32> = match tensor.dtype() {
            DType::F32 => of_f32,
            DType::F16 => of_f16,
            DType::BF16 => of_bf16,
            _ => continue,
        };
        let bytes = tensor.read().map_err(|error| error.to_string())?;
        tensors.insert(name, Tensor { shape: tensor.shape().to_vec(), values: floats(&bytes) });
    }
    Ok(tensors)
}

fn of_safetensors(path: &Path) -> Result<BTreeMap<String, Tensor>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| error.to_string())?;
    let tensor = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let floats: fn(&[u8]) -> Vec<f32> = match view.dtype() {
            Dtype::F32 => of_f32,
            Dtype::F16 => of_f16,
            Dtype::BF16 => of_bf16,
            _ => return None,
        };
        let values = floats(view.data());
        Some((name.to_owned(), Tensor { shape: view.shape().to_vec(), values }))
    };
    Ok(file.iter().filter_map(tensor).collect())
}

fn of_f32(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

fn of_f16(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|value| f16::from_le_bytes(*value).to_f32()).collect()
}

fn of_bf16(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|value| bf16::from_le_bytes(*value).to_f32()).collect()
}
