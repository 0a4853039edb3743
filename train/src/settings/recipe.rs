//! `recipe` in `config.toml`: the kind of network.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

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
