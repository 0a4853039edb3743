//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use common::Size;
use common::View;
use features::{Dtype, Shard};
use models::decode::MAX_PIXELS;
use models::preprocess::Resize;
use models::{DeviceChoice, Limits};

use crate::compare::Check;
use crate::task;

/// Stage one: every image through the encoder, once, into the feature store.
#[derive(Parser)]
#[command(name = "extract", version = common::version!(), args_conflicts_with_subcommands = true)]
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
    /// Say how many images, bytes and minutes a run would take, and change nothing.
    Plan(Plan),
    /// Make one store of shards, or of the files of a store.
    Merge(Merge),
    /// Say what is in a store, made by which encoder, from which preprocessing.
    Inspect(Inspect),
    /// Compare every byte of a store with its checksums.
    Verify(Verify),
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) job: Job,
    /// Captions to compare the images with; differences are counted.
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// Mark the rows of images that are no longer there as removed.
    #[arg(long)]
    pub(crate) prune: bool,
}

/// What is encoded, by what, into what.
#[derive(Args)]
pub(crate) struct Job {
    /// Folder of images and tar archives, in folders too; or one archive; or a list of paths, as text or
    /// CSV.
    #[arg(long, default_value = "data/Images", value_name = "PATH")]
    pub(crate) images: PathBuf,
    /// The encoder: an ONNX file with one `[N,3,H,W]` input and one `[N,C,h,w]` output.
    #[arg(long, default_value = "models/resnet50.onnx", value_name = "FILE")]
    pub(crate) encoder: PathBuf,
    /// Read every image and every row again, instead of trusting size and time of modification.
    #[arg(long)]
    pub(crate) check: bool,
    /// The feature store to fill.
    #[arg(long, default_value = "features/flickr8k.h5", value_name = "FILE")]
    pub(crate) store: PathBuf,
    /// Views of each image, separated by commas: original, flip, and the corners top-left, top-right,
    /// bottom-left, bottom-right.
    #[arg(long, default_value = "original", value_name = "LIST", value_delimiter = ',')]
    pub(crate) views: Vec<View>,
    /// Type of the stored values.
    #[arg(long, default_value_t, value_name = "TYPE")]
    pub(crate) dtype: Dtype,
    /// Where the encoder runs: auto, cpu or cuda.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Images in one run of the encoder.
    #[arg(long, default_value_t = 8, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) batch: u16,
    /// Threads of the encoder [default: all cores].
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// How images are brought to the input size: squash or crop [default: what the encoder says,
    /// else squash].
    #[arg(long, value_name = "HOW")]
    pub(crate) resize: Option<Resize>,
    /// The most pixels an image may have.
    #[arg(long, default_value_t = MAX_PIXELS, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_pixels: u64,
    /// The most memory that images take while they are read and decoded, such as 512MiB or 4GiB. An image that needs
    /// more is skipped.
    #[arg(long, default_value_t = Size::mib(1024), value_name = "SIZE")]
    pub(crate) memory: Size,
    /// Only the images whose names hash to shard I of N, counted from 0, into STORE.I-of-N.h5; as auto/N, I
    /// is the number of the task in a Kubernetes indexed job or a Slurm array.
    #[arg(long, value_name = "I/N", value_parser = task::shard)]
    pub(crate) shard: Option<Shard>,
}

impl Job {
    /// What images are let in.
    pub(crate) fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels }
    }

    /// How images are compared with the store.
    pub(crate) fn check(&self) -> Check {
        if self.check { Check::Contents } else { Check::Stamps }
    }

    /// The file that is filled.
    pub(crate) fn file(&self) -> PathBuf {
        self.shard.map_or_else(|| self.store.clone(), |shard| shard.path(&self.store))
    }
}

#[derive(Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) job: Job,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Merge {
    /// The store to make.
    #[arg(value_name = "STORE")]
    pub(crate) store: PathBuf,
    /// Its shards, or a store to which rows were added [default: the files STORE.I-of-N.h5 beside it].
    #[arg(value_name = "SHARD")]
    pub(crate) shards: Vec<PathBuf>,
    /// Copy the grids, instead of pointing to their files.
    #[arg(long)]
    pub(crate) copy: bool,
}

#[derive(Args)]
pub(crate) struct Inspect {
    /// The feature store.
    #[arg(value_name = "STORE")]
    pub(crate) store: PathBuf,
    /// Print one JSON document, with a digest of the content, for which all rows are read.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// The feature store.
    #[arg(value_name = "STORE")]
    pub(crate) store: PathBuf,
}
