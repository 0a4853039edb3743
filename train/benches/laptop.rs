//! Training on as many images and captions as COCO 2017 has, beside training on as many as Flickr8k has, in turn in one
//! run: captions a second and memory. Real captions (see CONTRIBUTING.md), repeated, on grids of noise: speed does not
//! depend on the content of grids. The scores of such a run mean nothing.
//!
//! The stores take 18 GB, so it needs a folder for them: `SHOWTELL_BENCH_LAPTOP=/scratch make bench BENCH=laptop`.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a file of a bench need not survive a kill")]

#[path = "../tests/runs/store.rs"]
mod store;
mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::GridShape;
use data::{Captions, Corpus, Splits};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::Device;
use tests::figures::Figure;
use train::dataset::DataSet;
use train::fit::{Fit, TrainingData};
use train::run::RunFolder;
use train::settings::Recipe;

use crate::support::{config, training_data};

/// Training images of Flickr8k and of COCO 2017.
const IMAGES: [usize; 2] = [6_000, 118_287];
/// The grid of EfficientNet-Lite2.
const GRID: GridShape = GridShape { height: 7, width: 7, channels: 1488 };
const ROUNDS: usize = 3;
/// The time of training in each round.
const PART: Duration = Duration::from_mins(1);

/// Writes captions of `count` training images and one dev image, and a store of noise, into `folder`.
fn data(shared: &Path, folder: &Path, count: usize) -> TrainingData {
    let known = Captions::read(&shared.join("captions.txt")).unwrap();
    let name = |at: usize| format!("{at:06}.jpg");
    let mut text = "image,caption\n".to_owned();
    for (at, image) in known.iter().cycle().take(count + 1).enumerate() {
        for caption in &image.captions {
            writeln!(text, "{},\"{}\"", name(at), caption.replace('"', "\"\"")).unwrap();
        }
    }
    let names = (0..=count).map(name).collect::<Vec<_>>();
    fs::create_dir_all(folder).unwrap();
    let (training, dev) = names.split_at(count);
    fs::write(folder.join("captions.txt"), text).unwrap();
    fs::write(folder.join("Flickr_8k.trainImages.txt"), training.join("\n")).unwrap();
    fs::write(folder.join("Flickr_8k.devImages.txt"), dev.join("\n")).unwrap();

    let mut random = ChaCha8Rng::seed_from_u64(1);
    let noise = (0..1 << 16).map(|_| random.random_range(-1.0f32..1.0).max(0.0));
    let noise = noise.collect::<Vec<_>>();
    let value = |row: usize, at: usize| noise[(row * 7919 + at) & (noise.len() - 1)];
    let store = store::store(&folder.join("noise.h5"), "noise", GRID, &names, value);
    let (start, before) = (Instant::now(), memory());
    let captions = Captions::read(&folder.join("captions.txt")).unwrap();
    let splits = Splits::find(folder).unwrap();
    let data =
        training_data(DataSet { number: 0, corpus: Corpus::new(captions, &splits), splits, store });
    let (took, held) = (start.elapsed().as_secs_f64(), memory() - before);
    println!("{count} images: captions read in {took:.1} s, {held:.0} MiB held");
    data
}

/// Captions a second in the first part of an epoch.
fn speed(data: &TrainingData, folder: &Path) -> f64 {
    let config = config(data, Recipe::Adaptive, |preset| preset);
    let folder = RunFolder::new(&folder.join("run"));
    let flag = AtomicBool::new(false);
    let mut fit = Fit::new(&folder, &config, data, Device::Cpu).unwrap();
    fit.interrupt_by(&flag);
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(PART);
            flag.store(true, Ordering::Relaxed);
        });
        fit.run().unwrap();
    });
    let seconds = start.elapsed().as_secs_f64();
    let captions = fit.progress().partial_epoch.captions;
    fs::remove_dir_all(folder.path()).unwrap();
    captions as f64 / seconds
}

/// Memory of this process that is not of files, in MiB.
fn memory() -> f64 {
    tests::memory_mib("self", "RssAnon")
}

fn main() {
    let (Some(shared), Some(scratch)) =
        (tests::shared("flickr8k"), std::env::var_os("SHOWTELL_BENCH_LAPTOP"))
    else {
        tests::skip_part("no SHOWTELL_BENCH_LAPTOP=FOLDER, a folder with 18 GB of space");
        return;
    };
    let scratch = tempfile::tempdir_in(scratch).unwrap();
    let folder = |images: usize| scratch.path().join(images.to_string());
    let data = IMAGES.map(|images| data(&shared, &folder(images), images));
    let mut speeds = IMAGES.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((images, data), speeds) in IMAGES.into_iter().zip(&data).zip(&mut speeds) {
            speeds.push(speed(data, &folder(images)));
            println!(
                "{images} images: {:.0} captions/s, {:.0} MiB held",
                speeds[speeds.len() - 1],
                memory()
            );
        }
    }
    for (images, speeds) in IMAGES.iter().zip(&speeds) {
        Figure::from_rounds(format!("training on {images} images"), "captions/s", speeds).report();
    }
    let [small, large] = &speeds;
    let name = format!("captions/s on {} images ÷ on {}", IMAGES[1], IMAGES[0]);
    Figure::from_quotients(name, large, small).report();
}
