//! Captions a second of training, recipe beside recipe and beside the same network in `PyTorch`, in
//! turn, several rounds in one run; medians. Real captions (see CONTRIBUTING.md) on grids of noise:
//! speed does not depend on the content of grids.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a file of a bench need not survive a kill")]

#[path = "../tests/runs/store.rs"]
mod store;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::GridShape;
use data::vocabulary::START;
use data::{Captions, Splits};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tch::Device;
use tests::median;
use train::dataset::DataSet;
use train::fit::{Fit, TrainingData};
use train::run::RunFolder;
use train::settings::{NetworkConfig, Precision, Recipe, Training};

const IMAGES: usize = 320;
const ROUNDS: usize = 3;
const GRID: GridShape = GridShape { height: 7, width: 7, channels: 2048 };

/// Images with their captions, one of them to be scored.
fn training_data(shared: &Path, scratch: &Path) -> TrainingData {
    let captions = Captions::read(&shared.join("captions.txt")).unwrap();
    let splits = Splits::find(shared).unwrap();
    let of_split = |split, most| {
        let images = captions.iter().filter(|of| splits.split_of(&of.image) == Some(split));
        images.take(most).map(|of| of.image.clone()).collect::<Vec<_>>()
    };
    let names = [of_split(data::Split::Train, IMAGES), of_split(data::Split::Dev, 1)].concat();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let noise = |_, _| random.random_range(-1.0f32..1.0).max(0.0);
    let store = store::store(&scratch.join("noise.h5"), "noise", GRID, &names, noise);
    support::training_data(DataSet { number: 0, captions, splits, store })
}

/// Captions a second in the second epoch, as recorded by the run.
fn speed(data: &TrainingData, scratch: &Path, recipe: Recipe, precision: Precision) -> f64 {
    let config =
        support::config(data, recipe, |preset| Training { epochs: 1, precision, ..preset });
    let folder = RunFolder::new(&scratch.join("run"));
    Fit::new(&folder, &config, data, Device::Cpu).unwrap().run().unwrap();
    let lines = fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
    fs::remove_dir_all(folder.path()).unwrap();
    let line: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    line["captions_per_second"].as_f64().unwrap()
}

/// Writes the input of the peers: the grids, and the captions as word numbers.
fn write_for_peers(data: &TrainingData, folder: &Path) {
    let sizes = NetworkConfig::new(Recipe::ShowAttendTell, GRID.channels, data.vocabulary.len());
    let mut sizes = serde_json::to_value(sizes).unwrap();
    sizes.as_object_mut().unwrap().remove("heads");
    let (mut grids, mut images) = (Vec::new(), Vec::new());
    let mut grid = vec![0; data.grids.grid_bytes()];
    for image in &data.training {
        data.grids.read_bytes(image, &mut grid).unwrap();
        grids.extend_from_slice(&grid);
        let captions = image.captions.iter().map(|caption| [&[START], &caption.words[..]].concat());
        images.push(captions.collect::<Vec<_>>());
    }
    fs::write(folder.join("grids.f16"), grids).unwrap();
    let document = json!({ "sizes": sizes, "images": images });
    fs::write(folder.join("captions.json"), document.to_string()).unwrap();
}

/// Captions a second that a peer prints.
fn peer(python: &Path, how: &str, folder: &Path, photos: &Path) -> f64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers/captioner.py");
    let threads = std::thread::available_parallelism().unwrap().to_string();
    let output = Command::new(python)
        .arg(script)
        .arg(how)
        .arg(folder)
        .arg(threads)
        .arg(photos)
        .output()
        .unwrap();
    assert!(output.status.success(), "{how}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn main() {
    let (Some(shared), Some(photos)) = (tests::shared("flickr8k"), tests::shared("photos")) else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let data = training_data(&shared, scratch.path());
    write_for_peers(&data, scratch.path());
    let python = tests::peers();
    let own = [
        (Recipe::ShowAttendTell, Precision::F32),
        (Recipe::ShowAttendTell, Precision::Bf16),
        (Recipe::Adaptive, Precision::F32),
        (Recipe::Adaptive, Precision::Bf16),
    ];
    let theirs = ["tutorial", "grouped", "encoder"];
    let (mut ours, mut peers) = (own.map(|_| Vec::new()), theirs.map(|_| Vec::new()));
    for _ in 0..ROUNDS {
        for ((recipe, precision), speeds) in own.iter().zip(&mut ours) {
            speeds.push(speed(&data, scratch.path(), *recipe, *precision));
        }
        for (how, speeds) in theirs.iter().zip(&mut peers).filter(|_| python.is_some()) {
            speeds.push(peer(python.as_deref().unwrap(), how, scratch.path(), &photos));
        }
    }
    for ((recipe, precision), speeds) in own.iter().zip(&ours) {
        println!("{recipe} {precision:?}: {:.0} captions/s {speeds:.0?}", median(speeds));
        for (how, theirs) in theirs.iter().zip(&peers).filter(|(_, speeds)| !speeds.is_empty()) {
            println!("  ÷ PyTorch, {how}: {:.2}", median(speeds) / median(theirs));
        }
    }
    for (how, speeds) in theirs.iter().zip(&peers).filter(|(_, speeds)| !speeds.is_empty()) {
        println!("PyTorch, {how}: {:.1} captions/s {speeds:.1?}", median(speeds));
    }
}
