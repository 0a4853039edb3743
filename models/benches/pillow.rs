//! How far pixels and grids of real photos are from those that Pillow's decoder and resizing give.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs;
use std::process::Command;

use models::encoder::EncoderOptions;
use models::preprocess::{apply, resized};
use models::{Encoder, Limits, decode};
use ndarray::Axis;
use tests::figures::{Figure, RATIO};

fn main() {
    let (Some(folder), Some(path)) =
        (tests::shared("photos"), tests::shared("models/resnet50-v1.onnx"))
    else {
        return;
    };
    let Some(python) = tests::peers() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("pixels");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/peers/pillow.py");
    let status = Command::new(python).arg(script).arg(&folder).arg(&out).status().unwrap();
    assert!(status.success());
    let expected = fs::read(out).unwrap();
    let photos = tests::files_in(&folder);

    let mut encoder = Encoder::open(&path, &EncoderOptions::default()).unwrap();
    let preprocess = encoder.preprocess().clone();
    let (mut near, mut all, mut distances) = (0, 0, Vec::new());
    let values = preprocess.shape().iter().product();
    for (photo, expected) in photos.iter().zip(expected.chunks_exact(values)) {
        let image = decode(&fs::read(photo).unwrap(), &Limits::default()).unwrap();
        let found = resized(&preprocess, &image).unwrap();
        near += found.iter().zip(expected).filter(|(a, b)| a.abs_diff(**b) <= 1).count();
        all += found.len();
        let mut grid = |pixels: &[u8]| {
            let image = models::decode::RgbImage::from_raw(224, 224, pixels.to_vec()).unwrap();
            let tensor = apply(&preprocess, &image).unwrap().insert_axis(Axis(0));
            encoder.encode(tensor.view()).unwrap().into_raw_vec_and_offset().0
        };
        distances.push(cosine_distance(&grid(&found), &grid(expected)));
    }
    println!("{} photos", photos.len());
    let share = 100.0 * near as f64 / all as f64;
    Figure::new("values within 1/255 of Pillow's", "%", share).report();
    Figure::new("cosine distance of grids, median", RATIO, tests::median(&distances)).report();
}

fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
