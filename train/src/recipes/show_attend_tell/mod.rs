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
mod loss;
mod operations;
mod recurrence;

use tch::Tensor;
use tch::nn::{self, Init, Module as _, Path};

use super::loss::Scores;
use super::{DecoderState, ForwardPass, Loss, Network, StepOutput, linear, linear_without_bias};
use crate::batch::Batch;
use crate::device::Backend;
use crate::settings::NetworkConfig;

/// The cells of a batch of images.
#[derive(Debug)]
struct Cells {
    /// a: `[N, cells, D]`.
    values: Tensor,
    /// `W_k` a: `[N, cells, A]`.
    keys: Tensor,
}

/// The state of the LSTM: `[N, B, H]` each.
#[derive(Debug)]
struct State {
    /// h.
    hidden: Tensor,
    /// c.
    memory: Tensor,
}

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

    /// The scores of the next word: `[…, V]`.
    fn scores(&self, deep: &Tensor, pass: &ForwardPass) -> Scores<'_> {
        let nn::Linear { ws, bs } = &self.output;
        Scores { product: pass.precision().product(deep, ws), bias: bs.as_ref() }
    }
}

impl Network for ShowAttendTell {
    fn loss(&self, batch: &Batch, pass: &mut ForwardPass) -> Loss<'_> {
        match pass.backend() {
            Backend::Host => self.packed_loss(batch, pass),
            Backend::Accelerator => self.grouped_loss(batch, pass),
        }
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
            log_probabilities: self.scores(&deep, &plain).log_probabilities(),
            attention,
            states: vec![next.hidden, next.memory],
        }
    }
}
