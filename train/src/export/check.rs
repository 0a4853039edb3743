//! Whether the exported network says what the trained one says.

use features::FeatureStore;
use models::{OnnxDecoder, SearchOptions};
use tch::Device;

use crate::Result;
use crate::dataset::ScoredImage;
use crate::evaluate::captions;
use crate::run::{RunFolder, TrainedRun};
use crate::torch_decoder::TorchDecoder;

/// How far the captions of two decoders agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Images that were captioned.
    pub images: usize,
    /// Those with the same caption from both.
    pub same: usize,
    /// The largest difference of the log-probabilities of captions that are the same.
    pub difference: f32,
}

impl Agreement {
    /// Share of images with the same caption.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.same as f64 / self.images.max(1) as f64
    }
}

/// Captions images of the store with the best network of a run and with what was exported of it.
pub fn check(
    folder: &RunFolder,
    run: &TrainedRun,
    images: &[ScoredImage],
    store: &FeatureStore,
    options: &SearchOptions,
) -> Result<Agreement> {
    let mut torch = TorchDecoder::new(&[&*run.network], Device::Cpu);
    let mut onnx = OnnxDecoder::open(folder.path(), None)?;
    let trained = captions(&mut torch, images, store, options)?;
    let exported = captions(&mut onnx, images, store, options)?;
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
