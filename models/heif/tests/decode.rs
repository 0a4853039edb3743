//! Files of `heif-enc` are decoded as the pictures that they were made of.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::path::PathBuf;

use heif::{Error, Image, Pixels};
use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

const SIZE: [u32; 2] = [330, 210];

/// A smooth picture without symmetry.
fn picture() -> RgbImage {
    let [width, height] = SIZE;
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 40 + (x * y % 7) as u8])
    })
}

/// A file of the picture, made with flags of `heif-enc`.
fn encoded(picture: &DynamicImage, flags: &[&str]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("picture.png");
    picture.save(&path).unwrap();
    tests::encode_heif(&path, flags)
}

/// The mean difference of samples.
fn difference(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    let sum = one.iter().zip(other).map(|(one, other)| f64::from(one.abs_diff(*other)));
    sum.sum::<f64>() / one.len() as f64
}

#[test]
fn every_kind_of_file_has_the_pixels_of_its_picture() {
    let rgb = picture();
    for flags in [&["-q", "90"][..], &["-q", "90", "-b", "10"], &["-A", "-q", "90"], &["-L"]] {
        let Some(bytes) = encoded(&rgb.clone().into(), flags) else { return };
        let image = Image::open(&bytes).unwrap();
        assert_eq!((image.size(), image.has_alpha()), (SIZE, false), "{flags:?}");
        let Pixels { size, has_alpha, samples } = image.decode().unwrap();
        assert_eq!((size, has_alpha), (SIZE, false), "{flags:?}");
        let difference = difference(&samples, rgb.as_raw());
        assert!(difference < 3.0, "{flags:?}: samples differ by {difference}");
    }
}

#[test]
fn transparency_is_kept() {
    let [width, height] = SIZE;
    let picture = RgbaImage::from_fn(width, height, |x, _| Rgba([200, 100, 50, (x / 2) as u8]));
    let Some(bytes) = encoded(&picture.clone().into(), &["-q", "95"]) else { return };
    let Pixels { has_alpha, samples, .. } = Image::open(&bytes).unwrap().decode().unwrap();
    assert!(has_alpha);
    let alpha = |samples: &[u8]| samples.iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
    let difference = difference(&alpha(&samples), &alpha(picture.as_raw()));
    assert!(difference < 3.0, "transparency differs by {difference}");
}

#[test]
fn damaged_files_are_errors() {
    let Some(bytes) = encoded(&picture().into(), &["-q", "50"]) else { return };
    for end in [0, 11, 40, 300, bytes.len() / 2, bytes.len() - 1] {
        let result = Image::open(&bytes[..end]).and_then(Image::decode);
        // A decoder may conceal what is missing at the end.
        let is_whole = result.as_ref().is_ok_and(|pixels| pixels.size == SIZE);
        assert!(
            is_whole || matches!(result, Err(Error::Damaged(_) | Error::NoDecoder(_))),
            "{end}"
        );
    }
    for at in 0..200 {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0xFF;
        let _ = Image::open(&bytes).and_then(Image::decode);
    }
}
