//! How a network is trained: the settings, and what each recipe takes unless told otherwise.

use features::ORIGINAL;
use serde::{Deserialize, Serialize};

use crate::recipes::{Precision, Recipe, Regularization};

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Everything random follows from it.
    pub seed: u64,
    /// The most epochs.
    pub epochs: usize,
    /// Images in a batch; each comes with all its captions.
    pub batch: usize,
    /// Images that are shuffled together; larger data sets are read in blocks of neighbouring rows.
    #[serde(default = "window")]
    pub window: usize,
    /// The highest learning rate of `AdamW`.
    pub learning_rate: f64,
    /// Steps in which the learning rate rises from nothing.
    pub warm_up: usize,
    /// By what the learning rate is multiplied in each epoch.
    pub decay: f64,
    /// What share of each weight, times the learning rate, is taken off in each step.
    pub weight_decay: f64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// Decay of the running mean of the weights that captions are generated with; 0 is none.
    pub averaging: f64,
    /// How much the captions of an image are weighed by their consensus, from 0 (not) to 1.
    #[serde(default)]
    pub consensus: f64,
    /// The views of the store; in each epoch an image is shown in one of them.
    pub views: Vec<String>,
    /// Words that are wrong in a mirrored image: its captions that hold one of them are not shown with it. English
    /// unless a file of settings says otherwise.
    #[serde(default = "side_words")]
    pub side_words: Vec<String>,
    /// Epochs without a better one before training stops: with a higher dev CIDEr, or the same and a lower dev loss.
    pub patience: usize,
    /// The numbers that matrices are multiplied in.
    pub precision: Precision,
    /// What keeps the network from learning by heart.
    pub regularization: Regularization,
}

impl Training {
    /// What a recipe is trained with, unless something else is asked for, on a store with the given
    /// views.
    #[must_use]
    pub fn of(recipe: Recipe, seed: u64, views: &[String]) -> Self {
        let plain = Self {
            seed,
            epochs: 20,
            batch: 16,
            window: window(),
            learning_rate: 5e-4,
            warm_up: 0,
            decay: 1.0,
            weight_decay: 0.0,
            clip: 5.0,
            averaging: 0.0,
            consensus: 0.0,
            views: vec![ORIGINAL.to_owned()],
            side_words: side_words(),
            patience: 4,
            precision: Precision::of_this_machine(),
            regularization: Regularization {
                dropout: 0.5,
                doubly_stochastic: 1.0,
                ..Regularization::NONE
            },
        };
        match recipe {
            Recipe::ShowAttendTell => plain,
            Recipe::Adaptive => Self {
                epochs: 20,
                batch: 8,
                learning_rate: 8e-4,
                warm_up: 200,
                decay: 0.87,
                weight_decay: 0.05,
                averaging: 0.9995,
                consensus: 0.5,
                views: views.to_vec(),
                regularization: Regularization {
                    dropout: 0.4,
                    label_smoothing: 0.1,
                    ..Regularization::NONE
                },
                ..plain
            },
        }
    }

    /// What a trained network is refined with. Nothing is dropped: captions are drawn from the whole
    /// network, so it is that one which is rewarded.
    #[must_use]
    pub fn refining(base: &Self, seed: u64) -> Self {
        Self {
            seed,
            epochs: 15,
            batch: 16,
            learning_rate: 5e-5,
            warm_up: 50,
            decay: 0.95,
            weight_decay: 0.0,
            averaging: 0.99,
            consensus: 0.0,
            patience: 5,
            regularization: Regularization::NONE,
            ..base.clone()
        }
    }

    /// The learning rate of the step after `steps`.
    #[must_use]
    pub fn rate_at(&self, steps: i32, steps_of_epoch: usize) -> f64 {
        let steps = f64::from(steps);
        let rising = ((steps + 1.0) / self.warm_up.max(1) as f64).min(1.0);
        self.learning_rate * rising * self.decay.powf(steps / steps_of_epoch.max(1) as f64)
    }
}

/// All of Flickr8k; of ResNet50's grids 1.6 GB, of which the system keeps two at hand.
fn window() -> usize {
    8192
}

fn side_words() -> Vec<String> {
    ["left", "right"].map(str::to_owned).to_vec()
}
