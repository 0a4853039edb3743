//! Types and helpers that several crates of Showtell share. It needs no native library.

mod grid;
mod preprocess;

pub use grid::{GridShape, sides};
pub use preprocess::{Preprocess, PreprocessError, Resize};
