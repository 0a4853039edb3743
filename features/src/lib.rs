//! The feature store: one grid per image and view, encoded once and read by every experiment.
//!
//! A store is a list of plain HDF5 files. Each is laid out whole by libhdf5 under a temporary name and renamed; after that,
//! rows are written and read at fixed byte addresses. Reading parses HDF5 metadata in safe Rust, so neither the
//! library's global lock nor a damaged file is in the way.
//!
//! `FORMAT.md` in the folder of this crate specifies the format.

mod block;
mod encoded;
mod error;
mod files;
mod header;
mod index;
mod layout;
mod lock;
mod merge;
mod open;
mod part;
mod plain;
mod provenance;
mod rows;
mod scratch;
mod shard;
mod store;
mod verify;
mod version2;
mod writer;

/// The version of the HDF5 library, which is part of the program.
#[must_use]
pub fn native_version() -> String {
    let (major, minor, patch) = hdf5::library_version();
    format!("HDF5: {major}.{minor}.{patch}")
}

pub use block::MAX_NAME_BYTES;
pub use common::{GridShape, Preprocess, View};
pub use encoded::Encoded;
pub use error::{Error, Result};
pub use merge::{merge, merge_copy};

pub use part::{Source, Stamp, State};
pub use provenance::{Dtype, Field, Provenance};
pub use rows::Rows;
pub use shard::{Shard, shards_of};
pub use store::FeatureStore;
pub use verify::Problem;
pub use writer::{Origin, StoreWriter};
