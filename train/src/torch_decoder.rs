//! The trained network as a decoder for beam search.

use models::Decoder;
use models::search::{Expansion, Step};
use tch::{Device, Kind, TchError, Tensor, no_grad};

use crate::network::{Cells, ShowAttendTell, State};

/// A network that searches on libtorch.
#[derive(Debug)]
pub struct TorchDecoder<'a> {
    network: &'a ShowAttendTell,
    device: Device,
    held: Option<(Cells, State)>,
}

impl<'a> TorchDecoder<'a> {
    /// A decoder over the network's weights, which lie on `device`.
    #[must_use]
    pub fn new(network: &'a ShowAttendTell, device: Device) -> Self {
        Self { network, device, held: None }
    }
}

impl Decoder for TorchDecoder<'_> {
    type Error = TchError;

    fn start(&mut self, grids: &[f32], images: usize) -> Result<(), TchError> {
        let channels = self.network.config.channels;
        let grids = Tensor::from_slice(grids).view([images as i64, -1, channels]);
        no_grad(|| {
            let cells = self.network.cells(&grids.to_device(self.device));
            let state = self.network.initial_state(&cells);
            self.held = Some((cells, state));
        });
        Ok(())
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step, TchError> {
        let (cells, state) = self
            .held
            .take()
            .ok_or_else(|| TchError::Shape("a step before the start".to_owned()))?;
        let images = expansion.images.len() as i64;
        no_grad(|| {
            let images_kept = self.indices(expansion.images.iter().map(|&image| image as i64));
            let parents = self.indices(expansion.parents.iter().map(|&row| row as i64));
            let words = self.indices(expansion.words.iter().map(|&word| i64::from(word)));
            let cells = Cells {
                values: cells.values.index_select(0, &images_kept),
                keys: cells.keys.index_select(0, &images_kept),
            };
            let rows = |state: &Tensor| {
                state.flatten(0, 1).index_select(0, &parents).view([
                    images,
                    -1,
                    self.network.config.hidden,
                ])
            };
            let state = State { hidden: rows(&state.hidden), memory: rows(&state.memory) };
            let embedded = self.network.embed(&words.view([images, -1]));
            let (context, attention) = self.network.attend(&cells, &state.hidden);
            let state = self.network.recur(&self.network.word_gates(&embedded), &context, &state);
            let deep = self.network.deep_output(&embedded, &state.hidden, &context);
            let step = Step {
                log_probabilities: flat(&self.network.log_probabilities(&deep))?,
                attention: flat(&attention)?,
            };
            self.held = Some((cells, state));
            Ok(step)
        })
    }
}

impl TorchDecoder<'_> {
    fn indices(&self, values: impl Iterator<Item = i64>) -> Tensor {
        Tensor::from_slice(&values.collect::<Vec<_>>()).to_device(self.device)
    }
}

/// The values of a tensor in order.
pub(crate) fn flat(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    tensor.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1).try_into()
}
