//! The loss of a batch, on each backend.

use tch::{Kind, Tensor};

use super::ShowAttendTell;
use super::recurrence::{Inputs, Outputs, Recurrence};
use crate::batch::Batch;
use crate::recipes::graph_cut::GraphCut;
use crate::recipes::grouped::GroupedCaptions;
use crate::recipes::loss::cross_entropy;
use crate::recipes::packed::PackedCaptions;
use crate::recipes::targets::Targets;
use crate::recipes::{ForwardPass, Loss};

/// What the last layers predict words from.
struct Predictions<'a> {
    /// The embedded words before: `[R, E]`.
    before: Tensor,
    outputs: Outputs,
    targets: &'a Targets,
    captions: CaptionRows<'a>,
}

/// The captions of the predicted words.
struct CaptionRows<'a> {
    /// That of each word, as a number: `[R]`.
    numbers: &'a Tensor,
    /// How many numbers there are; some may belong to no caption.
    slots: i64,
    count: i64,
}

impl ShowAttendTell {
    /// The loss on a processor.
    pub(super) fn packed_loss(&self, batch: &Batch, pass: &mut ForwardPass) -> Loss<'_> {
        let captions = PackedCaptions::new(&batch.captions_by_image(), batch.grids.device());
        let cells = self.cells(&batch.grids, pass);
        let embedded = GraphCut::new(pass.dropout(&self.embed(&captions.words)));
        let words = pass.linear(&self.lstm_word, embedded.leaf());
        let inputs = Inputs { initial: self.initial_state(&cells), cells, words };
        let recurrence = Recurrence::new(self, inputs, &captions, pass.precision());
        let count = captions.images.len() as i64;
        let predictions = Predictions {
            before: embedded.leaf().shallow_clone(),
            outputs: recurrence.outputs().shared(),
            targets: &captions.targets,
            captions: CaptionRows { numbers: &captions.caption, slots: count, count },
        };
        let (total, cross_entropy) = self.predict(predictions, pass);
        let before_cuts = move || {
            recurrence.backward();
            embedded.backward();
        };
        Loss { total, cross_entropy, before_cuts: Some(Box::new(before_cuts)) }
    }

    /// The loss on a GPU.
    pub(super) fn grouped_loss(&self, batch: &Batch, pass: &mut ForwardPass) -> Loss<'_> {
        let captions = GroupedCaptions::new(&batch.images, batch.grids.device());
        let cells = self.cells(&batch.grids, pass);
        let embedded = GraphCut::new(pass.dropout(&self.embed(&captions.words)));
        let words = pass.linear(&self.lstm_word, embedded.leaf());
        let (outputs, recurrence) = self.unroll(&captions, &cells, words, pass);
        let slots = captions.steps.first().map_or(0, |step| step.images * captions.columns);
        let predictions = Predictions {
            before: embedded.leaf().index_select(0, &captions.predicted),
            outputs,
            targets: &captions.targets,
            captions: CaptionRows { numbers: &captions.caption, slots, count: captions.captions },
        };
        let (total, cross_entropy) = self.predict(predictions, pass);
        let before_cuts = move || {
            recurrence();
            embedded.backward();
        };
        Loss { total, cross_entropy, before_cuts: Some(Box::new(before_cuts)) }
    }

    /// The total loss and the cross-entropy of predictions.
    fn predict(&self, predictions: Predictions, pass: &mut ForwardPass) -> (Tensor, Tensor) {
        let Predictions { before, outputs, targets, captions } = predictions;
        let Outputs { hidden, context, attention } = outputs;
        let deep = self.deep_output(&before, &hidden, &context, pass);
        let scores = self.scores(&pass.dropout(&deep), pass);
        let (total, cross_entropy) = cross_entropy(scores, targets, pass);
        let weight = pass.regularization().doubly_stochastic * pass.share().captions;
        (total + uneven_attention(&captions, &attention) * weight, cross_entropy)
    }
}

/// The mean over captions and cells of `(1 − Σ_t α)²`, for the attention `[R, cells]` of predicted words.
fn uneven_attention(captions: &CaptionRows, attention: &Tensor) -> Tensor {
    let CaptionRows { numbers, slots, count } = *captions;
    let cells = attention.size()[1];
    let sums = Tensor::zeros([slots, cells], (Kind::Float, attention.device()));
    let sums = sums.index_add(0, numbers, attention);
    // Numbers without a caption add a constant of one each, which is subtracted.
    let empty = (slots - count) * cells;
    ((sums - 1.0).square().sum(Kind::Float) - empty as f64) / (count * cells) as f64
}

#[cfg(test)]
mod tests {
    use tch::Device;
    use tch::nn::VarStore;

    use super::*;
    use crate::checkpoint::sorted_weights;
    use crate::dataset::{Caption, TrainingImage};
    use crate::device::Backend;
    use crate::recipes::Network as _;
    use crate::settings::{NetworkConfig, Precision, Regularization};

    const SIZES: NetworkConfig = NetworkConfig {
        channels: 6,
        vocabulary: 12,
        annotation: 10,
        attention: 19,
        heads: 1,
        embedding: 8,
        hidden: 14,
    };

    /// Captions of several lengths and numbers.
    fn images() -> Vec<TrainingImage> {
        let lengths: [&[usize]; 3] = [&[6, 3, 3], &[5, 1], &[2]];
        let caption = |length: &usize| Caption::written((4..4 + *length as u32).collect());
        let image = |(row, lengths): (usize, &&[usize])| TrainingImage {
            set: 0,
            row,
            view: common::View::Original,
            captions: lengths.iter().map(caption).collect(),
        };
        lengths.iter().enumerate().map(image).collect()
    }

    /// Both ways of the network have the same losses and gradients.
    #[test]
    fn both_backends_have_the_same_losses_and_gradients() {
        let weights = VarStore::new(Device::Cpu);
        let network = ShowAttendTell::new(&weights.root(), SIZES);
        let images = images();
        let grids = Tensor::rand([3, 5, 6], (Kind::Float, Device::Cpu));
        let batch = Batch { images: images.iter().collect(), grids };
        let regularization = Regularization { doubly_stochastic: 1.0, ..Default::default() };
        let [host, accelerator] = [Backend::Host, Backend::Accelerator].map(|backend| {
            let pass = ForwardPass::new(regularization, Precision::F32, 1, 1);
            let loss = network.loss(&batch, &mut pass.with_backend(backend));
            let mut found = vec![loss.total.detach(), loss.cross_entropy.shallow_clone()];
            loss.backward();
            for (_, mut weight) in sorted_weights(&weights) {
                found.push(weight.grad().copy());
                weight.zero_grad();
            }
            found
        });
        assert!(host.len() > 12);
        for (at, (host, accelerator)) in host.iter().zip(&accelerator).enumerate() {
            let off = (host - accelerator).abs().max().double_value(&[]);
            assert!(off < 1e-5, "{at}: {off}");
            assert!(host.abs().max().double_value(&[]) > 1e-7, "{at}");
        }
    }
}
