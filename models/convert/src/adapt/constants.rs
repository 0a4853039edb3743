//! Constant integers of a graph, in each form that ONNX has for them.

use std::collections::HashMap;

use onnx::messages::{GraphMessage, Node, Tensor};
use prost::Message as _;

use super::paths::attribute;

const FLOAT: i32 = 1;
const INT32: i32 = 6;
const INT64: i32 = 7;
/// Maximum number of nodes between a constant and its use.
const MAX_PATH: usize = 16;
/// Operators that do not change the values of a list.
const UNCHANGED: [&str; 6] = ["Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten"];

/// The values of a constant list of integers: a weight, a `Constant`, or a result of these alone.
pub(super) fn integers(
    name: &str,
    graph: &GraphMessage,
    producers: &HashMap<&str, &Node>,
) -> Option<Vec<i64>> {
    follow(name, graph, producers, MAX_PATH)
}

fn follow(
    name: &str,
    graph: &GraphMessage,
    producers: &HashMap<&str, &Node>,
    left: usize,
) -> Option<Vec<i64>> {
    if let Some(weight) = graph.initializer.iter().find(|weight| weight.name == name) {
        return tensor_values(weight);
    }
    let node = producers.get(name)?;
    let left = left.checked_sub(1)?;
    match node.op_type.as_str() {
        "Constant" => constant_values(node),
        "Concat" => {
            let parts = node.input.iter().map(|input| follow(input, graph, producers, left));
            Some(parts.collect::<Option<Vec<_>>>()?.concat())
        }
        operator if UNCHANGED.contains(&operator) => {
            follow(node.input.first()?, graph, producers, left)
        }
        _ => None,
    }
}

fn constant_values(node: &Node) -> Option<Vec<i64>> {
    let value = node.attribute.iter().find(|attribute| attribute.name.starts_with("value"))?;
    match value.name.as_str() {
        "value" => tensor_values(&Tensor::decode(&value.t.as_ref()?[..]).ok()?),
        "value_int" => Some(vec![value.i]),
        "value_ints" => Some(value.ints.clone()),
        "value_float" => Some(vec![whole(value.f)?]),
        "value_floats" => value.floats.iter().map(|value| whole(*value)).collect(),
        _ => None,
    }
}

fn tensor_values(tensor: &Tensor) -> Option<Vec<i64>> {
    let raw = &tensor.raw_data;
    match tensor.data_type {
        INT64 if raw.is_empty() => Some(tensor.int64_data.clone()),
        INT64 => Some(raw.as_chunks().0.iter().map(|value| i64::from_le_bytes(*value)).collect()),
        INT32 if raw.is_empty() => Some(tensor.int32_data.iter().copied().map(i64::from).collect()),
        INT32 => {
            let values = raw.as_chunks().0.iter();
            Some(values.map(|value| i32::from_le_bytes(*value).into()).collect())
        }
        FLOAT if raw.is_empty() => tensor.float_data.iter().map(|value| whole(*value)).collect(),
        FLOAT => raw.as_chunks().0.iter().map(|value| whole(f32::from_le_bytes(*value))).collect(),
        _ => None,
    }
}

/// An integer that is stored as a float.
fn whole(value: f32) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 1e6).then_some(value as i64)
}

/// A list of integers of a node: its attribute `name`, or the input at that index.
pub(super) fn list(
    node: &Node,
    name: &str,
    input: usize,
    graph: &GraphMessage,
    producers: &HashMap<&str, &Node>,
) -> Option<Vec<i64>> {
    match attribute(node, name) {
        Some(list) => Some(list.ints.clone()),
        None => integers(node.input.get(input)?, graph, producers),
    }
}
