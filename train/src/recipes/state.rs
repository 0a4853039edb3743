//! The state of a search between words. Shapes: N images, B captions of each, V words.

use tch::Tensor;

/// The state of a decoder between words.
#[derive(Debug)]
pub struct DecoderState {
    /// Constant over the words: `[N, any, any]` each.
    pub cells: Vec<Tensor>,
    /// The state of each caption: `[N, B, any]` each.
    pub states: Vec<Tensor>,
}

impl DecoderState {
    /// The state of some of the images.
    pub(crate) fn select_images(&self, images: &[usize]) -> Self {
        let images = images.iter().map(|&image| image as i64).collect::<Vec<_>>();
        let images = Tensor::from_slice(&images);
        let select = |tensors: &[Tensor]| {
            let select =
                |tensor: &Tensor| tensor.index_select(0, &images.to_device(tensor.device()));
            tensors.iter().map(select).collect()
        };
        Self { cells: select(&self.cells), states: select(&self.states) }
    }
}

/// The output of one step.
#[derive(Debug)]
pub struct StepOutput {
    /// `[N, B, V]`.
    pub log_probabilities: Tensor,
    /// `[N, B, cells]`; each row sums to one.
    pub attention: Tensor,
    /// The next states, in the order of [`DecoderState::states`].
    pub states: Vec<Tensor>,
}
