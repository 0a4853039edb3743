//! From a classifier's weights, as `PyTorch` keeps them, to its network as ONNX.
//!
//! A state dict holds tensors under names and nothing of the network between them. Here is that network
//! for some families, one file each; the tensors tell its depth and widths. Each tensor must find its
//! place: what is left over belongs to another network.

mod efficientnet_lite;
mod layers;
mod resnet;
mod weights;

use std::path::Path;

use crate::Preprocess;
use crate::onnx::Graph;
use weights::Weights;

/// A family of networks.
struct Family {
    name: &'static str,
    /// A tensor that only its networks have.
    mark: &'static str,
    /// What the names of tensors after the grid begin with.
    head: &'static str,
    preprocess: fn([u32; 2]) -> Preprocess,
    build: fn(&mut Weights, [usize; 2]) -> Result<Graph, String>,
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

/// The network of the state dict at `path` (`.safetensors`, or what `torch.save` wrote) on images of
/// that height and width: an ONNX file from images `[N,3,H,W]` to the grid before the global pool,
/// batch normalisation folded into the convolutions, and how the network's family sees images.
///
/// The error says what is missing, left over or of the wrong shape.
pub fn convert(path: &Path, size: [u32; 2]) -> Result<(Vec<u8>, Preprocess), String> {
    let mut weights = Weights::open(path)?;
    let family = FAMILIES.iter().find(|family| weights.enter(family.mark)).ok_or_else(|| {
        let known =
            FAMILIES.each_ref().map(|family| format!("{} (`{}`)", family.name, family.mark));
        format!("its tensors are those of no network known here: {}", known.join(", "))
    })?;
    weights.forget(family.head);
    let graph = (family.build)(&mut weights, size.map(|side| side as usize))
        .map_err(|problem| format!("read as {}: {problem}", family.name))?;
    let left = weights.left();
    if let Some(first) = left.first() {
        let count = left.len();
        return Err(format!(
            "{} has no place for {count} of its tensors, such as `{first}`",
            family.name
        ));
    }
    Ok((graph.into_bytes(&[]), (family.preprocess)(size)))
}
