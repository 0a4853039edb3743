//! `[network]` in `config.toml`: the sizes of a network.

use serde::{Deserialize, Serialize};

use super::{Limit, Recipe};
use crate::{Error, Result};

/// The widest layer of a network.
const MAX_WIDTH: i64 = 1 << 16;

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
