//! Backward passes in parts.

use tch::{Tensor, no_grad};

/// A value at which the graph of the backward pass is cut: operations after it see a leaf, whose gradient is passed on
/// once it is complete.
#[derive(Debug)]
pub(super) struct GraphCut {
    value: Tensor,
    leaf: Tensor,
}

impl GraphCut {
    pub(super) fn new(value: Tensor) -> Self {
        let leaf = value.detach().set_requires_grad(true);
        Self { value, leaf }
    }

    pub(super) fn leaf(&self) -> &Tensor {
        &self.leaf
    }

    /// Passes the leaf's gradient on to the value.
    pub(super) fn backward(self) {
        let gradient = self.leaf.grad();
        if gradient.defined() && self.value.requires_grad() {
            dot(&self.value, &gradient).backward();
        }
    }
}

/// The sum of products of values, in one pass over memory: its backward pass gives one value the other one as its gradient.
pub(super) fn dot(value: &Tensor, other: &Tensor) -> Tensor {
    value.flatten(0, -1).dot(&other.flatten(0, -1))
}

/// Adds to the gradient of a weight.
pub(super) fn add_gradient(weight: &Tensor, gradient: &Tensor) {
    let mut sum = weight.grad();
    if sum.defined() {
        no_grad(|| {
            let _ = sum.g_add_(gradient);
        });
    } else {
        dot(weight, gradient).backward();
    }
}
