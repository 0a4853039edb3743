//! The network as ONNX graphs: the operations of `mod.rs`, node by node.

use onnx::Dimension::Fixed;
use onnx::ElementType::Float;
use onnx::{Attribute, Graph};
use tch::{Tensor, nn};

use super::ShowAttendTell;
use crate::Result;
use crate::recipes::Graphs;
use crate::recipes::graph::{
    IMAGES, embedded_product, fixed, grid_input, linear, lstm_cell, mean_cell, step_inputs,
    step_outputs, weight,
};

impl Graphs for ShowAttendTell {
    fn start_graph(&self, cells: usize) -> Result<Graph> {
        let config = self.config;
        let mut graph = grid_input(cells, config.channels, &self.annotation, "cells.values")?;
        linear(&mut graph, "key", &self.key, "cells.values", "cells.keys")?;
        mean_cell(&mut graph, "cells.values", "mean");
        for (name, layer) in [("hidden", &self.init_hidden), ("memory", &self.init_memory)] {
            linear(&mut graph, &format!("init_{name}"), layer, "mean", name)?;
            let state = format!("state.{name}");
            graph.node("Tanh", &[name], &[&state], &[]);
            graph.output(&state, Float, &[IMAGES, Fixed(1), fixed(config.hidden)]);
        }
        graph.output("cells.values", Float, &[IMAGES, Fixed(cells), fixed(config.annotation)]);
        graph.output("cells.keys", Float, &[IMAGES, Fixed(cells), fixed(config.attention)]);
        Ok(graph)
    }

    fn step_graph(&self, cells: usize) -> Result<Graph> {
        let config = self.config;
        let mut graph = step_inputs(config.hidden);
        graph.input("cells.values", Float, &[IMAGES, Fixed(cells), fixed(config.annotation)]);
        graph.input("cells.keys", Float, &[IMAGES, Fixed(cells), fixed(config.attention)]);
        weight(&mut graph, "embedding", &self.embedding)?;
        graph.node("Gather", &["embedding", "word"], &["embedded"], &[]);
        self.attention_graph(&mut graph)?;
        self.recurrence_graph(&mut graph)?;

        linear(&mut graph, "output_hidden", &self.output_hidden, "next.state.hidden", "of_hidden")?;
        linear(&mut graph, "output_context", &self.output_context, "context", "of_context")?;
        graph.node("Add", &["embedded", "of_hidden"], &["deep_sum"], &[]);
        graph.node("Add", &["deep_sum", "of_context"], &["deep_input"], &[]);
        graph.node("Tanh", &["deep_input"], &["deep"], &[]);
        linear(&mut graph, "output", &self.output, "deep", "logits")?;
        step_outputs(&mut graph, cells, &config);
        Ok(graph)
    }
}

impl ShowAttendTell {
    /// [`attend`](Self::attend).
    fn attention_graph(&self, graph: &mut Graph) -> Result<()> {
        linear(graph, "query", &self.query, "state.hidden", "projected")?;
        graph.integers("query_parts", &[self.config.attention, 1]);
        let last = [Attribute::Int("axis", -1)];
        graph.node("Split", &["projected", "query_parts"], &["query", "gate_input"], &last);
        graph.integers("axis_1", &[1]);
        graph.integers("axis_2", &[2]);
        graph.integers("axis_3", &[3]);
        graph.node("Unsqueeze", &["query", "axis_2"], &["query_rows"], &[]);
        graph.node("Unsqueeze", &["cells.keys", "axis_1"], &["key_rows"], &[]);
        graph.node("Add", &["query_rows", "key_rows"], &["score_sum"], &[]);
        graph.node("Tanh", &["score_sum"], &["score_input"], &[]);
        weight(graph, "score", &self.score.unsqueeze(1))?;
        graph.node("MatMul", &["score_input", "score"], &["score_column"], &[]);
        graph.node("Squeeze", &["score_column", "axis_3"], &["scores"], &[]);
        graph.node("Softmax", &["scores"], &["attention"], &last);
        graph.node("MatMul", &["attention", "cells.values"], &["looked_at"], &[]);
        graph.node("Sigmoid", &["gate_input"], &["gate"], &[]);
        graph.node("Mul", &["looked_at", "gate"], &["context"], &[]);
        Ok(())
    }

    /// [`recur`](Self::recur).
    fn recurrence_graph(&self, graph: &mut Graph) -> Result<()> {
        let last = [Attribute::Int("axis", -1)];
        graph.node("Concat", &["context", "state.hidden"], &["lstm_input"], &last);
        weight(graph, "lstm_word", &self.lstm_word.ws.tr())?;
        embedded_product(graph, "lstm_word", "gates_of_word");
        let bias = self.lstm_word.bs.as_ref().map(Tensor::shallow_clone);
        let on_state = nn::Linear { ws: self.lstm_state.ws.shallow_clone(), bs: bias };
        linear(graph, "lstm_state", &on_state, "lstm_input", "gates_of_state")?;
        graph.node("Add", &["gates_of_word", "gates_of_state"], &["gates"], &[]);
        let parts = ["input_gate", "forget_gate", "output_gate", "candidate_input"];
        lstm_cell(graph, self.config.hidden, parts);
        Ok(())
    }
}
