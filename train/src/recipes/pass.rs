//! How the loss of one batch is computed: what is dropped, and in which precision matrices are
//! multiplied.

use data::vocabulary::{UNK, UNSAID};
use rand::seq::index::sample;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::nn::Linear;
use tch::{Kind, Tensor};

use super::Regularization;

/// The log-probability of a word that is not there; finite, so that nothing becomes NaN.
const IMPOSSIBLE: f64 = -1e4;

/// The numbers that matrices are multiplied in while training. Weights, sums and everything else
/// are 32-bit floats in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16 factors; faster where the processor has units for such matrices.
    Bf16,
}

impl Precision {
    /// bfloat16 where the processor has AMX, or is AMD's with AVX-512-BF16: there it was measured to be
    /// faster, 1.4 times with AMD. Else 32-bit floats: on Intel's with AVX-512 alone bfloat16 took 1.7
    /// times as long.
    #[must_use]
    pub fn of_this_machine() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let cpu = raw_cpuid::CpuId::new();
            let of_amd = cpu.get_vendor_info().is_some_and(|of| of.as_str() == "AuthenticAMD");
            let extended = cpu.get_extended_feature_info();
            if extended.is_some_and(|of| of.has_amx_bf16() || (of_amd && of.has_avx512_bf16())) {
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
    /// Whether the captions were drawn from the network.
    drawn: bool,
    random: ChaCha8Rng,
}

impl Pass {
    /// A pass whose noise depends on the run's seed and the step alone: a resumed run draws what an
    /// uninterrupted one would.
    #[must_use]
    pub fn new(regularization: Regularization, precision: Precision, seed: u64, step: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(step);
        Self { regularization, precision, drawn: false, random }
    }

    /// A pass that drops nothing: the loss as it is measured.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(Regularization::NONE, Precision::F32, 0, 0)
    }

    /// The same for captions that were drawn from the network.
    #[must_use]
    pub fn of_drawn(self) -> Self {
        Self { drawn: true, ..self }
    }

    /// The log-probabilities of words that a loss is made of. Drawn words come from those that can be
    /// said: were the others not left out, what a reward takes from a word could go to them, where no
    /// reward would ever take it back.
    pub(super) fn possible(&self, log_probabilities: Tensor) -> Tensor {
        if !self.drawn {
            return log_probabilities;
        }
        let unsaid =
            Tensor::from_slice(&UNSAID.map(i64::from)).to_device(log_probabilities.device());
        log_probabilities.index_fill(-1, &unsaid, IMPOSSIBLE).log_softmax(-1, None)
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

    /// Dropout (Srivastava et al. 2014).
    pub(super) fn dropout(&mut self, values: &Tensor) -> Tensor {
        match self.mask(self.regularization.dropout, &values.size()) {
            Some(mask) => values * mask.to_device(values.device()),
            None => values.shallow_clone(),
        }
    }

    /// What is shown of grids (images × cells × channels): some of the cells of each image, and some
    /// channels of them.
    pub(super) fn part_of(&mut self, grids: &Tensor) -> Tensor {
        let Ok((images, cells, channels)) = grids.size3() else { return grids.shallow_clone() };
        let hidden = (self.regularization.cell_dropout * cells as f64).round() as i64;
        let shown = (cells - hidden).clamp(1, cells);
        let mut part = grids.shallow_clone();
        if shown < cells {
            let rows = (0..images).flat_map(|image| {
                let shown = sample(&mut self.random, cells as usize, shown as usize);
                shown.into_iter().map(move |cell| image * cells + cell as i64)
            });
            let rows = Tensor::from_slice(&rows.collect::<Vec<_>>()).to_device(grids.device());
            part = part.flatten(0, 1).index_select(0, &rows).view([images, shown, channels]);
        }
        match self.mask(self.regularization.channel_dropout, &[images, 1, channels]) {
            Some(mask) => &part * mask.to_device(part.device()).to_kind(part.kind()),
            None => part,
        }
    }

    /// Zeros for a share of the values and what keeps their mean for the others. The share is rounded
    /// to 1/256: a byte decides on a value.
    fn mask(&mut self, share: f64, size: &[i64]) -> Option<Tensor> {
        let dropped = (share * 256.0).round().clamp(0.0, 255.0) as u8;
        if dropped == 0 {
            return None;
        }
        let mut bytes = vec![0; size.iter().product::<i64>() as usize];
        self.random.fill_bytes(&mut bytes);
        let scale = 256.0 / (256.0 - f32::from(dropped));
        let mask = bytes.iter().map(|&byte| if byte < dropped { 0.0 } else { scale });
        Some(Tensor::from_slice(&mask.collect::<Vec<f32>>()).view(size))
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
    fn parts_of_grids_are_cells_of_their_image_without_some_channels() {
        let [images, cells, channels] = [3, 10, 64];
        let grids = Tensor::arange(images * cells, (Kind::Float, Device::Cpu)) + 1.0;
        let grids = grids.view([images, cells, 1]).repeat([1, 1, channels]);
        let regularization =
            Regularization { cell_dropout: 0.4, channel_dropout: 0.5, ..Regularization::NONE };
        let part = Pass::new(regularization, Precision::F32, 3, 1).part_of(&grids);
        assert_eq!(part.size(), [images, 6, channels]);
        let values = Vec::<f32>::try_from(part.flatten(0, 2)).unwrap();
        for (image, of_image) in values.chunks(6 * 64).enumerate() {
            let mut shown = Vec::new();
            for cell in of_image.chunks(64) {
                let kept = cell.iter().map(|&value| value > 0.0).collect::<Vec<_>>();
                let first = of_image[..64].iter().map(|&value| value > 0.0).collect::<Vec<_>>();
                assert_eq!(kept, first, "the same channels in all cells of an image");
                assert!((15..50).contains(&kept.iter().filter(|&&kept| kept).count()));
                let number = cell.iter().copied().fold(0.0, f32::max) / 2.0 - 1.0;
                shown.push(number as usize);
            }
            shown.sort_unstable();
            shown.dedup();
            assert_eq!(shown.len(), 6, "{shown:?}");
            assert!(shown.iter().all(|cell| cell / 10 == image), "{shown:?}");
        }
        assert_eq!(Pass::plain().part_of(&grids), grids);
    }

    #[test]
    fn drawn_words_share_all_probability() {
        let scores = Tensor::randn([5, 9], (Kind::Float, Device::Cpu)).log_softmax(-1, None);
        assert_eq!(Pass::plain().possible(scores.shallow_clone()), scores);
        let likely = Pass::plain().of_drawn().possible(scores.shallow_clone()).exp();
        let kept = [2, 4, 5, 6, 7, 8].map(|word| scores.select(1, word).exp());
        let sum = kept.iter().fold(Tensor::from(0.0f32), |sum, word| sum + word);
        for (word, probability) in [2, 4, 5, 6, 7, 8].into_iter().zip(&kept) {
            let difference = likely.select(1, word) - probability / &sum;
            assert!(difference.abs().max().double_value(&[]) < 1e-6);
        }
        for word in UNSAID {
            assert!(likely.select(1, word.into()).max().double_value(&[]) < 1e-6);
        }
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
