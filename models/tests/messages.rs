//! Snapshots of the errors of networks and images, as users read them.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::io;
use std::path::{Path, PathBuf};

use common::PreprocessError;
use models::{Error, ImageError, RuntimeError};
use tests::messages;

fn text(text: &str) -> String {
    text.to_owned()
}

fn missing() -> io::Error {
    io::Error::from_raw_os_error(2)
}

fn not_json() -> serde_json::Error {
    serde_json::from_str::<u8>("{").unwrap_err()
}

/// Errors of the parts of a model and of its folder.
fn errors_of_folders() -> [Error; 5] {
    let manifest = || PathBuf::from("models/flickr8k/captioner.json");
    let onnx = || PathBuf::from("models/encoder.onnx");
    [
        Error::NoModel { path: manifest() },
        Error::NotAManifest { path: manifest(), source: not_json() },
        Error::Format {
            path: manifest(),
            found: text("model 2"),
            expected: models::bundle::FORMAT,
        },
        Error::OtherModel { path: onnx(), found: text("abab"), expected: text("cdcd") },
        Error::NoEncoder {
            folder: PathBuf::from("models/flickr8k"),
            name: text("encoder.onnx"),
            paths: vec![PathBuf::from("models/flickr8k/encoder.onnx"), onnx()],
            sha256: text("abab"),
        },
    ]
}

#[test]
fn errors_of_models() {
    // An error of `ort` is one of the library.
    models::runtime::environment().unwrap();
    let [onnx, index] =
        ["encoder.onnx", "neighbours.cbor"].map(|file| move || Path::new("models").join(file));
    let folders = vec![PathBuf::from("/opt/lib"), PathBuf::from("native")];
    let refused = || ort::Error::new("invalid model");
    let errors = [
        Error::Io { path: onnx(), source: missing() },
        Error::Runtime(RuntimeError::NotFound { folders }),
        Error::Onnx { path: onnx(), source: refused() },
        Error::Neighbours { path: index(), reason: text("its parts contradict each other") },
        Error::Head {
            path: PathBuf::from("models/encoder.onnx.head"),
            reason: text("the head of another encoder"),
        },
        Error::Metadata { path: onnx(), source: not_json() },
        Error::Preprocess { path: onnx(), source: PreprocessError::Size { height: 0, width: 224 } },
        Error::ExternalData { path: onnx(), location: text("encoder.data"), source: missing() },
        Error::Run { network: text("the encoder"), source: refused() },
        Error::NotAnEncoder {
            path: onnx(),
            found: text("input f32 [N,3,H,W], output f32 [N,1000]"),
        },
        Error::ChannelsLast { path: onnx(), grid: [7, 7, 1280] },
        Error::Images { found: [3, 64, 64], expected: [3, 224, 224] },
        Error::NoCuda { problem: text("no CUDA device") },
        Error::NotADecoder { path: onnx(), missing: text("state.hidden") },
    ];
    let errors = errors.into_iter().chain(errors_of_folders()).collect::<Vec<_>>();
    let source = include_str!("../src/error.rs");
    insta::assert_snapshot!("models", messages(source, "Error", &errors));
    let errors = [
        RuntimeError::NotFound { folders: vec![PathBuf::from("/opt/lib")] },
        RuntimeError::Unusable { message: text("the file is too short") },
    ];
    insta::assert_snapshot!("runtime", messages(source, "RuntimeError", &errors));
}

#[test]
fn errors_of_images() {
    let errors = [
        ImageError::NotAnImage,
        ImageError::Unsupported(text("arithmetic coding")),
        ImageError::Truncated,
        ImageError::TooLarge { width: 100_000, height: 50_000, max_pixels: 100_000_000 },
        ImageError::Damaged(text("it has no pixels")),
    ];
    let source = include_str!("../src/decode/mod.rs");
    insta::assert_snapshot!("images", messages(source, "ImageError", &errors));
}
