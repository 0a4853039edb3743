//! How the loss of one batch is computed: what is dropped, and in which precision matrices are
//! multiplied.

use data::vocabulary::UNK;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::nn::Linear;
use tch::{Kind, Tensor};

use super::Regularization;

/// The numbers that matrices are multiplied in while training. Weights, sums and everything else
/// are 32-bit floats in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16 factors; faster where the processor multiplies them itself (AMX, GPU).
    Bf16,
}

impl Precision {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }

    /// `input · weightᵀ`.
    pub(super) fn product(self, input: &Tensor, weight: &Tensor) -> Tensor {
        if self == Self::F32 {
            return input.to_kind(Kind::Float).matmul(&weight.tr());
        }
        let mut sides = input.size();
        let width = sides.pop().unwrap_or(1);
        let flat = input.reshape([-1, width]);
        let product = self.whole_tiles(&flat).matmul(&weight.to_kind(self.kind()).tr());
        sides.push(weight.size()[0]);
        product.narrow(0, 0, flat.size()[0]).to_kind(Kind::Float).view(&sides[..])
    }

    /// `oneᵀ · other`, of tensors with the same rows.
    pub(super) fn outer_product(self, one: &Tensor, other: &Tensor) -> Tensor {
        if self == Self::F32 {
            return one.tr().matmul(other);
        }
        self.whole_tiles(one).tr().matmul(&self.whole_tiles(other)).to_kind(Kind::Float)
    }

    /// A matrix with rows of zeros below, up to the next of a few sizes: oneDNN compiles code for
    /// each size of a product, and batches have many.
    fn whole_tiles(self, matrix: &Tensor) -> Tensor {
        let rows = matrix.size()[0] as u64;
        let tile = if rows > 256 { 128 } else { 16 };
        let missing = (rows.next_multiple_of(tile) - rows) as i64;
        matrix.to_kind(self.kind()).constant_pad_nd([0, 0, 0, missing])
    }
}

/// One batch's way through a network.
#[derive(Debug)]
pub struct Pass {
    regularization: Regularization,
    precision: Precision,
    random: ChaCha8Rng,
}

impl Pass {
    /// A pass whose noise depends on the run's seed and the step alone: a resumed run draws what an
    /// uninterrupted one would.
    #[must_use]
    pub fn new(regularization: Regularization, precision: Precision, seed: u64, step: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(step);
        Self { regularization, precision, random }
    }

    /// A pass that drops nothing: the loss as it is measured.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(Regularization::NONE, Precision::F32, 0, 0)
    }

    pub(super) fn regularization(&self) -> &Regularization {
        &self.regularization
    }

    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// A linear layer.
    pub(super) fn linear(&self, layer: &Linear, input: &Tensor) -> Tensor {
        let product = self.precision.product(input, &layer.ws);
        match &layer.bs {
            Some(bias) => product + bias,
            None => product,
        }
    }

    /// Dropout (Srivastava et al. 2014). The share is rounded to 1/256: a byte decides on a value.
    pub(super) fn dropout(&mut self, values: &Tensor) -> Tensor {
        let dropped = (self.regularization.dropout * 256.0).round().clamp(0.0, 255.0) as u8;
        if dropped == 0 {
            return values.shallow_clone();
        }
        let mut bytes = vec![0; values.numel()];
        self.random.fill_bytes(&mut bytes);
        let scale = 256.0 / (256.0 - f32::from(dropped));
        let mask = bytes.iter().map(|&byte| if byte < dropped { 0.0 } else { scale });
        let mask = Tensor::from_slice(&mask.collect::<Vec<f32>>());
        values * mask.view_as(values).to_device(values.device())
    }

    /// Words with a share of them made unknown.
    pub(super) fn forget_words(&mut self, words: &Tensor) -> Tensor {
        let share = self.regularization.word_dropout;
        if share == 0.0 {
            return words.shallow_clone();
        }
        let forgotten = (0..words.numel()).map(|_| self.random.random_bool(share));
        let forgotten = Tensor::from_slice(&forgotten.collect::<Vec<_>>());
        let forgotten = forgotten.view_as(words).to_device(words.device());
        let is_word = words.gt(i64::from(UNK));
        words.masked_fill(&forgotten.logical_and(&is_word), i64::from(UNK))
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn pass(dropout: f64, word_dropout: f64, step: u64) -> Pass {
        let regularization = Regularization { dropout, word_dropout, ..Regularization::NONE };
        Pass::new(regularization, Precision::F32, 3, step)
    }

    #[test]
    fn dropout_keeps_the_mean_and_repeats_for_its_step() {
        let ones = Tensor::ones([400, 500], (Kind::Float, Device::Cpu));
        let dropped = pass(0.3, 0.0, 7).dropout(&ones);
        let zeros = dropped.eq(0.0).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
        assert!((zeros - 0.3).abs() < 0.005, "{zeros}");
        assert!((dropped.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.01);
        assert_eq!(dropped, pass(0.3, 0.0, 7).dropout(&ones));
        assert_ne!(dropped, pass(0.3, 0.0, 8).dropout(&ones));
        assert_eq!(ones, Pass::plain().dropout(&ones));
    }

    #[test]
    fn only_words_are_forgotten() {
        let words = Tensor::arange(1000, (Kind::Int64, Device::Cpu));
        let forgotten = pass(0.0, 0.5, 1).forget_words(&words);
        let kept = forgotten.eq_tensor(&words).sum(Kind::Int64).int64_value(&[]);
        assert!((450..550).contains(&kept), "{kept}");
        let special = i64::from(UNK) + 1;
        assert_eq!(forgotten.narrow(0, 0, special), words.narrow(0, 0, special));
    }

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
