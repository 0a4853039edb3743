//! Pixels to the tensor that an encoder was trained on.

use common::Rect;
pub use common::{Preprocess, PreprocessError, Resize};
use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeError, ResizeOptions, Resizer};
use image::RgbImage;
use ndarray::{Array3, ArrayViewMut3};

use crate::ImageError;

/// The shorter side before the centre is cropped, as a multiple of the input size.
const CROP_MARGIN: f64 = 256.0 / 224.0;

/// Maximum bytes of an intermediate image that has its final height, if it is larger than the image itself.
const MAX_INTERMEDIATE: u64 = 32 << 20;

/// The tensor of an image, `[3, H, W]`.
///
/// # Errors
/// [`ImageError::Damaged`] if the image cannot be resized.
pub fn apply(preprocess: &Preprocess, image: &RgbImage) -> Result<Array3<f32>, ImageError> {
    let mut tensor = Array3::zeros(preprocess.shape());
    normalise(preprocess, &resized(preprocess, image)?, tensor.view_mut());
    Ok(tensor)
}

/// The pixels of an image at the input size.
///
/// # Errors
/// [`ImageError::Damaged`] if the image cannot be resized.
pub fn resized(preprocess: &Preprocess, image: &RgbImage) -> Result<RgbImage, ImageError> {
    let [height, width] = preprocess.size;
    let (image_width, image_height) = (f64::from(image.width()), f64::from(image.height()));
    let Rect { left, top, width: across, height: down } =
        visible_region(preprocess, image.width(), image.height());
    let pixels = Rect {
        left: left * image_width,
        top: top * image_height,
        width: across * image_width,
        height: down * image_height,
    };
    resize(image, pixels, width, height)
}

/// Writes the normalised values of pixels at the input size into `tensor`, `[3, H, W]`.
pub(crate) fn normalise(
    preprocess: &Preprocess,
    pixels: &RgbImage,
    mut tensor: ArrayViewMut3<f32>,
) {
    for (channel, mut plane) in tensor.outer_iter_mut().enumerate() {
        let (mean, std) = (preprocess.mean[channel], preprocess.std[channel]);
        let table: [f32; 256] = std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
        let values = pixels.chunks_exact(3).map(|pixel| table[usize::from(pixel[channel])]);
        match plane.as_slice_mut() {
            Some(plane) => plane.iter_mut().zip(values).for_each(|(to, value)| *to = value),
            None => plane.iter_mut().zip(values).for_each(|(to, value)| *to = value),
        }
    }
}

/// Maximum bytes that [`apply`] holds in addition to an image of this size, its result included.
pub(crate) fn memory(preprocess: &Preprocess, width: u32, height: u32) -> u64 {
    let [rows, columns] = preprocess.size.map(u64::from);
    let (width, height) = (u64::from(width), u64::from(height));
    let intermediate =
        if is_width_first(width, height, rows) { columns * height } else { width * rows };
    // For each side the weights of its pixels, as floats and as integers.
    let weights = 24 * (width + height + 2 * (rows + columns));
    3 * intermediate + weights + 15 * rows * columns
}

/// The part of an image of this size that the encoder sees.
pub(crate) fn visible_region(preprocess: &Preprocess, width: u32, height: u32) -> Rect {
    if preprocess.resize == Resize::Squash {
        return Rect::WHOLE;
    }
    // The whole image at the size from which the centre is cropped, in whole pixels.
    let factor = |target: u32, side: u32| f64::from(target) * CROP_MARGIN / f64::from(side);
    let [rows, columns] = preprocess.size;
    let factor = factor(rows, height).max(factor(columns, width));
    let share = |target: u32, side: u32| {
        let inner = (f64::from(side) * factor + 1e-6).floor();
        let before = ((inner - f64::from(target)) / 2.0).floor();
        (before / inner, f64::from(target) / inner)
    };
    let ((left, width), (top, height)) = (share(columns, width), share(rows, height));
    Rect { left, top, width, height }
}

/// Whether an image is resized to its width before its height. The other order is the usual one; for an image that is
/// wide and low it takes more memory than the image.
fn is_width_first(width: u64, height: u64, rows: u64) -> bool {
    height < rows && 3 * width * rows > MAX_INTERMEDIATE
}

/// Resizes a part of an image, in pixels.
fn resize(image: &RgbImage, part: Rect, width: u32, height: u32) -> Result<RgbImage, ImageError> {
    let damaged = |error: ResizeError| ImageError::Damaged(error.to_string());
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resized = Image::new(width, height, PixelType::U8x3);
    let Rect { left, top, width: across, height: down } = part;
    if is_width_first(image.width().into(), image.height().into(), height.into()) {
        let mut narrow = Image::new(width, image.height(), PixelType::U8x3);
        let part = options.crop(left, 0.0, across, image.height().into());
        Resizer::new().resize(image, &mut narrow, &part).map_err(damaged)?;
        let part = options.crop(0.0, top, width.into(), down);
        Resizer::new().resize(&narrow, &mut resized, &part).map_err(damaged)?;
    } else {
        let part = options.crop(left, top, across, down);
        Resizer::new().resize(image, &mut resized, &part).map_err(damaged)?;
    }
    let too_small = || ImageError::Damaged("resizing gave too few pixels".to_owned());
    RgbImage::from_raw(width, height, resized.into_vec()).ok_or_else(too_small)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_normalised_and_planes_are_separate() {
        let image = RgbImage::from_pixel(224, 224, image::Rgb([0, 127, 255]));
        let tensor = apply(&Preprocess::imagenet([224, 224]), &image).unwrap();
        let expected = [-0.485 / 0.229, (127.0 / 255.0 - 0.456) / 0.224, (1.0 - 0.406) / 0.225];
        assert_eq!(tensor.dim(), (3, 224, 224));
        for (plane, expected) in tensor.outer_iter().zip(expected) {
            assert!(plane.iter().all(|value| (value - expected).abs() < 1e-6));
        }
    }

    /// A white square in the middle of black: squash keeps its share of the width, crop enlarges it.
    #[test]
    fn squash_and_crop_show_the_right_part() {
        let image = RgbImage::from_fn(400, 200, |x, y| {
            let inside = (100..300).contains(&x) && (50..150).contains(&y);
            image::Rgb(if inside { [255; 3] } else { [0; 3] })
        });
        let width_of_white = |resize| {
            let preprocess = Preprocess { resize, ..Preprocess::imagenet([224, 224]) };
            let pixels = resized(&preprocess, &image).unwrap();
            (0..224).filter(|&x| pixels.get_pixel(x, 112)[0] > 127).count()
        };
        assert_eq!(width_of_white(Resize::Squash), 112);
        assert_eq!(width_of_white(Resize::Crop), 224);
    }

    /// The crop equals resizing the whole image and cropping it afterwards.
    #[test]
    fn the_centre_is_that_of_the_whole() {
        let preprocess = Preprocess { resize: Resize::Crop, ..Preprocess::imagenet([64, 64]) };
        for (width, height) in [(500, 375), (333, 500), (64, 200), (1000, 37), (2, 3)] {
            let value = |x: u32, y: u32, channel: u32| {
                ((x * x * 3 + x * y * 7 + channel * 91) / 4 % 256) as u8
            };
            let image = RgbImage::from_fn(width, height, |x, y| {
                image::Rgb([0, 1, 2].map(|c| value(x, y, c)))
            });
            let region = visible_region(&preprocess, width, height);
            let (inner_width, inner_height) =
                ((64.0 / region.width).round(), (64.0 / region.height).round());
            let whole = Rect { width: width.into(), height: height.into(), ..Rect::WHOLE };
            let inner = resize(&image, whole, inner_width as u32, inner_height as u32).unwrap();
            let left = (region.left * inner_width).round() as u32;
            let top = (region.top * inner_height).round() as u32;
            let found = resized(&preprocess, &image).unwrap();
            let differences = found.enumerate_pixels().flat_map(|(x, y, pixel)| {
                let expected = inner.get_pixel(x + left, y + top);
                [0, 1, 2].map(|channel| pixel[channel].abs_diff(expected[channel]))
            });
            let largest = differences.max();
            assert!(largest <= Some(1), "{width}×{height}: off by {largest:?}");
        }
    }

    /// The order of the two sides makes no visible difference.
    #[test]
    fn a_strip_looks_the_same_whichever_side_comes_first() {
        let strip = RgbImage::from_fn(60_000, 40, |x, y| {
            image::Rgb([(x / 240) as u8, (y * 6) as u8, (x / 512 * 4) as u8])
        });
        assert!(is_width_first(60_000, 40, 224));
        let found = resized(&Preprocess::imagenet([224, 224]), &strip).unwrap();
        let mut expected = Image::new(224, 224, PixelType::U8x3);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        Resizer::new().resize(&strip, &mut expected, &options).unwrap();
        let pairs = found.iter().zip(expected.buffer());
        assert!(pairs.map(|(a, b)| a.abs_diff(*b)).max() <= Some(1));
    }
}
