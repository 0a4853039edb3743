//! `encoder convert` on state dicts of small networks: the grids are those of `PyTorch`, which
//! `fixtures/checkpoints/make.py` wrote down.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod program;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use models::encoder::{EncoderOptions, cells_last};
use models::{Encoder, Preprocess};
use ndarray::Array4;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use program::encoder;

const SIZE: usize = 64;

#[derive(Deserialize)]
struct Grid {
    /// Channels, height, width.
    shape: [usize; 3],
    values: Vec<f32>,
}

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints").join(file)
}

fn convert(weights: &Path, out: &Path) -> Result<String, String> {
    let [weights, out] = [weights, out].map(|path| path.to_str().unwrap());
    encoder(Path::new("."), &["convert", weights, "--size", "64", "--out", out])
}

#[test]
fn grids_are_those_of_pytorch() {
    let grids = fs::read(fixture("grids.json")).unwrap();
    let grids = serde_json::from_slice::<HashMap<String, Grid>>(&grids).unwrap();
    assert_eq!(grids.len(), 3);
    let folder = tempfile::tempdir().unwrap();
    for (file, expected) in grids {
        let out = folder.path().join(&file).with_extension("onnx");
        let output = convert(&fixture(&file), &out).unwrap();
        let [channels, height, width] = expected.shape;
        assert!(
            output.contains(&format!("{height}×{width} cells of {channels} values")),
            "{output}"
        );
        let mut encoder = Encoder::open(&out, &EncoderOptions::default()).unwrap();
        let image = (0..3 * SIZE * SIZE).map(|at| (at % 251) as f32 / 125.0 - 1.0);
        let image = Array4::from_shape_vec([1, 3, SIZE, SIZE], image.collect()).unwrap();
        let found = cells_last(encoder.encode(image.view()).unwrap().view());
        for (at, value) in found.iter().enumerate() {
            let expected = expected.values[at % channels * height * width + at / channels];
            assert!((value - expected).abs() < 1e-4, "{file}: {value} for {expected} at {at}");
        }
    }
}

#[test]
fn families_see_images_as_they_were_trained() {
    let folder = tempfile::tempdir().unwrap();
    let preprocess = |file: &str| {
        let out = folder.path().join("encoder.onnx");
        convert(&fixture(file), &out).unwrap();
        Encoder::open(&out, &EncoderOptions::default()).unwrap().preprocess().clone()
    };
    assert_eq!(preprocess("basic.pth"), Preprocess::imagenet([SIZE as u32; 2]));
    let lite = preprocess("lite.pth");
    for pixel in [0.0, 127.0, 255.0] {
        let value = (pixel / 255.0 - lite.mean[0]) / lite.std[0];
        assert!((value - (pixel - 127.0) / 128.0).abs() < 1e-6, "{value} for {pixel}");
    }
}

/// The shapes and the bytes of tensors by their names.
type Tensors = HashMap<String, (Vec<usize>, Vec<u8>)>;

/// A copy of the bottleneck network's tensors, changed.
fn changed(change: impl Fn(&mut Tensors)) -> Result<String, String> {
    let bytes = fs::read(fixture("bottleneck.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = file.iter().filter(|(_, view)| view.dtype() == Dtype::F32);
    let owned = |(name, view): (&str, TensorView)| {
        (name.to_owned(), (view.shape().to_vec(), view.data().to_vec()))
    };
    let mut tensors = floats.map(owned).collect::<Tensors>();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, (shape, data))| {
        (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    safetensors::serialize_to_file(views, None, &path).unwrap();
    let out = folder.path().join("encoder.onnx");
    let output = convert(&path, &out);
    assert_eq!(out.exists(), output.is_ok());
    output
}

#[test]
fn what_is_missing_left_over_or_misshapen_is_refused_by_name() {
    changed(|_| {}).unwrap();
    let refused = |change: &dyn Fn(&mut Tensors), part: &str| {
        let error = changed(change).unwrap_err();
        assert!(error.contains(part) && error.contains("changed.safetensors"), "{error}");
    };
    let gate = || (vec![1], vec![0; 4]);
    refused(&|of| drop(of.remove("layer2.0.bn2.bias")), "it has no tensor `layer2.0.bn2.bias`");
    refused(&|of| drop(of.insert("layer1.0.se.fc1.bias".into(), gate())), "`layer1.0.se.fc1.bias`");
    refused(
        &|of| drop(of.insert("bn1.weight".into(), gate())),
        "its tensor `bn1.weight` is not [4]",
    );
    refused(&|of| drop(of.insert("conv1.weight".into(), gate())), "not of 4 axes");
    refused(&|of| drop(of.remove("layer3.0.downsample.0.weight")), "cannot be added");
    refused(&|of| drop(of.remove("conv1.weight")), "it has no tensor `conv1.weight`");
    refused(&|of| of.retain(|name, _| name.starts_with("fc.")), "no network known here: ResNet");
}

#[test]
fn damaged_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["bottleneck.safetensors", "basic.pth", "lite.pth"] {
        let bytes = fs::read(fixture(file)).unwrap();
        for length in [0, 1, 100, bytes.len() / 2, bytes.len() - 1] {
            let path = folder.path().join(file);
            fs::write(&path, &bytes[..length]).unwrap();
            let error = convert(&path, &folder.path().join("encoder.onnx")).unwrap_err();
            assert!(error.starts_with("error: ") && error.contains(file), "{error}");
        }
    }
}

/// A named pipe would be waited for.
#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["convert", "adapt", "quantize"] {
        for (file, problem) in [
            ("pipe", "not a regular file: save the content as a file first"),
            ("", "a folder, not a file: name a file"),
            ("gone", "not found: check the path"),
        ] {
            let path = folder.path().join(file);
            if file == "pipe" && !path.exists() {
                assert!(
                    std::process::Command::new("mkfifo").arg(&path).status().unwrap().success()
                );
            }
            let captions = folder.path().join("captions.txt");
            fs::write(&captions, "image,caption\n1.jpg,a\n2.jpg,b\n3.jpg,c\n").unwrap();
            let mut program = Command::new(env!("CARGO_BIN_EXE_encoder"));
            program.arg(command).arg(&path).arg("--out").arg(folder.path().join("out.onnx"));
            if command == "quantize" {
                program.arg("--captions").arg(captions);
            }
            let output = program.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{command}: {said}");
            assert!(said.contains(problem) && !said.contains("os error"), "{command}: {said}");
        }
    }
}
