//! A trained network as a decoder for beam search.

use models::Decoder;
use models::search::{Expansion, Step};
use tch::{Device, Kind, TchError, Tensor, no_grad};

use crate::recipes::{Held, Network};

/// A network that searches on libtorch.
#[derive(Debug)]
pub struct TorchDecoder<'a> {
    network: &'a dyn Network,
    /// Channels of a cell.
    channels: i64,
    device: Device,
    held: Option<Held>,
}

impl<'a> TorchDecoder<'a> {
    /// A decoder over the network's weights, which lie on `device`.
    #[must_use]
    pub fn new(network: &'a dyn Network, channels: i64, device: Device) -> Self {
        Self { network, channels, device, held: None }
    }

    fn indices(&self, values: impl Iterator<Item = i64>) -> Tensor {
        Tensor::from_slice(&values.collect::<Vec<_>>()).to_device(self.device)
    }
}

impl Decoder for TorchDecoder<'_> {
    type Error = TchError;

    fn start(&mut self, grids: &[f32], images: usize) -> Result<(), TchError> {
        let grids = Tensor::from_slice(grids).view([images as i64, -1, self.channels]);
        self.held = Some(no_grad(|| self.network.start(&grids.to_device(self.device))));
        Ok(())
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step, TchError> {
        let held = self
            .held
            .take()
            .ok_or_else(|| TchError::Shape("a step before the start".to_owned()))?;
        let images = expansion.images.len() as i64;
        no_grad(|| {
            let kept = self.indices(expansion.images.iter().map(|&image| image as i64));
            let parents = self.indices(expansion.parents.iter().map(|&row| row as i64));
            let words = self.indices(expansion.words.iter().map(|&word| i64::from(word)));
            let beams = |state: &Tensor| {
                let width = state.size()[2];
                state.flatten(0, 1).index_select(0, &parents).view([images, -1, width])
            };
            let mut held = Held {
                cells: held.cells.iter().map(|cells| cells.index_select(0, &kept)).collect(),
                states: held.states.iter().map(beams).collect(),
            };
            let stepped = self.network.step(&words.view([images, -1]), &held);
            held.states = stepped.states;
            self.held = Some(held);
            Ok(Step {
                log_probabilities: flat(&stepped.log_probabilities)?,
                attention: flat(&stepped.attention)?,
            })
        })
    }
}

/// The values of a tensor in order.
pub(crate) fn flat(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    tensor.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1).try_into()
}
