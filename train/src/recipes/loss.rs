//! The loss of a batch.

use tch::{Kind, Tensor};

use super::ForwardPass;
use super::targets::Targets;

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

/// The cross-entropy of log-probabilities `[rows, V]` with targets: the mean that is minimised, weighted and smoothed, and
/// the plain mean negative log-likelihood of the target words. They are means over the words of the batch that the pass is
/// over a part of.
pub(super) fn cross_entropy(
    log_probabilities: Tensor,
    targets: &Targets,
    pass: &ForwardPass,
) -> (Tensor, Tensor) {
    let log_probabilities = pass.renormalize(log_probabilities);
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
        let uniform = -log_probabilities.mean_dim(1, false, None);
        likelihood * (1.0 - smoothing) + uniform * smoothing
    };
    ((smoothed * &targets.weights).mean(Kind::Float) * share, cross_entropy)
}
