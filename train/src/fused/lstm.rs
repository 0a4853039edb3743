//! A step of an LSTM (Hochreiter and Schmidhuber 1997) from its gates on, and its gradients.
#![expect(clippy::inline_always, reason = "see vectors.rs")]

use tch::Tensor;

use super::values::{values, values_mut};
use super::vectors::{self, Kernel, sigmoid, tanh};

/// The order of the parts of a row `[4 H]` of gates, of which the first two are input gate and forget gate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GateOrder {
    /// Candidate, output gate: the order of libtorch.
    CandidateThird,
    /// Output gate, candidate.
    CandidateLast,
}

impl GateOrder {
    /// Input gate, forget gate, output gate and candidate of parts in this order.
    #[inline(always)]
    fn named<T>(self, [input, forget, third, last]: [T; 4]) -> [T; 4] {
        match self {
            Self::CandidateThird => [input, forget, last, third],
            Self::CandidateLast => [input, forget, third, last],
        }
    }
}

/// The parts of a row.
#[inline(always)]
fn parts(row: &[f32], width: usize) -> [&[f32]; 4] {
    [0, 1, 2, 3].map(|part| &row[part * width..][..width])
}

/// The same to write.
#[inline(always)]
fn parts_mut(row: &mut [f32], width: usize) -> [&mut [f32]; 4] {
    let (first, rest) = row.split_at_mut(width);
    let (second, rest) = rest.split_at_mut(width);
    let (third, last) = rest.split_at_mut(width);
    [first, second, third, last]
}

/// The rows of a step.
#[derive(Debug)]
pub(crate) struct LstmStep {
    /// The gates and the candidate: `[R, 4 H]`.
    pub(crate) gates: Tensor,
    /// The memory before the step: `[R, H]`, as the others.
    pub(crate) memory_before: Tensor,
    /// The memory after it.
    pub(crate) memory: Tensor,
    pub(crate) order: GateOrder,
}

/// The gradients of a step.
#[derive(Debug)]
pub(crate) struct LstmGradients {
    /// Of the state after the step: `[R, H]`.
    pub(crate) hidden: Tensor,
    /// Of the memory after the step, and then of that before it: `[R, H]`.
    pub(crate) memory: Tensor,
    /// Of the gates before their activation: `[R, 4 H]`.
    pub(crate) gates: Tensor,
}

impl LstmStep {
    /// Activates the gates in place, fills the memory, and writes the state into `hidden`, `[R, H]`.
    pub(crate) fn run(&mut self, hidden: &mut Tensor) {
        let width = self.memory.size()[1] as usize;
        let before = values(&self.memory_before);
        let (gates, memory) = (values_mut(&mut self.gates), values_mut(&mut self.memory));
        let hidden = values_mut(hidden);
        vectors::run(Forward { order: self.order, width, before, gates, memory, hidden });
    }

    /// Fills the gradients of the gates and of the memory before, once [`run`](Self::run) is done.
    pub(crate) fn gradients(&self, by: &mut LstmGradients) {
        let width = self.memory.size()[1] as usize;
        vectors::run(Backward {
            order: self.order,
            width,
            gates: values(&self.gates),
            before: values(&self.memory_before),
            memory: values(&self.memory),
            by_hidden: values(&by.hidden),
            by_memory: values_mut(&mut by.memory),
            by_gates: values_mut(&mut by.gates),
        });
    }
}

/// The values of a step, `[R, …]` each.
struct Forward<'a> {
    order: GateOrder,
    width: usize,
    before: &'a [f32],
    gates: &'a mut [f32],
    memory: &'a mut [f32],
    hidden: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { order, width, before, gates, memory, hidden } = self;
        let rows = memory.chunks_exact_mut(width).zip(hidden.chunks_exact_mut(width));
        let rows = rows.zip(before.chunks_exact(width));
        for (row, ((memory, hidden), before)) in gates.chunks_exact_mut(4 * width).zip(rows) {
            let [input, forget, output, candidate] = order.named(parts_mut(row, width));
            for at in 0..width {
                input[at] = sigmoid(input[at]);
                forget[at] = sigmoid(forget[at]);
                candidate[at] = tanh(candidate[at]);
                output[at] = sigmoid(output[at]);
                memory[at] = forget[at] * before[at] + input[at] * candidate[at];
                hidden[at] = output[at] * tanh(memory[at]);
            }
        }
    }
}

/// The values and gradients of a step, `[R, …]` each.
struct Backward<'a> {
    order: GateOrder,
    width: usize,
    gates: &'a [f32],
    before: &'a [f32],
    memory: &'a [f32],
    by_hidden: &'a [f32],
    by_memory: &'a mut [f32],
    by_gates: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { order, width, gates, before, memory, by_hidden, by_memory, by_gates } = self;
        let states = before.chunks_exact(width).zip(memory.chunks_exact(width));
        let states = states.zip(gates.chunks_exact(4 * width));
        let found = by_memory.chunks_exact_mut(width).zip(by_gates.chunks_exact_mut(4 * width));
        let found = found.zip(by_hidden.chunks_exact(width));
        for (((before, memory), row), ((by_memory, by_row), by_hidden)) in states.zip(found) {
            let [input, forget, output, candidate] = order.named(parts(row, width));
            let [by_input, by_forget, by_output, by_candidate] =
                order.named(parts_mut(by_row, width));
            for at in 0..width {
                let squashed = tanh(memory[at]);
                let by_state = by_hidden[at] * output[at] * (1.0 - squashed * squashed);
                let by = by_memory[at] + by_state;
                by_output[at] = by_hidden[at] * squashed * output[at] * (1.0 - output[at]);
                by_input[at] = by * candidate[at] * input[at] * (1.0 - input[at]);
                by_forget[at] = by * before[at] * forget[at] * (1.0 - forget[at]);
                by_candidate[at] = by * input[at] * (1.0 - candidate[at] * candidate[at]);
                by_memory[at] = by * forget[at];
            }
        }
    }
}
