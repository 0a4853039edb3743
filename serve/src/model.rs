//! The flags by which programs name a model.

use std::path::PathBuf;

use clap::Args;
use models::{Captioner, DeviceChoice};

/// Which model, and where it runs.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The model folder, as `train` leaves it.
    #[arg(long, env = "SHOWTELL_MODEL", default_value = "models/flickr8k", value_name = "DIR")]
    pub model: PathBuf,
    /// The encoder [default: looked for in the model folder, then in the folder above it].
    #[arg(long, env = "SHOWTELL_ENCODER", value_name = "FILE")]
    pub encoder: Option<PathBuf>,
    /// Where the encoder runs: auto, cpu or cuda.
    #[arg(long, env = "SHOWTELL_DEVICE", default_value_t, value_name = "DEVICE")]
    pub device: DeviceChoice,
}

impl ModelArgs {
    /// Opens the model.
    pub fn open(&self) -> models::Result<Captioner> {
        Captioner::open(&self.model, self.encoder.as_deref(), self.device)
    }
}
