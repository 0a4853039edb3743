//! The exponential moving average (EMA) of the weights: captions are generated with it, training continues without it
//! (Polyak and Juditsky 1992, with exponential decay).

use tch::nn::VarStore;
use tch::{Tensor, no_grad};

use crate::checkpoint::sorted_weights;
use crate::device::Backend;
use crate::fused::move_towards;
use crate::recipes::{self, Network};
use crate::run::RunConfig;
use crate::tensor::groups;
use crate::{Error, Result};

/// A network whose weights are the EMA of another one's.
#[derive(Debug)]
pub(crate) struct Ema {
    decay: f64,
    weights: VarStore,
    /// The weights, [grouped](groups).
    groups: Vec<Tensor>,
    backend: Backend,
    network: Box<dyn Network>,
}

impl Ema {
    /// Begins with the weights of `source`.
    pub(crate) fn new(config: &RunConfig, source: &VarStore, backend: Backend) -> Result<Self> {
        let RunConfig { recipe, network, training, .. } = config;
        let (mut weights, network) =
            recipes::build(*recipe, *network, training.seed, source.device());
        weights.copy(source)?;
        weights.freeze();
        let tensors = sorted_weights(&weights).into_iter().map(|(_, weight)| weight);
        let groups = groups(&tensors.collect::<Vec<_>>(), backend);
        Ok(Self { decay: training.averaging, weights, groups, backend, network })
    }

    /// Begins again with the weights of `source`.
    pub(crate) fn copy(&mut self, source: &VarStore) -> Result<()> {
        self.weights.copy(source).map_err(Error::from)
    }

    /// Updates the average with the grouped weights after a step. The decay rises to its value in the first steps, as in
    /// TensorFlow's `ExponentialMovingAverage` with `num_updates`.
    pub(crate) fn update<'a>(&mut self, source: impl Iterator<Item = &'a Tensor>, steps: i32) {
        let steps = f64::from(steps);
        let share = 1.0 - self.decay.min((1.0 + steps) / (10.0 + steps));
        for (mean, weight) in self.groups.iter_mut().zip(source) {
            match self.backend {
                Backend::Host => move_towards(mean, weight, share as f32),
                Backend::Accelerator => no_grad(|| {
                    let _ = mean.lerp_(weight, share);
                }),
            }
        }
    }

    /// The averaged weights.
    pub(crate) fn weights(&self) -> &VarStore {
        &self.weights
    }

    /// The network with the averaged weights.
    pub(crate) fn network(&self) -> &dyn Network {
        &*self.network
    }

    /// The averages by name in a checkpoint.
    pub(crate) fn state(&self) -> impl Iterator<Item = (String, Tensor)> + use<> {
        let weights = sorted_weights(&self.weights).into_iter();
        weights.map(|(name, mean)| (checkpoint_name(&name), mean))
    }

    /// Restores saved averages: `find` reads one by its name in a checkpoint.
    pub(crate) fn restore<E>(
        &mut self,
        mut find: impl FnMut(&str, &mut Tensor) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut weights = sorted_weights(&self.weights).into_iter();
        weights.try_for_each(|(name, mut mean)| find(&checkpoint_name(&name), &mut mean))
    }
}

/// The name of an average in a checkpoint.
fn checkpoint_name(name: &str) -> String {
    format!("average.{name}")
}
