//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use models::DeviceChoice;
use models::preprocess::Resize;

/// Stage one: every image through the encoder, once, into the feature store.
#[derive(Parser)]
#[command(name = "extract", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Encode the images that the store does not hold yet (this is also what no command means).
    Run(Run),
}

#[derive(Args)]
pub(crate) struct Run {
    /// Folder of images; folders in it are searched as well.
    #[arg(long, env = "SHOWTELL_IMAGES", default_value = "data/Images", value_name = "DIR")]
    pub(crate) images: PathBuf,
    /// The encoder: an ONNX file with one `[N,3,H,W]` input and one `[N,C,h,w]` output.
    #[arg(
        long,
        env = "SHOWTELL_ENCODER",
        default_value = "models/resnet50.onnx",
        value_name = "FILE"
    )]
    pub(crate) encoder: PathBuf,
    /// The feature store to fill.
    #[arg(
        long,
        env = "SHOWTELL_STORE",
        default_value = "features/flickr8k.h5",
        value_name = "FILE"
    )]
    pub(crate) store: PathBuf,
    /// Captions to compare the images with; differences are counted.
    #[arg(long, env = "SHOWTELL_CAPTIONS", value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// Where the encoder runs: auto, cpu or cuda.
    #[arg(long, env = "SHOWTELL_DEVICE", default_value_t, value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Images in one run of the encoder.
    #[arg(long, env = "SHOWTELL_BATCH", default_value_t = 8, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) batch: u16,
    /// Threads of the encoder [default: all cores].
    #[arg(long, env = "SHOWTELL_THREADS", value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// How images are brought to the input size: squash or crop [default: what the encoder says,
    /// else squash].
    #[arg(long, env = "SHOWTELL_RESIZE", value_name = "HOW")]
    pub(crate) resize: Option<Resize>,
}
