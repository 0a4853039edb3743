//! Hyperparameters. Each group is defined once: its fields, their flags, their keys in `config.toml`, their defaults and
//! their limits.

#[macro_use]
mod group;
mod changes;
mod differences;
mod distillation;
mod file;
mod limit;
mod network;
mod presets;
mod refinement;
mod removed;
mod search;
mod training;

pub use self::changes::Changes;
pub use self::differences::differences;
pub use self::distillation::Distillation;
pub use self::file::SettingsFile;
pub(crate) use self::limit::Limit;
pub use self::network::NetworkConfig;
pub use self::presets::Recipe;
pub use self::refinement::Refinement;
pub(crate) use self::removed::check_removed;
pub use self::search::{SearchFlags, check_search};
pub use self::training::{Precision, Regularization, Training};
