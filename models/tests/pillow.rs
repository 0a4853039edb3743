//! Resizing agrees with Pillow, with which encoders were trained.

use std::path::Path;

use image::{Rgb, RgbImage};
use models::Preprocess;
use models::preprocess::resized;

/// The pixels of `fixtures/pillow/make.py`.
fn computed(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let value = |channel: u32| ((x * x * 3 + x * y * 7 + y * y * 5 + channel * 91) / 4) as u8;
        Rgb([0, 1, 2].map(value))
    })
}

#[test]
fn resized_pixels_are_those_of_pillow_within_one() {
    let preprocess = Preprocess::imagenet([64, 64]);
    for (width, height) in [(500, 375), (333, 500), (64, 200), (40, 30), (1000, 37), (2, 2)] {
        let fixture = format!("tests/fixtures/pillow/{width}x{height}.png");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(fixture);
        let expected = image::open(fixture).unwrap().into_rgb8();
        let found = resized(&preprocess, &computed(width, height)).unwrap();
        let largest = found.iter().zip(expected.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(largest <= Some(1), "{width}×{height}: off by {largest:?}");
    }
}
