//! Matrix products on 8-bit integers in blocks, by an operator of ONNX Runtime, in a network that is about to be opened.

use std::collections::HashSet;

use prost::Message as _;

use crate::matrix::{Matrix, matrices, multiplied, remove_unused};
use crate::messages::{GraphMessage, Model, Node, OperatorSet};
use crate::quantized::scale_to;
use crate::{Attribute, ElementType, Graph};

/// The operator set of ONNX Runtime's own operators.
const DOMAIN: &str = "com.microsoft";
/// The most nodes of a graph that is changed; decoders have less than a hundred.
const MAX_NODES: usize = 1000;
/// Inputs of a matrix that have one scale.
const BLOCK: usize = 64;
const MAX_WEIGHT: f32 = 127.0;
/// The value of a weight of zero.
const ZERO_POINT: f32 = 128.0;
/// Rows are quantized to 8-bit integers as well.
const INTEGER_ROWS: i64 = 4;

/// Replaces the products of rows and constant matrices in an ONNX file by ONNX Runtime's `MatMulNBits`: weights of 8 bits, and
/// a scale for each 64 inputs of an output; at run time rows are quantized in the same blocks. So less memory is read, and the
/// result for a row does not depend on other rows. `None` if the bytes are not an ONNX file, if there is no such product, or if
/// the graph is larger than a decoder's, or has a name twice.
#[must_use]
pub fn with_block_products(file: &[u8]) -> Option<Vec<u8>> {
    let mut model = Model::decode(file).ok()?;
    let graph = model.graph.as_mut()?;
    if graph.node.len() > MAX_NODES || !has_unique_names(graph) {
        return None;
    }
    let mut left = file.len();
    let nodes = std::mem::take(&mut graph.node);
    let matrices = matrices(graph, &nodes);
    let mut new = Graph::default();
    let mut products = 0;
    for node in nodes {
        let matrix = multiplied(&node, &matrices);
        match matrix.filter(|matrix| matrix.inputs.is_multiple_of(BLOCK)) {
            Some(matrix) => {
                // A matrix may be in several products, but the network does not grow.
                left = left.checked_sub(matrix.values.len())?;
                add_product(&mut new, &node, matrix);
                products += 1;
            }
            None => new.push(node),
        }
    }
    if products == 0 {
        return None;
    }
    let new = GraphMessage::from(new);
    graph.initializer.extend(new.initializer);
    graph.node = new.node;
    remove_unused(graph);
    model.opset_import.push(OperatorSet { domain: DOMAIN.to_owned(), version: 1 });
    Some(model.encode_to_vec())
}

/// Whether each value of a graph has a name of its own.
fn has_unique_names(graph: &GraphMessage) -> bool {
    let constants = graph.initializer.iter().map(|constant| &constant.name);
    let made = graph.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty());
    let mut names = HashSet::new();
    constants.chain(made).all(|name| names.insert(name))
}

fn add_product(graph: &mut Graph, node: &Node, matrix: &Matrix) {
    let blocks = matrix.inputs / BLOCK;
    let mut scales = Vec::with_capacity(matrix.outputs * blocks);
    let mut weights = Vec::with_capacity(matrix.values.len());
    for output in 0..matrix.outputs {
        let column = matrix.column(output).copied().collect::<Vec<_>>();
        for block in column.chunks_exact(BLOCK) {
            let scale = scale_to(MAX_WEIGHT, block);
            weights
                .extend(block.iter().map(|weight| ((weight / scale).round() + ZERO_POINT) as u8));
            scales.push(scale);
        }
    }
    let (rows, output) = (&node.input[0], &node.output[0]);
    let [blocks_name, scales_name] = ["blocks", "scales"].map(|part| format!("{output}.{part}"));
    let inputs = [rows, &*blocks_name, &*scales_name];
    let shape = [matrix.outputs, blocks, BLOCK];
    graph.constant(&blocks_name, ElementType::Uint8, &shape, weights);
    graph.weight(&scales_name, &[scales.len()], &scales);
    let attributes = [
        Attribute::Int("K", matrix.inputs as i64),
        Attribute::Int("N", matrix.outputs as i64),
        Attribute::Int("bits", 8),
        Attribute::Int("block_size", BLOCK as i64),
        Attribute::Int("accuracy_level", INTEGER_ROWS),
    ];
    graph.node(&format!("{DOMAIN}.MatMulNBits"), &inputs, &[output], &attributes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dimension;

    /// A graph that multiplies rows of 64 values by what `node` makes of a square matrix.
    fn product_of(op: &str, attributes: &[Attribute]) -> Graph {
        let mut graph = Graph::new("product");
        let shape = [Dimension::Symbolic("N"), Dimension::Fixed(BLOCK)];
        graph.input("rows", ElementType::Float, &shape);
        let values = (0..BLOCK * BLOCK).map(|at| at as f32).collect::<Vec<_>>();
        graph.weight("matrix", &[BLOCK, BLOCK], &values);
        graph.node(op, &["matrix"], &["made"], attributes);
        graph.node("MatMul", &["rows", "made"], &["product"], &[]);
        graph.output("product", ElementType::Float, &shape);
        graph
    }

    fn is_replaced(graph: Graph) -> bool {
        with_block_products(&graph.into_bytes(&[])).is_some()
    }

    #[test]
    fn only_matrices_with_known_values_are_replaced() {
        let to = |element| [Attribute::Int("to", element as i64)];
        assert!(is_replaced(product_of("Cast", &to(ElementType::Float))));
        assert!(is_replaced(product_of("Transpose", &[Attribute::Ints("perm", &[1, 0])])));
        assert!(is_replaced(product_of("Transpose", &[])));
        assert!(!is_replaced(product_of("Cast", &to(ElementType::Int32))));
        assert!(!is_replaced(product_of("Transpose", &[Attribute::Ints("perm", &[0, 1])])));
        assert!(!is_replaced(product_of("other.Transpose", &[])));
        let mut replaceable = product_of("Transpose", &[]);
        let shape = [Dimension::Fixed(BLOCK); 2];
        replaceable.input("matrix", ElementType::Float, &shape);
        assert!(!is_replaced(replaceable), "its user may give another matrix");
    }

    #[test]
    fn damaged_graphs_stay_as_they_are() {
        for sides in [[0, 1 << 40], [1 << 32, 1 << 32], [usize::MAX, 1], [BLOCK, BLOCK]] {
            for element in [ElementType::Float, ElementType::Half] {
                let mut graph = Graph::new("damaged");
                graph.constant("matrix", element, &sides, Vec::new());
                graph.node("Transpose", &["matrix"], &["turned"], &[]);
                graph.node("MatMul", &["rows", "turned"], &["product"], &[]);
                assert!(!is_replaced(graph), "{sides:?}");
            }
        }
        for damage in [
            (|graph| graph.weight("matrix", &[1], &[1.0])) as fn(&mut Graph),
            |graph| graph.node("Identity", &["rows"], &["made"], &[]),
            |graph| {
                for _ in 0..=MAX_NODES {
                    graph.node("Identity", &["rows"], &[], &[]);
                }
            },
            |graph| {
                for product in 0..9 {
                    graph.node("MatMul", &["rows", "made"], &[&product.to_string()], &[]);
                }
            },
        ] {
            let mut graph = product_of("Transpose", &[]);
            damage(&mut graph);
            assert!(!is_replaced(graph));
        }
        let mut graph = product_of("Transpose", &[]);
        for (inputs, outputs) in
            [(&["rows", "made"][..], &[][..]), (&["matrix"], &["one"]), (&[], &[])]
        {
            graph.node("MatMul", inputs, outputs, &[]);
            graph.node("Transpose", inputs, outputs, &[]);
        }
        assert!(!is_replaced(graph), "two values have one name");
    }

    #[test]
    fn values_that_are_not_finite_stay() {
        for value in [f32::NAN, f32::INFINITY] {
            let mut graph = Graph::new("product");
            let values = [[0.5; BLOCK * BLOCK - 1].as_slice(), &[value]].concat();
            graph.weight("matrix", &[BLOCK, BLOCK], &values);
            graph.node("MatMul", &["rows", "matrix"], &["product"], &[]);
            assert!(!is_replaced(graph));
        }
    }
}
