//! A folder of images as users have them: the run succeeds, the good images are right, the bad ones are listed with
//! their reasons.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::Workplace;
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{
    DynamicImage, ExtendedColorType, Frame, ImageBuffer, ImageEncoder as _, Rgb, RgbImage, Rgba,
    RgbaImage,
};
use serde_json::Value;

/// Left red, right blue, and the top a little brighter, so that every orientation differs.
fn picture() -> RgbImage {
    RgbImage::from_fn(56, 56, |x, y| {
        let bright = if y < 28 { 40 } else { 0 };
        Rgb(if x < 28 { [180 + bright, 30, 40] } else { [30, 60, 180 + bright] })
    })
}

/// A JPEG that is upright after its EXIF orientation is applied.
fn oriented(orientation: u8) -> Vec<u8> {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    let upright = picture();
    let stored = match orientation {
        2 => flip_horizontal(&upright),
        3 => rotate180(&upright),
        4 => flip_vertical(&upright),
        5 => rotate270(&flip_horizontal(&upright)),
        6 => rotate270(&upright),
        7 => rotate90(&flip_horizontal(&upright)),
        8 => rotate90(&upright),
        _ => upright,
    };
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
    // A TIFF header and one entry: tag 0x0112 (orientation), type short, one value.
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(stored.as_raw(), 56, 56, ExtendedColorType::Rgb8).unwrap();
    bytes
}

fn animated_gif() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    let first = DynamicImage::from(picture()).into_rgba8();
    let second = RgbaImage::from_pixel(56, 56, Rgba([0, 255, 0, 255]));
    encoder.encode_frames([Frame::new(first), Frame::new(second)]).unwrap();
    drop(encoder);
    bytes
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn hostile_images_are_listed_and_the_good_ones_are_right() {
    let workplace = Workplace::new(0);
    let images = workplace.path("Images");
    let write = |name: &str, bytes: &[u8]| fs::write(images.join(name), bytes).unwrap();
    picture().save(images.join("reference.png")).unwrap();
    let png = fs::read(images.join("reference.png")).unwrap();

    let mut same = vec!["wrong extension.jpg".to_owned(), "ảnh đẹp – 写真.png".to_owned()];
    for name in &same {
        write(name, &png);
    }
    write("moving.gif", &animated_gif());
    let deep = ImageBuffer::from_fn(56, 56, |x, y| {
        Rgb(picture().get_pixel(x, y).0.map(|v| u16::from(v) * 257))
    });
    DynamicImage::ImageRgb16(deep).save(images.join("deep.png")).unwrap();
    same.push("deep.png".to_owned());
    let mut close = vec!["moving.gif".to_owned()];
    for orientation in 1..=8 {
        let name = format!("oriented {orientation}.JPG");
        write(&name, &oriented(orientation));
        close.push(name);
    }
    RgbImage::from_pixel(1, 1, Rgb([9, 8, 7])).save(images.join("dot.png")).unwrap();
    RgbImage::from_pixel(30_000, 1, Rgb([9, 8, 7])).save(images.join("line.png")).unwrap();
    write("cmyk.jpg", include_bytes!("../../models/tests/fixtures/cmyk.jpg"));
    let odd = ["dot.png", "line.png", "cmyk.jpg"];

    let photo = oriented(1);
    write("cut.jpg", &photo[..photo.len() / 2]);
    write("cut.png", &png[..png.len() / 2]);
    write("empty.jpg", b"");
    write("page.jpg", b"<html>404</html>");
    symlink(images, images.join("loop")).unwrap();
    symlink("nowhere.jpg", images.join("dangling.jpg")).unwrap();
    let bad = ["cut.jpg", "cut.png", "dangling.jpg", "empty.jpg", "page.jpg"];

    let outcome = workplace.extract(&[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let store = workplace.store();
    assert_eq!(store.verify().unwrap(), []);
    assert_eq!(store.complete(), 1 + same.len() + close.len() + odd.len());
    let grid = |name: &str| {
        let row = store.find(name).unwrap_or_else(|| panic!("{name} has no grid"));
        store.read(row, 0).unwrap()
    };
    let reference = grid("reference.png");
    for name in same {
        assert_eq!(grid(&name), reference, "{name}");
    }
    for name in close {
        let near = grid(&name).iter().zip(&reference).all(|(a, b)| (a - b).abs() < 0.15);
        assert!(near, "{name} is not the picture");
    }
    for name in odd {
        assert!(grid(name).iter().all(|value| value.is_finite()), "{name}");
    }

    let list = fs::read_to_string(workplace.path("features/s.skipped.jsonl")).unwrap();
    let list = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut list = list
        .map(|line| {
            (
                line["image"].as_str().unwrap().to_owned(),
                line["reason"].as_str().unwrap().to_owned(),
            )
        })
        .collect::<Vec<_>>();
    list.sort();
    let names = list.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, bad);
    for (name, reason) in [
        ("empty.jpg", "not an image"),
        ("page.jpg", "not an image"),
        ("cut.jpg", "truncated"),
        ("dangling.jpg", "nowhere.jpg"),
    ] {
        assert!(list.iter().any(|(image, why)| image == name && why.contains(reason)), "{list:?}");
    }

    for name in bad {
        fs::remove_file(images.join(name)).unwrap();
    }
    assert_eq!(workplace.extract(&[]).status, 0);
    assert!(!workplace.path("features/s.skipped.jsonl").exists(), "the list is out of date");
}
