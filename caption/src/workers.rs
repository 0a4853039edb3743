//! Captioners that work in parallel.

use std::thread;

use caption_options::ModelArgs;
use models::{Captioner, Device, Limits};
use rayon::prelude::*;

/// The most captioners: each has its own copy of the networks.
const MAX_CAPTIONERS: usize = 4;
/// The most photos of a batch: the decoder reads its weights once for all of them.
const MAX_BATCH: usize = 4;

/// Memory limits a photo, not its number of pixels.
const LIMITS: Limits = Limits { max_pixels: u64::MAX, heif: true };

/// Captioners, and the size of their batches.
pub(crate) struct Workers {
    captioners: Vec<Captioner>,
    batch: usize,
}

impl Workers {
    /// Opens captioners for this number of photos: on CPUs and for many photos several, which share the cores equally and
    /// so never wait for each other; for few photos, or on a GPU, one.
    ///
    /// # Errors
    /// Those of [`ModelArgs::open`].
    pub(crate) fn open(model: &ModelArgs, photos: usize, tags: bool) -> anyhow::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let several = cores.min(MAX_CAPTIONERS);
        if photos < 2 * several * MAX_BATCH || several == 1 {
            let captioners = vec![model.open(None, LIMITS, tags)?];
            return Ok(Self { captioners, batch: photos.div_ceil(2).clamp(1, MAX_BATCH) });
        }
        let opened =
            (0..several).into_par_iter().map(|_| model.open(Some(cores / several), LIMITS, tags));
        let mut captioners = opened.collect::<Result<Vec<_>, _>>()?;
        if captioners.iter().any(|captioner| captioner.device() != Device::Cpu) {
            captioners.truncate(1);
        }
        Ok(Self { captioners, batch: MAX_BATCH })
    }

    /// Why the encoders are on the CPU, although ONNX Runtime has a CUDA provider.
    pub(crate) fn cuda_problem(&self) -> Option<&str> {
        self.captioners.iter().find_map(Captioner::cuda_problem)
    }

    /// The captioner of each thread. A single captioner has two threads: one reads photos while the other encodes.
    pub(crate) fn captioners(&self) -> Vec<&Captioner> {
        let threads = self.captioners.len().max(2);
        self.captioners.iter().cycle().take(threads).collect()
    }

    /// The number of photos of a batch.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }
}
