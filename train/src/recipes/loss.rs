//! The loss of a batch.

use tch::{Kind, Tensor, no_grad};

use super::ForwardPass;
use super::graph_cut::dot;
use super::targets::Targets;
use crate::device::Backend;
use crate::fused::WordLoss;

/// The loss of a network on a batch.
pub struct Loss<'a> {
    /// The value that is minimised.
    pub total: Tensor,
    /// The mean negative log-likelihood of a word: a scalar without a graph, which is on the device until it is read.
    pub cross_entropy: Tensor,
    /// The backward pass behind values at which the graph was cut.
    pub(super) before_cuts: Option<Box<dyn FnOnce() + 'a>>,
}

impl Loss<'_> {
    /// The same loss times a factor.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self { total: self.total * factor, ..self }
    }

    /// Adds the gradients of the total to those of the weights.
    pub(crate) fn backward(self) {
        self.total.backward();
        if let Some(before_cuts) = self.before_cuts {
            before_cuts();
        }
    }
}

/// The scores of the next word before their normalization.
#[derive(Debug)]
pub(super) struct Scores<'a> {
    /// Without the bias: `[…, V]`.
    pub(super) product: Tensor,
    /// `[V]`.
    pub(super) bias: Option<&'a Tensor>,
}

impl Scores<'_> {
    /// The log-probabilities of words: `[…, V]`.
    pub(super) fn log_probabilities(&self) -> Tensor {
        let Self { product, bias } = self;
        let scores = bias.map_or_else(|| product.shallow_clone(), |bias| product + bias);
        scores.log_softmax(-1, None)
    }
}

/// The cross-entropy of scores `[R, V]` with targets: the mean that is minimised, weighted and smoothed, and the plain mean
/// negative log-likelihood of the target words. They are means over the words of the batch that the pass is over a part of.
pub(super) fn cross_entropy(
    scores: Scores,
    targets: &Targets,
    pass: &ForwardPass,
) -> (Tensor, Tensor) {
    match pass.backend() {
        Backend::Host => on_host(scores, targets, pass),
        Backend::Accelerator => on_accelerator(&scores, targets, pass),
    }
}

/// On a processor. The gradients are computed with the loss, in the memory of the scores.
fn on_host(scores: Scores, targets: &Targets, pass: &ForwardPass) -> (Tensor, Tensor) {
    let Scores { product, bias } = scores;
    let loss = WordLoss {
        words: &targets.words,
        soft: targets.soft.as_ref(),
        weights: &targets.weights,
        smoothing: pass.regularization().label_smoothing as f32,
        excluded: pass.excluded_words(),
    };
    let found = no_grad(|| loss.gradients(product.detach(), bias.map(Tensor::detach).as_ref()));
    let factor = pass.share().words / targets.words.numel() as f64;
    let [total, likelihood] =
        [found.total, found.likelihood].map(|sum| Tensor::from((sum * factor) as f32));
    // Its value is added and subtracted: the sum is the loss, and has the gradients that were found.
    let of_product = dot(&product, &found.scores);
    let differentiable = match bias {
        Some(bias) => of_product + dot(bias, &found.bias),
        None => of_product,
    };
    let difference = &differentiable - differentiable.detach();
    (difference * factor + total, likelihood)
}

/// On a GPU.
fn on_accelerator(scores: &Scores, targets: &Targets, pass: &ForwardPass) -> (Tensor, Tensor) {
    let log_probabilities = pass.renormalize(scores.log_probabilities());
    let words = targets.words.unsqueeze(1);
    let likelihood = -log_probabilities.gather(1, &words, false).squeeze_dim(1);
    let share = pass.share().words;
    let cross_entropy = likelihood.mean(Kind::Float).detach() * share;
    let likelihood = match &targets.soft {
        None => likelihood,
        Some((words, probabilities)) => {
            let expected = log_probabilities.gather(1, words, false) * probabilities;
            -expected.sum_dim_intlist(1, false, Kind::Float)
        }
    };
    let smoothing = pass.regularization().label_smoothing;
    let smoothed = if smoothing == 0.0 {
        likelihood
    } else {
        let uniform = -pass.mean_over_words(&log_probabilities);
        likelihood * (1.0 - smoothing) + uniform * smoothing
    };
    ((smoothed * &targets.weights).mean(Kind::Float) * share, cross_entropy)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::settings::{Precision, Regularization};

    /// Both backends have the same losses and gradients, also of weighted, smoothed, soft and sampled words.
    #[test]
    fn both_backends_have_the_same_losses_and_gradients() {
        let normal = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
        let words = Tensor::from_slice(&[4i64, 5, 8, 4, 7]);
        let soft =
            (words.unsqueeze(1).repeat([1, 2]) - Tensor::from_slice(&[0i64, 3]), normal(&[5, 2]));
        let regularization = Regularization { label_smoothing: 0.1, ..Regularization::default() };
        for (soft, sampled) in [(None, false), (Some(soft), false), (None, true)] {
            let targets = Targets { words: words.shallow_clone(), weights: normal(&[5]), soft };
            let leaves = [normal(&[5, 9]), normal(&[9])].map(|leaf| leaf.set_requires_grad(true));
            let [host, accelerator] = [Backend::Host, Backend::Accelerator].map(|backend| {
                let pass = ForwardPass::new(regularization, Precision::F32, 1, 1);
                let pass = if sampled { pass.over_sampled() } else { pass }.with_backend(backend);
                let scores = Scores { product: &leaves[0] * 1.0, bias: Some(&leaves[1]) };
                let (total, likelihood) = cross_entropy(scores, &targets, &pass);
                (&total * 3.0).backward();
                let gradients = leaves.each_ref().map(|leaf| {
                    let gradient = leaf.grad().copy();
                    leaf.shallow_clone().zero_grad();
                    gradient
                });
                [total.detach(), likelihood].into_iter().chain(gradients).collect::<Vec<_>>()
            });
            for (host, accelerator) in host.iter().zip(&accelerator) {
                assert!(
                    (host - accelerator).abs().max().double_value(&[]) < 1e-5,
                    "{host} {accelerator}"
                );
            }
        }
    }
}
