//! Global pools, in each form that exporters write, and the axis order of their inputs.

use std::collections::HashMap;

use onnx::messages::{GraphMessage, Node};

use super::constants::{integers, list};
use super::paths::attribute;

const GLOBAL_POOLS: [&str; 3] = ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"];
const REDUCTIONS: [&str; 3] = ["ReduceMean", "ReduceMax", "ReduceSum"];
const WINDOWS: [&str; 3] = ["AveragePool", "MaxPool", "LpPool"];
/// Operators that work element by element.
const ELEMENTWISE: [&str; 22] = [
    "Identity",
    "Cast",
    "Dropout",
    "Relu",
    "LeakyRelu",
    "PRelu",
    "Elu",
    "Clip",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Softplus",
    "Mish",
    "Gelu",
    "Erf",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "DequantizeLinear",
    "QuantizeLinear",
];
/// Maximum number of nodes that are followed.
const MAX_PATH: usize = 32;
/// The axes of `[N,C,h,w]` in the order `[N,h,w,C]`.
const CHANNELS_LAST: [i64; 4] = [0, 2, 3, 1];

/// A grid, and the order of its axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grid {
    /// `[N,C,h,w]`.
    ChannelsFirst(String),
    /// `[N,h,w,C]`.
    ChannelsLast(String),
}

impl Grid {
    /// The name of its value.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::ChannelsFirst(name) | Self::ChannelsLast(name) => name,
        }
    }
}

/// Nodes by their outputs, and the graph that they are in.
pub(super) struct Network<'a> {
    pub(super) graph: &'a GraphMessage,
    pub(super) producers: HashMap<&'a str, &'a Node>,
}

impl Network<'_> {
    /// The grid that enters a node, if the node is a global pool.
    pub(super) fn pooled_by(&self, node: &Node) -> Option<Grid> {
        let grid = node.input.first()?;
        let operator = node.op_type.as_str();
        if GLOBAL_POOLS.contains(&operator) || self.is_whole_window(node) {
            return Some(Grid::ChannelsFirst(grid.clone()));
        }
        let (grid, axes) = self.reduced(node)?;
        match axes[..] {
            [2, 3] => Some(Grid::ChannelsFirst(grid)),
            // The axes of TensorFlow.
            [1, 2] => Some(self.with_order(&grid)).filter(|found| {
                // A mean over the rows and channels of a grid has no use.
                matches!(found, Grid::ChannelsLast(_)) || grid != found.name()
            }),
            _ => None,
        }
    }

    /// Whether a node takes the mean or maximum over a window as large as its input.
    fn is_whole_window(&self, node: &Node) -> bool {
        let known = |value: &str| self.graph.value_info.iter().find(|info| info.name == value);
        let Some(kernel) = attribute(node, "kernel_shape") else { return false };
        let pads = attribute(node, "pads").is_some_and(|pads| pads.ints.iter().any(|pad| *pad > 0));
        let sides = node.input.first().and_then(|grid| known(grid)).and_then(super::sides);
        let Some([_, _, height, width]) = sides.as_deref() else { return false };
        let is_window = WINDOWS.contains(&node.op_type.as_str()) && !pads;
        is_window
            && [*height, *width] == [kernel.ints.first().copied(), kernel.ints.get(1).copied()]
    }

    /// The input of a reduction, or of two in a row, and the axes that are reduced.
    fn reduced(&self, node: &Node) -> Option<(String, Vec<i64>)> {
        if !REDUCTIONS.contains(&node.op_type.as_str()) {
            return None;
        }
        let input = node.input.first()?;
        let axes = list(node, "axes", 1, self.graph, &self.producers)?;
        let before = self.producers.get(input.as_str());
        // The axes that remain before this node, as axes of the grid.
        let (grid, gone, left) = match before.map(|before| (before, before.op_type.as_str())) {
            Some((before, operator)) if REDUCTIONS.contains(&operator) => {
                let axes = list(before, "axes", 1, self.graph, &self.producers)?;
                let gone = axes.iter().map(|axis| axis.rem_euclid(4)).collect::<Vec<_>>();
                let kept = attribute(before, "keepdims").is_none_or(|keep| keep.i != 0);
                let left = (0..4).filter(|axis| kept || !gone.contains(axis)).collect::<Vec<_>>();
                (before.input.first()?.clone(), gone, left)
            }
            // Rows and columns are one axis after `Reshape` to [N,C,-1].
            Some((before, "Reshape")) if axes.len() == 1 => {
                let shape = integers(before.input.get(1)?, self.graph, &self.producers)?;
                let last = matches!(axes[0], -1 | 2) && shape.len() == 3 && shape[2] == -1;
                return last.then(|| Some((before.input.first()?.clone(), vec![2, 3]))).flatten();
            }
            _ => (input.clone(), Vec::new(), vec![0, 1, 2, 3]),
        };
        let rank = left.len() as i64;
        let of_grid = |axis: i64| left.get(axis.rem_euclid(rank) as usize).copied();
        let mut all = axes.into_iter().map(of_grid).collect::<Option<Vec<_>>>()?;
        all.extend(gone);
        all.sort_unstable();
        all.dedup();
        Some((grid, all))
    }

    /// The axis order of a value: channels are last where a `Transpose` brought them there and only elementwise
    /// operators follow. If that is the last node, it is dropped.
    pub(super) fn with_order(&self, value: &str) -> Grid {
        let mut at = value;
        for _ in 0..MAX_PATH {
            let Some(node) = self.producers.get(at) else { break };
            if node.op_type == "Transpose" {
                let is_transposed =
                    attribute(node, "perm").is_some_and(|perm| perm.ints == CHANNELS_LAST);
                return match node.input.first() {
                    Some(before) if is_transposed && at == value => {
                        Grid::ChannelsFirst(before.clone())
                    }
                    Some(_) if is_transposed => Grid::ChannelsLast(value.to_owned()),
                    _ => break,
                };
            }
            if !ELEMENTWISE.contains(&node.op_type.as_str()) {
                break;
            }
            // Of several inputs, the first computed one decides.
            let computed =
                node.input.iter().find(|input| self.producers.contains_key(input.as_str()));
            let Some(input) = computed else { break };
            at = input;
        }
        Grid::ChannelsFirst(value.to_owned())
    }
}
