//! The forward pass of a batch: dropout, and the precision of matrix products. Shapes: N images, C channels, V words.

use data::vocabulary::{UNSAID, WordId};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;
use tch::nn::Linear;

use crate::device::Backend;
use crate::random;
use crate::settings::{Precision, Regularization};
use crate::tensor::unsaid;

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
    backend: Backend,
    share: BatchShare,
    random: ChaCha8Rng,
}

/// The share of a batch that a pass is over: losses are means over the whole batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BatchShare {
    /// Of its words.
    pub(crate) words: f64,
    /// Of its captions.
    pub(crate) captions: f64,
}

impl BatchShare {
    /// A whole batch.
    const WHOLE: Self = Self { words: 1.0, captions: 1.0 };
}

impl ForwardPass {
    /// A pass whose noise depends on the run's seed and the number of the pass alone: a resumed run draws the same as an
    /// uninterrupted one.
    #[must_use]
    pub fn new(regularization: Regularization, precision: Precision, seed: u64, pass: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(pass);
        Self {
            regularization,
            precision,
            support: Support::All,
            backend: Backend::Host,
            share: BatchShare::WHOLE,
            random,
        }
    }

    /// A pass without regularization: the loss as it is measured.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(Regularization::default(), Precision::F32, 0, 0)
    }

    /// The same pass in the way that is fast on another device. Its noise is another one.
    #[must_use]
    pub fn with_backend(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// The same pass over a part of a batch.
    pub(crate) fn over_share(self, share: BatchShare) -> Self {
        Self { share, ..self }
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
                let unsaid = unsaid(log_probabilities.device());
                log_probabilities.index_fill(-1, &unsaid, IMPOSSIBLE).log_softmax(-1, None)
            }
        }
    }

    /// The mean of log-probabilities `[rows, V]` over the words that can have one: `[rows]`.
    pub(super) fn mean_over_words(&self, log_probabilities: &Tensor) -> Tensor {
        match self.support {
            Support::All => log_probabilities.mean_dim(1, false, None),
            Support::Sampled => {
                let unsaid = unsaid(log_probabilities.device());
                let count = log_probabilities.size()[1] - unsaid.size()[0];
                let others = log_probabilities.index_fill(-1, &unsaid, 0.0);
                others.sum_dim_intlist(1, false, None) / count as f64
            }
        }
    }

    /// The words that get no probability.
    pub(super) fn excluded_words(&self) -> &'static [WordId] {
        match self.support {
            Support::All => &[],
            Support::Sampled => &UNSAID,
        }
    }

    pub(super) fn regularization(&self) -> &Regularization {
        &self.regularization
    }

    pub(super) fn share(&self) -> BatchShare {
        self.share
    }

    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    pub(super) fn backend(&self) -> Backend {
        self.backend
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
        match (dropped(self.regularization.dropout), self.backend) {
            (0, _) => values.shallow_clone(),
            (dropped, Backend::Host) => values * self.mask(dropped, &values.size()),
            (dropped, Backend::Accelerator) => self.draw_dropout(values, dropped),
        }
    }

    /// Drops channels of grids `[N, cells, C]`, in all cells of an image alike.
    pub(super) fn drop_channels(&mut self, grids: &Tensor) -> Tensor {
        let Ok((images, _, channels)) = grids.size3() else { return grids.shallow_clone() };
        let size = [images, 1, channels];
        match (dropped(self.regularization.channel_dropout), self.backend) {
            (0, _) => grids.shallow_clone(),
            (dropped, Backend::Host) => grids * self.mask(dropped, &size).to_kind(grids.kind()),
            (dropped, Backend::Accelerator) => {
                let ones = Tensor::ones(size, (grids.kind(), grids.device()));
                grids * self.draw_dropout(&ones, dropped)
            }
        }
    }

    /// Drops values with the generator of their device, in one operation.
    fn draw_dropout(&mut self, values: &Tensor, dropped: u8) -> Tensor {
        let share = f64::from(dropped) / 256.0;
        random::draw(self.random.next_u64(), || values.dropout(share, true))
    }

    /// A mask of the given size: zero for `dropped` of 256 values, and for the others the factor that keeps the mean.
    fn mask(&mut self, dropped: u8, size: &[i64]) -> Tensor {
        let mut bytes = vec![0; size.iter().product::<i64>() as usize];
        self.random.fill_bytes(&mut bytes);
        let scale = 256.0 / (256.0 - f32::from(dropped));
        let mask = bytes.iter().map(|&byte| if byte < dropped { 0.0 } else { scale });
        Tensor::from_slice(&mask.collect::<Vec<f32>>()).view(size)
    }
}

/// The number of 256 values that a share drops: on a processor a byte decides on a value.
fn dropped(share: f64) -> u8 {
    (share * 256.0).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use data::vocabulary::UNSAID;
    use tch::{Device, Kind};

    use super::*;

    const BACKENDS: [Backend; 2] = [Backend::Host, Backend::Accelerator];

    fn pass(regularization: Regularization, step: u64, backend: Backend) -> ForwardPass {
        ForwardPass::new(regularization, Precision::F32, 3, step).with_backend(backend)
    }

    #[test]
    fn dropout_keeps_the_mean_and_repeats_for_its_step() {
        let ones = Tensor::ones([400, 500], (Kind::Float, Device::Cpu));
        let regularization = Regularization { dropout: 0.3, ..Regularization::default() };
        for backend in BACKENDS {
            let mut first = pass(regularization, 7, backend);
            let dropped = first.dropout(&ones);
            let zeros = dropped.eq(0.0).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
            assert!((zeros - 0.3).abs() < 0.005, "{zeros}");
            assert!((dropped.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.01);
            assert_eq!(dropped, pass(regularization, 7, backend).dropout(&ones));
            assert_ne!(dropped, pass(regularization, 8, backend).dropout(&ones));
            assert_ne!(dropped, first.dropout(&ones));
            assert_eq!(ones, ForwardPass::plain().with_backend(backend).dropout(&ones));
        }
    }

    #[test]
    fn the_same_channels_are_dropped_in_all_cells_of_an_image() {
        BACKENDS.into_iter().for_each(channels_are_dropped);
    }

    fn channels_are_dropped(backend: Backend) {
        let [images, cells, channels] = [3, 10, 64];
        let grids = Tensor::arange(images * cells, (Kind::Float, Device::Cpu)) + 1.0;
        let grids = grids.view([images, cells, 1]).repeat([1, 1, channels]);
        let regularization = Regularization { channel_dropout: 0.5, ..Regularization::default() };
        let dropped = pass(regularization, 1, backend).drop_channels(&grids);
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
        assert_eq!(ForwardPass::plain().with_backend(backend).drop_channels(&grids), grids);
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
