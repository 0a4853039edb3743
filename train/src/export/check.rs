//! Comparison of the exported network with the trained one.

use features::FeatureStore;
use models::{OnnxDecoder, SearchOptions};
use tch::Device;

use crate::Result;
use crate::dataset::ScoredImage;
use crate::evaluate::{Search, captions};
use crate::run::{RunFolder, TrainedRun};
use crate::torch_decoder::TorchDecoder;

/// Agreement of the captions of two decoders.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Agreement {
    /// Number of images.
    pub images: usize,
    /// Number of images with the same caption from both.
    pub same: usize,
    /// Maximum difference of the log-probabilities of equal captions.
    pub difference: f32,
}

impl Agreement {
    /// The agreement on the images of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            images: self.images + other.images,
            same: self.same + other.same,
            difference: self.difference.max(other.difference),
        }
    }

    /// The share of images with the same caption.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.same as f64 / self.images.max(1) as f64
    }
}

/// Captions images with the best network of a run and with the exported one.
///
/// # Errors
/// [`Error::Features`](crate::Error::Features) if a grid cannot be read, [`Error::Models`](crate::Error::Models) if the
/// exported network cannot be opened or run, [`Error::Torch`](crate::Error::Torch).
pub fn check(
    folder: &RunFolder,
    run: &TrainedRun,
    images: &[ScoredImage],
    store: &FeatureStore,
    options: &SearchOptions,
) -> Result<Agreement> {
    let search = Search::by_network(options);
    let mut torch = TorchDecoder::new(&[&*run.network], Device::Cpu);
    let mut onnx = OnnxDecoder::open(folder.path(), None)?;
    let trained = captions(&mut torch, images, store, search)?;
    let exported = captions(&mut onnx, images, store, search)?;
    let pairs = trained.iter().zip(&exported);
    let same = pairs.filter(|(one, other)| one.words == other.words).collect::<Vec<_>>();
    let differences =
        same.iter().map(|(one, other)| (one.log_probability - other.log_probability).abs());
    Ok(Agreement {
        images: images.len(),
        same: same.len(),
        difference: differences.fold(0.0, f32::max),
    })
}
