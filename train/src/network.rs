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

use serde::{Deserialize, Serialize};
use tch::nn::{Init, LinearConfig, Module as _, Path, linear};
use tch::{Tensor, nn};

/// The sizes of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Channels of a cell as the encoder gives it.
    pub channels: i64,
    /// Words of the vocabulary.
    pub vocabulary: i64,
    /// Channels of a cell as the network sees it.
    pub annotation: i64,
    /// Width of the additive attention.
    pub attention: i64,
    /// Width of a word.
    pub embedding: i64,
    /// Width of the LSTM's state.
    pub hidden: i64,
}

/// The cells of a batch of images.
#[derive(Debug)]
pub struct Cells {
    /// a: images × cells × annotation.
    pub values: Tensor,
    /// `W_k` a: images × cells × attention.
    pub keys: Tensor,
}

impl Cells {
    /// The first `images` images.
    #[must_use]
    pub fn first(&self, images: i64) -> Self {
        Self { values: self.values.narrow(0, 0, images), keys: self.keys.narrow(0, 0, images) }
    }
}

/// The state of the LSTM: images × captions × hidden, each.
#[derive(Debug)]
pub struct State {
    /// h.
    pub hidden: Tensor,
    /// c.
    pub memory: Tensor,
}

/// The network's weights.
#[derive(Debug)]
pub struct ShowAttendTell {
    /// The sizes.
    pub config: NetworkConfig,
    pub(crate) annotation: nn::Linear,
    pub(crate) key: nn::Linear,
    /// `W_q`, and `w_β` as its last row.
    pub(crate) query: nn::Linear,
    pub(crate) score: Tensor,
    pub(crate) init_hidden: nn::Linear,
    pub(crate) init_memory: nn::Linear,
    pub(crate) embedding: Tensor,
    /// The LSTM's weights on the word.
    pub(crate) lstm_word: nn::Linear,
    /// The LSTM's weights on [ẑ, h]; rows in the order input, forget, output, candidate.
    pub(crate) lstm_state: nn::Linear,
    pub(crate) output_hidden: nn::Linear,
    pub(crate) output_context: nn::Linear,
    pub(crate) output: nn::Linear,
}

impl ShowAttendTell {
    /// A network with fresh weights below `path`.
    #[must_use]
    pub fn new(path: &Path, config: NetworkConfig) -> Self {
        let NetworkConfig { channels, vocabulary, annotation, attention, embedding, hidden } =
            config;
        let layer = |name: &str, from, to| linear(path / name, from, to, LinearConfig::default());
        let plain = |name: &str, from, to| {
            linear(path / name, from, to, LinearConfig { bias: false, ..LinearConfig::default() })
        };
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
    #[must_use]
    pub fn cells(&self, grids: &Tensor) -> Cells {
        let values = self.annotation.forward(grids).relu();
        let keys = self.key.forward(&values);
        Cells { values, keys }
    }

    /// The state before the first word: images × 1 × hidden.
    #[must_use]
    pub fn initial_state(&self, cells: &Cells) -> State {
        let mean = cells.values.mean_dim(1, true, None);
        State {
            hidden: self.init_hidden.forward(&mean).tanh(),
            memory: self.init_memory.forward(&mean).tanh(),
        }
    }

    /// The embeddings of words of any shape.
    pub fn embed(&self, words: &Tensor) -> Tensor {
        Tensor::embedding(&self.embedding, words, -1, false, false)
    }

    /// What the LSTM takes from embedded words; independent of its state.
    pub fn word_gates(&self, embedded: &Tensor) -> Tensor {
        self.lstm_word.forward(embedded)
    }

    /// The gated context (images × captions × annotation) and the attention (images × captions × cells).
    pub fn attend(&self, cells: &Cells, hidden: &Tensor) -> (Tensor, Tensor) {
        let projected = self.query.forward(hidden);
        let query = projected.narrow(-1, 0, self.config.attention);
        let gate = projected.narrow(-1, self.config.attention, 1).sigmoid();
        let sum = query.unsqueeze(2) + cells.keys.unsqueeze(1);
        let attention = sum.tanh().matmul(&self.score).softmax(-1, None);
        let context = attention.bmm(&cells.values) * gate;
        (context, attention)
    }

    /// The LSTM's next state.
    #[must_use]
    pub fn recur(&self, word_gates: &Tensor, context: &Tensor, state: &State) -> State {
        let input = Tensor::cat(&[context, &state.hidden], -1);
        let gates = word_gates + self.lstm_state.forward(&input);
        let hidden = self.config.hidden;
        let opened = gates.narrow(-1, 0, 3 * hidden).sigmoid();
        let candidate = gates.narrow(-1, 3 * hidden, hidden).tanh();
        let part = |at: i64| opened.narrow(-1, at * hidden, hidden);
        let memory = part(1) * &state.memory + part(0) * candidate;
        State { hidden: part(2) * memory.tanh(), memory }
    }

    /// What the deep output makes of embedded word, state and context, before the last layer.
    pub fn deep_output(&self, embedded: &Tensor, hidden: &Tensor, context: &Tensor) -> Tensor {
        let sum = embedded + self.output_hidden.forward(hidden);
        (sum + self.output_context.forward(context)).tanh()
    }

    /// The log-probabilities of the next word.
    pub fn log_probabilities(&self, deep: &Tensor) -> Tensor {
        self.output.forward(deep).log_softmax(-1, None)
    }
}
