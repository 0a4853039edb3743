//! The order of a grid's axes, found by experiment: where an image changes, its grid changes.
//!
//! Shapes alone do not distinguish `[N, C, h, w]` from `[N, h, w, C]`. But a change at the top of an image shows in other
//! rows than a change at the bottom, and in much the same channels.

use ndarray::{Array3, Axis};

/// The share of the change that must be elsewhere for axes to count as rows and columns.
const MIN_SHIFT: f32 = 0.25;

/// A changed part of an image: a strip at one of its edges.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Strip {
    Top,
    Bottom,
    Left,
    Right,
}

impl Strip {
    pub(crate) const ALL: [Self; 4] = [Self::Top, Self::Bottom, Self::Left, Self::Right];

    fn contains(self, [row, column]: [usize; 2], [height, width]: [usize; 2]) -> bool {
        match self {
            Self::Top => 4 * row < height,
            Self::Bottom => 4 * (height - 1 - row) < height,
            Self::Left => 4 * column < width,
            Self::Right => 4 * (width - 1 - column) < width,
        }
    }
}

/// A textured image tensor `[3, H, W]`, with another texture in a strip of it.
pub(crate) fn image([height, width]: [usize; 2], changed: Option<Strip>) -> Array3<f32> {
    Array3::from_shape_fn([3, height, width], |(channel, row, column)| {
        let index = (channel * height + row) * width + column;
        let is_changed =
            changed.is_some_and(|strip| strip.contains([row, column], [height, width]));
        let texture = |step: usize| (index * step % 251) as f32 / 125.0 - 1.0;
        if is_changed { texture(7919) + 0.5 } else { texture(104_729) }
    })
}

/// Whether the shape of a grid alone proves that its channels come first: its last two sides are in the ratio of the
/// image's sides, and its first two are not.
pub(crate) fn shape_tells([channels, height, width]: [usize; 3], image: [usize; 2]) -> bool {
    let [image_height, image_width] = image.map(|side| side as f64);
    let alike = |rows: usize, columns: usize| {
        let difference = rows as f64 / image_height - columns as f64 / image_width;
        difference.abs() <= 1.0 / image_height.min(image_width)
    };
    alike(height, width) && !alike(channels, height)
}

/// Whether a grid has its channels last: `plain` is the grid of an image, `changed` are its grids with each strip
/// changed, in the order of [`Strip::ALL`]. All have three axes, the channels first or last.
pub(crate) fn channels_are_last(plain: &Array3<f32>, changed: &[Array3<f32>; 4]) -> bool {
    let [top, bottom, left, right] = changed;
    let shift = |axis: usize, one: &Array3<f32>, other: &Array3<f32>| {
        let [one, other] = [one, other].map(|grid| shares(Axis(axis), plain, grid));
        one.iter().zip(&other).map(|(one, other)| (one - other).abs()).sum::<f32>() / 2.0
    };
    // Rows and columns are the last two axes, or the first two.
    let [first, last] = [[1, 2], [0, 1]]
        .map(|[rows, columns]| shift(rows, top, bottom).min(shift(columns, left, right)));
    last > MIN_SHIFT && last > 1.5 * first
}

/// The share of the change at each index of an axis.
fn shares(axis: Axis, plain: &Array3<f32>, changed: &Array3<f32>) -> Vec<f32> {
    let difference = |(plain, changed): (&f32, &f32)| {
        let difference = (plain - changed).abs();
        if difference.is_finite() { difference } else { 0.0 }
    };
    let slices = plain.axis_iter(axis).zip(changed.axis_iter(axis));
    let sums = slices.map(|(plain, changed)| plain.iter().zip(&changed).map(difference).sum());
    let sums = sums.collect::<Vec<f32>>();
    let total = sums.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    sums.iter().map(|sum| sum / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_shapes_tell() {
        assert!(shape_tells([2048, 7, 7], [224, 224]));
        assert!(shape_tells([1280, 8, 6], [256, 192]));
        assert!(!shape_tells([7, 7, 64], [28, 28]));
        assert!(!shape_tells([8, 8, 8], [32, 32]));
    }
}
