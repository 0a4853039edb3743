//! An LSTM over packed captions (Hochreiter and Schmidhuber 1997) with its backward pass written out: the state's weights
//! get their gradient in one product over all steps, not in one for each. Shapes: R rows, one per predicted word; H the
//! width of the state.

use tch::{Kind, Tensor, no_grad};

use super::graph_cut::add_gradient;
use crate::settings::Precision;

/// The LSTM's forward pass over the steps of a batch, whose rows are those of
/// [`PackedCaptions`](super::packed::PackedCaptions).
/// Gates come in the order input, forget, candidate, output.
#[derive(Debug)]
pub(super) struct Recurrence<'a> {
    /// The words' part of the gates: `[R, 4 H]`.
    input: Tensor,
    /// The state's weights: `[4 H, H]`.
    weight: &'a Tensor,
    precision: Precision,
    /// For each step, its number of captions.
    active: Vec<i64>,
    /// The activated gates and the candidate: `[R, 4 H]`.
    gates: Tensor,
    /// `[R, H]`, as the others.
    memory: Tensor,
    hidden: Tensor,
    /// Those of the step before.
    memory_before: Tensor,
    hidden_before: Tensor,
}

impl<'a> Recurrence<'a> {
    pub(super) fn new(
        input: Tensor,
        weight: &'a Tensor,
        active: &[i64],
        precision: Precision,
    ) -> Self {
        let gates = input.detach().copy();
        let size = [gates.size()[0], weight.size()[1]];
        let rows = || gates.new_zeros(size, (Kind::Float, gates.device()));
        let mut recurrence = Self {
            weight,
            precision,
            active: active.to_vec(),
            memory: rows(),
            hidden: rows(),
            memory_before: rows(),
            hidden_before: rows(),
            input,
            gates,
        };
        no_grad(|| recurrence.run());
        recurrence.hidden = recurrence.hidden.set_requires_grad(true);
        recurrence
    }

    /// Fills gates, memory and state, step after step.
    fn run(&self) {
        let Self { precision, gates, memory, hidden, memory_before, hidden_before, .. } = self;
        let (factor, width) = (self.weight.to_kind(precision.kind()), self.weight.size()[1]);
        for (step, (from, count)) in spans(&self.active).enumerate() {
            let part = |tensor: &Tensor| tensor.narrow(0, from, count);
            let mut activated = part(gates);
            if step > 0 {
                let earlier = from - self.active[step - 1];
                write(&part(memory_before), &memory.narrow(0, earlier, count));
                write(&part(hidden_before), &hidden.narrow(0, earlier, count));
                let _ = activated.g_add_(&precision.product(&part(hidden_before), &factor));
            }
            let _ = activated.narrow(1, 0, 2 * width).sigmoid_();
            let _ = activated.narrow(1, 2 * width, width).tanh_();
            let _ = activated.narrow(1, 3 * width, width).sigmoid_();
            let [input, forget, candidate, output] = quarters(&activated);
            write(&part(memory), &(forget * part(memory_before) + input * candidate));
            write(&part(hidden), &(output * part(memory).tanh()));
        }
    }

    /// The state after each word: `[R, H]`, a leaf.
    pub(super) fn hidden(&self) -> &Tensor {
        &self.hidden
    }

    /// Passes the gradient of [`hidden`](Self::hidden) on to the state's weights and to the input.
    pub(super) fn backward(self) {
        let (input_gradient, weight_gradient) = no_grad(|| self.gradients());
        add_gradient(self.weight, &weight_gradient);
        (&self.input * input_gradient).sum(Kind::Float).backward();
    }

    /// The derivatives within all steps.
    fn derivatives(&self) -> Derivatives {
        let [input, forget, candidate, output] = quarters(&self.gates);
        let sigmoid_slope = |gate: &Tensor| gate * (1.0 - gate);
        let squashed = self.memory.tanh();
        let memory_by_gates = Tensor::stack(
            &[
                &candidate * sigmoid_slope(&input),
                &self.memory_before * sigmoid_slope(&forget),
                &input * (1.0 - candidate.square()),
            ],
            1,
        );
        Derivatives {
            memory_by_gates,
            memory_by_memory: forget,
            hidden_by_output: &squashed * sigmoid_slope(&output),
            hidden_by_memory: output * (1.0 - squashed.square()),
        }
    }

    /// The gradients of the input `[R, 4 H]` and of the state's weights `[4 H, H]`.
    fn gradients(&self) -> (Tensor, Tensor) {
        let by = self.derivatives();
        let width = self.hidden.size()[1];
        let from_hidden = self.hidden.grad();
        let gradient = self.gates.empty_like();
        let weight = self.weight.to_kind(self.precision.kind()).tr().contiguous();
        let first = self.active.first().copied().unwrap_or(0);
        let zeros = || self.gates.new_zeros([first, width], (Kind::Float, self.gates.device()));
        let (hidden_gradient, memory_gradient) = (zeros(), zeros());
        let steps = spans(&self.active).collect::<Vec<_>>();
        for &(from, count) in steps.iter().rev() {
            let part = |tensor: &Tensor| tensor.narrow(0, from, count);
            let (mut hidden, mut memory) =
                (hidden_gradient.narrow(0, 0, count), memory_gradient.narrow(0, 0, count));
            let _ = hidden.g_add_(&part(&from_hidden));
            let _ = memory.g_add_(&(&hidden * part(&by.hidden_by_memory)));
            let gates = part(&gradient);
            let by_memory = gates.narrow(1, 0, 3 * width).unflatten(1, [3, width]);
            write(&by_memory, &(part(&by.memory_by_gates) * memory.unsqueeze(1)));
            write(&gates.narrow(1, 3 * width, width), &(&hidden * part(&by.hidden_by_output)));
            let _ = memory.g_mul_(&part(&by.memory_by_memory));
            if from > 0 {
                write(&hidden, &self.precision.product(&gates, &weight));
            }
        }
        let weight_gradient = self.precision.outer_product(&gradient, &self.hidden_before);
        (gradient, weight_gradient)
    }
}

/// The derivatives within the steps: of memory by gates, of memory by the memory before, of the state by output gate and
/// memory.
struct Derivatives {
    /// By input gate, forget gate and candidate: `[R, 3, H]`.
    memory_by_gates: Tensor,
    /// `[R, H]`, as the others.
    memory_by_memory: Tensor,
    hidden_by_output: Tensor,
    hidden_by_memory: Tensor,
}

/// Writes values into a part of a tensor.
pub(super) fn write(part: &Tensor, values: &Tensor) {
    part.shallow_clone().copy_(values);
}

/// The four gates.
fn quarters(gates: &Tensor) -> [Tensor; 4] {
    let width = gates.size()[1] / 4;
    [0, 1, 2, 3].map(|at| gates.narrow(1, at * width, width))
}

/// First row and number of rows of each step.
fn spans(active: &[i64]) -> impl Iterator<Item = (i64, i64)> {
    active.iter().scan(0, |next, &count| {
        let from = *next;
        *next += count;
        Some((from, count))
    })
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
