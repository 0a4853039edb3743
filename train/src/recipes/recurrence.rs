//! An LSTM over packed captions (Hochreiter and Schmidhuber 1997) with its backward pass written out: the state's weights
//! get their gradient in one product over all steps, not in one for each. Shapes: R rows, one per predicted word; H the
//! width of the state.

use tch::{Kind, Tensor, no_grad};

use super::graph_cut::{add_gradient, dot};
use crate::fused::{GateOrder, LstmGradients, LstmStep, transpose};
use crate::settings::Precision;

/// The LSTM's forward pass over the steps of a batch, whose rows are those of
/// [`PackedCaptions`](super::packed::PackedCaptions).
#[derive(Debug)]
pub(super) struct Recurrence<'a> {
    /// The words' part of the gates: `[R, 4 H]`.
    input: Tensor,
    /// The state's weights: `[4 H, H]`.
    weight: &'a Tensor,
    precision: Precision,
    steps: Vec<Step>,
    /// `[R, H]`.
    hidden: Tensor,
    /// That of the step before.
    hidden_before: Tensor,
}

/// A step, with what its backward pass needs.
#[derive(Debug)]
struct Step {
    /// Its first row.
    from: i64,
    lstm: LstmStep,
}

impl Step {
    /// Its rows of a tensor over all steps.
    fn part(&self, tensor: &Tensor) -> Tensor {
        tensor.narrow(0, self.from, self.rows())
    }

    /// The number of its rows.
    fn rows(&self) -> i64 {
        self.lstm.gates.size()[0]
    }
}

impl<'a> Recurrence<'a> {
    /// Runs all steps; `active` has the number of captions of each.
    pub(super) fn new(
        input: Tensor,
        weight: &'a Tensor,
        active: &[i64],
        precision: Precision,
    ) -> Self {
        let size = [input.size()[0], weight.size()[1]];
        let rows = || input.new_zeros(size, (Kind::Float, input.device()));
        let (hidden, hidden_before) = (rows(), rows());
        let mut recurrence =
            Self { weight, precision, steps: Vec::new(), hidden, hidden_before, input };
        no_grad(|| recurrence.run(active));
        recurrence.hidden = recurrence.hidden.set_requires_grad(true);
        recurrence
    }

    fn run(&mut self, active: &[i64]) {
        let Self { precision, input, weight, hidden, hidden_before, .. } = &*self;
        let matrix = transpose(&weight.detach()).to_kind(precision.kind());
        let gates = input.detach().copy();
        let mut steps = Vec::<Step>::new();
        let mut from = 0;
        for &count in active {
            let rows = |tensor: &Tensor| tensor.narrow(0, from, count);
            let mut gates = rows(&gates);
            let memory_before = match steps.last() {
                None => rows(hidden_before),
                Some(before) => {
                    let hidden_before = rows(hidden_before);
                    write(&hidden_before, &before.part(hidden).narrow(0, 0, count));
                    let _ = gates.g_add_(&precision.product_with(&hidden_before, &matrix));
                    before.lstm.memory.narrow(0, 0, count)
                }
            };
            let memory = memory_before.empty_like();
            let order = GateOrder::CandidateThird;
            let mut lstm = LstmStep { gates, memory_before, memory, order };
            lstm.run(&mut rows(hidden));
            steps.push(Step { from, lstm });
            from += count;
        }
        self.steps = steps;
    }

    /// The state after each word: `[R, H]`, a leaf.
    pub(super) fn hidden(&self) -> &Tensor {
        &self.hidden
    }

    /// Passes the gradient of [`hidden`](Self::hidden) on to the state's weights and to the input.
    pub(super) fn backward(self) {
        let gates = no_grad(|| self.gradients());
        add_gradient(self.weight, &self.precision.outer_product(&gates, &self.hidden_before));
        dot(&self.input, &gates).backward();
    }

    /// The gradients of the input: `[R, 4 H]`.
    fn gradients(&self) -> Tensor {
        let (given, all) = (self.hidden.grad(), self.input.empty_like());
        let matrix = self.weight.to_kind(self.precision.kind());
        // Those of captions that a step does not reach yet are zero.
        let most = self.steps.first().map_or(0, Step::rows);
        let zeros = || given.new_zeros([most, given.size()[1]], (Kind::Float, given.device()));
        let (by_hidden, by_memory) = (zeros(), zeros());
        for step in self.steps.iter().rev() {
            let rows = |tensor: &Tensor| tensor.narrow(0, 0, step.rows());
            let mut hidden = rows(&by_hidden);
            let _ = hidden.g_add_(&step.part(&given));
            let mut by = LstmGradients { hidden, memory: rows(&by_memory), gates: step.part(&all) };
            step.lstm.gradients(&mut by);
            if step.from > 0 {
                write(&by.hidden, &self.precision.product_with(&by.gates, &matrix));
            }
        }
        all
    }
}

/// Writes values into a part of a tensor.
pub(super) fn write(part: &Tensor, values: &Tensor) {
    part.shallow_clone().copy_(values);
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::recipes::library_lstm::library_lstm;

    /// It equals libtorch's own LSTM, forward and backward.
    #[test]
    fn it_is_the_lstm_of_libtorch() {
        let active = [4, 4, 3, 1];
        let normal = |size: [i64; 2]| {
            Tensor::randn(size, (Kind::Float, Device::Cpu)).set_requires_grad(true)
        };
        let (words, weight) = (normal([12, 5]), normal([24, 6]));
        let on_words = normal([24, 5]);
        let bias = Tensor::zeros([24], (Kind::Float, Device::Cpu));
        let wanted = Tensor::randn([12, 6], (Kind::Float, Device::Cpu));
        let gradients = || {
            let found = [&words, &weight, &on_words].map(|leaf| leaf.grad().copy());
            for leaf in [&words, &weight, &on_words] {
                leaf.shallow_clone().zero_grad();
            }
            found
        };

        let theirs = library_lstm([&on_words, &weight, &bias, &bias], &words, &active);
        (&theirs * &wanted).sum(Kind::Float).backward();
        let expected = gradients();

        let input = words.matmul(&on_words.tr());
        let recurrence = Recurrence::new(input, &weight, &active, Precision::F32);
        assert!((recurrence.hidden() - &theirs).abs().max().double_value(&[]) < 1e-6);
        (recurrence.hidden() * &wanted).sum(Kind::Float).backward();
        recurrence.backward();
        for (found, expected) in gradients().iter().zip(&expected) {
            assert!((found - expected).abs().max().double_value(&[]) < 1e-5);
        }
    }
}
