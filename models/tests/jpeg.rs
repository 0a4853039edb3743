//! A JPEG with all its pixels is read, with any bytes between or after its segments.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

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

/// Offsets of the segments of the header.
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
fn stray_and_fill_bytes_between_segments_are_skipped() {
    for (path, jpeg) in photos() {
        let expected = decode(&jpeg).unwrap();
        // Not before the first one: the first three bytes identify a JPEG.
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
            let found = decode(&jpeg[..jpeg.len() - missing]);
            let found = found.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(found == expected, "{path:?} without {missing} bytes");
        }
    }
}

/// A truncated JPEG is accepted only if it has all its pixels.
#[test]
fn truncated_jpegs_are_refused() {
    for (path, jpeg) in photos() {
        let expected = decode(&jpeg).unwrap();
        let mut taken = 0;
        for length in 0..jpeg.len() - 2 {
            if let Ok(found) = decode(&jpeg[..length]) {
                assert!(
                    found == expected,
                    "{path:?} truncated to {length} of {} bytes",
                    jpeg.len()
                );
                taken += 1;
            }
        }
        assert!(taken <= 2, "{path:?}: {taken} truncated files");
    }
}
