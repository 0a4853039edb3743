//! The networks as they run: image to tensor, the encoder, the decoder, beam search.
//!
//! Everything here runs on ONNX Runtime alone. Arrays cross the border of this crate as slices with
//! their shapes.

mod axes;
mod bound;
pub mod bundle;
pub mod calibration;
pub mod captioner;
pub mod convert;
pub mod decode;
pub mod decoder;
pub mod device;
pub mod encoder;
mod error;
pub mod identity;
pub mod onnx;
mod overlay;
pub mod preprocess;
mod runtime;
pub mod search;
mod view;

pub use bundle::Manifest;
pub use calibration::Calibration;
pub use captioner::{Caption, Captioner, CaptionerOptions, Word};
pub use decode::{ImageError, Limits, decode};
pub use decoder::OnnxDecoder;
pub use device::{Device, DeviceChoice};
pub use encoder::{Encoder, Planes};
pub use error::{Error, Result};
pub use preprocess::Preprocess;
pub use search::{Decoder, Hypothesis, SearchOptions, search};
pub use view::View;
