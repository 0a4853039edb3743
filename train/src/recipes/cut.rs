//! Backward passes in parts.

use tch::{Kind, Tensor, no_grad};

/// A value at which the graph is cut: what comes after it sees a leaf, and when the leaf has its
/// gradient, the way back goes on.
#[derive(Debug)]
pub(super) struct Cut {
    value: Tensor,
    leaf: Tensor,
}

impl Cut {
    pub(super) fn new(value: Tensor) -> Self {
        let leaf = value.detach().set_requires_grad(true);
        Self { value, leaf }
    }

    pub(super) fn leaf(&self) -> &Tensor {
        &self.leaf
    }

    /// Goes back from the value with the leaf's gradient.
    pub(super) fn backward(self) {
        let gradient = self.leaf.grad();
        if gradient.defined() && self.value.requires_grad() {
            (self.value * gradient).sum(Kind::Float).backward();
        }
    }
}

/// Adds to the gradient of a weight.
pub(super) fn add_gradient(weight: &Tensor, gradient: &Tensor) {
    let mut so_far = weight.grad();
    if so_far.defined() {
        no_grad(|| {
            let _ = so_far.g_add_(gradient);
        });
    } else {
        (weight * gradient).sum(Kind::Float).backward();
    }
}
