//! The memory that is predicted from an image's header suffices for decoding and preprocessing, and is not much more.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::print_stdout, reason = "a test prints what it measured")]

use std::fs;
use std::io::Cursor;
use std::path::Path;

use clap::ValueEnum as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use models::decode::memory;
use models::preprocess::apply;
use models::view::{self, View};
use models::{Limits, Preprocess, decode};
use ndarray::Array3;

const SIDES: (u32, u32) = (2000, 1500);

/// Maximum bytes that decoding and preprocessing hold at one time.
fn measured(bytes: &[u8], side: u32) -> u64 {
    let preprocess = Preprocess::imagenet([side; 2]);
    let work = || {
        let image = decode(bytes, &Limits::default()).unwrap();
        drop(apply(&preprocess, &image).unwrap());
    };
    allocation_counter::measure(work).bytes_max
}

/// The memory that an image and its views take, one after the other.
fn measured_views(bytes: &[u8], side: u32) -> u64 {
    let preprocess = Preprocess::imagenet([side, side]);
    let work = || {
        let image = decode(bytes, &Limits::default()).unwrap();
        let mut tensor = Array3::zeros(preprocess.shape());
        for &view in View::value_variants() {
            view::apply(view, &image, &preprocess, tensor.view_mut()).unwrap();
        }
    };
    allocation_counter::measure(work).bytes_max
}

/// `real ≤ stated ≤ 2 × real`, with one view and with all, and reading the header takes a small part of it.
#[track_caller]
fn check(name: &str, bytes: &[u8]) {
    let limits = Limits::default();
    let mut stated = 0;
    let views = View::value_variants();
    let of_views = memory(bytes, &limits, views).unwrap();
    let real_of_views = measured_views(bytes, 512).max(measured_views(bytes, 224));
    assert!(real_of_views <= of_views, "{name}: {real_of_views} with views, {of_views} stated");
    assert!(of_views <= 2 * real_of_views, "{name}: {of_views} are stated for {real_of_views}");
    let header = allocation_counter::measure(|| stated = memory(bytes, &limits, &[]).unwrap());
    let real = measured(bytes, 512).max(measured(bytes, 224));
    println!("{name}: {real} bytes, {stated} stated, {} for the header", header.bytes_max);
    assert!(real <= stated, "{name}: {real} bytes are more than the stated {stated}");
    assert!(stated <= 2 * real, "{name}: {stated} bytes are stated for {real}");
    let file = bytes.len() as u64;
    assert!(
        header.bytes_max <= 3 * file + (1 << 20),
        "{name}: {} for the header",
        header.bytes_max
    );
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::NoFilter);
    image.write_with_encoder(encoder).unwrap();
    bytes
}

/// The same picture in every kind of samples.
fn kinds() -> [(&'static str, DynamicImage); 8] {
    let (width, height) = SIDES;
    let deep = |x: u32, y: u32| (x * 32 + y) as u16;
    let byte = |x: u32, _: u32| (x / 8) as u8;
    [
        ("grey", ImageBuffer::from_fn(width, height, |x, y| Luma([byte(x, y)])).into()),
        ("grey-alpha", ImageBuffer::from_fn(width, height, |x, y| LumaA([byte(x, y), 9])).into()),
        ("rgb", ImageBuffer::from_fn(width, height, |x, y| Rgb([byte(x, y), 1, 2])).into()),
        ("rgba", ImageBuffer::from_fn(width, height, |x, y| Rgba([byte(x, y), 1, 2, 3])).into()),
        ("grey16", ImageBuffer::from_fn(width, height, |x, y| Luma([deep(x, y)])).into()),
        ("grey-alpha16", ImageBuffer::from_fn(width, height, |x, y| LumaA([deep(x, y), 9])).into()),
        ("rgb16", ImageBuffer::from_fn(width, height, |x, y| Rgb([deep(x, y), 1, 2])).into()),
        ("rgba16", ImageBuffer::from_fn(width, height, |x, y| Rgba([deep(x, y), 1, 2, 3])).into()),
    ]
}

#[test]
fn every_kind_of_samples_takes_what_is_stated() {
    for (name, image) in kinds() {
        let png = png(&image);
        check(&format!("{name}.png"), &png);
        // Row by row: no more than the RGB pixels and a little.
        let rgb = u64::from(SIDES.0) * u64::from(SIDES.1) * 3;
        assert!(measured(&png, 224) <= rgb + (4 << 20), "{name}.png");
        for format in [ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Gif] {
            let mut bytes = Cursor::new(Vec::new());
            // Not every format has every kind; quantising to a GIF is slow.
            let slow = format == ImageFormat::Gif && name != "rgb";
            if !slow && image.write_to(&mut bytes, format).is_ok() {
                check(&format!("{name}.{}", format.extensions_str()[0]), bytes.get_ref());
            }
        }
    }
}

#[test]
fn files_of_other_encoders_take_what_is_stated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/codecs");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension != "py") {
            check(&path.display().to_string(), &fs::read(&path).unwrap());
            checked += 1;
        }
    }
    assert!(checked >= 15, "{checked} files");
}

/// Resizing a strip needs no intermediate image that is larger than it.
#[test]
fn long_strips_take_what_is_stated() {
    for (width, height) in [(400_000, 2), (2, 400_000), (60_000, 40)] {
        let image = RgbImage::from_pixel(width, height, Rgb([9, 99, 199]));
        let bytes = png(&DynamicImage::from(image));
        let stated = memory(&bytes, &Limits::default(), &[View::Original]).unwrap();
        let real = measured(&bytes, 512);
        assert!(real <= stated, "{width}×{height}: {real} bytes, {stated} stated");
        assert!(stated <= 128 << 20, "{width}×{height}: {stated} bytes");
    }
}

#[test]
fn what_is_refused_has_no_need() {
    let limits = Limits { max_pixels: 99, ..Limits::default() };
    for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::Jpeg, ImageFormat::Tiff] {
        let bytes = encoded(&RgbImage::new(10, 10).into(), format);
        assert!(
            memory(&bytes, &Limits { max_pixels: 100, ..Limits::default() }, &[View::Original])
                .is_ok(),
            "{format:?}"
        );
        for refused in [
            memory(&bytes, &limits, &[View::Original]).unwrap_err(),
            decode(&bytes, &limits).unwrap_err(),
        ] {
            assert_eq!(refused.to_string(), "10×10 pixels are more than the 99 of --max-pixels");
        }
    }
    assert_eq!(memory(b"no image", &limits, &[]).unwrap_err().to_string(), "not an image");
}

/// Bits, the lowest of a byte first.
#[derive(Default)]
struct Bits(Vec<u8>, usize);

impl Bits {
    fn put(&mut self, value: usize, count: usize) {
        for at in 0..count {
            if self.1.is_multiple_of(8) {
                self.0.push(0);
            }
            let last = self.0.last_mut().unwrap();
            *last |= ((value >> at & 1) as u8) << (self.1 % 8);
            self.1 += 1;
        }
    }

    /// A code of a single symbol.
    fn single(&mut self, symbol: usize) {
        self.put(0b001, 2);
        self.put(1, 1);
        self.put(symbol, 8);
    }
}

/// A lossless WebP of a few pixels whose stream declares 65,536 groups of codes: each takes memory, and
/// that is stated.
#[test]
fn codes_of_a_lossless_webp_are_counted() {
    let mut bits = Bits::default();
    bits.put(0x2F, 8);
    bits.put(8 - 1, 14);
    bits.put(8 - 1, 14);
    bits.put(0, 4);
    // No transform, no cache of colours; a picture of groups, 2×2 blocks, of the one colour 0xFFFF.
    bits.put(0, 2);
    bits.put(1, 1);
    bits.put(0, 3);
    bits.put(0, 1);
    for symbol in [255, 255, 0, 0, 0] {
        bits.single(symbol);
    }
    // Each group: codes of two symbols, of which the decoder keeps tables and trees.
    for _ in 0..65_536 * 5 {
        bits.put(0b11, 2);
        bits.put(0, 1);
        bits.put(0, 1);
        bits.put(1, 8);
    }
    (0..64).for_each(|_| bits.put(0, 8));
    let payload = bits.0;
    let chunk = [&b"VP8L"[..], &(payload.len() as u32).to_le_bytes(), &payload].concat();
    let riff = [&b"RIFF"[..], &(chunk.len() as u32 + 4).to_le_bytes(), b"WEBP", &chunk].concat();
    let stated = memory(&riff, &Limits::default(), &[View::Original]).unwrap();
    let real = measured(&riff, 64);
    println!("{} bytes of a file: {real} bytes, {stated} stated", riff.len());
    assert!(real > 20 << 20, "{real} bytes: the codes are not there");
    assert!((real..=2 * real).contains(&stated), "{real} bytes, {stated} stated");
}
