//! The number format of matrix products while training.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// The number format of matrix products while training. Weights, sums and everything else are 32-bit floats with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16 factors; faster where the processor has instructions for them.
    Bf16,
}

impl Precision {
    /// The faster format on this processor: bfloat16 with AMX, and with AMD's AVX-512-BF16, where it was measured to be
    /// 1.4 times as fast; else 32-bit floats: on Intel's with AVX-512 alone bfloat16 took 1.7 times as long.
    #[must_use]
    pub fn for_this_machine() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let cpu = raw_cpuid::CpuId::new();
            let is_amd =
                cpu.get_vendor_info().is_some_and(|vendor| vendor.as_str() == "AuthenticAMD");
            let features = cpu.get_extended_feature_info();
            if features.is_some_and(|has| has.has_amx_bf16() || (is_amd && has.has_avx512_bf16())) {
                return Self::Bf16;
            }
        }
        Self::F32
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }

    /// `input · weightᵀ`: `[…, inputs]` and `[outputs, inputs]` to `[…, outputs]`.
    pub(super) fn product(self, input: &Tensor, weight: &Tensor) -> Tensor {
        if self == Self::F32 {
            return input.to_kind(Kind::Float).matmul(&weight.tr());
        }
        let mut shape = input.size();
        let width = shape.pop().unwrap_or(1);
        let rows = input.reshape([-1, width]);
        let product = self.pad_rows(&rows).matmul(&weight.to_kind(self.kind()).tr());
        shape.push(weight.size()[0]);
        product.narrow(0, 0, rows.size()[0]).to_kind(Kind::Float).view(&shape[..])
    }

    /// `oneᵀ · other`: `[rows, m]` and `[rows, n]` to `[m, n]`.
    pub(super) fn outer_product(self, one: &Tensor, other: &Tensor) -> Tensor {
        if self == Self::F32 {
            return one.tr().matmul(other);
        }
        self.pad_rows(one).tr().matmul(&self.pad_rows(other)).to_kind(Kind::Float)
    }

    /// A matrix `[rows, n]` with rows of zeros below, up to the next of a few sizes: oneDNN compiles code for each size
    /// of a product, and batches have many.
    fn pad_rows(self, matrix: &Tensor) -> Tensor {
        let rows = matrix.size()[0] as u64;
        let tile = if rows > 256 { 128 } else { 16 };
        let missing = (rows.next_multiple_of(tile) - rows) as i64;
        matrix.to_kind(self.kind()).constant_pad_nd([0, 0, 0, missing])
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

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
