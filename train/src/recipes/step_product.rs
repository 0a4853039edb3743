//! A product with the same weights at each step of a recurrence. Shapes: r rows of a step, R rows of all steps.

use tch::nn::Linear;
use tch::{Kind, Tensor};

use super::graph_cut::{GraphCut, add_gradient};
use crate::settings::Precision;

/// `added + input · weightᵀ`, step after step. The weights get their gradient in one product over all
/// steps, not in one for each.
#[derive(Debug)]
pub(super) struct StepProduct<'a> {
    weight: &'a Tensor,
    /// The weights in the format of the product: `[outputs, inputs]`.
    factor: Tensor,
    precision: Precision,
    /// The summand of all steps, one step after the other: `[R, outputs]`.
    added: GraphCut,
    /// The summand of each step: `[r, outputs]`.
    parts: Vec<Tensor>,
    /// The input of each step so far: `[r, inputs]`.
    inputs: Vec<Tensor>,
}

impl<'a> StepProduct<'a> {
    /// A product whose steps have `rows` rows each, with the summand `added`.
    pub(super) fn new(
        weight: &'a Tensor,
        added: Tensor,
        rows: &[i64],
        precision: Precision,
    ) -> Self {
        let added = GraphCut::new(added);
        let parts = added.leaf().split_with_sizes(rows, 0);
        let factor = weight.detach().to_kind(precision.kind());
        Self { weight, factor, precision, added, parts, inputs: Vec::with_capacity(rows.len()) }
    }

    /// The product of a linear layer.
    pub(super) fn from_layer(layer: &'a Linear, rows: &[i64], precision: Precision) -> Self {
        let Linear { ws, bs } = layer;
        let all = rows.iter().sum::<i64>();
        let added = match bs {
            Some(bias) => bias.expand([all, -1], false),
            None => ws.new_zeros([all, ws.size()[0]], (Kind::Float, ws.device())),
        };
        Self::new(ws, added, rows, precision)
    }

    /// Takes the next step: `[r, inputs]` to `[r, outputs]`.
    pub(super) fn step(&mut self, input: &Tensor) -> Tensor {
        let product = self.precision.product(input, &self.factor);
        let product = product + &self.parts[self.inputs.len()];
        self.inputs.push(input.detach());
        product
    }

    /// Passes gradients on to the weights and to the summand, once those of all steps are complete.
    pub(super) fn backward(self) {
        let inputs = Tensor::cat(&self.inputs, 0);
        let gradient = self.added.leaf().grad();
        add_gradient(self.weight, &self.precision.outer_product(&gradient, &inputs));
        self.added.backward();
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn it_has_the_gradients_of_plain_products() {
        let normal = |size: [i64; 2]| {
            Tensor::randn(size, (Kind::Float, Device::Cpu)).set_requires_grad(true)
        };
        let (weight, added, first) = (normal([4, 4]), normal([5, 4]), normal([3, 4]));
        let leaves = [&weight, &added, &first];
        let gradients = || {
            leaves.map(|leaf| {
                let found = leaf.grad().copy();
                leaf.shallow_clone().zero_grad();
                found
            })
        };
        let plain = |input: &Tensor, from, count| {
            (added.narrow(0, from, count) + input.matmul(&weight.tr())).tanh()
        };
        let last = plain(&plain(&first, 0, 3).narrow(0, 0, 2), 3, 2);
        last.square().sum(Kind::Float).backward();
        let expected = gradients();

        let mut product = StepProduct::new(&weight, &added * 1.0, &[3, 2], Precision::F32);
        let earlier = product.step(&first).tanh();
        let found = product.step(&earlier.narrow(0, 0, 2)).tanh();
        assert!((&found - &last).abs().max().double_value(&[]) < 1e-6);
        found.square().sum(Kind::Float).backward();
        product.backward();
        for (found, expected) in gradients().iter().zip(&expected) {
            assert!((found - expected).abs().max().double_value(&[]) < 1e-5);
        }
    }
}
