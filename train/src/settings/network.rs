//! `[network]` in `config.toml`: the sizes of a network.

use common::Size;
use serde::{Deserialize, Serialize};

use super::{Limit, Recipe};
use crate::{Error, Result};

/// The widest layer of a network.
const MAX_WIDTH: i64 = 1 << 16;

/// Tensors of the size of a weight that training holds beside gradients: itself, its EMA and two moments.
const COPIES: u64 = 4;

/// The sizes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Channels of a cell as the encoder gives it.
    pub channels: i64,
    /// Words of the vocabulary.
    pub vocabulary: i64,
    /// Channels of a cell in the network.
    pub annotation: i64,
    /// Width of the attention, all heads together.
    pub attention: i64,
    /// Heads of the attention; only `adaptive` has more than one.
    pub heads: i64,
    /// Width of an embedded word.
    pub embedding: i64,
    /// Width of the LSTM's state.
    pub hidden: i64,
}

impl NetworkConfig {
    /// The default sizes of a recipe, for cells of `channels` and a vocabulary.
    #[must_use]
    pub fn new(recipe: Recipe, channels: usize, vocabulary: usize) -> Self {
        let (attention, heads) = match recipe {
            Recipe::Adaptive => (512, 8),
            Recipe::ShowAttendTell => (256, 1),
        };
        Self {
            channels: channels as i64,
            vocabulary: vocabulary as i64,
            annotation: 512,
            attention,
            heads,
            embedding: 512,
            hidden: 512,
        }
    }

    /// The number of weights of a network of `recipe`.
    #[must_use]
    pub fn weights(&self, recipe: Recipe) -> u64 {
        let sides = [
            self.channels,
            self.vocabulary,
            self.annotation,
            self.attention,
            self.embedding,
            self.hidden,
        ];
        let [channels, words, annotation, attention, embedding, hidden] =
            sides.map(i64::unsigned_abs);
        match recipe {
            Recipe::Adaptive => {
                let cells = channels * annotation
                    + annotation
                    + 2 * annotation
                    + annotation * embedding
                    + embedding
                    + 2 * annotation * attention;
                let lstm = 4 * hidden * (embedding + hidden + 2);
                let output = 3 * attention * (hidden + 1)
                    + 2 * embedding * (hidden + 1)
                    + 2 * embedding * attention
                    + words;
                cells + words * embedding + lstm + output
            }
            Recipe::ShowAttendTell => {
                let cells = channels * annotation
                    + annotation
                    + annotation * attention
                    + attention
                    + (hidden + 1) * (attention + 1)
                    + attention
                    + 2 * hidden * (annotation + 1);
                let lstm = 4 * hidden * (embedding + 1) + 4 * hidden * (annotation + hidden);
                cells
                    + words * embedding
                    + lstm
                    + hidden * embedding
                    + annotation * embedding
                    + words * (embedding + 1)
            }
        }
    }

    /// The bytes of a network in training: weights, gradients in each replica, EMA and two moments of the optimizer.
    #[must_use]
    pub fn training_memory(&self, recipe: Recipe, replicas: usize) -> Size {
        let copies = COPIES + replicas as u64;
        Size::new(self.weights(recipe) * copies * size_of::<f32>() as u64)
    }

    /// Refuses sizes that no network can have.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, size) in [
            ("annotation", self.annotation),
            ("attention", self.attention),
            ("heads", self.heads),
            ("embedding", self.embedding),
            ("hidden", self.hidden),
        ] {
            Limit::Between(1, MAX_WIDTH).check(&format!("[network] {name}"), size)?;
        }
        let (attention, heads) = (self.attention, self.heads);
        if attention % heads == 0 { Ok(()) } else { Err(Error::Heads { attention, heads }) }
    }
}
