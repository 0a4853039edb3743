//! Training batches: images with all their captions, so that a grid is projected once for all of
//! them, and the loss of the teacher-forced network over them.

use data::vocabulary::{END, PAD, START, WordId};
use features::{Dtype, FeatureStore, ORIGINAL};
use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::dataset::TrainingImage;
use crate::network::ShowAttendTell;

/// A batch on the device. Images are ordered by falling length of their longest caption; `slots` is
/// the largest number of captions of one image.
#[derive(Debug)]
pub struct Batch {
    /// Images × cells × channels.
    grids: Tensor,
    /// Images × slots × steps: start, then the caption, then padding.
    words: Tensor,
    /// For each step, how many images still have a word to predict.
    active: Vec<i64>,
    /// The predicted positions in three numberings; one entry a predicted word.
    positions: Positions,
    /// The words to predict.
    targets: Tensor,
    captions: i64,
}

/// Where a predicted word lies.
#[derive(Debug)]
struct Positions {
    /// Among the rows of all steps, one step after the other.
    in_steps: Tensor,
    /// In `words`, flattened.
    in_words: Tensor,
    /// Which caption it belongs to.
    caption: Tensor,
}

/// What a batch says about the network.
#[derive(Debug)]
pub struct Loss {
    /// What is minimised: cross-entropy plus the doubly stochastic term.
    pub total: Tensor,
    /// The mean negative log-likelihood of a word.
    pub cross_entropy: f64,
}

impl Batch {
    /// Puts images and their grids together on `device`.
    pub fn new(images: &[&TrainingImage], store: &FeatureStore, device: Device) -> Result<Self> {
        let mut images = images.to_vec();
        images.sort_by_key(|image| std::cmp::Reverse(image.longest()));
        let slots = images.iter().map(|image| image.captions.len()).max().unwrap_or(0);
        // The end is predicted as well.
        let steps = images.first().map_or(0, |image| image.longest() + 1);
        let active = (0..steps)
            .map(|step| images.iter().take_while(|image| image.longest() >= step).count() as i64)
            .collect::<Vec<_>>();

        let mut words = vec![i64::from(PAD); images.len() * slots * steps];
        let (mut in_steps, mut in_words, mut caption, mut targets) =
            (vec![], vec![], vec![], vec![]);
        let mut captions = 0;
        let mut step_start = 0;
        for (step, &active) in active.iter().enumerate() {
            for (at, image) in images.iter().take(active as usize).enumerate() {
                for (slot, spoken) in image.captions.iter().enumerate() {
                    if step > spoken.len() {
                        continue;
                    }
                    let row = at * slots + slot;
                    words[row * steps + step] = i64::from(word_before(spoken, step));
                    in_steps.push(step_start + row as i64);
                    in_words.push((row * steps + step) as i64);
                    targets.push(i64::from(spoken.get(step).copied().unwrap_or(END)));
                    if step == 0 {
                        captions += 1;
                    }
                    caption.push(row as i64);
                }
            }
            step_start += active * slots as i64;
        }
        let shape = [images.len() as i64, slots as i64, steps as i64];
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        Ok(Self {
            grids: grids(images.iter().map(|image| image.row), store, device)?,
            words: tensor(&words).view(shape),
            active,
            positions: Positions {
                in_steps: tensor(&in_steps),
                in_words: tensor(&in_words),
                caption: tensor(&caption),
            },
            targets: tensor(&targets),
            captions,
        })
    }

    /// The number of captions.
    #[must_use]
    pub fn captions(&self) -> i64 {
        self.captions
    }

    /// The loss of the teacher-forced network on this batch; `dropout` is the share of word
    /// embeddings and deep outputs set to zero, `doubly_stochastic` the weight λ of the term that
    /// asks every cell to be looked at (arXiv 1502.03044, section 4.2.1).
    #[must_use]
    pub fn loss(&self, network: &ShowAttendTell, dropout: f64, doubly_stochastic: f64) -> Loss {
        let cells = network.cells(&self.grids);
        let embedded = network.embed(&self.words).dropout(dropout, true);
        let word_gates = network.word_gates(&embedded);
        let slots = self.words.size()[1];
        let mut state = network.initial_state(&cells);
        state.hidden = state.hidden.repeat([1, slots, 1]);
        state.memory = state.memory.repeat([1, slots, 1]);

        let (mut hiddens, mut contexts, mut attentions) = (vec![], vec![], vec![]);
        for (step, &active) in (0..).zip(&self.active) {
            let cells = cells.first(active);
            state.hidden = state.hidden.narrow(0, 0, active);
            state.memory = state.memory.narrow(0, 0, active);
            let gates = word_gates.select(2, step).narrow(0, 0, active);
            let (context, attention) = network.attend(&cells, &state.hidden);
            state = network.recur(&gates, &context, &state);
            hiddens.push(state.hidden.shallow_clone());
            contexts.push(context);
            attentions.push(attention);
        }
        let hidden = self.predicted(&hiddens);
        let context = self.predicted(&contexts);
        let embedded = embedded.flatten(0, 2).index_select(0, &self.positions.in_words);
        let deep = network.deep_output(&embedded, &hidden, &context).dropout(dropout, true);
        let cross_entropy = network.log_probabilities(&deep).nll_loss(&self.targets);
        let total = &cross_entropy
            + self.looked_away(&self.predicted(&attentions), slots) * doubly_stochastic;
        Loss { total, cross_entropy: cross_entropy.double_value(&[]) }
    }

    /// Of the rows of all steps, those at which a word is predicted.
    fn predicted(&self, steps: &[Tensor]) -> Tensor {
        let rows = steps.iter().map(|step| step.flatten(0, 1)).collect::<Vec<_>>();
        Tensor::cat(&rows, 0).index_select(0, &self.positions.in_steps)
    }

    /// The mean over captions and cells of `(1 − Σ_t α)²`.
    fn looked_away(&self, attention: &Tensor, slots: i64) -> Tensor {
        let cells = attention.size()[1];
        let rows = self.words.size()[0] * slots;
        let sums = Tensor::zeros([rows, cells], (Kind::Float, attention.device()));
        let sums = sums.index_add(0, &self.positions.caption, attention);
        // Slots without a caption add a constant of one each, which is taken off again.
        let empty = (rows - self.captions) * cells;
        ((sums - 1.0).square().sum(Kind::Float) - empty as f64) / (self.captions * cells) as f64
    }
}

fn word_before(caption: &[WordId], step: usize) -> WordId {
    step.checked_sub(1).map_or(START, |before| caption[before])
}

/// The grids of rows as one tensor of 32-bit floats, rows × cells × channels.
pub fn grids(
    rows: impl Iterator<Item = usize>,
    store: &FeatureStore,
    device: Device,
) -> Result<Tensor> {
    let shape = store.grid_shape();
    let view = store.view(ORIGINAL)?;
    let mut bytes = Vec::new();
    let mut count = 0;
    for row in rows {
        bytes.extend_from_slice(store.grid(row, view)?);
        count += 1;
    }
    let size = [count, shape.cells() as i64, shape.channels as i64];
    let kind = match store.provenance().dtype {
        Dtype::F16 => Kind::Half,
        Dtype::F32 => Kind::Float,
    };
    let grids = Tensor::f_from_data_size(&bytes, &size, kind)?;
    Ok(grids.to_device(device).to_kind(Kind::Float))
}
