//! An estimate of a run: images, bytes and time.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use indicatif::{HumanBytes, HumanDuration};
use models::Encoder;
use ndarray::Array4;
use rustix::fs::statvfs;
use serde::Serialize;

use crate::compare::Work;

/// Runs of the encoder that are timed.
const TIMED: usize = 3;

/// Images, bytes and time.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    /// Images to encode.
    images: usize,
    /// Of these, images that were encoded before and have changed.
    changed: usize,
    /// Images of the store that are no longer there.
    gone: usize,
    /// Images that are up to date.
    done: usize,
    /// Bytes of grids to write.
    bytes: u64,
    /// Free bytes of the store's file system.
    free_bytes: u64,
    images_per_second: f64,
    seconds: f64,
}

impl Plan {
    /// Plans `work` on `images` images for an encoder that takes `batch` images at a time.
    pub(crate) fn new(work: &Work, images: usize, bytes: u64, free_bytes: u64, speed: f64) -> Self {
        Self {
            images: work.encode.len(),
            changed: work.changed,
            gone: work.gone.len(),
            done: images - work.encode.len(),
            bytes,
            free_bytes,
            images_per_second: crate::progress::round(speed),
            seconds: (work.encode.len() as f64 / speed).round(),
        }
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { images, changed, gone, done, .. } = self;
        writeln!(
            formatter,
            "{images} images to encode ({changed} of them changed), {done} done, {gone} no longer there"
        )?;
        writeln!(
            formatter,
            "{} of grids to write, {} free",
            HumanBytes(self.bytes),
            HumanBytes(self.free_bytes)
        )?;
        let time = HumanDuration(std::time::Duration::from_secs_f64(self.seconds));
        write!(formatter, "about {time} at {:.1} images/s", self.images_per_second)
    }
}

/// Images per second of the encoder alone: the median of a few runs on black images.
pub(crate) fn speed(encoder: &mut Encoder, batch: usize, views: usize) -> anyhow::Result<f64> {
    let [channels, height, width] = encoder.preprocess().shape();
    let tensors = Array4::zeros([batch * views, channels, height, width]);
    let mut seconds = Vec::new();
    for _ in 0..TIMED {
        let start = Instant::now();
        encoder.encode(tensors.view())?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(batch as f64 / seconds[TIMED / 2])
}

/// Free bytes of the file system of `store`, which need not exist yet.
pub(crate) fn free_bytes(store: &Path) -> anyhow::Result<u64> {
    let exists = |folder: &&Path| folder.as_os_str().is_empty() || folder.exists();
    let folder = store.ancestors().skip(1).find(exists).unwrap_or(Path::new("."));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let status = statvfs(folder)
        .with_context(|| format!("{}: its free space is unknown", folder.display()))?;
    Ok(status.f_bavail * status.f_frsize)
}

/// Refuses a run for which the disk is too small.
pub(crate) fn check_space(store: &Path, bytes: u64) -> anyhow::Result<()> {
    let free = free_bytes(store)?;
    ensure!(
        bytes < free,
        "{}: the grids take {} and only {} are free there\n  Free some space, or name a store on another disk (--store FILE, make: STORE=FILE).",
        store.display(),
        HumanBytes(bytes),
        HumanBytes(free)
    );
    Ok(())
}
