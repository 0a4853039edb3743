//! An attention LSTM whose context feeds the output alone (Lu et al., arXiv 1612.01887).
//!
//! With the cells `a` of the grid (projected, of zero mean and unit variance), the previous word y and
//! the state h, c:
//!
//! - `(h, c) ← LSTM(E y + W_g ā, h, c)`, where ā is the mean cell: no attention in the recurrence, so
//!   whole captions run through it in one call;
//! - scores `(W_q h)·(W_k a_i)` in heads (Vaswani et al., arXiv 1706.03762), with one more for a
//!   sentinel `(W_q h)·(W_s h)`, by which a word may come from the sentence alone;
//! - context `Σ α_i W_v a_i + α_s W_z h`, output `(W_h h + W_c context) ⊙ σ(V_h h + V_c context)`, gated
//!   by itself (Dauphin et al., arXiv 1612.08083; of context and state, Huang et al.,
//!   arXiv 1908.06954), log-probabilities `log softmax(Eᵀ output)` with the embedding of the input words
//!   (Press and Wolf, arXiv 1608.05859).
//!
//! A caption without an image is learned with attention on the sentinel alone, and nothing in the place of ā.
//!
//! Shapes: N images, B captions of each, R rows, one per predicted word of a batch, r rows of an image, C channels, D the
//! width of annotations, A of the attention, E of embedded words, H of the state, V words.

mod graph;

use tch::nn::{self, Init, LayerNormConfig, Module as _, Path};
use tch::{Kind, Tensor, no_grad};

use super::graph_cut::GraphCut;
use super::library_lstm::library_lstm;
use super::loss::{Scores, cross_entropy};
use super::packed::PackedCaptions;
use super::recurrence::Recurrence;
use super::{DecoderState, ForwardPass, Loss, Network, StepOutput, linear, linear_without_bias};
use crate::batch::Batch;
use crate::dataset::Caption;
use crate::device::Backend;
use crate::settings::NetworkConfig;

/// The network's weights.
#[derive(Debug)]
pub(super) struct Adaptive {
    config: NetworkConfig,
    annotation: nn::Linear,
    norm: nn::LayerNorm,
    mean: nn::Linear,
    key: nn::Linear,
    value: nn::Linear,
    embedding: Tensor,
    lstm: Lstm,
    /// `W_q`, `W_s` and `W_z`, one below the other.
    query: nn::Linear,
    /// `W_h` above `V_h`, and below `W_c` above `V_c`.
    output_hidden: nn::Linear,
    output_context: nn::Linear,
    output_bias: Tensor,
}

/// The LSTM's weights; rows in the order input, forget, candidate, output.
#[derive(Debug)]
struct Lstm {
    /// `[4 H, E]`.
    on_input: Tensor,
    /// `[4 H, H]`.
    on_state: Tensor,
    /// `[4 H]`, as the other one.
    input_bias: Tensor,
    state_bias: Tensor,
}

impl Lstm {
    fn bias(&self) -> Tensor {
        &self.input_bias + &self.state_bias
    }

    /// Runs over inputs `[R, E]` of whole captions.
    fn run(&self, input: &Tensor, packed: &PackedCaptions, pass: &ForwardPass) -> LstmPass<'_> {
        let Self { on_input, on_state, input_bias, state_bias } = self;
        match pass.backend() {
            Backend::Host => {
                let gates = pass.precision().product(input, on_input) + self.bias();
                let own = Recurrence::new(gates, on_state, &packed.active, pass.precision());
                LstmPass { hidden: own.hidden().shallow_clone(), own: Some(own) }
            }
            Backend::Accelerator => {
                let weights = [on_input, on_state, input_bias, state_bias];
                LstmPass { hidden: library_lstm(weights, input, &packed.active), own: None }
            }
        }
    }
}

/// The pass of the LSTM over the captions of a batch.
struct LstmPass<'a> {
    /// The state after each word: `[R, H]`.
    hidden: Tensor,
    /// The backward pass behind the state, if that is a leaf.
    own: Option<Recurrence<'a>>,
}

impl LstmPass<'_> {
    /// Passes gradients on to the weights and to the input, unless libtorch has done so.
    fn backward(self) {
        if let Some(own) = self.own {
            own.backward();
        }
    }
}

impl Adaptive {
    pub(super) fn new(path: &Path, config: NetworkConfig) -> Self {
        let NetworkConfig {
            channels, vocabulary, annotation, attention, embedding, hidden, ..
        } = config;
        let layer = |name, inputs, outputs| linear(path, name, inputs, outputs);
        let plain = |name, inputs, outputs| linear_without_bias(path, name, inputs, outputs);
        let bound = 1.0 / (hidden as f64).sqrt();
        let uniform = Init::Uniform { lo: -bound, up: bound };
        let lstm = |name: &str, shape: &[i64]| path.var(&format!("lstm_{name}"), shape, uniform);
        let input_bias = lstm("input_bias", &[4 * hidden]);
        // The forget gate begins open (Jozefowicz et al. 2015).
        let _ = no_grad(|| input_bias.narrow(0, hidden, hidden).fill_(1.0));
        let spread = Init::Randn { mean: 0.0, stdev: 1.0 / (embedding as f64).sqrt() };
        Self {
            config,
            annotation: layer("annotation", channels, annotation),
            norm: nn::layer_norm(path / "norm", vec![annotation], LayerNormConfig::default()),
            mean: layer("mean", annotation, embedding),
            key: plain("key", annotation, attention),
            value: plain("value", annotation, attention),
            embedding: path.var("embedding", &[vocabulary, embedding], spread),
            lstm: Lstm {
                on_input: lstm("input_weight", &[4 * hidden, embedding]),
                on_state: lstm("state_weight", &[4 * hidden, hidden]),
                input_bias,
                state_bias: lstm("state_bias", &[4 * hidden]),
            },
            query: layer("query", hidden, 3 * attention),
            output_hidden: layer("output_hidden", hidden, 2 * embedding),
            output_context: plain("output_context", attention, 2 * embedding),
            output_bias: path.var("output_bias", &[vocabulary], Init::Const(0.0)),
        }
    }

    /// Grids `[N, cells, C]` to cells a `[N, cells, D]`.
    fn cells(&self, grids: &Tensor, pass: &mut ForwardPass) -> Tensor {
        let projected = pass.linear(&self.annotation, grids).relu();
        self.norm.forward(&pass.dropout(&projected))
    }

    /// Words of any shape to embeddings `[…, E]`, with the variance of the state's other inputs.
    fn embed(&self, words: &Tensor) -> Tensor {
        let scale = (self.config.embedding as f64).sqrt();
        Tensor::embedding(&self.embedding, words, -1, false, false) * scale
    }

    /// Attends with queries, sentinel keys and sentinels `[N, r, 3 A]` over keys and values `[N, cells, A]`: context
    /// `[N, r, A]` and attention `[N, heads, r, cells + 1]`, the sentinel last.
    fn attend(&self, query: &Tensor, keys: &Tensor, values: &Tensor) -> (Tensor, Tensor) {
        let heads = self.config.heads;
        let scale = ((self.config.attention / heads) as f64).sqrt();
        let in_heads = |tensor: &Tensor| {
            let [images, rows] = [tensor.size()[0], tensor.size()[1]];
            tensor.view([images, rows, heads, -1]).transpose(1, 2)
        };
        let parts = query.chunk(3, -1);
        let [query, sentinel_key, sentinel] = [0, 1, 2].map(|at| in_heads(&parts[at].contiguous()));
        let scores = query.matmul(&in_heads(keys).transpose(-2, -1));
        let own = (&query * sentinel_key).sum_dim_intlist(-1, true, None);
        let attention = (Tensor::cat(&[scores, own], -1) / scale).softmax(-1, None);
        let cells = keys.size()[1];
        let context = attention.narrow(-1, 0, cells).matmul(&in_heads(values))
            + attention.narrow(-1, cells, 1) * sentinel;
        (context.transpose(1, 2).flatten(2, 3), attention)
    }

    /// State `[…, H]` and context `[…, A]` to scores `[…, V]`.
    fn scores(&self, hidden: &Tensor, context: &Tensor, pass: &mut ForwardPass) -> Scores<'_> {
        let output =
            pass.linear(&self.output_hidden, hidden) + pass.linear(&self.output_context, context);
        let output = output.glu(-1);
        let product = pass.precision().product(&pass.dropout(&output), &self.embedding);
        Scores { product, bias: Some(&self.output_bias) }
    }
}

impl Network for Adaptive {
    fn loss(&self, batch: &Batch, pass: &mut ForwardPass) -> Loss<'_> {
        let packed = PackedCaptions::new(&batch.captions_by_image(), batch.grids.device());
        let cells = GraphCut::new(self.cells(&pass.drop_channels(&batch.grids), pass));
        let mean = pass.linear(&self.mean, &cells.leaf().mean_dim(1, false, None));
        let words = self.embed(&packed.words);
        let input = pass.dropout(&words) + mean.index_select(0, &packed.image);
        let lstm = self.lstm.run(&input, &packed, pass);

        let hidden = pass.dropout(&lstm.hidden);
        let by_image = hidden.index_select(0, &packed.by_image.flatten(0, 1));
        let by_image = by_image.view([packed.by_image.size()[0], packed.by_image.size()[1], -1]);
        let (context, _) = self.attend(
            &pass.linear(&self.query, &by_image),
            &pass.linear(&self.key, cells.leaf()),
            &pass.linear(&self.value, cells.leaf()),
        );
        let context = context.flatten(0, 1).index_select(0, &packed.in_images);
        let scores = self.scores(&hidden, &context, pass);
        let (total, cross_entropy) = cross_entropy(scores, &packed.targets, pass);
        let before_cuts = move || {
            lstm.backward();
            cells.backward();
        };
        Loss { total, cross_entropy, before_cuts: Some(Box::new(before_cuts)) }
    }

    fn text_loss(&self, captions: &[Caption], pass: &mut ForwardPass) -> Option<Loss<'_>> {
        let packed = PackedCaptions::new(&[captions], self.embedding.device());
        let words = self.embed(&packed.words);
        let lstm = self.lstm.run(&pass.dropout(&words), &packed, pass);
        let hidden = pass.dropout(&lstm.hidden);
        // Without cells all attention is on the sentinel.
        let context = pass.linear(&self.query, &hidden).chunk(3, -1).swap_remove(2);
        let scores = self.scores(&hidden, &context, pass);
        let (total, cross_entropy) = cross_entropy(scores, &packed.targets, pass);
        let before_cuts = move || lstm.backward();
        Some(Loss { total, cross_entropy, before_cuts: Some(Box::new(before_cuts)) })
    }

    fn start(&self, grids: &Tensor) -> DecoderState {
        let cells = self.cells(grids, &mut ForwardPass::plain());
        let mean = self.mean.forward(&cells.mean_dim(1, true, None));
        let state =
            mean.new_zeros([mean.size()[0], 1, self.config.hidden], (Kind::Float, mean.device()));
        DecoderState {
            cells: vec![mean, self.key.forward(&cells), self.value.forward(&cells)],
            states: vec![state.shallow_clone(), state],
        }
    }

    fn step(&self, words: &Tensor, state: &DecoderState) -> StepOutput {
        let ([mean, keys, values], [hidden, memory]) = (parts(&state.cells), parts(&state.states));
        let input = self.embed(words) + mean;
        let Lstm { on_input, on_state, .. } = &self.lstm;
        let gates = input.matmul(&on_input.tr()) + hidden.matmul(&on_state.tr());
        let gates = (gates + self.lstm.bias()).chunk(4, -1);
        let memory = gates[1].sigmoid() * memory + gates[0].sigmoid() * gates[2].tanh();
        let hidden = gates[3].sigmoid() * memory.tanh();
        let (context, attention) = self.attend(&self.query.forward(&hidden), keys, values);
        let on_cells = attention.mean_dim(1, false, None).narrow(-1, 0, keys.size()[1]);
        let scores = self.scores(&hidden, &context, &mut ForwardPass::plain());
        StepOutput {
            log_probabilities: scores.log_probabilities(),
            attention: &on_cells / on_cells.sum_dim_intlist(-1, true, None),
            states: vec![hidden, memory],
        }
    }
}

fn parts<const N: usize>(tensors: &[Tensor]) -> [&Tensor; N] {
    std::array::from_fn(|at| &tensors[at])
}

#[cfg(test)]
mod tests {
    use common::View;
    use tch::Device;

    use super::*;
    use crate::checkpoint::sorted_weights;
    use crate::dataset::TrainingImage;
    use crate::recipes::build;
    use crate::settings::Recipe;

    fn image(captions: &[&[u32]]) -> TrainingImage {
        let captions = captions.iter().map(|words| Caption::written(words.to_vec())).collect();
        TrainingImage { set: 0, row: 0, view: View::Original, captions }
    }

    #[test]
    fn both_backends_have_the_same_losses_and_gradients() {
        let sizes = NetworkConfig::new(Recipe::Adaptive, 4, 12);
        let sizes = NetworkConfig { annotation: 6, attention: 8, embedding: 5, hidden: 7, ..sizes };
        let (weights, network) = build(Recipe::Adaptive, sizes, 1, Device::Cpu);
        let images = [image(&[&[5, 6, 7], &[8]]), image(&[&[9, 10]])];
        let grids = Tensor::arange(24, (Kind::Float, Device::Cpu)).sin().view([2, 3, 4]);
        let batch = Batch { images: images.iter().collect(), grids };
        let [host, library] = [Backend::Host, Backend::Accelerator].map(|backend| {
            let mut pass = ForwardPass::plain().with_backend(backend);
            let with_images = network.loss(&batch, &mut pass);
            let without = network.text_loss(&images[0].captions, &mut pass).unwrap();
            let mut found = vec![with_images.total.detach(), without.total.detach()];
            with_images.backward();
            without.backward();
            for (_, mut weight) in sorted_weights(&weights) {
                found.push(weight.grad().copy());
                weight.zero_grad();
            }
            found
        });
        for (host, library) in host.iter().zip(&library) {
            assert!((host - library).abs().max().double_value(&[]) < 1e-5);
            assert!(host.abs().max().double_value(&[]) > 1e-5);
        }
    }
}
