//! Show, Attend and Tell, soft attention (Xu et al., arXiv 1502.03044, section 3.1.2 and 4.2.1).
//!
//! For each word t, with the cells `a` of the grid, the previous word y and the state h, c:
//!
//! - scores `e_i = v · tanh(W_k a_i + W_q h)`, attention `α = softmax(e)`;
//! - context `ẑ = β Σ α_i a_i` with the gate `β = σ(w_β · h)`;
//! - `(h, c) ← LSTM([E y, ẑ], h, c)`;
//! - log-probabilities `log softmax(L_o tanh(E y + L_h h + L_z ẑ))`, the deep output.
//!
//! h and c are initialised from the mean cell by learned layers. The cells are a learned projection of the
//! encoder's channels, computed once for all captions of an image.
//!
//! Shapes: N images, B captions of each, R rows, one per predicted word of a batch, C channels, D the width of
//! annotations, A of the attention, E of embedded words, H of the state, V words.

mod graph;
mod recurrence;

use tch::nn::{self, Init, Module as _, Path};
use tch::{Device, Kind, Tensor};

use self::recurrence::{Inputs, Outputs, Recurrence};
use super::graph_cut::GraphCut;
use super::grouped::{GroupedCaptions, StepExtent};
use super::loss::cross_entropy;
use super::step_product::StepProduct;
use super::{DecoderState, ForwardPass, Loss, Network, StepOutput, linear, linear_without_bias};
use crate::batch::Batch;
use crate::settings::NetworkConfig;

/// The cells of a batch of images.
#[derive(Debug)]
struct Cells {
    /// a: `[N, cells, D]`.
    values: Tensor,
    /// `W_k` a: `[N, cells, A]`.
    keys: Tensor,
}

impl Cells {
    /// The first `images` images.
    fn first(&self, images: i64) -> Self {
        Self { values: self.values.narrow(0, 0, images), keys: self.keys.narrow(0, 0, images) }
    }

    /// The same without the graph of the backward pass.
    fn detached(&self) -> Self {
        Self { values: self.values.detach(), keys: self.keys.detach() }
    }
}

/// The state of the LSTM: `[N, B, H]` each.
#[derive(Debug)]
struct State {
    /// h.
    hidden: Tensor,
    /// c.
    memory: Tensor,
}

/// The outputs of the recurrence for the predicted words, `[R, …]`, and its backward pass.
type Unrolled<'a> = (Outputs, Box<dyn FnOnce() + 'a>);

/// The network's weights.
#[derive(Debug)]
pub(super) struct ShowAttendTell {
    config: NetworkConfig,
    annotation: nn::Linear,
    key: nn::Linear,
    /// `W_q`, and `w_β` as its last row.
    query: nn::Linear,
    score: Tensor,
    init_hidden: nn::Linear,
    init_memory: nn::Linear,
    embedding: Tensor,
    /// The LSTM's weights on the word.
    lstm_word: nn::Linear,
    /// The LSTM's weights on [ẑ, h]; rows in the order input, forget, output, candidate.
    lstm_state: nn::Linear,
    output_hidden: nn::Linear,
    output_context: nn::Linear,
    output: nn::Linear,
}

impl ShowAttendTell {
    /// A network with fresh weights below `path`.
    pub(super) fn new(path: &Path, config: NetworkConfig) -> Self {
        let NetworkConfig {
            channels, vocabulary, annotation, attention, embedding, hidden, ..
        } = config;
        let layer = |name, inputs, outputs| linear(path, name, inputs, outputs);
        let plain = |name, inputs, outputs| linear_without_bias(path, name, inputs, outputs);
        let uniform = |width: i64| {
            let bound = 1.0 / (width as f64).sqrt();
            Init::Uniform { lo: -bound, up: bound }
        };
        Self {
            config,
            annotation: layer("annotation", channels, annotation),
            key: layer("key", annotation, attention),
            query: layer("query", hidden, attention + 1),
            score: path.var("score", &[attention], uniform(attention)),
            init_hidden: layer("init_hidden", annotation, hidden),
            init_memory: layer("init_memory", annotation, hidden),
            embedding: path.var("embedding", &[vocabulary, embedding], uniform(embedding)),
            lstm_word: layer("lstm_word", embedding, 4 * hidden),
            lstm_state: plain("lstm_state", annotation + hidden, 4 * hidden),
            output_hidden: plain("output_hidden", hidden, embedding),
            output_context: plain("output_context", annotation, embedding),
            output: layer("output", embedding, vocabulary),
        }
    }

    /// Grids `[N, cells, C]` to cells.
    fn cells(&self, grids: &Tensor, pass: &ForwardPass) -> Cells {
        let values = pass.linear(&self.annotation, grids).relu();
        let keys = pass.linear(&self.key, &values);
        Cells { values, keys }
    }

    /// The state before the first word: `[N, 1, H]`.
    fn initial_state(&self, cells: &Cells) -> State {
        let mean = cells.values.mean_dim(1, true, None);
        State {
            hidden: self.init_hidden.forward(&mean).tanh(),
            memory: self.init_memory.forward(&mean).tanh(),
        }
    }

    /// Words of any shape to embeddings `[…, E]`.
    fn embed(&self, words: &Tensor) -> Tensor {
        Tensor::embedding(&self.embedding, words, -1, false, false)
    }

    /// Attends with queries and gates `[N, B, A + 1]`: the gated context `[N, B, D]` and the attention `[N, B, cells]`.
    fn attend(&self, cells: &Cells, query: &Tensor) -> (Tensor, Tensor) {
        let gate = query.narrow(-1, self.config.attention, 1).sigmoid();
        let query = query.narrow(-1, 0, self.config.attention);
        let sum = query.unsqueeze(2) + cells.keys.unsqueeze(1);
        let attention = sum.tanh().matmul(&self.score).softmax(-1, None);
        let context = attention.bmm(&cells.values) * gate;
        (context, attention)
    }

    /// The LSTM's next memory and state, of gates `[N, B, 4 H]` and memory `[N, B, H]`.
    fn recur(&self, gates: &Tensor, memory: &Tensor) -> State {
        let hidden = self.config.hidden;
        let activated = gates.narrow(-1, 0, 3 * hidden).sigmoid();
        let candidate = gates.narrow(-1, 3 * hidden, hidden).tanh();
        let part = |at: i64| activated.narrow(-1, at * hidden, hidden);
        let memory = part(1) * memory + part(0) * candidate;
        State { hidden: part(2) * memory.tanh(), memory }
    }

    /// Runs the recurrence over all steps of grouped captions, from the words' part of the gates `[W, 4 H]`.
    fn unroll(
        &self,
        captions: &GroupedCaptions,
        cells: Cells,
        words: Tensor,
        pass: &ForwardPass,
    ) -> Unrolled<'_> {
        if words.device() != Device::Cpu {
            return self.unroll_operations(captions, &cells, words, pass);
        }
        let inputs = Inputs { initial: self.initial_state(&cells), cells, words };
        let recurrence = Recurrence::new(self, inputs, &captions.steps, pass.precision());
        let predicted = |rows: &Tensor| rows.index_select(0, &captions.predicted);
        let Outputs { hidden, context, attention } = recurrence.outputs();
        let outputs = Outputs {
            hidden: predicted(hidden),
            context: predicted(context),
            attention: predicted(attention),
        };
        (outputs, Box::new(move || recurrence.backward()))
    }

    /// The same as operations of libtorch, for a GPU.
    fn unroll_operations(
        &self,
        captions: &GroupedCaptions,
        cells: &Cells,
        words: Tensor,
        pass: &ForwardPass,
    ) -> Unrolled<'_> {
        let rows = captions.steps.iter().map(|step| step.rows()).collect::<Vec<_>>();
        let mut lstm = StepProduct::new(&self.lstm_state.ws, words, &rows, pass.precision());
        let mut query = StepProduct::from_layer(&self.query, &rows, pass.precision());
        let mut state = self.initial_state(cells);
        state.hidden = state.hidden.repeat([1, captions.columns, 1]);
        state.memory = state.memory.repeat([1, captions.columns, 1]);
        let (mut hiddens, mut contexts, mut attentions) = (vec![], vec![], vec![]);
        for &StepExtent { images, columns } in &captions.steps {
            let cells = cells.first(images);
            let active = |state: &Tensor| state.narrow(0, 0, images).narrow(1, 0, columns);
            let (hidden, memory) = (active(&state.hidden), active(&state.memory));
            let projected = query.step(&hidden.flatten(0, 1)).view([images, columns, -1]);
            let (context, attention) = self.attend(&cells, &projected);
            let input = Tensor::cat(&[&context, &hidden], -1).flatten(0, 1);
            let gates = lstm.step(&input).view([images, columns, -1]);
            state = self.recur(&gates, &memory);
            hiddens.push(state.hidden.shallow_clone());
            contexts.push(context);
            attentions.push(attention);
        }
        let outputs = Outputs {
            hidden: captions.select_predicted(&hiddens),
            context: captions.select_predicted(&contexts),
            attention: captions.select_predicted(&attentions),
        };
        let backward = move || {
            query.backward();
            lstm.backward();
        };
        (outputs, Box::new(backward))
    }

    /// The deep output of embedded word `[…, E]`, state `[…, H]` and context `[…, D]`, before the last layer: `[…, E]`.
    fn deep_output(
        &self,
        embedded: &Tensor,
        hidden: &Tensor,
        context: &Tensor,
        pass: &ForwardPass,
    ) -> Tensor {
        let sum = embedded + pass.linear(&self.output_hidden, hidden);
        (sum + pass.linear(&self.output_context, context)).tanh()
    }

    /// The log-probabilities of the next word: `[…, V]`.
    fn log_probabilities(&self, deep: &Tensor, pass: &ForwardPass) -> Tensor {
        pass.linear(&self.output, deep).log_softmax(-1, None)
    }
}

impl Network for ShowAttendTell {
    fn loss(&self, batch: &Batch, pass: &mut ForwardPass) -> Loss<'_> {
        let captions = GroupedCaptions::new(&batch.images, batch.grids.device());
        let cells = self.cells(&batch.grids, pass);
        let embedded = self.embed(&captions.words);
        let embedded = GraphCut::new(pass.dropout(&embedded));
        let words = pass.linear(&self.lstm_word, embedded.leaf());
        let (steps, recurrence) = self.unroll(&captions, cells, words, pass);
        let before = embedded.leaf().index_select(0, &captions.predicted);
        let deep = self.deep_output(&before, &steps.hidden, &steps.context, pass);
        let log_probabilities = self.log_probabilities(&pass.dropout(&deep), pass);
        let (total, cross_entropy) = cross_entropy(log_probabilities, &captions.targets, pass);
        let penalty = uneven_attention(&captions, &steps.attention);
        let total = total + penalty * pass.regularization().doubly_stochastic;
        let before_cuts = move || {
            recurrence();
            embedded.backward();
        };
        Loss { total, cross_entropy, before_cuts: Some(Box::new(before_cuts)) }
    }

    fn start(&self, grids: &Tensor) -> DecoderState {
        let cells = self.cells(grids, &ForwardPass::plain());
        let State { hidden, memory } = self.initial_state(&cells);
        DecoderState { cells: vec![cells.values, cells.keys], states: vec![hidden, memory] }
    }

    fn step(&self, words: &Tensor, state: &DecoderState) -> StepOutput {
        let clone = |tensors: &[Tensor], at: usize| tensors[at].shallow_clone();
        let cells = Cells { values: clone(&state.cells, 0), keys: clone(&state.cells, 1) };
        let (hidden, memory) = (&state.states[0], &state.states[1]);
        let embedded = self.embed(words);
        let (context, attention) = self.attend(&cells, &self.query.forward(hidden));
        let input = Tensor::cat(&[&context, hidden], -1);
        let gates = self.lstm_word.forward(&embedded) + self.lstm_state.forward(&input);
        let next = self.recur(&gates, memory);
        let plain = ForwardPass::plain();
        let deep = self.deep_output(&embedded, &next.hidden, &context, &plain);
        StepOutput {
            log_probabilities: self.log_probabilities(&deep, &plain),
            attention,
            states: vec![next.hidden, next.memory],
        }
    }
}

/// The mean over captions and cells of `(1 − Σ_t α)²`, for the attention `[R, cells]` of predicted words.
fn uneven_attention(captions: &GroupedCaptions, attention: &Tensor) -> Tensor {
    let cells = attention.size()[1];
    let rows = captions.steps.first().map_or(0, |step| step.images * captions.columns);
    let sums = Tensor::zeros([rows, cells], (Kind::Float, attention.device()));
    let sums = sums.index_add(0, &captions.caption, attention);
    // Columns without a caption add a constant of one each, which is subtracted.
    let empty = (rows - captions.captions) * cells;
    ((sums - 1.0).square().sum(Kind::Float) - empty as f64) / (captions.captions * cells) as f64
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;

    use super::*;
    use crate::checkpoint::sorted_weights;
    use crate::dataset::{Caption, TrainingImage};
    use crate::settings::{Precision, Regularization};

    const SIZES: NetworkConfig = NetworkConfig {
        channels: 6,
        vocabulary: 12,
        annotation: 10,
        attention: 19,
        heads: 1,
        embedding: 8,
        hidden: 14,
    };

    /// Captions of several lengths and numbers.
    fn images() -> Vec<TrainingImage> {
        let lengths: [&[usize]; 3] = [&[6, 3, 3], &[5, 1], &[2]];
        let caption = |length: &usize| Caption::written((4..4 + *length as u32).collect());
        let image = |(row, lengths): (usize, &&[usize])| TrainingImage {
            set: 0,
            row,
            view: common::View::Original,
            captions: lengths.iter().map(caption).collect(),
        };
        lengths.iter().enumerate().map(image).collect()
    }

    /// The recurrence of the CPU has the outputs and gradients of the operations of libtorch.
    #[test]
    fn both_recurrences_are_equal() {
        let weights = VarStore::new(Device::Cpu);
        let network = ShowAttendTell::new(&weights.root(), SIZES);
        let images = images();
        let captions = GroupedCaptions::new(&images.iter().collect::<Vec<_>>(), Device::Cpu);
        let grids = Tensor::rand([3, 5, 6], (Kind::Float, Device::Cpu));
        let regularization = Regularization { doubly_stochastic: 1.0, ..Default::default() };
        let pass = ForwardPass::new(regularization, Precision::F32, 1, 1);
        let gradients = |with_operations: bool| {
            let cells = network.cells(&grids, &pass);
            let words = pass.linear(&network.lstm_word, &network.embed(&captions.words));
            let (outputs, backward) = if with_operations {
                network.unroll_operations(&captions, &cells, words, &pass)
            } else {
                network.unroll(&captions, cells, words, &pass)
            };
            let Outputs { hidden, context, attention } = &outputs;
            let weighted = |values: &Tensor| (values * values.cos()).sum(Kind::Float);
            let loss =
                weighted(hidden) + weighted(context) + uneven_attention(&captions, attention);
            loss.backward();
            backward();
            let mut found = vec![hidden.detach(), context.detach(), attention.detach()];
            for (_, mut weight) in sorted_weights(&weights) {
                if weight.grad().defined() {
                    found.push(weight.grad().copy());
                    weight.zero_grad();
                }
            }
            found
        };
        let (expected, found) = (gradients(true), gradients(false));
        assert!(expected.len() > 12);
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let off = (found - expected).abs().max().double_value(&[]);
            assert!(off < 1e-5, "{at}: {off}");
        }
    }
}
