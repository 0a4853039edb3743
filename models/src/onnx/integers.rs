//! A network whose convolutions multiply 8-bit integers.
//!
//! Values are kept as 256 steps of their range, kernels as 127 steps of the largest weight of each channel,
//! and what a convolution adds as 32-bit integers (Jacob et al., arXiv 1712.05877; Krishnamoorthi,
//! arXiv 1806.08342). The graph says so in standard operators: each value passes `QuantizeLinear` and
//! `DequantizeLinear`, which a runtime joins with the operators around them to ones on integers.

use std::collections::{HashMap, HashSet};

use prost::Message as _;

use super::graph::{Attribute, ElementType, Graph};
use super::proto::{Entry, GraphMessage, Model, Node, Tensor, TensorType, Type, ValueInfo};

/// Operators that have a form on 8-bit integers.
const ON_INTEGERS: [&str; 5] = ["Conv", "Relu", "Clip", "Add", "MaxPool"];
/// Operators that only bound a value: what comes before one needs no steps of its own.
const BOUNDS: [&str; 2] = ["Relu", "Clip"];
/// Since this version of the operators, each channel of a kernel can have a scale.
const SCALES_OF_CHANNELS: i64 = 13;
/// The largest step of a weight, of 7 bits: processors without instructions for networks of integers add two
/// products in 16 bits, which hold 2 · 255 · 63 but not 2 · 255 · 127.
pub(super) const LARGEST_WEIGHT: f32 = 63.0;
/// The least scale: what a channel without weights gets.
pub(super) const LEAST: f32 = 1e-12;

/// A network on floats that can be brought to integers.
#[derive(Debug)]
pub(crate) struct Floats {
    model: Model,
    /// The values to keep as integers, in the order in which they come about.
    values: Vec<String>,
}

impl Floats {
    /// Reads an ONNX file; the error says why it cannot be brought to integers.
    pub(crate) fn read(file: &[u8]) -> Result<Self, String> {
        let mut model = Model::decode(file).map_err(|_| "it is no ONNX file".to_owned())?;
        model.opset_import.retain(|of| of.domain.is_empty());
        let opset = model.opset_import.first().map_or(1, |of| of.version);
        if opset < SCALES_OF_CHANNELS {
            return Err(format!(
                "its operators are of version {opset}; integers need {SCALES_OF_CHANNELS}, so export it with that"
            ));
        }
        let graph = model.graph.as_ref().ok_or("it holds no network")?;
        let values = values(graph);
        if values.is_empty() {
            return Err("it has no convolution".to_owned());
        }
        Ok(Self { model, values })
    }

    /// The values whose ranges are needed.
    pub(crate) fn values(&self) -> &[String] {
        &self.values
    }

    /// The same network with those values as its outputs, in their order.
    pub(crate) fn watched(&self) -> Vec<u8> {
        let mut model = self.model.clone();
        if let Some(graph) = &mut model.graph {
            graph.output = self.values.iter().map(|value| float(value)).collect();
        }
        model.encode_to_vec()
    }

    /// The network on integers, whose values have the given ranges, with the given metadata.
    pub(crate) fn quantized(self, ranges: &[[f32; 2]], metadata: &[(&str, &str)]) -> Vec<u8> {
        let Self { mut model, values } = self;
        let graph = model.graph.take().unwrap_or_default();
        let steps =
            values.iter().zip(ranges).map(|(value, range)| (value.clone(), Steps::of(*range)));
        model.graph = Some(Rewriting::new(graph, steps.collect()).finish());
        for (key, value) in metadata {
            model.metadata_props.retain(|entry| entry.key != *key);
            model.metadata_props.push(Entry { key: (*key).to_owned(), value: (*value).to_owned() });
        }
        model.encode_to_vec()
    }
}

/// What goes into operators on integers and comes out of them.
fn values(graph: &GraphMessage) -> Vec<String> {
    let constants = graph.initializer.iter().map(|weight| weight.name.as_str());
    let constants = constants.collect::<HashSet<_>>();
    // A sum with a constant is no way around a block but a part of something finer, such as a norm.
    let on_integers = |node: &&Node| {
        let mut inputs = node.input.iter().map(String::as_str);
        ON_INTEGERS.contains(&node.op_type.as_str())
            && (node.op_type != "Add" || !inputs.any(|input| constants.contains(input)))
    };
    let mut known = constants.clone();
    let mut values = Vec::new();
    for node in graph.node.iter().filter(on_integers) {
        for value in node.input.iter().chain(&node.output) {
            if !only_bounded(graph, value) && known.insert(value) {
                values.push(value.clone());
            }
        }
    }
    values
}

/// Whether all that happens to a value is that it is bounded.
fn only_bounded(graph: &GraphMessage, value: &str) -> bool {
    let mut users = graph.node.iter().filter(|node| node.input.iter().any(|input| input == value));
    let bounded = users.next().is_some_and(|user| BOUNDS.contains(&user.op_type.as_str()));
    bounded && users.next().is_none()
}

/// The declaration of a value of floats, of any shape.
fn float(name: &str) -> ValueInfo {
    let tensor_type = TensorType { elem_type: ElementType::Float as i32, shape: None };
    let r#type = Type { tensor_type: Some(tensor_type), ..Type::default() };
    ValueInfo { name: name.to_owned(), r#type: Some(r#type), ..ValueInfo::default() }
}

/// The 256 steps of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Steps {
    scale: f32,
    /// The step of nought, which is always one of them: borders of images are noughts.
    zero: u8,
}

impl Steps {
    fn of([least, most]: [f32; 2]) -> Self {
        let (least, most) = (least.min(0.0), most.max(0.0));
        let scale = ((most - least) / f32::from(u8::MAX)).max(LEAST);
        Self { scale, zero: (-least / scale).round() as u8 }
    }
}

/// A graph on its way to integers.
struct Rewriting {
    old: GraphMessage,
    new: Graph,
    steps: HashMap<String, Steps>,
}

impl Rewriting {
    fn new(mut old: GraphMessage, steps: HashMap<String, Steps>) -> Self {
        let kept = GraphMessage { node: Vec::new(), initializer: Vec::new(), ..old.clone() };
        old.value_info.clear();
        Self { old, new: Graph::from(kept), steps }
    }

    fn finish(mut self) -> GraphMessage {
        let inputs = self.old.input.iter().map(|input| input.name.clone()).collect::<Vec<_>>();
        for input in &inputs {
            self.pass(input);
        }
        for mut node in std::mem::take(&mut self.old.node) {
            if node.op_type == "Conv" {
                self.kernels(&mut node);
            }
            for input in &mut node.input {
                if self.steps.contains_key(input) {
                    *input = passed(input);
                }
            }
            let outputs = node.output.clone();
            self.new.push(node);
            for output in &outputs {
                self.pass(output);
            }
        }
        let mut graph = GraphMessage::from(self.new);
        for output in graph.output.iter_mut().filter(|output| self.steps.contains_key(&output.name))
        {
            output.name = passed(&output.name);
        }
        let used = graph.node.iter().flat_map(|node| &node.input).collect::<HashSet<_>>();
        let old = self.old.initializer.into_iter().filter(|weight| used.contains(&weight.name));
        let old = old.collect::<Vec<_>>();
        graph.initializer.extend(old);
        graph
    }

    /// Lets a value, if it is one of those with steps, pass integers.
    fn pass(&mut self, value: &str) {
        let Some(steps) = self.steps.get(value) else { return };
        let name = |what: &str| format!("{value}.{what}");
        let [scale, zero, integers] = ["scale", "zero", "integers"].map(name);
        self.new.weight(&scale, &[], &[steps.scale]);
        self.new.constant(&zero, ElementType::Uint8, &[], vec![steps.zero]);
        self.new.node("QuantizeLinear", &[value, &scale, &zero], &[&integers], &[]);
        self.new.node("DequantizeLinear", &[&integers, &scale, &zero], &[&passed(value)], &[]);
    }

    /// Gives a convolution kernels of integers, and integers that it adds, if its kernels are constant.
    fn kernels(&mut self, conv: &mut Node) {
        let old = &self.old.initializer;
        let constant = |name: &String| old.iter().find(|weight| weight.name == *name);
        let Some(kernels) = conv.input.get(1).and_then(constant) else { return };
        let Some(input) = self.steps.get(&conv.input[0]).map(|steps| steps.scale) else { return };
        let bias = conv.input.get(2).and_then(constant).map(floats);
        let dims = kernels.dims.iter().map(|side| *side as usize).collect::<Vec<_>>();
        let kernel = dims[1..].iter().product::<usize>().max(1);
        let values = floats(kernels);
        let scales = scales(values.chunks(kernel), bias.as_deref(), input);
        let rounded = values.chunks(kernel).zip(&scales).flat_map(|(channel, scale)| {
            channel.iter().map(move |weight| steps_of(*weight, *scale) as u8)
        });
        let integers = (ElementType::Int8, &dims[..], rounded.collect());
        conv.input[1] = self.constants(&format!("{}.kernels", conv.output[0]), integers, &scales);
        let Some(bias) = bias else { return };
        let scales = scales.iter().map(|scale| scale * input).collect::<Vec<_>>();
        let rounded = bias.iter().zip(&scales).map(|(bias, scale)| (bias / scale).round() as i32);
        let raw = rounded.flat_map(i32::to_le_bytes).collect();
        let integers = (ElementType::Int32, &[bias.len()][..], raw);
        conv.input[2] = self.constants(&format!("{}.bias", conv.output[0]), integers, &scales);
    }

    /// Adds integers with a scale for each channel; gives the name of the floats that they stand for.
    fn constants(
        &mut self,
        name: &str,
        (element, dims, raw): (ElementType, &[usize], Vec<u8>),
        scales: &[f32],
    ) -> String {
        let [integers, scale, floats] =
            ["integers", "scale", "floats"].map(|part| format!("{name}.{part}"));
        self.new.constant(&integers, element, dims, raw);
        self.new.weight(&scale, &[scales.len()], scales);
        self.new.node(
            "DequantizeLinear",
            &[&integers, &scale],
            &[&floats],
            &[Attribute::Int("axis", 0)],
        );
        floats
    }
}

/// The name of a value after it passed integers.
fn passed(value: &str) -> String {
    format!("{value}.passed")
}

/// The scale of each channel's kernel: its largest weight is the largest step, and what is added to the
/// channel, in steps of the product with the input's scale, fits 32 bits with one to spare.
fn scales<'a>(
    kernels: impl Iterator<Item = &'a [f32]>,
    bias: Option<&[f32]>,
    input: f32,
) -> Vec<f32> {
    let of_bias = |at: usize| bias.and_then(|bias| bias.get(at)).map_or(0.0, |bias| bias.abs());
    let scale = |(at, kernel): (usize, &[f32])| {
        let largest = kernel.iter().fold(0.0_f32, |largest, weight| weight.abs().max(largest));
        (largest / LARGEST_WEIGHT).max(of_bias(at) / (input * (1 << 30) as f32)).max(LEAST)
    };
    kernels.enumerate().map(scale).collect()
}

/// A value in steps of the given size.
pub(super) fn steps_of(value: f32, step: f32) -> i8 {
    (value / step).round() as i8
}

/// The values of a tensor of floats.
pub(super) fn floats(tensor: &Tensor) -> Vec<f32> {
    if tensor.raw_data.is_empty() {
        return tensor.float_data.clone();
    }
    tensor.raw_data.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}
