//! The trained network as two ONNX graphs and a manifest: what a captioner needs besides the encoder.

use std::collections::BTreeMap;

use data::digest;
use models::bundle::{FORMAT, MANIFEST_FILE, Manifest, Part, VOCABULARY_FILE};
use models::decoder::{INIT_FILE, STEP_FILE};
use models::onnx::{Attribute, Dimension, ElementType, Graph};
use tch::{Device, Tensor, nn};

use crate::network::ShowAttendTell;
use crate::run::{NETWORK, RunFolder, TrainedRun};
use crate::torch_decoder::flat;
use crate::{Error, Result};

use Dimension::{Fixed, Symbolic};
use ElementType::{Float, Int64};

const IMAGES: Dimension = Symbolic("images");
const BEAM: Dimension = Symbolic("beam");

/// Exports the best checkpoint of a run into its folder. The manifest is written last and names the
/// other parts by their hashes, so a half-finished export is refused when it is opened.
pub fn export(folder: &RunFolder) -> Result<Manifest> {
    let run = folder.open_best(Device::Cpu)?;
    let [height, width, _] = run.config.encoder.grid;
    let cells = height * width;
    let part = |file: &str, bytes: Vec<u8>| {
        folder.write(&folder.path().join(file), &bytes)?;
        Ok::<_, Error>(Part { file: file.to_owned(), sha256: digest::of_bytes(&bytes) })
    };
    let decoder_init = part(INIT_FILE, init_graph(&run.network, cells)?)?;
    let decoder_step = part(STEP_FILE, step_graph(&run.network, cells)?)?;
    let manifest = manifest(&run, decoder_init, decoder_step);
    let path = folder.path().join(MANIFEST_FILE);
    let json = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Error::run(&path, error.to_string()))?;
    folder.write(&path, json.as_bytes())?;
    Ok(manifest)
}

fn manifest(run: &TrainedRun, decoder_init: Part, decoder_step: Part) -> Manifest {
    let progress = &run.checkpoint.progress;
    Manifest {
        format: FORMAT.to_owned(),
        created_by: format!(
            "showtell train {} ({})",
            env!("CARGO_PKG_VERSION"),
            crate::run::REVISION
        ),
        network: NETWORK.to_owned(),
        encoder: Part {
            file: run.config.encoder.name.clone(),
            sha256: run.config.encoder.sha256.clone(),
        },
        preprocess: run.config.encoder.preprocess.clone(),
        grid: run.config.encoder.grid,
        vocabulary: Part { file: VOCABULARY_FILE.to_owned(), sha256: run.vocabulary.sha256() },
        decoder_init,
        decoder_step,
        scores: BTreeMap::from([("CIDEr".to_owned(), progress.best_cider)]),
        scored_on: "dev".to_owned(),
    }
}

/// Grid → cells and first state.
fn init_graph(network: &ShowAttendTell, cells: usize) -> Result<Vec<u8>> {
    let config = network.config;
    let mut graph = Graph::new("decoder-init");
    graph.input("grid", Float, &[IMAGES, Fixed(cells), fixed(config.channels)]);
    linear(&mut graph, "annotation", &network.annotation, "grid", "annotation")?;
    graph.node("Relu", &["annotation"], &["cells.values"], &[]);
    linear(&mut graph, "key", &network.key, "cells.values", "cells.keys")?;
    let mean = [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 1)];
    graph.node("ReduceMean", &["cells.values"], &["mean"], &mean);
    for (name, layer) in [("hidden", &network.init_hidden), ("memory", &network.init_memory)] {
        linear(&mut graph, &format!("init_{name}"), layer, "mean", name)?;
        let state = format!("state.{name}");
        graph.node("Tanh", &[name], &[&state], &[]);
        graph.output(&state, Float, &[IMAGES, Fixed(1), fixed(config.hidden)]);
    }
    graph.output("cells.values", Float, &[IMAGES, Fixed(cells), fixed(config.annotation)]);
    graph.output("cells.keys", Float, &[IMAGES, Fixed(cells), fixed(config.attention)]);
    Ok(graph.into_bytes(&[]))
}

/// Word, cells and state → log-probabilities, attention and next state.
fn step_graph(network: &ShowAttendTell, cells: usize) -> Result<Vec<u8>> {
    let config = network.config;
    let mut graph = Graph::new("decoder-step");
    graph.input("word", Int64, &[IMAGES, BEAM]);
    graph.input("cells.values", Float, &[IMAGES, Fixed(cells), fixed(config.annotation)]);
    graph.input("cells.keys", Float, &[IMAGES, Fixed(cells), fixed(config.attention)]);
    for state in ["state.hidden", "state.memory"] {
        graph.input(state, Float, &[IMAGES, BEAM, fixed(config.hidden)]);
    }
    weight(&mut graph, "embedding", &network.embedding)?;
    graph.node("Gather", &["embedding", "word"], &["embedded"], &[]);
    attention(&mut graph, network)?;
    recurrence(&mut graph, network)?;

    linear(&mut graph, "output_hidden", &network.output_hidden, "next.state.hidden", "of_hidden")?;
    linear(&mut graph, "output_context", &network.output_context, "context", "of_context")?;
    graph.node("Add", &["embedded", "of_hidden"], &["deep_sum"], &[]);
    graph.node("Add", &["deep_sum", "of_context"], &["deep_input"], &[]);
    graph.node("Tanh", &["deep_input"], &["deep"], &[]);
    linear(&mut graph, "output", &network.output, "deep", "logits")?;
    graph.node("LogSoftmax", &["logits"], &["log_probabilities"], &[Attribute::Int("axis", -1)]);

    graph.output("log_probabilities", Float, &[IMAGES, BEAM, fixed(config.vocabulary)]);
    graph.output("attention", Float, &[IMAGES, BEAM, Fixed(cells)]);
    for state in ["next.state.hidden", "next.state.memory"] {
        graph.output(state, Float, &[IMAGES, BEAM, fixed(config.hidden)]);
    }
    Ok(graph.into_bytes(&[]))
}

/// `ShowAttendTell::attend`.
fn attention(graph: &mut Graph, network: &ShowAttendTell) -> Result<()> {
    linear(graph, "query", &network.query, "state.hidden", "projected")?;
    graph.integers("query_parts", &[network.config.attention, 1]);
    let last = [Attribute::Int("axis", -1)];
    graph.node("Split", &["projected", "query_parts"], &["query", "gate_input"], &last);
    graph.integers("axis_1", &[1]);
    graph.integers("axis_2", &[2]);
    graph.integers("axis_3", &[3]);
    graph.node("Unsqueeze", &["query", "axis_2"], &["query_rows"], &[]);
    graph.node("Unsqueeze", &["cells.keys", "axis_1"], &["key_rows"], &[]);
    graph.node("Add", &["query_rows", "key_rows"], &["score_sum"], &[]);
    graph.node("Tanh", &["score_sum"], &["score_input"], &[]);
    weight(graph, "score", &network.score.unsqueeze(1))?;
    graph.node("MatMul", &["score_input", "score"], &["score_column"], &[]);
    graph.node("Squeeze", &["score_column", "axis_3"], &["scores"], &[]);
    graph.node("Softmax", &["scores"], &["attention"], &last);
    graph.node("MatMul", &["attention", "cells.values"], &["looked_at"], &[]);
    graph.node("Sigmoid", &["gate_input"], &["gate"], &[]);
    graph.node("Mul", &["looked_at", "gate"], &["context"], &[]);
    Ok(())
}

/// `ShowAttendTell::recur`.
fn recurrence(graph: &mut Graph, network: &ShowAttendTell) -> Result<()> {
    let last = [Attribute::Int("axis", -1)];
    graph.node("Concat", &["context", "state.hidden"], &["lstm_input"], &last);
    linear(graph, "lstm_word", &network.lstm_word, "embedded", "gates_of_word")?;
    linear(graph, "lstm_state", &network.lstm_state, "lstm_input", "gates_of_state")?;
    graph.node("Add", &["gates_of_word", "gates_of_state"], &["gates"], &[]);
    let hidden = network.config.hidden;
    graph.integers("gate_parts", &[hidden; 4]);
    let parts = ["input_gate", "forget_gate", "output_gate", "candidate_input"];
    graph.node("Split", &["gates", "gate_parts"], &parts, &last);
    for gate in ["input", "forget", "output"] {
        graph.node("Sigmoid", &[&format!("{gate}_gate")], &[&format!("{gate}_open")], &[]);
    }
    graph.node("Tanh", &["candidate_input"], &["candidate"], &[]);
    graph.node("Mul", &["forget_open", "state.memory"], &["kept"], &[]);
    graph.node("Mul", &["input_open", "candidate"], &["taken_in"], &[]);
    graph.node("Add", &["kept", "taken_in"], &["next.state.memory"], &[]);
    graph.node("Tanh", &["next.state.memory"], &["memory_tanh"], &[]);
    graph.node("Mul", &["output_open", "memory_tanh"], &["next.state.hidden"], &[]);
    Ok(())
}

/// `input · Wᵀ + b`.
fn linear(
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

fn weight(graph: &mut Graph, name: &str, tensor: &Tensor) -> Result<()> {
    let shape = tensor.size().iter().map(|&side| side as usize).collect::<Vec<_>>();
    graph.weight(name, &shape, &flat(tensor)?);
    Ok(())
}

fn fixed(side: i64) -> Dimension {
    Fixed(side as usize)
}
