//! Weighted sums of the cells of an image, and their gradients.
#![expect(clippy::inline_always, reason = "see vectors.rs")]

use tch::{Device, Kind, Tensor};

use super::rows::{rows_by_image, rows_by_image_mut, width};
use super::threads::run_all;
use super::values::{values, values_mut};
use super::vectors::{Kernel, LANES};

/// The cells that rows of weights belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mixture<'a> {
    /// `[N, cells, D]`.
    pub(crate) cells: &'a Tensor,
    /// The image of each row of weights.
    pub(crate) images: &'a [usize],
}

impl Mixture<'_> {
    /// The cells of each image.
    fn images(&self) -> impl Iterator<Item = &[f32]> {
        values(self.cells).chunks_exact(self.cells.size()[1] as usize * width(self.cells))
    }

    /// The sums of cells by weights `[R, cells]`: `[R, D]`.
    pub(crate) fn sums(&self, weights: &Tensor) -> Tensor {
        let size = [self.images.len(), width(self.cells)].map(|size| size as i64);
        let mut sums = Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let count = self.cells.size()[0] as usize;
        let weights = rows_by_image(weights, self.images, count);
        let rows = weights.into_iter().zip(rows_by_image_mut(&mut sums, self.images, count));
        let parts = self.images().zip(rows);
        run_all(parts.map(|(cells, (weights, sums))| Mixing { cells, weights, sums }).collect());
        sums
    }

    /// Adds the gradients of cells that follow from those of the sums `[R, D]`, and returns that of the weights, `[R, cells]`.
    pub(crate) fn gradients(
        &self,
        weights: &Tensor,
        by_sums: &Tensor,
        of_cells: &mut Tensor,
    ) -> Tensor {
        let mut of_weights = weights.zeros_like();
        let count = self.cells.size()[0] as usize;
        let [weights, by_sums] =
            [weights, by_sums].map(|rows| rows_by_image(rows, self.images, count));
        let of_image = self.cells.numel() / count.max(1);
        let sums = values_mut(of_cells).chunks_exact_mut(of_image).zip(rows_by_image_mut(
            &mut of_weights,
            self.images,
            count,
        ));
        let rows = weights.into_iter().zip(by_sums);
        let part = |((cells, (weights, by_sums)), (of_cells, of_weights))| Differentiation {
            cells,
            weights,
            by_sums,
            of_cells,
            of_weights,
        };
        run_all(self.images().zip(rows).zip(sums).map(part).collect());
        of_weights
    }
}

/// The sums of one image.
struct Mixing<'a> {
    cells: &'a [f32],
    weights: Vec<&'a [f32]>,
    sums: Vec<&'a mut [f32]>,
}

impl Kernel for Mixing<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { cells, weights, mut sums } = self;
        let width = sums.first().map_or(1, |sum| sum.len());
        for (at, cell) in cells.chunks_exact(width).enumerate() {
            for (weights, sum) in weights.iter().zip(&mut sums) {
                let weight = weights[at];
                for (sum, value) in sum.iter_mut().zip(cell) {
                    *sum += weight * value;
                }
            }
        }
    }
}

/// The gradients of one image.
struct Differentiation<'a> {
    cells: &'a [f32],
    weights: Vec<&'a [f32]>,
    by_sums: Vec<&'a [f32]>,
    of_cells: &'a mut [f32],
    of_weights: Vec<&'a mut [f32]>,
}

impl Kernel for Differentiation<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { cells, weights, by_sums, of_cells, mut of_weights } = self;
        let width = by_sums.first().map_or(1, |by_sum| by_sum.len());
        let all = cells.chunks_exact(width).zip(of_cells.chunks_exact_mut(width));
        for (at, (cell, of_cell)) in all.enumerate() {
            let rows = weights.iter().zip(&by_sums).zip(&mut of_weights);
            for ((weights, by_sum), of_weights) in rows {
                let weight = weights[at];
                for (of_value, by_value) in of_cell.iter_mut().zip(*by_sum) {
                    *of_value += weight * by_value;
                }
                of_weights[at] = dot(cell, by_sum);
            }
        }
    }
}

#[inline(always)]
fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (parts, rest) = one.as_chunks::<LANES>();
    let (other_parts, other_rest) = other.as_chunks::<LANES>();
    for (part, other) in parts.iter().zip(other_parts) {
        for at in 0..LANES {
            sums[at] += part[at] * other[at];
        }
    }
    let rest = rest.iter().zip(other_rest).map(|(one, other)| one * other);
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums and gradients are those of libtorch, for several widths.
    #[test]
    fn it_is_the_product_of_libtorch() {
        for width in [7, 16, 45] {
            let normal = |size: &[i64]| {
                Tensor::randn(size, (Kind::Float, Device::Cpu)).set_requires_grad(true)
            };
            let (cells, weights) = (normal(&[3, 5, width]), normal(&[4, 5]));
            let images = [2, 0, 2, 2];
            let of_rows = Tensor::from_slice(&images.map(|image| image as i64));
            let expected =
                weights.unsqueeze(1).bmm(&cells.index_select(0, &of_rows)).squeeze_dim(1);
            let by_sums = Tensor::randn([4, width], (Kind::Float, Device::Cpu));
            (&expected * &by_sums).sum(Kind::Float).backward();

            let (plain, plain_weights) = (cells.detach(), weights.detach());
            let mixture = Mixture { cells: &plain, images: &images };
            let is_near = |found: &Tensor, expected: &Tensor| {
                (found - expected).abs().max().double_value(&[]) < 1e-5
            };
            assert!(is_near(&mixture.sums(&plain_weights), &expected.detach()));
            let mut of_cells = plain.zeros_like();
            let of_weights = mixture.gradients(&plain_weights, &by_sums, &mut of_cells);
            assert!(is_near(&of_cells, &cells.grad()) && is_near(&of_weights, &weights.grad()));
        }
    }
}
