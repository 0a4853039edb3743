//! A network whose convolutions multiply 8-bit integers.
//!
//! Activations are quantized to 8 bits, kernels to 7 bits with a scale for each output channel, and biases to 32 bits
//! (Jacob et al., arXiv 1712.05877; Krishnamoorthi, arXiv 1806.08342). The graph uses standard operators: each
//! activation passes `QuantizeLinear` and `DequantizeLinear`, which a runtime fuses with the operators around them.

use std::collections::{HashMap, HashSet};

use onnx::messages::{Entry, GraphMessage, Model, Node, TensorType, Type, ValueInfo};
use onnx::quantized::{MIN_SCALE, floats, quantize, scale};
use onnx::{Attribute, ElementType, Graph};
use prost::Message as _;

use crate::error::Reason;

/// Operators that have an int8 form.
const QUANTIZED_OPERATORS: [&str; 5] = ["Conv", "Relu", "Clip", "Add", "MaxPool"];
/// Operators that only bound a value: the value before one needs no scale of its own.
const BOUNDS: [&str; 2] = ["Relu", "Clip"];
/// The operator set since which each channel of a kernel can have a scale.
const MIN_OPSET: i64 = 13;

/// A float32 network that can be quantized.
#[derive(Debug)]
pub(crate) struct FloatNetwork {
    model: Model,
    /// The values to quantize, in the order in which they are computed.
    activations: Vec<String>,
}

impl FloatNetwork {
    /// Parses an ONNX file.
    pub(crate) fn parse(file: &[u8]) -> Result<Self, Reason> {
        let mut model = Model::decode(file)?;
        model.opset_import.retain(|of| of.domain.is_empty());
        let found = model.opset_import.first().map_or(1, |of| of.version);
        if found < MIN_OPSET {
            return Err(Reason::Opset { found, needed: MIN_OPSET });
        }
        let activations = activations(model.graph.as_ref().ok_or(Reason::NoGraph)?);
        if activations.is_empty() {
            return Err(Reason::NoConvolution);
        }
        Ok(Self { model, activations })
    }

    /// The values whose ranges are needed.
    pub(crate) fn activations(&self) -> &[String] {
        &self.activations
    }

    /// The network with its activations as outputs, in their order.
    pub(crate) fn with_activations(&self) -> Vec<u8> {
        let mut model = self.model.clone();
        if let Some(graph) = &mut model.graph {
            graph.output = self.activations.iter().map(|value| float(value)).collect();
        }
        model.encode_to_vec()
    }

    /// The quantized network with the given metadata. `ranges` are those of the activations.
    pub(crate) fn quantized(self, ranges: &[Range], metadata: &[(&str, &str)]) -> Vec<u8> {
        let Self { mut model, activations } = self;
        let graph = model.graph.take().unwrap_or_default();
        let parameters = ranges.iter().map(|range| range.parameters());
        let parameters = activations.into_iter().zip(parameters).collect();
        model.graph = Some(Rewriting::new(graph, parameters).finish());
        for (key, value) in metadata {
            model.metadata_props.retain(|entry| entry.key != *key);
            model.metadata_props.push(Entry { key: (*key).to_owned(), value: (*value).to_owned() });
        }
        model.encode_to_vec()
    }
}

/// The inputs and outputs of operators with an int8 form.
fn activations(graph: &GraphMessage) -> Vec<String> {
    let constants = graph.initializer.iter().map(|weight| weight.name.as_str());
    let constants = constants.collect::<HashSet<_>>();
    // A sum with a constant is not a shortcut around a block but a part of something finer, such as a norm.
    let is_quantized = |node: &&Node| {
        let mut inputs = node.input.iter().map(String::as_str);
        QUANTIZED_OPERATORS.contains(&node.op_type.as_str())
            && (node.op_type != "Add" || !inputs.any(|input| constants.contains(input)))
    };
    let mut known = constants.clone();
    let mut values = Vec::new();
    for node in graph.node.iter().filter(is_quantized) {
        for value in node.input.iter().chain(&node.output) {
            if !is_only_bounded(graph, value) && known.insert(value) {
                values.push(value.clone());
            }
        }
    }
    values
}

/// Whether the one use of a value is to be bounded.
fn is_only_bounded(graph: &GraphMessage, value: &str) -> bool {
    let mut users = graph.node.iter().filter(|node| node.input.iter().any(|input| input == value));
    let is_bounded = users.next().is_some_and(|user| BOUNDS.contains(&user.op_type.as_str()));
    is_bounded && users.next().is_none()
}

/// The declaration of a float value of any shape.
fn float(name: &str) -> ValueInfo {
    let tensor_type = TensorType { elem_type: ElementType::Float as i32, shape: None };
    let r#type = Type { tensor_type: Some(tensor_type), ..Type::default() };
    ValueInfo { name: name.to_owned(), r#type: Some(r#type), ..ValueInfo::default() }
}

/// The range of an activation. It includes zero, which must be exact because images are padded with it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Range {
    min: f32,
    max: f32,
}

impl Range {
    pub(crate) fn extend(&mut self, value: f32) {
        *self = Self { min: self.min.min(value), max: self.max.max(value) };
    }

    fn parameters(self) -> Parameters {
        let scale = ((self.max - self.min) / f32::from(u8::MAX)).max(MIN_SCALE);
        Parameters { scale, zero_point: (-self.min / scale).round() as u8 }
    }
}

/// The quantization parameters of an activation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Parameters {
    scale: f32,
    zero_point: u8,
}

/// Integers that stand for floats, `[channels, …]`.
struct Integers<'a> {
    element: ElementType,
    shape: &'a [usize],
    bytes: Vec<u8>,
}

/// A graph whose activations, kernels and biases are being quantized.
struct Rewriting {
    old: GraphMessage,
    new: Graph,
    parameters: HashMap<String, Parameters>,
}

impl Rewriting {
    fn new(mut old: GraphMessage, parameters: HashMap<String, Parameters>) -> Self {
        let kept = GraphMessage { node: Vec::new(), initializer: Vec::new(), ..old.clone() };
        old.value_info.clear();
        Self { old, new: Graph::from(kept), parameters }
    }

    fn finish(mut self) -> GraphMessage {
        let inputs = self.old.input.iter().map(|input| input.name.clone()).collect::<Vec<_>>();
        for input in &inputs {
            self.quantize_activation(input);
        }
        for mut node in std::mem::take(&mut self.old.node) {
            if node.op_type == "Conv" {
                self.quantize_weights(&mut node);
            }
            for input in &mut node.input {
                if self.parameters.contains_key(input) {
                    *input = dequantized(input);
                }
            }
            let outputs = node.output.clone();
            self.new.push(node);
            for output in &outputs {
                self.quantize_activation(output);
            }
        }
        let mut graph = GraphMessage::from(self.new);
        for output in &mut graph.output {
            if self.parameters.contains_key(&output.name) {
                output.name = dequantized(&output.name);
            }
        }
        let used = graph.node.iter().flat_map(|node| &node.input).collect::<HashSet<_>>();
        let old = self.old.initializer.into_iter().filter(|weight| used.contains(&weight.name));
        let old = old.collect::<Vec<_>>();
        graph.initializer.extend(old);
        graph
    }

    /// Inserts `QuantizeLinear` and `DequantizeLinear` after `value` if it has a scale.
    fn quantize_activation(&mut self, value: &str) {
        let Some(parameters) = self.parameters.get(value) else { return };
        let name = |part: &str| format!("{value}.{part}");
        let [scale, zero_point, integers] = ["scale", "zero_point", "integers"].map(name);
        let bytes = vec![parameters.zero_point];
        self.new.weight(&scale, &[], &[parameters.scale]);
        self.new.constant(&zero_point, ElementType::Uint8, &[], bytes);
        self.new.node("QuantizeLinear", &[value, &scale, &zero_point], &[&integers], &[]);
        let inputs = [&*integers, &scale, &zero_point];
        self.new.node("DequantizeLinear", &inputs, &[&dequantized(value)], &[]);
    }

    /// Quantizes the kernels and the bias of a convolution, if its kernels are constant.
    fn quantize_weights(&mut self, conv: &mut Node) {
        let old = &self.old.initializer;
        let constant = |name: &String| old.iter().find(|weight| weight.name == *name);
        let Some(kernels) = conv.input.get(1).and_then(constant) else { return };
        let Some(input) = self.parameters.get(&conv.input[0]).map(|of| of.scale) else { return };
        let bias = conv.input.get(2).and_then(constant).map(floats);
        let shape = kernels.dims.iter().map(|side| *side as usize).collect::<Vec<_>>();
        let kernel = shape[1..].iter().product::<usize>().max(1);
        let values = floats(kernels);
        let scales = scales(values.chunks(kernel), bias.as_deref(), input);
        let channels = values.chunks(kernel).zip(&scales);
        let bytes = channels.flat_map(|(channel, scale)| {
            channel.iter().map(move |weight| quantize(*weight, *scale) as u8)
        });
        let integers =
            Integers { element: ElementType::Int8, shape: &shape, bytes: bytes.collect() };
        conv.input[1] = self.dequantize(&format!("{}.kernels", conv.output[0]), integers, &scales);
        let Some(bias) = bias else { return };
        let scales = scales.iter().map(|scale| scale * input).collect::<Vec<_>>();
        let rounded = bias.iter().zip(&scales).map(|(bias, scale)| (bias / scale).round() as i32);
        let (shape, bytes) = ([bias.len()], rounded.flat_map(i32::to_le_bytes).collect());
        let integers = Integers { element: ElementType::Int32, shape: &shape, bytes };
        conv.input[2] = self.dequantize(&format!("{}.bias", conv.output[0]), integers, &scales);
    }

    /// Adds constant integers with a scale for each channel; returns the name of the floats that they stand for.
    fn dequantize(&mut self, name: &str, integers: Integers, scales: &[f32]) -> String {
        let part = |part: &str| format!("{name}.{part}");
        let [constant, scale, floats] = ["integers", "scale", "floats"].map(part);
        self.new.constant(&constant, integers.element, integers.shape, integers.bytes);
        self.new.weight(&scale, &[scales.len()], scales);
        let axis = [Attribute::Int("axis", 0)];
        self.new.node("DequantizeLinear", &[&constant, &scale], &[&floats], &axis);
        floats
    }
}

/// The name of an activation after `DequantizeLinear`.
fn dequantized(value: &str) -> String {
    format!("{value}.dequantized")
}

/// The scale of each channel's kernel: that of its largest weight, but so large that the bias, in units of the product
/// with the input's scale, needs at most 31 bits.
fn scales<'a>(
    kernels: impl Iterator<Item = &'a [f32]>,
    bias: Option<&[f32]>,
    input: f32,
) -> Vec<f32> {
    let bias =
        |channel: usize| bias.and_then(|bias| bias.get(channel)).map_or(0.0, |bias| bias.abs());
    let kernels = kernels.enumerate();
    let scale = |(channel, kernel)| scale(kernel).max(bias(channel) / (input * (1 << 30) as f32));
    kernels.map(scale).collect()
}
