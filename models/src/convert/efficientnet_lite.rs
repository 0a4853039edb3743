//! `EfficientNet-Lite`: `EfficientNet` (Tan & Le, arXiv 1905.11946) without squeeze and excitation and
//! with `ReLU6`, made for integers. Tensors are named as in the package `efficientnet_lite_pytorch`.

use super::layers::{Habits, Layers, Map, Padding};
use super::weights::Weights;
use crate::Preprocess;
use crate::onnx::Graph;

/// A tensor that only networks of this family have.
pub(super) const MARK: &str = "_conv_stem.weight";
/// What the classifier has after its grid.
pub(super) const HEAD: &str = "_fc.";

/// The networks were trained in `TensorFlow`.
const HABITS: Habits = Habits { padding: Padding::Same, epsilon: 1e-3 };
/// The stride of the first block of each stage. A stage is where blocks have the same channels.
const STRIDES: [usize; 7] = [1, 2, 2, 2, 1, 2, 1];

/// How the networks see images: (pixel − 127) / 128.
pub(super) fn preprocess(size: [u32; 2]) -> Preprocess {
    let each = |value: f32| [value / 255.0; 3];
    Preprocess { mean: each(127.0), std: each(128.0), ..Preprocess::imagenet(size) }
}

/// The network on images of that height and width, as far as its last grid.
pub(super) fn build(weights: &mut Weights, size: [usize; 2]) -> Result<Graph, String> {
    let (mut layers, image) = Layers::new("efficientnet-lite", size, weights, HABITS);
    let stem = layers.conv(&image, ["_conv_stem", "_bn0"], 2)?;
    let mut map = layers.relu6(&stem);
    let mut strides = STRIDES.into_iter();
    for at in 0.. {
        let name = format!("_blocks.{at}");
        let Some(channels) = layers.channels(&format!("{name}._project_conv")) else { break };
        let new_stage = channels != map.channels;
        let stride =
            if new_stage { strides.next().ok_or("it has more than 7 stages")? } else { 1 };
        map = block(&mut layers, &map, &name, stride)?;
    }
    let head = layers.conv(&map, ["_conv_head", "_bn1"], 1)?;
    let grid = layers.relu6(&head);
    Ok(layers.finish(&grid))
}

/// An inverted bottleneck (Sandler et al., arXiv 1801.04381), and the way around it where its channels
/// are those it began with.
fn block(layers: &mut Layers, from: &Map, name: &str, stride: usize) -> Result<Map, String> {
    let part = |part: &str| format!("{name}.{part}");
    let mut map = from.clone();
    if layers.has(&part("_expand_conv.weight")) {
        map = layers.conv(&map, [&part("_expand_conv"), &part("_bn0")], 1)?;
        map = layers.relu6(&map);
    }
    map = layers.conv(&map, [&part("_depthwise_conv"), &part("_bn1")], stride)?;
    map = layers.relu6(&map);
    map = layers.conv(&map, [&part("_project_conv"), &part("_bn2")], 1)?;
    if stride == 1 && map.channels == from.channels { layers.add(&map, from) } else { Ok(map) }
}
