//! The recipes and their hyperparameters.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use common::View;

use super::{Regularization, Training};

/// A network with its default hyperparameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// Multi-head attention whose context feeds the output alone.
    Adaptive,
    /// Show, Attend and Tell with soft attention, as published.
    ShowAttendTell,
}

impl Display for Recipe {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Self::Adaptive => "adaptive",
            Self::ShowAttendTell => "show-attend-tell",
        })
    }
}

impl Training {
    /// The hyperparameters of a recipe, on a store with the given views.
    #[must_use]
    pub fn preset(recipe: Recipe, views: &[View]) -> Self {
        match recipe {
            Recipe::ShowAttendTell => Self {
                regularization: Regularization {
                    dropout: 0.5,
                    doubly_stochastic: 1.0,
                    ..Regularization::default()
                },
                ..Self::default()
            },
            Recipe::Adaptive => Self {
                learning_rate: 1.1e-3,
                warm_up: 100,
                text_batch: 80,
                decay: 0.87,
                weight_decay: 0.05,
                averaging: 0.999,
                consensus: 0.5,
                views: views.to_vec(),
                regularization: Regularization {
                    dropout: 0.4,
                    label_smoothing: 0.1,
                    ..Regularization::default()
                },
                ..Self::default()
            },
        }
    }

    /// The hyperparameters of a network that learns from networks that were trained with `base`. The probabilities of the
    /// teachers take the place of label smoothing.
    #[must_use]
    pub fn distillation_preset(base: &Self) -> Self {
        let regularization = Regularization { label_smoothing: 0.0, ..base.regularization };
        Self { regularization, ..base.clone() }
    }

    /// The hyperparameters of the refinement of a network that was trained with `base`. There is no dropout: captions
    /// are sampled from the whole network, so the whole network is rewarded.
    #[must_use]
    pub fn refinement_preset(base: &Self) -> Self {
        Self {
            epochs: 15,
            learning_rate: 5e-5,
            warm_up: 50,
            decay: 0.95,
            averaging: 0.99,
            patience: 5,
            window: base.window,
            clip: base.clip,
            views: base.views.clone(),
            side_words: base.side_words.clone(),
            precision: base.precision,
            ..Self::default()
        }
    }
}
