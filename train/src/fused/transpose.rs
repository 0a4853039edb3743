//! Transposed copies of matrices.
#![expect(clippy::inline_always, reason = "see vectors.rs")]

use tch::{Device, Kind, Tensor};

use super::rows::width;
use super::threads::run_all;
use super::values::{values, values_mut};
use super::vectors::Kernel;

/// The rows and columns of a tile, so that a cache holds what is read and written.
const TILE: usize = 16;

/// The transposed copy of a contiguous matrix `[m, n]`: `[n, m]`.
pub(crate) fn transpose(matrix: &Tensor) -> Tensor {
    let (rows, columns) = (matrix.size()[0] as usize, width(matrix));
    let size = [columns, rows].map(|size| size as i64);
    let mut transposed = Tensor::empty(size, (Kind::Float, Device::Cpu));
    let parts = values_mut(&mut transposed).chunks_mut(TILE * rows).enumerate();
    let part = |(at, to)| Tiles { from: values(matrix), columns, first: at * TILE, to, rows };
    run_all(parts.map(part).collect());
    transposed
}

/// Some rows of the copy.
struct Tiles<'a> {
    from: &'a [f32],
    columns: usize,
    /// The first of these rows, a column of the matrix.
    first: usize,
    to: &'a mut [f32],
    /// The rows of the matrix.
    rows: usize,
}

impl Kernel for Tiles<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { from, columns, first, to, rows } = self;
        for tile in (0..rows).step_by(TILE) {
            let of_tile = tile..rows.min(tile + TILE);
            for (at, row) in to.chunks_exact_mut(rows).enumerate() {
                let column = first + at;
                for (value, from_row) in row[of_tile.clone()].iter_mut().zip(of_tile.clone()) {
                    *value = from[from_row * columns + column];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Threads;

    #[test]
    fn it_is_the_transpose_of_libtorch() {
        for threads in [1, 3] {
            let _threads = Threads::new(threads);
            for size in [[1, 1], [3, 50], [64, 17], [33, 16]] {
                let matrix = Tensor::randn(size, (Kind::Float, Device::Cpu));
                assert_eq!(transpose(&matrix), matrix.tr());
            }
        }
    }
}
