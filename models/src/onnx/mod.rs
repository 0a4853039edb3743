//! ONNX files: the message types of the format, a builder for small graphs, and the way from a
//! classifier to an encoder.

mod adapt;
mod blocks;
mod constants;
mod graph;
mod half_weights;
mod integer_products;
pub(crate) mod integers;
pub(crate) mod outline;
mod paths;
mod pools;
mod proto;

pub use adapt::adapt;
pub use graph::{Attribute, Dimension, ElementType, Graph};
