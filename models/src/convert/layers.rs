//! The layers that networks are built of, each on the values of another.

use super::weights::Weights;
use crate::onnx::{Attribute, Dimension, ElementType, Graph};

use Dimension::{Fixed, Symbolic};
use ElementType::Float;

const ZERO: &str = "zero";
const SIX: &str = "six";

/// A value of the network: an image's channels on cells.
#[derive(Debug, Clone)]
pub(super) struct Map {
    name: String,
    pub(super) channels: usize,
    /// Height and width in cells.
    size: [usize; 2],
}

/// What stands around an image so that its border can be the middle of a kernel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Padding {
    /// Half a kernel on all sides, as `PyTorch`'s networks have it.
    Half,
    /// Only what the last step lacks, its larger part at the bottom and the right: `TensorFlow`'s `SAME`.
    Same,
}

/// How the networks of a family do what their tensors do not tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    pub(super) padding: Padding,
    /// What batch normalisation adds to the variance.
    pub(super) epsilon: f32,
}

/// A network under construction, and the tensors that wait to become its layers.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    graph: Graph,
    weights: &'a mut Weights,
    habits: Habits,
}

impl<'a> Layers<'a> {
    /// An empty network on images of that height and width, and the images.
    pub(super) fn new(
        name: &str,
        size: [usize; 2],
        weights: &'a mut Weights,
        habits: Habits,
    ) -> (Self, Map) {
        let mut graph = Graph::new(name);
        graph.input("image", Float, &[Symbolic("N"), Fixed(3), Fixed(size[0]), Fixed(size[1])]);
        let image = Map { name: "image".to_owned(), channels: 3, size };
        (Self { graph, weights, habits }, image)
    }

    /// Whether a tensor waits.
    pub(super) fn has(&self, name: &str) -> bool {
        self.weights.has(name)
    }

    /// The channels that the convolution `conv`, which waits, gives.
    pub(super) fn channels(&self, conv: &str) -> Option<usize> {
        self.weights.shape(&format!("{conv}.weight"))?.first().copied()
    }

    /// The convolution `conv` with a kernel at each `stride`th cell, and the batch normalisation `norm`
    /// of its values, folded into its kernels: what runs is one convolution.
    pub(super) fn conv(
        &mut self,
        from: &Map,
        [conv, norm]: [&str; 2],
        stride: usize,
    ) -> Result<Map, String> {
        let mut kernels = self.weights.take::<4>(&format!("{conv}.weight"))?;
        let [channels, inputs, height, width] = kernels.shape;
        if !from.channels.is_multiple_of(inputs) || !channels.is_multiple_of(from.channels / inputs)
        {
            return Err(format!(
                "its tensor `{conv}.weight` is {:?}, on {} channels",
                kernels.shape, from.channels
            ));
        }
        let [scale, shift] = self.normalisation(norm, channels)?;
        let kernel = inputs * height * width;
        for (kernel, scale) in kernels.values.chunks_exact_mut(kernel).zip(&scale) {
            for weight in kernel {
                *weight *= scale;
            }
        }
        let [weight, bias] = [format!("{conv}.weight"), format!("{conv}.bias")];
        self.graph.weight(&weight, &kernels.shape, &kernels.values);
        self.graph.weight(&bias, &[channels], &shift);
        let (attributes, size) = self.windows(from.size, [height, width], stride);
        let [strides, pads] = attributes.each_ref().map(Vec::as_slice);
        let attributes = [
            Attribute::Ints("strides", strides),
            Attribute::Ints("pads", pads),
            Attribute::Int("group", (from.channels / inputs) as i64),
        ];
        self.graph.node("Conv", &[&from.name, &weight, &bias], &[conv], &attributes);
        Ok(Map { name: conv.to_owned(), channels, size })
    }

    /// What batch normalisation multiplies the values of each channel with, and then adds.
    fn normalisation(&mut self, norm: &str, channels: usize) -> Result<[Vec<f32>; 2], String> {
        let mut vector = |what: &str| {
            let name = format!("{norm}.{what}");
            let vector = self.weights.take::<1>(&name)?.values;
            let fits = vector.len() == channels;
            fits.then_some(vector).ok_or_else(|| format!("its tensor `{name}` is not [{channels}]"))
        };
        let (gain, bias) = (vector("weight")?, vector("bias")?);
        let (mean, variance) = (vector("running_mean")?, vector("running_var")?);
        let root = |variance: &f32| (variance + self.habits.epsilon).sqrt();
        let scale = gain.iter().zip(variance.iter().map(root)).map(|(gain, root)| gain / root);
        let scale = scale.collect::<Vec<_>>();
        let shift = bias
            .iter()
            .zip(mean.iter().zip(&scale))
            .map(|(bias, (mean, scale))| bias - mean * scale);
        let shift = shift.collect();
        Ok([scale, shift])
    }

    /// The largest value in each window of `kernel` cells, at every `stride`th cell.
    pub(super) fn max_pool(&mut self, from: &Map, kernel: usize, stride: usize) -> Map {
        let (attributes, size) = self.windows(from.size, [kernel; 2], stride);
        let [strides, pads] = attributes.each_ref().map(Vec::as_slice);
        let attributes = [
            Attribute::Ints("kernel_shape", &[kernel as i64; 2]),
            Attribute::Ints("strides", strides),
            Attribute::Ints("pads", pads),
        ];
        let name = format!("{}.pooled", from.name);
        self.graph.node("MaxPool", &[&from.name], &[&name], &attributes);
        Map { name, channels: from.channels, size }
    }

    /// `strides` and `pads` of windows over an image of that size, and the number of windows.
    fn windows(
        &self,
        size: [usize; 2],
        kernel: [usize; 2],
        stride: usize,
    ) -> ([Vec<i64>; 2], [usize; 2]) {
        let along = |at: usize| match self.habits.padding {
            Padding::Half => {
                let pad = kernel[at] / 2;
                ([pad, pad], (size[at] + 2 * pad).saturating_sub(kernel[at]) / stride + 1)
            }
            Padding::Same => {
                let windows = size[at].div_ceil(stride);
                let pad = ((windows - 1) * stride + kernel[at]).saturating_sub(size[at]);
                ([pad / 2, pad - pad / 2], windows)
            }
        };
        let ([top, bottom], height) = along(0);
        let ([left, right], width) = along(1);
        let pads = [top, left, bottom, right].map(|pad| pad as i64);
        ([vec![stride as i64; 2], pads.to_vec()], [height, width])
    }

    /// The values, none below zero.
    pub(super) fn relu(&mut self, from: &Map) -> Map {
        let name = format!("{}.relu", from.name);
        self.graph.node("Relu", &[&from.name], &[&name], &[]);
        Map { name, ..from.clone() }
    }

    /// The values, none below zero and none above six.
    pub(super) fn relu6(&mut self, from: &Map) -> Map {
        let name = format!("{}.relu6", from.name);
        self.graph.node("Clip", &[&from.name, ZERO, SIX], &[&name], &[]);
        Map { name, ..from.clone() }
    }

    /// The sum of two values, whose shapes must be the same.
    pub(super) fn add(&mut self, a: &Map, b: &Map) -> Result<Map, String> {
        if (a.channels, a.size) != (b.channels, b.size) {
            return Err(format!("its `{}` and `{}` cannot be added", a.name, b.name));
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
