//! Types and helpers that several crates of Showtell share. It needs no native library.

mod grid;

pub use grid::GridShape;
