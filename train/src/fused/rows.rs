//! Rows of several images.

use tch::Tensor;

use super::values::{values, values_mut};

/// The rows of a contiguous tensor by their image; `images` has that of each row, and there are `count` of them.
pub(super) fn rows_by_image<'a>(
    tensor: &'a Tensor,
    images: &[usize],
    count: usize,
) -> Vec<Vec<&'a [f32]>> {
    by_image(values(tensor).chunks_exact(width(tensor)), images, count)
}

/// The same to write.
pub(super) fn rows_by_image_mut<'a>(
    tensor: &'a mut Tensor,
    images: &[usize],
    count: usize,
) -> Vec<Vec<&'a mut [f32]>> {
    let width = width(tensor);
    by_image(values_mut(tensor).chunks_exact_mut(width), images, count)
}

/// The size of the last dimension.
pub(super) fn width(tensor: &Tensor) -> usize {
    tensor.size().last().map_or(1, |&width| width as usize)
}

fn by_image<T>(rows: impl Iterator<Item = T>, images: &[usize], count: usize) -> Vec<Vec<T>> {
    let mut all = (0..count).map(|_| Vec::new()).collect::<Vec<_>>();
    for (row, &image) in rows.zip(images) {
        all[image].push(row);
    }
    all
}
