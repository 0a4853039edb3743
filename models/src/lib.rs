//! The networks as they run: image to tensor, the encoder, the decoder, beam search.
//!
//! All networks run on ONNX Runtime. Arrays are `ndarray`'s, of a fixed rank, row-major and contiguous.
#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")
)]

mod axes;
mod bound;
pub mod bundle;
pub mod captioner;
pub mod confidence;
mod cuda;
pub mod decode;
pub mod decoder;
pub mod description;
pub mod device;
pub mod encoder;
mod error;
pub mod folder;
mod head;
mod host;
pub mod identity;
mod interface;
pub mod neighbours;
mod network;
mod overlay;
pub mod preprocess;
pub mod runtime;
pub mod search;
mod style;
pub mod view;

pub use bundle::Manifest;
pub use captioner::{Captioner, CaptionerOptions};
pub use decode::{ImageError, Limits, decode};
pub use decoder::OnnxDecoder;
pub use description::{Caption, CaptionSummary, CaptionedBatch, CaptionedPhoto, Description, Word};
pub use device::{Device, DeviceChoice};
pub use encoder::Encoder;
pub use error::{Error, Result, RuntimeError};
pub use head::Tag;
pub use neighbours::{NeighbourChoice, NeighbourData, NeighbourIndex};
pub use preprocess::Preprocess;
pub use search::{Decoder, Hypothesis, SearchOptions, search, search_views};
pub use style::Style;
