//! The feature store: one grid an image, encoded once and read by every experiment.
//!
//! A store is a plain HDF5 file. libhdf5 lays it out and reads its description; the grids
//! themselves are written and read at known byte addresses, so that the library's one global lock
//! is never in the way and a killed extraction leaves a file that opens.
//!
//! `FORMAT.md` beside this crate writes the format down.

mod error;
mod layout;
mod map;
mod reader;
mod writer;

pub use error::{Error, Result};
pub use half::f16;
pub use layout::{GridShape, Provenance};
pub use reader::FeatureStore;
pub use writer::StoreWriter;
