//! The recurrence over all steps of packed captions on the CPU, with its backward pass written out: what is computed element
//! by element is computed in one pass, and each weight gets its gradient in one product over all steps. Shapes: N images, B
//! captions, r rows of a step, R rows of all steps; D the width of annotations, A of the attention, H of the state.

use tch::nn::Linear;
use tch::{Device, Kind, Tensor, no_grad};

use super::{Cells, ShowAttendTell, State};
use crate::fused::{
    AdditiveAttention, AdditiveGradients, Exponentials, GateOrder, LstmGradients, LstmStep,
    Mixture, transpose,
};
use crate::recipes::graph_cut::{add_gradient, dot};
use crate::recipes::packed::PackedCaptions;
use crate::recipes::recurrence::write;
use crate::settings::Precision;

/// The values that the recurrence begins with, in the graph of the backward pass.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The cells of the images.
    pub(super) cells: Cells,
    /// The state before the first word: `[N, 1, H]`.
    pub(super) initial: State,
    /// The words' part of the gates: `[R, 4 H]`.
    pub(super) words: Tensor,
}

/// The forward pass of the recurrence.
#[derive(Debug)]
pub(super) struct Recurrence<'a> {
    network: &'a ShowAttendTell,
    inputs: Inputs,
    precision: Precision,
    /// The image of each caption.
    images: Vec<usize>,
    /// Of the keys.
    keys: Exponentials,
    steps: Vec<Step>,
    /// The state after each word, the gated context and the attention: leaves.
    outputs: Outputs,
    /// `[ẑ, h]` of the step before: `[R, D + H]`.
    entries: Tensor,
}

/// What the rest of the network sees of the recurrence.
#[derive(Debug)]
pub(super) struct Outputs {
    /// `[R, H]`.
    pub(super) hidden: Tensor,
    /// `[R, D]`.
    pub(super) context: Tensor,
    /// `[R, cells]`.
    pub(super) attention: Tensor,
}

/// A step, with what its backward pass needs.
#[derive(Debug)]
struct Step {
    rows: StepRows,
    /// Of q: `[r, A]`.
    queries: Exponentials,
    /// σ of the gate of the context: `[r, 1]`.
    gate: Tensor,
    /// The context before its gate: `[r, D]`.
    mixed: Tensor,
    lstm: LstmStep,
}

/// The rows of a step: those of the first captions, as the longest come first.
#[derive(Debug, Clone, Copy)]
struct StepRows {
    from: i64,
    count: i64,
}

impl StepRows {
    /// These rows of a tensor over all steps.
    fn of(self, tensor: &Tensor) -> Tensor {
        tensor.narrow(0, self.from, self.count)
    }

    /// The first captions of a state `[B, H]`.
    fn captions(self, state: &Tensor) -> Tensor {
        state.narrow(0, 0, self.count)
    }
}

impl<'a> Recurrence<'a> {
    /// Runs all steps.
    pub(super) fn new(
        network: &'a ShowAttendTell,
        inputs: Inputs,
        captions: &PackedCaptions,
        precision: Precision,
    ) -> Self {
        let (width, cells) = (network.config.hidden, inputs.cells.keys.size()[1]);
        let annotation = network.config.annotation;
        let rows = inputs.words.size()[0];
        let empty = |columns: i64| Tensor::empty([rows, columns], (Kind::Float, Device::Cpu));
        let outputs =
            Outputs { hidden: empty(width), context: empty(annotation), attention: empty(cells) };
        let entries = empty(annotation + width);
        let images = captions.images.clone();
        let keys = Exponentials::new(&inputs.cells.keys.detach());
        let steps = Vec::new();
        let mut recurrence =
            Self { network, inputs, precision, images, keys, steps, outputs, entries };
        no_grad(|| recurrence.run(&captions.active));
        let Outputs { hidden, context, attention } = &mut recurrence.outputs;
        for output in [hidden, context, attention] {
            *output = output.set_requires_grad(true);
        }
        recurrence
    }

    /// What the rest of the network sees.
    pub(super) fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Takes the steps; `active` has the number of captions of each.
    fn run(&mut self, active: &[i64]) {
        let of_captions = self.image_of_captions();
        let State { hidden, memory } = &self.inputs.initial;
        let [mut hidden, mut memory] = [hidden, memory]
            .map(|state| state.detach().squeeze_dim(1).index_select(0, &of_captions));
        let factor = |layer: &Linear| {
            Factor::new(&transpose(&layer.ws.detach()), layer.bs.as_ref(), self.precision)
        };
        let [query, gates] = [&self.network.query, &self.network.lstm_state].map(factor);
        let mut from = 0;
        for &count in active {
            let rows = StepRows { from, count };
            let before = [&hidden, &memory].map(|state| rows.captions(state));
            let step = self.step(rows, before, [&query, &gates]);
            hidden = rows.of(&self.outputs.hidden);
            memory = step.lstm.memory.shallow_clone();
            from += count;
            self.steps.push(step);
        }
    }

    /// The image of each caption: `[B]`.
    fn image_of_captions(&self) -> Tensor {
        let images = self.images.iter().map(|&image| image as i64);
        Tensor::from_slice(&images.collect::<Vec<_>>())
    }

    /// Takes a step from a state and memory `[r, H]`.
    fn step(
        &self,
        rows: StepRows,
        [hidden_before, memory_before]: [Tensor; 2],
        [query, gates]: [&Factor; 2],
    ) -> Step {
        let projected = query.product(&hidden_before);
        let width = self.network.config.attention;
        let queries = Exponentials::new(&projected.narrow(1, 0, width));
        let gate = projected.narrow(1, width, 1).sigmoid();
        let weight = self.network.score.detach();
        let attention = self.attention(rows, &queries, &weight).scores().softmax(-1, None);
        let values = self.inputs.cells.values.detach();
        let mixed = self.mixture(rows, &values).sums(&attention);
        write(&rows.of(&self.outputs.attention), &attention);
        let context = rows.of(&self.outputs.context);
        write(&context, &(&mixed * &gate));
        let entry = rows.of(&self.entries);
        write(&entry.narrow(1, 0, mixed.size()[1]), &context);
        write(&entry.narrow(1, mixed.size()[1], hidden_before.size()[1]), &hidden_before);
        let gates = rows.of(&self.inputs.words).detach() + gates.product(&entry);
        let memory = memory_before.empty_like();
        let order = GateOrder::CandidateLast;
        let mut lstm = LstmStep { gates, memory_before, memory, order };
        lstm.run(&mut rows.of(&self.outputs.hidden));
        Step { rows, queries, gate, mixed, lstm }
    }

    /// The attention of the queries of some rows over the cells of their images.
    fn attention<'b>(
        &'b self,
        rows: StepRows,
        queries: &'b Exponentials,
        weight: &'b Tensor,
    ) -> AdditiveAttention<'b> {
        AdditiveAttention { keys: &self.keys, queries, weight, images: self.images_of(rows) }
    }

    /// The mixtures of `cells` for some rows.
    fn mixture<'b>(&'b self, rows: StepRows, cells: &'b Tensor) -> Mixture<'b> {
        Mixture { cells, images: self.images_of(rows) }
    }

    /// The image of each row.
    fn images_of(&self, rows: StepRows) -> &[usize] {
        &self.images[..rows.count as usize]
    }

    /// Passes the gradients of [`outputs`](Self::outputs) on to the weights and to the inputs.
    pub(super) fn backward(self) {
        let gradients = no_grad(|| self.gradients());
        let Gradients { values, sums, gates, projected, hidden, memory } = gradients;
        let ShowAttendTell { query, lstm_state, score, .. } = self.network;
        let hidden_before =
            self.entries.narrow(1, values.size()[2], self.network.config.hidden).contiguous();
        add_gradient(&lstm_state.ws, &self.precision.outer_product(&gates, &self.entries));
        add_gradient(&query.ws, &self.precision.outer_product(&projected, &hidden_before));
        if let Some(bias) = &query.bs {
            add_gradient(bias, &projected.sum_dim_intlist(0, false, Kind::Float));
        }
        add_gradient(score, &sums.weight.sum_dim_intlist(0, false, Kind::Float));
        let Inputs { cells, initial, words } = self.inputs;
        let passed_on = [
            (cells.values, values),
            (cells.keys, sums.keys),
            (initial.hidden, hidden),
            (initial.memory, memory),
            (words, gates),
        ];
        let passed_on = passed_on.map(|(value, gradient)| dot(&value, &gradient));
        passed_on.into_iter().reduce(|sum, part| sum + part).unwrap_or_default().backward();
    }

    /// The gradients of all inputs, step after step from the last one.
    fn gradients(&self) -> Gradients {
        let mut all = Gradients::new(self);
        let given = Given {
            outputs: self.outputs.gradients(),
            query: Factor::new(&self.network.query.ws, None, self.precision),
            gates: Factor::new(&self.network.lstm_state.ws, None, self.precision),
        };
        // Those of the step after, zero for captions that it does not have: `[B, H]`.
        let captions = self.images.len() as i64;
        let zeros =
            || Tensor::zeros([captions, self.network.config.hidden], (Kind::Float, Device::Cpu));
        let (later_hidden, later_memory) = (zeros(), zeros());
        for step in self.steps.iter().rev() {
            let rows = step.rows;
            let mut hidden = rows.captions(&later_hidden);
            let _ = hidden.g_add_(&rows.of(&given.outputs.hidden));
            let (memory, gates) = (rows.captions(&later_memory), rows.of(&all.gates));
            let by = LstmGradients { hidden, memory, gates };
            let before = self.step_gradients(step, &given, by, &mut all);
            write(&rows.captions(&later_hidden), &before);
        }
        let of_captions = self.image_of_captions();
        let sums = |gradients: Tensor, state: &Tensor| {
            state.zeros_like().squeeze_dim(1).index_add(0, &of_captions, &gradients).unsqueeze(1)
        };
        let State { hidden, memory } = &self.inputs.initial;
        all.hidden = sums(later_hidden, hidden);
        all.memory = sums(later_memory, memory);
        all
    }

    /// Adds the gradients of a step; returns that of the state before it, `[r, H]`. That of the memory replaces the one of the
    /// memory after it.
    fn step_gradients(
        &self,
        step: &Step,
        given: &Given,
        mut by: LstmGradients,
        all: &mut Gradients,
    ) -> Tensor {
        let Step { rows, queries, gate, mixed, lstm } = step;
        let Given { outputs, query, gates } = given;
        lstm.gradients(&mut by);
        let by_entry = gates.product(&by.gates);
        let (context, width) = (mixed.size()[1], by.hidden.size()[1]);
        let by_context = by_entry.narrow(1, 0, context) + rows.of(&outputs.context);
        let by_gate = (&by_context * mixed).sum_dim_intlist(1, true, Kind::Float);
        let by_mixed = by_context * gate;
        let attention = rows.of(&self.outputs.attention).detach();
        let cells = self.inputs.cells.values.detach();
        let mixture = self.mixture(*rows, &cells);
        let by_attention =
            mixture.gradients(&attention, &by_mixed, &mut all.values) + rows.of(&outputs.attention);
        let mean = (&attention * &by_attention).sum_dim_intlist(-1, true, Kind::Float);
        let by_scores = &attention * (by_attention - mean);
        let weight = self.network.score.detach();
        let by_queries =
            self.attention(*rows, queries, &weight).gradients(&by_scores, &mut all.sums);
        let by_gate = by_gate * gate * (1.0 - gate);
        let by_projected = Tensor::cat(&[by_queries, by_gate], 1);
        write(&rows.of(&all.projected), &by_projected);
        by_entry.narrow(1, context, width) + query.product(&by_projected)
    }
}

/// What the backward pass of each step begins with.
struct Given {
    /// The gradients of the outputs.
    outputs: Outputs,
    /// The weights of the queries.
    query: Factor,
    /// The weights of the gates.
    gates: Factor,
}

/// The gradients of the recurrence's inputs.
struct Gradients {
    /// Of the cells' values: `[N, cells, D]`.
    values: Tensor,
    /// Of the cells' keys and of the scores' weights.
    sums: AdditiveGradients,
    /// Of the gates before their activation: `[R, 4 H]`.
    gates: Tensor,
    /// Of queries and context gates before their activation: `[R, A + 1]`.
    projected: Tensor,
    /// Of the state before the first word: `[N, 1, H]`.
    hidden: Tensor,
    memory: Tensor,
}

impl Gradients {
    /// Zeros, where sums are added to.
    fn new(of: &Recurrence) -> Self {
        let (rows, attention) = (of.entries.size()[0], of.network.config.attention);
        let empty = |columns: i64| Tensor::empty([rows, columns], (Kind::Float, Device::Cpu));
        let Cells { values, keys } = &of.inputs.cells;
        let images = values.size()[0];
        Self {
            values: values.zeros_like(),
            sums: AdditiveGradients {
                keys: keys.zeros_like(),
                weight: Tensor::zeros([images, attention], (Kind::Float, Device::Cpu)),
            },
            gates: empty(4 * of.network.config.hidden),
            projected: empty(attention + 1),
            hidden: of.inputs.initial.hidden.zeros_like(),
            memory: of.inputs.initial.memory.zeros_like(),
        }
    }
}

impl Outputs {
    /// The same tensors.
    pub(super) fn shared(&self) -> Self {
        let [hidden, context, attention] =
            [&self.hidden, &self.context, &self.attention].map(Tensor::shallow_clone);
        Self { hidden, context, attention }
    }

    /// The gradients of the leaves; zeros where a loss does not depend on one.
    fn gradients(&self) -> Self {
        let gradient = |leaf: &Tensor| {
            let gradient = leaf.grad();
            if gradient.defined() { gradient } else { leaf.zeros_like() }
        };
        let Self { hidden, context, attention } = self;
        Self {
            hidden: gradient(hidden),
            context: gradient(context),
            attention: gradient(attention),
        }
    }
}

/// The weights of a product that is taken at each step.
struct Factor {
    /// `[inputs, outputs]`, contiguous, in the format of the product.
    matrix: Tensor,
    bias: Option<Tensor>,
    precision: Precision,
}

impl Factor {
    /// Of `[inputs, outputs]`.
    fn new(matrix: &Tensor, bias: Option<&Tensor>, precision: Precision) -> Self {
        let matrix = matrix.detach().to_kind(precision.kind());
        Self { matrix, bias: bias.map(Tensor::detach), precision }
    }

    /// `[r, inputs]` to `[r, outputs]`.
    fn product(&self, input: &Tensor) -> Tensor {
        let product = self.precision.product_with(input, &self.matrix);
        match &self.bias {
            Some(bias) => product + bias,
            None => product,
        }
    }
}
