//! A JPEG is read as far as its pixels are all there, whatever lies between or after its segments.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use models::decode::RgbImage;
use models::{ImageError, Limits};

fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    models::decode(bytes, &Limits::default())
}

/// Small pictures of noise: baseline, progressive, with restarts.
fn photos() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let photos = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect::<Vec<_>>();
    assert_eq!(photos.len(), 5);
    photos
}

/// Where segments of the header begin.
fn segments(jpeg: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 2;
    while jpeg[at + 1] != 0xDA {
        found.push(at);
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    found.push(at);
    found
}

#[test]
fn stray_and_fill_bytes_between_segments_are_passed_over() {
    for (path, jpeg) in photos() {
        let expected = decode(&jpeg).unwrap();
        // Not before the first one, where the beginning of a JPEG is told by three bytes.
        for at in segments(&jpeg).into_iter().skip(1) {
            for stray in [&b"\0"[..], b"\x00\x42\x13", b"\xFF", b"\xFF\xFF\xFF\xFF\xFF"] {
                let with = [&jpeg[..at], stray, &jpeg[at..]].concat();
                let found = decode(&with);
                let found =
                    found.unwrap_or_else(|error| panic!("{path:?} {stray:?} at {at}: {error}"));
                assert!(found == expected, "{path:?} {stray:?} at {at}: other pixels");
            }
        }
    }
}

#[test]
fn an_end_marker_may_be_missing() {
    for (path, jpeg) in photos() {
        let expected = decode(&jpeg).unwrap();
        for missing in [1, 2] {
            let found = decode(&jpeg[..jpeg.len() - missing]).unwrap();
            assert!(found == expected, "{path:?} without {missing} bytes");
        }
    }
}

/// What is taken of a JPEG that was cut off has lost no pixel.
#[test]
fn what_was_cut_off_is_refused() {
    for (path, jpeg) in photos() {
        let expected = decode(&jpeg).unwrap();
        let mut taken = 0;
        for length in 0..jpeg.len() - 2 {
            if let Ok(found) = decode(&jpeg[..length]) {
                assert!(found == expected, "{path:?} cut to {length} of {} bytes", jpeg.len());
                taken += 1;
            }
        }
        assert!(taken <= 2, "{path:?}: {taken} cut files");
    }
}
