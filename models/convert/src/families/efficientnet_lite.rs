//! `EfficientNet-Lite`: `EfficientNet` (Tan & Le, arXiv 1905.11946) without squeeze and excitation and
//! with `ReLU6`, designed for int8. Tensors are named as in the package `efficientnet_lite_pytorch`.

use common::Preprocess;
use onnx::Graph;

use super::layers::{Conventions, Layers, Map, Padding};
use crate::checkpoint::Checkpoint;
use crate::{Error, Result};

/// A tensor that only networks of this family have.
pub(super) const MARK: &str = "_conv_stem.weight";
/// The prefix of the tensors after the grid.
pub(super) const HEAD: &str = "_fc.";

/// The networks were trained in `TensorFlow`.
const CONVENTIONS: Conventions = Conventions { padding: Padding::Same, epsilon: 1e-3 };
/// The stride of the first block of each stage. The blocks of a stage have the same channels.
const STRIDES: [usize; 7] = [1, 2, 2, 2, 1, 2, 1];

/// The preprocessing of the family: (pixel − 127) / 128.
pub(super) fn preprocess(size: [u32; 2]) -> Preprocess {
    let each = |value: f32| [value / 255.0; 3];
    Preprocess { mean: each(127.0), std: each(128.0), ..Preprocess::imagenet(size) }
}

/// Builds the network on images of that height and width up to its last grid.
pub(super) fn build(checkpoint: &mut Checkpoint, size: [usize; 2]) -> Result<Graph> {
    let (mut layers, image) = Layers::new("efficientnet-lite", size, checkpoint, CONVENTIONS);
    let stem = layers.conv(&image, "_conv_stem", "_bn0", 2)?;
    let mut map = layers.relu6(&stem);
    let mut strides = STRIDES.into_iter();
    for at in 0.. {
        let name = format!("_blocks.{at}");
        let Some(channels) = layers.channels(&format!("{name}._project_conv")) else { break };
        let new_stage = channels != map.channels;
        let too_many = Error::Stages(STRIDES.len());
        let stride = if new_stage { strides.next().ok_or(too_many)? } else { 1 };
        map = block(&mut layers, &map, &name, stride)?;
    }
    let head = layers.conv(&map, "_conv_head", "_bn1", 1)?;
    let grid = layers.relu6(&head);
    Ok(layers.finish(&grid))
}

/// An inverted bottleneck (Sandler et al., arXiv 1801.04381), with a shortcut where its output has the shape of its input.
fn block(layers: &mut Layers, from: &Map, name: &str, stride: usize) -> Result<Map> {
    let part = |part: &str| format!("{name}.{part}");
    let mut map = from.clone();
    if layers.has(&part("_expand_conv.weight")) {
        map = layers.conv(&map, &part("_expand_conv"), &part("_bn0"), 1)?;
        map = layers.relu6(&map);
    }
    map = layers.conv(&map, &part("_depthwise_conv"), &part("_bn1"), stride)?;
    map = layers.relu6(&map);
    map = layers.conv(&map, &part("_project_conv"), &part("_bn2"), 1)?;
    if stride == 1 && map.channels == from.channels { layers.add(&map, from) } else { Ok(map) }
}
