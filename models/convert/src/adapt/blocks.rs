//! The last blocks of an encoder side by side in one grid.
//!
//! The last block of a classifier represents what separates its classes; the blocks before it, on the same cells,
//! represent other things that captions name (hypercolumns, Hariharan et al., arXiv 1411.5752). Blocks differ in scale,
//! by a factor of twenty in ResNet50, so each cell is divided by its root mean square over the channels of a block (Liu
//! et al., arXiv 1506.04579, section 3.3).

use std::collections::HashMap;

use onnx::messages::{GraphMessage, Node};
use onnx::{Attribute, Graph};

use super::paths::{attribute, producers, reaches};
use crate::{Error, Result};

/// Avoids a division by zero in cells of zeros.
const EPSILON: f32 = 1e-6;
/// The operator set since which axes are an input.
const AXES_ARE_AN_INPUT: i64 = 18;

/// A graph and the values between which its blocks are.
pub(super) struct Blocks<'a> {
    /// The image.
    pub(super) input: &'a str,
    /// The output of the last block.
    pub(super) grid: &'a str,
    /// The operator set of the graph.
    pub(super) opset: i64,
}

impl Blocks<'_> {
    /// Concatenates the normalised outputs of the last `count` blocks; returns the name of the resulting grid.
    pub(super) fn join(&self, graph: &mut GraphMessage, count: usize) -> Result<String> {
        let ends = ends(graph, self.input, self.grid);
        let too_few = || Error::Blocks { found: ends.len(), wanted: count };
        let ends = ends.get(..count).ok_or_else(too_few)?;
        Ok(concatenate(graph, ends, self.opset))
    }
}

/// Concatenates values over the channels, each normalised.
fn concatenate(graph: &mut GraphMessage, ends: &[String], opset: i64) -> String {
    let mut longer = Graph::from(std::mem::take(graph));
    longer.weight("showtell.epsilon", &[], &[EPSILON]);
    if opset >= AXES_ARE_AN_INPUT {
        longer.integers("showtell.channels", &[1]);
    }
    let mut normalised = Vec::with_capacity(ends.len());
    for (at, end) in ends.iter().enumerate() {
        let name = |part: &str| format!("showtell.block{at}.{part}");
        let [square, mean, shifted, root, block] =
            ["square", "mean", "shifted", "root", "normalised"].map(name);
        longer.node("Mul", &[end, end], &[&square], &[]);
        if opset >= AXES_ARE_AN_INPUT {
            longer.node("ReduceMean", &[&square, "showtell.channels"], &[&mean], &[]);
        } else {
            longer.node("ReduceMean", &[&square], &[&mean], &[Attribute::Ints("axes", &[1])]);
        }
        longer.node("Add", &[&mean, "showtell.epsilon"], &[&shifted], &[]);
        longer.node("Sqrt", &[&shifted], &[&root], &[]);
        longer.node("Div", &[end, &root], &[&block], &[]);
        normalised.push(block);
    }
    let normalised = normalised.iter().map(String::as_str).collect::<Vec<_>>();
    longer.node("Concat", &normalised, &["showtell.grid"], &[Attribute::Int("axis", 1)]);
    *graph = longer.into();
    "showtell.grid".to_owned()
}

/// The outputs of the blocks on cells of the grid's size, the last block first: the grid itself, and values at which the
/// network forks (into a block and its shortcut) and through which every path from `input` goes.
fn ends(graph: &GraphMessage, input: &str, grid: &str) -> Vec<String> {
    let producers = producers(graph);
    let mut users = HashMap::<&str, usize>::new();
    for value in graph.node.iter().flat_map(|node| &node.input) {
        *users.entry(value).or_default() += 1;
    }
    // The stride from each value to the grid.
    let mut strides = HashMap::from([(grid, 1)]);
    let mut found = Vec::new();
    for node in graph.node.iter().rev() {
        let reached =
            node.output.iter().find_map(|output| Some((output, *strides.get(output.as_str())?)));
        let Some((output, of_output)) = reached else { continue };
        if of_output > 1 {
            continue;
        }
        let forks = users.get(output.as_str()).is_some_and(|&users| users > 1);
        if output == grid || (forks && !reaches(&producers, grid, input, output)) {
            found.push(output.clone());
        }
        for value in &node.input {
            let stride = strides.entry(value).or_insert(1);
            *stride = (*stride).max(of_output * stride_of(node));
        }
    }
    found
}

/// The stride of a node.
fn stride_of(node: &Node) -> i64 {
    attribute(node, "strides").and_then(|of| of.ints.iter().copied().max()).unwrap_or(1)
}
