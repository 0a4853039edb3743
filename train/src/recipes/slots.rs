//! Captions step by step, those of an image beside each other: for a recurrence that attends at
//! every step, so that an image's cells serve all its captions without a copy.

use data::vocabulary::PAD;
use tch::{Device, Tensor};

use crate::batch::word_before;
use crate::dataset::TrainingImage;

/// Captions of images that are ordered by falling length of their longest caption. `slots` is the
/// largest number of captions of one image.
#[derive(Debug)]
pub(super) struct Slots {
    /// Images × slots × steps: start, then the caption, then padding.
    pub(super) words: Tensor,
    /// For each step, how many images still have a word to predict.
    pub(super) active: Vec<i64>,
    /// Predicted words among the rows of all steps, one step after the other.
    in_steps: Tensor,
    /// Predicted words in `words`, flattened.
    pub(super) in_words: Tensor,
    /// Which caption each predicted word belongs to.
    pub(super) caption: Tensor,
    /// The words to predict.
    pub(super) targets: Tensor,
    /// How much each of them counts.
    pub(super) weights: Tensor,
    pub(super) captions: i64,
}

impl Slots {
    pub(super) fn new(images: &[&TrainingImage], device: Device) -> Self {
        let slots = images.iter().map(|image| image.captions.len()).max().unwrap_or(0);
        let steps = images.first().map_or(0, |image| image.longest());
        let active = (0..steps)
            .map(|step| images.iter().take_while(|image| image.longest() > step).count() as i64)
            .collect::<Vec<_>>();

        let mut words = vec![i64::from(PAD); images.len() * slots * steps];
        let (mut in_steps, mut in_words, mut caption) = (vec![], vec![], vec![]);
        let (mut targets, mut weights) = (vec![], vec![]);
        let mut step_start = 0;
        for (step, &active) in active.iter().enumerate() {
            for (at, image) in images.iter().take(active as usize).enumerate() {
                for (slot, spoken) in image.captions.iter().enumerate() {
                    let Some(&word) = spoken.words.get(step) else { continue };
                    let row = at * slots + slot;
                    words[row * steps + step] = i64::from(word_before(&spoken.words, step));
                    in_steps.push(step_start + row as i64);
                    in_words.push((row * steps + step) as i64);
                    targets.push(i64::from(word));
                    weights.push(spoken.weight);
                    caption.push(row as i64);
                }
            }
            step_start += active * slots as i64;
        }
        let shape = [images.len() as i64, slots as i64, steps as i64];
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        Self {
            words: tensor(&words).view(shape),
            active,
            in_steps: tensor(&in_steps),
            in_words: tensor(&in_words),
            caption: tensor(&caption),
            targets: tensor(&targets),
            weights: Tensor::from_slice(&weights).to_device(device),
            captions: images.iter().map(|image| image.captions.len() as i64).sum(),
        }
    }

    /// Images and slots.
    pub(super) fn rows(&self) -> [i64; 2] {
        [self.words.size()[0], self.words.size()[1]]
    }

    /// Of the rows of all steps, those at which a word is predicted.
    pub(super) fn predicted(&self, steps: &[Tensor]) -> Tensor {
        let rows = steps.iter().map(|step| step.flatten(0, 1)).collect::<Vec<_>>();
        Tensor::cat(&rows, 0).index_select(0, &self.in_steps)
    }
}
