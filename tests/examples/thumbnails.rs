//! Draws thumbnails with captions for a rehearsal of a large data set: `thumbnails FOLDER COUNT` writes
//! `FOLDER/photos/*.tar`, `FOLDER/captions.txt` with five captions of each, and `FOLDER/tiny.onnx`, an encoder that averages
//! patches. See tests/scale.sh.
#![expect(clippy::unwrap_used, reason = "a rehearsal that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "it prints its time")]
#![expect(clippy::disallowed_methods, reason = "a drawing need not survive a kill")]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use tests::small_model;

const SIDE: u32 = 64;
const PER_ARCHIVE: usize = 5_000;
const CAPTIONS: usize = 5;
const COLOURS: [&str; 8] =
    ["red", "green", "blue", "yellow", "black", "white", "brown", "colorful"];
const THINGS: [&str; 12] = [
    "dog", "cat", "man", "woman", "child", "car", "boat", "horse", "bird", "bench", "tent", "ball",
];
const ACTS: [&str; 8] =
    ["runs", "sits", "stands", "jumps", "sleeps", "waits", "is lying down", "looks up"];
const PLACES: [&str; 8] =
    ["grass", "water", "street", "beach", "snow", "field", "mountains", "playground"];

/// Numbers that follow from a seed, evenly spread (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

fn main() {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [folder, count] = &arguments[..] else { panic!("usage: thumbnails FOLDER COUNT") };
    let (folder, count) = (PathBuf::from(folder), count.parse::<usize>().unwrap());
    let start = Instant::now();
    fs::create_dir_all(folder.join("photos")).unwrap();
    fs::write(folder.join("tiny.onnx"), small_model::encoder(onnx::Dimension::Symbolic("N")))
        .unwrap();
    write_captions(&folder.join("captions.txt"), count);
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().unwrap().get();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(PER_ARCHIVE, Ordering::Relaxed);
                    if first >= count {
                        return;
                    }
                    archive(&folder.join("photos"), first, count.min(first + PER_ARCHIVE));
                }
            });
        }
    });
    println!("{count} thumbnails drawn in {:.0} s", start.elapsed().as_secs_f64());
}

fn name(photo: usize) -> String {
    format!("{photo:07}.jpg")
}

fn write_captions(path: &Path, count: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    writeln!(file, "image,caption").unwrap();
    for photo in 0..count {
        let mut numbers = Numbers(photo as u64);
        for _ in 0..CAPTIONS {
            let (colour, thing) = (numbers.one_of(&COLOURS), numbers.one_of(&THINGS));
            let (act, other) = (numbers.one_of(&ACTS), numbers.one_of(&THINGS));
            let place = numbers.one_of(&PLACES);
            writeln!(
                file,
                "{},A {colour} {thing} {act} near a {other} in the {place} .",
                name(photo)
            )
            .unwrap();
        }
    }
    file.flush().unwrap();
}

fn archive(folder: &Path, first: usize, end: usize) {
    let path = folder.join(format!("{:05}.tar", first / PER_ARCHIVE));
    let mut archive = tar::Builder::new(BufWriter::new(File::create(path).unwrap()));
    for photo in first..end {
        let bytes = draw(photo as u64);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name(photo), &*bytes).unwrap();
    }
    archive.into_inner().unwrap().flush().unwrap();
}

/// A rectangle on a ground, as JPEG.
fn draw(seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut colour = || Rgb([0; 3].map(|_: u8| numbers.below(256) as u8));
    let (ground, shape) = (colour(), colour());
    let mut side = || numbers.below(SIDE as usize) as u32;
    let [left, top, right, bottom] = [side(), side(), side(), side()];
    let picture = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let inside =
            (left..right.max(left + 8)).contains(&x) && (top..bottom.max(top + 8)).contains(&y);
        if inside { shape } else { ground }
    });
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 85)).unwrap();
    bytes
}
