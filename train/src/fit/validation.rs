//! The evaluation of an epoch on the dev images.

use std::time::Instant;

use tch::{Device, no_grad};

use super::training_data::TrainingData;
use crate::batch::Batch;
use crate::evaluate::{Evaluation, EvaluationSetup, Search, evaluate};
use crate::recipes::{ForwardPass, Network};
use crate::run::RunConfig;
use crate::settings::Regularization;
use crate::{Error, Result};

/// Evaluates networks on the dev images.
#[derive(Debug)]
pub(super) struct Validator<'a> {
    config: &'a RunConfig,
    data: &'a TrainingData,
    device: Device,
}

/// The result of an evaluation.
#[derive(Debug)]
pub(super) struct Validation {
    /// The mean negative log-likelihood of a word of the dev captions.
    pub(super) cross_entropy: f64,
    /// The generated captions.
    pub(super) evaluation: Evaluation,
    /// Duration in seconds.
    pub(super) seconds: f64,
}

impl Validation {
    /// The CIDEr of the generated captions, as a fraction.
    pub(super) fn cider(&self) -> f64 {
        self.evaluation.scores.cider()
    }

    /// The share of generated captions that were truncated at the maximum length.
    pub(super) fn truncated_share(&self) -> f64 {
        let Evaluation { unfinished, captioned, .. } = &self.evaluation;
        *unfinished as f64 / captioned.len().max(1) as f64
    }
}

impl<'a> Validator<'a> {
    pub(super) fn new(config: &'a RunConfig, data: &'a TrainingData, device: Device) -> Self {
        Self { config, data, device }
    }

    /// Evaluates the network of an epoch.
    pub(super) fn validate(&self, network: &dyn Network, epoch: usize) -> Result<Validation> {
        let start = Instant::now();
        let cross_entropy = self.cross_entropy(network)?;
        if !cross_entropy.is_finite() {
            return Err(Error::Diverged { quantity: "dev loss", epoch });
        }
        let setup = EvaluationSetup {
            store: &self.data.store,
            vocabulary: &self.data.vocabulary,
            search: Search::by_network(&self.config.search),
            device: self.device,
        };
        let evaluation = evaluate(&[network], &self.data.dev, setup)?;
        Ok(Validation { cross_entropy, evaluation, seconds: start.elapsed().as_secs_f64() })
    }

    /// The mean negative log-likelihood of a word of the dev captions.
    fn cross_entropy(&self, network: &dyn Network) -> Result<f64> {
        let training = &self.config.training;
        let (mut total, mut words) = (0.0, 0);
        let mut images = self.data.dev_captions.iter().collect::<Vec<_>>();
        images.sort_by_key(|image| image.longest());
        for images in images.chunks(training.batch) {
            let batch = Batch::new(images, &self.data.store, self.device)?;
            let mut pass = ForwardPass::new(Regularization::default(), training.precision, 0, 0);
            let loss = no_grad(|| network.loss(&batch, &mut pass).cross_entropy);
            total += loss * batch.words() as f64;
            words += batch.words();
        }
        Ok(total / words.max(1) as f64)
    }
}
