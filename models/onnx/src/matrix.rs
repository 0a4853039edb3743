//! Constant matrices of a graph.

use std::collections::{HashMap, HashSet};

use half::f16;

use crate::ElementType;
use crate::messages::{GraphMessage, Node, Tensor};
use crate::quantized;

/// A matrix of weights, `[inputs, outputs]`, row-major.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) values: Vec<f32>,
}

/// The constant matrices of floats of a graph, by name, and those that `nodes` make of them: in 32 bits, or transposed. A
/// constant that is an input as well may be replaced, and is none of them; nor is one with infinite values or NaN. At most as
/// many values are made as the constants have.
pub(crate) fn matrices(graph: &GraphMessage, nodes: &[Node]) -> HashMap<String, Matrix> {
    let is_input = |tensor: &Tensor| graph.input.iter().any(|input| input.name == tensor.name);
    let constants = graph.initializer.iter().filter(|tensor| !is_input(tensor));
    let matrix = |tensor: &Tensor| Some((tensor.name.clone(), Matrix::of(tensor)?));
    let mut matrices = constants.filter_map(matrix).collect::<HashMap<_, _>>();
    let mut left = matrices.values().map(|matrix| matrix.values.len()).sum::<usize>();
    for node in nodes.iter().filter(|node| node.domain.is_empty()) {
        let ([input], [output]) = (&*node.input, &*node.output) else { continue };
        let Some(matrix) = matrices.get(input) else { continue };
        let Some(rest) = left.checked_sub(matrix.values.len()) else { break };
        let made = match &*node.op_type {
            "Transpose" if swaps_sides(node) => matrix.transposed(),
            "Cast" if is_to_float(node) => matrix.clone(),
            _ => continue,
        };
        left = rest;
        matrices.insert(output.clone(), made);
    }
    matrices
}

/// Whether a node swaps the two sides of a matrix, which is the default.
fn swaps_sides(node: &Node) -> bool {
    node.attribute.iter().all(|of| of.name != "perm" || of.ints == [1, 0])
}

fn is_to_float(node: &Node) -> bool {
    node.attribute.iter().any(|of| of.name == "to" && of.i == ElementType::Float as i64)
}

/// The matrix that a node multiplies rows by, if it is one of these.
pub(crate) fn multiplied<'a>(
    node: &Node,
    matrices: &'a HashMap<String, Matrix>,
) -> Option<&'a Matrix> {
    let ([rows, matrix], [_]) = (&*node.input, &*node.output) else { return None };
    let is_product =
        node.op_type == "MatMul" && node.domain.is_empty() && !matrices.contains_key(rows);
    matrices.get(matrix).filter(|_| is_product)
}

impl Matrix {
    fn of(tensor: &Tensor) -> Option<Self> {
        const FLOAT: i32 = ElementType::Float as i32;
        const HALF: i32 = ElementType::Half as i32;
        let [inputs, outputs] = *tensor.dims else { return None };
        let [inputs, outputs] = [usize::try_from(inputs).ok()?, usize::try_from(outputs).ok()?];
        let values = match tensor.data_type {
            FLOAT => quantized::floats(tensor),
            HALF => {
                let (halves, _) = tensor.raw_data.as_chunks();
                halves.iter().map(|half| f16::from_le_bytes(*half).to_f32()).collect()
            }
            _ => return None,
        };
        let is_whole = !values.is_empty() && inputs.checked_mul(outputs) == Some(values.len());
        let is_finite = values.iter().all(|value| value.is_finite());
        (is_whole && is_finite).then_some(Self { inputs, outputs, values })
    }

    fn transposed(&self) -> Self {
        let values = (0..self.outputs).flat_map(|output| self.column(output).copied()).collect();
        Self { inputs: self.outputs, outputs: self.inputs, values }
    }

    /// The weights of an output.
    pub(crate) fn column(&self, output: usize) -> impl Iterator<Item = &f32> {
        self.values.iter().skip(output).step_by(self.outputs)
    }
}

/// Removes casts and transposes that are no longer used, and the constants that no node uses.
pub(crate) fn remove_unused(graph: &mut GraphMessage) {
    loop {
        let inputs = graph.node.iter().flat_map(|node| node.input.clone());
        let outputs = graph.output.iter().map(|of| of.name.clone());
        let used = inputs.chain(outputs).collect::<HashSet<_>>();
        let is_unused = |node: &Node| {
            let makes_a_matrix = ["Cast", "Transpose"].contains(&&*node.op_type);
            makes_a_matrix && matches!(&*node.output, [output] if !used.contains(output))
        };
        let nodes = graph.node.len();
        graph.node.retain(|node| !is_unused(node));
        if graph.node.len() == nodes {
            let inputs = graph.input.iter().map(|input| &input.name).collect::<HashSet<_>>();
            graph.initializer.retain(|of| used.contains(&of.name) || inputs.contains(&of.name));
            return;
        }
    }
}
