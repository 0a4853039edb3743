//! ONNX files: the messages of the format, a builder for small graphs, and forms of a graph whose weights have fewer
//! bits.

mod graph;
mod half_weights;
mod integer_products;
pub mod messages;
pub mod quantized;

pub use graph::{Attribute, Dimension, ElementType, Graph};
