//! Every supported kind of image decodes to the same picture; other files are refused.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::io::Cursor;

use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageBuffer, ImageEncoder as _, ImageFormat, Luma,
    Rgb, RgbImage, Rgba, RgbaImage, codecs::jpeg::JpegEncoder,
};
use models::{ImageError, Limits};

const RED: [u8; 3] = [200, 30, 40];
const BLUE: [u8; 3] = [30, 60, 200];

fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    models::decode(bytes, &Limits::default())
}

/// Red on the left, blue on the right.
fn drawing() -> RgbImage {
    RgbImage::from_fn(32, 16, |x, _| Rgb(if x < 16 { RED } else { BLUE }))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg(image: &RgbImage, orientation: Option<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    if let Some(orientation) = orientation {
        // A TIFF header and one entry: tag 0x0112 (orientation), type short, one value.
        let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        encoder.set_exif_metadata(exif).unwrap();
    }
    let (width, height) = image.dimensions();
    encoder.write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8).unwrap();
    bytes
}

#[track_caller]
fn assert_colour(image: &RgbImage, (x, y): (u32, u32), expected: [u8; 3], tolerance: u8) {
    let found = image.get_pixel(x, y).0;
    let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= tolerance);
    assert!(near, "{found:?} at {x},{y} is not {expected:?}");
}

#[test]
fn formats_agree() {
    for format in
        [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Gif]
    {
        let bytes = encoded(&DynamicImage::from(drawing()), format);
        let image = decode(&bytes).unwrap();
        assert_colour(&image, (4, 8), RED, 4);
        assert_colour(&image, (28, 8), BLUE, 4);
    }
}

#[test]
fn sixteen_bits_grey_and_cmyk_keep_their_brightness() {
    let deep = ImageBuffer::from_fn(8, 8, |_, _| Rgb([51_400u16, 7_710, 10_280]));
    let image = decode(&encoded(&DynamicImage::ImageRgb16(deep), ImageFormat::Png)).unwrap();
    assert_colour(&image, (4, 4), RED, 1);
    let grey = GrayImage::from_pixel(8, 8, Luma([99]));
    let image = decode(&encoded(&DynamicImage::from(grey), ImageFormat::Jpeg)).unwrap();
    assert_colour(&image, (4, 4), [99; 3], 2);
    let image = decode(include_bytes!("fixtures/cmyk.jpg")).unwrap();
    assert_colour(&image, (4, 8), RED, 12);
    assert_colour(&image, (28, 8), BLUE, 12);
}

#[test]
fn transparency_is_blended_with_white() {
    let mut image = RgbaImage::from_pixel(8, 8, Rgba([0, 0, 0, 0]));
    image.put_pixel(1, 1, Rgba([0, 0, 0, 255]));
    image.put_pixel(2, 2, Rgba([255, 0, 0, 127]));
    let image = decode(&encoded(&DynamicImage::from(image), ImageFormat::Png)).unwrap();
    assert_colour(&image, (5, 5), [255; 3], 0);
    assert_colour(&image, (1, 1), [0; 3], 0);
    assert_colour(&image, (2, 2), [255, 128, 128], 1);
}

/// The red half is on the right side after each stored orientation is applied.
#[test]
fn exif_orientations_are_applied() {
    let (left, right) = (Some(true), Some(false));
    let expected = [left, right, right, left, None, None, None, None];
    for (orientation, red_is_left) in (1..=8).zip(expected) {
        let image = decode(&jpeg(&drawing(), Some(orientation))).unwrap();
        let (width, height) = image.dimensions();
        if let Some(red_is_left) = red_is_left {
            assert_eq!((width, height), (32, 16), "orientation {orientation}");
            assert_colour(&image, if red_is_left { (4, 8) } else { (28, 8) }, RED, 12);
        } else {
            assert_eq!((width, height), (16, 32), "orientation {orientation}");
            let red_is_on_top = matches!(orientation, 5 | 6);
            assert_colour(&image, if red_is_on_top { (8, 4) } else { (8, 28) }, RED, 12);
        }
    }
}

#[test]
fn truncated_images_and_other_files_are_refused() {
    assert!(matches!(decode(b""), Err(ImageError::NotAnImage)));
    assert!(matches!(decode(b"<html>not found</html>"), Err(ImageError::NotAnImage)));
    let photo = jpeg(&drawing(), Some(6));
    for length in [20, photo.len() / 2, photo.len() - 3] {
        assert!(decode(&photo[..length]).is_err(), "{length} of {} bytes", photo.len());
    }
    let mut with_trailer = photo.clone();
    with_trailer.extend(b"a trailer that some cameras write\xFF\xDA");
    assert!(decode(&with_trailer).is_ok());
    let png = encoded(&DynamicImage::from(drawing()), ImageFormat::Png);
    assert!(decode(&png[..png.len() / 2]).is_err());
}

#[test]
fn huge_images_are_refused_before_they_are_decoded() {
    // The header of a PNG of 100,000 × 100,000 pixels.
    let mut png = encoded(&DynamicImage::from(drawing()), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0]);
    let checksum = crc32fast::hash(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&checksum);
    let error = decode(&png).unwrap_err();
    assert!(matches!(error, ImageError::TooLarge { width: 100_000, .. }), "{error}");
}

#[test]
fn unsupported_formats_are_named() {
    let heic = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic\0\0\0\x08mdat";
    for (bytes, expected) in [
        (&heic[..], "HEIC, which is turned off here; export it as JPEG"),
        (b"\xFF\x0A\0\0", "JPEG XL; export it as JPEG"),
        (b"MM\0\x2B\0\x08\0\0", "BigTIFF; save it as TIFF or JPEG"),
        (b"8BPS\0\x01", "Photoshop document; export it as JPEG"),
    ] {
        let limits = Limits { heif: false, ..Limits::default() };
        let error = models::decode(bytes, &limits).unwrap_err();
        assert!(matches!(&error, ImageError::Unsupported(kind) if kind == expected), "{error}");
    }
}

/// Images that other decoders read without the end of the file are read here as well.
#[test]
fn an_end_without_pixels_may_be_missing() {
    let image = DynamicImage::from(RgbImage::from_fn(40, 30, |x, y| {
        Rgb([(x * y % 251) as u8, (x * 6) as u8, (y * x * 7 % 241) as u8])
    }));
    // Twelve bytes of a PNG and one of a GIF come after their pixels.
    for (format, end) in [(ImageFormat::Png, 12), (ImageFormat::Gif, 1)] {
        let bytes = encoded(&image, format);
        let whole = decode(&bytes).unwrap();
        assert!(decode(&bytes[..bytes.len() - end]).unwrap() == whole, "{format:?}");
    }
    for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff] {
        let bytes = encoded(&image, format);
        for length in (0..bytes.len() * 9 / 10).step_by(97) {
            assert!(decode(&bytes[..length]).is_err(), "{format:?}: {length} of {}", bytes.len());
        }
    }
}

/// A chunk of a PNG.
fn chunk(name: &str, payload: &[u8]) -> Vec<u8> {
    let named = [name.as_bytes(), payload].concat();
    let length = (payload.len() as u32).to_be_bytes();
    [&length[..], &named, &crc32fast::hash(&named).to_be_bytes()].concat()
}

/// Bytes as zlib keeps them uncompressed.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let sum = |(low, high): (u32, u32), byte: &u8| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    };
    let (low, high) = bytes.iter().fold((1, 0), sum);
    let block = [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes];
    [&block.concat()[..], &(high << 16 | low).to_be_bytes()].concat()
}

#[test]
fn interlaced_pictures_are_put_together() {
    let image = |width, height| {
        RgbImage::from_fn(width, height, |x, y| Rgb([(x * 20) as u8, (y * 30) as u8, 7]))
    };
    let passes = [
        (0, 8, 0, 8),
        (4, 8, 0, 8),
        (0, 4, 4, 8),
        (2, 4, 0, 4),
        (0, 2, 2, 4),
        (1, 2, 0, 2),
        (0, 1, 1, 2),
    ];
    for (width, height) in [(11, 7), (1, 1), (3, 8), (8, 2)] {
        let expected = image(width, height);
        let mut rows = Vec::new();
        for (left, across, top, down) in passes {
            for y in (top..height).step_by(down).filter(|_| left < width) {
                rows.push(0);
                let pixels = (left..width).step_by(across);
                rows.extend(pixels.flat_map(|x| expected.get_pixel(x, y).0));
            }
        }
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 1]].concat();
        let parts = [
            b"\x89PNG\r\n\x1A\n".to_vec(),
            chunk("IHDR", &header),
            chunk("IDAT", &stored(&rows)),
            chunk("IEND", b""),
        ];
        assert!(decode(&parts.concat()).unwrap() == expected, "{width}×{height}");
    }
}

#[test]
fn pictures_of_other_encoders_are_whole() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/codecs");
    let read = |name: &str| decode(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    // A gradient: red grows to the right, green down, blue falls to the right.
    for (name, tolerance) in
        [("cmyk.tif", 34), ("jpeg.tif", 40), ("palette.png", 48), ("lossless.webp", 1)]
    {
        let image = read(name);
        assert_eq!(image.dimensions(), (2000, 1500), "{name}");
        for (x, y) in [(10, 10), (1990, 20), (1000, 750), (15, 1490), (1980, 1480)] {
            let [across, down] = [(x * 255 / 1999) as u8, (y * 255 / 1499) as u8];
            assert_colour(&image, (x, y), [across, down, 255 - across], tolerance);
        }
    }
    let fax = read("fax.tif");
    assert_colour(&fax, (10, 10), [0; 3], 0);
    assert_colour(&fax, (1000, 1490), [255; 3], 0);
}

#[test]
fn chunks_of_a_webp_end_within_it() {
    let plain = encoded(&DynamicImage::from(drawing()), ImageFormat::WebP);
    let file = |claimed: u32| {
        let mut bytes = b"RIFF\xFF\0\0\0WEBPVP8X\x0A\0\0\0\x08\0\0\0\x1F\0\0\x0F\0\0".to_vec();
        bytes.extend(&plain[12..]);
        bytes.extend(b"EXIF");
        bytes.extend(claimed.to_le_bytes());
        bytes.extend(b"II*\0");
        bytes
    };
    assert!(decode(&file(4)).is_ok());
    assert!(matches!(decode(&file(u32::MAX - 1)), Err(ImageError::Truncated)));
}

/// Offset of the entry of a tag in a little-endian TIFF.
fn tiff_entry(tiff: &[u8], tag: u16) -> usize {
    let start = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize + 2;
    (0..99).map(|at| start + 12 * at).find(|&at| tiff[at..at + 2] == tag.to_le_bytes()).unwrap()
}

#[test]
fn strips_of_a_tiff_end_within_it() {
    let mut tiff = include_bytes!("fixtures/codecs/jpeg.tif").to_vec();
    let at = tiff_entry(&tiff, 279);
    let count = u32::from_le_bytes(tiff[at + 4..at + 8].try_into().unwrap()) as usize;
    let bytes = if tiff[at + 2] == 3 { 2 } else { 4 };
    let values = u32::from_le_bytes(tiff[at + 8..at + 12].try_into().unwrap()) as usize;
    tiff[values..values + bytes * count].fill(0xFF);
    let error = decode(&tiff).unwrap_err().to_string();
    assert!(error.contains("strips do not fit"), "{error}");
}

#[test]
fn no_limit_overflows() {
    let limits = Limits { max_pixels: u64::MAX, ..Limits::default() };
    let mut tiff = encoded(&DynamicImage::from(drawing()), ImageFormat::Tiff);
    for tag in [256, 257] {
        let at = tiff_entry(&tiff, tag);
        tiff[at + 2..at + 12].copy_from_slice(b"\x04\0\x01\0\0\0\xFE\xFF\xFF\xFF");
    }
    let error = models::decode::memory(&tiff, &limits, &[]).unwrap_err().to_string();
    assert!(!error.contains("panicked"), "{error}");
}
