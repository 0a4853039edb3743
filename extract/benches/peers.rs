//! `extract` compared with the encoder alone, with two encoders and two sizes of photos, and with two programs in Python, in
//! turn, several rounds in one run; medians. Real photos, a real ResNet50 (see CONTRIBUTING.md), and the encoder of the bundled
//! model. The speed is that from the first image to the last; start-up is a figure of its own.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a file of a bench need not survive a kill")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use models::Encoder;
use models::encoder::EncoderOptions;
use ndarray::Array4;
use serde_json::Value;
use tests::figures::{Figure, Goal};

/// The photos are repeated up to this number.
const IMAGES: usize = 1000;
const BATCH: usize = 8;
const ROUNDS: usize = 3;
/// The width and height of the small photos, which the encoders take, in pixels.
const SMALL: u32 = 224;
const QUALITY: u8 = 90;

const ONNX_RUNTIME: &str = "onnxruntime_pillow.py";
/// Programs in Python: name, script, and its best batch size on the CPU.
const PEERS: [(&str, &str, usize); 2] = [
    ("ONNX Runtime and Pillow in Python", ONNX_RUNTIME, BATCH),
    ("torchvision and a DataLoader", "torchvision_dataloader.py", 1),
];

struct Bench {
    images: PathBuf,
    count: usize,
    encoder: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    /// Seconds of the encoder alone, fed with batches that are ready.
    fn bare(&self) -> f64 {
        let mut encoder = Encoder::open(&self.encoder, &EncoderOptions::default()).unwrap();
        let [channels, height, width] = encoder.preprocess().shape();
        let tensors = Array4::from_elem([BATCH, channels, height, width], 0.1);
        encoder.encode(tensors.view()).unwrap();
        let start = Instant::now();
        for _ in 0..self.count / BATCH {
            encoder.encode(tensors.view()).unwrap();
        }
        start.elapsed().as_secs_f64() * self.count as f64 / (self.count / BATCH * BATCH) as f64
    }

    /// Seconds that `extract` reports, from the first image to the last, and those of the whole command beside them.
    fn extract(&self) -> [f64; 2] {
        let store = self.scratch.join("store.h5");
        let _ = fs::remove_file(&store);
        let start = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_extract"))
            .arg("--images")
            .arg(&self.images)
            .arg("--encoder")
            .arg(&self.encoder)
            .arg("--store")
            .arg(&store)
            .args(["--device", "cpu", "--batch", &BATCH.to_string()])
            .output()
            .unwrap();
        let whole = start.elapsed().as_secs_f64();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(summary["summary"]["written"], self.count);
        let seconds = summary["summary"]["seconds"].as_f64().unwrap();
        [seconds, whole - seconds]
    }

    /// `extract` beside the encoder alone and, with a Python, beside the peers.
    fn compare(&self, of: &str, goal: f64, python: Option<&Path>) {
        let (mut bare, mut extract, mut start) = (Vec::new(), Vec::new(), Vec::new());
        let mut peers = PEERS.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            bare.push(self.bare());
            let [seconds, others] = self.extract();
            extract.push(seconds);
            start.push(others);
            let Some(python) = python else { continue };
            for ((_, script, batch), seconds) in PEERS.iter().zip(&mut peers) {
                let encoder = (*script == ONNX_RUNTIME).then_some(self.encoder.as_path());
                seconds.push(self.peer(python, script, encoder, *batch));
            }
        }
        let rates = extract.iter().map(|seconds| self.count as f64 / seconds).collect::<Vec<_>>();
        Figure::from_rounds(format!("{of}: extract"), "images/s", &rates).report();
        Figure::from_quotients(format!("{of}: extract ÷ the encoder alone"), &bare, &extract)
            .with_goal(Goal::AtLeast(goal))
            .report();
        Figure::from_seconds(format!("{of}: start and end of extract"), &start).report();
        for ((name, ..), seconds) in PEERS.iter().zip(&peers).filter(|(_, all)| !all.is_empty()) {
            let name = format!("{of}: extract ÷ {name}");
            Figure::from_quotients(name, seconds, &extract).report();
        }
    }

    /// Seconds that a peer prints.
    fn peer(&self, python: &Path, script: &str, encoder: Option<&Path>, batch: usize) -> f64 {
        let threads = std::thread::available_parallelism().unwrap().to_string();
        let output = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers").join(script))
            .arg(&self.images)
            .args(encoder)
            .arg(self.scratch.join("peer.bin"))
            .args([&batch.to_string(), &threads])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {text}");
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }
}

fn main() {
    let (Some(photos), Some(resnet50)) =
        (tests::shared("photos"), tests::shared("models/resnet50-v1.onnx"))
    else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let photos = tests::files_in(&photos);
    let count = photos.len() * IMAGES.div_ceil(photos.len());
    let [large, small] = ["large", "small"].map(|name| scratch.path().join(name));
    repeat(&photos, &large);
    repeat(&shrink(&photos, scratch.path()), &small);
    println!("{count} photos, medians of {ROUNDS} rounds");
    let peers = tests::peers();
    let own = tests::bundled_encoder();
    let encoders =
        [("ResNet50", Some(resnet50), [0.95, 0.97]), ("EfficientNet-Lite2", own, [0.85, 0.93])];
    for (name, encoder, [goal_of_large, goal_of_small]) in encoders {
        let Some(encoder) = encoder else { continue };
        let bench = |images: &Path| Bench {
            images: images.to_path_buf(),
            count,
            encoder: encoder.clone(),
            scratch: scratch.path().to_path_buf(),
        };
        // The peers compute what ResNet50 does.
        let python = peers.as_deref().filter(|_| name == "ResNet50");
        bench(&large).compare(&format!("{name}, about 500×375"), goal_of_large, python);
        bench(&small).compare(&format!("{name}, {SMALL}×{SMALL}"), goal_of_small, None);
    }
}

/// Copies photos into a new folder, repeated up to [`IMAGES`].
fn repeat(photos: &[PathBuf], folder: &Path) {
    fs::create_dir(folder).unwrap();
    for copy in 0..IMAGES.div_ceil(photos.len()) {
        for photo in photos {
            let name = format!("{copy}-{}", photo.file_name().unwrap().to_str().unwrap());
            fs::copy(photo, folder.join(name)).unwrap();
        }
    }
}

/// Writes the photos in the size of the encoders' input into a folder in `scratch`.
fn shrink(photos: &[PathBuf], scratch: &Path) -> Vec<PathBuf> {
    let folder = scratch.join("shrunk");
    fs::create_dir(&folder).unwrap();
    let shrunk = photos.iter().map(|photo| {
        let path = folder.join(photo.file_name().unwrap());
        let image = image::open(photo).unwrap().resize_exact(SMALL, SMALL, FilterType::Triangle);
        let file = File::create(&path).unwrap();
        image.write_with_encoder(JpegEncoder::new_with_quality(file, QUALITY)).unwrap();
        path
    });
    shrunk.collect()
}
