//! ONNX files: the messages of the format, a builder for small graphs, and forms of a graph whose weights have fewer
//! bits.

mod block_products;
mod graph;
mod half_weights;
mod integer_products;
mod matrix;
pub mod messages;
pub mod quantized;

pub use block_products::with_block_products;
pub use graph::{Attribute, Dimension, ElementType, Graph};
