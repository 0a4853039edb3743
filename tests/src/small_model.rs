//! A small captioner for tests: real ONNX graphs that ONNX Runtime opens in milliseconds. The encoder averages patches;
//! the decoder generates more words for darker blue.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{digest, head};
use data::Vocabulary;
use models::bundle::{FORMAT, MANIFEST_FILE, Part, VOCABULARY_FILE};
use models::decoder::{INIT_FILE, STEP_FILE};
use models::{Manifest, Preprocess};
use onnx::{Attribute, Dimension, ElementType, Graph};

use Dimension::{Fixed, Symbolic};
use ElementType::{Float, Int64};

/// File name of the encoder.
pub const ENCODER_FILE: &str = "small.onnx";
/// Height and width of the encoder's input.
pub const SIZE: usize = 56;
/// Height, width and channels of a grid.
pub const GRID: [usize; 3] = [7, 7, 3];

const CELLS: usize = GRID[0] * GRID[1];
const CHANNELS: usize = GRID[2];
const IMAGES: Dimension = Symbolic("images");
const BEAM: Dimension = Symbolic("beam");
/// Weights of the words on the three channels of the state, in the order of the vocabulary.
const WORD_WEIGHTS: [[f32; 8]; CHANNELS] = [
    [-9.0, -9.0, 0.0, -9.0, 0.4, 0.1, -0.3, -0.5],
    [-9.0, -9.0, 0.0, -9.0, 0.2, 0.3, 0.1, -0.2],
    [-9.0, -9.0, 1.0, -9.0, 0.0, 0.1, 0.2, 0.3],
];

/// Writes a whole model into `folder`: encoder with its head, decoder, vocabulary and manifest.
///
/// # Panics
/// If the folder cannot be written.
pub fn write(folder: &Path) {
    let part = |file: &str, bytes: &[u8]| {
        fs::write(folder.join(file), bytes).expect("the folder of the test can be written");
        Part { file: file.to_owned(), sha256: digest::of_bytes(bytes) }
    };
    let captions = ["a dog runs", "a dog", "a", "a red dog"].map(data::tokens::tokenize);
    let vocabulary = Vocabulary::build(captions.iter().map(Vec::as_slice), 1);
    vocabulary.save(&folder.join(VOCABULARY_FILE)).expect("the folder of the test can be written");
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        created_by: "tests".to_owned(),
        network: "small".to_owned(),
        encoder: part(ENCODER_FILE, &encoder(Symbolic("N"))),
        preprocess: Preprocess::imagenet([SIZE as u32; 2]),
        views: vec![models::view::View::Original],
        grid: GRID.into(),
        vocabulary: Part { file: VOCABULARY_FILE.to_owned(), sha256: vocabulary.sha256() },
        decoder_init: part(INIT_FILE, &init()),
        decoder_step: part(STEP_FILE, &step()),
        neighbours: None,
        confidence: None,
        scores: BTreeMap::from([("CIDEr".to_owned(), 0.123)]),
        scored_on: "dev".to_owned(),
        data_licence: Some("made by the tests".to_owned()),
    };
    let head_file = head::path_beside(Path::new(ENCODER_FILE));
    fs::write(folder.join(head_file), head(&manifest.encoder.sha256))
        .expect("the folder of the test can be written");
    let json = serde_json::to_vec_pretty(&manifest).expect("a manifest is JSON");
    part(MANIFEST_FILE, &json);
}

/// The classes of the head.
pub const CLASSES: [&str; CHANNELS] = ["red", "green", "blue"];

/// The head of the encoder with that SHA-256: the channel with the largest mean is the most probable class.
#[must_use]
pub fn head(encoder: &str) -> Vec<u8> {
    let mut graph = Graph::new("head");
    graph.node("GlobalAveragePool", &["grid"], &["pooled"], &[]);
    graph.node("Flatten", &["pooled"], &["scores"], &[]);
    graph.node("Softmax", &["scores"], &[head::OUTPUT], &[Attribute::Int("axis", 1)]);
    graph.output(head::OUTPUT, Float, &[Symbolic("N"), Fixed(CHANNELS)]);
    let names = serde_json::json!(CLASSES).to_string();
    graph.into_part(&[(head::ENCODER_KEY, encoder), (head::CLASSES_KEY, &names)])
}

/// An encoder of `batch` images: the mean colour of each patch.
#[must_use]
pub fn encoder(batch: Dimension) -> Vec<u8> {
    let mut graph = Graph::new("encoder");
    graph.input("image", Float, &[batch, Fixed(3), Fixed(SIZE), Fixed(SIZE)]);
    let patch = (SIZE / GRID[0]) as i64;
    let attributes =
        [Attribute::Ints("kernel_shape", &[patch; 2]), Attribute::Ints("strides", &[patch; 2])];
    graph.node("AveragePool", &["image"], &["grid"], &attributes);
    graph.output("grid", Float, &[batch, Fixed(CHANNELS), Fixed(GRID[0]), Fixed(GRID[1])]);
    graph.into_bytes(&[])
}

/// A network with the output of a classifier.
#[must_use]
pub fn classifier() -> Vec<u8> {
    let mut graph = Graph::new("classifier");
    graph.input("image", Float, &[Symbolic("N"), Fixed(3), Fixed(SIZE), Fixed(SIZE)]);
    graph.node("Flatten", &["image"], &["scores"], &[Attribute::Int("axis", 1)]);
    graph.output("scores", Float, &[Symbolic("N"), Fixed(3 * SIZE * SIZE)]);
    graph.into_bytes(&[])
}

fn init() -> Vec<u8> {
    let mut graph = Graph::new("init");
    graph.input("grid", Float, &[IMAGES, Fixed(CELLS), Fixed(CHANNELS)]);
    graph.node("Identity", &["grid"], &["cells.values"], &[]);
    let mean = [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 1)];
    graph.node("ReduceMean", &["grid"], &["state.mean"], &mean);
    graph.output("cells.values", Float, &[IMAGES, Fixed(CELLS), Fixed(CHANNELS)]);
    graph.output("state.mean", Float, &[IMAGES, Fixed(1), Fixed(CHANNELS)]);
    graph.into_bytes(&[])
}

/// Each word adds one to the last channel of the state, on which the end has the largest weight.
fn step() -> Vec<u8> {
    let mut graph = Graph::new("step");
    graph.input("word", Int64, &[IMAGES, BEAM]);
    graph.input("cells.values", Float, &[IMAGES, Fixed(CELLS), Fixed(CHANNELS)]);
    graph.input("state.mean", Float, &[IMAGES, BEAM, Fixed(CHANNELS)]);
    let words = WORD_WEIGHTS[0].len();
    let one_a_word = (0..words).flat_map(|_| [0.0, 0.0, 1.0]).collect::<Vec<f32>>();
    graph.weight("embedding", &[words, CHANNELS], &one_a_word);
    graph.node("Gather", &["embedding", "word"], &["embedded"], &[]);
    graph.node("Add", &["state.mean", "embedded"], &["next.state.mean"], &[]);
    graph.weight("weights", &[CHANNELS, words], &WORD_WEIGHTS.concat());
    graph.node("MatMul", &["next.state.mean", "weights"], &["logits"], &[]);
    graph.node("LogSoftmax", &["logits"], &["log_probabilities"], &[Attribute::Int("axis", -1)]);
    graph.node(
        "Transpose",
        &["cells.values"],
        &["columns"],
        &[Attribute::Ints("perm", &[0, 2, 1])],
    );
    graph.node("MatMul", &["next.state.mean", "columns"], &["scores"], &[]);
    graph.node("Softmax", &["scores"], &["attention"], &[Attribute::Int("axis", -1)]);
    graph.output("log_probabilities", Float, &[IMAGES, BEAM, Fixed(words)]);
    graph.output("attention", Float, &[IMAGES, BEAM, Fixed(CELLS)]);
    graph.output("next.state.mean", Float, &[IMAGES, BEAM, Fixed(CHANNELS)]);
    graph.into_bytes(&[])
}
