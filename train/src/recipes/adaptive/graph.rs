//! The network as ONNX graphs: the operations of `mod.rs`, node by node.

use onnx::Dimension::{self, Fixed};
use onnx::ElementType::Float;
use onnx::{Attribute, Graph};
use tch::nn;

use super::{Adaptive, Lstm};
use crate::Result;
use crate::recipes::Graphs;
use crate::recipes::graph::{
    IMAGES, embedded_product, fixed, grid_input, layer_norm, linear, lstm_cell, mean_cell,
    step_inputs, step_outputs, weight,
};
use crate::settings::NetworkConfig;

const HIDDEN: &str = "next.state.hidden";
const LAST: [Attribute; 1] = [Attribute::Int("axis", -1)];
const KEEP: [Attribute; 1] = [Attribute::Int("keepdims", 1)];

impl Graphs for Adaptive {
    fn start_graph(&self, cells: usize) -> Result<Graph> {
        let config = self.config;
        let mut graph = grid_input(cells, config.channels, &self.annotation, "projected")?;
        layer_norm(&mut graph, "norm", &self.norm, "projected", "cells")?;
        mean_cell(&mut graph, "cells", "mean_cell");
        let NetworkConfig { heads, attention, .. } = config;
        graph.integers("head_sides", &[0, 0, heads, attention / heads]);
        linear(&mut graph, "mean_gates", &self.mean_gates(), "mean_cell", "cells.gates")?;
        in_heads(&mut graph, "key", &self.key, "cells.keys", [0, 2, 3, 1])?;
        in_heads(&mut graph, "value", &self.value, "cells.values", [0, 2, 1, 3])?;
        graph.integers("first", &[0]);
        graph.integers("state_sides", &[1, config.hidden]);
        graph.node("Shape", &["grid"], &["sides"], &[]);
        graph.node("Gather", &["sides", "first"], &["images"], &[]);
        let first = [Attribute::Int("axis", 0)];
        graph.node("Concat", &["images", "state_sides"], &["state_shape"], &first);
        for state in ["state.hidden", "state.memory"] {
            graph.node("ConstantOfShape", &["state_shape"], &[state], &[]);
            graph.output(state, Float, &[IMAGES, Fixed(1), fixed(config.hidden)]);
        }
        for (name, shape) in self.constants(cells) {
            graph.output(name, Float, &shape);
        }
        Ok(graph)
    }

    fn step_graph(&self, cells: usize) -> Result<Graph> {
        let config = self.config;
        let mut graph = step_inputs(config.hidden);
        for (name, shape) in self.constants(cells) {
            graph.input(name, Float, &shape);
        }
        self.recurrence_graph(&mut graph)?;
        self.attention_graph(&mut graph, cells)?;
        linear(&mut graph, "output_hidden", &self.output_hidden, HIDDEN, "of_hidden")?;
        linear(&mut graph, "output_context", &self.output_context, "context", "of_context")?;
        graph.node("Add", &["of_hidden", "of_context"], &["of_both"], &[]);
        graph.integers("output_parts", &[config.embedding; 2]);
        graph.node("Split", &["of_both", "output_parts"], &["said", "gate"], &LAST);
        graph.node("Sigmoid", &["gate"], &["open"], &[]);
        graph.node("Mul", &["said", "open"], &["output"], &[]);
        let transposed = [Attribute::Ints("perm", &[1, 0])];
        graph.node("Transpose", &["embedding"], &["words"], &transposed);
        weight(&mut graph, "output_bias", &self.output_bias)?;
        graph.node("MatMul", &["output", "words"], &["products"], &[]);
        graph.node("Add", &["products", "output_bias"], &["logits"], &[]);
        step_outputs(&mut graph, cells, &config);
        Ok(graph)
    }
}

impl Adaptive {
    /// The values that are constant over the words, with their shapes.
    fn constants(&self, cells: usize) -> [(&'static str, Vec<Dimension>); 3] {
        let NetworkConfig { hidden, heads, attention, .. } = self.config;
        let [heads, width] = [fixed(heads), fixed(attention / heads)];
        [
            ("cells.gates", vec![IMAGES, Fixed(1), fixed(4 * hidden)]),
            ("cells.keys", vec![IMAGES, heads, width, Fixed(cells)]),
            ("cells.values", vec![IMAGES, heads, Fixed(cells), width]),
        ]
    }

    /// The layer from the mean cell to its part of the LSTM's gates, biases included.
    fn mean_gates(&self) -> nn::Linear {
        let Lstm { on_input, .. } = &self.lstm;
        let biases = match &self.mean.bs {
            Some(bias) => self.lstm.bias() + on_input.mv(bias),
            None => self.lstm.bias(),
        };
        nn::Linear { ws: on_input.matmul(&self.mean.ws), bs: Some(biases) }
    }

    /// Words and states to the next states.
    fn recurrence_graph(&self, graph: &mut Graph) -> Result<()> {
        let scale = (self.config.embedding as f64).sqrt();
        let Lstm { on_input, on_state, .. } = &self.lstm;
        weight(graph, "embedding", &self.embedding)?;
        weight(graph, "lstm.input", &(on_input.tr() * scale))?;
        weight(graph, "lstm.state", &on_state.tr())?;
        embedded_product(graph, "lstm.input", "gates_of_word");
        graph.node("MatMul", &["state.hidden", "lstm.state"], &["gates_of_state"], &[]);
        graph.node("Add", &["gates_of_word", "cells.gates"], &["gates_of_input"], &[]);
        graph.node("Add", &["gates_of_input", "gates_of_state"], &["gates"], &[]);
        let parts = ["input_gate", "forget_gate", "candidate_input", "output_gate"];
        lstm_cell(graph, self.config.hidden, parts);
        Ok(())
    }

    /// [`attend`](Self::attend).
    fn attention_graph(&self, graph: &mut Graph, cells: usize) -> Result<()> {
        let NetworkConfig { attention, heads, .. } = self.config;
        linear(graph, "query", &self.query, HIDDEN, "projected")?;
        graph.integers("query_parts", &[attention; 3]);
        let parts = ["query", "sentinel_key", "sentinel"];
        graph.node("Split", &["projected", "query_parts"], &parts, &LAST);
        graph.integers("head_sides", &[0, 0, heads, attention / heads]);
        for name in parts {
            split_heads(graph, name, &format!("{name}.heads"), [0, 2, 1, 3]);
        }
        graph.integers("last", &[-1]);
        graph.node("MatMul", &["query.heads", "cells.keys"], &["scores"], &[]);
        graph.node("Mul", &["query.heads", "sentinel_key.heads"], &["own_products"], &[]);
        graph.node("ReduceSum", &["own_products", "last"], &["own_score"], &KEEP);
        graph.node("Concat", &["scores", "own_score"], &["all_scores"], &LAST);
        graph.weight("scale", &[1], &[((attention / heads) as f32).sqrt()]);
        graph.node("Div", &["all_scores", "scale"], &["scaled"], &[]);
        graph.node("Softmax", &["scaled"], &["looks"], &LAST);
        self.context_graph(graph, cells);
        Ok(())
    }

    /// The context of `looks`, and the attention output: the mean over the heads, without the sentinel.
    fn context_graph(&self, graph: &mut Graph, cells: usize) {
        graph.integers("look_parts", &[cells as i64, 1]);
        graph.node("Split", &["looks", "look_parts"], &["on_cells", "on_itself"], &LAST);
        graph.node("MatMul", &["on_cells", "cells.values"], &["seen"], &[]);
        graph.node("Mul", &["on_itself", "sentinel.heads"], &["remembered"], &[]);
        graph.node("Add", &["seen", "remembered"], &["context_heads"], &[]);
        let back = [Attribute::Ints("perm", &[0, 2, 1, 3])];
        graph.node("Transpose", &["context_heads"], &["context_apart"], &back);
        graph.integers("context_sides", &[0, 0, self.config.attention]);
        graph.node("Reshape", &["context_apart", "context_sides"], &["context"], &[]);
        let over_heads = [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 0)];
        graph.node("ReduceMean", &["on_cells"], &["mean_look"], &over_heads);
        graph.node("ReduceSum", &["mean_look", "last"], &["look_sum"], &KEEP);
        graph.node("Div", &["mean_look", "look_sum"], &["attention"], &[]);
    }
}

/// A linear layer on the cells, split into heads, its axes (images, rows, heads, width) permuted by `order`.
fn in_heads(
    graph: &mut Graph,
    name: &str,
    layer: &nn::Linear,
    output: &str,
    order: [i64; 4],
) -> Result<()> {
    let whole = format!("{output}.whole");
    linear(graph, name, layer, "cells", &whole)?;
    split_heads(graph, &whole, output, order);
    Ok(())
}

/// Splits `[images, rows, attention]` into heads and permutes the axes.
fn split_heads(graph: &mut Graph, input: &str, output: &str, order: [i64; 4]) {
    let apart = format!("{output}.apart");
    graph.node("Reshape", &[input, "head_sides"], &[&apart], &[]);
    graph.node("Transpose", &[&apart], &[output], &[Attribute::Ints("perm", &order)]);
}
