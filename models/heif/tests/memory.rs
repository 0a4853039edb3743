//! The memory that libheif takes is what is stated, or less.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::path::Path;
use std::process::Command;

use heif::{Image, bytes_per_pixel};
use image::{DynamicImage, Rgb, RgbImage};

const SIZE: [u32; 2] = [2000, 1500];
/// The variable with the path of the file that a child process decodes.
const FILE: &str = "SHOWTELL_TEST_FILE";

/// Decodes a file in a process of its own, as freed memory stays with a process; returns the MiB that this takes.
fn measure(file: &Path) -> f64 {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_decodes_a_file", "--ignored", "--nocapture"])
        .env(FILE, file)
        .output()
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    let taken = printed.split("taken: ").nth(1).unwrap_or_else(|| panic!("{printed}"));
    taken.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "started by the test below"]
fn a_child_decodes_a_file() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let bytes = std::fs::read(file).unwrap();
    let before = tests::memory_mib("self", "VmRSS");
    let pixels = Image::open(&bytes).unwrap().decode().unwrap();
    println!("taken: {} MiB", tests::memory_mib("self", "VmHWM") - before);
    assert_eq!(pixels.size, SIZE);
}

#[test]
fn decoding_takes_what_is_stated() {
    let [width, height] = SIZE;
    let wave = |x: u32, y: u32| (127.0 + 120.0 * ((x * x + y * 50) as f32 / 900.0).sin()) as u8;
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([wave(x, y), wave(y, x), 9]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    DynamicImage::from(picture).save(&path).unwrap();
    let stated = f64::from(width * height) * bytes_per_pixel(false) as f64 / f64::from(1 << 20);
    for (name, flags) in [
        ("HEIC", &["-q", "60"][..]),
        ("HEIC of 10 bits", &["-q", "60", "-b", "10"]),
        ("AVIF", &["-A", "-q", "60", "-p", "speed=9"]),
        ("AVIF of 10 bits", &["-A", "-q", "60", "-b", "10", "-p", "speed=9"]),
    ] {
        let Some(bytes) = tests::encode_heif(&path, flags) else { return };
        let file = folder.path().join("file");
        common::files::replace(&file, &bytes).unwrap();
        let taken = measure(&file);
        println!("{name}: {taken:.0} MiB, {stated:.0} MiB are stated");
        assert!(taken <= stated, "{name}: {taken} MiB, {stated} MiB are stated");
        assert!(stated <= 5.0 * taken, "{name}: {stated} MiB are stated for {taken} MiB");
    }
}
