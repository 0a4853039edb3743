//! Matrix products in the number format of a training.

use tch::{Device, Kind, Tensor};

use crate::settings::Precision;

impl Precision {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }

    /// `input · weightᵀ`: `[…, inputs]` and `[outputs, inputs]` to `[…, outputs]`.
    pub(super) fn product(self, input: &Tensor, weight: &Tensor) -> Tensor {
        self.product_with(input, &weight.tr())
    }

    /// `input · matrix`: `[…, inputs]` and `[inputs, outputs]` to `[…, outputs]`. With few rows it is fast if the matrix is
    /// contiguous.
    pub(super) fn product_with(self, input: &Tensor, matrix: &Tensor) -> Tensor {
        if self == Self::F32 {
            return input.to_kind(Kind::Float).matmul(matrix);
        }
        let mut shape = input.size();
        let width = shape.pop().unwrap_or(1);
        let rows = input.reshape([-1, width]);
        let product = self.pad_rows(&rows).matmul(&matrix.to_kind(self.kind()));
        shape.push(matrix.size()[1]);
        product.narrow(0, 0, rows.size()[0]).to_kind(Kind::Float).view(&shape[..])
    }

    /// `oneᵀ · other`: `[rows, m]` and `[rows, n]` to `[m, n]`.
    pub(super) fn outer_product(self, one: &Tensor, other: &Tensor) -> Tensor {
        if self == Self::F32 {
            return one.tr().matmul(other);
        }
        self.pad_rows(one).tr().matmul(&self.pad_rows(other)).to_kind(Kind::Float)
    }

    /// A matrix `[rows, n]`, on a processor with rows of zeros below, up to the next of a few sizes: oneDNN compiles code
    /// for each size of a product, and batches have many.
    fn pad_rows(self, matrix: &Tensor) -> Tensor {
        let matrix = matrix.to_kind(self.kind());
        if matrix.device() != Device::Cpu {
            return matrix;
        }
        let rows = matrix.size()[0] as u64;
        let tile = if rows > 256 { 128 } else { 16 };
        let missing = (rows.next_multiple_of(tile) - rows) as i64;
        matrix.constant_pad_nd([0, 0, 0, missing])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bfloat16_products_are_close() {
        let [a, b] = [[6, 64], [5, 64]].map(|size| Tensor::randn(size, (Kind::Float, Device::Cpu)));
        let exact = Precision::F32.product(&a, &b);
        let near = Precision::Bf16.product(&a, &b);
        assert_eq!(near.kind(), Kind::Float);
        assert!((exact - near).abs().max().double_value(&[]) < 0.3);
        let exact = Precision::F32.outer_product(&a, &a);
        let near = Precision::Bf16.outer_product(&a, &a);
        assert!((exact - near).abs().max().double_value(&[]) < 0.3);
    }
}
