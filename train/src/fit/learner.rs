//! A network in training: its weights, optimizer and steps.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;
use tch::nn::VarStore;

use super::batches::BatchReader;
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
use crate::{Error, Result, memory};

/// A network in training.
#[derive(Debug)]
pub(super) struct Learner<'a> {
    training: &'a Training,
    grids: &'a Grids,
    text: Option<&'a TextCaptions>,
    compute: Compute,
    weights: VarStore,
    network: Box<dyn Network>,
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
        memory::check(config.recipe, &config.network, device)?;
        let (weights, network) =
            recipes::build(config.recipe, config.network, training.seed, device);
        let ema =
            (training.averaging > 0.0).then(|| Ema::new(config, &weights, backend)).transpose()?;
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
            optimizer: AdamW::new(sorted_weights(&weights), backend),
            weights,
            network,
            ema,
            self_critical,
            steps_per_epoch: data.images_per_epoch().div_ceil(training.batch),
        })
    }

    /// Reads its batches.
    pub(super) fn reader(&self) -> BatchReader<'a> {
        BatchReader { grids: self.grids, compute: self.compute, kind: self.kind() }
    }

    /// Takes a step on a batch.
    pub(super) fn step(&mut self, batch: &Batch) -> Result<StepMetrics> {
        let Training { regularization, precision, seed, weight_decay, clip, .. } = *self.training;
        let step = self.steps().unsigned_abs().into();
        let sampled = self.sample(batch, step)?;
        let with_samples = sampled.as_ref().map(|sampled| batch.with_captions(&sampled.images));
        let batch = with_samples.as_ref().unwrap_or(batch);
        let pass = ForwardPass::new(regularization, precision, seed, step);
        let pass = pass.with_backend(self.compute.backend);
        let mut pass = if sampled.is_some() { pass.over_sampled() } else { pass };
        let loss = self.network.loss(batch, &mut pass);
        let cross_entropy = loss.cross_entropy.shallow_clone();
        loss.backward();
        let of_text = self.learn_text(step, &mut pass);
        let figures = self.read_figures(&cross_entropy, of_text.as_ref())?;
        let learning_rate = learning_rate(self.training, self.steps(), self.steps_per_epoch);
        self.optimizer.step(StepSize { learning_rate, weight_decay, clip }, figures.norm);
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

    /// Adds the gradients of captions without photos. Returns their loss, if there are any.
    fn learn_text(&self, step: u64, pass: &mut ForwardPass) -> Option<Tensor> {
        let text = self.text?;
        let Training { text_batch, text_weight, seed, .. } = *self.training;
        let captions = text.draw(text_batch, seed, step);
        let loss = self.network.text_loss(&captions, pass)?;
        let cross_entropy = loss.cross_entropy.shallow_clone();
        loss.times(text_weight).backward();
        Some(cross_entropy)
    }

    /// Reads the losses of a step and the norm of its gradient, the only values of a step that are waited for. Refuses one
    /// that is not finite.
    fn read_figures(&self, cross_entropy: &Tensor, of_text: Option<&Tensor>) -> Result<Figures> {
        // Without such captions the other loss is read twice.
        let losses = [cross_entropy, of_text.unwrap_or(cross_entropy)];
        let [cross_entropy, text, norm] =
            read_scalars([losses[0], losses[1], &self.optimizer.norm()]);
        self.check_finite("loss", cross_entropy)?;
        self.check_finite("loss of captions without photos", text)?;
        self.check_finite("gradient", norm)?;
        Ok(Figures { cross_entropy, text_cross_entropy: of_text.map(|_| text), norm })
    }

    /// Samples captions for the images of a batch, in self-critical training.
    fn sample(&self, batch: &Batch, step: u64) -> Result<Option<Sampled>> {
        let Some(self_critical) = &self.self_critical else { return Ok(None) };
        // Another generator than that of dropout and order.
        let mut random = ChaCha8Rng::seed_from_u64(self.training.seed ^ u64::MAX);
        random.set_stream(step);
        let backend = self.compute.backend;
        self_critical.sample(&*self.network, batch, backend, &mut random).map(Some)
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
        self.ema.as_ref().map_or(&*self.network, Ema::network)
    }

    /// The weights that captions are generated with, by name.
    pub(super) fn generator_weights(&self) -> Vec<(String, Tensor)> {
        sorted_weights(self.ema.as_ref().map_or(&self.weights, Ema::weights))
    }

    /// All that a training is resumed from, by name: weights, moments and EMA.
    pub(super) fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        let ema = self.ema.iter().flat_map(Ema::state);
        sorted_weights(&self.weights).into_iter().chain(self.optimizer.state()).chain(ema)
    }

    /// Restores the state of a checkpoint.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.copy_weights(&self.weights)?;
        if let Some(ema) = &mut self.ema {
            ema.restore(|name, tensor| checkpoint.copy_into(name, tensor))?;
        }
        let steps = checkpoint.progress.steps;
        self.optimizer.restore(steps, |name, tensor| checkpoint.copy_into(name, tensor))
    }

    /// Begins with the weights of a checkpoint.
    pub(super) fn begin_with(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.copy_weights(&self.weights)?;
        self.ema.as_mut().map_or(Ok(()), |ema| ema.copy(&self.weights))
    }
}
