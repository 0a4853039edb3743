//! The captioners that share the photos among them.

use std::thread;

use models::{Captioner, Device};
use rayon::prelude::*;
use serve::ModelArgs;

/// The most captioners: each holds its own copy of the networks.
const MOST: usize = 4;
/// The most photos that a captioner takes at once: the decoder reads its weights once for all of them.
const BATCH: usize = 4;

/// Captioners, and how many photos each takes at once.
pub(crate) struct Workers {
    captioners: Vec<Captioner>,
    batch: usize,
}

impl Workers {
    /// Opens captioners for so many photos. For many photos on CPUs there are several, which have the
    /// cores to themselves in equal parts and so never wait for each other; for few photos, or a GPU, one.
    pub(crate) fn open(model: &ModelArgs, photos: usize) -> anyhow::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let several = cores.min(MOST);
        if photos < 2 * several * BATCH || several == 1 {
            let captioners = vec![model.open(None)?];
            return Ok(Self { captioners, batch: photos.div_ceil(2).clamp(1, BATCH) });
        }
        let opened = (0..several).into_par_iter().map(|_| model.open(Some(cores / several)));
        let mut captioners = opened.collect::<Result<Vec<_>, _>>()?;
        if captioners.iter().any(|captioner| captioner.device() != Device::Cpu) {
            captioners.truncate(1);
        }
        Ok(Self { captioners, batch: BATCH })
    }

    /// The captioner of each thread. One alone works for two, so that photos are read while others are
    /// encoded.
    pub(crate) fn captioners(&self) -> Vec<&Captioner> {
        let threads = self.captioners.len().max(2);
        self.captioners.iter().cycle().take(threads).collect()
    }

    /// Photos that a captioner takes at once.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }
}
