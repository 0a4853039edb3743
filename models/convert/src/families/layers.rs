//! The layers that networks are built of, each on the output of another.

use ndarray::{Array1, Axis, Ix1, Ix4};
use onnx::Dimension::{Fixed, Symbolic};
use onnx::ElementType::Float;
use onnx::{Attribute, Graph};

use crate::checkpoint::Checkpoint;
use crate::{Error, Result};

const ZERO: &str = "zero";
const SIX: &str = "six";

/// An output of a layer, `[N, C, h, w]`.
#[derive(Debug, Clone)]
pub(super) struct Map {
    name: String,
    pub(super) channels: usize,
    /// Height and width in cells.
    size: [usize; 2],
}

/// Padding around an image.
#[derive(Debug, Clone, Copy)]
pub(super) enum Padding {
    /// Half a kernel on all sides, as in `PyTorch`'s networks.
    Half,
    /// As much as the last window lacks, the larger part at the bottom and the right: `TensorFlow`'s `SAME`.
    Same,
}

/// Conventions of a family that its weights do not encode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conventions {
    pub(super) padding: Padding,
    /// Added to the variance in batch normalisation.
    pub(super) epsilon: f32,
}

/// A network under construction, and the tensors that are not yet part of it.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    graph: Graph,
    checkpoint: &'a mut Checkpoint,
    conventions: Conventions,
}

/// Kernels over an image.
struct Windows {
    strides: [i64; 2],
    /// Top, left, bottom and right.
    pads: [i64; 4],
    /// Windows from top to bottom and from left to right.
    size: [usize; 2],
}

impl<'a> Layers<'a> {
    /// An empty network on images of that height and width, and the images.
    pub(super) fn new(
        name: &str,
        size: [usize; 2],
        checkpoint: &'a mut Checkpoint,
        conventions: Conventions,
    ) -> (Self, Map) {
        let mut graph = Graph::new(name);
        let [height, width] = size.map(Fixed);
        graph.input("image", Float, &[Symbolic("N"), Fixed(3), height, width]);
        let image = Map { name: "image".to_owned(), channels: 3, size };
        (Self { graph, checkpoint, conventions }, image)
    }

    /// Whether the checkpoint still has a tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.checkpoint.has(name)
    }

    /// The output channels of the convolution `conv`, if the checkpoint has it.
    pub(super) fn channels(&self, conv: &str) -> Option<usize> {
        self.checkpoint.shape(&format!("{conv}.weight"))?.first().copied()
    }

    /// The convolution `conv` with that stride, and the batch normalisation `norm` folded into its kernels.
    pub(super) fn conv(
        &mut self,
        from: &Map,
        conv: &str,
        norm: &str,
        stride: usize,
    ) -> Result<Map> {
        let weight = format!("{conv}.weight");
        let mut kernels = self.checkpoint.take::<Ix4>(&weight)?;
        let (channels, inputs, height, width) = kernels.dim();
        if !from.channels.is_multiple_of(inputs) || !channels.is_multiple_of(from.channels / inputs)
        {
            let shape = kernels.shape().to_vec();
            return Err(Error::Kernel { name: weight, shape, channels: from.channels });
        }
        let (scale, shift) = self.normalisation(norm, channels)?;
        for (mut kernel, scale) in kernels.axis_iter_mut(Axis(0)).zip(&scale) {
            kernel *= *scale;
        }
        let bias = format!("{conv}.bias");
        let shape = [channels, inputs, height, width];
        self.graph.weight(&weight, &shape, &kernels.into_raw_vec_and_offset().0);
        self.graph.weight(&bias, &[channels], &shift.to_vec());
        let Windows { strides, pads, size } = self.windows(from.size, [height, width], stride);
        let attributes = [
            Attribute::Ints("strides", &strides),
            Attribute::Ints("pads", &pads),
            Attribute::Int("group", (from.channels / inputs) as i64),
        ];
        self.graph.node("Conv", &[&from.name, &weight, &bias], &[conv], &attributes);
        Ok(Map { name: conv.to_owned(), channels, size })
    }

    /// The factor and the summand of each channel in batch normalisation.
    fn normalisation(&mut self, norm: &str, channels: usize) -> Result<(Array1<f32>, Array1<f32>)> {
        let mut vector = |part: &str| {
            let name = format!("{norm}.{part}");
            let vector = self.checkpoint.take::<Ix1>(&name)?;
            let is_whole = vector.len() == channels;
            is_whole.then_some(vector).ok_or(Error::Vector { name, channels })
        };
        let (gain, bias) = (vector("weight")?, vector("bias")?);
        let (mean, variance) = (vector("running_mean")?, vector("running_var")?);
        let scale = gain / (variance + self.conventions.epsilon).sqrt();
        let shift = bias - mean * &scale;
        Ok((scale, shift))
    }

    /// The maximum of each window of `kernel × kernel` cells.
    pub(super) fn max_pool(&mut self, from: &Map, kernel: usize, stride: usize) -> Map {
        let Windows { strides, pads, size } = self.windows(from.size, [kernel; 2], stride);
        let attributes = [
            Attribute::Ints("kernel_shape", &[kernel as i64; 2]),
            Attribute::Ints("strides", &strides),
            Attribute::Ints("pads", &pads),
        ];
        let name = format!("{}.pooled", from.name);
        self.graph.node("MaxPool", &[&from.name], &[&name], &attributes);
        Map { name, channels: from.channels, size }
    }

    fn windows(&self, size: [usize; 2], kernel: [usize; 2], stride: usize) -> Windows {
        let along = |axis: usize| match self.conventions.padding {
            Padding::Half => {
                let pad = kernel[axis] / 2;
                let windows = (size[axis] + 2 * pad).saturating_sub(kernel[axis]) / stride + 1;
                ([pad, pad], windows)
            }
            Padding::Same => {
                let windows = size[axis].div_ceil(stride);
                let pad = ((windows - 1) * stride + kernel[axis]).saturating_sub(size[axis]);
                ([pad / 2, pad - pad / 2], windows)
            }
        };
        let ([top, bottom], height) = along(0);
        let ([left, right], width) = along(1);
        let pads = [top, left, bottom, right].map(|pad| pad as i64);
        Windows { strides: [stride as i64; 2], pads, size: [height, width] }
    }

    pub(super) fn relu(&mut self, from: &Map) -> Map {
        let name = format!("{}.relu", from.name);
        self.graph.node("Relu", &[&from.name], &[&name], &[]);
        Map { name, ..from.clone() }
    }

    /// `ReLU` with a maximum of six.
    pub(super) fn relu6(&mut self, from: &Map) -> Map {
        let name = format!("{}.relu6", from.name);
        self.graph.node("Clip", &[&from.name, ZERO, SIX], &[&name], &[]);
        Map { name, ..from.clone() }
    }

    /// The sum of two maps of the same shape.
    pub(super) fn add(&mut self, a: &Map, b: &Map) -> Result<Map> {
        if (a.channels, a.size) != (b.channels, b.size) {
            return Err(Error::Sum { first: a.name.clone(), second: b.name.clone() });
        }
        let name = format!("{}.sum", a.name);
        self.graph.node("Add", &[&a.name, &b.name], &[&name], &[]);
        Ok(Map { name, ..a.clone() })
    }

    /// The network that ends in `grid`.
    pub(super) fn finish(mut self, grid: &Map) -> Graph {
        self.graph.weight(ZERO, &[], &[0.0]);
        self.graph.weight(SIX, &[], &[6.0]);
        let [height, width] = grid.size.map(Fixed);
        let shape = [Symbolic("N"), Fixed(grid.channels), height, width];
        self.graph.output(&grid.name, Float, &shape);
        self.graph
    }
}
