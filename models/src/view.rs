//! Ways to look at an image. A network that has seen several of an image learns less of it by heart.

use std::borrow::Cow;
use std::str::FromStr;

use image::RgbImage;
use image::imageops::crop_imm;

use crate::{ImageError, Preprocess};

/// Sides of a corner's view, as a share of the image's sides.
const CORNER: f64 = 0.8;

/// A way to look at an image; each view of it gets a grid of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// As it is.
    Original,
    /// Left and right exchanged.
    Flip,
    /// Four fifths of width and height, at the upper left.
    TopLeft,
    /// … at the upper right.
    TopRight,
    /// … at the lower left.
    BottomLeft,
    /// … at the lower right.
    BottomRight,
}

impl View {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::Original,
        Self::Flip,
        Self::TopLeft,
        Self::TopRight,
        Self::BottomLeft,
        Self::BottomRight,
    ];

    /// The name in commands and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Flip => "flip",
            Self::TopLeft => "top-left",
            Self::TopRight => "top-right",
            Self::BottomLeft => "bottom-left",
            Self::BottomRight => "bottom-right",
        }
    }

    /// Writes the tensor of this view of an image, 3 × height × width, into `tensor`.
    ///
    /// # Panics
    /// If `tensor` does not hold [`Preprocess::values`] values.
    pub fn apply(
        self,
        image: &RgbImage,
        preprocess: &Preprocess,
        tensor: &mut [f32],
    ) -> Result<(), ImageError> {
        preprocess.apply(&self.part(image), tensor)?;
        if self == Self::Flip {
            tensor.chunks_exact_mut(preprocess.width()).for_each(<[f32]>::reverse);
        }
        Ok(())
    }

    /// What is seen of an image.
    fn part(self, image: &RgbImage) -> Cow<'_, RgbImage> {
        let (right, lower) = match self {
            Self::Original | Self::Flip => return Cow::Borrowed(image),
            Self::TopLeft => (false, false),
            Self::TopRight => (true, false),
            Self::BottomLeft => (false, true),
            Self::BottomRight => (true, true),
        };
        let seen = |side: u32| ((f64::from(side) * CORNER).round() as u32).max(1);
        let (width, height) = (seen(image.width()), seen(image.height()));
        let left = if right { image.width() - width } else { 0 };
        let top = if lower { image.height() - height } else { 0 };
        Cow::Owned(crop_imm(image, left, top, width, height).to_image())
    }
}

impl FromStr for View {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|view| view.name() == text).ok_or_else(|| {
            format!("`{text}` is not one of {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use image::imageops::flip_horizontal;

    use super::*;

    /// Each pixel says where it lies.
    fn map(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 0]))
    }

    #[test]
    fn views_have_names_of_their_own() {
        for view in View::ALL {
            assert_eq!(view.name().parse(), Ok(view));
        }
        assert!("upside-down".parse::<View>().unwrap_err().contains("bottom-right"));
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
            let part = view.part(&image);
            let place = |x, y| part.get_pixel(x, y).0[..2].to_vec();
            assert_eq!(place(0, 0), first, "{view:?}");
            assert_eq!(place(part.width() - 1, part.height() - 1), last, "{view:?}");
        }
        for view in View::ALL {
            assert_eq!(view.part(&map(1, 1)).dimensions(), (1, 1));
        }
    }

    #[test]
    fn the_flipped_view_is_the_flipped_image() {
        let image = map(224, 224);
        let preprocess = Preprocess::imagenet([224, 224]);
        let [mut flipped, mut expected] = [(); 2].map(|()| vec![0.0; preprocess.values()]);
        View::Flip.apply(&image, &preprocess, &mut flipped).unwrap();
        preprocess.apply(&flip_horizontal(&image), &mut expected).unwrap();
        assert!(flipped == expected);
    }
}
