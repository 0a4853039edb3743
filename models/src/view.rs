//! Augmentation views of an image: flipped, or cropped at a corner. Training on several views reduces overfitting.

use std::borrow::Cow;

pub use common::View;
use image::RgbImage;
use image::imageops::{crop_imm, flip_horizontal_in_place};
use ndarray::ArrayViewMut3;

use crate::{ImageError, Preprocess, preprocess};

/// Sides of a corner view, as a share of the image's sides.
const CORNER: f64 = 0.8;

/// Writes the tensor of a view of an image into `tensor`, `[3, H, W]`.
///
/// # Errors
/// [`ImageError::Damaged`] if the image cannot be resized.
pub fn apply(
    view: View,
    image: &RgbImage,
    preprocess: &Preprocess,
    tensor: ArrayViewMut3<f32>,
) -> Result<(), ImageError> {
    let mut pixels = preprocess::resized(preprocess, &part(view, image))?;
    if view == View::Flip {
        flip_horizontal_in_place(&mut pixels);
    }
    preprocess::normalise(preprocess, &pixels, tensor);
    Ok(())
}

/// Maximum bytes that the views of an image with so many pixels take beside it: a corner view is a copy of four fifths of
/// its sides, rounded up.
pub(crate) fn memory(views: &[View], [width, height]: [u64; 2]) -> u64 {
    let has_corners = views.iter().any(|view| !matches!(view, View::Original | View::Flip));
    let cropped = |side: u64| side * 4 / 5 + 1;
    if has_corners { 3 * cropped(width) * cropped(height) } else { 0 }
}

/// The views with the original first, each once.
#[must_use]
pub fn original_first(views: &[View]) -> Vec<View> {
    let mut ordered = vec![View::Original];
    for &view in views {
        if !ordered.contains(&view) {
            ordered.push(view);
        }
    }
    ordered
}

/// The visible part of an image.
fn part(view: View, image: &RgbImage) -> Cow<'_, RgbImage> {
    let (right, lower) = match view {
        View::Original | View::Flip => return Cow::Borrowed(image),
        View::TopLeft => (false, false),
        View::TopRight => (true, false),
        View::BottomLeft => (false, true),
        View::BottomRight => (true, true),
    };
    let cropped = |side: u32| ((f64::from(side) * CORNER).round() as u32).max(1);
    let (width, height) = (cropped(image.width()), cropped(image.height()));
    let left = if right { image.width() - width } else { 0 };
    let top = if lower { image.height() - height } else { 0 };
    Cow::Owned(crop_imm(image, left, top, width, height).to_image())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use image::imageops::flip_horizontal;
    use ndarray::Array3;

    use super::*;

    /// An image whose pixels hold their own coordinates.
    fn map(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 0]))
    }

    #[test]
    fn corners_reach_the_edges() {
        let image = map(100, 50);
        for (view, first, last) in [
            (View::Original, [0, 0], [99, 49]),
            (View::TopLeft, [0, 0], [79, 39]),
            (View::TopRight, [20, 0], [99, 39]),
            (View::BottomLeft, [0, 10], [79, 49]),
            (View::BottomRight, [20, 10], [99, 49]),
        ] {
            let visible = part(view, &image);
            let corner = |x, y| visible.get_pixel(x, y).0[..2].to_vec();
            assert_eq!(corner(0, 0), first, "{view:?}");
            assert_eq!(corner(visible.width() - 1, visible.height() - 1), last, "{view:?}");
        }
        for &view in View::value_variants() {
            assert_eq!(part(view, &map(1, 1)).dimensions(), (1, 1));
        }
    }

    #[test]
    fn the_original_is_always_the_first_view() {
        let views = [View::Flip, View::TopLeft, View::Flip, View::Original];
        assert_eq!(original_first(&views), [View::Original, View::Flip, View::TopLeft]);
        assert_eq!(original_first(&[]), [View::Original]);
    }

    #[test]
    fn the_flipped_view_is_the_flipped_image() {
        let image = map(224, 224);
        let preprocess = Preprocess::imagenet([224, 224]);
        let mut flipped = Array3::zeros(preprocess.shape());
        apply(View::Flip, &image, &preprocess, flipped.view_mut()).unwrap();
        assert_eq!(flipped, preprocess::apply(&preprocess, &flip_horizontal(&image)).unwrap());
    }
}
