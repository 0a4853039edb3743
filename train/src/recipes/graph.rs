//! Parts that the ONNX graphs of all networks share.

use onnx::{Attribute, Dimension, ElementType, Graph};
use tch::{Tensor, nn};

use crate::Result;
use crate::settings::NetworkConfig;
use crate::tensor::flat;

/// Number of images of a search.
pub(super) const IMAGES: Dimension = Dimension::Symbolic("images");
/// Number of captions of an image.
pub(super) const BEAM: Dimension = Dimension::Symbolic("beam");

/// `input · Wᵀ + b`.
pub(super) fn linear(
    graph: &mut Graph,
    name: &str,
    layer: &nn::Linear,
    input: &str,
    output: &str,
) -> Result<()> {
    let weights = format!("{name}.weight");
    weight(graph, &weights, &layer.ws.tr())?;
    let Some(bias) = &layer.bs else {
        graph.node("MatMul", &[input, &weights], &[output], &[]);
        return Ok(());
    };
    let (biases, product) = (format!("{name}.bias"), format!("{name}.product"));
    weight(graph, &biases, bias)?;
    graph.node("MatMul", &[input, &weights], &[&product], &[]);
    graph.node("Add", &[&product, &biases], &[output], &[]);
    Ok(())
}

/// The product of each word's row of `embedding` with a weight. The runtime folds the product of both matrices when the
/// network is opened: at each word only its row is looked up.
pub(super) fn embedded_product(graph: &mut Graph, weight: &str, output: &str) {
    let table = format!("{output}.table");
    graph.node("MatMul", &["embedding", weight], &[&table], &[]);
    graph.node("Gather", &[&table, "word"], &[output], &[]);
}

/// Layer normalisation over the last axis.
pub(super) fn layer_norm(
    graph: &mut Graph,
    name: &str,
    layer: &nn::LayerNorm,
    input: &str,
    output: &str,
) -> Result<()> {
    let mut inputs = vec![input.to_owned()];
    for (part, tensor) in [("weight", &layer.ws), ("bias", &layer.bs)] {
        if let Some(tensor) = tensor {
            inputs.push(format!("{name}.{part}"));
            weight(graph, &format!("{name}.{part}"), tensor)?;
        }
    }
    let inputs = inputs.iter().map(String::as_str).collect::<Vec<_>>();
    graph.node("LayerNormalization", &inputs, &[output], &[Attribute::Int("axis", -1)]);
    Ok(())
}

/// A graph whose input are grids, with `annotations` as their cells.
pub(super) fn grid_input(
    cells: usize,
    channels: i64,
    annotation: &nn::Linear,
    annotations: &str,
) -> Result<Graph> {
    let mut graph = Graph::new("decoder-init");
    graph.input("grid", ElementType::Float, &[IMAGES, Dimension::Fixed(cells), fixed(channels)]);
    linear(&mut graph, "annotation", annotation, "grid", "annotation")?;
    graph.node("Relu", &["annotation"], &[annotations], &[]);
    Ok(graph)
}

/// A graph whose inputs are those that the step of any network has: the last words, and the LSTM's state.
pub(super) fn step_inputs(hidden: i64) -> Graph {
    let mut graph = Graph::new("decoder-step");
    graph.input("word", ElementType::Int64, &[IMAGES, BEAM]);
    for state in ["state.hidden", "state.memory"] {
        graph.input(state, ElementType::Float, &[IMAGES, BEAM, fixed(hidden)]);
    }
    graph
}

/// The mean of the cells of each image.
pub(super) fn mean_cell(graph: &mut Graph, cells: &str, output: &str) {
    let over_cells = [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 1)];
    graph.node("ReduceMean", &[cells], &[output], &over_cells);
}

/// The outputs of a step: log-probabilities of `logits`, `attention` and `next.state.*`.
pub(super) fn step_outputs(graph: &mut Graph, cells: usize, config: &NetworkConfig) {
    let last = [Attribute::Int("axis", -1)];
    graph.node("LogSoftmax", &["logits"], &["log_probabilities"], &last);
    let vocabulary = fixed(config.vocabulary);
    graph.output("log_probabilities", ElementType::Float, &[IMAGES, BEAM, vocabulary]);
    graph.output("attention", ElementType::Float, &[IMAGES, BEAM, Dimension::Fixed(cells)]);
    for state in ["next.state.hidden", "next.state.memory"] {
        graph.output(state, ElementType::Float, &[IMAGES, BEAM, fixed(config.hidden)]);
    }
}

/// Adds a tensor as a weight of the graph.
pub(super) fn weight(graph: &mut Graph, name: &str, tensor: &Tensor) -> Result<()> {
    let shape = tensor.size().iter().map(|&size| size as usize).collect::<Vec<_>>();
    graph.weight(name, &shape, &flat(tensor)?);
    Ok(())
}

/// A dimension of fixed size.
pub(super) fn fixed(size: i64) -> Dimension {
    Dimension::Fixed(size as usize)
}

/// The LSTM cell: `gates` and `state.memory` to `next.state.hidden` and `next.state.memory`. `parts` are the gates in the
/// order of the weights: `input_gate`, `forget_gate`, `output_gate` and `candidate_input`.
pub(super) fn lstm_cell(graph: &mut Graph, hidden: i64, parts: [&str; 4]) {
    graph.integers("gate_parts", &[hidden; 4]);
    graph.node("Split", &["gates", "gate_parts"], &parts, &[Attribute::Int("axis", -1)]);
    for gate in ["input", "forget", "output"] {
        graph.node("Sigmoid", &[&format!("{gate}_gate")], &[&format!("{gate}_open")], &[]);
    }
    graph.node("Tanh", &["candidate_input"], &["candidate"], &[]);
    graph.node("Mul", &["forget_open", "state.memory"], &["kept"], &[]);
    graph.node("Mul", &["input_open", "candidate"], &["taken_in"], &[]);
    graph.node("Add", &["kept", "taken_in"], &["next.state.memory"], &[]);
    graph.node("Tanh", &["next.state.memory"], &["memory_tanh"], &[]);
    graph.node("Mul", &["output_open", "memory_tanh"], &["next.state.hidden"], &[]);
}
