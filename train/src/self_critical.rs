//! Self-critical training (Rennie et al., arXiv 1612.00563): the likelihood of a sampled caption changes with the
//! difference of its CIDEr-D and that of the other samples of its image (Luo, arXiv 2003.09971).

use std::collections::HashMap;

use common::View;
use data::metrics::CaptionReward;
use data::vocabulary::WordId;
use rand::Rng;
use rayon::prelude::*;
use tch::Kind;

use crate::Result;
use crate::batch::Batch;
use crate::dataset::{Caption, TrainingImage, Views};
use crate::device::Backend;
use crate::recipes::Network;
use crate::sample::{SampleSize, sample};

/// Samples captions of training images and rewards them.
#[derive(Debug)]
pub(crate) struct SelfCritical {
    reward: CaptionReward,
    /// The number of an image in `reward`, by its set and row and whether it is mirrored.
    numbers: HashMap<(usize, usize, bool), usize>,
    size: SampleSize,
}

/// The images of a batch, in its order, with captions that were sampled for them.
#[derive(Debug)]
pub(crate) struct Sampled {
    pub(crate) images: Vec<TrainingImage>,
    /// The mean CIDEr-D of the captions.
    pub(crate) reward: f64,
}

impl SelfCritical {
    /// Rewards captions by those of `images` and of their mirrored forms.
    pub(crate) fn new(images: &[TrainingImage], views: &Views, size: SampleSize) -> Self {
        let mirrored = images.iter().filter_map(|image| views.mirror(image));
        let all = images.iter().cloned().chain(mirrored).collect::<Vec<_>>();
        let reward = CaptionReward::new(
            all.iter().map(|image| image.captions.iter().map(|caption| &*caption.words).collect()),
        );
        let numbers = all.iter().enumerate().map(|(at, image)| (key(image), at)).collect();
        Self { reward, numbers, size }
    }

    /// Samples captions for the images of a batch. The weight of each is its reward less the mean reward of the others.
    pub(crate) fn sample(
        &self,
        network: &dyn Network,
        batch: &Batch,
        backend: Backend,
        random: &mut impl Rng,
    ) -> Result<Sampled> {
        let grids = batch.grids.to_kind(Kind::Float);
        let samples = sample(network, &grids, self.size, backend, random)?;
        let pairs = batch.images.par_iter().zip(samples);
        let weighted = pairs.map(|(image, samples)| self.weigh(image, samples));
        let (images, rewards) = weighted.unzip::<_, _, Vec<_>, Vec<f64>>();
        let total = rewards.iter().sum::<f64>();
        let reward = total / (images.len() * self.size.captions).max(1) as f64;
        Ok(Sampled { images, reward })
    }

    /// An image with the captions that were sampled for it, and the sum of their rewards.
    fn weigh(&self, image: &TrainingImage, samples: Vec<Vec<WordId>>) -> (TrainingImage, f64) {
        let number = self.numbers.get(&key(image)).copied();
        let reward = |words: &Vec<_>| number.map_or(0.0, |number| self.reward.score(number, words));
        let rewards = samples.iter().map(reward).collect::<Vec<_>>();
        let sum = rewards.iter().sum::<f64>();
        let others = (rewards.len().max(2) - 1) as f64;
        let captions = samples.into_iter().zip(rewards).map(|(words, reward)| Caption {
            words: words.into(),
            weight: Some((reward - (sum - reward) / others) as f32),
            soft: None,
        });
        (TrainingImage { captions: captions.collect(), ..*image }, sum)
    }
}

/// An image in one of its two forms, which differ in their captions.
fn key(image: &TrainingImage) -> (usize, usize, bool) {
    (image.set, image.row, image.view == View::Flip)
}
