//! From a classifier's checkpoint to its network as ONNX.
//!
//! A state dict holds tensors under names, but not the network between them. Here is that network for some families, one
//! file each; the tensors tell its depth and widths. A tensor that the network does not have is an error: the checkpoint
//! belongs to another network.

mod efficientnet_lite;
mod layers;
mod resnet;

use std::path::Path;

use common::Preprocess;
use onnx::Graph;

use crate::checkpoint::Checkpoint;
use crate::{Error, Result};

/// A family of networks.
struct Family {
    name: &'static str,
    /// A tensor that only its networks have.
    mark: &'static str,
    /// The prefix of the tensors after the grid.
    head: &'static str,
    preprocess: fn([u32; 2]) -> Preprocess,
    build: fn(&mut Checkpoint, [usize; 2]) -> Result<Graph>,
}

const FAMILIES: [Family; 2] = [
    Family {
        name: "ResNet",
        mark: resnet::MARK,
        head: resnet::HEAD,
        preprocess: Preprocess::imagenet,
        build: resnet::build,
    },
    Family {
        name: "EfficientNet-Lite",
        mark: efficientnet_lite::MARK,
        head: efficientnet_lite::HEAD,
        preprocess: efficientnet_lite::preprocess,
        build: efficientnet_lite::build,
    },
];

/// Builds the network of the state dict at `path` (`.safetensors`, or written by `torch.save`) for images of that height
/// and width: an ONNX file from images `[N, 3, H, W]` to the grid before the global pool, `[N, C, h, w]`, batch
/// normalisation folded into the convolutions. Returns the family's preprocessing as well.
///
/// # Errors
/// If the checkpoint cannot be read, belongs to no known family, or has missing, misshapen or unexpected tensors.
pub fn convert(path: &Path, size: [u32; 2]) -> Result<(Vec<u8>, Preprocess)> {
    let mut checkpoint = Checkpoint::open(path)?;
    let family = FAMILIES.iter().find(|family| checkpoint.enter(family.mark));
    let family = family.ok_or_else(|| {
        let known =
            FAMILIES.each_ref().map(|family| format!("{} (`{}`)", family.name, family.mark));
        Error::UnknownNetwork { known: known.join(", ") }
    })?;
    checkpoint.remove(family.head);
    let graph = (family.build)(&mut checkpoint, size.map(|side| side as usize))
        .map_err(|source| Error::Family { family: family.name, source: Box::new(source) })?;
    let left = checkpoint.names();
    if let Some(&first) = left.first() {
        let (family, count) = (family.name, left.len());
        return Err(Error::Unexpected { family, count, first: first.to_owned() });
    }
    Ok((graph.into_bytes(&[]), (family.preprocess)(size)))
}
