//! Attention drawn on the photo.

use common::Rect;
use image::imageops::thumbnail;
use image::{Rgb, RgbImage};

use ndarray::ArrayView2;

use crate::Preprocess;
use crate::preprocess::visible_region;

/// The longest side of a drawing in pixels.
const MAX_SIDE: u32 = 640;
/// Brightness of the photo where the attention is zero.
const MIN_BRIGHTNESS: f32 = 0.15;

/// A photo to draw on, scaled down to at most 640 pixels.
pub(crate) struct Overlay {
    photo: RgbImage,
    /// The part of it that the encoder sees.
    visible: Rect,
}

impl Overlay {
    pub(crate) fn new(photo: &RgbImage, preprocess: &Preprocess) -> Self {
        let (width, height) = photo.dimensions();
        Self {
            photo: scaled_down(photo, MAX_SIDE),
            visible: visible_region(preprocess, width, height),
        }
    }

    /// Darkens the photo where the attention `[h, w]` is low. The cell with the most attention keeps the photo's colours;
    /// between the centres of cells the weights are interpolated.
    pub(crate) fn draw(&self, attention: ArrayView2<f32>) -> RgbImage {
        let max = attention.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let visible = self.visible;
        let (width, height) = self.photo.dimensions();
        let mut drawn = self.photo.clone();
        for (x, y, Rgb(pixel)) in drawn.enumerate_pixels_mut() {
            let across = ((f64::from(x) + 0.5) / f64::from(width) - visible.left) / visible.width;
            let down = ((f64::from(y) + 0.5) / f64::from(height) - visible.top) / visible.height;
            let weight = weight_at(attention, across as f32, down as f32) / max;
            let brightness = MIN_BRIGHTNESS + (1.0 - MIN_BRIGHTNESS) * weight;
            *pixel = pixel.map(|value| (f32::from(value) * brightness).round() as u8);
        }
        drawn
    }
}

/// A photo scaled down so that no side is longer than `max_side` pixels.
pub(crate) fn scaled_down(photo: &RgbImage, max_side: u32) -> RgbImage {
    let (width, height) = photo.dimensions();
    let scale = (f64::from(max_side) / f64::from(width.max(height))).min(1.0);
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    thumbnail(photo, side(width), side(height))
}

/// The weight at a point of the grid, whose sides are 1; zero outside.
fn weight_at(attention: ArrayView2<f32>, across: f32, down: f32) -> f32 {
    let inside = 0.0..=1.0;
    if !inside.contains(&across) || !inside.contains(&down) {
        return 0.0;
    }
    let (height, width) = attention.dim();
    let along_row = |row: usize| interpolate(width, across, |column| attention[[row, column]]);
    interpolate(height, down, along_row)
}

/// Linear interpolation between the centres of `cells` cells in a row of length 1.
fn interpolate(cells: usize, point: f32, value: impl Fn(usize) -> f32) -> f32 {
    let Some(last) = cells.checked_sub(1) else { return 0.0 };
    let point = (point * cells as f32 - 0.5).clamp(0.0, last as f32);
    let (before, share) = (point.floor() as usize, point.fract());
    value(before) * (1.0 - share) + value((before + 1).min(last)) * share
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::preprocess::Resize;

    const WHITE: Rgb<u8> = Rgb([200, 200, 200]);

    #[test]
    fn the_cell_with_the_attention_stays_bright() {
        let photo = RgbImage::from_pixel(1400, 700, WHITE);
        let mut attention = Array2::zeros([7, 7]);
        attention[[1, 5]] = 0.6;
        let drawn = Overlay::new(&photo, &Preprocess::imagenet([224, 224])).draw(attention.view());
        assert_eq!(drawn.dimensions(), (640, 320));
        let brightest = drawn.enumerate_pixels().max_by_key(|(_, _, pixel)| pixel[0]).unwrap();
        assert!((brightest.0 / 91, brightest.1 / 46) == (5, 1), "{brightest:?}");
        assert!(brightest.2[0] > 195 && drawn.get_pixel(10, 300)[0] == 30, "{brightest:?}");
    }

    #[test]
    fn the_part_outside_the_crop_is_dark() {
        let photo = RgbImage::from_pixel(400, 200, WHITE);
        let crop = Preprocess { resize: Resize::Crop, ..Preprocess::imagenet([224, 224]) };
        let drawn = Overlay::new(&photo, &crop).draw(Array2::from_elem([7, 7], 1.0 / 49.0).view());
        // The centre square of 175 pixels is seen.
        let bright = |x, y| drawn.get_pixel(x, y)[0] == 200;
        assert!(bright(200, 100) && bright(115, 100) && bright(285, 15) && bright(200, 185));
        assert!(!bright(110, 100) && !bright(290, 100) && !bright(200, 10) && !bright(200, 190));
    }
}
