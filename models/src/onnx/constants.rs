//! Integers that a graph holds as constants, however it spells them.

use std::collections::HashMap;

use prost::Message as _;

use super::paths::attribute;
use super::proto::{GraphMessage, Node, Tensor};

const FLOAT: i32 = 1;
const INT32: i32 = 6;
const INT64: i32 = 7;
/// Nodes that a constant passes at most on its way.
const LONGEST_WAY: usize = 16;
/// Operators that leave the values of a list as they are.
const UNCHANGED: [&str; 6] = ["Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten"];

/// The values of a constant list of integers: a weight, a `Constant`, or what is made of such without other
/// values.
pub(super) fn integers(
    name: &str,
    graph: &GraphMessage,
    producers: &HashMap<&str, &Node>,
) -> Option<Vec<i64>> {
    on_the_way(name, graph, producers, LONGEST_WAY)
}

fn on_the_way(
    name: &str,
    graph: &GraphMessage,
    producers: &HashMap<&str, &Node>,
    left: usize,
) -> Option<Vec<i64>> {
    if let Some(weight) = graph.initializer.iter().find(|weight| weight.name == name) {
        return of_tensor(weight);
    }
    let node = producers.get(name)?;
    let left = left.checked_sub(1)?;
    match node.op_type.as_str() {
        "Constant" => of_constant(node),
        "Concat" => {
            let parts = node.input.iter().map(|input| on_the_way(input, graph, producers, left));
            Some(parts.collect::<Option<Vec<_>>>()?.concat())
        }
        operator if UNCHANGED.contains(&operator) => {
            on_the_way(node.input.first()?, graph, producers, left)
        }
        _ => None,
    }
}

fn of_constant(node: &Node) -> Option<Vec<i64>> {
    let value = node.attribute.iter().find(|attribute| attribute.name.starts_with("value"))?;
    match value.name.as_str() {
        "value" => of_tensor(&Tensor::decode(&value.t.as_ref()?[..]).ok()?),
        "value_int" => Some(vec![value.i]),
        "value_ints" => Some(value.ints.clone()),
        "value_float" => Some(vec![whole(value.f)?]),
        "value_floats" => value.floats.iter().map(|value| whole(*value)).collect(),
        _ => None,
    }
}

fn of_tensor(tensor: &Tensor) -> Option<Vec<i64>> {
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

/// An integer that is kept as a float.
fn whole(value: f32) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 1e6).then_some(value as i64)
}

/// A list of integers of a node: its attribute, or the input at that place.
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
