//! The loss of a batch.

use tch::{Kind, Tensor};

use super::ForwardPass;

/// The loss of a network on a batch.
pub struct Loss<'a> {
    /// The value that is minimised.
    pub total: Tensor,
    /// The mean negative log-likelihood of a word.
    pub cross_entropy: f64,
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

/// The cross-entropy of log-probabilities `[rows, V]` with `targets` and `weights` `[rows]`: the mean that is minimised,
/// weighted and smoothed, and the plain mean negative log-likelihood of the targets.
pub(super) fn cross_entropy(
    log_probabilities: Tensor,
    targets: &Tensor,
    weights: &Tensor,
    pass: &ForwardPass,
) -> (Tensor, f64) {
    let log_probabilities = pass.renormalize(log_probabilities);
    let likelihood = -log_probabilities.gather(1, &targets.unsqueeze(1), false).squeeze_dim(1);
    let cross_entropy = likelihood.mean(Kind::Float).double_value(&[]);
    let smoothing = pass.regularization().label_smoothing;
    let smoothed = if smoothing == 0.0 {
        likelihood
    } else {
        let uniform = -log_probabilities.mean_dim(1, false, None);
        likelihood * (1.0 - smoothing) + uniform * smoothing
    };
    ((smoothed * weights).mean(Kind::Float), cross_entropy)
}
