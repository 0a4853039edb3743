//! Matrix products on 8-bit integers.

use std::collections::HashSet;

use crate::matrix::{Matrix, matrices, multiplied, remove_unused};
use crate::messages::{GraphMessage, Node};
use crate::quantized::{self, MIN_SCALE, quantize};
use crate::{Attribute, ElementType, Graph};

/// The largest magnitude of a quantized row value.
const MAX_VALUE: f32 = 127.0;
/// The zero point of rows. They are unsigned because processors multiply unsigned integers by signed ones.
const ZERO_POINT: u8 = 128;

impl Graph {
    /// Multiplies rows by constant matrices in 8-bit integers: a quarter of the size, and less work.
    ///
    /// Each column of a matrix has a scale, and at run time so has each row (vector-wise quantization, Dettmers et al.,
    /// arXiv 2208.07339). So the result for a row does not depend on other rows.
    #[must_use]
    pub fn with_integer_products(self) -> Self {
        let mut old = GraphMessage::from(self);
        let nodes = std::mem::take(&mut old.node);
        let weights = matrices(&old, &nodes);
        let mut products = Products::default();
        for node in nodes {
            match multiplied(&node, &weights) {
                Some(matrix) => products.add(&node, matrix),
                None => products.new.push(node),
            }
        }
        let new = GraphMessage::from(products.new);
        old.initializer.extend(new.initializer);
        old.node = new.node;
        remove_unused(&mut old);
        Self::from(old)
    }
}

/// A graph whose products are being replaced.
#[derive(Default)]
struct Products {
    new: Graph,
    /// The values whose rows are quantized already.
    quantized: HashSet<String>,
}

impl Products {
    /// Adds the product of rows and a matrix.
    fn add(&mut self, node: &Node, matrix: &Matrix) {
        let (rows, output) = (&node.input[0], &node.output[0]);
        self.quantize_rows(rows);
        let scales = (0..matrix.outputs).map(|output| quantized::scale(matrix.column(output)));
        let scales = scales.collect::<Vec<_>>();
        let integers = matrix.values.iter().zip(scales.iter().cycle());
        let integers = integers.map(|(value, scale)| quantize(*value, *scale)).collect::<Vec<_>>();
        let name = |part: &str| format!("{output}.{part}");
        let [weights, scale] = ["weights", "scales"].map(name);
        self.new.weight_int8(&weights, &[matrix.inputs, matrix.outputs], &integers);
        self.new.weight(&scale, &[scales.len()], &scales);
        let [sums, floats, of_rows] = ["sums", "floats", "of_rows"].map(name);
        let to_float = [Attribute::Int("to", ElementType::Float as i64)];
        let inputs = [&format!("{rows}.integers"), &*weights, "rows.zero_point"];
        self.new.node("MatMulInteger", &inputs, &[&sums], &[]);
        self.new.node("Cast", &[&sums], &[&floats], &to_float);
        self.new.node("Mul", &[&floats, &format!("{rows}.scale")], &[&of_rows], &[]);
        self.new.node("Mul", &[&of_rows, &scale], &[output], &[]);
    }

    /// Quantizes the rows of a value at run time, once per value.
    fn quantize_rows(&mut self, rows: &str) {
        if self.quantized.is_empty() {
            self.new.weight("rows.min_magnitude", &[], &[MIN_SCALE * MAX_VALUE]);
            self.new.weight("rows.max_integer", &[], &[MAX_VALUE]);
            self.new.weight("rows.zero_point_float", &[], &[f32::from(ZERO_POINT)]);
            self.new.constant("rows.zero_point", ElementType::Uint8, &[], vec![ZERO_POINT]);
        }
        if !self.quantized.insert(rows.to_owned()) {
            return;
        }
        let name = |part: &str| format!("{rows}.{part}");
        let last = [Attribute::Ints("axes", &[-1]), Attribute::Int("keepdims", 1)];
        let to_integers = [Attribute::Int("to", ElementType::Uint8 as i64)];
        let [magnitude, max, largest, scale] = ["magnitude", "max", "largest", "scale"].map(name);
        let [scaled, rounded, shifted, integers] =
            ["scaled", "rounded", "shifted", "integers"].map(name);
        self.new.node("Abs", &[rows], &[&magnitude], &[]);
        self.new.node("ReduceMax", &[&magnitude], &[&max], &last);
        self.new.node("Max", &[&max, "rows.min_magnitude"], &[&largest], &[]);
        self.new.node("Div", &[&largest, "rows.max_integer"], &[&scale], &[]);
        self.new.node("Div", &[rows, &scale], &[&scaled], &[]);
        self.new.node("Round", &[&scaled], &[&rounded], &[]);
        self.new.node("Add", &[&rounded, "rows.zero_point_float"], &[&shifted], &[]);
        self.new.node("Cast", &[&shifted], &[&integers], &to_integers);
    }
}
