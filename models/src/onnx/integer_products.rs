//! Products with weights, in 8-bit integers.

use std::collections::{HashMap, HashSet};

use super::integers::{LARGEST_WEIGHT, LEAST, floats, steps_of};
use super::proto::{GraphMessage, Node, Tensor};
use super::{Attribute, ElementType, Graph};

/// The largest step of a row.
const LARGEST: f32 = 127.0;
/// The step of nought among those of a row, which are kept without a sign: processors multiply integers
/// without a sign by ones with a sign.
const ZERO: u8 = 128;

impl Graph {
    /// The same graph with products of 8-bit integers wherever rows are multiplied by a matrix of weights:
    /// a quarter of the size, and less work.
    ///
    /// Each column of a matrix is kept in 127 steps up to its largest weight, and each row, when the network
    /// runs, in 255 steps up to its own largest value (what Dettmers et al., arXiv 2208.07339, call
    /// vector-wise quantization). So what is said of a row does not depend on those beside it.
    #[must_use]
    pub fn with_integer_products(self) -> Self {
        let mut old = GraphMessage::from(self);
        let nodes = std::mem::take(&mut old.node);
        let weights = matrices(&old.initializer, &nodes);
        let mut products = Products { new: Self::default(), weights, cut: HashSet::new() };
        for node in nodes {
            products.add(node);
        }
        let new = GraphMessage::from(products.new);
        old.initializer.extend(new.initializer);
        old.node = new.node;
        remove_unused(&mut old);
        Self::from(old)
    }
}

/// A matrix of weights: inputs × outputs.
struct Matrix {
    sides: [usize; 2],
    values: Vec<f32>,
}

/// The matrices among the constants, and those that are another one turned.
fn matrices(constants: &[Tensor], nodes: &[Node]) -> HashMap<String, Matrix> {
    let matrix = |tensor: &Tensor| {
        let [inputs, outputs] = *tensor.dims else { return None };
        let sides = [inputs as usize, outputs as usize];
        let is_float = tensor.data_type == ElementType::Float as i32;
        is_float.then(|| (tensor.name.clone(), Matrix { sides, values: floats(tensor) }))
    };
    let mut matrices = constants.iter().filter_map(matrix).collect::<HashMap<_, _>>();
    let turned = nodes
        .iter()
        .filter(|node| node.op_type == "Transpose")
        .filter_map(|node| Some((node.output[0].clone(), matrices.get(&node.input[0])?.turned())));
    let turned = turned.collect::<Vec<_>>();
    matrices.extend(turned);
    matrices
}

impl Matrix {
    fn turned(&self) -> Self {
        let [inputs, outputs] = self.sides;
        let column = |at: usize| self.column(at).copied();
        Self { sides: [outputs, inputs], values: (0..outputs).flat_map(column).collect() }
    }

    /// The weights of an output.
    fn column(&self, at: usize) -> impl Iterator<Item = &f32> {
        self.values.iter().skip(at).step_by(self.sides[1])
    }
}

/// A graph on its way to products of integers.
struct Products {
    new: Graph,
    weights: HashMap<String, Matrix>,
    /// The values whose rows are there as integers.
    cut: HashSet<String>,
}

impl Products {
    fn add(&mut self, node: Node) {
        let is_product = node.op_type == "MatMul"
            && self.weights.contains_key(&node.input[1])
            && !self.weights.contains_key(&node.input[0]);
        if is_product { self.product(&node) } else { self.new.push(node) }
    }

    fn product(&mut self, node: &Node) {
        let (rows, weights, output) = (&node.input[0], &node.input[1], &node.output[0]);
        self.cut(rows);
        let Some(matrix) = self.weights.get(weights) else { return };
        let scales = (0..matrix.sides[1]).map(|at| step(matrix.column(at))).collect::<Vec<_>>();
        let steps = matrix.values.iter().zip(scales.iter().cycle());
        let steps = steps.map(|(value, scale)| steps_of(*value, *scale)).collect::<Vec<_>>();
        let name = |what: &str| format!("{output}.{what}");
        let [integers, scale] = ["weights", "scales"].map(name);
        self.new.weight_int8(&integers, &matrix.sides, &steps);
        self.new.weight(&scale, &[scales.len()], &scales);
        let [sums, floats, of_rows] = ["sums", "floats", "of_rows"].map(name);
        let to_float = [Attribute::Int("to", ElementType::Float as i64)];
        let inputs = [&format!("{rows}.steps"), &*integers, "rows.zero"];
        self.new.node("MatMulInteger", &inputs, &[&sums], &[]);
        self.new.node("Cast", &[&sums], &[&floats], &to_float);
        self.new.node("Mul", &[&floats, &format!("{rows}.step")], &[&of_rows], &[]);
        self.new.node("Mul", &[&of_rows, &scale], &[output], &[]);
    }

    /// Cuts the rows of a value into steps, if they are not yet.
    fn cut(&mut self, rows: &str) {
        if self.cut.is_empty() {
            self.new.weight("rows.least", &[], &[LEAST * LARGEST]);
            self.new.weight("rows.steps", &[], &[LARGEST]);
            self.new.weight("rows.nought", &[], &[f32::from(ZERO)]);
            self.new.constant("rows.zero", ElementType::Uint8, &[], vec![ZERO]);
        }
        if !self.cut.insert(rows.to_owned()) {
            return;
        }
        let name = |what: &str| format!("{rows}.{what}");
        let last = [Attribute::Ints("axes", &[-1]), Attribute::Int("keepdims", 1)];
        let to_integers = [Attribute::Int("to", ElementType::Uint8 as i64)];
        let [size, most, largest, step] = ["size", "most", "largest", "step"].map(name);
        let [scaled, rounded, shifted, steps] = ["scaled", "rounded", "shifted", "steps"].map(name);
        self.new.node("Abs", &[rows], &[&size], &[]);
        self.new.node("ReduceMax", &[&size], &[&most], &last);
        self.new.node("Max", &[&most, "rows.least"], &[&largest], &[]);
        self.new.node("Div", &[&largest, "rows.steps"], &[&step], &[]);
        self.new.node("Div", &[rows, &step], &[&scaled], &[]);
        self.new.node("Round", &[&scaled], &[&rounded], &[]);
        self.new.node("Add", &[&rounded, "rows.nought"], &[&shifted], &[]);
        self.new.node("Cast", &[&shifted], &[&steps], &to_integers);
    }
}

/// The step of a column.
fn step<'a>(column: impl Iterator<Item = &'a f32>) -> f32 {
    let largest = column.fold(0.0_f32, |largest, weight| weight.abs().max(largest));
    (largest / LARGEST_WEIGHT).max(LEAST)
}

/// Leaves out what nothing uses any more.
fn remove_unused(graph: &mut GraphMessage) {
    let used = |graph: &GraphMessage| {
        let inputs = graph.node.iter().flat_map(|node| node.input.clone());
        inputs.chain(graph.output.iter().map(|of| of.name.clone())).collect::<HashSet<_>>()
    };
    let kept = used(graph);
    graph.node.retain(|node| node.output.iter().any(|output| kept.contains(output)));
    let kept = used(graph);
    graph.initializer.retain(|weight| kept.contains(&weight.name));
}
