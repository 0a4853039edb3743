//! Pixels to the tensor an encoder was trained on.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeError, ResizeOptions, Resizer};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::ImageError;

/// The shorter side before the centre is cut out, as a multiple of the input size.
const CROP_MARGIN: f64 = 256.0 / 224.0;

/// The most bytes between bringing an image to its height and to its width, where they are more than the
/// image itself.
const MOST_BETWEEN: u64 = 32 << 20;

/// The most pixels an input may be high or wide.
const MOST_SIDE: i64 = 4096;

/// The key under which an encoder's ONNX metadata carries its preprocessing as JSON.
pub const METADATA_KEY: &str = "showtell.preprocess";

/// How an image is brought to the input size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// To the input size at once; the aspect ratio is not kept.
    Squash,
    /// The shorter side to 256/224 of the input size, then the centre is cut out.
    Crop,
}

impl std::str::FromStr for Resize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "squash" => Ok(Self::Squash),
            "crop" => Ok(Self::Crop),
            _ => Err(format!("`{text}` is not one of squash, crop")),
        }
    }
}

/// The order of the channels in the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelOrder {
    /// Red, green, blue.
    #[serde(rename = "RGB")]
    Rgb,
}

/// What happens to the EXIF orientation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExifOrientation {
    /// The image is turned upright.
    Applied,
}

/// Everything between a decoded image and the encoder's input. Value = (pixel/255 − mean) / std.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Height and width of the input.
    pub size: [u32; 2],
    /// How the image is brought to that size, bilinear with antialiasing.
    pub resize: Resize,
    /// Mean of each channel.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
    /// The order of the channels.
    pub channel_order: ChannelOrder,
    /// What happens to the EXIF orientation.
    pub exif_orientation: ExifOrientation,
}

/// Refuses an input of that height and width, if it has no pixels or far too many.
pub(crate) fn check_sides([height, width]: [i64; 2]) -> Result<(), String> {
    let usable = [height, width].iter().all(|side| (1..=MOST_SIDE).contains(side));
    let problem =
        || format!("its input is {height}×{width} pixels; 1 to {MOST_SIDE} each are possible");
    usable.then_some(()).ok_or_else(problem)
}

impl Preprocess {
    /// The preprocessing of ImageNet classifiers in their usual training code.
    #[must_use]
    pub fn imagenet(size: [u32; 2]) -> Self {
        Self {
            size,
            resize: Resize::Squash,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            channel_order: ChannelOrder::Rgb,
            exif_orientation: ExifOrientation::Applied,
        }
    }

    /// Refuses what no images can be brought to.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_sides(self.size.map(i64::from))?;
        let usable = self.std.iter().all(|std| std.is_finite() && *std != 0.0)
            && self.mean.iter().all(|mean| mean.is_finite());
        let Self { mean, std, .. } = self;
        let problem = || format!("no values come of mean {mean:?} and std {std:?}");
        usable.then_some(()).ok_or_else(problem)
    }

    /// Width of the input in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.size[1] as usize
    }

    /// The number of values of one image's tensor.
    #[must_use]
    pub fn values(&self) -> usize {
        3 * self.size[0] as usize * self.size[1] as usize
    }

    /// Writes the tensor of an image, 3 × height × width, into `tensor`.
    ///
    /// # Panics
    /// If `tensor` does not hold [`values`](Self::values) values.
    pub fn apply(&self, image: &RgbImage, tensor: &mut [f32]) -> Result<(), ImageError> {
        assert_eq!(tensor.len(), self.values(), "a tensor of another size");
        let pixels = self.resized(image)?;
        let plane = pixels.len() / 3;
        for (channel, plane) in tensor.chunks_exact_mut(plane).enumerate() {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            let table: [f32; 256] = std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
            for (value, pixel) in plane.iter_mut().zip(pixels.chunks_exact(3)) {
                *value = table[usize::from(pixel[channel])];
            }
        }
        Ok(())
    }

    /// The pixels at the input size, RGB, row by row.
    pub fn resized(&self, image: &RgbImage) -> Result<Vec<u8>, ImageError> {
        let [height, width] = self.size;
        let [left, top, across, down] = self.seen(image.width(), image.height());
        let (image_width, image_height) = (f64::from(image.width()), f64::from(image.height()));
        let part =
            [left * image_width, top * image_height, across * image_width, down * image_height];
        resize(image, part, [width, height])
    }

    /// The most bytes that [`apply`](Self::apply) holds beside an image of this size, its result included.
    pub(crate) fn memory(&self, width: u32, height: u32) -> u64 {
        let [rows, columns] = self.size.map(u64::from);
        let (width, height) = (u64::from(width), u64::from(height));
        let between =
            if across_first(width, height, rows) { columns * height } else { width * rows };
        // For each side the weights of its pixels, as floats and as integers.
        let weights = 24 * (width + height + 2 * (rows + columns));
        3 * between + weights + 15 * rows * columns
    }

    /// What part of an image the encoder sees: left, top, width and height, as shares of its sides.
    pub(crate) fn seen(&self, width: u32, height: u32) -> [f64; 4] {
        if self.resize == Resize::Squash {
            return [0.0, 0.0, 1.0, 1.0];
        }
        // The whole image at the size from which the centre is cut, in whole pixels.
        let factor = |target: u32, side: u32| f64::from(target) * CROP_MARGIN / f64::from(side);
        let factor = factor(self.size[0], height).max(factor(self.size[1], width));
        let share = |target: u32, side: u32| {
            let inner = (f64::from(side) * factor + 1e-6).floor();
            let before = ((inner - f64::from(target)) / 2.0).floor();
            [before / inner, f64::from(target) / inner]
        };
        let [left, across] = share(self.size[1], width);
        let [top, down] = share(self.size[0], height);
        [left, top, across, down]
    }
}

/// Whether an image is brought to its width before it is brought to its height. The other way round is the
/// usual one; for an image that is wide and low it takes more memory than the image.
fn across_first(width: u64, height: u64, rows: u64) -> bool {
    height < rows && 3 * width * rows > MOST_BETWEEN
}

/// Brings a part of an image (left, top, width and height in pixels) to a size (width and height).
fn resize(
    image: &RgbImage,
    [left, top, across, down]: [f64; 4],
    [width, height]: [u32; 2],
) -> Result<Vec<u8>, ImageError> {
    let damaged = |error: ResizeError| ImageError::Damaged(error.to_string());
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resized = Image::new(width, height, PixelType::U8x3);
    if across_first(image.width().into(), image.height().into(), height.into()) {
        let mut narrow = Image::new(width, image.height(), PixelType::U8x3);
        let part = options.crop(left, 0.0, across, image.height().into());
        Resizer::new().resize(image, &mut narrow, &part).map_err(damaged)?;
        let part = options.crop(0.0, top, width.into(), down);
        Resizer::new().resize(&narrow, &mut resized, &part).map_err(damaged)?;
    } else {
        let part = options.crop(left, top, across, down);
        Resizer::new().resize(image, &mut resized, &part).map_err(damaged)?;
    }
    Ok(resized.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_normalised_and_planes_are_separate() {
        let image = RgbImage::from_pixel(224, 224, image::Rgb([0, 127, 255]));
        let preprocess = Preprocess::imagenet([224, 224]);
        let mut tensor = vec![0.0; preprocess.values()];
        preprocess.apply(&image, &mut tensor).unwrap();
        let expected = [-0.485 / 0.229, (127.0 / 255.0 - 0.456) / 0.224, (1.0 - 0.406) / 0.225];
        for (channel, expected) in expected.into_iter().enumerate() {
            let plane = &tensor[channel * 224 * 224..(channel + 1) * 224 * 224];
            assert!(plane.iter().all(|value| (value - expected).abs() < 1e-6));
        }
    }

    /// A white square in the middle of black: squash keeps its share of the width, crop enlarges it.
    #[test]
    fn squash_and_crop_take_the_right_part() {
        let image = RgbImage::from_fn(400, 200, |x, y| {
            let inside = (100..300).contains(&x) && (50..150).contains(&y);
            image::Rgb(if inside { [255; 3] } else { [0; 3] })
        });
        let width_of_white = |resize| {
            let preprocess = Preprocess { resize, ..Preprocess::imagenet([224, 224]) };
            let pixels = preprocess.resized(&image).unwrap();
            pixels[112 * 224 * 3..113 * 224 * 3].chunks(3).filter(|pixel| pixel[0] > 127).count()
        };
        assert_eq!(width_of_white(Resize::Squash), 112);
        assert_eq!(width_of_white(Resize::Crop), 224);
    }

    /// The centre is what resizing the whole image and cutting it out would give, without the whole.
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
            let [left, top, across, down] = preprocess.seen(width, height);
            let [inner_width, inner_height] = [(64.0 / across).round(), (64.0 / down).round()];
            let part = [0.0, 0.0, width.into(), height.into()];
            let inner = resize(&image, part, [inner_width as u32, inner_height as u32]).unwrap();
            let cut = |at: usize| {
                let (x, y) = (at / 3 % 64, at / 192);
                let x = x + (left * inner_width).round() as usize;
                let y = y + (top * inner_height).round() as usize;
                inner[(y * inner_width as usize + x) * 3 + at % 3]
            };
            let found = preprocess.resized(&image).unwrap();
            let largest = (0..found.len()).map(|at| found[at].abs_diff(cut(at))).max();
            assert!(largest <= Some(1), "{width}×{height}: off by {largest:?}");
        }
    }

    /// Which side is brought to its size first does not show.
    #[test]
    fn a_strip_looks_the_same_whichever_side_comes_first() {
        let strip = RgbImage::from_fn(60_000, 40, |x, y| {
            image::Rgb([(x / 240) as u8, (y * 6) as u8, (x / 512 * 4) as u8])
        });
        assert!(across_first(60_000, 40, 224));
        let found = Preprocess::imagenet([224, 224]).resized(&strip).unwrap();
        let mut expected = Image::new(224, 224, PixelType::U8x3);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        Resizer::new().resize(&strip, &mut expected, &options).unwrap();
        let pairs = found.iter().zip(expected.buffer());
        assert!(pairs.map(|(a, b)| a.abs_diff(*b)).max() <= Some(1));
    }

    #[test]
    fn json_comes_back_and_unknown_orders_are_refused() {
        let preprocess = Preprocess::imagenet([224, 224]);
        let json = serde_json::to_string(&preprocess).unwrap();
        assert_eq!(serde_json::from_str::<Preprocess>(&json).unwrap(), preprocess);
        assert!(serde_json::from_str::<Preprocess>(&json.replace("RGB", "BGR")).is_err());
    }
}
