//! The recurrence over all steps of grouped captions on the CPU, with its backward pass written out: what is computed element by
//! element is computed in one pass, and each weight gets its gradient in one product over all steps. Shapes: N images, B captions
//! of each, r rows of a step, W rows of all steps, with padding; D the width of annotations, A of the attention, H of the state.

use tch::nn::Linear;
use tch::{Device, Kind, Tensor, no_grad};

use super::{Cells, ShowAttendTell, State};
use crate::recipes::fused::{AdditiveAttention, AdditiveGradients, LstmGradients, LstmStep};
use crate::recipes::graph_cut::add_gradient;
use crate::recipes::grouped::StepExtent;
use crate::recipes::recurrence::write;
use crate::settings::Precision;

/// The values that the recurrence begins with, in the graph of the backward pass.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The cells of the images.
    pub(super) cells: Cells,
    /// The state before the first word: `[N, 1, H]`.
    pub(super) initial: State,
    /// The words' part of the gates: `[W, 4 H]`.
    pub(super) words: Tensor,
}

/// The forward pass of the recurrence.
#[derive(Debug)]
pub(super) struct Recurrence<'a> {
    network: &'a ShowAttendTell,
    inputs: Inputs,
    precision: Precision,
    steps: Vec<Step>,
    /// The state after each word, the gated context and the attention: leaves.
    outputs: Outputs,
    /// `[ẑ, h]` of the step before: `[W, D + H]`.
    entries: Tensor,
}

/// What the rest of the network sees of the recurrence.
#[derive(Debug)]
pub(super) struct Outputs {
    /// `[W, H]`.
    pub(super) hidden: Tensor,
    /// `[W, D]`.
    pub(super) context: Tensor,
    /// `[W, cells]`.
    pub(super) attention: Tensor,
}

/// A step, with what its backward pass needs.
#[derive(Debug)]
struct Step {
    extent: StepExtent,
    /// Its first row.
    from: i64,
    /// q: `[images, columns, A]`.
    queries: Tensor,
    /// σ of the gate of the context: `[r, 1]`.
    gate: Tensor,
    /// The context before its gate: `[r, D]`.
    mixed: Tensor,
    lstm: LstmStep,
}

/// Rows `[r, …]` as `[images, columns, …]`.
fn grouped(rows: &Tensor, extent: StepExtent) -> Tensor {
    rows.view([extent.images, extent.columns, -1])
}

/// A state `[images, columns, …]` of one step for the captions of a later one, as rows.
fn still_active(state: &Tensor, extent: StepExtent) -> Tensor {
    state.narrow(0, 0, extent.images).narrow(1, 0, extent.columns).flatten(0, 1).contiguous()
}

/// The rows of a step of a tensor over all steps.
fn part(tensor: &Tensor, from: i64, extent: StepExtent) -> Tensor {
    tensor.narrow(0, from, extent.rows())
}

impl<'a> Recurrence<'a> {
    /// Runs all steps.
    pub(super) fn new(
        network: &'a ShowAttendTell,
        inputs: Inputs,
        extents: &[StepExtent],
        precision: Precision,
    ) -> Self {
        let rows = extents.iter().map(|extent| extent.rows()).sum::<i64>();
        let (width, cells) = (network.config.hidden, inputs.cells.keys.size()[1]);
        let annotation = network.config.annotation;
        let empty = |columns: i64| Tensor::empty([rows, columns], (Kind::Float, Device::Cpu));
        let outputs =
            Outputs { hidden: empty(width), context: empty(annotation), attention: empty(cells) };
        let entries = empty(annotation + width);
        let mut recurrence =
            Self { network, inputs, precision, steps: Vec::new(), outputs, entries };
        no_grad(|| recurrence.run(extents));
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

    fn run(&mut self, extents: &[StepExtent]) {
        let State { hidden, memory } = &self.inputs.initial;
        let columns = extents.first().map_or(0, |extent| extent.columns);
        let [mut hidden, mut memory] =
            [hidden, memory].map(|state| state.detach().expand([-1, columns, -1], false));
        let query = Factor::new(&self.network.query, self.precision);
        let gates = Factor::new(&self.network.lstm_state, self.precision);
        let mut from = 0;
        for &extent in extents {
            let before = [&hidden, &memory].map(|state| still_active(state, extent));
            let step = self.step(from, extent, before, [&query, &gates]);
            hidden = grouped(&part(&self.outputs.hidden, from, extent), extent);
            memory = grouped(&step.lstm.memory, extent);
            from += extent.rows();
            self.steps.push(step);
        }
    }

    /// Takes a step from a state and memory `[r, H]`.
    fn step(
        &self,
        from: i64,
        extent: StepExtent,
        [hidden_before, memory_before]: [Tensor; 2],
        [query, gates]: [&Factor; 2],
    ) -> Step {
        let of_step = |tensor: &Tensor| part(tensor, from, extent);
        let projected = query.product(&hidden_before);
        let width = self.network.config.attention;
        let queries = grouped(&projected.narrow(1, 0, width).contiguous(), extent);
        let gate = projected.narrow(1, width, 1).sigmoid();
        let cells = self.inputs.cells.first(extent.images).detached();
        let attention = self.attention(&cells.keys, &queries, |of| of.scores()).softmax(-1, None);
        let mixed = attention.bmm(&cells.values).flatten(0, 1);
        write(&of_step(&self.outputs.attention), &attention.flatten(0, 1));
        let context = of_step(&self.outputs.context);
        write(&context, &(&mixed * &gate));
        let entry = of_step(&self.entries);
        write(&entry.narrow(1, 0, mixed.size()[1]), &context);
        write(&entry.narrow(1, mixed.size()[1], hidden_before.size()[1]), &hidden_before);
        let gates = of_step(&self.inputs.words).detach() + gates.product(&entry);
        let memory = memory_before.empty_like();
        let mut lstm = LstmStep { gates, memory_before, memory };
        lstm.run(&mut of_step(&self.outputs.hidden));
        Step { extent, from, queries, gate, mixed, lstm }
    }

    /// Calls `with` with the attention of queries over keys.
    fn attention<T>(
        &self,
        keys: &Tensor,
        queries: &Tensor,
        with: impl FnOnce(AdditiveAttention) -> T,
    ) -> T {
        with(AdditiveAttention { keys, queries, weight: &self.network.score.detach() })
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
        let passed_on = passed_on.map(|(value, gradient)| (value * gradient).sum(Kind::Float));
        passed_on.into_iter().reduce(|sum, part| sum + part).unwrap_or_default().backward();
    }

    /// The gradients of all inputs, step after step from the last one.
    fn gradients(&self) -> Gradients {
        let mut all = Gradients::zeros(self);
        let given = Given {
            outputs: self.outputs.gradients(),
            query: Factor::of(&self.network.query.ws.tr(), self.precision),
            gates: Factor::of(&self.network.lstm_state.ws.tr(), self.precision),
        };
        // Those of the step after, `[images, columns, H]`.
        let mut later = None::<[Tensor; 2]>;
        for step in self.steps.iter().rev() {
            let [hidden, memory] =
                [0, 1].map(|at| later.as_ref().map(|later| enlarged(&later[at], step.extent)));
            let own = part(&given.outputs.hidden, step.from, step.extent);
            let hidden = hidden.map_or_else(|| own.copy(), |later| later + &own);
            let memory = memory.unwrap_or_else(|| hidden.zeros_like());
            let by = LstmGradients { hidden, memory, gates: step.lstm.gates.empty_like() };
            let before = self.step_gradients(step, &given, by, &mut all);
            later = Some(before.map(|state| grouped(&state, step.extent)));
        }
        if let Some([hidden, memory]) = later {
            all.hidden = hidden.sum_dim_intlist(1, true, Kind::Float);
            all.memory = memory.sum_dim_intlist(1, true, Kind::Float);
        }
        all
    }

    /// Adds the gradients of a step; returns those of the state and the memory before it, `[r, H]`.
    fn step_gradients(
        &self,
        step: &Step,
        given: &Given,
        mut by: LstmGradients,
        all: &mut Gradients,
    ) -> [Tensor; 2] {
        let Step { extent, from, queries, gate, mixed, lstm } = step;
        let Given { outputs, query, gates } = given;
        let of_step = |tensor: &Tensor| part(tensor, *from, *extent);
        lstm.gradients(&mut by);
        write(&of_step(&all.gates), &by.gates);
        let by_entry = gates.product(&by.gates);
        let (context, width) = (mixed.size()[1], by.hidden.size()[1]);
        let by_context = by_entry.narrow(1, 0, context) + of_step(&outputs.context);
        let by_gate = (&by_context * mixed).sum_dim_intlist(1, true, Kind::Float);
        let by_mixed = grouped(&(by_context * gate), *extent);
        let cells = self.inputs.cells.first(extent.images).detached();
        let attention = grouped(&of_step(&self.outputs.attention).detach(), *extent);
        let by_attention = by_mixed.bmm(&cells.values.transpose(1, 2))
            + grouped(&of_step(&outputs.attention), *extent);
        let mean = (&attention * &by_attention).sum_dim_intlist(-1, true, Kind::Float);
        let by_scores = &attention * (by_attention - mean);
        let mut values = all.values.narrow(0, 0, extent.images);
        let _ = values.baddbmm_(&attention.transpose(1, 2), &by_mixed);
        let sums = &mut all.sums;
        let by_queries = self.attention(&cells.keys, queries, |of| of.gradients(&by_scores, sums));
        let by_gate = by_gate * gate * (1.0 - gate);
        let by_projected = Tensor::cat(&[by_queries.flatten(0, 1), by_gate], 1);
        write(&of_step(&all.projected), &by_projected);
        let hidden = by_entry.narrow(1, context, width) + query.product(&by_projected);
        [hidden, by.memory]
    }
}

/// What the backward pass of each step begins with.
struct Given {
    /// The gradients of the outputs.
    outputs: Outputs,
    /// The transposed weights of the queries.
    query: Factor,
    /// The transposed weights of the gates.
    gates: Factor,
}

/// The gradients of the recurrence's inputs.
struct Gradients {
    /// Of the cells' values: `[N, cells, D]`.
    values: Tensor,
    /// Of the cells' keys and of the scores' weights.
    sums: AdditiveGradients,
    /// Of the gates before their activation: `[W, 4 H]`.
    gates: Tensor,
    /// Of queries and context gates before their activation: `[W, A + 1]`.
    projected: Tensor,
    /// Of the state before the first word: `[N, 1, H]`.
    hidden: Tensor,
    memory: Tensor,
}

impl Gradients {
    fn zeros(of: &Recurrence) -> Self {
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

/// The gradient of a state of fewer captions as that of a step before, `[r, H]`: zero for captions that have ended.
fn enlarged(state: &Tensor, extent: StepExtent) -> Tensor {
    let [images, columns, width] = [0, 1, 2].map(|side| state.size()[side]);
    if [images, columns] == [extent.images, extent.columns] {
        return state.flatten(0, 1).copy();
    }
    let larger =
        state.new_zeros([extent.images, extent.columns, width], (Kind::Float, Device::Cpu));
    write(&larger.narrow(0, 0, images).narrow(1, 0, columns), state);
    larger.flatten(0, 1)
}

/// The weights of a product that is taken at each step.
struct Factor {
    /// `[outputs, inputs]`, in the format of the product.
    weight: Tensor,
    bias: Option<Tensor>,
    precision: Precision,
}

impl Factor {
    fn new(layer: &Linear, precision: Precision) -> Self {
        let bias = layer.bs.as_ref().map(Tensor::detach);
        Self { bias, ..Self::of(&layer.ws, precision) }
    }

    fn of(weight: &Tensor, precision: Precision) -> Self {
        let weight = weight.detach().to_kind(precision.kind()).contiguous();
        Self { weight, bias: None, precision }
    }

    /// `[r, inputs]` to `[r, outputs]`.
    fn product(&self, input: &Tensor) -> Tensor {
        let product = self.precision.product(input, &self.weight);
        match &self.bias {
            Some(bias) => product + bias,
            None => product,
        }
    }
}
