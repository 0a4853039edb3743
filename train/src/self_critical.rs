//! Self-critical training (Rennie et al., arXiv 1612.00563): sampled captions become likelier by how
//! much better they are, in CIDEr-D, than the other samples of their image (Luo, arXiv 2003.09971).

use std::collections::HashMap;
use std::path::PathBuf;

use data::metrics::CaptionReward;
use data::vocabulary::WordId;
use features::FeatureStore;
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::Result;
use crate::batch;
use crate::dataset::{Caption, TrainingImage, Views};
use crate::recipes::Network;
use crate::sample::sample;

/// How a trained network is refined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refinement {
    /// The run whose best network it begins with.
    pub from: PathBuf,
    /// Captions that are drawn for an image.
    pub samples: usize,
}

/// Rewards for the training images.
#[derive(Debug)]
pub(crate) struct SelfCritical {
    reward: CaptionReward,
    /// The number of an image in `reward`, by its row and whether it is mirrored.
    numbers: HashMap<(usize, bool), usize>,
    views: Views,
    samples: usize,
}

/// Images with captions that were drawn for them.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) images: Vec<TrainingImage>,
    /// The mean CIDEr-D of the captions.
    pub(crate) reward: f64,
}

impl SelfCritical {
    /// Rewards by the captions of images, and of their mirrored forms.
    pub(crate) fn new(images: &[TrainingImage], views: &Views, samples: usize) -> Self {
        let mirrored = images.iter().filter_map(|image| views.mirror(image));
        let all = images.iter().cloned().chain(mirrored).collect::<Vec<_>>();
        let reward =
            CaptionReward::new(all.iter().map(|image| {
                image.captions.iter().map(|caption| caption.words.as_slice()).collect()
            }));
        let key = |image: &TrainingImage| (image.row, views.is_mirrored(image.view));
        let numbers = all.iter().enumerate().map(|(at, image)| (key(image), at)).collect();
        Self { reward, numbers, views: views.clone(), samples }
    }

    /// Draws captions of at most `longest` words for images. Each weighs its reward less the mean
    /// reward of the others.
    pub(crate) fn draw(
        &self,
        network: &dyn Network,
        images: &[&TrainingImage],
        store: &FeatureStore,
        longest: usize,
        device: Device,
        random: &mut impl Rng,
    ) -> Result<Drawn> {
        let grids = batch::grids(images, store, device)?.to_kind(Kind::Float);
        let drawn = sample(network, &grids, self.samples, longest, random)?;
        let rewarded = images.par_iter().zip(drawn).map(|(image, drawn)| self.reward(image, drawn));
        let (images, sums) = rewarded.unzip::<_, _, Vec<_>, Vec<f64>>();
        let total = sums.iter().sum::<f64>();
        let reward = total / (images.len() * self.samples).max(1) as f64;
        Ok(Drawn { images, reward })
    }

    /// An image with captions that were drawn for it, and the sum of their rewards.
    fn reward(&self, image: &TrainingImage, drawn: Vec<Vec<WordId>>) -> (TrainingImage, f64) {
        let mirrored = self.views.is_mirrored(image.view);
        let number = self.numbers.get(&(image.row, mirrored)).copied();
        let reward = |words: &Vec<_>| number.map_or(0.0, |number| self.reward.score(number, words));
        let rewards = drawn.iter().map(reward).collect::<Vec<_>>();
        let sum = rewards.iter().sum::<f64>();
        let others = (rewards.len().max(2) - 1) as f64;
        let captions = drawn.into_iter().zip(rewards).map(|(words, reward)| Caption {
            words,
            weight: (reward - (sum - reward) / others) as f32,
        });
        (TrainingImage { captions: captions.collect(), ..*image }, sum)
    }
}
