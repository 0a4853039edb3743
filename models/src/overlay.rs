//! Where a network looked, drawn on the photo.

use image::imageops::thumbnail;
use image::{Rgb, RgbImage};

use crate::Preprocess;

/// The longest side of a drawing in pixels.
const LONGEST: u32 = 640;
/// How bright the photo is where the network did not look at all.
const DARKEST: f32 = 0.15;

/// A photo to draw on, scaled down to at most 640 pixels.
pub(crate) struct Overlay {
    photo: RgbImage,
    /// What part of it the encoder sees: left, top, width and height, as shares of its sides.
    seen: [f64; 4],
}

impl Overlay {
    pub(crate) fn new(photo: &RgbImage, preprocess: &Preprocess) -> Self {
        let (width, height) = photo.dimensions();
        let scale = (f64::from(LONGEST) / f64::from(width.max(height))).min(1.0);
        let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
        Self {
            photo: thumbnail(photo, side(width), side(height)),
            seen: preprocess.seen(width, height),
        }
    }

    /// The photo, the darker the less the network looked: `attention` is a weight for each cell of the
    /// grid, row by row from the top. The brightest cell has the photo's own colours; between the
    /// centres of cells the weights are interpolated.
    pub(crate) fn draw(&self, attention: &[Vec<f32>]) -> RgbImage {
        let most = attention.iter().flatten().copied().fold(f32::MIN_POSITIVE, f32::max);
        let [left, top, seen_width, seen_height] = self.seen;
        let (width, height) = self.photo.dimensions();
        let mut drawn = self.photo.clone();
        for (x, y, Rgb(pixel)) in drawn.enumerate_pixels_mut() {
            let across = ((f64::from(x) + 0.5) / f64::from(width) - left) / seen_width;
            let down = ((f64::from(y) + 0.5) / f64::from(height) - top) / seen_height;
            let looked = weight_at(attention, across as f32, down as f32) / most;
            let brightness = DARKEST + (1.0 - DARKEST) * looked;
            *pixel = pixel.map(|value| (f32::from(value) * brightness).round() as u8);
        }
        drawn
    }
}

/// The weight at a place of the grid, whose sides are 1; nothing outside.
fn weight_at(attention: &[Vec<f32>], across: f32, down: f32) -> f32 {
    let inside = 0.0..=1.0;
    if !inside.contains(&across) || !inside.contains(&down) {
        return 0.0;
    }
    let along_row = |row: &Vec<f32>| between(row.len(), across, |at| row[at]);
    between(attention.len(), down, |at| along_row(&attention[at]))
}

/// Linear interpolation between the centres of `cells` cells in a row of length 1.
fn between(cells: usize, place: f32, value: impl Fn(usize) -> f32) -> f32 {
    let Some(last) = cells.checked_sub(1) else { return 0.0 };
    let place = (place * cells as f32 - 0.5).clamp(0.0, last as f32);
    let (before, share) = (place.floor() as usize, place.fract());
    value(before) * (1.0 - share) + value((before + 1).min(last)) * share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocess::Resize;

    const WHITE: Rgb<u8> = Rgb([200, 200, 200]);

    #[test]
    fn the_cell_that_was_looked_at_stays_bright() {
        let photo = RgbImage::from_pixel(1400, 700, WHITE);
        let mut attention = vec![vec![0.0; 7]; 7];
        attention[1][5] = 0.6;
        let drawn = Overlay::new(&photo, &Preprocess::imagenet([224, 224])).draw(&attention);
        assert_eq!(drawn.dimensions(), (640, 320));
        let brightest = drawn.enumerate_pixels().max_by_key(|(_, _, pixel)| pixel[0]).unwrap();
        assert!((brightest.0 / 91, brightest.1 / 46) == (5, 1), "{brightest:?}");
        assert!(brightest.2[0] > 195 && drawn.get_pixel(10, 300)[0] == 30, "{brightest:?}");
    }

    #[test]
    fn what_was_cut_off_was_not_looked_at() {
        let photo = RgbImage::from_pixel(400, 200, WHITE);
        let crop = Preprocess { resize: Resize::Crop, ..Preprocess::imagenet([224, 224]) };
        let drawn = Overlay::new(&photo, &crop).draw(&vec![vec![1.0 / 49.0; 7]; 7]);
        // The centre square of 175 pixels is seen.
        let bright = |x, y| drawn.get_pixel(x, y)[0] == 200;
        assert!(bright(200, 100) && bright(115, 100) && bright(285, 15) && bright(200, 185));
        assert!(!bright(110, 100) && !bright(290, 100) && !bright(200, 10) && !bright(200, 190));
    }
}
