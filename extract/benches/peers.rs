//! `extract` compared with the encoder alone and with two programs in Python, in turn, several rounds in
//! one run; medians. Real photos, a real ResNet50 (see CONTRIBUTING.md). Start-up is not counted.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use models::Encoder;
use models::encoder::EncoderOptions;
use ndarray::Array4;
use serde_json::Value;
use tests::median;

/// The photos are repeated up to this number.
const IMAGES: usize = 1000;
const BATCH: usize = 8;
const ROUNDS: usize = 3;

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

    /// Seconds that `extract` reports, from the first image to the last.
    fn extract(&self) -> f64 {
        let store = self.scratch.join("store.h5");
        let _ = fs::remove_file(&store);
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
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(summary["summary"]["written"], self.count);
        summary["summary"]["seconds"].as_f64().unwrap()
    }

    /// Seconds that a peer prints.
    fn peer(&self, python: &Path, script: &str, arguments: &[&Path], batch: usize) -> f64 {
        let threads = std::thread::available_parallelism().unwrap().to_string();
        let output = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers").join(script))
            .arg(&self.images)
            .args(arguments)
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
    let (Some(photos), Some(encoder)) =
        (tests::shared("photos"), tests::shared("models/resnet50-v1.onnx"))
    else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let images = scratch.path().join("Images");
    fs::create_dir(&images).unwrap();
    let photos = tests::files_in(&photos);
    let copies = IMAGES.div_ceil(photos.len());
    for copy in 0..copies {
        for photo in &photos {
            let name = format!("{copy}-{}", photo.file_name().unwrap().to_str().unwrap());
            fs::copy(photo, images.join(name)).unwrap();
        }
    }
    let count = copies * photos.len();
    let bench = Bench { images, count, encoder, scratch: scratch.path().to_path_buf() };
    let peers = tests::peers();
    let encoder = bench.encoder.clone();
    let mut seconds: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        seconds[0].push(bench.bare());
        seconds[1].push(bench.extract());
        if let Some(python) = &peers {
            seconds[2].push(bench.peer(python, "onnxruntime_pillow.py", &[&encoder], BATCH));
            // Its best batch size on the CPU is one.
            seconds[3].push(bench.peer(python, "torchvision_dataloader.py", &[], 1));
        }
    }
    let [bare, extract, ..] = [0, 1].map(|part| median(&seconds[part]));
    println!("{count} photos, medians of {ROUNDS} rounds, {seconds:.1?} s");
    println!("extract: {:.1} images/s", count as f64 / extract);
    println!("extract ÷ the encoder alone:               {:.3}", bare / extract);
    if peers.is_some() {
        println!("extract ÷ ONNX Runtime + Pillow in Python: {:.3}", median(&seconds[2]) / extract);
        println!("extract ÷ torchvision + DataLoader:        {:.3}", median(&seconds[3]) / extract);
    }
}
