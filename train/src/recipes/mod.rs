//! The networks that can be trained, one file each.

mod adaptive;
mod graph;
mod graph_cut;
mod grouped;
mod library_lstm;
mod loss;
mod packed;
mod pass;
mod precision;
mod recurrence;
mod show_attend_tell;
mod state;
mod step_product;
mod targets;

use std::fmt::Debug;

use onnx::Graph;
use tch::nn::{self, Path, VarStore};
use tch::{Device, Tensor};

pub use self::loss::Loss;
pub(crate) use self::pass::BatchShare;
pub use self::pass::ForwardPass;
pub use self::state::{DecoderState, StepOutput};
use crate::batch::Batch;
use crate::dataset::Caption;
use crate::settings::{NetworkConfig, Recipe};
use crate::{Result, random};

/// A network that can be trained, searched and exported. Shapes: N images, B captions of each, C channels, V words.
pub trait Network: Debug + Graphs + Send {
    /// The loss of the teacher-forced network on a batch.
    fn loss(&self, batch: &Batch, pass: &mut ForwardPass) -> Loss<'_>;

    /// The loss of the teacher-forced network on captions without images; none if it needs an image for each.
    fn text_loss(&self, _captions: &[Caption], _pass: &mut ForwardPass) -> Option<Loss<'_>> {
        None
    }

    /// Begins with grids `[N, cells, C]`: one caption per image.
    fn start(&self, grids: &Tensor) -> DecoderState;

    /// Takes one step for words `[N, B]`.
    fn step(&self, words: &Tensor, state: &DecoderState) -> StepOutput;
}

/// A network as ONNX graphs.
pub trait Graphs {
    /// [`Network::start`] as an ONNX graph for grids of `cells` cells; `models::decoder` names the values.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) if a weight cannot be read.
    fn start_graph(&self, cells: usize) -> Result<Graph>;

    /// [`Network::step`] as an ONNX graph.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) if a weight cannot be read.
    fn step_graph(&self, cells: usize) -> Result<Graph>;
}

/// Builds a network with fresh weights, which follow from `seed`.
pub(crate) fn build(
    recipe: Recipe,
    config: NetworkConfig,
    seed: u64,
    device: Device,
) -> (VarStore, Box<dyn Network>) {
    let weights = VarStore::new(device);
    let path = &weights.root();
    let network = random::draw(seed, || -> Box<dyn Network> {
        match recipe {
            Recipe::Adaptive => Box::new(adaptive::Adaptive::new(path, config)),
            Recipe::ShowAttendTell => Box::new(show_attend_tell::ShowAttendTell::new(path, config)),
        }
    });
    (weights, network)
}

/// A linear layer with fresh weights.
fn linear(path: &Path, name: &str, inputs: i64, outputs: i64) -> nn::Linear {
    nn::linear(path / name, inputs, outputs, nn::LinearConfig::default())
}

/// A linear layer without bias, with fresh weights.
fn linear_without_bias(path: &Path, name: &str, inputs: i64, outputs: i64) -> nn::Linear {
    let config = nn::LinearConfig { bias: false, ..nn::LinearConfig::default() };
    nn::linear(path / name, inputs, outputs, config)
}
