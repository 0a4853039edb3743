//! Trained networks as a decoder for beam search.

use models::Decoder;
use models::search::{Expansion, Step};
use ndarray::{Array2, ArrayView3};
use tch::{Device, TchError, Tensor, no_grad};

use crate::recipes::{DecoderState, Network, StepOutput};
use crate::tensor::{flat, upload, upload_lists};

/// Decoder on libtorch: one network, or an ensemble whose word probabilities are averaged.
#[derive(Debug)]
pub struct TorchDecoder<'a> {
    networks: Vec<&'a dyn Network>,
    device: Device,
    held: Vec<DecoderState>,
}

impl<'a> TorchDecoder<'a> {
    /// A decoder of networks whose weights are on `device`.
    #[must_use]
    pub fn new(networks: &[&'a dyn Network], device: Device) -> Self {
        Self { networks: networks.to_vec(), device, held: Vec::new() }
    }

    /// The indices of images and parents, and the words, of a step.
    fn upload(&self, Expansion { images, parents, words }: Expansion) -> [Tensor; 3] {
        let indices = |values: &[usize]| values.iter().map(|&at| at as i64).collect::<Vec<_>>();
        let words = words.iter().map(|&word| i64::from(word)).collect::<Vec<_>>();
        upload_lists([&indices(images), &indices(parents), &words], self.device)
    }
}

impl Decoder for TorchDecoder<'_> {
    type Error = TchError;

    fn start(&mut self, grids: ArrayView3<f32>) -> Result<(), TchError> {
        let (images, cells, channels) = grids.dim();
        let grids = grids.as_standard_layout();
        let grids = Tensor::from_slice(grids.as_slice().unwrap_or_default()).view([
            images as i64,
            cells as i64,
            channels as i64,
        ]);
        let grids = upload(&grids, self.device);
        self.held = no_grad(|| self.networks.iter().map(|each| each.start(&grids)).collect());
        Ok(())
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step, TchError> {
        let images = expansion.images.len() as i64;
        no_grad(|| {
            let [kept, parents, words] = self.upload(expansion);
            let words = words.view([images, -1]);
            let beams = |state: &Tensor| {
                let width = state.size()[2];
                state.flatten(0, 1).index_select(0, &parents).view([images, -1, width])
            };
            let step = |(network, held): (&&dyn Network, &mut DecoderState)| {
                held.cells.iter_mut().for_each(|cells| *cells = cells.index_select(0, &kept));
                held.states.iter_mut().for_each(|state| *state = beams(state));
                let stepped = network.step(&words, held);
                held.states = stepped.states.iter().map(Tensor::shallow_clone).collect();
                stepped
            };
            mean(&self.networks.iter().zip(&mut self.held).map(step).collect::<Vec<_>>())
        })
    }
}

/// The mean of the probabilities and of the attention of networks.
fn mean(steps: &[StepOutput]) -> Result<Step, TchError> {
    if let [StepOutput { log_probabilities, attention, .. }] = steps {
        return Ok(Step {
            log_probabilities: rows(log_probabilities)?,
            attention: rows(attention)?,
        });
    }
    let mean = |of: fn(&StepOutput) -> Tensor| {
        Tensor::stack(&steps.iter().map(of).collect::<Vec<_>>(), 0).mean_dim(0, false, None)
    };
    Ok(Step {
        log_probabilities: rows(&mean(|stepped| stepped.log_probabilities.exp()).log())?,
        attention: rows(&mean(|stepped| stepped.attention.shallow_clone()))?,
    })
}

/// A tensor `[images, beam, any]` as `[rows, any]`.
fn rows(tensor: &Tensor) -> Result<Array2<f32>, TchError> {
    let width = tensor.size().last().map_or(0, |&side| side as usize);
    let values = flat(tensor)?;
    let rows = values.len() / width.max(1);
    let rows = Array2::from_shape_vec([rows, width], values);
    rows.map_err(|error| TchError::Shape(error.to_string()))
}
