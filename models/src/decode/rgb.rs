//! Conversion of all sample types of decoders to 8-bit RGB, in place.

use image::ColorType;

/// Bytes of a pixel in a buffer where decoded samples become RGB.
pub(super) fn bytes_per_pixel(color: ColorType) -> usize {
    usize::from(color.bytes_per_pixel()).max(3)
}

/// The maximum of [`bytes_per_pixel`].
pub(super) const MAX_BYTES: usize = 16;

/// Converts the first `pixels` pixels in `buffer`, as a decoder of `color` wrote them (16 bits and floats in the machine's
/// byte order), to three bytes each, from its beginning. Transparency is blended with white. The buffer holds
/// [`bytes_per_pixel`] bytes for each pixel. `None` for a sample type that no decoder has.
pub(super) fn in_place(buffer: &mut [u8], pixels: usize, color: ColorType) -> Option<()> {
    match color {
        ColorType::Rgb8 => (),
        ColorType::L8 => each(buffer, pixels, |[grey]| [grey; 3]),
        ColorType::La8 => each(buffer, pixels, |[grey, alpha]| on_white([grey; 3], alpha)),
        ColorType::Rgba8 => each(buffer, pixels, |[r, g, b, alpha]| on_white([r, g, b], alpha)),
        ColorType::L16 => each(buffer, pixels, |grey: [u8; 2]| [shorts::<1>(&grey)[0]; 3]),
        ColorType::La16 => each(buffer, pixels, |pixel: [u8; 4]| {
            let [grey, alpha] = shorts(&pixel);
            on_white([grey; 3], alpha)
        }),
        ColorType::Rgb16 => each(buffer, pixels, |pixel: [u8; 6]| shorts(&pixel)),
        ColorType::Rgba16 => each(buffer, pixels, |pixel: [u8; 8]| {
            let [r, g, b, alpha] = shorts(&pixel);
            on_white([r, g, b], alpha)
        }),
        ColorType::Rgb32F => each(buffer, pixels, |pixel: [u8; 12]| floats(&pixel)),
        ColorType::Rgba32F => each(buffer, pixels, |pixel: [u8; 16]| {
            let [r, g, b, alpha] = floats(&pixel);
            on_white([r, g, b], alpha)
        }),
        _ => return None,
    }
    Some(())
}

/// Expands grey of a few bits, the first pixel in the highest bits of a byte, to a byte each.
pub(super) fn unpack(row: &mut [u8], pixels: usize, bits: u8) {
    let (in_a_byte, most) = (8 / usize::from(bits), (1 << bits) - 1);
    for at in (0..pixels).rev() {
        let shift = 8 - bits * (at % in_a_byte + 1) as u8;
        row[at] = (row[at / in_a_byte] >> shift & most) * (255 / most);
    }
}

/// The conversion of the image crate without a profile.
pub(super) fn of_cmyk([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = 1.0 - f32::from(k) / 255.0;
    [c, m, y].map(|ink| ((255.0 - f32::from(ink)) * light) as u8)
}

/// The full-range colours of JFIF.
pub(super) fn of_ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = [f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0];
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        .map(|value| value.round() as u8)
}

/// Pixels that shrink are converted from the first to the last, pixels that grow from the last to the first, so that none
/// is overwritten before it is read.
pub(super) fn each<const N: usize>(
    buffer: &mut [u8],
    pixels: usize,
    rgb: impl Fn([u8; N]) -> [u8; 3],
) {
    let mut convert = |at: usize| {
        let mut pixel = [0; N];
        pixel.copy_from_slice(&buffer[at * N..(at + 1) * N]);
        buffer[at * 3..(at + 1) * 3].copy_from_slice(&rgb(pixel));
    };
    if N < 3 {
        (0..pixels).rev().for_each(&mut convert);
    } else {
        (0..pixels).for_each(&mut convert);
    }
}

fn on_white(color: [u8; 3], alpha: u8) -> [u8; 3] {
    let alpha = u32::from(alpha);
    color.map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

pub(super) fn shorts<const N: usize>(pixel: &[u8]) -> [u8; N] {
    std::array::from_fn(|at| {
        let value = u16::from_ne_bytes([pixel[2 * at], pixel[2 * at + 1]]);
        ((u32::from(value) + 128) / 257) as u8
    })
}

fn floats<const N: usize>(pixel: &[u8]) -> [u8; N] {
    std::array::from_fn(|at| {
        let bytes = std::array::from_fn(|byte| pixel[4 * at + byte]);
        (f32::from_ne_bytes(bytes).clamp(0.0, 1.0) * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};

    use super::*;

    /// The result of the image crate, transparency blended with white.
    fn expected(image: &DynamicImage) -> Vec<u8> {
        if !image.color().has_alpha() {
            return image.to_rgb8().into_raw();
        }
        image.to_rgba8().pixels().flat_map(|p| on_white([p[0], p[1], p[2]], p[3])).collect()
    }

    #[test]
    fn every_kind_becomes_what_a_copy_would() {
        let value = |x: u32, y: u32| (x * 4093 + y * 577) as u16;
        let byte = |x, y| (value(x, y) >> 3) as u8;
        let float = |x, y| f32::from(value(x, y)) / 60_000.0 - 0.1;
        let images: [DynamicImage; 8] = [
            ImageBuffer::from_fn(31, 17, |x, y| Luma([byte(x, y)])).into(),
            ImageBuffer::from_fn(31, 17, |x, y| LumaA([byte(x, y), byte(y, x)])).into(),
            ImageBuffer::from_fn(31, 17, |x, y| Rgba([byte(x, y), 7, 255, byte(y, x)])).into(),
            ImageBuffer::from_fn(31, 17, |x, y| Luma([value(x, y)])).into(),
            ImageBuffer::from_fn(31, 17, |x, y| LumaA([value(x, y), value(y, x)])).into(),
            ImageBuffer::from_fn(31, 17, |x, y| Rgb([value(x, y), 500, 65_535])).into(),
            ImageBuffer::from_fn(31, 17, |x, y| Rgba([value(x, y), 9, 300, value(y, x)])).into(),
            ImageBuffer::from_fn(31, 17, |x, y| Rgb([float(x, y), 0.5, 2.0])).into(),
        ];
        for image in images {
            let mut buffer = image.as_bytes().to_vec();
            buffer.resize(31 * 17 * bytes_per_pixel(image.color()), 0);
            in_place(&mut buffer, 31 * 17, image.color()).unwrap();
            assert!(buffer[..31 * 17 * 3] == expected(&image), "{:?}", image.color());
        }
    }
}
