//! The encoders of a run.

use std::thread;

use anyhow::ensure;
use features::GridShape;
use models::device::cuda_warning;
use models::encoder::EncoderOptions;
use models::{Device, DeviceChoice, Encoder};

use crate::options::Job;
use crate::progress::Progress;

/// Maximum number of encoders on a CPU, which bounds their memory.
const MOST: usize = 4;

/// Opens the encoder, and reports its device and its preprocessing.
pub(crate) fn open(job: &Job, progress: &Progress) -> anyhow::Result<Encoder> {
    ensure!(
        job.encoder.exists(),
        "{}: no such encoder\n  Make one with `encoder fetch NAME` (make: make encoder NAME=NAME), or name another with --encoder FILE (make: NAME=NAME or ENCODER=FILE).",
        job.encoder.display()
    );
    let encoder = Encoder::open(&job.encoder, &options(job, job.threads.map(usize::from)))?;
    if let Some(problem) = encoder.cuda_problem() {
        progress.note(&cuda_warning(problem));
    }
    let GridShape { height, width, channels } = encoder.grid();
    progress.note(&format!(
        "{}: {height}×{width} cells of {channels}, on {} (--device {})",
        encoder.name(),
        encoder.describe_device(),
        job.device
    ));
    if !encoder.states_preprocess() {
        progress.note(&format!(
            "{}: no preprocessing in its metadata; ImageNet's is used: {}",
            encoder.name(),
            serde_json::to_string(encoder.preprocess())?
        ));
    }
    Ok(encoder)
}

/// The encoders of a run: on a CPU several that share the threads of the first one, if there is a batch for each. Threads of
/// one encoder wait for each other after each layer; those of several do not.
pub(crate) fn divide(job: &Job, encoder: Encoder, images: usize) -> anyhow::Result<Vec<Encoder>> {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = job.threads.map_or_else(cores, usize::from);
    let most = images / job.batch(encoder.device());
    let shares = shares(threads, most.min(MOST));
    if encoder.device() != Device::Cpu || shares.len() == 1 {
        return Ok(vec![encoder]);
    }
    let sha256 = encoder.sha256().to_owned();
    // Its memory is freed before others take as much.
    drop(encoder);
    let open = |threads: usize| {
        let on_cpu = EncoderOptions { device: DeviceChoice::Cpu, ..options(job, Some(threads)) };
        let encoder = Encoder::open(&job.encoder, &on_cpu)?;
        ensure!(
            encoder.sha256() == sha256,
            "{}: the file changed while it was read\n  Run the same command again.",
            job.encoder.display()
        );
        Ok(encoder)
    };
    shares.into_iter().map(open).collect()
}

/// Divides threads among at most `most` encoders, and at least one.
fn shares(threads: usize, most: usize) -> Vec<usize> {
    let count = threads.min(most).max(1);
    (0..count).map(|at| threads / count + usize::from(at < threads % count)).collect()
}

fn options(job: &Job, threads: Option<usize>) -> EncoderOptions {
    EncoderOptions {
        device: job.device,
        threads,
        resize: job.resize,
        cuda_batch: Some(job.batch(Device::Cuda) * job.views.len()),
        ..EncoderOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_is_left_over() {
        for (threads, most, expected) in [
            (1, 4, &[1][..]),
            (2, 4, &[1, 1]),
            (3, 4, &[1, 1, 1]),
            (5, 4, &[2, 1, 1, 1]),
            (16, 4, &[4, 4, 4, 4]),
            (16, 2, &[8, 8]),
            (7, 0, &[7]),
        ] {
            assert_eq!(shares(threads, most), expected, "{threads} {most}");
        }
    }
}
