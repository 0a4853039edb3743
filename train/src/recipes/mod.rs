//! The networks that can be trained, one file each.

mod adaptive;
mod cut;
mod packed;
mod pass;
mod recurrence;
mod show_attend_tell;
mod slots;
mod step_product;

use std::fmt::{self, Debug, Display};
use std::sync::{Mutex, PoisonError};

use onnx::Graph;
use serde::{Deserialize, Serialize};
use tch::nn::{self, Path};
use tch::{Kind, Tensor};

pub use self::pass::{Pass, Precision};
use crate::Result;
use crate::batch::Batch;

/// Which network, with everything that follows from it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// The context feeds the output alone, and attention looks with several heads.
    Adaptive,
    /// Show, Attend and Tell with soft attention, as it was published.
    ShowAttendTell,
}

impl Display for Recipe {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(match self {
            Self::Adaptive => "adaptive",
            Self::ShowAttendTell => "show-attend-tell",
        })
    }
}

/// The sizes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Channels of a cell as the encoder gives it.
    pub channels: i64,
    /// Words of the vocabulary.
    pub vocabulary: i64,
    /// Channels of a cell as the network sees it.
    pub annotation: i64,
    /// Width of the attention, all heads together.
    pub attention: i64,
    /// Heads of the attention; only `adaptive` has more than one.
    pub heads: i64,
    /// Width of a word.
    pub embedding: i64,
    /// Width of the LSTM's state.
    pub hidden: i64,
}

/// What makes training harder, so that the network does not learn by heart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Regularization {
    /// Share of the values of embedded words, cells and outputs set to zero.
    pub dropout: f64,
    /// Share of an image's cells that are not shown; only `adaptive` hides any.
    pub cell_dropout: f64,
    /// Share of the encoder's channels set to zero in all cells of an image; only in `adaptive`.
    pub channel_dropout: f64,
    /// Share of the words that are shown as unknown.
    pub word_dropout: f64,
    /// Share of the probability that is asked to be spread over all words.
    pub label_smoothing: f64,
    /// Weight λ of the term that asks every cell to be looked at (arXiv 1502.03044, section 4.2.1).
    pub doubly_stochastic: f64,
}

impl Regularization {
    /// None at all: the loss as it is measured.
    pub const NONE: Self = Self {
        dropout: 0.0,
        cell_dropout: 0.0,
        channel_dropout: 0.0,
        word_dropout: 0.0,
        label_smoothing: 0.0,
        doubly_stochastic: 0.0,
    };
}

/// What a batch says about the network.
pub struct Loss<'a> {
    /// What is minimised.
    pub total: Tensor,
    /// The mean negative log-likelihood of a word.
    pub cross_entropy: f64,
    /// The way back behind values at which the graph was cut.
    earlier: Option<Box<dyn FnOnce() + 'a>>,
}

impl Loss<'_> {
    /// Adds the gradients of the total to those of the weights.
    pub fn backward(self) {
        self.total.backward();
        if let Some(earlier) = self.earlier {
            earlier();
        }
    }
}

/// What a search holds of images between words.
#[derive(Debug)]
pub struct Held {
    /// Constant over the words: images × any × any.
    pub cells: Vec<Tensor>,
    /// The state of each caption: images × beam × any.
    pub states: Vec<Tensor>,
}

impl Held {
    /// What is held of some of the images.
    pub(crate) fn of_images(&self, images: &[usize]) -> Self {
        let images = images.iter().map(|&image| image as i64).collect::<Vec<_>>();
        let images = Tensor::from_slice(&images);
        let chosen = |tensors: &[Tensor]| {
            let chosen =
                |tensor: &Tensor| tensor.index_select(0, &images.to_device(tensor.device()));
            tensors.iter().map(chosen).collect()
        };
        Self { cells: chosen(&self.cells), states: chosen(&self.states) }
    }
}

/// One word further.
#[derive(Debug)]
pub struct Stepped {
    /// Images × beam × vocabulary.
    pub log_probabilities: Tensor,
    /// Images × beam × cells; each row sums to one.
    pub attention: Tensor,
    /// The next states, in the order of [`Held::states`].
    pub states: Vec<Tensor>,
}

/// A network that can be trained, searched and exported.
pub trait Network: Debug {
    /// The loss of the teacher-forced network on a batch.
    fn loss(&self, batch: &Batch, pass: &mut Pass) -> Loss<'_>;

    /// Begins with grids, images × cells × channels: one caption an image.
    fn start(&self, grids: &Tensor) -> Held;

    /// Takes one step for words, images × beam.
    fn step(&self, words: &Tensor, held: &Held) -> Stepped;

    /// [`start`](Self::start) as an ONNX graph; `models::decoder` names the values.
    fn start_graph(&self, cells: usize) -> Result<Graph>;

    /// [`step`](Self::step) as an ONNX graph.
    fn step_graph(&self, cells: usize) -> Result<Graph>;
}

/// libtorch has one generator of random weights for the whole program.
static GENERATOR: Mutex<()> = Mutex::new(());

/// A network below `path` with fresh weights, which follow from `seed`.
#[must_use]
pub fn build(recipe: Recipe, path: &Path, config: NetworkConfig, seed: u64) -> Box<dyn Network> {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed as i64);
    match recipe {
        Recipe::Adaptive => Box::new(adaptive::Adaptive::new(path, config)),
        Recipe::ShowAttendTell => Box::new(show_attend_tell::ShowAttendTell::new(path, config)),
    }
}

/// A linear layer with fresh weights.
fn linear(path: &Path, name: &str, from: i64, to: i64, bias: bool) -> nn::Linear {
    nn::linear(path / name, from, to, nn::LinearConfig { bias, ..nn::LinearConfig::default() })
}

/// Of rows of log-probabilities: what is minimised, the mean over the rows of what each row is asked
/// for, times its weight; and the mean negative log-likelihood of `targets`.
fn cross_entropy(
    log_probabilities: Tensor,
    targets: &Tensor,
    weights: &Tensor,
    pass: &Pass,
) -> (Tensor, f64) {
    let log_probabilities = pass.possible(log_probabilities);
    let surprise = -log_probabilities.gather(1, &targets.unsqueeze(1), false).squeeze_dim(1);
    let entropy = surprise.mean(Kind::Float).double_value(&[]);
    let smoothing = pass.regularization().label_smoothing;
    let asked = if smoothing == 0.0 {
        surprise
    } else {
        let spread = -log_probabilities.mean_dim(1, false, None);
        surprise * (1.0 - smoothing) + spread * smoothing
    };
    ((asked * weights).mean(Kind::Float), entropy)
}
