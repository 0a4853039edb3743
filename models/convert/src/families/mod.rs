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
use ndarray::{Array1, Array2};
use onnx::Dimension::{Fixed, Symbolic};
use onnx::messages::GraphMessage;
use onnx::{ElementType, Graph};

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
/// and width: an ONNX file from images `[N, 3, H, W]` to the scores of its classes, `[N, classes]`, batch normalisation
/// folded into the convolutions; without a head in the state dict, to the grid before the global pool, `[N, C, h, w]`.
/// Returns the family's preprocessing as well.
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
    let head = take_head(&mut checkpoint, family.head)?;
    let graph = (family.build)(&mut checkpoint, size.map(|side| side as usize))
        .map_err(|source| Error::Family { family: family.name, source: Box::new(source) })?;
    let left = checkpoint.names();
    if let Some(&first) = left.first() {
        let (family, count) = (family.name, left.len());
        return Err(Error::Unexpected { family, count, first: first.to_owned() });
    }
    let graph = match head {
        Some(head) => with_head(graph, &head),
        None => graph,
    };
    Ok((graph.into_bytes(&[]), (family.preprocess)(size)))
}

/// Takes the matrix `[classes, C]` and the summands `[classes]` of the head, if the checkpoint has both. Other tensors
/// after the grid are removed.
fn take_head(
    checkpoint: &mut Checkpoint,
    prefix: &str,
) -> Result<Option<(Array2<f32>, Array1<f32>)>> {
    let [matrix, summands] = ["weight", "bias"].map(|part| format!("{prefix}{part}"));
    let is_whole = checkpoint.has(&matrix) && checkpoint.has(&summands);
    let head = is_whole
        .then(|| Ok::<_, Error>((checkpoint.take(&matrix)?, checkpoint.take(&summands)?)))
        .transpose()?;
    checkpoint.remove(prefix);
    Ok(head)
}

/// The network from images to the scores of classes: the head on the mean of the cells of the grid.
fn with_head(graph: Graph, (matrix, summands): &(Array2<f32>, Array1<f32>)) -> Graph {
    let mut message = GraphMessage::from(graph);
    let grid = message.output.pop().unwrap_or_default().name;
    let mut graph = Graph::from(message);
    let (classes, channels) = matrix.dim();
    let transposed = matrix.t().iter().copied().collect::<Vec<_>>();
    graph.weight("head.matrix", &[channels, classes], &transposed);
    graph.weight("head.summands", &[classes], &summands.to_vec());
    graph.node("GlobalAveragePool", &[&grid], &["head.pooled"], &[]);
    graph.node("Flatten", &["head.pooled"], &["head.cell"], &[]);
    let inputs = ["head.cell", "head.matrix", "head.summands"];
    graph.node("Gemm", &inputs, &["head.scores"], &[]);
    graph.output("head.scores", ElementType::Float, &[Symbolic("N"), Fixed(classes)]);
    graph
}
