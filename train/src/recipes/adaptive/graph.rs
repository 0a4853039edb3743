//! The network as ONNX graphs, node by node what `mod.rs` computes.

use models::onnx::Dimension::Fixed;
use models::onnx::ElementType::Float;
use models::onnx::{Attribute, Graph};

use super::{Adaptive, NetworkConfig};
use crate::Result;
use crate::export::layers::{self, IMAGES, fixed};

const HIDDEN: &str = "next.state.hidden";
const LAST: [Attribute; 1] = [Attribute::Int("axis", -1)];

impl Adaptive {
    /// Grid → cells and first state.
    pub(super) fn init_graph(&self, cells: usize) -> Result<Graph> {
        let config = self.config;
        let mut graph = Graph::new("decoder-init");
        graph.input("grid", Float, &[IMAGES, Fixed(cells), fixed(config.channels)]);
        layers::linear(&mut graph, "annotation", &self.annotation, "grid", "annotation")?;
        graph.node("Relu", &["annotation"], &["projected"], &[]);
        layers::layer_norm(&mut graph, "norm", &self.norm, "projected", "cells")?;
        let mean = [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 1)];
        graph.node("ReduceMean", &["cells"], &["mean_cell"], &mean);
        layers::linear(&mut graph, "mean", &self.mean, "mean_cell", "cells.mean")?;
        layers::linear(&mut graph, "key", &self.key, "cells", "cells.keys")?;
        layers::linear(&mut graph, "value", &self.value, "cells", "cells.values")?;
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
        graph.output("cells.mean", Float, &[IMAGES, Fixed(1), fixed(config.embedding)]);
        for name in ["cells.keys", "cells.values"] {
            graph.output(name, Float, &[IMAGES, Fixed(cells), fixed(config.attention)]);
        }
        Ok(graph)
    }

    /// Word, cells and state → log-probabilities, attention and next state.
    pub(super) fn word_graph(&self, cells: usize) -> Result<Graph> {
        let config = self.config;
        let mut graph = Graph::new("decoder-step");
        layers::step_inputs(&mut graph, config.hidden);
        graph.input("cells.mean", Float, &[IMAGES, Fixed(1), fixed(config.embedding)]);
        for name in ["cells.keys", "cells.values"] {
            graph.input(name, Float, &[IMAGES, Fixed(cells), fixed(config.attention)]);
        }
        self.recurrence_graph(&mut graph)?;
        self.attention_graph(&mut graph, cells)?;
        layers::linear(&mut graph, "output_hidden", &self.output_hidden, HIDDEN, "of_hidden")?;
        layers::linear(
            &mut graph,
            "output_context",
            &self.output_context,
            "context",
            "of_context",
        )?;
        graph.node("Add", &["of_hidden", "of_context"], &["of_both"], &[]);
        graph.integers("output_parts", &[config.embedding; 2]);
        graph.node("Split", &["of_both", "output_parts"], &["said", "gate"], &LAST);
        graph.node("Sigmoid", &["gate"], &["open"], &[]);
        graph.node("Mul", &["said", "open"], &["output"], &[]);
        layers::weight(&mut graph, "words", &self.embedding.tr())?;
        layers::weight(&mut graph, "output_bias", &self.output_bias)?;
        graph.node("MatMul", &["output", "words"], &["products"], &[]);
        graph.node("Add", &["products", "output_bias"], &["logits"], &[]);
        layers::step_outputs(&mut graph, cells, &config);
        Ok(graph)
    }

    /// Word and state to the next state.
    fn recurrence_graph(&self, graph: &mut Graph) -> Result<()> {
        let scale = (self.config.embedding as f64).sqrt();
        layers::weight(graph, "embedding", &(&self.embedding * scale))?;
        graph.node("Gather", &["embedding", "word"], &["embedded"], &[]);
        graph.node("Add", &["embedded", "cells.mean"], &["input"], &[]);
        let [on_input, on_state, input_bias, state_bias] = &self.lstm;
        layers::weight(graph, "lstm.input", &on_input.tr())?;
        layers::weight(graph, "lstm.state", &on_state.tr())?;
        layers::weight(graph, "lstm.bias", &(input_bias + state_bias))?;
        graph.node("MatMul", &["input", "lstm.input"], &["gates_of_input"], &[]);
        graph.node("MatMul", &["state.hidden", "lstm.state"], &["gates_of_state"], &[]);
        graph.node("Add", &["gates_of_input", "gates_of_state"], &["gates_sum"], &[]);
        graph.node("Add", &["gates_sum", "lstm.bias"], &["gates"], &[]);
        let parts = ["input_gate", "forget_gate", "candidate_input", "output_gate"];
        layers::lstm_cell(graph, self.config.hidden, parts);
        Ok(())
    }

    /// [`attend`](Self::attend), and the attention as it is shown: the mean over the heads, without
    /// the sentinel.
    fn attention_graph(&self, graph: &mut Graph, cells: usize) -> Result<()> {
        let NetworkConfig { attention, heads, .. } = self.config;
        layers::linear(graph, "query", &self.query, HIDDEN, "projected")?;
        graph.integers("query_parts", &[attention; 3]);
        let parts = ["query", "sentinel_key", "sentinel"];
        graph.node("Split", &["projected", "query_parts"], &parts, &LAST);
        graph.integers("head_sides", &[0, 0, heads, attention / heads]);
        for name in [parts[0], parts[1], parts[2], "cells.keys", "cells.values"] {
            let (apart, turned) = (format!("{name}.apart"), format!("{name}.heads"));
            graph.node("Reshape", &[name, "head_sides"], &[&apart], &[]);
            let keys = name == "cells.keys";
            let order = if keys { [0, 2, 3, 1] } else { [0, 2, 1, 3] };
            graph.node("Transpose", &[&apart], &[&turned], &[Attribute::Ints("perm", &order)]);
        }
        graph.integers("last", &[-1]);
        graph.node("MatMul", &["query.heads", "cells.keys.heads"], &["scores"], &[]);
        graph.node("Mul", &["query.heads", "sentinel_key.heads"], &["own_products"], &[]);
        let keep = [Attribute::Int("keepdims", 1)];
        graph.node("ReduceSum", &["own_products", "last"], &["own_score"], &keep);
        graph.node("Concat", &["scores", "own_score"], &["all_scores"], &LAST);
        graph.weight("scale", &[1], &[((attention / heads) as f32).sqrt()]);
        graph.node("Div", &["all_scores", "scale"], &["scaled"], &[]);
        graph.node("Softmax", &["scaled"], &["looks"], &LAST);
        graph.integers("look_parts", &[cells as i64, 1]);
        graph.node("Split", &["looks", "look_parts"], &["on_cells", "on_itself"], &LAST);
        graph.node("MatMul", &["on_cells", "cells.values.heads"], &["seen"], &[]);
        graph.node("Mul", &["on_itself", "sentinel.heads"], &["remembered"], &[]);
        graph.node("Add", &["seen", "remembered"], &["context_heads"], &[]);
        let back = [Attribute::Ints("perm", &[0, 2, 1, 3])];
        graph.node("Transpose", &["context_heads"], &["context_apart"], &back);
        graph.integers("context_sides", &[0, 0, attention]);
        graph.node("Reshape", &["context_apart", "context_sides"], &["context"], &[]);
        let over_heads = [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 0)];
        graph.node("ReduceMean", &["on_cells"], &["mean_look"], &over_heads);
        graph.node("ReduceSum", &["mean_look", "last"], &["look_sum"], &keep);
        graph.node("Div", &["mean_look", "look_sum"], &["attention"], &[]);
        Ok(())
    }
}
