//! The cost of decoding and preprocessing a photo relative to one run of the encoder, measured in turn in one run;
//! medians. Uses real photos and a real ResNet50 (see CONTRIBUTING.md).
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use models::encoder::EncoderOptions;
use models::preprocess::apply;
use models::{Encoder, Limits, decode};
use ndarray::{Array4, Axis};
use tests::figures::{Figure, RATIO};

const PHOTOS: usize = 40;
const BATCH: usize = 8;

fn main() {
    let (Some(folder), Some(path)) =
        (tests::shared("photos"), tests::shared("models/resnet50-v1.onnx"))
    else {
        return;
    };
    let names = tests::files_in(&folder);
    let mut encoder = Encoder::open(&path, &EncoderOptions::default()).unwrap();
    let preprocess = encoder.preprocess().clone();
    let [channels, height, width] = preprocess.shape();
    let batch = Array4::from_elem([BATCH, channels, height, width], 0.1);

    let mut seconds: [Vec<f64>; 4] = Default::default();
    let mut timed = |part: usize, work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        seconds[part].push(start.elapsed().as_secs_f64());
    };
    for name in names.iter().take(PHOTOS) {
        let bytes = fs::read(name).unwrap();
        let (mut image, mut tensor) = (None, None);
        timed(0, &mut || image = Some(decode(&bytes, &Limits::default()).unwrap()));
        let image = image.unwrap();
        timed(1, &mut || tensor = Some(apply(&preprocess, &image).unwrap()));
        let tensor = tensor.unwrap().insert_axis(Axis(0));
        timed(2, &mut || {
            drop(black_box(encoder.encode(tensor.view()).unwrap()));
        });
        timed(3, &mut || {
            drop(black_box(encoder.encode(batch.view()).unwrap()));
        });
    }
    let run = tests::median(&seconds[2]);
    let ratio = |name: &str, part: usize, photos: usize| {
        let time = tests::median(&seconds[part]) / photos as f64;
        Figure::new(format!("{name} ÷ one run of the encoder"), RATIO, time / run).report();
    };
    Figure::from_seconds(format!("one run of {} on one image", encoder.name()), &seconds[2])
        .report();
    ratio("decode", 0, 1);
    ratio("resize and normalise", 1, 1);
    ratio(&format!("an image in a batch of {BATCH}"), 3, BATCH);
}
