//! A network in training: its weights, optimizer and steps.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::batches::BatchReader;
use super::parts::{divide, part_count};
use super::replicas::{Losses, Replicas};
use super::schedule::learning_rate;
use super::training_data::TrainingData;
use crate::batch::Batch;
use crate::checkpoint::{Checkpoint, sorted_weights};
use crate::dataset::Views;
use crate::device::Compute;
use crate::ema::Ema;
use crate::grids::Grids;
use crate::optimizer::{AdamW, StepSize};
use crate::recipes::{self, ForwardPass, Network};
use crate::run::RunConfig;
use crate::sample::SampleSize;
use crate::self_critical::{Sampled, SelfCritical};
use crate::settings::Training;
use crate::tensor::read_scalars;
use crate::text::TextCaptions;
use crate::threads::Threads;
use crate::{Error, Result, memory};

/// Bits of the number of a step in the number of a pass; the other bits are those of a part.
const STEP_BITS: u32 = 32;

/// A network in training.
#[derive(Debug)]
pub(super) struct Learner<'a> {
    training: &'a Training,
    grids: &'a Grids,
    text: Option<&'a TextCaptions>,
    compute: Compute,
    replicas: Replicas,
    ema: Option<Ema>,
    optimizer: AdamW,
    self_critical: Option<SelfCritical>,
    steps_per_epoch: usize,
}

/// How a network is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrainingKind {
    /// Cross-entropy of teacher-forced captions.
    TeacherForcing,
    /// Rewards of sampled captions.
    SelfCritical,
}

/// The figures of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepMetrics {
    /// Number of captions.
    pub(super) captions: usize,
    /// The mean negative log-likelihood of a word.
    pub(super) cross_entropy: f64,
    /// The same of captions without photos.
    pub(super) text_cross_entropy: Option<f64>,
    /// The mean reward of sampled captions; 0 with teacher forcing.
    pub(super) reward: f64,
}

/// The figures of a step that come from the device.
#[derive(Debug, Clone, Copy)]
struct Figures {
    cross_entropy: f64,
    text_cross_entropy: Option<f64>,
    /// The norm of the gradient.
    norm: f64,
}

impl<'a> Learner<'a> {
    /// A network with fresh weights.
    pub(super) fn new(
        config: &'a RunConfig,
        data: &'a TrainingData,
        views: &Views,
        compute: Compute,
    ) -> Result<Self> {
        let Compute { device, backend } = compute;
        let training = &config.training;
        let count = part_count(training.batch, backend).min(Threads::count());
        memory::check(config.recipe, &config.network, device, count)?;
        let build = || recipes::build(config.recipe, config.network, training.seed, device);
        let replicas = Replicas::new(build, count);
        let weights = replicas.weights();
        let ema =
            (training.averaging > 0.0).then(|| Ema::new(config, weights, backend)).transpose()?;
        let self_critical = config.refinement.as_ref().map(|refinement| {
            let max_length = config.search.max_length;
            let size = SampleSize { captions: refinement.samples, max_length };
            SelfCritical::new(&data.training, views, size)
        });
        Ok(Self {
            training,
            grids: &data.grids,
            text: data.text.as_ref(),
            compute,
            optimizer: AdamW::new(sorted_weights(weights), &replicas.others(), backend)?,
            replicas,
            ema,
            self_critical,
            steps_per_epoch: data.images_per_epoch().div_ceil(training.batch),
        })
    }

    /// The number of threads of the operations between steps, such as the reading of batches.
    pub(super) fn threads(&self) -> usize {
        self.replicas.threads()
    }

    /// Reads its batches.
    pub(super) fn reader(&self) -> BatchReader<'a> {
        BatchReader { grids: self.grids, compute: self.compute, kind: self.kind() }
    }

    /// Takes a step on a batch.
    pub(super) fn step(&mut self, batch: &Batch) -> Result<StepMetrics> {
        let Training { weight_decay, clip, text_batch, text_weight, seed, .. } = *self.training;
        let step = self.steps().unsigned_abs().into();
        let sampled = self.sample(batch, step)?;
        let with_samples = sampled.as_ref().map(|sampled| batch.with_captions(&sampled.images));
        let batch = with_samples.as_ref().unwrap_or(batch);
        let text = self.text.map(|text| text.draw(text_batch, seed, step)).unwrap_or_default();
        let pass = |part| {
            let pass = self.pass(step, part);
            if sampled.is_some() { pass.over_sampled() } else { pass }
        };
        let count = part_count(batch.images.len(), self.compute.backend);
        let parts = divide(batch, &text, count, pass);
        let losses = self.replicas.add_gradients(parts, text_weight);
        let _threads = Threads::new(self.replicas.all_threads());
        let figures = self.read_figures(&losses)?;
        let learning_rate = learning_rate(self.training, self.steps(), self.steps_per_epoch);
        self.optimizer.step(StepSize { learning_rate, weight_decay, clip }, figures.norm)?;
        if let Some(ema) = &mut self.ema {
            ema.update(self.optimizer.weights(), self.optimizer.steps());
        }
        Ok(StepMetrics {
            captions: batch.captions(),
            cross_entropy: figures.cross_entropy,
            text_cross_entropy: figures.text_cross_entropy,
            reward: sampled.as_ref().map_or(0.0, |sampled| sampled.reward),
        })
    }

    /// The pass of a part of a step, with noise of its own.
    fn pass(&self, step: u64, part: u64) -> ForwardPass {
        let Training { regularization, precision, seed, .. } = *self.training;
        let pass = ForwardPass::new(regularization, precision, seed, step | part << STEP_BITS);
        pass.with_backend(self.compute.backend)
    }

    /// Reads the losses of a step and the norm of its gradient, the only values of a step that are waited for. Refuses one
    /// that is not finite.
    fn read_figures(&self, losses: &Losses) -> Result<Figures> {
        let Losses { images, text: of_text } = losses;
        // Without text the other loss is read twice.
        let [cross_entropy, text, norm] =
            read_scalars([images, of_text.as_ref().unwrap_or(images), &self.optimizer.norm()]);
        self.check_finite("loss", cross_entropy)?;
        self.check_finite("loss of captions without photos", text)?;
        self.check_finite("gradient", norm)?;
        Ok(Figures { cross_entropy, text_cross_entropy: of_text.as_ref().map(|_| text), norm })
    }

    /// Samples captions for the images of a batch, in self-critical training.
    fn sample(&self, batch: &Batch, step: u64) -> Result<Option<Sampled>> {
        let Some(self_critical) = &self.self_critical else { return Ok(None) };
        let _threads = Threads::new(self.replicas.all_threads());
        // Another generator than that of dropout and order.
        let mut random = ChaCha8Rng::seed_from_u64(self.training.seed ^ u64::MAX);
        random.set_stream(step);
        let backend = self.compute.backend;
        self_critical.sample(self.replicas.network(), batch, backend, &mut random).map(Some)
    }

    /// Refuses a quantity that is not finite, before a weight or a checkpoint changes.
    fn check_finite(&self, quantity: &'static str, value: f64) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        let epoch = self.steps().unsigned_abs() as usize / self.steps_per_epoch.max(1) + 1;
        Err(Error::Diverged { quantity, epoch })
    }

    /// Number of steps taken.
    pub(super) fn steps(&self) -> i32 {
        self.optimizer.steps()
    }

    /// How the network is trained.
    pub(super) fn kind(&self) -> TrainingKind {
        match self.self_critical {
            Some(_) => TrainingKind::SelfCritical,
            None => TrainingKind::TeacherForcing,
        }
    }

    /// The network that captions are generated with.
    pub(super) fn generator(&self) -> &dyn Network {
        self.ema.as_ref().map_or(self.replicas.network(), Ema::network)
    }

    /// The weights that captions are generated with, by name.
    pub(super) fn generator_weights(&self) -> Vec<(String, Tensor)> {
        sorted_weights(self.ema.as_ref().map_or(self.replicas.weights(), Ema::weights))
    }

    /// All that a training is resumed from, by name: weights, moments and EMA.
    pub(super) fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        let ema = self.ema.iter().flat_map(Ema::state);
        sorted_weights(self.replicas.weights()).into_iter().chain(self.optimizer.state()).chain(ema)
    }

    /// Restores the state of a checkpoint.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.copy_weights(self.replicas.weights())?;
        if let Some(ema) = &mut self.ema {
            ema.restore(|name, tensor| checkpoint.copy_into(name, tensor))?;
        }
        let steps = checkpoint.progress.steps;
        self.optimizer.restore(steps, |name, tensor| checkpoint.copy_into(name, tensor))
    }

    /// Begins with the weights of a checkpoint.
    pub(super) fn begin_with(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.copy_weights(self.replicas.weights())?;
        self.ema.as_mut().map_or(Ok(()), |ema| ema.copy(self.replicas.weights()))
    }
}
