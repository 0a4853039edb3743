//! The forward pass of a batch: dropout, and the precision of matrix products. Shapes: N images, C channels, V words.

use data::vocabulary::UNSAID;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;
use tch::nn::Linear;

use crate::settings::{Precision, Regularization};

/// The log-probability of a word that cannot be sampled; finite, so that nothing becomes NaN.
const IMPOSSIBLE: f64 = -1e4;

/// The words that a loss spreads probability over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    /// The whole vocabulary.
    All,
    /// The words that can be sampled.
    Sampled,
}

/// The forward pass of a batch.
#[derive(Debug)]
pub struct ForwardPass {
    regularization: Regularization,
    precision: Precision,
    support: Support,
    random: ChaCha8Rng,
}

impl ForwardPass {
    /// A pass whose noise depends on the run's seed and the step alone: a resumed run draws the same as an uninterrupted
    /// one.
    #[must_use]
    pub fn new(regularization: Regularization, precision: Precision, seed: u64, step: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(step);
        Self { regularization, precision, support: Support::All, random }
    }

    /// A pass without regularization: the loss as it is measured.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(Regularization::default(), Precision::F32, 0, 0)
    }

    /// The same pass over captions that were sampled from the network.
    pub(crate) fn over_sampled(self) -> Self {
        Self { support: Support::Sampled, ..self }
    }

    /// The log-probabilities `[rows, V]` of a loss. Sampled words come from those that can be sampled: were the others
    /// not excluded, the probability that a reward takes from a word could go to them, where no reward would ever take
    /// it back.
    pub(super) fn renormalize(&self, log_probabilities: Tensor) -> Tensor {
        match self.support {
            Support::All => log_probabilities,
            Support::Sampled => {
                let unsaid = Tensor::from_slice(&UNSAID.map(i64::from));
                let unsaid = unsaid.to_device(log_probabilities.device());
                log_probabilities.index_fill(-1, &unsaid, IMPOSSIBLE).log_softmax(-1, None)
            }
        }
    }

    pub(super) fn regularization(&self) -> &Regularization {
        &self.regularization
    }

    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// Applies a linear layer: `[…, inputs]` to `[…, outputs]`.
    pub(super) fn linear(&self, layer: &Linear, input: &Tensor) -> Tensor {
        let product = self.precision.product(input, &layer.ws);
        match &layer.bs {
            Some(bias) => product + bias,
            None => product,
        }
    }

    /// Applies dropout (Srivastava et al. 2014) to values of any shape.
    pub(super) fn dropout(&mut self, values: &Tensor) -> Tensor {
        match self.mask(self.regularization.dropout, &values.size()) {
            Some(mask) => values * mask.to_device(values.device()),
            None => values.shallow_clone(),
        }
    }

    /// Drops channels of grids `[N, cells, C]`, in all cells of an image alike.
    pub(super) fn drop_channels(&mut self, grids: &Tensor) -> Tensor {
        let Ok((images, _, channels)) = grids.size3() else { return grids.shallow_clone() };
        match self.mask(self.regularization.channel_dropout, &[images, 1, channels]) {
            Some(mask) => grids * mask.to_device(grids.device()).to_kind(grids.kind()),
            None => grids.shallow_clone(),
        }
    }

    /// A mask of the given size: zero for a share of the values, and for the others the factor that keeps the mean.
    /// The share is rounded to 1/256: a byte decides on a value.
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
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn pass(regularization: Regularization, step: u64) -> ForwardPass {
        ForwardPass::new(regularization, Precision::F32, 3, step)
    }

    #[test]
    fn dropout_keeps_the_mean_and_repeats_for_its_step() {
        let ones = Tensor::ones([400, 500], (Kind::Float, Device::Cpu));
        let regularization = Regularization { dropout: 0.3, ..Regularization::default() };
        let dropped = pass(regularization, 7).dropout(&ones);
        let zeros = dropped.eq(0.0).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
        assert!((zeros - 0.3).abs() < 0.005, "{zeros}");
        assert!((dropped.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.01);
        assert_eq!(dropped, pass(regularization, 7).dropout(&ones));
        assert_ne!(dropped, pass(regularization, 8).dropout(&ones));
        assert_eq!(ones, ForwardPass::plain().dropout(&ones));
    }

    #[test]
    fn the_same_channels_are_dropped_in_all_cells_of_an_image() {
        let [images, cells, channels] = [3, 10, 64];
        let grids = Tensor::arange(images * cells, (Kind::Float, Device::Cpu)) + 1.0;
        let grids = grids.view([images, cells, 1]).repeat([1, 1, channels]);
        let regularization = Regularization { channel_dropout: 0.5, ..Regularization::default() };
        let dropped = pass(regularization, 1).drop_channels(&grids);
        assert_eq!(dropped.size(), grids.size());
        let values = Vec::<f32>::try_from(dropped.flatten(0, 2)).unwrap();
        for (image, of_image) in values.chunks(10 * 64).enumerate() {
            let kept = |cell: &[f32]| cell.iter().map(|&value| value > 0.0).collect::<Vec<_>>();
            let first = kept(&of_image[..64]);
            assert!((15..50).contains(&first.iter().filter(|&&kept| kept).count()));
            for (cell, values) in of_image.chunks(64).enumerate() {
                assert_eq!(kept(values), first);
                let largest = values.iter().copied().fold(0.0, f32::max);
                assert!((largest / 2.0 - (image * 10 + cell + 1) as f32).abs() < 1e-5);
            }
        }
        assert_eq!(ForwardPass::plain().drop_channels(&grids), grids);
    }

    #[test]
    fn words_that_can_be_sampled_share_all_probability() {
        let scores = Tensor::randn([5, 9], (Kind::Float, Device::Cpu)).log_softmax(-1, None);
        assert_eq!(ForwardPass::plain().renormalize(scores.shallow_clone()), scores);
        let pass = ForwardPass::plain().over_sampled();
        let probabilities = pass.renormalize(scores.shallow_clone()).exp();
        let kept = [2, 4, 5, 6, 7, 8].map(|word| scores.select(1, word).exp());
        let sum = kept.iter().fold(Tensor::from(0.0f32), |sum, word| sum + word);
        for (word, probability) in [2, 4, 5, 6, 7, 8].into_iter().zip(&kept) {
            let difference = probabilities.select(1, word) - probability / &sum;
            assert!(difference.abs().max().double_value(&[]) < 1e-6);
        }
        for word in UNSAID {
            assert!(probabilities.select(1, word.into()).max().double_value(&[]) < 1e-6);
        }
    }
}
