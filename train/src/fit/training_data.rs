//! The data of a training.

use data::Vocabulary;
use rand::Rng;
use rand::seq::SliceRandom as _;

use crate::consensus::ConsensusWeights;
use crate::dataset::{ScoredImage, TrainingImage};
use crate::grids::Grids;
use crate::text::TextCaptions;

/// The data of a training, of one data set or several.
#[derive(Debug)]
pub struct TrainingData {
    /// The grids of each set.
    pub grids: Grids,
    /// The vocabulary over all sets.
    pub vocabulary: Vocabulary,
    /// The training images of all sets.
    pub training: Vec<TrainingImage>,
    /// The weights of their captions, unless all are equal.
    pub consensus: Option<ConsensusWeights>,
    /// The weight of each set: how often an epoch shows each of its training images, and how much its dev scores count.
    pub weights: Vec<f64>,
    /// The dev images of each set.
    pub dev: Vec<DevImages>,
    /// Captions without photos.
    pub text: Option<TextCaptions>,
}

/// The dev images of a data set.
#[derive(Debug, Default)]
pub struct DevImages {
    /// The images whose generated captions choose the best checkpoint.
    pub images: Vec<ScoredImage>,
    /// The same images with their captions for the dev loss, which shows overfitting.
    pub captions: Vec<TrainingImage>,
}

impl TrainingData {
    /// The number of images that an epoch shows.
    pub(super) fn images_per_epoch(&self) -> usize {
        let numbers = self.by_set().map(|(weight, images)| Share::new(weight, images.len()));
        numbers.map(Share::images).sum()
    }

    /// The images that an epoch shows, set by set. Of a set whose weight is not a whole number other images are shown once
    /// more in each epoch.
    pub(super) fn draw_epoch(&self, random: &mut impl Rng) -> Vec<&TrainingImage> {
        let mut drawn = Vec::with_capacity(self.images_per_epoch());
        for (weight, mut images) in self.by_set() {
            let share = Share::new(weight, images.len());
            for _ in 0..share.times {
                drawn.extend_from_slice(&images);
            }
            if share.rest > 0 {
                drawn.extend_from_slice(images.partial_shuffle(random, share.rest).0);
            }
        }
        drawn
    }

    /// The weight and the training images of each set.
    fn by_set(&self) -> impl Iterator<Item = (f64, Vec<&TrainingImage>)> {
        self.weights.iter().enumerate().map(|(set, &weight)| {
            (weight, self.training.iter().filter(|image| image.set == set).collect())
        })
    }
}

/// The part of a set that an epoch shows.
#[derive(Debug, Clone, Copy)]
struct Share {
    all: usize,
    /// Times that each image is shown.
    times: usize,
    /// Number of images that are shown once more.
    rest: usize,
}

impl Share {
    fn new(weight: f64, all: usize) -> Self {
        let (times, rest) = (weight.trunc(), weight.fract() * all as f64);
        Self { all, times: times as usize, rest: rest.round() as usize }
    }

    fn images(self) -> usize {
        self.all * self.times + self.rest
    }
}
