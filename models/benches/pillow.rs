//! How far pixels and grids of real photos are from those that Pillow's decoder and resizing give.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

use models::encoder::EncoderOptions;
use models::{Encoder, Limits, decode};

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
    for (photo, expected) in photos.iter().zip(expected.chunks_exact(preprocess.values())) {
        let found = preprocess
            .resized(&decode(&fs::read(photo).unwrap(), &Limits::default()).unwrap())
            .unwrap();
        near += found.iter().zip(expected).filter(|(a, b)| a.abs_diff(**b) <= 1).count();
        all += found.len();
        let mut grid = |pixels: &[u8]| {
            let image = models::decode::RgbImage::from_raw(224, 224, pixels.to_vec()).unwrap();
            let mut tensor = vec![0.0; preprocess.values()];
            preprocess.apply(&image, &mut tensor).unwrap();
            encoder.encode(&tensor, 1).unwrap()
        };
        distances.push(cosine_distance(&grid(&found), &grid(expected)));
    }
    distances.sort_by(f64::total_cmp);
    println!(
        "{} photos: {:.2} % of values within 1/255 of Pillow's; median cosine distance of the grids {:.1e}",
        photos.len(),
        100.0 * near as f64 / all as f64,
        distances[distances.len() / 2]
    );
}

fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
