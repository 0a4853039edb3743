//! A builder for small graphs.

use prost::Message as _;

use crate::messages::{
    AttributeMessage, Entry, GraphMessage, Model, Node, OperatorSet, Shape, Side, SideValue,
    Tensor, TensorType, Type, ValueInfo,
};

/// The version of the standard operators that graphs are written in.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
const INT: i32 = 2;
const INTS: i32 = 7;

/// The type of a tensor's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// 32-bit floating point.
    Float = 1,
    /// 8-bit unsigned integer.
    Uint8 = 2,
    /// 8-bit integer.
    Int8 = 3,
    /// 32-bit integer.
    Int32 = 6,
    /// 64-bit integer.
    Int64 = 7,
    /// 16-bit floating point.
    Half = 10,
}

/// Length of one axis of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// A length that the file fixes.
    Fixed(usize),
    /// A length that each run chooses; the same name means the same length.
    Symbolic(&'static str),
}

/// An attribute of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute<'a> {
    /// A name and an integer.
    Int(&'a str, i64),
    /// A name and integers.
    Ints(&'a str, &'a [i64]),
}

/// A graph under construction. Values are named; nodes run in the order they are added.
#[derive(Debug, Default)]
pub struct Graph {
    message: GraphMessage,
}

impl From<GraphMessage> for Graph {
    fn from(message: GraphMessage) -> Self {
        Self { message }
    }
}

impl From<Graph> for GraphMessage {
    fn from(graph: Graph) -> Self {
        graph.message
    }
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { message: GraphMessage { name: name.to_owned(), ..GraphMessage::default() } }
    }

    /// Declares an input.
    pub fn input(&mut self, name: &str, element: ElementType, shape: &[Dimension]) {
        self.message.input.push(value_info(name, element, shape));
    }

    /// Declares a value as an output.
    pub fn output(&mut self, name: &str, element: ElementType, shape: &[Dimension]) {
        self.message.output.push(value_info(name, element, shape));
    }

    /// Adds a weight of the given shape, row-major.
    pub fn weight(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, ElementType::Float, shape, raw);
    }

    /// Adds a weight of 8-bit integers.
    pub fn weight_int8(&mut self, name: &str, shape: &[usize], values: &[i8]) {
        let raw = values.iter().map(|value| value.to_le_bytes()[0]).collect();
        self.constant(name, ElementType::Int8, shape, raw);
    }

    /// Adds a list of integers.
    pub fn integers(&mut self, name: &str, values: &[i64]) {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, ElementType::Int64, &[values.len()], raw);
    }

    /// Adds a constant of the given type and shape: its values in little-endian order, row-major.
    pub fn constant(&mut self, name: &str, element: ElementType, shape: &[usize], raw: Vec<u8>) {
        self.message.initializer.push(Tensor {
            dims: shape.iter().map(|&side| side as i64).collect(),
            data_type: element as i32,
            name: name.to_owned(),
            raw_data: raw,
            ..Tensor::default()
        });
    }

    /// Adds an operator on named values. One of another operator set than the standard one is named with it, such as
    /// `com.microsoft.MatMulNBits`.
    pub fn node(&mut self, op: &str, inputs: &[&str], outputs: &[&str], attributes: &[Attribute]) {
        let (domain, op_type) = op.rsplit_once('.').unwrap_or(("", op));
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.message.node.push(Node {
            input: owned(inputs),
            output: owned(outputs),
            name: outputs.first().map_or_else(String::new, |first| format!("{op_type}:{first}")),
            op_type: op_type.to_owned(),
            attribute: attributes.iter().map(attribute).collect(),
            domain: domain.to_owned(),
            ..Node::default()
        });
    }

    /// Adds a node.
    pub fn push(&mut self, node: Node) {
        self.message.node.push(node);
    }

    /// The ONNX file, with the given metadata.
    #[must_use]
    pub fn into_bytes(self, metadata: &[(&str, &str)]) -> Vec<u8> {
        let model = Model {
            ir_version: IR_VERSION,
            producer_name: "showtell".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
            ..self.into_model(metadata)
        };
        model.encode_to_vec()
    }

    /// A part of a network: bytes that, appended to those of an ONNX file, add the nodes, weights, outputs and metadata to
    /// it. The version of the format and the operator sets are that file's.
    #[must_use]
    pub fn into_part(self, metadata: &[(&str, &str)]) -> Vec<u8> {
        self.into_model(metadata).encode_to_vec()
    }

    fn into_model(self, metadata: &[(&str, &str)]) -> Model {
        let entry = |&(key, value): &(&str, &str)| Entry { key: key.into(), value: value.into() };
        let metadata_props = metadata.iter().map(entry).collect();
        Model { graph: Some(self.message), metadata_props, ..Model::default() }
    }
}

fn attribute(attribute: &Attribute) -> AttributeMessage {
    let (name, r#type, i, ints) = match *attribute {
        Attribute::Int(name, value) => (name, INT, value, Vec::new()),
        Attribute::Ints(name, values) => (name, INTS, 0, values.to_vec()),
    };
    AttributeMessage { name: name.to_owned(), i, ints, r#type, ..AttributeMessage::default() }
}

fn value_info(name: &str, element: ElementType, shape: &[Dimension]) -> ValueInfo {
    let side = |dimension: &Dimension| Side {
        value: Some(match *dimension {
            Dimension::Fixed(length) => SideValue::Fixed(length as i64),
            Dimension::Symbolic(name) => SideValue::Symbolic(name.to_owned()),
        }),
        ..Side::default()
    };
    let tensor_type = TensorType {
        elem_type: element as i32,
        shape: Some(Shape { dim: shape.iter().map(side).collect() }),
    };
    let r#type = Type { tensor_type: Some(tensor_type), ..Type::default() };
    ValueInfo { name: name.to_owned(), r#type: Some(r#type), ..ValueInfo::default() }
}
