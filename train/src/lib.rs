//! Stage two: an attention LSTM, trained on the grids of the feature store. No image is opened.

pub mod batch;
pub mod calibration;
pub mod checkpoint;
pub mod consensus;
pub mod dataset;
pub mod device;
pub mod distil;
mod ema;
mod error;
pub mod evaluate;
pub mod export;
pub mod fit;
mod fused;
pub mod grids;
mod memory;
pub mod neighbours;
mod optimizer;
pub mod provenance;
mod random;
pub mod recipes;
pub mod report;
pub mod run;
mod sample;
mod self_critical;
pub mod settings;
mod tensor;
pub mod text;
mod threads;
pub mod torch_decoder;
pub mod words;

pub use error::{Error, Result, RunProblem};
