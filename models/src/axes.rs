//! The order of a grid's axes, found out by looking: where an image changes, the grid changes.
//!
//! Shapes do not tell `[N,C,h,w]` from `[N,h,w,C]`. But what happens at the top of an image is seen in other
//! rows than what happens at the bottom, in much the same channels.

/// How much of the change must lie elsewhere before the order is held to be another.
const CLEAR: f32 = 0.25;

/// Where an image is changed: strips at its sides.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Strip {
    Top,
    Bottom,
    Left,
    Right,
}

impl Strip {
    pub(crate) const ALL: [Self; 4] = [Self::Top, Self::Bottom, Self::Left, Self::Right];

    fn holds(self, [row, column]: [usize; 2], [height, width]: [usize; 2]) -> bool {
        match self {
            Self::Top => 4 * row < height,
            Self::Bottom => 4 * (height - 1 - row) < height,
            Self::Left => 4 * column < width,
            Self::Right => 4 * (width - 1 - column) < width,
        }
    }
}

/// A tensor 3 × height × width with some texture; another one in a strip of it.
pub(crate) fn image([height, width]: [usize; 2], changed: Option<Strip>) -> Vec<f32> {
    let values = (0..3 * height * width).map(|at| {
        let place = [at / width % height, at % width];
        let inside = changed.is_some_and(|strip| strip.holds(place, [height, width]));
        let texture = |step: usize| (at * step % 251) as f32 / 125.0 - 1.0;
        if inside { texture(7919) + 0.5 } else { texture(104_729) }
    });
    values.collect()
}

/// Whether the shape of a grid alone says that its channels come first: the two last sides are in the ratio
/// of the image's sides, and the first two are not.
pub(crate) fn shape_tells([channels, height, width]: [usize; 3], image: [usize; 2]) -> bool {
    let [image_height, image_width] = image.map(|side| side as f64);
    let alike = |rows: usize, columns: usize| {
        let shares = rows as f64 / image_height - columns as f64 / image_width;
        shares.abs() <= 1.0 / image_height.min(image_width)
    };
    alike(height, width) && !alike(channels, height)
}

/// Whether a grid of that shape has its channels last: the grid of an image, and its grids with each strip
/// changed, in the order of [`Strip::ALL`].
pub(crate) fn channels_are_last(shape: [usize; 3], plain: &[f32], changed: &[Vec<f32>; 4]) -> bool {
    let moved = |axis: usize, one: usize, other: usize| {
        let [one, other] = [one, other].map(|at| shares(shape, axis, plain, &changed[at]));
        one.iter().zip(&other).map(|(one, other)| (one - other).abs()).sum::<f32>() / 2.0
    };
    // Rows and columns are the second and the third axis after the images, or the first and the second.
    let [first, last] =
        [[1, 2], [0, 1]].map(|[rows, columns]| moved(rows, 0, 1).min(moved(columns, 2, 3)));
    last > CLEAR && last > 1.5 * first
}

/// How the change is shared out among the places along an axis.
fn shares(shape: [usize; 3], axis: usize, plain: &[f32], changed: &[f32]) -> Vec<f32> {
    let mut shares = vec![0.0_f32; shape[axis]];
    let inner = shape[axis + 1..].iter().product::<usize>();
    for (at, (plain, changed)) in plain.iter().zip(changed).enumerate() {
        let change = (plain - changed).abs();
        shares[at / inner % shape[axis]] += if change.is_finite() { change } else { 0.0 };
    }
    let whole = shares.iter().sum::<f32>();
    for share in &mut shares {
        *share /= whole.max(f32::MIN_POSITIVE);
    }
    shares
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
