//! The cost of decoding and preprocessing a photo relative to one run of the encoder, measured in turn in one run;
//! medians. Uses real photos and a real ResNet50 (see CONTRIBUTING.md).
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use models::encoder::EncoderOptions;
use models::preprocess::apply;
use models::{Encoder, Limits, decode};
use ndarray::{Array4, Axis};

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
    let median = |part: usize| tests::median(&seconds[part]);
    let run = median(2);
    println!("one run of {} on one image: {:.1} ms", encoder.name(), 1000.0 * run);
    println!("decode ÷ that run:                 {:.3}", median(0) / run);
    println!("resize and normalise ÷ that run:   {:.3}", median(1) / run);
    println!("an image in a batch of {BATCH} ÷ that run: {:.3}", median(3) / BATCH as f64 / run);
}
