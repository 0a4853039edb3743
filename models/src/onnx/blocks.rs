//! The last blocks of an encoder side by side in one grid.
//!
//! The last block of a classifier keeps what tells its classes apart; the blocks before it, on cells of
//! the same places, still have other things that captions speak of (hypercolumns, Hariharan et al.,
//! arXiv 1411.5752). Blocks differ in scale, by a factor of twenty in ResNet50, so each cell is divided by
//! its root mean square over the channels of a block (Liu et al., arXiv 1506.04579, section 3.3).

use std::collections::HashMap;

use super::graph::{Attribute, Graph};
use super::paths::{attribute, producers, reaches};
use super::proto::{GraphMessage, Node};

/// Keeps cells without any value from being divided by zero.
const EPSILON: f32 = 1e-6;
/// Since this version of the operators, axes are an input.
const AXES_ARE_AN_INPUT: i64 = 18;

/// Puts the normalised outputs of the last `blocks` blocks side by side; gives the name of the grid that
/// they make. The last block gives `grid`. `opset` is the version of the graph's operators.
pub(super) fn join(
    graph: &mut GraphMessage,
    [input, grid]: [&str; 2],
    blocks: usize,
    opset: i64,
) -> Result<String, String> {
    let ends = ends(graph, input, grid);
    let Some(ends) = ends.get(..blocks) else {
        return Err(format!(
            "its grid comes from {} blocks of that size, not {blocks}",
            ends.len()
        ));
    };
    let mut longer = Graph::from(std::mem::take(graph));
    longer.weight("showtell.epsilon", &[], &[EPSILON]);
    if opset >= AXES_ARE_AN_INPUT {
        longer.integers("showtell.channels", &[1]);
    }
    let mut normalised = Vec::with_capacity(blocks);
    for (at, end) in ends.iter().enumerate() {
        let name = |what: &str| format!("showtell.block{at}.{what}");
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
    Ok("showtell.grid".to_owned())
}

/// Where blocks on cells of the grid's size end, the last block first: the grid itself, and values from
/// which the network forks (into a block and the way around it) and through which everything on the way
/// from `input` goes.
fn ends(graph: &GraphMessage, input: &str, grid: &str) -> Vec<String> {
    let producers = producers(graph);
    let mut users = HashMap::<&str, usize>::new();
    for value in graph.node.iter().flat_map(|node| &node.input) {
        *users.entry(value).or_default() += 1;
    }
    // Cells of the grid on a side of a value's cell, along the way from it to the grid.
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

/// By what a node makes an image smaller.
fn stride_of(node: &Node) -> i64 {
    attribute(node, "strides").and_then(|of| of.ints.iter().copied().max()).unwrap_or(1)
}
