//! Captions a second of training, recipe beside recipe and beside the same network in `PyTorch`, in
//! turn, several rounds in one run; medians. Real captions (see CONTRIBUTING.md) on grids of noise:
//! speed does not depend on the content of grids.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a bench need not survive a kill")]

#[path = "../tests/runs/store.rs"]
mod store;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{GridShape, View};
use data::vocabulary::START;
use data::{Captions, Corpus, Splits};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tch::Device;
use tests::figures::{Figure, Goal};
use train::dataset::DataSet;
use train::fit::{Fit, TrainingData};
use train::run::RunFolder;
use train::settings::{NetworkConfig, Precision, Recipe, Training};

const IMAGES: usize = 320;
const ROUNDS: usize = 5;
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
    let corpus = Corpus::new(captions, &splits);
    support::training_data(DataSet { number: 0, corpus, splits, store })
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

/// The ways in which the peer trains.
const PEERS: [&str; 4] = ["tutorial", "grouped", "compiled", "encoder"];
/// The exit status of a peer that cannot be measured on this machine.
const SKIPPED: i32 = 77;

/// Captions a second that a peer prints; `None` with a message if it cannot be measured on this machine.
fn peer(python: &Path, how: &str, folder: &Path, photos: &Path) -> Option<f64> {
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
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) {
        tests::skip_part(said.trim());
        return None;
    }
    assert!(output.status.success(), "{how}: {said}");
    Some(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
}

/// The goal of a recipe divided by a peer. With bfloat16 products there is one where they are the default, as they are faster.
fn goal(recipe: Recipe, precision: Precision, how: &str) -> Option<Goal> {
    let is_default = Training::preset(recipe, &[View::Original]).precision == precision;
    let [show_attend_tell, adaptive] = match (precision, how) {
        (Precision::F32, "tutorial") => [2.6, 3.0],
        (Precision::Bf16, "tutorial") if is_default => [3.0, 4.0],
        (Precision::Bf16, "grouped") if is_default => [2.6, 3.4],
        _ => return None,
    };
    Some(Goal::AtLeast(match recipe {
        Recipe::ShowAttendTell => show_attend_tell,
        Recipe::Adaptive => adaptive,
    }))
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
    let (mut ours, mut peers) = (own.map(|_| Vec::new()), PEERS.map(|_| Vec::new()));
    for _ in 0..ROUNDS {
        for ((recipe, precision), speeds) in own.iter().zip(&mut ours) {
            speeds.push(speed(&data, scratch.path(), *recipe, *precision));
        }
        let Some(python) = &python else { continue };
        for (how, speeds) in PEERS.iter().zip(&mut peers) {
            speeds.extend(peer(python, how, scratch.path(), &photos));
        }
    }
    for (how, speeds) in PEERS.iter().zip(&peers).filter(|(_, speeds)| !speeds.is_empty()) {
        Figure::from_rounds(format!("PyTorch, {how}"), "captions/s", speeds).report();
    }
    for ((recipe, precision), speeds) in own.iter().zip(&ours) {
        let name = format!("{recipe} {precision:?}");
        Figure::from_rounds(&name, "captions/s", speeds).report();
        for (how, theirs) in PEERS.iter().zip(&peers).filter(|(_, speeds)| !speeds.is_empty()) {
            Figure::from_quotients(format!("{name} ÷ PyTorch, {how}"), speeds, theirs)
                .with_goal(goal(*recipe, *precision, how))
                .report();
        }
    }
}
