//! The evaluation of an epoch on the dev images.

use std::time::Instant;

use data::metrics::Scores;
use data::metrics::statistics::CaptionStatistics;
use tch::{Tensor, no_grad};

use super::training_data::TrainingData;
use crate::batch::Batch;
use crate::dataset::TrainingImage;
use crate::device::Compute;
use crate::evaluate::{Evaluation, EvaluationSetup, Search, evaluate};
use crate::recipes::{ForwardPass, Network};
use crate::run::RunConfig;
use crate::settings::Regularization;
use crate::tensor::flat;
use crate::{Error, Result};

/// Evaluates networks on the dev images.
#[derive(Debug)]
pub(super) struct Validator<'a> {
    config: &'a RunConfig,
    data: &'a TrainingData,
    compute: Compute,
}

/// The result of an evaluation.
#[derive(Debug)]
pub(super) struct Validation {
    /// The results of the data sets that have dev images.
    pub(super) sets: Vec<SetValidation>,
    /// Statistics of all generated captions.
    pub(super) statistics: CaptionStatistics,
    /// Duration in seconds.
    pub(super) seconds: f64,
}

/// The result of an evaluation on the dev images of one data set.
#[derive(Debug)]
pub(super) struct SetValidation {
    /// The number of the set.
    pub(super) set: usize,
    /// The weight of the set.
    pub(super) weight: f64,
    /// The mean negative log-likelihood of a word of the dev captions.
    pub(super) cross_entropy: f64,
    /// The generated captions.
    pub(super) evaluation: Evaluation,
}

impl Validation {
    /// The scores: means over the sets by their weights.
    pub(super) fn scores(&self) -> Scores {
        Scores::weighted_mean(self.sets.iter().map(|of| (of.evaluation.scores, of.weight)))
    }

    /// The CIDEr of the generated captions, as a fraction.
    pub(super) fn cider(&self) -> f64 {
        self.scores().cider()
    }

    /// The mean negative log-likelihood of a word of the dev captions, over the sets by their weights.
    pub(super) fn cross_entropy(&self) -> f64 {
        let weights = self.sets.iter().map(|of| of.weight).sum::<f64>();
        self.sets.iter().map(|of| of.weight * of.cross_entropy).sum::<f64>() / weights
    }

    /// The number of generated captions that were truncated at the maximum length.
    pub(super) fn truncated(&self) -> usize {
        self.sets.iter().map(|of| of.evaluation.unfinished).sum()
    }

    /// The share of generated captions that were truncated at the maximum length.
    pub(super) fn truncated_share(&self) -> f64 {
        let captions = self.sets.iter().map(|of| of.evaluation.captioned.len()).sum::<usize>();
        self.truncated() as f64 / captions.max(1) as f64
    }
}

impl<'a> Validator<'a> {
    pub(super) fn new(config: &'a RunConfig, data: &'a TrainingData, compute: Compute) -> Self {
        Self { config, data, compute }
    }

    /// Evaluates the network of an epoch.
    pub(super) fn validate(&self, network: &dyn Network, epoch: usize) -> Result<Validation> {
        let start = Instant::now();
        let sets = (0..self.data.dev.len()).filter(|&set| !self.data.dev[set].images.is_empty());
        let sets =
            sets.map(|set| self.validate_set(network, set)).collect::<Result<Vec<_>, _>>()?;
        if sets.iter().any(|set| !set.cross_entropy.is_finite()) {
            return Err(Error::Diverged { quantity: "dev loss", epoch });
        }
        let evaluations = sets.iter().map(|of| &of.evaluation);
        let words = evaluations.flat_map(|of| of.words(&self.data.vocabulary)).collect::<Vec<_>>();
        let statistics =
            CaptionStatistics::count(&words.iter().map(Vec::as_slice).collect::<Vec<_>>(), None);
        Ok(Validation { sets, statistics, seconds: start.elapsed().as_secs_f64() })
    }

    fn validate_set(&self, network: &dyn Network, set: usize) -> Result<SetValidation> {
        let dev = &self.data.dev[set];
        let setup = EvaluationSetup {
            store: self.data.grids.store(set),
            vocabulary: &self.data.vocabulary,
            search: Search::by_network(&self.config.search),
            device: self.compute.device,
        };
        Ok(SetValidation {
            set,
            weight: self.data.weights[set],
            cross_entropy: self.cross_entropy(network, &dev.captions)?,
            evaluation: evaluate(&[network], &dev.images, setup)?,
        })
    }

    /// The mean negative log-likelihood of a word of captions.
    fn cross_entropy(&self, network: &dyn Network, captions: &[TrainingImage]) -> Result<f64> {
        let training = &self.config.training;
        let Compute { device, backend } = self.compute;
        let (mut losses, mut words) = (Vec::new(), Vec::new());
        let mut images = captions.iter().collect::<Vec<_>>();
        images.sort_by_key(|image| image.longest());
        for images in images.chunks(training.batch) {
            let batch = Batch::new(images, &self.data.grids, device)?;
            let pass = ForwardPass::new(Regularization::default(), training.precision, 0, 0);
            let mut pass = pass.with_backend(backend);
            losses.push(no_grad(|| network.loss(&batch, &mut pass).cross_entropy));
            words.push(batch.words());
        }
        if losses.is_empty() {
            return Ok(0.0);
        }
        let losses = flat(&Tensor::stack(&losses, 0))?;
        let weighted =
            losses.iter().zip(&words).map(|(&loss, &words)| f64::from(loss) * words as f64);
        Ok(weighted.sum::<f64>() / words.iter().sum::<usize>().max(1) as f64)
    }
}
