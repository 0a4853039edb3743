//! `ResNet`, He et al., arXiv 1512.03385, with the stride in the middle of a bottleneck (v1.5), as in torchvision and
//! timm; `ResNeXt` and wide `ResNet` differ only in the sizes of their kernels.

use onnx::Graph;

use super::layers::{Conventions, Layers, Map, Padding};
use crate::Result;
use crate::checkpoint::Checkpoint;

/// A tensor that only networks of this family have.
pub(super) const MARK: &str = "layer1.0.conv1.weight";
/// The prefix of the tensors after the grid.
pub(super) const HEAD: &str = "fc.";

const STAGES: usize = 4;
const CONVENTIONS: Conventions = Conventions { padding: Padding::Half, epsilon: 1e-5 };

/// Builds the network on images of that height and width up to its last grid.
pub(super) fn build(checkpoint: &mut Checkpoint, size: [usize; 2]) -> Result<Graph> {
    let (mut layers, image) = Layers::new("resnet", size, checkpoint, CONVENTIONS);
    let stem = layers.conv(&image, "conv1", "bn1", 2)?;
    let stem = layers.relu(&stem);
    let mut map = layers.max_pool(&stem, 3, 2);
    for stage in 1..=STAGES {
        for at in 0.. {
            let name = format!("layer{stage}.{at}");
            if !layers.has(&format!("{name}.conv1.weight")) {
                break;
            }
            let stride = if at == 0 && stage > 1 { 2 } else { 1 };
            map = block(&mut layers, &map, &name, stride)?;
        }
    }
    Ok(layers.finish(&map))
}

/// A block and its shortcut: a bottleneck of three convolutions, or two convolutions.
fn block(layers: &mut Layers, from: &Map, name: &str, stride: usize) -> Result<Map> {
    let bottleneck = layers.has(&format!("{name}.conv3.weight"));
    let strides: &[usize] = if bottleneck { &[1, stride, 1] } else { &[stride, 1] };
    let mut map = from.clone();
    for (at, &stride) in (1..).zip(strides) {
        if at > 1 {
            map = layers.relu(&map);
        }
        map = layers.conv(&map, &format!("{name}.conv{at}"), &format!("{name}.bn{at}"), stride)?;
    }
    let [conv, norm] = [0, 1].map(|part| format!("{name}.downsample.{part}"));
    let shortcut = if layers.has(&format!("{conv}.weight")) {
        layers.conv(from, &conv, &norm, stride)?
    } else {
        from.clone()
    };
    let sum = layers.add(&map, &shortcut)?;
    Ok(layers.relu(&sum))
}
