//! Show, Attend and Tell, soft attention (Xu et al., arXiv 1502.03044, section 3.1.2 and 4.2.1).
//!
//! For each word t, with the cells `a` of the grid, the previous word y and the state h, c:
//!
//! - scores `e_i = v · tanh(W_k a_i + W_q h)`, attention `α = softmax(e)`;
//! - context `ẑ = β Σ α_i a_i` with the gate `β = σ(w_β · h)`;
//! - `(h, c) ← LSTM([E y, ẑ], h, c)`;
//! - log-probabilities `log softmax(L_o tanh(E y + L_h h + L_z ẑ))`, the deep output.
//!
//! h and c begin with what is learned from the mean cell. The cells are a learned projection of the
//! encoder's channels, computed once for all captions of an image.

mod graph;

use onnx::Graph;
use tch::nn::{self, Init, Module as _, Path};
use tch::{Kind, Tensor};

use super::cut::Cut;
use super::pass::Pass;
use super::slots::Slots;
use super::step_product::StepProduct;
use super::{Held, Loss, Network, NetworkConfig, Stepped, cross_entropy, linear};
use crate::Result;
use crate::batch::Batch;

/// The cells of a batch of images.
#[derive(Debug)]
struct Cells {
    /// a: images × cells × annotation.
    values: Tensor,
    /// `W_k` a: images × cells × attention.
    keys: Tensor,
}

impl Cells {
    /// The first `images` images.
    fn first(&self, images: i64) -> Self {
        Self { values: self.values.narrow(0, 0, images), keys: self.keys.narrow(0, 0, images) }
    }
}

/// The state of the LSTM: images × captions × hidden, each.
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
        let layer = |name, from, to| linear(path, name, from, to, true);
        let plain = |name, from, to| linear(path, name, from, to, false);
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

    /// Grids (images × cells × channels) to cells.
    fn cells(&self, grids: &Tensor, pass: &Pass) -> Cells {
        let values = pass.linear(&self.annotation, grids).relu();
        let keys = pass.linear(&self.key, &values);
        Cells { values, keys }
    }

    /// The state before the first word: images × 1 × hidden.
    fn initial_state(&self, cells: &Cells) -> State {
        let mean = cells.values.mean_dim(1, true, None);
        State {
            hidden: self.init_hidden.forward(&mean).tanh(),
            memory: self.init_memory.forward(&mean).tanh(),
        }
    }

    /// The embeddings of words of any shape.
    fn embed(&self, words: &Tensor) -> Tensor {
        Tensor::embedding(&self.embedding, words, -1, false, false)
    }

    /// The gated context (images × captions × annotation) and the attention (images × captions × cells)
    /// by what `query` makes of the state.
    fn attend(&self, cells: &Cells, query: &Tensor) -> (Tensor, Tensor) {
        let gate = query.narrow(-1, self.config.attention, 1).sigmoid();
        let query = query.narrow(-1, 0, self.config.attention);
        let sum = query.unsqueeze(2) + cells.keys.unsqueeze(1);
        let attention = sum.tanh().matmul(&self.score).softmax(-1, None);
        let context = attention.bmm(&cells.values) * gate;
        (context, attention)
    }

    /// The LSTM's next memory and state.
    fn recur(&self, gates: &Tensor, memory: &Tensor) -> State {
        let hidden = self.config.hidden;
        let opened = gates.narrow(-1, 0, 3 * hidden).sigmoid();
        let candidate = gates.narrow(-1, 3 * hidden, hidden).tanh();
        let part = |at: i64| opened.narrow(-1, at * hidden, hidden);
        let memory = part(1) * memory + part(0) * candidate;
        State { hidden: part(2) * memory.tanh(), memory }
    }

    /// What the deep output makes of embedded word, state and context, before the last layer.
    fn deep_output(
        &self,
        embedded: &Tensor,
        hidden: &Tensor,
        context: &Tensor,
        pass: &Pass,
    ) -> Tensor {
        let sum = embedded + pass.linear(&self.output_hidden, hidden);
        (sum + pass.linear(&self.output_context, context)).tanh()
    }

    /// The log-probabilities of the next word.
    fn log_probabilities(&self, deep: &Tensor, pass: &Pass) -> Tensor {
        pass.linear(&self.output, deep).log_softmax(-1, None)
    }
}

impl Network for ShowAttendTell {
    fn loss(&self, batch: &Batch, pass: &mut Pass) -> Loss<'_> {
        let slots = Slots::new(&batch.images, batch.grids.device());
        let cells = self.cells(&batch.grids, pass);
        let embedded = self.embed(&pass.forget_words(&slots.words));
        let embedded = Cut::new(pass.dropout(&embedded));
        let rows = slots.steps.iter().map(|[images, slots]| images * slots).collect::<Vec<_>>();
        let words = pass.linear(&self.lstm_word, embedded.leaf());
        let mut lstm = StepProduct::new(&self.lstm_state.ws, words, &rows, pass.precision());
        let mut query = StepProduct::of_layer(&self.query, &rows, pass.precision());

        let mut state = self.initial_state(&cells);
        state.hidden = state.hidden.repeat([1, slots.most, 1]);
        state.memory = state.memory.repeat([1, slots.most, 1]);
        let (mut hiddens, mut contexts, mut attentions) = (vec![], vec![], vec![]);
        for &[images, slots] in &slots.steps {
            let cells = cells.first(images);
            let spoken = |state: &Tensor| state.narrow(0, 0, images).narrow(1, 0, slots);
            let (hidden, memory) = (spoken(&state.hidden), spoken(&state.memory));
            let projected = query.step(&hidden.flatten(0, 1)).view([images, slots, -1]);
            let (context, attention) = self.attend(&cells, &projected);
            let input = Tensor::cat(&[&context, &hidden], -1).flatten(0, 1);
            let gates = lstm.step(&input).view([images, slots, -1]);
            state = self.recur(&gates, &memory);
            hiddens.push(state.hidden.shallow_clone());
            contexts.push(context);
            attentions.push(attention);
        }
        let (hidden, context) = (slots.of_predicted(&hiddens), slots.of_predicted(&contexts));
        let spoken = embedded.leaf().index_select(0, &slots.predicted);
        let deep = self.deep_output(&spoken, &hidden, &context, pass);
        let log_probabilities = self.log_probabilities(&pass.dropout(&deep), pass);
        let (total, cross_entropy) =
            cross_entropy(log_probabilities, &slots.targets, &slots.weights, pass);
        let looked_away = looked_away(&slots, &slots.of_predicted(&attentions));
        let total = total + looked_away * pass.regularization().doubly_stochastic;
        let earlier = move || {
            query.backward();
            lstm.backward();
            embedded.backward();
        };
        Loss { total, cross_entropy, earlier: Some(Box::new(earlier)) }
    }

    fn start(&self, grids: &Tensor) -> Held {
        let cells = self.cells(grids, &Pass::plain());
        let State { hidden, memory } = self.initial_state(&cells);
        Held { cells: vec![cells.values, cells.keys], states: vec![hidden, memory] }
    }

    fn step(&self, words: &Tensor, held: &Held) -> Stepped {
        let clone = |tensors: &[Tensor], at: usize| tensors[at].shallow_clone();
        let cells = Cells { values: clone(&held.cells, 0), keys: clone(&held.cells, 1) };
        let (hidden, memory) = (&held.states[0], &held.states[1]);
        let embedded = self.embed(words);
        let (context, attention) = self.attend(&cells, &self.query.forward(hidden));
        let input = Tensor::cat(&[&context, hidden], -1);
        let gates = self.lstm_word.forward(&embedded) + self.lstm_state.forward(&input);
        let state = self.recur(&gates, memory);
        let plain = Pass::plain();
        let deep = self.deep_output(&embedded, &state.hidden, &context, &plain);
        Stepped {
            log_probabilities: self.log_probabilities(&deep, &plain),
            attention,
            states: vec![state.hidden, state.memory],
        }
    }

    fn start_graph(&self, cells: usize) -> Result<Graph> {
        self.init_graph(cells)
    }

    fn step_graph(&self, cells: usize) -> Result<Graph> {
        self.word_graph(cells)
    }
}

/// The mean over captions and cells of `(1 − Σ_t α)²`.
fn looked_away(slots: &Slots, attention: &Tensor) -> Tensor {
    let cells = attention.size()[1];
    let rows = slots.steps.first().map_or(0, |[images, _]| images * slots.most);
    let sums = Tensor::zeros([rows, cells], (Kind::Float, attention.device()));
    let sums = sums.index_add(0, &slots.caption, attention);
    // Slots without a caption add a constant of one each, which is taken off again.
    let empty = (rows - slots.captions) * cells;
    ((sums - 1.0).square().sum(Kind::Float) - empty as f64) / (slots.captions * cells) as f64
}
