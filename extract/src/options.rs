//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use common::Size;
use common::View;
use features::{Dtype, Shard};
use models::decode::MAX_PIXELS;
use models::preprocess::Resize;
use models::{Device, DeviceChoice, Limits};

use crate::compare::Check;
use crate::task;

/// The default of `--batch` on the CPU.
const CPU_BATCH: usize = 8;
/// The number of views of images of a default batch on CUDA: as many as GPUs of 8 GiB hold with the encoders of the
/// catalogue by estimate, which was not measured.
const CUDA_BATCH_VIEWS: usize = 64;

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
    /// Encode the images that the store does not contain yet (the default command).
    Run(Run),
    /// Estimate the images, bytes and minutes of a run, without changing anything.
    Plan(Plan),
    /// Merge shards, or the files of a store, into one store.
    Merge(Merge),
    /// Describe a store: its images, encoder and preprocessing.
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

/// The images, the encoder and the store of a run.
#[derive(Args)]
pub(crate) struct Job {
    /// Images: a folder of images and tar archives, subfolders included; or one archive; or a list of paths, as text
    /// or CSV.
    #[arg(long, default_value = "data/Images", value_name = "PATH")]
    pub(crate) images: PathBuf,
    /// The encoder: an ONNX file with one `[N,3,H,W]` input and one `[N,C,h,w]` output.
    #[arg(long, default_value = "models/resnet50.onnx", value_name = "FILE")]
    pub(crate) encoder: PathBuf,
    /// Read every image and every row again, instead of comparing sizes and modification times.
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
    /// Device of the encoder: auto, cpu or cuda.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Images in one run of the encoder, each with its views; a GPU without enough memory for them needs fewer
    /// [default: 8, on CUDA 64 divided by the number of views].
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) batch: Option<u16>,
    /// Threads that encode [default: all cores]; on a CPU they encode up to four batches at once.
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// How images are resized to the input size: squash or crop [default: as in the encoder's metadata,
    /// else squash].
    #[arg(long, value_name = "HOW")]
    pub(crate) resize: Option<Resize>,
    /// Maximum number of pixels of an image.
    #[arg(long, default_value_t = MAX_PIXELS, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_pixels: u64,
    /// Maximum memory of images while they are read and decoded, such as 512MiB or 4GiB. An image that needs more is
    /// skipped.
    #[arg(long, default_value_t = Size::mib(1024), value_name = "SIZE")]
    pub(crate) memory: Size,
    /// Encode only the images whose names hash to shard I of N, counted from 0, into STORE.I-of-N.h5. With auto/N, I
    /// is the number of the task in a Kubernetes indexed job or a Slurm array.
    #[arg(long, value_name = "I/N", value_parser = task::shard)]
    pub(crate) shard: Option<Shard>,
}

impl Job {
    /// The limits of an image.
    pub(crate) fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels, ..Limits::default() }
    }

    /// The number of images in one run of the encoder on a device.
    pub(crate) fn batch(&self, device: Device) -> usize {
        match (self.batch, device) {
            (Some(images), _) => usize::from(images),
            (None, Device::Cpu) => CPU_BATCH,
            (None, Device::Cuda) => (CUDA_BATCH_VIEWS / self.views.len().max(1)).max(1),
        }
    }

    /// How images are compared with the store.
    pub(crate) fn check(&self) -> Check {
        if self.check { Check::Contents } else { Check::Stamps }
    }

    /// The store file, or that of the shard.
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
    /// The merged store.
    #[arg(value_name = "STORE")]
    pub(crate) store: PathBuf,
    /// Its shards, or a store of several files [default: the files STORE.I-of-N.h5 in the same folder].
    #[arg(value_name = "SHARD")]
    pub(crate) shards: Vec<PathBuf>,
    /// Copy the grids, instead of referring to their files.
    #[arg(long)]
    pub(crate) copy: bool,
}

#[derive(Args)]
pub(crate) struct Inspect {
    /// The feature store.
    #[arg(value_name = "STORE")]
    pub(crate) store: PathBuf,
    /// Print one JSON document, with a digest of the content, which reads all rows.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// The feature store.
    #[arg(value_name = "STORE")]
    pub(crate) store: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_follows_the_device() {
        let batches = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["extract"], arguments].concat()).unwrap();
            [Device::Cpu, Device::Cuda].map(|device| cli.run.job.batch(device))
        };
        assert_eq!(batches(&[]), [8, 64]);
        assert_eq!(batches(&["--views", "original,flip"]), [8, 32]);
        assert_eq!(batches(&["--views", "original,flip,top-left"]), [8, 21]);
        assert_eq!(batches(&["--batch", "5", "--views", "original,flip"]), [5, 5]);
    }
}
