//! The data of a training.

use data::Vocabulary;
use features::FeatureStore;

use crate::dataset::{ScoredImage, TrainingImage};

/// The data of a training.
#[derive(Debug)]
pub struct TrainingData {
    /// The grids.
    pub store: FeatureStore,
    /// The vocabulary.
    pub vocabulary: Vocabulary,
    /// The training images.
    pub training: Vec<TrainingImage>,
    /// The dev images, whose captions choose the best checkpoint.
    pub dev: Vec<ScoredImage>,
    /// The dev images with captions for the dev loss, which shows overfitting.
    pub dev_captions: Vec<TrainingImage>,
}
