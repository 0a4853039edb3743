//! `encoder adapt` on classifiers written here: the encoder outputs the input of the classifier's pool.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use models::encoder::{EncoderOptions, cells_last};
use models::preprocess::Resize;
use models::{Encoder, Preprocess};
use ndarray::{Array2, Array4, Axis};
use onnx::{Attribute, Dimension, ElementType, Graph};
use tempfile::TempDir;

use Dimension::{Fixed, Symbolic};
use ElementType::Float;

const SIZE: usize = 32;
const CHANNELS: usize = 4;

/// How a classifier ends.
#[derive(Clone, Copy)]
enum Pool {
    GlobalAverage,
    /// `ReduceMean` over axes given as an attribute.
    Mean([i64; 2]),
    /// `ReduceMean` over channels-last cells, after a transpose.
    MeanChannelsLast,
    /// The same with an operator on single values between them.
    MeanAfterRelu,
    /// `ReduceMean` whose axes are an input, spelled in some way.
    MeanOver(Axes),
    /// Over columns, then over rows.
    TwoMeans,
    /// Over rows and columns in one axis.
    MeanOfFlat,
    None,
}

/// How a graph spells a constant list.
#[derive(Clone, Copy)]
enum Axes {
    Weight,
    Constant,
    /// One number, made a list, twice.
    Numbers,
    /// A list that is passed on.
    PassedOn,
}

/// Adds the axes 2 and 3 as `axes`.
fn axes(graph: &mut Graph, spelled: Axes) {
    let constant =
        |graph: &mut Graph, name: &str, value| graph.node("Constant", &[], &[name], &[value]);
    match spelled {
        Axes::Weight => graph.integers("axes", &[2, 3]),
        Axes::Constant => constant(graph, "axes", Attribute::Ints("value_ints", &[-2, -1])),
        Axes::Numbers => {
            graph.integers("first", &[0]);
            for (name, value) in [("two", 2), ("three", 3)] {
                constant(graph, name, Attribute::Int("value_int", value));
                graph.node("Unsqueeze", &[name, "first"], &[&format!("{name}.list")], &[]);
            }
            graph.node(
                "Concat",
                &["two.list", "three.list"],
                &["axes"],
                &[Attribute::Int("axis", 0)],
            );
        }
        Axes::PassedOn => {
            constant(graph, "written", Attribute::Ints("value_ints", &[3, 2]));
            graph.node("Identity", &["written"], &["named"], &[]);
            graph.node(
                "Cast",
                &["named"],
                &["axes"],
                &[Attribute::Int("to", ElementType::Int64 as i64)],
            );
        }
    }
}

fn weights(values: usize) -> Vec<f32> {
    (0..values).map(|at| ((at * 37 + 11) % 101) as f32 / 101.0 - 0.4).collect()
}

/// Convolution → squeeze and excitation (which pools as well) → `cells`.
fn trunk(batch: Dimension) -> Graph {
    let mut graph = Graph::new("classifier");
    graph.input("image", Float, &[batch, Fixed(3), Fixed(SIZE), Fixed(SIZE)]);
    graph.weight("kernel", &[CHANNELS, 3, 8, 8], &weights(CHANNELS * 3 * 8 * 8));
    let strides = [Attribute::Ints("strides", &[8, 8])];
    graph.node("Conv", &["image", "kernel"], &["seen"], &strides);
    graph.node("GlobalAveragePool", &["seen"], &["squeezed"], &[]);
    graph.node("Sigmoid", &["squeezed"], &["gate"], &[]);
    graph.node("Mul", &["seen", "gate"], &["gated"], &[]);
    graph.node("Relu", &["gated"], &["cells"], &[]);
    graph
}

/// The trunk → the pool → scores.
fn classifier(batch: Dimension, pool: Pool) -> Vec<u8> {
    let mut graph = trunk(batch);
    match pool {
        Pool::GlobalAverage => graph.node("GlobalAveragePool", &["cells"], &["pooled"], &[]),
        Pool::Mean(axes) => {
            graph.node("ReduceMean", &["cells"], &["pooled"], &[Attribute::Ints("axes", &axes)]);
        }
        Pool::MeanChannelsLast => {
            let perm = [Attribute::Ints("perm", &[0, 2, 3, 1])];
            graph.node("Transpose", &["cells"], &["turned"], &perm);
            graph.node("ReduceMean", &["turned"], &["pooled"], &[Attribute::Ints("axes", &[1, 2])]);
        }
        Pool::MeanAfterRelu => {
            let perm = [Attribute::Ints("perm", &[0, 2, 3, 1])];
            graph.node("Transpose", &["cells"], &["turned"], &perm);
            graph.node("Relu", &["turned"], &["again"], &[]);
            graph.node("ReduceMean", &["again"], &["pooled"], &[Attribute::Ints("axes", &[1, 2])]);
        }
        Pool::MeanOver(spelled) => {
            axes(&mut graph, spelled);
            graph.node("ReduceMean", &["cells", "axes"], &["pooled"], &[]);
        }
        Pool::TwoMeans => {
            let over = |axis| [Attribute::Ints("axes", axis), Attribute::Int("keepdims", 0)];
            graph.node("ReduceMean", &["cells"], &["rows"], &over(&[3]));
            graph.node("ReduceMean", &["rows"], &["pooled"], &over(&[-1]));
        }
        Pool::MeanOfFlat => {
            graph.integers("cells in a row", &[0, CHANNELS as i64, -1]);
            graph.node("Reshape", &["cells", "cells in a row"], &["lists"], &[]);
            graph.node("ReduceMean", &["lists"], &["pooled"], &[Attribute::Ints("axes", &[2])]);
        }
        Pool::None => graph.node("Identity", &["cells"], &["pooled"], &[]),
    }
    graph.node("Flatten", &["pooled"], &["flat"], &[]);
    let inputs = if matches!(pool, Pool::None) { CHANNELS * 16 } else { CHANNELS };
    graph.weight("classes", &[inputs, 5], &weights(inputs * 5));
    graph.node("MatMul", &["flat", "classes"], &["scores"], &[]);
    graph.output("scores", Float, &[batch, Fixed(5)]);
    graph.into_bytes(&[])
}

struct Workplace(TempDir);

impl Workplace {
    fn new(classifier: &[u8]) -> Self {
        let workplace = Self(tempfile::tempdir().unwrap());
        fs::write(workplace.path("classifier.onnx"), classifier).unwrap();
        workplace
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn adapt(&self, more: &[&str]) -> Result<String, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_encoder"))
            .current_dir(self.0.path())
            .args(["adapt", "classifier.onnx", "--out", "encoder.onnx"])
            .args(more)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        match output.status.code() {
            Some(0) => Ok(text(&output.stdout)),
            code => Err(format!("{code:?} {}", text(&output.stderr))),
        }
    }
}

fn open(path: &Path) -> Encoder {
    Encoder::open(path, &EncoderOptions::default()).unwrap()
}

fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_vec([count, 3, SIZE, SIZE], weights(count * 3 * SIZE * SIZE)).unwrap()
}

/// The grid that the classifier pools, computed by the same layers without the pool.
fn expected(images: &Array4<f32>) -> Array4<f32> {
    let mut graph = trunk(Symbolic("N"));
    graph.output("cells", Float, &[Symbolic("N"), Fixed(CHANNELS), Fixed(4), Fixed(4)]);
    let workplace = Workplace::new(&graph.into_bytes(&[]));
    open(&workplace.path("classifier.onnx")).encode(images.view()).unwrap()
}

#[test]
fn the_grid_before_the_pool_becomes_the_output() {
    let pools = [
        Pool::GlobalAverage,
        Pool::Mean([2, 3]),
        Pool::Mean([-1, -2]),
        Pool::MeanChannelsLast,
        Pool::MeanAfterRelu,
        Pool::MeanOver(Axes::Weight),
        Pool::MeanOver(Axes::Constant),
        Pool::MeanOver(Axes::Numbers),
        Pool::MeanOver(Axes::PassedOn),
        Pool::TwoMeans,
        Pool::MeanOfFlat,
    ];
    for pool in pools {
        for batch in [Symbolic("batch"), Fixed(1), Fixed(8)] {
            let workplace = Workplace::new(&classifier(batch, pool));
            let output = workplace.adapt(&["--resize", "crop"]).unwrap();
            assert!(output.contains("encoder.onnx: 4×4 cells of 4 values"), "{output}");
            let mut encoder = open(&workplace.path("encoder.onnx"));
            assert!(encoder.states_preprocess());
            let stated =
                Preprocess { resize: Resize::Crop, ..Preprocess::imagenet([SIZE as u32; 2]) };
            assert_eq!(encoder.preprocess(), &stated);
            assert_eq!(encoder.encode(images(3).view()).unwrap(), expected(&images(3)));
        }
    }
}

/// The head computes what the whole classifier does.
#[test]
fn the_head_gives_the_probabilities_of_the_classifier() {
    let pools = [Pool::GlobalAverage, Pool::MeanAfterRelu, Pool::TwoMeans, Pool::MeanOfFlat];
    for (pool, batch) in pools.into_iter().zip([Symbolic("batch"), Fixed(1), Fixed(8), Fixed(2)]) {
        let workplace = Workplace::new(&classifier(batch, pool));
        fs::write(workplace.path("names"), "ape\nbee\ncat\ndog\nemu\n").unwrap();
        workplace.adapt(&["--classes", "names"]).unwrap();
        let options = EncoderOptions { classify: true, ..EncoderOptions::default() };
        let mut encoder = Encoder::open(&workplace.path("encoder.onnx"), &options).unwrap();
        assert_eq!(encoder.classes().unwrap(), ["ape", "bee", "cat", "dog", "emu"]);
        let found = encoder.encode_and_classify(images(3).view()).unwrap();
        let pooled = expected(&images(3)).mean_axis(Axis(3)).unwrap().mean_axis(Axis(2)).unwrap();
        let matrix = Array2::from_shape_vec([CHANNELS, 5], weights(CHANNELS * 5)).unwrap();
        let mut classes = pooled.dot(&matrix).exp();
        for mut row in classes.outer_iter_mut() {
            row /= row.sum();
        }
        for (found, expected) in found.classes.unwrap().iter().zip(&classes) {
            assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
        }
    }
}

#[test]
fn a_head_needs_a_name_for_each_class() {
    let workplace = Workplace::new(&classifier(Symbolic("N"), Pool::GlobalAverage));
    for (names, problem) in [
        (
            "ape\nbee",
            "--classes: classifier.onnx: its head has 5 classes, the list has 2 names: write one a line",
        ),
        ("ape\n\ncat\ndog\nemu", "names: line 2 is empty or has control characters"),
    ] {
        fs::write(workplace.path("names"), names).unwrap();
        let error = workplace.adapt(&["--classes", "names"]).unwrap_err();
        assert!(error.contains(problem), "{error}");
        assert_eq!(tests::files_in(workplace.0.path()).len(), 2, "nothing is written");
    }
    fs::write(workplace.path("names"), "ape\nbee\ncat\ndog\nemu").unwrap();
    workplace.adapt(&["--classes", "names"]).unwrap();
    assert!(workplace.path("encoder.onnx.head").exists());
    // It stays beside the same encoder, and not beside another one.
    workplace.adapt(&[]).unwrap();
    assert!(workplace.path("encoder.onnx.head").exists());
    workplace.adapt(&["--resize", "crop"]).unwrap();
    assert!(!workplace.path("encoder.onnx.head").exists());
    // Other files are not touched.
    fs::write(workplace.path("encoder.onnx.head"), "notes").unwrap();
    workplace.adapt(&[]).unwrap();
    assert_eq!(fs::read(workplace.path("encoder.onnx.head")).unwrap(), b"notes");
}

#[test]
fn normalisation_is_taken_from_the_command_line() {
    let workplace = Workplace::new(&classifier(Fixed(1), Pool::GlobalAverage));
    workplace.adapt(&["--mean", "0.5,0.5,0.5", "--std", "0.25,0.5,1"]).unwrap();
    let encoder = open(&workplace.path("encoder.onnx"));
    let usual = Preprocess::imagenet([SIZE as u32; 2]);
    let expected = Preprocess { mean: [0.5; 3], std: [0.25, 0.5, 1.0], ..usual };
    assert_eq!(encoder.preprocess(), &expected);
    assert!(
        workplace.adapt(&["--std", "0,1,1"]).unwrap_err().contains("--std: must be above zero")
    );
    assert!(workplace.adapt(&["--mean", "1,2"]).unwrap_err().starts_with("Some(2)"));
}

/// An encoder keeps its preprocessing when it is adapted again, but for what flags change.
#[test]
fn a_stated_preprocessing_is_kept() {
    let workplace = Workplace::new(&classifier(Fixed(1), Pool::GlobalAverage));
    workplace
        .adapt(&["--mean", "0.5,0.25,0.5", "--std", "0.25,0.5,1", "--resize", "crop"])
        .unwrap();
    let stated = open(&workplace.path("encoder.onnx")).preprocess().clone();
    fs::rename(workplace.path("encoder.onnx"), workplace.path("classifier.onnx")).unwrap();
    workplace.adapt(&[]).unwrap();
    assert_eq!(*open(&workplace.path("encoder.onnx")).preprocess(), stated);
    workplace.adapt(&["--std", "1,1,1"]).unwrap();
    let changed = Preprocess { std: [1.0; 3], ..stated };
    assert_eq!(*open(&workplace.path("encoder.onnx")).preprocess(), changed);
}

#[test]
fn what_cannot_be_cut_is_refused_and_nothing_is_written() {
    let channels_last = {
        let mut graph = Graph::new("channels last");
        graph.input("image", Float, &[Fixed(1), Fixed(SIZE), Fixed(SIZE), Fixed(3)]);
        graph.node("GlobalAveragePool", &["image"], &["pooled"], &[]);
        graph.output("pooled", Float, &[Fixed(1), Fixed(SIZE), Fixed(1), Fixed(1)]);
        graph.into_bytes(&[])
    };
    let two_inputs = {
        let mut graph = Graph::new("two inputs");
        for name in ["a", "b"] {
            graph.input(name, Float, &[Fixed(1), Fixed(3), Fixed(8), Fixed(8)]);
        }
        graph.node("Add", &["a", "b"], &["sum"], &[]);
        graph.output("sum", Float, &[Fixed(1), Fixed(3), Fixed(8), Fixed(8)]);
        graph.into_bytes(&[])
    };
    let fixed_inside = {
        let mut graph = Graph::new("fixed inside");
        graph.input("image", Float, &[Fixed(1), Fixed(3), Fixed(SIZE), Fixed(SIZE)]);
        graph.integers("shape", &[1, 3, SIZE as i64, SIZE as i64]);
        graph.node("Reshape", &["image", "shape"], &["cells"], &[]);
        graph.node("GlobalAveragePool", &["cells"], &["pooled"], &[]);
        graph.output("pooled", Float, &[Fixed(1), Fixed(3), Fixed(1), Fixed(1)]);
        graph.into_bytes(&[])
    };
    let cases: [(&[u8], &str); 6] = [
        (&classifier(Fixed(1), Pool::None), "no global pool is between"),
        (&channels_last, "channels first (tf2onnx: --inputs-as-nchw image)"),
        (&two_inputs, "it has 2 inputs"),
        (&fixed_inside, "the network made from it does not run"),
        (b"<html>not found</html>", "not an ONNX file"),
        (b"", "it holds no network"),
    ];
    for (bytes, reason) in cases {
        let workplace = Workplace::new(bytes);
        let error = workplace.adapt(&[]).unwrap_err();
        assert!(error.starts_with("Some(1)"), "{error}");
        assert!(error.contains("error: classifier.onnx: "), "{error}");
        assert!(error.contains(reason), "no `{reason}` in {error}");
        assert_eq!(fs::read_dir(workplace.0.path()).unwrap().count(), 1, "something was written");
    }
}

/// The trunk, with its grid brought to channels last by `turn`, which names its output.
fn channels_last(turn: impl Fn(&mut Graph) -> &'static str) -> Vec<u8> {
    let mut graph = trunk(Symbolic("N"));
    let output = turn(&mut graph);
    graph.output(output, Float, &[Symbolic("N"), Fixed(4), Fixed(4), Fixed(CHANNELS)]);
    graph.into_bytes(&[])
}

#[test]
fn channels_that_are_last_are_turned_or_refused() {
    let perm = [Attribute::Ints("perm", &[0, 2, 3, 1])];
    let plain = channels_last(|graph| {
        graph.node("Transpose", &["cells"], &["last"], &perm);
        "last"
    });
    let with_relu = channels_last(|graph| {
        graph.node("Transpose", &["cells"], &["turned"], &perm);
        graph.node("Relu", &["turned"], &["last"], &[]);
        "last"
    });
    let options = EncoderOptions::default();
    for network in [plain, with_relu] {
        let workplace = Workplace::new(&network);
        let error = Encoder::open(&workplace.path("classifier.onnx"), &options).unwrap_err();
        assert!(error.to_string().contains("[N,h,w,C], channels last"), "{error}");
        workplace.adapt(&[]).unwrap();
        let mut encoder = open(&workplace.path("encoder.onnx"));
        assert_eq!(encoder.encode(images(1).view()).unwrap(), expected(&images(1)));
    }
    // A product over the channels hides the order in the graph, but not in a run.
    let hidden = channels_last(|graph| {
        graph.node("Transpose", &["cells"], &["turned"], &perm);
        graph.weight("mixing", &[CHANNELS, CHANNELS], &weights(CHANNELS * CHANNELS));
        graph.node("MatMul", &["turned", "mixing"], &["last"], &[]);
        "last"
    });
    let workplace = Workplace::new(&hidden);
    let error = workplace.adapt(&[]).unwrap_err();
    assert!(error.contains("[N,h,w,C], channels last"), "{error}");
    // Turned back they are first.
    let turned_back = channels_last(|graph| {
        graph.node("Transpose", &["cells"], &["turned"], &perm);
        graph.weight("mixing", &[CHANNELS, CHANNELS], &weights(CHANNELS * CHANNELS));
        graph.node("MatMul", &["turned", "mixing"], &["mixed"], &[]);
        graph.node("Transpose", &["mixed"], &["first"], &[Attribute::Ints("perm", &[0, 3, 1, 2])]);
        "first"
    });
    let workplace = Workplace::new(&turned_back);
    workplace.adapt(&[]).unwrap();
    assert_eq!(open(&workplace.path("classifier.onnx")).grid(), [4, 4, CHANNELS].into());
}

/// A convolution with a square kernel.
struct Convolution {
    inputs: usize,
    side: usize,
    stride: usize,
}

fn convolution(graph: &mut Graph, from: &str, to: &str, convolution: &Convolution) {
    let &Convolution { inputs, side, stride } = convolution;
    let kernel = format!("{to}.kernel");
    let shape = [CHANNELS, inputs, side, side];
    graph.weight(&kernel, &shape, &weights(shape.iter().product()));
    let strides = [Attribute::Ints("strides", &[stride as i64; 2])];
    graph.node("Conv", &[from, &kernel], &[to], &strides);
}

/// Two stages; the second, on cells twice as wide, has two blocks with a way around each. The graph ends
/// in the values that are named.
fn residual(outputs: &[&str]) -> Vec<u8> {
    let mut graph = Graph::new("residual");
    graph.input("image", Float, &[Fixed(1), Fixed(3), Fixed(SIZE), Fixed(SIZE)]);
    convolution(&mut graph, "image", "stem", &Convolution { inputs: 3, side: 4, stride: 4 });
    graph.node("Relu", &["stem"], &["first"], &[]);
    convolution(&mut graph, "first", "wide", &Convolution { inputs: CHANNELS, side: 2, stride: 2 });
    convolution(
        &mut graph,
        "first",
        "short",
        &Convolution { inputs: CHANNELS, side: 1, stride: 2 },
    );
    graph.node("Add", &["wide", "short"], &["second.sum"], &[]);
    graph.node("Relu", &["second.sum"], &["second"], &[]);
    convolution(&mut graph, "second", "way", &Convolution { inputs: CHANNELS, side: 1, stride: 1 });
    graph.node("Add", &["way", "second"], &["third.sum"], &[]);
    graph.node("Relu", &["third.sum"], &["third"], &[]);
    if outputs == ["scores"] {
        graph.node("GlobalAveragePool", &["third"], &["scores"], &[]);
    }
    for output in outputs {
        graph.output(output, Float, &[Symbolic("N"), Fixed(CHANNELS), Fixed(4), Fixed(4)]);
    }
    graph.into_bytes(&[])
}

#[test]
fn the_last_blocks_lie_side_by_side_each_normalised() {
    let grid_of = |output| {
        let workplace = Workplace::new(&residual(&[output]));
        let mut encoder = open(&workplace.path("classifier.onnx"));
        let planes = encoder.encode(images(1).view()).unwrap();
        cells_last(planes.view()).into_raw_vec_and_offset().0
    };
    let blocks = ["third", "second"].map(grid_of);
    let normalised = |cell: &[f32]| {
        let mean = cell.iter().map(|value| value * value).sum::<f32>() / cell.len() as f32;
        cell.iter().map(|value| value / (mean + 1e-6).sqrt()).collect::<Vec<_>>()
    };
    let [third, second] = blocks.each_ref().map(|block| block.chunks(CHANNELS).map(normalised));
    let expected = third.zip(second).flat_map(|(third, second)| [third, second].concat());
    for output in ["scores", "third"] {
        let workplace = Workplace::new(&residual(&[output]));
        let output = workplace.adapt(&["--blocks", "2"]).unwrap();
        assert!(output.contains("4×4 cells of 8 values"), "{output}");
        let mut encoder = open(&workplace.path("encoder.onnx"));
        let found = cells_last(encoder.encode(images(1).view()).unwrap().view());
        for (found, expected) in found.iter().zip(expected.clone()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        let error = workplace.adapt(&["--blocks", "3"]).unwrap_err();
        assert!(error.contains("comes from 2 blocks of that size, not 3"), "{error}");
    }
}
