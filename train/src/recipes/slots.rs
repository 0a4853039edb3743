//! Captions step by step, those of an image beside each other: for a recurrence that attends at
//! every step, so that an image's cells serve all its captions without a copy.

use std::cmp::Reverse;

use data::vocabulary::PAD;
use tch::{Device, Tensor};

use crate::batch::word_before;
use crate::dataset::TrainingImage;

/// Captions of images that are ordered by falling length of their longest caption. A slot holds one
/// caption of each image, the first slot their longest ones; a step has the images and slots in which
/// some caption still has a word to predict.
#[derive(Debug)]
pub(super) struct Slots {
    /// The most captions of one image.
    pub(super) most: i64,
    /// Images and slots of each step.
    pub(super) steps: Vec<[i64; 2]>,
    /// The word before each predicted one, for all images and slots of all steps, one step after the
    /// other; padding where a caption has ended.
    pub(super) words: Tensor,
    /// Predicted words among `words`.
    pub(super) predicted: Tensor,
    /// Which caption each predicted word belongs to: image × `most` + slot.
    pub(super) caption: Tensor,
    /// The words to predict.
    pub(super) targets: Tensor,
    /// How much each of them counts.
    pub(super) weights: Tensor,
    pub(super) captions: i64,
}

impl Slots {
    pub(super) fn new(images: &[&TrainingImage], device: Device) -> Self {
        let ordered = images.iter().map(|image| {
            let mut captions = image.captions.iter().collect::<Vec<_>>();
            captions.sort_by_key(|caption| Reverse(caption.words.len()));
            captions
        });
        let images = ordered.collect::<Vec<_>>();
        let longest = images.iter().flatten().map(|caption| caption.words.len()).max().unwrap_or(0);
        let most = images.iter().map(Vec::len).max().unwrap_or(0);
        let (mut steps, mut words) = (vec![], vec![]);
        let (mut predicted, mut caption) = (vec![], vec![]);
        let (mut targets, mut weights) = (vec![], vec![]);
        for step in 0..longest {
            let speaking = images.iter().map(|captions| {
                captions.iter().take_while(|caption| caption.words.len() > step).count()
            });
            let speaking = speaking.take_while(|&captions| captions > 0).collect::<Vec<_>>();
            let slots = speaking.iter().copied().max().unwrap_or(0);
            for (at, captions) in images.iter().take(speaking.len()).enumerate() {
                for slot in 0..slots {
                    let Some(spoken) = captions.get(slot).filter(|of| of.words.len() > step) else {
                        words.push(i64::from(PAD));
                        continue;
                    };
                    predicted.push(words.len() as i64);
                    words.push(i64::from(word_before(&spoken.words, step)));
                    targets.push(i64::from(spoken.words[step]));
                    weights.push(spoken.weight);
                    caption.push((at * most + slot) as i64);
                }
            }
            steps.push([speaking.len() as i64, slots as i64]);
        }
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        Self {
            most: most as i64,
            steps,
            words: tensor(&words),
            predicted: tensor(&predicted),
            caption: tensor(&caption),
            targets: tensor(&targets),
            weights: Tensor::from_slice(&weights).to_device(device),
            captions: images.iter().map(|captions| captions.len() as i64).sum(),
        }
    }

    /// Of what each step has for its images and slots, the rows at which a word is predicted.
    pub(super) fn of_predicted(&self, steps: &[Tensor]) -> Tensor {
        let rows = steps.iter().map(|step| step.flatten(0, 1)).collect::<Vec<_>>();
        Tensor::cat(&rows, 0).index_select(0, &self.predicted)
    }
}
