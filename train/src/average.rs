//! A running mean of the weights: captions are generated with it, training goes on without it
//! (Polyak and Juditsky 1992, with exponential decay).

use tch::nn::VarStore;
use tch::{Tensor, no_grad};

use crate::checkpoint::sorted_weights;
use crate::recipes::{self, Network};
use crate::run::RunConfig;
use crate::{Error, Result};

/// A network with averaged weights.
#[derive(Debug)]
pub(crate) struct Average {
    decay: f64,
    weights: VarStore,
    network: Box<dyn Network>,
}

impl Average {
    /// Begins with the weights as they are.
    pub(crate) fn new(decay: f64, config: &RunConfig, source: &VarStore) -> Result<Self> {
        let mut weights = VarStore::new(source.device());
        let network =
            recipes::build(config.recipe, &weights.root(), config.network, config.training.seed);
        weights.copy(source)?;
        weights.freeze();
        Ok(Self { decay, weights, network })
    }

    /// Forgets the mean so far for the weights as they are.
    pub(crate) fn copy(&mut self, source: &VarStore) -> Result<()> {
        self.weights.copy(source).map_err(Error::from)
    }

    /// Takes in the weights after a step. The first steps count more than the decay alone would let them.
    pub(crate) fn update(&mut self, source: &VarStore, steps: i32) {
        let steps = f64::from(steps);
        let decay = self.decay.min((1.0 + steps) / (10.0 + steps));
        no_grad(|| {
            for ((_, mut mean), (_, weight)) in
                sorted_weights(&self.weights).into_iter().zip(sorted_weights(source))
            {
                let _ = mean.lerp_(&weight, 1.0 - decay);
            }
        });
    }

    /// The averaged weights.
    pub(crate) fn weights(&self) -> &VarStore {
        &self.weights
    }

    /// The network that has them.
    pub(crate) fn network(&self) -> &dyn Network {
        &*self.network
    }

    /// The means by name, to be saved.
    pub(crate) fn state(&self) -> impl Iterator<Item = (String, Tensor)> + use<> {
        let weights = sorted_weights(&self.weights).into_iter();
        weights.map(|(name, mean)| (saved_as(&name), mean))
    }

    /// Takes over saved means, which `find` gives by name.
    pub(crate) fn restore<E>(
        &mut self,
        mut find: impl FnMut(&str, &mut Tensor) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut weights = sorted_weights(&self.weights).into_iter();
        weights.try_for_each(|(name, mut mean)| find(&saved_as(&name), &mut mean))
    }
}

fn saved_as(name: &str) -> String {
    format!("average.{name}")
}
