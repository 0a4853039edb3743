//! Writing ONNX files: the message types of the format, and a builder for small graphs.

mod graph;
pub mod proto;

pub use graph::{Attribute, Dimension, ElementType, Graph};
