//! Trained networks as a decoder for beam search.

use models::Decoder;
use models::search::{Expansion, Step};
use tch::{Device, TchError, Tensor, no_grad};

use crate::recipes::{DecoderState, Network, StepOutput};
use crate::tensor::flat;

/// Decoder on libtorch: one network, or an ensemble whose word probabilities are averaged.
#[derive(Debug)]
pub struct TorchDecoder<'a> {
    networks: Vec<&'a dyn Network>,
    /// Channels of a cell.
    channels: i64,
    device: Device,
    held: Vec<DecoderState>,
}

impl<'a> TorchDecoder<'a> {
    /// A decoder of networks whose weights are on `device`.
    #[must_use]
    pub fn new(networks: &[&'a dyn Network], channels: i64, device: Device) -> Self {
        Self { networks: networks.to_vec(), channels, device, held: Vec::new() }
    }

    fn indices(&self, values: impl Iterator<Item = i64>) -> Tensor {
        Tensor::from_slice(&values.collect::<Vec<_>>()).to_device(self.device)
    }
}

impl Decoder for TorchDecoder<'_> {
    type Error = TchError;

    fn start(&mut self, grids: &[f32], images: usize) -> Result<(), TchError> {
        let grids = Tensor::from_slice(grids).view([images as i64, -1, self.channels]);
        let grids = grids.to_device(self.device);
        self.held = no_grad(|| self.networks.iter().map(|each| each.start(&grids)).collect());
        Ok(())
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step, TchError> {
        let images = expansion.images.len() as i64;
        no_grad(|| {
            let kept = self.indices(expansion.images.iter().map(|&image| image as i64));
            let parents = self.indices(expansion.parents.iter().map(|&row| row as i64));
            let words = self.indices(expansion.words.iter().map(|&word| i64::from(word)));
            let words = words.view([images, -1]);
            let beams = |state: &Tensor| {
                let width = state.size()[2];
                state.flatten(0, 1).index_select(0, &parents).view([images, -1, width])
            };
            let mut steps = Vec::with_capacity(self.networks.len());
            for (network, held) in self.networks.iter().zip(&mut self.held) {
                *held = DecoderState {
                    cells: held.cells.iter().map(|cells| cells.index_select(0, &kept)).collect(),
                    states: held.states.iter().map(beams).collect(),
                };
                let stepped = network.step(&words, held);
                held.states = stepped.states.iter().map(Tensor::shallow_clone).collect();
                steps.push(stepped);
            }
            let mean = |of: fn(&StepOutput) -> Tensor| {
                Tensor::stack(&steps.iter().map(of).collect::<Vec<_>>(), 0).mean_dim(0, false, None)
            };
            let log_probabilities = match &steps[..] {
                [alone] => alone.log_probabilities.shallow_clone(),
                _ => mean(|stepped| stepped.log_probabilities.exp()).log(),
            };
            Ok(Step {
                log_probabilities: flat(&log_probabilities)?,
                attention: flat(&mean(|stepped| stepped.attention.shallow_clone()))?,
            })
        })
    }
}
