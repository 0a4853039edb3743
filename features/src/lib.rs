//! The feature store: one grid an image, encoded once and read by every experiment.
//!
//! A store is a plain HDF5 file with a *front page* before it: a checked description of where
//! everything lies. libhdf5 lays rows out, in a scratch file; rows themselves are written and read
//! at their byte addresses. So the library's one global lock is never in the way, no hostile file
//! reaches it, and a killed extraction leaves a store that opens.
//!
//! `FORMAT.md` beside this crate writes the format down.

mod append;
mod description;
mod error;
mod front;
mod index;
mod layout;
mod lock;
mod merge;
mod name;
mod part;
mod problem;
mod provenance;
mod reader;
mod rows;
mod scratch;
mod set;
mod shard;
mod verify;
mod writer;

/// The view that every store should have: the image as it is.
pub const ORIGINAL: &str = "original";

pub use common::GridShape;
pub use error::{Error, Result};
pub use merge::{merge, merge_copy};
pub use name::MAX_NAME_BYTES;
pub use problem::Problem;
pub use provenance::{Dtype, Provenance};
pub use reader::FeatureStore;
pub use rows::{Source, State};
pub use shard::{Shard, shards_of};
pub use writer::{Encoded, Origin, StoreWriter};
